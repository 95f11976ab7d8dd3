"""Tunnels and multiplexers: frp, yamux, smux, WireGuard, OpenVPN, IKE, L2TP control."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from devicehunt.flows.apps.signs_udp import openvpn_key
from devicehunt.flows.apps.wire import Cut, Reader, Row, Segment, Stream, facts

_FRAMES = 500
_LOGIN = ("version", "hostname", "os", "arch", "user", "pool_count", "run_id", "client_id")
_PROXY = ("proxy_name", "proxy_type", "remote_port", "custom_domains", "subdomain", "bind_addr")
_FRP_LIMIT = 10240


def frp(orig: Stream, resp: Stream) -> list[Row]:
    """Login and proxies of an frp client; the key made from the token is never kept."""
    if orig.data[:1] == b"\x17":
        return facts(orig.line(), [("frp.transport", "tls")])
    rows = _frp_messages(orig.data, orig.line())
    answer = dict(_frp_objects(resp.data)).get(b"1")
    if answer:
        rows += facts(resp.line(), [("frp.server_version", answer.get("version")), ("frp.error", answer.get("error"))])
    return rows


def _frp_objects(data: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    reader = Reader(data)
    for _ in range(_FRAMES):
        try:
            kind, size = reader.take(1), reader.number(8)
            if size > _FRP_LIMIT:
                return
            loaded = json.loads(reader.take(size))
        except (Cut, ValueError, RecursionError):
            return
        if isinstance(loaded, dict):
            yield kind, loaded


def _frp_messages(data: bytes, line: int) -> list[Row]:
    rows: list[Row] = []
    for kind, loaded in _frp_objects(data):
        keys = _LOGIN if kind == b"o" else _PROXY if kind == b"p" else ()
        rows += facts(line, [(f"frp.{key}", loaded.get(key)) for key in keys])
    return rows


def yamux(orig: Stream, resp: Stream) -> list[Row]:
    """How many streams; what the first says when it is frp."""
    streams: set[int] = set()
    first = b""
    reader = Reader(orig.data)
    try:
        for _ in range(_FRAMES):
            version, kind, _flags = reader.number(1), reader.number(1), reader.number(2)
            stream, size = reader.number(4), reader.number(4)
            if version or kind > 3:
                break
            if stream:
                streams.add(stream)
            if kind == 0:
                body = reader.take(min(size, reader.left()))
                if stream and stream == min(streams):
                    first += body
    except Cut:
        pass
    rows = facts(orig.line(), [("yamux.streams", len(streams))])
    if first[:1] == b"o":
        rows += _frp_messages(first, orig.line())
    return rows


def smux(orig: Stream, resp: Stream) -> list[Row]:
    """Version, and how many streams were opened."""
    streams: set[bytes] = set()
    reader = Reader(orig.data)
    version = orig.data[0] if orig.data else None
    try:
        for _ in range(_FRAMES):
            again, command = reader.number(1), reader.number(1)
            size = int.from_bytes(reader.take(2), "little")
            stream = reader.take(4)
            if again != version or command > 4:
                break
            if command == 0:
                streams.add(stream)
            reader.take(8 if command == 4 else size)
    except Cut:
        pass
    return facts(orig.line(), [("smux.version", version), ("smux.streams", len(streams))])


_WIREGUARD = {1: "initiation", 2: "response", 3: "cookie", 4: "data"}


def wireguard(orig: Stream, resp: Stream) -> list[Row]:
    """Which messages were seen: a handshake, or data only."""
    kinds = {one.data[0] for one in (*orig.segments, *resp.segments)}
    seen = ",".join(name for kind, name in _WIREGUARD.items() if kind in kinds)
    return facts(orig.line(), [("wireguard.messages", seen)])


def openvpn(orig: Stream, resp: Stream, *, tcp: bool) -> list[Row]:
    """The kind of the reset: which version of the handshake."""
    at = 2 if tcp else 0
    code = orig.data[at] >> 3 if len(orig.data) > at else 0
    return facts(orig.line(), [("openvpn.reset", {1: "1", 7: "2", 10: "3"}.get(code)), ("openvpn.answered", "yes" if resp.data else None)])


_RESETS = (7, 8)


def openvpn_control(side: Stream, *, tcp: bool) -> Stream:
    """The TLS bytes inside the control packets; nothing where tls-crypt hides them."""
    found: list[Segment] = []
    want = 1  # 0 is the reset
    key: int | None = None
    for segment, packet in _openvpn_packets(side, tcp=tcp):
        reader = Reader(packet)
        try:
            code = reader.number(1) >> 3
            if code in _RESETS:
                key = openvpn_key(packet)
                if key == 0:
                    break
            reader.take(8 + (key or 0))
            count = reader.number(1)
            reader.take(4 * count + (8 if count else 0))
            number = reader.number(4)
        except Cut:
            continue
        if code == 4 and count <= 8 and number == want:
            want += 1
            found.append(Segment(segment.packet, segment.time, reader.rest()))
    return Stream(found)


def _openvpn_packets(side: Stream, *, tcp: bool) -> Iterator[tuple[Segment, bytes]]:
    if not tcp:
        yield from ((one, one.data) for one in side.segments[:200])
        return
    at = 0
    for _ in range(200):
        size = int.from_bytes(side.data[at : at + 2], "big")
        if size < 2 or at + 2 + size > len(side.data):
            return
        yield side.segment(at), side.data[at + 2 : at + 2 + size]
        at += 2 + size


_VENDOR_IDS = {
    "afcad71368a1f1c96b8696fc77570100": "dead-peer-detection",
    "12f5f28c457168a9702d9fe274cc0100": "cisco-unity",
    "12f5f28c457168a9702d9fe274cc": "cisco-unity",
    "09002689dfd6b712": "xauth",
    "4a131c81070358455c5728f20e95452f": "nat-traversal",
    "882fe56d6fd20dbc2251613b2ebe5beb": "strongswan",
}


def ike(orig: Stream, resp: Stream) -> list[Row]:
    """Version, exchange and vendor ids of the first message."""
    rows: list[Row] = []
    for side in (orig, resp):
        data = side.segments[0].data if side.segments else b""
        data = data[4:] if data[:4] == b"\0\0\0\0" else data
        if len(data) < 28:
            continue
        vendors = ",".join(dict.fromkeys(_vendors(data)))
        who = "initiator" if side is orig else "responder"
        rows += facts(
            side.line(),
            [("ike.version", data[17] >> 4), ("ike.exchange", data[18])] if side is orig else [],
        )
        rows += facts(side.line(), [(f"ike.{who}_vendors", vendors)])
    return rows


def _vendors(data: bytes) -> Iterator[str]:
    reader = Reader(data, 28)
    kind, old = data[16], data[17] >> 4 == 1
    try:
        for _ in range(40):
            if not kind or kind == (46 if not old else -1):
                return
            following = reader.number(1)
            reader.take(1)
            size = reader.number(2)
            if size < 4:
                return
            body = reader.take(size - 4)
            if kind == (13 if old else 43):
                yield _VENDOR_IDS.get(body.hex(), body[:16].hex())
            kind = following
    except Cut:
        return


def l2tp(orig: Stream, resp: Stream) -> list[Row]:
    """Who talks: host name, vendor, of the control messages in the clear."""
    rows: list[Row] = []
    for side, who in ((orig, "client"), (resp, "server")):
        for segment in side.segments[:20]:
            rows += facts(segment.packet, [(f"l2tp.{who}_{name}", value) for name, value in _avps(segment)])
    seen: set[tuple[str, str]] = set()
    unique = []
    for table, row in rows:
        key = (row["name"], row["value"])
        if key not in seen:
            seen.add(key)
            unique.append((table, row))
    return unique


_L2TP = {7: "host", 8: "vendor"}


def _avps(segment: Segment) -> Iterator[tuple[str, bytes]]:
    data = segment.data
    if len(data) < 12 or not data[0] & 0x80:
        return
    reader = Reader(data, 12)
    try:
        for _ in range(40):
            head = reader.number(2)
            vendor, kind = reader.number(2), reader.number(2)
            body = reader.take(max(0, (head & 0x3FF) - 6))
            if vendor == 0 and kind in _L2TP and not head & 0x4000:  # not hidden
                yield _L2TP[kind], body
    except Cut:
        return
