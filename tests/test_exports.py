"""Flow exports: NetFlow v5, v9 and IPFIX, template by template, and what is broken about exporters."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicehunt import database
from devicehunt.flows import exports
from devicehunt.flows.export_rows import Batch
from devicehunt.flows.exports import Exports
from devicehunt.flows.records import Damage
from tests.datagrams import (
    NOW,
    NOW_S,
    UPTIME,
    USUAL,
    A,
    B,
    field_set,
    ipfix,
    options9,
    options10,
    packed,
    record5,
    template9,
    template10,
    usual,
    v5,
    v9,
)

MS = 10**6
Rows = list[dict[str, Any]]


def read(*datagrams: bytes, at: int = NOW) -> tuple[Rows, list[Damage], Exports]:
    """Rows in the order of datagrams, and the damage."""
    exporter = Exports()
    made = [part for number, datagram in enumerate(datagrams, 1) for part in exporter.feed(datagram, "192.0.2.1", number, at)]
    made += exporter.close()
    rows = [row for part in made if isinstance(part, Batch) for row in part.rows()]
    return rows, [part for part in made if isinstance(part, Damage)], exporter


def some(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


FIVE = ("src_ip", "src_port", "dst_ip", "dst_port", "proto")


def test_netflow5() -> None:
    rows, damage, _ = read(v5(10, record5(A, 50000, B, 443), record5(B, 443, A, 50000), sampling=0x4064), v5(12, record5(A, 1, B, 2)))
    assert not damage
    assert some(rows[0], *FIVE) == (A, 50000, B, 443, "tcp")
    assert some(rows[0], "packets", "bytes", "tcp_flags", "in_interface", "out_interface") == (7, 4200, 0x12, 4, 5)
    assert some(rows[0], "view", "domain", "sequence", "line", "template") == ("netflow5", 3, 10, 1, None)
    assert some(rows[0], "first_at", "last_at", "clock") == (NOW + 500 * MS - 5000 * MS, NOW + 500 * MS - 1000 * MS, "ok")
    assert [row["sampling"] for row in rows] == [100, 100, None]  # the third datagram says nothing


def test_netflow5_cut_and_lost() -> None:
    rows, damage, _ = read(v5(0, record5(A, 1, B, 2), record5(A, 3, B, 4))[:-10], v5(7, record5(A, 5, B, 6)))
    assert [row["src_port"] for row in rows] == [1, 5]
    assert [(d.reason.partition(": ")[2], d.first_packet) for d in damage] == [
        ("5 flow records lost on the way, in 1 gaps of the sequence", 2),
        ("a datagram is cut: it holds fewer records than its header says", 1),
    ]


def test_netflow9_and_ipfix() -> None:
    data = usual(A, 50000, B, 443) + usual(B, 443, A, 50000)
    rows, damage, counts = read(v9(0, template9(256, USUAL), field_set(256, data)), v9(1, field_set(256, data)))
    assert not damage and len(rows) == 4 == counts.records
    assert some(rows[0], *FIVE, "packets", "bytes", "direction", "view") == (A, 50000, B, 443, "tcp", 7, 4200, "ingress", "netflow9")
    assert some(rows[0], "first_at", "last_at", "clock", "depth") == (NOW - 5000 * MS, NOW - 1000 * MS, "ok", 0)
    shape = ((27, 16), (28, 16), (7, 2), (11, 2), (4, 1), (152, 8), (153, 8), (85, 8), (86, 3), (6, 2))
    body = (
        packed("2001:db8::1") + packed("2001:db8::2") + struct.pack(">HHBQQQ", 53, 40000, 17, NOW_S * 1000 - 9, NOW_S * 1000 - 2, 1 << 33)
    )
    body += (70000).to_bytes(3, "big") + b"\0\0"
    rows, damage, _ = read(ipfix(0, template10(300, shape), field_set(300, body)))
    assert not damage
    assert some(rows[0], *FIVE, "packets", "bytes") == ("2001:db8::1", 53, "2001:db8::2", 40000, "udp", 70000, 1 << 33)
    assert some(rows[0], "first_at", "last_at", "view") == (NOW - 9 * MS, NOW - 2 * MS, "ipfix")


def test_late_template_and_none_at_all() -> None:
    data = field_set(256, usual(A, 1, B, 2) * 3)
    rows, damage, _ = read(v9(0, data), v9(1, data), v9(2, template9(256, USUAL)))
    assert [row["line"] for row in rows] == [1, 1, 1, 2, 2, 2] and not damage
    rows, damage, _ = read(v9(0, data), v9(1, data))
    assert not rows
    assert damage[0].reason == "192.0.2.1 netflow9 domain 1: data of template 256, which the exporter never described"
    assert (damage[0].packets, damage[0].size, damage[0].first_packet) == (2, 2 * (len(data) - 4), 1)
    # the same number of another domain is another template
    rows, damage, _ = read(v9(0, data), v9(0, template9(256, USUAL), source=2))
    assert not rows and len(damage) == 1


def test_waiting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_WAITING", 5)
    data = field_set(256, usual(A, 1, B, 2))
    rows, damage, _ = read(*(v9(n, data) for n in range(9)), v9(9, template9(256, USUAL)))
    assert len(rows) == 5
    assert [(d.reason.partition(": ")[2], d.packets) for d in damage] == [("data without a template, and no room to wait for it", 4)]


def test_template_changes_and_withdrawal() -> None:
    shorter = USUAL[:-1]
    rows, damage, counts = read(
        v9(0, template9(256, USUAL), field_set(256, usual(A, 1, B, 2))),
        v9(1, template9(256, USUAL), field_set(256, usual(A, 2, B, 2))),
        v9(2, template9(256, shorter), field_set(256, usual(A, 3, B, 2)[:-1] * 2)),
    )
    assert not damage and counts.template_changes == 1
    assert [(row["src_port"], row["direction"]) for row in rows] == [(1, "ingress"), (2, "ingress"), (3, None), (3, None)]
    gone = field_set(2, struct.pack(">HH", 300, 0))
    rows, damage, _ = read(ipfix(0, template10(300, USUAL)), ipfix(0, gone), ipfix(0, field_set(300, usual(A, 1, B, 2))))
    assert not rows and "template 300, which the exporter never described" in damage[0].reason


def test_sampling() -> None:
    data = field_set(256, usual(A, 1, B, 2))
    options = options9(257, ((1, 4),), ((34, 4), (35, 1)))
    rows, damage, _ = read(
        v9(0, template9(256, USUAL), data),
        v9(1, options, field_set(257, struct.pack(">IIB", 0, 512, 1))),
        v9(2, data),
        v9(0, template9(256, USUAL), data, source=9),
    )
    # not before it is said, and not in another domain
    assert not damage and [row["sampling"] for row in rows] == [None, 512, None]


def test_sampling_by_sampler_and_interface() -> None:
    shape = (*USUAL, (48, 1))
    data = field_set(256, usual(A, 1, B, 2) + b"\1" + usual(A, 2, B, 2) + b"\2" + usual(A, 3, B, 2) + b"\3")
    options = options9(257, ((1, 4),), ((48, 1), (49, 1), (50, 4)))
    said = field_set(257, struct.pack(">IBBI", 0, 1, 2, 100) + struct.pack(">IBBI", 0, 2, 2, 2000))
    rows, _, _ = read(v9(0, template9(256, shape), options, said, data))
    assert [row["sampling"] for row in rows] == [100, 2000, None]
    options = options9(257, ((2, 4),), ((34, 4),))
    rows, _, _ = read(
        v9(0, template9(256, USUAL), options, field_set(257, struct.pack(">IIII", 4, 64, 8, 32)), field_set(256, usual(A, 1, B, 2)))
    )
    assert [row["sampling"] for row in rows] == [64]
    # IPFIX: one packet, then 999 not
    options = options10(400, ((302, 2),), ((305, 4), (306, 4)))
    shape = (*USUAL, (302, 2))
    said = field_set(400, struct.pack(">HII", 7, 1, 999))
    rows, _, _ = read(ipfix(0, options, said, template10(256, shape), field_set(256, usual(A, 1, B, 2) + b"\0\7")))
    assert [row["sampling"] for row in rows] == [1000]


def test_variable_and_enterprise_fields() -> None:
    shape = ((8, 4), (82, 65535), (12, 4), (99, 6, 12345), (7, 2), (11, 2), (4, 1), (1000, 65535, 9), (2, 4), (500, 3))
    one = (
        packed(A)
        + b"\3abc"
        + packed(B)
        + b"secret"
        + struct.pack(">HHB", 1, 2, 17)
        + b"\xff\1\0"
        + bytes(256)
        + struct.pack(">I", 9)
        + b"xyz"
    )
    two = packed(B) + b"\0" + packed(A) + b"secret" + struct.pack(">HHB", 3, 4, 6) + b"\0" + struct.pack(">I", 8) + b"xyz"
    rows, damage, _ = read(ipfix(0, template10(256, shape), field_set(256, one + two)))
    assert not damage
    assert [some(row, *FIVE, "packets") for row in rows] == [(A, 1, B, 2, "udp", 9), (B, 3, A, 4, "tcp", 8)]
    rows, damage, _ = read(ipfix(0, template10(256, shape), field_set(256, one + two[:-5])))
    assert len(rows) == 1 and "is no record" in damage[0].reason


def test_biflow() -> None:
    shape = (
        (8, 4),
        (12, 4),
        (7, 2),
        (11, 2),
        (4, 1),
        (6, 1),
        (2, 4),
        (1, 4),
        (2, 4, 29305),
        (1, 4, 29305),
        (6, 1, 29305),
        (10, 4),
        (14, 4),
    )
    body = packed(A) + packed(B) + struct.pack(">HHBBIIIIBII", 50000, 443, 6, 2, 5, 500, 4, 9000, 0x12, 1, 2)
    alone = packed(A) + packed(B) + struct.pack(">HHBBIIIIBII", 50001, 443, 6, 2, 1, 40, 0, 0, 0, 1, 2)
    rows, _, _ = read(ipfix(0, template10(256, shape), field_set(256, body + alone)))
    assert [some(row, *FIVE, "packets", "bytes", "tcp_flags", "in_interface") for row in rows] == [
        (A, 50000, B, 443, "tcp", 5, 500, 2, 1),
        (A, 50001, B, 443, "tcp", 1, 40, 2, 1),
        (B, 443, A, 50000, "tcp", 4, 9000, 0x12, 2),
    ]
    # what a firewall sent and what came back; alone the second field is something else
    both = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (231, 4), (232, 4))
    body = packed(A) + packed(B) + struct.pack(">HHBII", 1, 2, 17, 100, 200)
    rows, _, _ = read(v9(0, template9(256, both), field_set(256, body)))
    assert [some(row, "src_ip", "bytes", "packets") for row in rows] == [(A, 100, None), (B, 200, None)]
    lone = ((8, 4), (12, 4), (1, 4), (232, 4))
    rows, _, _ = read(v9(0, template9(256, lone), field_set(256, packed(A) + packed(B) + struct.pack(">II", 100, 200))))
    assert len(rows) == 1


def test_nat_and_icmp() -> None:
    shape: tuple[tuple[int, ...], ...] = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (225, 4), (226, 4), (227, 2), (228, 2))
    body = (
        packed("10.0.0.5")
        + packed(B)
        + struct.pack(">HHB", 50000, 443, 6)
        + packed("203.0.113.9")
        + bytes(4)
        + struct.pack(">HH", 61000, 0)
    )
    rows, _, _ = read(v9(0, template9(256, shape), field_set(256, body)))
    assert some(rows[0], "post_src_ip", "post_src_port", "post_dst_ip", "post_dst_port") == ("203.0.113.9", 61000, None, 0)
    # type and code: in a field of its own, in two, or in the target port
    rows, _, _ = read(v5(0, record5(A, 0, B, 0x0301, proto=1)))
    assert some(rows[0], "src_port", "dst_port", "proto") == (3, 1, "icmp")
    shape = ((27, 16), (28, 16), (4, 1), (139, 2))
    body = packed("2001:db8::1") + packed("2001:db8::2") + b"\x3a\x80\0"
    rows, _, _ = read(ipfix(0, template10(256, shape), field_set(256, body)))
    assert some(rows[0], "src_port", "dst_port", "proto") == (128, 0, "icmp6")
    shape = ((8, 4), (12, 4), (4, 1), (176, 1), (177, 1))
    rows, _, _ = read(ipfix(0, template10(256, shape), field_set(256, packed(A) + packed(B) + b"\1\3\4")))
    assert some(rows[0], "src_port", "dst_port") == (3, 4)


def test_packet_inside_a_tunnel_is_a_row_of_its_own() -> None:
    shape = ((27, 16), (28, 16), (7, 2), (11, 2), (4, 1), (2, 4), (8, 4), (12, 4), (7, 2), (11, 2), (4, 1))
    body = (
        packed("2001:db8::1")
        + packed("2001:db8::2")
        + struct.pack(">HHBI", 0, 0, 4, 3)
        + packed(A)
        + packed(B)
        + struct.pack(">HHB", 1, 2, 17)
    )
    rows, _, _ = read(ipfix(0, template10(256, shape), field_set(256, body)))
    assert [some(row, *FIVE, "packets", "depth") for row in rows] == [
        ("2001:db8::1", 0, "2001:db8::2", 0, "ipip", 3, 0),
        (A, 1, B, 2, "udp", 3, 1),
    ]


def test_clocks() -> None:
    sets = template9(256, USUAL), field_set(256, usual(A, 1, B, 2))
    year = 365 * 86400
    assert read(v9(0, *sets, seconds=NOW_S + year))[0][0]["clock"] == "future"
    assert read(v9(0, *sets, seconds=NOW_S + year), at=0)[0][0]["clock"] == "ok"  # nobody can know
    assert read(v9(0, *sets, seconds=NOW_S - year))[0][0]["clock"] == "past"
    backwards = field_set(256, usual(A, 1, B, 2, first=UPTIME, last=UPTIME - 1000))
    rows, _, _ = read(v9(0, sets[0], backwards))
    assert some(rows[0], "clock", "src_ip", "packets") == ("end-before-start", A, 7)
    later = field_set(256, usual(A, 1, B, 2, last=UPTIME + 90_000))
    assert read(v9(0, sets[0], later))[0][0]["clock"] == "future"
    # the uptime began anew between start and export
    wrapped = field_set(256, usual(A, 1, B, 2, first=(1 << 32) - 2000, last=500))
    rows, _, _ = read(v9(0, sets[0], wrapped, uptime=1000))
    assert some(rows[0], "first_at", "last_at", "clock") == (NOW - 3000 * MS, NOW - 500 * MS, "ok")


def test_ipfix_uptime_needs_the_start() -> None:
    data = field_set(256, usual(A, 1, B, 2, first=1000, last=2000))
    rows, _, _ = read(ipfix(0, template10(256, USUAL), data))
    assert some(rows[0], "first_at", "last_at", "clock", "exported_at") == (None, None, "no-clock", NOW)
    started = NOW_S * 1000 - 60_000
    options = options10(400, ((143, 4),), ((160, 8),)), field_set(400, struct.pack(">IQ", 0, started))
    rows, _, _ = read(ipfix(0, *options, template10(256, USUAL), data))
    assert some(rows[0], "first_at", "last_at", "clock") == (NOW - 59_000 * MS, NOW - 58_000 * MS, "ok")
    shape = ((8, 4), (12, 4), (154, 8), (155, 8))
    since = (NOW_S + 2_208_988_800 - 10) << 32
    rows, _, _ = read(ipfix(0, template10(256, shape), field_set(256, packed(A) + packed(B) + struct.pack(">QQ", since, since | 1 << 31))))
    assert some(rows[0], "first_at", "last_at") == (NOW - 10_000 * MS, NOW - 9_500 * MS)


def test_gaps_of_the_sequence() -> None:
    sets = template9(256, USUAL), field_set(256, usual(A, 1, B, 2))
    _, damage, _ = read(v9(0xFFFFFFFF, *sets), v9(0, *sets), v9(1, *sets), v9(5, *sets), v9(8, *sets))
    assert [(d.reason.partition(": ")[2], d.packets, d.first_packet) for d in damage] == [
        ("5 datagrams lost on the way, in 2 gaps of the sequence", 5, 4)
    ]
    two = field_set(256, usual(A, 1, B, 2) * 2)
    _, damage, _ = read(ipfix(0, template10(256, USUAL), two), ipfix(2, two), ipfix(4, two), ipfix(10, two))
    assert ["4 flow records lost" in d.reason for d in damage] == [True]
    # a restart is no loss
    _, damage, _ = read(v9(900, *sets), v9(0, *sets), v9(1, *sets))
    assert not damage


def test_what_is_not_read_is_said() -> None:
    cases = {
        b"": "datagrams that are no flow export",
        b"GET / HTTP/1.1": "datagrams that are no flow export",
        b"\0\5\0\1": "NetFlow version 5 datagrams are shorter than their header",
        b"\0\7\0\1": "NetFlow version 7 datagrams are shorter than their header",
        b"\0\x08" + bytes(60): "NetFlow version 8 datagrams are not read: they hold totals of a router's own, no flows",
    }
    for datagram, reason in cases.items():
        rows, damage, _ = read(datagram, datagram)
        assert not rows and [(d.reason, d.packets, d.size) for d in damage] == [(reason, 2, 2 * len(datagram))]
    _, damage, _ = read(v9(0, template9(256, ((1, 4), (2, 4))), field_set(256, bytes(8))))
    assert damage[0].reason.endswith("records of template 256 have no addresses")
    _, damage, _ = read(v9(0, template9(256, ((8, 0), (12, 0)))))
    assert damage[0].reason.endswith("a template of records without length")
    _, damage, _ = read(v9(0, struct.pack(">HH", 256, 900)))
    assert damage[0].reason.endswith("a set with a length that cannot be")


def test_into_the_database() -> None:
    exporter = Exports()
    exporter.feed(v9(0, template9(256, USUAL), field_set(256, usual(A, 50000, B, 443))), "192.0.2.1", 5, NOW)
    con = database.connect(views=False)
    for part in exporter.close():
        assert isinstance(part, Batch)
        part.insert(con, "r1", "s1", "x.pcap")
    row = con.execute(
        "select device, line, exporter, src_ip, src_key = ip(src_ip), dst_key = ip(dst_ip), proto, epoch_ns(first_at), "
        "sampling, post_src_ip from flows"
    ).fetchone()
    assert row == ("r1", 5, "192.0.2.1", A, True, True, "tcp", NOW - 5000 * MS, None, None)


SOUND = (
    v5(1, record5(A, 1, B, 2), record5(B, 2, A, 1), sampling=10),
    v9(1, template9(256, USUAL), options9(257, ((1, 4),), ((34, 4),)), field_set(257, bytes(8)), field_set(256, usual(A, 1, B, 2) * 3)),
    ipfix(1, template10(256, ((8, 4), (12, 4), (82, 65535), (2, 4, 29305), (152, 8))), options10(300, ((302, 2),), ((305, 4),)),
          field_set(256, (packed(A) + packed(B) + b"\2ab" + bytes(12)) * 3), field_set(300, bytes(12))),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(SOUND), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6), st.integers(0, 300)),
        max_size=5,
    )
)
def test_mutated_datagrams(changes: list[tuple[bytes, list[tuple[int, int]], int]]) -> None:
    made = []
    for datagram, places, end in changes:
        data = bytearray(datagram)
        for place, value in places:
            if place < len(data):
                data[place] = value
        made.append(bytes(data[: max(0, len(data) - end)] if end < 40 else data))
    rows, damage, counts = read(*made)
    assert all(row["src_ip"] and row["dst_ip"] for row in rows)
    assert all(d.reason and (d.packets or 0) >= 0 for d in damage)
    assert counts.datagrams == len(made)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([b"\0\5", b"\0\x09", b"\0\x0a"]), st.binary(max_size=200)), max_size=4))
def test_random_datagrams(parts: list[tuple[bytes, bytes]]) -> None:
    rows, damage, _ = read(*(version + rest for version, rest in parts))
    assert isinstance(rows, list) and len(damage) <= 4 * len(parts) + 4
