"""Carriers: long connections that hold others inside. Their bytes over time against those of what the node opens.

What comes in on a carrier goes out on a leg a moment later, and what the leg answers goes back on the carrier. For every
leg: is it covered, step by step and both ways? The same legs at shifted times say how often that is chance. Where only an
exporter's records tell bytes over time, the sums of a minute are compared (carriers_coarse.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import database
from devicehunt.detect import carriers_coarse

if TYPE_CHECKING:
    import duckdb

HERE = Path(__file__).parent
FINE_US = 15_000_000
STEP_US = 100_000
VARIANTS = ((0, 1), (2, 1), (10, 1), (30, 1), (0, 10), (2, 10))
"""How many steps later bytes may leave again, and how much smaller the carrier's may be: some compress."""
COVERED = 0.85
"""Share of a leg's bytes, of each direction, that the carrier has at the same time."""
APART = 40  # steps that a control is shifted at least
CONTROLS = 64
LIKELY = 0.4
"""A leg that fits at so many shifted times says nothing."""
FEW = 3
SCORE = 3.0
"""What is told at all; the rule takes 4 for sure, which one long connection in 10,000 reaches by chance."""
CANDIDATES, CARRIABLE = 300, 2000
WORK = 400_000_000
"""Steps that are looked at in all: what is beyond is not looked at, largest units first."""
Where = tuple[str, str, str]
Array = Any


@dataclass(slots=True)
class Leg:
    """What may be carried: steps, and bytes to the far end and from it."""

    row: dict[str, Any]
    steps: Array
    sent: Array
    got: Array


@dataclass(slots=True)
class Found:
    """How one unit fits the legs of its node, in its best variant."""

    unit: dict[str, Any]
    tested: int = 0
    matched: int = 0
    expected: float = 0.0
    score: float = 0.0
    z: float = 0.0
    lag: int = 0
    squeeze: int = 1
    step_us: int = STEP_US
    carried: list[tuple[Leg, float]] = field(default_factory=list)


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Fill carriers and carried from legs and the bytes over time."""
    con.execute((HERE / "carriers.sql").read_text(encoding="utf-8").replace("{fine_us}", str(FINE_US)))
    found = _fine(con)
    for unit, z, tested, legs in carriers_coarse.find(con):
        none: Array = ()
        carried = [(Leg(row, none, none, none), 0.0) for row in legs]
        found.append(Found(unit, tested, tested, score=z / 2, z=z, carried=carried, step_us=60_000_000))
    best: dict[int, Found] = {}
    for one in found:
        enough = one.score >= SCORE and (one.matched >= FEW or one.step_us > STEP_US)
        if enough and (one.unit["leg"] not in best or one.score > best[one.unit["leg"]].score):
            best[one.unit["leg"]] = one
    _save(con, list(best.values()))


def rows(con: duckdb.DuckDBPyConnection, query: str, given: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query, by the names of its columns."""
    done = con.execute(query, given or [])
    names = [column[0] for column in done.description or ()]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _fine(con: duckdb.DuckDBPyConnection) -> list[Found]:
    """Judge units by tenths of a second."""
    import numpy as np

    found: list[Found] = []
    budget = WORK
    unlooked: list[dict[str, Any]] = []
    for place in con.execute("select distinct device, snapshot, feed from fine_candidates order by all").fetchall():
        here = "where (device, snapshot, feed) = (?, ?, ?)"
        largest = f"order by least(from_peer, to_peer) desc, leg limit {CANDIDATES}"
        units = rows(con, f"select * from fine_candidates {here} {largest}", list(place))
        skipped = con.execute(f"select count(*) from fine_candidates {here}", list(place)).fetchall()[0][0] - len(units)
        cut = 0
        data: dict[int, Array] = {}
        got = con.execute(f"select id, step, from_peer, to_peer from stepped {here} order by id, step", list(place)).fetchnumpy()
        if not len(got["id"]):
            continue
        table = np.stack([np.asarray(got[name], dtype=np.int64) for name in ("id", "step", "from_peer", "to_peer")])
        ids, starts = np.unique(table[0], return_index=True)
        for leg, part in zip(ids.tolist(), np.split(table[1:], starts[1:], axis=1), strict=True):
            data[leg] = part
        legs = [
            Leg(row, part[0], part[2], part[1])
            for row in rows(con, f"select * from carriable {here} order by t0, id", list(place))
            for part in [data.get(row["id"])]
            if part is not None
        ]
        for unit in units:
            mine = _of(unit, legs)
            cut += len(mine) > CARRIABLE
            mine = mine[:CARRIABLE]
            cost = sum(len(leg.steps) for leg in mine) * CONTROLS * len(VARIANTS)
            skipped += cost > budget
            if len(mine) < FEW or cost > budget:
                continue
            budget -= cost
            found.append(judge(unit, [data[i] for i in unit["ids"] if i in data], mine))
        said = [f"{skipped} long connections were not held against the others: too many"] if skipped else []
        said += [f"{cut} long connections were held against the {CARRIABLE} largest of the others only"] if cut else []
        unlooked += [dict(zip(("device", "snapshot", "feed"), place, strict=True), what=what) for what in said]
    database.insert_rows(con, "unlooked", unlooked)
    return found


def _of(unit: dict[str, Any], legs: list[Leg]) -> list[Leg]:
    """Of all legs those that a unit may carry: its node's, begun while it was there, to somebody else; the largest first."""
    ids = set(unit["ids"])
    mine = [
        leg
        for leg in legs
        if leg.row["id"] not in ids
        and leg.row["peer_ip"] != unit["peer_ip"]
        and (leg.row["node"] == unit["node"] or leg.row["origin"] == "unknown")
        and unit["t0"] - 1_000_000 <= leg.row["t0"] <= unit["t1"]
        and leg.row["fwd"] + leg.row["rev"] <= VARIANTS[-1][1] * (unit["from_peer"] + unit["to_peer"])
    ]
    return sorted(mine, key=lambda leg: -leg.row["fwd"] - leg.row["rev"])


def judge(unit: dict[str, Any], parts: list[Array], legs: list[Leg]) -> Found:
    """Cover the legs by the unit at the true time and at shifted ones, in each variant; the best one."""
    import numpy as np

    base = unit["t0"] // STEP_US - 2
    size = int(unit["t1"] // STEP_US - base) + 20
    came, went = np.zeros(size), np.zeros(size)
    for part in parts:
        at = part[0] - base
        inside = (at >= 0) & (at < size)
        np.add.at(came, at[inside], part[1][inside])
        np.add.at(went, at[inside], part[2][inside])
    best = Found(unit, len(legs))
    room = size - 2 * APART
    if room < APART:
        return best
    shifts = np.unique(np.r_[0, np.linspace(APART, size - APART, min(CONTROLS, room)).astype(np.int64)])
    # names are asked for before every connection: what is smaller than it says nothing there
    variants = [(lag, squeeze) for lag, squeeze in VARIANTS if squeeze == 1 or not unit["channel"]]
    for lag, squeeze in variants:
        covers = squeeze * cover(came, lag), squeeze * cover(went[::-1], lag)[::-1]
        fits = np.array([_fits(leg, covers, base, shifts, size) for leg in legs])
        one = _scored(unit, legs, fits, len(variants))
        if one.score > best.score:
            one.lag, one.squeeze = lag, squeeze
            one.carried = _claimed(one.carried, came * squeeze, went * squeeze, base, lag)
            best = one
    return best


def cover(series: Array, lag: int) -> Array:
    """Bytes of this step, of the next one (clocks of two captures) and of `lag` steps before, which may leave in it."""
    import numpy as np

    total, n = np.r_[0.0, np.cumsum(series)], len(series)
    at = np.arange(n)
    return total[np.minimum(at + 2, n)] - total[np.maximum(at - lag, 0)]


def _fits(leg: Leg, covers: tuple[Array, Array], base: int, shifts: Array, size: int) -> Array:
    """Whether the leg is covered both ways, at each shift."""
    import numpy as np

    at = (leg.steps - base + shifts[:, None]) % size
    ok = np.ones(len(shifts), dtype=bool)
    for mine, theirs in ((leg.sent, covers[0]), (leg.got, covers[1])):
        total = mine.sum()
        if total:
            ok &= np.minimum(mine, theirs[at]).sum(axis=1) >= COVERED * total
    return ok


def _scored(unit: dict[str, Any], legs: list[Leg], fits: Array, tried: int) -> Found:
    """Score: -log10 of Chernoff's bound for legs that fit by chance as often as at shifted times, each weighed by how rare
    that is; less where shifted legs fit together more often than alone."""
    import numpy as np

    true, controls = fits[:, 0], fits[:, 1:]
    # one leg that never fits elsewhere could still have: half a control
    chance = (controls.sum(axis=1) + 0.5) / (controls.shape[1] + 1)
    weights = np.where(chance < LIKELY, -np.log(chance), 0.0)
    seen = float((weights * true).sum())
    theta = np.linspace(0.0, 1.5, 31)[1:]
    bound = theta * seen - np.log(1 - chance + chance * np.exp(theta[:, None] * weights)).sum(axis=1)
    alone = float((weights**2 * chance * (1 - chance)).sum())
    sums = (weights[:, None] * controls).sum(axis=0)
    together = max(1.0, float(sums.var()) / alone) if alone > 0 else 1.0
    telling = true & (weights > 0)
    score = max(float(bound.max()), 0.0) / together / math.log(10) - math.log10(tried)
    spread = math.sqrt(max(float(sums.var()), alone, 0.3))
    return Found(
        unit, len(legs), int(telling.sum()), float(chance[weights > 0].sum()), score, (seen - float(sums.mean())) / spread,
        carried=[(legs[i], float(chance[i])) for i in np.flatnonzero(true).tolist()],
    )  # fmt: skip


def _claimed(fitting: list[tuple[Leg, float]], came: Array, went: Array, base: int, lag: int) -> list[tuple[Leg, float]]:
    """Of the legs that fit those that fit beside each other: each takes its bytes out of the carrier, the most telling first."""
    claimed = []
    for leg, chance in sorted(fitting, key=lambda f: (f[1], -f[0].row["fwd"] - f[0].row["rev"], f[0].row["id"])):
        took = [_take(leg, leg.sent, came, base, range(1, -lag - 1, -1)), _take(leg, leg.got, went, base, range(-1, lag + 1))]
        if min(took) >= COVERED - 0.15:
            claimed.append((leg, chance))
    return claimed


def _take(leg: Leg, wanted: Array, series: Array, base: int, around: range) -> float:
    """Take bytes out of a series near the steps of a leg; which share was there."""
    import numpy as np

    total = float(wanted.sum())
    if not total:
        return 1.0
    left = wanted.astype(float)
    near = sorted(around, key=abs)
    for by in near:
        at = leg.steps - base + by
        inside = (at >= 0) & (at < len(series)) & (left > 0)
        got = np.minimum(left[inside], series[at[inside]])
        left[inside] -= got
        series[at[inside]] -= got
    return 1.0 - float(left.sum()) / total


def _save(con: duckdb.DuckDBPyConnection, found: list[Found]) -> None:
    carriers, carried = [], []
    kept = [n for n in database.columns_of(con, "carried") if n not in ("carrier", "leg", "chance")]
    order = sorted(found, key=lambda f: (f.unit["device"], f.unit["snapshot"], f.unit["feed"], -f.score, f.unit["leg"]))
    for number, one in enumerate(order, 1):
        unit = one.unit
        carriers.append({
            "carrier": number, **{n: unit[n] for n in ("device", "snapshot", "feed", "node", "leg", "legs", "channel")},
            "step_ms": one.step_us // 1000, "tested": one.tested, "matched": one.matched, "expected": round(one.expected, 3),
            "score": round(one.score, 2), "z": round(one.z, 2), "lag_ms": one.lag * STEP_US // 1000,
        })  # fmt: skip
        carried += [
            {"carrier": number, "leg": leg.row["id"], **{n: leg.row[n] for n in kept}, "chance": round(chance, 4)}
            for leg, chance in one.carried
        ]
    database.insert_rows(con, "carriers", carriers)
    database.insert_rows(con, "carried", carried)
    con.execute(
        "update carriers c set exhibit = l.exhibit, line = l.line, connection = l.connection, "
        "channel = coalesce(c.channel, l.app, l.proto) from legs l where l.id = c.leg"
    )
