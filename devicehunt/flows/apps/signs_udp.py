"""Which protocol a UDP conversation speaks, from the first bytes of both directions."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable

_Sign = Callable[[bytes, bytes, tuple[int, int]], str]

_TEXT = re.compile(
    rb"(?P<ssdp>(?:M-SEARCH|NOTIFY) \* HTTP/1\.[01]\r\n)"
    rb"|(?P<sip>(?:INVITE|REGISTER|OPTIONS|ACK|BYE|CANCEL|SUBSCRIBE|NOTIFY|MESSAGE|PUBLISH|INFO) sips?:|SIP/2\.0 \d{3} )"
    rb"|(?P<syslog><(?:1?[0-9]{1,2})>(?:1 |[A-Z][a-z]{2} [ 0-3]\d |[!-~]))"
    rb"|(?P<bittorrent>d1:(?:a|r|e)d?[0-9l]|d1:(?:[arq]d?2:id20:|el?i?\d)|d2:ip\d:)"
    rb"|(?P<wsd>(?:<\?xml[^\r\n]{0,60}\?>\s*)?<[a-zA-Z:]{0,12}Envelope\b)"
    rb"|(?P<mndp>\x00\x00[\x00-\xff]{2}\x00\x01\x00\x06|\x00\x00\x00\x00$)"
    rb"|(?P<ubnt_discovery>\x01\x00\x00\x00$|[\x01\x02][\x00\x06]\x00[\x00-\xff]\x02\x00\x0a)"
    rb"|(?P<netflow>\x00\x05\x00[\x01-\x1e][\x00-\xff]{4}[\x40-\xff]|\x00\x09\x00[\x01-\x40][\x00-\xff]{4}[\x40-\xff])"
    rb"|(?P<ipfix>\x00\x0a[\x00-\x06][\x00-\xff][\x40-\xff][\x00-\xff]{11}(?:\x00[\x02\x03]|[\x01-\xff][\x00-\xff]))"
    rb"|(?P<sflow>\x00\x00\x00\x05\x00\x00\x00[\x01\x02])"
    rb"|(?P<tuya>\x00\x00\x55\xaa\x00\x00[\x00-\xff]{2}\x00\x00\x00[\x00-\xff]\x00\x00)"
    rb"|(?P<tplink_shp>\xd0\xf2\x81\xf8\x8b\xff\x9a\xf7)"
    rb"|(?P<stun>[\x00\x01][\x00-\xff]{2}[\x00\x04\x08\x0c-\xfc]\x21\x12\xa4\x42)"
)
_TEXT_FIRSTS = frozenset(b"MNIROABCSP<d\x00\x01\x02\xd0")
_RCODES = 24
_DIALECTS = {53: "dns", 5353: "mdns", 5355: "llmnr", 137: "nbns"}
_COUNTS = struct.Struct(">4H")
_OPCODES = (0, 1, 2, 4, 5)
_QUIC = {1, 0x6B3343CF, 0x51303433, 0x51303436, 0x51303530, 0x54303530, 0x54303531}
_SNMP = {0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8}
_DISTINCT = 24
"""Different values that 60 bytes of ciphertext have at the very least (expected: 53)."""


def udp(orig_port: int, resp_port: int, orig: bytes, resp: bytes) -> str:
    """The protocol, or "" when nothing fits. Ports only tell dialects apart, or confirm what is weak alone."""
    ports = (orig_port, resp_port)
    for data, other in ((orig, resp), (resp, orig)):
        if not data:
            continue
        match = _TEXT.match(data) if data[0] in _TEXT_FIRSTS else None
        if match and match.lastgroup and (match.lastgroup not in _AT or _AT[match.lastgroup] & set(ports)):
            return match.lastgroup.replace("_", "-")
        if (name := dns_header(data)) and not (other and not _dns_pair(data, other)):
            return _dialect(name, ports)
        for port in ports:
            for sign in _PORTS.get(port, ()):
                if name := sign(data, other, ports):
                    return name
        for sign in _FIRSTS[data[0]]:
            if name := sign(data, other, ports):
                return name
    return ""


_AT = {"mndp": {5678}, "ubnt_discovery": {10001}, "syslog": {514, 1514, 5514, 601}, "netflow": {2055, 2056, 9995, 9996, 9555, 6343, 4739},
       "ipfix": {2055, 4739, 4740, 9995, 9996}, "sflow": {6343}}  # fmt: skip


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _dns_pair(one: bytes, other: bytes) -> bool:
    return len(other) < 12 or dns_header(other) == "dns" or one[:2] == other[:2]


def dns_header(data: bytes) -> str:
    """A header that makes sense, and a first question (or, in an answer without one, a first record) that does."""
    if len(data) < 12:
        return ""
    flags = data[2] << 8 | data[3]
    if flags >> 11 & 15 not in _OPCODES or flags & 15 >= _RCODES:
        return ""
    counts = _COUNTS.unpack_from(data, 4)
    if counts[0] > 16 or max(counts[1:]) > 200:
        return ""
    if not flags & 0x8000 and flags & 15 and counts[1]:
        return ""
    if not any(counts) or (len(data) == 12 and not flags & 0x8000):
        return "dns" if len(data) == 12 and flags & 0x8000 and flags & 15 else ""
    at = 12
    for _ in range(64):
        if at >= len(data):
            return "dns" if len(data) >= 60 else ""  # the name is longer than what was kept
        size = data[at]
        if size == 0:
            break
        label = data[at + 1 : at + 1 + size]
        if size > 63 or (label and (min(label) < 0x20 or max(label) > 0x7E)):
            return ""
        at += 1 + size
    if at + 5 > len(data):
        return "dns" if len(data) >= 60 else ""
    kind, space = _number(data, at + 1, 2), _number(data, at + 3, 2) & 0x7FFF
    return "dns" if kind and space in (1, 3, 4, 254, 255) else ""


def _dialect(name: str, ports: tuple[int, int]) -> str:
    """The name that the port gives to one format; a client's own port decides only where the server's is none of these."""
    for port in reversed(ports):
        if port in _DIALECTS:
            return _DIALECTS[port]
    return name


def _dhcp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if len(data) < 44 or data[0] not in (1, 2) or not set(ports) & {67, 68, 4011} or data[1] != 1 or data[2] not in (6, 0) or data[3] > 16:
        return ""
    if len(data) >= 240 and data[236:240] != b"\x63\x82\x53\x63":
        return ""
    return "dhcp" if not any(data[34:44]) else ""


def _dhcp6(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    fits = set(ports) & {546, 547} and len(data) >= 8 and 1 <= data[0] <= 13 and _number(data, 4, 2) < 150
    return "dhcpv6" if fits else ""


def _ntp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if 123 not in ports or len(data) < 8:
        return ""
    mode, version = data[0] & 7, data[0] >> 3 & 7
    if mode in (6, 7):
        return "ntp" if 2 <= version <= 4 and len(data) >= (12 if mode == 6 else 8) else ""
    return "ntp" if len(data) >= 48 and 1 <= version <= 4 and mode and data[1] <= 16 else ""


def _snmp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """A sequence, a version, then a community and an operation, or the header of version 3."""
    if data[0] != 0x30 or len(data) < 12:
        return ""
    at = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    if at > 6 or data[at : at + 2] != b"\2\1" or len(data) < at + 5:
        return ""
    version, kind, size = data[at + 2], data[at + 3], data[at + 4]
    if version in (0, 1) and kind == 4:
        operation = at + 5 + size
        return "snmp" if size < 128 and (operation >= len(data) or data[operation] in _SNMP) else ""
    return "snmp" if version == 3 and kind == 0x30 else _cldap(data, at)


def _cldap(data: bytes, at: int) -> str:
    operation = at + 2 + data[at + 1]
    return "cldap" if operation < len(data) and data[operation] in (0x63, 0x64, 0x65) else ""


def _wireguard(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """Four types of message; only their lengths and the noise of ciphertext tell them from other little numbers."""
    if not 1 <= data[0] <= 4 or data[1:4] != b"\0\0\0" or len(data) < 32:
        return ""
    whole = {1: 148, 2: 92, 3: 64}.get(data[0])
    if whole is None and len(data) % 16 and len(data) < 64:
        return ""
    if whole is not None and not (len(data) == whole or 60 <= len(data) <= min(whole, 64)):
        return ""
    noise = data[8 if data[0] != 4 else 16 : 64]
    if len(set(noise)) < min(_DISTINCT, len(noise) * 3 // 4) or not any(data[4:8]):
        return ""
    if data[0] in (1, 2) or not other:
        return "wireguard" if data[0] != 3 else ""
    return "wireguard" if 1 <= other[0] <= 4 and other[1:4] == b"\0\0\0" else ""


def openvpn(data: bytes, other: bytes) -> bool:
    """A reset that opens a session: bare, or under a key with a packet number and a time (tls-auth, tls-crypt)."""
    code = data[0] >> 3
    if code not in (7, 8, 10) or data[0] & 7 or len(data) < 14 or not any(data[1:9]):
        return False
    if len(data) == 14 and code == 7:
        return not any(data[9:14])
    if code == 8 and len(data) in (26, 22) and data[9] == 1:  # answer: acknowledges one
        return data[10:14] == b"\0\0\0\0"
    answered = len(other) >= 14 and other[0] >> 3 in (7, 8, 10) and other[0] >> 3 != code
    return openvpn_key(data) is not None or (answered and len(data) >= 42)


def openvpn_key(data: bytes) -> int | None:
    """Bytes that tls-auth puts between the session and what is in the clear; 0: tls-crypt hides it all; None: neither."""
    for at in (9, 25, 29, 41, 73):  # tls-crypt; MD5, SHA-1, SHA-256, SHA-512
        number, stamp = _number(data, at, 4), _number(data, at + 4, 4)
        if 1 <= number <= 8 and 1_000_000_000 < stamp < 4_000_000_000 and len(data) >= at + 8:
            return at - 1 if at > 9 else 0
    return None


def _openvpn(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    return "openvpn" if openvpn(data, other) else ""


def _ike(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if data[:4] == b"\0\0\0\0" and 4500 in ports:
        data = data[4:]
    if len(data) < 28 or not any(data[:8]) or data[17] not in (0x10, 0x20, 0x21):
        return ""
    kinds = (1, 2, 3, 4, 5, 6, 32) if data[17] == 0x10 else range(34, 48)
    size = _number(data, 24, 4)
    return "ike" if data[18] in kinds and 28 <= size < 0x10000 and (len(data) >= 60 or size == len(data)) else ""


def _esp_udp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if 4500 not in ports:
        return ""
    if data == b"\xff":
        return "ipsec-nat-t"
    return "ipsec-nat-t" if len(data) >= 32 and _number(data, 0, 4) > 255 and 0 < _number(data, 4, 4) < 0x1000000 else ""


def _l2tp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """Control: T, L and S set, version 2, a length that fits. Data: only with a length, and on its port."""
    if len(data) < 8 or data[1] & 0x0F != 2 or data[0] & 0x34:
        return ""
    control = data[0] & 0xC8 == 0xC8 and len(data) >= 12
    if not control and not (1701 in ports and data[0] & 0xC0 == 0x40):
        return ""
    size = _number(data, 2, 2)
    return "l2tp" if size == len(data) or (len(data) >= 64 <= size < 2048) else ""


def _quic(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if data[0] & 0x80 and len(data) >= 14:
        version = _number(data, 1, 4)
        known = version in _QUIC or 0xFF000001 <= version <= 0xFF000022 or version & 0x0F0F0F0F == 0x0A0A0A0A
        if known and data[5] <= 20 and (data[0] & 0x40 or version >> 24 != 0):
            return "quic"
        return "quic" if version == 0 and data[5] <= 20 and len(other) > 5 and other[0] & 0x80 and _number(other, 1, 4) != 0 else ""
    return "quic" if len(data) >= 13 and data[0] & 0x89 == 9 and data[9:11] == b"Q0" and data[11:13].isdigit() else ""


def _capwap(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """Control and data of access points: a preamble, then DTLS or a header of its own."""
    if data[:4] == b"\1\0\0\0" and len(data) >= 17:
        return "capwap" if _dtls(data[4:], other, ports) else ""
    fits = set(ports) & {5246, 5247} and len(data) >= 16 and data[0] == 0 and data[1] >> 3 in range(2, 8)
    return "capwap" if fits else ""


def _dtls(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    fits = len(data) >= 13 and 20 <= data[0] <= 23 and data[1] == 0xFE and data[2] in (0xFF, 0xFD, 0xFC)
    return "dtls" if fits and 0 < _number(data, 11, 2) <= 4096 else ""


def _radius(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    fits = data[0] in (1, 2, 3, 4, 5, 11, 12, 40, 41, 42, 43, 44, 45) and 20 <= _number(data, 2, 2) <= 4096 and len(data) >= 20
    if not fits or not set(ports) & {1812, 1813, 1645, 1646, 3799}:
        return ""
    return "radius" if _number(data, 2, 2) == len(data) or len(data) >= 64 else ""


def _memcached(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    return "memcached" if data[2:8] == b"\0\0\0\1\0\0" and re.match(rb"stats|gets? |version", data[8:]) else ""


def _tftp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    known = re.match(rb"\0[\1\2][!-~]{1,50}\0(?i:octet|netascii|mail)\0", data)
    return "tftp" if known else ""


def _coap(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if not set(ports) & {5683, 5684} or len(data) < 4 or data[0] >> 6 != 1 or data[0] & 15 > 8:
        return ""
    return "coap" if data[1] <= 7 or 0x40 <= data[1] <= 0xA5 else ""


def _pcp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if not set(ports) & {5350, 5351}:
        return ""
    plain = data[0] == 0 and len(data) in (2, 8, 12, 16) and data[1] & 0x7F <= 2
    return "nat-pmp" if plain else "pcp" if data[0] == 2 and len(data) >= 24 and data[1] & 0x7F <= 3 else ""


def _utp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """uTP: a SYN of 20 bytes (or 30 with an extension), answered by a STATE."""
    syn = len(data) in (20, 30) and data[0] == 0x41 and data[1] in (0, 2) and len(other) >= 20 and other[0] == 0x21
    return "bittorrent" if syn else ""


def _rip(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    fits = 520 in ports and len(data) >= 24 and data[0] in (1, 2) and data[1] in (1, 2) and data[2:4] == b"\0\0"
    return "rip" if fits and (len(data) % 20 == 4 or len(data) >= 64) else ""


def _gtp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if not set(ports) & {2152, 2123} or len(data) < 8 or data[0] >> 5 not in (1, 2):
        return ""
    size = _number(data, 2, 2) + (8 if data[0] >> 5 == 1 else 4)
    return "gtp" if size == len(data) or (len(data) >= 64 <= size < 9000) else ""


def _vxlan(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    fits = set(ports) & {4789, 8472} and len(data) >= 22 and data[0] == 8 and data[1:4] == b"\0\0\0" and data[7] == 0
    return "vxlan" if fits else ""


def _teredo(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """IPv6 as it is, or behind the marks of its authentication and origin."""
    if 3544 not in ports or len(data) < 12:
        return ""
    if data[0] >> 4 == 6:
        size = _number(data, 4, 2) + 40
        return "teredo" if size == len(data) or (len(data) >= 64 <= size < 2048) else ""
    return "teredo" if data[:2] in (b"\0\0", b"\0\1") else ""


def _tzsp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    return "tzsp" if 37008 in ports and len(data) >= 5 and data[0] == 1 and data[1] <= 5 and data[2] == 0 else ""


def _mac_telnet(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """RouterOS: version 1, a known type, two hardware addresses, and the client type 0x0015 on either side of the session."""
    fits = len(data) >= 22 and data[0] == 1 and data[1] in (0, 1, 2, 4, 5, 255) and b"\0\x15" in (data[14:16], data[16:18])
    return "mac-telnet" if fits else ""


def _kerberos(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    return "kerberos" if data[0] in (0x6A, 0x6B, 0x6C, 0x6D, 0x7E) and b"\2\1\5" in data[2:20] and 88 in ports else ""


def _netbios(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    if 138 in ports and 0x10 <= data[0] <= 0x16 and len(data) >= 14:
        return "netbios-datagram"
    return ""


def _rtp(data: bytes, other: bytes, ports: tuple[int, int]) -> str:
    """Only when both directions look alike: version 2, the same payload type."""
    if len(data) < 24 or len(other) < 24 or data[0] & 0xF0 != 0x80 or other[0] & 0xF0 != 0x80:
        return ""
    return (
        "rtp" if data[1] & 0x7F == other[1] & 0x7F and (data[1] & 0x7F < 35 or data[1] & 0x7F >= 96) and data[8:12] != other[8:12] else ""
    )


def _first(table: dict[int, tuple[_Sign, ...]], sign: _Sign, firsts: Iterable[int]) -> None:
    for first in firsts:
        table[first] = (*table.get(first, ()), sign)


def _by_port() -> dict[int, tuple[_Sign, ...]]:
    """Signatures that want their port as well."""
    table: dict[int, tuple[_Sign, ...]] = {}
    _first(table, _dhcp, (67, 68, 4011))
    _first(table, _dhcp6, (546, 547))
    _first(table, _ntp, (123,))
    _first(table, _ike, (4500,))
    _first(table, _esp_udp, (4500,))
    _first(table, _l2tp, (1701,))
    _first(table, _radius, (1812, 1813, 1645, 1646, 3799))
    _first(table, _coap, (5683, 5684))
    _first(table, _pcp, (5350, 5351))
    _first(table, _rip, (520,))
    _first(table, _gtp, (2152, 2123))
    _first(table, _vxlan, (4789, 8472))
    _first(table, _teredo, (3544,))
    _first(table, _tzsp, (37008,))
    _first(table, _kerberos, (88,))
    _first(table, _netbios, (138,))
    _first(table, _mac_telnet, (20561,))
    _first(table, _memcached, (11211,))
    return table


def _by_first() -> dict[int, tuple[_Sign, ...]]:
    """Signatures that stand on any port, by the first byte."""
    table: dict[int, tuple[_Sign, ...]] = {}
    _first(table, _tftp, (0,))
    _first(table, _capwap, (0, 1))
    _first(table, _wireguard, range(1, 5))
    _first(table, _dtls, range(20, 24))
    _first(table, _snmp, (0x30,))
    _first(table, _openvpn, (0x38, 0x40, 0x50))
    _first(table, _utp, (0x41,))
    _first(table, _l2tp, range(0xC0, 0x100))
    _first(table, _rtp, range(0x80, 0x90))
    _first(table, _quic, (first for first in range(256) if first & 0x80 or first & 0x89 == 9))
    _first(table, _ike, range(256))
    return table


_PORTS = _by_port()
_FIRSTS = _by_first()
PORTS = frozenset(_PORTS) | {5246, 5247} | frozenset().union(*_AT.values())
"""Ports that a signature asks for; on others only what the bytes say alone counts."""
