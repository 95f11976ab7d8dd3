"""Bytes of a log -> lines, whatever it is packed in, in bounded memory; and what could not be read, counted."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from devicehunt.flows.damage import Damage

CHUNK = 1 << 20
LINE_LIMIT = 4 << 20
"""Bytes; a longer line is not read."""
PLACES = 1000
"""Damages that are told one by one; more are summed up by their reason."""


@dataclass
class Account:
    """What was read of one log. `passed`: lines that were understood and hold nothing for our tables, by what they are.

    `ended`: the log's own last line was seen (Zeek's #close, </nmaprun>, masscan's # end): nothing was cut off.
    """

    lines: int = 0
    rows: int = 0
    unread: int = 0
    passed: dict[str, int] = field(default_factory=dict)
    ended: bool = False

    def note(self, what: str) -> None:
        """A line that holds nothing for our tables."""
        if what not in self.passed and len(self.passed) >= PLACES:
            what = "others"
        self.passed[what] = self.passed.get(what, 0) + 1


@dataclass
class Unread:
    """Damages as they come: neighbours with one reason are one; after PLACES they are only summed up."""

    account: Account
    made: list[Damage] = field(default_factory=list)
    told: int = 0
    sums: dict[str, Damage] = field(default_factory=dict)
    last_line: int = 0

    def line(self, reason: str, number: int, offset: int, size: int) -> None:
        """A line that was not read."""
        self.account.unread += 1
        last = self.made[-1] if self.made else None
        if last is not None and last.reason == reason and number in (self.last_line, self.last_line + 1):
            last.size += size + 1
            last.packets = (last.packets or 0) + 1
        elif self.told < PLACES:
            self.told += 1
            self.made.append(Damage(reason, offset, size, 1, number))
        else:
            self.sum(f"{reason} (further places)", number, offset, size)
        self.last_line = number

    def sum(self, reason: str, number: int, offset: int, size: int = 0) -> None:
        """Something of which only the number and the first place are told, at the end."""
        got = self.sums.get(reason)
        if got is None:
            self.sums[reason] = Damage(reason, offset, size, 1, number)
        else:
            got.size += size
            got.packets = (got.packets or 0) + 1

    def whole(self, reason: str, number: int, offset: int) -> None:
        """The log goes on, but nothing of it can be read from here."""
        self.made.append(Damage(reason, offset, 0, None, number))

    def take(self, last: bool = False) -> list[Damage]:
        """What was noted; but for the newest, which may grow, unless it is the last call."""
        keep = [] if last else self.made[-1:]
        got, self.made = self.made[: len(self.made) - len(keep)], keep
        if last:
            got += self.sums.values()
            self.sums = {}
        return got


def unpacked(stream: BinaryIO, unread: Unread) -> Iterator[bytes]:
    """The bytes of a log, out of gzip (several members one after another too), a chunk at a time."""
    head = stream.read(2)
    while len(head) < 2 and (more := stream.read(2 - len(head))):
        head += more
    if head != b"\x1f\x8b":
        yield head
        while got := stream.read(CHUNK):
            yield got
        return
    engine, waiting, at = zlib.decompressobj(31), head, 0
    begun = False
    while True:
        if not waiting:
            waiting = stream.read(CHUNK)
            if not waiting:
                break
        if engine.eof:
            if not waiting.strip(b"\0"):  # padding behind the last member
                waiting = b""
                continue
            engine, begun = zlib.decompressobj(31), False
        begun = True
        try:
            got = engine.decompress(waiting, CHUNK)
        except zlib.error:
            unread.whole("the gzip stream is damaged: nothing is read behind this place", 0, at)
            return
        waiting = engine.unused_data if engine.eof else engine.unconsumed_tail
        at += len(got)
        if got:
            yield got
    if begun and not engine.eof:
        unread.whole("the gzip stream is cut: its end is missing", 0, at)


def lines(chunks: Iterator[bytes], unread: Unread) -> Iterator[tuple[int, int, bytes, bool]]:
    """(number, offset, line without its end, whether it has one). A line over the limit is counted, and left out."""
    number, offset, carry, skipped = 0, 0, b"", 0
    for chunk in chunks:
        parts = chunk.split(b"\n")
        if len(parts) == 1:
            carry += chunk
        else:
            parts[0] = carry + parts[0]
            carry = parts.pop()
            for part in parts:
                number += 1
                size = len(part) + skipped
                if skipped or size > LINE_LIMIT:
                    unread.line(f"longer than {LINE_LIMIT >> 20} MiB", number, offset, size)
                    skipped = 0
                else:
                    yield number, offset, part, True
                offset += size + 1
        if len(carry) > LINE_LIMIT:
            skipped += len(carry)
            carry = b""
    if skipped:
        unread.line(f"longer than {LINE_LIMIT >> 20} MiB", number + 1, offset, skipped + len(carry))
        number += 1
    elif carry:
        number += 1
        yield number, offset, carry, False
    unread.account.lines = number
