"""A disk that fills up and a person who presses Ctrl-C, at every step: what is stored stays, and the same call goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import devicehunt
from devicehunt.case import Case
from devicehunt.errors import CaseError

UNAME = b"Linux r 5.4.188 #0 SMP Mon Jan 6 10:00:00 2026 mips GNU/Linux\n"
PS = b"  PID USER       VSZ STAT COMMAND\n    1 root      1568 S    /sbin/procd\n   66 root      1568 S    /tmp/.x\n"
COMMAND = [sys.executable, "-m", "devicehunt"]
RESULTS = ("findings.jsonl", "coverage.jsonl")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


def router(where: Path) -> Path:
    where.mkdir(parents=True)
    (where / "uname_-a.txt").write_bytes(UNAME)
    (where / "ps_w.txt").write_bytes(PS)
    (where / "date.txt").write_bytes(b"Tue Jan  6 10:00:00 UTC 2026\n")
    return where


def intact(case: Path) -> None:
    """What the journal vouches for is there, and nothing else."""
    if case.exists():
        assert Case.open(case).verify() == []
        assert not list(case.rglob("*.part"))


def goes_on(source: Path, case: Path, wanted: dict[str, bytes]) -> None:
    devicehunt.hunt([source], case=case, jobs=1)
    assert {name: (case / name).read_bytes() for name in RESULTS} == wanted
    intact(case)
    assert sorted(p.name for p in case.iterdir()) == ["coverage.jsonl", "evidence", "findings.jsonl", "report.html", "tables"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case of a hunt of the router that nothing disturbs."""
    root = tmp_path_factory.mktemp("undisturbed")
    assert run("hunt", router(root / "router"), "-o", root / "case").returncode == 3
    return root / "case"


@pytest.fixture(scope="module")
def wanted(undisturbed: Path) -> dict[str, bytes]:
    """What it finds."""
    return {name: (undisturbed / name).read_bytes() for name in RESULTS}


# Ctrl-C

INTERRUPT = """
import importlib, os, signal, sys
module, _, name = sys.argv[1].rpartition(":")
owner = importlib.import_module(module)
*path, name = name.split(".")
for part in path:
    owner = getattr(owner, part)
real, left = getattr(owner, name), [int(sys.argv[2])]
def ctrl_c(*args, **kwargs):
    left[0] -= 1
    if left[0] == 0 and sys.argv[3] == "before":
        os.kill(os.getpid(), signal.SIGINT)
    answer = real(*args, **kwargs)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGINT)
    return answer
setattr(owner, name, ctrl_c)
from devicehunt.cli import main
sys.exit(main(sys.argv[4:]))
"""


@pytest.mark.parametrize(
    ("where", "call", "when"),
    [
        ("devicehunt.archives:walk", 1, "before"),
        ("devicehunt.case:write", 1, "before"),
        ("devicehunt.case:write", 2, "after"),
        ("devicehunt.case:Case._append", 1, "after"),
        ("devicehunt.case:Case._append", 3, "before"),
        ("devicehunt.case:os.fsync", 2, "after"),
        ("devicehunt.api:parse_batch", 1, "before"),
        ("devicehunt.tables:Loader.add", 2, "after"),
        ("devicehunt.tables:Loader.finish", 1, "after"),
        ("devicehunt.engine:_load_facts", 1, "after"),
        ("devicehunt.engine:_grouped", 4, "before"),
        ("devicehunt.report.jsonl:write_findings", 1, "before"),
        ("devicehunt.report.jsonl:write_coverage", 1, "after"),
        ("devicehunt.report.jsonl:os.fsync", 5, "before"),
        ("devicehunt.show:result", 1, "before"),
        ("devicehunt.report.html:render", 1, "after"),
        ("devicehunt.report.terminal:render", 1, "before"),
    ],
)
def test_ctrl_c_in_each_step(tmp_path: Path, wanted: dict[str, bytes], where: str, call: int, when: str) -> None:
    source, case = router(tmp_path / "router"), tmp_path / "case"
    command = [sys.executable, "-c", INTERRUPT, where, str(call), when, "hunt", str(source), "-o", str(case)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (130, ""), done
    assert done.stderr == "devicehunt: interrupted; what was stored is kept, run the same command again to go on\n"
    intact(case)
    goes_on(source, case, wanted)


def test_ctrl_c_while_workers_parse(tmp_path: Path) -> None:
    sources = [router(tmp_path / "in" / f"r{number:02d}") for number in range(30)]
    case = tmp_path / "case"
    command = [*COMMAND, "hunt", *map(str, sources), "-o", str(case), "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        until = time.monotonic() + 60
        while not (case / "tables.new").is_dir() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)  # the workers are starting
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to all of them
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert (out, err.count(b"\n")) == (b"", 1), err
    with pytest.raises(ProcessLookupError):  # nobody is left behind
        for _ in range(50):
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    intact(case)
    assert not (case / "tables.new").exists()
    assert run("hunt", *sources, "-o", case).returncode == 3
    intact(case)


# two at once


def test_a_case_belongs_to_one_hunt_at_a_time(tmp_path: Path) -> None:
    source, case = router(tmp_path / "router"), tmp_path / "case"
    with Case.open(case).writing():
        done = run("hunt", source, "-o", case)
        assert (done.returncode, "another devicehunt is writing" in done.stderr) == (1, True), done
    assert not case.exists()  # a folder made for nothing is gone
    late = Case.open(case)
    assert run("hunt", source, "-o", case).returncode == 3
    with pytest.raises(CaseError, match="wrote to this case just now"), late.writing():
        pass
    intact(case)


# a full disk


def may_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return done.returncode == 0


ON_A_SMALL_DISK = """
set -u
mount -t tmpfs -o "$1" none /mnt || exit 99
shift
"$@" hunt "$SOURCE" -o /mnt/case > "$SAID/first" 2>&1; echo "first $?"
if [ -s /mnt/case/evidence/data/journal.jsonl ]; then "$@" verify /mnt/case > "$SAID/verify"; echo "verify $?"; fi
mount -o remount,size=64m,nr_inodes=9999 none /mnt || exit 99
"$@" hunt "$SOURCE" -o /mnt/case > "$SAID/second" 2>&1; echo "second $?"
"$@" verify /mnt/case > "$SAID/verify"; echo "after $?"
cp /mnt/case/findings.jsonl /mnt/case/coverage.jsonl "$SAID"
find /mnt/case -name '*.part' -o -name 'tables.new'
"""


def small_disk(undisturbed: Path, kind: str, share: float) -> str:
    """Options of a disk that takes a share of what the case needs: of its files and folders, or of its bytes."""
    there = list(undisturbed.rglob("*"))
    if kind == "files":
        return f"nr_inodes={1 + int((1 + len(there)) * share)}"
    return f"size={4 * max(1, int(sum(-(-p.stat().st_size // 4096) for p in there if p.is_file()) * share))}k"


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a file system")
@pytest.mark.parametrize("kind", ["files", "bytes"])
@pytest.mark.parametrize("share", [0.02, 0.16, 0.3, 0.45, 0.6, 0.75, 0.9])
def test_a_disk_that_is_full(tmp_path: Path, undisturbed: Path, wanted: dict[str, bytes], kind: str, share: float) -> None:
    source, said = router(tmp_path / "router"), tmp_path / "said"
    said.mkdir()
    command = ["unshare", "-m", "sh", "-c", ON_A_SMALL_DISK, "sh", small_disk(undisturbed, kind, share), *COMMAND]
    env = {**os.environ, "SOURCE": str(source), "SAID": str(said)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=120)
    first = (said / "first").read_text()
    assert re.fullmatch(r"devicehunt: .*No space left on device.*\n", first), first
    steps = dict(line.split() for line in done.stdout.splitlines())
    assert steps.pop("verify", "0") == "0", (said / "verify").read_text()
    assert steps == {"first": "1", "second": "3", "after": "0"}, (steps, (said / "second").read_text())
    assert {name: (said / name).read_bytes() for name in RESULTS} == wanted
