"""One evidence folder that can be changed so that all its outputs still tell one story.

A process is a row of ps, a block of the /proc listing and a digest; a socket is a row of netstat
(twice), ss and /proc/net, and of conntrack when it is connected; a file is a row of find and ls.
Whoever adds or renames something through Box changes all of them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PS, WALK, MD5 = "ps_w.txt", "proc_pid_listing.txt", "md5sum_proc_exe.txt"
LISTENING, ALL, SS = "netstat_-tulpn.txt", "netstat_-anp.txt", "ss_-tunap.txt"
FIND = "find_tmp_var_root_etc_-xdev_-type_f_-exec_ls_-la.txt"
LS = {"/tmp": "ls_-la_tmp.txt", "/var/run": "ls_-la_var_run.txt"}
INIT_LS = "ls_-la_root_etc_init.d.txt"
CRON, RC, KEYS, PASSWD = "cat_etc_crontabs_root.txt", "cat_etc_rc.local.txt", "cat_etc_dropbear_authorized_keys.txt", "cat_etc_passwd.txt"
IPT, NFT, UCI = "iptables-save.txt", "nft_list_ruleset.txt", "uci_show.txt"
NET_FILES = ("ip_addr.txt", "ip_-s_link.txt", "ip_route.txt", "ip_route_show_table_all.txt", "ip_rule.txt", "ip_neigh.txt",
             "netstat_-rn.txt", "cat_proc_net_arp.txt", "cat_proc_net_dev.txt", "cat_proc_net_route.txt", IPT, NFT, SS)  # fmt: skip
STATES = {"LISTEN": ("0A", "LISTEN"), "ESTABLISHED": ("01", "ESTAB"), "TIME_WAIT": ("06", "TIME-WAIT"), "": ("07", "UNCONN")}
PAD = re.compile(r"(\S+)( *)")


@dataclass
class Process:
    """What the outputs say of one process."""

    pid: int
    ppid: int
    comm: str
    exe: str
    argv: list[str]


@dataclass
class Targets:
    """The things of one story by which a finding can name it."""

    pids: set[int] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    ports: set[tuple[str, int]] = field(default_factory=set)
    interfaces: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    peers: set[str] = field(default_factory=set)

    def add(self, other: Targets) -> None:
        for name, values in vars(other).items():
            getattr(self, name).update(values)


@dataclass
class Box:
    """An evidence folder in memory. `files` holds the outputs, `index` what command made each."""

    name: str
    files: dict[str, str]
    index: dict[str, dict[str, Any]]
    wan_if: str
    wan_ip: str
    lan_if: str
    lan_ip: str
    lan_hosts: list[str]
    nft: bool
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    inode: int = 880000

    @classmethod
    def load(cls, folder: Path, name: str, router: dict[str, Any], lan_hosts: Iterable[str]) -> Box:
        index = json.loads((folder / "index.json").read_text())
        there = [f for f in index if (folder / f).is_file()]
        files = dict.fromkeys((WALK, PS, FIND, IPT, NFT, KEYS), "")
        files |= {f: (folder / f).read_text(encoding="utf-8", errors="surrogateescape") for f in there}
        return cls(name, files, index, router["wan_if"], router["wan_ip"], router["lan_if"], router["lan_ip"],
                   list(lan_hosts), router["firewall"] == "nft")  # fmt: skip

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            if name in self.index:
                (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
        (folder / "index.json").write_text(json.dumps(self.index, indent=1))

    # -- reading ---------------------------------------------------------------------------------

    @property
    def stamp(self) -> str:
        """The time column of ls for things that were there at boot."""
        return re.search(r"[A-Z][a-z]{2} +\d+ \d\d:\d\d", self.files[INIT_LS]).group()  # type: ignore[union-attr]

    @property
    def own_pid(self) -> int:
        """The pid of the ps that printed the list: nothing that ps shows is younger."""
        return int(re.findall(r"^ *(\d+) \S+ .*\bps w$", self.files[PS], re.M)[-1])

    def blocks(self) -> dict[int, str]:
        """pid -> its part of the /proc listing, headings included."""
        parts = re.split(r"(?m)^(?=### /proc/\d+/exe$)", self.files[WALK])
        return {int(m.group(1)): p for p in parts if (m := re.match(r"### /proc/(\d+)/exe", p))}

    def processes(self) -> dict[int, Process]:
        found = {}
        for pid, text in self.blocks().items():
            exe = re.search(r"/exe -> (.*)", text)
            argv = re.search(r"/cmdline\n(.*)", text)
            ppid = re.search(r"^PPid:\s*(\d+)", text, re.M)
            comm = re.search(r"/comm\n(.*)", text)
            found[pid] = Process(pid, int(ppid.group(1)) if ppid else 0, comm.group(1) if comm else "",
                                 exe.group(1) if exe else "", [a for a in (argv.group(1) if argv else "").split("|") if a])  # fmt: skip
        return found

    def pid_of(self, name: str) -> int:
        return next((p.pid for p in self.processes().values() if p.comm == name and p.exe), 1)

    def ports_in_use(self) -> set[int]:
        return {int(p) for p in re.findall(r":(\d+)\s", self.files[ALL])}

    # -- rewriting everywhere ----------------------------------------------------------------------

    def each(self, change: Callable[[str, str], str], names: Iterable[str] | None = None) -> None:
        for name in list(self.files) if names is None else [n for n in names if n in self.files]:
            self.files[name] = change(name, self.files[name])

    def replace_path(self, old: str, new: str) -> None:
        """Rename a path in every output; rows of listings go or come as the new place asks."""
        pattern = re.compile(r"(?<![\w./-])" + re.escape(old) + r"(?![\w.-])")
        for name in self.files:
            if name not in (FIND, *LS.values()):
                self.files[name] = pattern.sub(lambda _: new, self.files[name])
        had = self.remove_file(old)
        if had and _listed(new):
            self.add_file(new, had.split()[0], int(had.split()[4]))

    def replace_word(self, old: str, new: str, names: Iterable[str] | None = None) -> None:
        pattern = re.compile(r"(?<![\w.@-])" + re.escape(old) + r"(?![\w@-])")
        self.each(lambda _, t: map_tokens(t, lambda token: pattern.sub(lambda _: new, token)), names)

    # -- processes ---------------------------------------------------------------------------------

    def free_pid(self) -> int:
        taken = set(self.processes())
        return self.rng.choice([p for p in range(300, self.own_pid) if p not in taken])

    def add_process(self, argv: list[str], exe: str, *, comm: str | None = None, ppid: int = 1, username: str = "root",
                    state: str = "S", vsz: int | None = None, env: dict[str, str] | None = None, fds: Iterable[str] = (),
                    maps: Iterable[str] = (), in_ps: bool = True, cwd: str = "/", pid: int | None = None) -> int:  # fmt: skip
        """Add a process everywhere it would show; return its pid."""
        pid = pid or self.free_pid()
        comm = (comm if comm is not None else argv[0].rsplit("/", 1)[-1])[:15]
        size = vsz if vsz is not None else (0 if state == "Z" else self.rng.randrange(1100, 9000))
        if in_ps:
            self._insert_ps(pid, f"{pid:5d} {username:<8} {size:5d} {state:<4} {self._ps_command(argv, comm, exe, state)}")
        uid = {"root": 0, "nobody": 65534, "dnsmasq": 453}.get(username, 1000)
        exe_line = f"lrwxrwxrwx    1 root     root             0 {self.stamp} /proc/{pid}/exe -> {exe}"
        real = bool(exe) and state != "Z"
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})} if real else {}
        mapped = exe.removesuffix(" (deleted)")
        rows = [f"00400000-00421000 r-xp 00000000 1f:02 {pid + 300}                              {exe}",
                f"00421000-00424000 rw-p 00021000 1f:02 {pid + 300}                              {exe}",
                "00a11000-00a32000 rw-p 00000000 00:00 0                                  [heap]"]  # fmt: skip
        for n, lib in enumerate([*maps, "/lib/x86_64-linux-gnu/libc.so.6"] if mapped != "/bin/busybox" else maps):
            rows.append(f"7f51{n:02x}000000-7f51{n:02x}025000 r-xp 00000000 1f:02 {900 + n}                              {lib}")
        self._insert_block(pid, "\n".join([
            f"### /proc/{pid}/exe", exe_line if real else f"ls: /proc/{pid}/exe: cannot read link: No such file or directory",
            f"### /proc/{pid}/cwd", f"lrwxrwxrwx    1 root     root             0 {self.stamp} /proc/{pid}/cwd -> {cwd}",
            f"### /proc/{pid}/cmdline", "|".join([*argv, ""]) if real and argv else "",
            f"### /proc/{pid}/comm", comm, f"### /proc/{pid}/status", f"Name:\t{comm}", "Umask:\t0022",
            f"State:\t{state[0]} ({'zombie' if state == 'Z' else 'sleeping'})",
            f"Tgid:\t{pid}", "Ngid:\t0", f"Pid:\t{pid}", f"PPid:\t{ppid}",
            "TracerPid:\t0", "Uid:" + f"\t{uid}" * 4, "Gid:" + f"\t{uid}" * 4, "FDSize:\t64", f"VmSize:\t{size:8d} kB", "Threads:\t1",
            f"### /proc/{pid}/environ", *(f"{k}={v}" for k, v in variables.items()),
            f"### /proc/{pid}/fd", f"### /proc/{pid}/maps", *(rows if real else []), ""]))  # fmt: skip
        for n, target in enumerate(["/dev/null"] * 3 + list(fds) if real else []):
            self.add_fd(pid, target, n)
        if real:
            self._insert_md5(pid, exe)
        return pid

    def _ps_command(self, argv: list[str], comm: str, exe: str, state: str) -> str:
        if state == "Z" or not exe:
            return f"[{comm}]"
        if not argv:
            return f"{{{comm}}} "
        shown = " ".join(argv)
        base = argv[0].lstrip("-").rsplit("/", 1)[-1]
        return (shown if base.startswith(comm) else f"{{{comm}}} {shown}")[:110]

    def _insert_ps(self, pid: int, row: str) -> None:
        lines = self.files[PS].split("\n")
        place = next((n for n, line in enumerate(lines[1:], 1) if not line.strip() or int(line.split()[0]) > pid), len(lines))
        lines.insert(place, row)
        self.files[PS] = "\n".join(lines)

    def _insert_block(self, pid: int, block: str) -> None:
        blocks = self.blocks()
        after = min((p for p in blocks if p > pid), default=None)
        text = self.files[WALK]
        place = text.index(f"### /proc/{after}/exe\n") if after else len(text)
        self.files[WALK] = text[:place] + block + text[place:]

    def _insert_md5(self, pid: int, exe: str) -> None:
        known = {p.exe: p.pid for p in self.processes().values() if p.exe and p.pid != pid}
        lines = self.files[MD5].splitlines()
        same = next((line.split()[0] for line in lines if exe in known and line.endswith(f"/proc/{known[exe]}/exe")), None)
        lines.append(f"{same or hashlib.md5(exe.encode()).hexdigest()}  /proc/{pid}/exe")
        lines.sort(key=lambda line: (str(line.split("/")[2])) if line.count("/") > 2 else "")
        self.files[MD5] = "\n".join(lines) + "\n"

    def edit_block(self, pid: int, change: Callable[[str], str]) -> None:
        old = self.blocks()[pid]
        self.files[WALK] = self.files[WALK].replace(old, change(old))

    def add_fd(self, pid: int, target: str, number: int | None = None) -> int:
        """Add an open file to a process; return its number."""
        text = self.blocks().get(pid, "")
        used = [int(n) for n in re.findall(r"\d\d:\d\d (\d+) -> ", text)]
        number = number if number is not None else max(used, default=2) + 1
        row = f"lrwx------    1 root     root            64 {self.stamp} {number} -> {target}\n"
        self.edit_block(pid, lambda t: t.replace(f"### /proc/{pid}/maps\n", row + f"### /proc/{pid}/maps\n", 1))
        return number

    def set_process(self, pid: int, *, exe: str | None = None, comm: str | None = None, argv: list[str] | None = None) -> None:
        """Give a process another executable, name or arguments in every output."""
        old = self.processes()[pid]
        new = Process(pid, old.ppid, old.comm if comm is None else comm[:15], exe or old.exe, old.argv if argv is None else argv)

        def block(text: str) -> str:
            text = text.replace(f"/exe -> {old.exe}\n", f"/exe -> {new.exe}\n", 1)
            text = re.sub(re.escape(old.exe) + "$", lambda _: new.exe, text, flags=re.M)
            text = text.replace(f"### /proc/{pid}/comm\n{old.comm}\n", f"### /proc/{pid}/comm\n{new.comm}\n", 1)
            text = text.replace(f"Name:\t{old.comm}\n", f"Name:\t{new.comm}\n", 1)
            if argv is not None:
                text = re.sub(rf"(### /proc/{pid}/cmdline\n).*", lambda m: m.group(1) + "".join(a + "|" for a in argv), text, count=1)
            return text

        self.edit_block(pid, block)
        command = self._ps_command(new.argv, new.comm, new.exe, "S")
        self.files[PS] = re.sub(rf"(?m)^( *{pid} \S+ +\S+ \S+ +(?:<|N|L)* *).*$", lambda m: m.group(1) + command, self.files[PS])
        shown = program_name(new.argv)
        for name in (LISTENING, ALL):
            self.files[name] = re.sub(rf"(?m)( ){pid}/\S*", lambda m: f"{m.group(1)}{pid}/{shown}", self.files[name])
        self.files[SS] = re.sub(rf'\("[^"]*",pid={pid},', lambda _: f'("{new.comm}",pid={pid},', self.files[SS])

    # -- sockets -----------------------------------------------------------------------------------

    def add_socket(self, pid: int | None, proto: str, local: tuple[str, int], remote: tuple[str, int] | None = None,
                   state: str | None = None, *, views: Iterable[str] = ("netstat", "ss", "proc")) -> None:  # fmt: skip
        """Add a socket to the views; `pid` None is a socket of the kernel."""
        state = state if state is not None else ("ESTABLISHED" if remote else "LISTEN" if proto == "tcp" else "")
        six = ":" in local[0]
        far = remote or ("::" if six else "0.0.0.0", 0)
        self.inode += self.rng.randrange(1, 90)
        process = self.processes().get(pid) if pid else None
        fd = self.add_fd(pid, f"socket:[{self.inode}]") if process and pid else 0
        if "netstat" in views:
            far_text = f"{far[0]}:{far[1] or '*'}"
            owner = f"{pid}/{program_name(process.argv)}" if process else "-"
            row = f"{proto:<3}        0      0 {local[0]}:{local[1]:<{max(1, 22 - len(local[0]))}} {far_text:<23} {state:<11} {owner}"
            for name in (ALL, LISTENING) if state in ("LISTEN", "") else (ALL,):
                self.files[name] = self._netstat_insert(self.files[name], proto, row)
        if "ss" in views:
            shown = (f"[{local[0]}]" if six else local[0], f"[{far[0]}]" if six else far[0])
            users = f'users:(("{process.comm}",pid={pid},fd={fd}))' if process else ""
            row = f"{proto:<5} {STATES[state][1]:<9} 0      0 {shown[0]:>19}:{local[1]:<6} {shown[1]:>15}:{far[1] or '*':<6} {users}"
            self.files[SS] = self.files[SS].rstrip("\n") + "\n" + row + "\n"
        if "proc" in views:
            self._proc_net(proto + ("6" if six else ""), local, far, STATES[state][0])
        if remote and state == "ESTABLISHED" and not six:
            self._conntrack(proto, local, remote)

    @staticmethod
    def _netstat_insert(text: str, proto: str, row: str) -> str:
        lines = text.split("\n")
        last = max((n for n, line in enumerate(lines) if line.startswith(proto[:3])), default=1)
        lines.insert(last + 1, row)
        return "\n".join(lines)

    def _proc_net(self, kind: str, local: tuple[str, int], far: tuple[str, int], state: str) -> None:
        name = f"cat_proc_net_{kind}.txt"
        if name not in self.files:
            return
        slot = self.files[name].count("\n")
        tail = " 2 00000000bcfe0b40 0" if not kind.startswith("tcp") else " 1 00000000d489e503 100 0 0 10 0"
        row = (f"{slot:4d}: {hexed(local[0])}:{local[1]:04X} {hexed(far[0])}:{far[1]:04X} {state} 00000000:00000000 00:00000000 00000000"
               f"     0        0 {self.inode}{tail}\n")  # fmt: skip
        self.files[name] = self.files[name].rstrip("\n") + "\n" + row

    def _conntrack(self, proto: str, local: tuple[str, int], remote: tuple[str, int]) -> None:
        inbound = local[1] < 32768 or local[1] in {p for _, p in self._listeners()}
        a, b = (remote, local) if inbound else (local, remote)
        number, state = ("6", " ESTABLISHED") if proto == "tcp" else ("17", "")
        pair = (f"src={a[0]} dst={b[0]} sport={a[1]} dport={b[1]} packets=21 bytes=4211 "
                f"src={b[0]} dst={a[0]} sport={b[1]} dport={a[1]} packets=19 bytes=6120 [ASSURED] mark=0 ")  # fmt: skip
        self.files["conntrack_-L.txt"] += f"{proto}      {number} 7429{state} {pair}use=1\n"
        self.files["cat_proc_net_nf_conntrack.txt"] += f"ipv4     2 {proto}      {number} 7429{state} {pair}zone=0 use=2\n"

    def _listeners(self) -> set[tuple[str, int]]:
        return {(m[0], int(m[1])) for m in re.findall(r"(?m)^(tcp|udp) .*?:(\d+) +\S+:\*", self.files[LISTENING])}

    # -- files, jobs, settings -----------------------------------------------------------------------

    def add_file(self, path: str, mode: str = "-rw-r--r--", size: int = 900, when: str | None = None) -> None:
        """Add a file to the listings that would show it."""
        row = f"{mode}    1 root     root     {size:9d} {when or self.stamp} "
        if _listed(path):
            self.files[FIND] = self.files[FIND].rstrip("\n") + f"\n{row}{path}\n"
        folder, _, name = path.rpartition("/")
        for listed, output in LS.items():
            if folder == listed:
                self.append(output, row + name)
            elif path.startswith(listed + "/"):
                first = path.removeprefix(listed + "/").partition("/")[0]
                if not re.search(rf"(?m) {re.escape(first)}$", self.files[output]):
                    self.append(output, f"drwxr-xr-x    2 root     root            60 {when or self.stamp} {first}")
        if folder == "/etc/init.d":
            self.files[INIT_LS] = re.sub(r"(?m)^(-.* rcS)$", lambda m: m.group(1) + f"\n{row}{name}", self.files[INIT_LS], count=1)

    def remove_file(self, path: str) -> str | None:
        """Take a file out of the listings; return its row, or None when it was not listed."""
        found = re.search(rf"(?m)^.* {re.escape(path)}\n", self.files[FIND])
        self.files[FIND] = self.files[FIND].replace(found.group(), "") if found else self.files[FIND]
        for listed, output in LS.items():
            rest = path[len(listed) + 1 :] if path.startswith(listed + "/") else ""
            first = rest.split("/")[0]
            if rest and ("/" not in rest or f" {listed}/{first}/" not in self.files[FIND]):
                self.files[output] = re.sub(rf"(?m)^.* {re.escape(first)}\n", "", self.files[output])
        return found.group().strip() if found else None

    def append(self, name: str, line: str) -> None:
        self.files[name] = self.files[name].rstrip("\n") + "\n" + line + "\n"

    def add_output(self, name: str, command: str, text: str) -> None:
        self.files[name] = text
        when = next(iter(self.index.values()))["time"]
        self.index[name] = {"command": command, "rc": 0, "time": when}

    # -- network -------------------------------------------------------------------------------------

    def add_interface(self, name: str, address: str | None, *, link: str = "none", flags: str = "POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP",
                      mtu: int = 1420, mac: str = "") -> None:  # fmt: skip
        number = max(int(n) for n in re.findall(r"(?m)^(\d+): ", self.files["ip_addr.txt"])) + 1
        head = f"{number}: {name}: <{flags}> mtu {mtu} qdisc noqueue state UNKNOWN"
        ether = f"    link/{link} {mac}{' brd ff:ff:ff:ff:ff:ff' if mac else ''}\n"
        inet = f"    inet {address} scope global {name}\n       valid_lft forever preferred_lft forever\n" if address else ""
        self.files["ip_addr.txt"] += f"{head} group default qlen 500\n{ether}{inet}"
        self.files["ip_-s_link.txt"] += (
            f"{head} mode DEFAULT group default qlen 500\n{ether}    RX:  bytes packets errors dropped  missed   mcast           \n"
            "         90223     701       0       0       0       0 \n    TX:  bytes packets errors dropped carrier collsns           \n"
            "        120034     788       0       0       0       0 \n"
        )
        counters = "   90223     701    0    0    0     0          0         0   120034     788    0    0    0     0       0          0"
        self.append("cat_proc_net_dev.txt", f"{name:>6}:{counters}")
        if address and not address.endswith("/32") and ":" not in address:
            self.add_route(ipaddress.ip_interface(address).network, name, address.split("/")[0])

    def add_route(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network, name: str, source: str) -> None:
        row = f"{network} dev {name} proto kernel scope link src {source} "
        for output in ("ip_route.txt", "ip_route_show_table_all.txt"):
            first, _, rest = self.files[output].partition("\n")
            self.files[output] = f"{first}\n{row}\n{rest}"
        place = f"{network.network_address!s:<15} 0.0.0.0         {network.netmask!s:<15}"
        self.append("netstat_-rn.txt", f"{place} U         0 0          0 {name}")
        zero = f"{name}\t{hexed(str(network.network_address))}\t00000000\t0001\t0\t0\t0\t{hexed(str(network.netmask))}\t0\t0\t0"
        self.append("cat_proc_net_route.txt", zero)

    def add_rule(self, table: str, chain: str, ipt: str | None, nft: str | None, first: bool = True) -> None:
        """Add a firewall rule; chains that do not exist are made. `nft` is the text inside the chain."""
        if self.nft and nft is not None:
            chain = {"INPUT": "input", "FORWARD": "forward", "PREROUTING": "dstnat", "POSTROUTING": "srcnat"}.get(chain, chain)
            if table == "mangle":
                chain = "mangle_prerouting"
            if f"\tchain {chain} {{" not in self.files[NFT]:
                hook = "\t\ttype filter hook prerouting priority mangle; policy accept;\n" if chain == "mangle_prerouting" else ""
                body = self.files[NFT].rstrip("\n").removesuffix("}")
                self.files[NFT] = f"{body}\n\tchain {chain} {{\n{hook}\t}}\n}}\n"
            head = re.compile(rf"(\tchain {chain} {{\n(?:\t\ttype [^\n]*\n)?)")
            self.files[NFT] = head.sub(lambda m: m.group(1) + f"\t\t{nft}\n", self.files[NFT], count=1)
        elif not self.nft and ipt is not None:
            self._add_iptables(table, chain, ipt, first)

    def _add_iptables(self, table: str, chain: str, rule: str, first: bool) -> None:
        text = self.files[IPT]
        if f"*{table}\n" not in text:
            base = {"mangle": "PREROUTING INPUT FORWARD OUTPUT POSTROUTING", "raw": "PREROUTING OUTPUT"}[table].split()
            text += f"*{table}\n" + "".join(f":{c} ACCEPT [0:0]\n" for c in base) + "COMMIT\n"
        start = text.index(f"*{table}\n")
        end = text.index("COMMIT", start)
        lines = text[start:end].splitlines()
        if not any(line.startswith(f":{chain} ") for line in lines):
            last = max(n for n, line in enumerate(lines) if line[0] in "*:")
            lines.insert(last + 1, f":{chain} - [0:0]")
        rules = [n for n, line in enumerate(lines) if line.startswith(f"-A {chain} ")]
        place = rules[0] if rules and first else rules[-1] + 1 if rules else len(lines)
        lines.insert(place, f"-A {chain} {rule}")
        self.files[IPT] = text[:start] + "\n".join(lines) + "\n" + text[end:]


def _listed(path: str) -> bool:
    return path.startswith(("/tmp/", "/var/", "/root/", "/etc/"))


def program_name(argv: list[str]) -> str:
    """What netstat prints behind the pid: the last part of the first argument."""
    return argv[0].rsplit("/", 1)[-1][:19] if argv else ""


def hexed(ip: str) -> str:
    """An address as /proc/net prints it on a little-endian device."""
    packed = ipaddress.ip_address(ip).packed
    return "".join(packed[n : n + 4][::-1].hex().upper() for n in range(0, len(packed), 4))


def map_tokens(text: str, change: Callable[[str], str]) -> str:
    """Change the words of a text; columns stay where they were when there is room."""

    def one(match: re.Match[str]) -> str:
        old, spaces = match.groups()
        new = change(old)
        if new == old or len(spaces) < 2:
            return new + spaces
        return new + " " * max(1, len(spaces) + len(old) - len(new))

    return PAD.sub(one, text)
