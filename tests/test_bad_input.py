"""Bad input and bad days, against the command as a person runs it: a clear message or a gap, never a traceback, never a clean bill."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

UNAME = b"Linux r 5.4.188 #0 SMP Mon Jan 6 10:00:00 2026 mips GNU/Linux\n"
PS = b"  PID USER       VSZ STAT COMMAND\n    1 root      1568 S    /sbin/procd\n"


def cli(*arguments: str | Path, timeout: float = 120, **how: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "devicehunt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=timeout, check=False, **how)  # type: ignore[call-overload,no-any-return]


def hunt(tmp_path: Path, source: Path, *more: str | Path, **how: object) -> subprocess.CompletedProcess[bytes]:
    done = cli("hunt", source, "-o", tmp_path / "case", *more, **how)  # type: ignore[arg-type]
    said = done.stdout + done.stderr
    assert b"Traceback" not in said, said.decode(errors="replace")[-2000:]
    assert b"\x1b" not in said
    assert not re.match(rb"nothing.found", done.stdout)
    return done


def gaps(case: Path) -> list[dict[str, object]]:
    done = cli("query", case, "select exhibit, line, reason from gaps order by all", "--format", "json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def verified(case: Path) -> bool:
    return cli("verify", case).returncode == 0


def folder(tmp_path: Path, **files: bytes) -> Path:
    made = tmp_path / "router"
    made.mkdir()
    for name, data in files.items():
        (made / name).write_bytes(data)
    return made


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("ps_w.txt", b"", "empty"),
        ("netstat_-anp.txt", b"sh: netstat: Permission denied\n", "denied"),
        ("nft_list_ruleset.txt", b"-ash: nft: not found\n", "unsupported"),
        ("ps_w.txt", PS + b"    7 root      15", "cut"),
        ("ps_w.txt", PS + b"--More--", "cut"),
        ("ps_w.txt", bytes(range(256)) * 40, "garbled"),
        ("ps_w.txt", b"\xff\xfe" + PS.decode().encode("utf-16-le"), "garbled"),
    ],
)
def test_an_output_without_an_answer_is_a_gap(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    done = hunt(tmp_path, folder(tmp_path, **{name: data}))
    assert done.returncode == 4
    assert cli("query", tmp_path / "case", "select status from exhibits", "--format", "csv").stdout.split()[1] == reason.encode()
    assert gaps(tmp_path / "case")


@pytest.mark.parametrize("end", [b"\r", b"\x0b", b"\x0c", b"\xc2\x85", "\u2028".encode()])
def test_lines_that_end_in_another_way_are_never_all_there_is(tmp_path: Path, end: bytes) -> None:
    accounts = b"root:x:0:0:root:/root:/bin/ash\nnobody:*:65534:65534:nobody:/var:/bin/false\nsupport:x:0:0::/:/bin/ash\n"
    hunt(tmp_path, folder(tmp_path, **{"cat_etc_passwd.txt": accounts.replace(b"\n", end), "uname_-a.txt": UNAME}))
    cover = [json.loads(line) for line in (tmp_path / "case" / "coverage.jsonl").read_bytes().splitlines()]
    assert {c["rule"]: c["result"] for c in cover}["account-unexpected"] == "not-assessable"
    assert any("several may stand as one" in str(g["reason"]) for g in gaps(tmp_path / "case"))


def test_an_empty_folder(tmp_path: Path) -> None:
    done = hunt(tmp_path, folder(tmp_path))
    assert done.returncode == 4
    assert re.match(rb"inconclusive  router .* 0 of \d+ core checks assessed\n", done.stdout)
    assert [g["reason"] for g in gaps(tmp_path / "case")] == ["not-collected: there is no file in this source"]


def test_hostile_bytes_reach_neither_terminal_nor_page(tmp_path: Path) -> None:
    evil = b"\x1b]0;owned\x07\x1b[2J\xe2\x80\xae\x9b31m<script>alert(1)</script>"
    ps = PS + b"   66 root      1568 S    /tmp/" + evil + b"\n"
    index = json.dumps({"a.txt": {"command": "ps w"}, "../../b\x1b[31m.txt": {"command": "uname -a\x1b[31m\u202e"}})
    done = hunt(tmp_path, folder(tmp_path, **{"a.txt": ps, "index.json": index.encode()}))
    page = (tmp_path / "case" / "report.html").read_bytes()
    for shown in (done.stdout, page):
        assert b"\x1b" not in shown
        assert "\u202e".encode() not in shown
    assert b"<script>alert" not in page
    assert not list(tmp_path.glob("**/b*31m*"))


def test_a_line_of_200_mb_and_memory(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"uname_-a.txt": UNAME})
    with (source / "ps_w.txt").open("wb") as file:
        for _ in range(200):
            file.write(b"A" * (1 << 20))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))

    done = hunt(tmp_path, source, preexec_fn=limit)
    assert done.returncode == 4
    assert any("16 KiB" in str(g["reason"]) or "garbled" in str(g["reason"]) for g in gaps(tmp_path / "case"))


def test_bombs(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ps_w.txt", bytes(600 << 20))
        archive.writestr("uname_-a.txt", UNAME)
    assert hunt(tmp_path, bomb).returncode == 4
    stored = sum(f.stat().st_size for f in (tmp_path / "case").rglob("*") if f.is_file())
    assert stored < 300 << 20
    assert gaps(tmp_path / "case")
    flood = tmp_path / "flood.tar.gz"
    with gzip.open(flood, "wb", 9) as file:
        for _ in range(600):
            file.write(bytes(1 << 20))
    assert cli("hunt", flood, "-o", tmp_path / "case2").returncode == 4


def test_names_in_archives_lead_nowhere(tmp_path: Path) -> None:
    source = tmp_path / "evil.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for name in ("../../escaped.txt", "/absolute/uname_-a.txt", "..\\w\\uname_-a.txt", "C:\\x\\date.txt", "con.txt", "a/../../b.txt"):
            archive.writestr(name, UNAME)
    hunt(tmp_path, source)
    assert not (tmp_path.parent / "escaped.txt").exists()
    assert not (tmp_path / "b.txt").exists()
    for path in (tmp_path / "case" / "evidence").rglob("*"):
        assert set(path.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert verified(tmp_path / "case")


def test_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"hunter2 hunter2")
    source = tmp_path / "links.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        for name, kind, target in (
            ("uname_-a.txt", tarfile.SYMTYPE, str(secret)), ("b", tarfile.LNKTYPE, "../../x"), ("c", tarfile.CHRTYPE, ""),
            ("d", tarfile.FIFOTYPE, ""),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        info = tarfile.TarInfo("ps_w.txt")
        info.size = len(PS)
        archive.addfile(info, io.BytesIO(PS))
    hunt(tmp_path, source)
    made = folder(tmp_path, **{"ps_w.txt": PS})
    (made / "uname_-a.txt").symlink_to(secret)
    (made / "loop").symlink_to("loop")
    os.mkfifo(made / "fifo.txt")
    assert cli("hunt", made, "-o", tmp_path / "case2", timeout=60).returncode == 4
    for case in ("case", "case2"):
        assert not any(b"hunter2" in f.read_bytes() for f in (tmp_path / case).rglob("*") if f.is_file())
        assert any("link" in str(g["reason"]) for g in gaps(tmp_path / case)), gaps(tmp_path / case)


@pytest.mark.parametrize("data", [b"\x1f\x8b" + os.urandom(500), b"PK\x03\x04" + os.urandom(500), b"PK\x05\x06", b"\x1f\x8b"])
def test_damaged_archives(tmp_path: Path, data: bytes) -> None:
    source = tmp_path / ("x.zip" if data[:1] == b"P" else "x.tar.gz")
    source.write_bytes(data)
    assert hunt(tmp_path, source).returncode == 4


def test_two_files_for_one_command_and_names_that_differ_in_case(tmp_path: Path) -> None:
    files = {"uname_-a.txt": UNAME, "uname -a.txt": UNAME.replace(b" r ", b" s "), "UNAME_-A.TXT": UNAME.replace(b" r ", b" t ")}
    hunt(tmp_path, folder(tmp_path, **files))
    done = cli("query", tmp_path / "case", "select hostname from devices order by 1", "--format", "csv")
    assert done.stdout.split()[1:] == [b"r", b"s", b"t"]
    assert verified(tmp_path / "case")


ODD_INDEX = b'{"uname.txt": {"command": "uname -a", "rc": "x", "time": "never"}, "e": 5}'


@pytest.mark.parametrize("index", [b'{"a":', b"[" * 100_000, b"5", ODD_INDEX])
def test_an_index_that_is_none(tmp_path: Path, index: bytes) -> None:
    assert hunt(tmp_path, folder(tmp_path, **{"index.json": index, "uname.txt": UNAME})).returncode == 4
    assert verified(tmp_path / "case")


def test_a_platform_nobody_knows(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"config.txt": b"set system host-name srx\nset version 12.1\n"})
    assert hunt(tmp_path, source).returncode == 4
    done = cli("hunt", source, "-o", tmp_path / "c2", "--platform", "vms")
    assert (done.returncode, b"known: " in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        (["--site", "{t}/none.yaml"], 2, "no such site file"),
        (["--site", "{t}/bad.yaml"], 2, "listener"),
        (["--case-info", "{t}/bad.yaml"], 2, "operator"),
        (["--rules", "{t}/rules"], 1, "broken.sql"),
        (["-o", "{t}/router"], 1, "is not a case"),
        (["--fail-on", "terrible"], 2, "choose from"),
    ],
)
def test_wrong_calls_say_what_is_wrong(tmp_path: Path, more: list[str], status: int, says: str) -> None:
    source = folder(tmp_path, **{"uname_-a.txt": UNAME})
    (tmp_path / "bad.yaml").write_text("expected: [{kind: listner, port: 22}]")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "broken.sql").write_text("select 1")
    done = hunt(tmp_path, source, *(m.format(t=tmp_path) for m in more))
    assert done.returncode == status, done.stderr
    assert says in done.stderr.decode()


def test_a_source_that_does_not_exist() -> None:
    done = cli("hunt", "/no/such/place")
    assert (done.returncode, b"no such source" in done.stderr) == (2, True)


FULL = """
import errno, os, pathlib, sys
left = [int(sys.argv[1])]
def spend():
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
opened = pathlib.Path.open
class Tight:
    def __init__(self, file): self._file = file
    def __getattr__(self, name): return getattr(self._file, name)
    def __enter__(self): return self
    def __exit__(self, *args): self._file.close()
    def write(self, data):
        spend()
        return self._file.write(data)
def tight(self, mode="r", *args, **kwargs):
    file = opened(self, mode, *args, **kwargs)
    return Tight(file) if set(mode) & set("wa") else file
pathlib.Path.open = tight
from devicehunt.cli import main
status = main(sys.argv[2:])
print(left[0], file=sys.stderr)
sys.exit(status)
"""


def tight(tmp_path: Path, writes: int, source: Path) -> tuple[subprocess.CompletedProcess[bytes], Path]:
    """The hunt of `source` on a disk that takes so many writes and then is full."""
    script = tmp_path / "full.py"
    script.write_text(FULL)
    case = tmp_path / f"case{writes}"
    command = [sys.executable, str(script), str(writes), "hunt", str(source), "-o", str(case)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False), case


def test_a_full_disk_at_each_write(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"uname_-a.txt": UNAME})
    done, _ = tight(tmp_path, 1 << 30, source)
    needed = (1 << 30) - int(done.stderr.split()[-1])
    assert done.returncode == 4
    assert needed >= 6  # the output, lines of the journal, findings, coverage, the page
    for writes in sorted({*range(0, min(needed, 7), 2), needed // 2, needed - 1}):
        done, case = tight(tmp_path, writes, source)
        said = (done.stdout + done.stderr).decode()
        assert "Traceback" not in said, said
        assert done.returncode == 1, said
        assert "No space left on device" in said
        # what is stored verifies, and the same call goes on where it ended
        journal = case / "evidence" / "data" / "journal.jsonl"
        if journal.is_file() and journal.stat().st_size:
            assert verified(case), cli("verify", case).stdout
        assert cli("hunt", source, "-o", case).returncode == 4
        assert verified(case)


def test_a_full_disk_under_the_tables(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"uname_-a.txt": UNAME})
    assert hunt(tmp_path, source).returncode == 4
    code = (
        "import sys, duckdb, devicehunt.tables as t\n"
        "def full(self, folder, part): raise duckdb.IOException('IO Error: Could not write file: No space left on device')\n"
        "t.Loader.finish = full\nfrom devicehunt.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, "parse", str(tmp_path / "case")], capture_output=True, timeout=120, check=False)
    assert (done.returncode, b"Traceback" in done.stderr, b"cannot write the tables" in done.stderr) == (1, False, True), done.stderr
    assert verified(tmp_path / "case")


def test_a_closed_pipe_is_no_failure(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"uname_-a.txt": UNAME})
    command = f"{sys.executable} -m devicehunt hunt {source} -o {tmp_path}/case | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=120, check=False)
    assert b"Traceback" not in done.stderr
    assert b"inconclusive" in done.stdout


def test_a_case_that_was_tampered_with(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"uname_-a.txt": UNAME, "ps_w.txt": PS})
    hunt(tmp_path, source)
    case = tmp_path / "case"
    exhibit = next((case / "evidence" / "data" / "router").rglob("*uname*"))
    exhibit.write_bytes(UNAME.replace(b"5.4", b"5.5"))
    done = cli("verify", case)
    assert done.returncode == 1
    assert exhibit.name in done.stdout.decode()
    exhibit.write_bytes(UNAME)
    journal = case / "evidence" / "data" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    for changed in (lines[1:], lines[:1] + lines[2:], [lines[0].replace(b"case", b"cake"), *lines[1:]], [*lines, lines[-1]]):
        journal.write_bytes(b"".join(changed))
        assert cli("verify", case).returncode == 1
        assert cli("hunt", case).returncode in (1, 2)
    journal.write_bytes(b"".join(lines))
    assert verified(case)


EVIL = PS + b"   66 root      1568 S    /tmp/.x\n"


def test_evidence_that_was_changed_is_not_hunted(tmp_path: Path) -> None:
    assert hunt(tmp_path, folder(tmp_path, **{"uname_-a.txt": UNAME, "ps_w.txt": EVIL})).returncode == 3
    case = tmp_path / "case"
    exhibit = next((case / "evidence" / "data" / "router").rglob("*ps_w*"))
    exhibit.write_bytes(PS)
    done = cli("hunt", case)
    assert (done.returncode, b"was changed" in done.stderr) == (1, True), done


def test_half_of_what_was_found_is_no_report(tmp_path: Path) -> None:
    assert hunt(tmp_path, folder(tmp_path, **{"uname_-a.txt": UNAME, "ps_w.txt": EVIL})).returncode == 3
    case = tmp_path / "case"
    assert cli("report", case).returncode == 3
    for name in ("findings.jsonl", "coverage.jsonl"):
        whole = (case / name).read_bytes()
        for left in (b"", b"".join(line for line in whole.splitlines(keepends=True) if b"volatile" not in line)):
            (case / name).write_bytes(left)
            done = cli("report", case)
            assert (done.returncode, b"do not fit together" in done.stderr, done.stdout) == (1, True, b""), name
        (case / name).write_bytes(whole)
    assert cli("report", case).returncode == 3


def test_a_journal_that_says_nonsense_in_a_sound_chain(tmp_path: Path) -> None:
    assert hunt(tmp_path, folder(tmp_path, **{"uname_-a.txt": UNAME})).returncode == 4
    journal = tmp_path / "case" / "evidence" / "data" / "journal.jsonl"
    lines = journal.read_bytes().splitlines()
    for key, value in {"seq": "x", "status": "weird", "collected_at": "never", "exit_status": [], "command": 5}.items():
        written, previous = [], "0" * 64
        for line in lines:
            facts = json.loads(line) | {"previous": previous}
            facts |= {key: value} if facts["kind"] == "output" else {}
            written.append(json.dumps(facts, sort_keys=True).encode())
            previous = hashlib.sha256(written[-1]).hexdigest()
        journal.write_bytes(b"\n".join(written) + b"\n")
        for verb in ("hunt", "report", "verify"):
            done = cli(verb, tmp_path / "case")
            assert (done.returncode, b"Traceback" in done.stderr) == (1, False), (key, verb)
            assert b"is not readable" in done.stdout + done.stderr


def test_a_spreadsheet_runs_nothing_of_a_device(tmp_path: Path) -> None:
    hunt(tmp_path, folder(tmp_path, **{"uname_-a.txt": UNAME}))
    sql = "select unnest(['=cmd|x', '+1', '@a', '-2+3', '-', 'plain']) as t, -1 as n, 'nan'::double as d"
    done = cli("query", tmp_path / "case", sql, "--format", "csv")
    assert [line.split(b",")[0] for line in done.stdout.splitlines()] == [b"t", b"'=cmd|x", b"'+1", b"'@a", b"'-2+3", b"-", b"plain"]
    assert done.stdout.splitlines()[1].split(b",")[1] == b"-1"
    rows = cli("query", tmp_path / "case", sql, "--format", "json").stdout.splitlines()
    assert json.loads(rows[0], parse_constant=pytest.fail) == {"t": "=cmd|x", "n": -1, "d": "nan"}
