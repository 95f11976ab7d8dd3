"""Flow exports as they come in: every datagram is written as a packet of a pcap file, so that the hunt reads the evidence again.

Nothing is decoded here, and memory does not grow with what arrives: a datagram is written and forgotten. Files rotate by size
and time; a closed file is hashed as it lies on the disk, and its line is added to SHA256SUMS in the folder.
"""

from __future__ import annotations

import hashlib
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO

MAX_EXPORTERS = 1024
"""Exporters counted by address; more are counted together."""

_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # Linux; Python names it from 3.14 on
_PKTINFO6 = getattr(socket, "IPV6_PKTINFO", 50)
_RECVPKTINFO6 = getattr(socket, "IPV6_RECVPKTINFO", 49)
_OVERFLOW = 40  # SO_RXQ_OVFL: the kernel says how many datagrams it had no room for
_LINUX = hasattr(socket, "AF_PACKET")
_TICK_S = 0.25


@dataclass(slots=True)
class Written:
    """One closed file."""

    path: Path
    sha256: str
    datagrams: int
    size: int


@dataclass(slots=True)
class Listened:
    """What came in. `dropped`: datagrams that the kernel had no room for; None: it does not say."""

    address: str
    port: int
    datagrams: int = 0
    size: int = 0
    refused: int = 0  # from others than the exporters asked for
    dropped: int | None = None
    exporters: dict[str, int] = field(default_factory=dict)
    other_exporters: int = 0  # datagrams of exporters beyond MAX_EXPORTERS
    files: list[Written] = field(default_factory=list)
    ended: str = ""  # stopped, time, size, or why nothing more could be written


def listen(
    address: str,
    port: int,
    folder: Path,
    *,
    rotate_bytes: int = 64 << 20,
    rotate_seconds: float = 3600,
    limit_bytes: int | None = None,
    seconds: float | None = None,
    exporters: frozenset[str] | None = None,
    stop: threading.Event | None = None,
    told: Callable[[Listened], None] | None = None,
) -> Listened:
    """Write what comes to `address` and `port` into `folder` until Ctrl-C, `stop`, `seconds` or `limit_bytes`.

    `limit_bytes` of all files together: evidence is never deleted to make room, the listening ends. `exporters`: take
    only datagrams from these addresses (it keeps noise out; an address of UDP proves nothing). `told` is called about four times a
    second. OSError when the address cannot be had or the folder not be written to at the start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stop = stop or threading.Event()
    with _socket(address, port) as sock, _signals(stop):
        made = Listened(address, sock.getsockname()[1])
        files = _Files(folder, made, rotate_bytes, rotate_seconds)
        until = None if seconds is None else time.monotonic() + seconds
        try:
            _receive(sock, made, files, _Ends(stop, until, limit_bytes, exporters, told or (lambda _: None)))
        except OSError as error:
            made.ended = f"cannot write or receive: {error.strerror or error}"
        try:
            files.close()
        except OSError as error:
            made.ended = f"cannot close the last file: {error.strerror or error}"
    return made


@dataclass(slots=True)
class _Ends:
    """What ends the listening, what is taken, and who is told."""

    stop: threading.Event
    until: float | None
    limit_bytes: int | None
    exporters: frozenset[str] | None
    told: Callable[[Listened], None]


def _receive(sock: socket.socket, made: Listened, files: _Files, ends: _Ends) -> None:
    tick = 0.0
    while True:
        now = time.monotonic()
        if now - tick >= _TICK_S:
            tick = now
            files.tick()
            ends.told(made)
        made.ended = "stopped" if ends.stop.is_set() else "time" if ends.until is not None and now >= ends.until else ""
        if made.ended:
            return
        wait = _TICK_S if ends.until is None else max(0.0, min(_TICK_S, ends.until - now))
        if not select.select([sock], [], [], wait)[0]:
            continue
        data, ancillary, _, source = sock.recvmsg(65535, 256)
        came = time.time_ns()
        target = _ancillary(ancillary, made) or sock.getsockname()[0]
        sender = _plain(source[0])
        if ends.exporters is not None and sender not in ends.exporters:
            made.refused += 1
            continue
        packet = frame(data, (sender, source[1]), (_plain(target), made.port))
        if ends.limit_bytes is not None and made.size + len(packet) + 40 > ends.limit_bytes:
            made.ended = "size"
            return
        files.write(came, packet)
        made.datagrams += 1
        if sender in made.exporters or len(made.exporters) < MAX_EXPORTERS:
            made.exporters[sender] = made.exporters.get(sender, 0) + 1
        else:
            made.other_exporters += 1


def _plain(address: str) -> str:
    """::ffff:192.0.2.1 -> 192.0.2.1; fe80::1%eth0 -> fe80::1"""
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _socket(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        if _LINUX:
            sock.setsockopt(socket.SOL_SOCKET, _OVERFLOW, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, _RECVPKTINFO6, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _ancillary(items: list[tuple[int, int, bytes]], made: Listened) -> str:
    """Where a datagram went to, when the kernel says so; its count of lost ones goes into `made`."""
    target = ""
    for level, kind, data in items:
        if level == socket.SOL_SOCKET and kind == _OVERFLOW and len(data) >= 4:
            made.dropped = int(struct.unpack_from("=I", data)[0])
        elif level == socket.IPPROTO_IP and kind == _PKTINFO and len(data) >= 12:
            target = socket.inet_ntop(socket.AF_INET, data[8:12])
        elif level == socket.IPPROTO_IPV6 and kind == _PKTINFO6 and len(data) >= 16:
            target = socket.inet_ntop(socket.AF_INET6, data[:16])
    if made.dropped is None and _LINUX:
        made.dropped = 0  # the count is only sent once something was lost
    return target


def frame(data: bytes, source: tuple[str, int], target: tuple[str, int]) -> bytes:
    """A datagram as the IP packet it came in (its own header is not kept by the kernel: this one says what is known of it)."""
    here, there = ip_address(source[0]), ip_address(target[0])
    if here.version != there.version:  # a wildcard socket that does not know
        there = ip_address(0) if here.version == 4 else ip_address("::")
    # longer ones do not exist over IPv4; the kernel gives none
    size = min(8 + len(data), 65535)
    udp = struct.pack(">HHHH", source[1], target[1], size, 0)
    if here.version == 4:
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, min(20 + size, 65535), 0, 0, 64, 17, 0, here.packed, there.packed)
        return head[:10] + struct.pack(">H", _sum(head)) + head[12:] + udp + data
    pseudo = here.packed + there.packed + struct.pack(">II", size, 17)
    check = _sum(pseudo + udp + data) or 0xFFFF  # 0 means none, which IPv6 does not allow
    return struct.pack(">IHBB", 6 << 28, size, 17, 64) + here.packed + there.packed + udp[:6] + struct.pack(">H", check) + data


def _sum(data: bytes) -> int:
    """The internet checksum."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class _Files:
    """The pcap files: opened when something comes, turned by size and time, hashed when closed."""

    def __init__(self, folder: Path, made: Listened, rotate_bytes: int, rotate_seconds: float) -> None:
        self.folder, self.made = folder, made
        self.rotate_bytes, self.rotate_seconds = rotate_bytes, rotate_seconds
        self.file: BinaryIO | None = None
        self.path = folder
        self.opened = 0.0
        self.datagrams = self.size = 0

    def write(self, at_ns: int, packet: bytes) -> None:
        if self.file is not None and self.size + 16 + len(packet) > self.rotate_bytes:
            self.close()
        if self.file is None:
            self._open(at_ns)
        if self.file is not None:
            self.file.write(struct.pack("<IIII", at_ns // 1_000_000_000, at_ns % 1_000_000_000, len(packet), len(packet)) + packet)
        self.datagrams += 1
        self.size += 16 + len(packet)
        self.made.size += 16 + len(packet)

    def tick(self) -> None:
        """What was written is on the disk soon, whatever becomes of this process; an old file is turned."""
        if self.file is None:
            return
        self.file.flush()
        if time.monotonic() - self.opened >= self.rotate_seconds:
            self.close()

    def _open(self, at_ns: int) -> None:
        stamp = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
        number = 0
        while True:  # never over a file that is there
            self.path = self.folder / f"exports-{stamp}-{number:03d}.pcap"
            try:
                self.file = self.path.open("xb")
                break
            except FileExistsError:
                number += 1
        # nanoseconds, raw IP
        self.file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101))
        self.opened = time.monotonic()
        self.datagrams, self.size = 0, 24
        self.made.size += 24

    def close(self) -> None:
        if self.file is None:
            return
        file, self.file = self.file, None
        file.close()
        with self.path.open("rb") as again:
            digest = hashlib.file_digest(again, "sha256").hexdigest()
        self.made.files.append(Written(self.path, digest, self.datagrams, self.path.stat().st_size))
        with (self.folder / "SHA256SUMS").open("a", encoding="utf-8") as sums:
            sums.write(f"{digest}  {self.path.name}\n")


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and a request to end set `stop`, so that no record is cut in the middle; only the main thread can have this."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_number: int, _frame: Any) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
