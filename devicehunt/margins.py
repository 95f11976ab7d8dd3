"""What a person's tools put around an output: colours, line numbers, quoting marks, indents.

Nothing here changes the number of lines, so a citation still points at the raw line. A margin counts only
where it stands before every line of the output; whether it may go is decided by what can be read without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TAKEN = "read without the margin that stands before each of its lines"
DOUBT = "a margin stands before each line, and may be the device's own text"
"""A doubt, not a loss: both ways of reading fit, so the rows stand and prove no absence."""
# Select Graphic Rendition (ECMA-48); grep erases to the end of the line behind each
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m(?:\x1b\[K)?")
# quoted in mail and chat, or a side of a box
_QUOTE = re.compile(rb"[ \t]*(?:(?:>|\||\xe2\x94\x82)[ \t]?)+")
_NUMBER = re.compile(rb"([ ]*)(\d{1,9})(\t|: |:| ?\| ?|\) | )")
_SHARED_BLANKS = re.compile(rb"[ \t]*")


def uncoloured(data: bytes) -> bytes:
    """The output without colours; every other escape sequence stays, for it may hide text."""
    return _COLOUR.sub(b"", data) if b"\x1b[" in data else data


def marked(data: bytes) -> bytes | None:
    """The output without quoting marks or line numbers before each of its lines; None where there are none."""
    begin = data[:64].lstrip(b" \t\r\n")[:1]
    if not begin or begin not in b">|\xe20123456789":
        return None
    return _unquoted(data) if begin in b">|\xe2" else _unnumbered(data)


def indented(data: bytes) -> bytes | None:
    """The output without the blanks and tabs that all its lines begin with; None where there are none."""
    if data[:64].lstrip(b"\r\n")[:1] not in (b" ", b"\t"):
        return None
    rows = [line for line in data.split(b"\n") if line.strip()]
    if not rows:
        return None
    blanks = [_blanks(line) for line in rows]
    first, last = min(blanks), max(blanks)  # what these two share, all share
    width = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return b"\n".join(line[width:] if line.strip() else b"" for line in data.split(b"\n")) if width else None


def _blanks(text: bytes) -> bytes:
    found = _SHARED_BLANKS.match(text)
    return found.group() if found else b""


def _unquoted(data: bytes) -> bytes | None:
    found = _QUOTE.match(data.lstrip(b"\r\n"))
    if found is None:
        return None
    mark, short = found.group(), found.group().rstrip()
    lines = data.split(b"\n")
    # a client that cuts blanks at the end leaves a bare mark before an empty line
    fits = all(line.startswith(mark) or line.strip() in (b"", short.strip()) for line in lines)
    if not fits and mark != short and all(line.startswith(short) or not line.strip() for line in lines):
        mark, fits = short, True
    return b"\n".join(line[len(mark) :] for line in lines) if fits else None


def _unnumbered(data: bytes) -> bytes | None:
    """Without `cat -n`, `nl`, `grep -n`, `less -N`: one number a line, each one more than that before it."""
    lines = data.split(b"\n")
    head = next((line for line in lines if line.strip()), b"")
    found = _NUMBER.match(head)
    if found is None:
        return None
    for mark in _marks(found):
        bare = _without(lines, int(found[2]), mark, len(found[1]) + len(found[2]))
        if bare is not None:
            return b"\n".join(bare)
    return None


def _marks(found: re.Match[bytes]) -> Iterator[bytes]:
    """What may stand between the number and the text, the longest first."""
    mark = found[3]
    if mark == b" " and not (found[1] and int(found[2]) == 1):
        return  # a blank alone also parts the columns of a table
    yield mark
    if mark.strip() and mark != mark.rstrip():
        yield mark.rstrip()


def _without(lines: list[bytes], first: int, mark: bytes, width: int) -> list[bytes] | None:
    number, bare = first, []
    for line in lines:
        if not line.strip():
            bare.append(b"")  # nl gives an empty line no number
            continue
        head = str(number).encode()
        column = mark in (b"\t", b" ")  # such numbers stand in a column
        head = head.rjust(width) if column else head
        text = line if column else line.lstrip(b" ")
        if text.rstrip() in (head, head + mark.rstrip()):
            bare.append(b"")
        elif text.startswith(head + mark):
            bare.append(text[len(head) + len(mark) :])
        else:
            return None
        number += 1
    return bare if number - first > 1 or first == 1 else None
