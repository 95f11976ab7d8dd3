"""How well are relays found on labelled runs of real software? Prints tables, with two rules of thumb beside.

    python benchmarks/relay_lab.py --lab DIR [--vantages wan,wan+lan,evidence-E,evidence-L,netflow] [--sites right,none,wrong]

DIR holds one folder a run: truth.json, wan.pcap, lan.pcap, netflow/, conntrack/, evidence/during. Vantages:
wan: the WAN's capture alone; wan+lan: both; evidence-E: the WAN's capture and what the router printed, with the events of
connection tracking; evidence-L: the same with the one snapshot instead; netflow: an exporter's datagrams alone.
Without evidence the device's address is told (--device-ip), unless --no-device-ip. Right is a pair whose legs both are of one
labelled session, as five-tuples, whichever leg is called the inbound one. Only pairs count whose legs the vantage shows.
"""

# ruff: noqa: PLR0917 - what is asked takes the same few things everywhere, in one order
from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import lab
import relay_naive
import yaml
from relay_table import share

if TYPE_CHECKING:
    import duckdb

VANTAGES = ("wan", "wan+lan", "evidence-E", "evidence-L", "netflow")
SNAPSHOTS = ("conntrack_-L.txt", "cat_proc_net_nf_conntrack.txt")
TOLD = frozenset({"medium", "high", "critical"})
HIGH = frozenset({"high", "critical"})
SLACK_S = 2.0
Leg = tuple[str, frozenset[tuple[str, int]]]
Pair = frozenset[Leg]


@dataclass
class Said:
    """What one way of looking said of one run."""

    run: str
    kind: str
    family: str
    vantage: str
    site: str
    by: str
    pairs: set[Pair] = field(default_factory=set)
    carriers: dict[Leg, set[Leg]] = field(default_factory=dict)
    high: list[dict[str, Any]] = field(default_factory=list)
    named: bool | None = None
    true_pairs: set[Pair] = field(default_factory=set)
    true_carriers: dict[frozenset[Leg], set[Leg]] = field(default_factory=dict)
    failed: str = ""


# -- truth -------------------------------------------------------------------------------------------


def leg(proto: str, one: tuple[str, int], two: tuple[str, int]) -> Leg:
    return str(proto), frozenset(((one[0], int(one[1] or 0)), (two[0], int(two[1] or 0))))


def truth_of(facts: dict[str, Any], vantage: str) -> tuple[set[Pair], dict[frozenset[Leg], set[Leg]]]:
    """The pairs, and the carriers with what they carry, whose legs a vantage shows."""
    seen = {"wan", "lan"} if vantage == "wan+lan" else {"wan"}
    legs = {f["id"]: leg(f["proto"], (f["src"], f["sport"]), (f["dst"], f["dport"])) for f in facts["flows"] if f["iface"] in seen}
    pairs: set[Pair] = set()
    carriers: dict[frozenset[Leg], set[Leg]] = defaultdict(set)
    for p in facts["pairs"]:
        if p["relation"] == "1:1" and p["inbound"] in legs and p["outbound"] in legs:
            pairs.add(frozenset((legs[p["inbound"]], legs[p["outbound"]])))
        elif p["relation"] == "carrier:n":
            those = frozenset(legs[c] for c in p["carrier"] if c in legs)
            if those and p["outbound"] in legs:
                carriers[those].add(legs[p["outbound"]])
    return pairs, dict(carriers)


# -- asking ------------------------------------------------------------------------------------------


def sources(run: Path, vantage: str, work: Path) -> list[Path]:
    """The files that a vantage gives to the tool."""
    if vantage == "netflow":
        return [run / "netflow" / "v9" / "export.pcap"]
    if not vantage.startswith("evidence"):
        return [run / f"{name}.pcap" for name in vantage.split("+")]
    folder = work / "evidence"
    shutil.copytree(run / "evidence" / "during", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    if vantage == "evidence-E":
        index = folder / "index.json"
        for name in SNAPSHOTS:
            (folder / name).unlink(missing_ok=True)
        if index.is_file():
            listed = json.loads(index.read_text())
            index.write_text(json.dumps({k: v for k, v in listed.items() if k not in SNAPSHOTS}))
        for packed in (run / "conntrack").glob("*-E*.gz"):
            (folder / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
            if index.is_file():
                listed = json.loads(index.read_text())
                listed[packed.stem] = {**next(iter(listed.values())), "command": "conntrack -E -o timestamp"}
                index.write_text(json.dumps(listed))
    return [folder, run / "wan.pcap"]


def ask(asked: tuple[Path, str, tuple[str, ...], dict[str, Any], bool, bool]) -> list[Said]:
    """One run at one vantage, with each site file."""
    run, vantage, sites, wrong, tell_address, only_naive = asked
    facts = json.loads((run / "truth.json").read_text())
    pairs, carriers = truth_of(facts, vantage)
    found: list[Said] = []

    def said(site: str, by: str) -> Said:
        found.append(Said(facts["scenario"], facts["class"], facts["family"], vantage, site, by, true_pairs=pairs, true_carriers=carriers))
        return found[-1]

    with tempfile.TemporaryDirectory(prefix="devicehunt-relay-lab-") as name:
        try:
            _hunt(run, facts, vantage, sites, wrong, tell_address, only_naive, Path(name), said)
        except Exception as error:
            said("none", "devicehunt").failed = f"{type(error).__name__}: {error}"[:200]
    return found


def _hunt(
    run: Path,
    facts: dict[str, Any],
    vantage: str,
    sites: tuple[str, ...],
    wrong: dict[str, Any],
    tell_address: bool,
    only_naive: bool,
    work: Path,
    said: Any,
) -> None:
    from devicehunt.api import Job, Options
    from devicehunt.case import Case

    labelled = lab.read_run(run)
    given = sources(run, vantage, work)
    bodies = {"right": labelled.site(), "none": None, "wrong": wrong}
    address = (facts["router"]["wan_ip"],) if tell_address and not vantage.startswith("evidence") else ()
    for number, site in enumerate(sites):
        body, file = bodies[site], work / f"{site}.yaml"
        if body is not None:
            file.write_text(yaml.safe_dump(body))
        options = Options(device="box", site=file if body is not None else None, jobs=1, device_ip=address)
        job = Job(Case.open(work / "case"), options, lambda *_: None)
        if number == 0:
            job.take_in(given)
            job.parse()
        con = _tables(job) if only_naive else job.hunt()
        if not only_naive:
            findings = [json.loads(line) for line in (work / "case" / "findings.jsonl").read_text().splitlines()]
            judged(said(site, "devicehunt"), findings, labelled)
        if number == 0:
            for by, table in relay_naive.pairs(con).items():
                said("-", by).pairs = naive_pairs(con, table)


def _tables(job: Any) -> duckdb.DuckDBPyConnection:
    """The tables as a hunt loads them, without a hunt."""
    from devicehunt import engine

    con = engine.facts(job.case)
    engine.prepare(con, list(job.platforms.values()), None)
    return con


def naive_pairs(con: duckdb.DuckDBPyConnection, table: str) -> set[Pair]:
    rows = con.execute(f"""select distinct a.proto, a.orig_ip, a.orig_port, a.resp_ip, a.resp_port, b.proto, b.orig_ip, b.orig_port,
      b.resp_ip, b.resp_port
        from {table} p join naive_legs a on (a.exhibit, a.connection) = (p.in_exhibit, p.in_connection)
        join naive_legs b on (b.exhibit, b.connection) = (p.out_exhibit, p.out_connection)""").fetchall()
    return {frozenset((leg(r[0], r[1:3], r[3:5]), leg(r[5], r[6:8], r[8:10]))) for r in rows}


def judged(said: Said, findings: list[dict[str, Any]], labelled: Any) -> None:
    """Read pairs and carriers from the findings; and whether a high one names the implant."""
    told = [f for f in findings if f["level"] in TOLD]
    for f in told:
        for s in f["subjects"]:
            if s.get("type") == "relay-pair":
                said.pairs.add(frozenset(subject_leg(s[end]) for end in ("inbound", "outbound")))
            elif s.get("type") == "carrier":
                said.carriers[subject_leg(s)] = {subject_leg(c) for c in s.get("carried") or ()}
    said.high = [f for f in told if f["level"] in HIGH and not f["explained_by"]]
    all_true = set().union(*said.true_pairs) | {c for legs in said.true_carriers for c in legs}
    said.named = any(
        lab.names_it(s, labelled.targets)
        or (s.get("type") == "relay-pair" and subject_leg(s["inbound"]) in all_true)
        or (s.get("type") == "carrier" and subject_leg(s) in all_true)
        for f in said.high
        for s in f["subjects"]
    )


def subject_leg(s: dict[str, Any]) -> Leg:
    return leg(s["proto"], (s["orig_ip"], s.get("orig_port") or 0), (s["resp_ip"], s.get("resp_port") or 0))


# -- tables ------------------------------------------------------------------------------------------


def markdown(found: list[Said]) -> str:
    heads = [
        "vantage",
        "site file",
        "by",
        "pairs: right",
        "wrong",
        "of them in benign runs",
        "true",
        "precision",
        "recall",
        "recall without redsocks",
        "carriers",
        "false carriers",
        "carried",
        "malicious with a high that names it",
        "benign with a high",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    ways = dict.fromkeys((s.vantage, s.site, s.by) for s in found if not s.failed)
    for vantage, site, by in ways:
        lines.append(_row(vantage, site, by, [s for s in found if (s.vantage, s.site, s.by) == (vantage, site, by) and not s.failed]))
    lines += ["", *_families(found)]
    lines += [f"- failed: {s.run}, {s.vantage}: {s.failed}" for s in found if s.failed]
    return "\n".join(lines)


def _row(vantage: str, site: str, by: str, mine: list[Said]) -> str:
    right = sum(len(s.pairs & s.true_pairs) for s in mine)
    wrong = sum(len(s.pairs - s.true_pairs) for s in mine)
    benign = sum(len(s.pairs) for s in mine if s.kind == "benign")
    true = sum(len(s.true_pairs) for s in mine)
    lan = [s for s in mine if "redsocks" not in s.run]
    hijack = sum(len(s.pairs & s.true_pairs) for s in lan), sum(len(s.true_pairs) for s in lan)
    carriers = [(legs, carried, s) for s in mine for legs, carried in s.true_carriers.items()]
    got = sum(any(c in s.carriers for c in legs) for legs, _, s in carriers)
    false = sum(not any(c in legs for legs in s.true_carriers) for s in mine for c in s.carriers)
    inner = sum(len(carried & set().union(*(s.carriers.get(c, set()) for c in legs))) for legs, carried, s in carriers)
    evil, good = [s for s in mine if s.kind == "malicious"], [s for s in mine if s.kind == "benign"]
    asked = by == "devicehunt"
    cells = [
        vantage,
        site,
        by,
        str(right),
        str(wrong),
        str(benign),
        str(true),
        share(right, right + wrong),
        share(right, true),
        share(*hijack),
        f"{got} of {len(carriers)}" if asked else "-",
        str(false) if asked else "-",
        share(inner, sum(len(c) for _, c, _ in carriers)) if asked else "-",
        f"{sum(bool(s.named) for s in evil)} of {len(evil)}" if asked else "-",
        f"{sum(bool(s.high) for s in good)} of {len(good)}" if asked else "-",
    ]
    return "| " + " | ".join(cells) + " |"


def _families(found: list[Said]) -> list[str]:
    """Pairs found by run, a column a vantage and way of looking."""
    ways = list(dict.fromkeys((s.vantage, s.site, s.by) for s in found if not s.failed))
    lines = [
        "Right and wrong pairs of true ones, by run:",
        "",
        "| run | " + " | ".join(", ".join(w) for w in ways) + " |",
        "|---" * (len(ways) + 1) + "|",
    ]
    for run in sorted({s.run for s in found if s.true_pairs or s.pairs}):
        cells = []
        for way in ways:
            s = next((s for s in found if s.run == run and (s.vantage, s.site, s.by) == way and not s.failed), None)
            cells.append(f"{len(s.pairs & s.true_pairs)} + {len(s.pairs - s.true_pairs)} of {len(s.true_pairs)}" if s else "-")
        lines.append(f"| {run} | " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", type=Path, default=os.environ.get("DEVICEHUNT_LAB"), help="folder of labelled runs (or DEVICEHUNT_LAB)")
    parser.add_argument("--vantages", default=",".join(VANTAGES))
    parser.add_argument("--sites", default="right,none,wrong")
    parser.add_argument("--only", help="only the runs whose name matches")
    parser.add_argument("--no-device-ip", action="store_true", help="do not tell the device's address where there is no evidence")
    parser.add_argument("--only-naive", action="store_true", help="read the traffic and judge the rules of thumb alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    if not args.lab or not Path(args.lab).is_dir():
        parser.error("--lab DIR (or DEVICEHUNT_LAB) must be a folder of labelled runs")
    runs = sorted(f for f in Path(args.lab).iterdir() if (f / "truth.json").is_file() and (not args.only or re.search(args.only, f.name)))
    owners = [r for r in runs if json.loads((r / "truth.json").read_text())["declared_config"]]
    sites = ("none",) if args.only_naive else tuple(args.sites.split(","))
    asked = []
    for number, run in enumerate(runs):
        others = [r for r in owners if r != run] or [r for r in runs if r != run] or [run]
        wrong = lab.read_run(others[number * 7 % len(others)]).site() if "wrong" in sites else {}
        asked += [(run, v, sites, wrong, not args.no_device_ip, args.only_naive) for v in args.vantages.split(",")]
    with ProcessPoolExecutor(args.jobs) as pool:
        found = [s for said in pool.map(ask, asked) for s in said]
    print(markdown(sorted(found, key=lambda s: (args.vantages.split(",").index(s.vantage), s.by, s.site))))
    failures = Counter(s.failed for s in found if s.failed)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
