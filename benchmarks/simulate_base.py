"""What the simulator's parts share: settings, addresses as numbers, columns that grow, times of a day.

An address is a number here: IPv4 as it is, IPv6 above SIX (2001:db8::/32 by site and host) or above
FAR (hosts of the internet). `address_text` writes them out.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SIX, FAR = 1 << 33, 1 << 40
BENCH, CGN, LAN = 0xC6120000, 0x64400000, 0xC0A80100  # 198.18.0.0/15, 100.64.0.0/10, 192.168.1.0/24
UNICAST = 0x14000000
"""Where `--addresses unicast` puts the 128 Ki addresses of 198.18.0.0/15: ordinary ones, for rules that ignore reserved ranges."""
WAN_AT, INFRA_AT, CDN_AT, SITES_AT, CLIENTS_AT = 0, 2048, 4096, 16384, 65536
CDNS, SITES, CLIENTS = 3000, 40000, 65000
TCP, UDP, ICMP = 0, 1, 2
PROTOS = ("tcp", "udp", "icmp")
NAT, SELF, DNAT, VPN, IN, ROUTED = range(6)
ORIGINS = ("nat", "self", "dnat", "vpn", "in", "lan")
"""Who stands behind a connection: a LAN host, the device, an outside peer sent on by DNAT, a VPN client, an outside peer
at the device, a LAN host with an address of its own (IPv6)."""
NO_LEG, LEG_IN, LEG_OUT, CARRIER, CARRIED, BEACON, CHAFF, COUPLED_IN, COUPLED_OUT = range(9)
LEGS = ("", "in", "out", "carrier", "carried", "beacon", "chaff", "coupled-in", "coupled-out")
FULL, SYN, REFUSED, MIDDLE, NO_FLAGS = range(5)
FLAGS = (("SAFP", "SAFP"), ("S", ""), ("S", "RA"), ("AP", "AP"), ("", ""))
RANDOM, FLAT = -1, -2
SLOT = 60.0
EPOCH = 1_767_225_600  # 2026-01-01
COLUMNS = {
    "device": -1,
    "proto": TCP,
    "orig": 0,
    "orig_port": 0,
    "resp": 0,
    "resp_port": 0,
    "first": 0.0,
    "last": 0.0,
    "orig_payload": 0,
    "resp_payload": 0,
    "orig_packets": 0,
    "resp_packets": 0,
    "flags": FULL,
    "origin": NAT,
    "kind": 0,
    "relay": -1,
    "session": -1,
    "leg": NO_LEG,
    "lan": -1,
    "lan_port": 0,
    "series": RANDOM,
}
SMALL = {"device": np.int32, "proto": np.int8, "flags": np.int8, "origin": np.int8, "kind": np.int16, "leg": np.int8, "relay": np.int32}
HOURS_OF_DAY = np.array([3, 2, 1.5, 1, 1, 1.5, 3, 5, 6, 6, 6, 6, 7, 6, 6, 6, 7, 8, 10, 12, 12, 11, 8, 5])


@dataclass(frozen=True)
class Settings:
    """What a simulation may be told."""

    seed: int = 1
    routers: int = 100
    connections: int = 3000  # of a router a day, about
    hours: float = 24.0
    infected: int = 30
    shared: bool = True  # the infected share operators and C2
    kinds: tuple[str, ...] = ()  # of relays; none named: all
    difficulties: tuple[str, ...] = ()
    rate: float | None = None  # sessions a day of every relay; None: 3 to 100
    jitter: float | None = None  # of every beacon; None: 0 to 0.9
    skew: float = 0.1  # seconds between the clocks of the WAN's and the LAN's recorder, one deviation
    loss: float = 0.0  # share of records that get lost
    active_timeout: float = 60.0  # of the exporter
    addresses: str = "benchmark"  # or unicast
    chunk: int = 25  # routers made at a time


@dataclass
class Site:
    """The devices of one chunk, an element of each array a device."""

    ids: Ints
    wan: Ints
    cgn: NDArray[np.bool_]
    six: NDArray[np.bool_]
    phase: Floats
    size: Floats  # how busy, 1 is usual
    server: NDArray[np.bool_]
    proxy: NDArray[np.bool_]
    peer: NDArray[np.bool_]
    vpn: NDArray[np.bool_]
    expected: list[dict[str, Any]] = field(default_factory=list)

    def at(self, device: Ints) -> Ints:
        return device - self.ids[0]


class Rows:
    """Columns of connections that grow; every kind of traffic adds its own."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []
        self.kinds: list[str] = []
        self.series: list[tuple[Floats, Floats]] = []
        self.count = 0

    def kind(self, name: str) -> int:
        if name not in self.kinds:
            self.kinds.append(name)
        return self.kinds.index(name)

    def add(self, kind: str, **columns: Any) -> slice:
        """Add connections; what is a number holds for all. Returns where they went."""
        size = len(columns["device"])
        part = {}
        for name, default in COLUMNS.items():
            value = columns.pop(name, self.kind(kind) if name == "kind" else default)
            wanted = SMALL.get(name, np.float64 if isinstance(default, float) else np.int64)
            part[name] = np.full(size, value, wanted) if np.isscalar(value) else np.asarray(value).astype(wanted)
        if columns:
            raise TypeError(f"no such column: {sorted(columns)}")
        self.parts.append(part)
        self.count += size
        return slice(self.count - size, self.count)

    def done(self, rng: np.random.Generator) -> dict[str, Any]:
        """All columns, with packets and bytes where a kind has not given them."""
        rows = {name: np.concatenate([p[name] for p in self.parts]) for name in COLUMNS}
        rows["last"] = np.maximum(rows["last"], rows["first"])
        tcp, alive = rows["proto"] == TCP, (rows["flags"] != SYN) & (rows["flags"] != REFUSED)
        for side, other in (("orig", "resp"), ("resp", "orig")):
            mine, theirs = rows[f"{side}_payload"], rows[f"{other}_payload"]
            acks = np.where(tcp & alive, 2 + theirs // 2760 + rng.integers(0, 3, len(mine)), 0)
            few = np.where(mine > 0, mine // 1380 + 1, 0) + acks
            asked = np.where((rows["flags"] == SYN) & (side == "resp"), 0, 1)
            few = np.where(tcp, np.maximum(few, asked), few)
            packets = np.where(rows[f"{side}_packets"] > 0, rows[f"{side}_packets"], few)
            rows[f"{side}_packets"] = packets
            rows[f"{side}_bytes"] = mine + packets * np.where(tcp, 66, 42)
        return rows


# -- addresses ---------------------------------------------------------------------------------------


def outside(index: Any) -> Any:
    """The address of a place in 198.18.0.0/15."""
    return BENCH + np.asarray(index, np.int64)


def site_six(device: Any, host: Any) -> Any:
    return SIX + (np.asarray(device, np.int64) << 16) + host


def far_six(index: Any) -> Any:
    return FAR + np.asarray(index, np.int64)


def address_text(code: int, addresses: str) -> str:
    if code >= FAR:
        return str(ipaddress.IPv6Address((0x20010DB8F000 << 80) + (code - FAR)))
    if code >= SIX:
        device, host = divmod(code - SIX, 1 << 16)
        return str(ipaddress.IPv6Address((0x20010DB8 << 96) + (device << 80) + host))
    if addresses == "unicast" and BENCH <= code < BENCH + (1 << 17):
        code += UNICAST - BENCH
    return f"{code >> 24}.{code >> 16 & 255}.{code >> 8 & 255}.{code & 255}"


def address_key(text: str) -> bytes:
    if ":" in text:
        return ipaddress.IPv6Address(text).packed
    return bytes(10) + b"\xff\xff" + bytes(map(int, text.split(".")))


# -- draws -------------------------------------------------------------------------------------------


def times(rng: np.random.Generator, phase: Floats, hours: float) -> Floats:
    """A time for each, more often by day and in the evening of its place."""
    span = max(1, int(np.ceil(hours)))
    table = np.cumsum(HOURS_OF_DAY[(np.arange(span)[None, :] + np.arange(24)[:, None]) % 24], axis=1)
    table = table / table[:, -1:]
    draw, row = rng.random(len(phase)), (phase.astype(np.int64)) % 24
    hour = (table[row] < draw[:, None]).sum(axis=1)
    return np.minimum((hour + rng.random(len(phase))) * 3600.0, hours * 3600.0 - 1e-3)


def sizes(rng: np.random.Generator, n: int, median: float, spread: float, most: float = 2e9) -> Ints:
    return np.minimum(rng.lognormal(np.log(median), spread, n), most).astype(np.int64) + 1


def spans(rng: np.random.Generator, n: int, median: float, spread: float, most: float = 7200.0) -> Floats:
    return np.minimum(rng.lognormal(np.log(median), spread, n), most)


def ports(rng: np.random.Generator, n: int) -> Ints:
    return rng.integers(32768, 61000, n)


def popular(rng: np.random.Generator, n: int, most: int) -> Ints:
    """Places in a list whose head is met often."""
    return (most * rng.random(n) ** 3).astype(np.int64)


def often(rng: np.random.Generator, devices: Ints, mean: Any) -> Ints:
    """Each device as often as a Poisson draw says."""
    return np.repeat(devices, rng.poisson(mean, len(devices)))


def periodic(rng: np.random.Generator, period: Floats, jitter: Floats, hours: float) -> tuple[Ints, Floats]:
    """Which source ticks, and when: period by period, each wait changed by at most the share `jitter`."""
    count = np.maximum(1, (hours * 3600.0 / period).astype(np.int64))
    who = np.repeat(np.arange(len(period)), count)
    step = period[who] * (1 + jitter[who] * rng.uniform(-1, 1, len(who)))
    starts = np.cumsum(count) - count
    total = np.cumsum(step)
    when = total - step - (total - step)[starts][who] + (rng.random(len(period)) * period)[who]
    keep = when < hours * 3600.0
    return who[keep], when[keep]
