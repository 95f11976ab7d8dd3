"""X.509 certificates out of DER: only what tls_sessions shows. Strict, bounded, without recursion into what it does not know.

A certificate that breaks the encoding gives what was read before the break; its SHA-256 is right in any case.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from devicehunt.flows.apps.wire import Cut, Reader, joined, shown

SEQUENCE, SET, OID, BIT_STRING, OCTETS = 0x30, 0x31, 0x06, 0x03, 0x04
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
ALT_NAME = bytes.fromhex("551d11")
NAME_LIMIT = 100
_ATTRIBUTES = {
    "550403": "CN",
    "550404": "SN",
    "550405": "serialNumber",
    "550406": "C",
    "550407": "L",
    "550408": "ST",
    "550409": "street",
    "55040a": "O",
    "55040b": "OU",
    "55040c": "title",
    "55042a": "GN",
    "550411": "postalCode",
    "55040f": "businessCategory",
    "2a864886f70d010901": "emailAddress",
    "2a864886f70d010902": "unstructuredName",
    "0992268993f22c640101": "UID",
    "0992268993f22c640119": "DC",
}
_MARKS = re.compile(r'[\\,+"<>;]')
_WIDE = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}


def certificate(raw: bytes) -> dict[str, Any]:
    """Columns of tls_sessions for one certificate. self_signed: issuer and subject are the same name, by bytes."""
    return dict(_certificate(raw))  # most servers are met more than once


@lru_cache(maxsize=512)
def _certificate(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"sha256": hashlib.sha256(raw).hexdigest()}
    try:
        body = _within(_within(Reader(raw), SEQUENCE), SEQUENCE)
        if body.left() and body.data[body.at] == 0xA0:
            _next(body)  # version
        _next(body)  # serial number
        _next(body)  # signature algorithm
        issuer = _next(body, SEQUENCE)
        found["issuer"] = name(issuer)
        dates = _within(body, SEQUENCE)
        found["not_before"] = _time(*_tagged(dates))
        found["not_after"] = _time(*_tagged(dates))
        subject = _next(body, SEQUENCE)
        found["subject"] = name(subject)
        found["self_signed"] = issuer == subject
        _next(body, SEQUENCE)  # the key
        found["names"] = _alternatives(body)
    except Cut:
        pass
    return found


def _tagged(reader: Reader) -> tuple[int, bytes]:
    tag = reader.number(1)
    size = reader.number(1)
    if size & 0x80:
        width = size & 0x7F
        if not 1 <= width <= 4:
            raise Cut
        size = reader.number(width)
    return tag, reader.take(size)


def _next(reader: Reader, want: int | None = None) -> bytes:
    tag, value = _tagged(reader)
    if want is not None and tag != want:
        raise Cut
    return value


def _within(reader: Reader, want: int) -> Reader:
    return Reader(_next(reader, want))


def name(raw: bytes) -> str:
    """A distinguished name as RFC 4514 writes it: the last attribute first."""
    parts: list[str] = []
    outer = Reader(raw)
    try:
        while outer.left() and len(parts) < NAME_LIMIT:
            inner = _within(outer, SET)
            together = []
            while inner.left():
                pair = _within(inner, SEQUENCE)
                key = _next(pair, OID)
                tag, value = _tagged(pair)
                together.append(f"{_ATTRIBUTES.get(key.hex()) or dotted(key)}={_quoted(_text(tag, value))}")
            parts.append("+".join(together))
    except Cut:
        parts.append("(damaged)")
    return shown(",".join(reversed(parts)), 1000)


def dotted(raw: bytes) -> str:
    """An object identifier in digits."""
    numbers: list[int] = []
    value = 0
    for byte in raw[:64]:
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return "?"
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def _text(tag: int, value: bytes) -> str:
    return value.decode(_WIDE.get(tag, "utf-8"), "backslashreplace" if tag not in _WIDE else "replace")


def _quoted(text: str) -> str:
    return _MARKS.sub(r"\\\g<0>", text)


def _time(tag: int, value: bytes) -> str | None:
    """UTCTime or GeneralizedTime in UTC as `2026-11-28 12:00:00`; None for what is no time."""
    digits = value.decode("ascii", "replace").rstrip("Z")
    if tag == UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    elif tag != GENERALIZED_TIME:
        return None
    digits = digits.partition(".")[0]
    digits += "00" if len(digits) == 12 else ""
    if len(digits) != 14 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
        return datetime(int(digits[:4]), month, day, hour, minute, second).isoformat(" ")
    except ValueError:
        return None


def _alternatives(body: Reader) -> str | None:
    while body.left():
        tag, value = _tagged(body)
        if tag != 0xA3:
            continue
        extensions = _within(Reader(value), SEQUENCE)
        while extensions.left():
            extension = _within(extensions, SEQUENCE)
            if _next(extension, OID) != ALT_NAME:
                continue
            tag, value = _tagged(extension)
            if tag != OCTETS:  # the critical flag stands before
                value = _next(extension, OCTETS)
            return joined(_general_names(_within(Reader(value), SEQUENCE)))
    return None


def _general_names(reader: Reader) -> Iterator[str]:
    for _ in range(NAME_LIMIT):
        if not reader.left():
            return
        tag, value = _tagged(reader)
        if tag in (0x81, 0x82, 0x86):  # mail, DNS, URI
            yield shown(value, 260)
        elif tag == 0x87 and len(value) in (4, 16):
            yield str(ip_address(value))
