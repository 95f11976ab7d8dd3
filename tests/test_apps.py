"""Applications by their first bytes: signatures, dissectors, and what hostile bytes do to them."""

from __future__ import annotations

import hashlib
import itertools
import json
import struct
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devicehunt.flows.apps import DISSECTED, Segment, dissect, identify, usual
from devicehunt.flows.apps.ports import _known

TCP, UDP = 6, 17


def segments(*parts: bytes, first: int = 1, step: int = 2) -> list[Segment]:
    return [Segment(first + step * n, 1_700_000_000_000_000_000 + (first + step * n) * 1000, part) for n, part in enumerate(parts)]


def rows(app: str, orig: list[Segment], resp: list[Segment], table: str) -> list[dict[str, Any]]:
    return [row for name, row in dissect(app, orig, resp) if name == table]


def said(app: str, orig: list[Segment], resp: list[Segment]) -> dict[str, str]:
    return {row["name"]: row["value"] for row in rows(app, orig, resp, "app_facts")}


# -- builders ------------------------------------------------------------------------------------------------------


def sized(width: int, body: bytes) -> bytes:
    return len(body).to_bytes(width, "big") + body


def extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "big") + sized(2, body)


def client_hello(name: bytes = b"vpn.example.net") -> bytes:
    ciphers = bytes.fromhex("0a0a13011302c02f")
    extensions = (
        extension(0x1A1A, b"")
        + extension(0, sized(2, b"\0" + sized(2, name)))
        + extension(10, sized(2, bytes.fromhex("2a2a001d0017")))
        + extension(11, sized(1, b"\0"))
        + extension(13, sized(2, bytes.fromhex("04030804")))
        + extension(16, sized(2, sized(1, b"h2") + sized(1, b"http/1.1")))
        + extension(43, sized(1, bytes.fromhex("0a0a03040303")))
    )
    body = b"\3\3" + bytes(range(32)) + sized(1, b"") + sized(2, ciphers) + sized(1, b"\0") + sized(2, extensions)
    return b"\x16\3\1" + sized(2, b"\1" + sized(3, body))


def server_hello(extensions: bytes = b"", *messages: bytes) -> bytes:
    body = b"\3\3" + bytes(32) + sized(1, b"") + b"\xc0\x2f" + b"\0" + sized(2, extensions)
    return b"\x16\3\3" + sized(2, b"\2" + sized(3, body) + b"".join(messages))


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def name(common: bytes, organisation: bytes) -> bytes:
    pairs = ((b"\x55\x04\x0a", organisation), (b"\x55\x04\x03", common))
    return tlv(0x30, *(tlv(0x31, tlv(0x30, tlv(6, oid), tlv(0x0C, value))) for oid, value in pairs))


def certificate(issuer: bytes, subject: bytes) -> bytes:
    alternatives = tlv(0x30, tlv(0x82, b"a.example.net"), tlv(0x87, bytes([192, 0, 2, 7])))
    extensions = tlv(0xA3, tlv(0x30, tlv(0x30, tlv(6, b"\x55\x1d\x11"), tlv(1, b"\xff"), tlv(4, alternatives))))
    body = tlv(
        0x30,
        tlv(0xA0, tlv(2, b"\2")),
        tlv(2, b"\x11"),
        tlv(0x30, tlv(6, b"\x2a\x03")),
        issuer,
        tlv(0x30, tlv(0x17, b"260101000000Z"), tlv(0x18, b"20551231235959Z")),
        subject,
        tlv(0x30, b""),
        extensions,
    )
    return tlv(0x30, body, tlv(0x30, tlv(6, b"\x2a\x03")), tlv(3, b"\0"))


def certificates(*raw: bytes) -> bytes:
    return b"\x0b" + sized(3, sized(3, b"".join(sized(3, one) for one in raw)))


def kexinit() -> bytes:
    lists = [b"curve25519-sha256", b"ssh-ed25519", b"aes128-ctr", b"aes256-ctr", b"hmac-sha2-256", b"hmac-sha1", b"none", b"zlib", b"", b""]
    body = b"\x14" + bytes(16) + b"".join(sized(4, one) for one in lists) + b"\0" * 5
    return sized(4, b"\4" + body + b"\0" * 4)


def question(number: int, asked: bytes, kind: int = 1, *, flags: int = 0x0100, answers: bytes = b"", count: int = 0) -> bytes:
    labels = b"".join(sized(1, label) for label in asked.split(b".")) + b"\0"
    return struct.pack(">6H", number, flags, 1, count, 0, 0) + labels + struct.pack(">HH", kind, 1) + answers


def record(kind: int, body: bytes, owner: bytes = b"\xc0\x0c") -> bytes:
    return owner + struct.pack(">HHI", kind, 1, 60) + sized(2, body)


def frp(kind: bytes, value: dict[str, Any]) -> bytes:
    return kind + sized(8, json.dumps(value).encode())


LOGIN = {"version": "0.61.0", "hostname": "rtr", "os": "linux", "arch": "mips", "privilege_key": "f" * 32, "user": "u1", "pool_count": 1}
NOISE = hashlib.sha256(b"a").digest() + hashlib.sha256(b"b").digest() + hashlib.sha256(b"c").digest() * 3
DHCP = bytes([2, 1, 6, 0]) + bytes(12) + bytes([192, 0, 2, 50]) + bytes(8) + b"\2\0\0\0\0\1" + bytes(10 + 192) + b"\x63\x82\x53\x63"
OPENVPN = b"\x38" + b"SESSION1" + bytes(5)
STUN = bytes.fromhex("000100002112a442") + bytes(range(12))
SAMPLES: list[tuple[str, int, int, bytes, bytes]] = [
    # name, protocol, server's port, first bytes of either side
    ("tls", TCP, 443, client_hello(), server_hello()),
    ("tls", TCP, 443, b"", server_hello()),
    ("tls", TCP, 443, b"\x17\3\3\0\x20" + NOISE[:32], b"\x17\3\3\0\x20" + NOISE[:32]),
    ("ssh", TCP, 22, b"SSH-2.0-dropbear_2022.83\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"),
    ("http", TCP, 80, b"GET /setup.cgi?x=1 HTTP/1.1\r\n", b"HTTP/1.0 200 OK\r\n"),
    ("http-connect", TCP, 8080, b"CONNECT host.example:443 HTTP/1.1\r\n", b""),
    ("socks5", TCP, 1080, b"\5\2\0\2", b"\5\2"),
    ("socks5", TCP, 1080, b"\5\1\0", b""),
    ("socks4", TCP, 1080, b"\4\1\1\xbb\xc0\0\2\7bob\0", b"\0\x5a\0\0\0\0\0\0"),
    ("frp", TCP, 7000, frp(b"o", LOGIN), b""),
    ("frp", TCP, 7000, b"\x17" + client_hello(), b""),
    ("yamux", TCP, 0, bytes.fromhex("000100010000000100000000"), b""),
    ("smux", TCP, 0, bytes.fromhex("0100000003000000"), b""),
    ("stratum", TCP, 3333, b'{"id":1,"method":"mining.subscribe","params":["x/1"]}\n', b""),
    ("stratum", TCP, 3333, b'{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4A"}}\n', b""),
    ("telnet", TCP, 23, b"", bytes.fromhex("fffd18fffd20fffd23")),
    ("ftp", TCP, 21, b"USER admin\r\n", b"220 ready\r\n"),
    ("smtp", TCP, 25, b"EHLO host.example\r\n", b"220 mail.example ESMTP\r\n"),
    (
        "rdp",
        TCP,
        3389,
        bytes.fromhex("0300001300 0ee0000000000001000800030000 00".replace(" ", ""))[:4] + b"\x0e\xe0" + bytes(5) + b"\1\0\x08\0\3\0\0\0",
        b"",
    ),
    ("smb", TCP, 445, b"\0\0\0\x54\xfeSMB", b""),
    ("mqtt", TCP, 1883, b"\x10\x10\0\4MQTT\4\2\0\x3c\0\4dev1", b""),
    ("rtsp", TCP, 554, b"DESCRIBE rtsp://192.0.2.1/1 RTSP/1.0\r\n", b""),
    ("smart-install", TCP, 4786, bytes.fromhex("000000010000000100000004000000080000000100000000"), b""),
    ("routeros-api", TCP, 8728, b"\x06/login\0", b""),
    ("bittorrent", TCP, 6881, b"\x13BitTorrent protocol" + bytes(28), b""),
    ("dns", TCP, 53, sized(2, question(7, b"a.example")), b""),
    ("openvpn", TCP, 1194, sized(2, OPENVPN), b""),
    ("dns", UDP, 53, question(7, b"a.example"), b""),
    ("mdns", UDP, 5353, question(0, b"a.local"), b""),
    ("dhcp", UDP, 67, DHCP, b""),
    ("ntp", UDP, 123, b"\x23" + bytes(47), b""),
    ("snmp", UDP, 161, bytes.fromhex("30260201010406") + b"public" + bytes.fromhex("a01902"), b""),
    ("wireguard", UDP, 51820, b"\1\0\0\0" + NOISE[:60], b""),
    ("openvpn", UDP, 1194, OPENVPN, b""),
    ("ike", UDP, 500, b"INITIATR" + bytes(8) + b"\x21\x20\x22\x08\0\0\0\0\0\0\0\x1c", b""),
    ("l2tp", UDP, 1701, bytes.fromhex("c802000c0000000000000000"), b""),
    ("stun", UDP, 3478, STUN, b""),
    ("ssdp", UDP, 1900, b"M-SEARCH * HTTP/1.1\r\nST: upnp:rootdevice\r\n", b""),
    ("sip", UDP, 5060, b"REGISTER sip:example.net SIP/2.0\r\n", b""),
    ("syslog", UDP, 514, b"<134>Nov 28 12:00:00 rtr x: y", b""),
    ("quic", UDP, 443, b"\xc3\0\0\0\1\x08" + NOISE[:50], b""),
    ("bittorrent", UDP, 6881, b"d1:ad2:id20:" + NOISE[:20], b""),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one[0]}-{one[1]}")
def test_a_protocol_is_known_by_its_first_bytes_whoever_opened(sample: tuple[str, int, int, bytes, bytes]) -> None:
    app, proto, port, orig, resp = sample
    assert identify(proto, 40000, port, orig[:64], resp[:64]) == app
    assert identify(proto, port, 40000, resp[:64], orig[:64]) == app
    if port:
        assert usual(app, proto, port) is True
        assert usual(app, proto, 49999) is False


def test_a_tcp_protocol_is_known_on_any_port() -> None:
    for app, proto, _, orig, resp in SAMPLES:
        if proto == TCP:
            assert identify(proto, 1, 2, orig, resp) == app


@pytest.mark.parametrize(
    ("proto", "port", "orig", "resp"),
    [
        (TCP, 1080, b"\5\1\0", b"HTTP/1.1 400 Bad Request\r\n"[4:]),  # answered by something else
        (TCP, 1080, b"\5\3\0\0\0", b""),  # the same method three times
        (TCP, 1080, b"\4\1\0\0\0\0\0\1x\0", b""),  # port 0
        (TCP, 443, b"\x16\3\1\0\5\7\0\0\1\0", b"hello"),
        (TCP, 22, b"SSL-2.0", b""),
        (TCP, 23, b"login: ", b"\xff\x01\x02"),
        (TCP, 7000, b"o" + bytes(20), b""),
        (TCP, 25, b"", b"220 hello\r\n"),  # FTP or SMTP: nobody can know
        (TCP, 8080, b"\0" * 64, b"\0" * 64),
        (UDP, 53, b"\0" * 64, b""),
        (UDP, 51820, b"\1\0\0\0" + bytes(60), b""),
        (UDP, 51820, b"\4\0\0\0" + bytes(60), b""),
        (UDP, 123, b"\x23" + bytes(10), b""),
        (UDP, 67, b"\1\1\6\0" + b"\xff" * 60, b""),
        (1, 0, b"abc", b""),
        (TCP, 80, b"", b""),
    ],
)
def test_what_only_looks_alike_has_no_name(proto: int, port: int, orig: bytes, resp: bytes) -> None:
    assert identify(proto, 40000, port, orig, resp) == ""


def test_a_port_says_nothing_where_it_is_not_known() -> None:
    assert usual("", TCP, 80) is None
    assert usual("yamux", TCP, 7000) is None
    assert usual("ssh", UDP, 22) is None


def test_every_name_with_a_port_is_one_that_a_signature_gives() -> None:
    given_names = {(sample[0], sample[1]) for sample in SAMPLES}
    assert given_names - {("yamux", TCP), ("smux", TCP)} <= set(_known())


# -- TLS ------------------------------------------------------------------------------------------------------------


def test_tls_hello_and_fingerprints() -> None:
    offered = extension(43, b"\3\4")
    (row,) = rows("tls", segments(client_hello()[:40], client_hello()[40:]), segments(server_hello(offered), first=2), "tls_sessions")
    ja3 = "771,4865-4866-49199,0-10-11-13-16-43,29-23,0"
    lists = ",".join(sorted(["1301", "1302", "c02f"])), "000a,000b,000d,002b_0403,0804"
    hashes = [hashlib.sha256(one.encode()).hexdigest()[:12] for one in lists]
    assert row == {
        "line": 1,
        "sni": "vpn.example.net",
        "version": "TLSv1.3",
        "alpn": "h2,http/1.1",
        "cipher": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ja3": hashlib.md5(ja3.encode()).hexdigest(),
        "ja3s": hashlib.md5(b"771,49199,43").hexdigest(),
        "ja4": f"t13d0306h2_{hashes[0]}_{hashes[1]}",
    }


def test_a_certificate_in_the_clear() -> None:
    raw = certificate(name(b"CA, Test", b"O1"), name(b"a.example.net", b"O2"))
    answer = server_hello(b"", certificates(raw, b"\x30\0"))
    (row,) = rows("tls", segments(client_hello()), segments(answer[:100], answer[100:], first=2), "tls_sessions")
    assert row["subject"] == "CN=a.example.net,O=O2"
    assert row["issuer"] == "CN=CA\\, Test,O=O1"
    assert (row["not_before"], row["not_after"]) == ("2026-01-01 00:00:00", "2055-12-31 23:59:59")
    assert row["names"] == "a.example.net,192.0.2.7"
    assert row["sha256"] == hashlib.sha256(raw).hexdigest()
    assert row["self_signed"] is False
    assert row["version"] == "TLSv1.2"


def test_a_certificate_of_its_own_making_and_one_that_is_damaged() -> None:
    raw = certificate(name(b"router", b"x"), name(b"router", b"x"))
    (row,) = rows("tls", [], segments(server_hello(b"", certificates(raw))), "tls_sessions")
    assert row["self_signed"] is True
    assert "sni" not in row
    broken = b"\x30\x10" + b"\xff" * 16
    (row,) = rows("tls", [], segments(server_hello(b"", certificates(broken))), "tls_sessions")
    assert row["sha256"] == hashlib.sha256(broken).hexdigest()
    assert "subject" not in row


def test_tls_behind_starttls() -> None:
    orig = segments(b"EHLO a.example\r\n", b"STARTTLS\r\n", client_hello())
    resp = segments(b"220 b.example ESMTP\r\n", b"250 STARTTLS\r\n", b"220 go\r\n", server_hello(), first=2)
    (row,) = rows("smtp", orig, resp, "tls_sessions")
    assert (row["sni"], row["line"]) == ("vpn.example.net", 5)


# -- SSH ------------------------------------------------------------------------------------------------------------


def test_ssh_banners_and_hassh() -> None:
    orig, resp = segments(b"SSH-2.0-PuTTY\r\n" + kexinit()), segments(b"hello\r\nSSH-2.0-dropbear\r\n", kexinit(), first=2)
    (row,) = rows("ssh", orig, resp, "ssh_sessions")
    assert (row["client_banner"], row["server_banner"]) == ("SSH-2.0-PuTTY", "SSH-2.0-dropbear")
    assert row["hassh"] == hashlib.md5(b"curve25519-sha256;aes128-ctr;hmac-sha2-256;none").hexdigest()
    assert row["hassh_server"] == hashlib.md5(b"curve25519-sha256;aes256-ctr;hmac-sha1;zlib").hexdigest()
    (row,) = rows("ssh", [], segments(b"SSH-2.0-dropbear\r\n"), "ssh_sessions")
    assert row["hassh"] is None
    assert row["client_banner"] is None


# -- SOCKS and CONNECT ------------------------------------------------------------------------------------------------


def test_socks5_with_a_password_that_nobody_keeps() -> None:
    orig = segments(b"\5\2\0\2", b"\1\3bob\6s3cret", b"\5\1\0\3" + sized(1, b"host.example") + b"\1\xbb", client_hello())
    resp = segments(b"\5\2", b"\1\0", b"\5\0\0\1\xc0\0\2\1\x30\x39", server_hello(), first=2)
    found = dissect("socks5", orig, resp)
    (row,) = [row for table, row in found if table == "proxy_requests"]
    assert row == {
        "line": 5,
        "kind": "socks5",
        "method": "password",
        "host": "host.example",
        "port": 443,
        "reply": "succeeded",
        "granted": True,
    }
    assert said("socks5", orig, resp) == {
        "socks.offered": "none,password",
        "socks.user": "bob",
        "socks.login": "accepted",
        "socks.bound": "192.0.2.1 12345",
    }
    assert [row["sni"] for table, row in found if table == "tls_sessions"] == ["vpn.example.net"]
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("orig", "resp", "want"),
    [
        (b"\4\1\0\x50\xc0\0\2\7\0", b"\0\x5b\0\0\0\0\0\0", ("socks4", "none", "192.0.2.7", 80, "rejected", False)),
        (b"\4\1\0\x50\0\0\0\1me\0h.example\0", b"\0\x5a\0\0\0\0\0\0", ("socks4a", "user", "h.example", 80, "succeeded", True)),
        (b"\4\1\0\x50\0\0\0\1me\0h.example\0", b"", ("socks4a", "user", "h.example", 80, None, None)),
        (b"\5\1\2", b"\5\xff", ("socks5", "refused", None, None, "refused", False)),
        (b"\5\1\0\5\1\0\4" + bytes(15) + b"\1\0\x16", b"\5\0\5\5\0\1\0\0\0\0\0\0", ("socks5", "none", "::1", 22, "refused", False)),
    ],
)
def test_socks_in_other_shapes(orig: bytes, resp: bytes, want: tuple[Any, ...]) -> None:
    app = "socks5" if orig[0] == 5 else "socks4"
    (row,) = rows(app, segments(orig), segments(resp, first=2) if resp else [], "proxy_requests")
    assert tuple(row[key] for key in ("kind", "method", "host", "port", "reply", "granted")) == want


def test_connect_and_the_conversation_inside() -> None:
    ask = b"CONNECT [2001:db8::1]:22 HTTP/1.1\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n"
    orig, resp = segments(ask, b"SSH-2.0-x\r\n"), segments(b"HTTP/1.1 200 ok\r\n\r\n", b"SSH-2.0-y\r\n", first=2)
    found = dissect("http-connect", orig, resp)
    assert found[0] == (
        "proxy_requests",
        {"line": 1, "kind": "connect", "method": "", "host": "2001:db8::1", "port": 22, "reply": "200", "granted": True},
    )
    assert found[-1][1]["server_banner"] == "SSH-2.0-y"
    assert "c2VjcmV0" not in repr(found)


# -- HTTP -------------------------------------------------------------------------------------------------------------


def test_http_requests_are_paired_with_their_statuses() -> None:
    orig = segments(
        b"POST /login.cgi?user=a&password=hunter2 HTTP/1.1\r\nHost: r.example:8080\r\nContent-Length: 4\r\nUser-Agent: curl/8\r\n\r\nabcd"
        b"GET /b HTTP/1.1\r\n",
        b"Host: r.example\r\nAuthorization: Basic c2VjcmV0\r\n\r\n",
        b"GET /c HTTP/1.0\r\n\r\n",
    )
    resp = segments(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 401 x\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.0 404 x\r\n\r\nrest",
        first=2,
    )
    found = rows("http", orig, resp, "http_requests")
    assert [(row["line"], row["method"], row["host"], row["path"], row["status"]) for row in found] == [
        (1, "POST", "r.example", "/login.cgi?user=a&password=***", 302),
        (1, "GET", "r.example", "/b", 401),
        (5, "GET", None, "/c", 404),
    ]
    assert found[0]["user_agent"] == "curl/8"
    assert "c2VjcmV0" not in repr(dissect("http", orig, resp))


def test_http_answers_alone_and_absolute_addresses() -> None:
    (row,) = rows("http", [], segments(b"HTTP/1.1 403 x\r\n\r\n"), "http_requests")
    assert (row["status"], row["method"]) == (403, None)
    orig = segments(b"GET http://u:p4ss@h.example/x HTTP/1.1\r\nHost: h.example\r\n\r\n")
    (row,) = rows("http", orig, [], "http_requests")
    assert (row["host"], row["path"], row["status"]) == ("h.example", "/x", None)
    assert said("http", orig, []) == {"http.absolute": "http://***@h.example/x"}


def test_a_port_mapping_asked_by_soap() -> None:
    body = (
        b'<u:AddPortMapping xmlns:u="x"><NewExternalPort>2222</NewExternalPort><NewInternalClient>192.0.2.9</NewInternalClient>'
        b"<NewInternalPort>22</NewInternalPort></u:AddPortMapping>"
    )
    head = b'POST /ctl HTTP/1.1\r\nSOAPAction: "urn:x#AddPortMapping"\r\nContent-Length: %d\r\n\r\n' % len(body)
    assert said("http", segments(head, body), []) == {
        "soap.action": "urn:x#AddPortMapping",
        "igd.AddPortMapping": "ExternalPort=2222 InternalClient=192.0.2.9 InternalPort=22",
    }


# -- DNS --------------------------------------------------------------------------------------------------------------


def test_dns_over_both_transports() -> None:
    answers = record(5, b"\1x\xc0\x0c") + record(1, bytes([192, 0, 2, 1])) + record(28, bytes(15) + b"\1") + record(16, b"\3a,b")
    ask, reply = question(9, b"WWW.Example"), question(9, b"www.example", flags=0x8183, answers=answers, count=4)
    want = {
        "line": 1,
        "name": "www.example",
        "kind": "A",
        "rcode": "NXDOMAIN",
        "answers": "x.www.example,192.0.2.1,::1,a\\,b",
        "asked_at": 1_700_000_000_000_001_000,
    }
    assert dissect("dns", segments(ask), segments(reply, first=2)) == [("dns_queries", want)]
    over_tcp = dissect("dns", segments(sized(2, ask)[:1], sized(2, ask)[1:]), segments(sized(2, reply), first=2))
    assert over_tcp == [("dns_queries", want)]


def test_dns_without_its_other_half() -> None:
    (row,) = rows("dns", segments(question(9, b"a.example")), [], "dns_queries")
    assert (row["rcode"], row["answers"]) == (None, None)
    (row,) = rows("dns", [], segments(question(9, b"a.example", flags=0x8180), first=4), "dns_queries")
    assert (row["line"], row["rcode"], row["answers"]) == (4, "NOERROR", None)


@pytest.mark.parametrize("label", [b"\xc0\x0c", b"\xc0\x0e", b"\xff\xff", b"\x3fshort", b"\x80abc"])
def test_a_name_that_turns_in_circles_is_no_name(label: bytes) -> None:
    raw = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + label + b"\0\1\0\1"
    assert dissect("dns", segments(raw), []) == []


def test_a_dot_or_a_control_character_in_a_label_is_written_out() -> None:
    raw = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + b"\4a.\n\xff\0" + b"\0\1\0\1"
    (row,) = rows("dns", segments(raw), [], "dns_queries")
    assert row["name"] == "a\\046\\010\\255"


# -- facts ------------------------------------------------------------------------------------------------------------


def test_frp_in_the_clear_and_in_yamux() -> None:
    orig, resp = segments(frp(b"o", LOGIN)), segments(frp(b"1", {"version": "0.61.0", "error": "bad"}), first=2)
    want = {"frp.version": "0.61.0", "frp.hostname": "rtr", "frp.os": "linux", "frp.arch": "mips", "frp.user": "u1", "frp.pool_count": "1"}
    assert said("frp", orig, resp) == want | {"frp.server_version": "0.61.0", "frp.error": "bad"}
    body = frp(b"o", LOGIN)
    framed = bytes.fromhex("000100010000000100000000") + bytes.fromhex("0000000000000001") + sized(4, body)
    assert said("yamux", segments(framed), []) == want | {"yamux.streams": "1"}
    assert "ffff" not in repr(dissect("frp", orig, resp))


def test_smux_counts_its_streams() -> None:
    raw = bytes.fromhex("0100000003000000") + bytes.fromhex("0102020003000000") + b"ab" + bytes.fromhex("0100000005000000")
    assert said("smux", segments(raw), []) == {"smux.version": "1", "smux.streams": "2"}


def test_miners_say_who_they_are() -> None:
    login = {"id": 1, "method": "login", "params": {"login": "4Awallet", "pass": "s3cret", "agent": "XMRig/6"}}
    assert said("stratum", segments(json.dumps(login).encode()), []) == {"stratum.worker": "4Awallet", "stratum.agent": "XMRig/6"}
    lines = b'{"method":"mining.subscribe","params":["cg/1"]}\n{"method":"mining.authorize","params":["w.1","s3cret"]}\n'
    assert said("stratum", segments(lines), []) == {"stratum.agent": "cg/1", "stratum.worker": "w.1"}


def test_dhcp_says_which_resolver_is_handed_out() -> None:
    options = b"\x35\1\5" + b"\x36\4\xc0\0\2\1" + b"\3\4\xc0\0\2\1" + b"\6\x08\xcb\0\x71\5\xcb\0\x71\6" + b"\x79\5\0\xc0\0\2\1" + b"\xff"
    assert said("dhcp", [], segments(DHCP + options)) == {
        "dhcp.message": "ack",
        "dhcp.server": "192.0.2.1",
        "dhcp.router": "192.0.2.1",
        "dhcp.dns": "203.0.113.5,203.0.113.6",
        "dhcp.routes": "0.0.0.0/0 192.0.2.1",
        "dhcp.address": "192.0.2.50",
    }


def test_ftp_and_mqtt_keep_the_user_and_not_the_password() -> None:
    orig, resp = segments(b"USER admin\r\nPASS s3cret\r\nRETR fw.bin\r\n"), segments(b"220 FTP ready\r\n331 x\r\n230 in\r\n", first=2)
    assert said("ftp", orig, resp) == {"ftp.banner": "FTP ready", "ftp.user": "admin", "ftp.retr": "fw.bin", "ftp.login": "accepted"}
    raw = b"\x10\x21\0\4MQTT\4\xc2\0\x3c\0\4dev1\0\3bob\0\6s3cret"
    assert said("mqtt", segments(raw), []) == {"mqtt.version": "3.1.1", "mqtt.client": "dev1", "mqtt.user": "bob"}


def test_telnet_shows_the_banner_and_nothing_typed() -> None:
    resp = segments(bytes.fromhex("fffb01") + b"\r\nWelcome\r\nlogin: ", b"password: ", b"$ echo", first=1, step=4)
    orig = segments(b"admin\r\n", b"s3cret\r\n", first=3, step=4)
    assert said("telnet", orig, resp) == {"telnet.banner": "Welcome"}


def test_stun_gives_the_mapped_address() -> None:
    mask = STUN[4:8]
    raw = bytes(a ^ b for a, b in zip(bytes([198, 51, 100, 9]), mask, strict=True))
    answer = b"\1\1\0\x0c" + STUN[4:] + b"\0\x20\0\x08\0\1\x12\x34" + raw
    assert said("stun", segments(STUN), segments(answer, first=2)) == {"stun.mapped": "198.51.100.9"}


def test_rdp_shows_its_cookie() -> None:
    data = b"\xe0" + bytes(5) + b"Cookie: mstshash=eve\r\n" + b"\1\0\x08\0\3\0\0\0"
    raw = b"\3\0" + (5 + len(data)).to_bytes(2, "big") + bytes([len(data)]) + data
    assert identify(TCP, 1, 3389, raw[:64], b"") == "rdp"
    assert said("rdp", segments(raw), []) == {"rdp.cookie": "eve", "rdp.asked": "3"}


def test_a_community_is_never_kept() -> None:
    raw = bytes.fromhex("30260201010406") + b"geheim" + bytes.fromhex("a01902") + bytes(30)
    assert said("snmp", segments(raw), []) == {"snmp.version": "2c", "snmp.operation": "get"}


# -- hostile bytes ------------------------------------------------------------------------------------------------------

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
APPS = sorted(DISSECTED)
WHOLE = [(orig + NOISE, resp + NOISE) for _, _, _, orig, resp in SAMPLES] + [
    (client_hello(), server_hello(b"", certificates(certificate(name(b"a", b"b"), name(b"c", b"d"))))),
    (b"SSH-2.0-x\r\n" + kexinit(), b"SSH-2.0-y\r\n" + kexinit()),
    (b"\5\1\0\5\1\0\1\1\2\3\4\0\x50" + client_hello(), b"\5\0\5\0\0\1\0\0\0\0\0\0" + server_hello()),
    (b"GET / HTTP/1.1\r\n\r\n" * 3, b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    (question(1, b"a.example"), question(1, b"a.example", flags=0x8180, answers=record(5, b"\1x\xc0\x0c"), count=1)),
]


def _check(app: str, orig: bytes, resp: bytes, cuts: list[int]) -> None:
    sides = []
    for first, data in ((1, orig), (2, resp)):
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        sides.append(segments(*(data[a:b] for a, b in itertools.pairwise(edges)), first=first))
    begun = time.process_time()
    found = dissect(app, *sides)
    assert time.process_time() - begun < 2
    for table, row in found:
        assert table in COLUMNS
        assert set(row) <= COLUMNS[table]
        for value in row.values():
            assert not isinstance(value, str) or (len(value) < 100_000 and "\x1b" not in value and "\n" not in value)


def _columns() -> dict[str, set[str]]:
    import re

    from devicehunt.data import schema_sql

    found = {}
    for table in ("tls_sessions", "ssh_sessions", "http_requests", "dns_queries", "proxy_requests", "app_facts"):
        body = re.search(rf"create table {table}\((.*?)\);", re.sub(r"--.*", "", schema_sql()), re.S)
        assert body
        found[table] = {part.split()[0] for part in body[1].split(",")} - {"device", "snapshot", "exhibit", "connection", "view"}
    return found


COLUMNS = _columns()


@FUZZ
@given(st.sampled_from(APPS), st.binary(max_size=400), st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=3))
def test_random_bytes_raise_nothing(app: str, orig: bytes, resp: bytes, cuts: list[int]) -> None:
    _check(app, orig, resp, cuts)
    for proto in (TCP, UDP):
        for port in (53, 67, 123, 161, 500, 4500, 1701, 5353):
            assert isinstance(identify(proto, 40000, port, orig[:64], resp[:64]), str)


@FUZZ
@given(
    st.sampled_from(WHOLE),
    st.sampled_from(APPS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
    st.integers(0, 2000),
    st.lists(st.integers(0, 400), max_size=3),
)
def test_mutated_conversations_raise_nothing(
    pair: tuple[bytes, bytes], app: str, changes: list[tuple[int, int]], cut: int, cuts: list[int]
) -> None:
    orig, resp = (bytearray(side) for side in pair)
    for at, value in changes:
        side = (orig, resp)[at % 2]
        if side:
            side[at % len(side)] = value
    own = identify(TCP, 1, 2, bytes(orig[:64]), bytes(resp[:64])) or identify(UDP, 1, 53, bytes(orig[:64]), bytes(resp[:64]))
    for one in {app, own}:
        _check(one, bytes(orig)[:cut], bytes(resp), cuts)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize(
    "unit",
    [
        b"\xff\xfa",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"<NewProtocol",
        b"\r\n",
        b"\x16\3\1",
        b"A:",
        b"\xc0\x0c",
        b"1\r\n",
        b"\x16\3\1\0\5\1\0\0\1\3",
        b"USER a\n",
        b'{"method":"x"}\n',
        b"rtsp://",
    ],
)
def test_a_long_run_of_anything_is_done_soon(app: str, unit: bytes) -> None:
    data = unit * (300_000 // len(unit))
    whole = segments(*(data[at : at + 1400] for at in range(0, len(data), 1400)))
    begun = time.process_time()
    found = dissect(app, whole, whole)
    assert time.process_time() - begun < 5
    assert len(found) < 10_000
