"""Whole IOS devices from their configuration alone: the verdict, what must be found, and what must not."""

from __future__ import annotations

from pathlib import Path

import pytest

import devicehunt
from devicehunt import platforms, rules
from devicehunt.case import Case
from devicehunt.model import LEVELS

CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"
STORIES = sorted(p.name for p in CASES.glob("ios-*") if p.is_dir())
TAKEN = {
    ("aaa-weakened", "high"), ("aaa-weakened", "medium"), ("acl-lets-outsider-in", "high"), ("boots-from-network", "high"),
    ("foreign-software-hosted", "medium"), ("ios-account-strange", "high"), ("ios-account-strange", "low"),
    ("ios-event-hides-or-fetches", "high"), ("ios-service-gives-files-away", "high"), ("ios-snmp-open", "high"),
    ("ios-tunnel-to-outside", "medium"), ("ios-web-server-on", "medium"), ("logging-switched-off", "high"), ("traffic-copied", "medium"),
}  # fmt: skip


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return {s: devicehunt.hunt([CASES / s / "device"], device=s, case=tmp_path_factory.mktemp("case") / "case") for s in STORIES}


def test_a_taken_router(hunted: dict[str, Case]) -> None:
    case = hunted["ios-taken"]
    assert {(f.rule, f.level) for f in case.findings if not f.context} == TAKEN
    assert case.verdicts[0].verdict in ("suspicious", "compromised")
    assert case.verdicts[0].assessed == case.verdicts[0].core == len(platforms.load("cisco_ios").core)
    named = {str(v) for f in case.findings for s in f.subjects for v in s.values()}
    assert {"cisco_sys_mgr", "Tunnel77", "198.51.100.166", "QOS-POLL"} <= named


def test_a_branch_raises_nothing_at_high(hunted: dict[str, Case]) -> None:
    found = {(f.rule, f.level) for f in hunted["ios-branch"].findings}
    assert not {level for _, level in found if LEVELS.index(level) >= LEVELS.index("high")}
    assert ("traffic-copied", "medium") in found


def test_an_honest_switch_with_its_site_file(tmp_path: Path) -> None:
    case = devicehunt.hunt([CASES / "ios-switch" / "device"], case=tmp_path / "case", site=CASES / "ios-site.yaml")
    assert [(f.rule, f.level) for f in case.findings if f.explained_by != "owner" and not f.context] == []
    assert case.verdicts[0].verdict == "nothing-found"


def test_secrets_stay_out_of_what_is_written(hunted: dict[str, Case]) -> None:
    from devicehunt.report import html
    from devicehunt.show import result

    for case in hunted.values():
        written = html.render(result(case)).encode() + (case.path / "findings.jsonl").read_bytes()
        for table in case.tables.rglob("*.parquet"):
            written += table.read_bytes()
        for secret in (b"hunter2", b"S3cr3tPsk", b"authpass12", b"privpass34", b"0822455D0A16544541", b"Zx81kkQa", b"nhrpkey1"):
            assert secret not in written, (case.path.name, secret)


def test_every_rule_for_ios_hits_and_does_not_hit(hunted: dict[str, Case]) -> None:
    mine = {r.id for r in rules.load() if r.platforms == ("cisco_ios",)}
    hit = {c.rule for case in hunted.values() for c in case.coverage if c.result == "hit"}
    clean = {c.rule for case in hunted.values() for c in case.coverage if c.result == "no-hit"}
    assert mine - hit <= {"ios-lines-open"}  # the taken router guards its lines
    assert mine - clean <= {"ios-account-strange"}  # every device has an account to ask about
