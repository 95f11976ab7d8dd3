"""Decoded packets -> connections.

One half of a connection is all that one end sent to the other: addresses, ports, protocol, tunnel, interface. Halves
stand in an open-addressed hash table of numpy columns; a block of packets finds its rows with some gathers, and what it
adds is added in place. A key is always compared in full, and the hash has a random seed: two connections never become
one, and nobody can aim at a slot. At the end the two halves of a connection are put together.

Nothing is split in time: a connection of the evidence is one, however long it was silent (`idle`, `after_fin` for who
wants it). A packet that an `any` capture saw on several interfaces is in a row of each, never counted twice in one.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np

from devicehunt.flows.apps import glance
from devicehunt.flows.records import TUNNELS, Chunk, Damage, Decoded

Array = Any
LIMIT = 6_000_000  # halves; about 100 bytes each
COLUMNS = {
    "packets": "i8", "bytes": "i8", "payload": "i8", "flags": "u2", "first": "i8", "last": "i8", "line": "i8", "vlan": "u2",
    "place": "i8", "captured": "i4", "head": "i8", "sign": "u1",
}  # fmt: skip
SYN, SYN_ACK = 1 << 8, 1 << 9
FLAGS = np.arange(256, dtype=np.uint16)
FLAGS = FLAGS | np.where(FLAGS & 0x12 == 0x02, SYN, 0).astype(np.uint16) | np.where(FLAGS & 0x12 == 0x12, SYN_ACK, 0).astype(np.uint16)
FLAG_TEXT = np.array(["".join(c for i, c in enumerate("FSRPAUEC") if n >> i & 1) for n in range(256)], dtype=object)
REPLIES = {1: {0: 8, 14: 13, 16: 15, 18: 17}, 58: {129: 128, 140: 139}}  # ICMP: reply -> what it replies to
REQUESTS = {proto: np.array(sorted(set(kinds.values()))) for proto, kinds in REPLIES.items()}
PROTOCOLS = {
    0: "hopopt", 1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 8: "egp", 9: "igp", 17: "udp", 33: "dccp", 41: "ipv6", 46: "rsvp", 47: "gre",
    50: "esp", 51: "ah", 58: "icmp6", 59: "none", 88: "eigrp", 89: "ospf", 97: "etherip", 103: "pim", 108: "ipcomp", 112: "vrrp",
    115: "l2tp", 132: "sctp", 135: "mobility", 136: "udplite", 137: "mpls",
}  # fmt: skip
PROTO_TEXT = np.array([PROTOCOLS.get(n, str(n)) for n in range(256)], dtype=object)
ORIENTED = np.array(["first", "port", "syn"], dtype=object)
KNOWN = np.zeros(65536, dtype=bool)  # ports that a server listens on
KNOWN[1:1024] = True
for _ports in (
    (1080, 1194, 1433, 1701, 1723, 1812, 1813, 1883, 1900, 2049, 3128, 3306, 3389, 3478, 4500, 4786, 5060, 5061, 5222, 5353, 5432),
    (5900, 5938, 6379, 6667, 7547, 8000, 8080, 8081, 8291, 8443, 8728, 8729, 8883, 8888, 9000, 9100, 9200, 11211, 27017, 51820),
):
    KNOWN[list(_ports)] = True
LOW16 = np.uint64(0xFFFF)
HALF, MARK, EMPTY = np.uint64(32), np.uint64(1 << 32), np.uint64((1 << 64) - 1)


class Halves:
    """Halves of connections by their keys: `width` columns of 64 bits."""

    def __init__(self, width: int, limit: int = LIMIT) -> None:
        self.limit, self.n = limit, 0
        self.bits = 12
        self.keys: list[Array] = [np.zeros(2048, dtype=np.uint64) for _ in range(width)]
        self.cols: dict[str, Array] = {name: np.zeros(2048, dtype=kind) for name, kind in COLUMNS.items()}
        self.slots: Array = np.full(1 << self.bits, EMPTY, dtype=np.uint64)
        self.seeds = [np.uint64(secrets.randbits(64) | 1) for _ in range(width + 1)]

    def _hash(self, keys: list[Array]) -> Array:
        h = keys[0] * self.seeds[0]
        for key, seed in zip(keys[1:], self.seeds[1:], strict=False):
            h ^= h >> np.uint64(31)
            h += key
            h *= seed
        h ^= h >> np.uint64(29)
        h *= self.seeds[-1]
        return h

    def find(self, keys: list[Array], hashes: Array | None = None) -> Array:
        """Give the number of the half of each key; -1: there is none.

        A slot holds half of the hash beside the number, so that other keys are passed without a look at them.
        """
        h = self._hash(keys) if hashes is None else hashes
        slot = (h >> np.uint64(64 - self.bits)).view(np.int64)
        got = self.slots[slot]
        mixed = got ^ h << HALF
        used = got != EMPTY
        ids = np.where(used & (mixed < MARK), mixed, EMPTY).view(np.int64)
        left = np.flatnonzero(used & (mixed >= MARK))
        slot, rest, mask = slot[left], h[left] << HALF, (1 << self.bits) - 1
        while len(left):
            slot = (slot + 1) & mask
            got = self.slots[slot]
            mixed = got ^ rest
            used = got != EMPTY
            hit = used & (mixed < MARK)
            ids[left[hit]] = mixed[hit].view(np.int64)
            more = used & (mixed >= MARK)
            left, slot, rest = left[more], slot[more], rest[more]
        wrong = np.flatnonzero((ids >= 0) & ~self._same(ids, keys))
        if len(wrong):
            ids[wrong] = self._find_exactly([key[wrong] for key in keys], h[wrong])
        return ids

    def _find_exactly(self, keys: list[Array], h: Array) -> Array:
        """Do the same where two hashes are alike: every slot's key is compared."""
        ids, left, mask = np.full(len(h), -1, dtype=np.int64), np.arange(len(h)), (1 << self.bits) - 1
        slot = (h >> np.uint64(64 - self.bits)).view(np.int64)
        while len(left):
            got = self.slots[slot]
            number = np.where(got == EMPTY, EMPTY, got & (MARK - np.uint64(1))).view(np.int64)
            same = (number >= 0) & self._same(number, [key[left] for key in keys])
            ids[left[same]] = number[same]
            more = ~same & (number >= 0)
            left, slot = left[more], (slot[more] + 1) & mask
        return ids

    def _same(self, ids: Array, keys: list[Array]) -> Array:
        same = self.keys[0][ids] == keys[0]
        for mine, theirs in zip(self.keys[1:], keys[1:], strict=True):
            same &= mine[ids] == theirs
        return same

    def number(self, keys: list[Array], line: Array, time: Array) -> Array:
        """Give each row the number of its half, new ones included; -1: the table is full."""
        h = self._hash(keys)
        ids = self.find(keys, h)
        missing = np.flatnonzero(ids < 0)
        if not len(missing):
            return ids
        some, h = [key[missing] for key in keys], h[missing]
        order, starts = _groups(some, h)
        room = self.limit - self.n
        begin = order[starts]
        group = np.zeros(len(order), dtype=np.intp)
        group[starts[1:]] = 1
        group = np.cumsum(group)
        given = np.where(group < room, group + self.n, -1)
        ids[missing[order]] = given
        begin = begin[: max(room, 0)]
        self._append([key[begin] for key in some], h[begin], line[missing[begin]], time[missing[begin]])
        return ids

    def _append(self, keys: list[Array], h: Array, line: Array, time: Array) -> None:
        low, high = self.n, self.n + len(h)
        if high > len(self.cols["line"]):
            size = max(high, len(self.cols["line"]) * 3 // 2)
            self.keys = [_grown(key, size) for key in self.keys]
            for name in self.cols:
                self.cols[name] = _grown(self.cols[name], size)
        for mine, theirs in zip(self.keys, keys, strict=True):
            mine[low:high] = theirs
        self.cols["line"][low:high] = line
        self.cols["first"][low:high] = time
        self.cols["last"][low:high] = time
        self.cols["place"][low:high] = -1
        self.n = high
        if high * 2 > 1 << self.bits:
            self.bits = (high * 3).bit_length()
            self.slots = np.full(1 << self.bits, EMPTY, dtype=np.uint64)
            low, h = 0, self._hash([key[:high] for key in self.keys])
        self._enter(np.arange(low, high, dtype=np.uint64) | h << HALF, h)

    def _enter(self, entries: Array, h: Array) -> None:
        mask = (1 << self.bits) - 1
        slot = (h >> np.uint64(64 - self.bits)).view(np.int64)
        while len(entries):
            free = self.slots[slot] == EMPTY
            self.slots[slot[free]] = entries[free]  # of several for one slot the last stays
            left = self.slots[slot] != entries
            entries, slot = entries[left], (slot[left] + 1) & mask

    def merge(self, other: Halves) -> int:
        """Add the sums of another part of the same capture; gives how many packets there was no room for."""
        n, theirs, before = other.n, other.cols, self.n
        ids = self.number([key[:n] for key in other.keys], theirs["line"][:n], theirs["first"][:n])
        kept = np.flatnonzero(ids >= 0)
        lost = int(theirs["packets"][:n][ids < 0].sum())
        ids, mine = ids[kept], self.cols
        for name in ("packets", "bytes", "payload"):  # the keys of `other` are distinct: no number comes twice
            mine[name][ids] += theirs[name][kept]
        mine["flags"][ids] |= theirs["flags"][kept]
        mine["first"][ids] = np.minimum(mine["first"][ids], theirs["first"][kept])
        mine["last"][ids] = np.maximum(mine["last"][ids], theirs["last"][kept])
        earlier = theirs["line"][kept] < mine["line"][ids]
        at, rows = ids[earlier | (ids >= before)], kept[earlier | (ids >= before)]
        mine["line"][at], mine["vlan"][at] = theirs["line"][rows], theirs["vlan"][rows]
        better = (theirs["place"][kept] >= 0) & ((mine["place"][ids] < 0) | (theirs["head"][kept] < mine["head"][ids]))
        for name in ("place", "captured", "head", "sign"):
            mine[name][ids[better]] = theirs[name][kept[better]]
        return lost


def _grown(column: Array, size: int) -> Array:
    new = np.zeros(size, dtype=column.dtype)
    new[: len(column)] = column
    return new


def _groups(keys: list[Array], h: Array) -> tuple[Array, Array]:
    """Rows of equal keys, side by side and in their order: the order of rows, and where each group starts."""
    n = len(h)
    bits = np.uint64(max((n - 1).bit_length(), 1))
    mixed = h >> bits << bits | np.arange(n, dtype=np.uint64)
    mixed.sort()
    order = (mixed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.intp)
    mixed >>= bits
    new, differ = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    new[1:] = mixed[1:] != mixed[:-1]
    for key in keys:
        differ[1:] |= key[order[1:]] != key[order[:-1]]
    if (differ & ~new).any():  # a collision of the hash: by the keys themselves
        order = np.lexsort((np.arange(n), *keys))
        differ[:] = False
        for key in keys:
            differ[1:] |= key[order[1:]] != key[order[:-1]]
        new = differ
        new[0] = True
    return order, np.flatnonzero(new)


class FlowTable:
    """The connections of one capture."""

    def __init__(self, *, idle: int | None = None, after_fin: bool = False, limit: int = LIMIT) -> None:
        self.idle, self.after_fin = idle, after_fin
        self.split = idle is not None or after_fin
        self.v4, self.v6 = Halves(3 if self.split else 2, limit), Halves(6, limit)
        self.generations: dict[tuple[int, ...], list[int]] = {}
        self.newest = -(1 << 62)
        self.lost = Damage("more connections than the table holds: the packets of further ones are not counted", packets=0)
        self.limit = limit

    def add(self, d: Decoded, chunk: Chunk | None = None) -> None:
        """Count a block of packets. With its chunk, the first bytes of each half are looked at (`sign`); else they may be anything."""
        if not len(d.packet):
            return
        sport, dport = requests(d)
        info = meta_of(d.proto, d.depth, d.tunnel, d.interface)
        if self.split:
            info |= self._split(d, info, sport, dport) << np.uint64(32)
        ends = [d.src_hi, d.src_lo, d.dst_hi, d.dst_lo]
        four = is_v4(*ends)
        steady = bool((d.time[1:] >= d.time[:-1]).all()) and int(d.time[0]) >= self.newest
        self.newest = max(self.newest, int(d.time.max()))
        whole = bool(four.all())
        if whole or four.any():
            rows: Array = slice(None) if whole else np.flatnonzero(four)
            keys = keys4([e[rows] for e in ends], sport[rows], dport[rows], info[rows])
            if self.split:
                keys.append(info[rows] >> HALF)
            self._count(self.v4, keys, d, rows, steady, chunk)
        if not whole:
            rows = np.flatnonzero(~four)
            self._count(self.v6, keys6([e[rows] for e in ends], sport[rows], dport[rows], info[rows]), d, rows, steady, chunk)

    def _count(  # noqa: PLR0917
        self, half: Halves, keys: list[Array], d: Decoded, rows: Array, steady: bool, chunk: Chunk | None
    ) -> None:
        time, packet, length, sent = d.time[rows], d.packet[rows], d.length[rows], d.payload_len[rows]
        captured, place, flags, vlan = d.payload[rows], d.payload_at[rows], FLAGS[d.flags[rows]], d.vlan[rows]
        before = half.n
        ids, kept = half.number(keys, packet, time), None
        if half.n == half.limit and (ids < 0).any():
            kept = np.flatnonzero(ids >= 0)
            self.lost.packets = (self.lost.packets or 0) + len(ids) - len(kept)
            self.lost.first_packet = self.lost.first_packet or int(packet[ids < 0][0])
            ids, time, packet, length, sent = ids[kept], time[kept], packet[kept], length[kept], sent[kept]
            captured, place, flags, vlan = captured[kept], place[kept], flags[kept], vlan[kept]
        c = half.cols
        np.add.at(c["packets"], ids, np.ones(len(ids), dtype=np.int64))
        np.add.at(c["bytes"], ids, length)
        np.add.at(c["payload"], ids, sent)
        if steady:
            c["last"][ids] = time  # of several the last stays
        else:
            np.maximum.at(c["last"], ids, time)
            np.minimum.at(c["first"], ids, time)
        told = c["flags"][ids]
        fresh = np.flatnonzero(flags & ~told)
        np.bitwise_or.at(c["flags"], ids[fresh], flags[fresh])
        if half.n > before and vlan.any():
            new = np.flatnonzero(ids >= before)[::-1]
            c["vlan"][ids[new]] = vlan[new]
        heads = np.flatnonzero((captured > 0) & (c["place"][ids] < 0))[::-1]  # backwards: of several the first stays
        at = ids[heads]
        c["place"][at], c["captured"][at], c["head"][at] = place[heads], captured[heads], packet[heads]
        c["sign"][at] = _signs(chunk, place[heads], captured[heads], d.proto[rows][heads] if kept is None else d.proto[rows][kept][heads])

    def _split(self, d: Decoded, info: Array, sport: Array, dport: Array) -> Array:
        """Number the connections that use the same addresses and ports one after the other; packet by packet, so slow."""
        out = np.zeros(len(info), dtype=np.uint64)
        ends = zip(*(x.tolist() for x in (d.src_hi, d.src_lo, sport, d.dst_hi, d.dst_lo, dport)), strict=True)
        for i, (end, rest, time, flags) in enumerate(zip(ends, info.tolist(), d.time.tolist(), d.flags.tolist(), strict=True)):
            key = (*min(end[:3], end[3:]), *max(end[:3], end[3:]), rest)
            state = self.generations.get(key)
            if state is None:
                if len(self.generations) >= self.limit:
                    continue
                state = self.generations[key] = [0, time, 0]
            quiet = self.idle is not None and time - state[1] > self.idle
            again = self.after_fin and flags & 0x12 == 0x02 and state[2]
            if quiet or again:
                state[0], state[2] = state[0] + 1, 0
            state[1], state[2] = max(state[1], time), state[2] | flags & 0x05
            out[i] = state[0]
        return out

    def merge(self, other: FlowTable) -> None:
        """Add the table of another part of the same capture; not for tables that split."""
        for mine, theirs in ((self.v4, other.v4), (self.v6, other.v6)):
            self.lost.packets = (self.lost.packets or 0) + mine.merge(theirs)
        self.lost.packets = (self.lost.packets or 0) + (other.lost.packets or 0)
        firsts = [number for number in (self.lost.first_packet, other.lost.first_packet) if number]
        self.lost.first_packet = min(firsts, default=0)
        self.newest = max(self.newest, other.newest)

    def damage(self) -> list[Damage]:
        """What the table had no room for."""
        return [self.lost] if self.lost.packets else []

    def connections(self) -> dict[str, Array]:
        """Put the halves together: a row a connection, in the order of their first packets.

        Beside the columns of the table `connections`, as numbers: where the first payload of each direction is in the
        file (`orig_place`, -1: none), how much of it was captured, and in which packet.
        """
        parts = [_paired(half, reverse, ends) for half, reverse, ends in ((self.v4, _turned4, _ends4), (self.v6, _turned6, _ends6))]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.lexsort((joined["depth"], joined["line"]))  # one packet begins a connection at each depth of its tunnels
        for name in joined:
            joined[name] = joined[name][order]
        joined["connection"] = np.arange(1, len(order) + 1, dtype=np.int64)
        return joined

    def batches(self, size: int = 50_000, found: dict[str, Array] | None = None) -> Iterator[dict[str, Array]]:
        """Give the columns of the table `connections` (but for whose they are), some rows at a time."""
        found = self.connections() if found is None else found
        for low in range(0, len(found["line"]), size):
            yield texts({name: column[low : low + size] for name, column in found.items()})


def _signs(chunk: Chunk | None, places: Array, sizes: Array, protocols: Array) -> Array:
    """What a glance at the first bytes says (apps/glance.py)."""
    if chunk is None:
        return np.full(len(places), glance.MAYBE, dtype=np.uint8)
    at = (places - chunk.place)[:, None] + np.arange(glance.WIDTH)
    return glance.glance(chunk.data[np.minimum(at, len(chunk.data) - 1)], sizes, protocols)


def meta_of(proto: Array, depth: Array, tunnel: Array, interface: Array) -> Array:
    """What makes a half beside its ends, in one word: protocol, tunnel and interface; the upper half is free."""
    return proto | depth.astype(np.uint64) << 8 | tunnel.astype(np.uint64) << 12 | interface.astype(np.uint64) << 16


def is_v4(src_hi: Array, src_lo: Array, dst_hi: Array, dst_lo: Array) -> Array:
    """Say which rows are between IPv4 addresses."""
    return (src_hi | dst_hi == 0) & (src_lo >> 32 == 0xFFFF) & (dst_lo >> 32 == 0xFFFF)


def keys4(ends: list[Array], sport: Array, dport: Array, meta: Array) -> list[Array]:
    """Make the key of halves between IPv4 addresses: two words, an end and half of `meta` in each."""
    return [
        ends[1] << HALF | sport.astype(np.uint64) << 16 | meta >> 16 & LOW16,
        ends[3] << HALF | dport.astype(np.uint64) << 16 | meta & LOW16,
    ]


def keys6(ends: list[Array], sport: Array, dport: Array, meta: Array) -> list[Array]:
    """Make the key of other halves."""
    return [*ends, sport.astype(np.uint64) << 16 | dport, meta]


def requests(d: Decoded) -> tuple[Array, Array]:
    """Turn an ICMP reply into the other half of its request: the same two "ports" the other way round."""
    sport, dport = d.sport, d.dport
    for proto, replies in REPLIES.items():
        ping = d.proto == proto
        if ping.any():
            sport, dport = sport.copy(), dport.copy()
            for reply, request in replies.items():
                rows = ping & (d.sport == reply) & (d.dport == 0)
                sport[rows], dport[rows] = 0, request
    return sport, dport


def _turned4(keys: list[Array]) -> list[Array]:
    return [keys[1] & ~LOW16 | keys[0] & LOW16, keys[0] & ~LOW16 | keys[1] & LOW16, *keys[2:]]


def _turned6(keys: list[Array]) -> list[Array]:
    return [keys[2], keys[3], keys[0], keys[1], (keys[4] & np.uint64(0xFFFF)) << np.uint64(16) | keys[4] >> np.uint64(16), keys[5]]


def _ends4(keys: list[Array]) -> list[Array]:
    mapped, high = np.uint64(0xFFFF << 32), np.zeros(len(keys[0]), dtype=np.uint64)
    port = [(key >> np.uint64(16) & LOW16).astype(np.uint16) for key in keys[:2]]
    return [high, keys[0] >> HALF | mapped, port[0], high, keys[1] >> HALF | mapped, port[1]]


def _ends6(keys: list[Array]) -> list[Array]:
    return [
        keys[0],
        keys[1],
        (keys[4] >> np.uint64(16)).astype(np.uint16),
        keys[2],
        keys[3],
        (keys[4] & np.uint64(0xFFFF)).astype(np.uint16),
    ]


def _paired(half: Halves, reverse: Any, ends: Any) -> dict[str, Array]:
    n = half.n
    keys = [key[:n] for key in half.keys]
    cols = half.cols
    other = half.find(reverse(keys))
    me = np.arange(n)
    other[other == me] = -1  # from an end to itself
    line = cols["line"][:n]
    lead = np.flatnonzero((other < 0) | (line < line[other]) | (line == line[other]) & (me < other))
    other = other[lead]
    keys = [key[lead] for key in keys]
    meta = keys[5] if len(keys) == 6 else (keys[0] & LOW16) << np.uint64(16) | keys[1] & LOW16
    proto = (meta & np.uint64(0xFF)).astype(np.uint8)
    e = ends(keys)
    turned, how = _orient(proto, e[2], e[5], cols["flags"][lead], np.where(other >= 0, cols["flags"][other], 0))
    orig, resp = np.where(turned, other, lead), np.where(turned, lead, other)
    out = {
        "proto": proto, "depth": (meta >> np.uint64(8) & np.uint64(15)).astype(np.uint8), "oriented": how,
        "tunnel": (meta >> np.uint64(12) & np.uint64(15)).astype(np.uint8), "vlan": cols["vlan"][lead],
        "interface": (meta >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.uint16), "line": cols["line"][lead],
        "first": np.minimum(cols["first"][lead], np.where(other >= 0, cols["first"][other], 1 << 62)),
        "last": np.maximum(cols["last"][lead], np.where(other >= 0, cols["last"][other], -(1 << 62))),
    }  # fmt: skip
    for i, name in enumerate(("hi", "lo", "port")):
        out[f"orig_{name}"], out[f"resp_{name}"] = np.where(turned, e[i + 3], e[i]), np.where(turned, e[i], e[i + 3])
    for side, ids in (("orig", orig), ("resp", resp)):
        for name in ("packets", "bytes", "payload", "flags", "place", "captured", "head", "sign"):
            out[f"{side}_{name}"] = np.where(ids >= 0, cols[name][ids], -1 if name == "place" else 0)
    return out


def _orient(proto: Array, sport: Array, dport: Array, flags: Array, back: Array) -> tuple[Array, Array]:
    """Say whether the half that was seen first is the answer, and how that is known (index of ORIENTED)."""
    tcp = proto == 6
    opened, answered = (flags & SYN > 0) | (back & SYN_ACK > 0), (back & SYN > 0) | (flags & SYN_ACK > 0)
    syn = tcp & (opened | answered)
    turned = syn & np.where((flags & SYN > 0) == (back & SYN > 0), (flags & SYN_ACK > 0) & ~(back & SYN_ACK > 0), back & SYN > 0)
    ported = np.isin(proto, (6, 17, 33, 132, 136)) & ~syn
    served = KNOWN[sport] & ~KNOWN[dport]  # the source is a server
    asked = KNOWN[dport] & ~KNOWN[sport]
    neither = tcp & ~KNOWN[sport] & ~KNOWN[dport]  # in the middle of a connection: clients take high ports
    served, asked = served | neither & (sport < 32768) & (dport >= 32768), asked | neither & (dport < 32768) & (sport >= 32768)
    port = ported & (served | asked)
    turned |= ported & served
    for number, requests in REQUESTS.items():
        ping = proto == number
        port |= ping & (np.isin(sport, requests) & (dport == 0) | np.isin(dport, requests) & (sport == 0))
        turned |= ping & (sport == 0) & np.isin(dport, requests)
    return turned, np.where(syn, 2, np.where(port, 1, 0)).astype(np.uint8)


def texts(found: dict[str, Array]) -> dict[str, Array]:
    """Columns as the table `connections` has them, from those of FlowTable.connections."""
    out: dict[str, Array] = {"line": found["line"], "connection": found["connection"], "proto": PROTO_TEXT[found["proto"]]}
    for side in ("orig", "resp"):
        keys = np.empty((len(found["line"]), 2), dtype=">u8")
        keys[:, 0], keys[:, 1] = found[f"{side}_hi"], found[f"{side}_lo"]
        raw = keys.tobytes()
        blobs = [raw[i : i + 16] for i in range(0, len(raw), 16)]
        out[f"{side}_key"], out[f"{side}_ip"] = np.empty(len(blobs), dtype=object), np.empty(len(blobs), dtype=object)
        written = {blob: address(blob) for blob in set(blobs)}  # ends come again: a server has many clients
        out[f"{side}_key"][:], out[f"{side}_ip"][:] = blobs, [written[blob] for blob in blobs]
        out[f"{side}_port"] = found[f"{side}_port"].astype(np.int32)
        for name in ("packets", "bytes", "payload"):
            out[f"{side}_{name}"] = found[f"{side}_{name}"]
        out[f"{side}_flags"] = np.where(found["proto"] == 6, FLAG_TEXT[found[f"{side}_flags"] & 0xFF], "").astype(object)
    out["first_at"], out["last_at"] = found["first"].view("M8[ns]"), found["last"].view("M8[ns]")
    out["oriented"], out["tunnel"] = ORIENTED[found["oriented"]], np.array(TUNNELS, dtype=object)[found["tunnel"]]
    for name in ("interface", "vlan", "depth"):
        out[name] = found[name].astype(np.int32)
    return out


MAPPED = b"\0" * 10 + b"\xff\xff"


def address(key: bytes) -> str:
    """Write 16 bytes as an address; a v4-mapped one as IPv4."""
    if key.startswith(MAPPED):
        return socket.inet_ntop(socket.AF_INET, key[12:])
    if key.startswith(MAPPED[:8]):  # the C library writes some of these with dots
        return str(ipaddress.IPv6Address(key))
    return socket.inet_ntop(socket.AF_INET6, key)
