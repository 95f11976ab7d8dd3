"""Captures for tests, built with scapy: a conversation is a list of packets with their times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter, PcapWriter

START = 1_767_700_000.0
"""2026-01-06, a second that all captures of the tests begin with."""


def tcp(client: tuple[str, int], server: tuple[str, int], *talk: tuple[str, bytes], start: float = START, close: bool = True) -> list[Any]:
    """A TCP connection: handshake, what each side says (`>` the client, `<` the server), FIN. 10 ms a packet."""
    seq = {">": 1000, "<": 9000}
    ends = {">": (client, server), "<": (server, client)}
    made: list[Any] = []

    def send(side: str, flags: str, data: bytes = b"") -> None:
        (src, sport), (dst, dport) = ends[side]
        other = "<" if side == ">" else ">"
        packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=src, dst=dst) / TCP(
            sport=sport, dport=dport, flags=flags, seq=seq[side], ack=seq[other] if "A" in flags else 0
        ) / data  # fmt: skip
        packet.time = start + 0.01 * len(made)
        seq[side] += len(data) + ("S" in flags) + ("F" in flags)
        made.append(packet)

    send(">", "S")
    send("<", "SA")
    send(">", "A")
    for side, data in talk:
        send(side, "PA", data)
    if close:
        send(">", "FA")
        send("<", "FA")
        send(">", "A")
    return made


def udp(client: tuple[str, int], server: tuple[str, int], *talk: tuple[str, bytes], start: float = START) -> list[Any]:
    """Datagrams, 10 ms apart."""
    ends = {">": (client, server), "<": (server, client)}
    made = []
    for number, (side, data) in enumerate(talk):
        (src, sport), (dst, dport) = ends[side]
        packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=src, dst=dst) / UDP(sport=sport, dport=dport) / data
        packet.time = start + 0.01 * number
        made.append(packet)
    return made


def save(path: Path, packets: Sequence[Any], **options: Any) -> Path:
    """Write a pcap, or a pcapng where the name says so; in the order of time."""
    ordered = sorted(packets, key=lambda p: p.time)
    writer = PcapNgWriter(str(path)) if path.suffix == ".pcapng" else PcapWriter(str(path), linktype=1, **options)
    with writer as file:
        for packet in ordered:
            file.write(packet)
    return path
