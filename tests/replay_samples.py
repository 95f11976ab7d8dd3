"""Makes fixtures/replay: a router with every shape that the rules of the wire look for, and one with its honest neighbours.

`python -m tests.replay_samples` writes both; the same bytes every time. The `*.replay.yaml` beside them are tests by themselves.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import GRE, Ether

from tests.apps_samples import DHCP, LOGIN, certificate, certificates, client_hello, frp, question, record, server_hello, tlv
from tests.conversations import START, save, tcp, udp

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "replay"
WAN, LAN, HOST, OTHER = "203.0.113.1", "192.168.7.1", "192.168.7.30", "192.168.7.31"
RESOLVER, FAR = "198.51.100.53", "198.51.100."
OIDS = {"CN": 3, "C": 6, "L": 7, "ST": 8, "O": 10, "OU": 11}
IP_ADDR = """1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP group default qlen 1000
    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
    inet 203.0.113.1/24 brd 203.0.113.255 scope global eth0
       valid_lft forever preferred_lft forever
3: br-lan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:03 brd ff:ff:ff:ff:ff:ff
    inet 192.168.7.1/24 brd 192.168.7.255 scope global br-lan
       valid_lft forever preferred_lft forever
"""
NETSTAT = """Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 192.168.7.1:22          0.0.0.0:*               LISTEN      1206/dropbear
tcp        0      0 0.0.0.0:443             0.0.0.0:*               LISTEN      1208/uhttpd
udp        0      0 192.168.7.1:53          0.0.0.0:*                           1204/dnsmasq
"""
OUTPUTS = {
    "ip_addr.txt": IP_ADDR,
    "ip_route.txt": "default via 203.0.113.254 dev eth0\n192.168.7.0/24 dev br-lan scope link  src 192.168.7.1\n"
    "203.0.113.0/24 dev eth0 scope link  src 203.0.113.1\n",
    "cat_etc_resolv.conf.txt": f"nameserver {RESOLVER}\n",
    "netstat_-tulpn.txt": NETSTAT,
    "uci_show.txt": "network.lan=interface\nnetwork.lan.device='br-lan'\nnetwork.lan.proto='static'\nnetwork.lan.ipaddr='192.168.7.1'\n",
    "iptables-save.txt": "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n",
}
NMAP = """<?xml version="1.0"?>
<nmaprun scanner="nmap" args="nmap -oX - 203.0.113.1" start="1767700000" version="7.93">
<host starttime="1767700000" endtime="1767700060"><status state="up"/>
<address addr="203.0.113.1" addrtype="ipv4"/>
<ports><port protocol="tcp" portid="{port}"><state state="open" reason="syn-ack"/></port></ports></host></nmaprun>
"""


def named(**fields: str) -> bytes:
    """A distinguished name, the first attribute first."""
    return tlv(0x30, *(tlv(0x31, tlv(0x30, tlv(6, b"\x55\x04" + bytes([OIDS[k]])), tlv(0x0C, v.encode()))) for k, v in fields.items()))


def tls(issuer: bytes, subject: bytes) -> tuple[tuple[str, bytes], ...]:
    """A TLS 1.2 session up to the certificate; it lives for thirty years (apps_samples)."""
    return ((">", client_hello()), ("<", server_hello(b"", certificates(certificate(issuer, subject)))))


def spoken(client: str, port: int, server: str, at: int, *talk: tuple[str, bytes], start: float = 1.0) -> list[Any]:
    return tcp((client, port), (server, at), *talk, start=START + start)


def pings(client: str, server: str, sizes: tuple[int, int], number: int) -> list[Any]:
    """Echo requests and answers of these sizes, ten a second."""
    sent, back = sizes
    made = []
    for n in range(number):
        for src, dst, kind, size in ((client, server, 8, sent), (server, client, 0, back)):
            packet = Ether() / IP(src=src, dst=dst) / ICMP(type=kind, id=7, seq=n) / bytes(size)
            packet.time = START + 10 + n * 0.1 + (kind == 0) * 0.01
            made.append(packet)
    return made


def watched() -> list[Any]:
    """What the LAN side shows from the first to the last second: a host that reads pages outside."""
    return [
        p
        for n in range(6)
        for p in tcp((HOST, 50000 + n), (FAR + "200", 443), (">", client_hello()), ("<", server_hello()), start=START + n * 12)
    ]


def translated(packets: list[Any]) -> list[Any]:
    """The same on the WAN side: the host has the device's address."""
    made = []
    for packet in packets:
        other = packet.copy()
        other.time = packet.time
        if other[IP].src == HOST:
            other[IP].src = WAN
        if other[IP].dst == HOST:
            other[IP].dst = WAN
        del other[IP].chksum, other[TCP if TCP in other else UDP].chksum
        made.append(other)
    return made


def lease(resolver: bytes) -> list[Any]:
    """A DHCP answer of the device."""
    options = b"\x35\1\5" + b"\x36\4" + bytes([192, 168, 7, 1]) + b"\6\4" + resolver + b"\xff"
    asked = b"\1\1\6\0" + DHCP[4:] + b"\x35\1\3\xff"
    return udp((HOST, 68), (LAN, 67), (">", asked), ("<", DHCP + options), start=START + 2)


def mapping(client: str) -> list[Any]:
    body = (
        b'<u:AddPortMapping xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1"><NewRemoteHost></NewRemoteHost>'
        b'<NewExternalPort>4433</NewExternalPort>'
        b"<NewProtocol>TCP</NewProtocol><NewInternalPort>4433</NewInternalPort><NewInternalClient>"
        + client.encode()
        + b"</NewInternalClient></u:AddPortMapping>"
    )
    head = (
        b"POST /ctl HTTP/1.1\r\nHost: 192.168.7.1\r\n"
        b'SOAPAction: "urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping"\r\nContent-Length: '
    )
    return spoken(
        HOST,
        40300,
        LAN,
        5000,
        (">", head + str(len(body)).encode() + b"\r\n\r\n" + body),
        ("<", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    )


def asked(names: list[bytes], kind: int, resolver: str, port: int = 40053) -> list[Any]:
    """One question a datagram, each answered."""
    talk: list[tuple[str, bytes]] = []
    for n, name in enumerate(names, 1):
        talk += [(">", question(n, name, kind)), ("<", question(n, name, kind, flags=0x8180, answers=record(kind, b"\4data"), count=1))]
    return udp((WAN, port), (resolver, 53), *talk, start=START + 3)


SOCKS = (
    (">", b"\5\1\0"),
    ("<", b"\5\0"),
    (">", b"\5\1\0\1" + bytes([198, 51, 100, 99]) + b"\1\xbb"),
    ("<", b"\5\0\0\1" + bytes(6)),
    (">", b"hello"),
)
SSH = ((">", b"SSH-2.0-dropbear\r\n"), ("<", b"SSH-2.0-OpenSSH_9.6\r\n"))
PAGE = ((">", b"GET / HTTP/1.1\r\nHost: router\r\n\r\n"), ("<", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
MINER = ((">", b'{"id":1,"method":"mining.subscribe","params":["x/1"]}\n'), ("<", b'{"id":1,"result":[[],"08000002",4],"error":null}\n'))


def carried() -> list[Any]:
    """Eight sessions at a port of the router, each of which goes out again a fifth of a second later; twenty bytes are the relay's own."""
    made = []
    for n in range(8):
        out, back, start = bytes(500 + 37 * n * n % 701), bytes(700 + 53 * n * n % 997), 4 + 7 * n + n * n % 5
        head = ((">", bytes(12)), ("<", bytes(8)))
        made += spoken(FAR + str(20 + n % 3), 42000 + n, WAN, 43117, *head, (">", out), ("<", back), start=start)
        made += spoken(WAN, 43000 + n, FAR + str(30 + n), 8443, (">", out), ("<", back), start=start + 0.2)
    return made


def called() -> list[Any]:
    """Calls at a rhythm, a port that keeps up with peers, visits to SSH servers, two long connections that hold the same."""
    made = [p for n in range(12) for p in spoken(WAN, 44000 + n, FAR + "40", 8843, (">", bytes(200)), ("<", bytes(90)), start=3 + 5 * n)]
    for peer in range(6):
        for n in range(8):
            talk = ((">", bytes(70)), ("<", bytes(70)))
            made += udp((WAN, 45000), (FAR + str(50 + peer), 31000 + peer), *talk, start=START + 2 + peer / 2 + 6 * n)
        made += udp((FAR + str(60 + peer), 32000), (WAN, 45000), (">", bytes(70)), start=START + 3 + peer)
    made += [p for n in range(12) for p in spoken(WAN, 46000 + n, FAR + str(70 + n), 22, *SSH, start=2.5 + 5 * n)]
    for client, server, lag in (((FAR + "90", 47000), (WAN, 5544), 0), ((WAN, 47001), (FAR + "91", 22), 9)):
        for n, part in enumerate(tcp(client, server, (">", bytes(900)), ("<", bytes(1400)), start=START + 1 + lag)):
            part.time += 650 * (n > 3)
            made.append(part)
    return made
def muxed() -> list[Any]:
    """One connection that the router opened, and seven that leave for what comes in by it; twenty bytes each are the carrier's own."""
    made, talk, times = [], [(">", bytes(900)), ("<", bytes(900))], [1.0, 1.0, 1.0, 1.05, 1.1]
    for n in range(7):
        out, back, start = bytes(300 + 41 * n * n % 601), bytes(900 + 67 * n * n % 1301), 5.5 + 8 * n + n * n % 6
        made += spoken(WAN, 44000 + n, FAR + str(50 + n), 8443, (">", out), ("<", back), start=start)
        talk += [("<", out + bytes(20)), (">", back + bytes(20))]
        times += [start + 0.02, start + 0.05]
    long = spoken(WAN, 40113, FAR + "13", 8443, *talk, (">", bytes(900)))[: len(times) + 1]
    for packet, at in zip(long, [*times, 70.0], strict=True):
        packet.time = START + at
    return made + long


def taken() -> tuple[list[Any], list[Any]]:
    """The WAN and the LAN side of a router that was taken over."""
    letters = named(C="aa", ST="a", L="a", O="a", OU="a", CN="a")
    tool = named(C="Earth", ST="Cyberspace", L="Somewhere", O="cobaltstrike", OU="AdvancedPenTesting", CN="Major Cobalt Strike")
    own = named(O="x", CN="localhost")
    hidden = [hashlib.sha256(bytes([n])).hexdigest()[:60].encode() + b".t.example.org" for n in range(70)]
    knock = udp((FAR + "7", 40100), (WAN, 9), (">", bytes(24)), start=START + 20)
    gre = [
        Ether() / IP(src=a, dst=b) / GRE() / IP(src="10.9.0.1", dst="10.9.0.2") / UDP(sport=1, dport=2) / b"x"
        for a, b in ((WAN, FAR + "12"), (FAR + "12", WAN))
    ]
    for n, packet in enumerate(gre):
        packet.time = START + 5 + n
    wan = [
        *spoken(FAR + "1", 40101, WAN, 7788, *tls(letters, letters)),
        *spoken(WAN, 40102, FAR + "2", 443, *tls(tool, tool)),
        *spoken(WAN, 40103, FAR + "3", 58888, *tls(own, own)),
        *spoken(FAR + "4", 40104, WAN, 53282, *SSH),
        *spoken(WAN, 40105, FAR + "5", 7000, (">", frp(b"o", LOGIN))),
        *asked(hidden, 16, RESOLVER),
        *pings(WAN, FAR + "6", (40, 900), 20),
        *asked([b"www.example.org"], 1, FAR + "66", 40054),
        *knock, *spoken(WAN, 40106, FAR + "7", 443, (">", client_hello()), ("<", server_hello()), start=21.5),
        *spoken(WAN, 40107, FAR + "8", 1080, *SOCKS),
        *gre,
        *spoken(FAR + "9", 40108, WAN, 4433, *SOCKS), *spoken(WAN, 40111, FAR + "99", 443, (">", b"hello"), start=1.05),
        *spoken(FAR + "9", 40112, WAN, 4433, (">", b"\5\1\0"), ("<", b"\5\xff"), start=61),
        *carried(), *called(), *muxed(),
        *spoken(WAN, 40109, FAR + "10", 3333, *MINER),
        *spoken(FAR + "11", 40110, WAN, 8080, *PAGE),
        *(p for n in range(1, 36) for p in tcp((WAN, 41000 + n), (f"203.0.113.{100 + n}", 23), start=START + n, close=False)[:1]),
        *translated(watched()),
    ]  # fmt: skip
    return wan, [*watched(), *lease(bytes([198, 51, 100, 66])), *mapping(FAR + "44")]


def honest() -> tuple[list[Any], list[Any]]:
    """The WAN and the LAN side of a router whose hosts do what hosts do."""
    authority, site = named(O="Example CA", CN="R11"), named(O="Example", CN="vpn.example.org")
    behind = [*spoken(HOST, 40201, FAR + "3", 58888, *tls(site, site)), *spoken(HOST, 40202, FAR + "8", 1080, *SOCKS),
              *spoken(HOST, 40203, FAR + "4", 2222, *SSH), *spoken(HOST, 40204, FAR + "10", 3333, *MINER)]  # fmt: skip
    wan = [
        *spoken(FAR + "1", 40101, WAN, 443, *tls(authority, site)),
        *spoken(WAN, 40102, FAR + "2", 443, *tls(authority, site)),
        *asked([f"host{n}.site{n % 30}.example".encode() for n in range(90)], 1, RESOLVER),
        *pings(FAR + "6", WAN, (56, 56), 30),
        *translated([*watched(), *behind]),
    ]
    return wan, [*watched(), *behind, *lease(bytes([192, 168, 7, 1])), *mapping(HOST)]


LISTED = {
    "ip_addr.txt": "ip addr", "ip_route.txt": "ip route", "cat_etc_resolv.conf.txt": "cat /etc/resolv.conf",
    "netstat_-tulpn.txt": "netstat -tulpn", "uci_show.txt": "uci show", "iptables-save.txt": "iptables-save",
}  # fmt: skip


def main(target: Path = FOLDER) -> None:
    for name, (wan, lan), port in (("taken", taken(), 48101), ("honest", honest(), 443)):
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in OUTPUTS.items():
            (folder / file).write_text(text, encoding="utf-8")
        # when each output was taken: half a minute after the captures begin
        index = {file: {"command": command, "rc": 0, "time": START + 30} for file, command in LISTED.items()}
        (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        (folder / "scan.xml").write_text(NMAP.format(port=port), encoding="utf-8")
        save(folder / "wan.pcap", wan)
        save(folder / "lan.pcap", lan)


if __name__ == "__main__":
    main()
