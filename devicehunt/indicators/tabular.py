"""Plain lists (a value a line) and CSV, line by line: memory does not grow with the file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from devicehunt.errors import UsageError
from devicehunt.indicators.entries import About, Sink, confidence, when
from devicehunt.indicators.values import guess, kind_of, settings, word

LONGEST_LINE = 64 * 1024
_NOTHING = {"", "-", "n/a", "na", "none", "null", "unknown"}
_COMMENT = ("#", ";", "//", "!")
_BEHIND = re.compile(r"\s+(?:#|//|;)\s*(.*)$")
_SINK_ADDRESSES = ("0.0.0.0", "127.0.0.1", "::", "::1")  # noqa: S104 - what a hosts file of blocked names leads to


class Lines:
    """The lines of a text; what is longer than any line of a list is dropped and counted."""

    def __init__(self, file: io.TextIOBase, sink: Sink) -> None:
        self._file, self._sink, self.number = file, sink, 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LONGEST_LINE):
            self.number += 1
            if line.endswith("\n") or len(line) < LONGEST_LINE:
                yield line
                continue
            while line and not line.endswith("\n"):
                line = self._file.readline(LONGEST_LINE)
            self._sink.leave(About(self.number), "not read (a line too long)")


@dataclass
class Head:
    """Where the columns of a CSV are."""

    delimiter: str
    direct: list[tuple[int, str]] = field(default_factory=list)
    value: int | None = None
    type: int | None = None
    about: dict[str, int] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether it names a column that holds values."""
        return bool(self.direct) or self.value is not None


def head_of(line: str) -> Head | None:
    """The header that a line is, or None."""
    best = None
    for delimiter in (",", ";", "\t", "|"):
        try:
            cells = next(csv.reader([line.lstrip("#; ").strip()], delimiter=delimiter, skipinitialspace=True), [])
        except csv.Error:
            continue
        if any(map(_is_value, cells)):  # a row, whatever words are in it
            continue
        names = [word(cell) for cell in cells]
        head = _head(names, delimiter)
        if head.known and (best is None or len(names) > 1):
            best = head
            if len(names) > 1:
                break
    return best


def _is_value(cell: str) -> bool:
    try:
        return bool(guess(cell))
    except ValueError:
        return False


def _head(names: list[str], delimiter: str) -> Head:
    known, head = settings(), Head(delimiter)
    places = {column: next((names.index(n) for n in spelt if n in names), None) for column, spelt in known["columns"].items()}
    head.about = {column: at for column, at in places.items() if at is not None}
    head.value = next((n for n, name in enumerate(names) if name in known["value_columns"]), None)
    head.type = next((n for n, name in enumerate(names) if name in known["type_columns"]), None)
    if head.value is None:
        marked = any(mark in names for mark in known["certificate_marks"])
        for at, name in enumerate(names):
            kind = kind_of().get(name)
            # a name of a malware sample is no path, whatever the column is called
            if kind and not (name == "filename" and len(names) > 1) and not (kind == "url" and name == "link" and "url" in names):
                head.direct.append((at, "certificate" if marked and name == "sha1" else kind))
    return head


def read(file: io.TextIOBase, sink: Sink) -> None:
    """Read a list of lines; UsageError where the text is none."""
    lines = Lines(file, sink)
    head = None
    for line in lines:
        bare = line.strip()
        if not bare:
            continue
        if bare.startswith(_COMMENT) and not bare.startswith("//["):
            head = head_of(bare) or head  # abuse.ch: the last line of the comment above the data
            if head and len(head.direct) + (head.value is not None) + len(head.about) < 2 and "," not in bare:
                head = None
            continue
        own = None if head else head_of(bare)
        if own:
            sink.source.form = "csv"
            _csv(lines, own, sink)
        elif head:
            sink.source.form = "csv"
            _csv(lines, head, sink, first=line)
        else:
            sink.source.form = "plain"
            _plain(lines, sink, line)
        return


def _csv(lines: Lines, head: Head, sink: Sink, first: str = "") -> None:
    def text() -> Iterator[str]:
        if first:
            yield first
        for line in lines:
            if not line.startswith("#") and line.strip():
                yield line

    reader = csv.reader(text(), delimiter=head.delimiter, skipinitialspace=True)
    while True:
        begin = lines.number
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            sink.leave(About(lines.number), f"not read ({error})")
            continue
        if lines.number - begin > 50:
            sink.leave(About(begin + 1), "not read (a quote that does not end)", f"lines {begin + 1} to {lines.number}")
            continue
        _row(row, lines.number, head, sink)


def _row(row: list[str], number: int, head: Head, sink: Sink) -> None:
    def cell(at: int | None) -> str:
        return row[at].strip() if at is not None and at < len(row) else ""

    def said(column: str) -> str:
        text = cell(head.about.get(column))
        return "" if text.lower() in _NOTHING else text

    port = said("port")
    about = About(
        number, said("object")[:120] or None, said("name")[:120] or None, when(said("first")), when(said("last")), when(said("until")),
        confidence(said("confidence")) if "confidence" in head.about else None,
    )  # fmt: skip
    if said("to_ids").lower() in ("0", "false", "no"):
        sink.leave(about, "left out (to_ids is false)", cell(head.value))
        return
    if head.value is not None:
        named = word(cell(head.type))
        kind = kind_of().get(named, "") if named else ""
        if named and not kind:
            sink.leave(about, f"not read (the type {named[:40]})", cell(head.value))
        else:
            _take(sink, about, cell(head.value), kind, port)
        return
    values = [(kind, cell(at)) for at, kind in head.direct if cell(at).lower() not in _NOTHING]
    if not values:
        sink.leave(about, "not read (no value)")
    for kind, value in values:
        _take(sink, about, value, kind, port)


def _take(sink: Sink, about: About, value: str, kind: str, port: str) -> None:
    if kind == "address" and port.isdigit() and 0 < int(port) < 65536 and value and "/" not in value and ":" not in value.partition(":")[2]:
        value = value if ":" in value else f"{value}:{port}"
    if "|" in value and kind in ("hash", "domain"):  # MISP's filename|sha256, domain|ip
        value = value.rpartition("|")[2] if kind == "hash" else value.partition("|")[0]
    sink.take(about, value, kind)


def _plain(lines: Lines, sink: Sink, first: str) -> None:
    _line(first, lines.number, sink)
    for line in lines:
        _line(line, lines.number, sink)


def _line(line: str, number: int, sink: Sink) -> None:
    text = line.strip()
    if not text or text.startswith(_COMMENT):
        return
    name = None
    if " " in text or "\t" in text:
        behind = _BEHIND.search(text)
        if behind:
            text, name = text[: behind.start()], behind[1][:120] or None
        words = text.split()
        if words[0] in _SINK_ADDRESSES and len(words) > 1:  # a hosts file
            for host in words[1:]:
                sink.take(About(number, None, name), host)
            return
        if len(words) > 1:
            text, name = words[0], name or " ".join(words[1:])[:120]
    if text.startswith("||"):  # a filter of an advertisement blocker
        text = text[2:].partition("^")[0]
    elif "," in text or ";" in text or text.startswith('"'):
        text = re.split(r"[,;]", text)[0].strip("\"' ")
    sink.take(About(number, None, name), text)


def refuse(kind: str, name: str) -> UsageError:
    """The error for a file that is no text."""
    return UsageError(f"--indicators: {name}: {kind}")
