"""Beacons: the device calls one peer again and again, at a rhythm of its own.

Four parts, each from 0 to 1: timing (waits of one length, as often longer as shorter), size (what is sent is the same), spread
(calls lie evenly between the first and the last), lasting (they go on for the time that was watched). Their mean is a ranking,
no proof: honest software keeps a rhythm too. `regular` is the control: how rarely as many calls at random times would
lie so evenly (Moran's test of the waits against a memoryless process, as -log10 of its tail).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import database

if TYPE_CHECKING:
    import duckdb

HERE = Path(__file__).parent
FEW = 6
APART_US = 1_000_000
PARTS = 4
"""Parts of the time, each with a call, from which on a rhythm lasts, also when it began late in the capture."""
SCORE = 0.8
REGULAR = 3.0
FEW_DEVICES = 3
"""A peer of so many devices at most is rare; in a larger fleet also one of a hundredth of it."""

_ASKED = """select device, snapshot, feed, node, proto, peer_ip, peer_port, calls, first_leg, since, until, w, w_mad, w_mean, w_ln,
  s, s_mad, rev, bins, filled, varies, span, sure, devices, fleet from rhythms order by all"""


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Fill beacons from legs."""
    con.execute((HERE / "beacons.sql").read_text(encoding="utf-8").replace("{few}", str(FEW)).replace("{apart_us}", str(APART_US)))
    cursor = con.execute(_ASKED)
    names = [str(d[0]) for d in cursor.description or ()]
    scored = (_scored(dict(zip(names, row, strict=True))) for row in cursor.fetchall())
    database.insert_rows(con, "beacons", [b for b in scored if b["score"] >= SCORE and b["regular"] >= REGULAR])


def _scored(r: dict[str, Any]) -> dict[str, Any]:
    """A row of `rhythms` as one of `beacons`."""
    low, usual, high = r["w"]
    skew, deviation = _skew(low, usual, high), r["w_mad"] / usual
    sizes = (2 - _skew(*r["s"]) - min(1.0, r["s_mad"] / max(1.0, r["s"][1]))) / 2
    parts = {
        "timing": (1 - skew + max(0.0, 1 - deviation)) / 2,
        "size": sizes,
        "spread": max(0.0, 1 - r["varies"]),
        "lasting": max(min(1.0, (r["until"] - r["since"] + usual) / r["span"]), r["filled"] / r["bins"] if r["bins"] >= PARTS else 0.0),
    }
    place = {
        k: r[k] for k in ("device", "snapshot", "feed", "node", "proto", "peer_ip", "peer_port", "calls", "first_leg", "devices", "fleet")
    }
    return place | {k: round(v, 3) for k, v in parts.items()} | {
        "since": r["since"], "until": r["until"], "wait_s": round(usual / 1e6, 3), "deviation_s": round(r["w_mad"] / 1e6, 3),
        "size_bytes": int(r["s"][1]), "score": round(sum(parts.values()) / len(parts), 3), "origin": "self" if r["sure"] else "unknown",
        "rare": r["devices"] <= max(FEW_DEVICES, r["fleet"] // 100),
        "regular": round(regularity(r["calls"] - 1, r["w_mean"], r["w_ln"]), 2), "explained": _why(r, parts),
    }  # fmt: skip


def _skew(low: float, middle: float, high: float) -> float:
    """Bowley's: 0 where the quarters are as far from the middle on both sides, or so near to it that the side says nothing."""
    return abs(low + high - 2 * middle) / max(high - low, 0.25 * middle, 1.0)


def _why(r: dict[str, Any], parts: dict[str, float]) -> str:
    """Each part in words."""
    usual, away, sent = r["w"][1] / 1e6, r["w_mad"] / 1e6, r["s"][1]
    return (
        f"timing {parts['timing']:.2f}: half of the waits are within {away:.3g} s of {usual:.4g} s; "
        f"size {parts['size']:.2f}: it mostly sends {sent:.0f} bytes, half of the calls within {r['s_mad']:.0f}; "
        f"spread {parts['spread']:.2f}: calls in {r['filled']} of {r['bins']} parts of the time, varying by {r['varies']:.0%}; "
        f"lasting {parts['lasting']:.2f}: over {(r['until'] - r['since']) / 1e6:.0f} of {r['span'] / 1e6:.0f} s"
    )


def regularity(waits: int, mean: float, mean_log: float) -> float:
    """-log10 of the chance that so many waits of a memoryless process are as even (Moran 1951, with Bartlett's correction)."""
    if waits < 2 or mean <= 0:
        return 0.0
    statistic = 2 * waits * (math.log(mean) - mean_log) / (1 + (waits + 1) / (6 * waits))
    return -log10_lower_gamma((waits - 1) / 2, max(statistic, 1e-9) / 2)


def log10_lower_gamma(a: float, x: float) -> float:
    """log10 of the regularized lower incomplete gamma function: the lower tail of a chi-squared variable of 2a at 2x."""
    if x > a + 1:
        return 0.0  # above the mean: nothing unusual
    term = total = 1.0 / a
    for n in range(1, 2000):
        term *= x / (a + n)
        total += term
        if term < total * 1e-12:
            break
    return (a * math.log(x) - x - math.lgamma(a) + math.log(total)) / math.log(10)
