"""HTTP/1: several requests a connection, each with its status; CONNECT becomes a proxy request.

Authorization, cookies and bodies are never kept; in a query the values of keys that name secrets are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from devicehunt.flows.apps.socks import Inner
from devicehunt.flows.apps.wire import ROW_LIMIT, Row, Stream, facts, shown

_HEAD_LIMIT = 64 * 1024
METHOD = rb"[A-Z][A-Z_-]{1,23}"
_REQUEST = re.compile(rb"(" + METHOD + rb") +([^\r\n]*?)(?: +HTTP/(\d\.\d))? *\r?\n")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})\b[^\r\n]*\r?\n")
_END = re.compile(rb"\r?\n\r?\n")
_SECRET = re.compile(r"(?i)([?&;][^=&;#]*(?:pass|pwd|secret|token|api_?key|psk|sess|auth|code)[^=&;#]*=)[^&;# ]*")
_USERINFO = re.compile(r"(?i)^([a-z]+://)[^/@]*@")
_PORT = re.compile(rb":\d{0,5}$")


@dataclass(slots=True)
class _Head:
    """A request or a status, its place, and where its body ends (None: at the end of what is there)."""

    at: int
    first: re.Match[bytes]
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: int = 0
    end: int | None = None


def dissect(orig: Stream, resp: Stream) -> tuple[list[Row], Inner | None]:
    """Rows of http_requests and proxy_requests, and the conversation inside a CONNECT that was granted."""
    requests = list(_heads(orig.data, _REQUEST))
    statuses = list(_statuses(resp.data, [head.first[1] for head in requests]))
    rows: list[Row] = []
    for number, head in enumerate(requests[:ROW_LIMIT]):
        answer = statuses[number] if number < len(statuses) else None
        status = int(answer.first[1]) if answer else None
        line = orig.line(head.at)
        if head.first[1] != b"CONNECT":
            rows += _request(head, line, status)
            if status == 101 and answer:
                rows += facts(line, [("http.upgrade", answer.headers.get(b"upgrade", b"?"))])
            continue
        rows += _connect(head, line, status)
        if answer and status and 200 <= status < 300:
            return rows, (orig.after(head.body), resp.after(answer.body))
    if not requests:
        rows += [_only_status(resp, head) for head in statuses[:ROW_LIMIT]]
    elif statuses and (server := statuses[0].headers.get(b"server")):
        rows += facts(orig.line(), [("http.server", server)])
    return rows, None


def _only_status(resp: Stream, head: _Head) -> Row:
    row = dict.fromkeys(("method", "host", "path", "user_agent"))
    return "http_requests", {"line": resp.line(head.at), **row, "status": int(head.first[1])}


def _request(head: _Head, line: int, status: int | None) -> list[Row]:
    method = head.first[1].decode("ascii")
    target = head.first[2]
    host = head.headers.get(b"host")
    more: list[tuple[str, Any]] = []
    if b"://" in target[:12]:
        more.append(("http.absolute", _clean(target)))
        authority, slash, path = target.partition(b"://")[2].partition(b"/")
        host, target = authority.rpartition(b"@")[2], slash + path
    agent = head.headers.get(b"user-agent")
    row: dict[str, Any] = {
        "line": line,
        "method": method,
        "host": shown(_PORT.sub(b"", host), 260) if host else None,
        "path": _clean(target),
        "user_agent": shown(agent) if agent is not None else None,
        "status": status,
    }
    if protocol := head.headers.get(b"sec-websocket-protocol"):
        more.append(("http.websocket", protocol))
    if action := head.headers.get(b"soapaction"):
        more.append(("soap.action", action.strip(b'"')))
    return [("http_requests", row), *facts(line, more)]


def _clean(target: bytes) -> str:
    text = target[:4096].decode("utf-8", "backslashreplace")
    return shown(_SECRET.sub(r"\1***", _USERINFO.sub(r"\1***@", text)), 1000)


def _connect(head: _Head, line: int, status: int | None) -> list[Row]:
    host, _, port = head.first[2].rpartition(b":")
    number = int(port) if port.isdigit() and len(port) <= 5 else None
    if number is None:
        host = head.first[2]
    row: dict[str, Any] = {
        "line": line,
        "kind": "connect",
        "method": "",
        "host": shown(host.strip(b"[]"), 260),
        "port": number,
        "reply": str(status) if status is not None else None,
        "granted": 200 <= status < 300 if status is not None else None,
    }
    agent = head.headers.get(b"user-agent")
    return [("proxy_requests", row), *facts(line, [("http.user_agent", agent)])]


def _heads(data: bytes, first: re.Pattern[bytes]) -> Iterator[_Head]:
    """The requests of a direction, one behind the body of the other."""
    at = 0
    while head := _head(data, at, first):
        yield head
        if head.first[1] == b"CONNECT" or b"upgrade" in head.headers.get(b"connection", b"").lower():
            return
        end = _body_end(data, head, answer=False)
        if end is None:
            return
        at = end


def _statuses(data: bytes, methods: list[bytes]) -> Iterator[_Head]:
    """The final statuses of a direction; 100 and its like are passed over."""
    at, number = 0, 0
    while head := _head(data, at, _STATUS):
        code = int(head.first[1])
        if 100 <= code < 200 and code != 101:
            at = head.body
            continue
        yield head
        method = methods[number] if number < len(methods) else b""
        number += 1
        if code == 101 or (method == b"CONNECT" and code // 100 == 2):
            return
        bare = method == b"HEAD" or code in (204, 304)
        end = head.body if bare else _body_end(data, head, answer=True)
        if end is None:
            return
        at = end


def _head(data: bytes, at: int, first: re.Pattern[bytes]) -> _Head | None:
    for _ in range(4):  # some put an empty line behind a body
        if data[at : at + 2] == b"\r\n":
            at += 2
    match = first.match(data, at, at + _HEAD_LIMIT)
    if match is None:
        return None
    if first is _REQUEST and match[3] is None and match[1] not in (b"GET", b"POST", b"HEAD"):
        return None
    end = _END.search(data, match.end() - 2, at + _HEAD_LIMIT)
    body = end.end() if end else min(len(data), at + _HEAD_LIMIT)
    return _Head(at, match, _headers(data[match.end() : end.start() if end else body]), body)


def _headers(raw: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    last = b""
    for line in raw.split(b"\n")[:200]:
        key, colon, value = line.partition(b":")
        if line[:1] in (b" ", b"\t") and last:
            found[last] += b" " + line.strip()
        elif colon:
            last = key.strip().lower()
            if last in found:
                last = b""
            else:
                found[last] = value.strip()
    return found


def _body_end(data: bytes, head: _Head, *, answer: bool) -> int | None:
    if b"chunked" in head.headers.get(b"transfer-encoding", b"").lower():
        return _chunks(data, head.body)
    length = head.headers.get(b"content-length", b"")
    if length.isdigit() and len(length) < 16:
        end = head.body + int(length)
        return end if end <= len(data) else None
    return None if answer else head.body


def _chunks(data: bytes, at: int) -> int | None:
    while True:
        end = data.find(b"\n", at, at + 256)
        size = data[at:end].split(b";")[0].strip() if end >= 0 else b""
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
            return None
        number = int(size, 16)
        if number == 0:
            last = data.find(b"\r\n", end + 1)  # trailers end with an empty line
            while 0 <= last != end + 1:
                end = last + 1
                last = data.find(b"\r\n", end + 1)
            return last + 2 if last >= 0 else len(data)
        at = end + 1 + number + 2
        if at > len(data):
            return None
