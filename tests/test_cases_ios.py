"""Whole IOS devices from raw outputs (fixtures/cases/ios-*): what must be found, and what must not.

`ios-<story>.expected.yaml` beside each story:

    verdict: suspicious
    not_assessed: []             # core checks
    findings:                    # from medium on, with the site file where there is one
      - {rule: acl-lets-outsider-in, level: high}
    exposed: [CVE-2018-0171]     # of findings of exposure from low on
    vary: [22722, anakin]        # taken stories: what an intruder would choose anew, drawn at random here
    without_site: [{rule: ..., level: medium}]   # honest stories: the same without the owner's word
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

ALL = sorted(p.parent.name for p in CASES.glob("ios-*/device"))
STORIES = [s for s in ALL if (CASES / f"{s}.expected.yaml").is_file()]
KEYS = {"verdict", "not_assessed", "findings", "exposed", "vary", "without_site"}
RULES = {r.id: r for r in rules.load()}
MEDIUM = LEVELS.index("medium")
SECRETS = (
    r"\b(?:secret|password) [05789] (\S+)", r"\bkey 7 (\S+)", r"\b(?:tacacs|radius)-server key 7 (\S+)", r"pre-shared-key (\S+)",
    r"snmp-server community (\S+)", r"\bauth (?:sha|md5) (\S+)", r"\bpriv aes \d+ (\S+)", r"isakmp key (\S+)", r"nhrp authentication (\S+)",
)  # fmt: skip


def expected(story: str) -> dict[str, Any]:
    return stories.expected(story, KEYS)


TAKEN = [s for s in STORIES if "vary" in expected(s)]
HONEST = [s for s in STORIES if "without_site" in expected(s)]


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return hunt_all(ALL, tmp_path_factory)


def loud(case: Case) -> list[tuple[str, str]]:
    return sorted({(f.rule, f.level) for f in case.findings if not f.context and LEVELS.index(f.level) >= MEDIUM})


def wanted(entries: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((e["rule"], e["level"]) for e in entries)


def test_each_story_is_taken_or_honest() -> None:
    assert sorted([*TAKEN, *HONEST]) == STORIES
    assert len(TAKEN) >= 7
    assert len(HONEST) >= 4


@pytest.mark.parametrize("story", STORIES)
def test_verdict_and_findings(hunted: dict[str, Case], story: str) -> None:
    case, said = hunted[story], expected(story)
    (verdict,) = case.verdicts
    assert verdict.verdict == said["verdict"]
    assert verdict.core == len(platforms.load("cisco_ios").core)
    blind = sorted(c.rule for c in case.coverage if c.core and c.result == "not-assessable")
    assert blind == said.get("not_assessed", [])
    assert loud(case) == wanted(said["findings"])


@pytest.mark.parametrize("story", STORIES)
def test_exposure_is_told_and_raises_nothing(hunted: dict[str, Case], story: str) -> None:
    exposed = [f for f in hunted[story].findings if f.context]
    assert sorted({f.key[0] for f in exposed if f.level != "info"}) == expected(story)["exposed"]
    assert all(LEVELS.index(f.level) <= MEDIUM for f in exposed)


@pytest.mark.parametrize("story", ALL)
def test_every_line_is_read_and_every_finding_cites_one(hunted: dict[str, Case], story: str) -> None:
    assert gaps(hunted[story]) == []
    for finding in hunted[story].findings:
        assert finding.evidence, finding.title
        assert all(c.line >= 1 and c.text for c in finding.evidence), finding.title
        assert "None" not in finding.title


@pytest.mark.parametrize("story", ALL)
def test_no_secret_is_repeated(hunted: dict[str, Case], story: str) -> None:
    from devicehunt.report import html
    from devicehunt.show import result

    text = "\n".join(p.read_text(encoding="utf-8") for p in sorted((CASES / story / "device").iterdir()))
    secrets = {s.encode() for pattern in SECRETS for s in re.findall(pattern, text)}
    case = hunted[story]
    written = html.render(result(case)).encode()
    for path in (case.path / "findings.jsonl", case.path / "coverage.jsonl", *case.tables.rglob("*.parquet")):
        written += path.read_bytes()
    # words that stand in the configuration as such, too
    common = {b"public", b"private", b"anakin"}
    assert [s for s in secrets - common if len(s) > 4 and s in written] == []
    assert secrets or story in ("ios-quiet-edge",)


@pytest.mark.parametrize("seed", [3, 5])
@pytest.mark.parametrize("story", TAKEN)
def test_names_ports_and_addresses_do_not_matter(story: str, seed: int, tmp_path: Path) -> None:
    draw = random.Random(f"{story} {seed}")
    changed = {str(old): other(str(old), draw) for old in expected(story)["vary"]}
    device = tmp_path / "device"
    device.mkdir()
    texts = {p.name: p.read_text(encoding="utf-8") for p in sorted((CASES / story / "device").iterdir())}
    for old, new in changed.items():
        assert any(old in text for text in texts.values()), old
        texts = {name: re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w])", new, text) for name, text in texts.items()}
    for name, text in texts.items():
        (device / name).write_text(text, encoding="utf-8")
    case = hunt(device, "taken", tmp_path / "case")
    strong = {rule for rule, _ in loud(case)}
    assert len({RULES[r].check for r in strong}) >= 2, changed
    assert case.verdicts[0].verdict in ("compromised", "suspicious"), changed
    assert gaps(case) == []


def other(old: str, draw: random.Random) -> str:
    """Another value of the same shape: a port, an address of the internet, a word."""
    if old.isdigit():
        return str(draw.randint(2300, 33000))
    if re.fullmatch(r"[\d.]+", old):
        return f"{draw.choice(('45.77', '91.219', '103.41', '185.70'))}.{draw.randint(1, 250)}.{draw.randint(2, 250)}"
    return draw.choice(string.ascii_lowercase) + "".join(draw.choices(string.ascii_lowercase, k=len(old) + 1))


@pytest.mark.parametrize("story", HONEST)
def test_honest_devices_have_nothing_at_high_without_the_owners_word(story: str, tmp_path: Path) -> None:
    case = hunt(CASES / story / "device", story, tmp_path / "case")
    assert loud(case) == wanted(expected(story)["without_site"])
    assert {level for _, level in loud(case)} <= {"medium"}
    # a configuration alone is not the running device
    assert case.verdicts[0].verdict == ("inconclusive" if "not_assessed" in expected(story) else "nothing-found")
    for finding in case.findings:
        if finding.level == "medium":
            assert "confirm" in finding.title or finding.falsepositives


def test_an_honest_switch_with_its_site_file(hunted: dict[str, Case]) -> None:
    left = [(f.rule, f.level) for f in hunted["ios-switch"].findings if f.explained_by != "owner" and not f.context]
    assert left == []


def test_every_rule_of_the_platform_has_a_hit_and_a_no_hit_from_raw_outputs(hunted: dict[str, Case]) -> None:
    known = {r.id for r in RULES.values() if "cisco_ios" in r.platforms}
    results: dict[str, set[str]] = {"hit": set(), "no-hit": set()}
    for case in hunted.values():
        for one in case.coverage:
            results.setdefault(one.result, set()).add(one.rule)
    assert known - results["hit"] == set()
    assert known - results["no-hit"] == set()
