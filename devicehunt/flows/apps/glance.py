"""A glance at the first bytes of many connections at once: which of them no signature fits, and which are plainly TLS.

`glance` says what signs_tcp.py and signs_udp.py cannot say otherwise: a test here is weaker than the signature that it
stands for, never stronger, so that a row without a mark has no name. A new signature needs its test here as well;
the tests hold `glance` against `identify`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from devicehunt.flows.apps.signs_udp import PORTS

Array = Any
WIDTH = 32
"""Bytes that a glance wants of each direction; what lies behind the payload does not matter."""
MAYBE, TLS = 1, 2
"""Marks: a signature may fit; a hello of a TLS client, which is TLS whatever the other end says."""
PORTED = np.zeros(65536, dtype=bool)
"""UDP ports that make a signature of weaker signs."""
PORTED[sorted(PORTS)] = True
_TCP, _UDP = 6, 17


def _firsts(*values: int | range | bytes) -> Array:
    table = np.zeros(256, dtype=bool)
    for one in values:
        table[[one] if isinstance(one, int) else list(one)] = True
    return table


_PRINTED = _firsts(range(0x20, 0x7F))
_TCP_WHOLE = _firsts(b"\x05\x10\x30\x81{")  # few enough to look at each
_UDP_WHOLE = _firsts(b"MNIROABCSP<d\xd0\x30\x38\x40\x50\x41", range(0x80, 0x90))
_OPCODES = _firsts(0, 1, 2, 4, 5)
_IKE, _IKE_KINDS = _firsts(0x10, 0x20, 0x21), _firsts(1, 2, 3, 4, 5, 6, range(32, 48))
_QUIC = np.array([0, 1, 0x6B3343CF, 0x51303433, 0x51303436, 0x51303530, 0x54303530, 0x54303531])


def glance(heads: Array, sizes: Array, protocols: Array) -> Array:
    """The marks of each row of `heads` (WIDTH bytes, of which `sizes` are payload)."""
    out = np.zeros(len(heads), dtype=np.uint8)
    for number, look in ((_TCP, _tcp), (_UDP, _udp)):
        rows = np.flatnonzero((protocols == number) & (sizes > 0))
        if len(rows):
            out[rows] = look(np.ascontiguousarray(heads[rows].T), sizes[rows])
    return out


def decided(proto: Array, orig_port: Array, resp_port: Array, orig: Array, resp: Array) -> tuple[Array, Array]:
    """By the marks of both directions: which connections are TLS, and of which the signatures must be asked."""
    tls = (proto == _TCP) & (orig & TLS > 0)
    ported = (proto == _UDP) & (PORTED[orig_port] | PORTED[resp_port])
    return tls, (((orig | resp) & MAYBE > 0) | ported) & ~tls


def _word(b: Array, at: int, size: int = 2) -> Array:
    out = b[at].astype(np.int64)
    for i in range(at + 1, at + size):
        out = out << 8 | b[i]
    return out


def _dns(b: Array, at: int, room: Array) -> Array:
    """A header of DNS whose counts make sense."""
    counts = [_word(b, at + i) for i in (4, 6, 8, 10)]
    some = (counts[0] | counts[1] | counts[2] | counts[3]) > 0
    fits = _OPCODES[b[at + 2] >> 3 & 15] & (b[at + 3] & 15 < 24) & (some | (room == 12)) & (room >= 12)
    return fits & (counts[0] <= 16) & (counts[1] <= 200) & (counts[2] <= 200) & (counts[3] <= 200)


def _tcp(b: Array, sizes: Array) -> Array:
    first, second, third = b[0], b[1], b[2]
    version = (second == 3) & (third <= 4)
    tail = (_word(b, 6, 3) < 0x20000) & ((b[9] == 3) | (b[9] == 0x7F) | (_word(b, 9) == 2))
    hello = (first == 22) & version & (sizes >= 6) & (b[5] == 1) & ((sizes < 11) | tail)
    maybe = _TCP_WHOLE[first] | _PRINTED[first] & _PRINTED[second] | (second == 6)
    maybe |= (first >= 0x14) & (first <= 0x17) & (version | (second == 0x16))
    maybe |= (first == 0x06) & (second == 0x2F) | (first == 0x13) & (second == 0x42)
    maybe |= (first == 0x43) & ((second | 0xC0) & 0xBF == 0x81)  # iSCSI
    maybe |= (first >> 4 == 8) & (third == 1)  # SSL 2
    maybe |= (first == 4) & ((second == 1) | (second == 2))  # SOCKS 4
    maybe |= (first == 0xFF) & (second >= 250)  # BGP, telnet
    maybe |= (first == 0x6F) & (b[9] == 0x7B)  # frp
    maybe |= (first == 3) & (second == 0) & (b[5] == 0xE0)  # RDP
    maybe |= (first == 0x12) & (second == 1)  # TDS
    maybe |= (first >> 1 == 0x60) & (third == 1)  # TACACS+
    maybe |= (first <= 4) & (third & 7 == 0) & np.isin(third >> 3, (7, 8, 10))  # OpenVPN
    maybe |= (first <= 1) & _dns(b, 2, sizes - 2)
    maybe |= (first <= 2) & (b[4] == 3)  # smux
    maybe |= (first == 0) & _of_zero(b, sizes)
    maybe |= (third == 0) & (b[3] == 0) & (b[4] == 10)  # MySQL
    maybe |= (b[13] == 7) & (b[3] == 0) & (sizes >= 16)  # MongoDB
    return maybe * np.uint8(MAYBE) | hello * np.uint8(TLS)


def _of_zero(b: Array, sizes: Array) -> Array:
    """What begins with a zero: Smart Install, PostgreSQL, SMB, yamux, PPTP, Kerberos."""
    code = _word(b, 4, 4)
    out = (code == 1) | (code == 80877103) | (code == 80877104) | (code == 196608) | (code & 0xFFFFFF == 0x534D42)
    out |= (b[1] <= 2) & (b[2] == 0) & (b[3] == 1) & (sizes >= 12)
    return out | (code == 0x1A2B3C4D) | (b[4] == 0x6A) | (b[4] == 0x6C)


def _udp(b: Array, sizes: Array) -> Array:
    first, second = b[0], b[1]
    version = _word(b, 1, 4)
    maybe = _UDP_WHOLE[first] | _dns(b, 0, sizes)
    maybe |= (first <= 1) & (_word(b, 4, 4) == 0x2112A442)  # STUN
    maybe |= (first == 0) & ((version >> 8 == 0x0055AA) | ((second >= 1) & (second <= 2) & _PRINTED[b[2]]))  # Tuya, TFTP
    maybe |= (first >= 1) & (first <= 4) & (version >> 8 == 0)  # WireGuard, CAPWAP
    maybe |= (first >= 20) & (first <= 23) & (second == 0xFE)  # DTLS
    maybe |= (first >= 0xC0) & (second & 15 == 2)  # L2TP
    known = np.isin(version, _QUIC) | (version & 0x0F0F0F0F == 0x0A0A0A0A) | (version >> 8 == 0xFF0000)
    maybe |= (first >= 0x80) & known & (sizes >= 14)
    maybe |= (first & 0x89 == 9) & (b[9] == 0x51) & (b[10] == 0x30)  # QUIC of Google
    maybe |= _IKE[b[17]] & _IKE_KINDS[b[18]] & (sizes >= 28)
    return maybe * np.uint8(MAYBE)
