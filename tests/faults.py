"""Many damaged copies of one device, read and hunted in one process.

A story of fixtures/cases is a list of outputs. Each variant is that list with some outputs damaged; it
becomes a device of its own in one case. An output is parsed once for each way it is damaged.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from devicehunt import data, database, platforms, rules, tables
from devicehunt.api import read
from devicehunt.case import Case, Entry
from devicehunt.coverage import expand, read_need
from devicehunt.engine import Hunt
from devicehunt.model import Coverage, Finding, Section
from devicehunt.parse import Parsed
from devicehunt.platforms import Platform
from devicehunt.rules import Need, Rule
from devicehunt.text import slug

LINUX = platforms.load("linux")
CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"
MADE_UP = yaml.safe_load((data.rules_dir() / "needs.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Output:
    """What one command printed, and its exit status where it is known."""

    data: bytes
    exit_status: int | None = 0


Outputs = dict[str, Output]


def story(name: str) -> Outputs:
    """The outputs of a story by command, in the order of collection."""
    folder = CASES / name / "evidence"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return {facts["command"]: Output((folder / file).read_bytes(), facts["rc"]) for file, facts in index.items()}


def _noise() -> bytes:
    """Lines that no device prints, the same at every run."""
    dice = random.Random(20)
    return b"".join(bytes(dice.choice(b"\x00\x01\x1b\x80\xc3\xff\xfe~}#%&") for _ in range(40)) + b"\n" for _ in range(12))


NOISE = _noise()
# how each platform refuses, and how its pager stops
DENIED = {
    "linux": b"sh: can't open: Permission denied\n",
    "mikrotik_routeros": b"not enough permissions (9)\n",
    "cisco_ios": b"% Authorization failed.\n",
}
PAGERS = {"linux": b"--More--", "mikrotik_routeros": b"-- [Q quit|D dump|down]", "cisco_ios": b" --More-- "}
DAMAGES = ("empty", "denied", "cut", "pager", "garbage")
"""How an output may be damaged so that it shows; "missing" is one that nobody asked for."""


def damaged(output: Output, how: str, platform: str = "linux") -> Output | None:
    """The output after one kind of damage; None: it was never collected."""
    if how == "missing":
        return None
    if how == "empty":
        return Output(b"", None)
    if how == "denied":
        return Output(DENIED[platform], 1)
    if how == "cut":  # somewhere in a line; the signal that ended the command proves it
        return Output(output.data[: len(output.data) * 3 // 5], 137)
    if how == "pager":
        kept = output.data[: len(output.data) * 3 // 5].rpartition(b"\n")[0]
        return Output(kept + b"\n" + PAGERS[platform], None)
    assert how == "garbage"
    return Output(NOISE, 0)


def spoil(outputs: Outputs, commands: Iterable[str], how: str, platform: str = "linux") -> Outputs:
    """The outputs with those of `commands` damaged."""
    spoilt = {c: damaged(o, how, platform) if c in set(commands) else o for c, o in outputs.items()}
    return {c: o for c, o in spoilt.items() if o is not None}


def section(command: str, output: Output, device: str = "d", number: int = 1) -> Section:
    """One output as intake hands it on."""
    exhibit = f"{device}/1/{slug(command)}.txt"
    return Section(exhibit, device, "1", number, command, output.data, exit_status=output.exit_status)


class _Memory(Case):
    """A case whose evidence is not on the disk."""

    texts: dict[str, bytes]

    def read(self, exhibit: str) -> bytes:
        return self.texts[exhibit]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules said about one device; exhibits are without the device's name."""

    coverage: Mapping[str, Coverage]
    findings: Mapping[str, Sequence[Finding]]

    def said(self, rule: str) -> tuple[Any, ...]:
        """All that must not change when something else is damaged."""
        one = self.coverage[rule]
        return (
            one.result, tuple(map(_bare, one.reasons)), tuple(map(_bare, one.notes)),
            tuple((f.title, f.level, f.key, f.subjects, tuple((_bare(e.exhibit), e.line, e.text) for e in f.evidence),
                   f.explained_by, f.explanation) for f in self.findings.get(rule, ())),
        )  # fmt: skip

    def keys(self, rule: str) -> set[tuple[str, ...]]:
        """What the findings of a rule are about."""
        return {f.key for f in self.findings.get(rule, ())}


def _bare(text: str) -> str:
    before, found, after = text.partition("/1/")
    return before.rpartition(" ")[0] + found + after if found else text


class World:
    """All variants of all devices, hunted together."""

    def __init__(self, folder: Path, devices: Mapping[str, Outputs], found: Sequence[Rule] = (), platform: Platform = LINUX) -> None:
        self.platform = platform
        self.rules = list(found) or rules.load()
        self._parsed: dict[tuple[str, Output], Parsed] = {}
        self.case = _Memory(folder / "case")
        self.case.texts = {}
        loader = tables.Loader()
        for device, outputs in devices.items():
            for number, (command, output) in enumerate(outputs.items(), 1):
                loader.add(self._placed(device, number, command, output))
        loader.finish(self.case.tables, "0")
        name = platform.name
        hunt = Hunt(self.case, {name: platform}, self.rules, None, device_platform=dict.fromkeys(devices, name), versions={})
        hunt.run()
        self.con = hunt.con
        self.verdicts = {v.device: v for v in self.case.verdicts}
        self._seen: dict[str, Seen] = {}
        for device in devices:
            self._seen[device] = Seen({}, {})
        for one in self.case.coverage:
            self._seen[one.device].coverage[one.rule] = one  # type: ignore[index]
        for finding in self.case.findings:
            self._seen[finding.device].findings.setdefault(finding.rule, []).append(finding)  # type: ignore[attr-defined]

    def __getitem__(self, device: str) -> Seen:
        return self._seen[device]

    def _placed(self, device: str, number: int, command: str, output: Output) -> Parsed:
        """The parsed output as one of this device."""
        placed = section(command, output, device, number)
        known = self._parsed.get((command, output))
        if known is None:
            known = self._parsed[command, output] = read(placed, self.platform, self.platform)
        self.case.texts[placed.exhibit] = output.data
        self.case.entries.append(
            Entry(placed.exhibit, device, "1", number, "output", command, len(output.data), "", command, "", output.exit_status)
        )
        gaps = [replace(g, device=device, exhibit=placed.exhibit) for g in known.gaps]
        return replace(known, section=placed, rows=list(known.rows), gaps=gaps)

    def feeds(self, device: str) -> list[Fed]:
        """Which outputs of a sound device fill what."""
        found = self.con.execute(
            "select e.command, table_name, f.view, f.columns, coalesce(f.incomplete, '') from feeds f "
            "join exhibits e using (device, snapshot, exhibit, line) where f.device = ? and f.usable", [device]
        ).fetchall()  # fmt: skip
        return [Fed(c, t, v, frozenset(cols.split(",")) - set(holes.split(","))) for c, t, v, cols, holes in found]


@dataclass(frozen=True, slots=True)
class Fed:
    """One output fills one view of one table; `columns` are those that it shows for every row."""

    command: str
    table: str
    view: str
    columns: frozenset[str]

    def fits(self, table: str, view: str, columns: frozenset[str]) -> bool:
        return self.table == table and view in ("", self.view) and columns <= self.columns


def needed(rule: Rule, fed: Sequence[Fed]) -> set[str]:
    """The commands whose outputs a rule's needs name, alternatives included."""
    return {f.command for t, v, c in _leaves(expand(rule)) for f in fed if f.fits(t, v, c)}


def _leaves(needs: Iterable[Need]) -> Iterable[tuple[str, str, frozenset[str]]]:
    for need in needs:
        table, view, columns, parts = read_need(need)
        if parts is None:
            yield table, view, columns
        else:
            yield from _leaves(parts[1])


Damage = tuple[frozenset[str], str]
"""Which outputs, and how."""


def is_met(rule: Rule, fed: Sequence[Fed], damage: Damage, platform: Platform = LINUX) -> bool:
    """What should be: needs held against the outputs that are left, written down a second time and more simply."""
    return all(_met(need, fed, damage, platform) for need in expand(rule))


def _met(need: Need, fed: Sequence[Fed], damage: Damage, platform: Platform) -> bool:
    table, view, columns, parts = read_need(need)
    if parts is not None:
        answers = [_met(n, fed, damage, platform) for n in parts[1]]
        apart = any(_lost_apart(n, fed, damage) for n in parts[1])
        return any(answers) and not apart if parts[0] == "any" else all(answers)
    hurt, way = damage
    fitting = [f for f in fed if f.fits(table, view, columns)]
    left = {f.command for f in fitting} - hurt
    spoilt = {f.command for f in fitting} & hurt if way != "missing" else set()
    whole = MADE_UP["whole"].get(f"{table}@{view}")
    if whole:
        stanzas = {s.id for c in left if (s := platform.find(c)) is not None}
        return not spoilt and all(stanzas.intersection(part) for part in whole)
    if table in MADE_UP["partitioned"]:
        return bool(left) and not spoilt
    return bool(left)


def _lost_apart(need: Need, fed: Sequence[Fed], damage: Damage) -> bool:
    """Whether a view that no alternative shows was asked, and no output of it could be read."""
    table, view, columns, parts = read_need(need)
    names = {f"{table}@{view}", *(f"{table}@{view}.{column}" for column in columns)}
    if parts is not None or not names.intersection(MADE_UP["apart"]):
        return False
    hurt, way = damage
    asked = {f.command for f in fed if (f.table, f.view) == (table, view)}
    return bool(asked) and asked <= hurt and way != "missing"


@cache
def _schema() -> tuple[dict[str, str], frozenset[str]]:
    """The SQL of each view, and the names of all tables and views."""
    con = database.connect()
    views = dict(con.execute("select view_name, sql from duckdb_views() where not internal").fetchall())
    return views, frozenset({*database.tables(), *views})


def touched(rule: Rule) -> set[str]:
    """The tables that a rule reads, through views and computed tables too."""
    views, known = _schema()
    found: set[str] = set()
    waiting = [rule.sql]
    while waiting:
        for name in known.intersection(_words(waiting.pop())) - found:
            found.add(name)
            waiting.append(views.get(name, _REACH if name == "reach" else ""))
    return found


_REACH = (Path(tables.__file__).parent / "reach.py").read_text(encoding="utf-8")


def _words(sql: str) -> set[str]:
    return set(re.findall(r"\w+", sql))
