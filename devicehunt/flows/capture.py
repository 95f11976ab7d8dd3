"""Capturing on-site with dumpcap or tcpdump, whichever is installed: files of bounded size, hashed when they are closed.

640 bytes of a packet are kept unless told otherwise: link layer, tags, IPv6 and TCP options take up to 130; what is left
holds a DNS answer of 512 bytes, an SSH banner, a SOCKS or HTTP request and a TLS hello of the usual 517 bytes. Certificates
and hellos with post-quantum keys need whole packets (`snaplen=0`).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from devicehunt.flows.containers import Capture
from devicehunt.flows.records import Damage

SNAPLEN = 640
_FILE = 100 * 10**6
_POLL = 0.2
_GRACE = 10  # seconds a capturer gets to write what it holds
_SAID = 1 << 16


class CaptureError(Exception):
    """No capturer is installed, or it refused: the message says what it said."""


@dataclass(slots=True)
class Recorded:
    """One closed file."""

    path: Path
    size: int
    sha256: str


@dataclass(slots=True)
class Recording:
    """A capture as it was made. `drops`: packets the capturer says it lost; None: it does not say."""

    command: list[str]
    started: float
    ended: float = 0.0
    files: list[Recorded] = field(default_factory=list)
    packets: int = 0
    drops: int | None = None
    damage: list[Damage] = field(default_factory=list)
    overwritten: bool = False  # the ring went round: the oldest packets are gone
    said: str = ""


def record(
    interface: str, folder: Path, *, seconds: float | None = None, size: int | None = None, snaplen: int = SNAPLEN,
    ring: int | None = None, file_bytes: int = _FILE, expression: str = "", tool: str = "",
) -> Recording:  # fmt: skip
    """Captures until `seconds` are over, `size` bytes are written, or Ctrl-C. `ring`: only so many of the newest files are kept.

    The folder must be empty or new: nothing of another capture is ever overwritten or counted.
    """
    if interface.startswith("-") or expression.startswith("-"):
        raise CaptureError("an interface or a filter cannot begin with a dash")
    if seconds is None and size is None and ring is None:
        raise CaptureError("say how long or how much: seconds, size or a ring of files")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise CaptureError("the folder is not empty")
    command = _command(_tool(tool), interface, folder, snaplen, ring, max(file_bytes, 1_000_000), expression)
    result = Recording(command, time.time())
    with (folder / "capturer.txt").open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            result.overwritten = _wait(process, folder, seconds, size, ring)
        except KeyboardInterrupt:
            pass  # the usual end
        finally:
            _stop(process)
    result.ended = time.time()
    result.said = (folder / "capturer.txt").read_bytes()[:_SAID].decode("utf-8", "replace")
    _close(result, folder)
    if not result.files:
        raise CaptureError(result.said.strip() or f"{command[0]} wrote nothing")
    return result


def _tool(wanted: str) -> str:
    for name in (wanted,) if wanted else ("dumpcap", "tcpdump"):
        if path := shutil.which(name):
            return path
    raise CaptureError(f"{wanted or 'neither dumpcap nor tcpdump'} is {'not ' if wanted else ''}installed")


def _command(  # noqa: PLR0917
    tool: str, interface: str, folder: Path, snaplen: int, ring: int | None, file_bytes: int, expression: str
) -> list[str]:
    target = str(folder / "capture.pcap")
    if Path(tool).name == "dumpcap":
        command = [tool, "-q", "-i", interface, "-s", str(snaplen), "-w", target + "ng", "-b", f"filesize:{file_bytes // 1000}"]
        command += ["-b", f"files:{ring}"] if ring else []
        return command + (["-f", expression] if expression else [])
    # tcpdump drops its rights otherwise, and could then not open the second file.
    command = [
        tool,
        "-n",
        "-U",
        "-i",
        interface,
        "-s",
        str(snaplen),
        "-w",
        target,
        "-C",
        str(max(file_bytes // 1_000_000, 1)),
        "-Z",
        "root",
    ]
    command += ["-W", str(ring)] if ring else []
    return [*command, "--", expression] if expression else command


def _wait(process: subprocess.Popen[bytes], folder: Path, seconds: float | None, size: int | None, ring: int | None) -> bool:
    """Until it is time to stop. Says whether files of the ring were overwritten."""
    end = None if seconds is None else time.monotonic() + seconds
    seen: dict[str, int] = {}
    overwritten = False
    while process.poll() is None:
        time.sleep(_POLL)
        now = {path.name: path.stat().st_size for path in _written(folder)}
        if ring and any(name not in now or now[name] < before for name, before in seen.items()):
            overwritten = True
        seen = now
        if (end is not None and time.monotonic() >= end) or (size is not None and sum(now.values()) >= size):
            break
    return overwritten


def _written(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith("capture") and path.name != "capturer.txt")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """An interrupt lets the capturer write its counters; it is killed only when it does not end."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close(result: Recording, folder: Path) -> None:
    """Hashes the files, counts their packets, and writes the list of hashes beside them."""
    paths = _written(folder)
    for path in paths:
        with path.open("rb") as file:
            result.files.append(Recorded(path, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()))
    capture = Capture(paths)
    result.damage = [item for item in capture.chunks() if isinstance(item, Damage)]
    result.packets = capture.packets
    counted = [interface.drops for interface in capture.interfaces if interface.drops is not None]
    said = _said_drops(result.said)
    result.drops = said if said is not None else sum(counted) if counted else None
    lines = [f"{item.sha256}  {item.path.name}\n" for item in result.files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _said_drops(said: str) -> int | None:
    """What tcpdump ('3 packets dropped by kernel') or dumpcap ('received/dropped on interface 'eth0': 234/3') says at its end."""
    found = re.findall(r"^(\d{1,18}) packets? dropped by (?:kernel|interface)", said, re.MULTILINE)
    found += re.findall(r"^Packets received/dropped on interface .{0,300}: \d{1,18}/(\d{1,18}) ", said, re.MULTILINE)
    return sum(int(number) for number in found) if found else None
