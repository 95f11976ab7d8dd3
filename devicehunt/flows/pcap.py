"""Classic pcap: microseconds or nanoseconds, both endians, and the modified format with 24-byte record headers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from devicehunt.flows.records import I64, U8, Chunk, Damage, Interface
from devicehunt.flows.walk import walk
from devicehunt.flows.window import Window

HEADER = 24
LARGEST = 1 << 18  # a record that claims to hold more is no record
_LONGEST = 1 << 24  # longest length on the wire that is believed while looking for a record
_MONTH = 30 * 86400
_SEARCH = 1 << 16  # bytes searched at a time for the next record
_HOPS = 4  # records in a row that make a place believable
_PATIENCE = 1000  # damages in one file after which larger pieces are passed over
MAGICS = {
    0xA1B2C3D4: (1000, 16),
    0xA1B23C4D: (1, 16),
    0xA1B2CD34: (1000, 24),
}
"""Magic number: nanoseconds a unit of the second time field, size of a record header."""
_DIRECTIONS = np.array([2, 2, 2, 3, 1], np.uint8)  # packet type of the modified format: to us, broadcast, multicast, other, sent


def endian(head: bytes) -> str:
    """'<' or '>' when `head` begins a classic capture, else ''."""
    return next((order for order in "<>" if len(head) >= 4 and struct.unpack(order + "I", head[:4])[0] in MAGICS), "")


class Pcap:
    """Reads one file. `slice_bytes` 0: record by record, the oracle of the fast walk."""

    def __init__(self, window: Window, interface: int, first: int, slice_bytes: int) -> None:
        self._window = window
        self._first = first
        self._slice = slice_bytes
        self._order = endian(bytes(window.bytes[:4]))
        magic, _major, _minor, _zone, _figures, snaplen, link = struct.unpack_from(self._order + "IHHiIII", window.bytes)
        self._unit, self._header = MAGICS[magic]
        self._limit = LARGEST if not 0 < snaplen < LARGEST else min(LARGEST, max(1 << 16, 2 * snaplen))
        self.interface = Interface(interface, link & 0xFFFF, snaplen)
        self._number = struct.Struct(self._order + "I")
        self._second: int | None = None  # of the last record read
        self._damages = 0

    def chunks(self) -> Iterator[Chunk | Damage]:
        """The file from its start to its end."""
        window = self._window
        at = HEADER
        calm = True  # no damage in the bytes in hand: the fast walk pays
        while True:
            places, at = self._records(at, calm)
            if places.size:
                yield self._chunk(places)
            if not self._bad(at):
                if window.eof:
                    yield from self._tail(at)
                    return
                window.more(at)
                at, calm = 0, True
                continue
            calm = False
            start, zeros = window.place + at, self._empty(at)
            at, only_zeros = self._search(at)
            size = window.place + at - start
            if at >= window.size and zeros and only_zeros:
                yield Damage("the end of the file is filled with zeros", start, size)
            else:
                yield Damage("not a packet record: passed over up to the next one", start, size, first_packet=self._first)
            if at >= window.size:
                return

    def _tail(self, at: int) -> Iterator[Damage]:
        left = self._window.size - at
        if left and self._window.zeros(at):
            yield Damage("the end of the file is filled with zeros", self._window.place + at, left)
        elif left:
            yield Damage("the last record is cut", self._window.place + at, left, 1, self._first)

    # one record

    def _captured(self, at: int) -> int:
        return int(self._number.unpack_from(self._window.bytes, at + 8)[0])

    def _one(self, at: int) -> int:
        return at + self._header + self._captured(at)

    def _empty(self, at: int) -> bool:
        return not any(self._window.bytes[at : at + 16])

    def _bad(self, at: int) -> bool:
        """Whether a whole header lies at `at` that cannot be one."""
        return at + self._header <= self._window.size and (self._captured(at) > self._limit or self._empty(at))

    # many records

    def _records(self, at: int, calm: bool) -> tuple[I64, int]:
        """Places of the good and whole records from `at` on, and the place of the first that is not."""
        if not (self._slice and calm):
            return self._one_by_one(at)
        window = self._window
        captured = window.view(self._order + "u4", 8)
        header = self._header

        def hop(places: I64) -> I64:
            return captured[places] + (places + header)

        places, stop = walk(self._starts(at), window.size, header, hop, self._one)
        if places.size:
            sizes = captured[places]
            bad = sizes > self._limit
            for index in np.flatnonzero(sizes == 0).tolist():
                bad[index] = bad[index] or self._empty(int(places[index]))
            if bad.any():
                index = int(bad.argmax())
                return places[:index], int(places[index])
        return places, stop

    def _one_by_one(self, at: int) -> tuple[I64, int]:
        places = []
        size = self._window.size
        while at + self._header <= size and not self._bad(at):
            behind = self._one(at)
            if behind > size:
                break
            places.append(at)
            at = behind
        return np.array(places, np.int64), at

    def _starts(self, at: int) -> I64:
        """`at`, and for each slice behind it a place that looks like a record: a guess, proved by the walk."""
        window = self._window
        reach = self._slice // 4
        count = (window.size - at - reach) // self._slice
        known = np.array([at], np.int64)
        if count < 2 or at + self._header > window.size:
            return known
        second = self._number.unpack_from(window.bytes, at)[0]
        # The upper half of the seconds stays for 18 hours: one comparison a byte finds the few places worth a look.
        upper = window.view(self._order + "u2", 2 if self._order == "<" else 0)[at + self._slice :]
        table: npt.NDArray[np.uint16] = np.lib.stride_tricks.as_strided(upper, (count - 1, reach), (self._slice, 1))
        rows, columns = np.nonzero((table == second >> 16) | (table == (second >> 16) + 1) if second & 0x8000 else table == second >> 16)
        places = rows * self._slice + columns + (at + self._slice)
        good = self._plausible(places, second)
        rows, places = rows[good], places[good]
        _, index = np.unique(rows, return_index=True)
        return np.concatenate((known, places[index]))

    def _plausible(self, places: I64, second: int | None) -> npt.NDArray[np.bool_]:
        """Which places begin a record that others follow, or the end of the file does."""
        window = self._window
        good = np.ones(len(places), bool)
        ended = np.zeros(len(places), bool)
        current = places
        views = [window.view(self._order + "u4", offset) for offset in (0, 4, 8, 12)]
        for hops in range(_HOPS):
            at = np.minimum(current, window.size)
            seconds, parts, captured, wire = (view[at] for view in views)
            fits = (captured > 0) & (captured <= self._limit) & (captured <= wire) & (wire < _LONGEST)
            fits &= parts < 1_000_000_000 // self._unit
            if second is not None:
                fits &= np.abs(seconds.astype(np.int64) - second) < _MONTH
            fits &= current + self._header <= window.size
            behind = current + self._header + captured
            # The last record may be cut; a single one that is says too little.
            cut = (current + self._header > window.size) | (behind > window.size)
            if hops >= 2 and window.eof:
                ended |= cut
            good &= ended | (fits & ~cut)
            current = behind
            if window.eof:
                ended |= good & (current == window.size)
        return good

    def _search(self, at: int) -> tuple[int, bool]:
        """The next place at which records go on, or the end; and whether everything passed over is zero."""
        window = self._window
        self._damages += 1
        at = window.hold(at, 2)
        zeros = window.bytes[at] == 0
        step = 1 if self._damages < _PATIENCE else _SEARCH
        if step > 1:
            at = window.hold(at, _SEARCH)
            zeros = False
        at += min(step, window.size - at)
        while at < window.size:
            at = window.hold(at, _SEARCH + (_HOPS + 1) * (self._limit + self._header))
            end = min(at + _SEARCH, window.size)
            if not window.data[at:end].any():
                at = end
                continue
            places = self._candidates(at, end)
            places = places[self._plausible(places, self._second)]
            if places.size:
                zeros = zeros and not window.data[at : int(places[0])].any()
                return int(places[0]), zeros
            zeros = False
            at = end
        return window.size, zeros

    def _candidates(self, at: int, end: int) -> I64:
        window = self._window
        captured, wire = (window.view(self._order + "u4", offset)[at:end] for offset in (8, 12))
        return np.flatnonzero((captured > 0) & (captured <= self._limit) & (captured <= wire) & (wire < _LONGEST)) + at

    def _chunk(self, places: I64) -> Chunk:
        window = self._window
        seconds, parts, captured, wire = (window.view(self._order + "u4", offset)[places].astype(np.int64) for offset in (0, 4, 8, 12))
        count = len(places)
        direction: U8 | None = None
        if self._header == 24:
            kinds = window.view("u1", 22)[places]
            direction = np.where(kinds < len(_DIRECTIONS), _DIRECTIONS[np.minimum(kinds, 4)], 0).astype(np.uint8)
        first = self._first
        self._first += count
        self._second = int(seconds[-1])
        return Chunk(
            window.data[: window.size], window.place, first, places + self._header, captured, wire,
            seconds * 1_000_000_000 + parts * self._unit,
            np.full(count, self.interface.linktype, np.uint16), np.full(count, self.interface.number, np.uint16), direction,
        )  # fmt: skip
