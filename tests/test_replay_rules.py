"""The rules of the wire, replayed as a user does it: fixtures/replay/*.replay.yaml are collected by the plug-in."""

from __future__ import annotations

from pathlib import Path

from devicehunt import rules
from devicehunt.replay import spec
from tests import replay_samples

# what needs a list of indicators is tested where those are
WIRE = {r.id for r in rules.load() if r.file.parent.name == "flow" and not r.id.startswith("indicator-")}


def test_every_rule_of_the_wire_has_its_hit_and_its_clean_neighbour() -> None:
    taken, honest = (spec.load(replay_samples.FOLDER / f"{name}.replay.yaml") for name in ("taken", "honest"))
    assert {str(e["rule"]) for e in taken.expect} >= WIRE
    assert {str(e["rule"]) for e in honest.forbid if "rule" in e} >= WIRE


def test_the_captures_are_what_their_maker_makes(tmp_path: Path) -> None:
    replay_samples.main(tmp_path)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert made
    assert made == {p: (replay_samples.FOLDER / p).read_bytes() for p in made}
