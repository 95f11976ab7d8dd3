from __future__ import annotations

import ipaddress
import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from devicehunt.flows import fast, packet
from devicehunt.flows.records import TUNNELS, Chunk, Decoded
from tests import captures, samples

CORPUS = samples.CORPUS
MAGICS = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a")
A, B, X, Y = "192.0.2.1", "198.51.100.2", "2001:db8::1", "2001:db8::2"
NAMES = list(fast.KINDS)


def text(high: int, low: int) -> str:
    whole = ipaddress.IPv6Address(high << 64 | low)
    return str(whole.ipv4_mapped or whole)


def decode(*frames: Any, link: int = 1, wire: int | None = None) -> tuple[list[tuple[Any, ...]], Counter[str], dict[str, int | None]]:
    """Rows as (packet, source, port, destination, port, protocol, tunnel, payload length), names, and what was not read."""
    raw = [bytes(f) for f in frames]
    chunk = captures.chunk([(f, link, wire or len(f)) for f in raw], place=0)
    rows, named, unread = [], Counter[str](), dict[str, int | None]()
    for d in fast.Decoder().blocks(chunk):
        for i in range(len(d.packet)):
            ends = text(int(d.src_hi[i]), int(d.src_lo[i])), int(d.sport[i]), text(int(d.dst_hi[i]), int(d.dst_lo[i])), int(d.dport[i])
            rows.append((int(d.packet[i]), *ends, int(d.proto[i]), TUNNELS[d.tunnel[i]] * bool(d.depth[i]), int(d.payload_len[i])))
            if d.payload_at[i] >= 0:
                place = int(d.payload_at[i])
                assert chunk.data[place : place + int(d.payload[i])].tobytes() in raw[int(d.packet[i]) - 1]
        named.update(d.named)
        unread.update({u.reason: u.packets for u in d.unread})
    compare(chunk)
    return rows, named, unread


def oracle(chunk: Chunk) -> list[tuple[int, ...]]:
    fragments, out = packet.Fragments(), []
    for i in range(len(chunk.at)):
        at = int(chunk.at[i])
        data = chunk.data[at : at + int(chunk.caplen[i])].tobytes()
        p = packet.decode(data, int(chunk.linktype[i]), int(chunk.wirelen[i]), int(chunk.interface[i]), fragments)
        assert p.rows or p.named or p.unread
        for r in p.rows:
            place = r.payload_at + chunk.place + at if r.payload_at >= 0 else -1
            ends = (r.src >> 64, r.src & fast.MASK, r.dst >> 64, r.dst & fast.MASK, r.sport, r.dport)
            marks = (r.proto, r.flags, r.seq, r.vlan, r.depth, r.tunnel, p.interface, r.fragment)
            head = (chunk.first + i, int(chunk.time[i]), int(chunk.wirelen[i]))
            out.append((*head, *ends, *marks, place, r.payload, r.payload_len, p.direction))
    return out


def listed(d: Decoded) -> list[tuple[int, ...]]:
    return list(zip(*[getattr(d, name).tolist() for name in NAMES], strict=True))


def compare(chunk: Chunk) -> None:
    got = [row for d in fast.Decoder().blocks(chunk) for row in listed(d)]
    assert got == oracle(chunk)


UP = UDP(sport=1000, dport=2000) / b"12345"
ROW = (1, A, 1000, B, 2000, 17, "", 5)
V4, V6 = IP(src=A, dst=B) / UP, IPv6(src=X, dst=Y) / UP
ROW6 = (1, X, 1000, Y, 2000, 17, "", 5)
RAW, RAW6 = bytes(V4), bytes(V6)
MAC = bytes.fromhex("02000000000102000000000a")
PADDED = bytes(Ether() / V4) + bytes(13)

LINKS = {
    "ethernet": (1, PADDED),
    "vlan": (1, Ether() / Dot1Q(vlan=7) / V4),
    "qinq": (1, Ether() / Dot1AD(vlan=7) / Dot1Q(vlan=8) / V4),
    "three tags": (1, MAC + b"\x91\0\0\7\x91\0\0\7\x81\0\0\7\x08\0" + RAW),
    "five tags": (1, MAC + b"\x81\0\0\7" * 5 + b"\x08\0" + RAW),
    "pppoe": (1, Ether() / PPPoE(sessionid=1) / PPP() / V4),
    "pppoe in a vlan": (1, Ether() / Dot1Q(vlan=7) / PPPoE(sessionid=1) / PPP() / V4),
    "pppoe in qinq": (1, Ether() / Dot1AD(vlan=7) / Dot1Q(vlan=8) / PPPoE(sessionid=1) / PPP() / V4),
    "mpls": (1, Ether(type=0x8847) / MPLS(label=16, s=0) / MPLS(label=17, s=1) / V4),
    "pseudowire": (1, Ether(type=0x8847) / MPLS(label=16, s=1) / Raw(bytes(4) + MAC + b"\x08\0" + RAW)),
    "snap": (1, MAC + struct.pack(">H", 8 + len(RAW)) + b"\xaa\xaa\3\0\0\0\x08\0" + RAW),
    "dsa tag": (284, MAC + b"\x40\0\0\7" + b"\x08\0" + RAW),
    "edsa tag": (285, MAC + b"\xda\xda\0\0\x60\0\0\7" + b"\x08\0" + RAW),
    "realtek tag": (1, MAC + b"\x88\x99\xa0\0" + b"\x08\0" + RAW),
    "broadcom tag": (281, MAC + b"\0\0\0\1" + b"\x08\0" + RAW),
    "broadcom tag before": (282, b"\0\0\0\1" + MAC + b"\x08\0" + RAW),
    "fabricpath": (1, MAC + b"\x89\x03\0\0" + MAC + b"\x08\0" + RAW),
    "vn-tag": (1, MAC + b"\x89\x26\0\0\0\0" + b"\x08\0" + RAW),
    "provider backbone": (1, MAC + b"\x88\xe7\0\0\0\1" + MAC + b"\x08\0" + RAW),
    "raw": (101, V4), "raw of bsd": (12, V4), "raw of openbsd": (14, V4), "ipv4": (228, V4),
    "null": (0, b"\2\0\0\0" + RAW), "null of big ends": (0, b"\0\0\0\2" + RAW), "loop": (108, b"\0\0\0\2" + RAW),
    "ppp": (9, b"\x00\x21" + RAW), "ppp with address": (9, b"\xff\x03\x00\x21" + RAW), "short ppp": (9, b"\x21" + RAW),
    "ppp in hdlc": (50, HDLC() / PPP() / V4), "cisco hdlc": (50, b"\x0f\0\x08\0" + RAW), "chdlc": (104, b"\x8f\0\x08\0" + RAW),
    "ppp with direction": (204, b"\1\xff\x03\x00\x21" + RAW), "pppoe alone": (51, PPPoE(sessionid=1) / PPP() / V4),
    "sll": (113, CookedLinux() / V4), "sll with a vlan": (113, bytes(14) + b"\x81\0\0\7\x08\0" + RAW),
    "sll2": (276, CookedLinuxV2(proto=0x800) / V4),
    "nflog": (239, b"\2\0\0\0" + b"\x08\0\1\0\x08\0\1\0" + struct.pack("<HH", 4 + len(RAW), 9) + RAW),
    "nflog of big ends": (239, b"\2\0\0\0" + b"\0\x05\0\x0a\0\0\0\0" + struct.pack(">HH", 4 + len(RAW), 9) + RAW),
    "802.11": (105, Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4),
    "802.11 with quality": (105, Dot11(type=2, subtype=8, FCfield=2) / Dot11QoS() / LLC() / SNAP() / V4),
    "802.11 of four addresses": (105, Dot11(type=2, FCfield=3) / LLC() / SNAP() / V4),
    "radiotap": (127, RadioTap() / Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4),
    "radiotap with a check sum": (
        127, b"\0\0\x11\0\3\0\0\0" + bytes(8) + b"\x10" + bytes(Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4) + b"\0fcs"),
    "ppi": (192, b"\0\0\x08\0\x69\0\0\0" + bytes(Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4)),
    "prism": (119, b"\0\0\0\x44" + struct.pack("<I", 144) + bytes(136) + bytes(Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4)),
    "frame relay": (107, b"\x18\x41\x03\xcc" + RAW),
}  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_link_layers(name: str) -> None:
    link, frame = LINKS[name]
    assert decode(frame, link=link)[0] == [ROW]


@pytest.mark.parametrize(("link", "frame"), [
    (1, Ether() / V6), (1, Ether() / Dot1Q(vlan=7) / V6), (1, Ether() / PPPoE(sessionid=1) / PPP(proto=0x57) / V6), (101, V6), (229, V6),
    (0, b"\x1e\0\0\0" + RAW6), (9, b"\0\x57" + RAW6), (113, CookedLinux() / V6), (276, CookedLinuxV2(proto=0x86DD) / V6),
])  # fmt: skip
def test_ipv6_on_links(link: int, frame: Any) -> None:
    assert decode(frame, link=link)[0] == [ROW6]


INSIDE = (1, A, 1000, B, 2000, 17)
OUT = {"src": "203.0.113.1", "dst": "203.0.113.2"}
BRIDGED = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / V4
TUNNELLED = {
    "gre": (IP(**OUT) / GRE() / V4, "gre"),
    "gre with key and number": (IP(**OUT) / GRE(key_present=1, seqnum_present=1, chksum_present=1) / V4, "gre"),
    "gre bridged": (IP(**OUT) / GRE(proto=0x6558) / BRIDGED, "gre"),
    "pptp": (IP(**OUT, proto=47) / Raw(b"\x30\x81\x88\x0b\0\x40\0\1" + bytes(8) + b"\xff\x03\0\x21" + RAW), "gre"),
    "eoip": (IP(**OUT, proto=47) / Raw(b"\x20\1\x64\0\0\x40\1\0" + bytes(BRIDGED)), "eoip"),
    "etherip": (IP(**OUT, proto=97) / Raw(b"\x30\0" + bytes(BRIDGED)), "eoip"),
    "erspan 1": (IP(**OUT, proto=47) / Raw(b"\0\0\x88\xbe" + bytes(BRIDGED)), "erspan"),
    "erspan 2": (IP(**OUT, proto=47) / Raw(b"\x10\0\x88\xbe\0\0\0\1" + bytes(8) + bytes(BRIDGED)), "erspan"),
    "erspan 3": (IP(**OUT, proto=47) / Raw(b"\x10\0\x22\xeb\0\0\0\1" + bytes(12) + bytes(BRIDGED)), "erspan"),
    "ipip": (IP(**OUT) / V4, "ipip"),
    "4in6": (IPv6(src=X, dst=Y) / V4, "4in6"),
    "l2tp": (IP(**OUT) / UDP(sport=1701, dport=1701) / Raw(b"\x40\2\0\x40\0\1\0\2" + b"\xff\x03\0\x21" + RAW), "l2tp"),
    "l2tp with offset": (IP(**OUT) / UDP(sport=5, dport=1701) / Raw(b"\x02\2\0\1\0\2\0\2zz" + b"\0\x21" + RAW), "l2tp"),
    "l2tp 3": (IP(**OUT, proto=115) / Raw(b"\0\0\0\7" + b"cook" + bytes(BRIDGED)), "l2tp"),
    "l2tp 3 over udp": (IP(**OUT) / UDP(sport=1701, dport=1701) / Raw(b"\0\3\0\0\0\0\0\7" + bytes(BRIDGED)), "l2tp"),
    "vxlan": (IP(**OUT) / UDP(sport=5, dport=4789) / VXLAN(vni=7) / BRIDGED, "vxlan"),
    "vxlan-gpe": (IP(**OUT) / UDP(sport=5, dport=4790) / Raw(b"\x0c\0\0\1\0\0\1\0" + RAW), "vxlan"),
    "geneve": (IP(**OUT) / UDP(sport=5, dport=6081) / GENEVE(proto=0x6558) / BRIDGED, "geneve"),
    "gtp": (IP(**OUT) / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7, gtp_type=255) / V4, "gtp"),
    "gtp with extension": (IP(**OUT) / UDP(sport=2152, dport=2152) / Raw(b"\x34\xff\0\x40\0\0\0\7\0\0\0\x85\1\0\1\0" + RAW), "gtp"),
    "tzsp": (IP(**OUT) / UDP(sport=5, dport=37008) / Raw(b"\1\0\0\1\0\x0a\1z\1" + bytes(BRIDGED)), "tzsp"),
}  # fmt: skip


@pytest.mark.parametrize("name", TUNNELLED)
def test_tunnels_give_the_outer_row_and_the_inner_one(name: str) -> None:
    frame, tunnel = TUNNELLED[name]
    rows, _, unread = decode(Ether() / frame)
    assert [row[6] for row in rows] == ["", tunnel]
    assert rows[0][1] in (OUT["src"], X)
    assert rows[1] == (*INSIDE, tunnel, 5)
    assert not unread
    assert decode(Ether() / Dot1Q(vlan=3) / frame)[0] == rows


def test_ipv6_in_tunnels() -> None:
    assert decode(Ether() / IP(**OUT) / V6)[0][1] == (*ROW6[:6], "sit", 5)
    assert decode(Ether() / IPv6(src=Y, dst=X) / V6)[0][1] == (*ROW6[:6], "6in6", 5)
    origin = b"\0\0" + bytes(6)
    assert decode(Ether() / IP(**OUT) / UDP(sport=5, dport=3544) / Raw(origin + RAW6))[0][1] == (*ROW6[:6], "teredo", 5)


def test_a_tunnels_port_alone_is_no_tunnel() -> None:
    for port in (1701, 4789, 4790, 6081, 2152, 37008, 3544, 8472):
        rows, named, unread = decode(
            Ether() / IP(**OUT) / UDP(sport=5, dport=port) / Raw(b"\x99 some other words, long enough to be a header" * 2)
        )
        assert ([row[6] for row in rows], sum(named.values()), unread) == ([""], 0, {})


def test_tunnels_in_tunnels_end() -> None:
    frame: Any = V4
    for _ in range(30):
        frame = IP(**OUT) / frame
    rows, named, _ = decode(Ether() / frame)
    assert len(rows) == packet.DEPTH + 1
    assert named == {"inside ipip: tunnels more than 8 deep": 1}


def test_lengths_that_lie() -> None:
    def v4(**fields: Any) -> tuple[Any, ...]:
        return decode(Ether() / IP(src=A, dst=B, **fields) / UP)[0][0][5:]

    assert v4() == (17, "", 5)
    assert v4(len=0) == (17, "", 5)  # segmentation was left to the card
    assert v4(len=5000) == (17, "", 5)  # UDP's own length is the smaller one
    assert v4(len=30) == (17, "", 2)
    assert v4(len=10) == (17, "", 0)
    assert decode(Ether() / IP(src=A, dst=B, ihl=4) / UP)[2] == {"IPv4 header shorter than 20 bytes": 1}
    whole = bytes(Ether() / IP(src=A, dst=B) / TCP(sport=1, dport=2) / (b"x" * 100))
    assert decode(whole[:60], wire=len(whole))[0][0] == (1, A, 1, B, 2, 6, "", 100)
    assert decode(whole[:40], wire=len(whole))[0][0] == (1, A, 1, B, 2, 6, "", 0)  # cut within TCP: nobody knows
    assert decode(whole[:36], wire=len(whole))[0][0] == (1, A, 0, B, 0, 6, "", 0)
    assert decode(whole[:30], wire=len(whole))[2] == {"cut within the IPv4 header": 1}
    assert decode(Ether() / IP(src=A, dst=B) / TCP(sport=1, dport=2, dataofs=4) / b"xyz")[0][0] == (1, A, 1, B, 2, 6, "", 0)


def test_options_and_extension_headers() -> None:
    assert decode(Ether() / IP(src=A, dst=B, options=b"\1" * 8) / UP)[0] == [ROW]
    assert decode(Ether() / IP(src=A, dst=B) / AH(nh=17, payloadlen=1) / UP)[0] == [ROW]
    long = IPv6(src=X, dst=Y) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / UP
    assert decode(Ether() / long)[0] == [ROW6]
    assert decode(Ether() / IPv6(src=X, dst=Y, nh=59) / b"zz")[0] == [(1, X, 0, Y, 0, 59, "", 2)]
    endless = IPv6(src=X, dst=Y)
    for _ in range(40):
        endless = endless / IPv6ExtHdrDestOpt()
    assert decode(Ether() / endless / UP)[0][0][1:6] == (X, 0, Y, 0, 60)


def test_other_protocols() -> None:
    assert decode(Ether() / IP(src=A, dst=B) / ICMP(type=8) / b"ping!")[0] == [(1, A, 8, B, 0, 1, "", 5)]
    assert decode(Ether() / IP(src=A, dst=B) / SCTP(sport=7, dport=8))[0][0][1:6] == (A, 7, B, 8, 132)
    assert decode(Ether() / IP(src=A, dst=B, proto=50) / (b"z" * 40))[0] == [(1, A, 0, B, 0, 50, "", 40)]
    assert decode(Ether() / IP(src=A, dst=B, proto=89) / (b"z" * 40))[0] == [(1, A, 0, B, 0, 89, "", 40)]


def fragments(*order: int) -> list[Any]:
    parts = [IP(src=A, dst=B, id=7, flags="MF") / UDP(sport=1000, dport=2000, len=48) / (b"x" * 16),
             IP(src=A, dst=B, id=7, frag=3, proto=17) / (b"y" * 24)]  # fmt: skip
    return [Ether() / parts[i] for i in order]


def test_fragments_find_their_ports() -> None:
    rows, _, _ = decode(*fragments(0, 1, 0, 1))
    assert [(r[2], r[4], r[7]) for r in rows] == [(1000, 2000, 16), (1000, 2000, 24)] * 2
    rows, _, _ = decode(*fragments(1, 0))
    assert [(r[2], r[4], r[7]) for r in rows] == [(0, 0, 24), (1000, 2000, 16)]
    first = IPv6(src=X, dst=Y) / IPv6ExtHdrFragment(id=9, m=1, nh=17) / UDP(sport=1000, dport=2000, len=40) / (b"x" * 16)
    later = IPv6(src=X, dst=Y) / IPv6ExtHdrFragment(id=9, offset=3, nh=17) / (b"y" * 16)
    assert [(r[2], r[7]) for r in decode(Ether() / first, Ether() / later)[0]] == [(1000, 16), (1000, 16)]
    table = packet.Fragments(limit=2)
    for i in range(5):
        table.put((1, 2, i, 17), (i, i))
    assert [table.get((1, 2, i, 17)) for i in range(5)] == [None, None, None, (3, 3), (4, 4)]


def test_what_has_a_name_is_no_damage_and_the_rest_is() -> None:
    frames = [
        Ether() / ARP(),
        Ether() / ARP(),
        MAC + b"\0\x26\x42\x42\3" + bytes(35),
        MAC + b"\x88\xcc" + bytes(40),
        MAC + b"\x88\x8e" + bytes(40),
    ]
    assert decode(*frames) == ([], {"arp": 2, "stp": 1, "lldp": 1, "eapol": 1}, {})
    assert decode(MAC + b"\x77\x77" + bytes(40), b"short") == (
        [], {}, {"unknown EtherType 0x7777": 1, "cut within the Ethernet header": 1})  # fmt: skip
    assert decode(RAW, link=147)[2] == {"unknown link type 147": 1}
    assert decode(b"", link=101)[2] == {"cut before the IP header": 1}
    assert decode(b"\x50" + bytes(40), link=101)[2] == {"IP of version 5": 1}
    many = [MAC + struct.pack(">H", 0x6100 + i) + bytes(20) for i in range(300)]
    unread = decode(*many)[2]
    assert len(unread) <= fast.REASONS + 1
    assert sum(n or 0 for n in unread.values()) == 300


def test_direction_and_interface_of_a_cooked_capture() -> None:
    def cooked(kind: int, index: int) -> bytes:
        return struct.pack(">HHIHBB8s", 0x0800, 0, index, 1, kind, 6, b"") + RAW

    chunk = captures.chunk([(cooked(k, i), 276, 90) for k, i in ((0, 2), (4, 3), (3, 70000), (9, 4))])
    block = next(iter(fast.Decoder().blocks(chunk)))
    assert (block.direction.tolist(), block.interface.tolist()) == ([2, 1, 3, 0], [2, 3, 70000 & 0xFFFF, 4])


def test_direction_that_the_file_says() -> None:
    chunk = captures.chunk([(bytes(Ether() / V4), 1, 60), (bytes(Ether() / IP(**OUT) / V4), 1, 60), (bytes(Ether() / V6), 1, 60)])
    chunk.direction = np.array([1, 2, 3], dtype=np.uint8)
    assert next(iter(fast.Decoder().blocks(chunk))).direction.tolist() == [1, 2, 2, 3]


SEEDS = [(bytes(frame), link) for link, frame in LINKS.values()] + [(bytes(Ether() / frame), 1) for frame, _ in TUNNELLED.values()]
SEEDS += [(bytes(f), 1) for f in (
    Ether() / V6, Ether() / IPv6(src=X, dst=Y) / TCP() / b"abc", Ether() / IP(src=A, dst=B) / TCP() / b"abc",
    Ether() / IP(src=A, dst=B) / ICMP(),
    Ether() / Dot1Q() / IP(src=A, dst=B) / TCP(), Ether() / Dot1Q() / IPv6(src=X, dst=Y) / TCP(), *fragments(0, 1),
    Ether() / PPPoE(sessionid=1) / PPP(proto=0x57) / IPv6(src=X, dst=Y) / TCP() / b"hello",
)]  # fmt: skip
SEEDS += [(b"\0\x57" + RAW6, 9), (b"\xff\x03\0\x57" + RAW6, 50), (b"\xff\x03\0\x21" + RAW, 50)]
SEEDS += [(bytes(CookedLinuxV2(proto=0x86DD) / V6), 276), (bytes(CookedLinux() / V6), 113), (RAW6, 101)]
CHANGES = st.lists(
    st.tuples(st.integers(0, 90), st.sampled_from([0, 1, 4, 5, 6, 8, 17, 47, 0x45, 0x60, 0x81, 0x86, 0xFF]) | st.integers(0, 255)),
    max_size=4,
)
MUTATED = st.tuples(st.sampled_from(SEEDS), CHANGES, st.integers(0, 150), st.integers(0, 2000))


def mutate(seed: tuple[bytes, int], changes: list[tuple[int, int]], keep: int, wire: int) -> tuple[bytes, int, int]:
    data = bytearray(seed[0])
    for at, value in changes:
        if at < len(data):
            data[at] = value
    if keep < 75:
        data = data[: max(len(data) - keep, 0)]
    return bytes(data), seed[1], wire if wire > 1900 else len(data) + wire % 3


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MUTATED, min_size=1, max_size=25))
def test_fast_and_complete_say_the_same_of_mutated_packets(packets: list[Any]) -> None:
    compare(captures.chunk([mutate(*p) for p in packets]))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=120), st.sampled_from([0, 1, 9, 50, 101, 105, 113, 127, 239, 276, 192, 119, 147]), st.integers(0, 3000)
        ),
        max_size=12,
    )
)
def test_any_bytes_are_read_or_refused(packets: list[tuple[bytes, int, int]]) -> None:
    compare(captures.chunk(packets))


def corpus() -> list[Path]:
    files = [p for p in sorted(CORPUS.rglob("*")) if p.suffix in (".pcap", ".pcapng", ".trace") and p.stat().st_size < 300_000]
    return [p for p in files if p.read_bytes()[:4] in MAGICS]


@pytest.mark.skipif(not CORPUS.exists(), reason="the captures of other projects are not here")
def test_fast_and_complete_say_the_same_of_captures_of_other_projects() -> None:
    for path in corpus():
        compare(captures.read(path))


PORTS = {6: "tcp", 17: "udp", 132: "sctp"}
FIELDS = ["frame.number", "frame.len", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst"]
FIELDS += [f"{proto}.{side}port" for proto in PORTS.values() for side in ("src", "dst")]


def by_tshark(path: Path) -> dict[int, dict[str, str]]:
    options = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
    command = ["tshark", "-n", "-r", str(path), *options, *(x for f in FIELDS for x in ("-e", f))]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return {int(line.split("|")[0]): dict(zip(FIELDS, line.split("|"), strict=True)) for line in lines}


@pytest.mark.skipif(not CORPUS.exists() or not shutil.which("tshark"), reason="tshark, or the captures of other projects, are not here")
def test_tshark_says_the_same() -> None:
    same = 0
    files = corpus()
    for path in {*files[::40], *sorted(files, key=lambda p: p.stat().st_size)[-8:]}:
        theirs = by_tshark(path)
        for d in fast.Decoder().blocks(captures.read(path)):
            # of what has no ports, tshark's first ones are those of an inner layer
            for i in np.flatnonzero((d.depth == 0) & (d.fragment == 0) & np.isin(d.proto, list(PORTS))).tolist():
                proto, their = PORTS[int(d.proto[i])], theirs[int(d.packet[i])]
                ends = text(int(d.src_hi[i]), int(d.src_lo[i])), text(int(d.dst_hi[i]), int(d.dst_lo[i]))
                ours = (str(d.length[i]), *ends, str(d.sport[i]), str(d.dport[i]))
                rest = their[f"{proto}.srcport"], their[f"{proto}.dstport"]
                wanted = [(their["frame.len"], their[f"{v}.src"], their[f"{v}.dst"], *rest) for v in ("ip", "ipv6")]
                assert ours in wanted, (path.name, int(d.packet[i]))
                same += 1
    assert same > 1000
