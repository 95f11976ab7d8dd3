"""Whole RouterOS devices from raw outputs (fixtures/cases/routeros-*): what must be found, and what must not.

`routeros-<story>.expected.yaml` beside each story:

    verdict: suspicious
    assessed: 16                 # core checks, of all that the platform has
    findings:                    # all of them, with the site file where there is one
      - {rule: nat-relays-to-outside, level: high}
    vary: [U11, 6183]            # taken stories: what an intruder would choose anew, drawn at random here
    without_site: [{rule: ..., level: medium}]   # honest stories: the same without the owner's word, from medium on
"""

from __future__ import annotations

import random
import re
import string
from pathlib import Path
from typing import Any

import pytest

from devicehunt import platforms, rules
from devicehunt.case import Case
from devicehunt.model import LEVELS
from tests import stories
from tests.stories import CASES, gaps, hunt, hunt_all

STORIES = sorted(p.parent.name for p in CASES.glob("routeros-*/device"))
KEYS = {"verdict", "assessed", "findings", "vary", "without_site"}
CHECKS = {r.id: r.check for r in rules.load()}


def expected(story: str) -> dict[str, Any]:
    return stories.expected(story, KEYS)


TAKEN = [s for s in STORIES if "vary" in expected(s)]
HONEST = [s for s in STORIES if "without_site" in expected(s)]


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return hunt_all(STORIES, tmp_path_factory)


def test_each_story_is_taken_or_honest() -> None:
    assert sorted([*TAKEN, *HONEST]) == STORIES
    assert len(TAKEN) >= 6
    assert len(HONEST) >= 3


@pytest.mark.parametrize("story", STORIES)
def test_verdict_and_findings(hunted: dict[str, Case], story: str) -> None:
    wanted = expected(story)
    (verdict,) = hunted[story].verdicts
    assert (verdict.verdict, verdict.assessed) == (wanted["verdict"], wanted["assessed"])
    assert verdict.core == len(platforms.load("mikrotik_routeros").core)
    made = sorted((f.rule, f.level) for f in hunted[story].findings if not f.context)
    assert made == sorted((w["rule"], w["level"]) for w in wanted["findings"])


@pytest.mark.parametrize("story", STORIES)
def test_every_line_is_read_and_every_finding_cites_one(hunted: dict[str, Case], story: str) -> None:
    assert list(gaps(hunted[story])) == []
    for finding in hunted[story].findings:
        assert finding.evidence, finding.title
        assert all(c.line >= 1 and c.text for c in finding.evidence), finding.title
        assert "None" not in finding.title


@pytest.mark.parametrize("story", STORIES)
def test_no_secret_is_repeated(hunted: dict[str, Case], story: str) -> None:
    text = "\n".join(p.read_text(encoding="utf-8") for p in (CASES / story / "device").iterdir())
    secrets = set(re.findall(r'(?:password|secret|passphrase)=("[^"]+"|\S+)', text.replace("\\\n    ", "")))
    case = hunted[story]
    shown = "\n".join((case.path / name).read_text(encoding="utf-8") for name in ("findings.jsonl", "coverage.jsonl"))
    assert [s for s in secrets if s.strip('"') and s in shown] == []


@pytest.mark.parametrize("seed", [3, 5])
@pytest.mark.parametrize("story", TAKEN)
def test_names_ports_and_addresses_do_not_matter(story: str, seed: int, tmp_path: Path) -> None:
    wanted = expected(story)
    draw = random.Random(f"{story} {seed}")
    changed = {str(old): other(str(old), draw) for old in wanted["vary"]}
    device = tmp_path / "device"
    device.mkdir()
    for path in sorted((CASES / story / "device").iterdir()):
        text = path.read_text(encoding="utf-8")
        for old, new in changed.items():
            text = re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w])", new, text)
        (device / path.name).write_text(text, encoding="utf-8")
    case = hunt(device, "taken", tmp_path / "case")
    strong = {f.rule for f in case.findings if not f.context and LEVELS.index(f.level) >= LEVELS.index("medium")}
    assert len({CHECKS[r] for r in strong}) >= 2, changed
    assert case.verdicts[0].verdict in ("compromised", "suspicious"), changed


def other(old: str, draw: random.Random) -> str:
    """Another value of the same shape: a port, an address of the internet, a word."""
    if old.isdigit():
        return str(draw.randint(2048, 33000))
    if re.fullmatch(r"[\d.]+", old):
        return f"{draw.choice(('45.77', '91.219', '103.41', '185.70'))}.{draw.randint(1, 250)}.{draw.randint(2, 250)}"
    return draw.choice(string.ascii_lowercase) + "".join(draw.choices(string.ascii_lowercase, k=len(old) + 1))


@pytest.mark.parametrize("story", HONEST)
def test_honest_devices_have_nothing_at_high_without_the_owners_word(story: str, tmp_path: Path) -> None:
    case = hunt(CASES / story / "device", story, tmp_path / "case")
    loud = [(f.rule, f.level) for f in case.findings if not f.context and LEVELS.index(f.level) >= LEVELS.index("medium")]
    assert sorted(loud) == sorted((w["rule"], w["level"]) for w in expected(story)["without_site"])
    assert {level for _, level in loud} <= {"medium"}
    for finding in case.findings:
        if finding.level == "medium":
            assert "confirm" in finding.title or finding.falsepositives


def test_every_rule_of_the_platform_has_a_hit_and_a_no_hit_from_raw_outputs(hunted: dict[str, Case]) -> None:
    known = {r.id for r in rules.load() if "mikrotik_routeros" in r.platforms}
    results: dict[str, set[str]] = {"hit": set(), "no-hit": set()}
    for case in hunted.values():
        for one in case.coverage:
            results.setdefault(one.result, set()).add(one.rule)
    assert known - results["hit"] == set()
    assert known - results["no-hit"] == set()
