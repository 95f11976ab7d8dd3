"""Second pass: the payload of some connections.

`heads` reads the first bytes of each direction straight from their places in the file. `Follow` goes over the packets
again and keeps, for the connections it was told, the payload of each direction up to a limit; `reassemble` puts TCP in
the order of its sequence numbers and says what came twice, what differed, and what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from devicehunt.flows import fast, table
from devicehunt.flows.records import Chunk, Decoded

Array = Any
BYTES, PACKETS = 16_384, 64  # kept of a direction
HALF = 1 << 31
TURN = 1 << 32


@dataclass(slots=True)
class Piece:
    """Payload of one packet. `seq` is TCP's number of its first byte, `missing` how many bytes before it were not captured."""

    packet: int
    time: int
    data: bytes
    seq: int = 0
    missing: int = 0


@dataclass(slots=True)
class Side:
    """What one end sent. `cut`: there was more than is kept; `lost`: bytes of the kept packets that were not captured."""

    pieces: list[Piece] = field(default_factory=list)
    kept: int = 0
    cut: bool = False
    lost: int = 0
    gaps: int = 0  # bytes of TCP that are missing between the pieces, for whatever reason
    repeated: int = 0  # bytes that came again and were the same
    differing: int = 0  # bytes that came again and were not: the first ones count


@dataclass(slots=True)
class Stream:
    """One connection by its number in FlowTable.connections."""

    connection: int
    proto: int
    orig: Side = field(default_factory=Side)
    resp: Side = field(default_factory=Side)


def heads(source: BinaryIO, places: Array, lengths: Array, limit: int = 64) -> list[bytes]:
    """Read at most `limit` bytes at each place (-1: none) of a plain file that can seek."""
    out = [b""] * len(places)
    sizes = np.minimum(lengths, limit)
    order = np.argsort(places, kind="stable")
    order = order[(places[order] >= 0) & (sizes[order] > 0)]
    for i, place, size in zip(order.tolist(), places[order].tolist(), sizes[order].tolist(), strict=True):
        source.seek(place)
        out[i] = source.read(size)
    return out


def heads_of(chunks: Iterable[Chunk], places: Array, lengths: Array, limit: int = 64) -> list[bytes]:
    """Do the same by reading the capture once more, for what cannot seek (.gz, .zst)."""
    out = [b""] * len(places)
    order = np.argsort(places, kind="stable")
    sorted_places = places[order]
    for chunk in chunks:
        low, high = np.searchsorted(sorted_places, (max(chunk.place, 0), chunk.place + len(chunk.data))).tolist()
        for i in order[low:high].tolist():
            at = int(places[i]) - chunk.place
            out[i] = chunk.data[at : at + max(min(int(lengths[i]), limit), 0)].tobytes()
    return out


class Follow:
    """Collects the payload of the connections `rows` (indices into `found`, the result of FlowTable.connections)."""

    def __init__(self, found: dict[str, Array], rows: Array, *, limit: int = BYTES, packets: int = PACKETS) -> None:
        self.limit, self.packets = limit, packets
        self.four, self.six = table.Halves(2), table.Halves(6)
        self.streams = [Stream(int(found["connection"][i]), int(found["proto"][i])) for i in rows]
        # by the number of a half: its side, and whether there is enough of it
        self.owner: dict[int, dict[int, Side]] = {2: {}, 6: {}}
        self.full = {width: np.zeros(2 * len(rows), dtype=bool) for width in (2, 6)}
        some = {name: column[rows] for name, column in found.items()}
        info = table.meta_of(some["proto"], some["depth"], some["tunnel"], some["interface"])
        four = table.is_v4(some["orig_hi"], some["orig_lo"], some["resp_hi"], some["resp_lo"])
        for a, b in (("resp", "orig"), ("orig", "resp")):  # an end that talks to itself is the one that opened
            ends = [some[f"{side}_{part}"] for side in (a, b) for part in ("hi", "lo")]
            for half, width, make, which in ((self.four, 2, table.keys4, four), (self.six, 6, table.keys6, ~four)):
                index = np.flatnonzero(which)
                keys = make([end[index] for end in ends], some[f"{a}_port"][index], some[f"{b}_port"][index], info[index])
                none = np.zeros(len(index), dtype=np.int64)
                for at, number in zip(index.tolist(), half.number(keys, none, none).tolist(), strict=True):
                    stream = self.streams[at]
                    self.owner[width][number] = stream.orig if a == "orig" else stream.resp

    def add(self, d: Decoded, chunk: Chunk) -> None:
        """Look at a block of the chunk."""
        rows = np.flatnonzero(d.payload > 0)
        sport, dport = table.requests(d)
        info = table.meta_of(d.proto, d.depth, d.tunnel, d.interface)
        ends = [d.src_hi, d.src_lo, d.dst_hi, d.dst_lo]
        four = table.is_v4(*ends)[rows]
        for half, width, some, make in ((self.four, 2, rows[four], table.keys4), (self.six, 6, rows[~four], table.keys6)):
            if not half.n or not len(some):
                continue
            ids = half.find(make([e[some] for e in ends], sport[some], dport[some], info[some]))
            wanted = (ids >= 0) & ~self.full[width][ids]
            for number, row in zip(ids[wanted].tolist(), some[wanted].tolist(), strict=True):
                side = self.owner[width][number]
                self._keep(side, d, row, chunk)
                self.full[width][number] = side.cut

    def _keep(self, side: Side, d: Decoded, row: int, chunk: Chunk) -> None:
        room = self.limit - side.kept
        if room <= 0 or len(side.pieces) >= self.packets:
            side.cut = True
            return
        at, size = int(d.payload_at[row]) - chunk.place, int(d.payload[row])
        data = chunk.data[at : at + min(size, room)].tobytes()
        side.lost += int(d.payload_len[row]) - size
        side.cut |= size > room
        side.kept += len(data)
        # the SYN takes a number of its own
        seq = (int(d.seq[row]) + (1 if int(d.flags[row]) & 2 else 0)) % TURN
        side.pieces.append(Piece(int(d.packet[row]), int(d.time[row]), data, seq))

    def finish(self) -> list[Stream]:
        """Put TCP in order, and give the streams."""
        for stream in self.streams:
            if stream.proto == 6:
                reassemble(stream.orig)
                reassemble(stream.resp)
        return self.streams


def follow(chunks: Iterable[Chunk], found: dict[str, Array], rows: Array, *, limit: int = BYTES, packets: int = PACKETS) -> list[Stream]:
    """Go over a capture once more for some of its connections."""
    collector, decoder = Follow(found, rows, limit=limit, packets=packets), fast.Decoder()
    for chunk in chunks:
        for block in decoder.blocks(chunk):
            collector.add(block, chunk)
    return collector.finish()


def reassemble(side: Side) -> None:
    """Order pieces by sequence number. What was there first stays; a gap is said on the piece behind it."""
    if not side.pieces:
        return
    start = side.pieces[0].seq
    placed = sorted(((_from(start, piece.seq), i, piece) for i, piece in enumerate(side.pieces)), key=lambda p: p[:2])
    out: list[Piece] = []
    have = bytearray()  # the bytes of the present run, which begins at `base`
    base = reach = placed[0][0]
    for offset, _, piece in placed:
        data, missing = piece.data, 0
        if offset > reach:
            missing, base, have = offset - reach, offset, bytearray()
            reach = offset
        again = min(reach - offset, len(data))
        if again > 0:
            before = have[offset - base : offset - base + again]
            same = sum(x == y for x, y in zip(before, data, strict=False))
            side.repeated, side.differing = side.repeated + same, side.differing + len(before) - same
        new = data[again:]
        if not new:
            continue
        have += new
        reach += len(new)
        side.gaps += missing
        out.append(Piece(piece.packet, piece.time, new, (piece.seq + again) % TURN, missing))
    side.pieces = out


def _from(start: int, seq: int) -> int:
    """How far a sequence number is from the first one, either way round."""
    far = (seq - start) % TURN
    return far - TURN if far >= HALF else far
