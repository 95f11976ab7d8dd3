"""`import devicehunt`: the same job as the command line, as one call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import devicehunt
from devicehunt import api
from devicehunt.errors import CaseError, DevicehuntError, SiteError, SourceError, UsageError

EVIDENCE = Path(__file__).resolve().parent.parent / "fixtures" / "cases" / "relay-in-disguise" / "evidence"
UNAME = b"Linux r 5.4.188 #0 SMP Mon Jan 6 10:00:00 2026 mips GNU/Linux\n"


def fleet(where: Path, count: int) -> list[Path]:
    sources = []
    for number in range(count):
        folder = where / f"r{number:02d}"
        folder.mkdir(parents=True)
        (folder / "uname_-a.txt").write_bytes(UNAME)
        sources.append(folder)
    return sources


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> devicehunt.Case:
    return devicehunt.hunt([EVIDENCE], case=tmp_path_factory.mktemp("api") / "case", device="relay", jobs=1)


def test_a_case_has_findings_coverage_verdicts_and_tables(relay: devicehunt.Case) -> None:
    (verdict,) = relay.verdicts
    assert (verdict.device, verdict.verdict) == ("relay", "compromised")
    assert {f.level for f in relay.findings} >= {"critical", "high"}
    for finding in relay.findings:
        cited = finding.evidence[0]
        assert cited.text.strip() in relay.read(cited.exhibit).decode().split("\n")[cited.line - 1]
    assert {c.result for c in relay.coverage} >= {"hit", "no-hit", "not-assessable"}
    assert relay.query("select count(*) from processes where pid = 1542").fetchall()[0][0] > 0
    assert relay.verify() == []


def test_it_writes_what_the_command_writes(relay: devicehunt.Case, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "devicehunt", "hunt", EVIDENCE, "-o", tmp_path / "case", "--device", "relay"]
    subprocess.run(command, capture_output=True, check=False, timeout=120)
    for name in ("findings.jsonl", "coverage.jsonl"):
        assert (relay.path / name).read_bytes() == (tmp_path / "case" / name).read_bytes()
    listed = [sorted(p.relative_to(c).as_posix() for p in c.rglob("*")) for c in (relay.path, tmp_path / "case")]
    assert listed[0] == listed[1]
    assert "report.html" in listed[0]


def test_without_a_case_folder_a_new_one_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    steps: list[tuple[str, int, int]] = []
    case = devicehunt.hunt([str(fleet(tmp_path / "in", 1)[0])], progress=lambda *step: steps.append(step))
    assert case.path.is_relative_to(tmp_path)
    assert case.verdicts[0].verdict == "inconclusive"
    assert [what for what, *_ in steps][:1] == ["taking in"]
    assert {what for what, *_ in steps} == {"taking in", "parsing", "hunting"}


@pytest.mark.parametrize(
    ("sources", "options", "error"),
    [
        ([], {}, UsageError),
        (["/no/such/place"], {}, SourceError),
        ([EVIDENCE], {"platform": "vms"}, UsageError),
        ([EVIDENCE], {"site": Path("/no/such/file")}, SiteError),
        ([EVIDENCE], {"rules": (Path("/no/such/folder"),)}, UsageError),
        ([EVIDENCE], {"case": EVIDENCE}, CaseError),
        ([EVIDENCE], {"colour": True}, TypeError),
    ],
)
def test_a_wrong_call_raises_and_writes_nothing(
    tmp_path: Path, sources: list[Any], options: dict[str, Any], error: type[Exception]
) -> None:
    before = sorted(EVIDENCE.iterdir())
    with pytest.raises(error) as raised:
        devicehunt.hunt(sources, **{"case": tmp_path / "case", **options})
    assert isinstance(raised.value, DevicehuntError) or error is TypeError
    assert not (tmp_path / "case" / "evidence" / "data" / "journal.jsonl").exists()
    assert sorted(EVIDENCE.iterdir()) == before


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'hnt'"):
        _ = devicehunt.hnt


def test_it_runs_beside_the_main_thread_and_leaves_signals_alone(tmp_path: Path) -> None:
    found: list[devicehunt.Case] = []
    (source,) = fleet(tmp_path / "in", 1)
    thread = threading.Thread(target=lambda: found.append(devicehunt.hunt([source], case=tmp_path / "c", jobs=1)))
    thread.start()
    thread.join(60)
    assert found[0].verify() == []
    mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        devicehunt.hunt([source], case=tmp_path / "c2", jobs=1)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, mine)
    devicehunt.hunt([source], case=tmp_path / "c3", jobs=1)
    assert signal.getsignal(signal.SIGINT) is mine


SCRIPT = """
import sys, pathlib, devicehunt
with open(sys.argv[1] + "/runs", "a") as file:
    file.write("x")
case = devicehunt.hunt(sorted(pathlib.Path(sys.argv[1] + "/in").iterdir()), case=sys.argv[1] + "/case", jobs=2)
print(len(case.verdicts), __file__.endswith("mine.py"), case.verify())
"""


def test_a_script_without_a_main_guard_is_run_once(tmp_path: Path) -> None:
    count = len(fleet(tmp_path / "in", api.BATCH + 2))
    (tmp_path / "mine.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "mine.py", tmp_path], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{count} True []\n", "")
    assert (tmp_path / "runs").read_text() == "x"


def die(_: Any) -> None:
    os._exit(9)


def test_a_worker_that_is_killed_is_an_error_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = fleet(tmp_path / "in", api.BATCH + 2)
    monkeypatch.setattr(api, "parse_batch", die)
    with pytest.raises(CaseError, match="ended from outside"):
        devicehunt.hunt(sources, case=tmp_path / "case", jobs=2)
    monkeypatch.undo()
    assert sorted(p.name for p in (tmp_path / "case").iterdir()) == ["evidence"]
    assert len(devicehunt.hunt(sources, case=tmp_path / "case", jobs=1).verdicts) == len(sources)


def test_tables_stay_whole_when_parsing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = fleet(tmp_path / "in", 1)
    case = devicehunt.hunt([source], case=tmp_path / "case", jobs=1)
    before = {p: p.read_bytes() for p in sorted(case.tables.rglob("*.parquet"))}
    assert before

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("devicehunt.tables.Loader.finish", full)
    with pytest.raises(CaseError, match="No space left"):
        devicehunt.hunt([source], case=tmp_path / "case", jobs=1)
    assert {p: p.read_bytes() for p in sorted(case.tables.rglob("*.parquet"))} == before
    assert not (case.path / "tables.new").exists()
