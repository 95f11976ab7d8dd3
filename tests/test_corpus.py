"""Real outputs that others published, where they lie beside this project: nothing raises, and most of it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devicehunt import database, parse, platforms, tables
from devicehunt.model import Section
from tests import samples

CORPUS = samples.ROOT.parent / "shared" / "corpus" / "cli"
LINUX = platforms.load("linux")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real outputs is not beside this project")

# how jc's file names spell a command, where it is not the plain rule of `_command`
_SPELT = {
    "passwd": "cat /etc/passwd",
    "shadow": "cat /etc/shadow",
    "group": "cat /etc/group",
    "hosts": "cat /etc/hosts",
    "crontab": "crontab -l",
    "crontab-u": "cat /etc/crontab",
    "crontab-no-normal-entries": "crontab -l",
    "crontab-u-no-normal-entries": "cat /etc/crontab",
    "iptables-filter": "iptables -L -n -v",
    "iptables-nat": "iptables -t nat -L -n -v",
    "iptables-raw": "iptables -t raw -L -n -v",
    "iptables-no-jump": "iptables -L -n -v",
    "mount-spaces-in-mountpoint": "mount",
    "os-release-ubuntu": "cat /etc/os-release",
    "md5sum": "md5sum x",
    "route-6-n": "route -6 -n",
    "last-crash": "last",
    "top-b-n1-gib": "top -b -n1",
    "top-b-n3": "top -b -n3",
    "find": "find .",
}
# of Linux by their folder, but of no Linux program that we read, or damaged on purpose
_NOT_OURS = {"mount-parens-in-filesystem", "ls", "ls-newlines", "ls-glob", "ls-R-newlines"}


def _command(path: Path) -> str:
    name = path.name.removesuffix(".out")
    if path.parent.name == "linux-proc":
        return "cat /proc/" + re.sub(r"\d$", "", name).replace("net_", "net/").replace("pid_", "1/")
    if name in _SPELT:
        return _SPELT[name]
    name = name.replace("-sudo", "").replace("-newlines", "").replace("_", " ")
    return re.sub(r"-(?=[a-zA-Z])", " -", name, count=1)


def _outputs() -> Iterator[tuple[Path, str]]:
    for path in sorted((CORPUS / "jc").glob("*/*")):
        if path.suffix in (".out", "") and path.name.removesuffix(".out") not in _NOT_OURS and "freebsd" not in str(path):
            yield path, _command(path)
    for path in sorted((CORPUS / "ntc-templates" / "linux").glob("*/*.raw")):
        yield path, path.parent.name.replace("_", " ")


def _read(path: Path, command: str) -> parse.Parsed:
    data = path.read_bytes()
    stanza = LINUX.find(command, parse.head_of(data)) or LINUX.find_by_content(parse.head_of(data))
    return parse.parse(Section(f"d/1/{path.name}", "d", "1", 1, command, data), stanza, LINUX)


def test_outputs_of_a_known_command_are_read() -> None:
    lines = unread = files = 0
    poor: list[str] = []
    loader = tables.Loader()
    for path, command in _outputs():
        found = _read(path, command)
        if found.stanza is None:
            assert found.gaps, f"{path.name}: nothing read and nothing said"
            continue
        files, lines, unread = files + 1, lines + found.lines, unread + found.unread
        if found.unread * 2 > found.lines:
            poor.append(f"{path.parent.name}/{path.name}: {found.unread} of {found.lines}")
        loader.add(found)
    assert files >= 70
    assert unread / lines < 0.05, poor
    assert len(poor) <= 2, poor


@pytest.mark.parametrize("family", ["jc", "genie", "ntc-templates", "suzieq", "napalm"])
def test_outputs_of_any_device_raise_nothing(family: str, tmp_path: Path) -> None:
    loader = tables.Loader()
    # every third: a Linux pack must say what it cannot read of Cisco and Juniper, too
    for path in sorted(p for p in (CORPUS / family).rglob("*") if p.suffix in (".raw", ".txt", ".out"))[::3]:
        found = _read(path, path.parent.name)
        assert found.unread <= found.lines
        assert found.rows or found.gaps or found.usable or found.lines == 0 or found.stanza, path
        loader.add(found)
    loader.finish(tmp_path, "0")


def _rows(path: Path, command: str, table: str, tmp_path: Path) -> list[dict[str, Any]]:
    found = _read(path, command)
    loader = tables.Loader()
    loader.add(found)
    loader.finish(tmp_path, "0")
    con = database.connect(views=False)
    got = con.execute(f"select * exclude (device, snapshot) from '{tmp_path}/{table}/*.parquet' order by line")
    names = [d[0] for d in got.description or []]
    return [dict(zip(names, row, strict=True)) for row in got.fetchall()]


def _jc(name: str) -> Any:
    return json.loads((CORPUS / "jc" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "command", "table", "columns"),
    [
        ("centos-7.7/ps-ef", "ps -ef", "processes", {"pid": "pid", "ppid": "ppid", "cmd": "cmdline"}),
        ("ubuntu-18.04/ps-axu", "ps -axu", "processes", {"pid": "pid", "vsz": "vsz_kb", "command": "cmdline"}),
        ("centos-7.7/passwd", "cat /etc/passwd", "accounts", {"username": "name", "uid": "uid", "home": "home", "shell": "shell"}),
        ("ubuntu-18.04/lsmod", "lsmod", "modules", {"module": "name", "size": "size_bytes"}),
        ("linux-proc/net_arp", "cat /proc/net/arp", "neighbours", {"IP_address": "address_ip", "HW_address": "mac", "Device": "interface"}),
        ("linux-proc/net_tcp", "cat /proc/net/tcp", "sockets", {"local_address": "local_ip", "local_port": "local_port", "inode": "inode"}),
        ("ubuntu-18.04/arp-v", "arp -v", "neighbours", {"hwaddress": "mac", "iface": "interface"}),
        (
            "centos-7.7/ifconfig",
            "ifconfig",
            "interfaces",
            {"name": "name", "mtu": "mtu", "rx_bytes": "rx_bytes", "tx_packets": "tx_packets"},
        ),
        ("centos-7.7/md5sum", "md5sum x", "files", {"filename": "path", "hash": "digest"}),
    ],
)
def test_values_equal_what_jc_reads(name: str, command: str, table: str, columns: dict[str, str], tmp_path: Path) -> None:
    raw = CORPUS / "jc" / name
    raw = raw if raw.exists() else raw.with_name(raw.name + ".out")
    want = sorted(tuple(str(row.get(theirs)) for theirs in columns) for row in _jc(name))
    got = sorted(tuple(str(row[ours]) for ours in columns.values()) for row in _rows(raw, command, table, tmp_path))
    assert want
    assert got == want
