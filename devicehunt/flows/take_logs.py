"""Flow records that a collector wrote, and logs of other tools, of a case -> the tables of traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt.flows import apps, loglines, logs, nfcapd
from devicehunt.flows.export_rows import Batch
from devicehunt.flows.records import Damage
from devicehunt.flows.stitch import stitch
from devicehunt.flows.taken import Place, Taken, told, write_said
from devicehunt.model import Status

if TYPE_CHECKING:
    import duckdb


def records(con: duckdb.DuckDBPyConnection, place: Place, path: Path) -> Taken:
    """Read a file of nfcapd into flows and connections, through nfdump; where that is not installed, it is a gap."""
    batches: list[Batch] = []
    damage: list[Damage] = []
    try:
        for part in nfcapd.read(path):
            if isinstance(part, Batch):
                batches.append(part)
            else:
                damage.append(part)
    except OSError as error:
        damage.append(Damage(f"the file cannot be read: {error.strerror or error}"))
    taken = Taken(packets=sum(b.count for b in batches), unread=sum(d.packets or 0 for d in damage))
    taken.gaps = told(damage)
    if taken.gaps:
        taken.status = Status.CUT if batches else Status.NOT_READ
        taken.reason = taken.gaps[0][2]
    write_flows(con, place, batches, taken)
    return taken


def log(con: duckdb.DuckDBPyConnection, place: Place, path: Path, kind: str, folder: logs.Folder, *, ends: bool) -> Taken:
    """Read a log of another tool. `folder`: what the logs beside it said; `ends`: no other log tells the connections."""
    account = loglines.Account()
    taken = Taken(proof="marker")
    damage: list[Damage] = []
    try:
        with path.open("rb") as stream:
            for part in logs.read(kind, stream, account, folder=folder, ends=ends):
                if isinstance(part, Damage):
                    damage.append(part)
                else:
                    _write_log(con, place, *part)
                    for row in part[1]:
                        taken.views.setdefault((part[0], row["view"]), 0)
                        taken.views[part[0], row["view"]] += 1
    except OSError as error:
        damage.append(Damage(f"the log cannot be read: {error.strerror or error}"))
    taken.packets, taken.unread = account.lines, account.unread
    taken.gaps = told(damage, "lines")
    if taken.gaps:
        taken.status, taken.reason = Status.CUT, taken.gaps[0][2]
    elif not account.lines:
        taken.status, taken.reason = Status.EMPTY, "the log is empty"
    if not account.ended:
        taken.proof = "none"
    return taken


_NUMBERS = {"tcp": 6, "udp": 17}


def _write_log(con: duckdb.DuckDBPyConnection, place: Place, table: str, rows: list[dict[str, Any]]) -> None:
    if table == "connections":
        rows = [{**row, "usual_port": _usual(row)} for row in rows]
    write_said(con, place, table, rows)


def _usual(row: dict[str, Any]) -> bool | None:
    number = _NUMBERS.get(row.get("proto") or "")
    return apps.usual(row["app"], number, row["resp_port"]) if number and row.get("app") and row.get("resp_port") else None


def write_flows(con: duckdb.DuckDBPyConnection, place: Place, batches: list[Batch], taken: Taken) -> None:
    """Rows of flows, and the connections that they make."""
    for batch in batches:
        batch.insert(con, *place)
        taken.views["flows", batch.view] = taken.views.get(("flows", batch.view), 0) + batch.count
    taken.views["connections", "exporter"] = stitch(con, where=place)
