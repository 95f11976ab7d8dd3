"""Builds datagrams of flow exporters, for tests and benchmarks."""

from __future__ import annotations

import struct
from ipaddress import ip_address

NOW_S = 1_767_225_600  # 2026-01-01
NOW = NOW_S * 10**9
UPTIME = 10_000_000  # milliseconds

A, B = "198.51.100.7", "192.0.2.9"

# number, length: a usual template
USUAL = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (10, 4), (14, 4), (1, 4), (2, 4), (22, 4), (21, 4), (61, 1))


def packed(address: str) -> bytes:
    """An address as it stands in a record."""
    return ip_address(address).packed


def field_set(number: int, body: bytes) -> bytes:
    """A set (flowset), padded to four bytes."""
    body += bytes(-len(body) % 4)
    return struct.pack(">HH", number, 4 + len(body)) + body


def fields(template: tuple[tuple[int, ...], ...]) -> bytes:
    """Fields of a template; a third number is the enterprise."""
    return b"".join(struct.pack(">HH", *one) if len(one) == 2 else struct.pack(">HHI", one[0] | 0x8000, *one[1:]) for one in template)


def template9(number: int, template: tuple[tuple[int, ...], ...]) -> bytes:
    """A template set of NetFlow v9."""
    return field_set(0, struct.pack(">HH", number, len(template)) + fields(template))


def template10(number: int, template: tuple[tuple[int, ...], ...]) -> bytes:
    """A template set of IPFIX."""
    return field_set(2, struct.pack(">HH", number, len(template)) + fields(template))


def options9(number: int, scopes: tuple[tuple[int, ...], ...], options: tuple[tuple[int, ...], ...]) -> bytes:
    """An options template of NetFlow v9."""
    return field_set(1, struct.pack(">HHH", number, 4 * len(scopes), 4 * len(options)) + fields(scopes) + fields(options))


def options10(number: int, scopes: tuple[tuple[int, ...], ...], options: tuple[tuple[int, ...], ...]) -> bytes:
    """An options template of IPFIX."""
    return field_set(3, struct.pack(">HHH", number, len(scopes) + len(options), len(scopes)) + fields(scopes) + fields(options))


def v9(sequence: int, *sets: bytes, source: int = 1, uptime: int = UPTIME, seconds: int = NOW_S) -> bytes:
    """A datagram of NetFlow v9."""
    return struct.pack(">HHIIII", 9, len(sets), uptime, seconds, sequence, source) + b"".join(sets)


def ipfix(sequence: int, *sets: bytes, domain: int = 1, seconds: int = NOW_S) -> bytes:
    """A message of IPFIX."""
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), seconds, sequence, domain) + body


def v5(sequence: int, *records: bytes, sampling: int = 0, uptime: int = UPTIME, seconds: int = NOW_S) -> bytes:
    """A datagram of NetFlow v5."""
    return struct.pack(">HHIIIIBBH", 5, len(records), uptime, seconds, 500_000_000, sequence, 0, 3, sampling) + b"".join(records)


def record5(
    source: str, sport: int, target: str, dport: int, *, proto: int = 6, first: int = UPTIME - 5000, last: int = UPTIME - 1000
) -> bytes:
    """A record of NetFlow v5: 7 packets, 4200 bytes, flags SYN and ACK."""
    return (
        packed(source) + packed(target) + bytes(4) + struct.pack(">HHIIIIHH", 4, 5, 7, 4200, first, last, sport, dport)
        + struct.pack(">BBBBHHBBH", 0, 0x12, proto, 0, 0, 0, 24, 24, 0)
    )  # fmt: skip


def usual(
    source: str, sport: int, target: str, dport: int, *, proto: int = 6, first: int = UPTIME - 5000, last: int = UPTIME - 1000
) -> bytes:
    """A record of the usual template: 7 packets, 4200 bytes, flags SYN and ACK, interfaces 4 and 5, ingress."""
    return (
        packed(source)
        + packed(target)
        + struct.pack(">HHBB", sport, dport, proto, 0x12)
        + struct.pack(">IIIIII", 4, 5, 4200, 7, first, last)
        + b"\0"
    )
