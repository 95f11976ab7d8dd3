"""CONTRIBUTING.md: the recipe for a rule works as it stands, and its table names the keys that the code knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devicehunt import engine, platforms, rules
from devicehunt.cli import main
from tests import situations

PAGE = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[-1]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "interface-promiscuous.sql").write_text(block("sql"), encoding="utf-8")
    (tmp_path / "interface-promiscuous.yaml").write_text(block("yaml"), encoding="utf-8")
    return tmp_path


def test_the_rule_of_the_recipe_binds(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", "--rules", str(pack)]) == 0
    assert " 0 problems" in capsys.readouterr().out


def test_the_cases_of_the_recipe_hold(pack: Path, tmp_path: Path) -> None:
    rule = rules.read(pack / "interface-promiscuous.sql")
    cases = situations.read(pack / "interface-promiscuous.yaml")
    world = situations.World(cases, tmp_path)
    for case in cases:
        found = world.findings(rule, case.device)
        assert [f.level for f in found] == ([case.level] if case.matches else []), case.name
        assert all(s in f.subjects for f in found for s in case.subjects)


def test_a_misspelt_column_is_named_with_its_neighbour(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = pack / "interface-promiscuous.sql"
    file.write_text(file.read_text(encoding="utf-8").replace("promiscuous and", "promiscous and"), encoding="utf-8")
    assert main(["rules", "check", "--rules", str(pack)]) == 1
    said = capsys.readouterr().out
    assert "promiscous" in said and "promiscuous" in said


def test_every_header_key_is_explained_and_no_other() -> None:
    part = PAGE.split("| header key |")[1].split("\n\n")[0]
    named = {k for row in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for k in re.findall(r"`(\w+)`", row)}
    assert named == set(rules._KEYS)


def test_needs_of_the_recipe_can_be_fed() -> None:
    known = [platforms.load(n) for n in platforms.names()]
    assert engine.check(known, rules.load()) == []
