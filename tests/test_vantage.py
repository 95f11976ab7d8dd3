"""Where a capture was taken: derived from the device's addresses, or given; and which rows are the device's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import devicehunt
from devicehunt import database, engine, show, vantage
from devicehunt.case import Case
from devicehunt.errors import UsageError
from tests.conversations import save, tcp
from tests.situations import Situation, fill

if TYPE_CHECKING:
    import duckdb

FAR, WAN, LAN, PC = "198.51.100.9", "203.0.113.1", "192.168.1.1", "192.168.1.50"
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def world() -> Iterator[duckdb.DuckDBPyConnection]:
    con = database.connect()
    for number, (_, rows, _) in enumerate(PLACES):
        fill(con, [Situation("place", number, "", matches=True, rows=rows)])
    for number, (_, rows, _) in enumerate(TUNNELS):
        fill(con, [Situation("tunnel", number, "", matches=True, rows=rows)])
    engine.prepare(con, [], None)
    yield con
    con.close()


def network(wan: str, *lans: str) -> Rows:
    """Addresses of a router: its WAN side has the default route."""
    sides = [("eth0", wan), *((f"br{n}", lan) for n, lan in enumerate(lans))]
    return {
        "addresses": [{"interface": i, "address_ip": a.split("/")[0], "prefix_length": int(a.split("/")[1])} for i, a in sides],
        "interfaces": [{"name": i} for i, _ in sides],
        "routes": [{"destination": "0.0.0.0/0", "interface": "eth0"}],
    }


def seen(*ends: tuple[str, str], **more: Any) -> Rows:
    return {"connections": [
        {"connection": n, "exhibit": "x", "orig_ip": a, "resp_ip": b, "proto": "tcp", "orig_port": 40000, "resp_port": 443, "depth": 0,
         "interface": 0, "resp_packets": 1, **more} for n, (a, b) in enumerate(ends, 1)
    ]}  # fmt: skip


HOME = network(f"{WAN}/24", f"{LAN}/24")
BEHIND = network("192.168.100.2/24", f"{LAN}/24")
PLACES = [
    ("the outer address", HOME | seen((WAN, FAR)), "wan"),
    ("a host inside", HOME | seen((PC, FAR)), "lan"),
    ("both", HOME | seen((WAN, FAR), (PC, FAR)), "any"),
    ("a host inside asks the outer address", HOME | seen((PC, WAN), (PC, FAR)), "lan"),
    ("behind another router", BEHIND | seen(("192.168.100.2", FAR)), "wan"),
    ("behind another router, with it", BEHIND | seen(("192.168.100.2", "192.168.100.1")), "wan"),
    ("behind another router, inside", BEHIND | seen((PC, FAR)), "lan"),
    ("a neighbour on the private WAN", BEHIND | seen(("192.168.100.7", FAR), ("192.168.100.2", FAR)), "wan"),
    ("an address of the carrier", network("100.64.3.4/10", f"{LAN}/24") | seen(("100.64.3.4", FAR)), "wan"),
    ("between two networks inside", network(f"{WAN}/24", f"{LAN}/24", "10.0.9.1/24") | seen((PC, "10.0.9.8")), "lan"),
    ("a host asks the inner address", HOME | seen((PC, LAN)), "lan"),
    ("public addresses inside", network("2001:db8:0:1::2/64", "2001:db8:9::1/64") | seen(("2001:db8:9::50", "2001:db8:ff::1")), "unknown"),
    ("the outer address of IPv6", network("2001:db8:0:1::2/64", "2001:db8:9::1/64") | seen(("2001:db8:0:1::2", "2001:db8:ff::1")), "wan"),
    ("the inner address of IPv6", network("2001:db8:0:1::2/64", "2001:db8:9::1/64") | seen(("2001:db8:9::50", "2001:db8:9::1")), "lan"),
    ("no address of the device", seen((PC, FAR)), "unknown"),
    ("given", HOME | seen((WAN, FAR)) | {"given_vantages": [{"exhibit": "x", "vantage": "wan", "author": "Ada"}]}, "wan"),
    ("given, and not so", HOME | seen((WAN, FAR)) | {"given_vantages": [{"exhibit": "x", "vantage": "lan", "author": "Ada"}]}, "lan"),
]


@pytest.mark.parametrize("number", range(len(PLACES)), ids=[p[0] for p in PLACES])
def test_where_it_was_taken(world: duckdb.DuckDBPyConnection, number: int) -> None:
    name, _, wanted = PLACES[number]
    [(found, contradicted, why)] = world.execute(
        "select vantage, contradicted, why from vantages where device = ?", [f"place.{number:02d}"]
    ).fetchall()  # fmt: skip
    assert (found, contradicted) == (wanted, name == "given, and not so"), why
    assert why.startswith("given by Ada: ") == name.startswith("given")


def carried(outer: tuple[str, str], proto: str, tunnel: str) -> Rows:
    head = {"exhibit": "x", "interface": 0, "resp_packets": 1}
    return {"connections": [
        {**head, "connection": 1, "orig_ip": outer[0], "resp_ip": outer[1], "proto": proto, "depth": 0},
        {**head, "connection": 2, "orig_ip": PC, "resp_ip": FAR, "proto": "tcp", "depth": 1, "tunnel": tunnel, "resp_port": 443},
    ]}  # fmt: skip


OWN6 = network("2001:db8:0:1::2/64", f"{LAN}/24")
TUNNELS = [
    ("DS-Lite or MAP-E", OWN6 | carried(("2001:db8:0:1::2", "2001:db8:ff::1"), "ipip", "4in6"), True),
    ("6rd", HOME | carried((WAN, FAR), "ipv6", "sit"), True),
    ("GRE", HOME | carried((FAR, WAN), "gre", "gre"), True),
    ("somebody else's", HOME | carried((PC, FAR), "gre", "gre"), False),
    ("another kind than the device's", HOME | carried((WAN, FAR), "ipip", "vxlan"), False),
    ("no address of the device", carried((WAN, FAR), "gre", "gre"), False),
]


@pytest.mark.parametrize("number", range(len(TUNNELS)), ids=[t[0] for t in TUNNELS])
def test_what_is_inside_the_devices_own_tunnel_is_its_traffic(world: duckdb.DuckDBPyConnection, number: int) -> None:
    sql = "select own_layer from own_traffic where device = ? order by connection"
    assert world.execute(sql, [f"tunnel.{number:02d}"]).fetchall() == [(True,), (TUNNELS[number][2],)]


def test_a_given_vantage_is_kept_with_its_author_and_its_contradiction_said(tmp_path: Path) -> None:
    wire = save(tmp_path / "wan.pcap", tcp((WAN, 40001), (FAR, 443), (">", b"x")))
    author = tmp_path / "case.yaml"
    author.write_text("operator: Ada\n")
    case = devicehunt.hunt([wire], case=tmp_path / "case", device="edge", device_ip=(WAN,), vantage=("wan.pcap=lan",), case_info=author)
    assert case.query("select vantage, derived, given_by from vantages").fetchall() == [("lan", "wan", "Ada")]
    again = Case.open(tmp_path / "case")
    assert (again.meta["vantage"], again.meta["vantage_by"]) == (["wan.pcap=lan"], "Ada")
    [gap] = [g.reason for g in show.result(case).gaps if g.parser == "--vantage"]
    assert gap.startswith("the addresses of this capture contradict its vantage: given by Ada: lan; by its addresses wan (1 connections: ")
    with pytest.raises(UsageError, match=r"lan\.pcap is no capture of this case"):
        devicehunt.hunt([wire], case=tmp_path / "other", vantage=("lan.pcap=lan",))


@pytest.mark.parametrize("words", [("inside",), ("wan.pcap=",), ("wan", "lan"), ("a=wan", "a=lan")])
def test_other_words_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--vantage"):
        vantage.facts(words, "")
