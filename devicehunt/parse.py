"""One output -> raw rows and gaps. Nothing that is not understood passes silently.

What reads the lines is a template (templates.py) or a reader; here each line is bounded, each row decoded, each
loss counted, and the whole judged: complete, cut, denied, absent.
"""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from devicehunt import decode, margins, readers, refusal
from devicehunt.model import EndProof, Gap, Section, Status
from devicehunt.platforms import HEAD_LINES, Platform, Stanza
from devicehunt.templates import CUT_VALUE, Row, template
from devicehunt.text import LINE_LIMIT, lines
from devicehunt.text import decode as decode_text

DEADLINE_S = 120.0
"""Seconds one output may take; the rest of it becomes a gap."""
ROW_LIMIT = 200_000
"""Rows that one output may give; what is behind them becomes a gap. Real tables of routers stay far below."""
GAP_LIMIT = 200
"""Gaps kept one by one for an output; further ones are counted in one last gap."""
PART = "the command asked for a part of what there is"
SEVERAL = "a line holds line ends of another kind: several may stand as one"
"""A doubt, not a loss: the line is read as the one that it was sent as, and counted as a gap beside its row."""
_CUT = (Status.CUT, Status.LOST, Status.TIMED_OUT)
# where every line is content, these bytes say that it is none; escape sequences are text to be shown, and
# Ctrl-C (3) begins and ends the banners of IOS
_NO_TEXT = re.compile(rb"[\x00-\x02\x04-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# what other systems end a line with, inside a line: CR, VT, FF, NEL, and the Unicode separators
_OTHER_END = re.compile(rb"\r+(?=[^\r\n])|[\x0b\x0c]|\xc2\x85|\xe2\x80[\xa8\xa9]")


@dataclass(slots=True)
class Parsed:
    """What one section gave. `unread` counts lines inside gaps."""

    section: Section
    stanza: Stanza | None
    status: Status
    end_proof: EndProof
    rows: list[Row] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    lines: int = 0
    unread: int = 0
    usable: bool = False
    reason: str = ""
    doubt: str = ""


def source_of(stanza: Stanza) -> readers.Source | None:
    """What reads this stanza's outputs: its template, or its reader; None for a stanza that reads nothing."""
    if stanza.template is not None:
        return template(stanza.template)
    return readers.get(stanza.reader) if stanza.reader else None


def head_of(data: bytes, encoding: str = "utf-8", limit: int = HEAD_LINES) -> str:
    """The first lines of an output as safe text, for `content:`."""
    head: list[str] = []
    data = margins.uncoloured(data[: LINE_LIMIT * 2])
    for start, end in lines(data):
        head.append(decode_text(data[start:end], encoding))
        if len(head) == limit:
            break
    return textwrap.dedent("\n".join(head))


def parse(section: Section, stanza: Stanza | None, platform: Platform) -> Parsed:
    """Read one output with one stanza; never raises for what the device wrote."""
    given = section
    found = Parsed(section, stanza, section.status or Status.COMPLETE, section.end_proof)
    if section.end_proof is EndProof.NONE and section.exit_status is not None:
        found.end_proof = EndProof.EXIT_STATUS
    if section.status not in (None, Status.COMPLETE):
        found.reason = section.reason or str(section.status)
        if not section.data:
            _judge_absence(found, platform)
            _whole_gap(found)
            return found
    if stanza is None:
        found.status = section.status or Status.NOT_READ
        found.reason = section.reason or "nothing here knows this output"
        found.lines = section.data.count(b"\n")
        _whole_gap(found)
        return found
    section = replace(section, data=margins.uncoloured(section.data))
    if section.status in (None, Status.COMPLETE):
        refused = refusal.read(section, platform, free=bool(stanza.any_line))
        if refused is not None:
            found.status, found.reason = refused
            found.lines = section.data.count(b"\n") or bool(section.data)
            _judge_absence(found, platform)
            _whole_gap(found)
            return found
    if stanza.template is not None or stanza.reader:
        whole, half = _parted(section, stanza, platform)
        found.section = whole
        _read(found, stanza, platform)
        found = _without_margin(found, stanza, platform)
        if half:
            found.section = replace(found.section, data=found.section.data + section.data[len(whole.data) :])
            _drop_half(found, stanza, half)
    _judge(found, stanza, platform)
    found.section = given
    return found


def _without_margin(found: Parsed, stanza: Stanza, platform: Platform) -> Parsed:
    """Pasted text: the lines stay the same, only what stands before each of them goes, where that reads better."""
    found = _better(found, margins.marked(found.section.data), stanza, platform, odd=True)
    if found.unread or stanza.any_line:
        found = _better(found, margins.indented(found.section.data), stanza, platform, odd=bool(stanza.any_line))
    return found


def _better(found: Parsed, bare: bytes | None, stanza: Stanza, platform: Platform, *, odd: bool) -> Parsed:
    """What `bare` gives where it reads better; where both read as well, that with a doubt if a margin is `odd` here."""
    if bare is None:
        return found
    other = _read_again(found, bare, stanza, platform)
    alike = other.unread == found.unread
    if other.unread == other.lines or other.unread > found.unread or (alike and not odd):
        return found
    if [_told(r) for r in found.rows] == [_told(r) for r in other.rows]:
        return found
    other.reason = margins.TAKEN
    other.doubt = found.doubt or (margins.DOUBT if alike or (stanza.any_line and found.rows) else "")
    return other


def _read_again(found: Parsed, data: bytes, stanza: Stanza, platform: Platform) -> Parsed:
    again = Parsed(replace(found.section, data=data), stanza, found.section.status or Status.COMPLETE, found.end_proof)
    _read(again, stanza, platform)
    return again


def _told(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def _parted(section: Section, stanza: Stanza, platform: Platform) -> tuple[Section, str]:
    """An output that is known to be cut, without its last line where that is none, and why; else the whole."""
    end = section.data.rfind(b"\n") + 1
    if len(section.data) - end > LINE_LIMIT or not section.data[end:].strip():
        return section, ""
    known = section.exit_status in refusal.CUT_STATUS or section.status in _CUT
    reason = ""
    if platform.pager.search(decode_text(section.data[end:], platform.encoding)[-80:]):
        reason = "the pager's own line"
    elif known or (stanza.trailer and not any(stanza.trailer.search(t) for t in _last_lines(section.data, platform.encoding))):
        reason = "the output was cut inside this line"
    return (replace(section, data=section.data[:end]), reason) if reason else (section, "")


def _drop_half(found: Parsed, stanza: Stanza, reason: str) -> None:
    """Note the last line that was not read: half a line is another line."""
    line = found.section.first_line + found.lines
    found.lines += 1
    found.unread += 1
    section = found.section
    found.gaps.append(Gap(section.device, section.snapshot, section.exhibit, line, line, stanza.name, reason))


def _read(found: Parsed, stanza: Stanza, platform: Platform) -> None:  # noqa: PLR0912 - one pass; a branch a kind of line
    section = found.section
    reader = source_of(stanza)
    assert reader is not None
    deadline = time.monotonic() + DEADLINE_S
    decoders = [(d, decode.get(d.name)) for d in stanza.decode]
    noted = _Gaps(found, stanza)
    group = sorted({f.group for f in stanza.feeds if f.group in reader.header})
    key: tuple[Any, ...] | None = None
    broken: tuple[Any, ...] | None = None
    begun, at = 0, 0  # where the rows of the open group begin, and on which line
    try:
        for number, row, reason in reader.read(_texts(found, stanza, platform.encoding, deadline)):
            if row is None:
                while reason == CUT_VALUE and found.rows and found.rows[-1]["line"] == number:
                    found.rows.pop()  # half a value is another value
                if group and not reason.startswith("belongs to"):
                    broken = reader.heading(group)
                if broken is not None and broken == key and len(found.rows) > begun:
                    # facts of one subject stand or fall together: half of them would be a false row
                    del found.rows[begun:]
                    noted.add(at, reason, number - at + 1)
                else:
                    noted.add(number, reason)
                continue
            if group:
                mine = tuple(row[g] for g in group)
                if mine == broken:
                    noted.extend(number)
                    continue
                broken = None
                if mine != key:
                    key, begun, at = mine, len(found.rows), number
            try:
                decoded = _decoded(row, decoders)
            except ValueError as error:
                noted.add(number, f"a value could not be read: {error}"[:160])
                continue
            for one in decoded:
                one["line"] = number
                found.rows.append(one)
            if len(found.rows) >= ROW_LIMIT:
                _stop_reading(found, noted)
                break
    except TimeoutError:
        rest = section.data.count(b"\n") - found.lines
        noted.add(section.first_line + found.lines, f"reading took longer than {DEADLINE_S:.0f} s", max(rest, 1))
        found.status = Status.CUT
    noted.close()


def _stop_reading(found: Parsed, noted: _Gaps) -> None:
    """The output has given all the rows that it may: what is left of it is one gap."""
    data = found.section.data
    rest = data.count(b"\n") + (not data.endswith(b"\n")) - found.lines
    if rest > 0:
        noted.add(found.section.first_line + found.lines, f"more than {ROW_LIMIT:,} rows: the rest was not read", rest)
        found.lines += rest
        found.status, found.reason = Status.CUT, f"more than {ROW_LIMIT:,} rows"


def _texts(found: Parsed, stanza: Stanza, encoding: str, deadline: float) -> Iterator[tuple[int, str | None]]:
    """The lines of an output with their numbers, counted in `found`; None for one that cannot be content."""
    data, first = found.section.data, found.section.first_line
    for number, (start, end) in enumerate(lines(data)):
        found.lines = number + 1
        strange = end - start > LINE_LIMIT or (stanza.any_line and _NO_TEXT.search(data, start, end))
        yield first + number, None if strange else decode_text(data[start:end], encoding)
        if time.monotonic() > deadline:
            raise TimeoutError


def _decoded(row: Row, decoders: list[tuple[Any, decode.Decoder]]) -> list[Row]:
    rows = [row]
    for step, how in decoders:
        grown: list[Row] = []
        for one in rows:
            value = one.get(step.source)
            if value is None:
                grown.append(one)
                continue
            for fields in how.read(value):
                grown.append(one | {f"{step.into}_{k}" if step.into else k: v for k, v in fields.items()})
        rows = grown
    return rows


class _Gaps:
    """Collects unread lines: neighbours become one gap, and a flood is counted, not listed."""

    def __init__(self, found: Parsed, stanza: Stanza) -> None:
        self._found, self._parser = found, stanza.name
        self._first = self._last = 0
        self._reason = ""
        self._flood = 0

    def add(self, line: int, reason: str, count: int = 1) -> None:
        self._found.unread += count
        follows = self._first and line <= self._last + 1
        if follows and (reason == self._reason or reason.startswith("belongs to")):
            self._last = line + count - 1
            return
        self.close()
        self._first, self._last, self._reason = line, line + count - 1, reason

    def extend(self, line: int) -> None:
        """The last gap goes on to `line`: what lies between hangs on the record that was dropped."""
        self._found.unread += max(line - self._last, 0)
        self._last = max(line, self._last)

    def close(self) -> None:
        if not self._first:
            return
        section, gaps = self._found.section, self._found.gaps
        if len(gaps) < GAP_LIMIT:
            gaps.append(
                Gap(section.device, section.snapshot, section.exhibit, self._first, self._last,
                    self._parser, self._reason)
            )  # fmt: skip
        else:
            self._flood += self._last - self._first + 1
            last = gaps[GAP_LIMIT - 1]
            gaps[GAP_LIMIT - 1] = Gap(
                last.device, last.snapshot, last.exhibit, last.line, self._last, last.parser,
                f"{self._flood} more unread lines up to here",
            )  # fmt: skip
        self._first = 0


def _judge(found: Parsed, stanza: Stanza, platform: Platform) -> None:
    """Give the status and the end proof of an output that was read."""
    section, data = found.section, found.section.data
    if stanza.trailer is not None and found.status is Status.COMPLETE:
        if any(stanza.trailer.search(t) for t in _last_lines(data, platform.encoding)):
            if found.end_proof is EndProof.NONE:
                found.end_proof = EndProof.TRAILER
        else:
            found.status, found.reason = Status.CUT, "the trailer of this output is missing"
    if found.status is Status.COMPLETE and section.exit_status in refusal.CUT_STATUS:
        found.status, found.reason = Status.CUT, f"ended by exit status {section.exit_status}"
    if found.unread and not found.rows and found.status is Status.COMPLETE and not _read_some(found):
        found.status, found.reason = Status.GARBLED, "no line of it fits what this command prints"
    if found.status is Status.COMPLETE and (cut := _cut_short(found, stanza, platform)):
        found.status, found.reason = Status.CUT, cut
    if found.status is Status.COMPLETE and found.unread:
        found.reason = f"{found.unread} of {found.lines} lines unread"
    if found.doubt:
        found.reason = found.doubt
        line = section.first_line
        found.gaps.append(Gap(section.device, section.snapshot, section.exhibit, line, line, stanza.name, found.doubt))
    merged = _merged(found, stanza) or bool(found.doubt)
    part = platform.asks_part(section.command)
    if part:
        found.reason = found.reason or PART
    if found.status is not Status.COMPLETE:
        _whole_gap(found)
    found.usable = found.status is Status.COMPLETE and not found.unread and not merged and not part


def _merged(found: Parsed, stanza: Stanza) -> bool:
    """Whether a line may be several: what they say is kept, but what they do not say is not known."""
    section = found.section
    other = _OTHER_END.search(section.data)
    if other is None:
        return False
    line = section.first_line + section.data.count(b"\n", 0, other.start())
    found.reason = found.reason or SEVERAL
    found.gaps.append(Gap(section.device, section.snapshot, section.exhibit, line, line, stanza.name, SEVERAL))
    return True


def _cut_short(found: Parsed, stanza: Stanza, platform: Platform) -> str:
    """How the output itself shows that it is not all of it; empty when nothing shows it."""
    section, data = found.section, found.section.data
    last_unread = bool(found.gaps) and found.gaps[-1].last_line == section.first_line + found.lines - 1
    if last_unread and found.gaps[-1].reason == CUT_VALUE:
        return CUT_VALUE
    if platform.pager.search(decode_text(data[-400:], platform.encoding).rstrip("\\x0a")[-80:]):
        return "ends at a pager"
    if platform.ended is not None and (last := _last_lines(data, platform.encoding)) and platform.ended.search(last[-1]):
        return f"the command was ended: {last[-1].strip()[:80]}"
    if stanza.suspect_bytes and len(data) == stanza.suspect_bytes:
        return f"exactly {len(data)} bytes: such devices stop there"
    if not _holds(data, stanza, platform):
        return "a part of what this command prints, or another system's output"
    if last_unread and not data.endswith(b"\n"):
        return "ends in the middle of a line"
    return ""


def _holds(data: bytes, stanza: Stanza, platform: Platform) -> bool:
    """Whether the output shows what each whole output of its command shows."""
    return stanza.must_hold is None or bool(stanza.must_hold.search(data.decode(platform.encoding, "replace")))


def _read_some(found: Parsed) -> bool:
    return found.lines > found.unread


def _last_lines(data: bytes, encoding: str) -> list[str]:
    return [decode_text(t, encoding) for t in data[-4096:].rstrip().split(b"\n")[-3:]]


def _judge_absence(found: Parsed, platform: Platform) -> None:
    """An empty or absent output is a fact only where the stanza says so, and emptiness needs proof."""
    stanza = found.stanza
    if stanza is None:
        return
    if platform.asks_part(found.section.command):
        found.reason = PART
    elif found.status is Status.EMPTY and stanza.empty_means == "none":
        found.usable = found.end_proof is not EndProof.NONE and found.section.exit_status in (0, None)
        if found.usable:
            found.reason = "proven empty"
    elif found.status is Status.ABSENT and stanza.absent_means == "none":
        found.usable = True


def _whole_gap(found: Parsed) -> None:
    section = found.section
    whole = (section.first_line, section.first_line + max(found.lines - 1, 0))
    if found.usable or any((g.line, g.last_line) == whole for g in found.gaps):
        return
    parser = found.stanza.name if found.stanza else ""
    found.gaps.append(
        Gap(section.device, section.snapshot, section.exhibit, section.first_line,
            section.first_line + max(found.lines - 1, 0), parser, f"{found.status}: {found.reason}")
    )  # fmt: skip
