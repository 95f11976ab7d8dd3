"""A small walker of classic pcap and pcapng for the tests of decoders; it knows no damage."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from devicehunt.flows.records import Chunk

Records = list[tuple[bytes, int, int, int, int]]  # bytes, link type, length on the wire, time, offset


def chunk(packets: list[tuple[bytes, int, int]], *, place: int = 24, first: int = 1) -> Chunk:
    """A chunk of (bytes, link type, length on the wire), laid out as a pcap file has them."""
    data, at = bytearray(), []
    for raw, _, _ in packets:
        data += bytes(16)
        at.append(len(data))
        data += raw
    n = len(packets)
    return Chunk(
        np.frombuffer(bytes(data), dtype=np.uint8), place, first, np.array(at, dtype=np.int64),
        np.array([len(p[0]) for p in packets], dtype=np.int64), np.array([p[2] for p in packets], dtype=np.int64),
        np.arange(n, dtype=np.int64) * 1_000_000, np.array([p[1] for p in packets], dtype=np.uint16), np.zeros(n, dtype=np.uint16),
    )  # fmt: skip


def read(path: Path) -> Chunk:
    """A whole file as one chunk."""
    data = path.read_bytes()
    found = _pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(data)
    columns = list(zip(*found, strict=True)) if found else [()] * 6
    at, caplen, wirelen, time, linktype, interface = (np.array(c, dtype=np.int64) for c in columns)
    return Chunk(
        np.frombuffer(data, dtype=np.uint8), 0, 1, at, caplen, wirelen, time, linktype.astype(np.uint16), interface.astype(np.uint16)
    )


def _pcap(data: bytes) -> list[tuple[int, int, int, int, int, int]]:
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\x34\xcd\xb2\xa1") else ">"
    magic, linktype = struct.unpack_from(order + "I", data)[0], struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    unit, head = (1 if magic == 0xA1B23C4D else 1000), (24 if magic == 0xA1B2CD34 else 16)
    pos, found = 24, []
    while pos + head <= len(data):
        seconds, part, caplen, wirelen = struct.unpack_from(order + "4I", data, pos)
        if pos + head + caplen > len(data):
            break
        found.append((pos + head, caplen, wirelen, seconds * 10**9 + part * unit, linktype, 0))
        pos += head + caplen
    return found


def _pcapng(data: bytes) -> list[tuple[int, int, int, int, int, int]]:
    pos, found, order = 0, [], "<"
    links: list[tuple[int, int]] = []
    base = 0
    while pos + 12 <= len(data):
        if data[pos : pos + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[pos + 8] == 0x4D else ">"
            base = len(links)
        kind, size = struct.unpack_from(order + "2I", data, pos)
        if size < 12:
            break
        if kind == 1:
            links.append((struct.unpack_from(order + "H", data, pos + 8)[0], _unit(data[pos + 16 : pos + size - 4], order)))
        elif kind == 6:
            number, high, low, caplen, wirelen = struct.unpack_from(order + "5I", data, pos + 8)
            linktype, unit = links[base + number]
            found.append((pos + 28, caplen, wirelen, (high << 32 | low) * 10**9 // unit, linktype, base + number))
        elif kind == 3:
            wirelen = struct.unpack_from(order + "I", data, pos + 8)[0]
            found.append((pos + 12, min(wirelen, size - 16), wirelen, 0, links[base][0], base))
        pos += size
    return found


def _unit(options: bytes, order: str) -> int:
    pos = 0
    while pos + 4 <= len(options):
        kind, size = struct.unpack_from(order + "2H", options, pos)
        if kind == 9:
            value = options[pos + 4]
            return 2 ** (value & 127) if value & 128 else 10**value
        pos += 4 + (size + 3 & ~3)
    return 10**6
