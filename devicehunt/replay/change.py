"""A capture -> the same one renamed, shifted, thinned, cut short or mixed into another (metamorphic tests).

The result is a classic pcap with nanoseconds. What is chosen is chosen by number, so two runs give the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devicehunt.errors import UsageError

NAMES = ("map_addresses", "map_ports", "shift", "loss", "sample", "snaplen", "mix_with")
_MAGIC = 0xA1B23C4D  # pcap with nanoseconds


@dataclass(frozen=True, slots=True)
class Packet:
    """One record: nanoseconds since 1970, the link type, the length on the wire, the bytes."""

    time: int
    linktype: int
    wirelen: int
    data: bytes


def changed(sources: Sequence[Path], scratch: Path, options: Mapping[str, Any]) -> tuple[list[Path], dict[str, Any]]:
    """The sources with their captures changed as `options` say, and the options that are left.

    `map_addresses`, `map_ports`: old -> new, in the headers of IP, ARP, TCP and UDP (not in payload). `shift`: seconds.
    `loss`: share of packets lost. `sample`: one packet in so many is kept. `snaplen`: bytes kept of each.
    `mix_with`: another capture, merged by time. UsageError when no source is a capture.
    """
    wanted = {name: options[name] for name in NAMES if options.get(name)}
    rest = {name: value for name, value in options.items() if name not in NAMES}
    if not wanted:
        return list(sources), rest
    captures = [source for source in sources if is_capture(source)]
    if not captures:
        raise UsageError(f"{', '.join(wanted)}: no source is a capture")
    return [_one(s, scratch, wanted, n) if s in captures else s for n, s in enumerate(sources)], rest


def is_capture(path: Path) -> bool:
    """Whether a file begins as pcap or pcapng does."""
    from devicehunt.archives import CAPTURES

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in CAPTURES


def _one(source: Path, scratch: Path, wanted: Mapping[str, Any], number: int) -> Path:
    packets: Iterable[Packet] = packets_of(source)
    if "map_addresses" in wanted or "map_ports" in wanted:
        packets = _renamed(packets, wanted.get("map_addresses", {}), wanted.get("map_ports", {}))
    if "mix_with" in wanted:
        packets = sorted([*packets, *packets_of(Path(wanted["mix_with"]))], key=lambda p: p.time)
    if "shift" in wanted:
        packets = (Packet(p.time + round(wanted["shift"] * 1e9), p.linktype, p.wirelen, p.data) for p in packets)
    if "loss" in wanted:
        limit = int(wanted["loss"] * 2**32)
        packets = (p for n, p in enumerate(packets) if zlib.crc32(n.to_bytes(8, "big")) >= limit)
    if "sample" in wanted:
        packets = (p for n, p in enumerate(packets) if n % wanted["sample"] == 0)
    if "snaplen" in wanted:
        packets = (Packet(p.time, p.linktype, p.wirelen, p.data[: wanted["snaplen"]]) for p in packets)
    target = scratch / f"changed-{number}-{source.name.partition('.')[0]}.pcap"
    write(target, packets)
    return target


def packets_of(source: Path) -> Iterator[Packet]:
    """All packets of a capture; UsageError where it is damaged: a test must not stand on half of one."""
    from devicehunt.flows import containers
    from devicehunt.flows.records import Damage

    for part in containers.read(source):
        if isinstance(part, Damage):
            raise UsageError(f"{source}: {part.reason}")
        for at, size, wire, time, link in zip(part.at, part.caplen, part.wirelen, part.time, part.linktype, strict=True):
            yield Packet(int(time), int(link), int(wire), part.data[at : at + size].tobytes())


def write(target: Path, packets: Iterable[Packet]) -> None:
    """Write a pcap; UsageError when two link types meet, which one file cannot hold."""
    kept = list(packets)
    kinds = {p.linktype for p in kept}
    if len(kinds) > 1:
        raise UsageError(f"a pcap file holds one link type, these packets have {sorted(kinds)}")
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, 262144, kinds.pop() if kinds else 1))
        for p in kept:
            file.write(struct.pack("<IIII", *divmod(p.time, 10**9), len(p.data), p.wirelen) + p.data)


def _renamed(packets: Iterable[Packet], addresses: Mapping[str, str], ports: Mapping[int, int]) -> Iterator[Packet]:
    """Packets under other addresses and ports; lengths stay, checksums are made anew."""
    try:
        from scapy.config import conf
        from scapy.layers import inet, inet6, l2  # noqa: F401 - they register themselves as link types
    except ImportError as error:
        raise UsageError("map_addresses and map_ports need scapy: pip install scapy") from error
    for packet in packets:
        kind = conf.l2types.num2layer.get(packet.linktype)
        if kind is None:
            raise UsageError(f"map_addresses: scapy knows no link type {packet.linktype}")
        yield Packet(packet.time, packet.linktype, packet.wirelen, _rewritten(kind, packet.data, addresses, ports))


def _rewritten(kind: Any, data: bytes, addresses: Mapping[str, str], ports: Mapping[int, int]) -> bytes:
    parsed = kind(data)
    touched = False
    for layer in _layers(parsed):
        for name in ("src", "dst", "psrc", "pdst"):
            old = layer.fields.get(name)
            if isinstance(old, str) and old in addresses:
                setattr(layer, name, addresses[old])
                touched = True
        for name in ("sport", "dport"):
            if layer.fields.get(name) in ports:
                setattr(layer, name, ports[layer.fields[name]])
                touched = True
    if not touched:
        return data
    for layer in _layers(parsed):
        for name in ("chksum", "cksum"):
            if name in layer.fields:
                del layer.fields[name]
        layer.raw_packet_cache = None
    made = bytes(parsed)
    if len(made) != len(data):
        raise UsageError("a packet would change its length under another address: it cannot be renamed")
    return made


def _layers(packet: Any) -> Iterator[Any]:
    while packet is not None and packet.name != "NoPayload":
        yield packet
        packet = packet.payload
