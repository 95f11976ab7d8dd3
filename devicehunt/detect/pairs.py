"""One-to-one relays: sessions that come in and go out again, key by key, against the same times shifted.

A key is a port of the device (or of a host behind it) at which sessions come in, or a peer outside that sessions come from
over connections that the device opened. Score: -log10 of the Poisson tail at the number of sessions with a partner, with the
mean over shifted times, minus log10 of the number of variants (Chernoff's bound of the tail: never above the true score).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from devicehunt import database

if TYPE_CHECKING:
    import duckdb

Where = tuple[str, str, str, str, str, str]
HERE = Path(__file__).parent
LAG_US = 6_000_000
VARIANTS = (
    ("tight", 500_000), ("tight", 2_000_000), ("tight", LAG_US), ("loose", 500_000), ("loose", 2_000_000), ("loose", LAG_US),
    ("ends", 500_000), ("ends", 2_000_000), ("steady", 2_000_000), ("steady", LAG_US),
)  # fmt: skip
"""How two legs fit, and the longest lag. Sizes within an eighth; within seven tenths; within 4 kB or seven tenths, and both end
within a quarter of a second; within 2 kB, and by much the same in all sessions."""
LARGER = ("in", "out")
"""Which leg is the larger one, by what the relay's own protocol adds to it."""
TRIED = len(VARIANTS) * len(LARGER)
MANY_LEGS = 1_000_000
SHIFTS_FEW, SHIFTS_MANY = 32, 8
APART_US = 8_000_000
"""Shifts keep this distance from the true times: more than the longest lag."""
LONG_US = 7_200_000_000
STEP_US = 97_000_000
SCORE = 5.0
"""A key with this score is a relay: one key in 100,000 reaches it by chance."""
FLOOR = 2.4
"""What is added to the chance matches of all controls together: none seen is not none possible."""
FEW = 3
"""Pairs that a relay has at least; so many that match to the byte, both ways, are one whatever the score."""
BYTES_SAME, BYTES_TELLING, ENDS_US = 16, 400, 3_000_000

_IN = """
select id, device, snapshot, feed, node, 'port' as kind, proto || '/' || near_port as name, proto, peer_ip, t0, t1, fwd, rev, exact,
  case when exact then 16 else 400 end as slack
from legs where direction = 'in' and explained is null and fwd > 0 and rev > 0
"""
# the far end of a connection that the device opened is where such sessions come from
_OUT = """
select id, device, snapshot, feed, node, 'peer' as kind, proto || '/' || peer_ip || '/' || peer_port as name, proto, peer_ip, t0, t1,
  rev as fwd, fwd as rev, exact, case when exact then 16 else 400 end as slack
from legs where direction = 'out' and side = 'wan' and origin = 'self' and explained is null and fwd > 0 and rev > 0
qualify count(*) over (partition by device, snapshot, feed, node, proto, peer_ip, peer_port) >= 3
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A way in at which sessions come that go out again."""

    where: Where  # device, snapshot, feed, node, kind, name
    larger: str
    variant: int
    matched: int
    expected: float
    score: float


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Fill relay_keys and relay_pairs from legs."""
    _rings(con)
    for legs_in in (_IN, _OUT):
        con.execute((HERE / "pairs.sql").read_text(encoding="utf-8").replace("{legs_in}", legs_in).replace("{lag_us}", str(LAG_US)))
        _judge(con)


def _rings(con: duckdb.DuckDBPyConnection) -> None:
    """Of every feed the span of its legs, and the shifts of its controls."""
    con.execute(
        "create or replace temp table rings as select row_number() over (order by device, snapshot, feed) as g, * from "
        "(select device, snapshot, feed, min(t0) as since, max(t0) - min(t0) + 1 as span, count(*) as legs from legs group by all)"
    )
    con.execute("create or replace temp table shifts(g bigint, shift integer, by_us bigint)")
    rings = con.execute("select g, span, legs from rings").fetchall()
    count = SHIFTS_FEW if sum(legs for *_, legs in rings) < MANY_LEGS else SHIFTS_MANY
    rows = [(g, number, by) for g, span, _ in rings for number, by in enumerate([0, *offsets(span, count)])]
    if rows:
        con.execute("insert into shifts select unnest(?), unnest(?), unnest(?)", [list(column) for column in zip(*rows, strict=True)])


def offsets(span: int, count: int) -> list[int]:
    """How far the controls are shifted, in microseconds; none where the span is too short for any."""
    if span > LONG_US:  # near in time: the rhythm of the day stays
        return [STEP_US * (n // 2 + 1) * (1 if n % 2 else -1) for n in range(count)]
    room = span - 2 * APART_US
    return [APART_US + room * n // (count - 1) for n in range(count)] if room > APART_US else []


def _judge(con: duckdb.DuckDBPyConnection) -> None:
    found: dict[Where, Key] = {}
    for *place, larger, variant, matched, chance, shifts in con.execute(_COUNTS).fetchall():
        expected = (float(chance or 0) + FLOOR) / shifts
        key = Key(_where(place), larger, variant, matched, expected, surprise(matched, expected) - math.log10(TRIED))
        if key.where not in found or key.score > found[key.where].score:
            found[key.where] = key
    _save(con, list(found.values()))


# a feed that is too short for any shift has no controls, and no keys
_COUNTS = """
select c.device, c.snapshot, c.feed, node, kind, name, larger, variant, sum(sessions) filter (shift = 0) as matched,
  sum(sessions) filter (shift > 0), any_value(n.shifts)
from counted c join (
  select device, snapshot, feed, count(*) - 1 as shifts from shifts join rings using (g) group by all) n using (device, snapshot, feed)
where n.shifts > 0 group by all having matched > 0 order by all
"""


def surprise(count: float, mean: float) -> float:
    """-log10 of Chernoff's bound for a Poisson variable of this mean to be at least `count`."""
    return (mean - count + count * math.log(count / mean)) / math.log(10) if count > mean else 0.0


def _save(con: duckdb.DuckDBPyConnection, keys: list[Key]) -> None:
    """Write the keys that stand out, and their pairs."""
    pairs = _pairs(con, keys)
    sessions = {_where(place): n for *place, n in con.execute(_SESSIONS).fetchall()}
    found, told = [], []
    for key in keys:
        mine = pairs.get(key.where, [])
        exact = sum(fit.exact for fit in mine)
        if (key.score < SCORE or len(mine) < FEW) and exact < FEW:
            continue
        place = dict(zip(("device", "snapshot", "feed", "node", "kind", "name"), key.where, strict=True))
        how, lag = VARIANTS[key.variant]
        found.append(place | {
            "sessions": sessions[key.where], "matched": key.matched, "expected": round(key.expected, 3), "score": round(key.score, 2),
            "pairs": len(mine), "exact": exact, "how": f"{how}, lag at most {lag / 1e6:g} s",
        })  # fmt: skip
        told += [place | {
            "session": fit.session, "onward": fit.onward, "lag_ms": fit.lag / 1000, "end_lag_ms": fit.end_lag / 1000,
            "over_fwd": fit.over_fwd, "over_rev": fit.over_rev, "matches_exactly": fit.exact,
        } for fit in mine]  # fmt: skip
    database.insert_rows(con, "relay_keys", found)
    database.insert_rows(con, "relay_pairs", told)


_SESSIONS = "select device, snapshot, feed, node, kind, name, count(*) from inward group by all"


@dataclass(frozen=True, slots=True)
class Fit:
    """Two legs that may be one session: microseconds, and bytes that the first has more than the second."""

    session: int
    onward: int
    lag: int
    end_lag: int
    over_fwd: int
    over_rev: int
    most_fwd: int
    most_rev: int
    larger: str
    tight: bool
    loose: bool
    ends: bool

    @property
    def exact(self) -> bool:
        """Whether the bytes are the same both ways, and enough of them to say something."""
        same = abs(self.over_fwd) <= BYTES_SAME and abs(self.over_rev) <= BYTES_SAME and abs(self.end_lag) <= ENDS_US
        return same and self.most_fwd + self.most_rev >= BYTES_TELLING

    def belongs(self, key: Key) -> bool:
        """Whether it is of the variant in which its key stands out."""
        how, longest = VARIANTS[key.variant]
        return (
            self.lag <= longest
            and self.larger == key.larger
            and {"tight": self.tight, "loose": self.loose, "ends": self.ends, "steady": True}[how]
        )


def _pairs(con: duckdb.DuckDBPyConnection, keys: list[Key]) -> dict[Where, list[Fit]]:
    """Of each key the sessions with their partners, each partner once: those that fit best first."""
    best = {key.where: key for key in keys}
    con.execute(
        "create or replace temp table telling(device varchar, snapshot varchar, feed varchar, node varchar, kind varchar, name varchar)"
    )
    exact = {_where(place) for place in con.execute(_EXACT, [BYTES_SAME, BYTES_SAME, BYTES_TELLING, ENDS_US, FEW]).fetchall()}
    telling = [list(column) for column in zip(*(w for w, key in best.items() if key.score >= SCORE or w in exact), strict=True)]
    if telling:
        con.execute("insert into telling select unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)", telling)
    fitting: dict[Where, list[Fit]] = defaultdict(list)
    for row in con.execute(_FITS).fetchall():
        where, fit = _where(row[:6]), Fit(*row[6:])
        if where in best and fit.belongs(best[where]):
            fitting[where].append(fit)
    ranked = sorted(((cost(fit, mine), where, fit) for where, fits in fitting.items() for mine in [usual(fits)] for fit in fits), key=_rank)
    taken: tuple[set[int], set[int]] = set(), set()
    found: dict[Where, list[Fit]] = defaultdict(list)
    for _, where, fit in ranked:
        if fit.session not in taken[0] and fit.onward not in taken[1]:
            taken[0].add(fit.session)
            taken[1].add(fit.onward)
            found[where].append(fit)
    return found


_FITS = """
select s.device, s.snapshot, s.feed, s.node, s.kind, s.name, c.session, c.onward, c.lag, c.end_lag, c.over_fwd, c.over_rev,
  c.most_fwd, c.most_rev, c.larger, c.tight, c.loose, c.ends
from candidates c join inward s on s.id = c.session join telling using (device, snapshot, feed, node, kind, name) where c.shift = 0
"""
_EXACT = """
select s.device, s.snapshot, s.feed, s.node, s.kind, s.name from candidates c join inward s on s.id = c.session
where c.shift = 0 and abs(over_fwd) <= ? and abs(over_rev) <= ? and most_fwd + most_rev >= ? and abs(end_lag) <= ?
group by all having count(distinct session) >= ?
"""


def _rank(one: tuple[float, Where, Fit]) -> tuple[float, int, int]:
    return one[0], one[2].session, one[2].onward


def _where(place: Sequence[str]) -> Where:
    device, snapshot, feed, node, kind, name = place
    return device, snapshot, feed, node, kind, name


def usual(fits: list[Fit]) -> tuple[float, float, float]:
    """What the candidates of a key have in common: their median lag and differences of size."""
    return median(f.lag for f in fits), median(f.over_fwd for f in fits), median(f.over_rev for f in fits)


def cost(fit: Fit, mine: tuple[float, float, float]) -> float:
    """How badly two legs fit beside the others of their key; each part is about 1 where it begins to be doubtful."""
    lag, over_fwd, over_rev = mine
    sizes = abs(fit.over_fwd - over_fwd) / (0.1 * fit.most_fwd + 64) + abs(fit.over_rev - over_rev) / (0.1 * fit.most_rev + 64)
    return abs(fit.lag - lag) / 1e6 + abs(fit.end_lag) / ENDS_US + sizes
