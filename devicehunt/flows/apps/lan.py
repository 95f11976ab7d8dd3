"""What devices say in the LAN and about it: DHCP, NTP, STUN, SSDP and UPnP, SNMP, syslog, BitTorrent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from devicehunt.flows.apps.wire import Cut, Reader, Row, Segment, Stream, facts

_FACT_SEGMENTS = 50
_DHCP = {1: "mask", 3: "router", 6: "dns", 12: "hostname", 15: "domain", 42: "ntp", 44: "wins", 51: "lease_s", 53: "message",
         54: "server", 60: "vendor", 66: "tftp_server", 67: "boot_file", 114: "portal", 119: "search", 121: "routes", 150: "tftp_address",
         249: "routes", 252: "proxy_script"}  # fmt: skip
_MESSAGES = ("", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform")
_ADDRESSES = {1, 3, 6, 42, 44, 54, 150}
_TEXTS = {12, 15, 60, 66, 67, 114, 252}


def _unique(rows: list[Row]) -> list[Row]:
    seen: set[tuple[str, str]] = set()
    found: list[Row] = []
    for table, row in rows:
        key = (row["name"], row["value"])
        if key not in seen:
            seen.add(key)
            found.append((table, row))
    return found


def _segments(orig: Stream, resp: Stream) -> list[Segment]:
    both = [*orig.segments[:_FACT_SEGMENTS], *resp.segments[:_FACT_SEGMENTS]]
    return sorted(both, key=lambda one: (one.time, one.packet))


def dhcp(orig: Stream, resp: Stream) -> list[Row]:
    """What servers hand out and clients ask for."""
    rows: list[Row] = []
    for segment in _segments(orig, resp):
        data = segment.data
        if len(data) < 240 or data[236:240] != b"\x63\x82\x53\x63":
            continue
        found = list(_options(Reader(data, 240)))
        served = data[0] == 2
        for code, value in found:
            if code in (3, 6, 42, 44, 51, 66, 67, 114, 119, 121, 150, 249, 252) and not served:
                continue
            rows += facts(segment.packet, [(f"dhcp.{_DHCP[code]}", _option(code, value))])
        if served and any(data[16:20]):
            rows += facts(segment.packet, [("dhcp.address", str(ip_address(data[16:20])))])
    return _unique(rows)


def _options(reader: Reader) -> Iterator[tuple[int, bytes]]:
    try:
        for _ in range(200):
            code = reader.number(1)
            if code == 255:
                return
            if code:
                value = reader.part(1).rest()
                if code in _DHCP:
                    yield code, value
    except Cut:
        return


def _option(code: int, value: bytes) -> Any:
    if code in _ADDRESSES and value and len(value) % 4 == 0:
        return ",".join(str(ip_address(value[i : i + 4])) for i in range(0, len(value), 4))
    if code in _TEXTS:
        return value.rstrip(b"\0")
    if code == 53 and value and 0 < value[0] < len(_MESSAGES):
        return _MESSAGES[value[0]]
    if code == 51 and len(value) == 4:
        return int.from_bytes(value, "big")
    if code in (121, 249):
        return ",".join(_routes(Reader(value)))
    return value.hex()


def _routes(reader: Reader) -> Iterator[str]:
    try:
        while reader.left():
            width = reader.number(1)
            if width > 32:
                return
            network = reader.take((width + 7) // 8).ljust(4, b"\0")
            yield f"{ip_address(network)}/{width} {ip_address(reader.take(4))}"
    except Cut:
        return


def ntp(orig: Stream, resp: Stream) -> list[Row]:
    """Version and mode; private and control modes are how amplifiers are asked."""
    data = orig.data[:2]
    if not data:
        return []
    mode = data[0] & 7
    names = {1: "symmetric", 2: "symmetric", 3: "client", 4: "server", 5: "broadcast", 6: "control", 7: "private"}
    stratum = resp.data[1] if len(resp.data) >= 48 and resp.data[0] & 7 == 4 else None
    return facts(orig.line(), [("ntp.version", data[0] >> 3 & 7), ("ntp.mode", names.get(mode, mode)), ("ntp.stratum", stratum)])


def stun(orig: Stream, resp: Stream) -> list[Row]:
    """The address that the server saw, and who asks."""
    rows: list[Row] = []
    for segment in _segments(orig, resp):
        data = segment.data
        if len(data) < 20 or data[4:8] != b"\x21\x12\xa4\x42":
            continue
        reader = Reader(data, 20)
        try:
            for _ in range(30):
                kind = reader.number(2)
                value = reader.part(2).rest()
                reader.take(min(-len(value) % 4, reader.left()))
                rows += facts(segment.packet, _stun(kind, value, data[4:20]))
        except Cut:
            continue
    return _unique(rows)


def _stun(kind: int, value: bytes, mask: bytes) -> list[tuple[str, Any]]:
    if kind in (0x0001, 0x0020) and len(value) in (8, 20):
        raw = value[4:]
        if kind == 0x0020:
            raw = bytes(a ^ b for a, b in zip(raw, mask, strict=False))
        return [("stun.mapped", str(ip_address(raw)))]
    if kind == 0x8022:
        return [("stun.software", value)]
    return [("stun.realm", value)] if kind == 0x0014 else []


_SSDP = re.compile(rb"(?im)^(st|nt|usn|location|server)[ \t]*:[ \t]*([^\r\n]{1,300})")


def ssdp(orig: Stream, resp: Stream) -> list[Row]:
    """What is looked for or offered, and where its description lies."""
    rows: list[Row] = []
    for segment in _segments(orig, resp):
        pairs = [(f"ssdp.{key.decode('ascii').lower()}", value) for key, value in _SSDP.findall(segment.data[:2048])]
        rows += facts(segment.packet, pairs)
    return _unique(rows)[:200]


_ACTION = re.compile(rb"<(?:[A-Za-z0-9]{1,10}:)?((?:Add|Delete|Get)[A-Za-z]{0,10}PortMapping[A-Za-z]{0,8}|AddAnyPortMapping|AddPinhole)\b")
_ARGUMENT = re.compile(
    rb"<New(RemoteHost|ExternalPort|Protocol|InternalPort|InternalClient|Enabled|PortMappingDescription|LeaseDuration)\b[^>]{0,60}>([^<]{0,300})<"
)


def igd(orig: Stream) -> list[Row]:
    """Port mappings asked of a gateway by SOAP: one fact each, arguments in the order they came."""
    rows: list[Row] = []
    for match in list(_ACTION.finditer(orig.data))[:100]:
        body = orig.data[match.end() : match.end() + 3000]
        arguments = " ".join(f"{key.decode()}={value.decode('utf-8', 'backslashreplace')}" for key, value in _ARGUMENT.findall(body)[:8])
        rows += facts(orig.line(match.start()), [(f"igd.{match[1].decode()}", arguments or "-")])
    return rows


def snmp(orig: Stream, resp: Stream) -> list[Row]:
    """The version; a community is a password and never kept."""
    data = orig.data
    at = 2 + (data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0)
    if len(data) < at + 5 or at > 6:
        return []
    version = {0: "1", 1: "2c", 3: "3"}.get(data[at + 2])
    end = at + 5 + data[at + 4]
    kinds = {0xA0: "get", 0xA1: "get-next", 0xA3: "set", 0xA4: "trap", 0xA5: "get-bulk", 0xA6: "inform", 0xA7: "trap", 0xA2: "response"}
    operation = kinds.get(data[end]) if version in ("1", "2c") and end < len(data) else None
    return facts(orig.line(), [("snmp.version", version), ("snmp.operation", operation), ("snmp.answered", "yes" if resp.data else None)])


def syslog(orig: Stream, resp: Stream) -> list[Row]:
    """How many messages go there; their text is not kept."""
    return facts(orig.line(), [("syslog.messages", len(orig.segments))])


def bittorrent(orig: Stream, resp: Stream) -> list[Row]:
    """The torrent that a peer asks for."""
    whole = orig.data[:1] == b"\x13" and len(orig.data) >= 48
    return facts(orig.line(), [("bittorrent.info_hash", orig.data[28:48].hex() if whole else None)])
