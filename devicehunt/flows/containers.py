"""The bytes of pcap and pcapng captures -> chunks of packet records, and damage.

`Capture(sources)` reads one capture, or the files of a rotated set as one: ordered by the time of their first packet, packet
numbers, offsets and interfaces counted on from file to file (`parts` says where each begins).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from devicehunt.flows import pcap, pcapng
from devicehunt.flows.opening import Source
from devicehunt.flows.records import Chunk, Damage, Interface
from devicehunt.flows.window import Window

CHUNK = 1 << 24
SLICE = 1 << 15
_PEEK = 1 << 16
_DAMAGES = 1000  # told one by one; what comes behind is summed up
_EARLY = 631_152_000 * 10**9  # 1990: a clock that was never set

Origin = BinaryIO | Path


@dataclass(slots=True)
class Part:
    """One file of a set: its first byte has the offset `place`, its first packet the number `first`."""

    origin: Origin
    place: int = 0
    first: int = 1
    format: str = ""


class Capture:
    """What a capture says of itself; filled while `chunks()` is read."""

    def __init__(self, sources: Origin | Sequence[Origin], chunk_bytes: int = CHUNK, *, slice_bytes: int = SLICE) -> None:
        self._chunk, self._slice = chunk_bytes, slice_bytes
        origins = list(sources) if isinstance(sources, Sequence) else [sources]
        self.parts = [Part(origin) for origin in (_ordered(origins) if len(origins) > 1 else origins)]
        self.reading = -1  # index of the part that is being read
        self.format = ""  # pcap, pcapng; both for a mixed set
        self.interfaces: list[Interface] = []
        self.interface_parts: list[int] = []  # index of the part that each is of
        self.read_bytes = 0  # of the files themselves: progress
        self.total_bytes = _sizes(origins)  # None: a stream
        self.place = 0  # expanded bytes
        self.packets = 0
        self.captured_bytes = 0
        self.wire_bytes = 0
        self.first_at: int | None = None
        self.last_at: int | None = None
        self.backwards = 0  # packets earlier than the one before
        self.early = 0  # packets before 1990
        self.lost_bytes = 0
        self.damages = 0
        self.other_blocks: dict[int, int] = {}  # pcapng blocks that hold no packets, by type
        self._previous: int | None = None

    def chunks(self) -> Iterator[Chunk | Damage]:
        """All files of the capture, once: a second reading needs a second Capture."""
        told = 0
        summed = Damage("further places that cannot be read")
        for part in self.parts:
            for item in self._part(part):
                if isinstance(item, Chunk):
                    self._count(item)
                else:
                    self.damages += 1
                    self.lost_bytes += item.size
                    told += 1
                    if told > _DAMAGES:
                        _add(summed, item, told == _DAMAGES + 1)
                        continue
                yield item
        if told > _DAMAGES:
            summed.reason += f" ({told - _DAMAGES})"
            yield summed

    def _part(self, part: Part) -> Iterator[Chunk | Damage]:
        self.reading += 1
        part.place, part.first = self.place, self.packets + 1
        with contextlib.ExitStack() as stack:
            try:
                stream = stack.enter_context(part.origin.open("rb")) if isinstance(part.origin, Path) else part.origin
            except OSError as error:
                yield Damage(f"cannot be opened: {error.strerror}", part.place)
                return
            source = Source(stream)
            before = self.read_bytes
            base = self.place
            window = Window(source, self._chunk, base)
            unopened = bool(source.damages) and not window.size  # its damage says why
            for item in () if unopened else self._walk(window):
                self.read_bytes = before + source.taken
                self._whose()
                yield item
            self._whose()
            self.read_bytes = before + source.taken
            self.place = base + source.given
            for damage in source.damages:
                damage.offset += base
                yield damage

    def _walk(self, window: Window) -> Iterator[Chunk | Damage]:
        window.hold(0, 28)
        head = bytes(window.bytes[: min(28, window.size)])
        if pcap.endian(head) and len(head) >= pcap.HEADER:
            self._note("pcap")
            if len(self.interfaces) > pcapng.INTERFACES:
                yield Damage("too many interfaces: the file was not read", window.place)
                return
            reader = pcap.Pcap(window, len(self.interfaces), self.packets + 1, self._slice)
            self.interfaces.append(reader.interface)
            yield from reader.chunks()
        elif head[:4] == pcapng.SECTION and len(head) >= 12:
            self._note("pcapng")
            yield from pcapng.Pcapng(window, self.interfaces, self.other_blocks, self.packets + 1, self._slice).chunks()
        elif not head:
            yield Damage("the file is empty", window.place)
        else:
            start = window.place
            while not window.eof:
                window.more(window.size)
            known = pcap.endian(head) or head[:4] == pcapng.SECTION
            reason = "the file header is cut" if known else "not a pcap or pcapng capture"
            yield Damage(reason, start, window.place + window.size - start)

    def _whose(self) -> None:
        self.interface_parts += [self.reading] * (len(self.interfaces) - len(self.interface_parts))

    def _note(self, kind: str) -> None:
        self.parts[self.reading].format = kind
        if kind not in self.format.split(", "):
            self.format = f"{self.format}, {kind}" if self.format else kind

    def _count(self, chunk: Chunk) -> None:
        self.packets += len(chunk.time)
        self.captured_bytes += int(chunk.caplen.sum())
        self.wire_bytes += int(chunk.wirelen.sum())
        first, last = int(chunk.time.min()), int(chunk.time.max())
        self.first_at = first if self.first_at is None else min(first, self.first_at)
        self.last_at = last if self.last_at is None else max(last, self.last_at)
        self.early += int(np.count_nonzero(chunk.time < _EARLY)) if first < _EARLY else 0
        self.backwards += int(np.count_nonzero(chunk.time[1:] < chunk.time[:-1]))
        if self._previous is not None and chunk.time[0] < self._previous:
            self.backwards += 1
        self._previous = int(chunk.time[-1])


def read(sources: Origin | Sequence[Origin], chunk_bytes: int = CHUNK) -> Iterator[Chunk | Damage]:
    """The chunks of a capture. Whoever wants its interfaces and counts as well makes a `Capture` and reads its chunks."""
    return Capture(sources, chunk_bytes).chunks()


def _add(summed: Damage, damage: Damage, first: bool) -> None:
    if first:
        summed.offset, summed.first_packet = damage.offset, damage.first_packet
    summed.size += damage.size
    if damage.packets is not None:
        summed.packets = (summed.packets or 0) + damage.packets


def _sizes(origins: Sequence[Origin]) -> int | None:
    total = 0
    for origin in origins:
        if not isinstance(origin, Path):
            return None
        with contextlib.suppress(OSError):
            total += origin.stat().st_size
    return total


def _ordered(origins: Sequence[Origin]) -> list[Origin]:
    """The files of a set by the time of their first packet; those without one at the end. A stream cannot be read twice."""
    if not all(isinstance(origin, Path) for origin in origins):
        return list(origins)

    def key(origin: Origin) -> tuple[bool, int, str]:
        first = _first_time(origin)
        return first is None, first or 0, str(origin)

    return sorted(origins, key=key)


def _first_time(origin: Origin) -> int | None:
    for item in Capture(origin, _PEEK, slice_bytes=0).chunks():
        if isinstance(item, Chunk):
            return int(item.time[0])
    return None
