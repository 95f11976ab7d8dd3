"""Same bytes in, same findings out: whatever the time zone, locale, hash seed, number of processes or order of sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devicehunt.api import BATCH, PARALLEL_FROM

EVIDENCE = Path(__file__).resolve().parent.parent / "fixtures" / "cases" / "relay-in-disguise" / "evidence"
FEW = ("ps_w.txt", "netstat_-tulpn.txt", "uname_-a.txt", "date.txt", "uptime.txt", "cat_etc_passwd.txt", "iptables-save.txt", "ip_addr.txt")
MANY = BATCH + 3
"""Devices: more than one worker takes at a time, so that worker processes are used."""
SURROUNDINGS = [
    {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    {"TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"},
    {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "77"},
]
TIMES = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00|[0-9a-f]{64}")


def hunt(case: Path, sources: list[Path], jobs: int, surroundings: dict[str, str]) -> dict[str, bytes]:
    command = [sys.executable, "-m", "devicehunt", "hunt", *map(str, sources), "-o", case.name, "--jobs", str(jobs)]
    env = {**os.environ, **surroundings}
    done = subprocess.run(command, capture_output=True, env=env, cwd=case.parent, check=False, timeout=300)
    assert done.returncode == 3, done.stderr.decode()
    made = {name: (case / name).read_bytes() for name in ("findings.jsonl", "coverage.jsonl", "report.html")}
    # the journal is another one: it says when each file was received
    made["report.html"] = TIMES.sub(b"?", made["report.html"])
    for part in sorted((case / "tables").rglob("*.parquet")):
        made[str(part.relative_to(case))] = part.read_bytes()
    return made | {"printed": done.stdout}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("fleet")
    for number in range(MANY):
        folder = root / f"r{number:02d}"
        folder.mkdir()
        for name in FEW:
            text = (EVIDENCE / name).read_bytes()
            (folder / name).write_bytes(text.replace(b"51950", b"%d" % (51950 + number)))
    return sorted(root.iterdir())


def test_one_device(tmp_path: Path) -> None:
    answers = []
    for number, surroundings in enumerate(SURROUNDINGS):
        (tmp_path / str(number)).mkdir()
        answers.append(hunt(tmp_path / str(number) / "case", [EVIDENCE], 1 + number % 2, surroundings))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["findings.jsonl"].count(b"\n") > 3


def test_a_fleet(fleet: list[Path], tmp_path: Path) -> None:
    assert len(fleet) > max(PARALLEL_FROM, BATCH)
    answers = []
    for number, surroundings in enumerate(SURROUNDINGS):
        (tmp_path / str(number)).mkdir()
        given = [fleet, fleet[::-1], fleet[1::2] + fleet[::2]][number]
        answers.append(hunt(tmp_path / str(number) / "case", given, 1 + number, surroundings))
        shutil.rmtree(tmp_path / str(number) / "case" / "evidence")
    for name in answers[0]:
        assert answers[0][name] == answers[1][name] == answers[2][name], name
    devices = set(re.findall(rb'"device": "([^"]+)"', answers[0]["findings.jsonl"]))
    assert devices == {f.name.encode() for f in fleet}


def test_where_the_sources_lie_changes_nothing(tmp_path: Path) -> None:
    answers = []
    for where in ("a", "a much longer name/b"):
        shutil.copytree(EVIDENCE, tmp_path / where / "router")
        answers.append(hunt(tmp_path / where / "case", [tmp_path / where / "router"], 1, SURROUNDINGS[0]))
    assert answers[0] == answers[1]
