"""Every rule against its cases, and what a rule file must be."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import duckdb
import pytest

from devicehunt import coverage, database, engine, platforms, rules
from devicehunt.errors import RuleError
from devicehunt.model import LEVELS
from devicehunt.site import Site
from tests import situations
from tests.situations import Situation, Worlds

RULES = {r.id: r for r in rules.load()}
SITUATIONS = situations.load_all()
REVOKED = re.compile(r"T1562(\.\d+)?|T1070\.00[12]")  # revoked by ATT&CK v19


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return Worlds(SITUATIONS, tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s.matches], ids=lambda s: f"{s.rule}: {s.name}")
def test_situation_matches(worlds: Worlds, situation: Situation) -> None:
    found = worlds.findings(situation, RULES)
    assert found, "no finding"
    assert situation.level, "a match says its level"
    fitting = [f for f in found if all(_names(f.subjects, s) for s in situation.subjects)]
    assert fitting, f"subjects are {[f.subjects for f in found]}"
    assert situation.level in {f.level for f in fitting}, [(f.level, f.title) for f in fitting]
    for finding in found:
        assert finding.evidence, "a claim without a line behind it"
        assert "None" not in finding.title


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if not s.matches], ids=lambda s: f"{s.rule}: {s.name}")
def test_situation_is_clean(worlds: Worlds, situation: Situation) -> None:
    found = worlds.findings(situation, RULES)
    allowed = LEVELS[: LEVELS.index(situation.max_level) + 1] if situation.max_level else ()
    assert [(f.level, f.title) for f in found if f.level not in allowed] == []


def _names(subjects: tuple[dict[str, object], ...], wanted: dict[str, object]) -> bool:
    return any(wanted.items() <= s.items() for s in subjects)


def test_every_rule_has_cases_and_every_cases_file_a_rule() -> None:
    assert {p.stem for p in situations.FOLDER.glob("*.yaml")} == set(RULES)


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_rule_has_enough_cases(rule_id: str) -> None:
    mine = [s for s in SITUATIONS if s.rule == rule_id]
    assert sum(s.matches for s in mine) >= 2
    assert sum(not s.matches for s in mine) >= 3
    assert len({s.name for s in mine}) == len(mine)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda r: r.id)
def test_header_is_complete(rule: rules.Rule) -> None:
    assert rule.about
    assert rule.response
    assert re.fullmatch(r"C\d\d", rule.check)
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", t) for t in rule.attack)
    assert not any(REVOKED.fullmatch(t) for t in rule.attack)
    # findings keep their id over runs: what changes with every start is no key
    assert not {"pid", "ppid", "line", "exhibit", "inode", "start_ticks"} & set(rule.key)
    assert all({"type"} < set(s) for s in rule.subjects)


def test_rules_check_is_clean() -> None:
    assert engine.check([platforms.load(n) for n in platforms.names()], list(RULES.values())) == []


def test_core_checks_of_a_platform_are_rules_that_it_can_answer() -> None:
    for name in platforms.names():
        platform = platforms.load(name)
        assert set(platform.core) <= set(RULES)
        able = [(f.table, f.view) for stanza in platform.stanzas.values() for f in stanza.feeds]
        seen = coverage.Seen([], platform)
        for rule_id in platform.core:
            reasons = seen.assess(RULES[rule_id]).reasons
            assert able and not any("has no command" in r for r in reasons), f"{name}: {rule_id} can never be assessed"


HEADER = """/*
id: {id}
title: "{{pid}} is there"
level: {level}
needs: [{{processes: [pid]}}]
key: [pid]
subjects:
  - {{type: process, pid: pid}}
attack: [T1059]
falsepositives: ["none"]
references: ["none"]
response: "none"
{more}*/
"""


def written(folder: Path, sql: str, *, name: str = "trial", level: str = "low", more: str = "") -> rules.Rule:
    path = folder / f"{name}.sql"
    path.write_text(HEADER.format(id=name, level=level, more=more) + sql, encoding="utf-8")
    return rules.read(path)


@functools.cache
def prepared(*, locked: bool) -> duckdb.DuckDBPyConnection:
    """A database as a hunt has it, with nothing in it; what is refused leaves it so."""
    con = database.connect(views=False)
    engine.prepare(con, [], None)
    if locked:
        engine.lock(con)
    return con


def bound(rule: rules.Rule) -> list[str]:
    return rules.bind(prepared(locked=False), rule)


GOOD = "select device, snapshot, exhibit, line, pid from processes"


def test_a_good_rule_binds(tmp_path: Path) -> None:
    assert bound(written(tmp_path, GOOD)) == ["device", "snapshot", "exhibit", "line", "pid"]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select device, snapshot, exhibit, line, pid from processes where cmdlin = 'x'", "cmdline"),
        ("select device, snapshot, exhibit, line, pid from proceses", "processes"),
        ("select device, snapshot, exhibit, line, ppid from processes", "does not return pid; near it: ppid"),
        ("select device, snapshot, exhibit, pid from processes", "does not return line"),
        ("select device, snapshot, exhibit, line, local_port as pid, local_key from sockets", "raw key local_key"),
        ("select device, snapshot, exhibit, line, pid from processes where", "syntax error"),
        (GOOD + "; " + GOOD, "exactly one SELECT"),
        (GOOD + "; drop table processes", "exactly one SELECT"),
        ("drop table processes", "exactly one SELECT"),
        ("delete from processes", "exactly one SELECT"),
        ("copy processes to '/tmp/out.csv'", "exactly one SELECT"),
        ("attach '/tmp/other.db'", "exactly one SELECT"),
        ("install httpfs", "exactly one SELECT"),
        ("load httpfs", "exactly one SELECT"),
        ("set threads=1", "exactly one SELECT"),
        ("pragma database_list", "exactly one SELECT"),
        ("", "exactly one SELECT"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_with_its_file(tmp_path: Path, sql: str, says: str) -> None:
    with pytest.raises(RuleError, match=re.escape(says)) as error:
        bound(written(tmp_path, sql))
    assert "trial.sql" in str(error.value)


@pytest.mark.parametrize("call", ["read_csv('{}')", "read_text('{}')", "read_blob('{}')", "read_parquet('{}')", "glob('{}')", "'{}'"])
def test_a_rule_cannot_read_files(tmp_path: Path, call: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("device\nhunter2\n", encoding="utf-8")
    sql = f"select 'd' as device, '1' as snapshot, 'e' as exhibit, 1 as line, 1 as pid from {call.format(secret)}"
    with pytest.raises(RuleError, match=r"trial\.sql") as error:
        engine.match(prepared(locked=True), written(tmp_path, sql), engine.Scene(Site(), lambda e, n: "", {}))
    assert "hunter2" not in str(error.value)


def test_a_rule_cannot_open_the_lock(tmp_path: Path) -> None:
    con = database.connect()
    engine.lock(con)
    with pytest.raises(RuleError):
        engine.match(con, written(tmp_path, "set enable_external_access=true"), engine.Scene(Site(), lambda e, n: "", {}))
    assert con.execute("select current_setting('enable_external_access')").fetchone() == (False,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select 1", "must begin with a comment"),
        ("/* id: [ */ select 1", "header"),
        ("/* just words */ select 1", "must be a mapping"),
        ("/*\nid: trial\n*/ select 1", "lacks title, level, needs"),
        (HEADER.format(id="other", level="low", more="") + GOOD, "the file's name"),
        (HEADER.format(id="trial", level="dire", more="") + GOOD, "level must be one of"),
        (HEADER.format(id="trial", level="low", more="colour: red\n") + GOOD, "unknown keys ['colour']"),
        (HEADER.format(id="trial", level="low", more="explained_by: [moon]\n") + GOOD, "no kind 'moon'"),
    ],
)
def test_a_bad_header_is_refused_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "trial.sql"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RuleError, match=re.escape(says)) as error:
        rules.read(path)
    assert "trial.sql" in str(error.value)


def test_two_rules_with_one_id_are_refused(tmp_path: Path) -> None:
    known = next(iter(RULES.values()))
    (tmp_path / known.file.name).write_bytes(known.file.read_bytes())
    with pytest.raises(RuleError, match="is taken by"):
        rules.load([tmp_path])


def test_what_is_computed_hides_no_table() -> None:
    """A temporary table would stand before the table of the same name, in every rule."""
    con = database.connect(views=False)
    columns = {"view": "packets", "depth": 0, "proto": "tcp", "oriented": "syn", "resp_port": 443}
    ends = [("198.51.100.10", "203.0.113.1"), ("203.0.113.1", "192.0.2.20")]
    rows = [
        {**columns, "device": "d", "snapshot": "1", "exhibit": "e", "line": n, "connection": n, "orig_port": 40000 + n}
        | {"orig_ip": ends[n % 2][0], "resp_ip": ends[n % 2][1], "orig_bytes": 900, "resp_bytes": 900, "orig_payload": 500}
        | {"first_at": f"2026-01-06 12:{n:02}:00", "last_at": f"2026-01-06 12:{n:02}:30", "resp_payload": 500}
        for n in range(1, 40)
    ]
    database.insert_rows(con, "connections", rows)
    engine.prepare(con, [], None)
    temporary = {name for (name,) in con.execute("select table_name from duckdb_tables() where temporary").fetchall()}
    assert "inward" in temporary
    assert not temporary & set(database.tables())
