"""Entries against the tables: a fixed number of joins, whatever the number of entries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from devicehunt import database
from devicehunt.indicators.values import settings

if TYPE_CHECKING:
    import duckdb

    from devicehunt.indicators.entries import Lists

_HERE = Path(__file__).parent


def fill(con: duckdb.DuckDBPyConnection, lists: Lists | None) -> None:
    """Fill `indicators` with what the evidence holds of the lists, and `indicator_hits` with where; nothing without a list."""
    if lists is None and not con.execute("select 1 from indicators limit 1").fetchall():
        return
    known = settings()
    kinds = [{"kind": k, "confidence": v["confidence"], "half_life_days": v["half_life_days"]} for k, v in known["kinds"].items()]
    database.insert_rows(con, "indicator_kinds", kinds)
    database.insert_rows(con, "indicator_levels", [known["levels"]])
    with con.cursor() as own:  # its temporary tables end with it, and those of others are not seen
        _run(own, "match.sql")
        if lists is not None:
            _take(own, lists)
        own.execute(_KEYS)
        _run(own, "found.sql")


def _run(con: duckdb.DuckDBPyConnection, file: str) -> None:
    for statement in (_HERE / file).read_text(encoding="utf-8").split("\n;\n"):
        if statement.strip():
            con.execute(statement)


_KEYS = """
update indicators set id = rowid + 1 where id is null;
update indicators set first_key = case kind when 'address' then ip(value) else cidr_first(value) end,
  last_key = case kind when 'address' then ip(value) else cidr_last(value) end where first_key is null and kind in ('address', 'network')
"""


def _take(con: duckdb.DuckDBPyConnection, lists: Lists) -> None:
    """Of all entries those whose value was seen: a list may be larger than memory, what it meets is not."""
    parts = str(lists.folder / "*.parquet").replace("'", "''")
    names = [{"number": n, "name": s.name, "sha256": s.sha256} for n, s in enumerate(lists.sources)]
    con.execute("create temp table indicator_sources(number integer, name varchar, sha256 varchar)")
    con.executemany("insert into indicator_sources values (?, ?, ?)", [[*n.values()] for n in names])
    con.execute(_TAKE.replace("$parts", f"read_parquet('{parts}', filename := true)"))


_TAKE = """
insert into indicators by name
with e as (select * from $parts),
seen as (
  select e.* from e semi join indicator_keys k on k.key = e.first_key where e.kind = 'address'
  union all
  -- of each network the next address above its first: is it inside?
  select n.* exclude key from (
    select e.*, k.key from (select * from e where kind = 'network') e asof join indicator_keys k on e.first_key <= k.key) n
  where n.key <= n.last_key
  union all
  select e.* from e semi join indicator_seen s on (s.kind, s.value) = (e.kind, e.value) where e.kind not in ('address', 'network'))
select row_number() over (order by seen.filename, seen.line, seen.object, seen.kind, seen.value, seen.port, seen.first_at) as id,
  seen.kind, seen.value, seen.first_key, seen.last_key, seen.port::integer as port, s.name as source, s.sha256 as source_sha256,
  seen.line as source_line, seen.object, seen.name,
  make_timestamp(seen.first_at) as first_seen, make_timestamp(seen.last_at) as last_seen, make_timestamp(seen.until) as valid_until,
  seen.confidence::integer as confidence
from seen join indicator_sources s on s.number = regexp_extract(seen.filename, '(\\d+)-\\d+\\.parquet$', 1)::integer
"""
