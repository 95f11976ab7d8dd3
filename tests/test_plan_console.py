"""The plan for devices without a shell: pasted commands and remarks, answered by samples, damaged on the way, and read back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import devicehunt
from devicehunt import platforms
from devicehunt.model import EndProof, Section, Status
from devicehunt.plan import plan
from devicehunt.platforms import Platform
from devicehunt.transcript import looks_like_transcript, read_transcript

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
PROMPT = {"cisco_ios": "edge-7#", "mikrotik_routeros": "[admin@edge-7] > "}
CONSOLES = [n for n in platforms.names() if platforms.load(n).console]
BLANK = Section("r/1/01.txt", "r", "1", 1, "", b"")


def sample(platform: Platform, command: str) -> str:
    """What a device answers: the text of the stanza's first whole sample."""
    stanza = next(s for s in platform.stanzas.values() if (s.plan_command or s.command) == command)
    for raw in sorted((FIXTURES / platform.name / stanza.id).glob("*.raw")):
        text = raw.read_bytes().decode("utf-8", "replace")
        if '"status": "complete"' in raw.with_suffix(".json").read_text(encoding="utf-8"):
            return text if text.endswith("\n") or not text else text + "\n"
    return ""


def session(platform: Platform, *, answer: Callable[[Platform, str], str] = sample, **options: int) -> str:
    """The log of a console into which the plan was pasted."""
    prompt = PROMPT[platform.name]
    assert platform.console is not None
    log = ""
    for line in plan(platform, **options).splitlines():
        silent = line.startswith(platform.console.comment) or line in platform.console.before
        log += f"{prompt}{line}\n" + ("" if silent else answer(platform, line))
    return log + prompt


def sections(platform: Platform, log: str) -> list[Section]:
    assert platform.console is not None
    return read_transcript(log.encode(), BLANK, platform.prompts, platform.console.quiet)


def short(_: Platform, command: str) -> str:
    return f"answer to {command}\n"


@pytest.fixture(params=CONSOLES)
def platform(request: pytest.FixtureRequest) -> Platform:
    return platforms.load(request.param)


def test_every_command_is_read_back_and_proven_by_its_prompt(platform: Platform) -> None:
    log = session(platform, answer=short)
    assert looks_like_transcript(log.encode(), platform.prompts)
    asked = [s for s in platform.stanzas.values() if s.plan]
    found = sections(platform, log)
    assert sorted(s.command for s in found) == sorted(s.plan_command or s.command for s in asked)
    assert all(s.data.decode() == f"answer to {s.command}\n" for s in found)
    assert {s.end_proof for s in found} == {EndProof.PROMPT}
    assert all(platform.find(s.command) for s in found)


def test_it_only_asks(platform: Platform) -> None:
    """By its first word; a word that is not here has to be looked at by a person."""
    asks = {
        "cisco_ios": r"(show|dir|verify|terminal (length|width)|more) ?.*",
        "mikrotik_routeros": r"(/[\w /-]+ print.*|/system check-installation|/export.*)",
    }
    assert platform.console is not None
    lines = [line for line in plan(platform).splitlines() if not line.startswith(platform.console.comment)]
    assert [line for line in lines if not re.fullmatch(asks[platform.name], line)] == []
    assert [line for line in lines if re.search(r"[|>;]\s*(redirect|append|tee|file)\b|\bfile=", line)] == []


def test_what_the_budget_dropped_is_a_gap(platform: Platform) -> None:
    total = len([s for s in platform.stanzas.values() if s.plan])
    found = sections(platform, session(platform, answer=short, budget_s=5, baud=300))
    dropped = [s for s in found if s.status is Status.NOT_COLLECTED]
    assert len(found) == total
    assert 0 < len(dropped) < total
    assert {s.reason for s in dropped} == {"left out of the plan for lack of time"}


def test_commands_that_the_paste_lost_are_said(platform: Platform) -> None:
    log = session(platform, answer=short)
    prompt = PROMPT[platform.name]
    blocks = log.split(prompt)
    lost = next(i for i, b in enumerate(blocks) if "answer to" in b)
    (said,) = [s for s in sections(platform, prompt.join(blocks[:lost] + blocks[lost + 1 :])) if s.status is Status.LOST]
    assert "1 of" in said.reason


def test_a_log_that_stops_early_says_so(platform: Platform) -> None:
    log = session(platform, answer=short)
    cut = log[: log.rindex("answer to") + 4]
    statuses = {s.status for s in sections(platform, cut)}
    assert Status.LOST in statuses
    last = [s for s in sections(platform, cut) if s.command][-1]
    assert last.end_proof is EndProof.NONE


def test_a_hunt_of_the_log_reads_every_answer(platform: Platform, tmp_path: Path) -> None:
    log = tmp_path / "edge-7.log"
    log.write_text(session(platform), encoding="utf-8")
    case = devicehunt.hunt([log], case=tmp_path / "case", device="edge-7")
    rows = case.query("select command, stanza from exhibits").fetchall()
    assert len(rows) >= len([s for s in platform.stanzas.values() if s.plan])
    assert [command for command, stanza in rows if stanza is None] == []
