"""DNS over UDP and TCP: a row a question, with the answers that came to it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from devicehunt.flows.apps.wire import ROW_LIMIT, Cut, Reader, Row, Segment, Stream, joined, shown

_KINDS = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP", 24: "SIG",
          25: "KEY", 28: "AAAA", 29: "LOC", 32: "NB", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT", 39: "DNAME", 41: "OPT",
          43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM",
          52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS",
          99: "SPF", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI", 257: "CAA", 65280: "PRIVATE"}  # fmt: skip
_CODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE")
_POINTERS = 64
_ANSWERS = 64
_QUESTIONS = 16


def datagrams(stream: Stream, *, tcp: bool) -> Iterator[Segment]:
    """The messages of a direction."""
    if not tcp:
        yield from stream.segments
        return
    at, data = 0, stream.data
    while at + 14 <= len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        place = stream.segment(at)
        yield Segment(place.packet, place.time, data[at + 2 : at + 2 + size])
        at += 2 + size


def dissect(orig: Stream, resp: Stream, *, tcp: bool) -> list[Row]:
    """Rows of dns_queries. An answer is put to the last open question of the same number and name."""
    messages = [*datagrams(orig, tcp=tcp), *datagrams(resp, tcp=tcp)]
    messages.sort(key=lambda one: (one.time, one.packet))
    rows: list[dict[str, Any]] = []
    open_: dict[tuple[int, str | None, str | None], list[dict[str, Any]]] = {}
    for message in messages[:ROW_LIMIT]:
        parsed = _message(message)
        if parsed is None:
            continue
        number, answer, found = parsed
        for row in found:
            waiting = open_.setdefault((number, row["name"], row["kind"]), [])
            if answer and waiting:
                waiting.pop(0).update(rcode=row["rcode"], answers=row["answers"])
                continue
            rows.append(row)
            if not answer:
                waiting.append(row)
    return [("dns_queries", row) for row in rows[:ROW_LIMIT]]


def _message(message: Segment) -> tuple[int, bool, list[dict[str, Any]]] | None:
    reader = Reader(message.data)
    try:
        number, flags, questions, answers = (reader.number(2) for _ in range(4))
        reader.take(4)
    except Cut:
        return None
    answer = bool(flags & 0x8000)
    rows: list[dict[str, Any]] = []
    texts: list[str] = []
    owners: dict[tuple[str, int], list[str]] = {}
    try:
        for _ in range(min(questions, _QUESTIONS)):
            name = read_name(reader)
            kind = reader.number(2)
            reader.take(2)
            rows.append(_row(message, name, kind))
    except Cut:
        return (number, answer, rows) if rows else None
    try:
        for _ in range(min(answers, _ANSWERS) if answer else 0):
            owner, kind, text = _answer(reader)
            texts.append(text)
            owners.setdefault((owner, kind), []).append(text)
    except Cut:
        texts.append("(cut)")
    code = flags & 15
    rcode = _CODES[code] if code < len(_CODES) else f"RCODE{code}"
    if answer and not rows:  # mDNS: answers without a question; a row for each name
        rows = [_row(message, *owner) | {"rcode": rcode, "answers": joined(said)} for owner, said in owners.items()]
    elif answer:
        for row in rows:
            row |= {"rcode": rcode, "answers": joined(texts)}
    return number, answer, rows


def _row(message: Segment, name: str, kind: int) -> dict[str, Any]:
    return {
        "line": message.packet,
        "name": name,
        "kind": kind_name(kind),
        "rcode": None,
        "answers": None,
        "asked_at": message.time,
    }


def kind_name(number: int) -> str:
    """A for 1; TYPE1234 for what has no name here."""
    return _KINDS.get(number, f"TYPE{number}")


def _label(raw: bytes) -> str:
    """A label in lower case; what is no printable ASCII, and a dot inside, as \\DDD (RFC 1035)."""
    if raw.isalnum():
        return raw.decode("ascii").lower()
    return "".join(chr(byte) if 0x20 < byte < 0x7F and byte not in b".\\" else f"\\{byte:03d}" for byte in raw).lower()


def netbios(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the name that NetBIOS hides in pairs of letters, and its last byte (the service) in angle brackets."""
    label, dot, scope = str(row["name"]).partition(".")
    if row["kind"] == "SRV":
        row["kind"] = "NBSTAT"
    if len(label) == 32 and all("a" <= letter <= "p" for letter in label):
        raw = bytes((ord(a) - 97) << 4 | (ord(b) - 97) for a, b in zip(label[::2], label[1::2], strict=True))
        base = _label(raw[:15].rstrip(b" \0"))
        row["name"] = f"{base}<{raw[15]:02x}>{dot}{scope}"
    return row


def read_name(reader: Reader) -> str:
    """A name; pointers only go back, and not for ever. `.`: the root."""
    labels: list[str] = []
    data, at, size, back = reader.data, reader.at, 0, None
    limit = at
    for _ in range(_POINTERS + 128):
        if at >= reader.end:
            raise Cut
        length = data[at]
        if length >= 0xC0:
            if at + 2 > reader.end:
                raise Cut
            target = int.from_bytes(data[at : at + 2], "big") & 0x3FFF
            back = at + 2 if back is None else back
            if target >= limit:
                raise Cut
            at = limit = target
            continue
        if length > 63 or at + 1 + length > reader.end:
            raise Cut
        at += 1 + length
        if not length:
            reader.at = at if back is None else back
            return ".".join(labels) or "."
        size += length + 1
        if size > 255:
            raise Cut
        labels.append(_label(data[at - length : at]))
    raise Cut


def _answer(reader: Reader) -> tuple[str, int, str]:
    owner = read_name(reader)
    kind = reader.number(2)
    reader.take(6)
    size = reader.number(2)
    end = reader.at + size
    if size > reader.left():
        raise Cut
    text = _value(Reader(reader.data, reader.at, end), kind)
    reader.at = end
    return owner, kind, text


def _value(value: Reader, kind: int) -> str:
    try:
        if kind in (1, 28):
            raw = value.rest()
            if len(raw) == (4 if kind == 1 else 16):
                return str(ip_address(raw))
        elif kind in (2, 5, 12, 39, 6):
            return read_name(value)
        elif kind in (15, 33):
            value.take(2 if kind == 15 else 6)
            return read_name(value)
        elif kind in (16, 99):
            parts = []
            while value.left():
                parts.append(value.part(1).rest())
            return shown(b"".join(parts)).replace(",", "\\,")
    except Cut:
        pass
    return kind_name(kind)
