"""Messages of application protocols, built by hand: what the tests of devicehunt.flows.apps look at."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

from devicehunt.flows.apps import Segment, aes, quic

TCP, UDP = 6, 17


def segments(*parts: bytes, first: int = 1, step: int = 2) -> list[Segment]:
    return [Segment(first + step * n, 1_700_000_000_000_000_000 + (first + step * n) * 1000, part) for n, part in enumerate(parts)]


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


def initial(frames: bytes, number: int, who: bytes, connection: bytes = b"CONNECT1") -> bytes:
    """An Initial packet of version 1, protected as RFC 9001 says, but for its tag."""
    key, iv, hp = quic._keys(quic._SALTS["1"], 1, connection, who)
    head = b"\xc1\0\0\0\1" + sized(1, connection) + b"\0\0" + (0x4000 + 2 + len(frames) + 16).to_bytes(2, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    body = aes.counter(key, nonce, frames) + bytes(16)
    mask = aes.encrypt(hp, (number.to_bytes(2, "big") + body)[4:20])
    hidden = bytes(a ^ b for a, b in zip(number.to_bytes(2, "big"), mask[1:], strict=False))
    return bytes([head[0] ^ (mask[0] & 15)]) + head[1:] + hidden + body


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
    ("winbox", TCP, 8291, bytes([39, 6]) + b"admin\0" + NOISE[:32] + b"\1", b""),
    ("bittorrent", TCP, 6881, b"\x13BitTorrent protocol" + bytes(28), b""),
    ("dns", TCP, 53, sized(2, question(7, b"a.example")), b""),
    ("openvpn", TCP, 1194, sized(2, OPENVPN), b""),
    ("dns", UDP, 53, question(7, b"a.example"), b""),
    ("mdns", UDP, 5353, question(0, b"a.local"), b""),
    ("mac-telnet", UDP, 20561, b"\1\0" + NOISE[:12] + b"\0\1\0\x15\0\0\0\0", b""),
    ("nbns", UDP, 137, question(7, b"CK" + b"A" * 30, 33), b""),
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
