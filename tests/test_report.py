"""Terminal and page: what they say, and what a hostile device cannot make them say."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devicehunt import hunt, show
from devicehunt.model import LEVELS, Coverage, Evidence, Gap, Verdict
from devicehunt.report import Device, Result, html, jsonl, terminal, view
from devicehunt.report.words import phrases
from tests.report_samples import HOSTILE, Page, finding, hostile, merged, sample


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@pytest.mark.parametrize("name", HOSTILE)
def test_terminal_stays_whole(name: str) -> None:
    text = terminal.render(hostile(HOSTILE[name]), colour=False, width=100)
    assert all(c.isprintable() or c == "\n" for c in text)
    # names of exhibits, which somebody will copy, are not folded; those of a case are never so wide
    rows = [row for row in text.split("\n") if not row.startswith(("Report:", "Case:"))]
    assert max(map(cells, rows)) <= (300 if name == "wide" else 220)
    assert len(text) < 60_000
    text.encode("utf-8")


def test_colour_adds_styles_and_nothing_else() -> None:
    for result in (sample(), hostile(HOSTILE["escape"]), hostile(HOSTILE["markup"])):
        plain = terminal.render(result, colour=False, width=100)
        coloured = terminal.render(result, colour=True, width=100)
        assert "\x1b[" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize("name", HOSTILE)
def test_page_stays_whole(name: str) -> None:
    made = html.render(hostile(HOSTILE[name]))
    page = Page(made)
    clean = Page(html.render(sample()))
    assert set(page.tags) <= set(clean.tags) | {"ul", "b", "p", "article"}
    assert {n for _, n, _ in page.attributes} <= {n for _, n, _ in clean.attributes}
    assert not {n for _, n, _ in page.attributes} & {"style", "onerror", "onmouseover", "onload"}
    assert all(c.isprintable() or c == "\n" for c in made)
    assert "49" not in page.said() or name != "template"
    assert len(made.encode("utf-8")) < 400_000


def test_page_loads_nothing_and_its_policy_fits() -> None:
    made = html.render(sample())
    page = Page(made)
    assert not {"script", "img", "link", "iframe", "object", "form"} & set(page.tags)
    assert all(v.startswith("#") for _, n, v in page.attributes if n in ("href", "src"))
    assert len(page.styles) == 1
    assert "url(" not in page.styles[0]
    assert "@import" not in page.styles[0]
    digest = base64.b64encode(hashlib.sha256(page.styles[0].encode()).digest()).decode()
    policy = page.values("meta", "content")[0]
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert made.index("Content-Security-Policy") < made.index("<style>")


def test_links_of_the_page_have_targets() -> None:
    page = Page(html.render(merged([sample(f"r{n}") for n in range(3)])))
    targets = {v for _, n, v in page.attributes if n == "id"}
    assert {v[1:] for v in page.values("a", "href")} <= targets


def test_same_result_same_bytes(tmp_path: Path) -> None:
    result = merged([sample(f"r{n}") for n in range(5)])
    mixed: dict[str, list[Any]] = {}
    shuffle = random.Random(7)
    for part in ("devices", "verdicts", "findings", "coverage"):
        mixed[part] = list(getattr(result, part))
        shuffle.shuffle(mixed[part])
    other = replace(result, **mixed)
    assert html.render(other) == html.render(result)
    assert terminal.render(other, colour=False, width=90) == terminal.render(
        result, colour=False, width=90
    )
    for folder, one in ((tmp_path / "a", result), (tmp_path / "b", other)):
        jsonl.write_findings(folder / "findings.jsonl", one.findings)
        jsonl.write_coverage(folder / "coverage.jsonl", one.coverage)
    for name in ("findings.jsonl", "coverage.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("verdict", ["compromised", "suspicious", "inconclusive", "nothing-found"])
@pytest.mark.parametrize("devices", [1, 30])
def test_no_verdict_without_its_number_of_checks(verdict: str, devices: int) -> None:
    result = merged([sample(f"r{n}", verdict) for n in range(devices)])
    word = phrases()["verdicts"][verdict]["word"]
    rows = terminal.render(result, colour=False, width=100).split("\n")
    said = [row for row in rows if row.startswith(f"{word}  ")]
    assert len(said) == devices
    assert all("2 of 3 core checks assessed" in row for row in said)
    assert Page(html.render(result)).said().count("2 of 3 core checks assessed") >= devices


def test_nothing_found_is_not_called_clean() -> None:
    result = replace(sample(verdict="nothing-found"), findings=[])
    assert "not a clean bill of health" in terminal.render(result, colour=False, width=100)
    page = Page(html.render(result)).said()
    assert "not a clean bill of health" in page
    assert "There is no unexplained finding." in page


def test_nothing_given_is_no_result() -> None:
    empty = Result(devices=[], verdicts=[])
    text = terminal.render(empty, colour=False, width=80)
    assert "Nothing was assessed" in text
    assert "Every check was assessed" not in text
    page = Page(html.render(empty)).said()
    assert "Nothing was assessed" in page
    assert "Every check was assessed" not in page
    assert "nothing found" not in page.lower()


@pytest.mark.parametrize("coverage", [[], [Coverage("rtr1", "1", "a-rule", "not-applicable", core=False)]])
def test_a_device_that_no_check_applies_to_was_not_assessed(coverage: list[Coverage]) -> None:
    proven = [replace(e, status="complete", end_proof="marker", reason="") for e in sample().exhibits if e.device == "rtr1"]
    verdict = Verdict("rtr1", "inconclusive", 0, 0)
    bare = replace(sample(), findings=[], coverage=coverage, gaps=[], exhibits=proven, verdicts=[verdict])
    for said in (re.sub(r"\s+", " ", terminal.render(bare, colour=False, width=80)), Page(html.render(bare)).said()):
        assert "Every check was assessed" not in said
        assert "No check was made for 1 device (rtr1)" in said
    asked = replace(bare, coverage=[Coverage("rtr1", "1", "a-rule", "no-hit", core=True)])
    assert "Every check was assessed" in re.sub(r"\s+", " ", terminal.render(asked, colour=False, width=80))


def test_a_device_without_a_verdict_is_inconclusive() -> None:
    for result in (
        replace(sample(), verdicts=[]),
        replace(sample(), verdicts=[Verdict("rtr1", "fine", 2, 3)]),
    ):
        assert view.verdict_key(view.devices(result)[0].verdict) == "inconclusive"
        assert terminal.render(result, colour=False, width=80).startswith("inconclusive  rtr1")


def test_findings_are_told_worst_first_with_their_lines() -> None:
    result = replace(
        sample(), findings=[finding(level=level, number=n) for n, level in enumerate(LEVELS)]
    )
    text = terminal.render(result, colour=False, width=100)
    places = [text.index(f"{level.upper():<8}") for level in reversed(LEVELS)]
    assert places == sorted(places)
    assert "rtr1/1/02-netstat.txt:5" in text
    assert "tcp 0 0 0.0.0.0:4003 LISTEN" in text


def test_what_to_do_is_said_once_and_then_by_the_finding_that_said_it() -> None:
    done = ["Copy it.", "Copy it.", "Ask the owner.", "Copy it."]
    found = [finding(number=n, response=said) for n, said in enumerate(done)]
    text = terminal.render(replace(sample(), findings=found), colour=False, width=100)
    told = [row.split("do  ", 1)[1].strip() for row in text.split("\n") if row.strip().startswith("do  ")]
    assert told == ["Copy it.", "as above", "Ask the owner.", "as for: Something listens on tcp port 4000"]


def test_page_shows_the_cited_line_in_context() -> None:
    made = html.render(sample())
    assert '<li class="cited"><span>5 ▸</span><code>line 5 of rtr1/1/02-netstat.txt</code>' in made
    assert "line 2 of rtr1" in made
    assert "line 8 of rtr1" in made
    assert "line 9 of rtr1" not in made


def test_close_citations_share_a_block_and_missing_lines_show() -> None:
    cited = tuple(Evidence("rtr1/1/a.txt", n) for n in (10, 12, 90))
    ((exhibit, rows),) = view.evidence_blocks(sample(), cited, 3)
    assert exhibit == "rtr1/1/a.txt"
    assert [n for n, _, _ in rows] == [*range(7, 16), *range(87, 94)]
    assert [n for n, _, marked in rows if marked] == [10, 12, 90]
    page = html.render(replace(sample(), findings=[finding(evidence=cited)]))
    assert page.count('<li class="jump">') == 1


def test_without_the_case_the_finding_keeps_its_text() -> None:
    result = replace(sample(), context=lambda _e, _n, _a: [])
    assert "tcp 0 0 0.0.0.0:4000 LISTEN" in html.render(result)


def test_explained_findings_have_an_author_and_a_place_of_their_own() -> None:
    text = terminal.render(sample(), colour=False, width=100)
    before, after = text.split("EXPLAINED")
    assert "An explained listener" not in before
    assert "the owner: kind listener, port 4002" in re.sub(r"\s+", " ", after)
    # what the running configuration explains stays among the findings as long as it is high
    kept = finding(explained_by="running")
    assert not view.explained(kept)
    assert view.explained(replace(kept, level="medium"))


def test_what_was_not_seen_is_told() -> None:
    text = terminal.render(sample(), colour=False, width=100)
    for said in (re.sub(r"\s+", " ", text), Page(html.render(sample())).said()):
        assert "a check that was blind" in said
        assert "sockets@ss: not collected" in said
        assert "rtr1/1/04-nft.txt" in said
        assert "Operation not permitted" in said
        assert "3 lines" in said
        assert "a line that no template knows" in said
        assert "not proven" in said


def test_outputs_of_one_log_are_told_apart_and_keep_their_own_reason(tmp_path: Path) -> None:
    prompt = "root@OpenWrt:~# "
    asked = (("ps w", "ps: permission denied"), ("frobnicate", "ok"), ("brctl show", "-ash: brctl: not found"))
    log = tmp_path / "console.txt"
    log.write_text("".join(f"{prompt}{command}\n{said}\n" for command, said in asked) + prompt + "\n", encoding="utf-8")
    found = show.result(hunt([log], case=tmp_path / "case"))
    terminal_text = re.sub(r"\s+", " ", terminal.render(found, colour=False, width=100, everything=True))
    for said in (terminal_text, Page(html.render(found)).said()):
        assert "console/1/01-console.txt:2 (ps w)" in said
        assert "console/1/01-console.txt:4 (frobnicate)" in said
        assert "the device answered: ps: permission denied" in said
        assert "denied: not-read" not in said


def test_not_seen_counts_groups_over_devices() -> None:
    reasons = [
        Coverage(
            f"r{n}",
            "1",
            "rule",
            "not-assessable",
            core=True,
            reasons=(f"sockets: r{n}/1/02-x.txt: denied",),
        )
        for n in range(40)
    ]
    (group,) = view.not_seen(reasons, [], []).missed
    assert group.reason == "sockets: 02-x.txt: denied"
    assert len(group.devices) == 40


def test_short_lists_say_what_they_leave_out() -> None:
    gaps = [Gap("rtr1", "1", "rtr1/1/a.txt", n, n, "p", f"reason number {n}") for n in range(1, 31)]
    result = replace(sample(), gaps=gaps)
    assert "… 22 more" in terminal.render(result, colour=False, width=100)
    everything = terminal.render(result, colour=False, width=100, everything=True)
    assert all(f"reason number {n}" in everything for n in range(1, 31))


def test_uptime_and_clock_are_told() -> None:
    text = re.sub(r"\s+", " ", terminal.render(sample(), colour=False, width=100))
    assert "Up 1 hour, since 2026-03-01 09:00:00 UTC." in text
    assert "2 hours ahead" in text
    unknown = replace(sample(), devices=[Device("rtr1", "1")])
    assert "Uptime is not known" in terminal.render(unknown, colour=False, width=200)
    assert "NOT corrected" in Page(html.render(unknown)).said()


def test_three_hundred_devices() -> None:
    results = [sample(f"bad{n:03}", "compromised") for n in range(20)]
    quiet = [
        replace(sample(f"ok{n:03}", "nothing-found"), findings=[finding(f"ok{n:03}", "low", n)])
        for n in range(280)
    ]
    result = merged(results + quiet)
    text = terminal.render(result, colour=False, width=100)
    assert text.startswith("300 devices: 20 compromised, 280 nothing found")
    assert all(f"  {d.name}  " in text for d in result.devices)
    assert "Something listens on tcp port 4279" not in text
    result = replace(
        result,
        findings=[*result.findings, *(finding("bad000", "high", n) for n in range(100, 200))],
    )
    text = terminal.render(result, colour=False, width=100)
    assert "Left out here: 100 findings of 20 devices" in re.sub(r"\s+", " ", text)
    made = html.render(result)
    page = Page(made)
    assert page.said().count("core checks assessed") >= 300
    assert "20 of 300 devices" in page.said()
    assert [v for v in page.values("section", "id") if v] == [f"d{n}" for n in range(20)]
    assert len(made.encode()) < 5_000_000


def test_a_page_has_a_size_and_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "BUDGET", 60_000)
    page = Page(html.render(merged([sample(f"r{n:02}") for n in range(40)])))
    shown = len(page.values("section", "id"))
    assert 1 <= shown < 40
    assert f"{shown} of 40 devices" in page.said()


def test_next_steps_fit_the_findings_and_their_order() -> None:
    (device,) = view.devices(sample())
    titles = [title for title, _, _ in device.steps]
    wanted = [
        "Do not restart",
        "Isolate it",
        "Keep what lives",
        "Seal",
        "Then remove",
        "Change credentials",
    ]
    places = [next(n for n, t in enumerate(titles) if t.startswith(w)) for w in wanted]
    assert places == sorted(places)
    commands = [c for _, _, group in device.steps for c in group]
    assert any("/proc/700/exe" in c for c in commands)
    assert not any("701" in c for c in commands)  # a medium finding is no reason to touch a process
    (quiet,) = view.devices(replace(sample(verdict="nothing-found"), findings=[]))
    assert [t for t, _, _ in quiet.steps] == ["Keep the case folder"]
    (blind,) = view.devices(replace(sample(verdict="inconclusive"), findings=[]))
    assert blind.steps[0][0] == "Collect what is missing"


def test_only_numbers_enter_commands() -> None:
    evil = finding(
        subjects=({"type": "process", "pid": "1; reboot"}, {"type": "process", "pid": True})
    )
    (device,) = view.devices(replace(sample(), findings=[evil]))
    assert [c for _, _, group in device.steps for c in group] == []
