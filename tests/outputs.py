"""Evidence folders written by a test: device name -> {command: output}, taken in and hunted in one call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from devicehunt.api import Job, Options
from devicehunt.case import Case
from devicehunt.text import slug

if TYPE_CHECKING:
    import duckdb

Outputs = dict[str, str | bytes | None]
"""Command -> what it printed; None: listed in the index, but the file is absent."""

ADDRESSES = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000
    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
    inet 198.51.100.7/24 brd 198.51.100.255 scope global eth0
3: br-lan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:00:03 brd ff:ff:ff:ff:ff:ff
    inet 192.168.1.1/24 brd 192.168.1.255 scope global br-lan
"""
ROUTES = """\
default via 198.51.100.1 dev eth0
192.168.1.0/24 dev br-lan proto kernel scope link src 192.168.1.1
198.51.100.0/24 dev eth0 proto kernel scope link src 198.51.100.7
"""
NETSTAT = """\
Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
"""


def listening(*ends: str) -> str:
    """`netstat -tulpn` of some `tcp 0.0.0.0:22` or `udp 0.0.0.0:53`."""
    rows = []
    for number, end in enumerate(ends):
        proto, address = end.split()
        state = "LISTEN" if proto == "tcp" else ""
        rows.append(f"{proto:<5}      0      0 {address:<23} {'0.0.0.0:*':<23} {state:<11} {900 + number}/svc{number}\n")
    return NETSTAT + "".join(rows)


def write(folder: Path, outputs: Outputs) -> Path:
    """One device's folder with its index."""
    folder.mkdir(parents=True)
    index = {}
    for command, text in outputs.items():
        name = f"{slug(command)}.txt"
        index[name] = {"command": command, "rc": 0}
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def hunt(folder: Path, devices: dict[str, Outputs], site: str = "") -> tuple[Case, duckdb.DuckDBPyConnection]:
    """Hunt all devices in one case; return it with the loaded tables."""
    sources = [write(folder / "in" / name, outputs) for name, outputs in devices.items()]
    options = Options(jobs=1)
    if site:
        (folder / "site.yaml").write_text(site, encoding="utf-8")
        options = Options(jobs=1, site=folder / "site.yaml")
    job = Job(Case.open(folder / "case"), options, lambda *_: None)
    job.take_in(sources)
    job.parse()
    return job.case, job.hunt()
