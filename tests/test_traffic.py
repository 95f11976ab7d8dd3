"""Captures through the whole hunt: what a case, its tables, its gaps and its report make of them."""

from __future__ import annotations

import gzip
import shutil
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest

import devicehunt
from devicehunt.api import Job, Options
from devicehunt.case import Case
from tests.conversations import START, save, tcp, udp

CLIENT, SERVER, ROUTER = "192.0.2.10", "198.51.100.20", "203.0.113.1"
ASKED, ANSWERED = b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
WEB = tcp((CLIENT, 40001), (SERVER, 80), (">", ASKED), ("<", ANSWERED))


def hunted(tmp_path: Path, *sources: Path, **options: Any) -> Case:
    return devicehunt.hunt(sources, case=tmp_path / "case", device="edge", **options)


def rows(case: Case, sql: str) -> list[tuple[Any, ...]]:
    return case.query(sql).fetchall()


@pytest.mark.parametrize("name", ["wan.pcap", "wan.pcapng", "wan.pcap.gz"])
def test_a_capture_becomes_connections(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name.removesuffix(".gz"), WEB)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / name
    case = hunted(tmp_path, path)
    sent = sum(len(p) for p in WEB if p["IP"].src == CLIENT)
    assert rows(case, "select line, proto, orig_ip, orig_port, resp_ip, resp_port, orig_packets, orig_bytes, orig_flags, oriented, app, "
                "usual_port, view from connections") == [
        (1, "tcp", CLIENT, 40001, SERVER, 80, 5, sent, "FSPA", "syn", "http", True, "packets")
    ]  # fmt: skip
    assert rows(case, "select packets, unread_packets, linktype from captures_read") == [(len(WEB), 0, 1)]
    assert rows(case, "select status, unread from exhibits") == [("complete", 0)]
    assert case.verify() == []


def test_a_capture_stays_where_it_lies_and_its_hash_is_kept(tmp_path: Path) -> None:
    path = save(tmp_path / "wan.pcap", WEB)
    case = hunted(tmp_path, path)
    [entry] = case.entries
    assert (entry.kind, entry.origin, case.file(entry.exhibit).exists()) == ("capture", str(path.resolve()), False)
    path.write_bytes(path.read_bytes() + b"x")
    assert Case.open(tmp_path / "case").verify() == [f"{entry.exhibit} was changed: its SHA-256 is not the journal's"]
    path.unlink()
    assert Case.open(tmp_path / "case").verify() == [f"{entry.exhibit} is missing: it lay at {entry.origin}"]


def test_a_capture_that_is_gone_when_it_is_read_again_is_a_gap(tmp_path: Path) -> None:
    path = save(tmp_path / "wan.pcap", WEB)
    hunted(tmp_path, path)
    path.unlink()
    job = Job(Case.open(tmp_path / "case"), Options(), lambda *_: None)
    job.parse()
    assert [(s, r) for s, r in rows(job.case, "select e.status, g.reason from exhibits e join gaps g using (exhibit)")] == [
        ("lost", "cannot be opened: No such file or directory: 1 times")
    ]


def test_a_capture_inside_an_archive_is_kept_in_the_case(tmp_path: Path) -> None:
    path = save(tmp_path / "wan.pcap", WEB)
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as archive:
        archive.add(path, "evidence/wan.pcap")
    case = hunted(tmp_path, tmp_path / "all.tar.gz")
    [entry] = case.entries
    assert (entry.kind, entry.origin) == ("capture", "")
    assert case.file(entry.exhibit).read_bytes() == path.read_bytes()
    assert rows(case, "select app from connections") == [("http",)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-7], "the last record is cut: 1 packets, 63 bytes"),
        (lambda data: data + bytes(4096), "the end of the file is filled with zeros: 4096 bytes"),
        (lambda data: data + b"\xff" * 400, "not a packet record: passed over up to the next one: 400 bytes"),
        (lambda data: data[:20] + struct.pack("<I", 147) + data[24:], "link type 147"),
    ],
)
def test_what_a_capture_lost_is_said(tmp_path: Path, damage: Any, reason: str) -> None:
    path = save(tmp_path / "wan.pcap", WEB)
    path.write_bytes(damage(path.read_bytes()))
    case = hunted(tmp_path, path)
    assert rows(case, "select status from exhibits") == [("cut",)]
    assert any(reason in r for (r,) in rows(case, "select reason from gaps")), rows(case, "select reason from gaps")
    assert rows(case, "select distinct usable from feeds") == [(False,)]


def test_an_empty_capture_holds_no_packet_and_that_is_said(tmp_path: Path) -> None:
    case = hunted(tmp_path, save(tmp_path / "wan.pcap", WEB[:1]).rename(tmp_path / "a.pcap"))
    assert rows(case, "select count(*) from connections") == [(1,)]
    (tmp_path / "none.pcap").write_bytes((tmp_path / "a.pcap").read_bytes()[:24])
    shutil.rmtree(tmp_path / "case")
    case = hunted(tmp_path, tmp_path / "none.pcap")
    assert rows(case, "select status from exhibits") == [("empty",)]
    assert case.verdicts[0].verdict == "inconclusive"


def test_whose_end_is_the_devices(tmp_path: Path) -> None:
    packets = WEB + udp((ROUTER, 5000), (SERVER, 53), (">", b"x"))
    case = hunted(tmp_path, save(tmp_path / "wan.pcap", packets), device_ip=(ROUTER,))
    assert rows(case, "select orig_ip, from_device, to_device, resp_outside from own_traffic order by line") == [
        (CLIENT, False, False, True), (ROUTER, True, False, True),
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "case")
    unknown = hunted(tmp_path, tmp_path / "wan.pcap")
    assert rows(unknown, "select distinct from_device from own_traffic") == [(None,)]


def test_a_capture_beside_outputs_joins_their_device(tmp_path: Path) -> None:
    folder = tmp_path / "edge"
    folder.mkdir()
    (folder / "ip_addr.txt").write_text(
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP group default qlen 1000\n"
        "    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff\n"
        f"    inet {ROUTER}/24 brd 203.0.113.255 scope global eth0\n       valid_lft forever preferred_lft forever\n"
    )
    save(folder / "wan.pcap", tcp((ROUTER, 40002), (SERVER, 443), (">", b"hello")))
    case = devicehunt.hunt([folder], case=tmp_path / "case")
    assert rows(case, "select device, from_device from own_traffic") == [("edge", True)]


ASK = b"\x05\x01\x00"
CONNECT = b"\x05\x01\x00\x01" + bytes([198, 51, 100, 99]) + (443).to_bytes(2, "big")
GRANTED = b"\x05\x00\x00\x01" + bytes(6)


def test_a_proxy_on_the_device_is_found_on_the_wire_and_unknown_addresses_are_no_clean(tmp_path: Path) -> None:
    talk = tcp(("198.51.100.7", 40100), (ROUTER, 4433), (">", ASK), ("<", b"\x05\x00"), (">", CONNECT), ("<", GRANTED), (">", b"hello"))
    wire = save(tmp_path / "wan.pcap", talk)
    case = hunted(tmp_path, wire, device_ip=(ROUTER,))
    [found] = [f for f in case.findings if f.rule == "proxy-answered-by-device"]
    assert found.title == "the device itself answers as a socks5 proxy on port 4433, and lets outsiders through"
    assert found.level == "critical"
    assert found.evidence[0].text.startswith(f"packet 1: tcp 198.51.100.7:40100 > {ROUTER}:4433, first at 2026-01-06 ")
    assert case.verdicts[0].verdict == "compromised"
    shutil.rmtree(tmp_path / "case")
    blind = hunted(tmp_path, wire)
    [cover] = [c for c in blind.coverage if c.rule == "proxy-answered-by-device"]
    assert (cover.result, cover.reasons[-1]) == (
        "not-assessable", "no address of the device is known: collect its addresses, or give --device-ip"
    )  # fmt: skip
    assert blind.verdicts[0].verdict == "inconclusive"


def scan() -> list[Any]:
    return [packet for n in range(1, 41) for packet in tcp((ROUTER, 40000 + n), (f"198.51.100.{n}", 23), start=START + n, close=False)[:1]]


def mining() -> list[Any]:
    login = b'{"id":1,"method":"mining.subscribe","params":["miner/1.0"]}\n'
    return tcp((ROUTER, 40001), (SERVER, 3333), (">", login), ("<", b'{"id":1,"result":[[],"08000002",4],"error":null}\n'))


def pages() -> list[Any]:
    return tcp(("198.51.100.7", 40001), (ROUTER, 8080), (">", ASKED), ("<", ANSWERED))


@pytest.mark.parametrize(
    ("rule", "talk"), [("device-scans-others", scan), ("mining-traffic", mining), ("management-in-clear-from-outside", pages)]
)
def test_a_rule_of_the_wire_hits_and_honest_traffic_does_not(tmp_path: Path, rule: str, talk: Any) -> None:
    evil = hunted(tmp_path, save(tmp_path / "evil.pcap", talk()), device_ip=(ROUTER,))
    assert [f.level for f in evil.findings if f.rule == rule] == ["medium"]  # on the WAN alone; the device's pages
    shutil.rmtree(tmp_path / "case")
    honest = WEB + tcp((ROUTER, 40001), (SERVER, 443), (">", b"x"), ("<", b"y"))
    fine = hunted(tmp_path, save(tmp_path / "fine.pcap", honest), device_ip=(ROUTER,))
    assert {c.rule: c.result for c in fine.coverage}[rule] == "no-hit"
    assert fine.findings == []


def test_a_capture_of_headers_or_of_middles_cannot_tell_what_was_spoken(tmp_path: Path) -> None:
    middle = [p for p in tcp(("198.51.100.7", 40100), (ROUTER, 4433), (">", b"x" * 90), ("<", b"y")) if "S" not in str(p["TCP"].flags)]
    case = hunted(tmp_path, save(tmp_path / "middle.pcap", middle), device_ip=(ROUTER,))
    assert {c.rule: c.result for c in case.coverage}["mining-traffic"] == "not-assessable"
    assert {c.rule: c.result for c in case.coverage}["device-scans-others"] == "no-hit"  # addresses and flags are there
    [(reason,)] = rows(case, "select reason from gaps where reason like 'connections:%'")
    assert reason == "connections: 1 of 1 TCP connections have no beginning here: what they speak is not known"


def test_packets_without_addresses_are_named(tmp_path: Path) -> None:
    from scapy.layers.l2 import ARP, Ether

    asked = Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=CLIENT, pdst=SERVER)
    asked.time = START
    case = hunted(tmp_path, save(tmp_path / "wan.pcap", [asked, *WEB]))
    assert rows(case, "select packets, unread_packets, other_packets from captures_read") == [(len(WEB) + 1, 0, "arp 1")]


@pytest.mark.parametrize(("options", "reason"), [({"loss": 0.99}, "lost 40 packets"), ({"snaplen": 34}, "resp_port not shown")])
def test_a_scan_of_which_too_little_was_captured_is_not_clean(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    from devicehunt.replay import change

    [degraded], _ = change.changed([save(tmp_path / "scan.pcap", scan())], tmp_path, options)
    case = hunted(tmp_path, degraded, device_ip=(ROUTER,))
    [cover] = [c for c in case.coverage if c.rule == "device-scans-others"]
    assert (cover.result, reason in " ".join(cover.reasons)) == ("not-assessable", True), cover
