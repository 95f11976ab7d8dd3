"""What the device itself says of a relay, and what a hunt for relays could see: levels, words, and not-assessable with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from devicehunt import engine, rules
from devicehunt.model import Finding
from tests.situations import Situation, World

RULE = next(r for r in rules.load() if r.id == "relay-pairs")
WAN, LAN, PORT = "203.0.113.1", "192.168.7.1", 43117
Rows = dict[str, list[dict[str, Any]]]


def stamp(seconds: float) -> str:
    return f"2026-01-06 12:{int(seconds) // 60:02d}:{seconds % 60:09.6f}"


Ends = tuple[str, int, str, int]


def connection(number: int, start: float, lasts: float, ends: Ends, payload: tuple[int, int], **more: Any) -> dict[str, Any]:
    orig, orig_port, resp, resp_port = ends
    return {
        "connection": number, "proto": "tcp", "depth": 0, "first_at": stamp(start), "last_at": stamp(start + lasts),
        "orig_ip": orig, "orig_port": orig_port, "resp_ip": resp, "resp_port": resp_port,
        "orig_payload": payload[0], "resp_payload": payload[1],
        "orig_packets": 30, "resp_packets": 30, "oriented": "syn", "sampling": 1, "exhibit": "wan.pcap", "line": number, **more,
    }  # fmt: skip


def relayed(*, extra: int = 14, step: float = 21.7, **more: Any) -> list[dict[str, Any]]:
    """Eight sessions at a port, each led on a fifth of a second later; the relay's own protocol takes some bytes."""
    made = []
    for n in range(8):
        start, sizes = 3 + step * n + n * n % 5, (500 + 37 * n * n % 701, 3000 + 531 * n * n % 9973)
        into = (f"198.51.100.{10 + n % 3}", 41000 + n, WAN, PORT)
        made.append(connection(2 * n + 1, start, 4, into, (sizes[0] + extra, sizes[1] + extra), **more))
        made.append(connection(2 * n + 2, start + 0.2, 3.8, (WAN, 52000 + n, f"192.0.2.{20 + n}", 443), sizes, **more))
    return made


def inside() -> list[dict[str, Any]]:
    """The LAN side, watched all the time: whose the other connections are is known then."""
    return [
        connection(100 + 2 * n + side, 1 + 20 * n, 15, (who, 45000 + n, "192.0.2.200", 443), (900 + n, 7000 + 3 * n))
        for n in range(9)
        for side, who in enumerate((WAN, "192.168.7.30"))
    ]


ADDRESSES = [
    {"view": "ip", "interface": "eth0", "address_ip": WAN, "prefix_length": 24},
    {"view": "ip", "interface": "br-lan", "address_ip": LAN, "prefix_length": 24},
]
LISTENER = [{"view": "netstat", "proto": "tcp", "state": "LISTEN", "local_ip": "0.0.0.0", "local_port": PORT, "pid": 77}]
CONFIGURED = [{"view": "uci", "proto": "tcp", "port": PORT, "reason": "tinyproxy"}]
ASKED = [
    {"connection": 2 * n + 1, "kind": "socks5", "host": f"192.0.2.{20 + n}", "port": 443, "granted": True, "exhibit": "wan.pcap"}
    for n in range(8)
]
PROGRAM = [{"pid": 77, "exe": "/tmp/x", "exe_status": "ok"}]
NAT_RULE = {
    "action": "DNAT", "chain": "PREROUTING", "proto": "tcp", "dst_port_first": PORT,
    "to_ip": "192.0.2.20", "to_port": 443, "text": "-j DNAT",
}  # fmt: skip


def elsewhere(text: str) -> str:
    return text.replace(WAN, "192.0.2.250")


CASES: dict[str, Rows] = {
    "wire alone": {"connections": relayed(extra=60)},
    "to the byte": {"connections": [*relayed(), *inside()]},
    "to the byte, wan alone": {"connections": relayed()},
    "strange program": {"connections": relayed(extra=60), "sockets": LISTENER, "processes": PROGRAM},
    "request": {"connections": relayed(extra=60), "proxy_requests": ASKED},
    "rule": {"connections": relayed(extra=60), "nat_rules": [NAT_RULE]},
    "configured": {"connections": relayed(extra=60), "services": CONFIGURED},
    "configured, and asked": {"connections": relayed(extra=60), "services": CONFIGURED, "proxy_requests": ASKED},
    "configured, from /tmp": {"connections": relayed(extra=60), "services": CONFIGURED, "sockets": LISTENER,
                              "processes": PROGRAM},
    "account": {"connections": relayed(extra=60), "sessions": [{"view": "who", "account": "helper", "source_ip": "198.51.100.11"}]},
    "sampled": {"connections": relayed(sampling=100)},
    "short": {"connections": relayed(step=1.9)[:10]},
    "lan side alone": {"connections": [c for c in inside() if c["orig_ip"] != WAN]},
    "one direction": {"connections": [{**c, "resp_payload": 0} for c in relayed()]},
    "another's address": {"connections": [c | {k: elsewhere(c[k]) for k in ("orig_ip", "resp_ip")} for c in relayed()]},
    "offloaded": {"connections": [{**c, "orig_packets": 4, "resp_packets": 3} for c in relayed(extra=90000, step=15) + inside()],
                  "policies": [{"view": "flowtable", "kind": "flowtable", "text": "flowtable f on eth0"}]},
    "quiet": {"connections": inside()},
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[engine.Hits, engine.Races, World]:
    many = [
        Situation("fusion", n, name, matches=True, rows={"addresses": ADDRESSES, **rows}) for n, (name, rows) in enumerate(CASES.items())
    ]
    world = World(many, tmp_path_factory.mktemp("site"))
    return (*engine.match(world.con, RULE, world.scene), world)


def device(name: str) -> str:
    return f"fusion.{list(CASES).index(name):02d}"


def of(answers: tuple[engine.Hits, engine.Races, World], name: str) -> Finding:
    (found,) = answers[0][device(name), "1"]
    return found


@pytest.mark.parametrize(
    ("name", "level", "says"),
    [
        ("wire alone", "high", "8 of 8 sessions"),
        ("to the byte", "critical", "they match to the byte"),
        ("to the byte, wan alone", "high", "whose they are is known of 0 %"),
        ("strange program", "critical", "x, which holds it, lies in a place that a restart empties"),
        ("request", "critical", "8 began with a request (socks5) that names where they went"),
        ("rule", "critical", "a NAT rule sends it to 192.0.2.20:443"),
        ("configured", "medium", "configured (tinyproxy): confirm with the owner"),
        ("configured, and asked", "high", "confirm with the owner"),
        ("configured, from /tmp", "critical", "lies in a place that a restart empties"),
        ("account", "high", "helper had logged in from there"),
    ],
)
def test_what_the_device_says_raises_or_lowers_and_is_named(
    answers: tuple[engine.Hits, engine.Races, World], name: str, level: str, says: str
) -> None:
    found = of(answers, name)
    assert (found.level, says in found.title) == (level, True), found.title
    assert "[seen: a capture of" in found.title


def test_the_lines_of_the_device_are_cited_beside_those_of_the_wire(answers: tuple[engine.Hits, engine.Races, World]) -> None:
    cited = [e.exhibit.rpartition("/")[2] for e in of(answers, "strange program").evidence]
    assert {"wan.pcap", "sockets-netstat.txt", "processes-proc.txt"} <= set(cited)
    assert {"type": "process", "pid": 77, "name": "x", "exe": "/tmp/x"} in of(answers, "strange program").subjects
    assert "nat_rules-iptables.txt" in [e.exhibit.rpartition("/")[2] for e in of(answers, "rule").evidence]


def test_configured_is_explained_by_the_running_configuration_alone(answers: tuple[engine.Hits, engine.Races, World]) -> None:
    assert (of(answers, "configured").explained_by, of(answers, "configured, from /tmp").explained_by) == ("running", None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sampled", "only one packet in 100 was counted"),
        ("short", "shorter than 24 s leaves no other time to compare with"),
        ("lan side alone", "only the inner side was watched"),
        ("one direction", "only one direction of its connections was seen"),
        ("another's address", "no connection in it has an address of the device"),
        ("offloaded", "packets pass by what counts and records (a flowtable)"),
    ],
)
def test_what_could_not_be_seen_is_not_assessable_with_its_reason(
    answers: tuple[engine.Hits, engine.Races, World], name: str, says: str
) -> None:
    assert says in answers[1][device(name), "1"]


def test_where_all_could_be_seen_nothing_is_in_the_way(answers: tuple[engine.Hits, engine.Races, World]) -> None:
    assert (device("quiet"), "1") not in answers[0]
    assert (device("quiet"), "1") not in answers[1]
    words = answers[2].con.execute("select words from sights where device = ?", [device("quiet")]).fetchall()
    assert words == [("a capture of both sides, 175 s, 0 sessions in; whose they are is known of 100 %",)]
