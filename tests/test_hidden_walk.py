"""The walk by number is the one view that shows an unlisted process: where it was asked and not read, nothing stands in for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import devicehunt
from tests.samples import FIXTURES

WALK = "walk_of_proc_by_listing_and_by_number.txt"


OPEN = "not-assessable"


@pytest.mark.parametrize(("damage", "result"), [("none", "no-hit"), ("denied", OPEN), ("cut", OPEN), ("absent", "no-hit")])
def test_the_walk(tmp_path: Path, damage: str, result: str) -> None:
    source = tmp_path / "router"
    shutil.copytree(FIXTURES / "cases" / "whole-router" / "evidence", source)
    file, index = source / WALK, source / "index.json"
    listed = json.loads(index.read_text(encoding="utf-8"))
    if damage == "denied":
        file.write_bytes(b"-ash: /proc: Permission denied\n")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-200])
    elif damage == "absent":  # never asked: the two listings are held against each other
        file.unlink()
        del listed[WALK]
        index.write_text(json.dumps(listed), encoding="utf-8")
    case = devicehunt.hunt([source], case=tmp_path / "case")
    cover = {c.rule: c for c in case.coverage}
    assert cover["process-hidden"].result == result, cover["process-hidden"]
    # other rules have other listings to stand on
    assert cover["process-from-volatile-place"].result == "no-hit"
    if damage in ("denied", "cut"):
        assert case.verdicts[0].verdict == "inconclusive"
