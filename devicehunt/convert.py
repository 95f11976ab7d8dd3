"""The raw rows of one stanza -> rows of its tables, by the SQL expressions of its feeds.

Rows are converted together; a value that does not convert makes its own row a gap, never the batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from devicehunt import decode
from devicehunt.database import columns_of
from devicehunt.errors import DataError
from devicehunt.parse import source_of
from devicehunt.platforms import Feed, Stanza
from devicehunt.templates import Row

if TYPE_CHECKING:
    import duckdb

CHUNK_ROWS = 20_000
"""Rows that go to the database as one JSON text."""
FACTS_HEAD = ("device", "snapshot", "exhibit", "line")
Place = tuple[str, str, str, int]
"""Which output: device, snapshot, exhibit, and the line where it begins."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A raw row that has a value which does not convert for `table`."""

    place: Place
    line: int
    table: str


@dataclass
class Conversion:
    """One stanza's raw rows on their way into the tables, over a connection that has its own temporary tables."""

    con: duckdb.DuckDBPyConnection
    stanza: Stanza
    counts: dict[tuple[Place, int], tuple[int, str]] = field(default_factory=dict)
    """Of each output and feed: how many rows it got, and which columns were left open."""
    refused: list[Refused] = field(default_factory=list)
    part: tuple[int, int] = (0, 1)
    """Which of how many parts of the feeds: parts can be converted beside each other, each with the same rows."""
    keys: bool = True
    """Whether addresses get their binary twins, which only rules need."""

    @property
    def feeds(self) -> range:
        """The numbers of the feeds that are filled here."""
        return range(self.part[0], len(self.stanza.feeds), self.part[1])

    def run(self, rows: list[Row]) -> None:
        """Fill the tables of all feeds."""
        self._fill(rows)
        taken = self._taken()
        for at, index in enumerate(self.feeds):
            feed = self.stanza.feeds[index]
            bad = self._insert(feed) if taken is None or index in taken else []
            if bad:
                # the feeds before this one took the rows that it refuses
                for number in bad:
                    self._refuse(feed, number)
                self._count(self.feeds[at:])
                self.con.execute(insert_sql(self.con, self.stanza, feed, keys=self.keys))
        if taken is None:
            self._count(self.feeds)

    def _taken(self) -> set[int] | None:
        """The feeds that take any row: to plan the statement of another costs as much. None: a row is still to be refused."""
        import duckdb

        try:
            return self._count(self.feeds)
        except duckdb.Error:
            return None

    def _fill(self, rows: list[Row]) -> None:
        """Make the table `raw`."""
        fields = dict.fromkeys(raw_columns(self.stanza), "VARCHAR") | {
            "device": "VARCHAR", "snapshot": "VARCHAR", "exhibit": "VARCHAR", "line": "BIGINT",
            "command_line": "VARCHAR", "_section": "BIGINT", "_n": "BIGINT",
        }  # fmt: skip
        for number, row in enumerate(rows):
            row["_n"] = number
        # a column a list: the names of the columns stand there once, not in every row
        shape = json.dumps({name: [kind] for name, kind in fields.items()}).replace("'", "''")
        columns = ", ".join(f'unnest(given."{name}") as "{name}"' for name in fields)
        given = f"select {columns} from (select from_json(?::json, '{shape}') as given)"
        if len(rows) <= CHUNK_ROWS:
            self.con.execute("create or replace temp table raw as " + raw_sql(self.stanza, given), [_json(rows, fields)])
            return
        # a part at a time: one JSON text of all of them takes gigabytes
        for start in range(0, len(rows), CHUNK_ROWS):
            verb = "insert into poured" if start else "create or replace temp table poured as"
            self.con.execute(f"{verb} {given}", [_json(rows[start : start + CHUNK_ROWS], fields)])
        self.con.execute("create or replace temp table raw as " + raw_sql(self.stanza, "from poured"))
        self.con.execute("drop table poured")

    def _insert(self, feed: Feed) -> list[int]:
        """Fill one feed's table from `raw`; where values do not convert, nothing, and the numbers of their rows."""
        import duckdb

        try:
            self.con.execute(insert_sql(self.con, self.stanza, feed, keys=self.keys))
        except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException):
            return self._bad_rows(feed)
        except duckdb.Error as error:
            raise DataError(f"{self.stanza.name}: table {feed.table}: {error}") from error
        return []

    def _bad_rows(self, feed: Feed) -> list[int]:
        """The numbers of raw rows whose values do not convert, found by halving."""
        import duckdb

        select = select_sql(self.con, self.stanza, feed)
        bad: list[int] = []
        total = self.con.execute("select max(_n) + 1 from raw").fetchall()[0][0]
        spans = [(0, int(total))]
        while spans:
            low, high = spans.pop()
            try:
                part = select.replace(" from raw", f" from (select * from raw where _n >= {low} and _n < {high}) raw", 1)
                self.con.execute(part).fetchall()
            except duckdb.Error:
                if high - low == 1:
                    bad.append(low)
                else:
                    middle = (low + high) // 2
                    spans += [(low, middle), (middle, high)]
        return sorted(bad)

    def _refuse(self, feed: Feed, number: int) -> None:
        where = f"_n = {int(number)}"
        found = self.con.execute(f"select device, snapshot, exhibit, _section, line from raw where {where}").fetchall()[0]
        self.refused.append(Refused(found[:4], found[4], feed.table))
        self.con.execute(f"delete from raw where {where}")

    def _count(self, feeds: range) -> set[int]:
        """Note for some of the feeds, output by output, how many rows they get and what is left open; which take any."""
        if not feeds:
            return set()
        for place, index in list(self.counts):
            if index in feeds:  # an output whose rows were all refused has no count any more
                del self.counts[place, index]
        counts = ", ".join(_count_sql(self.stanza.feeds[index]) for index in feeds)
        rows = self.con.execute(f"select device, snapshot, exhibit, _section, {counts} from raw group by all").fetchall()
        taken: set[int] = set()
        for device, snapshot, exhibit, section, *found in rows:
            for index, count, incomplete, lines in zip(feeds, found[::3], found[1::3], found[2::3], strict=True):
                self.counts[((device, snapshot, exhibit, section), index)] = (count, incomplete or "")
                if lines:
                    taken.add(index)
        return taken


def _json(rows: list[Row], names: Iterable[str]) -> str:
    """Rows as one JSON text, a list a column."""
    return json.dumps({name: [row.get(name) for row in rows] for name in names})


def left_open(con: duckdb.DuckDBPyConnection, stanza: Stanza, index: int, command: str) -> str:
    """The columns that an output without rows leaves open in a feed: its command may say so (`netstat -tn`)."""
    holes = stanza.feeds[index].incomplete
    nulls = "".join(f", null::varchar as {c}" for c in raw_columns(stanza))
    columns = ", ".join(f"case when {condition} then '{column}' end" for column, condition in holes.items())
    row = "''::varchar as device, ''::varchar as snapshot, ''::varchar as exhibit, 0::bigint as line, 0::bigint as _section"
    raw = raw_sql(stanza, f"select {row}, ?::varchar as command_line{nulls}")
    found = con.execute(f"select array_to_string([{columns}], ',') from ({raw})", [command]).fetchall()
    return found[0][0] or ""


def _count_sql(feed: Feed) -> str:
    """Three columns of an output: how many rows the feed gets, which of its columns are left open, how many raw rows it takes."""
    holes = ", ".join(f"case when count(*) filter (where {cond}) > 0 then '{col}' end" for col, cond in feed.incomplete.items())
    where = f" filter (where {feed.where})" if feed.where else ""
    number = f"count(distinct ({feed.group})){where}" if feed.group else f"count(*){where}"
    return f"{number}, array_to_string([{holes or 'null::varchar'}], ','), count(*){where}"


def raw_sql(stanza: Stanza, lines: str) -> str:
    """The SELECT of the raw rows of `lines`, each with the values of the whole output (`section:`)."""
    if not stanza.section:
        return lines
    whole = ", ".join(f"{expression} as {name}" for name, expression in stanza.section.items())
    return (
        f"with lines as ({lines}) select * from lines join "
        f"(select device, snapshot, exhibit, _section, {whole} from lines group by all) whole using (device, snapshot, exhibit, _section)"
    )


def raw_columns(stanza: Stanza) -> list[str]:
    """The names that a raw row has: template values and decoder fields."""
    source = source_of(stanza)
    names = list(source.header) if source else []
    for step in stanza.decode:
        prefix = f"{step.into}_" if step.into else ""
        names += [prefix + f for f in decode.get(step.name).fields]
    return list(dict.fromkeys(names))


def select_sql(con: duckdb.DuckDBPyConnection, stanza: Stanza, feed: Feed, *, keys: bool = True) -> str:
    """The SELECT that turns `raw` into rows of one feed's table."""
    columns = columns_of(con, feed.table)
    unknown = set(feed.columns) - set(columns)
    if unknown:
        raise DataError(f"{stanza.name}: table {feed.table} has no column {sorted(unknown)}")
    # an empty GROUP BY key means one row a raw row
    line = feed.line or ("min(line)" if feed.group else "line")
    parts = ["device", "snapshot", "exhibit", f"{line} as line"]
    parts += [f"({e})::{columns[c]} as {c}" for c, e in feed.columns.items()]
    where = f" where {feed.where}" if feed.where else ""
    group = f" group by device, snapshot, exhibit, {feed.group}" if feed.group else ""
    twins = "".join(f", ip({c[:-4]}_ip) as {c}" for c in _keys(feed, columns)) if keys else ""
    # the keys from outside: a macro writes its argument out many times
    return f"select *{twins}, '{feed.view}' as view from (select {', '.join(parts)} from raw{where}{group})"


def _keys(feed: Feed, columns: dict[str, str]) -> list[str]:
    return [c for c in columns if c.endswith("_key") and c[:-4] + "_ip" in feed.columns]


def insert_sql(con: duckdb.DuckDBPyConnection, stanza: Stanza, feed: Feed, *, keys: bool = True) -> str:
    """The statement that fills one feed's table from `raw`."""
    names = [*FACTS_HEAD, *feed.columns, *(_keys(feed, columns_of(con, feed.table)) if keys else ()), "view"]
    return f"insert into {feed.table} ({', '.join(names)}) {select_sql(con, stanza, feed, keys=keys)}"
