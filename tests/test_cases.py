"""Whole devices from raw outputs (fixtures/cases): the verdict, what must be found, and what must not.

`<story>.expected.yaml` beside each story, not in it: what lies in a folder is evidence:

    verdict: compromised
    assessed: 28                 # core checks, of `core`
    core: 30
    findings:                    # all of them, by rule and level; with what the finding is about
      - {rule: process-deleted-executable, level: critical, subject: {type: process, pid: 1542}}
    not_assessable: [modules]    # every rule that is not assessable, core or not
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import devicehunt
from devicehunt import platforms, rules
from devicehunt.case import Case

CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"
STORIES = sorted(p.parent.name for p in CASES.glob("*/evidence"))
WIRE = {r.id for r in rules.load() if r.file.parent.name == "flow"} | {"common-and-new"}
LISTS = {r.id for r in rules.load() if r.id.startswith("indicator-")}
"""Rules that are asked only with a list of indicators (tests/test_indicators.py)."""
WIRE -= LISTS
KEYS = {"verdict", "assessed", "core", "findings", "not_assessable"}


def expected(story: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((CASES / f"{story}.expected.yaml").read_text(encoding="utf-8"))
    assert set(body) == KEYS, f"{story}: {sorted(body)}"
    return body


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Each story, hunted once, with its site file where it has one."""
    found = {}
    for story in STORIES:
        owner = CASES / story / "site.yaml"
        site = owner if owner.is_file() else None
        case = tmp_path_factory.mktemp("case") / "case"
        found[story] = devicehunt.hunt([CASES / story / "evidence"], device=story, case=case, site=site)
    return found


@pytest.mark.parametrize("story", STORIES)
def test_verdict_and_core_checks(hunted: dict[str, Case], story: str) -> None:
    wanted = expected(story)
    (verdict,) = hunted[story].verdicts
    assert (verdict.verdict, verdict.assessed, verdict.core) == (wanted["verdict"], wanted["assessed"], wanted["core"])
    assert verdict.core == len(platforms.load("linux").core)
    assert verdict.assessed >= 0.9 * verdict.core


@pytest.mark.parametrize("story", STORIES)
def test_findings_are_exactly_those_expected(hunted: dict[str, Case], story: str) -> None:
    wanted = expected(story)["findings"]
    found = hunted[story].findings
    assert sorted((f.rule, f.level) for f in found) == sorted((w["rule"], w["level"]) for w in wanted)
    for one in wanted:
        about = [s for f in found if (f.rule, f.level) == (one["rule"], one["level"]) for s in f.subjects]
        assert any(one["subject"].items() <= s.items() for s in about), f"{one}: {about}"


@pytest.mark.parametrize("story", STORIES)
def test_every_finding_cites_lines_that_are_there(hunted: dict[str, Case], story: str) -> None:
    case = hunted[story]
    for finding in case.findings:
        assert finding.evidence, finding.title
        assert len(finding.subjects) <= 12, finding.title
        for cited in finding.evidence:
            assert cited.line >= 1
            assert cited.text
            assert cited.line <= len(case.read(cited.exhibit).split(b"\n"))


@pytest.mark.parametrize("story", STORIES)
def test_what_was_not_seen_is_said(hunted: dict[str, Case], story: str) -> None:
    blind = [c for c in hunted[story].coverage if c.result == "not-assessable"]
    assert sorted(c.rule for c in blind if c.rule not in WIRE) == expected(story)["not_assessable"]
    assert {c.rule for c in blind} >= WIRE  # nobody listened to these devices
    assert all(c.reasons for c in blind)


def test_every_rule_has_a_hit_and_a_no_hit_from_raw_outputs(hunted: dict[str, Case]) -> None:
    # those of context: tests/test_exposure.py; those of the wire: tests/test_traffic.py
    known = {r.id for r in rules.load() if (not r.platforms or "linux" in r.platforms) and not r.context} - WIRE - LISTS
    results: dict[str, set[str]] = {"hit": set(), "no-hit": set()}
    for case in hunted.values():
        for one in case.coverage:
            results.setdefault(one.result, set()).add(one.rule)
    assert results["hit"] & known == known
    assert results["no-hit"] & known == known
