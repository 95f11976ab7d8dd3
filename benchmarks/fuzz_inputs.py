"""Inputs of the fuzzer: captures and logs that are right, and many ways to make them wrong. Everything follows from a seed."""

from __future__ import annotations

import io
import random
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scapy.layers.inet import IP, TCP, UDP, fragment  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402
from scapy.layers.ppp import PPP, PPPoE  # noqa: E402

from devicehunt.flows import containers  # noqa: E402
from devicehunt.flows.records import Chunk  # noqa: E402
from tests import apps_samples, datagrams  # noqa: E402
from tests.samples import CORPUS  # noqa: E402

MAGICS = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x34\xcd\xb2\xa1", b"\x0a\x0d\x0d\x0a")
LARGEST = 150_000
"""Bytes of a capture of other people that is still mutated: what counts is how many inputs a second."""
LINKS = (0, 1, 1, 1, 9, 12, 50, 51, 101, 101, 105, 108, 113, 113, 119, 127, 147, 192, 228, 229, 239, 276, 276, 65535)
ODD = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    20,
    40,
    63,
    64,
    127,
    128,
    254,
    255,
    256,
    1500,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
V6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\1" + b"\x20\x01\x0d\xb8" + bytes(11) + b"\2"
START = 1_767_700_000 * 10**9


@dataclass(frozen=True, slots=True)
class Packet:
    """A record of a capture."""

    time: int
    link: int
    wire: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Input:
    """What is read: `kind` is capture, exports, or what `logs.sniff` says."""

    kind: str
    name: str
    data: bytes


# -- captures that are right


def pcap(packets: list[Packet], order: str = "<", link: int | None = None, magic: int = 0xA1B23C4D) -> bytes:
    """A classic pcap; of several link types the first is said."""
    link = link if link is not None else packets[0].link if packets else 1
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    unit = 1 if magic == 0xA1B23C4D else 1000
    for p in packets:
        seconds, part = divmod(p.time, 10**9)
        out.append(struct.pack(order + "IIII", seconds & 0xFFFFFFFF, part // unit, len(p.data), p.wire & 0xFFFFFFFF) + p.data)
    return b"".join(out)


def pcapng(packets: list[Packet], order: str = "<") -> bytes:
    """A pcapng with one interface a link type."""
    links = sorted({p.link for p in packets}) or [1]
    out = [_block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    nano = struct.pack(order + "HHB3xI", 9, 1, 9, 0)
    out += [_block(order, 1, struct.pack(order + "HHI", link & 0xFFFF, 0, 262144) + nano) for link in links]
    for p in packets:
        time = p.time & (1 << 64) - 1
        head = struct.pack(order + "IIIII", links.index(p.link), time >> 32, time & 0xFFFFFFFF, len(p.data), p.wire & 0xFFFFFFFF)
        out.append(_block(order, 6, head + p.data + bytes(-len(p.data) % 4)))
    return b"".join(out)


def _block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


@cache
def conversations() -> tuple[tuple[Packet, ...], ...]:
    """Each application's sample as packets, TCP with its handshake; exports; fragments and link layers."""
    made = [_talk(proto, dport, orig, resp) for _, proto, dport, orig, resp in apps_samples.SAMPLES]
    hello, answer = apps_samples.client_hello(), apps_samples.server_hello(b"", apps_samples.certificates(_certificate()))
    made += [
        _talk(6, 443, hello, answer),
        _talk(6, 22, b"SSH-2.0-x\r\n" + apps_samples.kexinit(), b"SSH-2.0-y\r\n" + apps_samples.kexinit()),
    ]
    made.append(
        [
            _packet(n, bytes(_ether() / IP(src="192.0.2.9", dst="192.0.2.1") / UDP(sport=2055, dport=2055) / d))
            for n, d in enumerate(exports())
        ]
    )
    whole = IP(src="192.0.2.9", dst="192.0.2.1", id=7) / UDP(sport=53, dport=4000) / (b"x" * 3000)
    odd = [_ether() / part for part in fragment(whole, 800)]
    odd += [_ether() / Dot1Q(vlan=7) / IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(dport=80) / b"GET / HTTP/1.1\r\n\r\n"]
    odd += [_ether() / PPPoE(sessionid=1) / PPP() / IP(src="192.0.2.9", dst="192.0.2.1") / UDP(sport=53, dport=4000) / b"q"]
    made.append([_packet(n, bytes(p)) for n, p in enumerate(odd)])
    return tuple(tuple(one) for one in made)


def _ether() -> Ether:
    """With both addresses: scapy would ask the network for them."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def _certificate() -> bytes:
    return apps_samples.certificate(apps_samples.name(b"a", b"b"), apps_samples.name(b"c", b"d"))


def _packet(number: int, data: bytes, link: int = 1) -> Packet:
    return Packet(START + number * 10**7, link, len(data), data)


def _talk(proto: int, port: int, orig: bytes, resp: bytes) -> list[Packet]:
    ends = IP(src="192.0.2.10", dst="198.51.100.20"), IP(src="198.51.100.20", dst="192.0.2.10")
    if proto != 6:
        frames = [_ether() / ends[0] / UDP(sport=40000, dport=port) / orig, _ether() / ends[1] / UDP(sport=port, dport=40000) / resp]
        return [_packet(n, bytes(f)) for n, f in enumerate(frames)]
    up, down = {"sport": 40000, "dport": port}, {"sport": port, "dport": 40000}
    frames = [_ether() / ends[0] / TCP(**up, flags="S", seq=0), _ether() / ends[1] / TCP(**down, flags="SA", seq=0, ack=1)]
    frames += [_ether() / ends[0] / TCP(**up, flags="PA", seq=1 + at) / orig[at : at + 700] for at in range(0, len(orig), 700)]
    frames += [_ether() / ends[1] / TCP(**down, flags="PA", seq=1 + at) / resp[at : at + 700] for at in range(0, len(resp), 700)]
    return [_packet(n, bytes(f)) for n, f in enumerate(frames)]


@cache
def exports() -> tuple[bytes, ...]:
    """Datagrams of exporters: v5, v9, IPFIX with options and a variable field, sFlow's head."""
    d = datagrams
    usual = d.usual(d.A, 1, d.B, 2)
    more = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (95, 65535))
    loose = d.packed(d.A) + d.packed(d.B) + struct.pack(">HHB", 1, 2, 6) + b"\x05hello"
    return (
        d.v5(1, d.record5(d.A, 1, d.B, 2), d.record5(d.B, 2, d.A, 1)), d.v9(1, d.template9(256, d.USUAL)),
        d.v9(2, d.field_set(256, usual * 3)),
        d.v9(3, d.options9(257, ((1, 4),), ((34, 4), (35, 1)))), d.ipfix(1, d.template10(300, d.USUAL), d.field_set(300, usual * 2)),
        d.ipfix(2, d.template10(301, more), d.field_set(301, loose * 2)), struct.pack(">7I", 5, 1, 0xC0000201, 0, 1, 1000, 0),
    )  # fmt: skip


@cache
def corpus() -> tuple[Path, ...]:
    """Captures of other people, where they are."""
    files = [p for p in sorted(CORPUS.rglob("*")) if p.suffix in (".pcap", ".pcapng", ".trace") and p.stat().st_size < LARGEST]
    return tuple(p for p in files if p.read_bytes()[:4] in MAGICS)


@cache
def logs() -> tuple[tuple[str, bytes], ...]:
    """Logs of other tools."""
    return tuple((p.name, p.read_bytes()) for p in sorted((ROOT / "fixtures" / "traffic").iterdir()) if p.is_file())


def packets_of(data: bytes) -> list[Packet]:
    """The packets of a capture that is right."""
    out = []
    for part in containers.Capture(io.BytesIO(data), slice_bytes=0).chunks():
        if isinstance(part, Chunk):
            for at, size, wire, time, link in zip(part.at, part.caplen, part.wirelen, part.time, part.linktype, strict=True):
                out.append(Packet(int(time), int(link), int(wire), part.data[at : at + size].tobytes()))
    return out


# -- ways to make bytes wrong


def flip(draw: random.Random, data: bytes) -> bytes:
    """Some bits are others."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16)) if out else 0):
        out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
    return bytes(out)


def put(draw: random.Random, data: bytes) -> bytes:
    """Numbers at which programs stumble, in both orders and three sizes."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        size = draw.choice((1, 2, 4))
        if len(out) >= size:
            at = draw.randrange(len(out) - size + 1)
            out[at : at + size] = (draw.choice(ODD) & (1 << 8 * size) - 1).to_bytes(size, draw.choice(("big", "little")))
    return bytes(out)


def cut(draw: random.Random, data: bytes) -> bytes:
    """The end, or something in the middle, is not there."""
    if not data:
        return data
    at = draw.randrange(len(data))
    return data[:at] if draw.random() < 0.5 else data[:at] + data[at + draw.choice((1, 2, 3, 4, 16, 100, 1000)) :]


def repeat(draw: random.Random, data: bytes) -> bytes:
    """A piece comes once more, or many times, there or elsewhere."""
    if not data:
        return data
    at, to = draw.randrange(len(data)), draw.randrange(len(data))
    piece = data[at : at + draw.choice((1, 2, 4, 12, 60, 400))] * draw.choice((1, 1, 2, 50))
    return data[:to] + piece + data[to:]


def noise(draw: random.Random, data: bytes) -> bytes:
    """Bytes of no meaning, zeros or ones."""
    to = draw.randrange(len(data) + 1)
    size = draw.choice((1, 3, 8, 100, 5000))
    piece = draw.choice((draw.randbytes(size), bytes(size), b"\xff" * size))
    return data[:to] + piece + data[to + (len(piece) if draw.random() < 0.5 else 0) :]


BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (flip, put, cut, repeat, noise)

# -- ways to make packets wrong


def _one(draw: random.Random, packets: list[Packet], change: Callable[[random.Random, bytes], bytes], keep: int) -> list[Packet]:
    out = list(packets)
    for _ in range(draw.choice((1, 2, 5)) if out else 0):
        n = draw.randrange(len(out))
        p = out[n]
        data = p.data[:keep] + change(draw, p.data[keep:])
        out[n] = Packet(p.time, p.link, draw.choice((len(data), p.wire)), data[:65535])
    return out


def headers(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """Headers are changed."""
    return _one(draw, packets, lambda d, data: draw.choice((flip, put))(d, data[:60]) + data[60:], 0)


def payloads(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """What is above TCP and UDP is changed; lengths in the headers stay."""
    return _one(draw, packets, draw.choice(BYTES), draw.choice((42, 54, 58, 66)))


def shuffled(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """Records in another order, some twice."""
    out = list(packets)
    draw.shuffle(out)
    return out + out[: draw.choice((0, 1, 5))]


def times(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """Clocks that go back, stand or were never set."""
    return [
        Packet(draw.choice((0, p.time, p.time, -(10**9), (1 << 32) * 10**9 - 1, p.time - 10**15)), p.link, p.wire, p.data) for p in packets
    ]


def sizes(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """Another length on the wire, and less of it captured."""
    out = []
    for p in packets:
        data = p.data[: draw.choice((0, 1, 13, 14, 20, 33, 34, 42, 54, 60))] if draw.random() < 0.3 else p.data
        out.append(Packet(p.time, p.link, draw.choice((p.wire, len(data), *ODD)), data))
    return out


def links(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """The bytes are said to be of another link layer."""
    link = draw.choice(LINKS)
    return [Packet(p.time, link, p.wire, p.data) for p in packets]


def spliced(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """The head of one packet and the tail of another."""
    out = list(packets)
    for _ in range(draw.choice((1, 3, 10)) if out else 0):
        a, b = draw.choice(out), draw.choice(out)
        data = a.data[: draw.choice((12, 14, 18, 34, 42, 54))] + b.data[draw.choice((0, 14, 34, 42, 54)) :]
        out[draw.randrange(len(out))] = Packet(a.time, a.link, len(data), data[:65535])
    return out


def nested(draw: random.Random, packets: list[Packet]) -> list[Packet]:
    """IP in tunnels, one in the other, also deeper than anybody reads."""
    out = []
    for p in packets:
        if p.link != 1 or p.data[12:14] not in (b"\x08\0", b"\x86\xdd") or draw.random() < 0.3:
            out.append(p)
            continue
        inner, frame = p.data[14:], p.data
        for _ in range(draw.choice((1, 2, 3, 9, 20))):
            inner, frame = _wrapped(draw, inner, frame)
        out.append(Packet(p.time, 1, len(frame), frame[:65535]))
    return out


def _wrapped(draw: random.Random, inner: bytes, frame: bytes) -> tuple[bytes, bytes]:
    v6 = inner[:1] and inner[0] >> 4 == 6
    kind = b"\x86\xdd" if v6 else b"\x08\0"
    proto, above = draw.choice((
        (41 if v6 else 4, inner),
        (47, b"\0\0" + kind + inner),
        (47, b"\x20\0\x65\x58" + bytes(4) + frame),
        (47, b"\x30\x81\x88\x0b\0\5\0\1\0\0\0\1\xff\3\0\x21" + inner),
        (17, _udp(4789, b"\x08" + bytes(7) + frame)),
        (17, _udp(2152, struct.pack(">BBHI", 0x30, 255, len(inner) & 0xFFFF, 1) + inner)),
        (17, _udp(1701, b"\0\2\0\1\0\1\xff\3\0\x21" + inner)),
        (17, _udp(6081, b"\0\0\x65\x58" + bytes(4) + frame)),
        (17, _udp(37008, b"\1\0\0\1\1" + frame)),
        (17, _udp(3544, inner)), (51, bytes([4, 4, 0, 0]) + bytes(20) + inner), (50, bytes(8) + inner),
    ))  # fmt: skip
    if draw.random() < 0.3:
        outer = struct.pack(">IHBB", 6 << 28, len(above) & 0xFFFF, proto, 64) + V6 + above
        return outer, bytes(12) + b"\x86\xdd" + outer
    outer = struct.pack(">BBHHHBBH8s", 0x45, 0, 20 + len(above) & 0xFFFF, 7, 0, 64, proto, 0, b"\xc0\0\2\1\xc6\x33\x64\2") + above
    return outer, bytes(12) + b"\x08\0" + outer


def _udp(port: int, data: bytes) -> bytes:
    return struct.pack(">HHHH", 40000, port, 8 + len(data) & 0xFFFF, 0) + data


PACKETS: tuple[Callable[[random.Random, list[Packet]], list[Packet]], ...] = (
    headers, payloads, payloads, shuffled, times, sizes, links, spliced, nested,
)  # fmt: skip


def _capture(draw: random.Random, *, others: bool) -> tuple[str, bytes]:
    names = corpus() if others else ()
    if names and draw.random() < 0.7:
        path = draw.choice(names)
        return path.name, path.read_bytes()
    number = draw.randrange(len(conversations()))
    packets = [*conversations()[number]]
    if draw.random() < 0.3:
        packets += draw.choice(conversations())
    return f"made-{number}", pcap(packets) if draw.random() < 0.6 else pcapng(packets, draw.choice("<>"))


def make(seed: int, *, others: bool = True) -> Input:
    """The input of a seed. `others`: captures of other people may be its base."""
    draw = random.Random(seed)
    what = draw.random()
    if what < 0.12:
        name, data = draw.choice(logs())
        for _ in range(draw.choice((1, 1, 2, 4))):
            data = draw.choice(BYTES)(draw, data)
        return Input("log", name, data)
    if what < 0.25:
        parts = [draw.choice(exports()) for _ in range(draw.choice((1, 2, 5, 12)))]
        parts = [draw.choice(BYTES)(draw, p) if draw.random() < 0.6 else p for p in parts]
        frames = [Packet(START + n * 10**7, 1, len(f), f) for n, f in enumerate(_carried(p) for p in parts)]
        return Input("capture", "exports", pcap(frames))
    name, data = _capture(draw, others=others)
    if draw.random() < 0.65:
        packets = packets_of(data)
        for _ in range(draw.choice((1, 1, 2, 3))):
            packets = draw.choice(PACKETS)(draw, packets)
        order = draw.choice("<>")
        one = len({p.link for p in packets}) < 2
        data = pcap(packets, order, magic=draw.choice((0xA1B23C4D, 0xA1B2C3D4))) if one and draw.random() < 0.6 else pcapng(packets, order)
    if draw.random() < 0.5:
        for _ in range(draw.choice((1, 1, 2))):
            data = draw.choice(BYTES)(draw, data)
    return Input("capture", name, data)


def _carried(datagram: bytes) -> bytes:
    datagram = datagram[:60_000]
    head = struct.pack(">BBHHHBBH8s", 0x45, 0, 28 + len(datagram), 7, 0, 64, 17, 0, b"\xc0\0\2\1\xc6\x33\x64\2")
    return bytes(12) + b"\x08\0" + head + _udp(2055, datagram)
