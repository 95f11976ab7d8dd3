"""A chunk of packets -> rows, with numpy: packets of the usual shapes by the block, everything else through packet.py.

A shape is fast when its IP header has no options, is no fragment, carries TCP, UDP or ICMP that was captured whole (its
headers), and no tunnel. What the shapes say is what packet.py says of the same bytes; the tests hold one against the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from devicehunt.flows import packet, tunnels
from devicehunt.flows.packet import PPPOE
from devicehunt.flows.records import Chunk, Damage, Decoded

Array = Any
BLOCK = 1 << 15  # packets; their columns stay in the cache
REASONS = 64  # distinct ones a block; a hostile capture can make up thousands
MASK = (1 << 64) - 1
KINDS = {
    "packet": "i8", "time": "i8", "length": "i8", "src_hi": "u8", "src_lo": "u8", "dst_hi": "u8", "dst_lo": "u8", "sport": "u2",
    "dport": "u2", "proto": "u1", "flags": "u1", "seq": "u4", "vlan": "u2", "depth": "u1", "tunnel": "u1", "interface": "u2",
    "fragment": "u1", "payload_at": "i8", "payload": "i8", "payload_len": "i8", "direction": "u1",
}  # fmt: skip


def _shape(size: int, **fields: tuple[str, int]) -> np.dtype[Any]:
    kinds = {
        "names": list(fields),
        "formats": [f for f, _ in fields.values()],
        "offsets": [o for _, o in fields.values()],
        "itemsize": size,
    }
    return np.dtype(kinds)  # type: ignore[call-overload, no-any-return]


# The IP header stands 14 bytes in, as behind Ethernet; other links are gathered from where that is so.
V4 = _shape(
    64, kind=(">u2", 12), pppoe=(">u2", 6), version=("u1", 14), total=(">u2", 16), cut=("<u2", 20), proto=("u1", 23), src=(">u4", 26),
    dst=(">u4", 30), sport=(">u2", 34), dport=(">u2", 36), seq=(">u4", 38), said=(">u2", 38), head=("u1", 46), flags=("u1", 47),
)  # fmt: skip
V6 = _shape(
    80, version=("u1", 14), total=(">u2", 18), proto=("u1", 20), src_hi=(">u8", 22), src_lo=(">u8", 30), dst_hi=(">u8", 38),
    dst_lo=(">u8", 46), sport=(">u2", 54), dport=(">u2", 56), seq=(">u4", 58), said=(">u2", 58), head=("u1", 66), flags=("u1", 67),
)  # fmt: skip
CARRIER = np.zeros(65536, dtype=bool)
CARRIER[list(tunnels.UDP)] = True
MAPPED = np.uint64(0xFFFF << 32)
HOSTS = np.zeros(65536, dtype=np.uint8)
HOSTS[:5] = (2, 2, 2, 3, 1)


class Decoder:
    """Decodes the chunks of one capture in their order; it remembers the fragments."""

    def __init__(self) -> None:
        self.fragments = packet.Fragments()

    def blocks(self, chunk: Chunk) -> Iterator[Decoded]:
        """Decode a chunk, a block at a time."""
        for low in range(0, len(chunk.at), BLOCK):
            yield _Block(chunk, low, min(low + BLOCK, len(chunk.at))).decode(self.fragments)


class _Block:
    def __init__(self, chunk: Chunk, low: int, high: int) -> None:
        self.chunk = chunk
        self.n = high - low
        self.first = chunk.first + low
        self.at, self.caplen = chunk.at[low:high], chunk.caplen[low:high]
        self.wirelen, self.linktype = chunk.wirelen[low:high], chunk.linktype[low:high]
        self.done = np.zeros(self.n, dtype=bool)
        self.out: dict[str, Array] = {name: np.zeros(self.n, dtype=kind) for name, kind in KINDS.items()}
        self.out["packet"] = np.arange(self.first, self.first + self.n, dtype=np.int64)
        self.out["time"], self.out["length"] = chunk.time[low:high], self.wirelen
        self.out["interface"] = chunk.interface[low:high].astype(np.uint16)
        if chunk.direction is not None:
            self.out["direction"] = chunk.direction[low:high].astype(np.uint8)
        self.data = np.ascontiguousarray(chunk.data)
        self.windows = {size: self._window(size) for size in (64, 80)}

    def _window(self, size: int) -> Array | None:
        """Every run of `size` bytes of the chunk, as one array that overlaps itself."""
        if len(self.data) < size:
            return None
        return np.ndarray((len(self.data) - size + 1,), dtype=f"V{size}", buffer=self.data, strides=(1,))

    def decode(self, fragments: packet.Fragments) -> Decoded:
        if self.n and self.windows[80] is not None:
            first = int(self.linktype[0])
            if (self.linktype == first).all():
                self._link(first, None)
            else:
                for kind in np.unique(self.linktype)[:16]:
                    self._link(int(kind), np.flatnonzero(self.linktype == kind))
        return self._rest(fragments)

    # -- the usual shapes. `rows`: which packets of the block, None: all

    def _link(self, linktype: int, rows: Array | None) -> None:
        if linktype == 1:
            self._ethernet(rows, 0, 0)
        elif linktype in (12, 14, 101, 228, 229):
            self._raw(rows)
        elif linktype in (9, 50):
            self._ppp(np.arange(self.n) if rows is None else rows)
        elif linktype in (113, 276):
            self._cooked(np.arange(self.n) if rows is None else rows, linktype == 276)

    def _pick(self, column: Array, rows: Array | None) -> Array:
        return column if rows is None else column[rows]

    def _gather(self, rows: Array | None, base: int, size: int) -> tuple[Array, Array | None]:
        """The bytes from `base` of each packet on; which of them lie within the chunk (None: all)."""
        window = self.windows[size]
        assert window is not None
        where = self._pick(self.at, rows) + base
        if len(where) and int(where.min()) >= 0 and int(where.max()) < len(window):
            return window[where], None
        inside = (where >= 0) & (where < len(window))
        return window[np.where(inside, where, 0)], inside

    def _ethernet(self, rows: Array | None, base: int, tags: int) -> None:
        raw, inside = self._gather(rows, base, 64)
        head = raw.view(V4)
        kind = head["kind"].astype(np.uint16)
        room = self._pick(self.caplen, rows) >= base + 14
        self._v4(rows, head, base, _and(kind == 0x0800, inside))
        self._of(rows, _and(kind == 0x86DD, inside) & room, lambda some: self._v6(some, base))
        if tags < 3:
            tagged = _and((kind == 0x8100) | (kind == 0x88A8) | (kind == 0x9100) | (kind == 0x9200) | (kind == 0x9300), inside) & room
            self._of(rows, tagged, lambda some: self._tagged(some, base, tags))
        self._of(rows, _and(kind == 0x8864, inside) & room, lambda some: self._pppoe(some, base))

    def _of(self, rows: Array | None, mask: Array, then: Any) -> None:
        some = np.flatnonzero(mask)
        if len(some):
            then(some if rows is None else rows[some])

    def _tagged(self, rows: Array, base: int, tags: int) -> None:
        where = self.at[rows] + base + 14
        whole = self.caplen[rows] >= base + 18
        rows, where = rows[whole], where[whole]
        if not len(rows):
            return
        vlan = (self.data[where].astype(np.uint16) << 8 | self.data[where + 1]) & 0xFFF
        self.out["vlan"][rows] = np.where(self.out["vlan"][rows] == 0, vlan, self.out["vlan"][rows])
        self._ethernet(rows, base + 4, tags + 1)

    def _pppoe(self, rows: Array, base: int) -> None:
        """Six bytes of PPPoE and two of PPP: then the IP header is 8 bytes further in, and the protocol where the EtherType was."""
        rows = rows[self.caplen[rows] >= base + 22]
        if not len(rows):
            return
        raw, inside = self._gather(rows, base + 8, 64)
        head = raw.view(V4)
        fine = _and(head["pppoe"] == 0x1100, inside)
        self.out["tunnel"][rows] = PPPOE
        self._v4(rows, head, base + 8, fine & (head["kind"] == 0x21) & (head["version"] >> 4 == 4))
        self._of(rows, fine & (head["kind"] == 0x57), lambda some: self._v6(some, base + 8))
        self.out["tunnel"][rows[~self.done[rows]]] = 0

    def _raw(self, rows: Array | None) -> None:
        raw, inside = self._gather(rows, -14, 64)
        head = raw.view(V4)
        self._v4(rows, head, -14, _and(head["version"] >> 4 == 4, inside))
        self._of(rows, _and(head["version"] >> 4 == 6, inside) & (self._pick(self.caplen, rows) > 0), lambda some: self._v6(some, -14))

    def _ppp(self, rows: Array) -> None:
        rows = rows[self.caplen[rows] >= 5]
        first, second = self._word(self.at[rows]), self._word(self.at[rows] + 2)
        for base, kind in ((-12, first), (-10, np.where(first == 0xFF03, second, 0))):
            self._of(rows, kind == 0x21, lambda some, base=base: self._cooked_v4(some, base))
            self._of(rows, kind == 0x57, lambda some, base=base: self._v6(some, base))

    def _cooked(self, rows: Array, second: bool) -> None:
        size = 20 if second else 16
        rows = rows[self.caplen[rows] >= size]
        at = self.at[rows]
        if not len(rows):
            return
        hardware = self._word(at + (8 if second else 2))
        packet_type = self.data[at + 10].astype(np.uint16) if second else self._word(at)
        kind = self._word(at + (0 if second else 14))
        self.out["direction"][rows] = HOSTS[packet_type]
        if second:
            self.out["interface"][rows] = self._word(at + 6)
        usual = (hardware < 801) | (hardware > 803) & (hardware != 824)
        self._of(rows, usual & (kind == 0x0800), lambda some: self._cooked_v4(some, size - 14))
        self._of(rows, usual & (kind == 0x86DD), lambda some: self._v6(some, size - 14))

    def _cooked_v4(self, rows: Array, base: int) -> None:
        raw, inside = self._gather(rows, base, 64)
        head = raw.view(V4)
        self._v4(rows, head, base, _and(head["version"] >> 4 == 4, inside))

    def _word(self, at: Array) -> Array:
        return self.data[at].astype(np.uint16) << 8 | self.data[at + 1]

    # -- IP

    def _v4(self, rows: Array | None, head: Array, base: int, mask: Array) -> None:
        total = head["total"].astype(np.int32)
        mask = mask & (head["version"] == 0x45) & (head["cut"] & 0xFF3F == 0)
        mapped = {"src_lo": lambda h: h["src"] | MAPPED, "dst_lo": lambda h: h["dst"] | MAPPED}
        self._upper(rows, head, base + 34, mask, total - 20, icmp=1, addresses=mapped)

    def _v6(self, rows: Array, base: int) -> None:
        raw, inside = self._gather(rows, base, 80)
        head = raw.view(V6)
        mask = _and(head["version"] >> 4 == 6, inside)
        whole = {name: lambda h, name=name: h[name] for name in ("src_hi", "src_lo", "dst_hi", "dst_lo")}
        self._upper(rows, head, base + 54, mask, head["total"].astype(np.int32), icmp=58, addresses=whole)

    def _upper(self, rows: Array | None, head: Array, base: int, mask: Array, size: Array, *, icmp: int, addresses: Any) -> None:
        """TCP, UDP or ICMP at `base`, with `size` bytes by the IP header."""
        proto, sport, dport = head["proto"], head["sport"].astype(np.uint16), head["dport"].astype(np.uint16)
        caplen = self._pick(self.caplen, rows)
        tcp, udp, ping = proto == 6, proto == 17, proto == icmp
        least = np.where(tcp, 20, 8)
        mask = mask & (tcp & (head["head"] >= 0x50) | udp | ping) & (size >= least) & (caplen >= base + least)
        if udp.any():
            mask &= ~(udp & (CARRIER[sport] | CARRIER[dport]))
        if not mask.any():
            return
        if mask.all():
            some: Array = slice(None) if rows is None else rows
        else:
            picked = np.flatnonzero(mask)
            some = picked if rows is None else rows[picked]
            head = head.view(f"V{head.itemsize}")[picked].view(head.dtype)  # as bytes: field by field it would be 40 times slower
            size, tcp, ping, udp = size[picked], tcp[picked], ping[picked], udp[picked]
            proto, sport, dport, caplen = proto[picked], sport[picked], dport[picked], caplen[picked]
        out = self.out
        for name, get in addresses.items():
            out[name][some] = get(head)
        self.done[some] = True
        if ping.any():
            sport, dport = np.where(ping, sport >> 8, sport), np.where(ping, sport & 255, dport)
        out["sport"][some], out["dport"][some], out["proto"][some] = sport, dport, proto
        if not tcp.all():
            seq, flags = np.where(tcp, head["seq"], 0), np.where(tcp, head["flags"], 0)
            length = np.where(tcp, head["head"] >> 4 << 2, 8)
            said = head["said"].astype(np.int32)
            size = np.where(udp & (said >= 8) & (said < size), said, size)
        else:
            seq, flags, length = head["seq"], head["flags"], head["head"] >> 4 << 2
        out["seq"][some], out["flags"][some] = seq, flags
        sent = np.maximum(size - length, 0)
        captured = np.clip(caplen - base - length, 0, sent)
        out["payload_len"][some], out["payload"][some] = sent, captured
        at = (self.at[some] + (self.chunk.place + base)) + length
        out["payload_at"][some] = np.where(captured > 0, at, -1)

    # -- everything else

    def _rest(self, fragments: packet.Fragments) -> Decoded:
        rest = np.flatnonzero(~self.done)
        if not len(rest):
            return Decoded(**self.out)
        counts = self.done.astype(np.int64)
        rows: list[packet.Row] = []
        sides: list[tuple[int, int, int]] = []  # direction, interface, place of the packet
        unread, named = _Tally(), dict[str, int]()
        given = self.chunk.interface
        for i in rest.tolist():
            at, size = int(self.at[i]), int(self.caplen[i])
            data = self.data[at : at + size].tobytes()
            number = int(given[i + self.first - self.chunk.first])
            p = packet.decode(data, int(self.linktype[i]), int(self.wirelen[i]), number, fragments)
            counts[i] = len(p.rows)
            rows += p.rows
            sides += [(p.direction or int(self.out["direction"][i]), p.interface & 0xFFFF, self.chunk.place + at)] * len(p.rows)
            if p.named:
                key = p.named if p.named in named or len(named) < REASONS else "other"
                named[key] = named.get(key, 0) + 1
            if p.unread:
                unread.add(p.unread, self.chunk.place + at, size, self.first + i)
        index = np.repeat(np.arange(self.n), counts)
        out = {name: column[index] for name, column in self.out.items()}
        slow = np.flatnonzero(~self.done[index])
        _put(out, slow, rows, sides)
        return Decoded(**out, unread=unread.damage(), named=named)


def _and(mask: Array, inside: Array | None) -> Array:
    return mask if inside is None else mask & inside


def _put(out: dict[str, Array], slow: Array, rows: list[packet.Row], sides: list[tuple[int, int, int]]) -> None:
    """Write the rows of packet.py to their places."""
    for name in ("sport", "dport", "proto", "flags", "seq", "vlan", "depth", "tunnel", "fragment", "payload", "payload_len"):
        out[name][slow] = [getattr(row, name) for row in rows]
    for name in ("src", "dst"):
        whole = [getattr(row, name) for row in rows]
        out[f"{name}_hi"][slow] = np.array([a >> 64 for a in whole], dtype=np.uint64)
        out[f"{name}_lo"][slow] = np.array([a & MASK for a in whole], dtype=np.uint64)
    out["payload_at"][slow] = [
        row.payload_at + place if row.payload_at >= 0 else -1 for row, (_, _, place) in zip(rows, sides, strict=True)
    ]
    out["direction"][slow], out["interface"][slow] = [d for d, _, _ in sides], [i for _, i, _ in sides]


class _Tally:
    """What could not be read, by its reason."""

    def __init__(self) -> None:
        self.by: dict[str, Damage] = {}

    def add(self, reason: str, offset: int, size: int, number: int) -> None:
        if reason not in self.by and len(self.by) >= REASONS:
            reason = "other"
        one = self.by.setdefault(reason, Damage(reason, offset, 0, 0, number))
        one.size += size
        one.packets = (one.packets or 0) + 1

    def damage(self) -> list[Damage]:
        return list(self.by.values())
