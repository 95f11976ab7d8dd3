"""The database of a case: its schema, its macros, and what a query needs to know of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from devicehunt import data
from devicehunt.errors import DataError

if TYPE_CHECKING:
    import duckdb


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


def connect_beside() -> Callable[[], duckdb.DuckDBPyConnection]:
    """Begin `connect` without views on a thread of its own; the call that is returned waits for it.

    DuckDB needs no interpreter lock for it, so it costs nothing beside YAML and patterns.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(1)
    made = pool.submit(connect, views=False)
    pool.shutdown(wait=False)
    return made.result


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
-- text -> address as 16 bytes, for comparison with *_key columns and in ranges; null for what is no address
create macro ip(t) as unhex(ip_hex(t));
create macro cidr_bits(c) as split_part(c, '/', 2)::integer + case when contains(c, ':') then 0 else 96 end;
create macro nibble(h, bits) as instr('0123456789abcdef', substr(h, (bits // 4)::integer + 1, 1)) - 1;
-- the first and the last address of a network, as 16 bytes
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
create macro span_part(t, unit) as coalesce(try_cast(nullif(regexp_extract(t, '(\\d+)' || unit, 1), '') as bigint), 0);
-- 5w3d20m51s -> seconds; null for anything else
create macro span_s(t) as case when regexp_full_match(t, '(\\d+w)?(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?') and t <> ''
  then span_part(t, 'w') * 604800 + span_part(t, 'd') * 86400 + span_part(t, 'h') * 3600 + span_part(t, 'm') * 60 + span_part(t, 's') end;
create macro v4_number(t) as ('0x' || right(ip_hex(t), 8))::bigint;
-- 255.255.255.0 -> 24; null for a mask with holes
create macro mask_bits(m) as case when contains(m, '.') and v4_number(m) = 4294967296 - (1::bigint << (32 - bit_count(v4_number(m))))
  then bit_count(v4_number(m))::integer end;
-- a wildcard 0.0.0.255 -> 24
create macro wildcard_bits(m) as mask_bits(array_to_string(
  list_transform(string_split(m, '.'), lambda o: (255 - try_cast(o as integer))::varchar), '.'));
-- whether 16 bytes lie in a network written as 192.0.2.0/24; false where one is not known
create macro in_cidr(k, c) as coalesce(k between cidr_first(c) and cidr_last(c), false);
"""

_COLUMNS: dict[str, dict[str, str]] = {}  # schema.sql does not change while we run


def tables() -> list[str]:
    """The names of all tables of the schema."""
    return sorted(re.findall(r"^create table (\w+)", data.schema_sql(), re.MULTILINE))


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column name -> type of one table; DataError when there is no such table."""
    if not _COLUMNS:
        rows = con.execute(
            "select table_name, column_name, data_type from duckdb_columns() where not internal order by table_name, column_index"
        ).fetchall()
        _COLUMNS.update({name: {column: kind for of, column, kind in rows if of == name} for name in tables()})
    if table not in _COLUMNS:
        raise DataError(f"no table {table!r} in schema.sql")
    return _COLUMNS[table]


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert Python rows into a table of the schema, by column name."""
    if not rows:
        return
    columns = columns_of(con, table)
    shape = json.dumps([{c: "VARCHAR" if t in ("TIMESTAMP", "BLOB") else t for c, t in columns.items()}])
    picked = ", ".join(f"unhex({c})" if t == "BLOB" else f"{c}::{t}" for c, t in columns.items())
    con.execute(
        f"insert into {table} select {picked} from (select unnest(from_json(?::json, '{shape}'), recursive := true))",
        [json.dumps(rows)],
    )
