"""Bytes of a conversation, read strictly and within bounds: what the modules of `apps` are built on."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from devicehunt.text import escape

STREAM_LIMIT = 256 * 1024
"""Bytes of one direction that are looked at."""
TEXT_LIMIT = 400
"""Characters of a value that go to a table."""
ROW_LIMIT = 2000
"""Rows of one table that one connection may give."""

Row = tuple[str, dict[str, Any]]


class Part(Protocol):
    """Payload of one packet as the second pass gives it. `missing`: bytes of TCP before it that were not captured."""

    @property
    def packet(self) -> int:
        """Number in the file."""

    @property
    def time(self) -> int:
        """Nanoseconds since 1970."""

    @property
    def data(self) -> bytes:
        """The payload that was captured."""

    @property
    def missing(self) -> int:
        """Bytes before it that were not."""


@dataclass(slots=True, frozen=True)
class Segment:
    """Payload of one packet: TCP in order, UDP one datagram. `time`: nanoseconds since 1970; `missing`: see Part."""

    packet: int
    time: int
    data: bytes
    missing: int = 0


class Cut(Exception):  # noqa: N818 - not an error: the bytes end, or are not what they should be
    """The bytes end before the structure does, or contradict it."""


class Reader:
    """A cursor over bytes; whatever does not fit raises Cut."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else min(end, len(data))

    def left(self) -> int:
        """Bytes not yet read."""
        return self.end - self.at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > self.end - self.at:
            raise Cut
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """A big-endian number of `size` bytes."""
        at = self.at
        if size > self.end - at:
            raise Cut
        self.at = at + size
        return int.from_bytes(self.data[at : at + size], "big")

    def part(self, width: int) -> Reader:
        """What a length of `width` bytes announces, as a reader of its own."""
        size = self.number(width)
        if size > self.left():
            raise Cut
        self.at += size
        return Reader(self.data, self.at - size, self.at)

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.left())

    def numbers(self, size: int) -> list[int]:
        """All that is left as numbers of `size` bytes; Cut when it does not come out even."""
        raw = self.rest()
        if len(raw) % size:
            raise Cut
        if size == 2:
            return list(struct.unpack(f">{len(raw) // 2}H", raw))
        return [int.from_bytes(raw[i : i + size], "big") for i in range(0, len(raw), size)]


class Stream:
    """One direction as one run of bytes that still knows its packets. It ends where bytes are missing in between."""

    __slots__ = ("data", "segments", "starts")

    def __init__(self, parts: Sequence[Part]) -> None:
        self.segments: list[Segment] = []
        self.starts: list[int] = []
        size = 0
        for part in parts:
            if size >= STREAM_LIMIT or (part.missing and size):
                break
            if part.data:
                self.segments.append(Segment(part.packet, part.time, part.data))
                self.starts.append(size)
                size += len(part.data)
        self.data = b"".join(segment.data for segment in self.segments)[:STREAM_LIMIT]

    def segment(self, at: int) -> Segment:
        """The packet that carried byte `at`; one of no bytes where the stream is empty."""
        if not self.segments:
            return Segment(0, 0, b"")
        return self.segments[max(0, bisect_right(self.starts, at) - 1)]

    def line(self, at: int = 0) -> int:
        """Number of the packet that carried byte `at`."""
        return self.segment(at).packet

    def after(self, at: int) -> list[Segment]:
        """The segments from byte `at` on: a conversation inside this one."""
        found = []
        for start, segment in zip(self.starts, self.segments, strict=True):
            if start + len(segment.data) > at:
                data = segment.data[at - start :] if start < at else segment.data
                found.append(Segment(segment.packet, segment.time, data))
        return found


def shown(raw: bytes | str, limit: int = TEXT_LIMIT) -> str:
    """Text of a peer, safe to store and show, cut with a mark."""
    if isinstance(raw, bytes):
        raw = raw[: limit * 4].decode("utf-8", "backslashreplace")
    text = escape(raw[: limit + 1].encode("utf-8", "backslashreplace").decode())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def joined(values: Iterable[str]) -> str | None:
    """Values joined by a comma; None when there are none."""
    return ",".join(values) or None


def facts(line: int, pairs: Iterable[tuple[str, Any]]) -> list[Row]:
    """Rows of app_facts: a name and a value each; what is None or empty is left out."""
    return [
        ("app_facts", {"line": line, "name": name, "value": shown(value if isinstance(value, bytes) else str(value))})
        for name, value in pairs
        if value is not None and value not in ("", b"")
    ]
