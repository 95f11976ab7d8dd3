"""TLS: what both hellos and the certificates in the clear say. From TLS 1.3 on the certificate is encrypted: null."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from devicehunt.data import PACKAGE, read_yaml
from devicehunt.flows.apps import der, ja
from devicehunt.flows.apps.signs_tcp import hello
from devicehunt.flows.apps.wire import Cut, Reader, Row, Stream, facts, joined, shown

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
_NAMES = {0x0304: "TLSv1.3", 0x0303: "TLSv1.2", 0x0302: "TLSv1.1", 0x0301: "TLSv1.0", 0x0300: "SSLv3", 0x0002: "SSLv2",
          0xFEFF: "DTLSv1.0", 0xFEFD: "DTLSv1.2", 0xFEFC: "DTLSv1.3"}  # fmt: skip
_HELLO_MESSAGES = 8


@cache
def _ciphers() -> dict[int, str]:
    loaded: dict[int, str] = read_yaml((PACKAGE / "flows" / "apps" / "ciphers.yaml").read_text(encoding="utf-8"))
    return loaded


def version_name(number: int) -> str:
    """TLSv1.2 for 0x0303; drafts by their number."""
    if number >> 8 == 0x7F:
        return f"TLSv1.3-draft{number & 0xFF}"
    return _NAMES.get(number, f"0x{number:04x}")


def dissect(orig: Stream, resp: Stream, transport: str = "t") -> list[Row]:
    """One row of tls_sessions; client certificates and alerts as facts."""
    asked, asked_at = _side(orig.data, CLIENT_HELLO)
    answered, answered_at = _side(resp.data, SERVER_HELLO)
    return _rows(asked, answered, orig.line(asked_at) if CLIENT_HELLO in asked else resp.line(answered_at), transport)


def _rows(asked: dict[Any, Any], answered: dict[Any, Any], line: int, transport: str) -> list[Row]:
    if CLIENT_HELLO not in asked and SERVER_HELLO not in answered:
        return []
    row: dict[str, Any] = {"line": line}
    more: list[tuple[str, Any]] = []
    client, server = asked.get(CLIENT_HELLO), answered.get(SERVER_HELLO)
    if isinstance(client, ja.Hello):
        row |= of_client(client, transport)
    if isinstance(server, ja.Hello):
        row |= of_server(server)
    elif isinstance(client, ja.Hello):
        more.append(("tls.offered", version_name(_best(client))))
    if isinstance(leaf := answered.get(CERTIFICATE), bytes):
        row |= der.certificate(leaf)
        # lists of bad certificates still name them so
        more.append(("tls.certificate_sha1", hashlib.sha1(leaf, usedforsecurity=False).hexdigest()))
    if isinstance(leaf := asked.get(CERTIFICATE), bytes):
        own = der.certificate(leaf)
        more += [("tls.client_certificate", own["sha256"]), ("tls.client_subject", own.get("subject"))]
    more += [("tls.alert", alert) for alert in (asked.get("alert"), answered.get("alert"))]
    return [("tls_sessions", row), *facts(row["line"], more)]


def begins(data: bytes, kind: int) -> int | None:
    """Where a hello begins behind another protocol's opening (STARTTLS and its like)."""
    at = data.find(b"\x16\x03")
    for _ in range(20):
        if at < 0:
            return None
        if hello(data[at : at + 11], kind):
            return at
        at = data.find(b"\x16\x03", at + 1)
    return None


def upgraded(orig: Stream, resp: Stream) -> list[Row]:
    """TLS that a protocol changed to on the way; both sides must."""
    there, back = begins(orig.data, CLIENT_HELLO), begins(resp.data, SERVER_HELLO)
    if there is None or back is None:
        return []
    return dissect(Stream(orig.after(there)), Stream(resp.after(back)))


def of_messages(asked: bytes, answered: bytes, line: int, transport: str) -> list[Row]:
    """Rows of handshake messages that came without records (QUIC)."""
    sides: tuple[dict[Any, Any], dict[Any, Any]] = ({}, {})
    for found, shake, wanted in zip(sides, (asked, answered), (CLIENT_HELLO, SERVER_HELLO), strict=True):
        for kind, body, whole in _messages(shake):
            _message(found, wanted, kind, body, whole)
    return _rows(*sides, line, transport)


def dtls(orig: Stream, resp: Stream) -> list[Row]:
    """TLS over datagrams: the same messages, in numbered fragments."""
    asked, answered = _datagrams(orig, CLIENT_HELLO), _datagrams(resp, SERVER_HELLO)
    return _rows(asked, answered, (orig if CLIENT_HELLO in asked else resp).line(), "d")


def _datagrams(side: Stream, hello_kind: int) -> dict[Any, Any]:
    parts: dict[tuple[int, int, int], dict[int, bytes]] = {}
    for segment in side.segments[:50]:
        reader = Reader(segment.data)
        try:
            while reader.left():
                kind = reader.number(1)
                reader.take(2)
                epoch = reader.number(2)
                reader.take(6)
                record = reader.part(2)
                while kind == 22 and epoch == 0 and record.left():
                    head = record.number(1), record.number(3), record.number(2)
                    at = record.number(3)
                    parts.setdefault(head, {})[at] = record.part(3).rest()
        except Cut:
            continue
    found: dict[Any, Any] = {}
    for (kind, size, _), pieces in sorted(parts.items(), key=lambda item: item[0][2], reverse=True):
        body = b"".join(pieces[at] for at in sorted(pieces))
        _message(found, hello_kind, kind, body, len(body) == size)
    return found


def _best(hello: ja.Hello) -> int:
    return max((value for value in hello.versions if not ja.grease(value)), default=hello.version)


def of_client(hello: ja.Hello, transport: str = "t") -> dict[str, Any]:
    """Columns that a ClientHello fills."""
    return {
        "sni": hello.sni,
        "alpn": joined(map(shown, hello.alpn)),
        "ja3": ja.ja3(hello),
        "ja4": ja.ja4(hello, transport),
    }


def of_server(hello: ja.Hello) -> dict[str, Any]:
    """Columns that a ServerHello fills; its ALPN is the one that counts."""
    cipher = hello.ciphers[0] if hello.ciphers else 0
    found: dict[str, Any] = {
        "version": version_name(hello.versions[0] if hello.versions else hello.version),
        "cipher": _ciphers().get(cipher, f"0x{cipher:04x}"),
        "ja3s": ja.ja3s(hello),
    }
    if hello.alpn:
        found["alpn"] = joined(map(shown, hello.alpn))
    return found


def _side(data: bytes, hello_kind: int) -> tuple[dict[Any, Any], int]:
    """Messages of one direction by type, and where the first began. The stream may begin with one odd byte (frp: 0x17)."""
    found: dict[Any, Any] = {}
    start = 1 if data[:3] == b"\x17\x16\x03" else 0
    old = _old_hello(data) if hello_kind == CLIENT_HELLO else None
    if old is not None:
        found[CLIENT_HELLO] = old
        start = 2 + int.from_bytes(data[:2], "big") % 0x8000
    shake = _records(data, start, found)
    for kind, body, whole in _messages(shake):
        _message(found, hello_kind, kind, body, whole)
    return found, start


def _message(found: dict[Any, Any], hello_kind: int, kind: int, body: bytes, whole: bool) -> None:
    """Take a handshake message into `found`; the first of its kind counts."""
    if kind in found:
        return
    try:
        if kind == hello_kind and whole:
            found[kind] = client_hello(body) if kind == CLIENT_HELLO else server_hello(body)
        elif kind == CERTIFICATE:
            found[kind] = _leaf(body)
    except Cut:
        return


def _records(data: bytes, at: int, found: dict[Any, Any]) -> bytes:
    """The handshake bytes in the clear; the first alert goes to `found`."""
    shake = bytearray()
    while at + 5 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 3 : at + 5], "big")
        if kind not in (20, 21, 22) or data[at + 1] != 3 or size > 18432:
            break
        body = data[at + 5 : at + 5 + size]
        if kind == 22:
            shake += body
        elif kind == 21 and size == 2 and len(body) == 2:
            found.setdefault("alert", body[1])
        elif kind == 20:  # what follows is encrypted
            break
        at += 5 + size
    return bytes(shake)


def _messages(shake: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Handshake messages; the last may be cut (False)."""
    at = 0
    for _ in range(_HELLO_MESSAGES):
        if at + 4 > len(shake):
            return
        size = int.from_bytes(shake[at + 1 : at + 4], "big")
        body = shake[at + 4 : at + 4 + size]
        yield shake[at], body, len(body) == size
        at += 4 + size


def _leaf(body: bytes) -> bytes | None:
    """The first certificate of a Certificate message before TLS 1.3, also when the rest of the message is cut."""
    reader = Reader(body, 3)
    size = reader.number(3)
    raw = reader.take(size)
    return raw if raw[:1] == b"\x30" else None


def client_hello(body: bytes) -> ja.Hello:
    """The body of a ClientHello."""
    reader = Reader(body)
    version = reader.number(2)
    reader.take(32)
    reader.part(1)
    if version in (0xFEFF, 0xFEFD):  # DTLS: a cookie
        reader.part(1)
    hello = ja.Hello(version, reader.part(2).numbers(2))
    reader.part(1)
    _extensions(reader, hello, client=True)
    return hello


def server_hello(body: bytes) -> ja.Hello:
    """The body of a ServerHello; a HelloRetryRequest is one too."""
    reader = Reader(body)
    version = reader.number(2)
    reader.take(32)
    if not 0x7F00 <= version <= 0x7F16:  # drafts up to 21 have no session id
        reader.part(1)
    hello = ja.Hello(version, [reader.number(2)])
    if not 0x7F00 <= version <= 0x7F16:
        reader.take(1)
    _extensions(reader, hello, client=False)
    return hello


def _extensions(reader: Reader, hello: ja.Hello, *, client: bool) -> None:
    if not reader.left():
        return
    block = reader.part(2)
    while block.left():
        kind = block.number(2)
        value = block.part(2)
        hello.extensions.append(kind)
        try:
            _extension(kind, value, hello, client)
        except Cut:  # one that is wrong in itself says nothing; the list of them still stands
            continue


def _extension(kind: int, value: Reader, hello: ja.Hello, client: bool) -> None:
    if kind == ja.ALPN:
        names = value.part(2)
        while names.left():
            hello.alpn.append(names.part(1).rest())
    elif kind == ja.VERSIONS:
        hello.versions = (value.part(1) if client else value).numbers(2)
    elif not client:
        return
    elif kind == ja.SNI and value.left():
        names = value.part(2)
        if names.number(1) == 0:
            hello.sni = shown(names.part(2).rest(), 260) or None
    elif kind == ja.GROUPS:
        hello.groups = value.part(2).numbers(2)
    elif kind == ja.POINTS:
        hello.points = value.part(1).numbers(1)
    elif kind == ja.SIGNATURES:
        hello.signatures = value.part(2).numbers(2)


def _old_hello(data: bytes) -> ja.Hello | None:
    """A ClientHello in the format of SSLv2, with which old clients offer SSLv3 and TLS too."""
    if len(data) < 11 or not data[0] & 0x80 or data[2] != 1:
        return None
    reader = Reader(data, 3)
    try:
        version = reader.number(2)
        sizes = [reader.number(2) for _ in range(3)]
        if sizes[0] % 3 or 9 + sum(sizes) != int.from_bytes(data[:2], "big") & 0x7FFF or (version >> 8 != 3 and version != 2):
            return None
        specs = Reader(reader.take(sizes[0])).numbers(3)
    except Cut:
        return None
    return ja.Hello(version, [spec for spec in specs if spec < 0x10000])
