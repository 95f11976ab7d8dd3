"""Our connections of public captures against tshark, Zeek, nDPI and Arkime; prints the table of docs/traffic-peers.md.

    python benchmarks/peers.py [--list]

tshark is run on each capture: its fields of each packet are summed up here, outermost addresses only. The others' results lie
beside the captures. `equal as tshark` is how often those sums would have agreed: the measure for ours.
Without the corpus there is nothing to compare. `--list` also prints each row that differs.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from devicehunt.flows import containers, fast, table  # noqa: E402
from devicehunt.flows.records import Chunk  # noqa: E402
from tests.samples import CORPUS  # noqa: E402

MAGICS = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x34\xcd\xb2\xa1", b"\x0a\x0d\x0d\x0a")
FIELDS = ["frame.number", "frame.len", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.proto", "ipv6.nxt"]
FIELDS += [f"{proto}.{side}port" for proto in ("tcp", "udp", "sctp", "dccp") for side in ("src", "dst")]
FIELDS += ["icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code", "ip.id", "ip.frag_offset", "ip.flags.mf", "ipv6.fraghdr.offset"]
FIELDS += ["ipv6.fraghdr.ident", "ipv6.fraghdr.nxt", "ipv6.fraghdr.more", "ah.next_header"]
PORTED = {6: "tcp", 17: "udp", 132: "sctp", 33: "dccp", 136: "udp"}
EXTENSIONS = {0, 43, 44, 60, 135, 51}
REPLIES = {1: {0: 8, 14: 13, 16: 15, 18: 17}, 58: {129: 128, 140: 139}}

End = tuple[str, int]
Key = tuple[int, End, End]
Sums = list[int]  # packets and bytes from the first end, from the second


def key_of(proto: int, one: End, other: End) -> tuple[Key, int]:
    """Both ends in an order of their own, and which of them `one` is."""
    return ((proto, one, other), 0) if one <= other else ((proto, other, one), 1)


def ours(path: Path) -> tuple[dict[Key, Sums], dict[Key, Sums]]:
    """Our connections: the outer ones, and those inside tunnels. Of several interfaces or again by VLAN: together."""
    flows, decoder = table.FlowTable(), fast.Decoder()
    for part in containers.read(path):
        if isinstance(part, Chunk):
            for block in decoder.blocks(part):
                flows.add(block)
    found = flows.connections()
    columns = {name: column.tolist() for name, column in {**found, **table.texts(found), "proto": found["proto"]}.items()}
    outer, inner = defaultdict[Key, Sums](lambda: [0] * 4), defaultdict[Key, Sums](lambda: [0] * 4)
    for i in range(len(columns["line"])):
        ends = (columns["orig_ip"][i], columns["orig_port"][i]), (columns["resp_ip"][i], columns["resp_port"][i])
        key, turn = key_of(columns["proto"][i], *ends)
        sums = (inner if columns["depth"][i] else outer)[key]
        for side, at in (("orig", turn), ("resp", 1 - turn)):
            sums[2 * at] += columns[f"{side}_packets"][i]
            sums[2 * at + 1] += columns[f"{side}_bytes"][i]
    return dict(outer), dict(inner)


def by_tshark(path: Path) -> dict[Key, Sums]:
    """The outermost addresses of each packet by tshark, summed up. A later fragment has the ports of its first."""
    options = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
    command = ["tshark", "-n", "-r", str(path), *options, *(x for f in FIELDS for x in ("-e", f))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    if "aren't valid" in done.stderr:
        raise RuntimeError(f"tshark of another version: {done.stderr}")
    sums = defaultdict[Key, Sums](lambda: [0] * 4)
    first: dict[tuple[str, ...], End] = {}
    for line in done.stdout.splitlines():
        values = line.split("|")
        if len(values) == len(FIELDS) and (found := _outer(dict(zip(FIELDS, values, strict=True)), first)):
            key, turn = key_of(*found[:3])
            sums[key][2 * turn] += 1
            sums[key][2 * turn + 1] += found[3]
    return dict(sums)


def _outer(v: dict[str, str], first: dict[tuple[str, ...], End]) -> tuple[int, End, End, int] | None:
    """Protocol, both ends and bytes of a packet; None: no addresses."""
    layers = v["frame.protocols"].split(":")
    version = next((name for name in layers if name in ("ip", "ipv6")), "")
    if not version or not v[f"{version}.src"] or not v[f"{version}.dst"]:
        return None
    src, dst = (str(ip_address(v[f"{version}.{side}"])) for side in ("src", "dst"))
    proto = _number(v["ip.proto"] if version == "ip" else v["ipv6.nxt"])
    for name in ("ipv6.fraghdr.nxt", "ah.next_header"):  # what stands behind the extension headers
        if proto in EXTENSIONS and v[name]:
            proto = _number(v[name])
    if proto in EXTENSIONS - {51}:
        above = layers[layers.index(version) + 1 :]
        known = {"tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132, "ospf": 89, "pim": 103}
        proto = next((known[name] for name in above if name in known), proto)
    offset, more = (
        v["ip.frag_offset" if version == "ip" else "ipv6.fraghdr.offset"],
        v["ip.flags.mf" if version == "ip" else "ipv6.fraghdr.more"],
    )
    mark = (src, dst, v["ip.id"] if version == "ip" else v["ipv6.fraghdr.ident"], str(proto))
    if _number(offset):
        ports = first.get(mark, (0, 0))
    else:
        ports = _ports(v, proto, layers[layers.index(version) + 1 :])
        if more in ("1", "True"):
            first[mark] = ports
    return proto, (src, int(ports[0])), (dst, int(ports[1])), int(v["frame.len"])


def _ports(v: dict[str, str], proto: int, above: list[str]) -> tuple[int, int]:
    if proto in PORTED:
        name = PORTED[proto]
        return (_number(v[f"{name}.srcport"]), _number(v[f"{name}.dstport"])) if name in above or "udplite" in above else (0, 0)
    if proto not in REPLIES:
        return 0, 0
    name = "icmp" if proto == 1 else "icmpv6"
    kind, code = _number(v[f"{name}.type"]), _number(v[f"{name}.code"])
    return (0, REPLIES[proto][kind]) if kind in REPLIES[proto] and not code else (kind, code)


def _number(value: str) -> int:
    return {"True": 1, "False": 0}[value] if value in ("True", "False") else int(value, 0) if value else 0


@dataclass
class Tally:
    """How many rows of a peer are as ours, and as tshark's sums; why the others are not."""

    all: int = 0
    equal: int = 0
    tshark: int = 0
    files: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    rows: list[str] = field(default_factory=list)

    def add(self, name: str, key: Key, *, want: Any, have: Any, theirs: Any, cause: str) -> None:
        """One row of the peer, ours and what tshark's sums say of it."""
        self.all += 1
        self.equal += want == have
        self.tshark += want == theirs
        if want != have:
            self.causes[cause] += 1
            self.rows.append(f"{name} {key}: peer {want}, we {have}, tshark {theirs}: {cause}")


def zeek(path: Path) -> Iterator[tuple[str, Key, list[int]]]:
    """Connections of each conn.log beside a capture: packets and bytes of IP; one key that comes again is summed up."""
    for log in sorted(Path(f"{path}.expected").glob("*conn.log")):
        rows: dict[Key, list[int]] = {}
        names: list[str] = []
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("#fields"):
                names = line.split("\t")[1:]
                continue
            values = dict(zip(names, line.split("\t"), strict=False))
            if line.startswith("#") or "orig_pkts" not in values or values.get("tunnel_parents", "-") not in ("-", "(empty)"):
                continue
            try:
                proto = int(values.get("ip_proto") or {"tcp": 6, "udp": 17, "icmp": 1}[values["proto"]])
                ends = [(str(ip_address(values[f"id.{s}_h"])), int(values[f"id.{s}_p"])) for s in ("orig", "resp")]
                counts = [int(values[f"{s}_{n}"]) for s in ("orig", "resp") for n in ("pkts", "ip_bytes")]
            except (KeyError, ValueError):
                continue
            key, turn = key_of(proto, *ends)
            old = rows.get(key, [0] * 4)
            rows[key] = [a + b for a, b in zip(old, counts[2:] + counts[:2] if turn else counts, strict=True)]
        for key, counts in rows.items():
            yield log.name, key, counts


_NDPI = re.compile(r"\t\d+\t(TCP|UDP) (\S+):(\d+) (?:<->|->) (\S+):(\d+) .*?\[(\d+) pkts/(\d+) bytes (?:<->|->) (\d+) pkts/(\d+) bytes\]")


def ndpi(path: Path) -> Iterator[tuple[str, Key, list[int]]]:
    """Flows of nDPI's result beside a capture: packets and bytes of frames."""
    result = Path(f"{path}.out")
    rows: dict[Key, list[int]] = {}
    for line in result.read_text(errors="replace").splitlines() if result.exists() else ():
        if match := _NDPI.match(line):
            ends = ((str(ip_address(match[a].strip("[]"))), int(match[a + 1])) for a in (2, 4))
            key, turn = key_of(6 if match[1] == "TCP" else 17, *ends)
            counts = [int(match[n]) for n in (6, 7, 8, 9)]
            rows[key] = [a + b for a, b in zip(rows.get(key, [0] * 4), counts[2:] + counts[:2] if turn else counts, strict=True)]
    for key, counts in rows.items():
        yield result.name, key, counts


def arkime(path: Path) -> Iterator[tuple[str, Key, list[int]]]:
    """Sessions of Arkime's result beside a capture: packets and bytes of frames."""
    result = path.with_suffix(".test.json")
    rows: dict[Key, list[int]] = {}
    for session in json.loads(result.read_text())["sessions3"] if result.exists() else ():
        body = session["body"]
        try:
            ends = [(str(ip_address(body[s]["ip"])), int(body[s].get("port", 0))) for s in ("source", "destination")]
            counts = [int(body[s][n]) for s in ("source", "destination") for n in ("packets", "bytes")]
            key, turn = key_of(int(body["ipProtocol"]), *ends)
        except (KeyError, ValueError):
            continue
        rows[key] = [a + b for a, b in zip(rows.get(key, [0] * 4), counts[2:] + counts[:2] if turn else counts, strict=True)]
    for key, counts in rows.items():
        yield result.name, key, counts


PEERS = {"Zeek": zeek, "nDPI": ndpi, "Arkime": arkime}


def captures() -> list[Path]:
    """The captures of the corpus that have a header of one."""
    files = [p for p in sorted((CORPUS / "pcap").rglob("*")) if p.is_file() and p.suffix in (".pcap", ".pcapng", ".trace", ".cap")]
    return [p for p in files if p.read_bytes()[:4] in MAGICS]


def compared(files: list[Path], theirs: dict[Path, dict[Key, Sums]]) -> tuple[Tally, dict[str, Tally]]:
    """All rows: tshark's sums against ours, then each peer's against both. Zeek counts IP, so only its packets are compared."""
    keys, peers = Tally(files=len(files)), {name: Tally() for name in PEERS}
    for path in files:
        outer, inner = ours(path)
        for key in theirs[path].keys() | outer.keys():
            keys.add(path.name, key, want=theirs[path].get(key), have=outer.get(key), theirs=theirs[path].get(key), cause="")
        for name, read in PEERS.items():
            rows = list(read(path))
            peers[name].files += bool(rows)
            for log, key, want in rows:
                step = 2 if name == "Zeek" else 1
                have, said = ((sums or [])[::step] for sums in (outer.get(key), theirs[path].get(key)))
                cause = (
                    "inside a tunnel" if key in inner and not have else "tshark's packets say the same as ours" if have == said else "other"
                )
                peers[name].add(log, key, want=want[::step], have=have, theirs=said, cause=cause)
    return keys, peers


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="print the rows that differ")
    given = parser.parse_args()
    files = captures()
    if not files:
        print("the captures are not here")
        return 2
    with ThreadPoolExecutor(2) as pool:
        theirs = dict(zip(files, pool.map(by_tshark, files), strict=True))
    keys, peers = compared(files, theirs)
    print("| peer | captures | rows | equal to ours | equal to tshark's packets |\n|---|---|---|---|---|")
    for name, tally in {"tshark": keys, **peers}.items():
        print(f"| {name} | {tally.files} | {tally.all:,} | {tally.equal:,} | {tally.tshark:,} |")
    for name, tally in {"tshark": keys, **peers}.items():
        print(f"\n{name}: " + ", ".join(f"{cause or 'differs'} {count}" for cause, count in tally.causes.most_common()))
        print(*(tally.rows if given.list else ()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
