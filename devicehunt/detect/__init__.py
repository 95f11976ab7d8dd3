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


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Compute legs, relays and carriers; nothing where no connection was read."""
    from devicehunt.detect import beacons, carriers, chains, fusion, newcomers, pairs

    if not con.execute("select 1 from connections where first_at is not null limit 1").fetchall():
        return
    sql = _LEGS.read_text(encoding="utf-8")
    for end in ("orig", "resp"):
        sql = sql.replace(f"{{{end}_inside}}", _inside(con, f"{end}_key"))
    con.execute(sql)
    pairs.fill(con)
    beacons.fill(con)
    chains.fill(con)
    newcomers.fill(con)
    fusion.fill(con)
    carriers.fill(con)


def _inside(con: duckdb.DuckDBPyConnection, key: str) -> str:
    """The condition that an address is of the site or of nobody's: ranges written out, ten times as fast as a join with them."""
    ranges = con.execute("select hex(first_key), hex(last_key) from inside_ranges order by all").fetchall()
    parts = [f"c.{key} between unhex('{first}') and unhex('{last}')" for first, last in ranges]
    return f"({' or '.join(parts) or 'false'})"
