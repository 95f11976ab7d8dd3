"""Long chains, by matching intervals, and heartbeats of peer-to-peer control: both are SQL over `legs` alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

HERE = Path(__file__).parent


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Fill chains and heartbeats, after beacons: `watches` is there."""
    for name in ("chains", "heartbeats"):
        con.execute((HERE / f"{name}.sql").read_text(encoding="utf-8"))
