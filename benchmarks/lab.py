"""How well does the tool do on labelled runs? Print a table, beside four naive rules.

    python benchmarks/lab.py --lab DIR [--seeds 101,102] [--json FILE] [--markdown FILE]

DIR holds one folder a run (truth.json, evidence/before, evidence/during). Nothing is taken from it
but `evidence` and the labels. Each run is judged as it is, with its implants in disguise and its
addresses changed, with honest mess on top, and beside implants of kinds that DIR does not have;
each with a right site file, with none, and with that of another run.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import re
import sys
import tempfile
import zlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutate
import naive
import yaml
from evidence import CRON, KEYS, RC, Box, Targets
from mutate import Run
from situations import apply, fingerprint, load
from table import markdown

LEVELS = ("info", "low", "medium", "high", "critical")
FEW = 4
BEGIN, END = "<!-- table: made by benchmarks/lab.py -->", "<!-- end of table -->"
SITES = ("right", "none", "wrong")
STOCK = ("/bin/busybox", "/usr/sbin/dropbear")


@dataclass
class Result:
    """What was said about one run with one site file."""

    run: str
    kind: str
    site: str
    counts: bool
    named: bool
    level: str
    high: list[dict[str, Any]] = field(default_factory=list)
    medium: list[dict[str, Any]] = field(default_factory=list)
    honest: list[str] = field(default_factory=list)
    assessed: float | None = None


# -- the runs of the lab -----------------------------------------------------------------------------


def read_runs(lab: Path, part: str = "during", only: str | None = None, limit: int | None = None) -> list[Run]:
    """The runs of a lab folder in order of their names."""
    folders = sorted(f for f in lab.iterdir() if (f / "truth.json").is_file() and (only is None or re.search(only, f.name)))
    return [read_run(f, part) for f in folders[:limit]]


def read_run(folder: Path, part: str = "during") -> Run:
    """One run of a lab folder."""
    truth = json.loads((folder / "truth.json").read_text())
    box = Box.load(folder / "evidence" / part, folder.name, truth["router"], list(truth["hosts"]["lan"].values()))
    run = Run(box, truth["class"] if part == "during" else "before", expected=expected(truth["declared_config"], truth))
    if part == "during":
        run.targets = label(box, truth)
    return run


def expected(declared: Iterable[dict[str, Any]], truth: dict[str, Any]) -> list[dict[str, Any]]:
    """What the owner set up, in the words of a site file."""
    found: list[dict[str, Any]] = []
    for d in declared:
        kind = d["kind"]
        if kind in ("lan-admin", "wan-admin"):
            found.append({"kind": "listener", "proto": "tcp", "port": d["port"]})
        elif kind in ("port-forward", "hairpin-port-forward", "upnp-mapping"):
            protocols = ("tcp", "udp") if kind == "upnp-mapping" else ("tcp",)
            found += [{"kind": "port-forward", "proto": p, "port": d["port"], "to": d["to"]} for p in protocols]
        elif kind == "lan-proxy":
            host, _, port = d["listen"].rpartition(":")
            found.append({"kind": "listener", "proto": "tcp", "address": host, "port": int(port)})
        elif kind == "cloud-agent":
            host, _, port = d["peer"].rpartition(":")
            found.append({"kind": "peer", "address": host, "port": int(port)})
        elif kind == "remote-access-vpn":
            found += [{"kind": "tunnel", "name": d["dev"]}, {"kind": "listener", "proto": "udp", "port": d["port"]}]
        elif kind == "site-to-site-vpn":
            found.append({"kind": "tunnel", "name": d["dev"], "peer": d["peer"]})
        elif kind not in ("ddns", "firmware-check"):
            raise SystemExit(f"{truth['scenario']}: declared kind {kind!r} is not known here")
    return found


def label(box: Box, truth: dict[str, Any]) -> Targets:
    """The things by which a finding can name the implants of a run."""
    targets = Targets()
    processes = box.processes()
    for implant in truth["implants"]:
        targets.pids.add(implant["pid"])
        if implant["path"] not in STOCK:
            targets.paths.add(implant["path"])
        for listener in implant["listen"]:
            targets.ports.add((listener["proto"], listener["port"]))
    targets.pids |= {p.pid for p in processes.values() if p.exe.removesuffix(" (deleted)") in targets.paths}
    for _ in range(3):
        targets.pids |= {p.pid for p in processes.values() if p.ppid in targets.pids}
    for finding in truth["expected_findings"]:
        subject = finding.get("subject") or {}
        targets.interfaces |= {subject["dev"]} if "dev" in subject else set()
        if "comment" in subject:
            line = next(line for line in box.files[KEYS].splitlines() if line.endswith(subject["comment"]))
            targets.keys |= {subject["comment"], fingerprint(line.split()[1])}
        if finding["id"] == "nat.dnat_to_external":
            targets.rules.add(subject["to"])
            targets.ports.add((subject["proto"], subject["port"]))
    for name in (CRON, RC):
        lines = [line for line in box.files[name].splitlines() if any(p in line for p in targets.paths)]
        targets.jobs |= {line.split(None, 5)[-1] if name == CRON else line for line in lines}
    targets.peers = {p for c in truth["carriers"] + truth["beacons"] for p in c["peers"]}
    return targets


# -- sets of runs ------------------------------------------------------------------------------------


def disguised(runs: list[Run], seed: int, with_mess: bool) -> list[Run]:
    """The runs with implants in disguise, other addresses and, if asked, honest mess."""
    changed = []
    for run in copy.deepcopy(runs):
        rng = random.Random(seed * 1_000_003 + zlib.crc32(run.box.name.encode()))
        mutate.disguise(run, rng)
        if with_mess:
            mutate.mess(run, rng)
        mutate.readdress(run, rng)
        run.box.name = f"{run.box.name}-s{seed}"
        changed.append(run)
    return changed


def new_kinds(runs: list[Run], seed: int, with_mess: bool) -> list[Run]:
    """Benign runs into which implants of other kinds were put."""
    made = []
    benign = [r for r in runs if r.kind == "benign"]
    for number, situation in enumerate(load("implants.yaml")):
        rng = random.Random(seed * 7919 + number)
        run = copy.deepcopy(benign[(number * 5 + seed) % len(benign)])
        if with_mess:
            mutate.mess(run, rng, 4)
        if situation.get("declares_keys"):
            mutate.declare_keys(run)
        run.targets, _ = apply(run.box, situation, rng)
        if situation.get("edits_by") == "open-policy":
            mutate.open_policy(run.box)
        if with_mess:
            mutate.readdress(run, rng)
        run.kind, run.counts = "malicious", situation.get("counts", True)
        run.note, run.box.name = situation["id"], f"{situation['id']}-s{seed}"
        made.append(run)
    return made


# -- judging -----------------------------------------------------------------------------------------


def names_it(subject: dict[str, Any], t: Targets, related: bool = False) -> bool:
    """Whether a subject of a finding is part of the implant (or, `related`, belongs to it)."""
    kind, text = subject.get("type"), str(subject.get("text") or "")
    places = [str(subject[k]) for k in ("exe", "path", "script", "program", "name", "target") if subject.get(k)]
    if (kind == "process" and subject.get("pid") in t.pids) or any(p in t.paths for p in places):
        return True
    if kind == "socket":
        return (subject.get("proto"), _int(subject.get("local_port"))) in t.ports
    if kind in ("nat-rule", "firewall-rule") or text:
        port = _int(str(subject.get("port") or subject.get("to_port") or "").split(":")[0].split("-")[0])
        return any(r in text for r in t.rules) or port in {p for _, p in t.ports}
    if kind == "interface":
        return subject.get("name") in t.interfaces
    if kind == "account":
        return subject.get("name") in t.accounts
    if kind == "ssh-key":
        return bool({subject.get("fingerprint"), subject.get("comment")} & t.keys)
    if kind == "job":
        command = str(subject.get("command") or "")
        return any(j in command or (command and command in j) for j in t.jobs) or any(p in command for p in t.paths)
    return related and kind == "peer" and subject.get("address") in t.peers


def _int(value: Any) -> int | None:
    return int(value) if str(value or "").isdigit() else None


def judge(run: Run, site: str, found: list[dict[str, Any]], coverage: list[dict[str, Any]]) -> Result:
    """Score the findings of one run."""
    alarms = [f for f in found if LEVELS.index(f["level"]) >= LEVELS.index("medium") and not f["explained_by"]]
    high = [f for f in alarms if f["level"] in ("high", "critical")]
    named = any(len(f["subjects"]) <= FEW and any(names_it(s, run.targets) for s in f["subjects"]) for f in high)
    worst = max((LEVELS.index(f["level"]) for f in found if not f["explained_by"]), default=0)
    honest = sorted({f"{name} ({f['rule']})" for name, t in run.honest.items() for f in high if any(names_it(s, t) for s in f["subjects"])})
    core = [c for c in coverage if c["core"] and c["result"] != "not-applicable"]
    assessed = sum(c["result"] != "not-assessable" for c in core) / len(core) if core else None
    return Result(run.note or run.box.name, run.kind, site, run.counts, named, LEVELS[worst],
                  [_brief(f, run) for f in high], [_brief(f, run) for f in alarms if f not in high], honest, assessed)  # fmt: skip


def _brief(finding: dict[str, Any], run: Run) -> dict[str, Any]:
    true = any(names_it(s, run.targets, related=True) for s in finding["subjects"])
    return {"rule": finding["rule"], "level": finding["level"], "title": finding["title"][:160], "true": true}


def hunt(runs: list[Run], work: Path, jobs: int, sites: tuple[str, ...]) -> list[Result]:
    """Ask the tool about every run with each of the site files."""
    asked = []
    for number, run in enumerate(runs):
        others = [r for r in runs if r is not run and r.expected] or [r for r in runs if r is not run]
        wrong = others[number * 7 % len(others)].site() if others else {"expected": [], "networks": {}}
        bodies = {"right": run.site(), "none": None, "wrong": wrong}
        asked.append((run, {s: bodies[s] for s in sites}, work))
    with ProcessPoolExecutor(jobs) as pool:
        return [r for results in pool.map(ask, asked) for r in results]


def ask(asked: tuple[Run, dict[str, Any], Path]) -> list[Result]:
    """Take one run in, then judge it with each site file. The evidence is read once."""
    from devicehunt.api import Job, Options
    from devicehunt.case import Case

    run, sites, work = asked
    folder = work / "in" / run.box.name
    run.box.save(folder)
    case = work / "case" / run.box.name
    results = []
    for number, (site, body) in enumerate(sites.items()):
        file = work / f"{run.box.name}-{site}.yaml"
        if body is not None:
            file.write_text(yaml.safe_dump(body))
        job = Job(Case.open(case), Options(device="box", site=file if body is not None else None, jobs=1), lambda *_: None)
        if number == 0:
            job.take_in([folder])
            job.parse()
        job.hunt()
        rows, seen = ([json.loads(line) for line in (case / f"{n}.jsonl").read_text().splitlines()] for n in ("findings", "coverage"))
        if not seen:
            raise SystemExit(f"no coverage of {run.box.name}")
        results.append(judge(run, site, rows, seen))
    return results


def judge_naive(runs: list[Run]) -> list[Result]:
    """The four naive rules know no site file."""
    return [judge(run, "none", naive.findings(run.box), []) for run in runs]


# -- publishing --------------------------------------------------------------------------------------


def version() -> str:
    """The tool's version and the hash of its rules, so that a table can be made again."""
    from devicehunt import __version__, rules
    from devicehunt.engine import pack_hash

    return f"devicehunt {__version__}, pack {pack_hash(r.file for r in rules.load(()))}"


def publish(file: Path, text: str) -> None:
    """Put the table between the two marks of a page, or make the page."""
    page = file.read_text(encoding="utf-8") if file.is_file() else f"{BEGIN}\n{END}\n"
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    file.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")


# -- main --------------------------------------------------------------------------------------------


def build(lab: Path, seeds: list[int], only: str | None, limit: int | None) -> dict[str, list[Run]]:
    """All sets of runs, by name."""
    during = read_runs(lab, "during", only, limit)
    sets = {"as recorded": during, "before the implant": read_runs(lab, "before", only, limit)}
    sets["in disguise"] = [r for s in seeds for r in disguised(during, s, False)]
    sets["in disguise, honest mess"] = [r for s in seeds for r in disguised(during, s, True)]
    if any(r.kind == "benign" for r in during):
        sets["new kinds"] = [r for s in seeds[:1] for r in new_kinds(during, s, False)]
        sets["new kinds, honest mess"] = [r for s in seeds for r in new_kinds(during, s, True)]
    return sets


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", type=Path, default=os.environ.get("DEVICEHUNT_LAB"), help="folder of labelled runs (or DEVICEHUNT_LAB)")
    parser.add_argument("--seeds", default="101,102", help="seeds of the changes; tune rules on others than you publish")
    parser.add_argument("--sites", default=",".join(SITES), help="which site files: right, none, wrong")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sets", help="only the sets whose name matches")
    parser.add_argument("--only", help="only the runs whose name matches")
    parser.add_argument("--limit", type=int, help="at most so many runs")
    parser.add_argument("--json", type=Path, help="write all results")
    parser.add_argument("--markdown", type=Path, help="write the table to a file")
    parser.add_argument("--keep", type=Path, help="keep evidence and cases here")
    args = parser.parse_args()
    if not args.lab or not Path(args.lab).is_dir():
        parser.error("--lab DIR (or DEVICEHUNT_LAB) must be a folder of labelled runs")
    sets = build(Path(args.lab), [int(s) for s in args.seeds.split(",")], args.only, args.limit)
    results: dict[str, dict[str, list[Result]]] = {}
    with tempfile.TemporaryDirectory(prefix="devicehunt-lab-") as scratch:
        for number, (name, runs) in enumerate(sets.items()):
            if args.sets and not re.search(args.sets, name):
                continue
            print(f"{name}: {len(runs)} runs", file=sys.stderr)
            work = (args.keep or Path(scratch)) / str(number)
            results[name] = {"devicehunt": hunt(runs, work, args.jobs, tuple(args.sites.split(","))), "naive": judge_naive(runs)}
    text = markdown(results)
    print(text)
    if args.markdown:
        publish(args.markdown, f"Seeds {args.seeds}; rules of {version()}.\n\n{text}")
    if args.json:
        plain = {s: {t: [vars(r) for r in rows] for t, rows in tools.items()} for s, tools in results.items()}
        args.json.write_text(json.dumps(plain, indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
