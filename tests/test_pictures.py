"""Pictures of the report: static, the same every time, escaped, and left out with a word where the library is not there."""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import replace
from typing import Any

import pytest

from devicehunt.model import Finding, Verdict
from devicehunt.report import Device, Result, Traffic, html, pictures


def told(number: int, *, caller: str = "198.51.100.7", target: str = "192.0.2.20") -> dict[str, Any]:
    start = f"2026-01-06T12:00:{number % 60:02d}.000000Z"
    return {
        "type": "relay-pair", "lag_ms": 200.0,
        "inbound": {"proto": "tcp", "orig_ip": caller, "orig_port": 40000 + number, "resp_ip": "203.0.113.1", "resp_port": 43117,
                    "first_at": start, "last_at": "2026-01-06T12:01:30.000000Z"},
        "outbound": {"proto": "tcp", "orig_ip": "203.0.113.1", "orig_port": 50000 + number, "resp_ip": target, "resp_port": 443,
                     "first_at": start.replace(".0", ".2"), "last_at": "2026-01-06T12:01:30.100000Z"},
    }  # fmt: skip


def finding(*subjects: dict[str, Any], rule: str = "relay-pairs") -> Finding:
    return Finding(id="1", rule=rule, title="it relays", level="high", device="r1", snapshot="1", key=(), subjects=subjects, evidence=())


PAIRS = finding(*(told(n, caller=f"198.51.100.{n % 3 + 1}", target=f"192.0.2.{n}") for n in range(8)))


def test_pairs_are_drawn_as_who_and_when_and_said_in_words() -> None:
    ends = [pictures.end_of(s[k]) for s in PAIRS.subjects for k in ("inbound", "outbound")]
    who, when = pictures.draw([PAIRS], Traffic({("r1", e): 1500 for e in ends}, {}))
    assert "198.51.100.1 (3 sessions, 4.5 kB)" in who.svg
    assert "192.0.2.7:443 (1 session, 1.5 kB)" in who.svg
    assert "3 hosts that came to 203.0.113.1, tcp port 43117, and 8 far ends" in who.caption
    assert "lie 0.20 to 0.20 s" in when.caption
    assert "the connection that carried it on" in when.svg


def test_without_volumes_only_sessions_are_counted() -> None:
    who, _ = pictures.draw([PAIRS], Traffic())
    assert "198.51.100.1 (3 sessions)" in who.svg


def test_many_ends_are_one_row_and_many_pairs_are_counted() -> None:
    many = finding(*(told(n, target=f"192.0.2.{n}") for n in range(60)))
    who, when = pictures.draw([many], Traffic())
    assert "47 others (47 sessions)" in who.svg
    assert "The first 40 of 60 are drawn." in when.caption


def test_calls_of_a_beacon_are_drawn_by_the_time_to_the_next() -> None:
    one = finding({"type": "peer", "address": "192.0.2.9", "port": 8443}, rule="device-calls-at-rhythm")
    (drawn,) = pictures.draw([one], Traffic({}, {("r1", "192.0.2.9", 8443): [1767700000.0 + 60 * n for n in range(30)]}))
    assert "30 calls to 192.0.2.9" in drawn.caption
    assert "In the middle 60.0 s" in drawn.caption
    assert len(re.findall("<circle", drawn.svg)) == 29


def test_a_carrier_is_drawn_over_what_it_carries() -> None:
    when = {"first_at": "2026-01-06T12:00:00.000000Z", "last_at": "2026-01-06T12:10:00.000000Z"}
    ends = {"proto": "tcp", "orig_ip": "203.0.113.1", "orig_port": 1, "resp_ip": "192.0.2.9", "resp_port": 443}
    subject = {"type": "carrier", **ends, "carried": [{**ends, "resp_ip": "192.0.2.77", **when}]}
    one = finding(subject, rule="carrier-relays")
    (lanes,) = pictures.draw([one], Traffic())
    assert "192.0.2.77:443" in lanes.svg
    assert "carries the bytes of 1 connection" in lanes.caption
    sent = {1767700000 + n: 900 * n for n in range(600)}
    series = {("r1", ("tcp", "203.0.113.1", 1, far, 443, "")): sent for far in ("192.0.2.9", "192.0.2.77")}
    both, _ = pictures.draw([one], Traffic({}, {}, series))
    assert "all that it carries, together" in both.svg
    assert "161.7 MB beside 161.7 MB" in both.caption


def test_same_bytes_every_time_and_nothing_that_acts_or_dates() -> None:
    first, again = ([p.svg for p in pictures.draw([PAIRS], Traffic())] for _ in range(2))
    assert first == again
    for svg in first:
        assert not re.search(r"<script|<!--|href|on\w+=|https?://(?!www\.w3\.org)", svg)
        assert svg.startswith("<svg")
        assert "<title>" in svg


def test_hostile_names_stay_text() -> None:
    hostile = finding(told(1, caller="<script>alert(1)</script>", target='"><image href="x">'))
    who, when = pictures.draw([hostile], Traffic())
    for svg in (who.svg, when.svg):
        assert "<script" not in svg
        assert "<image" not in svg
    assert "&lt;script&gt;" in who.svg


def test_times_that_are_none_are_left_out() -> None:
    broken = told(1)
    broken["inbound"] = {**broken["inbound"], "first_at": "yesterday"}
    assert list(pictures.draw([finding(broken)], Traffic())) == []


def result(*findings: Finding) -> Result:
    return Result(devices=[Device("r1", "1")], verdicts=[Verdict("r1", "suspicious", 1, 1)], findings=findings)


def test_the_page_shows_pictures_as_images_of_its_own() -> None:
    page = html.render(result(PAIRS))
    sources = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)"', page)
    assert len(sources) == 2
    assert base64.b64decode(sources[0][0]).startswith(b"<svg")
    assert "From left to right" in sources[0][1]
    assert "<script" not in page


def test_a_page_without_relays_has_no_section_for_pictures() -> None:
    assert "Pictures of the traffic" not in html.render(result(replace(PAIRS, subjects=())))


def test_without_the_library_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygal", None)
    page = html.render(result(PAIRS))
    assert "<img" not in page
    assert "The pictures are left out" in page
    assert "<code>pygal</code>" in page
