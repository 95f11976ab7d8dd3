"""Applications by their first bytes: signatures, and the rows of each dissector."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from devicehunt.flows.apps import Segment, aes, dissect, identify, quic, usual
from devicehunt.flows.apps.ports import _known
from tests.apps_samples import (
    DHCP,
    LOGIN,
    NOISE,
    SAMPLES,
    STUN,
    TCP,
    UDP,
    certificate,
    certificates,
    client_hello,
    extension,
    frp,
    initial,
    kexinit,
    name,
    question,
    record,
    segments,
    server_hello,
    sized,
)


def rows(app: str, orig: list[Segment], resp: list[Segment], table: str) -> list[dict[str, Any]]:
    return [row for name, row in dissect(app, orig, resp) if name == table]


def said(app: str, orig: list[Segment], resp: list[Segment]) -> dict[str, str]:
    return {row["name"]: row["value"] for row in rows(app, orig, resp, "app_facts")}


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


# -- QUIC ----------------------------------------------------------------------------------------------------------


def test_aes_and_the_keys_of_quic_are_those_of_the_standards() -> None:
    keys = aes.expand(bytes(range(16)))  # FIPS 197, appendix C.1
    assert aes.encrypt(keys, bytes.fromhex("00112233445566778899aabbccddeeff")).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    key, iv, hp = quic._keys(quic._SALTS["1"], 1, bytes.fromhex("8394c8f03e515708"), b"client in")  # RFC 9001, appendix A.1
    assert key == aes.expand(bytes.fromhex("1f369613dd76d5467730efcbe3b1a22d"))
    assert iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert hp == aes.expand(bytes.fromhex("9f50449e04a0e810283a1e9933adedd2"))
    key, iv, _ = quic._keys(quic._SALTS["2"], quic._V2, bytes.fromhex("8394c8f03e515708"), b"client in")  # RFC 9369, appendix A.1
    assert key == aes.expand(bytes.fromhex("8b1a0bc121284290a29e0971b5cd045d"))
    assert iv.hex() == "91f73e2351d8fa91660e909f"


def test_the_name_inside_quic() -> None:
    hello, answer = client_hello()[5:], server_hello(extension(43, b"\3\4"))[5:]
    later = b"\6\x40\x64" + (0x4000 + len(hello) - 100).to_bytes(2, "big") + hello[100:] + bytes(60)
    early = b"\1\0\6\0\x40\x64" + hello[:100]
    orig = segments(initial(later, 0, b"client in"), initial(early, 1, b"client in"))
    resp = segments(initial(b"\2\0\0\0\0\6\0" + (0x4000 + len(answer)).to_bytes(2, "big") + answer, 0, b"server in"), first=2)
    (row,) = rows("quic", orig, resp, "tls_sessions")
    assert (row["sni"], row["version"], row["line"], row["ja4"][:10]) == ("vpn.example.net", "TLSv1.3", 1, "q13d0306h2")
    assert row["cipher"] == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert said("quic", orig, resp) == {"quic.version": "1"}


def test_quic_that_cannot_be_opened_still_says_its_version() -> None:
    unknown = b"\xc3\xba\xba\xba\xba\x08" + NOISE
    assert dissect("quic", segments(unknown), []) == [("app_facts", {"line": 1, "name": "quic.version", "value": "0xbabababa"})]


def test_nothing_is_read_behind_a_gap() -> None:
    first, second = b"GET /a HTTP/1.1\r\n\r\n", b"GET /b HTTP/1.1\r\n\r\n"
    parts = [Segment(1, 1, first), Segment(3, 3, second, missing=10)]
    assert [row["path"] for row in rows("http", parts, [], "http_requests")] == ["/a"]
    assert [row["path"] for row in rows("http", parts[1:], [], "http_requests")] == ["/b"]


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


def test_a_name_of_netbios_is_made_readable() -> None:
    letters = b"".join(bytes([65 + (byte >> 4), 65 + (byte & 15)]) for byte in b"FILESERVER     \x20")
    (row,) = rows("nbns", segments(question(7, letters, 32)), [], "dns_queries")
    assert (row["name"], row["kind"]) == ("fileserver<20>", "NB")


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


def test_ike_names_its_vendors() -> None:
    dpd = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
    body = b"INITIATR" + bytes(8) + b"\x0d\x10\2\0" + bytes(4) + (28 + 20).to_bytes(4, "big") + b"\0\0\0\x14" + dpd
    assert said("ike", segments(body), []) == {"ike.version": "1", "ike.exchange": "2", "ike.initiator_vendors": "dead-peer-detection"}


def test_l2tp_names_its_host() -> None:
    avps = b"\x80\x08\0\0\0\0\0\1" + b"\x80\x09\0\0\0\7rtr" + b"\x80\x0a\0\0\0\x08Acme"
    raw = b"\xc8\2" + (12 + len(avps)).to_bytes(2, "big") + bytes(8) + avps
    assert said("l2tp", segments(raw), []) == {"l2tp.client_host": "rtr", "l2tp.client_vendor": "Acme"}


def test_smtp_ssdp_sip_and_rtsp_say_who_they_are() -> None:
    orig, resp = segments(b"EHLO a.example\r\nMAIL FROM:<x@a.example>\r\nDATA\r\nRCPT TO:<no>\r\n"), segments(b"220 b.example\r\n", first=2)
    assert said("smtp", orig, resp) == {"smtp.banner": "b.example", "smtp.helo": "a.example", "smtp.from": "<x@a.example>"}
    answer = segments(b"HTTP/1.1 200 OK\r\nLOCATION: http://192.0.2.1:1900/igd.xml\r\nServer: x UPnP/1.0\r\n\r\n")
    assert said("ssdp", [], answer) == {"ssdp.location": "http://192.0.2.1:1900/igd.xml", "ssdp.server": "x UPnP/1.0"}
    sip = segments(b"REGISTER sip:u:s3cret@example.net SIP/2.0\r\nUser-Agent: phone\r\n\r\n")
    assert said("sip", sip, []) == {"sip.request": "REGISTER u@example.net", "sip.user_agent": "phone"}
    rtsp = segments(b"DESCRIBE rtsp://u:s3cret@192.0.2.1/1?x=y RTSP/1.0\r\n\r\n")
    assert said("rtsp", rtsp, []) == {"rtsp.request": "DESCRIBE rtsp://192.0.2.1/1"}


def test_dtls_in_fragments_that_come_in_any_order() -> None:
    body = client_hello()[9:]
    body = body[:34] + body[34:35] + b"\0" + body[35:]  # no session, and no cookie
    body = b"\xfe\xfd" + body[2:]
    parts = [(60, body[60:]), (0, body[:60])]
    hello = [b"\1" + len(body).to_bytes(3, "big") + b"\0\0" + at.to_bytes(3, "big") + sized(3, piece) for at, piece in parts]
    records = segments(*(b"\x16\xfe\xff" + bytes(8) + sized(2, one) for one in hello))
    assert identify(UDP, 1, 2, records[0].data[:64], b"") == "dtls"
    (row,) = rows("dtls", records, [], "tls_sessions")
    assert (row["sni"], row["ja4"][0]) == ("vpn.example.net", "d")


@pytest.mark.parametrize("size", [None, 20])
def test_the_certificate_inside_openvpn(size: int | None) -> None:
    """In the clear, and under tls-auth with a key of SHA-1."""
    key = b"" if size is None else bytes(range(1, size + 1)) + b"\0\0\0\1" + b"\x65\0\0\0"
    raw = certificate(name(b"vpn", b"x"), name(b"vpn", b"x"))
    stream = server_hello(b"", certificates(raw))

    def packet(code: int, number: int, body: bytes) -> bytes:
        return bytes([code << 3]) + b"SESSION1" + key + b"\0" + number.to_bytes(4, "big") + body

    orig = segments(packet(7, 0, b""), packet(4, 1, client_hello()))
    resp = segments(packet(8, 0, b""), packet(4, 1, stream[:90]), packet(4, 2, stream[90:]), first=2)
    assert identify(UDP, 1, 2, orig[0].data[:64], resp[0].data[:64]) == "openvpn"
    (row,) = rows("openvpn", orig, resp, "tls_sessions")
    assert (row["sni"], row["subject"], row["self_signed"]) == ("vpn.example.net", "CN=vpn,O=x", True)


def test_the_page_names_every_fact() -> None:
    page = (Path(__file__).parent.parent / "docs" / "traffic-apps.md").read_text(encoding="utf-8")
    for app, _, _, orig, resp in SAMPLES:
        for table, row in dissect(app, segments(orig), segments(resp, first=2)):
            assert table != "app_facts" or f"`{row['name']}`" in page


def test_winbox_names_its_user() -> None:
    assert said("winbox", segments(bytes([39, 6]) + b"admin\0" + NOISE[:32] + b"\1"), []) == {"winbox.user": "admin"}


def test_rdp_shows_its_cookie() -> None:
    data = b"\xe0" + bytes(5) + b"Cookie: mstshash=eve\r\n" + b"\1\0\x08\0\3\0\0\0"
    raw = b"\3\0" + (5 + len(data)).to_bytes(2, "big") + bytes([len(data)]) + data
    assert identify(TCP, 1, 3389, raw[:64], b"") == "rdp"
    assert said("rdp", segments(raw), []) == {"rdp.cookie": "eve", "rdp.asked": "3"}


def test_a_community_is_never_kept() -> None:
    raw = bytes.fromhex("30260201010406") + b"geheim" + bytes.fromhex("a01902") + bytes(30)
    assert said("snmp", segments(raw), []) == {"snmp.version": "2c", "snmp.operation": "get"}
