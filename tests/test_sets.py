"""Captures in several files: which names make a set, and that the set is one capture."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest

import devicehunt
from devicehunt.case import Case
from devicehunt.flows import sets
from tests.conversations import START, save, tcp, udp

CLIENT, SERVER, OTHER = "192.0.2.10", "198.51.100.20", "198.51.100.30"
PAGE = (">", b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"), ("<", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), ("<", b"more")
WEB = tcp((CLIENT, 40001), (SERVER, 80), *PAGE, start=START)
LATER = udp((CLIENT, 5000), (OTHER, 53), (">", b"x"), ("<", b"y"), start=START + 5)


def rows(case: Case, sql: str) -> list[tuple[Any, ...]]:
    return case.query(sql).fetchall()


@pytest.mark.parametrize(
    ("name", "stem", "sure", "number", "time"),
    [
        ("wan.pcap", "wan.pcap", False, None, None),
        ("wan.pcap12", "wan.pcap", True, 12, None),
        ("wan.pcap.2.gz", "wan.pcap", True, 2, None),
        ("wan.pcap-20260101", "wan.pcap", True, None, "20260101"),
        ("wan_00003_20260101120000.pcapng", "wan.pcapng", True, 3, "20260101120000"),
        ("wan-2026-01-01T12:00:00.pcap.zst", "wan.pcap", True, None, "2026-01-01T12:00:00"),
        ("20260101_1200-wan.pcap", "-wan.pcap", True, None, "20260101_1200"),
        ("lan_1.pcap", "lan.pcap", False, 1, None),
        ("wan07", "wan", False, 7, None),
        ("eth0.pcap", "eth0.pcap", False, None, None),
    ],
)
def test_what_a_name_says(name: str, stem: str, sure: bool, number: int | None, time: str | None) -> None:
    assert sets.read_name(name) == sets.Name(stem, sure, number, time)


def test_names_alone_do_not_join_what_ran_at_the_same_time(tmp_path: Path) -> None:
    one, two, three = (save(tmp_path / f"lan_{n}.pcap", talk) for n, talk in enumerate((WEB, LATER, LATER), 1))
    assert sets.groups([(p.name, p) for p in (one, two)]) == [[0, 1]]
    assert sets.groups([(p.name, p) for p in (one, two, three)]) == [[0], [1], [2]]
    wan = save(tmp_path / "wan.pcap", LATER)
    assert sets.groups([(p.name, p) for p in (one, wan, two)]) == [[0, 2], [1]]


def in_files(folder: Path, *names: str, packets: Any = (*WEB, *LATER)) -> list[Path]:
    """The packets in as many files, the first ones in the first."""
    folder.mkdir(exist_ok=True)
    size = -(-len(packets) // len(names))
    paths = []
    for number, name in enumerate(names):
        plain = save(folder / "plain.pcap", packets[number * size : (number + 1) * size])
        data = plain.read_bytes()
        plain.unlink()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        paths.append(folder / name)
    return paths


@pytest.mark.parametrize("names", [
    ("wan.pcap0", "wan.pcap1", "wan.pcap2"),
    ("wan.pcap.2.gz", "wan.pcap.1.gz", "wan.pcap"),
    ("wan0", "wan1", "wan2"),
])  # fmt: skip
def test_a_connection_that_crosses_files_is_one(tmp_path: Path, names: tuple[str, ...]) -> None:
    paths = in_files(tmp_path / "in", *names)
    case = devicehunt.hunt(list(reversed(paths)), case=tmp_path / "case")
    told = (
        "select orig_ip, resp_ip, orig_packets, resp_packets, orig_payload, app, first_at::timestamp, last_at::timestamp "
        "from connections order by resp_ip"
    )
    assert [r[:6] for r in rows(case, told)] == [(CLIENT, SERVER, 5, 4, len(PAGE[0][1]), "http"), (CLIENT, OTHER, 1, 1, 1, None)]
    assert [int((last - first).total_seconds() * 1000 + 0.5) for *_, first, last in rows(case, told)] == [80, 10]
    assert {e.device for e in case.entries} == {"wan"}
    # 11 packets in files of 4: the second connection begins with number 10, the second of the last file
    cited = rows(case, f"select exhibit like '%-{names[0].lower()}', line from connections order by resp_ip")
    assert cited == [(True, 1), (False, 2)]
    assert rows(case, "select sum(packets), count(distinct capture) from captures_read") == [(11, 1)]
    assert rows(case, "select c.app, r.path from http_requests r join connections c using (exhibit, connection)") == [("http", "/")]
    assert rows(case, "select distinct usable from feeds where table_name = 'connections'") == [(True,)]
    assert sorted(rows(case, "select lines, status, unread from exhibits")) == [(n, "complete", 0) for n in (3, 4, 4)]


def gaps(case: Case) -> list[str]:
    return [reason for (reason,) in rows(case, "select distinct reason from gaps order by reason")]


def test_what_does_not_fit_together_is_said(tmp_path: Path) -> None:
    paths = in_files(tmp_path / "in", "wan.pcap0", "wan.pcap1", "wan.pcap2")
    case = devicehunt.hunt([paths[0], paths[2]], case=tmp_path / "lacking")
    assert gaps(case) == ["the set of 2 files lacks number 1"]
    assert rows(case, "select distinct usable, reason from feeds") == [(False, "the set of 2 files lacks number 1")]
    shutil.copy(paths[0], paths[1])  # as a copy that somebody made
    twice = devicehunt.hunt(paths[:2], case=tmp_path / "twice")
    assert "wan.pcap1 begins 0:00:01 before the end of wan.pcap0: packets may be there twice" in gaps(twice)


def test_files_of_another_link_or_host_are_said(tmp_path: Path) -> None:
    from scapy.layers.l2 import Ether

    first = save(tmp_path / "wan.pcap0", WEB)
    for packet in (other := [p.copy() for p in LATER]):
        packet[Ether].src, packet[Ether].dst = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
    for packet, old in zip(other, LATER, strict=True):
        packet.time = old.time
    second = save(tmp_path / "wan.pcap1", other)
    case = devicehunt.hunt([first, second], case=tmp_path / "hosts")
    assert gaps(case) == ["wan.pcap1 shares no link address with the files before it: it may be of another host"]
    data = second.read_bytes()
    second.write_bytes(data[:20] + (101).to_bytes(4, "little") + data[24:])
    case = devicehunt.hunt([first, second], case=tmp_path / "links")
    assert "wan.pcap1 has link type 101, wan.pcap0 has 1" in gaps(case)


def test_a_damaged_member_makes_the_set_incomplete(tmp_path: Path) -> None:
    paths = in_files(tmp_path / "in", "wan.pcap0", "wan.pcap1", "wan.pcap2")
    paths[1].write_bytes(paths[1].read_bytes()[:-5])
    case = devicehunt.hunt(paths, case=tmp_path / "case")
    status = rows(case, "select status from exhibits order by exhibit")
    assert status == [("complete",), ("cut",), ("complete",)]
    [(usable, reason)] = rows(case, "select distinct usable, reason from feeds")
    assert (usable, reason.startswith("wan.pcap1: the last record is cut: 1 packets")) == (False, True)
    [(line, exhibit)] = rows(case, "select line, exhibit from gaps")
    assert (line, "pcap1" in exhibit) == (4, True)


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (lambda n, p: p["IP"].src == CLIENT, "one direction only was captured: 1 of 1 TCP connections show no packet of the other end"),
        (lambda n, p: n != 5, "packets are missing inside 1 of 1 TCP connections that were looked at: lost, or sampled"),
    ],
)
def test_what_is_not_whole_is_no_clean(tmp_path: Path, kept: Any, reason: str) -> None:
    talk = tcp((CLIENT, 40001), (SERVER, 80), *PAGE, ("<", b"the end"))
    wire = save(tmp_path / "wan.pcap", [p for n, p in enumerate(talk) if kept(n, p)])
    case = devicehunt.hunt([wire], case=tmp_path / "case", device="edge", device_ip=(CLIENT,))
    assert rows(case, "select distinct usable, reason from feeds where table_name = 'connections'") == [(False, reason)]
    assert {c.rule: c.result for c in case.coverage}["device-scans-others"] == "not-assessable"


def test_a_request_in_pieces_of_one_byte_is_recognised(tmp_path: Path) -> None:
    pieces = [(">", bytes([byte])) for byte in PAGE[0][1]]
    case = devicehunt.hunt([save(tmp_path / "wan.pcap", tcp((CLIENT, 40001), (SERVER, 80), *pieces, PAGE[1]))], case=tmp_path / "case")
    assert rows(case, "select c.app, r.host from connections c left join http_requests r using (exhibit, connection)") == [
        ("http", "example.net")
    ]


def test_a_capture_from_a_pipe_is_kept_in_the_case(tmp_path: Path) -> None:
    import subprocess
    import sys

    wire = save(tmp_path / "wan.pcap", WEB)
    command = [sys.executable, "-m", "devicehunt", "hunt", "-", "-o", str(tmp_path / "case"), "--device", "edge"]
    with wire.open("rb") as stream:
        done = subprocess.run(command, stdin=stream, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    moved = (tmp_path / "case").rename(tmp_path / "moved")
    case = Case.open(moved)
    [entry] = case.entries
    assert (entry.kind, entry.origin, case.verify()) == ("capture", "evidence/stream/stdin", [])
    assert case.traffic(entry).read_bytes() == wire.read_bytes()
    assert rows(case, "select app from connections") == [("http",)]
