"""`conntrack -E`: events -> sessions, connections, and whose a connection was."""

from __future__ import annotations

import gzip

import pytest

from devicehunt import database, detect, parse, platforms, readers, tables
from devicehunt.model import Section
from devicehunt.readers import conntrack
from tests.samples import CORPUS

LAB = CORPUS.parent / "lab"
RUNS = sorted(LAB.glob("*/conntrack/*-E*.gz"))
PAIR = "src=192.168.1.20 dst=198.51.100.9 sport=50000 dport=443 {0}src=198.51.100.9 dst=203.0.113.9 sport=443 dport={1}"


def event(time: int, kind: str, port: int = 50000, end: str = "") -> str:
    return f"[{time}.500000]\t{'[' + kind + ']':>9} tcp      6 " + PAIR.format("[UNREPLIED] " if kind == "NEW" else "", port) + end


def told(lines: list[str]) -> tuple[list[readers.Row], list[str]]:
    found = list(readers.get("conntrack_events").read(iter(enumerate(lines, 1))))
    return [row for _, row, _ in found if row is not None], [reason for _, row, reason in found if row is None]


@pytest.mark.skipif(not RUNS, reason="no lab here")
def test_every_event_of_the_lab_is_read() -> None:
    for run in RUNS[::4]:
        rows, unread = told(gzip.decompress(run.read_bytes()).decode().splitlines())
        assert rows
        assert unread == []


def test_events_are_one_session_until_it_ends_or_begins_anew() -> None:
    rows, unread = told(
        [event(10, "NEW"), event(11, "UPDATE"), event(20, "DESTROY"), event(30, "UPDATE"), event(40, "NEW", 50001), event(50, "NEW", 50001)]
    )
    assert not unread
    assert [(r["first"], r["last"]) for r in rows] == [
        ("10.500000", "20.500000"), ("40.500000", "40.500000"), (None, "30.500000"), ("50.500000", "50.500000"),
    ]  # fmt: skip


def test_lines_of_other_kinds_and_sessions_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "SESSIONS", 2)
    odd = "    [NEW] 300 proto=6 src=192.0.2.1"
    rows, unread = told([event(10, "NEW"), event(11, "NEW", 1), odd, event(12, "NEW", 2), event(13, "UPDATE", 1)])
    assert len(rows) == 2
    assert unread == ["no event of connection tracking", "more than 2 sessions"]
    assert rows[1]["last"] == "13.500000"


def test_half_a_line_and_hostile_lines_are_no_session() -> None:
    whole = event(10, "DESTROY", 50000, " delta-time=99999999999999999999")
    for end in range(0, whole.index(" delta") - 5, 7):
        assert told([whole[:end]])[0] == []
    assert told([whole])[0][0]["first"] is None
    assert told(["[NEW] tcp 6 " + "src=1 dst=2 " * 1300])[0] == []


def loaded(text: str, command: str) -> tables.Loader:
    linux = platforms.load("linux")
    loader = tables.Loader()
    stanza = linux.find(command, text)
    loader.add(parse.parse(Section("e", "d", "s", 1, command, text.encode(), collected_at="2025-01-01T00:00:00+00:00"), stanza, linux))
    loader.convert()
    return loader


@pytest.mark.parametrize(
    "command", ["conntrack -E", "conntrack -E -o timestamp,extended,id", "sudo conntrack -o timestamp -E", "conntrack --event -p tcp"]
)
def test_a_session_with_times_and_bytes_is_a_connection_that_proves_no_absence(command: str) -> None:
    ended = event(20, "DESTROY").replace("dport=443 ", "dport=443 packets=3 bytes=300 ") + " packets=4 bytes=400 delta-time=5"
    con = loaded(f"{event(10, 'NEW')}\n{ended}\n{event(21, 'NEW')}\n", command).con
    rows = con.execute("select orig_port, orig_bytes, resp_bytes, epoch(first_at::timestamp) from connections").fetchall()
    assert rows == [(50000, 300, 400, 10.5)]
    feeds = con.execute("select table_name, row_count, incomplete from feeds order by 1").fetchall()
    assert feeds == [("connections", 1, "orig_ip,resp_ip"), ("nat_sessions", 2, "orig_src_ip")]


def test_converting_twice_repeats_nothing() -> None:
    loader = loaded(event(10, "NEW").replace("[NEW]", "[DESTROY]").replace("[UNREPLIED] ", "") + "\n", "conntrack -E")
    loader.convert()
    counts = [loader.con.execute(f"select count(*) from {t}").fetchall()[0][0] for t in ("exhibits", "feeds", "nat_sessions")]
    assert counts == [1, 2, 1]


def test_whose_a_connection_was_is_asked_of_the_session_of_its_time() -> None:
    con = database.connect()
    con.execute("insert into addresses (device, snapshot, exhibit, line, interface, address_ip, address_key, prefix_length, view)"
                " values ('d', 's', 'g', 1, 'wan', '203.0.113.9', ip('203.0.113.9'), 24, 'ip')")  # fmt: skip
    con.execute("insert into inside_ranges values (ip('192.168.0.0'), ip('192.168.255.255'))")
    for host, begun, ended in (("192.168.1.20", "00:00:10", "00:01:00"), ("192.168.1.30", "00:10:00", "00:11:00")):
        con.execute(
            "insert into nat_sessions (device, snapshot, exhibit, line, proto, orig_src_ip, orig_src_key, orig_src_port, "
            "orig_dst_key, orig_dst_port, reply_src_key, reply_src_port, reply_dst_key, reply_dst_port, first_at, last_at, view) values "
            "('d', 's', 'n', 1, 'tcp', $h, ip($h), 1, ip('198.51.100.9'), 443, ip('198.51.100.9'), 443, ip('203.0.113.9'), 50000, "
            "$a::timestamp, $b::timestamp, 'conntrack-events')",
            {"h": host, "a": f"2025-01-01 {begun}", "b": f"2025-01-01 {ended}"},
        )
    for number, at in enumerate(("00:00:05", "00:00:40", "00:05:00", "00:10:30")):
        con.execute(
            "insert into connections (device, snapshot, exhibit, line, connection, proto, orig_ip, orig_key, orig_port, "
            "resp_ip, resp_key, resp_port, first_at, last_at, depth, view) values "
            "('d', 's', 'c', $n, $n, 'tcp', '203.0.113.9', ip('203.0.113.9'), 50000, '198.51.100.9',"
            " ip('198.51.100.9'), 443, $t::timestamp, $t::timestamp, 0, 'packets')",
            {"n": number, "t": f"2025-01-01 {at}"},
        )
    rows = con.execute("select connection, whose, behind_ip from device_traffic order by 1").fetchall()
    assert rows == [(0, "behind", "192.168.1.20"), (1, "behind", "192.168.1.20"), (2, "unknown", None), (3, "behind", "192.168.1.30")]
    detect.fill(con)
    origins = con.execute("select connection, origin from legs order by 1").fetchall()
    assert origins == [(2, "unknown")]  # of the others hosts behind are the authors, to whom nobody came in
