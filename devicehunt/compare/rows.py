"""The rows that are held against each other, and from which outputs a side knows them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from devicehunt import data, platforms
from devicehunt.compare.model import Book
from devicehunt.coverage import partitioned
from devicehunt.errors import DevicehuntError

Key = tuple[str | None, ...]
Where = tuple[str, str]
Source = tuple[str, str]
"""What told a row: the stanza, and its command or file where each shows another part."""
NOT_SHOWN = "not shown for every row"


@dataclass(frozen=True, slots=True)
class Table:
    """One entry of compare.yaml."""

    table: str
    what: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    rank: str = "0"
    where: str = "true"
    pair: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    secret: bool = False
    quiet: bool = False
    by_line: bool = False

    @property
    def needs(self) -> set[str]:
        """The columns without which rows may be missing."""
        return {*self.key, *re.findall(r"[a-z_]+", self.where)}


@lru_cache(maxsize=1)
def _plan() -> dict[str, Any]:
    loaded: dict[str, Any] = data.read_yaml((Path(__file__).parent / "compare.yaml").read_text(encoding="utf-8"))
    return loaded


@lru_cache(maxsize=1)
def plan() -> tuple[Table, ...]:
    """The tables to compare, the weightiest first."""
    entries: list[dict[str, Any]] = [{k: tuple(v) if isinstance(v, list) else v for k, v in e.items()} for e in _plan()["tables"]]
    return tuple(Table(**entry) for entry in entries)


@lru_cache(maxsize=1)
def alike() -> dict[str, str]:
    """Stanza -> the group of stanzas that list the same."""
    return {stanza: group[0] for group in _plan()["alike"] for stanza in group}


@dataclass(slots=True)
class Row:
    """All rows of one key and source: each value as the texts it has, joined."""

    values: dict[str, str]
    exhibit: str
    line: int
    rank: int = 0
    place: int = 0


@dataclass(slots=True)
class Shown:
    """What one snapshot shows of one table: key -> source -> row; and how whole each source is."""

    rows: dict[Key, dict[Source, Row]] = field(default_factory=lambda: defaultdict(dict))
    good: set[Source] = field(default_factory=set)
    bad: dict[Source, str] = field(default_factory=dict)
    left_open: dict[Source, set[str]] = field(default_factory=lambda: defaultdict(set))
    exhibits: dict[Source, set[str]] = field(default_factory=lambda: defaultdict(set))
    commands: dict[Source, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Part:
    """One output: where it begins in its exhibit, and what read it."""

    line: int
    stanza: str
    command: str


class Outputs:
    """The outputs of some snapshots, and what they feed; of one side, or of both where both are in one database."""

    def __init__(self, books: Iterable[Book], wheres: Iterable[Where]) -> None:
        books = list(books)
        self._con = books[0].con
        self.wheres = sorted(set(wheres))
        self._paths = {(b.prefix + e.device, e.exhibit): e.path for b in books for e in b.case.entries if e.path}
        self._parts: dict[tuple[str, str], list[_Part]] = defaultdict(list)
        self._feeds: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        devices = [device for device, _ in self.wheres]
        wanted = set(self.wheres)
        rows = self._con.execute(
            "select device, snapshot, exhibit, line, coalesce(stanza, ''), coalesce(command, '') from exhibits "
            "where device in (select unnest(?)) order by exhibit, line", [devices],
        ).fetchall()  # fmt: skip
        for device, snapshot, exhibit, line, stanza, command in rows:
            if (device, snapshot) in wanted:
                self._parts[device, exhibit].append(_Part(line or 0, stanza, self._paths.get((device, exhibit), command)))
        feeds = self._con.execute(
            "select table_name, device, snapshot, exhibit, line, usable, coalesce(reason, ''), coalesce(incomplete, ''), row_count, "
            "columns from feeds where device in (select unnest(?)) order by all", [devices],
        ).fetchall()  # fmt: skip
        for name, *rest in feeds:
            if (rest[0], rest[1]) in wanted:
                self._feeds[name].append(tuple(rest))

    def source(self, table: str, device: str, exhibit: str, line: int) -> Source:
        """What told a row."""
        part = self._part(device, exhibit, line)
        by_command = table in partitioned() and not _is_whole(part.stanza)
        return part.stanza, platforms.normalise(part.command) if by_command else ""

    def _part(self, device: str, exhibit: str, line: int) -> _Part:
        parts = self._parts[device, exhibit]
        return parts[max(0, bisect_right(parts, line, key=lambda p: p.line) - 1)]

    def show(self, table: Table) -> dict[Where, Shown]:
        """What each snapshot shows of a table."""
        found: dict[Where, Shown] = {where: Shown() for where in self.wheres}
        count = 0
        for device, snapshot, exhibit, line, usable, reason, incomplete, rows, columns in self._feeds[table.table]:
            count += rows or 0
            here, source = found[device, snapshot], self.source(table.table, device, exhibit, line or 0)
            here.exhibits[source].add(exhibit)
            here.commands.setdefault(source, self._part(device, exhibit, line or 0).command)
            open_columns = set(filter(None, incomplete.split(",")))
            if not rows and set(columns.split(",")) <= open_columns:
                open_columns = set()  # an export that names no users on either side is the same; one that does was changed
            here.left_open[source] |= open_columns
            if usable and not open_columns & table.needs:
                here.good.add(source)
            else:
                here.bad[source] = reason if not usable else f"{', '.join(sorted(open_columns & table.needs))} {NOT_SHOWN}"
        for here in found.values():
            if table.table in partitioned():
                here.good -= set(here.bad)  # each output shows another part
            for source in here.good:
                here.bad.pop(source, None)
        if count:  # to plan a query costs more than to answer it
            (self._fill_lines if table.by_line else self._fill)(table, found)
        return found

    def _fill_lines(self, table: Table, found: dict[Where, Shown]) -> None:
        """Rows that are what one line of a configuration says: path, value, path, value."""
        path, value = table.key
        told = f"string_agg({path} || chr(31) || coalesce({value}, ''), chr(31) order by {path}, {value})"
        sql = (
            f"select device, snapshot, exhibit, line, {told} from {table.table} where device in (select unnest(?)) and exhibit is not null "
            f"and ({table.where}) group by device, snapshot, exhibit, line order by exhibit, line"
        )
        for device, snapshot, exhibit, line, text in self._con.execute(sql, [[d for d, _ in self.wheres]]).fetchall():
            here = found.get((device, snapshot))
            if here is not None and text is not None:
                source = self.source(table.table, device, exhibit, line or 0)
                here.rows[tuple(text.split("\x1f"))].setdefault(source, Row({}, exhibit, int(line or 0)))

    def _fill(self, table: Table, found: dict[Where, Shown]) -> None:
        columns = [f"{c}::varchar" for c in (*table.key, *table.values)]
        place = "coalesce(position, line)" if table.order else "0"
        sql = (
            f"select {', '.join(['device', 'snapshot', 'exhibit', 'line', table.rank, place, *columns])} from {table.table} "
            f"where device in (select unnest(?)) and exhibit is not null and ({table.where}) order by exhibit, line"
        )
        told: dict[tuple[Where, Key, Source], dict[str, set[str]]] = {}
        width = len(table.key)
        for device, snapshot, exhibit, line, rank, order, *texts in self._con.execute(sql, [[d for d, _ in self.wheres]]).fetchall():
            here = found.get((device, snapshot))
            if here is None:
                continue
            source = self.source(table.table, device, exhibit, line or 0)
            key: Key = tuple(texts[:width])
            row = here.rows[key].setdefault(source, Row({}, exhibit, int(line or 0), int(rank or 0), int(order or 0)))
            row.rank = min(row.rank, int(rank or 0))
            values = told.setdefault(((device, snapshot), key, source), defaultdict(set))
            for name, text in zip(table.values, texts[width:], strict=True):
                if text is not None:
                    values[name].add(text)
        for (where, key, source), values in told.items():
            found[where].rows[key][source].values = {name: ", ".join(sorted(texts)) for name, texts in values.items()}

    def unread(self) -> dict[Where, set[str]]:
        """The exhibits that nothing reads."""
        found: dict[Where, set[str]] = {where: set() for where in self.wheres}
        rows = self._con.execute(
            "select device, snapshot, exhibit from exhibits where stanza is null and device in (select unnest(?)) "
            "and status in ('not-read', 'complete', 'cut', 'garbled')", [[d for d, _ in self.wheres]],
        ).fetchall()  # fmt: skip
        for device, snapshot, exhibit in rows:
            if (device, snapshot) in found:
                found[device, snapshot].add(exhibit)
        return found


@lru_cache(maxsize=1024)
def _is_whole(stanza: str) -> bool:
    """Whether a stanza reads the whole configuration, whatever its command is called."""
    platform, _, name = stanza.partition("/")
    try:
        known = platforms.load(platform).stanzas.get(name)
    except DevicehuntError:
        return False
    return bool(known and known.one_a_device)


def matched(a: Shown, b: Shown) -> dict[Source, Source]:
    """Source -> what it counts as: stanzas that list the same are one where the two sides share none of them."""
    group = alike()
    sources = {*a.good, *a.bad, *b.good, *b.bad}
    shared = {group[s[0]] for s in a.good & b.good if s[0] in group}
    return {s: (group[s[0]], "") for s in sources if s[0] in group and group[s[0]] not in shared}


def renamed(shown: Shown, names: dict[Source, Source]) -> Shown:
    """The same with its sources under other names."""
    if not names:
        return shown
    made = Shown()
    made.good = {names.get(s, s) for s in shown.good}
    made.bad = {names.get(s, s): why for s, why in shown.bad.items() if names.get(s, s) not in made.good}
    for source in shown.exhibits:
        made.exhibits[names.get(source, source)] |= shown.exhibits[source]
        made.left_open[names.get(source, source)] |= shown.left_open[source]
        made.commands.setdefault(names.get(source, source), shown.commands[source])
    for key, told in shown.rows.items():
        for source, row in told.items():
            made.rows[key].setdefault(names.get(source, source), row)
    return made


def joined(rows: Sequence[Row]) -> dict[str, str]:
    """The values of all rows of one key."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name, text in row.values.items():
            found[name].add(text)
    return {name: ", ".join(sorted(texts)) for name, texts in found.items()}
