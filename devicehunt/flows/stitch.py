"""Flow records -> connections, as SQL (stitch.sql), out of core.

Pieces that an active timeout cut are joined, both directions are paired, and the side that opened is found by TCP flags, by
ports, or by who was seen first. Counts stay raw; the sampling is carried beside them. Each exporter gives connections of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

IDLE_S = 300
"""A silence of this many seconds ends a connection. Inactive timeouts of exporters are shorter, pieces of one connection closer."""

_LETTERS = "FSRPAUEC"


def stitch(
    con: duckdb.DuckDBPyConnection,
    parquet: str | Path | None = None,
    *,
    where: tuple[str, str, str] | None = None,
    idle_s: int | None = IDLE_S,
    temp: Path | None = None,
    memory: str | None = None,
) -> int:
    """Insert the connections of the table `flows` (or of Parquet files of its shape) and return how many.

    `where`: only of this device, snapshot and exhibit.
    `idle_s` None: records of one five-tuple are one connection whatever lies between. `temp`: where DuckDB puts what does
    not fit into `memory` (as "200MB").
    """
    if temp is not None:
        con.execute(f"set temp_directory = {_quoted(str(temp))}")
    if memory is not None:
        con.execute(f"set memory_limit = {_quoted(memory)}")
    letters = " || ".join(f"case when f & {1 << bit} > 0 then '{letter}' else '' end" for bit, letter in enumerate(_LETTERS))
    con.execute(f"create or replace temp macro flag_letters(f) as nullif({letters}, '')")
    chosen = "" if where is None else f"(select * from flows where (device, snapshot, exhibit) = ({', '.join(map(_quoted, where))}))"
    source = chosen or "flows" if parquet is None else f"read_parquet({_quoted(str(parquet))})"
    query = Path(__file__).with_name("stitch.sql").read_text(encoding="utf-8").replace("{flows}", source)
    made = con.execute(query, {"idle_us": -1 if idle_s is None else idle_s * 1_000_000}).fetchall()
    return int(made[0][0])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
