"""Tunnels: what a row carries inside. A function gets the packet and the place of the tunnel's header.

A UDP port alone proves nothing: every header is checked, and what does not look like its protocol stays an outer row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from devicehunt.flows import links
from devicehunt.flows.records import TUNNELS

Begin = Callable[[links.Walk, int], None]
NUMBER = {name: number for number, name in enumerate(TUNNELS)}


class Carrier(links.Walk, Protocol):
    """A packet that a tunnel can be followed into."""

    def inner(self, tunnel: int, begin: Begin, pos: int) -> None:
        """Go on inside a tunnel."""


def _ip(p: links.Walk, pos: int) -> None:
    p.ip(pos)


def _u16(p: links.Walk, pos: int) -> int:
    return p.data[pos] << 8 | p.data[pos + 1]


def _is_ip(p: links.Walk, pos: int) -> bool:
    return pos < p.end and p.data[pos] >> 4 in (4, 6)


# -- over IP


def _ipip(p: Carrier, pos: int, version: int) -> None:
    p.inner(NUMBER["ipip" if version == 4 else "4in6"], _ip, pos)


def _sit(p: Carrier, pos: int, version: int) -> None:
    p.inner(NUMBER["sit" if version == 4 else "6in6"], _ip, pos)


def _etherip(p: Carrier, pos: int, version: int) -> None:
    p.inner(NUMBER["eoip"], links.ethernet, pos + 2)


def _gre(p: Carrier, pos: int, version: int) -> None:
    if p.end < pos + 4:
        return p.refuse("cut within the GRE header")
    flags, kind = _u16(p, pos), _u16(p, pos + 2)
    if flags & 7 == 1:
        return _gre1(p, pos, flags, kind)
    if flags & 7 or flags & 0x4000:
        return p.refuse("GRE with source routes or of another version")
    at = pos + 4 + sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
    if kind == 0x88BE:  # ERSPAN I has no header of its own and no sequence number
        return p.inner(NUMBER["erspan"], links.ethernet, at + (8 if flags & 0x1000 else 0))
    if kind == 0x22EB:
        more = 8 if at + 12 <= p.end and p.data[at + 11] & 1 else 0
        return p.inner(NUMBER["erspan"], links.ethernet, at + 12 + more)
    if kind in (0x6558, 0x0001):
        return p.inner(NUMBER["gre"], links.ethernet, at)
    if 0x8200 <= kind <= 0x8370:  # Aruba: the frame as it was in the air
        return p.inner(NUMBER["gre"], links.wifi, at)
    if kind == 0x883E:  # WCCP: with or without a redirect header
        return p.inner(NUMBER["gre"], _ip, at if _is_ip(p, at) and p.data[at] == 0x45 else at + 4)
    return p.inner(NUMBER["gre"], lambda q, where: links.ethertype(q, where, kind if kind >= 0x600 else 0xFFFF), at)


def _gre1(p: Carrier, pos: int, flags: int, kind: int) -> None:
    """PPTP's GRE; MikroTik's EoIP wears the same clothes."""
    if kind == 0x6400 and flags & 0x2000:
        return p.inner(NUMBER["eoip"], links.ethernet, pos + 8)
    if kind != 0x880B or not flags & 0x2000:
        return p.refuse("GRE with source routes or of another version")
    at = pos + 8 + (4 if flags & 0x1000 else 0) + (4 if flags & 0x80 else 0)
    if p.end >= pos + 6 and _u16(p, pos + 4) == 0:
        return None  # an acknowledgement carries nothing
    return p.inner(NUMBER["gre"], links.ppp, at)


def _l2tp3(p: Carrier, pos: int) -> None:
    """A session's header: four bytes, then a cookie and a sublayer of lengths that only its two ends know."""
    for size in (4, 8, 12, 16):
        at = pos + size
        if p.end > at + 20 and (_u16(p, at + 12), p.data[at + 14]) in ((0x0800, 0x45), (0x86DD, 0x60)):
            return p.inner(NUMBER["l2tp"], links.ethernet, at)
    return p.name("l2tp, not ip")


def _l2tp3_ip(p: Carrier, pos: int, version: int) -> None:
    if p.data[pos : pos + 4] == b"\0\0\0\0":
        return p.name("l2tp control")
    return _l2tp3(p, pos)


OVER_IP: dict[int, Callable[[Carrier, int, int], None]] = {4: _ipip, 41: _sit, 47: _gre, 97: _etherip, 115: _l2tp3_ip}


# -- over UDP


def _l2tp(p: Carrier, pos: int) -> None:
    if p.end < pos + 6:
        return None
    flags = _u16(p, pos)
    if flags & 15 == 3 and not flags & 0x8000:
        return _l2tp3(p, pos + 4)
    if flags & 15 != 2:
        return None
    if flags & 0x8000:
        return p.name("l2tp control")
    at = pos + 6 + (2 if flags & 0x4000 else 0) + (4 if flags & 0x0800 else 0)
    if flags & 0x0200:
        if p.end < at + 2:
            return p.refuse("cut within the L2TP header")
        at += 2 + _u16(p, at)
    return p.inner(NUMBER["l2tp"], links.ppp, at)


def _vxlan(p: Carrier, pos: int) -> None:
    if p.end >= pos + 8 and p.data[pos] & 0x08 and not p.data[pos] & 0x70 and p.data[pos + 7] == 0:
        p.inner(NUMBER["vxlan"], links.ethernet, pos + 8)


def _vxlan_gpe(p: Carrier, pos: int) -> None:
    if p.end < pos + 8 or not p.data[pos] & 0x08:
        return
    if p.data[pos + 3] in (1, 2):
        p.inner(NUMBER["vxlan"], _ip, pos + 8)
    elif p.data[pos + 3] == 3:
        p.inner(NUMBER["vxlan"], links.ethernet, pos + 8)


def _geneve(p: Carrier, pos: int) -> None:
    if p.end < pos + 8 or p.data[pos] >> 6:
        return
    at, kind = pos + 8 + (p.data[pos] & 63) * 4, _u16(p, pos + 2)
    if kind == 0x6558:
        p.inner(NUMBER["geneve"], links.ethernet, at)
    elif kind in (0x0800, 0x86DD):
        p.inner(NUMBER["geneve"], _ip, at)


def _gtp(p: Carrier, pos: int) -> None:
    if p.end < pos + 8 or p.data[pos] & 0xF0 != 0x30 or p.data[pos + 1] != 255:
        return
    at = pos + 8
    if p.data[pos] & 7:
        at, following = at + 4, 0
        if at <= p.end and p.data[pos] & 4:
            following = p.data[at - 1]
        for _ in range(links.DEEP):
            if not following or at >= p.end or not p.data[at]:
                break
            at += p.data[at] * 4
            following = p.data[at - 1] if at <= p.end else 0
    if _is_ip(p, at):
        p.inner(NUMBER["gtp"], _ip, at)


def _tzsp(p: Carrier, pos: int) -> None:
    if p.end < pos + 5 or p.data[pos] != 1 or p.data[pos + 1] > 1:
        return
    kind, at = _u16(p, pos + 2), pos + 4
    while at < p.end and p.data[at] != 1:  # tags up to the end tag
        at += 1 if p.data[at] == 0 or at + 1 >= p.end else 2 + p.data[at + 1]
    begin: dict[int, Begin] = {1: links.ethernet, 18: links.wifi, 105: links.wifi, 127: links.radiotap}
    if kind in begin:
        p.inner(NUMBER["tzsp"], begin[kind], at + 1)


def _teredo(p: Carrier, pos: int) -> None:
    if p.data[pos : pos + 2] == b"\0\x01" and p.end >= pos + 4:  # authentication
        pos += 13 + p.data[pos + 2] + p.data[pos + 3]
    if p.data[pos : pos + 2] == b"\0\0":  # where the other end is seen from
        pos += 8
    if p.end >= pos + 40 and p.data[pos] >> 4 == 6 and _u16(p, pos + 4) + 40 <= p.wire - pos:
        p.inner(NUMBER["teredo"], _ip, pos)


UDP: dict[int, Callable[[Carrier, int], None]] = {
    1701: _l2tp, 4789: _vxlan, 8472: _vxlan, 4790: _vxlan_gpe, 6081: _geneve, 2152: _gtp, 37008: _tzsp, 3544: _teredo,
}  # fmt: skip
