"""One file with many commands -> sections: transcripts of `plan`, and plain terminal logs.

Lines keep the numbers that they have in the file, so that a citation points into the log as it was
recorded. Nothing here knows what an output means; text that belongs to no command is returned as a
section without a command, which becomes a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from devicehunt.model import EndProof, Section, Status
from devicehunt.text import decode

MARK = b"@@dh"
_BEGIN = re.compile(rb"@@dh ([0-9a-f]{16,64}) begin (\d+) (\d+) ?(.*)$")
_END = re.compile(rb"@@dh ([0-9a-f]{16,64}) end (\d+) rc=(\d+) bytes=(\d+|-)$")
_SKIP = re.compile(rb"@@dh ([0-9a-f]{16,64}) not-asked (\d+) ?(.*)$")
_DONE = re.compile(rb"@@dh ([0-9a-f]{16,64}) done (\d+)$")
# what a terminal adds: colours, cursor moves, bracketed paste, window titles, character sets
_ANSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHM])")
_PAGER = re.compile(rb"\s*--\s*[Mm]ore\s*--\s*(\([^)]*\))?|\x08+ *\x08*")
_CAP = 16 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log: its number, where its bytes lie, and its text without terminal noise."""

    number: int
    start: int
    end: int
    clean: bytes


def _lines(data: bytes) -> Iterator[Line]:
    start, number, size = 0, 0, len(data)
    while start < size:
        end = data.find(b"\n", start)
        end = size if end < 0 else end
        number += 1
        yield Line(number, start, end, _clean(data[start:end]) if end - start <= _CAP else data[start : start + 64])
        start = end + 1


def _clean(raw: bytes) -> bytes:
    raw = raw.rstrip(b"\r")
    if b"\x1b" in raw:
        raw = _ANSI.sub(b"", raw)
    if b"\x08" in raw:
        raw = _backspaces(raw)
    # a carriage return inside a line: what follows overwrites what stood there
    return raw.rpartition(b"\r")[2] if b"\r" in raw else raw


def _backspaces(raw: bytes) -> bytes:
    out = bytearray()
    for byte in raw:
        if byte == 8:
            if out:
                out.pop()
        else:
            out.append(byte)
    return bytes(out)


def looks_like_transcript(data: bytes, prompts: Sequence[str]) -> bool:
    """Whether a file holds several commands: markers of a plan, or one prompt that comes back."""
    if MARK in data and any(_BEGIN.search(line.clean) for line in _lines(data[: 4 << 20])):
        return True
    return len(_prompt_lines(list(_lines(data[: 1 << 20])), prompts)) >= 2


def read_transcript(data: bytes, blank: Section, prompts: Sequence[str]) -> list[Section]:
    """The outputs inside `data`; `blank` gives exhibit, device and snapshot to each."""
    found = list(_lines(data))
    if any(_BEGIN.search(line.clean) for line in found if MARK in line.clean):
        return _by_markers(data, found, blank)
    return _by_prompts(data, found, blank, prompts)


def _slice(data: bytes, lines: Sequence[Line]) -> bytes:
    """The bytes of some lines as the device printed them: terminal noise removed, one line a line."""
    return b"".join(line.clean + b"\n" for line in lines) if lines else b""


def _by_markers(data: bytes, found: Sequence[Line], blank: Section) -> list[Section]:
    sections: list[Section] = []
    opened: tuple[bytes, int, int, bytes] | None = None  # nonce, index, total, command
    body: list[Line] = []
    loose: list[Line] = []
    seen: set[tuple[bytes, int]] = set()
    announced: dict[bytes, int] = {}
    done: set[bytes] = set()
    for line in found:
        begin, end = _BEGIN.search(line.clean), _END.search(line.clean)
        skip, finish = _SKIP.search(line.clean), _DONE.search(line.clean)
        if opened is None:
            if begin:
                opened, body = (begin[1], int(begin[2]), int(begin[3]), begin[4]), []
                announced[begin[1]] = int(begin[3])
                seen.add((begin[1], int(begin[2])))
            elif skip:
                seen.add((skip[1], int(skip[2])))
                sections.append(_asked_not(blank, line, skip[3]))
            elif finish:
                done.add(finish[1])
            elif line.clean.strip():
                loose.append(line)
            continue
        nonce, number, _total, command = opened
        head = line.clean[: end.start()] if end else b""
        if end and end[1] == nonce and int(end[2]) == number:
            if head:
                body.append(replace(line, clean=head))
            sections.append(_proven(data, body, blank, command, end, no_newline=bool(head)))
            opened = None
        elif (begin and begin[1] != nonce) or (begin and int(begin[2]) == number + 1):
            # the end was lost: a new command began
            sections.append(_cut(data, body, blank, command, line.number, "its end marker is missing"))
            opened, body = (begin[1], int(begin[2]), int(begin[3]), begin[4]), []
            seen.add((begin[1], int(begin[2])))
        else:
            body.append(line)
    if opened is not None:
        sections.append(_cut(data, body, blank, opened[3], len(found), "the transcript ends inside this output"))
    sections += _missing(blank, announced, seen, done, len(found))
    return [replace(s, seq=blank.seq * 1000 + i) for i, s in enumerate(sections)] + _loose(data, loose, blank)


def _first(body: Sequence[Line], fallback: int) -> int:
    return body[0].number if body else fallback


def _proven(
    data: bytes, body: list[Line], blank: Section, command: bytes, end: re.Match[bytes], *, no_newline: bool
) -> Section:
    count = end[4]
    content = _content(data, body, int(count) if count != b"-" else None, no_newline=no_newline)
    first = _first(body, 1)
    base = replace(
        blank, command=decode(command), data=content, first_line=first, exit_status=int(end[3]), end_proof=EndProof.MARKER, status=None,
    )  # fmt: skip
    if count == b"-" or int(count) == len(content):
        return base
    lost = int(count) - len(content)
    reason = f"the device counted {int(count)} bytes, {len(content)} arrived"
    return replace(base, status=Status.CUT if lost > 0 else Status.LATE_DATA, reason=reason, end_proof=EndProof.NONE)


def _content(data: bytes, body: list[Line], count: int | None, *, no_newline: bool) -> bytes:
    """The output as the device counted it: exact where the way was clean, else without terminal noise."""
    kept = [line for line in body if not line.clean.rstrip().endswith(b"#dh")]
    ways = [
        [data[line.start : line.end] for line in kept],
        [data[line.start : line.end].removesuffix(b"\r") for line in kept],
        [line.clean for line in kept],
    ]
    contents = []
    for way in ways:
        if no_newline and kept:
            way[-1] = kept[-1].clean  # the marker stood behind the last line's text: it was cut off there
        contents.append(b"\n".join(way) + (b"" if no_newline or not way else b"\n"))
    return next((c for c in contents if len(c) == count), contents[-1])


def _cut(data: bytes, body: list[Line], blank: Section, command: bytes, fallback: int, why: str) -> Section:
    return replace(
        blank, command=decode(command), data=_slice(data, body), first_line=_first(body, fallback), status=Status.CUT, reason=why, end_proof=EndProof.NONE,
    )  # fmt: skip


def _asked_not(blank: Section, line: Line, command: bytes) -> Section:
    return replace(
        blank, command=decode(command), data=b"", first_line=line.number, status=Status.NOT_COLLECTED, reason="left out of the plan for lack of time",
    )  # fmt: skip


def _missing(
    blank: Section, announced: dict[bytes, int], seen: set[tuple[bytes, int]], done: set[bytes], last: int
) -> list[Section]:
    """Commands that the plan announced and the transcript never began."""
    found = []
    for nonce, total in announced.items():
        lost = [n for n in range(1, total + 1) if (nonce, n) not in seen]
        if lost:
            text = f"{len(lost)} of {total} commands of the plan are not in this transcript (numbers {_ranges(lost)})"
            found.append(replace(blank, command="", data=b"", first_line=max(last, 1), status=Status.LOST, reason=text))
        elif nonce not in done:
            found.append(replace(blank, command="", data=b"", first_line=max(last, 1), status=Status.LOST, reason="the plan's last line is missing"))
    return found


def _ranges(numbers: Sequence[int]) -> str:
    parts: list[list[int]] = []
    for n in numbers:
        if parts and parts[-1][1] == n - 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


_NOISE = re.compile(
    rb"(?i)^\s*$|^Script (started|done)|^=~=~=|^screenlog|^Welcome to minicom|^BusyBox v|built-in shell|^login:|^.{0,40}password:"
    rb"|enter 'help'|^ *[-_|/\\ .'`]+$|^Connection to \S+ closed|^logout$|^exit$"
)


def _loose(data: bytes, loose: list[Line], blank: Section) -> list[Section]:
    """Text outside every command: banners are noise; the rest is handed on as one unread section a block."""
    blocks: list[list[Line]] = []
    for line in loose:
        # the echo of a pasted plan is the plan's own text, which every line of it marks
        if _NOISE.search(line.clean) or line.clean.rstrip().endswith((b"#dh", b"#dh;")) or MARK in line.clean:
            continue
        if blocks and blocks[-1][-1].number == line.number - 1:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return [
        replace(blank, command="", data=_slice(data, b), first_line=b[0].number, status=Status.NOT_READ, reason="text that belongs to no command")
        for b in blocks
    ]


def _prompt_lines(found: Sequence[Line], prompts: Sequence[str]) -> list[tuple[Line, bytes, bytes]]:
    """Lines that begin with the log's own prompt: (line, prompt, what was typed).

    A line is held for a prompt only when the same prompt (the folder in it aside) comes at least
    twice: `# minute hour` in a crontab comes from the device, a prompt comes back after each command.
    """
    patterns = [re.compile(rb"(" + p.encode() + rb")(.*)$") for p in prompts]
    hits: dict[bytes, list[tuple[Line, bytes, bytes]]] = {}
    for line in found:
        if len(line.clean) > 600:
            continue
        for pattern in patterns:
            match = pattern.match(line.clean)
            if match:
                prompt = match.group(1)
                name = re.sub(rb":.*$", b"", prompt.rstrip(b"#$>% "))
                hits.setdefault(name + prompt.rstrip()[-1:], []).append((line, prompt, match.groups()[-1].strip()))
                break
    best: list[tuple[Line, bytes, bytes]] = []
    for group in hits.values():
        typed = [h for h in group if h[2]]
        if len(group) >= 2 and len(typed) >= 1 and len(group) > len(best):
            best = group
    return best


def _by_prompts(data: bytes, found: Sequence[Line], blank: Section, prompts: Sequence[str]) -> list[Section]:
    marks = _prompt_lines(found, prompts)
    if not marks:
        return [replace(blank, data=data, status=Status.NOT_READ, reason="no prompt that comes back: nothing says where an output ends")]
    sections: list[Section] = []
    loose = [line for line in found if line.number < marks[0][0].number]
    for position, (line, _prompt, typed) in enumerate(marks):
        last = position + 1 == len(marks)
        until = found[-1].number + 1 if last else marks[position + 1][0].number
        body = [b for b in found[line.number : until - 1]]
        if not typed:
            loose += body
            continue
        if typed in (b"exit", b"logout", b"quit"):
            continue
        content = _unpaged(body)
        section = replace(
            blank, seq=blank.seq * 1000 + position, command=decode(typed), data=content, first_line=line.number + 1,
            end_proof=EndProof.NONE if last else EndProof.PROMPT,
        )  # fmt: skip
        if last and not content and not data.endswith(b"\n"):
            section = replace(section, status=Status.CUT, reason="the log ends right after the command")
        sections.append(section)
    return sections + _loose(data, loose, blank)


def _unpaged(body: Sequence[Line]) -> bytes:
    """The output without the pager's own text; every line keeps its place."""
    lines = []
    for line in body:
        clean = line.clean
        if b"ore--" in clean or b"\x08" in clean:
            clean = _PAGER.sub(b"", clean)
        lines.append(clean)
    return b"".join(c + b"\n" for c in lines)
