"""Capture files -> chunks of packet records, and what could not be read as such.

pcap: draft-ietf-opsawg-pcap (four magic numbers, and the modified header of 24 bytes with 0xa1b2cd34). pcapng:
draft-ietf-opsawg-pcapng (sections of both byte orders, an interface block each with its own link type and resolution).
Packed files (.gz, .zst) are unpacked as they are read. Nothing here raises for what a file holds: it is Damage.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from devicehunt.flows.records import Chunk, Damage, Interface

CHUNK = 16 * 1024 * 1024
"""Bytes read at a time."""
RECORD = 262_144
"""The largest packet that a capture may hold (libpcap's own limit); a longer one is damage."""
_PCAP = {  # magic -> byte order, nanoseconds of a tick, bytes of a record's header
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16), b"\xd4\xc3\xb2\xa1": ("<", 1000, 16), b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16), b"\xa1\xb2\xcd\x34": (">", 1000, 24), b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
}  # fmt: skip
CANDIDATES = 100_000
"""Places of one chunk at which a lost walk tries to go on."""
_SECTION = b"\x0a\x0d\x0d\x0a"
_BLOCK = 16 * 1024 * 1024
"""The largest block of a pcapng file that is believed."""
Rows = list[tuple[int, int, int, int, int, int]]
"""Offset in the buffer, captured, on the wire, time, link type, interface."""


@dataclass(slots=True)
class Capture:
    """One capture as it is read. `interfaces` grows with the file; `taken` is bytes of the file read so far."""

    source: Path | IO[bytes]
    format: str = ""
    interfaces: list[Interface] = field(default_factory=list)
    packets: int = 0
    taken: int = 0
    size: int = 0

    def parts(self, chunk_bytes: int = CHUNK) -> Iterator[Chunk | Damage]:
        """The packets in order. OSError when the file cannot be opened or the medium fails."""
        if isinstance(self.source, Path):
            self.size = self.source.stat().st_size
            with self.source.open("rb") as raw:
                yield from self._read(raw, chunk_bytes)
        else:
            yield from self._read(self.source, chunk_bytes)

    def _read(self, raw: IO[bytes], chunk_bytes: int) -> Iterator[Chunk | Damage]:
        feed = _Feed(self, raw, chunk_bytes)
        if isinstance(feed.start(), Damage):
            yield cast(Damage, feed.problem)
            return
        head = feed.look(4)
        if head in _PCAP:
            self.format = "pcap"
            yield from _Pcap(self, feed).parts()
        elif head == _SECTION:
            self.format = "pcapng"
            yield from _Pcapng(self, feed).parts()
        else:
            yield Damage("no capture: the first bytes are those of no format", 0, feed.left())
        if feed.problem:
            yield feed.problem


def read(source: Path | IO[bytes], chunk_bytes: int = CHUNK) -> Iterator[Chunk | Damage]:
    """The packets of a capture and what could not be read of it."""
    yield from Capture(source).parts(chunk_bytes)


def spans(source: Path, places: list[int], sizes: list[int]) -> list[bytes]:
    """The bytes at some offsets of the unpacked file, in the order that was asked; shorter where the file ends.

    OSError when the file cannot be read.
    """
    with source.open("rb") as raw:
        if raw.read(4)[:2] not in (b"\x1f\x8b", b"\x28\xb5"):
            import mmap

            with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return [view[at : at + size] for at, size in zip(places, sizes, strict=True)]
        raw.seek(0)
        return _spans_packed(_Feed(Capture(source), raw, CHUNK), places, sizes)


def _spans_packed(feed: _Feed, places: list[int], sizes: list[int]) -> list[bytes]:
    found = [b""] * len(places)
    feed.start()
    for index in sorted(range(len(places)), key=places.__getitem__):
        place = places[index]
        while feed.place + len(feed.data) < place:
            feed.at = len(feed.data)
            if not feed.more():
                return found
        feed.at = max(feed.at, place - feed.place)
        found[index] = feed.look(sizes[index])
    return found


class _Feed:
    """A buffer over the unpacked bytes. `place`: offset of the buffer's first byte in them."""

    def __init__(self, capture: Capture, raw: IO[bytes], size: int) -> None:
        self.capture, self.raw, self.size = capture, raw, max(size, 4096)
        self.data, self.at, self.place = b"", 0, 0
        self.ended = False
        self.problem: Damage | None = None
        self.stream: Any = raw

    def start(self) -> Damage | None:
        """Look whether the file is packed."""
        begin = self.raw.read(4)
        self.stream = self.raw = cast(IO[bytes], _Behind(begin, self.raw))
        if begin[:2] == b"\x1f\x8b":
            self.stream = gzip.GzipFile(fileobj=self.raw)
        elif begin == b"\x28\xb5\x2f\xfd":
            try:
                import zstandard
            except ImportError:
                self.problem = Damage("packed with zstd, which needs the extra: pip install 'devicehunt[zstd]'")
                return self.problem
            self.stream = zstandard.ZstdDecompressor().stream_reader(self.raw, read_across_frames=True)
        return None

    def more(self) -> bool:
        """Read on; False at the end. What stood before the cursor is let go."""
        if self.ended:
            return False
        try:
            piece = self.stream.read(self.size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            piece = b""
            self.problem = Damage(f"the packed file is damaged or cut: {error}", self.place + len(self.data))
        except Exception as error:
            # zstandard's own error; its module is imported only where it is needed
            if isinstance(error, OSError) or type(error).__name__ != "ZstdError":
                raise
            piece, self.problem = b"", Damage(f"the packed file is damaged or cut: {error}", self.place + len(self.data))
        if not piece:
            self.ended = True
            return False
        self.place += self.at
        self.data, self.at = self.data[self.at :] + piece, 0
        self.capture.taken = getattr(self.raw, "taken", 0)
        return True

    def look(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        while len(self.data) - self.at < count and self.more():
            pass
        return self.data[self.at : self.at + count]

    def left(self) -> int:
        """Bytes that are left, all of them passed over."""
        count = len(self.data) - self.at
        while self.more():
            count = len(self.data) + count - (len(self.data) - self.at) if self.at else count + self.size
            self.at = len(self.data)
        return count


class _Behind(io.RawIOBase):
    """A stream with its first bytes put back; it counts what was taken."""

    def __init__(self, begin: bytes, rest: IO[bytes]) -> None:
        self.begin, self.rest, self.taken = begin, rest, len(begin)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self.begin:
            given, self.begin = self.begin[:size] if size >= 0 else self.begin, self.begin[size:] if size >= 0 else b""
            return given if 0 <= size <= len(given) else given + self.read(size - len(given) if size >= 0 else -1)
        piece = self.rest.read(size)
        self.taken += len(piece)
        return piece


def _chunk(feed: _Feed, data: bytes, rows: Rows, first: int) -> Chunk:
    table = np.array(rows, dtype=np.int64).reshape(-1, 6)
    return Chunk(
        np.frombuffer(data, dtype=np.uint8), feed.place, first, table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(),
        table[:, 3].copy(), table[:, 4].astype(np.uint16), table[:, 5].astype(np.uint16),
    )  # fmt: skip


class _Pcap:
    def __init__(self, capture: Capture, feed: _Feed) -> None:
        self.capture, self.feed = capture, feed

    def parts(self) -> Iterator[Chunk | Damage]:
        head = self.feed.look(24)
        order, tick, size = _PCAP[head[:4]]
        if len(head) < 24:
            yield Damage("the file ends inside its header", 0, len(head))
            return
        snaplen, link = struct.unpack_from(order + "I", head, 16)[0], struct.unpack_from(order + "I", head, 20)[0] & 0xFFFF
        self.capture.interfaces.append(Interface(0, link, snaplen))
        self.feed.at += 24
        while self.feed.at < len(self.feed.data) or self.feed.more():
            rows, damage = self._walk(order, tick, size, link)
            if rows:
                yield _chunk(self.feed, self.feed.data, rows, self.capture.packets + 1)
                self.capture.packets += len(rows)
            if damage is not None:
                yield damage
                continue
            if not self.feed.more():
                break
        left = len(self.feed.data) - self.feed.at
        if left:
            yield Damage("the file ends inside a packet", self.feed.place + self.feed.at, left, 1, self.capture.packets + 1)

    def _walk(self, order: str, tick: int, size: int, link: int) -> tuple[Rows, Damage | None]:
        """The whole records of the buffer; the cursor stands behind the last."""
        data, at, end = self.feed.data, self.feed.at, len(self.feed.data)
        unpack = struct.Struct(order + "IIII").unpack_from
        rows: Rows = []
        damage = None
        while at + size <= end:
            seconds, fraction, captured, wire = unpack(data, at)
            if captured > RECORD or not (seconds or fraction or captured or wire):
                self.feed.at = at
                damage = self._resync(order, tick, size)
                break
            if at + size + captured > end:
                break
            rows.append((at + size, captured, max(wire, captured), seconds * 10**9 + fraction * tick, link, 0))
            at += size + captured
        if damage is None:
            self.feed.at = at
        return rows, damage

    def _resync(self, order: str, tick: int, size: int) -> Damage:
        """Pass over what is no record, to the next place from which four records follow one another."""
        feed = self.feed
        start = feed.place + feed.at
        zero = True
        while True:
            data = feed.data
            for at in _candidates(data, feed.at + 1, order, size):
                if _plausible(data, at, order, tick, size):
                    zero = zero and not data[feed.at : at].strip(b"\0")
                    feed.at = at
                    return Damage(_says(zero), start, feed.place + at - start, None, self.capture.packets + 1)
            keep = max(feed.at, len(data) - size)
            zero = zero and not data[feed.at : keep].strip(b"\0")
            feed.at = keep
            if not feed.more():
                zero = zero and not feed.data[feed.at :].strip(b"\0")
                feed.at = len(feed.data)
                return Damage(_says(zero), start, feed.place + feed.at - start, None, self.capture.packets + 1)


def _candidates(data: bytes, low: int, order: str, size: int) -> list[int]:
    """Offsets at which the two lengths of a record header could stand; found at once, not byte by byte."""
    if len(data) - low < size:
        return []
    octets = np.frombuffer(data, dtype=np.uint8)[low:].astype(np.uint32)
    shifts = (24, 16, 8, 0) if order == ">" else (0, 8, 16, 24)
    words = np.zeros(len(octets) - 3, dtype=np.uint32)
    for n, shift in enumerate(shifts):
        words |= octets[n : len(octets) - 3 + n] << shift
    captured, wire = words[8 : len(words) - 4], words[12:]
    fits = (captured > 0) & (captured <= RECORD) & (captured <= wire) & (wire <= 1 << 24)
    found: list[int] = (np.flatnonzero(fits)[:CANDIDATES] + low).tolist()
    return found


def _says(zero: bool) -> str:
    return "zeros where packets should be" if zero else "bytes that are no packet record"


def _plausible(data: bytes, at: int, order: str, tick: int, size: int) -> bool:
    last = None
    for _ in range(4):
        if at + size > len(data):
            return last is not None and at == len(data)
        seconds, fraction, captured, wire = struct.unpack_from(order + "IIII", data, at)
        sane = 0 < captured <= RECORD and captured <= wire <= 1 << 24 and fraction * tick < 10**9
        if not sane or (last is not None and abs(seconds - last) > 86400):
            return False
        last, at = seconds, at + size + captured
    return True


class _Pcapng:
    def __init__(self, capture: Capture, feed: _Feed) -> None:
        self.capture, self.feed = capture, feed
        self.order = "<"
        self.base = 0  # number of the section's first interface
        self.ticks: list[tuple[int, int, int]] = []  # of each interface of the section: ticks a second, offset in s, snaplen
        self.rows: Rows = []

    def parts(self) -> Iterator[Chunk | Damage]:
        feed = self.feed
        while True:
            begin = feed.at
            damage = self._blocks()
            if self.rows:
                yield _chunk(feed, feed.data, self.rows, self.capture.packets + 1)
                self.capture.packets += len(self.rows)
                self.rows = []
            if damage is not None:
                yield damage
                if damage.size == 0 and feed.at == begin and not feed.more():
                    break
            elif not feed.more():
                break
        if feed.at < len(feed.data):
            yield Damage("the file ends inside a block", feed.place + feed.at, len(feed.data) - feed.at, None, self.capture.packets + 1)

    def _blocks(self) -> Damage | None:
        """Read the whole blocks of the buffer."""
        feed = self.feed
        while True:
            data, at = feed.data, feed.at
            if at + 12 > len(data):
                return None
            if data[at : at + 4] == _SECTION:
                self.order = ">" if data[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d" else "<"
            kind, size = struct.unpack_from(self.order + "II", data, at)
            if size < 12 or size % 4 or size > _BLOCK:
                return self._resync("a block whose length cannot be")
            if at + size > len(data):
                return None
            if struct.unpack_from(self.order + "I", data, at + size - 4)[0] != size:
                return self._resync("a block whose two lengths differ")
            feed.at = at + size
            problem = self._block(kind, at + 8, at + size - 4)
            if problem:
                return Damage(problem, feed.place + at, size, 1, self.capture.packets + len(self.rows) + 1)

    def _resync(self, reason: str) -> Damage:
        feed = self.feed
        start = feed.place + feed.at
        while True:
            data = feed.data
            for at in range(feed.at + 4, len(data) - 12, 4):
                kind, size = struct.unpack_from(self.order + "II", data, at)
                known = kind in (1, 2, 3, 5, 6) or data[at : at + 4] == _SECTION
                if known and 12 <= size <= _BLOCK and size % 4 == 0 and at + size <= len(data) and (
                    struct.unpack_from(self.order + "I", data, at + size - 4)[0] == size
                ):
                    feed.at = at
                    return Damage(reason, start, feed.place + at - start, None, self.capture.packets + len(self.rows) + 1)
            feed.at = max(feed.at + 4, (len(data) - 12) // 4 * 4)
            if not feed.more():
                feed.at = len(feed.data)
                return Damage(reason, start, feed.place + feed.at - start, None, self.capture.packets + len(self.rows) + 1)

    def _block(self, kind: int, at: int, end: int) -> str:
        if kind == 0x0A0D0D0A:
            self.base, self.ticks = len(self.capture.interfaces), []
        elif kind == 1:
            return self._interface(at, end)
        elif kind == 6:
            return self._packet(at, end, "IIIII", 20)
        elif kind == 2:
            return self._packet(at, end, "HHIIII", 20)
        elif kind == 3:
            return self._simple(at, end)
        elif kind == 5:
            self._statistics(at, end)
        return ""

    def _interface(self, at: int, end: int) -> str:
        if end - at < 8:
            return "an interface block that is too short"
        data = self.feed.data
        link, _, snaplen = struct.unpack_from(self.order + "HHI", data, at)
        options = dict(self._options(at + 8, end))
        resolution = options.get(9, b"\x06")[:1] or b"\x06"
        ticks = 2 ** (resolution[0] & 0x7F) if resolution[0] & 0x80 else 10 ** min(resolution[0], 30)
        offset = struct.unpack(self.order + "q", options[14])[0] if len(options.get(14, b"")) == 8 else 0
        number = len(self.capture.interfaces)
        name, chosen = options.get(2, b"").decode("utf-8", "replace"), options.get(11, b"")[1:].decode("utf-8", "replace")
        if number < 65536:
            self.capture.interfaces.append(Interface(number, link, snaplen, name[:200], chosen[:400]))
        self.ticks.append((ticks, offset, snaplen))
        return ""

    def _options(self, at: int, end: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= end:
            code, size = struct.unpack_from(self.order + "HH", self.feed.data, at)
            if code == 0 or at + 4 + size > end:
                return
            yield code, self.feed.data[at + 4 : at + 4 + size]
            at += 4 + size + -size % 4

    def _packet(self, at: int, end: int, shape: str, head: int) -> str:
        if end - at < head:
            return "a packet block that is too short"
        fields = struct.unpack_from(self.order + shape, self.feed.data, at)
        number, (high, low, captured, wire) = fields[0], fields[-4:]
        if number >= len(self.ticks):
            return "a packet of an interface that was not described"
        if captured > end - at - head:
            return "a packet that is longer than its block"
        ticks, offset, _ = self.ticks[number]
        time = (high << 32 | low) * 10**9 // ticks + offset * 10**9
        self._row(at + head, captured, wire, time if -(2**63) <= time < 2**63 else 0, number)
        return ""

    def _simple(self, at: int, end: int) -> str:
        if end - at < 4 or not self.ticks:
            return "a simple packet without an interface"
        wire = struct.unpack_from(self.order + "I", self.feed.data, at)[0]
        captured = min(wire, self.ticks[0][2] or wire, end - at - 4)
        self._row(at + 4, captured, wire, 0, 0)
        return ""

    def _row(self, at: int, captured: int, wire: int, time: int, number: int) -> None:
        known = self.capture.interfaces[min(self.base + number, len(self.capture.interfaces) - 1)]
        self.rows.append((at, captured, max(wire, captured), time, known.linktype, known.number))

    def _statistics(self, at: int, end: int) -> None:
        if end - at < 12:
            return
        number = struct.unpack_from(self.order + "I", self.feed.data, at)[0] + self.base
        options = dict(self._options(at + 12, end))
        if len(options.get(5, b"")) == 8 and number < len(self.capture.interfaces):
            self.capture.interfaces[number].drops = struct.unpack(self.order + "Q", options[5])[0]
