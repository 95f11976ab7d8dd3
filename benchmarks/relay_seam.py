"""The one place where the benchmark touches the detector: how it is called and what its tables are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

TOLD = """create or replace temp table told_pairs as
select p.device, a.exhibit as in_exhibit, a.connection as in_connection, b.exhibit as out_exhibit, b.connection as out_connection,
  k.score
from relay_pairs p join relay_keys k using (device, snapshot, feed, node, kind, name)
  join legs a on a.id = p.session join legs b on b.id = p.onward"""
KEYS = """select distinct k.device, any_value(a.proto), case when kind = 'port' then any_value(a.near_port) end,
  case when kind = 'peer' then any_value(a.peer_ip) end, any_value(k.score)
from relay_keys k join relay_pairs p using (device, snapshot, feed, node, kind, name) join legs a on a.id = p.session
group by device, snapshot, feed, node, kind, name"""
READ = {
    "carriers": ("carriers", "exhibit, connection, score"),
    "chains": ("chains c join legs a on a.id = c.session join legs b on b.id = c.onward", "a.exhibit, a.connection, b.exhibit, b.connection"),
    "beacons": ("beacons", "device, peer_ip, score"),
}


def detect(con: duckdb.DuckDBPyConnection) -> bool:
    """Run the detector."""
    from devicehunt import detect as detector

    detector.fill(con)
    return True


def read_found(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """What the detector's tables hold; a table that is not there is not judged."""
    have = {name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()}
    con.execute(TOLD)
    found: dict[str, Any] = {"pairs": "told_pairs", "keys": con.execute(KEYS).fetchall()}
    for what, (name, columns) in READ.items():
        found[what] = con.execute(f"select {columns} from {name}").fetchall() if name.split()[0] in have else None
    return found
