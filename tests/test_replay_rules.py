"""The rules of the wire, replayed as a user does it: fixtures/replay/*.replay.yaml are collected by the plug-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from devicehunt import rules
from devicehunt.replay import change, spec
from tests import replay_samples

# what needs a list of indicators is tested where those are
WIRE = {r.id for r in rules.load() if r.file.parent.name == "flow" and not r.id.startswith("indicator-")}


def test_every_rule_of_the_wire_has_its_hit_and_its_clean_neighbour() -> None:
    taken, honest = (spec.load(replay_samples.FOLDER / f"{name}.replay.yaml") for name in ("taken", "honest"))
    assert {str(e["rule"]) for e in taken.expect} >= WIRE
    assert {str(e["rule"]) for e in honest.forbid if "rule" in e} >= WIRE


@pytest.mark.parametrize("snaplen", [60, 42, 34])
def test_what_a_snap_length_cut_off_is_never_clean(tmp_path: Path, snaplen: int) -> None:
    """Six bytes of payload, ports without flags, and no ports: each rule of the wire still hits, or says that it cannot know."""
    paths, _ = change.changed([replay_samples.FOLDER / "taken"], tmp_path, {"snaplen": snaplen})
    found = spec.run(spec.Spec(tuple(paths), "device", {}))
    hits = {str(e["rule"]) for e in spec.load(replay_samples.FOLDER / "taken.replay.yaml").expect} & WIRE
    assert {rule: found.result(rule) for rule in hits if found.result(rule) not in ("hit", "not-assessable")} == {}


def test_the_captures_are_what_their_maker_makes(tmp_path: Path) -> None:
    replay_samples.main(tmp_path)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert made
    assert made == {p: (replay_samples.FOLDER / p).read_bytes() for p in made}
