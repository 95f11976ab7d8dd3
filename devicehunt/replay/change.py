"""A capture -> the same one renamed, shifted, thinned, cut short or mixed into another (metamorphic tests).

The result is a pcapng with nanoseconds, which says how many packets were lost on the way: evidence that has holes must
not look whole. What is chosen is chosen by number, so two runs give the same bytes.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devicehunt.errors import UsageError

NAMES = ("map_addresses", "map_ports", "shift", "loss", "sample", "snaplen", "mix_with")
_LOST = 5  # isb_ifdrop, an option of the interface statistics block


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
    `mix_with`: another capture, merged by time. UsageError when no source is a capture or holds one.
    """
    wanted = {name: options[name] for name in NAMES if options.get(name)}
    rest = {name: value for name, value in options.items() if name not in NAMES}
    if not wanted:
        return list(sources), rest
    _sensible(wanted)
    made = [_source(source, scratch, wanted, number) for number, source in enumerate(sources)]
    if made == list(sources):
        raise UsageError(f"{', '.join(wanted)}: no source is a capture, or a folder with one")
    return made, rest


def _source(source: Path, scratch: Path, wanted: Mapping[str, Any], number: int) -> Path:
    """A capture changed, or a folder with its captures changed; any other source as it is."""
    if is_capture(source):
        return _one(source, scratch, wanted, number)
    inside = sorted(path for path in source.rglob("*") if is_capture(path)) if source.is_dir() else []
    if not inside:
        return source
    folder = scratch / f"changed-{number}" / source.name
    shutil.copytree(source, folder)
    for at, path in enumerate(inside):
        place = folder / path.relative_to(source)
        place.unlink()
        _one(path, scratch, wanted, at).replace(place)
    return folder


def _sensible(wanted: Mapping[str, Any]) -> None:
    """Raise UsageError for what would change nothing, or everything, without a word."""
    if not 0 <= wanted.get("loss", 0) < 1:
        raise UsageError(f"loss is a share of the packets, from 0 to below 1, not {wanted['loss']}")
    for name in ("sample", "snaplen"):
        if name in wanted and (not isinstance(wanted[name], int) or wanted[name] < 1):
            raise UsageError(f"{name} is a whole number from 1 on, not {wanted[name]!r}")


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
    kept = list(packets)
    lost = len(kept)
    if "loss" in wanted:
        limit = int(wanted["loss"] * 2**32)
        kept = [p for n, p in enumerate(kept) if zlib.crc32(n.to_bytes(8, "big")) >= limit]
    kept = kept[:: wanted.get("sample", 1)]
    lost -= len(kept)
    if "snaplen" in wanted:
        kept = [Packet(p.time, p.linktype, p.wirelen, p.data[: wanted["snaplen"]]) for p in kept]
    target = scratch / f"changed-{number}-{source.name.partition('.')[0]}.pcapng"
    write(target, kept, lost=lost)
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


def write(target: Path, packets: Iterable[Packet], *, lost: int = 0) -> None:
    """Write a pcapng: an interface a link type. `lost`: packets that the capturer is said to have dropped."""
    kept = list(packets)
    kinds = sorted({p.linktype for p in kept}) or [1]
    with target.open("wb") as file:
        file.write(_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        for kind in kinds:
            file.write(_block(1, struct.pack("<HHI", kind, 0, 262144) + struct.pack("<HHB3xI", 9, 1, 9, 0)))
        for p in kept:
            head = struct.pack("<IIIII", kinds.index(p.linktype), p.time >> 32, p.time & 0xFFFFFFFF, len(p.data), p.wirelen)
            file.write(_block(6, head + p.data + bytes(-len(p.data) % 4)))
        if lost:
            last = kept[-1].time if kept else 0
            file.write(_block(5, struct.pack("<IIIHHQI", 0, last >> 32, last & 0xFFFFFFFF, _LOST, 8, lost, 0)))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


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
