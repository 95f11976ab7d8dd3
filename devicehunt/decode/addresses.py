"""Addresses as devices write them -> canonical text (RFC 5952; v4-mapped addresses as v4)."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from devicehunt.decode import Fields, decoder


@lru_cache(maxsize=65536)
def canonical(text: str) -> str:
    """Canonical text of an address; ValueError when it is none."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


@decoder("ip", "ip", "zone", "prefix")
def ip(value: str) -> Fields:
    """`192.0.2.1`, `fe80::1%eth0`, `[::1]`, with or without `/24`; or 32 digits as /proc/net/if_inet6 prints them."""
    if re.fullmatch(r"[0-9a-fA-F]{32}", value):
        return {"ip": canonical(str(ipaddress.IPv6Address(bytes.fromhex(value)))), "zone": None, "prefix": None}
    text, _, prefix = value.strip("[]").partition("/")
    text, _, zone = text.partition("%")
    return {"ip": canonical(text), "zone": zone or None, "prefix": prefix or None}


@decoder("host", "ip", "name")
def host(value: str) -> Fields:
    """An address, or a name where a resolver got in between (`who`, `last`, `arp`)."""
    text = value.strip("[]").partition("%")[0]
    try:
        return {"ip": canonical(text), "name": None}
    except ValueError:
        return {"ip": None, "name": text}


@decoder("socket_address", "ip", "port", "zone", "family")
def socket_address(value: str) -> Fields:
    """An address and port as ss and lsof print them: `0.0.0.0:22`, `[::]:22`, `127.0.0.1%lo:53`, `*:22`.

    ip is `*` for the wildcard of no certain family; the stanza decides. A name gives no number: ip
    or port is then absent, and the stanza marks the column as incomplete.
    """
    return _endpoint(value)


NETSTAT_WIDTH = 23
"""Columns of an address in netstat without -W: it cuts the host, never the port."""


@decoder("netstat_address", "ip", "port", "zone", "family")
def netstat_address(value: str) -> Fields:
    """An address and port as netstat prints them (`:::22`); a v6 address that fills the column may be cut: no ip."""
    fields = _endpoint(value)
    if len(value) == NETSTAT_WIDTH and fields["family"] == "inet6":
        fields["ip"] = None
    return fields


def _endpoint(value: str) -> Fields:
    host, separator, port = value.rpartition(":")
    if not separator:
        raise ValueError("no port")
    host, _, zone = host.replace("[", "").replace("]", "").partition("%")
    family = None if host == "*" else "inet6" if ":" in host else "inet"
    # a number is no interface name (BusyBox prints what lies in memory for raw sockets)
    return {"ip": _address(host), "port": _port(port), "zone": zone if zone and not zone.isdigit() else None, "family": family}


def _address(host: str) -> str | None:
    if host == "*":
        return host
    try:
        return canonical(host)
    except ValueError:
        if re.fullmatch(r"[\w.:-]{1,64}", host):
            return None
        raise


def _port(text: str) -> str | None:
    if text == "*" or re.fullmatch(r"[A-Za-z][\w.+-]{0,40}", text):
        return None
    if not re.fullmatch(r"\d{1,5}", text) or int(text) > 65535:
        raise ValueError("port is neither a number nor a name")
    return text


@decoder("proc_net_address", "little", "big", "port", "order")
def proc_net_address(value: str) -> Fields:
    """`0100007F:0035` of /proc/net/tcp: the address in both byte orders; order where this address proves one."""
    host, _, port = value.partition(":")
    big = bytes.fromhex(host)
    if len(big) not in (4, 16):
        raise ValueError("address has neither 4 nor 16 bytes")
    # the kernel prints words of the CPU's order: a little-endian CPU turns each one round
    little = b"".join(big[i : i + 4][::-1] for i in range(0, len(big), 4))
    return {
        "little": _of_bytes(little),
        "big": _of_bytes(big),
        "port": str(int(port, 16)),
        "order": "little" if _proves(little, big) else "big" if _proves(big, little) else None,
    }


@lru_cache(maxsize=65536)
def _of_bytes(raw: bytes) -> str:
    return canonical(str(ipaddress.ip_address(raw)))


def _proves(one: bytes, other: bytes) -> bool:
    """Whether an own address can only be meant as `one`.

    Of v4: 16 bits must name a range that hosts give themselves, and the other reading must not look
    private too (192.168.1.10 is 10.1.168.192 turned round); or the other reading is no address at all.
    Of v6 few first bytes are in use, so one reading is mostly impossible.
    """
    if len(one) == 16:
        return _possible_v6(one) and not _possible_v6(other)
    if _impossible_v4(other):
        return not _impossible_v4(one)
    return one[:2] in _OWN_V4 and other[:2] not in _OWN_V4 and not _private_v4(other)


_OWN_V4 = {bytes(pair) for pair in ((127, 0), (192, 168), (169, 254), (10, 0))}


def _private_v4(raw: bytes) -> bool:
    first, second = raw[0], raw[1]
    return first in (10, 127) or (first == 172 and 16 <= second < 32) or (first == 100 and 64 <= second < 128)


def _impossible_v4(raw: bytes) -> bool:
    # 0.x.x.x and 240.0.0.0/4 are never a host's own; the wildcard and broadcast read alike both ways
    return len(set(raw)) > 1 and (raw[0] == 0 or raw[0] >= 240)


def _possible_v6(raw: bytes) -> bool:
    if raw[:10] == bytes(10):
        return raw[10:12] == b"\xff\xff" or int.from_bytes(raw, "big") <= 1
    return raw[0] >> 5 == 1 or raw[0] in (0xFC, 0xFD, 0xFE, 0xFF) or raw[:4] == b"\x00\x64\xff\x9b"


@decoder("proc_net_ip", "little", "big", "bits", "order")
def proc_net_ip(value: str) -> Fields:
    """A word of /proc/net/route (`0001A8C0`) read in both byte orders; of a mask also its length and order."""
    raw = bytes.fromhex(value)
    number = int.from_bytes(raw, "big")
    mirrored = int.from_bytes(raw, "little")
    fields: Fields = {
        "big": str(ipaddress.IPv4Address(number)),
        "little": str(ipaddress.IPv4Address(mirrored)),
        "bits": None,
        "order": None,
    }
    for order, word in (("little", mirrored), ("big", number)):
        ones = word.bit_count()
        # a mask is ones from the left; only one order makes it so, but for 0 and 32
        if word == (0xFFFFFFFF << (32 - ones)) & 0xFFFFFFFF:
            fields["bits"] = str(ones)
            fields["order"] = order if 0 < ones < 32 else None  # 0 and 32 look alike in both
            break
    return fields
