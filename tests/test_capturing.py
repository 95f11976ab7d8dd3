"""Capturing on-site: on the loopback of a network namespace where the machine allows it, and what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

from devicehunt.cli import main
from devicehunt.flows import capture
from devicehunt.flows.capture import CaptureError, record

TOOLS = [name for name in ("dumpcap", "tcpdump") if shutil.which(name)]


def _talk(stop: threading.Event) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        while not stop.is_set():
            out.sendto(b"x" * 900, ("127.0.0.1", 40404))
            time.sleep(0.01)


@pytest.mark.parametrize("tool", ["dumpcap", "tcpdump"])
def test_the_loopback_is_recorded_hashed_and_counted(tool: str, tmp_path: Path) -> None:
    if tool not in TOOLS:
        pytest.skip(f"{tool} is not installed")
    if os.geteuid() != 0:
        pytest.skip("capturing needs rights")
    stop = threading.Event()
    talker = threading.Thread(target=_talk, args=(stop,))
    talker.start()
    try:
        result = record("lo", tmp_path / "out", seconds=2.5, tool=tool, expression="udp port 40404")
    except CaptureError as error:
        pytest.skip(f"{tool} may not capture here: {error}")
    finally:
        stop.set()
        talker.join()
    assert result.packets > 5
    assert not result.damage
    assert result.drops is not None
    for item in result.files:
        assert item.sha256 == hashlib.sha256(item.path.read_bytes()).hexdigest()
        assert f"{item.sha256}  {item.path.name}\n" in (tmp_path / "out" / "SHA256SUMS").read_text()
        assert item.size < result.packets * (capture.SNAPLEN + 60) + 4096  # snapped: the packets had 942 bytes
    with pytest.raises(CaptureError, match="not empty"):
        record("lo", tmp_path / "out", seconds=1, tool=tool)


def _fake(folder: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    program = folder / name
    program.write_text("#!/bin/sh\n" + body)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_what_a_capturer_says_when_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(tmp_path / "bin", "tcpdump", "echo 'no such device' >&2; exit 1\n", monkeypatch)
    with pytest.raises(CaptureError, match="no such device"):
        record("nowhere0", tmp_path / "out", seconds=5, tool="tcpdump")


def test_dropped_packets_that_tcpdump_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = r"\324\303\262\241\002\000\004\000\000\000\000\000\000\000\000\000\000\000\004\000\001\000\000\000"
    say = "echo '3 packets dropped by kernel\n1 packet dropped by interface' >&2\n"
    _fake(tmp_path / "bin", "tcpdump", f"printf '{header}' > {tmp_path}/out/capture.pcap\n{say}", monkeypatch)
    result = record("lo", tmp_path / "out", seconds=5, tool="tcpdump")
    assert (result.drops, result.packets, len(result.files)) == (4, 0, 1)


@pytest.mark.parametrize(("interface", "expression"), [("-Z", ""), ("lo", "-w/tmp/other")])
def test_options_are_not_smuggled_in(interface: str, expression: str, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="dash"):
        record(interface, tmp_path / "out", seconds=1, expression=expression)


def test_without_a_capturer_or_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CaptureError, match="how long"):
        record("lo", tmp_path / "out")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CaptureError, match="installed"):
        record("lo", tmp_path / "other", seconds=1)


def test_the_verb_says_what_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    header = r"\324\303\262\241\002\000\004\000\000\000\000\000\000\000\000\000\000\000\004\000\001\000\000\000"
    tools = f"printf '{header}' > {tmp_path}/out/capture.pcap\necho '3 packets dropped by kernel' >&2\n"
    _fake(tmp_path / "bin", "tcpdump", tools, monkeypatch)
    monkeypatch.setattr(capture, "_tool", lambda _: str(tmp_path / "bin" / "tcpdump"))
    assert main(["capture", "lo", "--seconds", "5", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    file = tmp_path / "out" / "capture.pcap"
    assert said == f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file}  24 bytes\n0 packets, 3 lost by the capturer\n"
    assert main(["capture", "lo", "-o", str(tmp_path / "other")]) == 2
    assert "how long or how much" in capsys.readouterr().err
