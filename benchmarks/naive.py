"""Four rules of thumb, judged like the tool: what a hurried responder would look for."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from evidence import FIND, IPT, KEYS, NFT, Box
from situations import fingerprint, load

VOLATILE = ("/tmp/", "/var/run/", "/var/tmp/", "/dev/shm/", "/run/")
FIRMWARE = frozenset(load("names.yaml")["firmware"])
PLACES = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/lib", "/usr/lib")
IP = r"(\d+\.\d+\.\d+\.\d+)"
DNAT = (re.compile(r"--dport (\S+) .*--to-destination " + IP), re.compile(r"dport (\S+) .*dnat (?:ip )?to " + IP))


def findings(box: Box) -> list[dict[str, Any]]:
    """Findings of the four rules, all of level high, in the tool's own shape."""
    return [*_volatile(box), *_foreign(box), *_forwards(box), *_keys(box)]


def _finding(rule: str, *subjects: dict[str, Any]) -> dict[str, Any]:
    return {"rule": rule, "level": "high", "title": rule, "subjects": list(subjects), "explained_by": None}


def _volatile(box: Box) -> list[dict[str, Any]]:
    found = []
    for p in box.processes().values():
        scripts = [a for a in p.argv[1:2] if a.startswith(VOLATILE)] if p.exe == "/bin/busybox" else []
        if p.exe.startswith(VOLATILE) or scripts:
            subject = {"type": "process", "pid": p.pid, "exe": p.exe, "script": (scripts or [None])[0]}
            found.append(_finding("naive: runs from a volatile place", subject))
    for mode, path in re.findall(r"(?m)^(-\S+) .* (/\S+)$", box.files[FIND]):
        if "x" in mode and path.startswith(VOLATILE):
            found.append(_finding("naive: executable in a volatile place", {"type": "file", "path": path}))
    return found


def _foreign(box: Box) -> list[dict[str, Any]]:
    """A program that the firmware does not bring, told by its name in the usual places."""
    found = []
    for p in box.processes().values():
        folder, _, name = p.exe.rpartition("/")
        if p.exe and (name not in FIRMWARE or folder not in PLACES):
            found.append(_finding("naive: not the firmware's own", {"type": "process", "pid": p.pid, "exe": p.exe}))
    return found


def _forwards(box: Box) -> list[dict[str, Any]]:
    found = []
    for name, pattern in zip((IPT, NFT), DNAT, strict=True):
        for line in box.files[name].splitlines():
            match = pattern.search(line)
            if match and not _inside(match.group(2)):
                found.append(_finding("naive: DNAT to the outside", {"type": "nat-rule", "text": line.strip(), "port": match.group(1)}))
    return found


def _inside(ip: str) -> bool:
    inside = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    return any(ipaddress.ip_address(ip) in ipaddress.ip_network(n) for n in inside)


def _keys(box: Box) -> list[dict[str, Any]]:
    keys = [[*line.split(None, 2), ""] for line in box.files[KEYS].splitlines() if re.match(r"(ssh|ecdsa)-", line)]
    subjects = [{"type": "ssh-key", "fingerprint": fingerprint(blob), "comment": comment} for _, blob, comment, *_ in keys]
    return [_finding("naive: more than one key", s) for s in subjects[1:]]
