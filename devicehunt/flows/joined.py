"""A capture in several files: which file a packet is of, and what does not fit together.

All files are read as one: one connection is one, whatever file its packets are in, and packets, offsets and interfaces
are numbered on from file to file. The tables cite the file and the number within it (`renumber`).
"""

from __future__ import annotations

import datetime
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from devicehunt.flows.containers import Capture
from devicehunt.flows.records import Chunk, Damage
from devicehunt.flows.sets import missing
from devicehunt.text import shown

if TYPE_CHECKING:
    import duckdb

OVERLAP = 10**9
"""Nanoseconds by which long files may overlap: a capturer with several interfaces does not write in strict order."""
_ETHERNET, _HOSTS = 1, 4096


@dataclass(slots=True)
class File:
    """One file of a capture, as it was read."""

    packets: int = 0
    first_at: int | None = None
    last_at: int | None = None
    early: int = 0  # packets before 1990
    backwards: int = 0  # packets earlier than the one before
    links: set[int] = field(default_factory=set)
    hosts: set[bytes] = field(default_factory=set)  # link addresses of the first packets
    named: dict[str, int] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)

    def see(self, chunk: Chunk, early: int, backwards: int) -> None:
        """Count a chunk. `early`, `backwards`: of the capture since the chunk before."""
        first, last = int(chunk.time.min()), int(chunk.time.max())
        self.first_at = first if self.first_at is None else min(first, self.first_at)
        self.last_at = last if self.last_at is None else max(last, self.last_at)
        self.early, self.backwards = self.early + early, self.backwards + backwards
        self.links.update(np.unique(chunk.linktype).tolist())
        if not self.packets:
            self._hosts(chunk)
        self.packets += len(chunk.time)

    def _hosts(self, chunk: Chunk) -> None:
        rows = np.flatnonzero((chunk.linktype == _ETHERNET) & (chunk.caplen >= 12))[:_HOSTS]
        for at in chunk.at[rows].tolist():
            for one in (chunk.data[at : at + 6], chunk.data[at + 6 : at + 12]):
                if not int(one[0]) & 1:  # no group
                    self.hosts.add(one.tobytes())


class Interfaces:
    """The interfaces of each further file are those of the first: a connection that crosses the files stays one."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._known: dict[tuple[int, str, int], int] = {}
        self._alias: list[int] = []
        self._file, self._count = -1, defaultdict[tuple[int, str], int](int)

    def one(self, chunk: Chunk) -> None:
        """Give the chunk the numbers of the first file. Where its interface has no twin there it keeps its own."""
        if len(self._capture.parts) < 2:
            return
        if self._file != self._capture.reading:
            self._file = self._capture.reading
            self._count.clear()
        for interface in self._capture.interfaces[len(self._alias) :]:
            kind = (interface.linktype, interface.name)
            self._alias.append(self._known.setdefault((*kind, self._count[kind]), interface.number))
            self._count[kind] += 1
        chunk.interface = np.array(self._alias, dtype=np.uint16)[chunk.interface]


def chunks(paths: Sequence[Path]) -> Iterator[Chunk]:
    """The packets of a capture once more, numbered as the first time."""
    capture = Capture(list(paths))
    interfaces = Interfaces(capture)
    for part in capture.chunks():
        if isinstance(part, Chunk):
            interfaces.one(part)
            yield part


def misfits(names: Sequence[str], files: Sequence[File]) -> tuple[list[str], list[str]]:
    """What is wrong with a set, in the order of time: what makes it incomplete or doubtful, and what is only to be said."""
    bad: list[str] = []
    said: list[str] = []
    numbers, gone = missing(names)
    if numbers:
        listed = ", ".join(map(str, numbers[:20])) + (f" and {len(numbers) - 20} more" if len(numbers) > 20 else "")
        bad.append(f"the set of {len(names)} files lacks number {listed}")
    if gone:
        said.append(f"the set begins with number {gone}: what was recorded before is not there")
    timed = [(n, f, f.first_at, f.last_at) for n, f in zip(names, files, strict=True) if f.first_at is not None and f.last_at is not None]
    reach, before = None, ""
    for name, file, first, last in timed:
        if reach is not None and reach - first > min(OVERLAP, max(last - first, 0) // 2):
            bad.append(
                f"{shown(name, 80)} begins {_span(reach - first)} before the end of {shown(before, 80)}: packets may be there twice"
            )
        if reach is None or last > reach:
            reach, before = last, name
        lead = timed[0]
        if file.links != lead[1].links:
            bad.append(f"{shown(name, 80)} has link type {_listed(file.links)}, {shown(lead[0], 80)} has {_listed(lead[1].links)}")
        if file.hosts and lead[1].hosts and not file.hosts & _hosts_before(timed, name):
            bad.append(f"{shown(name, 80)} shares no link address with the files before it: it may be of another host")
    bad += _hole([(name, first) for name, _, first, _ in timed]) if not numbers else []
    return bad, said


def _hosts_before(timed: Sequence[tuple[str, File, int, int]], name: str) -> set[bytes]:
    found: set[bytes] = set()
    for other, file, _, _ in timed:
        if other == name:
            break
        found |= file.hosts
    return found or next(f.hosts for n, f, _, _ in timed if n == name)


def _hole(starts: Sequence[tuple[str, int]]) -> list[str]:
    """Files that begin at even times, but for one step that is a multiple: one is not there."""
    steps = [later[1] - earlier[1] for earlier, later in itertools.pairwise(starts)]
    if len(steps) < 3:
        return []
    usual = sorted(steps)[len(steps) // 2]
    even = [abs(s - usual) <= usual * 0.05 for s in steps[:-1]]
    if usual <= 0 or sum(even) < len(even) * 0.7:
        return []
    return [
        f"between {shown(starts[i][0], 80)} and {shown(starts[i + 1][0], 80)} lie {_span(step)}, usually {_span(usual)}: "
        "a file may be missing"
        for i, step in enumerate(steps)
        if step >= usual * 1.9
    ]


def _span(ns: int) -> str:
    return str(datetime.timedelta(seconds=max(ns // 10**9, 1)))


def _listed(links: set[int]) -> str:
    return ", ".join(map(str, sorted(links)))


def renumber(
    con: duckdb.DuckDBPyConnection, place: tuple[str, str, str], exhibits: Sequence[tuple[str, int, int]], tables: Sequence[str]
) -> None:
    """Make rows that cite the whole set cite the file, and the number within it.

    `place`: device, snapshot, and the exhibit that all rows cite now; `exhibits`: exhibit, number of its first packet and
    of its last. A fact of a connection stays with its connection: where its packet is in a later file, the connection's
    first packet is cited.
    """
    con.execute("create or replace temp table set_parts(exhibit varchar, low bigint, high bigint)")
    con.executemany("insert into set_parts values (?, ?, ?)", [list(one) for one in exhibits])
    mine = "t.device = $1 and t.snapshot = $2 and t.exhibit = $3"
    con.execute(
        "create or replace temp table set_moved as select t.connection, p.exhibit, p.low, p.high, t.line - p.low + 1 as line "
        f"from connections t join set_parts p on t.line between p.low and p.high where {mine} and t.view = 'packets'",
        list(place),
    )
    for table in tables:
        con.execute(
            f"update {table} t set exhibit = m.exhibit, line = case when t.line between m.low and m.high then t.line - m.low + 1 "
            f"else m.line end from set_moved m where t.connection = m.connection and t.view = 'packets' and {mine}",
            list(place),
        )
    for table in ("connections", "flows"):
        con.execute(
            f"update {table} t set exhibit = p.exhibit, line = t.line - p.low + 1 from set_parts p "
            f"where t.line between p.low and p.high and {mine}",
            list(place),
        )
    con.execute("drop table set_parts; drop table set_moved")
