"""Raw rows -> typed tables in Parquet, by the SQL expressions of the stanzas.

One Loader takes the parsed outputs of a batch of devices. Rows of one stanza are converted
together; a value that does not convert makes its own row a gap, never the batch.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import data, decode
from devicehunt.errors import DataError
from devicehunt.model import Gap
from devicehunt.parse import Parsed, Row, source_of
from devicehunt.platforms import Feed, Stanza

if TYPE_CHECKING:
    import duckdb

FLUSH_ROWS = 20_000
CHUNK_ROWS = 20_000
"""Rows that go to the database as one JSON text."""
META = ("exhibits", "feeds", "gaps")
FACTS_HEAD = ("device", "snapshot", "exhibit", "line")


def connect(*, views: bool = True) -> duckdb.DuckDBPyConnection:
    """An empty database with the schema, the macros and UTC; nothing is ever downloaded.

    Without `views` only tables and macros are made: binding the views costs time.
    """
    import duckdb

    con = duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False},
    )
    con.execute("set global timezone='UTC'; set preserve_insertion_order=true; set threads=2")
    con.execute(MACROS)
    schema, mark, rest = data.schema_sql().partition("create view ")
    con.execute(schema + mark + rest if views else schema)
    return con


def derive(con: duckdb.DuckDBPyConnection) -> None:
    """Compute every view of the schema once, from what is loaded; a table of its name takes its place.

    In the order of the file, so that each stands on tables: nested views would be planned again in every rule.
    No temporary tables: those are seen by one cursor alone, and rules run on several.
    """
    _, mark, rest = data.schema_sql().partition("create view ")
    views = {name for (name,) in con.execute("select view_name from duckdb_views() where not internal").fetchall()}
    for statement in con.extract_statements(mark + rest):
        query = statement.query.strip()
        name = query.removeprefix("create view ").split(None, 1)[0]
        if name in views:
            con.execute(f"drop view {name}")
        con.execute(query.replace("create view ", "create or replace table ", 1))


# ip: 16 bytes in network order, v4 as v4-mapped; null for what is no address, whatever a device wrote.
# Short on purpose: a macro is written out wherever it stands, and planning a query costs more than running it here.
MACROS = """
create macro v4_hex(t) as '00000000000000000000ffff'
  || array_to_string(list_transform(string_split(t, '.'), lambda n: printf('%02x', n::integer)), '');
create macro v6_groups(t) as string_split(trim(replace(t, '::', ':-:'), ':'), ':');
create macro v6_hex(t) as array_to_string(list_transform(v6_groups(t),
  lambda g: case g when '-' then repeat('0', 36 - 4 * len(v6_groups(t))) else lpad(g, 4, '0') end), '');
create macro v6_ok(t) as regexp_full_match(t, '([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}')
  or regexp_full_match(t, '([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?::([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?') and len(v6_groups(t)) < 9;
create macro ip_hex(t) as case
  when regexp_full_match(t, '(25[0-5]|2[0-4]\\d|[01]?\\d?\\d)(\\.(25[0-5]|2[0-4]\\d|[01]?\\d?\\d)){3}') then v4_hex(t)
  when v6_ok(t) then v6_hex(t) end;
create macro ip(t) as unhex(ip_hex(t));
create macro cidr_bits(c) as split_part(c, '/', 2)::integer + case when contains(c, ':') then 0 else 96 end;
create macro nibble(h, bits) as instr('0123456789abcdef', substr(h, (bits // 4)::integer + 1, 1)) - 1;
create macro cidr_first(c) as unhex(rpad(left(ip_hex(split_part(c, '/', 1)), (cidr_bits(c) // 4)::integer)
  || case when cidr_bits(c) = 128 then ''
     else printf('%x', nibble(ip_hex(split_part(c, '/', 1)), cidr_bits(c)) & (15 - (1 << (4 - cidr_bits(c) % 4)) + 1)) end, 32, '0'));
create macro cidr_last(c) as unhex(rpad(left(ip_hex(split_part(c, '/', 1)), (cidr_bits(c) // 4)::integer)
  || case when cidr_bits(c) = 128 then ''
     else printf('%x', nibble(ip_hex(split_part(c, '/', 1)), cidr_bits(c)) | ((1 << (4 - cidr_bits(c) % 4)) - 1)) end, 32, 'f'));
-- the one file or folder that a command shows (`cat /etc/rc.local`; `cat etc rc.local` from a file name); null when it is none, or several
create macro file_of(c) as coalesce(
  nullif(regexp_extract(c, '^\\S*\\b(?:cat|ls)(?: -\\S+)* (/[^\\s*?|]*)(?: 2>\\S+)?$', 1), ''),
  case when regexp_full_match(c, '((cat|ls)( -\\S+)* )?'
    || '(bin|config|data|dev|etc|home|jffs|mnt|opt|overlay|proc|root|run|s?bin|tmp|usr|var|www)( [\\w.+-]+)*')
    then '/' || replace(regexp_replace(c, '^(cat|ls)( -\\S+)* ', ''), ' ', '/') end);
-- a property of a JSON object (the menus of RouterOS); null where it is not set
create macro prop(props, name) as nullif(json_extract_string(props::json, '$."' || name || '"'), '');
-- 255.255.255.0 -> 24; a wildcard 0.0.0.255 -> 24; null for a mask with holes
-- 5w3d20m51s -> seconds; null for anything else
create macro span_part(t, unit) as coalesce(try_cast(nullif(regexp_extract(t, '(\\d+)' || unit, 1), '') as bigint), 0);
create macro span_s(t) as case when regexp_full_match(t, '(\\d+w)?(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?') and t <> ''
  then span_part(t, 'w') * 604800 + span_part(t, 'd') * 86400 + span_part(t, 'h') * 3600 + span_part(t, 'm') * 60 + span_part(t, 's') end;
create macro v4_number(t) as ('0x' || right(ip_hex(t), 8))::bigint;
create macro mask_bits(m) as case when contains(m, '.') and v4_number(m) = 4294967296 - (1::bigint << (32 - bit_count(v4_number(m))))
  then bit_count(v4_number(m))::integer end;
create macro wildcard_bits(m) as mask_bits(array_to_string(
  list_transform(string_split(m, '.'), lambda o: (255 - try_cast(o as integer))::varchar), '.'));
create macro in_cidr(k, c) as coalesce(k between cidr_first(c) and cidr_last(c), false);
"""


class Loader:
    """Collects parsed outputs and writes them as tables."""

    def __init__(self) -> None:
        self.con = connect(views=False)
        self._waiting: dict[str, tuple[Stanza, list[Row]]] = {}
        self._exhibits: list[tuple[Any, ...]] = []
        self._feeds: list[tuple[Any, ...]] = []
        self._gaps: list[Gap] = []
        self._counts: dict[tuple[str, str, int, int], tuple[int, str]] = {}
        self._parsed: list[Parsed] = []
        self._open: dict[tuple[str, int, str], str] = {}

    def add(self, found: Parsed) -> None:
        """Take one parsed output; its rows are released once they are in a table."""
        section, stanza = found.section, found.stanza
        if stanza is not None and found.rows:
            head = {
                "device": section.device,
                "snapshot": section.snapshot,
                "exhibit": section.exhibit,
                "command_line": f"cat {section.path}" if section.path else section.command,
                "_section": section.first_line,
            }
            waiting = self._waiting.setdefault(stanza.name, (stanza, []))[1]
            waiting.extend(row | head for row in found.rows)
            found.rows = []
            if len(waiting) >= FLUSH_ROWS:
                self._flush(stanza.name)
        self._parsed.append(found)
        self._gaps.extend(found.gaps)

    def finish(self, folder: Path, part: str) -> None:
        """Convert what waits and write every table that has rows to `folder/<table>/<part>.parquet`."""
        for name in list(self._waiting):
            self._flush(name)
        self._write_meta()
        for table in tables():
            count = self.con.execute(f"select count(*) from {table}").fetchall()[0][0]
            if count:
                target = folder / table
                target.mkdir(parents=True, exist_ok=True)
                path = str(target / f"{part}.parquet").replace("'", "''")
                self.con.execute(
                    f"copy (select * from {table} order by all) to '{path}' (format parquet)"
                )
        self.con.close()

    def _flush(self, name: str) -> None:
        stanza, rows = self._waiting.pop(name)
        columns = raw_columns(stanza)
        fields = dict.fromkeys(columns, "VARCHAR") | {
            "device": "VARCHAR", "snapshot": "VARCHAR", "exhibit": "VARCHAR", "line": "BIGINT",
            "command_line": "VARCHAR", "_section": "BIGINT", "_n": "BIGINT",
        }  # fmt: skip
        for number, row in enumerate(rows):
            row["_n"] = number
        shape = json.dumps([fields]).replace("'", "''")
        given = f"select unnest(from_json(?::json, '{shape}'), recursive := true)"
        if len(rows) <= CHUNK_ROWS:
            self.con.execute("create or replace temp table raw as " + raw_sql(stanza, given), [json.dumps(rows)])
        else:
            self._pour(given, rows)
            self.con.execute("create or replace temp table raw as " + raw_sql(stanza, "from poured"))
            self.con.execute("drop table poured")
        counted = 0
        for index, feed in enumerate(stanza.feeds):
            bad = self._insert(stanza, feed)
            if bad:
                # the feeds before this one took the rows that it refuses
                self._count(stanza, range(counted, index))
                counted = index
                for number in bad:
                    self._refuse(stanza, feed, number)
                self.con.execute(insert_sql(self.con, stanza, feed))
        self._count(stanza, range(counted, len(stanza.feeds)))

    def _pour(self, given: str, rows: list[Row]) -> None:
        """Many rows into the table `poured`, a part at a time: one JSON text of all of them takes gigabytes."""
        for start in range(0, len(rows), CHUNK_ROWS):
            verb = "insert into poured" if start else "create or replace temp table poured as"
            self.con.execute(f"{verb} {given}", [json.dumps(rows[start : start + CHUNK_ROWS])])

    def _insert(self, stanza: Stanza, feed: Feed) -> list[int]:
        """Fill one feed's table from `raw`; where values do not convert, nothing, and the numbers of their rows."""
        import duckdb

        try:
            self.con.execute(insert_sql(self.con, stanza, feed))
        except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException):
            return self._bad_rows(stanza, feed)
        except duckdb.Error as error:
            raise DataError(f"{stanza.name}: table {feed.table}: {error}") from error
        return []

    def _bad_rows(self, stanza: Stanza, feed: Feed) -> list[int]:
        """The numbers of raw rows whose values do not convert, found by halving."""
        import duckdb

        select = select_sql(self.con, stanza, feed)
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

    def _refuse(self, stanza: Stanza, feed: Feed, number: int) -> None:
        where = f"_n = {int(number)}"
        device, snapshot, exhibit, line, section = self.con.execute(
            f"select device, snapshot, exhibit, line, _section from raw where {where}"
        ).fetchall()[0]
        gap = Gap(device, snapshot, exhibit, line, line, stanza.name, f"a value did not convert for {feed.table}")
        self._gaps.append(gap)
        for found in self._parsed:
            if (found.section.device, found.section.snapshot, found.section.exhibit, found.section.first_line) == (
                device, snapshot, exhibit, section,
            ):  # fmt: skip
                found.unread += 1
                found.usable = False
                found.reason = found.reason or "a value did not convert"
        self.con.execute(f"delete from raw where {where}")

    def _count(self, stanza: Stanza, feeds: range) -> None:
        """Note for some of the feeds, output by output, how many rows they got and what was left open."""
        if not feeds:
            return
        counts = ", ".join(_count_sql(stanza.feeds[index]) for index in feeds)
        rows = self.con.execute(f"select device, snapshot, exhibit, _section, {counts} from raw group by all").fetchall()
        for device, snapshot, exhibit, section, *found in rows:
            for index, count, incomplete in zip(feeds, found[::2], found[1::2], strict=True):
                key = ("\0".join((device, snapshot, exhibit)), stanza.name, section, index)
                old = self._counts.get(key, (0, ""))
                joined = ",".join(sorted({c for c in f"{old[1]},{incomplete or ''}".split(",") if c}))
                self._counts[key] = (old[0] + count, joined)

    def _left_open(self, stanza: Stanza, index: int, command: str) -> str:
        """The columns that an output without rows leaves open: its command may say so (`netstat -tn`)."""
        holes = stanza.feeds[index].incomplete
        if not any("command_line" in condition for condition in holes.values()):
            return ""
        key = (stanza.name, index, command)
        if key not in self._open:
            nulls = "".join(f", null::varchar as {c}" for c in raw_columns(stanza))
            columns = ", ".join(f"case when {condition} then '{column}' end" for column, condition in holes.items())
            row = "''::varchar as device, ''::varchar as snapshot, ''::varchar as exhibit, 0::bigint as line, 0::bigint as _section"
            raw = raw_sql(stanza, f"select {row}, ?::varchar as command_line{nulls}")
            found = self.con.execute(f"select array_to_string([{columns}], ',') from ({raw})", [command]).fetchall()
            self._open[key] = found[0][0] or ""
        return self._open[key]

    def _write_meta(self) -> None:
        for found in self._parsed:
            self._note(found)
        gaps = [
            {"device": g.device, "snapshot": g.snapshot, "exhibit": g.exhibit, "line": g.line,
             "last_line": g.last_line, "parser": g.parser, "reason": g.reason}
            for g in self._gaps
        ]  # fmt: skip
        insert_rows(self.con, "exhibits", [dict(zip(_EXHIBIT, e, strict=True)) for e in self._exhibits])
        insert_rows(self.con, "feeds", [dict(zip(_FEED, f, strict=True)) for f in self._feeds])
        insert_rows(self.con, "gaps", gaps)

    def _note(self, found: Parsed) -> None:
        s, stanza = found.section, found.stanza
        self._exhibits.append(
            (s.device, s.snapshot, s.exhibit, s.first_line, s.seq, s.command,
             stanza.name if stanza else None, str(found.status), str(found.end_proof), s.exit_status,
             found.lines, found.unread, s.collected_at)
        )  # fmt: skip
        for index, feed in enumerate(stanza.feeds if stanza else ()):
            assert stanza is not None
            key = ("\0".join((s.device, s.snapshot, s.exhibit)), stanza.name, s.first_line, index)
            count, incomplete = self._counts.get(key) or (0, self._left_open(stanza, index, s.command))
            reason = found.reason
            if found.usable and str(found.end_proof) == "none":
                reason = "end not proven"
            self._feeds.append(
                (s.device, s.snapshot, s.exhibit, s.first_line, stanza.name, feed.table, feed.view,
                 ",".join(feed.columns), incomplete, count, found.usable, reason)
            )  # fmt: skip


_EXHIBIT = (
    "device", "snapshot", "exhibit", "line", "seq", "command", "stanza", "status", "end_proof",
    "exit_status", "lines", "unread", "collected_at",
)  # fmt: skip
_FEED = (
    "device", "snapshot", "exhibit", "line", "stanza", "table_name", "view", "columns",
    "incomplete", "row_count", "usable", "reason",
)  # fmt: skip


_COLUMNS: dict[str, dict[str, str]] = {}  # schema.sql does not change while we run


def tables() -> list[str]:
    """The names of all tables of the schema."""
    return sorted(re.findall(r"^create table (\w+)", data.schema_sql(), re.MULTILINE))


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column name -> type of one table; DataError when there is no such table."""
    if table in _COLUMNS:
        return _COLUMNS[table]
    rows = con.execute(
        "select column_name, data_type from duckdb_columns() where table_name = ? order by column_index", [table]
    ).fetchall()
    if not rows:
        raise DataError(f"no table {table!r} in schema.sql")
    _COLUMNS[table] = dict(rows)
    return _COLUMNS[table]


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert Python rows into a table of the schema, by column name."""
    if not rows:
        return
    columns = columns_of(con, table)
    shape = json.dumps([{c: "VARCHAR" if t in ("TIMESTAMP", "BLOB") else t for c, t in columns.items()}])
    picked = ", ".join(f"unhex({c})" if t == "BLOB" else f"{c}::{t}" for c, t in columns.items())
    con.execute(
        f"insert into {table} select {picked} from "
        f"(select unnest(from_json(?::json, '{shape}'), recursive := true))",
        [json.dumps(rows)],
    )


def _count_sql(feed: Feed) -> str:
    """Two columns of an output: how many rows the feed got, and which of its columns are left open."""
    holes = ", ".join(f"case when count(*) filter (where {cond}) > 0 then '{col}' end" for col, cond in feed.incomplete.items())
    where = f" filter (where {feed.where})" if feed.where else ""
    number = f"count(distinct ({feed.group})){where}" if feed.group else f"count(*){where}"
    return f"{number}, array_to_string([{holes or 'null::varchar'}], ',')"


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


def select_sql(con: duckdb.DuckDBPyConnection, stanza: Stanza, feed: Feed) -> str:
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
    keys = "".join(f", ip({c[:-4]}_ip) as {c}" for c in _keys(feed, columns))
    # the keys from outside: a macro writes its argument out many times
    return f"select *{keys}, '{feed.view}' as view from (select {', '.join(parts)} from raw{where}{group})"


def _keys(feed: Feed, columns: dict[str, str]) -> list[str]:
    return [c for c in columns if c.endswith("_key") and c[:-4] + "_ip" in feed.columns]


def insert_sql(con: duckdb.DuckDBPyConnection, stanza: Stanza, feed: Feed) -> str:
    """The statement that fills one feed's table from `raw`."""
    names = [*FACTS_HEAD, *feed.columns, *_keys(feed, columns_of(con, feed.table)), "view"]
    return f"insert into {feed.table} ({', '.join(names)}) {select_sql(con, stanza, feed)}"
