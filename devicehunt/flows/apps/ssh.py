"""SSH: banners, and HASSH from the offers of both sides."""

from __future__ import annotations

import hashlib

from devicehunt.flows.apps.wire import Cut, Reader, Row, Stream, shown

_KEXINIT = 20
_LINES = 50
"""Lines a server may send before its banner."""


def dissect(orig: Stream, resp: Stream) -> list[Row]:
    """One row of ssh_sessions."""
    client, after_client = banner(orig.data)
    server, after_server = banner(resp.data)
    if client is None and server is None:
        return []
    return [
        (
            "ssh_sessions",
            {
                "line": orig.line() if client is not None else resp.line(),
                "client_banner": client,
                "server_banner": server,
                "hassh": _hassh(orig.data, after_client, server=False) if client is not None else None,
                "hassh_server": _hassh(resp.data, after_server, server=True) if server is not None else None,
            },
        )
    ]


def banner(data: bytes) -> tuple[str | None, int]:
    """The line that begins with `SSH-`, and where the next one begins."""
    at = 0
    for _ in range(_LINES):
        end = data.find(b"\n", at, at + 1024)
        if data[at : at + 4] == b"SSH-":
            line = data[at : end if end >= 0 else at + 255]
            return shown(line.rstrip(b"\r\0"), 255), (end + 1 if end >= 0 else len(data))
        if end < 0:
            break
        at = end + 1
    return None, 0


def _hassh(data: bytes, at: int, *, server: bool) -> str | None:
    """MD5 over the key exchange, ciphers, MACs and compressions that a side offers for what it sends."""
    reader = Reader(data, at)
    try:
        packet = reader.part(4)
        padding = packet.number(1)
        if packet.number(1) != _KEXINIT:
            return None
        packet.end -= padding
        packet.take(16)
        lists = [packet.part(4).rest() for _ in range(10)]
    except Cut:
        return None
    lists = lists[:8]
    chosen = [lists[0], *(lists[n + server] for n in (2, 4, 6))]
    return hashlib.md5(b";".join(chosen), usedforsecurity=False).hexdigest()
