"""What a rule could see (coverage.py), and the verdict that follows (engine.py)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devicehunt import data, platforms, rules
from devicehunt.api import hunt
from devicehunt.coverage import Feed, Seen, read_need
from devicehunt.engine import verdicts
from devicehunt.errors import RuleError, SiteError
from devicehunt.model import Coverage, Evidence, Finding
from devicehunt.rules import Need, Rule
from tests.faults import Output, Outputs, World, story

ANY_RULE = rules.load()[0]


def feed(where: str, columns: str = "pid", *, exhibit: str = "", **other: Any) -> Feed:
    """A sound feed of `table@view`; its end is proven unless said otherwise."""
    table, _, view = where.partition("@")
    made = Feed(
        exhibit or f"r/1/{view}.txt", f"asked for {view}", table, view, frozenset(columns.split()), frozenset(),
        usable=True, reason="", proven=True,
    )  # fmt: skip
    return replace(made, **other)


def needing(*needs: Need) -> Rule:
    return replace(ANY_RULE, needs=needs)


def assess(feeds: list[Feed], *needs: Need) -> tuple[bool, list[str], tuple[str, ...]]:
    answer = Seen(feeds).assess(needing(*needs))
    return answer.met, answer.reasons, answer.notes


PS = feed("processes@ps")
PROC = feed("processes@proc", "pid exe")


def broken(sound: Feed) -> Feed:
    return replace(sound, usable=False, reason="3 of 9 lines unread")



def test_nothing_collected_is_a_reason() -> None:
    assert assess([], {"processes": ["pid"]}) == (False, ["processes: not collected"], ())
    assert assess([PS], "sockets@ss") == (False, ["sockets@ss: not collected"], ())


def test_a_need_asks_for_columns_and_for_a_view() -> None:
    assert assess([PS], {"processes": ["pid"]})[0]
    assert assess([PS], {"processes": ["exe"]}) == (False, ["processes: not collected"], ())
    assert not assess([PS], {"processes@proc": ["pid"]})[0]
    assert assess([PS, PROC], {"processes": ["exe"]})[0]


def test_an_output_that_was_not_read_whole_meets_nothing_and_says_why() -> None:
    met, reasons, notes = assess([broken(PS)], "processes@ps")
    assert (met, reasons, notes) == (False, ["processes@ps: r/1/ps.txt (asked for ps): 3 of 9 lines unread"], ())


def test_a_column_left_open_stops_only_what_needs_it() -> None:
    hidden = replace(PROC, incomplete=frozenset({"exe"}))
    assert assess([hidden], {"processes": ["pid"]})[0]
    met, reasons, _ = assess([hidden], {"processes": ["exe"]})
    assert not met
    assert reasons == ["processes: r/1/proc.txt (asked for proc): exe not shown for every row"]


def test_what_an_output_never_shows_is_said_of_it() -> None:
    shown = feed("accounts@config", "name privilege", incomplete=frozenset({"name"}))
    met, reasons, _ = assess([shown], {"accounts@config": ["name", "hash_kind"]})
    assert not met
    what = "name not shown for every row; hash_kind not among what it shows"
    assert reasons == [f"accounts@config: r/1/config.txt (asked for config): {what}"]


def test_what_no_command_of_the_platform_shows_is_not_asked_for() -> None:
    rule = needing({"any": [{"accounts@print": ["name"]}, {"accounts@startup": ["name"]}]})
    answer = Seen([], platforms.load("mikrotik_routeros")).assess(rule)
    assert answer.reasons == ["accounts@print: `/user print detail` not collected"]


def test_any_is_met_by_one_and_notes_what_the_other_lost() -> None:
    need: Need = {"any": ["processes@ps", "processes@proc"]}
    assert assess([PS], need) == (True, [], ())
    met, reasons, notes = assess([broken(PS), PROC], need)
    assert (met, reasons) == (True, [])
    assert notes == ("not read, another output stands in: processes@ps: r/1/ps.txt (asked for ps): 3 of 9 lines unread",)
    met, reasons, _ = assess([broken(PS)], need)
    assert not met
    assert reasons[0].endswith("3 of 9 lines unread")
    assert reasons[1] == "processes@proc: not collected"


def test_what_only_one_of_two_alternatives_shows_is_not_made_up_for() -> None:
    need: Need = {"any": ["nat_rules@iptables", "nat_rules@nft"]}
    old, new = feed("nat_rules@iptables"), feed("nat_rules@nft")
    assert assess([new], need)[0]
    met, reasons, _ = assess([broken(old), new], need)
    assert (met, reasons) == (False, ["nat_rules@iptables: r/1/iptables.txt (asked for iptables): 3 of 9 lines unread"])
    # read from another output of the same view; or the device has no such program
    assert assess([broken(old), replace(old, exhibit="r/1/b.txt"), new], need)[0]
    assert assess([replace(broken(old), status="unsupported"), new], need)[0]


def test_all_needs_each_and_gives_every_reason() -> None:
    need: Need = {"all": ["processes@ps", "mounts"]}
    assert assess([PS], need) == (False, ["mounts: not collected"], ())
    assert assess([PS, feed("mounts@mount", "target")], need)[0]
    assert assess([], need)[1] == ["processes@ps: not collected", "mounts: not collected"]
    nested: Need = {"any": [need, "sockets@ss"]}
    assert assess([feed("sockets@ss", "state")], nested)[0]


def test_derived_tables_stand_on_facts() -> None:
    netstat = feed("sockets@netstat", "local_ip local_port state pid")
    assert assess([netstat], "owned_listeners")[0]
    assert assess([replace(netstat, incomplete=frozenset({"pid"}))], "listeners")[0]
    assert not assess([replace(netstat, incomplete=frozenset({"pid"}))], "owned_listeners")[0]
    kernel = [
        feed("sockets@proc", "local_ip local_port inode state", exhibit=f"r/1/{part}", stanza=f"linux/proc_net_{part}")
        for part in ("tcp", "tcp6", "udp", "udp6")
    ]
    assert not assess(kernel, "owned_listeners")[0]
    assert assess([*kernel, feed("open_files@proc", "inode")], "owned_listeners")[0]


@pytest.mark.parametrize("lost", ["tcp", "tcp6", "udp", "udp6"])
def test_a_view_of_several_files_is_whole_with_each_of_them(lost: str) -> None:
    parts = {
        p: feed("sockets@proc", "local_port", exhibit=f"r/1/{p}", stanza=f"linux/proc_net_{p}") for p in ("tcp", "tcp6", "udp", "udp6")
    }
    need: Need = {"sockets@proc": ["local_port"]}
    assert assess(list(parts.values()), need) == (True, [], ())
    damaged = [broken(f) if p == lost else f for p, f in parts.items()]
    met, reasons, _ = assess(damaged, need)
    assert not met
    assert [lost in r for r in reasons] == [True]
    met, reasons, _ = assess([f for p, f in parts.items() if p != lost], need)
    assert (met, reasons) == (False, [f"sockets@proc: proc_net_{lost}: not collected"])
    open_end = [replace(f, proven=False) if p == lost else f for p, f in parts.items()]
    assert assess(open_end, need) == (True, [], (f"end not proven: r/1/{lost}",))


def test_parts_that_make_a_view_whole_are_stanzas_that_fill_it() -> None:
    made = data.read_yaml((data.rules_dir() / "needs.yaml").read_text(encoding="utf-8"))
    known = {s.id: s for n in platforms.names() for s in platforms.load(n).stanzas.values()}
    for where, parts in made["whole"].items():
        for stanza in (s for part in parts for s in part):
            assert where in {f"{f.table}@{f.view}" for f in known[stanza].feeds}, stanza


def test_of_a_table_in_parts_all_that_was_collected_must_be_read() -> None:
    one, two = feed("files@ls", "path", exhibit="r/1/a"), feed("files@find", "path", exhibit="r/1/b")
    assert assess([one, two], {"files": ["path"]}) == (True, [], ())
    met, reasons, _ = assess([one, broken(two)], {"files": ["path"]})
    assert not met
    assert len(reasons) == 1
    assert "r/1/b" in reasons[0]
    assert assess([one, replace(two, proven=False)], {"files": ["path"]})[2] == ("end not proven: r/1/b",)


def test_an_end_that_is_not_proven_is_a_note_unless_another_is() -> None:
    loose = replace(PS, proven=False)
    assert assess([loose], "processes@ps") == (True, [], ("end not proven: r/1/ps.txt",))
    again = replace(PS, exhibit="r/1/again.txt")
    assert assess([loose, again], "processes@ps") == (True, [], ())
    assert assess([loose, PROC], {"any": ["processes@ps", "processes@proc"]}) == (True, [], ())


def test_a_need_with_two_keys_is_an_error() -> None:
    with pytest.raises(RuleError, match="one key"):
        read_need({"processes": ["pid"], "mounts": ["target"]})


# from outputs


def test_a_cut_at_a_line_end_cannot_be_seen_and_is_said(tmp_path: Path) -> None:
    outputs = story("whole-router")
    short = {c: Output(o.data[: o.data[: len(o.data) // 2].rfind(b"\n") + 1] or o.data, None) for c, o in outputs.items()}
    world = World(tmp_path, {"short": short, "sound": outputs})
    for rule in ("account-unexpected", "kernel-module-foreign", "login-from-outside"):
        one = world["short"].coverage[rule]
        assert one.result == "no-hit"
        assert any(n.startswith("end not proven: short/1/") for n in one.notes), one
        assert world["sound"].coverage[rule].notes == ()
    # where an output ends in a trailer its absence is a proof
    cut = world["short"].coverage["process-hidden"]
    assert cut.result == "not-assessable"
    assert any("the trailer of this output is missing" in r for r in cut.reasons)


def test_one_table_of_iptables_says_nothing_of_the_others(tmp_path: Path) -> None:
    listing = (
        b"Chain INPUT (policy DROP 4 packets, 240 bytes)\n"
        b" pkts bytes target     prot opt in     out     source               destination\n"
    )
    base: Outputs = {c: o for c, o in story("whole-router").items() if c not in ("iptables-save", "nft list ruleset")}
    filters, nat = {"iptables -L -n -v": Output(listing)}, {"iptables -t nat -L -n -v": Output(listing)}
    world = World(tmp_path, {"filter": base | filters, "nat": base | nat, "both": base | filters | nat})
    asked = ("firewall-opened-to-wan", "nat-forwards-outside")
    results = {d: [world[d].coverage[r].result for r in asked] for d in ("filter", "nat", "both")}
    assert results == {"filter": ["no-hit", "not-assessable"], "nat": ["not-assessable", "no-hit"], "both": ["no-hit", "no-hit"]}


def test_a_race_is_no_finding_and_no_no_hit(tmp_path: Path) -> None:
    """A port that only the last list shows may have been opened in between."""
    outputs = dict(story("whole-router"))
    line = b"tcp   LISTEN    0      0              0.0.0.0:4444            0.0.0.0:*    \n"
    first = {"ss -tunap": Output(outputs["ss -tunap"].data + line)}
    late = {c: o for c, o in outputs.items() if c != "ss -tunap"} | first
    one = World(tmp_path, {"r": late})["r"].coverage["listener-hidden"]
    assert one.result == "not-assessable"
    assert len(one.reasons) == 1
    assert one.reasons[0].startswith("race: port 4444")


def test_a_login_is_no_forwarding_where_no_list_of_listeners_was_read(tmp_path: Path) -> None:
    established = (
        b"Active Internet connections (w/o servers)\n"
        b"Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n"
        b"tcp        0      0 203.0.113.76:22         198.51.100.9:50122      ESTABLISHED 1201/dropbear\n"
    )
    lists = ("ss -tunap", "netstat -anp", "cat /proc/net/tcp", "cat /proc/net/tcp6", "cat /proc/net/udp", "cat /proc/net/udp6")
    outputs = {c: o for c, o in story("whole-router").items() if c not in lists} | {"netstat -tnp": Output(established)}
    seen = World(tmp_path, {"r": outputs})["r"]
    assert seen.findings == {}
    assert seen.coverage["ssh-server-reaches-out"].result == "not-assessable"


# the four words


def finding(
    level: str, *, rule: str = "a", exhibit: str = "r/1/1.txt", pid: int = 7, explained: str | None = None, snapshot: str = "1"
) -> Finding:
    return Finding(
        f"{rule}-{level}-{pid}", rule, "title", level, "r", snapshot, ("k",), ({"type": "process", "pid": pid},), (Evidence(exhibit, 1),),
        explained_by=explained,
    )  # fmt: skip


def cover(result: str = "no-hit", *, rule: str = "a", core: bool = True, snapshot: str = "1") -> Coverage:
    return Coverage("r", snapshot, rule, result, core)


SEEN = [cover(), cover(rule="b"), cover("not-assessable", rule="c", core=False)]


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ([], "nothing-found"),
        ([finding("medium"), finding("low")], "nothing-found"),
        ([finding("critical")], "compromised"),
        ([finding("high")], "suspicious"),
        ([finding("critical", explained="owner")], "nothing-found"),
        ([finding("critical", explained="running")], "compromised"),
        # two rules, two sources, one subject
        ([finding("high"), finding("high", rule="b", exhibit="r/1/2.txt")], "compromised"),
        ([finding("high"), finding("high", rule="b")], "suspicious"),
        ([finding("high"), finding("high", exhibit="r/1/2.txt")], "suspicious"),
        ([finding("high"), finding("high", rule="b", exhibit="r/1/2.txt", pid=8)], "suspicious"),
        ([finding("high"), finding("high", rule="b", exhibit="r/2/2.txt", snapshot="2")], "suspicious"),
        ([finding("high"), finding("high", rule="b", exhibit="r/1/2.txt", explained="owner")], "suspicious"),
        ([finding("high"), finding("medium", rule="b", exhibit="r/1/2.txt")], "suspicious"),
    ],
)
def test_verdict_by_findings(found: list[Finding], word: str) -> None:
    (verdict,) = verdicts(found, SEEN)
    assert (verdict.verdict, verdict.assessed, verdict.core) == (word, 2, 2)


@pytest.mark.parametrize(
    ("seen", "found", "word", "assessed"),
    [
        ([cover(), cover("not-assessable", rule="b")], [], "inconclusive", 1),
        ([cover(), cover("not-assessable", rule="b")], [finding("medium")], "inconclusive", 1),
        ([cover("not-assessable")], [finding("high")], "suspicious", 0),
        ([cover("not-assessable")], [finding("critical")], "compromised", 0),
        ([cover(), cover("not-applicable", rule="b")], [], "nothing-found", 1),
        # in one of two snapshots it could not be asked
        ([cover(), cover("not-assessable", snapshot="2")], [], "inconclusive", 0),
        ([cover("no-hit", core=False)], [], "inconclusive", 0),
        # a small thing was found in what could be read, and the rest could not
        ([cover(), replace(cover("hit", rule="b"), reasons=("files: cut",))], [finding("low")], "inconclusive", 1),
    ],
)
def test_verdict_by_coverage(seen: list[Coverage], found: list[Finding], word: str, assessed: int) -> None:
    (verdict,) = verdicts(found, seen)
    assert (verdict.verdict, verdict.assessed) == (word, assessed)


# the owner's word

CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"


def hunted(tmp_path: Path, site: str, case: str) -> dict[str, Finding]:
    (tmp_path / f"{case}.yaml").write_text(site, encoding="utf-8")
    found = hunt([CASES / "quiet-router" / "evidence"], case=tmp_path / case, site=tmp_path / f"{case}.yaml")
    return {f.rule: f for f in found.findings}


def test_the_owner_explains_a_finding_and_hides_none(tmp_path: Path) -> None:
    right = hunted(tmp_path, "expected: [{kind: port-forward, proto: tcp, port: 8080, to: 192.168.0.140}]", "right")
    wrong = hunted(tmp_path, "expected: [{kind: port-forward, proto: tcp, port: 8081, to: 192.168.0.140}]", "wrong")
    assert set(right) == set(wrong)
    mine, theirs = right["nat-forwards-inside"], wrong["nat-forwards-inside"]
    assert (mine.level, mine.explained_by, mine.level_unexplained) == ("info", "owner", "medium")
    assert "8080" in mine.explanation
    assert (theirs.level, theirs.explained_by) == ("medium", None)
    assert mine.id == theirs.id
    assert mine.evidence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("expected: [{kind: moon}]", "kind"),
        ("expected: [{kind: listener, colour: red}]", "colour"),
        ("expected: [{kind: listener}]", "which one"),
        ("expected: [{kind: listener, port: twenty}]", "port"),
        ("expekted: []", "expekted"),
        ("- a list", "mapping"),
        ("a: [", "site.yaml"),
    ],
)
def test_a_site_file_that_is_wrong_is_refused_with_its_name(tmp_path: Path, text: str, says: str) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(text, encoding="utf-8")
    with pytest.raises(SiteError, match=says) as error:
        hunt([CASES / "quiet-router" / "evidence"], case=tmp_path / "case", site=site)
    assert "site.yaml" in str(error.value)
    assert not (tmp_path / "case").exists() or not list((tmp_path / "case").iterdir())
