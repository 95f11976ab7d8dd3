"""Situations written as data (honest.yaml, implants.yaml) put into an evidence folder.

A situation lists processes, sockets, interfaces, firewall rules, files, jobs, keys, accounts,
mounts, policy rules and settings. Names in braces are filled in for each box: its own addresses,
hosts of its LAN, hosts outside, free ports, a daemon's name, a key.
"""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path
from typing import Any

import yaml
from evidence import ALL, CRON, KEYS, PASSWD, RC, UCI, Box, Targets

HERE = Path(__file__).parent
SCRIPTED = ("/bin/busybox", "/usr/bin/lua", "/usr/bin/python3", "/usr/bin/perl", "/usr/bin/ucode")


def load(name: str) -> Any:
    """The content of a YAML file beside this script."""
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


def words(box: Box, rng: random.Random) -> dict[str, Any]:
    """What the names in braces stand for on this box."""
    names = load("names.yaml")
    taken = box.ports_in_use()
    free = [p for p in range(2000, 32000) if p not in taken]
    ports = rng.sample(free, 6)
    later = rng.sample(range(33000, 60000), 12)
    blob = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + rng.randbytes(32)).decode()
    present = {p.comm for p in box.processes().values()}
    daemons = rng.sample([n for n in names["daemons"] if n not in present], 6)
    filled: dict[str, Any] = {
        "lan_ip": box.lan_ip, "lan_net": box.lan_ip.rsplit(".", 1)[0] + ".0/24", "wan_ip": box.wan_ip,
        "wan_if": box.wan_if, "lan_if": box.lan_if, "key": blob, "user": rng.choice(names["people"]),
        "host": rng.choice(names["hosts"]), "account": rng.choice(names["accounts"]), "hash": rng.randbytes(16).hex(),
        "tunnel": rng.choice(names["tunnels"]), "net10": f"10.{rng.randrange(20, 250)}.{rng.randrange(250)}",
        "script": rng.choice(names["scripts"]), "domain": rng.choice(names["domains"]),
    }  # fmt: skip
    for n, host in enumerate(box.lan_hosts, 1):
        filled[f"lan{n}"] = host
    for n in range(6):
        filled[f"out{n + 1}"] = outside(rng)
        filled[f"port{n + 1}"] = ports[n]
        filled[f"name{n + 1}"] = daemons[n]
    for n, port in enumerate(later, 1):
        filled[f"eph{n}"] = port
    return filled


def outside(rng: random.Random) -> str:
    """An address on the internet, of no special range."""
    first = rng.choice([5, 23, 31, 37, 45, 62, 77, 82, 91, 94, 103, 109, 138, 146, 159, 167, 178, 185, 188, 193, 195, 212])
    return f"{first}.{rng.randrange(1, 168)}.{rng.randrange(1, 255)}.{rng.randrange(2, 250)}"


def fill(value: Any, filled: dict[str, Any]) -> Any:
    """Fill in the names in braces, in nested data."""
    if isinstance(value, str):
        for name in sorted(filled, key=len, reverse=True):
            value = value.replace("{" + name + "}", str(filled[name]))
        return value
    if isinstance(value, list):
        return [fill(v, filled) for v in value]
    return {k: fill(v, filled) for k, v in value.items()} if isinstance(value, dict) else value


def apply(box: Box, situation: dict[str, Any], rng: random.Random) -> tuple[Targets, list[dict[str, Any]]]:
    """Put a situation into a box; return what names it, and what an owner would declare."""
    box.rng = rng
    it = fill(situation, words(box, rng))
    targets = Targets()
    pids = _processes(box, it, targets)
    _sockets(box, it, pids, targets)
    for interface in it.get("interfaces", []):
        box.add_interface(**interface)
        targets.interfaces.add(interface["name"])
    for rule in it.get("rules", []):
        box.add_rule(rule.get("table", "filter"), rule["chain"], rule.get("ipt"), rule.get("nft"), not rule.get("last"))
        targets.rules.update(str(rule[k]) for k in ("ipt", "nft") if rule.get(k))
    for file in it.get("files", []):
        box.add_file(**file)
        targets.paths.add(file["path"])
    _lines(box, it, targets)
    _names(it.get("names", {}), targets)
    return targets, it.get("site", [])


def _processes(box: Box, it: dict[str, Any], targets: Targets) -> dict[str, int]:
    pids: dict[str, int] = {}
    for entry in it.get("processes", []):
        p = dict(entry)
        label, honest, parent = p.pop("as", ""), p.pop("honest", False), p.pop("ppid", 1)
        p["argv"] = p["argv"] if isinstance(p["argv"], list) else p["argv"].split()
        p["ppid"] = pids.get(str(parent)) or (box.pid_of(parent) if isinstance(parent, str) else parent)
        pid = box.add_process(**p)
        pids[label] = pid
        if not honest:
            targets.pids.add(pid)
            exe = p["exe"].removesuffix(" (deleted)")
            scripts = [a for a in p["argv"][1:] if a.startswith("/")][:1] if exe in SCRIPTED else [exe]
            targets.paths.update(s for s in scripts if s)
    return pids


def _sockets(box: Box, it: dict[str, Any], pids: dict[str, int], targets: Targets) -> None:
    for s in it.get("sockets", []):
        owner = s.get("of")
        pid = pids.get(owner) or (box.pid_of(owner) if owner else None)
        box.add_socket(pid, s["proto"], _end(s["local"]), _end(s["remote"]) if s.get("remote") else None,
                       s.get("state"), views=s.get("views", ("netstat", "ss", "proc")))  # fmt: skip
        if s.get("remote"):
            targets.peers.add(_end(s["remote"])[0])
        elif not s.get("honest"):
            targets.ports.add((s["proto"], _end(s["local"])[1]))
    for raw in it.get("raw_sockets", []):
        box.inode += 7
        box.add_fd(pids[raw["of"]], f"socket:[{box.inode}]")
        if raw["kind"] == "raw":
            ends = f"{raw['number']:4d}: 00000000:{raw['number']:04X} 00000000:0000"
            rest = f"07 00000000:00000000 00:00000000 00000000     0        0 {box.inode} 2 000000004ba5ab80 0"
            box.append("cat_proc_net_raw.txt", f"{ends} {rest}")
            pid = pids[raw["of"]]
            name = box.processes()[pid].argv[0].rsplit("/", 1)[-1]
            row = f"raw        0      0 {'0.0.0.0:' + str(raw['number']):<23} {'0.0.0.0:*':<23} {raw['number']:<11} {pid}/{name}"
            lines = box.files[ALL].split("\n")
            lines.insert(max(n for n, line in enumerate(lines) if line.startswith("udp")) + 1, row)
            box.files[ALL] = "\n".join(lines)
        else:
            box.files.setdefault("cat_proc_net_packet.txt", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n")
            box.add_output("cat_proc_net_packet.txt", "cat /proc/net/packet", box.files["cat_proc_net_packet.txt"])
            row = f"0000000012ab56c0 3      3    {raw['number']:04x}   {raw.get('iface', 0)}     1 0      0      {box.inode}"
            box.append("cat_proc_net_packet.txt", row)


def _end(text: str) -> tuple[str, int]:
    host, _, port = str(text).rpartition(":")
    return host.strip("[]"), int(port)


def _lines(box: Box, it: dict[str, Any], targets: Targets) -> None:
    for line in it.get("jobs", []):
        box.append(CRON, line)
        targets.jobs.add(line.split(None, 1)[-1] if line[0] == "@" else line.split(None, 5)[-1])
    for line in it.get("boot", []):
        box.files[RC] = box.files[RC].replace("exit 0", f"{line}\nexit 0", 1)
        targets.jobs.add(line)
    for line in it.get("keys", []):
        box.append(KEYS, line)
        _, blob, comment = line.split(None, 2)
        targets.keys.update({comment, fingerprint(blob)})
    for line in it.get("accounts", []):
        box.append(PASSWD, line)
        targets.accounts.add(line.split(":", 1)[0])
    for key, name in (("mounts", "mount.txt"), ("routes", "ip_route_show_table_all.txt"), ("log", "logread.txt")):
        for line in it.get(key, []):
            box.append(name, line)
    for line in it.get("ip_rules", []):
        _ip_rule(box, line)
        targets.rules.add(line.split("\t", 1)[-1])
    if it.get("uci"):
        text = box.files.get(UCI) or "\n".join(fill(load("names.yaml")["uci"], words(box, random.Random(0)))) + "\n"
        box.add_output(UCI, "uci show", text + "\n".join(it["uci"]) + "\n")
    for output in it.get("outputs", []):
        box.add_output(output["name"], output["command"], output["text"])
    for edit in it.get("edits", []):
        assert edit["old"] in box.files[edit["file"]], (it["id"], edit)
        box.files[edit["file"]] = box.files[edit["file"]].replace(edit["old"], edit["new"], 1)


def _ip_rule(box: Box, line: str) -> None:
    rows = [*box.files["ip_rule.txt"].splitlines(), line]
    rows.sort(key=lambda r: int(r.split(":")[0]))
    box.files["ip_rule.txt"] = "\n".join(rows) + "\n"


def _names(extra: dict[str, Any], targets: Targets) -> None:
    for name, values in extra.items():
        getattr(targets, name).update((v.split("/")[0], int(v.split("/")[1])) if name == "ports" else v for v in values)


def fingerprint(blob: str) -> str:
    """SHA256 fingerprint of a key as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(blob)).digest()).decode().rstrip("=")
