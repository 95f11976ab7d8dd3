"""Which protocol a TCP connection speaks, from the first bytes of both directions. A port alone never decides."""

from __future__ import annotations

import re
from collections.abc import Callable

Sign = Callable[[bytes, bytes], str]

_METHODS = (
    rb"GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|TRACE|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|UNLOCK|REPORT|SEARCH"
    rb"|RPC_(?:IN|OUT)_DATA|M-POST"
)
# Group names are the answers (_ for -). The first bytes of whoever opened the connection.
_CLIENT_TEXT = re.compile(
    rb"(?P<ssh>SSH-[12]\.\d)"
    rb"|(?P<http_connect>CONNECT [^ \r\n]{1,200})"
    rb"|(?P<http2>PRI \* HTTP/2\.0\r\n)"
    rb"|(?P<sstp>SSTP_DUPLEX_POST )"
    rb"|(?P<rtsp>(?:OPTIONS|DESCRIBE|SETUP|PLAY|ANNOUNCE|TEARDOWN|GET_PARAMETER) (?:rtsp[su]?://|\*[^\r\n]{0,40}RTSP/))"
    rb"|(?P<sip>(?:INVITE|REGISTER|OPTIONS|ACK|BYE|CANCEL|SUBSCRIBE|NOTIFY|MESSAGE|PUBLISH|INFO) sips?:)"
    rb"|(?P<http>(?:" + _METHODS + rb") (?:/|\*|[a-z]{3,8}://))"
    rb'|(?P<stratum>[{][^\x00-\x1f]*"method" ?: ?"(?:mining\.[a-z_.]{3,40}|eth_submit[A-Z]|login", ?"params" ?: ?[{]))'
    rb"|(?P<bittorrent>\x13BitTorrent protocol)"
    rb"|(?P<irc>(?:PASS [^\r\n]{1,60}\r?\n)?(?:CAP (?:LS|REQ|END)\b|NICK [^ \r\n]{1,30}\r?\n|USER [^ \r\n]+ [^ \r\n]+ [^ \r\n]+ :))"
    rb"|(?P<git>[0-9a-f]{4}git-(?:upload|receive)-pack )"
    rb"|(?P<rsync>@RSYNCD: \d)"
    rb"|(?P<vnc>RFB \d{3}\.\d{3}\n)"
    rb"|(?P<amqp>AMQP[\x00-\x03])"
    rb"|(?P<adb>CNXN[\x00-\xff]{20})"
    rb"|(?P<zabbix>ZBXD[\x01\x03\x05])"
    rb"|(?P<redis>\*[1-9]\d{0,2}\r\n\$\d{1,4}\r\n[A-Za-z])"
    rb"|(?P<routeros_api>\x06/login)"
    rb"|(?P<memcached>(?:stats|version)\r\n$|(?:get|gets) [!-~]{1,200}\r\n$)"
    rb"|(?P<xmpp>(?:<\?xml[^>]{1,40}\?>\s*)?<stream:stream\b)"
    rb"|(?P<iscsi>C[\x81\x01\xc1]\x00\x00\x00\x00\x00[\x00-\xff]{41})"
    rb"|(?P<giop>GIOP\x01[\x00-\x03])"
    rb"|(?P<syslog>(?:[1-9]\d{1,3} )?<1?\d{1,2}>(?:1 \d{4}-|\d{4}-\d\d-|[A-Z][a-z]{2} [ 123]\d ))"
)
# The first bytes of whoever answered, for protocols where the server speaks first, or where its word is enough.
_SERVER_TEXT = re.compile(
    rb"(?P<ssh>SSH-[12]\.\d)"
    rb"|(?P<http>HTTP/[01]\.[0-9] \d{3}\b)"
    rb"|(?P<rtsp>RTSP/1\.0 \d{3} )"
    rb"|(?P<sip>SIP/2\.0 \d{3} )"
    rb"|(?P<vnc>RFB \d{3}\.\d{3}\n)"
    rb"|(?P<pop3>\+OK\b[^\r\n]*\r?\n|\+OK [^\r\n]{10,})"
    rb"|(?P<imap>\* (?:OK|PREAUTH|BYE)\b[^\r\n]{3,})"
    rb"|(?P<irc>:[A-Za-z0-9.*-]{1,60} (?:NOTICE|00[1-4]) |NOTICE AUTH :)"
    rb"|(?P<rsync>@RSYNCD: \d)"
    rb"|(?P<svn>\( success \( \d)"
    rb'|(?P<stratum>[{][^\x00-\x1f]*"method" ?: ?"mining\.(?:notify|set_difficulty))'
    rb"|(?P<mysql>[\x00-\xff]{2}\x00\x00\x0a\d{1,2}\.\d{1,2}\.[!-~]{1,50}\x00)"
    rb"|(?P<asterisk_ami>Asterisk Call Manager/\d)"
)
_CONTROL_FIRSTS = b"\x06\x13"
_MONGODB = (b"\xd4\x07\0\0", b"\xdd\x07\0\0")
_GREETING = re.compile(rb"(?:220|120|421|530)[ -]")
_FTP = re.compile(rb"(?i)(?:USER|AUTH (?:TLS|SSL|GSSAPI)|FEAT|SYST|OPTS|HOST|PASS|ACCT|REIN|QUIT)\b")
_SMTP = re.compile(rb"(?i)(?:EHLO|HELO|LHLO)\b")
_TELNET_LAST = 50


def tcp(orig: bytes, resp: bytes) -> str:
    """The protocol, or "" when nothing fits."""
    if orig:
        match = _CLIENT_TEXT.match(orig) if 0x1F < orig[0] < 0x7F or orig[0] in _CONTROL_FIRSTS else None
        if match and match.lastgroup:
            return match.lastgroup.replace("_", "-")
        for sign in _CLIENT.get(orig[0], ()):
            if name := sign(orig, resp):
                return name
        if orig[1:2] == b"\6" and winbox(orig) is not None:
            return "winbox"
        if orig[12:16] in _MONGODB and orig[3] == 0:
            return "mongodb"
    if resp:
        match = _SERVER_TEXT.match(resp)
        if match and match.lastgroup:
            return match.lastgroup.replace("_", "-")
        for sign in _SERVER.get(resp[0], ()):
            if name := sign(orig, resp):
                return name
    return ""


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def hello(data: bytes, kind: int) -> bool:
    """A TLS record that begins with a hello of this kind."""
    if len(data) < 6 or data[0] != 22 or data[1] != 3 or data[2] > 4 or data[5] != kind:
        return False
    return len(data) < 11 or (_number(data, 6, 3) < 0x20000 and (data[9] in (3, 0x7F) or _number(data, 9, 2) == 2))


def _tls_record(data: bytes) -> bool:
    return len(data) >= 5 and 20 <= data[0] <= 23 and data[1] == 3 and data[2] <= 4 and 0 < _number(data, 3, 2) <= 18432


def _tls(orig: bytes, resp: bytes) -> str:
    if hello(orig, 1):
        return "tls"
    # met in its middle: both sides speak in records, or one does and the other was not seen
    return "tls" if _tls_record(orig) and (not resp or _tls_record(resp)) else ""


def _tls_answer(orig: bytes, resp: bytes) -> str:
    return "tls" if hello(resp, 2) or (not orig and _tls_record(resp)) else ""


def _frp_tls(orig: bytes, resp: bytes) -> str:
    return "frp" if orig[:3] == b"\x17\x16\x03" and hello(orig[1:], 1) else ""


def winbox(data: bytes) -> bytes | None:
    """The user whom a Winbox client names: a length, 6, the name, a zero, a key of 32 bytes and its parity."""
    end = data[0] - 34 + 2
    if not 2 <= end <= 66 or data[end : end + 1] != b"\0" or len(data) < min(64, data[0] + 2):
        return None
    user = data[2:end]
    return user if all(0x20 < byte < 0x7F for byte in user) else None


def _ssl2(orig: bytes, resp: bytes) -> str:
    if len(orig) < 11 or orig[2] != 1:
        return ""
    version, specs, session, challenge = (_number(orig, at, 2) for at in (3, 5, 7, 9))
    fits = specs % 3 == 0 and session in (0, 16) and 16 <= challenge <= 32
    whole = _number(orig, 0, 2) & 0x7FFF == 9 + specs + session + challenge
    return "tls" if fits and whole and (version == 2 or version >> 8 == 3) else ""


def _socks5(orig: bytes, resp: bytes) -> str:
    count = orig[1] if len(orig) > 1 else 0
    offered = orig[2 : 2 + count]
    if not 1 <= count <= 16 or len(offered) < count or len(set(offered)) < count or any(9 < method < 0x80 for method in offered):
        return ""
    rest = orig[2 + count :]
    if rest and rest[0] not in (1, 5):
        return ""
    if resp:
        return "socks5" if resp[0] == 5 and len(resp) > 1 and (resp[1] in offered or resp[1] == 255) else ""
    return "socks5" if not rest or rest[:3] in (b"\5\1\0", b"\5\2\0", b"\5\3\0") else ""


def _socks5_answer(orig: bytes, resp: bytes) -> str:
    """Only the answers were seen: method, then a reply."""
    whole = len(resp) >= 12 and resp[1] == 0 and resp[2] == 5 and resp[3] <= 8 and resp[4] == 0 and resp[5] in (1, 3, 4)
    return "socks5" if not orig and whole else ""


def _socks4(orig: bytes, resp: bytes) -> str:
    if len(orig) < 9 or orig[1] not in (1, 2) or not any(orig[2:4]):
        return ""
    end = orig.find(b"\0", 8)
    if end < 0 or not all(0x20 <= byte < 0x7F for byte in orig[8:end]):
        return ""
    if orig[4:7] == b"\0\0\0":
        end = orig.find(b"\0", end + 1)
        if end < 0 or not orig[7]:
            return ""
    if resp:
        return "socks4" if len(resp) >= 8 and resp[0] in (0, 4) and 90 <= resp[1] <= 93 else ""
    return "socks4" if end + 1 == len(orig) else ""


def _telnet(data: bytes) -> bool:
    """Three bytes of negotiation at least, all of known commands and options."""
    at, seen = 0, 0
    while at + 2 < len(data) and data[at] == 255:
        if not 250 <= data[at + 1] <= 254 or (data[at + 2] > _TELNET_LAST and data[at + 2] not in (138, 139, 140, 200, 255)):
            return False
        seen += 1
        if data[at + 1] == 250:
            break
        at += 3
    return seen > 0


def _telnet_either(orig: bytes, resp: bytes) -> str:
    return "telnet" if _telnet(orig) or _telnet(resp) else ""


def _frp(orig: bytes, resp: bytes) -> str:
    """Login: `o`, a length of eight bytes, an object in JSON that begins with the version."""
    size = _number(orig, 1, 8)
    return "frp" if 2 <= size < 10240 and orig[9:12] == b'{"v' else ""


def _yamux(orig: bytes, resp: bytes) -> str:
    """Version 0; SYN of the first stream, or SYN of a ping."""
    if len(orig) < 12 or orig[1] > 2 or orig[2:4] != b"\0\1":
        return ""
    stream = _number(orig, 4, 4)
    streams, limit = ((0,), 0x100) if orig[1] == 2 else ((1, 2), 0x4000000)
    fits = stream in streams and _number(orig, 8, 4) < limit
    if fits and resp:
        fits = len(resp) < 12 or (resp[0] == 0 and resp[1] <= 3 and resp[2] == 0 and resp[3] < 16)
    return "yamux" if fits else ""


def _smux(orig: bytes, resp: bytes) -> str:
    """SYN of stream 3 (the first of a client) in version 1 or 2, then a frame of the same stream."""
    if orig[1:8] != b"\0\0\0\3\0\0\0":
        return ""
    more = orig[8:16]
    if more and (more[0] != orig[0] or len(more) < 8 or more[1] > 4 or more[4:] not in (b"\3\0\0\0", b"\5\0\0\0", b"\0\0\0\0")):
        return ""
    return "smux" if not resp or (resp[0] == orig[0] and len(resp) >= 8 and resp[1] <= 4) else ""


def _smi(orig: bytes, resp: bytes) -> str:
    return "smart-install" if orig[:12] == b"\0\0\0\1\0\0\0\1\0\0\0\4" else ""


def _postgres(orig: bytes, resp: bytes) -> str:
    if len(orig) < 8:
        return ""
    code, size = _number(orig, 4, 4), _number(orig, 0, 4)
    return "postgresql" if (code in (80877103, 80877104) and size == 8) or (code == 196608 and 8 < size < 4096) else ""


def _smb(orig: bytes, resp: bytes) -> str:
    if orig[4:8] in (b"\xffSMB", b"\xfeSMB", b"\xfdSMB"):
        return "smb"
    session = orig[0] == 0x81 and _number(orig, 2, 2) == 68 and orig[4:5] == b"\x20"
    return "netbios-session" if session else ""


def _dns(orig: bytes, resp: bytes) -> str:
    from devicehunt.flows.apps.signs_udp import dns_header

    size = _number(orig, 0, 2)
    return "dns" if size >= 17 and (len(orig) - 2 <= size or len(orig) >= 64) and dns_header(orig[2:]) == "dns" else ""


def _pptp(orig: bytes, resp: bytes) -> str:
    return "pptp" if orig[2:8] == b"\0\1\x1a\x2b\x3c\x4d" else ""


def _openvpn(orig: bytes, resp: bytes) -> str:
    from devicehunt.flows.apps.signs_udp import openvpn

    return "openvpn" if len(orig) >= 16 and 14 <= _number(orig, 0, 2) <= 1400 and openvpn(orig[2:], resp[2:]) else ""


def _rdp(orig: bytes, resp: bytes) -> str:
    if len(orig) < 11 or orig[1] != 0 or orig[5] != 0xE0 or orig[4] != _number(orig, 2, 2) - 5:
        return ""
    negotiates = len(orig) >= 19 and orig[11] == 1 and orig[13] == 8
    return "rdp" if orig[11:18] == b"Cookie:" or negotiates or len(orig) == 11 else ""


def _mqtt(orig: bytes, resp: bytes) -> str:
    at = 2
    while at < 5 and at <= len(orig) and orig[at - 1] & 0x80:
        at += 1
    known = orig[at : at + 6] == b"\0\4MQTT" or orig[at : at + 8] == b"\0\6MQIsdp"
    return "mqtt" if known else ""


def _bgp(orig: bytes, resp: bytes) -> str:
    return "bgp" if orig[:16] == b"\xff" * 16 and len(orig) >= 19 and 1 <= orig[18] <= 5 else ""


def _ber(orig: bytes, resp: bytes) -> str:
    """LDAP: a sequence, a message number, an operation."""
    at = 2 + (orig[1] & 0x7F if len(orig) > 1 and orig[1] & 0x80 else 0)
    if orig[at : at + 1] != b"\2" or at > 6 or len(orig) < at + 4:
        return ""
    size = orig[at + 1]
    operation = orig[at + 2 + size] if 1 <= size <= 4 and at + 2 + size < len(orig) else 0
    return "ldap" if operation in (0x42, 0x60, 0x63, 0x77, 0x66, 0x68, 0x4A, 0x6C, 0x6E) else ""


def _kerberos(orig: bytes, resp: bytes) -> str:
    size = _number(orig, 0, 4)
    return "kerberos" if 40 < size < 0x10000 and orig[4:5] in (b"\x6a", b"\x6c") and b"\xa1\x03\x02\x01\x05" in orig[5:24] else ""


def _tds(orig: bytes, resp: bytes) -> str:
    fits = len(orig) >= 14 and orig[1] == 1 and orig[4:8] in (b"\0\0\0\0", b"\0\0\1\0") and orig[8] == 0 and _number(orig, 2, 2) < 4096
    return "mssql" if fits else ""


def _tacacs(orig: bytes, resp: bytes) -> str:
    fits = len(orig) >= 12 and orig[1] in (1, 2, 3) and orig[2] == 1 and orig[3] in (0, 1, 4, 5) and _number(orig, 8, 4) < 0x10000
    return "tacacs" if fits and (len(orig) >= 64 or len(orig) == 12 + _number(orig, 8, 4)) else ""


def _greeting(orig: bytes, resp: bytes) -> str:
    """FTP and SMTP greet alike: the client's first word decides, else the greeting's own."""
    if not _GREETING.match(resp):
        return ""
    if _SMTP.match(orig):
        return "smtp"
    if _FTP.match(orig):
        return "ftp"
    word = resp.upper()
    if b"SMTP" in word or b"ESMTP" in word:
        return "smtp"
    return "ftp" if b"FTP" in word else ""


def _only_client(orig: bytes, resp: bytes) -> str:
    """EHLO, or USER and then PASS, where the server's side was not seen."""
    if resp:
        return ""
    if re.match(rb"(?i)(?:EHLO|HELO) [!-~]{1,100}\r\n", orig):
        return "smtp"
    return "ftp" if re.match(rb"(?i)USER [!-~]{1,60}\r\n(?:PASS |$)", orig) else ""


def _table(*rows: tuple[bytes, Sign]) -> dict[int, tuple[Sign, ...]]:
    found: dict[int, tuple[Sign, ...]] = {}
    for firsts, sign in rows:
        for first in firsts:
            found[first] = (*found.get(first, ()), sign)
    return found


_CLIENT = _table(
    (b"\x14\x15\x16\x17", _tls),
    (b"\x17", _frp_tls),
    (bytes(range(0x80, 0x90)), _ssl2),
    (b"\x05", _socks5),
    (b"\x04", _socks4),
    (b"\xff", _bgp),
    (b"\xff", _telnet_either),
    (b"o", _frp),
    (b"\x00", _smi),
    (b"\x00", _postgres),
    (b"\x00\x81", _smb),
    (b"\x00", _yamux),
    (b"\x00", _pptp),
    (b"\x00\x01", _dns),
    (b"\x00\x01\x02\x03\x04", _openvpn),
    (b"\x00", _kerberos),
    (b"\x01\x02", _smux),
    (b"\x03", _rdp),
    (b"\x10", _mqtt),
    (b"0", _ber),
    (b"\x12\x10", _tds),
    (b"\xc0\xc1", _tacacs),
    (b"EHehUu", _only_client),
)
_SERVER = _table(
    (b"\x14\x15\x16\x17", _tls_answer),
    (b"\x05", _socks5_answer),
    (b"\xff", _telnet_either),
    (b"1245", _greeting),
)
