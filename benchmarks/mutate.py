"""Seeded changes to an evidence folder: implants in disguise, other addresses, honest mess.

An implant of a run moves to /usr/sbin under a daemon's name, with a configuration file beside it;
its port, its files, its interface and its key change; so do all addresses and the interfaces of
the router. What the run's labels say is changed with it.
"""

from __future__ import annotations

import ipaddress
import random
import re
from dataclasses import dataclass, field
from typing import Any

from evidence import FIND, IPT, KEYS, NET_FILES, NFT, PS, WALK, Box, Targets, hexed, map_tokens
from situations import apply, fingerprint, load, outside, words

VOLATILE = ("/tmp/", "/var/run/", "/var/tmp/", "/dev/shm/")
QUIET_PORTS = (443, 22, 53, 8443)
ADDRESS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.]*\d)")
HEX = re.compile(r"(?<![0-9A-F])([0-9A-F]{8})(?=:[0-9A-F]{4}\b)")


@dataclass
class Run:
    """A device to be judged: its evidence, what is evil in it, what its owner would declare."""

    box: Box
    kind: str  # malicious | benign | dual-use
    targets: Targets = field(default_factory=Targets)
    expected: list[dict[str, Any]] = field(default_factory=list)
    honest: dict[str, Targets] = field(default_factory=dict)
    counts: bool = True
    note: str = ""

    def site(self) -> dict[str, Any]:
        """The right site file."""
        lan = ipaddress.ip_interface(self.box.lan_ip + "/24").network
        return {"expected": self.expected, "networks": {"inside": [str(lan)], "wan": [self.box.wan_if]}}


# -- disguise ------------------------------------------------------------------------------------------


def disguise(run: Run, rng: random.Random) -> None:
    """Rename and move what is evil in a run of the lab."""
    box, targets = run.box, run.targets
    names = load("names.yaml")
    present = {p.comm for p in box.processes().values()}
    daemons = [n for n in names["daemons"] if n not in present]
    rng.shuffle(daemons)
    owners = {p: box.processes()[p].exe.removesuffix(" (deleted)") for p in sorted(targets.pids) if p in box.processes()}
    for exe in sorted({e for e in owners.values() if e and e not in ("/bin/busybox", "/usr/sbin/dropbear")}):
        _move_program(run, exe, daemons.pop(), [p for p, e in owners.items() if e == exe], rng)
    for path in sorted(p for p in targets.paths if p.startswith(VOLATILE) or p.endswith(".sh")):
        beside = f"/etc/{daemons[0]}/{path.rsplit('/', 1)[-1].lstrip('.')}"
        _move(run, path, rng.choice(names["scripts"]) if path.endswith(".sh") else beside)
    for port in sorted(p for p in targets.ports if p[1] != 22 or not _dropbear(box, p[1])):
        _move_port(run, port, rng)
    for name in sorted(targets.interfaces):
        new = rng.choice([n for n in names["tunnels"] if n not in box.files["ip_addr.txt"]])
        box.replace_word(name, new)
        targets.interfaces.remove(name)
        targets.interfaces.add(new)
    for comment in sorted(k for k in targets.keys if not k.startswith("SHA256:")):
        _change_key(run, comment, rng)


def _dropbear(box: Box, port: int) -> bool:
    return bool(re.search(rf":{port} .*/dropbear", box.files["netstat_-tulpn.txt"]))


def _move_program(run: Run, exe: str, name: str, pids: list[int], rng: random.Random) -> None:
    box, new = run.box, f"/usr/sbin/{name}"
    config = f"/etc/{name}.conf"
    hide = rng.random() < 0.6
    for pid in pids:
        old = box.processes()[pid]
        argv = [new if a == exe else a for a in old.argv]
        text = " ".join(argv)
        if hide and argv and argv[0] == new and not re.search(r" -[RDL] ", text):
            argv = [new, "-c", config]
        argv = [a.replace(exe.rsplit("/", 1)[-1] + ":", name + ":", 1) if n == 0 else a for n, a in enumerate(argv)]
        posing = argv and argv[0].startswith("[")
        if posing and rng.random() < 0.5:
            box.set_process(pid, exe=old.exe.replace(exe, new), comm=argv[0].strip("[]"), argv=[])
        else:
            box.set_process(pid, exe=old.exe.replace(exe, new), comm=name, argv=argv)
    box.replace_path(exe, new)
    run.targets.paths.discard(exe)
    run.targets.paths.add(new)
    if not run.targets.jobs and rng.random() < 0.5:
        box.add_file(f"/etc/init.d/{name}", "-rwxr-xr-x", rng.randrange(300, 3000))
    box.add_file(config, size=rng.randrange(200, 4000))
    run.targets.jobs = {j.replace(exe, new) for j in run.targets.jobs}


def _move(run: Run, old: str, new: str) -> None:
    run.box.replace_path(old, new)
    run.targets.paths.discard(old)
    run.targets.paths.add(new)
    run.targets.jobs = {j.replace(old, new) for j in run.targets.jobs}


def _move_port(run: Run, place: tuple[str, int], rng: random.Random) -> None:
    """Another port in every view; a well-known one is bound to the WAN address alone."""
    box, (proto, old) = run.box, place
    new = rng.choice([*QUIET_PORTS, rng.randrange(2000, 32000), rng.randrange(20000, 60000)])
    local_only = any(re.search(rf"(?m)^{proto} .* 127\.0\.0\.1:{old} ", box.files[f]) for f in ("netstat_-tulpn.txt",))
    taken = {int(p) for p in re.findall(rf"(?m)^{proto} .*? (?:0\.0\.0\.0|127\.0\.0\.1|::):(\d+) ", box.files["netstat_-tulpn.txt"])}
    if new == old or new in taken or (local_only and new < 1024):
        new = next(p for p in range(rng.randrange(20000, 50000), 60000) if p not in taken and p != old)
    bind = box.wan_ip if new in (22, 53) and not local_only else None

    def columns(name: str, text: str) -> str:
        if name.startswith(("netstat_-tu", "netstat_-an", "ss_")):
            ends = rf"(?m)^({proto} .*?)(0\.0\.0\.0|\[::\]|::|{re.escape(box.wan_ip)}|127\.0\.0\.1):{old}( +)"
            return re.sub(ends, lambda m: f"{m.group(1)}{bind if bind and m.group(2) == '0.0.0.0' else m.group(2)}:{new}{m.group(3)}", text)
        if name.startswith(f"cat_proc_net_{proto}"):
            swap = lambda m: f"{m.group(1)}{hexed(bind) if bind and m.group(2) == '00000000' else m.group(2)}:{new:04X} "  # noqa: E731
            return re.sub(rf"(?m)^( *\d+: )((?:00000000|{hexed(box.wan_ip)}|0100007F|0{{32}})):{old:04X} ", swap, text)
        if "conntrack" in name:
            asked, answer = rf"dst={re.escape(box.wan_ip)} sport=\d+ dport=", rf"src={re.escape(box.wan_ip)} dst=\S+ sport="
            text = re.sub(rf"({asked}{old}\b.*?{answer}){old}\b", rf"\g<1>{new}", text)
            return re.sub(rf"({asked}){old}\b", rf"\g<1>{new}", text)
        if name in (IPT, NFT):
            return re.sub(rf"(--dport |--to-ports |dport |redirect to :){old}\b", rf"\g<1>{new}", text)
        return text

    box.each(columns)
    for pid in sorted(run.targets.pids):
        argv = box.processes()[pid].argv if pid in box.processes() else []
        changed = [re.sub(rf"(?<![\d.]){old}(?![\d.])", str(new), a) for a in argv]
        if changed != argv:
            box.set_process(pid, argv=changed)
    run.targets.ports.discard(place)
    run.targets.ports.add((proto, new))
    run.targets.rules = {re.sub(rf"\b{old}\b", str(new), r) for r in run.targets.rules}


def _change_key(run: Run, comment: str, rng: random.Random) -> None:
    filled = words(run.box, rng)
    line = next(line for line in run.box.files[KEYS].splitlines() if line.endswith(" " + comment))
    old_blob, new_comment = line.split()[1], f"{filled['user']}@{filled['host']}"
    old, new = fingerprint(old_blob), fingerprint(filled["key"])
    run.box.each(lambda _, t: t.replace(old_blob, filled["key"]).replace(" " + comment, " " + new_comment).replace(old, new))
    run.targets.keys = {new_comment, new}


# -- other addresses -----------------------------------------------------------------------------------


def readdress(run: Run, rng: random.Random) -> None:
    """Other networks and other names of the router's own interfaces, everywhere."""
    box = run.box
    special = ("0.", "127.", "255.", "224.", "239.", "100.100.", "100.101.", "1.", "9.9.", "94.140.")
    prefixes: dict[str, str] = {}
    for text in [*box.files.values(), *run.targets.peers]:
        for ip in ADDRESS.findall(text):
            prefix = ip.rsplit(".", 1)[0]
            if prefix not in prefixes and not ip.startswith(special) and all(int(p) < 256 for p in ip.split(".")):
                prefixes[prefix] = ""
    for prefix in sorted(prefixes):
        private = prefix.startswith(("10.", "192.168.", "172."))
        a, b, c = rng.randrange(2, 250), rng.randrange(250), rng.randrange(16, 31)
        fresh = rng.choice([f"10.{a}.{b}", f"192.168.{a}", f"172.{c}.{b}"])
        prefixes[prefix] = fresh if private else outside(rng).rsplit(".", 1)[0]

    def moved(match: re.Match[str]) -> str:
        prefix, _, host = match.group(1).rpartition(".")
        return f"{prefixes.get(prefix, prefix)}.{host}"

    def dotted(text: str) -> str:
        return ADDRESS.sub(moved, text)

    def hexes(match: re.Match[str]) -> str:
        return _hex_map(match.group(1), prefixes)

    def change(name: str, text: str) -> str:
        if name == "cat_proc_net_route.txt":
            rows = [line.split("\t") for line in text.split("\n")]
            return "\n".join("\t".join(_hex_map(c, prefixes) if n in (1, 2) else c for n, c in enumerate(r)) for r in rows)
        if name.startswith("cat_proc_net_") and name.rsplit("_", 1)[1] in ("tcp.txt", "udp.txt", "raw.txt"):
            return HEX.sub(hexes, text)
        return map_tokens(text, dotted) if not name.startswith("proc_pid") else dotted(text)

    box.each(change)
    box.wan_ip, box.lan_ip, box.lan_hosts = dotted(box.wan_ip), dotted(box.lan_ip), [dotted(h) for h in box.lan_hosts]
    run.expected = [{k: dotted(v) if isinstance(v, str) else v for k, v in e.items()} for e in run.expected]
    for targets in (run.targets, *run.honest.values()):
        targets.peers = {dotted(p) for p in targets.peers}
        targets.rules = {dotted(r) for r in targets.rules}
        targets.jobs = {dotted(r) for r in targets.jobs}
    _rename_ports_of_router(run, rng)


def _hex_map(text: str, prefixes: dict[str, str]) -> str:
    if not re.fullmatch(r"[0-9A-F]{8}", text):
        return text
    a, b, c, d = (int(text[n : n + 2], 16) for n in (6, 4, 2, 0))
    new = prefixes.get(f"{a}.{b}.{c}")
    return f"{d:02X}" + "".join(f"{int(p):02X}" for p in reversed(new.split("."))) if new else text


def _rename_ports_of_router(run: Run, rng: random.Random) -> None:
    box = run.box
    names = {"wan_if": ["eth1", "pppoe-wan", "eth0.2", "vlan2", "wan0"], "lan_if": ["br0", "br-home", "lan", "bridge0"]}
    for attribute, choices in names.items():
        old = getattr(box, attribute)
        new = rng.choice([c for c in choices if c not in box.files["ip_addr.txt"]])
        box.replace_word(old, new, [*NET_FILES, WALK, PS, "uci_show.txt", "cat_proc_net_packet.txt"])
        for targets in (run.targets, *run.honest.values()):
            targets.rules = {re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", new, r) for r in targets.rules}
        setattr(box, attribute, new)


# -- mess ----------------------------------------------------------------------------------------------


def mess(run: Run, rng: random.Random, amount: int | None = None) -> None:
    """Add what an owner added: programs, jobs, keys, VPNs."""
    offered = [s for s in load("honest.yaml") if not _clash(run.box, s)]
    for situation in rng.sample(offered, amount or rng.randrange(4, 8)):
        if _clash(run.box, situation):
            continue
        if situation.get("keys"):
            declare_keys(run)
        targets, declared = apply(run.box, situation, random.Random(rng.randrange(1 << 30)))
        run.expected = [*run.expected, *[_typed(d) for d in declared]]
        run.honest[situation["id"]] = targets


def declare_keys(run: Run) -> None:
    """An owner who names one key names all that are theirs."""
    comments = [line.split(None, 2)[2] for line in run.box.files[KEYS].splitlines() if line.startswith("ssh-")]
    run.expected = [*run.expected, *({"kind": "ssh-key", "comment": c} for c in comments if c not in run.targets.keys)]


def _typed(entry: dict[str, Any]) -> dict[str, Any]:
    return {k: int(v) if k in ("port", "to_port") else v for k, v in entry.items()}


def _clash(box: Box, situation: dict[str, Any]) -> bool:
    """Whether a port, an interface or a program of the situation is taken."""
    taken = set(re.findall(r"(?m)^(?:tcp|udp) .*?(:\d+) +\S+:\*", box.files["netstat_-tulpn.txt"]))
    wanted = {m for s in situation.get("sockets", []) if not s.get("remote") for m in re.findall(r":\d+$", s["local"])}
    names = [i["name"] for i in situation.get("interfaces", [])]
    exes = {p.exe.removesuffix(" (deleted)") for p in box.processes().values()} - {"/bin/busybox", "/usr/sbin/dropbear"}
    mine = {p["exe"].removesuffix(" (deleted)") for p in situation.get("processes", [])}
    listed = any(f" {f['path']}\n" in box.files[FIND] for f in situation.get("files", []))
    return bool(taken & wanted) or any(f" {n}:" in box.files["ip_addr.txt"] for n in names) or bool(exes & mine) or listed


def open_policy(box: Box) -> None:
    """The firewall lets everything in."""
    box.files[IPT] = box.files[IPT].replace(":INPUT DROP", ":INPUT ACCEPT")
    box.files[NFT] = box.files[NFT].replace("hook input priority filter; policy drop", "hook input priority filter; policy accept")
