"""Exposure: version and model against the list, told apart from compromise, and never silently nothing."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import devicehunt
from devicehunt import cli, data, database, platforms, rules
from devicehunt.case import Case
from devicehunt.errors import RuleError
from devicehunt.model import LEVELS, Coverage
from devicehunt.report import html, terminal
from devicehunt.show import result

LIST = data.read_yaml((data.rules_dir() / "exposures.yaml").read_text(encoding="utf-8"))
ENTRIES: list[dict[str, Any]] = LIST["entries"]
RULES = ("known-exploited-version", "support-has-ended")
OLD = """# jan/02/1970 00:10:11 by RouterOS {version}
# model = RB2011
/ip service
set winbox address=0.0.0.0/0 disabled=no
/system identity
set name=edge
"""
CONFIG = """Building configuration...

Current configuration : 300 bytes
!
version {version}
hostname r1
ip http server
ip http secure-server
{more}line vty 0 4
 transport input ssh
end
"""


def hunt(tmp_path: Path, name: str, text: str) -> Case:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text(text, encoding="utf-8")
    return devicehunt.hunt([tmp_path / "in"], device="d", case=tmp_path / "case")


def covered(case: Case, rule: str) -> Coverage:
    (one,) = (c for c in case.coverage if c.rule == rule)
    return one


ORDERED = [
    "12.2(44)SE6 12.2(55)SE 12.2(55)SE12 12.4(15)T1 15.0(2)SE11 15.2(4)M 15.2(4)M3 15.2(4)M3a 15.2(4)M10 15.2(7)E 15.10(1)",
    "16.12.4 16.12.4a 16.12.04b 16.12.10a 17.03.04 17.3.8a 17.9.4 17.9.4a 17.12.1",
    "6.48.6 6.49alpha1 6.49beta11 6.49beta54 6.49rc2 6.49 6.49.7 7.1beta6 7.1rc3 7.1rc10 7.1 7.1.1 7.16.1",
    "v19.07.10 22.03.0-rc4 22.03.0 23.05.6",
]


@pytest.mark.parametrize("versions", ORDERED)
def test_versions_stand_in_their_vendors_order(versions: str) -> None:
    con = database.connect()
    found = con.execute("select v from (select unnest(?) as v) order by version_key(v), random()", [versions.split()]).fetchall()
    assert [v for (v,) in found] == versions.split()


@pytest.mark.parametrize("text", ["OpenWrt 22.03.5 r20134-5f15225c1e", "22.03.5 (stable)", "v22.3.5", "Something 22.03.5, RELEASE"])
def test_a_version_is_found_in_what_stands_around_it(text: str) -> None:
    assert database.connect().execute("select version_key(?)", [text]).fetchone() == ([22, 3, 5, 0],)


@pytest.mark.parametrize("text", ["", "unknown", "OpenWrt SNAPSHOT r28000-deadbeef00", "Debian GNU/Linux 9 (stretch)", "1"])
def test_what_is_no_version_has_no_place_in_the_order(text: str) -> None:
    assert database.connect().execute("select version_key(?)", [text]).fetchone() == (None,)


def test_each_entry_says_what_where_since_when_and_by_whom() -> None:
    known = set(platforms.names())
    con = database.connect()
    columns = set(database.columns_of(con, "known_exposures")) - {"listed"}
    for entry in ENTRIES:
        where = f"{entry['name']} {entry['product']}"
        assert set(entry) <= columns, where
        assert entry["platform"] in known, where
        assert entry["kind"] in ("exploited", "disclosed", "end-of-life"), where
        assert entry["reference"], where
        assert entry["reason"], where
        assert date.fromisoformat(entry["added"]) <= LIST["as_of"], where
        assert entry["since"] is None or date.fromisoformat(entry["since"]) <= LIST["as_of"], where
        assert entry["kind"] == "end-of-life" or re.fullmatch(r"CVE-\d{4}-\d+", entry["name"]), where
        for text in (entry.get("first_version"), entry.get("fixed_version")):
            assert text is None or con.execute("select version_key(?)", [text]).fetchone() != (None,), where
        for pattern in (entry.get("version_pattern"), entry.get("model_pattern")):
            assert pattern is None or re.compile(pattern), where


def test_a_rule_of_context_may_not_be_high(tmp_path: Path) -> None:
    text = (data.rules_dir() / "state" / "support-has-ended.sql").read_text(encoding="utf-8")
    (tmp_path / "support-has-ended.sql").write_text(text.replace("level: low\ncontext", "level: high\ncontext"), encoding="utf-8")
    with pytest.raises(RuleError, match="stays at medium"):
        rules.read(tmp_path / "support-has-ended.sql")


def test_an_old_version_never_raises_the_verdict(tmp_path: Path) -> None:
    case = hunt(tmp_path, "export.rsc", OLD.format(version="6.40.5"))
    exposed = [f for f in case.findings if f.context]
    assert {"CVE-2018-14847", "CVE-2018-7445", "CVE-2019-3978", "CVE-2023-30799"} <= {f.key[0] for f in exposed}
    assert {f.level for f in exposed} <= {"info", "low", "medium"}
    assert max(LEVELS.index(f.level) for f in exposed) == LEVELS.index("medium")
    assert not {f.id for f in exposed} & set(case.verdicts[0].reasons)
    others = [f for f in case.findings if not f.context]
    wanted = 3 if any(LEVELS.index(f.level) >= LEVELS.index("medium") for f in others) else 4
    assert cli._status(case, "medium") == wanted
    assert cli._status(case, "low") == (3 if others else 4)


def test_what_is_exposed_stands_in_a_section_of_its_own(tmp_path: Path) -> None:
    case = hunt(tmp_path, "export.rsc", OLD.format(version="6.40.5"))
    text = terminal.render(result(case), colour=False, width=100)
    before, _, after = text.partition("EXPOSURE")
    assert "CVE-2018-14847" in after
    assert "CVE-2018-14847" not in before
    page = html.render(result(case))
    assert page.index("-exposure") < page.index("CVE-2018-14847")


def test_a_service_that_is_seen_is_said_and_cited(tmp_path: Path) -> None:
    case = hunt(tmp_path, "export.rsc", OLD.format(version="6.40.5"))
    (one,) = (f for f in case.findings if f.key == ("CVE-2018-14847",))
    assert "winbox is on" in one.title
    assert [e.line for e in one.evidence] == [1, 4]


def test_a_version_in_no_entry_is_not_called_safe(tmp_path: Path) -> None:
    case = hunt(tmp_path, "export.rsc", OLD.format(version="7.16.1"))
    one = covered(case, "known-exploited-version")
    assert one.result == "no-hit"
    assert f"version 7.16.1: no entry in the list of known flaws of {LIST['as_of']}; that does not make it safe" in one.notes
    assert "no entry in the list" in terminal.render(result(case), colour=False, width=200)
    assert "no entry in the list" in html.render(result(case))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("export.rsc", OLD.format(version="7next"), "the version cannot be read: 7next"),
        ("export.rsc", "/ip service\nset winbox disabled=no\n/system identity\nset name=edge\n", "no output names the version"),
        ("show_running-config.txt", CONFIG.format(version="17.15", more=""), "of version 17.15 only the release train is known"),
    ],
    ids=["unreadable", "unnamed", "train"],
)  # fmt: skip
def test_a_version_that_cannot_be_judged_is_not_assessable(tmp_path: Path, name: str, text: str, reason: str) -> None:
    one = covered(hunt(tmp_path, name, text), "known-exploited-version")
    assert one.result == "not-assessable"
    assert reason in " ".join(one.reasons)


def test_what_a_train_leaves_open_is_said_beside_a_hit(tmp_path: Path) -> None:
    case = hunt(tmp_path, "show_running-config.txt", CONFIG.format(version="17.9", more="snmp-server community Zx81kkQa RO\n"))
    assert {f.key[0] for f in case.findings if f.context} == {"CVE-2025-20352"}
    one = covered(case, "known-exploited-version")
    assert one.result == "hit"
    assert any("17.9 only the release train is known" in n and "CVE-2023-20198" in n for n in one.notes)
    assert "only the release train is known" in terminal.render(result(case), colour=False, width=200)


def test_what_only_may_apply_is_named_in_one_line(tmp_path: Path) -> None:
    case = hunt(tmp_path, "show_running-config.txt", CONFIG.format(version="15.0", more=""))
    quiet = {f.key[0] for f in case.findings if f.context and f.level == "info"}
    assert {"CVE-2017-6742", "CVE-2018-0171"} <= quiet
    text = terminal.render(result(case), colour=False, width=250)
    told = " ".join(text.partition("more at info")[2].partition("NOT SEEN")[0].split())
    assert all(name in told for name in quiet)
    assert "anybody may read and replace" not in text
    assert "anybody may read and replace" in terminal.render(result(case), colour=False, width=250, everything=True)


def test_a_train_that_lies_in_the_range_as_a_whole_is_a_hit(tmp_path: Path) -> None:
    case = hunt(tmp_path, "show_running-config.txt", CONFIG.format(version="17.8", more=""))
    (one,) = (f for f in case.findings if f.key == ("CVE-2023-20198",))
    assert one.level == "medium"
    assert "http is on, https is on" in one.title


def test_a_model_that_no_output_names_is_not_assessable(tmp_path: Path) -> None:
    one = covered(hunt(tmp_path, "show_running-config.txt", CONFIG.format(version="17.12", more="")), "support-has-ended")
    assert (one.result, one.reasons) == ("not-assessable", ("no output names the model (version 17.12)",))


@pytest.mark.parametrize(
    ("version", "result"),
    [
        ("OpenWrt 21.02.3", "hit"),
        ("OpenWrt 24.10.5", "no-hit"),
        ("OpenWrt SNAPSHOT", "not-assessable"),
        ("Debian GNU/Linux 9", "not-assessable"),
    ],
)
def test_a_linux_is_supported_by_its_release(tmp_path: Path, version: str, result: str) -> None:
    case = hunt(tmp_path, "os-release", f'NAME="Linux"\nPRETTY_NAME="{version}"\n')
    assert covered(case, "support-has-ended").result == result
    assert covered(case, "known-exploited-version").result == "not-applicable"


def test_both_rules_are_of_context_and_no_core_check() -> None:
    loaded = {r.id: r for r in rules.load()}
    assert [loaded[r].context for r in RULES] == [True, True]
    assert {r.id for r in loaded.values() if r.check == "C35"} == set(RULES)
    for name in platforms.names():
        assert not set(RULES) & set(platforms.load(name).core)
