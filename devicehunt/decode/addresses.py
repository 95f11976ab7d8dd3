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
    """`192.0.2.1`, `fe80::1%eth0`, `[::1]`, with or without `/24`."""
    text, _, prefix = value.strip("[]").partition("/")
    text, _, zone = text.partition("%")
    return {"ip": canonical(text), "zone": zone or None, "prefix": prefix or None}


@decoder("socket_address", "ip", "port", "zone", "family")
def socket_address(value: str) -> Fields:
    """An address and port as netstat and ss print them: `0.0.0.0:22`, `:::22`, `[::]:22`, `*:22`.

    A name (netstat without -n) or an address that was cut to the column gives no number: ip or port
    is then absent, and the stanza marks the column as incomplete.
    """
    host, separator, port = value.rpartition(":")
    if not separator:
        raise ValueError("no port")
    host, _, zone = host.partition("%")
    zone = zone.removesuffix("]")
    host = host.strip("[]")
    if host == "*":
        host = "::"  # ss writes `*` for a dual-stack wildcard; the v6 wildcard is its honest form
    family = "inet6" if ":" in host else "inet"
    return {"ip": _address(host), "port": _port(port), "zone": zone or None, "family": family}


def _address(host: str) -> str | None:
    try:
        return canonical(host)
    except ValueError:
        if re.fullmatch(r"[\w.:-]{1,64}", host):
            return None
        raise


def _port(text: str) -> str | None:
    if text == "*" or re.fullmatch(r"[A-Za-z][\w.+-]{0,40}", text):
        return None
    if not re.fullmatch(r"\d{1,5}", text):
        raise ValueError("port is neither a number nor a name")
    return text


@decoder("proc_net_address", "ip", "port")
def proc_net_address(value: str) -> Fields:
    """`0100007F:0035` of /proc/net/tcp: hex words in the byte order of the CPU, port in hex."""
    return _proc_net(value, "little")


@decoder("proc_net_address_be", "ip", "port")
def proc_net_address_be(value: str) -> Fields:
    """The same from a big-endian CPU (many MIPS routers), where the words read straight."""
    return _proc_net(value, "big")


def _proc_net(value: str, order: str) -> Fields:
    host, _, port = value.partition(":")
    raw = bytes.fromhex(host)
    if len(raw) not in (4, 16):
        raise ValueError("address has neither 4 nor 16 bytes")
    if order == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return {"ip": canonical(str(ipaddress.ip_address(raw))), "port": str(int(port, 16))}


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
