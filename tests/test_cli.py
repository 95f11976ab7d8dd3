"""The command line: what it prints, where it refuses, and which exit status it gives."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from devicehunt import __version__
from devicehunt.cli import main
from devicehunt.model import LEVELS

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "fixtures" / "cases"
COMMAND = [sys.executable, "-m", "devicehunt"]
UNAME = b"Linux r 5.4.188 #0 SMP Mon Jan 6 10:00:00 2026 mips GNU/Linux\n"
PS = b"  PID USER       VSZ STAT COMMAND\n    1 root      1568 S    /sbin/procd\n"
ACTIVE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Said(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes]) -> Iterator[object]:
    def run(*arguments: str | Path) -> Said:
        capfdbinary.readouterr()
        status = main([str(a) for a in arguments])
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        return Said(status, out.decode(), err.decode())

    yield run


def folder(where: Path, **files: bytes) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (where / name).write_bytes(data)
    return where


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hunted case; tests that change it work on a copy."""
    case = tmp_path_factory.mktemp("relay") / "case"
    source = CASES / "relay-in-disguise" / "evidence"
    done = subprocess.run([*COMMAND, "hunt", source, "-o", case, "--device", "relay"], capture_output=True, check=False, timeout=120)
    assert done.returncode == 3, done.stderr
    return case


@pytest.fixture
def copied(relay: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(relay, tmp_path / "copy"))


# help, and where output cannot go

VERBS = ("hunt", "plan", "parse", "report", "query", "verify", "rules", "platforms")


def test_help_of_every_verb_says_the_exit_status(cli) -> None:  # type: ignore[no-untyped-def]
    for verb in ("", *VERBS):
        said = cli(*filter(None, (verb, "--help")))
        assert (said.status, "exit status: 0 nothing found" in said.out) == (0, True)
    assert cli("--version").out == f"devicehunt {__version__}\n"
    for verb in VERBS:
        assert verb in cli("--help").out


@pytest.mark.parametrize("wrong", [(), ("hunt",), ("no-such-verb",), ("hunt", "x", "--no-such-option"), ("query", "x")])
def test_a_wrong_call_is_2(cli, wrong: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    said = cli(*wrong)
    assert (said.status, said.out, said.err.startswith("usage: ")) == (2, "", True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux")
@pytest.mark.parametrize("arguments", [["--help"], ["hunt", "--help"], ["--version"], ["rules", "list"], ["platforms"], ["plan", "linux"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_said(arguments: list[str], unbuffered: str) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, env=env, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"devicehunt: No space left on device\n")


def closed_pipe(*arguments: str | Path) -> tuple[int, bytes]:
    """Run with a stdout whose reader is gone already."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, *arguments], stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(write)
    return done.returncode, done.stderr


def test_a_reader_that_left_changes_no_verdict(copied: Path) -> None:
    assert closed_pipe("report", copied) == (3, b"")  # never 0: that would say "nothing found"
    assert closed_pipe("rules", "list") == (0, b"")
    assert closed_pipe("query", copied, "select * from processes") == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux")
def test_a_report_that_cannot_be_printed_is_no_verdict(copied: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, "report", copied], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"devicehunt: No space left on device\n")


# hunt


def test_fail_on_and_the_verdict_give_the_status(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = CASES / "quiet-router" / "evidence"
    case = tmp_path / "case"
    assert cli("hunt", source, "-o", case).status == 4  # two core checks could not be made
    levels = [LEVELS.index(json.loads(line)["level"]) for line in (case / "findings.jsonl").read_text().splitlines()]
    assert levels
    for level in ("info", "medium", "critical"):
        wanted = 3 if max(levels) >= LEVELS.index(level) else 4
        assert cli("hunt", case, "--fail-on", level).status == wanted


def test_a_whole_honest_device_is_0_and_an_unread_one_beside_it_is_not(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = CASES / "whole-router" / "evidence"
    said = cli("hunt", source, "-o", tmp_path / "c", "--device", "whole")
    assert (said.status, said.out.split("  ")[0]) == (0, "nothing found")
    (tmp_path / "empty").mkdir()
    said = cli("hunt", source, tmp_path / "empty", "-o", tmp_path / "c2")
    assert said.status == 4
    assert "inconclusive" in said.out
    assert "there is no file in this source" in said.out


def test_the_same_hunt_again_gives_the_same(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = CASES / "relay-in-disguise" / "evidence"
    first = cli("hunt", source, "-o", tmp_path / "c")
    before = {f: f.read_bytes() for f in sorted((tmp_path / "c").rglob("*")) if f.is_file()}
    for again in (("hunt", source, "-o", tmp_path / "c"), ("hunt", tmp_path / "c")):
        assert cli(*again) == first
        assert {f: f.read_bytes() for f in sorted((tmp_path / "c").rglob("*")) if f.is_file()} == before


RULE = """/*
id: my-rule
title: "{comm} is there"
level: low
needs: [{processes: [comm]}]
key: [comm]
subjects: [{type: process, name: comm}]
attack: [T1057]
falsepositives: [none]
references: [none]
response: none
*/
select device, snapshot, exhibit, line, comm from processes where comm = 'a'
"""


def test_rules_and_site_file_that_change_are_journalled_and_used(cli, copied: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    journal = copied / "evidence" / "data" / "journal.jsonl"
    before = journal.read_bytes()
    folder(tmp_path / "rules", **{"my-rule.sql": RULE.encode()})
    (tmp_path / "site.yaml").write_text("expected: [{kind: listener, port: 51950}]\n")
    assert cli("hunt", copied, "--rules", tmp_path / "rules", "--site", tmp_path / "site.yaml").status == 3
    findings = [json.loads(line) for line in (copied / "findings.jsonl").read_text().splitlines()]
    assert "my-rule" in {f["rule"] for f in findings}
    noted = json.loads(journal.read_bytes().splitlines()[-1])["facts"]
    assert noted["site_file"] == "site.yaml"
    assert {f["versions"]["rules"] for f in findings} == {noted["rules"]}
    assert journal.read_bytes().startswith(before)
    assert cli("verify", copied).status == 0
    assert cli("hunt", copied).status == 3
    now = json.loads(journal.read_bytes().splitlines()[-1])["facts"]
    assert (now["site_file"], now["rules"] != noted["rules"]) == ("", True)
    assert "site.yaml" not in (copied / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        (("--rules", "{t}/nowhere"), 2, "there is no rule"),
        (("--parsers", "{t}/nowhere"), 2, "there is no platform"),
        (("--platform", "linus"), 2, "known: cisco_ios, linux"),
        (("--site", "{t}/site.yaml"), 2, "did you mean port-forward"),
        (("--site", "{t}"), 2, "no such site file"),
        (("--case-info", "{t}/nowhere"), 2, "No such file"),
        (("--case-info", "{t}/info.yaml"), 2, "did you mean operator"),
        (("-o", "{t}/file/case"), 1, "Not a directory"),
        (("-o", "{t}/file"), 1, "is not a case"),
        (("--jobs", "many"), 2, "invalid int"),
    ],
)
def test_wrong_options_say_what_is_wrong(cli, tmp_path: Path, more: tuple[str, ...], status: int, says: str) -> None:  # type: ignore[no-untyped-def]
    source = folder(tmp_path / "r", **{"uname_-a.txt": UNAME})
    (tmp_path / "file").write_text("mine")
    (tmp_path / "site.yaml").write_text("expected: [{kind: port-foward, port: 22}]")
    (tmp_path / "info.yaml").write_text("operater: me")
    said = cli("hunt", source, *(("-o", tmp_path / "case") if "-o" not in more else ()), *(m.format(t=tmp_path) for m in more))
    assert (said.status, says in said.err) == (status, True), said.err
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "case" / "evidence").exists()


def test_a_message_quotes_no_terminal_sequence(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = cli("hunt", tmp_path / "a\x1b]0;x\x07\nb\u202e")
    assert said.status == 2
    assert not ACTIVE.search(said.err)
    assert "\\x1b" in said.err


# the terminal, with hostile content


EVIL = b"/tmp/\x1b]0;owned\x07\x1b[2J\xe2\x80\xae\x9b31m\xc2\x9b5m\rx\xe2\x80\xa8y"


def hostile(where: Path) -> Path:
    ps = PS + b"   66 root      1568 S    " + EVIL + b" -R 9000:127.0.0.1:22 u@203.0.113.9\n"
    index = {"a\x1b[31m\nb.txt": {"command": "ps w\x1b[5m\u202e"}, "p.txt": {"command": "ps w"}}
    return folder(where / "r", **{"p.txt": ps, "a\x1b[31m\nb.txt": UNAME, "index.json": json.dumps(index).encode()})


def on_a_terminal(arguments: list[str | Path], width: int, **env: str) -> tuple[int, bytes]:
    """Run with a pseudo terminal as stdout and stderr; return the status and what it showed."""
    ours, theirs = pty.openpty()
    surroundings = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LINES")} | {"COLUMNS": str(width), **env}
    with subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=theirs, stderr=theirs, env=surroundings) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            shown += piece
        process.wait(60)
    os.close(ours)
    return process.returncode, shown.replace(b"\r\n", b"\n")


COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [60, 200])
def test_nothing_of_a_device_acts_on_a_terminal(tmp_path: Path, width: int) -> None:
    source = hostile(tmp_path)
    status, shown = on_a_terminal(["hunt", source, "-o", tmp_path / "c", "--all"], width)
    assert status in (3, 4)
    assert COLOUR.search(shown)
    text = COLOUR.sub(b"", shown).decode()
    progress, _, rest = text.rpartition("\r")
    assert not ACTIVE.search(progress.replace("\r", "")), progress
    assert not ACTIVE.search(rest)
    assert "\\x1b]0;owned" in rest.replace("\n", "").replace(" ", "")
    assert max(len(line) for line in rest.splitlines() if "/" not in line) <= width


def test_no_color_and_pipes_are_plain(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = hostile(tmp_path)
    said = cli("hunt", source, "-o", tmp_path / "c", "--all")
    assert not ACTIVE.search(said.out)
    _, shown = on_a_terminal(["report", tmp_path / "c"], 80, NO_COLOR="1")
    assert not ACTIVE.search(shown.decode())
    for form in ("table", "csv", "json"):
        for sql in ("select * from processes", "select * from exhibits", "select * from gaps"):
            out = cli("query", tmp_path / "c", sql, "--format", form).out
            assert not ACTIVE.search(out), (form, sql)
            assert out.count("\n") < 40  # and no name made a line of its own
    for verb in ("verify", "parse"):
        assert not ACTIVE.search("".join(map(str, cli(verb, tmp_path / "c"))))


def test_an_old_terminal_encoding_is_no_failure(tmp_path: Path) -> None:
    source = folder(tmp_path / "r", **{"p.txt": PS + "   66 root      1568 S    /tmp/ключ\n".encode()})
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    for arguments in (["hunt", source, "-o", tmp_path / "c"], ["query", tmp_path / "c", "select cmdline from processes"]):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, env=env, check=False, timeout=60)
        assert done.returncode in (0, 3, 4), done.stderr
        assert done.stdout.isascii()


# query


def test_query_prints_the_same_rows_in_each_format(cli, relay: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sql = "select pid, comm, cmdline from processes where pid < 100 order by all -- and a comment"
    table = cli("query", relay, sql)
    rows = list(csv.reader(io.StringIO(cli("query", relay, sql, "--format", "csv").out)))
    objects = [json.loads(line) for line in cli("query", relay, sql, "--format", "json").out.splitlines()]
    assert rows[0] == ["pid", "comm", "cmdline"]
    assert [[str(v) if v is not None else "" for v in o.values()] for o in objects] == rows[1:]
    assert table.out.splitlines()[-1] == f"({len(objects)} rows)"
    with (tmp_path / "rows.parquet").open("wb") as file:
        done = subprocess.run([*COMMAND, "query", relay, sql, "--format", "parquet"], stdout=file, check=False, timeout=60)
    assert done.returncode == 0
    import duckdb

    with duckdb.connect() as con:
        read = con.execute("select * from read_parquet(?)", [str(tmp_path / "rows.parquet")]).fetchall()
    assert [list(r) for r in read] == [list(o.values()) for o in objects]


def test_two_columns_of_one_name_are_two_keys(cli, relay: Path) -> None:  # type: ignore[no-untyped-def]
    assert json.loads(cli("query", relay, "select 1 as a, 2 as a", "--format", "json").out) == {"a": 1, "a_2": 2}


@pytest.mark.parametrize(
    "sql",
    [
        "selec 1", "", "select nothing from processes", "select 1; select 2", "delete from processes", "drop table processes",
        "create table x as select 1", "copy processes to 'out.csv'", "copy (select 1) to 'out.csv'", "export database 'out'",
        "attach 'out.db'", "install httpfs", "load httpfs", "set enable_external_access=true", "pragma version",
        "select * from read_csv('/etc/passwd')", "select * from read_text('/etc/passwd')", "select * from '/etc/passwd'",
        "select * from glob('/*')", "select 1/0 + 'x'::integer", "with x as (delete from processes returning *) select * from x",
    ],
)  # fmt: skip
def test_query_only_reads_and_only_the_case(cli, relay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    before = sorted(p.relative_to(relay) for p in relay.rglob("*"))
    for form in ("json", "parquet") if "/etc/" in sql or ";" in sql else ("json",):
        said = cli("query", relay, sql, "--format", form)
        assert (said.status, said.out) == (2, ""), said
        assert said.err.startswith("devicehunt: ")
    assert not list(tmp_path.iterdir())
    assert sorted(p.relative_to(relay) for p in relay.rglob("*")) == before


def test_tables_that_do_not_show_all_evidence_say_so(cli, copied: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.rmtree(copied / "tables")
    for said in (cli("query", copied, "select * from processes"), cli("report", copied)):
        assert re.search(r"(\d+) of \1 exhibits are not in the tables yet", said.err), said
    assert cli("parse", copied).status == 0
    assert cli("query", copied, "select * from processes").err == ""


def test_damaged_tables_are_an_error_and_parse_mends_them(cli, copied: Path) -> None:  # type: ignore[no-untyped-def]
    part = next((copied / "tables" / "processes").glob("*.parquet"))
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    said = cli("query", copied, "select * from processes")
    assert (said.status, "devicehunt parse" in said.err) == (1, True)
    assert cli("parse", copied).status == 0
    assert part.read_bytes() == whole


# the other verbs


def test_verbs_that_want_a_case(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for verb in (("parse",), ("report",), ("verify",), ("query",)):
        said = cli(*verb, tmp_path, *(("select 1",) if verb == ("query",) else ()))
        assert (said.status, "is not a case" in said.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_report_prints_what_the_hunt_printed(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first = cli("hunt", CASES / "relay-in-disguise" / "evidence", "-o", tmp_path / "c")
    page = (tmp_path / "c" / "report.html").read_bytes()
    (tmp_path / "c" / "report.html").unlink()
    assert cli("report", tmp_path / "c") == first
    assert (tmp_path / "c" / "report.html").read_bytes() == page


def test_report_of_a_case_that_was_never_hunted(cli, copied: Path) -> None:  # type: ignore[no-untyped-def]
    for name in ("findings.jsonl", "coverage.jsonl"):
        kept = (copied / name).read_bytes()
        for damage in (None, b"{", b"5\n", b"{}\n"):
            (copied / name).unlink()
            if damage is not None:
                (copied / name).write_bytes(damage)
            said = cli("report", copied)
            assert (said.status, said.out, name in said.err) == (1, "", True), said
            (copied / name).touch()
        (copied / name).write_bytes(kept)


def test_verify_names_the_first_thing_wrong(cli, copied: Path) -> None:  # type: ignore[no-untyped-def]
    said = cli("verify", copied)
    assert (said.status, said.out.startswith("intact: ")) == (0, True)
    exhibit = next((copied / "evidence" / "data" / "relay").rglob("*ps_w.txt"))
    exhibit.write_bytes(exhibit.read_bytes() + b"x")
    planted = exhibit.with_name("99-\x1b[31m.txt")
    planted.write_bytes(b"x")
    said = cli("verify", copied)
    assert said.status == 1
    assert f"{exhibit.name} was changed" in said.out.splitlines()[0]
    assert "NOT intact: 2 problems" in said.out
    assert not ACTIVE.search(said.out)


@pytest.mark.parametrize(
    "line",
    [
        b"[1]", b"5", b"null", b'"x"', b"{}", b'{"kind": "output"}', b'{"kind": "note", "what": "case", "facts": 5}',
        b"[" * 50_000, b"\xff",
        b'{"exhibit": "../../x", "device": "d", "snapshot": "1", "seq": 1, "kind": "output", "command": null, "size": 0, '
        b'"sha256": "0", "source": "", "received_at": ""}',
        b'{"exhibit": 5, "device": "d", "snapshot": "1", "seq": 1, "kind": "output", "command": null, "size": 0, '
        b'"sha256": "0", "source": "", "received_at": ""}',
    ],
)  # fmt: skip
def test_a_journal_of_somebody_else_is_not_trusted(cli, copied: Path, line: bytes) -> None:  # type: ignore[no-untyped-def]
    import hashlib

    journal = copied / "evidence" / "data" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    if line.startswith(b"{"):  # well chained, all the same no entry
        head = hashlib.sha256(lines[-1].rstrip(b"\n")).hexdigest()
        line = json.dumps({**json.loads(line), "previous": head}, sort_keys=True).encode()
    journal.write_bytes(b"".join([*lines, line + b"\n"]))
    said = cli("verify", copied)
    assert (said.status, f"journal line {len(lines) + 1} is not readable" in said.out) == (1, True)
    for verb in (("report", copied), ("hunt", copied), ("query", copied, "select 1")):
        assert cli(*verb).status == 1


def test_rules_list_show_and_check(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    listed = cli("rules", "list")
    names = [line.split()[2] for line in listed.out.splitlines()]
    assert "listener-unexplained" in names
    assert len(names) == len(list((ROOT / "devicehunt" / "rules").rglob("*.sql")))
    assert "select" in cli("rules", "show", "listener-unexplained").out
    for wrong in (("rules", "show"), ("rules", "show", "nothing")):
        assert (cli(*wrong).status, cli(*wrong).out) == (2, "")
    said = cli("rules", "check")
    assert (said.status, said.out) == (0, f"{len(names)} rules, 0 problems\n")
    own = folder(tmp_path / "own", **{"my-rule.sql": RULE.encode()})
    assert cli("rules", "check", "--rules", own).out == f"{len(names) + 1} rules, 0 problems\n"
    assert "my-rule" in cli("rules", "list", "--rules", own).out
    folder(own, **{"my-rule.sql": RULE.encode() + b"\n-- \x1b[2J\xe2\x80\xae\n"})
    shown = cli("rules", "show", "my-rule", "--rules", own).out
    assert "-- \\x1b[2J\\u202e\n" in shown


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("line, comm from", "line, com from"), "comm"),
        (("from processes", "from proceses"), "proceses"),
        (("level: low", "level: huge"), "level"),
        (("needs: [{processes: [comm]}]", "needs: [{processes: [com]}]"), "com"),
        (("select device", "drop table processes; select device"), "one SELECT"),
        (("select device", "delete from processes; --"), "one SELECT"),
        (("/*", "--"), "my-rule.sql"),
        (("id: my-rule", "id: other"), "my-rule.sql"),
        (("title:", "titel:"), "titel"),
    ],
)
def test_rules_check_names_the_file_and_the_mistake(cli, tmp_path: Path, change: tuple[str, str], says: str) -> None:  # type: ignore[no-untyped-def]
    pack = folder(tmp_path / "pack", **{"my-rule.sql": RULE.replace(*change, 1).encode()})
    said = cli("rules", "check", "--rules", pack)
    assert said.status == 1
    assert "my-rule.sql" in said.out
    assert says in said.out


def test_platforms_and_plan(cli) -> None:  # type: ignore[no-untyped-def]
    said = cli("platforms", "linux")
    assert "ps w" in said.out
    assert said.out in cli("platforms").out
    assert cli("platforms", "vms").status == 2
    script = cli("plan", "linux").out
    assert script.startswith("#") or "@@dh" in script
    assert len(cli("plan", "linux", "--budget", "1m", "--baud", "9600").out) < len(script)
    for wrong in (("plan", "vms"), ("plan", "linux", "--budget", "soon"), ("plan", "linux", "--baud", "x")):
        assert cli(*wrong).status == 2
