"""SOCKS 4, 4a and 5: who asked for what, and whether it was granted. The user name is kept, the password never."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from devicehunt.flows.apps.wire import Cut, Reader, Row, Segment, Stream, facts, shown

_METHODS = {0: "none", 1: "gssapi", 2: "password", 3: "chap", 5: "challenge", 6: "ssl", 7: "nds", 8: "multi", 9: "json", 255: "refused"}
_COMMANDS = {1: "connect", 2: "bind", 3: "udp-associate"}
_REPLIES5 = {
    0: "succeeded",
    1: "general-failure",
    2: "not-allowed",
    3: "network-unreachable",
    4: "host-unreachable",
    5: "refused",
    6: "ttl-expired",
    7: "command-unsupported",
    8: "address-unsupported",
}
_REPLIES4 = {90: "succeeded", 91: "rejected", 92: "no-identd", 93: "identd-differs"}

Inner = tuple[list[Segment], list[Segment]]


def dissect(orig: Stream, resp: Stream) -> tuple[list[Row], Inner | None]:
    """One row of proxy_requests, and the conversation that the proxy carried."""
    if orig.data[:1] == b"\x04":
        return _four(orig, resp)
    if orig.data[:1] == b"\x05" or resp.data[:1] == b"\x05":
        return _five(orig, resp)
    return [], None


def _text(reader: Reader) -> bytes:
    end = reader.data.find(b"\0", reader.at, min(reader.end, reader.at + 512))
    if end < 0:
        raise Cut
    value = reader.take(end - reader.at)
    reader.take(1)
    return value


def _four(orig: Stream, resp: Stream) -> tuple[list[Row], Inner | None]:
    reader = Reader(orig.data, 1)
    try:
        command, port, address = reader.number(1), reader.number(2), reader.take(4)
        if command not in (1, 2):
            return [], None
        user = _text(reader)
        named = address[:3] == b"\0\0\0" and address[3] != 0
        host = shown(_text(reader), 260) if named else str(ip_address(address))
    except Cut:
        return [], None
    row: dict[str, Any] = {
        "line": orig.line(),
        "kind": "socks4a" if named else "socks4",
        "method": "user" if user else "none",
        "host": host,
        "port": port,
        "reply": None,
        "granted": None,
    }
    inner = None
    if len(resp.data) >= 8 and resp.data[0] in (0, 4):
        code = resp.data[1]
        row |= {"reply": _REPLIES4.get(code, str(code)), "granted": code == 90}
        inner = (orig.after(reader.at), resp.after(8))
    found = facts(row["line"], [("socks.user", user), ("socks.command", _COMMANDS[command] if command != 1 else None)])
    return [("proxy_requests", row), *found], inner


def _five(orig: Stream, resp: Stream) -> tuple[list[Row], Inner | None]:
    ask, answer = Reader(orig.data), Reader(resp.data)
    row: dict[str, Any] = dict.fromkeys(("host", "port", "reply", "granted"))
    row |= {"line": orig.line() if orig.data else resp.line(), "kind": "socks5", "method": None}
    more: list[tuple[str, Any]] = []
    inner = None
    try:
        _greet(ask, answer, row, more)
        _request(ask, orig, row, more)
    except Cut:
        pass
    try:
        if row["method"] == "password":
            more.append(("socks.login", "accepted" if answer.take(2)[1] == 0 else "refused"))
        _reply(answer, row, more)
        inner = (orig.after(ask.at), resp.after(answer.at))
    except Cut:
        pass
    if row["method"] is None and row["host"] is None and row["reply"] is None:
        return [], None
    return [("proxy_requests", row), *facts(row["line"], more)], inner if row["granted"] else None


def _method(number: int) -> str:
    return _METHODS.get(number, str(number))


def _greet(ask: Reader, answer: Reader, row: dict[str, Any], more: list[tuple[str, Any]]) -> None:
    offered: list[int] = []
    if ask.left():
        ask.take(1)
        offered = ask.part(1).numbers(1)
    more.append(("socks.offered", ",".join(map(_method, offered[:20]))))
    if answer.left() >= 2:
        version, chosen = answer.number(1), answer.number(1)
        if version != 5 or (offered and chosen not in (*offered, 255)):
            row["method"] = None
            raise Cut
        row["method"] = _method(chosen)
        if chosen == 255:
            row["reply"], row["granted"] = "refused", False
    if ask.left() and ask.data[ask.at] == 1 and (row["method"] == "password" or (row["method"] is None and 2 in offered)):
        ask.take(1)
        more.append(("socks.user", ask.part(1).rest()))
        ask.part(1)  # the password: passed over


def _place(reader: Reader) -> tuple[str, int]:
    """Address or name, and port."""
    kind = reader.number(1)
    if kind not in (1, 3, 4):
        raise Cut
    raw = reader.part(1).rest() if kind == 3 else reader.take(4 if kind == 1 else 16)
    return shown(raw, 260) if kind == 3 else str(ip_address(raw)), reader.number(2)


def _request(ask: Reader, orig: Stream, row: dict[str, Any], more: list[tuple[str, Any]]) -> None:
    line = orig.line(ask.at)
    if ask.number(1) != 5:
        raise Cut
    command = ask.number(1)
    ask.take(1)
    if command not in _COMMANDS:
        raise Cut
    row["host"], row["port"] = _place(ask)
    row["line"] = line
    if command != 1:
        more.append(("socks.command", _COMMANDS[command]))


def _reply(answer: Reader, row: dict[str, Any], more: list[tuple[str, Any]]) -> None:
    if answer.number(1) != 5:
        raise Cut
    code = answer.number(1)
    row |= {"reply": _REPLIES5.get(code, str(code)), "granted": code == 0}
    answer.take(1)
    bound, port = _place(answer)
    if port:  # from where the proxy itself speaks
        more.append(("socks.bound", f"{bound} {port}"))
