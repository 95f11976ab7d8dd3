"""What reading an exhibit of traffic gave, and how it is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from devicehunt.database import columns_of, insert_rows
from devicehunt.flows.records import Damage
from devicehunt.model import Status

if TYPE_CHECKING:
    import duckdb

Place = tuple[str, str, str]
"""Device, snapshot, exhibit."""
GAPS = 200
"""Kinds of damage that are told one by one; the rest is counted in one."""


@dataclass(slots=True)
class Taken:
    """What a capture gave. `gaps`: first packet, last packet, reason; `feeds`: table, rows."""

    status: Status = Status.COMPLETE
    reason: str = ""
    packets: int = 0
    unread: int = 0
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    feeds: dict[str, int] = field(default_factory=dict)
    views: dict[tuple[str, str], int] = field(default_factory=dict)  # table and view, where one file fills several
    proof: str = "byte-count"
    open: dict[str, str] = field(default_factory=dict)  # table -> columns that rows leave open though the rest is whole
    short: dict[str, str] = field(default_factory=dict)  # table -> why it does not hold all that was said
    beside: str = ""  # why the rows are not all, though this file is whole: another file of the set, say


def write_said(con: duckdb.DuckDBPyConnection, place: Place, table: str, rows: list[dict[str, Any]]) -> None:
    """Append rows that a second look gave; times in nanoseconds become stamps."""
    head = dict(zip(("device", "snapshot", "exhibit"), place, strict=True))
    stamps = {name for name, kind in columns_of(con, table).items() if kind == "TIMESTAMP_NS"}
    whole = [{"view": "packets", **row, **head, **{n: stamp(row[n]) for n in stamps if isinstance(row.get(n), int)}} for row in rows]
    for at in range(0, len(whole), 5000):
        insert_rows(con, table, whole[at : at + 5000])


def stamp(ns: int | None) -> str | None:
    """Nanoseconds since 1970 as the tables take them."""
    return None if ns is None else f"{np.datetime64(ns, 'ns')}"


def told(damages: Iterable[Damage], unit: str = "packets") -> list[tuple[int, int, str]]:
    """A gap a kind of damage, with what it cost."""
    kinds: dict[str, list[Damage]] = defaultdict(list)
    for damage in damages:
        kinds[damage.reason].append(damage)
    gaps = [(*_span(of), f"{reason}: {_amount(of, unit)}") for reason, of in list(kinds.items())[:GAPS]]
    return [*gaps, (0, 0, f"{len(kinds) - GAPS} further kinds of damage")] if len(kinds) > GAPS else gaps


def _span(of: Iterable[Damage]) -> tuple[int, int]:
    numbers = [d.first_packet for d in of if d.first_packet]
    return (min(numbers), max(numbers)) if numbers else (0, 0)


def _amount(of: list[Damage], unit: str) -> str:
    packets, octets = sum(d.packets or 0 for d in of), sum(d.size for d in of)
    said = [f"{packets} {unit}"] if packets else []
    said += [f"{octets} bytes"] if octets else []
    return ", ".join(said) or f"{len(of)} times"
