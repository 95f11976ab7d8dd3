"""From a device's bytes to lines of text that are safe to match, store and show.

Lines end at b"\\n" only. Every other separator and control character is written as an escape
(`\\x1b`), so that a device can forge neither a row nor a terminal sequence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LINE_LIMIT = 16 * 1024
"""Bytes; a longer line is a gap, never matched against a template."""

# C0 except TAB, DEL, C1, the Unicode line separators, the bidirectional controls, what has no width and would
# make two names look alike, and halves of surrogate pairs, which no file takes
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escape(text: str) -> str:
    """Return `text` with every character that could act on a terminal written as an escape."""
    return _UNSAFE.sub(_escape, text) if _UNSAFE.search(text) else text


def decode(raw: bytes, encoding: str = "utf-8") -> str:
    """One line of device output as safe text; a trailing CR is dropped, bad bytes are escaped."""
    return escape(raw.rstrip(b"\r").decode(encoding, "backslashreplace"))


def lines(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each line of `data` without its newline; no line after a last newline."""
    start, size = 0, len(data)
    while start < size:
        end = data.find(b"\n", start)
        if end < 0:
            end = size
        yield start, end
        start = end + 1


def shown(text: str, limit: int = 400) -> str:
    """Safe text for a message or a citation, cut to `limit` characters with a mark."""
    text = escape(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def storable(text: str) -> str:
    """Text as it is, but for what cannot be written as UTF-8: that becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def slug(text: str, limit: int = 80) -> str:
    """A file name that is safe on every system: letters, digits, `.`, `-` and `_`."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("._-")[:limit].rstrip("._-")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
    return f"_{name}" if reserved or not name else name
