"""One packet -> its rows: the outer addresses, and those inside its tunnels. Complete and slow; fast.py is measured against it.

Everything is bounded: extension headers, tags, tunnels in tunnels, the table of fragments. A length of the packet is
believed only as far as bytes were captured; `payload_len` alone is what the headers say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from devicehunt.flows import links, tunnels
from devicehunt.flows.records import TUNNELS

Key = tuple[int, int, int, int]  # source, destination, identification, protocol
V4 = 0xFFFF << 32  # v4-mapped
PORTED = frozenset((6, 17, 33, 132, 136))  # TCP, UDP, DCCP, SCTP, UDP-Lite
DEPTH = 8  # tunnels in tunnels
EXTENSIONS = 16
FRAGMENTS = 65536
PPPOE = TUNNELS.index("pppoe")


@dataclass(slots=True)
class Row:
    """A layer with addresses; the columns of records.Decoded that are not the same for the whole packet."""

    src: int
    dst: int
    sport: int
    dport: int
    proto: int
    flags: int
    seq: int
    vlan: int
    depth: int
    tunnel: int
    fragment: int
    payload_at: int  # offset within the packet, -1: none
    payload: int
    payload_len: int


class Fragments:
    """The ports of first fragments, for the later ones. The oldest is forgotten first."""

    def __init__(self, limit: int = FRAGMENTS) -> None:
        self.limit = limit
        self.ports: dict[Key, tuple[int, int]] = {}

    def put(self, key: Key, ports: tuple[int, int]) -> None:
        """Remember a first fragment; identifications come again, so the newest counts."""
        self.ports.pop(key, None)
        if len(self.ports) >= self.limit:
            del self.ports[next(iter(self.ports))]
        self.ports[key] = ports

    def get(self, key: Key) -> tuple[int, int] | None:
        """Give the ports of the first fragment, if it was seen."""
        return self.ports.get(key)


class Packet:
    """One packet and what was found in it. `named`: what explains a packet (or an inner layer) without addresses."""

    __slots__ = (
        "data", "depth", "direction", "dst", "end", "fragments", "interface", "named", "rows", "src", "tunnel", "unread", "vlan", "wire",
    )  # fmt: skip

    def __init__(self, data: bytes, wirelen: int, interface: int, fragments: Fragments) -> None:
        self.data = data
        self.end = len(data)
        self.wire = max(wirelen, len(data))
        self.interface = interface
        self.fragments = fragments
        self.rows: list[Row] = []
        self.named = ""
        self.unread = ""
        self.vlan = self.depth = self.tunnel = self.direction = self.src = self.dst = 0

    def name(self, what: str) -> None:
        """Say what the packet is."""
        if not self.rows:
            self.named = what
        elif not self.named:
            self.named = f"inside {TUNNELS[self.tunnel] or 'a tunnel'}: {what}"

    def refuse(self, why: str) -> None:
        """Say why it cannot be read; what is inside a row that was read is no loss of addresses."""
        if self.rows:
            self.name(why)
        else:
            self.unread = why

    def pppoe(self) -> None:
        """Note PPPoE, which is a link layer: a row in it stays an outer one."""
        if not self.depth:
            self.tunnel = PPPOE

    def inner(self, tunnel: int, begin: Callable[[links.Walk, int], None], pos: int) -> None:
        """Go on inside a tunnel."""
        if self.depth >= DEPTH:
            return self.refuse(f"tunnels more than {DEPTH} deep")
        self.depth += 1
        self.tunnel = tunnel
        self.vlan = 0
        if pos >= self.end:
            return self.refuse("cut")
        begin(self, pos)
        return None

    def ip(self, pos: int) -> None:
        """IPv4 or IPv6, whatever was announced: the version stands in the header."""
        if pos >= self.end:
            return self.refuse("cut before the IP header")
        version = self.data[pos] >> 4
        if version == 4:
            return self._v4(pos)
        if version == 6:
            return self._v6(pos)
        return self.refuse(f"IP of version {version}")

    def _v4(self, pos: int) -> None:
        d = self.data
        if self.end < pos + 20:
            return self.refuse("cut within the IPv4 header")
        size = (d[pos] & 15) * 4
        if size < 20:
            return self.refuse("IPv4 header shorter than 20 bytes")
        total = d[pos + 2] << 8 | d[pos + 3]
        if total == 0:  # segmentation was left to the card: the length is that of the frame
            total = self.wire - pos
        self.wire = pos + total  # may be before the header's end: nothing is in it then
        self.end = min(self.end, self.wire)
        self.src = V4 | int.from_bytes(d[pos + 12 : pos + 16], "big")
        self.dst = V4 | int.from_bytes(d[pos + 16 : pos + 20], "big")
        word, proto = d[pos + 6] << 8 | d[pos + 7], d[pos + 9]
        at = pos + size
        key = (self.src, self.dst, d[pos + 4] << 8 | d[pos + 5], proto)
        if word & 0x1FFF:
            return self._later(proto, at, key)
        return self._chain(proto, at, 4, key if word & 0x2000 else None)

    def _v6(self, pos: int) -> None:
        d = self.data
        if self.end < pos + 40:
            return self.refuse("cut within the IPv6 header")
        size = d[pos + 4] << 8 | d[pos + 5]
        if size or d[pos + 6] == 59:  # nothing and more to come: a jumbogram, or segmentation left to the card
            self.wire = pos + 40 + size
            self.end = min(self.end, self.wire)
        self.src = int.from_bytes(d[pos + 8 : pos + 24], "big")
        self.dst = int.from_bytes(d[pos + 24 : pos + 40], "big")
        return self._chain(d[pos + 6], pos + 40, 6, None)

    def _chain(self, proto: int, pos: int, version: int, key: Key | None) -> None:
        """Walk the extension headers (of IPv4 only AH) to the last header."""
        d = self.data
        for _ in range(EXTENSIONS):
            if proto == 51:
                step = (d[pos + 1] + 2) * 4 if pos + 2 <= self.end else 0
            elif version == 6 and proto in (0, 43, 60):
                step = (d[pos + 1] + 1) * 8 if pos + 2 <= self.end else 0
            elif version == 6 and proto == 44:
                if pos + 8 > self.end:
                    break
                word = d[pos + 2] << 8 | d[pos + 3]
                mark = (self.src, self.dst, int.from_bytes(d[pos + 4 : pos + 8], "big"), d[pos])
                if word & 0xFFF8:
                    return self._later(d[pos], pos + 8, mark)
                key, step = (mark if word & 1 else None), 8
            else:
                return self._last(proto, pos, version, key)
            if not step or pos + step > self.end:
                break
            proto, pos = d[pos], pos + step
        return self._row(0, 0, proto, pos)  # cut, or too long: the addresses stand

    def _later(self, proto: int, pos: int, key: Key) -> None:
        ports = self.fragments.get(key)
        sport, dport = ports or (0, 0)
        row = Row(self.src, self.dst, sport, dport, proto, 0, 0, self.vlan, self.depth, self.tunnel, 2 if ports else 1, -1, 0,
                  max(self.wire - pos, 0))  # fmt: skip
        self.rows.append(row)

    def _row(self, sport: int, dport: int, proto: int, above: int, *, flags: int = 0, seq: int = 0) -> None:
        """Add a row; its payload begins at `above`."""
        captured = max(self.end - above, 0)
        sent = max(self.wire - above, 0)
        at = above if captured else -1
        self.rows.append(
            Row(self.src, self.dst, sport, dport, proto, flags, seq, self.vlan, self.depth, self.tunnel, 0, at, captured, sent)
        )

    def _last(self, proto: int, pos: int, version: int, key: Key | None) -> None:
        """TCP, UDP, ICMP and what has no ports."""
        d = self.data
        ported = proto in PORTED
        if (ported or proto in (1, 58)) and self.end < pos + (4 if ported else 2):
            if key:
                self.fragments.put(key, (0, 0))
            return self._row(0, 0, proto, self.wire)
        sport = dport = 0
        if ported:
            sport, dport = d[pos] << 8 | d[pos + 1], d[pos + 2] << 8 | d[pos + 3]
        elif proto in (1, 58):
            sport, dport = d[pos], d[pos + 1]
        if key:
            self.fragments.put(key, (sport, dport))
        if proto == 6:
            return self._tcp(sport, dport, pos)
        if proto in (17, 136):
            return self._udp(sport, dport, proto, pos, whole=key is None)
        above = pos + {1: 8, 58: 8, 132: 12}.get(proto, 0)
        self._row(sport, dport, proto, above)
        if key is None and proto in tunnels.OVER_IP:
            return tunnels.OVER_IP[proto](self, pos, version)
        return None

    def _tcp(self, sport: int, dport: int, pos: int) -> None:
        d = self.data
        if self.end < pos + 14:
            return self._row(sport, dport, 6, self.wire)
        size = (d[pos + 12] >> 4) * 4
        above = pos + size if size >= 20 else self.wire
        return self._row(sport, dport, 6, above, flags=d[pos + 13], seq=int.from_bytes(d[pos + 4 : pos + 8], "big"))

    def _udp(self, sport: int, dport: int, proto: int, pos: int, *, whole: bool) -> None:
        d = self.data
        if proto == 17 and self.end >= pos + 6:
            size = d[pos + 4] << 8 | d[pos + 5]
            if 8 <= size < self.wire - pos:  # shorter than IP says: the rest is padding
                self.wire = pos + size
                self.end = min(self.end, self.wire)
        self._row(sport, dport, proto, pos + 8)
        carrier = tunnels.UDP.get(dport) or tunnels.UDP.get(sport)
        if carrier and whole and proto == 17 and self.end > pos + 8:
            carrier(self, pos + 8)


def decode(data: bytes, linktype: int, wirelen: int, interface: int, fragments: Fragments) -> Packet:
    """Read one packet."""
    p = Packet(data, wirelen, interface, fragments)
    links.link(p, linktype, 0)
    if not p.rows and not p.named and not p.unread:
        p.unread = "not read"
    return p


def rows_of(packets: Iterable[tuple[bytes, int, int]]) -> list[list[Row]]:
    """Read (bytes, link type, length on the wire) one after the other, as one capture."""
    fragments = Fragments()
    return [decode(data, linktype, wirelen, 0, fragments).rows for data, linktype, wirelen in packets]
