"""What could be seen, and what the device itself says of what the wire shows: tables sights and relay_hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from devicehunt.detect.pairs import APART_US

if TYPE_CHECKING:
    import duckdb

SHORT_US = 3 * APART_US
"""A span up to this has no controls (pairs.offsets)."""


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Fill sights and relay_hosts from the tables of the traffic, of the relays and of the device."""
    sql = Path(__file__).with_name("fusion.sql").read_text(encoding="utf-8")
    con.execute(sql.replace("{short_us}", str(SHORT_US)))
