"""Second pass: the bytes of some connections over time, in steps of a tenth of a second.

`chosen` takes the connections that may carry others or be carried: long ones and large ones, as many as `ROWS` bins and
`CONNECTIONS` allow. `bins` goes over the packets again and adds up the payload of each direction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from devicehunt.flows import fast, table
from devicehunt.flows.records import Chunk, Decoded

Array = Any
STEP_NS = 100_000_000
CONNECTIONS = 20_000
LONG_NS = 10_000_000_000
ROWS = 4_000_000
PENDING = 2_000_000  # sums that wait to be added up
SPAN = 37  # bits of a bin, counted from the first: 430 years


def chosen(found: dict[str, Array]) -> tuple[Array, int]:
    """Indices into `found` (FlowTable.connections), and how many connections with payload were left out."""
    payload = found["orig_payload"] + found["resp_payload"]
    usable = np.flatnonzero((found["depth"] == 0) & (payload > 0))
    lasts = (found["last"] - found["first"])[usable]
    # long ones first, up to a half; then by size
    order = usable[np.lexsort((-payload[usable], lasts < LONG_NS))]
    long = int((lasts >= LONG_NS).sum())
    if long > CONNECTIONS // 2:
        rest = order[CONNECTIONS // 2 :]
        order = np.concatenate([order[: CONNECTIONS // 2], rest[np.argsort(-payload[rest], kind="stable")]])
    packets = (found["orig_packets"] + found["resp_packets"])[order]
    steps = 2 * ((found["last"] - found["first"])[order] // STEP_NS + 1)
    fits = np.cumsum(np.minimum(packets, steps)) <= ROWS
    picked = order[fits][:CONNECTIONS]
    return np.sort(picked), len(usable) - len(picked)


class Bins:
    """Adds up payload by connection, direction and step."""

    def __init__(self, found: dict[str, Array], rows: Array) -> None:
        self.base = int(found["first"][rows].min()) // STEP_NS if len(rows) else 0
        self.rows = rows
        self.four, self.six = table.Halves(2), table.Halves(6)
        self.owner = {2: np.zeros(2 * len(rows), dtype=np.int64), 6: np.zeros(2 * len(rows), dtype=np.int64)}
        self.keys: list[Array] = []
        self.sums: list[Array] = []
        self.pending = 0
        some = {name: column[rows] for name, column in found.items()}
        info = table.meta_of(some["proto"], some["depth"], some["tunnel"], some["interface"])
        four = table.is_v4(some["orig_hi"], some["orig_lo"], some["resp_hi"], some["resp_lo"])
        for number, (a, b) in enumerate((("resp", "orig"), ("orig", "resp"))):
            ends = [some[f"{side}_{part}"] for side in (a, b) for part in ("hi", "lo")]
            for half, width, make, which in ((self.four, 2, table.keys4, four), (self.six, 6, table.keys6, ~four)):
                index = np.flatnonzero(which)
                if not len(index):
                    continue
                keys = make([end[index] for end in ends], some[f"{a}_port"][index], some[f"{b}_port"][index], info[index])
                none = np.zeros(len(index), dtype=np.int64)
                self.owner[width][half.number(keys, none, none)] = 2 * index + 1 - number

    def add(self, d: Decoded) -> None:
        """Count a block of packets."""
        rows = np.flatnonzero((d.payload_len > 0) & (d.depth == 0))
        if not len(rows):
            return
        sport, dport = table.requests(d)
        info = table.meta_of(d.proto, d.depth, d.tunnel, d.interface)
        ends = [d.src_hi, d.src_lo, d.dst_hi, d.dst_lo]
        four = table.is_v4(*ends)[rows]
        for half, width, some, make in ((self.four, 2, rows[four], table.keys4), (self.six, 6, rows[~four], table.keys6)):
            if not half.n or not len(some):
                continue
            ids = half.find(make([e[some] for e in ends], sport[some], dport[some], info[some]))
            wanted = some[ids >= 0]
            steps = np.clip(d.time[wanted] // STEP_NS - self.base, 0, (1 << SPAN) - 1)
            self._keep(self.owner[width][ids[ids >= 0]] << SPAN | steps, d.payload_len[wanted])
        if self.pending > PENDING:
            self._fold()

    def _keep(self, keys: Array, sums: Array) -> None:
        self.keys.append(keys)
        self.sums.append(sums.astype(np.int64))
        self.pending += len(keys)

    def _fold(self) -> None:
        keys, where = np.unique(np.concatenate(self.keys), return_inverse=True)
        sums = np.zeros(len(keys), dtype=np.int64)
        np.add.at(sums, where, np.concatenate(self.sums))
        self.keys, self.sums, self.pending = [keys], [sums], 0

    def finish(self) -> dict[str, Array]:
        """Give a row a connection and step: index into `found`, step since 1970, bytes of each direction."""
        if not self.keys:
            return {name: np.zeros(0, dtype=np.int64) for name in ("row", "bin", "orig_bytes", "resp_bytes")}
        self._fold()
        owner, step = self.keys[0] >> SPAN, self.keys[0] & ((1 << SPAN) - 1)
        places, where = np.unique((owner >> 1) << SPAN | step, return_inverse=True)
        out = {"row": self.rows[places >> SPAN], "bin": (places & ((1 << SPAN) - 1)) + self.base}
        for name, side in (("orig_bytes", 0), ("resp_bytes", 1)):
            out[name] = np.zeros(len(places), dtype=np.int64)
            mine = owner & 1 == side
            out[name][where[mine]] = self.sums[0][mine]
        return out


def over_time(chunks: Iterable[Chunk], found: dict[str, Array]) -> tuple[dict[str, Array], dict[str, str]]:
    """Columns of the table `series`, and why it does not hold all; the capture is read once more where there is something to compare."""
    rows, left_out = chosen(found)
    collector, decoder = Bins(found, rows), fast.Decoder()
    for chunk in chunks if len(rows) > 1 else ():
        for block in decoder.blocks(chunk):
            collector.add(block)
    steps = collector.finish()
    at = steps.pop("row")
    short = f"the bytes over time of {left_out} of {len(found['line'])} connections were not kept: too many"
    return {"line": found["line"][at], "connection": found["connection"][at], **steps}, {"series": short} if left_out else {}
