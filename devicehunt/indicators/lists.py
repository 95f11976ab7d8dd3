"""A file of indicators -> its form, by its content, and its entries."""

from __future__ import annotations

import codecs
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devicehunt.case import sha256_of
from devicehunt.errors import CaseError, UsageError
from devicehunt.indicators import misp, stix, tabular
from devicehunt.indicators.entries import Lists, Sink, Source
from devicehunt.text import shown

JSON_CAP = 64 * 1024 * 1024
"""Bytes of a JSON file: it is read whole. Plain lists and CSV are read line by line, however large."""
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


def read(paths: Sequence[Path]) -> Lists | None:
    """Read lists; None where none is given. UsageError for what is no list, with the file and the place."""
    if not paths:
        return None
    try:
        folder = Path(tempfile.mkdtemp(prefix="devicehunt-indicators-"))
    except OSError as error:
        raise CaseError(f"--indicators: no room for a temporary folder: {error.strerror or error}") from error
    lists = Lists([], folder)
    taken: dict[str, str] = {}
    for number, path in enumerate(paths):
        name = shown(path.name, 80)
        try:
            source = Source(name, sha256_of(path))
            if source.sha256 in taken:
                raise UsageError(f"--indicators: {name} is the same file as {taken[source.sha256]}")
            taken[source.sha256] = name
            _one(path, source, lists.folder, number)
        except OSError as error:
            raise UsageError(f"--indicators: {shown(str(path))}: {error.strerror or error}") from error
        lists.sources.append(source)
    return lists


def _one(path: Path, source: Source, folder: Path, number: int) -> None:
    sink = Sink(source, folder, number)
    with path.open("rb") as file:
        head = file.read(4096)
        encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
        _check_text(head, encoding, source.name)
        file.seek(0)
        if _is_json(head.decode(encoding, "replace").lstrip("\ufeff \t\r\n")):
            _json(file, encoding, sink)
        else:
            with io.TextIOWrapper(file, encoding, "backslashreplace", newline="\n") as text:
                tabular.read(text, sink)
    sink.close()
    if not source.entries:
        why = source.sentence() or "it is empty"
        raise UsageError(f"--indicators: {source.name}: there is nothing in it that can be looked for; {why}")


def _check_text(head: bytes, encoding: str, name: str) -> None:
    if head.startswith(_ARCHIVES):
        raise UsageError(f"--indicators: {name} is an archive: unpack it, and give what is in it")
    if encoding != "utf-16" and b"\0" in head:
        raise UsageError(f"--indicators: {name} is no text, or of an encoding without a mark at its beginning: save it as UTF-8")
    if head.lstrip().startswith(b"<"):
        raise UsageError(f"--indicators: {name} is XML or HTML: STIX 2.1 (JSON), MISP (JSON), CSV and plain lists are read")


def _is_json(text: str) -> bool:
    return text.startswith("{") or (text.startswith("[") and text[1:].lstrip()[:1] in ("{", "[", "]", ""))


def _json(file: Any, encoding: str, sink: Sink) -> None:
    name = sink.source.name
    raw = file.read(JSON_CAP + 1)
    if len(raw) > JSON_CAP:
        raise UsageError(f"--indicators: {name} is JSON of more than {JSON_CAP >> 20} MiB: split it, or give it as CSV (any size)")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"--indicators: {name}: byte {error.start + 1} is not {encoding}") from error
    del raw
    _body(_loaded(text, name), sink)


def _loaded(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UsageError(f"--indicators: {name}: nested too deep") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text:
            return _by_lines(text, name)
        raise UsageError(f"--indicators: {name}: line {error.lineno}, column {error.colno}: {error.msg}{_cut(text, error.pos)}") from error
    except ValueError as error:  # a number of thousands of digits
        raise UsageError(f"--indicators: {name}: {shown(str(error), 80)}") from error


def _cut(text: str, at: int) -> str:
    return "; the file seems to be cut" if at >= len(text.rstrip()) - 1 else ""


def _by_lines(text: str, name: str) -> list[Any]:
    """JSON, an object a line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise UsageError(f"--indicators: {name}: line {number}: {shown(str(error), 80)}") from error
    return found


def _body(body: Any, sink: Sink) -> None:
    name = sink.source.name
    objects = stix.objects_of(body)
    if objects is not None:
        sink.source.form = "stix"
        stix.read(objects, sink)
        kinds = sorted({str(o.get("type"))[:40] for o in objects if isinstance(o, dict)})
        if not sink.source.entries and not sink.source.left:
            raise UsageError(f"--indicators: {name} holds no indicator; its objects are {', '.join(kinds[:12]) or 'none'}")
        return
    if misp.is_manifest(body):
        raise UsageError(f"--indicators: {name} is the manifest of a MISP feed: give the files of the events")
    events = misp.events_of(body)
    if events is None:
        raise UsageError(f"--indicators: {name} is JSON, but neither STIX 2 (a bundle) nor MISP (events)")
    sink.source.form = "misp"
    misp.read(events, sink)
