"""pcapng: sections of both endians, interfaces with link type, resolution and offset of their own, four kinds of packet block."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from devicehunt import text
from devicehunt.flows.records import I64, Chunk, Damage, Interface
from devicehunt.flows.walk import walk
from devicehunt.flows.window import Window

SECTION = b"\x0a\x0d\x0d\x0a"
INTERFACES = (1 << 16) - 1  # Chunk.interface has 16 bits
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 2, 3, 5, 6
_MAGIC = 0x1A2B3C4D
_LARGEST = 1 << 24  # of a block
_CAPTURED = 1 << 18  # of a packet
_SEARCH = 1 << 16
_PATIENCE = 1000
_TYPES = 1000  # different types of other blocks that are counted apart
LATEST = 9_223_286_400 * 10**9  # 2262: the last time that nanoseconds in 64 bits can say


@dataclass(slots=True)
class _Clock:
    """An interface of the present section. `units` of time a second, and what is added to its times."""

    number: int
    linktype: int
    snaplen: int
    place: int  # of its block: packets before it cannot be its own
    units: int = 1_000_000
    offset: int = 0


@dataclass(slots=True)
class _Run:
    """Packets of one kind of block, in order, as columns."""

    interface: I64
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    captured: I64
    wire: I64
    at: I64
    flags: I64
    ticks: bool = True  # a simple packet block has no time


@dataclass(slots=True)
class _Lost:
    """Packets of a kind that could not be used, counted chunk by chunk."""

    found: dict[str, Damage] = field(default_factory=dict)

    def add(self, reason: str, offset: int, size: int, packets: int, first: int) -> None:
        damage = self.found.setdefault(reason, Damage(reason, offset, 0, 0, first))
        damage.size += size
        damage.packets = (damage.packets or 0) + packets


class Pcapng:
    """Reads one file. `slice_bytes` 0: block by block, the oracle of the fast walk."""

    def __init__(self, window: Window, interfaces: list[Interface], others: dict[int, int], first: int, slice_bytes: int) -> None:
        self._window = window
        self._interfaces = interfaces
        self._others = others
        self._first = first
        self._slice = slice_bytes
        self._order = "<"
        self._clocks: list[_Clock] = []
        self._damages = 0
        self._lost = _Lost()

    def chunks(self) -> Iterator[Chunk | Damage]:
        """The file from its start to its end."""
        window, at, calm = self._window, 0, True
        while True:
            places, stop = self._blocks(at, calm)
            yield from self._use(places)
            yield from self._lost.found.values()
            self._lost = _Lost()
            at = stop
            if self._other_section(at):
                calm = False  # the order of bytes has changed: the guesses for this window are worth nothing
                continue
            if not self._bad(at):
                if window.eof:
                    if window.size > at:
                        yield self._tail(at)
                    return
                # What is short of a large block is read in steps.
                window.more(at)
                at, calm = 0, True
                continue
            calm = False
            start = window.place + at
            at = self._search(at)
            yield Damage("not a valid block: passed over up to the next one", start, window.place + at - start, first_packet=self._first)
            if at >= window.size:
                return

    def _tail(self, at: int) -> Damage:
        place, size = self._window.place + at, self._window.size - at
        if self._window.zeros(at):
            return Damage("the end of the file is filled with zeros", place, size)
        kind = self._u32(at) if size >= 4 else 0
        return Damage("the last block is cut", place, size, int(kind in (_PACKET, _SIMPLE, _OLD_PACKET)), self._first)

    # blocks

    def _u32(self, at: int) -> int:
        return int(struct.unpack_from(self._order + "I", self._window.bytes, at)[0])

    def _one(self, at: int) -> int:
        return at + max(self._u32(at + 4), 12)

    def _whole(self, at: int) -> bool:
        return at + 12 <= self._window.size and self._one(at) <= self._window.size

    def _bad(self, at: int) -> bool:
        """Whether what lies at `at` cannot be a block, as far as its bytes are in hand."""
        if at + 8 > self._window.size:
            return False
        if self._u32(at) == _SECTION:
            if at + 12 > self._window.size:
                return False
            if not self._same_order(at):
                return True
        length = self._u32(at + 4)
        if length % 4 or not 12 <= length <= _LARGEST:
            return True
        return at + length <= self._window.size and self._u32(at + length - 4) != length

    def _other_section(self, at: int) -> bool:
        """Turns to the byte order of the section header at `at`, if one lies there and it is another than the present."""
        window = self._window
        if bytes(window.bytes[at : at + 4]) != SECTION or at + 12 > window.size:
            return False
        magic = bytes(window.bytes[at + 8 : at + 12])
        order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(magic, self._order)
        if order == self._order:
            return False
        self._order = order
        return True

    def _blocks(self, at: int, calm: bool) -> tuple[I64, int]:
        """Places of the good and whole blocks of the present byte order, and where they end."""
        self._other_section(at)
        window = self._window
        if not (self._slice and calm):
            return self._one_by_one(at)
        lengths = window.view(self._order + "u4", 4)

        def hop(places: I64) -> I64:
            following: I64 = places + np.maximum(lengths[places], 12)
            return following

        places, stop = walk(self._starts(at), window.size, 12, hop, self._one)
        if places.size:
            sizes = lengths[places].astype(np.int64)
            trailers = lengths[places + np.clip(sizes, 12, window.size - places) - 8]
            bad = (sizes % 4 != 0) | (sizes < 12) | (sizes > _LARGEST) | (trailers != sizes)
            sections = window.view(self._order + "u4")[places] == _SECTION
            for index in np.flatnonzero(sections & ~bad).tolist():
                bad[index] = not self._same_order(int(places[index]))
            if bad.any():
                index = int(bad.argmax())
                return places[:index], int(places[index])
        return places, stop

    def _same_order(self, at: int) -> bool:
        return self._u32(at) != _SECTION or self._u32(at + 8) == _MAGIC

    def _one_by_one(self, at: int) -> tuple[I64, int]:
        places = []
        while self._whole(at) and not self._bad(at) and self._same_order(at):
            places.append(at)
            at = self._one(at)
        return np.array(places, np.int64), at

    def _starts(self, at: int) -> I64:
        """`at`, and in each slice behind it a place that looks like a packet block."""
        window = self._window
        reach = self._slice // 4
        count = (window.size - at - reach) // self._slice
        known = np.array([at], np.int64)
        if count < 2:
            return known
        kinds = window.view(self._order + "u4")[at + self._slice :]
        table: npt.NDArray[np.uint32] = np.lib.stride_tricks.as_strided(kinds, (count - 1, reach // 4), (self._slice, 4))
        rows, columns = np.nonzero(table == _PACKET)
        places = rows * self._slice + columns * 4 + (at + self._slice)
        good = self._framed(places)
        rows, places = rows[good], places[good]
        _, index = np.unique(rows, return_index=True)
        starts: I64 = np.concatenate((known, places[index]))
        return starts

    def _framed(self, places: I64) -> npt.NDArray[np.bool_]:
        """Which places hold a length that is repeated where it says."""
        window = self._window
        lengths = window.view(self._order + "u4", 4)
        at = np.minimum(places, window.size)
        sizes = lengths[at].astype(np.int64)
        good = (sizes % 4 == 0) & (sizes >= 12) & (sizes <= _LARGEST) & (places + sizes <= window.size)
        ends = np.where(good, at + sizes - 8, 0)
        result: npt.NDArray[np.bool_] = good & (lengths[ends] == sizes)
        return result

    def _search(self, at: int) -> int:
        """The next place with a block whose length is repeated at its end, or the end of the file."""
        window = self._window
        self._damages += 1
        step = 1 if self._damages < _PATIENCE else _SEARCH
        at = window.hold(at, step)
        at += min(step, window.size - at)
        while at < window.size:
            at = window.hold(at, 2 * _SEARCH + _CAPTURED)
            end = min(at + _SEARCH, window.size)
            place = self._next_block(at, end)
            if place >= 0:
                return place
            at = end
        return window.size

    def _next_block(self, at: int, end: int) -> int:
        """Known types only: any four bytes are the type of some block. A block may be as long as what is held for certain."""
        window = self._window
        kinds, sizes = (window.view(self._order + "u4", offset)[at:end] for offset in (0, 4))
        known = ((kinds >= 1) & (kinds <= _PACKET)) & (sizes >= 12) & (sizes <= _CAPTURED + _SEARCH) & (sizes % 4 == 0)
        places = np.flatnonzero(known) + at
        places = places[self._framed(places)]
        found = int(places[0]) if places.size else -1
        section = window.bytes.find(SECTION, at, min(end + 3, window.size))
        while section >= 0 and (found < 0 or section < found):
            for order, magic in (("<", b"\x4d\x3c\x2b\x1a"), (">", b"\x1a\x2b\x3c\x4d")):
                if window.bytes[section + 8 : section + 12] == magic and section + 12 <= window.size:
                    size = int(struct.unpack_from(order + "I", window.bytes, section + 4)[0])
                    if 28 <= size <= _SEARCH:
                        return section
            section = window.bytes.find(SECTION, section + 1, min(end + 3, window.size))
        return found

    # what blocks say

    def _use(self, places: I64) -> Iterator[Chunk]:
        """Section by section: first what describes, then the packets, in runs of one kind as columns."""
        if not places.size:
            return
        kinds = self._window.view(self._order + "u4")[places]
        sections = np.flatnonzero(kinds == _SECTION).tolist()
        for begin, end in itertools.pairwise([0, *(index for index in sections if index), len(places)]):
            mine, kind = places[begin:end], kinds[begin:end]
            packets = (kind == _PACKET) | (kind == _OLD_PACKET) | (kind == _SIMPLE)
            for place in mine[~packets].tolist():
                self._describe(place)
            yield from self._runs(mine[packets], kind[packets])

    def _runs(self, places: I64, kinds: npt.NDArray[np.uint32]) -> Iterator[Chunk]:
        cuts = (np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist()
        readers = {_PACKET: self._packets, _OLD_PACKET: self._old, _SIMPLE: self._simple}
        for begin, end in itertools.pairwise([0, *cuts, len(places)]):
            if begin == end:
                continue
            run = places[begin:end]
            chunk = self._chunk(run, readers[int(kinds[begin])](run))
            if chunk is not None:
                yield chunk

    def _column(self, places: I64, offset: int, size: str = "u4") -> I64:
        return self._window.view(self._order + size, offset)[places].astype(np.int64)

    def _packets(self, places: I64) -> _Run:
        interface, captured, wire = (self._column(places, offset) for offset in (8, 20, 24))
        high, low = (self._column(places, offset).astype(np.uint64) for offset in (12, 16))
        return _Run(interface, high, low, captured, wire, places + 28, self._flags(places, captured))

    def _old(self, places: I64) -> _Run:
        run = self._packets(places)
        run.interface = self._column(places, 8, "u2")
        drops = self._column(places, 10, "u2")
        for index in np.flatnonzero((drops > 0) & (drops < 0xFFFF)).tolist():
            number = int(run.interface[index])
            if number < len(self._clocks):
                interface = self._interfaces[self._clocks[number].number]
                interface.drops = (interface.drops or 0) + int(drops[index])
        return run

    def _simple(self, places: I64) -> _Run:
        wire = self._column(places, 8)
        held = self._column(places, 4) - 16
        snaplen = self._clocks[0].snaplen if self._clocks else 0
        captured = np.minimum(wire, held)
        if snaplen:
            captured = np.minimum(captured, snaplen)
        none = np.zeros(len(places), np.uint64)
        return _Run(none.astype(np.int64), none, none, captured, wire, places + 12, none.astype(np.int64), ticks=False)

    def _flags(self, places: I64, captured: I64) -> I64:
        """The word of the flags option (direction, errors of the link layer), 0 where there is none."""
        window = self._window
        options = places + 28 + ((captured + 3) & ~3)
        ends = places + self._column(places, 4) - 4
        has = np.flatnonzero(options + 8 <= ends)
        flags = np.zeros(len(places), np.int64)
        if not has.size:
            return flags
        at = options[has]
        first = window.view(self._order + "u2")[at].astype(np.int64) << 16 | window.view(self._order + "u2", 2)[at]
        usual = first == (2 << 16 | 4)
        flags[has[usual]] = self._column(at[usual], 4)
        for index in has[~usual].tolist():
            for code, value in self._options(int(options[index]), int(ends[index])):
                if code == 2 and len(value) == 4:
                    flags[index] = struct.unpack(self._order + "I", value)[0]
        return flags

    def _chunk(self, places: I64, run: _Run) -> Chunk | None:
        sizes = self._column(places, 4)
        place = self._window.place
        fits = (run.captured >= 0) & (run.captured <= _CAPTURED) & (run.at + run.captured + 4 <= places + sizes)
        known = run.interface < len(self._clocks)
        described = np.array([clock.place for clock in self._clocks], np.int64)
        known[known] = described[run.interface[known]] < places[known] + place
        for good, reason in (
            (fits, "a packet block that is shorter than the packet it claims"),
            (known | ~fits, "packets of an interface that the section does not describe"),
        ):
            if not good.all():
                index = int((~good).argmax())
                self._lost.add(reason, place + int(places[index]), int(sizes[~good].sum()), int((~good).sum()), self._first)
        good = fits & known
        if not good.any():
            return None
        if not good.all():
            for name in ("interface", "high", "low", "captured", "wire", "at", "flags"):
                setattr(run, name, getattr(run, name)[good])
        count = len(run.at)
        if not run.ticks:
            reason = "packets without a time (simple packet blocks): their time is unknown and stands as 1970"
            self._lost.add(reason, place + int(places[0]), 0, count, self._first)
        first = self._first
        self._first += count
        numbers = np.array([clock.number for clock in self._clocks], np.uint16)
        links = np.array([clock.linktype for clock in self._clocks], np.uint16)
        ways = np.array([0, 2, 1, 0], np.uint8)[run.flags & 3]
        return Chunk(
            self._window.data[: self._window.size], place, first, run.at, run.captured, run.wire, self._times(run),
            links[run.interface], numbers[run.interface], ways if ways.any() else None,
        )  # fmt: skip

    def _times(self, run: _Run) -> I64:
        """Nanoseconds. Whole numbers only; what lies beyond 2262 stands as 2262 and is counted."""
        times = np.zeros(len(run.at), np.int64)
        if not run.ticks:
            return times
        ticks = (run.high << np.uint64(32)) | run.low
        beyond = 0
        for index in np.unique(run.interface).tolist():
            mine = run.interface == index
            clock = self._clocks[index]
            values, late = _nanoseconds(ticks[mine], clock.units, clock.offset)
            times[mine] = values
            beyond += late
        if beyond:
            reason = "packets with a time that cannot be: before 1970 or after 2262"
            self._lost.add(reason, self._window.place, 0, beyond, self._first - len(run.at))
        return times

    def _describe(self, at: int) -> None:
        kind, length = self._u32(at), self._u32(at + 4)
        if kind == _SECTION:
            self._clocks = []
        elif kind == _INTERFACE and length >= 20:
            self._interface(at, at + length - 4)
        elif kind == _STATISTICS and length >= 24:
            self._statistics(at, at + length - 4)
        elif len(self._others) < _TYPES or kind in self._others:
            self._others[kind] = self._others.get(kind, 0) + 1

    def _interface(self, at: int, end: int) -> None:
        linktype, _, snaplen = struct.unpack_from(self._order + "HHI", self._window.bytes, at + 8)
        if len(self._interfaces) > INTERFACES:
            self._lost.add("too many interfaces: the packets of the further ones are not read", self._window.place + at, 0, 0, self._first)
            return
        interface = Interface(len(self._interfaces), linktype, snaplen)
        clock = _Clock(interface.number, linktype, snaplen, self._window.place + at)
        for code, value in self._options(at + 16, end):
            if code == 2:
                interface.name = _shown(value)
            elif code == 11 and value[:1] == b"\0":
                interface.filter = _shown(value[1:])
            elif code == 9 and len(value) == 1:
                clock.units = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == 14 and len(value) == 8:
                clock.offset = struct.unpack(self._order + "q", value)[0]
        self._interfaces.append(interface)
        self._clocks.append(clock)

    def _statistics(self, at: int, end: int) -> None:
        """The counters of a statistics block run from the start of the capture: the last block counts."""
        number = self._u32(at + 8)
        if number >= len(self._clocks):
            return
        options = self._options(at + 20, end)
        drops = [struct.unpack(self._order + "Q", value)[0] for code, value in options if code in (5, 7) and len(value) == 8]
        if drops:
            self._interfaces[self._clocks[number].number].drops = min(sum(drops), (1 << 63) - 1)

    def _options(self, at: int, end: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= end:
            code, size = struct.unpack_from(self._order + "HH", self._window.bytes, at)
            if code == 0 or at + 4 + size > end:
                return
            yield code, bytes(self._window.bytes[at + 4 : at + 4 + size])
            at += 4 + (size + 3 & ~3)


def _nanoseconds(ticks: npt.NDArray[np.uint64], units: int, offset: int) -> tuple[I64, int]:
    """Times of ticks of which `units` make a second; and how many of them had to be put to the ends of what can be said."""
    shift = offset * 10**9
    if 10**9 % units == 0 and int(ticks.max()) < (1 << 62) // (10**9 // units) and abs(shift) < 1 << 61:
        values = ticks.astype(np.int64) * (10**9 // units) + shift
        bad = (values < 0) | (values > LATEST)
        return np.clip(values, 0, LATEST), int(bad.sum())
    exact = [int(tick) * 10**9 // units + shift for tick in ticks.tolist()]
    return np.array([min(max(value, 0), LATEST) for value in exact], np.int64), sum(not 0 <= value <= LATEST for value in exact)


def _shown(value: bytes) -> str:
    return text.storable(value.rstrip(b"\0").decode("utf-8", "replace")[:1000])
