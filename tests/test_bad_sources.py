"""Sources that are odd, damaged, large or interrupted: each file is in the case or said to be missing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from devicehunt import archives, intake, platforms
from tests.test_bad_input import PS, UNAME, cli, folder, gaps, hunt, verified

PCAP = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(16)


def journal(case: Path) -> list[dict[str, object]]:
    return [json.loads(t) for t in (case / "evidence" / "data" / "journal.jsonl").read_bytes().splitlines()]


def test_an_index_is_an_exhibit_and_no_gap(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"a.txt": PS, "index.json": json.dumps({"a.txt": {"command": "ps w", "rc": 0}}).encode()})
    hunt(tmp_path, source)
    stored = [(e["source"], e["kind"]) for e in journal(tmp_path / "case") if e["kind"] != "note"]
    assert stored == [("a.txt", "output"), ("index.json", "index")]
    assert not any("index" in str(g["exhibit"]) for g in gaps(tmp_path / "case"))
    # the same folder with one output more joins the same collection
    (source / "b.txt").write_bytes(UNAME)
    (source / "index.json").write_text(json.dumps({"a.txt": {"command": "ps w", "rc": 0}, "b.txt": {"command": "uname -a"}}))
    hunt(tmp_path, source)
    assert {e["snapshot"] for e in journal(tmp_path / "case") if e["kind"] != "note"} == {"1"}
    assert verified(tmp_path / "case")


def test_an_index_may_name_files_in_folders_below(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_bytes(PS)
    source = folder(tmp_path, **{"index.json": json.dumps({"sub/x.txt": "ps w", "../secret.txt": "ps w", "no/y.txt": "date"}).encode()})
    (source / "sub").mkdir()
    (source / "sub" / "x.txt").write_bytes(PS)
    hunt(tmp_path, source)
    found = {e["source"]: (e["kind"], e.get("command")) for e in journal(tmp_path / "case") if e["kind"] != "note"}
    assert found["sub/x.txt"] == ("output", "ps w")
    assert found["../secret.txt"] == ("missing", "ps w")
    assert found["no/y.txt"] == ("missing", "date")


def test_a_zip_without_its_end_is_a_damaged_archive(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as made:
        made.writestr("ps_w.txt", PS * 50)
    source = folder(tmp_path, **{"x.zip": whole.getvalue()[:-40], "y.zip": whole.getvalue(), "uname_-a.txt": UNAME})
    hunt(tmp_path, source)
    said = {str(g["exhibit"]).rpartition("-")[2]: str(g["reason"]) for g in gaps(tmp_path / "case")}
    assert "damaged archive" in said["x.zip.txt"]
    assert "hunt it by itself" in said["y.zip.txt"]
    alone = tmp_path / "x.zip"
    alone.write_bytes(whole.getvalue()[:-40])
    assert cli("hunt", alone, "-o", tmp_path / "case2").returncode == 4
    assert any("damaged archive" in str(g["reason"]) for g in gaps(tmp_path / "case2"))


def test_a_capture_of_any_size_is_a_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FILE_CAP", 1000)
    (tmp_path / "big.pcap").write_bytes(PCAP + bytes(5000))
    (tmp_path / "big.txt").write_bytes(PS + bytes(5000))
    found = {f.name: f for f in archives.walk(tmp_path)}
    known = [platforms.load("linux")]
    assert intake._recognise(found["big.pcap"], known).kind == "capture"
    assert intake._recognise(found["big.txt"], known).status == "cut"


def test_a_platform_that_was_named_reads_a_log_that_nothing_recognises(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"root@r:~# frobnicate\nhello\nroot@r:~# frob2\nworld\nroot@r:~# \n")
    assert cli("hunt", log, "-o", tmp_path / "case", "--platform", "linux").returncode == 4
    asked = cli("query", tmp_path / "case", "select command from exhibits order by line", "--format", "csv").stdout.split()
    assert asked[1:] == [b"frobnicate", b"frob2"]
    cover = [json.loads(t) for t in (tmp_path / "case" / "coverage.jsonl").read_bytes().splitlines()]
    assert {c["result"] for c in cover if c["rule"] == "process-hidden"} == {"not-assessable"}


def test_thousands_of_files_in_an_archive(tmp_path: Path) -> None:
    source = tmp_path / "many.zip"
    with zipfile.ZipFile(source, "w") as made:
        for number in range(2_000):
            made.writestr(f"x{number}.bin", b"\x00\x01")
    assert hunt(tmp_path, source).returncode == 4
    assert sum(e["kind"] != "note" for e in journal(tmp_path / "case")) == 2_000


def test_an_archive_in_an_archive_in_an_archive_stays_closed(tmp_path: Path) -> None:
    data = bytes(10 << 20)
    for name in ("ps_w.txt", "a.zip", "b.zip", "c.zip"):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        data = made.getvalue()
    (tmp_path / "nest.zip").write_bytes(data)
    assert hunt(tmp_path, tmp_path / "nest.zip").returncode == 4
    assert any("archive inside" in str(g["reason"]) for g in gaps(tmp_path / "case"))


@pytest.mark.parametrize("after", [0.3, 0.6, 1.0])
def test_a_hunt_that_was_killed_goes_on(tmp_path: Path, after: float) -> None:
    files = {f"ps_w{n}.txt": PS + b"%d\n" % n for n in range(300)}
    source = folder(tmp_path, **files, **{"uname_-a.txt": UNAME})
    case = tmp_path / "case"
    command = [sys.executable, "-m", "devicehunt", "hunt", str(source), "-o", str(case)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    if (case / "evidence" / "data" / "journal.jsonl").is_file():
        done = cli("verify", case)
        assert b"Traceback" not in done.stderr
    assert hunt(tmp_path, source).returncode == 4
    assert verified(case)
    assert len({e["source"] for e in journal(case) if e["kind"] == "output" or e["kind"] == "unknown"}) == 301


def test_a_clock_that_goes_back_between_two_lines_of_the_journal(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"uname_-a.txt": UNAME})
    assert hunt(tmp_path, source).returncode == 4
    (source / "ps_w.txt").write_bytes(PS)
    code = (
        "import sys, devicehunt.intake as i, devicehunt.case as c\n"
        "i.now = c.now = lambda: '1999-12-31T23:59:59+00:00'\nfrom devicehunt.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "hunt", str(source), "-o", str(tmp_path / "case")]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (4, False), done.stderr
    assert verified(tmp_path / "case")
