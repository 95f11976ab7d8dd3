"""One file with many commands -> sections: transcripts of `plan`, and plain terminal logs.

Lines keep the numbers that they have in the file, so that a citation points into the log as it was
recorded. Nothing here knows what an output means; text that belongs to no command is returned as a
section without a command, which becomes a gap.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from devicehunt.model import EndProof, Section, Status
from devicehunt.patterns import Pattern
from devicehunt.text import decode

MARK = b"@@dh"
_NONCE = rb"@@dh ([0-9a-f]{16,64})"
_BEGIN = re.compile(_NONCE + rb" begin (\d{1,6}) (\d{1,6}) (.*) @@$")
_END = re.compile(_NONCE + rb" end (\d{1,6}) rc=(\d{1,3}) bytes=(\d{1,12}) md5=([0-9a-f]{32})? @@$")
_SKIP = re.compile(_NONCE + rb" not-asked (\d{1,6}) (.*) @@$")
_DONE = re.compile(_NONCE + rb" done (\d{1,6}) @@$")
_DAMAGED = re.compile(rb"@@dh damaged (\d{1,9}) of (\d{1,9}) @@$")
# the echo of the paste: from its first line to its last
_PASTE_BEGINS, _PASTE_ENDS = re.compile(rb"# devicehunt plan \w+: |unset HISTFILE; dh=\s*$"), re.compile(rb"fi; unset dh\s*$")
# what a plan for a device without a shell remarks; the device echoes it behind its prompt
_REMARK = re.compile(rb"(?:[!#;%]|//) devicehunt (plan|note|not-asked|done)\b:? ?(.*)")
_ASKED = re.compile(rb"\S+ (\d{1,6}) of \d{1,6} commands")
# what a terminal adds: colours, cursor moves, bracketed paste, window titles, character sets
_ANSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHM])")
_CSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78cDEHM])")
# (each run bounded: a device may send lines of nothing but blanks)
_MORE = re.compile(rb"\s{0,80}--\s{0,8}[Mm]ore\s{0,8}--\s{0,80}(\([^)]{0,80}\))?[\s\x08]*")
# readline at the right margin: a blank that opens the next row, and back to its first column
_WRAP = re.compile(rb" \r(?=[^\r])")
_CAP = 16 * 1024
LOOSE = "text that belongs to no command"


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
    if b"\r" not in raw:
        return raw
    # a carriage return inside a line: what follows overwrites what stood there
    return _WRAP.sub(b"", raw).rpartition(b"\r")[2]


def _backspaces(raw: bytes) -> bytes:
    out = bytearray()
    for byte in raw:
        if byte == 8:
            if out:
                out.pop()
        else:
            out.append(byte)
    return bytes(out)


def looks_like_transcript(data: bytes, prompts: Sequence[str], *others: Sequence[str]) -> bool:
    """Whether a file holds several commands: markers of a plan, or one prompt that comes back; `prompts` of each platform apart."""
    if MARK in data and any(_BEGIN.search(line.clean) for line in _lines(data[: 4 << 20])):
        return True
    found = list(_lines(data[: 1 << 20]))
    return any(len(_prompt_lines(found, known)) >= 2 for known in (prompts, *others))


def read_transcript(data: bytes, blank: Section, prompts: Sequence[str], quiet: Pattern | None = None) -> list[Section]:
    """The outputs inside `data`; `blank` gives exhibit, device and snapshot to each.

    `quiet` fits commands that only set the terminal: they answer nothing, and that is no gap.
    """
    found = list(_lines(data))
    if any(_BEGIN.search(line.clean) for line in found if MARK in line.clean):
        return _by_markers(data, found, blank)
    return _by_prompts(data, found, blank, prompts, quiet)


def _slice(data: bytes, lines: Sequence[Line]) -> bytes:
    """The bytes of some lines as the device printed them: terminal noise removed, one line a line."""
    return b"".join(line.clean + b"\n" for line in lines) if lines else b""


@dataclass(slots=True)
class _Open:
    """A command whose output is being read."""

    nonce: bytes
    number: int
    command: bytes
    line: int
    body: list[Line] = field(default_factory=list)
    doubtful: bool = False  # begun inside an output that never ended: an output can say so too


@dataclass(slots=True)
class _Told:
    """What the markers say of a plan besides its outputs."""

    announced: dict[bytes, int] = field(default_factory=dict)
    seen: set[tuple[bytes, int]] = field(default_factory=set)
    done: set[bytes] = field(default_factory=set)


def _by_markers(data: bytes, found: Sequence[Line], blank: Section) -> list[Section]:
    ends = {(m[1], int(m[2])) for line in found if (m := _END.search(line.clean))}
    sections: list[Section] = []
    loose: list[Line] = []
    told = _Told()
    opened: _Open | None = None
    for line in found:
        if opened is None:
            opened = _outside(line, blank, sections, loose, told)
            continue
        end = _END.search(line.clean)
        if end and (end[1], int(end[2])) == (opened.nonce, opened.number):
            if end.start():
                opened.body.append(replace(line, clean=line.clean[: end.start()]))
            sections.append(_proven(data, opened, blank, end, joined=bool(end.start())))
            opened = None
            continue
        begin = _BEGIN.match(line.clean)
        if begin and (opened.nonce, opened.number) not in ends and (begin[1] == opened.nonce or int(begin[2]) == 1):
            # the end was lost: a later command, or a later plan, began
            sections.append(_cut(data, opened, blank, "its end marker is missing"))
            opened = _begun(begin, line, told, doubtful=begin[1] != opened.nonce)
        else:
            opened.body.append(line)
    if opened is not None:
        sections.append(_cut(data, opened, blank, "the transcript ends inside this output"))
    sections += _missing(blank, told, len(found))
    return [replace(s, seq=blank.seq * 1000 + i) for i, s in enumerate(sections)] + _loose(data, loose, blank)


def _outside(line: Line, blank: Section, sections: list[Section], loose: list[Line], told: _Told) -> _Open | None:
    """A line between two outputs: a marker, or text that belongs to none."""
    if begin := _BEGIN.search(line.clean):
        return _begun(begin, line, told, doubtful=False)
    if skip := _SKIP.search(line.clean):
        told.announced.setdefault(skip[1], 0)
        told.seen.add((skip[1], int(skip[2])))
        sections.append(_asked_not(blank, line, skip[3]))
    elif finish := _DONE.search(line.clean):
        told.announced.setdefault(finish[1], int(finish[2]))
        told.done.add(finish[1])
    elif damaged := _DAMAGED.search(line.clean):
        text = f"the paste lost bytes, nothing was run: {int(damaged[1])} of {int(damaged[2])} arrived"
        sections.append(replace(blank, command="", data=b"", first_line=line.number, status=Status.LOST, reason=text))
    elif line.clean.strip():
        loose.append(line)
    return None


def _begun(begin: re.Match[bytes], line: Line, told: _Told, *, doubtful: bool) -> _Open:
    told.announced[begin[1]] = int(begin[3])
    told.seen.add((begin[1], int(begin[2])))
    return _Open(begin[1], int(begin[2]), begin[4], line.number, doubtful=doubtful)


def _proven(data: bytes, opened: _Open, blank: Section, end: re.Match[bytes], *, joined: bool) -> Section:
    """One output between its two markers, held against the count and the MD5 that the device printed."""
    count, digest = int(end[4]), end[5]
    content, right = _content(data, opened.body, count, digest, joined=joined)
    base = replace(
        blank, command=decode(opened.command), data=content, first_line=opened.line + 1, exit_status=int(end[3]),
        end_proof=EndProof.MARKER, status=None,
    )  # fmt: skip
    if right and not opened.doubtful:
        return base
    if opened.doubtful:
        return replace(base, end_proof=EndProof.NONE, status=Status.LATE_DATA, reason="it begins inside an output that never ended")
    if len(content) == count:
        return replace(base, status=Status.GARBLED, reason="the bytes are not those that the device counted (MD5)", end_proof=EndProof.NONE)
    reason = f"the device counted {count} bytes, {len(content)} arrived"
    return replace(base, status=Status.CUT if count > len(content) else Status.LATE_DATA, reason=reason, end_proof=EndProof.NONE)


def _content(data: bytes, body: Sequence[Line], count: int, digest: bytes | None, *, joined: bool) -> tuple[bytes, bool]:
    """The output as the device counted it, and whether it is proven: exact, without CR, or without terminal noise.

    The plan prints a newline of its own behind each output; where the terminal lost it (`joined`), the marker
    stands behind the last line.
    """
    ways = [
        [data[line.start : line.end] for line in body],
        [data[line.start : line.end].removesuffix(b"\r") for line in body],
        [line.clean for line in body],
    ]
    contents: list[bytes] = []
    for way in ways:
        if joined and body:
            way[-1] = body[-1].clean
        contents.append(b"\n".join(way))
    for content in contents:
        if len(content) == count and (not digest or _md5(content + b"\n") == digest):
            return content, True
    return next((c for c in contents if len(c) == count), contents[-1]), False


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).hexdigest().encode()  # what small devices can compute


def _cut(data: bytes, opened: _Open, blank: Section, why: str) -> Section:
    return replace(
        blank, command=decode(opened.command), data=_slice(data, opened.body), first_line=opened.line + 1, status=Status.CUT, reason=why,
        end_proof=EndProof.NONE,
    )  # fmt: skip


def _asked_not(blank: Section, line: Line, command: bytes) -> Section:
    return replace(
        blank, command=decode(command), data=b"", first_line=line.number, status=Status.NOT_COLLECTED,
        reason="left out of the plan for lack of time",
    )  # fmt: skip


def _missing(blank: Section, told: _Told, last: int) -> list[Section]:
    """Commands that the plan announced and the transcript never began."""
    found = []
    for nonce, total in told.announced.items():
        lost = [n for n in range(1, total + 1) if (nonce, n) not in told.seen]
        if lost:
            text = f"{len(lost)} of {total} commands of the plan are not in this transcript (numbers {_ranges(lost)})"
        elif nonce not in told.done:
            text = "the plan's last line is missing"
        else:
            continue
        found.append(replace(blank, command="", data=b"", first_line=max(last, 1), status=Status.LOST, reason=text))
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
    rb"|enter 'help'|^> $|^[-_|/\\ .'`]+$|^Connection to \S+ closed|^logout$|^exit$"
)


def _loose(data: bytes, loose: list[Line], blank: Section) -> list[Section]:
    """Text outside every command: banners are noise; the rest is handed on as one unread section a block."""
    blocks: list[list[Line]] = []
    pasted = False
    for line in loose:
        # the echo of a pasted plan is the plan's own text
        pasted = pasted or bool(_PASTE_BEGINS.search(line.clean))
        if pasted:
            pasted = not _PASTE_ENDS.search(line.clean)
            continue
        if _NOISE.search(line.clean):
            continue
        if blocks and blocks[-1][-1].number == line.number - 1:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return [replace(blank, command="", data=_slice(data, b), first_line=b[0].number, status=Status.NOT_READ, reason=LOOSE) for b in blocks]


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


def _by_prompts(data: bytes, found: Sequence[Line], blank: Section, prompts: Sequence[str], quiet: Pattern | None) -> list[Section]:
    marks = _prompt_lines(found, prompts)
    if not marks:
        return [replace(blank, data=data, status=Status.NOT_READ, reason="no prompt that comes back: nothing says where an output ends")]
    sections: list[Section] = []
    loose = [line for line in found if line.number < marks[0][0].number]
    pasted = _Pasted()
    for position, (line, _prompt, typed) in enumerate(marks):
        last = position + 1 == len(marks)
        until = found[-1].number + 1 if last else marks[position + 1][0].number
        body = list(found[line.number : until - 1])
        command = decode(typed)
        if remark := _REMARK.match(typed):
            sections += pasted.remark(remark, blank, line)
        if not typed or remark:
            loose += body
            continue
        if typed in (b"exit", b"logout", b"quit") or (quiet and quiet.fullmatch(command)):
            loose += body  # what comes behind is somebody's, if not this device's
            continue
        pasted.answered += 1
        content = _unpaged(data, body)
        section = replace(
            blank, seq=blank.seq * 1000 + position, command=command, data=content, first_line=line.number + 1,
            end_proof=EndProof.NONE if last else EndProof.PROMPT,
        )  # fmt: skip
        if last and not content and not data.endswith(b"\n"):
            section = replace(section, status=Status.CUT, reason="the log ends right after the command")
        sections.append(section)
    return sections + pasted.missing(blank, len(found)) + _loose(data, loose, blank)


@dataclass(slots=True)
class _Pasted:
    """What the remarks of a plan say, held against the commands that came."""

    asked: int | None = None
    answered: int = 0
    done: bool = False

    def remark(self, remark: re.Match[bytes], blank: Section, line: Line) -> list[Section]:
        kind, text = remark[1], remark[2]
        if kind == b"not-asked":
            return [_asked_not(blank, line, text)]
        if kind == b"plan" and (counted := _ASKED.match(text)):
            self.asked, self.answered = int(counted[1]), 0
        self.done = self.done or kind == b"done"
        return []

    def missing(self, blank: Section, last: int) -> list[Section]:
        """Commands that a pasted plan holds and the log does not."""
        if self.asked is None or (self.done and self.answered >= self.asked):
            return []
        lost = self.asked - self.answered
        text = f"{lost} of {self.asked} commands of the plan are not in this log" if lost > 0 else "the plan's last line is missing"
        return [replace(blank, command="", data=b"", first_line=max(last, 1), status=Status.LOST, reason=text)]


def _unpaged(data: bytes, body: Sequence[Line]) -> bytes:
    """The output without the pager's own text; every line keeps its place."""
    return b"".join(_printed(data, line) + b"\n" for line in body)


def _printed(data: bytes, line: Line) -> bytes:
    """A line of an output as the device printed it.

    On a terminal it can take back what it printed (CR, backspaces) or send it elsewhere (a title): that stays.
    """
    raw = data[line.start : line.end].rstrip(b"\r")
    if len(raw) > _CAP:
        return raw  # too long to be read, and said to be: not its beginning as if it were all
    text = _CSI.sub(b"", raw)
    bare = _MORE.sub(b"", text)
    if b"\x08" in bare or b"\x1b]" in bare or any(p.strip() for p in bare.split(b"\r")[:-1]):
        return bare
    text = _backspaces(text.rpartition(b"\r")[2])
    return bare.rpartition(b"\r")[2] if b"ore--" in text else text
