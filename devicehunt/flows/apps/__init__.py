"""Application facts: which protocol a connection speaks, and what its first bytes say.

| module | what |
|---|---|
| `wire.py` | the strict reader, a direction as one stream, rows of facts |
| `signs_tcp.py`, `signs_udp.py` | signatures of the first bytes |
| `glance.py` | which of many connections no signature fits, without a look at each |
| `ports.py`, `ports.yaml` | where a protocol is at home |
| `tls.py`, `ja.py`, `der.py`, `ciphers.yaml` | TLS, its fingerprints, its certificates |
| `ssh.py`, `http.py`, `dns.py`, `socks.py` | tables of their own |
| `quic.py`, `aes.py` | the hellos inside QUIC |
| `tunnels.py`, `lan.py`, `texts.py` | rows of app_facts |

Everything read is hostile: every length is checked, every loop has an end, every text is made safe. A dissector that
meets nonsense gives fewer rows, never an exception. Rows lack the columns that only the caller knows (device, snapshot,
exhibit, connection, view); `line` is the number of the packet. `asked_at` is nanoseconds since 1970; not_before and
not_after are text that DuckDB takes as a timestamp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devicehunt.flows.apps import dns, http, lan, quic, socks, ssh, texts, tls, tunnels
from devicehunt.flows.apps.ports import usual
from devicehunt.flows.apps.signs_tcp import tcp
from devicehunt.flows.apps.signs_udp import dns_header, udp
from devicehunt.flows.apps.wire import Part, Row, Segment, Stream

__all__ = ["DISSECTED", "Segment", "dissect", "identify", "usual"]

SIGN_BYTES = 128
"""Bytes of a direction that a signature may look at; 64 are enough for all of them."""
_TCP, _UDP = 6, 17
_DEPTH = 3
"""Conversations inside a conversation (SOCKS in SOCKS, TLS in CONNECT) that are followed."""


def identify(proto: int, orig_port: int, resp_port: int, orig: bytes, resp: bytes) -> str:
    """The application, or "": from the first payload bytes of both directions. Which of the two opened may be wrong."""
    orig, resp = orig[:SIGN_BYTES], resp[:SIGN_BYTES]
    if proto == _UDP:
        return udp(orig_port, resp_port, orig, resp)
    if proto != _TCP or not (orig or resp):
        return ""
    return tcp(orig, resp) or tcp(resp, orig)


_Plain = Callable[[Stream, Stream], list[Row]]
_PLAIN: dict[str, _Plain] = {
    "bittorrent": lan.bittorrent,
    "dhcp": lan.dhcp,
    "dtls": tls.dtls,
    "frp": tunnels.frp,
    "ftp": texts.ftp,
    "ike": tunnels.ike,
    "l2tp": tunnels.l2tp,
    "mqtt": texts.mqtt,
    "ntp": lan.ntp,
    "quic": quic.dissect,
    "rtsp": texts.rtsp,
    "sip": texts.sip,
    "smb": texts.smb,
    "smtp": texts.smtp,
    "smux": tunnels.smux,
    "snmp": lan.snmp,
    "ssdp": lan.ssdp,
    "ssh": ssh.dissect,
    "stratum": texts.stratum,
    "stun": lan.stun,
    "syslog": lan.syslog,
    "telnet": texts.telnet,
    "tls": tls.dissect,
    "winbox": texts.winbox_user,
    "wireguard": tunnels.wireguard,
    "yamux": tunnels.yamux,
}
_UPGRADING = frozenset({"adb", "ftp", "imap", "irc", "ldap", "mysql", "pop3", "postgresql", "smtp", "vnc", "xmpp"})
"""Where TLS may begin after an opening in the clear."""
DISSECTED = frozenset({*_PLAIN, *_UPGRADING, "dns", "mdns", "llmnr", "nbns", "http", "http-connect", "socks4", "socks5", "rdp", "openvpn"})
"""Applications for which dissect may say more than their name."""


def dissect(app: str, orig: Sequence[Part], resp: Sequence[Part]) -> list[Row]:
    """Rows (table, columns) of a conversation that identify() named `app`; none for an application without a dissector.

    A direction is read up to the first byte that is missing: what comes behind it could be anything.
    """
    return _dissect(app, Stream(orig), Stream(resp), _DEPTH)


def _framed(app: str, stream: Stream) -> bool:
    """Whether messages have a length before them, as DNS and OpenVPN put it over TCP."""
    data = stream.segments[0].data if stream.segments else b""
    if app == "openvpn":
        return data[:1] < b"\x06" and len(data) > 2 and data[2] >> 3 in (7, 8, 10)
    whole = stream.data  # the length may come in a segment of its own
    return not (len(data) >= 12 and dns_header(data)) and len(whole) > 14 and bool(dns_header(whole[2:]))


def _dissect(app: str, orig: Stream, resp: Stream, depth: int) -> list[Row]:
    rows = _one_way(app, orig, resp, depth)
    # the capture began in the middle, and who opened was guessed wrong
    return rows or _one_way(app, resp, orig, depth)


def _one_way(app: str, orig: Stream, resp: Stream, depth: int) -> list[Row]:
    if plain := _PLAIN.get(app):
        rows = plain(orig, resp)
        if app == "frp" and orig.data[:1] == b"\x17":
            rows += tls.dissect(orig, resp)
        if app == "stun":  # the media channel that it opened
            rows += tls.dtls(orig, resp) or tls.dtls(resp, orig)
        return rows + (tls.upgraded(orig, resp) if app in _UPGRADING else [])
    if app in _UPGRADING:
        return tls.upgraded(orig, resp)
    if app in ("dns", "mdns", "llmnr", "nbns"):
        rows = dns.dissect(orig, resp, tcp=_framed(app, orig if orig.data else resp))
        return [(table, dns.netbios(row)) for table, row in rows] if app == "nbns" else rows
    if app == "openvpn":
        tcp_ = _framed(app, orig if orig.data else resp)
        sides = tunnels.openvpn_control(orig, tcp=tcp_), tunnels.openvpn_control(resp, tcp=tcp_)
        return tunnels.openvpn(orig, resp, tcp=tcp_) + tls.dissect(*sides)
    if app == "rdp":
        rows, at = texts.rdp(orig, resp)
        return rows + (_inside((orig.after(at), resp.after(19)), depth) if at else [])
    if app in ("http", "http-connect"):
        rows, inner = http.dissect(orig, resp)
        return rows + (lan.igd(orig) if rows else []) + _inside(inner, depth)
    if app in ("socks4", "socks5"):
        rows, inner = socks.dissect(orig, resp)
        return rows + _inside(inner, depth)
    return []


def _inside(inner: socks.Inner | None, depth: int) -> list[Row]:
    """What a proxy carried is a conversation like any other."""
    if inner is None or depth == 0:
        return []
    orig, resp = Stream(inner[0]), Stream(inner[1])
    app = identify(_TCP, 0, 0, orig.data[:SIGN_BYTES], resp.data[:SIGN_BYTES])
    return _dissect(app, orig, resp, depth - 1) if app in DISSECTED else []
