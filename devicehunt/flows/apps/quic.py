"""QUIC: the version, and both hellos of TLS out of the Initial packets, whose keys RFC 9001 makes of a number in the clear."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from devicehunt.flows.apps import aes, tls
from devicehunt.flows.apps.wire import Cut, Reader, Row, Stream, facts

_SALTS = {
    "1": bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    "2": bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
    "draft-32": bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"),
    "draft-28": bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"),
}
_V2 = 0x6B3343CF
_PACKETS = 6
"""Initial packets of one direction that are opened."""
_TAG = 16
_FRAMES = 400
_SHAKE_LIMIT = 16 * 1024

Keys = tuple[list[aes.Words], bytes, list[aes.Words]]


def dissect(orig: Stream, resp: Stream) -> list[Row]:
    """The version as a fact; a row of tls_sessions where an Initial packet could be opened."""
    data = orig.segments[0].data if orig.segments else b""
    if len(data) < 5:
        return []
    if not data[0] & 0x80:
        return facts(orig.line(), [("quic.version", data[9:13] if data[9:10] == b"Q" else None)])
    number = int.from_bytes(data[1:5], "big")
    rows = facts(orig.line(), [("quic.version", _version(number, data[1:5]))])
    salt = _salt(number)
    if salt is None or len(data) < 7 + data[5]:
        return rows
    first = data[6 : 6 + data[5]]
    shakes = _shake(orig, salt, number, first, b"client in"), _shake(resp, salt, number, first, b"server in")
    return rows + tls.of_messages(*shakes, orig.line(), "q")


def _version(number: int, raw: bytes) -> bytes | str:
    if number in (0, 1, _V2):
        return {0: "negotiation", 1: "1", _V2: "2"}[number]
    if raw[:1] in (b"Q", b"T"):
        return raw
    return f"draft-{number & 0xFF}" if number >> 8 == 0xFF0000 else f"0x{number:08x}"


def _salt(number: int) -> bytes | None:
    if number in (1, _V2):
        return _SALTS["1" if number == 1 else "2"]
    draft = number & 0xFF if number >> 8 == 0xFF0000 else 0
    return _SALTS["draft-32"] if 29 <= draft <= 34 else _SALTS["draft-28"] if 23 <= draft <= 28 else None


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label of TLS 1.3; one round is enough for all sizes here."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0\1"
    return hmac.digest(secret, info, "sha256")[:size]


def _keys(salt: bytes, number: int, connection: bytes, side: bytes) -> Keys:
    secret = _expand(hmac.new(salt, connection, hashlib.sha256).digest(), side, 32)
    prefix = b"quicv2 " if number == _V2 else b"quic "
    return (
        aes.expand(_expand(secret, prefix + b"key", 16)),
        _expand(secret, prefix + b"iv", 12),
        aes.expand(_expand(secret, prefix + b"hp", 16)),
    )


def _shake(side: Stream, salt: bytes, number: int, first: bytes, who: bytes) -> bytes:
    """The TLS messages of a direction, as far as they are without a gap."""
    keys = _keys(salt, number, first, who)
    pieces: dict[int, bytes] = {}
    for count, (packet, connection) in enumerate(_initials(side, number)):
        if count == _PACKETS:
            break
        if not _open(packet, keys, pieces) and who == b"client in" and connection != first:
            keys = _keys(salt, number, connection, who)  # a Retry came between
            _open(packet, keys, pieces)
    shake = b""
    for at in sorted(pieces):
        if at > len(shake) or len(shake) > _SHAKE_LIMIT:
            break
        shake += pieces[at][len(shake) - at :]
    return shake


def _initials(side: Stream, number: int) -> Iterator[tuple[Reader, bytes]]:
    """Initial packets: a reader that stands on the packet number, its data from the packet's first byte; and the connection."""
    kind = 0x10 if number == _V2 else 0
    for segment in side.segments[:20]:
        reader = Reader(segment.data)
        try:
            while reader.left():
                start = reader.at
                head = reader.number(1)
                if not head & 0x80 or reader.number(4) != number or head & 0x30 != kind:
                    break
                connection = reader.part(1).rest()
                reader.part(1)
                reader.take(_varint(reader))
                size = _varint(reader)
                if size > reader.left():
                    break
                at = reader.at - start
                reader.take(size)
                packet = segment.data[start : reader.at]
                yield Reader(packet, at), connection
        except Cut:
            continue


def _varint(reader: Reader) -> int:
    first = reader.number(1)
    value = first & 0x3F
    for byte in reader.take((1 << (first >> 6)) - 1):
        value = value << 8 | byte
    return value


def _open(packet: Reader, keys: Keys, pieces: dict[int, bytes]) -> bool:
    """Take the protection off, and the crypto frames out; False where the key does not fit."""
    data, at = packet.data, packet.at
    if len(data) < at + 4 + 16 + _TAG or len(data) > 2000:
        return False
    mask = aes.encrypt(keys[2], data[at + 4 : at + 20])
    head = data[0] ^ (mask[0] & 0x0F)
    if head & 0x0C:
        return False
    size = (head & 3) + 1
    number = int.from_bytes(bytes(a ^ b for a, b in zip(data[at : at + size], mask[1:], strict=False)), "big")
    nonce = (int.from_bytes(keys[1], "big") ^ number).to_bytes(12, "big")
    try:
        return _frames(Reader(aes.counter(keys[0], nonce, data[at + size : -_TAG])), pieces)
    except Cut:
        return False


def _frames(reader: Reader, pieces: dict[int, bytes]) -> bool:
    found: dict[int, bytes] = {}
    for _ in range(_FRAMES):
        while reader.left() and reader.data[reader.at] == 0:
            reader.at += 1
        if not reader.left():
            break
        kind = reader.number(1)
        if kind == 6:
            at = _varint(reader)
            found[at] = reader.take(_varint(reader))
        elif kind in (2, 3):
            _passed_acks(reader, kind)
        elif kind == 0x1C:
            break
        elif kind != 1:
            return False
    for at, piece in found.items():
        if at < _SHAKE_LIMIT and len(piece) > len(pieces.get(at, b"")):
            pieces[at] = piece
    return True


def _passed_acks(reader: Reader, kind: int) -> None:
    _varint(reader)
    _varint(reader)
    count = _varint(reader)
    for _ in range(min(count, 64) * 2 + 1 + (3 if kind == 3 else 0)):
        _varint(reader)
