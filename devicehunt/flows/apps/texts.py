"""Protocols in lines: FTP, SMTP, stratum, Telnet, RTSP, SIP, and the openings of RDP, SMB and MQTT. No password is kept."""

from __future__ import annotations

import json
import re
from typing import Any

from devicehunt.flows.apps.signs_tcp import winbox
from devicehunt.flows.apps.wire import Cut, Reader, Row, Stream, facts

_LINES = 400
_FTP = re.compile(rb"(?i)(USER|RETR|STOR|APPE|STOU|DELE|RNTO|MKD|AUTH|PORT|EPRT)[ \t]+([^\r\n]{1,300})")
_SMTP = re.compile(rb"(?i)(EHLO|HELO|MAIL FROM|RCPT TO)[: \t]+([^\r\n]{1,300})")
_LINE_HOLDS = 4096


def _lines(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data) and len(found) < _LINES:
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        found.append((at, data[at : min(end, at + _LINE_HOLDS)].rstrip(b"\r")))
        at = end + 1
    return found


def ftp(orig: Stream, resp: Stream) -> list[Row]:
    """Greeting, user, files; PASS is passed over."""
    rows = _greeting("ftp", resp)
    for at, line in _lines(orig.data):
        if match := _FTP.match(line):
            rows += facts(orig.line(at), [(f"ftp.{match[1].decode().lower()}", match[2])])
    login = next((line[:3] for _, line in _lines(resp.data) if line[:3] in (b"230", b"530")), None)
    return rows + facts(resp.line(), [("ftp.login", {b"230": "accepted", b"530": "refused"}.get(login or b""))])


def _greeting(app: str, resp: Stream) -> list[Row]:
    first = _lines(resp.data)[:1]
    return facts(resp.line(), [(f"{app}.banner", line[4:]) for _, line in first if line[:3].isdigit()])


def smtp(orig: Stream, resp: Stream) -> list[Row]:
    """Greeting and envelope; the mail itself is not read."""
    rows = _greeting("smtp", resp)
    names = {"ehlo": "helo", "helo": "helo", "mail from": "from", "rcpt to": "to"}
    for at, line in _lines(orig.data):
        if line.upper() in (b"DATA", b"STARTTLS"):
            rows += facts(orig.line(at), [("smtp.starttls", "yes" if line.upper() == b"STARTTLS" else None)])
            break
        if match := _SMTP.match(line):
            rows += facts(orig.line(at), [(f"smtp.{names[match[1].decode().lower()]}", match[2])])
    return rows


def stratum(orig: Stream, resp: Stream) -> list[Row]:
    """Who mines and with what: the worker is a wallet or an account."""
    rows: list[Row] = []
    for at, line in _lines(orig.data)[:50]:
        try:
            loaded = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(loaded, dict) and isinstance(loaded.get("method"), str):
            rows += facts(orig.line(at), _mining(loaded["method"], loaded.get("params")))
    if not rows:
        rows = facts(orig.line(), [("stratum.seen", "yes")])
    return rows


def _mining(method: str, params: Any) -> list[tuple[str, Any]]:
    first = params[0] if isinstance(params, list) and params and isinstance(params[0], str) else None
    if method == "login" and isinstance(params, dict):
        return [("stratum.worker", params.get("login")), ("stratum.agent", params.get("agent")), ("stratum.rig", params.get("rigid"))]
    if method in ("mining.authorize", "eth_submitLogin"):
        return [("stratum.worker", first)]
    return [("stratum.agent", first)] if method == "mining.subscribe" else []


def telnet(orig: Stream, resp: Stream) -> list[Row]:
    """The first line a person would have seen: what the server showed before anybody typed."""
    typed = next((one for one in orig.segments if _shown_text(one.data).strip()), None)
    before = [one for one in resp.segments if typed is None or (one.time, one.packet) < (typed.time, typed.packet)]
    text = _shown_text(b"".join(one.data for one in before)[:8192])
    lines = [line.strip() for line in text.replace(b"\r", b"\n").split(b"\n") if line.strip()]
    return facts(resp.line() or orig.line(), [("telnet.banner", lines[0] if lines else None)])


_NEGOTIATION = re.compile(rb"\xff(?:\xfa[^\xff]*(?:\xff\xf0)?|[\xfb-\xfe][\x00-\xff]?|[\x00-\xff])|\x1b\[[0-9;?]*[A-Za-z]|\x00")


def _shown_text(data: bytes) -> bytes:
    return _NEGOTIATION.sub(b"", data)


def rtsp(orig: Stream, resp: Stream) -> list[Row]:
    """Methods and addresses, without what logs in."""
    rows: list[Row] = []
    for match in list(re.finditer(rb"(?m)^([A-Z_]{4,16}) (rtsp[su]?://[^ \r\n]{1,300}) RTSP/", orig.data))[:20]:
        url = re.sub(rb"//[^/@]*@", b"//", match[2])
        rows += facts(orig.line(match.start()), [("rtsp.request", match[1] + b" " + url.partition(b"?")[0])])
    return rows + _headers("rtsp", resp, rb"server")


def sip(orig: Stream, resp: Stream) -> list[Row]:
    """The first request and who sends it."""
    first = re.match(rb"([A-Z]{3,12}) (sips?:[^ \r\n]{1,300}) SIP/", orig.data)
    rows = facts(orig.line(), [("sip.request", first[1] + b" " + re.sub(rb":[^@:]*@", b"@", first[2][4:])) if first else ("", None)])
    return rows + _headers("sip", orig, rb"user-agent") + _headers("sip", resp, rb"server|user-agent")


def _headers(app: str, side: Stream, names: bytes) -> list[Row]:
    match = re.search(rb"(?im)^(" + names + rb")[ \t]*:[ \t]*([^\r\n]{1,200})", side.data[:8192])
    return facts(side.line(), [(f"{app}.{match[1].decode().lower().replace('-', '_')}", match[2])]) if match else []


def rdp(orig: Stream, resp: Stream) -> tuple[list[Row], int | None]:
    """Cookie and negotiation; second: where TLS begins in both directions, if it was agreed."""
    data = orig.data
    size = int.from_bytes(data[2:4], "big") if len(data) >= 4 else 0
    opening = data[11:size]
    cookie = re.match(rb"Cookie: (mstshash|msts)=([^\r\n]{1,100})", opening)
    asked = opening[-8:] if len(opening) >= 8 and opening[-8:-4] == b"\1\0\x08\0" else b""
    answer = resp.data[11:19]
    chosen = int.from_bytes(answer[4:8], "little") if answer[:1] == b"\2" and len(answer) == 8 else None
    rows = facts(
        orig.line(),
        [
            ("rdp.cookie", cookie[2] if cookie else None),
            ("rdp.asked", int.from_bytes(asked[4:8], "little") if asked else None),
            ("rdp.security", {0: "rdp", 1: "tls", 2: "credssp", 8: "credssp-early"}.get(chosen) if chosen is not None else None),
        ],
    )
    return rows, size if chosen else None


def winbox_user(orig: Stream, resp: Stream) -> list[Row]:
    """Who logs in to a RouterOS device."""
    return facts(orig.line(), [("winbox.user", winbox(orig.data))]) if orig.data[1:2] == b"\6" else []


_DIALECTS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1", 0x02FF: "2.?"}


def smb(orig: Stream, resp: Stream) -> list[Row]:
    """The dialect: SMB 1 is what worms like."""
    answer, asked = resp.data, orig.data
    chosen = None
    if answer[4:8] == b"\xfeSMB" and len(answer) >= 74:
        number = int.from_bytes(answer[72:74], "little")
        chosen = _DIALECTS.get(number, f"0x{number:04x}")
    elif answer[4:8] == b"\xffSMB":
        chosen = "1"
    return facts(orig.line(), [("smb.dialect", chosen), ("smb.asked", "1" if asked[4:8] == b"\xffSMB" else None)])


def mqtt(orig: Stream, resp: Stream) -> list[Row]:
    """Client and user of a CONNECT; its password is passed over."""
    reader = Reader(orig.data, 1)
    try:
        for _ in range(4):
            if not reader.number(1) & 0x80:
                break
        reader.part(2)
        level, flags = reader.number(1), reader.number(1)
        reader.take(2)
        if level == 5:
            reader.part(1)
        client = reader.part(2).rest()
        rows = facts(orig.line(), [("mqtt.version", {3: "3.1", 4: "3.1.1", 5: "5"}.get(level)), ("mqtt.client", client)])
        if flags & 4:
            if level == 5:
                reader.part(1)
            reader.part(2)
            reader.part(2)
        if flags & 0x80:
            rows += facts(orig.line(), [("mqtt.user", reader.part(2).rest())])
    except Cut:
        return []
    return rows
