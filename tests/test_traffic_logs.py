"""Logs of Zeek and Suricata and outside scans: every line is a row, known to hold none, or counted as not read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicehunt import data, database
from devicehunt.flows import logs
from devicehunt.flows.loglines import LINE_LIMIT, Account
from devicehunt.flows.records import Damage
from tests import samples

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "traffic"
CORPUS = samples.CORPUS
KINDS = {
    "conn.log": "zeek-conn", "ssl.log": "zeek-ssl", "x509.log": "zeek-x509", "dns.log": "zeek-dns", "http.log": "zeek-http",
    "ssh.log": "zeek-ssh", "socks.log": "zeek-socks", "eve.json": "suricata", "nmap.xml": "nmap", "masscan.xml": "masscan-xml",
    "masscan.list": "masscan-list", "masscan.json": "masscan", "zgrab2.jsonl": "zgrab2", "shodan.jsonl": "shodan",
    "shodan-host.json": "shodan", "censys.json": "censys",
}  # fmt: skip
Tables = dict[str, list[dict[str, Any]]]


def take(raw: bytes, kind: str, **more: Any) -> tuple[Tables, list[Damage], Account]:
    account = Account()
    tables: Tables = {}
    damage = []
    for got in logs.read(kind, io.BytesIO(raw), account, **more):
        if isinstance(got, Damage):
            damage.append(got)
        else:
            tables.setdefault(got[0], []).extend(got[1])
    return tables, damage, account


def sample(name: str, **more: Any) -> tuple[Tables, list[Damage], Account]:
    return take((FIXTURES / name).read_bytes(), KINDS[name], **more)


def some(row: dict[str, Any], **want: Any) -> bool:
    return {k: row[k] for k in want} == want


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_kinds(name: str, kind: str) -> None:
    raw = (FIXTURES / name).read_bytes()
    assert logs.sniff(raw, name) == kind
    assert logs.sniff(raw, "export.dat") == kind  # by what it holds
    assert logs.sniff(gzip.compress(raw), name + ".gz") == kind
    tables, damage, account = take(raw, kind)
    assert damage == []
    assert account.unread == 0
    assert sum(map(len, tables.values())) == account.rows > 0
    assert tables.keys() <= set(database.tables())
    assert take(gzip.compress(raw[:100]) + gzip.compress(raw[100:]), kind) == (tables, damage, account)


@pytest.mark.parametrize("name", KINDS)
def test_rows_fit_the_schema(name: str) -> None:
    known: dict[str, set[str]] = {}
    for table, column in columns_of_the_schema():
        known.setdefault(table, set()).add(column)
    for table, rows in sample(name)[0].items():
        for row in rows:
            assert row.keys() <= known[table]
            assert row["line"] >= 1


def columns_of_the_schema() -> list[tuple[str, str]]:
    found = []
    for table, body in re.findall(r"(?ms)^create table (\w+)\((.*?)\);", data.schema_sql()):
        plain = re.sub(r"--[^\n]*", "", body)
        found += [(table, part.split()[0]) for part in plain.split(",") if part.split()]
    return found


@pytest.mark.parametrize("name", ["nonsense.txt", "notes.json", "config.xml"])
def test_other_files_are_none(name: str) -> None:
    for raw in (b"", b"hello", b"{}", b'{"a": 1}', b"<a/>", b"\x1f\x8b\x08junk", b"[1, 2]"):
        assert logs.sniff(raw, name) == ""


def test_zeek_connections() -> None:
    tables, _, account = sample("conn.log")
    tls, dns, icmp, inner = tables["connections"]
    assert account.ended
    assert some(tls, line=9, proto="tcp", orig_ip="192.0.2.10", orig_port=49152, resp_ip="198.51.100.20", resp_port=443, app="tls")
    assert some(tls, first_at=1772323200000001000, last_at=1772323201500001000, orig_flags="FSA", resp_flags="FSA")
    assert some(tls, orig_packets=10, orig_bytes=1045, resp_packets=9, resp_bytes=4572, orig_payload=517, resp_payload=4096, depth=0)
    assert some(dns, proto="udp", orig_flags=None, oriented="log", view="zeek")
    assert some(icmp, proto="icmp6", orig_port=128, resp_port=129, last_at=None, orig_payload=None, app=None)
    assert some(inner, depth=1, app="socks")


def test_one_number_for_one_connection() -> None:
    number = {r["orig_port"]: r["connection"] for r in sample("conn.log")[0]["connections"]}
    assert sample("ssl.log")[0]["tls_sessions"][0]["connection"] == number[49152]
    assert sample("dns.log")[0]["dns_queries"][0]["connection"] == number[40000]
    assert sample("socks.log")[0]["proxy_requests"][0]["connection"] == number[55555]
    assert len(set(number.values())) == 4
    assert all(0 < n < 1 << 63 for n in number.values())


def test_certificates_come_to_their_sessions() -> None:
    folder = logs.Folder()
    names = sorted(["ssl.log", "x509.log"], key=lambda n: logs.order(n, KINDS[n]))
    assert names == ["x509.log", "ssl.log"]
    sample("x509.log", folder=folder)
    (session,) = sample("ssl.log", folder=folder)[0]["tls_sessions"]
    assert some(session, sni="update.example.com", version="TLSv1.2", alpn="h2", sha256="ab" * 32, subject="CN=update.example.com")
    assert some(session, not_before="2025-12-01 00:00:00.000000", not_after="2050-01-01 00:00:00.000000", self_signed=True)
    assert some(session, names="update.example.com,www.example.com", line=9, view="zeek")
    (alone,) = sample("ssl.log")[0]["tls_sessions"]
    assert some(alone, subject=None, self_signed=None, sha256="ab" * 32)


def test_secrets_stay_where_they_are() -> None:
    for name in ("http.log", "socks.log"):
        assert "hunter2" in (FIXTURES / name).read_text()
        assert "hunter2" not in repr(sample(name))


def test_proxies() -> None:
    named, refused = sample("socks.log")[0]["proxy_requests"]
    assert some(named, kind="socks5", host="mail.example.com", port=25, reply="succeeded", granted=True)
    assert some(refused, kind="socks5", host="198.51.100.7", reply="refused", granted=False)
    (connect,) = sample("http.log")[0]["proxy_requests"]
    assert some(connect, kind="connect", host="mail.example.com", port=993, reply="200", granted=True)


def test_escapes_of_zeek_act_on_nothing() -> None:
    (row,) = sample("dns.log")[0]["dns_queries"]
    assert some(row, name="a\\x09b.example.com", answers="198.51.100.20,198.51.100.21", rcode="NOERROR", kind="A")


def test_suricata() -> None:
    tables, _, account = sample("eve.json")
    (flow,) = tables["connections"]
    assert some(flow, line=9, first_at=1772323200000001000, last_at=1772323201500000000, orig_flags="FSPA", resp_flags="SPA", app="tls")
    asked, alone = tables["dns_queries"]
    assert some(asked, line=2, name="www.example.com", kind="A", rcode="NOERROR", answers="198.51.100.20")
    assert some(alone, line=4, name="only.example.com", kind="TXT", rcode=None, answers=None)
    assert some(tables["ssh_sessions"][0], client_banner="SSH-2.0-OpenSSH_9.6", server_banner="SSH-2.0-dropbear_2022.83")
    assert some(tables["tls_sessions"][0], sha256=None, self_signed=True, connection=flow["connection"])  # its fingerprint is SHA-1
    assert account.passed == {"suricata alert": 1, "suricata stats": 1}


def test_ends_where_no_line_tells_the_connection() -> None:
    flow, *others = sample("eve.json", ends=True)[0]["connections"]
    assert [r["line"] for r in others] == [2, 4, 5, 6]
    assert all(some(r, first_at=None, orig_bytes=None, orig_ip="192.0.2.10") for r in others)
    assert flow["orig_bytes"] == 1200
    (only,) = sample("ssl.log", ends=True)[0]["connections"]
    assert some(only, proto="tcp", orig_port=49152, resp_ip="198.51.100.20", orig_packets=None)
    assert len(sample("conn.log", ends=True)[0]["connections"]) == 4


@pytest.mark.parametrize("name", ["nmap.xml", "masscan.xml", "masscan.list", "masscan.json", "zgrab2.jsonl", "shodan.jsonl", "censys.json"])
def test_scans_agree_on_the_open_port(name: str) -> None:
    rows = [r for r in sample(name)[0]["exposures"] if r["port"] == 443]
    assert len(rows) == 1
    assert some(rows[0], address="192.0.2.1", proto="tcp", state="open")
    assert rows[0]["seen_at"].startswith("2026-03-01 00:00:0")


def test_nmap() -> None:
    ssh, https, closed = sample("nmap.xml")[0]["exposures"]
    assert some(ssh, line=10, service="ssh", product="Dropbear sshd 2022.83 protocol 2.0", source="nmap", certificate=None)
    assert some(https, service="ssl/http", certificate=hashlib.sha256(b"\x30\x03\x02\x01\x05").hexdigest())
    assert some(closed, state="closed", service=None)  # the name of the number is no observation
    assert sample("nmap.xml")[2].passed == {"ports named only by their number: filtered": 1}


def test_zgrab2_and_shodan() -> None:
    ssh, tls, refused = sample("zgrab2.jsonl")[0]["exposures"]
    assert some(ssh, port=22, banner="SSH-2.0-dropbear_2022.83", product="dropbear_2022.83")
    assert some(tls, certificate="ab" * 32)
    assert some(refused, address="192.0.2.2", state="closed", service=None)
    assert some(sample("shodan.jsonl")[0]["exposures"][0], product="lighttpd 1.4", certificate="ab" * 32, service="https")
    assert some(sample("shodan-host.json")[0]["exposures"][0], address="192.0.2.1", port=22)


HEADER = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n"
LINE = b"1.5\tCa\t192.0.2.1\t1\t192.0.2.2\t2\ttcp\n"


@pytest.mark.parametrize(("raw", "rows", "reasons"), [
    (HEADER + LINE + LINE[:-1], 1, {"cut: the last line has no end": 1}),
    (HEADER + b"1.5\tCa\n" + LINE, 1, {"another number of fields than the header": 1}),
    (LINE + LINE + HEADER + LINE, 1, {"no #fields line before it": 2}),
    (HEADER + LINE.replace(b"192.0.2.1", b"host"), 0, {"orig_ip (id.orig_h) cannot be read": 1}),
    (HEADER + LINE.replace(b"192.0.2.1", b"-"), 0, {"no orig_ip (id.orig_h)": 1}),
    (HEADER + LINE.replace(b"\t2\t", b"\t70000\t"), 1, {"a value of id.resp_p cannot be read: connections.resp_port is null": 1}),
    (HEADER + LINE + b"\0" * 50 + b"\n", 1, {"another number of fields than the header": 1}),
    (HEADER + LINE + HEADER.replace(b"conn", b"weird") + LINE + HEADER + LINE, 2, {}),
    (HEADER + LINE + HEADER.replace(b"uid\t", b"") + LINE.replace(b"Ca\t", b""), 2, {}),
    (HEADER.replace(b"\t", b" ") .replace(b"\\x09", b"\\x20")+ LINE.replace(b"\t", b" "), 1, {}),
    (b"\xef\xbb\xbf" + HEADER.replace(b"\n", b"\r\n") + LINE.replace(b"\n", b"\r\n"), 1, {}),
])  # fmt: skip
def test_columns(raw: bytes, rows: int, reasons: dict[str, int]) -> None:
    tables, damage, _ = take(raw, "zeek-conn")
    assert len(tables.get("connections", [])) == rows
    assert {d.reason: d.packets for d in damage} == reasons
    assert logs.sniff(raw, "conn.log") in ("zeek-conn", "")


OBJECT = '{"ts":%s,"uid":"Ca","id.orig_h":"192.0.2.1","id.orig_p":1,"id.resp_h":"192.0.2.2","id.resp_p":2,"proto":"tcp","conn_state":"S0"}'


@pytest.mark.parametrize(("ts", "want"), [
    ("1517336042.279652", 1517336042279652000), ("1517336042", 1517336042 * 10**9), ("1517336042279", 1517336042279 * 10**6),
    ('"2018-01-30T18:14:02.279652Z"', 1517336042279652000), ('"2018-01-30T19:14:02+0100"', 1517336042 * 10**9),
    ("1.517336042279652e9", 1517336042279652000), ("-1.5", -1_500_000_000), ("NaN", None), ("true", None), ("1e999", None), ("[]", None),
    ('"yesterday"', None), ('"9999-01-01T00:00:00Z"', None), ('"9999999999999999999"', None),
])  # fmt: skip
def test_times(ts: str, want: int | None) -> None:
    (row,) = take((OBJECT % ts).encode() + b"\n", "zeek-conn")[0]["connections"]
    assert row["first_at"] == want


def test_json_one_a_line_in_a_list_or_spread() -> None:
    one = OBJECT % "1.5"
    spread = json.dumps([json.loads(one)] * 2, indent=2)
    for raw, lines in ((f"{one}\n{one}", [1, 2]), (f"[{one},\n{one}]\n", [1, 2]), (f"[{one},{one}]", [1, 1]), (spread, [2, 12])):
        tables, damage, _ = take(raw.encode(), "zeek-conn")
        assert [r["line"] for r in tables["connections"]] == lines
        assert damage == []


def test_a_broken_line_takes_no_other_with_it() -> None:
    one = OBJECT % "1.5"
    tables, damage, account = take(f"{one[:50]}\n{one}\nnothing\n{one}\n{one[:70]}".encode(), "zeek-conn")
    assert [r["line"] for r in tables["connections"]] == [2, 4]
    assert [(d.first_packet, d.packets) for d in damage] == [(1, 1), (3, 1), (5, 1)]
    assert account.unread == 3
    assert account.lines == 5


def test_nested_id_and_mixed_logs() -> None:
    nested = json.loads(OBJECT % "1.5") | {"id": {"orig_h": "192.0.2.7", "orig_p": 1, "resp_h": "192.0.2.8", "resp_p": 2}, "_path": "conn"}
    nested = {k: v for k, v in nested.items() if not k.startswith("id.")}
    other = {"_path": "weird", "ts": 1, "name": "x"}
    raw = (json.dumps(nested) + "\n" + json.dumps(other) + "\n").encode()
    assert logs.sniff(raw, "stream.json") == "zeek"
    tables, damage, account = take(raw, "zeek")
    assert tables["connections"][0]["orig_ip"] == "192.0.2.7"
    assert account.passed == {"zeek weird": 1}
    assert damage == []


def test_a_log_that_holds_nothing_is_counted() -> None:
    raw = HEADER.replace(b"conn", b"weird") + LINE
    assert logs.sniff(raw, "weird.log") == "zeek-other"
    tables, _, account = take(raw, "zeek-other")
    assert tables == {}
    assert sum(account.passed.values()) == 1


@pytest.mark.parametrize("text", [
    '<!DOCTYPE nmaprun [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><nmaprun><host>&b;</host></nmaprun>',
    '<!DOCTYPE nmaprun SYSTEM "file:///etc/passwd"><nmaprun/>',
    "<nmaprun>" + "<a>" * 100,
    "<svg/>",
    '<?xml version="1.0" encoding="nobody-knows"?><nmaprun/>',
])  # fmt: skip
def test_hostile_xml_is_refused(text: str) -> None:
    tables, damage, account = take(text.encode(), "nmap")
    assert tables == {}
    assert len(damage) == 1
    assert not account.ended


def test_cut_xml_keeps_what_was_whole() -> None:
    raw = (FIXTURES / "nmap.xml").read_bytes()
    tables, damage, account = take(raw[: raw.index(b'portid="8291"')], "nmap")
    assert len(tables["exposures"]) == 2
    assert len(damage) == 1
    assert not account.ended


def test_cut_and_damaged_gzip_is_said() -> None:
    packed = gzip.compress(HEADER + LINE * 5000)
    tables, damage, _ = take(packed[:-20], "zeek-conn")
    assert tables["connections"]
    assert any("cut" in d.reason for d in damage)
    broken = bytearray(gzip.compress(bytes(range(256)) * 100, mtime=0))
    broken[12:40] = b"\xff" * 28
    assert any("gzip" in d.reason for d in take(bytes(broken), "zeek-conn")[1])


def test_memory_is_bounded_by_the_line() -> None:
    class Endless(io.RawIOBase):
        left = 64 << 20

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return b"x" * size

    account = Account()
    tracemalloc.start()
    damage = [d for d in logs.read("suricata", Endless(), account) if isinstance(d, Damage)]  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [d.size for d in damage] == [64 << 20]
    assert peak < 6 * LINE_LIMIT


def test_damages_are_summed_up_when_there_are_many() -> None:
    raw = HEADER + (b"short\n" + LINE) * 5000
    tables, damage, account = take(raw, "zeek-conn")
    assert len(tables["connections"]) == 5000
    assert account.unread == 5000 == sum(d.packets or 0 for d in damage)
    assert len(damage) < 1100


def test_one_value_cannot_hold_without_end() -> None:
    port = {"port": 1, "proto": "tcp", "status": "open"}
    raw = json.dumps({"ip": "192.0.2.1", "timestamp": "1", "ports": [port] * (logs.RECORDS + 10)}).encode()
    tables, damage, _ = take(raw, "masscan")
    assert len(tables["exposures"]) == logs.RECORDS
    assert [d.first_packet for d in damage] == [1]


def test_tracked_sessions_with_times_and_bytes_are_connections_once() -> None:
    con = database.connect(views=False)
    rows = [
        ("e", 1, "tcp", 50000, 5, 500, 4, 400, False, "conntrack-events", "2025-01-01 00:00:01", "2025-01-01 00:00:09"),
        ("e", 2, "icmp", 7, 1, 84, 0, 0, True, "conntrack-events", None, "2025-01-01 00:00:09"),
        ("e", 3, "tcp", 50001, None, None, None, None, False, "conntrack-events", None, "2025-01-01 00:00:09"),
        ("l", 1, "tcp", 50002, 1, 40, 1, 40, False, "conntrack", None, None),
    ]
    con.executemany(
        "insert into nat_sessions (device, snapshot, exhibit, line, proto, orig_src_ip, orig_src_port, orig_dst_ip, orig_dst_port,"
        " orig_packets, orig_bytes, reply_packets, reply_bytes, offloaded, view, first_at, last_at)"
        " values ('d', 's', ?, ?, ?, '192.0.2.10', ?, '198.51.100.1', 443, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    con.execute("insert into exhibits (device, snapshot, exhibit, collected_at) values ('d', 's', 'l', '2025-01-01 00:00:05')")
    for _ in range(2):
        con.execute((Path(logs.__file__).parent / "nat.sql").read_text())
    told = "select connection, proto, orig_port, orig_bytes, resp_bytes, first_at is null, sampling from connections order by 1"
    assert con.execute(told).fetchall() == [(1, "tcp", 50000, 500, 400, False, 1), (2, "icmp", None, 84, 0, True, None)]
    seen = con.execute("select exhibit, seen_at::varchar from nat_sessions where seen_at is not null").fetchall()
    assert seen == [("l", "2025-01-01 00:00:05")]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus of public logs here")
def test_public_logs_are_read() -> None:
    lines = rows = unread = files = 0
    for path in sorted(p for part in ("flow", "pcap/zeek") for p in (CORPUS / part).rglob("*.log*") if p.is_file()):
        with path.open("rb") as stream:
            kind = logs.sniff(stream.read(65536), path.name)
            stream.seek(0)
            if kind in ("", "zeek-other"):
                continue
            account = Account()
            for _ in logs.read(kind, stream, account):
                pass
        files, lines, rows, unread = files + 1, lines + account.lines, rows + account.rows, unread + account.unread
    assert files > 150
    assert rows > 25_000
    assert unread <= 5  # what is cut or has another number of fields, in logs that were made so


ALL = sorted({*KINDS.values(), "zeek", "zeek-other", "zeek-open_conn"})
WORDS = [
    "ts", "uid", "id", "id.orig_h", "id.resp_h", "proto", "_path", "event_type", "src_ip", "dest_ip", "flow", "flow_id", "tcp",
    "tcp_flags_ts", "dns", "queries", "rrname", "answers", "data", "services", "ip", "ports", "port", "status", "result", "ip_str",
    "ssl", "cert", "fingerprint", "vlan", "start", "timestamp", "type", "tls", "certificate", "subject", "service", "uri", "method",
    "version", "user_agent", "duration", "history",
]  # fmt: skip
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["192.0.2.1", "flow", "conn", "443"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                WORDS,
            ),
            inner,
            max_size=8,
        )
    ),
    max_leaves=30,
)


def accounted(raw: bytes, kind: str) -> None:
    tables, damage, account = take(raw, kind, ends=True)
    assert account.rows == sum(map(len, tables.values()))
    assert account.unread >= 0
    assert account.unread == 0 or damage
    for rows in tables.values():
        for row in rows:
            json.dumps(row).encode()
            for value in row.values():
                assert not isinstance(value, int) or -(1 << 63) <= value < 1 << 63
                assert not isinstance(value, str) or ("\0" not in value and len(value.encode()) < 100_000)


@given(st.binary(max_size=300), st.sampled_from(ALL))
@settings(max_examples=200, deadline=None)
def test_any_bytes(raw: bytes, kind: str) -> None:
    logs.sniff(raw, "conn.log")
    accounted(raw, kind)


@given(st.lists(JSON_VALUES, max_size=4), st.sampled_from(ALL))
@settings(max_examples=300, deadline=None)
def test_any_json(values: list[Any], kind: str) -> None:
    raw = "\n".join(json.dumps(v) for v in values).encode()
    logs.sniff(raw, "x")
    accounted(raw, kind)


@given(st.sampled_from(sorted(KINDS)), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_logs(name: str, draw: st.DataObject) -> None:
    raw = bytearray((FIXTURES / name).read_bytes())
    for _ in range(draw.draw(st.integers(1, 5))):
        at = draw.draw(st.integers(0, max(len(raw) - 1, 0)))
        what = draw.draw(st.sampled_from(["byte", "cut", "double", "digit", "drop"]))
        if what == "byte":
            raw[at : at + 1] = draw.draw(st.binary(min_size=1, max_size=3))
        elif what == "cut":
            del raw[at:]
        elif what == "double":
            raw[at:at] = raw[at : at + 200]
        elif what == "digit":
            raw[at:at] = b"9" * 30
        else:
            del raw[at : at + draw.draw(st.integers(1, 40))]
        if not raw:
            break
    logs.sniff(bytes(raw), name)
    accounted(bytes(raw), KINDS[name])
    packed = zlib.compress(bytes(raw), wbits=31)
    accounted(packed[: draw.draw(st.integers(0, len(packed)))], KINDS[name])
