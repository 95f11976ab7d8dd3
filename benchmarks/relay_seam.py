"""The one place where the benchmark touches the detector: how it is called and what its tables are called.

Expected of the detector, all optional: `devicehunt.detect.run(con)` on a connection that holds the tables and views of
devicehunt/schema.sql, and which fills
  relay_pairs(device, in_exhibit, in_connection, out_exhibit, out_connection, score, ...)
  relay_keys(device, proto, local_port, peer_ip, score, ...)       one of local_port and peer_ip is null
  carriers(device, exhibit, connection, score, ...), chains(in_exhibit, in_connection, out_exhibit, out_connection, score, ...)
  beacons(device, peer_ip, peer_port, score, ...)
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

READ = {
    "keys": ("relay_keys", "device, proto, local_port, peer_ip, score"),
    "carriers": ("carriers", "exhibit, connection, score"),
    "chains": ("chains", "in_exhibit, in_connection, out_exhibit, out_connection, score"),
    "beacons": ("beacons", "device, peer_ip, score"),
}


def detect(con: duckdb.DuckDBPyConnection) -> bool:
    """Run the detector; False where there is none."""
    if importlib.util.find_spec("devicehunt.detect") is None:
        return False
    module = importlib.import_module("devicehunt.detect")
    if not hasattr(module, "run"):
        return False
    module.run(con)
    return True


def read_found(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """What the detector's tables hold; a table that is not there is not judged."""
    have = {name for (name,) in con.execute("select table_name from duckdb_tables() union select view_name from duckdb_views()").fetchall()}
    found: dict[str, Any] = {"pairs": "relay_pairs" if "relay_pairs" in have else None}
    for what, (name, columns) in READ.items():
        found[what] = con.execute(f"select {columns} from {name}").fetchall() if name in have else None
    return found
