"""sFlow version 5: sampled packets as flows of one packet."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datagrams import NOW, A, B, packed
from tests.test_exports import FIVE, read, some

scapy = pytest.importorskip("scapy.all")


def record(kind: int, data: bytes) -> bytes:
    return struct.pack(">II", kind, len(data)) + data


def raw(frame: bytes, protocol: int = 1) -> bytes:
    """A packet header, as it was sampled."""
    data = struct.pack(">IIII", protocol, len(frame) + 4, 4, len(frame)) + frame
    return record(1, data + bytes(-len(data) % 4))


def sample(*records: bytes, rate: int = 256, incoming: int = 3, outgoing: int = 7) -> bytes:
    return record(1, struct.pack(">8I", 1, 3, rate, 1000, 0, incoming, outgoing, len(records)) + b"".join(records))


def expanded(*records: bytes) -> bytes:
    return record(3, struct.pack(">11I", 1, 0, 3, 512, 1000, 0, 0, 70000, 1, 5, len(records)) + b"".join(records))


def datagram(sequence: int, *samples: bytes) -> bytes:
    return struct.pack(">II4sIIII", 5, 1, packed("192.0.2.1"), 2, sequence, 1000, len(samples)) + b"".join(samples)


def frame(*layers: object) -> bytes:
    packet = scapy.Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")
    for layer in layers:
        packet /= layer
    return bytes(packet)


TCP = frame(scapy.Dot1Q(vlan=5), scapy.IP(src=A, dst=B), scapy.TCP(sport=50000, dport=443, flags="S"), b"x" * 20)
UDP6 = frame(scapy.IPv6(src="2001:db8::1", dst="2001:db8::2"), scapy.UDP(sport=53, dport=4000), b"x" * 8)


def test_packet_headers() -> None:
    counters = record(2, bytes(40))
    rows, damage, counts = read(
        datagram(1, sample(raw(TCP)), counters, expanded(raw(UDP6)), sample(raw(frame(scapy.IP(src=B, dst=A), scapy.ICMP()), 1)))
    )
    assert not damage and counts.option_records == 1 and counts.records == 3
    assert [some(row, *FIVE, "packets", "bytes", "tcp_flags") for row in rows] == [
        (A, 50000, B, 443, "tcp", 1, 60, 2),
        ("2001:db8::1", 53, "2001:db8::2", 4000, "udp", 1, 56, None),
        (B, 8, A, 0, "icmp", 1, 28, None),
    ]
    assert [some(row, "sampling", "in_interface", "out_interface") for row in rows[:2]] == [(256, 3, 7), (512, 70000, None)]
    assert some(rows[0], "view", "domain", "line", "first_at", "last_at", "exported_at", "clock") == ("sflow", 2, 1, NOW, NOW, None, "ok")
    rows, _, _ = read(datagram(1, sample(raw(TCP))), at=0)
    assert some(rows[0], "first_at", "clock") == (None, "no-clock")


def test_headers_that_the_agent_has_read() -> None:
    four = record(3, struct.pack(">II4s4sIIII", 1400, 6, packed(A), packed(B), 1, 2, 16, 0))
    six = record(4, struct.pack(">II16s16sIIII", 60, 17, packed("2001:db8::1"), packed("2001:db8::2"), 3, 4, 0, 0))
    rows, damage, _ = read(
        datagram(1, sample(four), sample(six), sample(raw(bytes(scapy.IP(src=B, dst=A) / scapy.UDP(sport=9, dport=8)), 11)))
    )
    assert not damage
    assert [some(row, *FIVE, "bytes") for row in rows] == [
        (A, 1, B, 2, "tcp", 1400),
        ("2001:db8::1", 3, "2001:db8::2", 4, "udp", 60),
        (B, 9, A, 8, "udp", 28),
    ]


def test_interfaces_that_are_none() -> None:
    rows, _, _ = read(datagram(1, sample(raw(TCP), incoming=0x3FFFFFFF, outgoing=0x80000004)))
    assert some(rows[0], "in_interface", "out_interface") == (None, None)


def test_fragments_have_no_ports() -> None:
    later = frame(scapy.IP(src=A, dst=B, frag=100, proto=17), b"\0\1\0\2abcd")
    assert some(read(datagram(1, sample(raw(later))))[0][0], *FIVE) == (A, None, B, None, "udp")


def test_what_is_not_read_is_said() -> None:
    arp = frame(scapy.ARP())
    cases = {
        datagram(1, sample(raw(arp))): "sFlow samples of packets that are no IP",
        datagram(1, sample()): "an sFlow sample without a packet header",
        datagram(1, sample(raw(TCP)))[:-70]: "an sFlow sample is cut",
        datagram(1, record(77, bytes(8))): "an sFlow sample of a kind that is not known",
        datagram(1, sample(raw(TCP)))[:28]: "an sFlow datagram is cut: it holds fewer samples than its header says",
    }
    for one, reason in cases.items():
        rows, damage, _ = read(one)
        assert not rows and [d.reason for d in damage] == [f"192.0.2.1 sflow domain 2: {reason}"]
    assert [d.reason for d in read(datagram(1)[:20])[1]] == ["an sFlow datagram is shorter than its header"]
    _, damage, _ = read(datagram(1, sample(raw(TCP))), datagram(5, sample(raw(TCP))))
    assert [(d.reason, d.packets) for d in damage] == [
        ("192.0.2.1 sflow domain 2: 3 datagrams lost on the way, in 1 gaps of the sequence", 3)
    ]


SOUND = datagram(1, sample(raw(TCP)), expanded(raw(UDP6)), record(2, bytes(40)))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(8, len(SOUND) - 1), st.integers(0, 255)), max_size=8), st.integers(8, len(SOUND)))
def test_mutated(places: list[tuple[int, int]], end: int) -> None:
    data = bytearray(SOUND)
    for place, value in places:
        data[place] = value
    rows, damage, counts = read(bytes(data[:end]))
    assert rows or damage or counts.option_records or int.from_bytes(data[24:28], "big") == 0
