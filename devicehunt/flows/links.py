"""Link layers: from the first byte of a captured packet to its IP header. Sizes and names in here are of the wire, none is trusted.

A layer either hands on (`p.ip`, another layer of here), or says what the packet is (`p.name`: ARP, STP ...: explained, and
of no interest to a table of connections), or why it cannot be read (`p.refuse`: counted as damage).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200, 0x9300))
DEEP = 16  # tags, labels and such in a row; more is no honest packet

ETHERTYPES = {
    0x0806: "arp", 0x8035: "rarp", 0x88CC: "lldp", 0x888E: "eapol", 0x88C7: "eapol", 0x890D: "802.11r", 0x8863: "pppoe discovery",
    0x8809: "slow protocols", 0x9000: "loopback test", 0x9003: "loopback test", 0x88E1: "homeplug", 0x8912: "homeplug",
    0x887B: "homeplug", 0x893A: "ieee 1905", 0x8902: "cfm", 0x88F7: "ptp", 0x88E5: "macsec", 0x8874: "broadcom loop detection",
    0x8899: "realtek", 0x0842: "wake on lan", 0x22F0: "avtp", 0x22F3: "trill", 0x22F4: "is-is", 0x22EA: "srp", 0x6001: "dec mop",
    0x6002: "dec mop", 0x6003: "decnet", 0x6004: "lat", 0x8137: "ipx", 0x809B: "appletalk", 0x80F3: "aarp", 0x88D9: "lltd",
    0x88A4: "ethercat", 0x8892: "profinet", 0x88B8: "goose", 0x88BA: "sampled values", 0x88BF: "romon", 0x88F5: "mvrp", 0x88F6: "mmrp",
    0x894F: "nsh", 0x8906: "fcoe", 0x8914: "fcoe", 0x88B5: "local experiment", 0x88B6: "local experiment", 0x80E1: "extreme edp",
    0x4305: "batman", 0x88DC: "wsmp", 0x8947: "geonetworking", 0x892F: "hsr", 0x88FB: "prp", 0x2000: "cdp", 0x2004: "dtp",
    0x010B: "pvstp", 0x0111: "udld", 0x2003: "vtp", 0x0104: "pagp", 0x8915: "roce", 0x86DF: "atmoe", 0x8847: "mpls", 0x8848: "mpls",
}  # fmt: skip
PPP_NAMES = {
    0xC021: "lcp", 0xC023: "pap", 0xC025: "lqr", 0xC223: "chap", 0xC227: "ppp eap", 0x8021: "ipcp", 0x8057: "ipv6cp", 0x80FD: "ccp",
    0x8281: "mplscp", 0x8053: "ecp", 0x802B: "ipxcp", 0x0207: "cdp", 0x8207: "cdpcp", 0x8031: "bcp", 0xC029: "cbcp", 0x0031: "ppp bridging",
}  # fmt: skip
SAPS = {0x42: "stp", 0xFE: "osi", 0xE0: "ipx", 0xF0: "netbios", 0xFF: "ipx", 0x00: "llc null", 0x04: "sna", 0xF4: "lan management",
        0xF8: "rpl", 0xFC: "hp", 0x7E: "x.25", 0x4E: "mms", 0x82: "bacnet"}  # fmt: skip


class Walk(Protocol):
    """One packet on its way through the layers."""

    data: bytes
    end: int  # of the bytes that were captured and belong to the layer
    wire: int  # the same, of the bytes that were sent
    vlan: int
    direction: int
    interface: int

    def ip(self, pos: int) -> None:
        """Hand on: an IP header stands at `pos`."""

    def name(self, what: str) -> None:
        """Say what the packet is, when it is explained and has no addresses."""

    def refuse(self, why: str) -> None:
        """Say why the packet cannot be read."""

    def pppoe(self) -> None:
        """Note that PPPoE carries the packet."""


def _u16(p: Walk, pos: int) -> int:
    return p.data[pos] << 8 | p.data[pos + 1]


def ethernet(p: Walk, pos: int) -> None:
    """Destination, source, EtherType or length."""
    if p.end < pos + 14:
        return p.refuse("cut within the Ethernet header")
    return ethertype(p, pos + 14, _u16(p, pos + 12))


def ethertype(p: Walk, pos: int, kind: int) -> None:
    """What follows an EtherType: tags and labels are stepped over, then IP or something with a name."""
    for _ in range(DEEP):
        if kind in (0x0800, 0x86DD):
            return p.ip(pos)
        if kind < 0x600:
            return llc(p, pos, kind)
        if kind in TAGS:
            if p.end < pos + 4:
                return p.refuse("cut within a VLAN tag")
            p.vlan = p.vlan or _u16(p, pos) & 0xFFF
            pos, kind = pos + 4, _u16(p, pos + 2)
            continue
        step = STEPS.get(kind)
        if step is not None:
            return step(p, pos)
        return _unknown(p, kind)
    return p.refuse(f"more than {DEEP} VLAN tags")


def _unknown(p: Walk, kind: int) -> None:
    if kind in ETHERTYPES:
        return p.name(ETHERTYPES[kind])
    return p.refuse(f"unknown EtherType 0x{kind:04x}")


def llc(p: Walk, pos: int, length: int) -> None:
    """IEEE 802.2, with or without SNAP; `length` is the field before it."""
    if length > 1500:
        return p.refuse("neither a length nor an EtherType")
    if p.end < pos + 3:
        return p.refuse("cut within the LLC header")
    dsap, ssap = p.data[pos], p.data[pos + 1]
    if dsap == 0xAA and ssap == 0xAA:
        if p.end < pos + 8:
            return p.refuse("cut within the SNAP header")
        if pos >= 14 and p.data[pos - 14 : pos - 9] in (b"\x01\x00\x0c\x00\x00", b"\x03\x00\x0c\x00\x00"):
            return ethernet(p, pos + 12)  # Cisco ISL: 26 bytes before the frame
        return _snap(p, pos + 8, p.data[pos + 3 : pos + 6], _u16(p, pos + 6))
    if dsap == 0x06 and ssap == 0x06:
        return p.ip(pos + 3)
    if dsap in SAPS:
        return p.name(SAPS[dsap])
    return p.refuse(f"unknown LLC service 0x{dsap:02x}")


def _snap(p: Walk, pos: int, oui: bytes, kind: int) -> None:
    if oui in (b"\0\0\0", b"\0\0\xf8"):
        return ethertype(p, pos, kind) if kind >= 0x600 else _unknown(p, kind)
    if oui in (b"\0\0\x0c", b"\0\xe0\x2b", b"\0\x80\xc2", b"\x08\0\x07"):
        if oui == b"\0\x80\xc2" and kind in (1, 7):
            return ethernet(p, pos + (2 if kind == 1 else 0))  # RFC 2684 bridged Ethernet
        return p.name(ETHERTYPES.get(kind, f"snap {oui.hex()}"))
    return p.refuse(f"unknown SNAP organisation {oui.hex()}")


def _pppoe(p: Walk, pos: int) -> None:
    if p.end < pos + 8:
        return p.refuse("cut within the PPPoE header")
    if p.data[pos] != 0x11 or p.data[pos + 1]:
        return p.refuse("PPPoE session of another version")
    p.pppoe()
    return ppp(p, pos + 6)


def ppp(p: Walk, pos: int) -> None:
    """A PPP frame, with or without address and control, its protocol in one or two bytes."""
    if p.data[pos : pos + 2] == b"\xff\x03" and pos + 2 < p.end:
        pos += 2
    if p.end < pos + 2:
        return p.refuse("cut within the PPP header")
    if p.data[pos] & 1:
        kind, pos = p.data[pos], pos + 1
    else:
        kind, pos = _u16(p, pos), pos + 2
    if kind in (0x21, 0x57):
        return p.ip(pos)
    if kind in (0x281, 0x283):
        return mpls(p, pos)
    if kind in PPP_NAMES:
        return p.name(PPP_NAMES[kind])
    return p.refuse("PPP, compressed or encrypted" if kind in (0xFD, 0xFB, 0x53, 0x55) else f"unknown PPP protocol 0x{kind:04x}")


def mpls(p: Walk, pos: int) -> None:
    """Labels down to the bottom of the stack; nothing says what is below, so its first bytes must."""
    for _ in range(DEEP):
        if p.end < pos + 5:
            return p.refuse("cut within the MPLS labels")
        bottom = p.data[pos + 2] & 1
        pos += 4
        if bottom:
            break
    else:
        return p.refuse(f"more than {DEEP} MPLS labels")
    nibble = p.data[pos] >> 4
    if nibble in (4, 6) and not _looks_ethernet(p, pos):
        return p.ip(pos)
    if nibble == 0 and _looks_ethernet(p, pos + 4):
        return ethernet(p, pos + 4)
    if _looks_ethernet(p, pos):
        return ethernet(p, pos)
    return p.name("mpls, not ip")


def _looks_ethernet(p: Walk, pos: int) -> bool:
    """Whether an Ethernet header with IP, ARP or a tag stands here."""
    if p.end < pos + 15:
        return False
    kind, nibble = _u16(p, pos + 12), p.data[pos + 14] >> 4
    return (kind, nibble) in ((0x0800, 4), (0x86DD, 6)) or kind in TAGS or kind == 0x0806


def _tagged(size: int) -> Callable[[Walk, int], None]:
    """A tag of a switch chip whose last two bytes are the EtherType."""

    def step(p: Walk, pos: int) -> None:
        if p.end < pos + size:
            return p.refuse("cut within the tag of a switch chip")
        return ethertype(p, pos + size, _u16(p, pos + size - 2))

    return step


def _edsa(p: Walk, pos: int) -> None:
    if p.end < pos + 8:
        return p.refuse("cut within the tag of a switch chip")
    return dsa(p, pos + 2)


def dsa(p: Walk, pos: int) -> None:
    """Marvell's tag of four bytes; a tagged frame has its VLAN in there."""
    if p.end < pos + 6:
        return p.refuse("cut within the tag of a switch chip")
    if p.data[pos] & 0x20:
        p.vlan = p.vlan or _u16(p, pos + 2) & 0xFFF
    if p.data[pos] & 0xC0 == 0x40 and _u16(p, pos + 2) & 0x1000:  # extended: four more bytes
        pos += 4
        if p.end < pos + 6:
            return p.refuse("cut within the tag of a switch chip")
    return ethertype(p, pos + 6, _u16(p, pos + 4))


def _realtek(p: Walk, pos: int) -> None:
    if p.end > pos + 8 and p.data[pos] >> 4 == 0xA:
        return _tagged(4)(p, pos)
    if p.end > pos + 8 and p.data[pos] == 4:
        return _tagged(8)(p, pos)
    return p.name("realtek")


def _backbone(p: Walk, pos: int) -> None:
    return ethernet(p, pos + 4)


STEPS: dict[int, Callable[[Walk, int], None]] = {
    0x8864: _pppoe,
    0x8847: mpls,
    0x8848: mpls,
    0xDADA: _edsa,
    0x8899: _realtek,
    0x88E7: _backbone,
    0x8909: _tagged(8),  # Cisco MetaData
    0x8926: _tagged(6),  # VN-Tag
    0x8903: lambda p, pos: ethernet(p, pos + 2),  # Cisco FabricPath
    0x880B: ppp,
    0x6559: lambda p, pos: p.name("frame relay"),
}


# -- what a capture begins a packet with


def _null(p: Walk, pos: int) -> None:
    if p.end < pos + 4:
        return p.refuse("cut within the loopback header")
    family = int.from_bytes(p.data[pos : pos + 4], "little")
    if family > 0xFFFF:
        family = int.from_bytes(p.data[pos : pos + 4], "big")
    if family in (2, 10, 23, 24, 28, 30):
        return p.ip(pos + 4)
    if family >= 0x600 and family in (0x0800, 0x86DD):
        return p.ip(pos + 4)
    return p.refuse(f"unknown address family {family} on a loopback")


def _ppp_hdlc(p: Walk, pos: int) -> None:
    if p.end >= pos + 4 and p.data[pos] in (0x0F, 0x8F) and p.data[pos + 1] == 0:
        return _chdlc(p, pos)
    return ppp(p, pos)


def _chdlc(p: Walk, pos: int) -> None:
    if p.end < pos + 4:
        return p.refuse("cut within the HDLC header")
    kind = _u16(p, pos + 2)
    if kind == 0x8035:
        return p.name("slarp")
    return ethertype(p, pos + 4, kind) if kind >= 0x600 else _unknown(p, kind)


def _ppp_directed(p: Walk, pos: int) -> None:
    if p.end < pos + 3:
        return p.refuse("cut within the PPP header")
    p.direction = 1 if p.data[pos] else 2
    return ppp(p, pos + 1)


HOSTS = (2, 2, 2, 3, 1)  # by the kernel's packet type: to us, broadcast, multicast, to somebody else, by us


def _cooked(p: Walk, pos: int, packet_type: int, hardware: int, kind: int) -> None:
    p.direction = HOSTS[packet_type] if packet_type < len(HOSTS) else 0
    if hardware in (801, 802, 803):
        return (radiotap if hardware == 803 else wifi)(p, pos)
    if hardware == 824:
        return p.name("netlink")
    if kind == 4:
        return llc(p, pos, 0)
    if kind == 1:
        return p.name("ipx")
    return ethertype(p, pos, kind) if kind >= 0x600 else p.refuse(f"unknown protocol 0x{kind:04x} of a cooked capture")


def _sll(p: Walk, pos: int) -> None:
    if p.end < pos + 16:
        return p.refuse("cut within the cooked header")
    return _cooked(p, pos + 16, _u16(p, pos), _u16(p, pos + 2), _u16(p, pos + 14))


def _sll2(p: Walk, pos: int) -> None:
    if p.end < pos + 20:
        return p.refuse("cut within the cooked header")
    p.interface = _u16(p, pos + 6)  # the kernel's index, the low half: what tells the interfaces of `any` apart
    return _cooked(p, pos + 20, p.data[pos + 10], _u16(p, pos + 8), _u16(p, pos))


def _nflog(p: Walk, pos: int) -> None:
    """Attributes in the byte order of the machine that wrote them; number 9 is the packet."""
    if p.end < pos + 8:
        return p.refuse("cut within the NFLOG header")
    order: str = "little" if int.from_bytes(p.data[pos + 4 : pos + 6], "little") <= p.end else "big"
    at = pos + 4
    while at + 4 <= p.end:
        size, kind = (int.from_bytes(p.data[at + i : at + i + 2], "little" if order == "little" else "big") for i in (0, 2))
        if size < 4:
            break
        if kind & 0x7FFF == 9:
            return p.ip(at + 4)
        at += (size + 3) & ~3
    return p.refuse("NFLOG without a packet")


def radiotap(p: Walk, pos: int) -> None:
    """Radio facts before a frame of 802.11; only its length and two flags matter."""
    if p.end < pos + 8:
        return p.refuse("cut within the radiotap header")
    size = int.from_bytes(p.data[pos + 2 : pos + 4], "little")
    if size < 8 or pos + size > p.end:
        return p.refuse("radiotap header of a wrong length")
    present, at = int.from_bytes(p.data[pos + 4 : pos + 8], "little"), pos + 8
    word = present
    while word >> 31 and at + 4 <= pos + size:
        word = int.from_bytes(p.data[at : at + 4], "little")
        at += 4
    if present & 1:
        at += -(at - pos) % 8 + 8
    flags = p.data[at] if present & 2 and at < pos + size else 0
    if flags & 0x10:  # the frame ends with its check sum
        p.wire -= 4
        p.end = min(p.end, p.wire)
    return wifi(p, pos + size, pad=bool(flags & 0x20))


def wifi(p: Walk, pos: int, *, pad: bool = False) -> None:
    """IEEE 802.11: only unencrypted data frames carry addresses."""
    if p.end < pos + 10:
        return p.refuse("cut within the 802.11 header")
    control, flags = p.data[pos], p.data[pos + 1]
    kind, subtype = control >> 2 & 3, control >> 4
    if kind != 2:
        return p.name(("802.11 management", "802.11 control", "", "802.11 extension")[kind])
    if subtype & 4:
        return p.name("802.11 null")
    if flags & 0x40:
        return p.name("802.11 encrypted")
    size = 24 + (6 if flags & 3 == 3 else 0)
    at = pos + size
    if subtype & 8:
        if p.end > at and p.data[at] & 0x80:
            return p.refuse("802.11 aggregate")
        size += 2 + (4 if flags & 0x80 else 0)
    if pad:
        size = (size + 3) & ~3
    return llc(p, pos + size, 0)


def _ppi(p: Walk, pos: int) -> None:
    if p.end < pos + 8:
        return p.refuse("cut within the PPI header")
    size, kind = int.from_bytes(p.data[pos + 2 : pos + 4], "little"), int.from_bytes(p.data[pos + 4 : pos + 8], "little")
    if size < 8 or kind == 192:
        return p.refuse("PPI header of a wrong length")
    return link(p, kind, pos + size)


def _prism(p: Walk, pos: int) -> None:
    avs = p.data[pos : pos + 3] == b"\x80\x21\x10"
    size = int.from_bytes(p.data[pos + 4 : pos + 8], "big" if avs else "little")
    if size < 8 or pos + size > p.end:
        return p.refuse("Prism header of a wrong length")
    return wifi(p, pos + size)


def _dsa(p: Walk, pos: int) -> None:
    return dsa(p, pos + 12)


def _broadcom(p: Walk, pos: int) -> None:
    return _tagged(6)(p, pos + 12)


def _frelay(p: Walk, pos: int) -> None:
    """Frame Relay with NLPID (RFC 2427), or Cisco's EtherType."""
    if p.end < pos + 4:
        return p.refuse("cut within the Frame Relay header")
    if p.data[pos + 2] == 3 and p.data[pos + 3] in (0xCC, 0x8E):
        return p.ip(pos + 4)
    if _u16(p, pos + 2) >= 0x600:
        return ethertype(p, pos + 4, _u16(p, pos + 2))
    return p.name("frame relay")


def _raw(p: Walk, pos: int) -> None:
    return p.ip(pos)


LINKS: dict[int, Callable[[Walk, int], None]] = {
    0: _null, 108: _null, 1: ethernet, 9: _ppp_hdlc, 50: _ppp_hdlc, 51: _pppoe, 104: _chdlc, 166: _ppp_directed, 204: _ppp_directed,
    12: _raw, 14: _raw, 101: _raw, 228: _raw, 229: _raw, 113: _sll, 276: _sll2, 239: _nflog, 127: radiotap, 105: wifi, 119: _prism,
    163: _prism, 192: _ppi, 284: _dsa, 285: ethernet, 281: _broadcom, 282: lambda p, pos: ethernet(p, pos + 4), 107: _frelay,
    219: mpls, 100: lambda p, pos: llc(p, pos, 0), 10: lambda p, pos: llc(p, pos + 13, 0),
}  # fmt: skip
OTHER = {
    187: "bluetooth", 201: "bluetooth", 251: "bluetooth", 254: "bluetooth", 189: "usb", 220: "usb", 249: "usb", 253: "netlink",
    195: "802.15.4", 230: "802.15.4", 227: "can",
}  # fmt: skip


def link(p: Walk, linktype: int, pos: int) -> None:
    """Begin at the first byte of a packet."""
    begin = LINKS.get(linktype)
    if begin is not None:
        return begin(p, pos)
    if linktype in OTHER:
        return p.name(OTHER[linktype])
    return p.refuse(f"unknown link type {linktype}")
