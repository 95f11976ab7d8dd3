"""Datagrams of exporters inside a capture -> rows of flows, written as they come, and the connections that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from devicehunt.flows.export_fixed import is_export
from devicehunt.flows.export_rows import Batch
from devicehunt.flows.exports import Exports
from devicehunt.flows.records import Chunk, Damage, Decoded
from devicehunt.flows.stitch import stitch
from devicehunt.flows.table import address
from devicehunt.flows.taken import Place

if TYPE_CHECKING:
    import duckdb

VERSIONS = (1, 5, 7, 8, 9, 10)
_WRONG = {"future": "lies in the future", "past": "lies in the past", "end-before-start": "ends before it begins"}


class Writer:
    """Rows of flows of one exhibit."""

    def __init__(self, con: duckdb.DuckDBPyConnection, place: Place) -> None:
        self._con, self._place = con, place
        self.views: dict[tuple[str, str], int] = {}
        self.exports = Exports()

    @property
    def rows(self) -> int:
        """Flows that were written."""
        return sum(self.views.values())

    def write(self, batch: Batch) -> None:
        """Write a batch at once: nothing of it is kept."""
        batch.insert(self._con, *self._place)
        self.views["flows", batch.view] = self.views.get(("flows", batch.view), 0) + batch.count

    def feed(self, chunk: Chunk, block: Decoded) -> Iterator[Damage]:
        """Datagrams of exporters on their way to a collector."""
        rows = np.flatnonzero((block.proto == 17) & (block.payload >= 20) & (block.depth == 0))
        at = block.payload_at[rows] - chunk.place
        version = chunk.data[at].astype(np.uint16) << 8 | chunk.data[at + 1]
        sflow = (version == 0) & (chunk.data[at + 2] == 0) & (chunk.data[at + 3] == 5)
        fits = np.isin(version, VERSIONS) | sflow
        for row, start in zip(rows[fits].tolist(), at[fits].tolist(), strict=True):
            data = chunk.data[start : start + int(block.payload[row])].tobytes()
            if is_export(data):
                source = int(block.src_hi[row]).to_bytes(8, "big") + int(block.src_lo[row]).to_bytes(8, "big")
                yield from self._out(self.exports.feed(data, address(source), int(block.packet[row]), int(block.time[row])))

    def close(self) -> Iterator[Damage]:
        """What is left of the exports, and what could not be read of them."""
        yield from self._out(self.exports.close())

    def _out(self, parts: Iterable[Batch | Damage]) -> Iterator[Damage]:
        for part in parts:
            if isinstance(part, Damage):
                yield part
            else:
                self.write(part)

    def connections(self) -> None:
        """Make connections of the flows."""
        self.views["connections", "exporter"] = stitch(self._con, where=self._place)

    def clocks(self) -> list[tuple[int, int, str]]:
        """Flows whose times cannot be: first and last packet, and why. The rows are kept, and say so in `clock`."""
        sql = """select min(line), max(line), exporter, clock, count(*) from flows
            where (device, snapshot, exhibit) = (?, ?, ?) and clock in ('future', 'past', 'end-before-start')
            group by exporter, clock order by all"""
        found = self._con.execute(sql, list(self._place)).fetchall()
        return [
            (first or 0, last or 0, f"{exporter or 'an exporter'}: {count} flows whose time {_WRONG[clock]}")
            for first, last, exporter, clock, count in found
        ]

    def drop(self) -> None:
        """Take back what was written: the capture could not be read to its end."""
        self._con.execute("delete from flows where (device, snapshot, exhibit) = (?, ?, ?)", list(self._place))
