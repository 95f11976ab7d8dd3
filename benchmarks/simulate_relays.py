"""Relays, carriers, long chains and beacons of the infected, and what is true about them."""

# ruff: noqa: PLR0917 - what makes connections takes the same few things everywhere, in one order
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from simulate_base import (
    BEACON,
    CARRIED,
    CARRIER,
    CHAFF,
    CLIENTS,
    CLIENTS_AT,
    DNAT,
    FLAT,
    FULL,
    IN,
    INFRA_AT,
    LAN,
    LEG_IN,
    LEG_OUT,
    NAT,
    NO_FLAGS,
    SELF,
    SITES,
    SITES_AT,
    SLOT,
    TCP,
    UDP,
    Floats,
    Ints,
    Rows,
    Settings,
    Site,
    far_six,
    outside,
    periodic,
    ports,
    site_six,
    sizes,
    spans,
)

ONE_TO_ONE = ("in-out", "out-out", "dnat", "host")
LONG = ("chain",)
CARRIERS = ("carrier-in", "carrier-out", "traversal")
TICKING = ("beacon", "heartbeat")
KINDS = (*ONE_TO_ONE, *LONG, *CARRIERS, *TICKING)
WEIGHTS = {
    "in-out": 4,
    "out-out": 3,
    "dnat": 1,
    "host": 2,
    "chain": 2,
    "carrier-in": 2,
    "carrier-out": 2,
    "traversal": 1,
    "beacon": 2,
    "heartbeat": 1,
}
DIFFICULTIES = ("plain", "padded", "jittered", "pooled", "chaff")
CAMERA = LAN + 12
VICTIM_PORTS = (443, 443, 443, 22, 80, 3389, 8443, 25, 993)
Generator = np.random.Generator


@dataclass
class Relay:
    """What is true about one implant."""

    relay: int
    device: int
    kind: str
    difficulty: str
    rate: float
    port: int  # local port that is asked, or the remote one of a reverse relay
    peers: list[int] = field(default_factory=list)
    upstream: int | None = None
    sessions: int = 0
    six: bool = False
    period: float | None = None
    jitter: float | None = None

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def plan(s: Settings) -> list[Relay]:
    """Which devices are infected, and with what. The same whatever the chunks."""
    rng = np.random.default_rng([s.seed, 7])
    kinds = [k for k in KINDS if not s.kinds or k in s.kinds]
    weights = np.array([WEIGHTS[k] for k in kinds], float)
    difficulties = s.difficulties or DIFFICULTIES
    pool = outside(CLIENTS_AT + rng.integers(0, CLIENTS, 8))
    shared_port = int(rng.integers(10000, 60000))
    found = []
    for number, device in enumerate(sorted(rng.choice(s.routers, min(s.infected, s.routers), replace=False))):
        kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())]
        exact = kind in ("dnat", *CARRIERS, *TICKING)
        peers = pool if s.shared else outside(CLIENTS_AT + rng.integers(0, CLIENTS, 3))
        relay = Relay(
            number,
            int(device),
            kind,
            "plain" if exact else str(rng.choice(difficulties)),
            float(s.rate or np.exp(rng.uniform(np.log(3), np.log(100)))),
            shared_port if s.shared else int(rng.integers(1024, 60000)),
            [int(p) for p in rng.choice(peers, min(len(peers), 1 + number % 3), replace=False)],
            six=bool(rng.random() < 0.15),
        )
        if kind == "chain":
            relay.rate = min(relay.rate, 8.0)
        if kind in CARRIERS:
            relay.rate = max(relay.rate, 20.0) if s.rate is None else relay.rate
        if kind in TICKING:
            relay.period = float(np.exp(rng.uniform(np.log(30), np.log(1800))))
            relay.jitter = float(rng.choice([0, 0.1, 0.25, 0.5, 0.9])) if s.jitter is None else s.jitter
        found.append(relay)
    return found


def infect(rows: Rows, rng: Generator, here: Site, s: Settings, relay: Relay) -> None:
    """Add one implant's connections."""
    if relay.kind in CARRIERS:
        _carrier(rows, rng, here, s, relay)
    elif relay.kind == "beacon":
        _beacon(rows, rng, here, s, relay)
    elif relay.kind == "heartbeat":
        _heartbeat(rows, rng, here, s, relay)
    else:
        _pairs(rows, rng, here, s, relay)


# -- legs --------------------------------------------------------------------------------------------


def _wan(here: Site, relay: Relay) -> int:
    return int(here.wan[relay.device - here.ids[0]])


def _hidden(here: Site, relay: Relay) -> bool:
    return bool(here.cgn[relay.device - here.ids[0]])


def _times(rng: Generator, n: int, hours: float) -> Floats:
    """Operators work in sittings: half of the sessions come close to each other."""
    free = rng.random(n) * hours * 3600 * 0.98
    sittings = rng.random(max(1, n // 8)) * hours * 3600 * 0.95
    close = np.minimum(rng.choice(sittings, n) + rng.exponential(400, n), hours * 3600 * 0.98)
    return np.sort(np.where(rng.random(n) < 0.5, free, close))


def _victims(rng: Generator, here: Site, relay: Relay, n: int) -> dict[str, Any]:
    """The far end of the outbound legs, and this side of it."""
    resp = np.full(n, relay.upstream) if relay.upstream is not None else outside(SITES_AT + rng.integers(0, SITES, n))
    six = relay.six and relay.kind != "dnat"
    mine = int(site_six(relay.device, 1)) if six else _wan(here, relay)
    return {"orig": mine, "resp": far_six(resp) if six else resp, "resp_port": rng.choice(VICTIM_PORTS, n)}


def _pairs(rows: Rows, rng: Generator, here: Site, s: Settings, r: Relay) -> None:
    """One session comes in (or is fetched), the other goes out."""
    if r.kind != "out-out" and _hidden(here, r):
        r.kind = "out-out"  # nobody outside reaches this device
    n = max(1, int(rng.poisson(r.rate * s.hours / 24)))
    long = r.kind == "chain"
    if r.kind == "dnat":
        r.upstream = int(outside(SITES_AT + rng.integers(0, SITES)))
    start = _times(rng, n, s.hours)
    life = np.minimum(rng.uniform(600, 14400, n) if long else spans(rng, n, 12, 1.5, 3600), s.hours * 3600 - start)
    q, a = sizes(rng, n, 60_000 if long else 1500, 1.4), sizes(rng, n, 400_000 if long else 9000, 1.9)
    lag, end, pad = _disguise(rng, r, n)
    head = 0 if r.kind == "dnat" else 14
    more_q, more_a = (q * pad).astype(np.int64) + head, (a * pad).astype(np.int64) + (12 if head else 0)
    sessions = np.arange(n) + 10_000 * (1 + r.relay)
    series = _shared_series(rows, rng, life) if long else np.where(life > s.active_timeout, FLAT, FLAT)
    common: dict[str, Any] = {"device": np.full(n, r.device), "relay": r.relay, "session": sessions, "series": series}
    r.sessions = n
    legs = {"first": start, "last": start + lag + life + end, "orig_payload": q + more_q, "resp_payload": a + more_a, "leg": LEG_IN}
    name = f"relay-{r.kind}"
    if r.kind == "out-out":  # what the operator asks comes as the answer of the fetched leg
        legs |= {"orig_payload": a + more_a, "resp_payload": q + more_q}
        rows.add(
            name, orig=_wan(here, r), orig_port=ports(rng, n), resp=rng.choice(r.peers, n), resp_port=r.port, origin=SELF, **common, **legs
        )
    else:
        behind = {"origin": DNAT, "lan": CAMERA, "lan_port": r.port} if r.kind == "host" else {"origin": DNAT if r.kind == "dnat" else IN}
        rows.add(
            name, orig=rng.choice(r.peers, n), orig_port=ports(rng, n), resp=_wan(here, r), resp_port=r.port, **behind, **common, **legs
        )
    out_port = ports(rng, n)
    behind = {"origin": NAT, "lan": CAMERA, "lan_port": out_port} if r.kind == "host" else {"origin": DNAT if r.kind == "dnat" else SELF}
    ends = {
        "first": start + lag,
        "last": np.minimum(start + lag + life, s.hours * 3600),
        "orig_payload": q,
        "resp_payload": a,
        "leg": LEG_OUT,
    }
    far = (
        _victims(rng, here, r, n)
        if r.kind != "host"
        else {**_victims(rng, here, r, n), "orig": _wan(here, r), "resp": outside(SITES_AT + rng.integers(0, SITES, n))}
    )
    rows.add(name, orig_port=out_port, **far, **behind, **common, **ends)
    if r.difficulty == "chaff":
        _chaff(rows, rng, here, s, r, n)


def _disguise(rng: Generator, r: Relay, n: int) -> tuple[Floats, Floats, Floats]:
    """Lag at the start, at the end, and the share of padding."""
    if r.kind == "dnat":
        return np.zeros(n), np.zeros(n), np.zeros(n)
    if r.kind == "chain":
        return rng.uniform(0, 35, n), rng.uniform(0, 35, n), rng.uniform(0, 0.02 if r.difficulty == "plain" else 0.7, n)
    quick, late = rng.gamma(2, 0.08, n), rng.gamma(2, 0.08, n)
    if r.difficulty == "padded":
        return quick, late, rng.uniform(0.12, 0.7, n)
    if r.difficulty == "jittered":
        return rng.uniform(0.05, 2, n), rng.uniform(0, 2, n), rng.uniform(0, 0.1, n)
    if r.difficulty == "pooled":
        return rng.uniform(1, 6, n), rng.uniform(0, 10, n), rng.uniform(0, 0.1, n)
    if r.difficulty == "chaff":
        return rng.uniform(0.05, 1.5, n), rng.uniform(0, 5, n), rng.uniform(0.5, 2, n)
    return quick, late, rng.uniform(0, 0.02, n)


def _chaff(rows: Rows, rng: Generator, here: Site, s: Settings, r: Relay, n: int) -> None:
    """Sessions that lead nowhere, as many as the true ones."""
    start = _times(rng, n, s.hours)
    ends = {
        "first": start,
        "last": start + spans(rng, n, 12, 1.5, 3600),
        "orig_payload": sizes(rng, n, 2500, 1.4),
        "resp_payload": sizes(rng, n, 15000, 1.9),
    }
    near = {"orig": _wan(here, r), "resp": rng.choice(r.peers, n), "origin": SELF}
    if r.kind != "out-out":
        near = {"orig": rng.choice(r.peers, n), "resp": _wan(here, r), "origin": IN}
        near |= {"origin": DNAT, "lan": CAMERA, "lan_port": r.port} if r.kind == "host" else {}
    rows.add(
        f"relay-{r.kind}", device=np.full(n, r.device), orig_port=ports(rng, n), resp_port=r.port, relay=r.relay, leg=CHAFF, **near, **ends
    )


# -- carriers ----------------------------------------------------------------------------------------


def _shared_series(rows: Rows, rng: Generator, life: Floats) -> Ints:
    """Both legs of a chain carry the same bursts: a place in the list of series for each session."""
    places = []
    for seconds in life:
        slots = int(seconds // SLOT) + 3
        burst = rng.lognormal(0, 1.5, slots) * (rng.random(slots) < 0.5) + 0.01
        places.append(len(rows.series))
        rows.series.append((burst, burst * rng.lognormal(0, 0.3, slots)))
    return np.array(places, np.int64)


def _carrier(rows: Rows, rng: Generator, here: Site, s: Settings, r: Relay) -> None:
    """One long connection; inside it many sessions, which leave by themselves or by a second long one."""
    span = s.hours * 3600
    if r.kind != "carrier-out" and _hidden(here, r):
        r.kind = "carrier-out"
    n = max(1, int(rng.poisson(r.rate * s.hours / 24)))
    start = _times(rng, n, s.hours)
    life = np.minimum(spans(rng, n, 20, 1.5, 3600), span - start)
    q, a = sizes(rng, n, 2500, 1.4), sizes(rng, n, 30_000, 1.8)
    begin = float(min(rng.uniform(0, 0.05) * span, start.min() - 1)) if rng.random() < 0.5 else -1.0
    begin = max(begin, 0.0)
    up, down = _series(start, life, q, begin, span), _series(start, life, a, begin, span)
    r.sessions, place = n, len(rows.series)
    noise = rng.lognormal(0, 0.1, (2, len(up)))
    rows.series.append((up * 1.1 * noise[0] + 800, down * 1.1 * noise[1] + 800))
    total_up, total_down = (int(x.sum()) for x in rows.series[place])
    udp = bool(rng.random() < 0.3)
    one: dict[str, Any] = {
        "device": np.array([r.device]),
        "relay": r.relay,
        "proto": UDP if udp else TCP,
        "flags": NO_FLAGS if udp else FULL,
        "first": begin,
        "last": span - 1,
        "leg": CARRIER,
        "series": place,
    }
    inward: dict[str, Any] = {
        "orig": r.peers[0],
        "orig_port": int(rng.integers(20000, 60000)),
        "resp": _wan(here, r),
        "resp_port": r.port,
        "orig_payload": total_up,
        "resp_payload": total_down,
        "origin": IN,
    }
    outward: dict[str, Any] = {
        "orig": _wan(here, r),
        "orig_port": int(rng.integers(32768, 60000)),
        "resp": r.peers[-1],
        "resp_port": int(rng.choice([443, 22, r.port])),
        "orig_payload": total_down,
        "resp_payload": total_up,
        "origin": SELF,
    }
    name = f"relay-{r.kind}"
    if r.kind in ("carrier-in", "traversal"):
        rows.add(name, **one, **inward)
    if r.kind in ("carrier-out", "traversal"):
        rows.series.append(rows.series[place][::-1])
        if r.kind == "traversal":
            outward |= {"resp": int(outside(CLIENTS_AT + rng.integers(0, CLIENTS))), "orig_payload": total_up, "resp_payload": total_down}
        rows.add(name, **{**one, "series": place if r.kind == "traversal" else place + 1}, **outward)
    if r.kind == "traversal":
        return
    rows.add(
        name,
        device=np.full(n, r.device),
        relay=r.relay,
        session=np.arange(n) + 10_000 * (1 + r.relay),
        series=FLAT,
        leg=CARRIED,
        orig_port=ports(rng, n),
        first=start,
        last=start + life,
        orig_payload=q,
        resp_payload=a,
        origin=SELF,
        **_victims(rng, here, r, n),
    )


def _series(start: Floats, life: Floats, size: Ints, begin: float, span: float) -> Floats:
    """Bytes a slot of what sessions move, each spread evenly over its life."""
    total = np.zeros(int((span - begin) // SLOT) + 2)
    for t, d, b in zip(start - begin, life, size, strict=True):
        low, high = int(t // SLOT), int((t + d) // SLOT) + 1
        edges = np.clip(np.arange(low, high + 1) * SLOT, t, t + max(d, 1e-3))
        total[low:high] += b * np.diff(edges) / max(d, 1e-3)
    return total


# -- beacons -----------------------------------------------------------------------------------------


def _beacon(rows: Rows, rng: Generator, here: Site, s: Settings, r: Relay) -> None:
    who, first = periodic(rng, np.array([r.period]), np.array([r.jitter]), s.hours)
    n = len(who)
    r.sessions, r.peers = n, r.peers[:1]
    busy = rng.random(n) < 0.03
    rows.add(
        "beacon",
        device=np.full(n, r.device),
        relay=r.relay,
        leg=BEACON,
        orig=_wan(here, r),
        orig_port=ports(rng, n),
        resp=r.peers[0],
        resp_port=r.port,
        first=first,
        last=first + rng.gamma(2, 0.2, n),
        orig_payload=600 + rng.integers(0, 60, n),
        resp_payload=np.where(busy, sizes(rng, n, 20_000, 1), 400 + rng.integers(0, 20, n)),
        origin=SELF,
    )


def _heartbeat(rows: Rows, rng: Generator, here: Site, s: Settings, r: Relay) -> None:
    """One local port, many peers, small datagrams every so often; to a recorder each is a connection of its own."""
    count = int(rng.integers(8, 30))
    r.peers = [int(p) for p in outside(CLIENTS_AT + rng.integers(0, CLIENTS, count))]
    theirs = rng.integers(1024, 65535, count)
    who, first = periodic(rng, np.full(count, float(r.period or 60.0) * 2), np.full(count, float(r.jitter or 0.0)), s.hours)
    n = len(who)
    answered = rng.random(count)[who] < 0.6
    r.sessions = n
    rows.add(
        "heartbeat",
        device=np.full(n, r.device),
        relay=r.relay,
        leg=BEACON,
        proto=UDP,
        flags=NO_FLAGS,
        orig=_wan(here, r),
        orig_port=r.port,
        resp=np.array(r.peers)[who],
        resp_port=theirs[who],
        first=first,
        last=first + 0.1,
        orig_payload=60 + rng.integers(0, 24, n),
        resp_payload=np.where(answered, 48, 0),
        origin=SELF,
    )


__all__ = ["CARRIERS", "DIFFICULTIES", "INFRA_AT", "KINDS", "LONG", "ONE_TO_ONE", "TICKING", "Relay", "infect", "plan"]
