"""What needs statistics over the traffic of a device: who it relays for, what it carries, whom it calls. Method: docs/relay.md.

`fill` runs over prepared tables and fills the tables of schema.sql's section "computed of traffic"; rules read those like any
other. SQL does the work over all connections; Python drives it and looks at what is left.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_LEGS = Path(__file__).parent / "legs.sql"
# hosts of the site that have addresses of the internet: asked row by row only where there are any
_NETWORKS = """
create or replace temp table own_networks as
select distinct o.device, o.snapshot, o.first_key, o.last_key from own_addresses o join sides s using (device, snapshot, interface)
where s.side in ('lan', 'vpn') and o.prefix_length between 1 and case when contains(o.address_ip, ':') then 127 else 31 end
  and is_external(o.address_key) and (not contains(o.address_ip, ':') or o.prefix_length >= 48)
"""
_IN_OWN = (
    "exists(select 1 from own_networks n where (n.device, n.snapshot) = (c.device, c.snapshot) and c.{} between n.first_key and n.last_key)"
)


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Compute legs, relays and carriers; nothing where no connection was read."""
    from devicehunt.detect import carriers, pairs

    if not con.execute("select 1 from connections where first_at is not null limit 1").fetchall():
        return
    con.execute(_NETWORKS)
    sql = _LEGS.read_text(encoding="utf-8")
    for end in ("orig", "resp"):
        sql = sql.replace(f"{{{end}_inside}}", _inside(con, f"{end}_key"))
    con.execute(sql)
    pairs.fill(con)
    carriers.fill(con)


def _inside(con: duckdb.DuckDBPyConnection, key: str) -> str:
    """The condition that an address is of the site or of nobody's: ranges written out, ten times as fast as a join with them."""
    ranges = con.execute("select hex(first_key), hex(last_key) from inside_ranges order by all").fetchall()
    parts = [f"c.{key} between unhex('{first}') and unhex('{last}')" for first, last in ranges]
    if con.execute("select 1 from own_networks limit 1").fetchall():
        parts.append(_IN_OWN.format(key))
    return f"({' or '.join(parts) or 'false'})"
