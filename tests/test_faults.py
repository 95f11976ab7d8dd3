"""Fault injection: what every rule says when an output is empty, refused, cut, garbage, or was never asked for.

Two devices (fixtures/cases): on whole-router no rule has a finding, on taken-router every rule has one. Each
output is damaged in each way, alone and together with its alternatives. One test builds all copies of one device,
so that they are parsed and hunted once; it collects what is wrong and shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from devicehunt import rules
from devicehunt.api import read
from devicehunt.coverage import NO_ADDRESS
from devicehunt.model import Status
from devicehunt.rules import Rule
from devicehunt.text import slug
from tests import faults
from tests.faults import DAMAGES, LINUX, Damage, Fed, Output, Outputs, World, is_met, needed, spoil, story, touched

# the two devices are Linux routers: rules of other platforms are not applicable to them, and have no faults injected here
RULES = [r for r in rules.load() if "linux" in r.platforms]
WAYS = (*DAMAGES, "missing")
# an alternative that this device does not have by itself
VYOS = {"show configuration commands": Output(b"set interfaces ethernet eth0 address dhcp\nset system host-name router\n")}

class Copies:
    """The damaged copies of one device, and what the rules said about each."""

    def __init__(self, folder: Path, outputs: Outputs, plan: Iterable[Damage], sound: World) -> None:
        self.fed = sound.feeds("sound")
        self.commands = list(outputs)
        self.names = {damage: f"copy{number}" for number, damage in enumerate(dict.fromkeys(plan))}
        devices = {"sound": outputs} | {name: spoil(outputs, *damage) for damage, name in self.names.items()}
        self.world = World(folder, devices, RULES)
        self.sound = self.world["sound"]
        self.needed = {r.id: needed(r, self.fed) for r in RULES}
        self.read = {r.id: reads(r, self.fed) | self.needed[r.id] for r in RULES}

    def of(self, damage: Damage) -> faults.Seen:
        return self.world[self.names[damage]]


def reads(rule: Rule, fed: list[Fed]) -> set[str]:
    """The outputs whose tables a rule reads at all."""
    mine = touched(rule)
    return {f.command for f in fed if f.table in mine}


def one_by_one(commands: Iterable[str], ways: Iterable[str]) -> list[Damage]:
    return [(frozenset([c]), way) for c in commands for way in ways]


def all_needed(fed: list[Fed]) -> dict[str, frozenset[str]]:
    return {r.id: frozenset(needed(r, fed)) for r in RULES}


def sound_world(folder: Path, outputs: Outputs) -> World:
    return World(folder, {"sound": outputs}, RULES)


def test_damage_to_a_device_on_which_nothing_is_found(tmp_path: Path) -> None:
    outputs = story("whole-router") | VYOS
    sound = sound_world(tmp_path / "sound", outputs)
    groups = all_needed(sound.feeds("sound"))
    used = sorted(frozenset().union(*groups.values()))
    idle = frozenset(outputs) - set(used)
    plan = [*one_by_one(used, WAYS), *((g, way) for g in groups.values() for way in WAYS), *((idle, way) for way in WAYS)]
    copies = Copies(tmp_path / "copies", outputs, plan, sound)
    assert {r.id for r in RULES if copies.sound.coverage[r.id].result != "no-hit"} == set()
    assert [r.id for r in RULES if not groups[r.id]] == [], "a rule that no output feeds"
    assert idle, "an output that no rule needs"
    wrong = [problem for rule in RULES for damage in copies.names for problem in _clean(copies, rule, damage)]
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:40])


def _clean(copies: Copies, rule: Rule, damage: Damage) -> Iterator[str]:
    hurt, way = damage
    label = f"{rule.id}: {way}: {sorted(hurt)}"
    seen = copies.of(damage)
    one = seen.coverage[rule.id]
    mine = copies.needed[rule.id] & hurt
    if not mine:
        if seen.said(rule.id) != copies.sound.said(rule.id):
            yield f"{label}: it is not needed and changes {copies.sound.said(rule.id)[:3]} to {seen.said(rule.id)[:3]}"
        return
    wanted = "no-hit" if is_met(rule, copies.fed, damage) else "not-assessable"
    if mine == copies.needed[rule.id]:
        assert wanted == "not-assessable", label
    if one.result != wanted:
        yield f"{label}: {one.result}, not {wanted}"
    if wanted == "not-assessable" and not one.reasons:
        yield f"{label}: not assessable without a reason"
    if wanted == "not-assessable" and way != "missing" and not any(slug(c) in r for c in mine for r in one.reasons):
        yield f"{label}: no reason names the output: {one.reasons}"
    if wanted == "not-assessable" and mine == copies.needed[rule.id] and way == "missing" and not all(
        # that no address is known stands beside the outputs that would tell one
        r.endswith("not collected") or r == NO_ADDRESS for r in one.reasons
    ):
        yield f"{label}: {one.reasons}"
    if wanted == "no-hit" and one.reasons:
        yield f"{label}: reasons although another output stands in: {one.reasons}"
    if wanted == "no-hit" and way != "missing" and not any(slug(c) in n for c in mine for n in one.notes):
        yield f"{label}: nothing says that an alternative could not be read: {one.notes}"


def test_damage_to_a_device_on_which_every_rule_hits(tmp_path: Path) -> None:
    outputs = story("taken-router")
    sound = sound_world(tmp_path / "sound", outputs)
    fed = sound.feeds("sound")
    used = sorted(frozenset().union(*all_needed(fed).values()))
    others = {r.id: frozenset(outputs) - needed(r, fed) - reads(r, fed) for r in RULES}
    ways = ("denied", "cut", "garbage")
    plan = [*one_by_one(used, ways), *((o, way) for o in others.values() for way in ("cut", "garbage", "missing"))]
    copies = Copies(tmp_path / "copies", outputs, plan, sound)
    assert {r.id for r in RULES if copies.sound.coverage[r.id].result != "hit"} == set()
    wrong = [problem for rule in RULES for damage in copies.names for problem in _taken(copies, rule, damage)]
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:40])


def _taken(copies: Copies, rule: Rule, damage: Damage) -> Iterator[str]:
    hurt, way = damage
    label = f"{rule.id}: {way}: {sorted(hurt)}"
    seen = copies.of(damage)
    one = seen.coverage[rule.id]
    if not copies.read[rule.id] & hurt:
        if seen.said(rule.id) != copies.sound.said(rule.id):
            yield f"{label}: neither needed nor read, and changes what was said"
    elif not copies.needed[rule.id] & hurt:
        # it is read for the level and for the words alone: what was found stays found
        if (one.result, one.reasons) != ("hit", ()):
            yield f"{label}: {one.result} {one.reasons}"
        if not copies.sound.keys(rule.id) <= seen.keys(rule.id):
            yield f"{label}: lost {copies.sound.keys(rule.id) - seen.keys(rule.id)}"
    elif not is_met(rule, copies.fed, damage):
        if one.result == "no-hit":
            yield f"{label}: a check with nothing to look at is no no-hit"
        if not one.reasons:
            yield f"{label}: what could not be seen is not said"
    elif one.result == "not-assessable" and not any("race" in r for r in one.reasons):
        yield f"{label}: another output stands in, and it is not assessed: {one.reasons}"


def test_a_device_of_damaged_outputs_alone_is_inconclusive(tmp_path: Path) -> None:
    outputs = story("whole-router")
    world = World(tmp_path, {way: spoil(outputs, outputs, way) for way in DAMAGES} | {"sound": outputs}, RULES)
    assert {d: v.verdict for d, v in world.verdicts.items()} == dict.fromkeys(DAMAGES, "inconclusive") | {"sound": "nothing-found"}
    for way in DAMAGES:
        assert world.verdicts[way].assessed == 0, way
        assert {c.result for c in world[way].coverage.values()} == {"not-assessable"}


@pytest.mark.parametrize("command", sorted(story("whole-router")))
def test_an_empty_output_is_a_fact_only_where_its_stanza_says_so_and_its_end_is_proven(command: str) -> None:
    stanza = LINUX.find(command)
    assert stanza is not None
    for status, proven in ((0, True), (None, False), (1, False), (137, False)):
        found = read(faults.section(command, Output(b"", status)), LINUX, LINUX)
        assert found.usable == (proven and stanza.empty_means == "none"), status
        assert found.usable or found.gaps
        assert found.status in (Status.EMPTY, Status.TIMED_OUT)


@pytest.mark.parametrize("command", sorted(story("taken-router")))
def test_every_damage_of_every_output_is_a_gap(command: str) -> None:
    output = story("taken-router")[command]
    for way in DAMAGES:
        spoilt = faults.damaged(output, way)
        assert spoilt is not None
        found = read(faults.section(command, spoilt), LINUX, LINUX)
        assert not found.usable, way
        assert found.gaps, way
        assert all(g.reason for g in found.gaps)
        sound = read(faults.section(command, output), LINUX, LINUX)
        if way == "garbage":
            assert found.rows == []
        # what is left of it says nothing that the whole did not say
        if way in ("cut", "pager") and stanza_reads_line_by_line(command):
            assert [r for r in found.rows if r not in sound.rows] == []


def stanza_reads_line_by_line(command: str) -> bool:
    """Facts of a process hang on several lines: what is read before the end is less, and never more."""
    stanza = LINUX.find(command)
    assert stanza is not None
    return not any(f.group for f in stanza.feeds)
