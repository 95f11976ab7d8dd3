"""Fault injection for RouterOS and IOS: no rule says no-hit where an output is empty, refused, cut, garbage or missing.

`fixtures/faults/<platform>` is a device on which hardly anything is found: one file an output, named after its command.
The stories of fixtures/cases are devices on which each rule finds something. All copies of a device are hunted together.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from devicehunt import platforms, rules
from devicehunt.api import read
from devicehunt.model import Status
from devicehunt.parse import head_of
from devicehunt.rules import Rule
from devicehunt.text import slug
from tests import faults
from tests.faults import CASES, DAMAGES, Damage, Output, Outputs, World, is_met, needed, spoil

NAMES = ("mikrotik_routeros", "cisco_ios")
WAYS = (*DAMAGES, "missing")
WHOLE = CASES.parent / "faults"
# of all rules of a platform so many must be made by the outputs of its whole device, and find nothing there
MADE = {"mikrotik_routeros": 20, "cisco_ios": 35}


@cache
def mine(name: str) -> list[Rule]:
    return [r for r in rules.load() if name in r.platforms]


def outputs_of(folder: Path, name: str) -> Outputs:
    """The outputs of a folder by their command, as the stanza spells it."""
    platform = platforms.load(name)
    found = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        stanza = platform.find_by_name(path.stem, head_of(data))
        assert stanza is not None, path
        found[platform.spelled(path.stem, stanza)] = Output(data)
    return found


def whole(name: str) -> Outputs:
    return outputs_of(WHOLE / name, name)


def stories(name: str) -> list[Path]:
    return sorted(p for p in CASES.glob(f"{'routeros' if name == 'mikrotik_routeros' else 'ios'}-*/device"))


@pytest.mark.parametrize("name", NAMES)
def test_damage_to_a_device_on_which_nothing_is_found(name: str, tmp_path: Path) -> None:
    platform, outputs = platforms.load(name), whole(name)
    fed = World(tmp_path / "sound", {"sound": outputs}, mine(name), platform).feeds("sound")
    groups = {r.id: frozenset(needed(r, fed)) for r in mine(name)}
    plan: list[Damage] = [(frozenset([c]), way) for c in sorted(frozenset().union(*groups.values())) for way in WAYS]
    plan += [(group, way) for group in groups.values() if group for way in WAYS]
    plan = [damage for damage in dict.fromkeys(plan) if spoil(outputs, *damage, name)]  # a device without outputs is none
    copies = {damage: f"copy{number}" for number, damage in enumerate(plan)}
    devices = {"sound": outputs} | {copy: spoil(outputs, *damage, name) for damage, copy in copies.items()}
    world = World(tmp_path / "copies", devices, mine(name), platform)
    sound = world["sound"].coverage
    assert len([r for r in mine(name) if sound[r.id].result == "no-hit"]) >= MADE[name]
    assert [r.id for r in mine(name) if not groups[r.id] and sound[r.id].result != "not-assessable"] == []
    wrong = [
        problem
        for rule in mine(name)
        for damage, copy in copies.items()
        for problem in _clean(rule, damage, world, copy, groups[rule.id], met=is_met(rule, fed, damage, platform))
    ]
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:40])


def _clean(rule: Rule, damage: Damage, world: World, copy: str, group: frozenset[str], *, met: bool) -> Iterator[str]:
    hurt, way = damage
    label = f"{rule.id}: {way}: {sorted(hurt)}"
    was, one = world["sound"].coverage[rule.id].result, world[copy].coverage[rule.id]
    if not met and one.result == "no-hit":
        yield f"{label}: a check with nothing to look at is no no-hit"
    if not met and not one.reasons:
        yield f"{label}: what could not be seen is not said"
    if met and was == "no-hit" and one.result != "no-hit":
        yield f"{label}: {one.result} although another output stands in: {one.reasons}"
    if hurt & group and group <= hurt and met:
        yield f"{label}: none of its outputs is left, and its needs are called met"
    if not met and way != "missing" and hurt & group and not any(slug(c) in r for c in hurt & group for r in one.reasons):
        yield f"{label}: no reason names the output: {one.reasons}"


@pytest.mark.parametrize("name", NAMES)
def test_damage_to_devices_on_which_rules_hit(name: str, tmp_path: Path) -> None:
    platform = platforms.load(name)
    told = {p.parent.name: outputs_of(p, name) for p in stories(name)}
    first = World(tmp_path / "sound", told, mine(name), platform)
    fed = {story: first.feeds(story) for story in told}
    plan = {
        f"{story}-{number}-{way}": (story, (frozenset([command]), way))
        for story, outputs in told.items()
        for number, command in enumerate(outputs)
        for way in WAYS
        if len(outputs) > 1 or way != "missing"
    }
    world = World(tmp_path / "copies", {k: spoil(told[s], *d, name) for k, (s, d) in plan.items()}, mine(name), platform)
    wrong = []
    for copy, (story, damage) in plan.items():
        for rule in mine(name):
            one = world[copy].coverage[rule.id]
            if one.result == "no-hit" and not is_met(rule, fed[story], damage, platform):
                wrong.append(f"{story}: {rule.id}: {damage}: no-hit with nothing to look at")
            if one.result == "not-assessable" and not one.reasons:
                wrong.append(f"{story}: {rule.id}: {damage}: not assessable without a reason")
    assert len(first.case.findings) > len(told)
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("name", NAMES)
def test_a_device_of_damaged_outputs_alone_is_inconclusive(name: str, tmp_path: Path) -> None:
    platform, outputs = platforms.load(name), whole(name)
    world = World(tmp_path, {way: spoil(outputs, outputs, way, name) for way in DAMAGES}, mine(name), platform)
    for way in DAMAGES:
        assert world.verdicts[way].verdict not in ("nothing-found", "compromised"), way
        assert {c.result for c in world[way].coverage.values()} <= {"not-assessable", "hit"}, way
    for way in ("empty", "denied", "garbage"):
        assert world.verdicts[way].assessed == 0, way


@pytest.mark.parametrize(("name", "command"), [(n, c) for n in NAMES for c in sorted(whole(n))])
def test_every_damage_of_every_output_is_a_gap(name: str, command: str) -> None:
    platform, output = platforms.load(name), whole(name)[command]
    sound = read(faults.section(command, output), platform, platform)
    assert sound.usable, sound.reason
    for way in DAMAGES:
        spoilt = faults.damaged(output, way, name)
        assert spoilt is not None
        found = read(faults.section(command, spoilt), platform, platform)
        assert not found.usable, way
        assert found.gaps, way
        assert all(g.reason for g in found.gaps)
        if way == "garbage":
            assert found.rows == []


@pytest.mark.parametrize(("name", "command"), [(n, c) for n in NAMES for c in sorted(whole(n))])
def test_an_empty_output_is_a_fact_only_where_its_stanza_says_so_and_its_end_is_proven(name: str, command: str) -> None:
    platform = platforms.load(name)
    stanza = platform.find(command)
    assert stanza is not None
    for status, proven in ((0, True), (None, False), (1, False), (137, False)):
        found = read(faults.section(command, Output(b"", status)), platform, platform)
        assert found.usable == (proven and stanza.empty_means == "none"), status
        assert found.usable or found.gaps
        assert found.status in (Status.EMPTY, Status.TIMED_OUT)
