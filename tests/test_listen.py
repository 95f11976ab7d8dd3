"""Datagrams of exporters, live: written as a capture, turned, hashed; and files of nfcapd."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from devicehunt.flows import nfcapd
from devicehunt.flows.exports import Exports
from devicehunt.flows.listen import Listened, frame, listen
from tests.datagrams import NOW_S, USUAL, A, B, field_set, record5, template9, usual, v5, v9

FIVE = ("src_ip", "src_port", "dst_ip", "dst_port", "proto")

scapy = pytest.importorskip("scapy.all")


def payloads(path: Path) -> list[tuple[str, int, bytes]]:
    """Source, target port and payload of each packet, as scapy reads the file; checksums must be right."""
    found = []
    for packet in scapy.rdpcap(str(path)):
        again = packet.__class__(bytes(packet))
        del again[scapy.UDP].chksum
        if packet.version == 6:
            assert packet.__class__(bytes(again))[scapy.UDP].chksum == packet[scapy.UDP].chksum
        else:
            del again.chksum
            assert packet.__class__(bytes(again)).chksum == packet.chksum
        found.append((packet.src, packet[scapy.UDP].dport, bytes(packet[scapy.UDP].payload)))
    return found


def heard(address: str, folder: Path, sent: list[bytes], **options: object) -> Listened:
    """Listens on a free port while `sent` is sent to it."""
    stop, ready = threading.Event(), threading.Event()
    state: list[Listened] = []

    def told(now: Listened) -> None:
        state[:] = [now]
        ready.set()

    result: list[Listened] = []
    thread = threading.Thread(target=lambda: result.append(listen(address, 0, folder, stop=stop, told=told, **options)))  # type: ignore[arg-type]
    thread.start()
    assert ready.wait(10)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for datagram in sent:
            sock.sendto(datagram, ("::1" if ":" in address else "127.0.0.1", state[0].port))
    until = time.monotonic() + 10
    while thread.is_alive() and state[0].datagrams + state[0].refused < len(sent) and time.monotonic() < until:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    return result[0]


SENT = [v9(0, template9(256, USUAL)), v9(1, field_set(256, usual(A, 1, B, 443))), b"", v9(2, field_set(256, usual(B, 443, A, 1)))]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1"])
def test_what_comes_is_evidence(tmp_path: Path, address: str) -> None:
    if ":" in address and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    made = heard(address, tmp_path, SENT)
    assert (made.datagrams, made.refused, made.ended, len(made.files)) == (4, 0, "stopped", 1)
    one = made.files[0]
    assert one.sha256 == hashlib.sha256(one.path.read_bytes()).hexdigest()
    assert (tmp_path / "SHA256SUMS").read_text() == f"{one.sha256}  {one.path.name}\n"
    packets = payloads(one.path)
    assert [payload for _, _, payload in packets] == SENT
    assert {(source, port) for source, port, _ in packets} == {("::1" if ":" in address else "127.0.0.1", made.port)}
    exporter = Exports()
    for number, (source, _, payload) in enumerate(packets, 1):
        exporter.feed(payload, source, number, 0)
    exporter.close()
    assert exporter.records == 2


def test_files_turn_and_nothing_is_deleted(tmp_path: Path) -> None:
    made = heard("127.0.0.1", tmp_path, SENT * 5, rotate_bytes=300)
    assert len(made.files) > 3 and sum(one.datagrams for one in made.files) == 20
    assert all(one.size <= 300 for one in made.files)
    assert [payload for one in made.files for _, _, payload in payloads(one.path)] == SENT * 5
    made = heard("127.0.0.1", tmp_path / "full", SENT * 5, limit_bytes=600)
    assert made.ended == "size" and 0 < made.datagrams < 20
    assert sum(one.size for one in made.files) <= 600


def test_only_the_exporters_asked_for(tmp_path: Path) -> None:
    made = heard("127.0.0.1", tmp_path, SENT, exporters=frozenset({"192.0.2.1"}))
    assert (made.datagrams, made.refused, made.files) == (0, 4, [])


def test_ends_by_time(tmp_path: Path) -> None:
    made = listen("127.0.0.1", 0, tmp_path, seconds=0.05)
    assert (made.ended, made.files, list(tmp_path.iterdir())) == ("time", [], [])


def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", sock.getsockname()[1], tmp_path, seconds=0.05)


def test_interrupt_leaves_whole_files(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from devicehunt.flows.listen import listen\n"
        "told = lambda now: print(now.port, now.datagrams, flush=True)\n"
        "made = listen('127.0.0.1', 0, Path(sys.argv[1]), told=told, seconds=30)\n"
        "print('end', made.ended, made.datagrams, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=os.environ.copy()) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(SENT[0], ("127.0.0.1", port))
        while process.stdout.readline().split()[1] != "1":
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(10) == 0
    assert rest.splitlines()[-1] == "end stopped 1"
    assert [payload for path in tmp_path.glob("*.pcap") for _, _, payload in payloads(path)] == SENT[:1]
    assert (tmp_path / "SHA256SUMS").exists()


def test_the_longest_datagrams_fit(tmp_path: Path) -> None:
    made = heard("127.0.0.1", tmp_path, [bytes(65507)])
    assert payloads(made.files[0].path)[0][2] == bytes(65507)
    assert len(frame(bytes(65507), ("192.0.2.1", 1), ("192.0.2.2", 2))) == 65535


def test_nfcapd_without_nfdump(tmp_path: Path) -> None:
    path = tmp_path / "nfcapd.202601010000"
    path.write_bytes(b"\x0c\xa5" + bytes(98))
    assert nfcapd.is_nfcapd(path.read_bytes())
    damage = list(nfcapd.read(path, program="no-such-nfdump"))
    assert [(d.reason, d.size) for d in damage if not hasattr(d, "rows")] == [
        ("a file of nfcapd: it is read with nfdump, which is not installed", 100)
    ]


@pytest.mark.skipif(shutil.which("nfcapd") is None or shutil.which("nfdump") is None, reason="nfcapd and nfdump are not installed")
def test_nfcapd_through_nfdump(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command, quiet = ["nfcapd", "-p", str(port), "-b", "127.0.0.1", "-w", str(tmp_path)], subprocess.DEVNULL
    with subprocess.Popen(command, stderr=quiet, stdout=quiet) as process:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(20):  # until it listens
                time.sleep(0.1)
                sock.sendto(v5(2 * number, record5(A, 50000, B, 443), record5(A, 0, B, 0x0301, proto=1)), ("127.0.0.1", port))
        time.sleep(0.2)
        process.terminate()
        process.wait(10)
    files = [path for path in tmp_path.iterdir() if path.stat().st_size]
    made = [part for path in files for part in nfcapd.read(path)]
    rows = [row for part in made if hasattr(part, "rows") for row in part.rows()]
    assert rows and len(rows) % 2 == 0
    wanted = (*FIVE, "packets", "bytes", "tcp_flags", "in_interface", "out_interface", "view", "clock")
    assert {tuple(row[name] for name in wanted) for row in rows if row["proto"] == "tcp"} == {
        (A, 50000, B, 443, "tcp", 7, 4200, 0x12, 4, 5, "nfcapd", "ok")
    }
    assert {(row["proto"], row["src_port"], row["dst_port"]) for row in rows if row["proto"] != "tcp"} == {("icmp", 3, 1)}
    assert {row["first_at"] for row in rows} == {NOW_S * 10**9 + 500_000_000 - 5_000_000_000}
    # cut in the middle: what is there, or a reason
    cut = tmp_path / "cut"
    cut.write_bytes(files[0].read_bytes()[:-20])
    assert any(not hasattr(part, "rows") for part in nfcapd.read(cut))
    few = list(nfcapd.read(files[0], most=1))
    assert "more than 1 records" in few[-1].reason  # type: ignore[union-attr]
