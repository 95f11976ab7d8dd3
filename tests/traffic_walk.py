"""A small walker of captures for the tests of applications: packets -> conversations. Slow, simple, no judge of odd frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from devicehunt.flows.apps import Segment

PER_SIDE = 64 * 1024


@dataclass
class Talk:
    """One conversation; orig sent the SYN, else the first packet."""

    proto: int
    orig: tuple[str, int]
    resp: tuple[str, int]
    sides: tuple[list[tuple[int, Segment]], list[tuple[int, Segment]]] = field(default_factory=lambda: ([], []))

    def segments(self, side: int) -> list[Segment]:
        """Payload in order: TCP by sequence number up to the first gap, UDP as it came."""
        parts = self.sides[side]
        return [one for _, one in parts] if self.proto == 17 else list(_in_order(parts))


def _in_order(parts: list[tuple[int, Segment]]) -> Iterator[Segment]:
    if not parts:
        return
    base = parts[0][0]
    want, size = 0, 0
    placed = [((seq - base + 0x80000000) % 0x100000000 - 0x80000000, one) for seq, one in parts if one.data]
    for relative, one in sorted(placed, key=lambda pair: pair[0]):
        if not size:
            want = relative
        if relative > want or size > PER_SIDE:
            return
        new = one.data[want - relative :]
        if new:
            yield Segment(one.packet, one.time, new)
            want += len(new)
            size += len(new)


def records(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(linktype, time in ns, bytes) of each packet."""
    data = path.read_bytes()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _ng(data)
        return
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1 if b"\x4d\x3c" in (data[:2], data[2:4][::-1]) else 1000
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, part, size, _ = struct.unpack(order + "IIII", data[at : at + 16])
        yield link, seconds * 10**9 + part * unit, data[at + 16 : at + 16 + size]
        at += 16 + size


def _ng(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order, links = ("<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"), []
        kind, size = struct.unpack(order + "II", data[at : at + 8])
        if size < 12:
            return
        body = data[at + 8 : at + size - 4]
        if kind == 1:
            links.append(struct.unpack(order + "H", body[:2])[0])
        elif kind == 6:
            number, high, low, caught, _ = struct.unpack(order + "IIIII", body[:20])
            yield links[number], (high << 32 | low) * 1000, body[20 : 20 + caught]
        elif kind == 3:
            yield links[0], 0, body[4:]
        at += size


def _ethertype(link: int, raw: bytes) -> tuple[int, bytes]:
    if link in (101, 12, 14, 228, 229):
        return (0x86DD if raw[:1] and raw[0] >> 4 == 6 else 0x800), raw
    if link in (0, 108):
        return (0x800 if 2 in (raw[0], raw[3]) else 0x86DD), raw[4:]
    if link == 113:
        return int.from_bytes(raw[14:16], "big"), raw[16:]
    if link == 276:
        return int.from_bytes(raw[:2], "big"), raw[20:]
    kind, rest = int.from_bytes(raw[12:14], "big"), raw[14:]
    while kind in (0x8100, 0x88A8, 0x9100):
        kind, rest = int.from_bytes(rest[2:4], "big"), rest[4:]
    if kind == 0x8864:
        kind, rest = {0x21: 0x800, 0x57: 0x86DD}.get(int.from_bytes(rest[6:8], "big"), 0), rest[8:]
    return kind, rest


def talks(path: Path) -> list[Talk]:
    """The conversations over TCP and UDP of a capture, outer headers only."""
    found: dict[tuple[object, ...], Talk] = {}
    for number, (link, time, raw) in enumerate(records(path), 1):
        try:
            kind, rest = _ethertype(link, raw)
            proto, ends, payload = _ip(kind, rest)
            if proto not in (6, 17):
                continue
            _transport(found, Segment(number, time, b""), proto, ends, payload)
        except (struct.error, IndexError, ValueError):
            continue
    return list(found.values())


def _ip(kind: int, raw: bytes) -> tuple[int, tuple[str, str], bytes]:
    if kind == 0x800:
        if int.from_bytes(raw[6:8], "big") & 0x1FFF:
            return 0, ("", ""), b""
        size = int.from_bytes(raw[2:4], "big") or len(raw)
        return raw[9], (str(ip_address(raw[12:16])), str(ip_address(raw[16:20]))), raw[(raw[0] & 15) * 4 : size]
    if kind == 0x86DD:
        proto, at = raw[6], 40
        while proto in (0, 43, 60):
            proto, at = raw[at], at + 8 + raw[at + 1] * 8
        size = int.from_bytes(raw[4:6], "big") + 40
        return proto, (str(ip_address(raw[8:24])), str(ip_address(raw[24:40]))), raw[at:size]
    return 0, ("", ""), b""


def _transport(found: dict[tuple[object, ...], Talk], place: Segment, proto: int, ends: tuple[str, str], raw: bytes) -> None:
    sport, dport = struct.unpack(">HH", raw[:4])
    source, target = (ends[0], sport), (ends[1], dport)
    flags = raw[13] if proto == 6 else 0
    key = (proto, *sorted((source, target)))
    talk = found.get(key)
    if talk is None:
        pair = (target, source) if flags & 0x12 == 0x12 else (source, target)
        talk = found[key] = Talk(proto, *pair)
    seq = int.from_bytes(raw[4:8], "big") if proto == 6 else 0
    data = raw[(raw[12] >> 4) * 4 :] if proto == 6 else raw[8:]
    side = 0 if source == talk.orig else 1
    if not (proto == 6 and talk.sides[side] and flags & 2):
        if flags & 2:
            seq += 1
        talk.sides[side].append((seq % 0x100000000, Segment(place.packet, place.time, data)))
