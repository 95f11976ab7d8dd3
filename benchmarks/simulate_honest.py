"""Honest traffic of a site, much of which looks like a relay or a beacon."""

# ruff: noqa: PLR0917 - what makes connections takes the same few things everywhere, in one order
from __future__ import annotations

from typing import Any

import numpy as np
from simulate_base import (
    CDN_AT,
    CDNS,
    CGN,
    CLIENTS,
    CLIENTS_AT,
    COUPLED_IN,
    COUPLED_OUT,
    DNAT,
    ICMP,
    IN,
    INFRA_AT,
    LAN,
    MIDDLE,
    NAT,
    NO_FLAGS,
    REFUSED,
    ROUTED,
    SELF,
    SITES,
    SITES_AT,
    SYN,
    TCP,
    UDP,
    VPN,
    WAN_AT,
    Floats,
    Ints,
    Rows,
    Settings,
    Site,
    far_six,
    often,
    outside,
    periodic,
    popular,
    ports,
    site_six,
    sizes,
    spans,
    times,
)

ROUTER = LAN + 1
SERVER_HOST, PEER_HOST, NAS_HOST = LAN + 10, LAN + 30, LAN + 11
Generator = np.random.Generator


def site(rng: Generator, s: Settings, first: int, count: int) -> Site:
    """The devices first ... first+count-1 and what they are."""
    ids = np.arange(first, first + count)
    cgn = rng.random(count) < 0.1
    wan = np.where(cgn, CGN + 1024 + ids, outside(WAN_AT + 16 + ids))
    server, proxy = ~cgn & (rng.random(count) < 0.2), ~cgn & (rng.random(count) < 0.03)
    made = Site(
        ids,
        wan,
        cgn,
        rng.random(count) < 0.3,
        rng.integers(0, 24, count).astype(float),
        rng.lognormal(-0.2, 0.6, count),
        server | proxy,
        proxy,
        rng.random(count) < 0.15,
        ~cgn & (rng.random(count) < 0.1),
    )
    for device, has_server, has_peer, has_vpn, hidden in zip(ids, made.server, made.peer, made.vpn, cgn, strict=True):
        told: list[dict[str, Any]] = [{"kind": "listener", "proto": "tcp", "port": 7547}]
        told += [{"kind": "port-forward", "proto": "tcp", "port": 443, "to_port": 8443, "to_address": SERVER_HOST}] * bool(has_server)
        told += [{"kind": "port-forward", "proto": "udp", "port": 51413, "to_port": 51413, "to_address": PEER_HOST}] * bool(
            has_peer and not hidden
        )
        told += [{"kind": "listener", "proto": "udp", "port": 51820}] * bool(has_vpn)
        made.expected += [{"device": int(device), **t} for t in told]
    return made


def out(rows: Rows, rng: Generator, here: Site, kind: str, device: Ints, first: Floats, **c: Any) -> slice:
    """Connections of LAN hosts to the outside, over NAT, or over IPv6 without."""
    n, at = len(device), here.at(device)
    host = c.pop("host", LAN + rng.integers(20, 60, n)) + np.zeros(n, np.int64)
    port = ports(rng, n)
    six = here.six[at] & (rng.random(n) < c.pop("six", 0.4)) & (c["resp"] >= outside(0))
    resp = np.where(six, far_six(c["resp"]), c["resp"])
    del c["resp"]
    mine = site_six(device, host - LAN)
    kept = rng.random(n) < 0.85  # masquerading keeps the port when it is free
    return rows.add(
        kind,
        device=device,
        orig=np.where(six, mine, here.wan[at]),
        orig_port=np.where(six | kept, port, ports(rng, n)),
        resp=resp,
        first=first,
        origin=np.where(six, ROUTED, c.pop("origin", NAT)),
        lan=np.where(six, mine, host),
        lan_port=port,
        **c,
    )


def own(rows: Rows, rng: Generator, here: Site, kind: str, device: Ints, first: Floats, **c: Any) -> slice:
    """Connections that the device itself opens."""
    return rows.add(kind, device=device, orig=here.wan[here.at(device)], orig_port=ports(rng, len(device)), first=first, origin=SELF, **c)


def inward(rows: Rows, rng: Generator, here: Site, kind: str, device: Ints, first: Floats, **c: Any) -> slice:
    """Connections from outside to the device's address."""
    c.setdefault("orig", outside(CLIENTS_AT + rng.integers(0, CLIENTS, len(device))))
    c.setdefault("origin", IN)
    return rows.add(kind, device=device, orig_port=ports(rng, len(device)), resp=here.wan[here.at(device)], first=first, **c)


def fill(rows: Rows, rng: Generator, here: Site, s: Settings) -> None:
    """All honest traffic of the devices."""
    scale = s.connections / 3000.0 * s.hours / 24.0
    for part in (_browsing, _household, _machines, _peers, _servers, _outside, _owners):
        part(rows, rng, here, s, scale)


def _browsing(rows: Rows, rng: Generator, here: Site, s: Settings, scale: float) -> None:
    """A visit is a name asked, the page and the hosts that come with it, within seconds of each other."""
    visit = often(rng, here.ids, 190 * scale * here.size)
    start = times(rng, here.phase[here.at(visit)], s.hours)
    host = LAN + rng.integers(20, 60, len(visit))
    count = 1 + rng.geometric(0.16, len(visit))
    who = np.repeat(np.arange(len(visit)), count)
    n = len(who)
    first = start[who] + rng.exponential(1.2, n)
    page = np.r_[True, who[1:] != who[:-1]]
    resp = np.where(page, outside(SITES_AT + popular(rng, n, SITES)), outside(CDN_AT + popular(rng, n, CDNS)))
    life = spans(rng, n, 12, 1.6, 900)
    out(
        rows,
        rng,
        here,
        "browsing",
        visit[who],
        first,
        host=host[who],
        resp=resp,
        resp_port=443,
        proto=np.where(rng.random(n) < 0.3, UDP, TCP),
        flags=0,
        last=first + life,
        orig_payload=sizes(rng, n, 1800, 1.0),
        resp_payload=sizes(rng, n, 9000, 1.9),
    )
    asks = rng.random(n) < 0.45
    device, when = visit[who][asks], first[asks] - rng.uniform(0.005, 0.08, asks.sum())
    m, resolver = len(device), outside(INFRA_AT + (device % 5))
    own(
        rows,
        rng,
        here,
        "dns",
        device,
        np.maximum(0, when),
        resp=resolver,
        resp_port=53,
        proto=UDP,
        flags=NO_FLAGS,
        last=when + rng.exponential(0.02, m),
        orig_payload=rng.integers(28, 60, m),
        resp_payload=rng.integers(60, 320, m),
    )


def _household(rows: Rows, rng: Generator, here: Site, s: Settings, scale: float) -> None:
    """Video, calls, games, mail, backups."""

    def some(
        kind: str, mean: float, port: int, life: tuple[float, float], up: tuple[float, float], down: tuple[float, float], proto: int = TCP
    ) -> None:
        device = often(rng, here.ids, mean * scale * here.size)
        n, first = len(device), times(rng, here.phase[here.at(device)], s.hours)
        out(
            rows,
            rng,
            here,
            kind,
            device,
            first,
            resp=outside(CDN_AT + popular(rng, n, CDNS)),
            resp_port=port,
            proto=proto,
            last=first + spans(rng, n, *life, 28800.0),
            orig_payload=sizes(rng, n, *up),
            resp_payload=sizes(rng, n, *down),
            flags=NO_FLAGS if proto == UDP else 0,
        )

    some("video", 25, 443, (240, 1.0), (60_000, 1.0), (4e7, 1.2))
    some("call", 4, 3478, (600, 1.0), (2e7, 1.0), (2e7, 1.0), UDP)
    some("game", 4, 27015, (1800, 0.8), (3e6, 0.8), (9e6, 0.8), UDP)
    some("mail", 12, 993, (1700, 0.4), (2500, 0.9), (9000, 1.6))
    some("backup", 1.2, 443, (1500, 0.9), (2e8, 1.2), (90_000, 0.8))
    some("shell", 0.8, 22, (1200, 1.2), (40_000, 1.4), (200_000, 1.6))
    some("lan-vpn-client", 0.5, 1194, (9000, 0.8), (3e7, 1.2), (2e8, 1.2), UDP)


def _machines(rows: Rows, rng: Generator, here: Site, s: Settings, scale: float) -> None:
    """What ticks: things of the house, and the device's own time, names, management and cloud agent."""
    pace = min(1.0, s.connections / 3000.0) ** 0.5

    def ticking(
        kind: str,
        each: Any,
        low: float,
        high: float,
        jitter: float,
        mine: bool,
        port: int,
        up: int,
        down: int,
        life: float,
        proto: int = TCP,
    ) -> None:
        source = often(rng, here.ids, each)
        who, first = periodic(rng, rng.uniform(low, high, len(source)) / pace, rng.uniform(0, jitter, len(source)), s.hours)
        peer = rng.integers(0, 1500, len(source))
        n, device = len(who), source[who]
        c: dict[str, Any] = {
            "resp": outside(INFRA_AT + 10 + peer[who]),
            "resp_port": port,
            "proto": proto,
            "last": first + rng.exponential(life, n),
            "orig_payload": up + rng.integers(0, 1 + up // 8, n),
            "resp_payload": down + rng.integers(0, 1 + down // 4, n),
            "flags": NO_FLAGS if proto == UDP else 0,
        }
        if mine:
            own(rows, rng, here, kind, device, first, **c)
        else:
            out(rows, rng, here, kind, device, first, host=(LAN + rng.integers(20, 60, len(source)))[who], six=0.0, **c)

    ticking("thing", 3 * here.size, 120, 900, 0.15, False, 443, 900, 1800, 1.0)
    ticking("thing-udp", 1 * here.size, 60, 600, 0.05, False, 10101, 96, 64, 0.2, UDP)
    ticking("ntp", 1, 900, 1100, 0.02, True, 123, 48, 48, 0.02, UDP)
    ticking("ddns", 0.3, 290, 310, 0.02, True, 80, 220, 310, 0.4)
    ticking("cloud-agent", 0.4, 60, 320, 0.2, True, 8443, 700, 500, 1.0)
    ticking("vendor-update", 0.8, 20000, 80000, 0.3, True, 443, 1200, 6000, 2.0)
    source = often(rng, here.ids, 0.25)  # an agent's one connection that stays
    n = len(source)
    own(
        rows,
        rng,
        here,
        "cloud-agent-long",
        source,
        np.zeros(n),
        resp=outside(INFRA_AT + 10 + source % 7),
        resp_port=8883,
        flags=MIDDLE,
        last=np.full(n, s.hours * 3600.0),
        orig_payload=sizes(rng, n, 400_000, 0.8),
        resp_payload=sizes(rng, n, 300_000, 0.8),
    )
    managed = here.ids[rng.random(len(here.ids)) < 0.4]
    call = often(rng, managed, 4 * s.hours / 24)  # TR-069: asked from outside, the device calls back at once
    n, first = len(call), rng.random(len(call)) * s.hours * 3600
    acs = outside(INFRA_AT + 1900)
    inward(
        rows,
        rng,
        here,
        "tr069-request",
        call,
        first,
        orig=acs,
        resp_port=7547,
        last=first + 0.2,
        orig_payload=rng.integers(250, 400, n),
        resp_payload=rng.integers(180, 260, n),
        leg=COUPLED_IN,
    )
    own(
        rows,
        rng,
        here,
        "tr069-session",
        call,
        first + rng.uniform(0.2, 2.0, n),
        resp=acs,
        resp_port=443,
        last=first + rng.uniform(3, 9, n),
        orig_payload=sizes(rng, n, 9000, 0.5),
        resp_payload=sizes(rng, n, 5000, 0.5),
        leg=COUPLED_OUT,
    )


def _peers(rows: Rows, rng: Generator, here: Site, s: Settings, scale: float) -> None:
    """Peer-to-peer: many peers both ways through one mapped port."""
    users = here.ids[here.peer]
    device = often(rng, users, 1500 * scale)
    n, first = len(device), times(rng, here.phase[here.at(device)], s.hours)
    peer, proto = outside(CLIENTS_AT + rng.integers(0, CLIENTS, n)), np.where(rng.random(n) < 0.7, UDP, TCP)
    out(
        rows,
        rng,
        here,
        "p2p-out",
        device,
        first,
        host=PEER_HOST,
        resp=peer,
        resp_port=rng.integers(1024, 65535, n),
        proto=proto,
        six=0.1,
        last=first + spans(rng, n, 20, 1.8),
        orig_payload=sizes(rng, n, 900, 2.4),
        resp_payload=sizes(rng, n, 900, 2.6),
    )
    device = often(rng, here.ids[here.peer & ~here.cgn], 900 * scale)
    n, first = len(device), times(rng, here.phase[here.at(device)], s.hours)
    inward(
        rows,
        rng,
        here,
        "p2p-in",
        device,
        first,
        resp_port=51413,
        proto=np.where(rng.random(n) < 0.7, UDP, TCP),
        origin=DNAT,
        lan=PEER_HOST,
        lan_port=51413,
        last=first + spans(rng, n, 20, 1.8),
        orig_payload=sizes(rng, n, 900, 2.4),
        resp_payload=sizes(rng, n, 900, 2.6),
    )


def _servers(rows: Rows, rng: Generator, here: Site, s: Settings, scale: float) -> None:
    """Forwarded ports; some of the servers behind them ask another server outside: honest pairs."""
    device = often(rng, here.ids[here.server], 400 * scale)
    n, first = len(device), times(rng, here.phase[here.at(device)], s.hours)
    life, q, a = spans(rng, n, 2, 1.4), sizes(rng, n, 1300, 0.8), sizes(rng, n, 14000, 1.6)
    coupled = here.proxy[here.at(device)]
    number = np.where(coupled, np.arange(n) + 1_000_000 * (1 + here.ids[0]), -1)
    inward(
        rows,
        rng,
        here,
        "port-forward",
        device,
        first,
        resp_port=443,
        origin=DNAT,
        lan=SERVER_HOST,
        lan_port=8443,
        last=first + life,
        orig_payload=q,
        resp_payload=a,
        leg=np.where(coupled, COUPLED_IN, 0),
        session=number,
    )
    lag = rng.exponential(0.03, n)[coupled]
    device, first, life = device[coupled], first[coupled] + lag, life[coupled]
    out(
        rows,
        rng,
        here,
        "reverse-proxy",
        device,
        first,
        host=SERVER_HOST,
        resp=outside(SITES_AT + device % SITES),
        resp_port=443,
        six=0.0,
        last=first + np.maximum(0.05, life - 2 * lag),
        orig_payload=q[coupled] + rng.integers(-60, 160, len(device)),
        resp_payload=a[coupled] + rng.integers(-200, 90, len(device)),
        leg=COUPLED_OUT,
        session=number[coupled],
    )


def _outside(rows: Rows, rng: Generator, here: Site, s: Settings, scale: float) -> None:
    """Scanners and monitoring."""
    seen = here.ids[~here.cgn]
    device = often(rng, seen, 350 * scale)
    n, first = len(device), rng.random(len(device)) * s.hours * 3600
    port = rng.choice([22, 23, 80, 443, 445, 3389, 5060, 7547, 8080, 8443], n)
    inward(
        rows,
        rng,
        here,
        "scan",
        device,
        first,
        resp_port=np.where(rng.random(n) < 0.4, rng.integers(1, 65535, n), port),
        flags=np.where(rng.random(n) < 0.8, SYN, REFUSED),
        orig=outside(CLIENTS_AT + popular(rng, n, 4000)),
        last=first + rng.exponential(0.5, n),
    )
    device = often(rng, here.ids[here.server], 60 * scale)
    n, first = len(device), rng.random(len(device)) * s.hours * 3600
    inward(
        rows,
        rng,
        here,
        "scan-answered",
        device,
        first,
        resp_port=443,
        origin=DNAT,
        lan=SERVER_HOST,
        lan_port=8443,
        last=first + rng.exponential(1.0, n),
        orig_payload=sizes(rng, n, 400, 0.5),
        resp_payload=sizes(rng, n, 2500, 0.5),
    )
    source = often(rng, seen, 0.15)
    who, first = periodic(rng, np.full(len(source), 60.0 * max(1.0, 3000.0 / s.connections)), np.full(len(source), 0.01), s.hours)
    inward(
        rows,
        rng,
        here,
        "monitoring",
        source[who],
        first,
        resp_port=0,
        proto=ICMP,
        flags=NO_FLAGS,
        orig=outside(INFRA_AT + 1901),
        last=first + 0.02,
        orig_payload=56,
        resp_payload=56,
        orig_packets=1,
        resp_packets=1,
    )


def _owners(rows: Rows, rng: Generator, here: Site, s: Settings, scale: float) -> None:
    """The owner's VPN, whose clients leave to the internet again, and the owner's shell from outside."""
    device = often(rng, here.ids[here.vpn], 1.5 * s.hours / 24)
    n, first = len(device), times(rng, here.phase[here.at(device)], s.hours)
    life = spans(rng, n, 5400, 0.7, s.hours * 3600)
    owner = outside(CLIENTS_AT + (device * 7) % CLIENTS)
    inner = often(rng, np.arange(n), 40 * min(1.0, scale))
    m = len(inner)
    begin = first[inner] + rng.random(m) * life[inner] * 0.95
    q, a = sizes(rng, m, 1800, 1.0), sizes(rng, m, 9000, 1.8)
    own_rows = out(
        rows,
        rng,
        here,
        "vpn-client-exit",
        device[inner],
        begin,
        host=LAN + 256,
        six=0.0,
        resp=outside(CDN_AT + popular(rng, m, CDNS)),
        resp_port=443,
        origin=VPN,
        last=np.minimum(begin + spans(rng, m, 10, 1.5), (first + life)[inner]),
        orig_payload=q,
        resp_payload=a,
    )
    rows.parts[-1]["lan"] = np.full(own_rows.stop - own_rows.start, -1, np.int64)
    up, down = (np.bincount(inner, w, n).astype(np.int64) * 11 // 10 + 40_000 for w in (q, a))
    inward(
        rows,
        rng,
        here,
        "owner-vpn",
        device,
        first,
        orig=owner,
        resp_port=51820,
        proto=UDP,
        flags=NO_FLAGS,
        last=first + life,
        orig_payload=up,
        resp_payload=down,
    )
    admin = often(rng, here.ids[here.vpn], 1.0 * s.hours / 24)
    n, first = len(admin), times(rng, here.phase[here.at(admin)], s.hours)
    inward(
        rows,
        rng,
        here,
        "owner-shell",
        admin,
        first,
        orig=outside(CLIENTS_AT + (admin * 7) % CLIENTS),
        resp_port=2222,
        last=first + spans(rng, n, 300, 1.0),
        orig_payload=sizes(rng, n, 9000, 1.0),
        resp_payload=sizes(rng, n, 40_000, 1.0),
    )
