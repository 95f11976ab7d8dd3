"""Carriers by the minute: the bytes of a long connection, from an exporter's records, against the sum of what its node opens.

z: how far the correlation of the logarithms of bytes, both ways, stands above that at all other circular shifts, in their
standard deviations.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

Array = Any
HERE = Path(__file__).parent
LEAST_US = 600_000_000
LIMIT = 20_000
MINUTES = 20
APART = 3  # minutes around the true time that are no control
Z, Z_PAIR = 6.0, 8.0
PAIRED = 24  # units of a node that are held against each other
CARRIED = 200


def find(con: duckdb.DuckDBPyConnection) -> list[tuple[dict[str, Any], float, int, list[dict[str, Any]]]]:
    """Units with their z, how many legs their node opened meanwhile, and those that fit into the unit's bytes."""
    if not con.execute("select 1 from flows limit 1").fetchall():
        return []
    text = (HERE / "carriers_coarse.sql").read_text(encoding="utf-8")
    con.execute(text.replace("{coarse_us}", str(LEAST_US)).replace("{limit}", str(LIMIT)))
    series = _grouped(con.execute("select leg, minute, came, went from told_records order by leg, minute").fetchall(), 1)
    nodes = _grouped(con.execute("select device, snapshot, feed, node, minute, sent, got from node_minutes order by all").fetchall(), 4)
    found = []
    done = con.execute("select * from coarse_candidates order by leg")
    names = [column[0] for column in done.description or ()]
    units = [dict(zip(names, row, strict=True)) for row in done.fetchall()]
    for unit in units:
        mine, others = series.get((unit["leg"],)), nodes.get((unit["device"], unit["snapshot"], unit["feed"], unit["node"]))
        if mine is None or others is None:
            continue
        z = apart(mine, others, unit["t0"] // 60_000_000, unit["t1"] // 60_000_000)
        if z >= Z:
            legs = _legs(con, unit)
            found.append((unit, z, len(legs), legs))
    return found + _through(con, units, series)


def _through(
    con: duckdb.DuckDBPyConnection, units: list[dict[str, Any]], series: dict[tuple[Any, ...], Array]
) -> list[tuple[dict[str, Any], float, int, list[dict[str, Any]]]]:
    """Two long units of a node that are one another's: in by the one and out by the other, with no exit here."""
    by_node: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for unit in units:
        if (unit["leg"],) in series:
            by_node[unit["device"], unit["snapshot"], unit["feed"], unit["node"]].append(unit)
    found = []
    for of in by_node.values():
        largest = sorted(of, key=lambda u: -min(u["from_peer"], u["to_peer"]))[:PAIRED]
        for number, a in enumerate(largest):
            for b in largest[number + 1 :]:
                z = _pair(a, b, series)
                if z >= Z_PAIR:
                    found += [(one, z, 1, _rows(con, other["leg"])) for one, other in ((a, b), (b, a))]
    return found


def _pair(a: dict[str, Any], b: dict[str, Any], series: dict[tuple[Any, ...], Array]) -> float:
    """z of two units, where they last together most of their time and hold much the same bytes, the other way round."""
    first, last = max(a["t0"], b["t0"]), min(a["t1"], b["t1"])
    together = last - first >= 0.8 * max(a["t1"] - a["t0"], b["t1"] - b["t0"])
    alike = all(0.5 <= a[x] / b[y] <= 2.0 for x, y in (("from_peer", "to_peer"), ("to_peer", "from_peer")))
    if not together or not alike or a["peer_ip"] == b["peer_ip"]:
        return 0.0
    return apart(series[a["leg"],], series[b["leg"],][[0, 2, 1]], first // 60_000_000, last // 60_000_000)


def _rows(con: duckdb.DuckDBPyConnection, leg: int) -> list[dict[str, Any]]:
    done = con.execute("select * from legs where id = ?", [leg])
    names = [column[0] for column in done.description or ()]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _grouped(rows: list[tuple[Any, ...]], width: int) -> dict[tuple[Any, ...], Array]:
    import numpy as np

    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        groups[row[:width]].append(row[width:])
    return {key: np.array(of, dtype=float).T for key, of in groups.items()}


def apart(mine: Array, others: Array, first: int, last: int) -> float:
    """z of a unit (minutes, bytes that came and went) against its node (minutes, bytes sent and got)."""
    import numpy as np

    size = last - first + 1
    if size < MINUTES:
        return 0.0
    total = np.zeros(size)
    for here, there in ((mine[1], others[1]), (mine[2], others[2])):
        pair = []
        for minutes, values in ((mine[0], here), (others[0], there)):
            whole, at = np.zeros(size), minutes.astype(int) - first
            inside = (at >= 0) & (at < size)
            np.add.at(whole, at[inside], values[inside])
            logs = np.log1p(whole)
            spread = logs.std()
            if spread < 1e-9:
                return 0.0
            pair.append((logs - logs.mean()) / spread)
        total += np.fft.irfft(np.fft.rfft(pair[0]) * np.conj(np.fft.rfft(pair[1])), size) / size
    controls = total[APART + 1 : size - APART]
    spread = float(controls.std())
    return (float(max(total[0], total[-1], total[1 % size])) - float(controls.mean())) / spread if spread > 0 else 0.0


def _legs(con: duckdb.DuckDBPyConnection, unit: dict[str, Any]) -> list[dict[str, Any]]:
    """What the unit may have carried, by the minute: its bytes cover the leg's, both ways."""
    done = con.execute(
        "select c.* from carriable c where (c.device, c.snapshot, c.feed) = ($1, $2, $3) and (c.node = $4 or c.origin = 'unknown') "
        f"and c.t0 >= $5 and c.t1 <= $6 + 60000000 and c.t1 - c.t0 < {LEAST_US} and c.peer_ip <> $7 and exists(select 1 from ("
        "select sum(came) as came, sum(went) as went from told_records r where r.leg = $8 "
        "and r.minute between c.t0 // 60000000 and c.t1 // 60000000 + 1) where came >= c.fwd and went >= c.rev) "
        f"order by c.t0, c.id limit {CARRIED}",
        [unit[n] for n in ("device", "snapshot", "feed", "node", "t0", "t1", "peer_ip", "leg")],
    )
    names = [column[0] for column in done.description or ()]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]
