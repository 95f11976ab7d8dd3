"""What is common and new: several devices of a fleet begin to call one thing that the others never call.

Of each device: n calls at random times would all lie after the moment T with the chance (share of the time after T) to the power n.
That chance is even between 0 and 1 where nothing began; so the sum of its logarithms over k devices has a known tail (Fisher's method).
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import database

if TYPE_CHECKING:
    import duckdb

HERE = Path(__file__).parent
FEW, SCORE, SHARE = 3, 5.0, 0.5
"""So many devices at least; -log10 of the chance after all things tried; more than this share of the fleet is everybody's."""

_ASKED = """select kind, name, feed, device, snapshot, calls, since, first_leg, watched, span,
  (select count(distinct device) from watches r where r.feed = begun.feed) as fleet from begun order by all"""


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Fill newcomers from legs."""
    con.execute((HERE / "newcomers.sql").read_text(encoding="utf-8"))
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    cursor = con.execute(_ASKED)
    names = [str(d[0]) for d in cursor.description or ()]
    for row in cursor.fetchall():
        one = dict(zip(names, row, strict=True))
        groups[one["kind"], one["name"], one["feed"]].append(one)
    found: list[dict[str, Any]] = []
    for mine in groups.values():
        score = surprise([lateness(one) for one in mine]) - math.log10(len(groups))
        devices = len({one["device"] for one in mine})
        if devices >= FEW and score >= SCORE and devices <= SHARE * mine[0]["fleet"]:
            told = ("device", "snapshot", "feed", "kind", "name", "first_leg", "since", "calls", "fleet")
            found += [{k: one[k] for k in told} | {"devices": devices, "score": round(score, 2)} for one in mine]
    database.insert_rows(con, "newcomers", found)


def lateness(one: dict[str, Any]) -> float:
    """-ln of the chance that calls at random times all lie as late."""
    after = (one["watched"] + one["span"] - one["since"]) / one["span"]
    return -float(one["calls"]) * math.log(min(1.0, max(after, 1e-9)))


def surprise(late: list[float]) -> float:
    """-log10 of the chance that the sum over as many devices is as large: the upper tail of a gamma variable."""
    total = sum(late)
    if total <= 0:
        return 0.0
    logs = [i * math.log(total) - math.lgamma(i + 1) for i in range(len(late))]
    top = max(logs)
    return max(0.0, -(top + math.log(sum(math.exp(x - top) for x in logs)) - total) / math.log(10))
