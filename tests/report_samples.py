"""Results to render: an ordinary one, a hostile one, and a strict reader of pages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

from devicehunt.model import Coverage, Evidence, Finding, Gap, Verdict
from devicehunt.report import Check, Device, Event, Exhibit, Item, Result

CLOCK = datetime(2026, 3, 1, 12, 0, 0)
HOSTILE = {
    "escape": "\x1b[2J\x1b]0;owned\x07\x9b31m",
    "script": "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "markup": "[red]x[/red] [link=http://192.0.2.1]y[/link]",
    "bidi": "\u202egnp.exe\u2066\u061c\u200f\u200b\ufeff\u00ad",
    "template": "{{ 7*7 }}{% raw %}{0}{name}%s",
    "long": "A" * 100_000,
    "lines": "a\nb\r\nc\x0bd\x85e\u2028f",
    "surrogate": "\udcff\x00",
    "attribute": '" onmouseover="x" \'',
    "wide": "広い文字" * 200,
    "stacked": "e" + "\u0301" * 300,
}


def finding(device: str = "rtr1", level: str = "high", number: int = 0, **changes: Any) -> Finding:
    found = Finding(
        id=f"{number:016x}",
        rule="listener-unexplained",
        title=f"Something listens on tcp port {4000 + number}",
        level=level,
        device=device,
        snapshot="1",
        key=("/usr/sbin/x", "tcp"),
        subjects=(
            {"type": "process", "pid": 700 + number, "name": "x", "exe": "/usr/sbin/x"},
            {"type": "socket", "proto": "tcp", "local_ip": "0.0.0.0", "local_port": 4000 + number},
        ),
        evidence=(
            Evidence(
                f"{device}/1/02-netstat.txt", 5, f"tcp 0 0 0.0.0.0:{4000 + number} LISTEN 700/x"
            ),
        ),
        attack=("T1090",),
        falsepositives=("A service of the owner.",),
        references=("https://example.org/a",),
        response="Copy the program.",
        level_unexplained=level,
        versions={"rule": "abc"},
    )
    return replace(found, **changes)


def context(exhibit: str, number: int, around: int) -> list[tuple[int, str, bool]]:
    numbers = range(max(1, number - around), number + around + 1)
    return [(n, f"line {n} of {exhibit}", n == number) for n in numbers]


def sample(device: str = "rtr1", verdict: str = "suspicious", **changes: Any) -> Result:
    found = [
        finding(device, "high", 0),
        finding(device, "medium", 1),
        finding(
            device,
            "info",
            2,
            explained_by="owner",
            explanation="kind listener, port 4002",
            level_unexplained="high",
            title="An explained listener",
        ),
    ]
    result = Result(
        devices=[
            Device(
                device, "1", platform="linux", uptime_s=3600, clock=CLOCK, clock_skew_ms=7_200_000
            )
        ],
        verdicts=[Verdict(device, verdict, 2, 3)],
        findings=found,
        coverage=[
            Coverage(device, "1", "listener-unexplained", "hit", core=True),
            Coverage(device, "1", "quiet-rule", "no-hit", core=True),
            Coverage(
                device,
                "1",
                "blind-rule",
                "not-assessable",
                core=True,
                reasons=("sockets@ss: not collected",),
            ),
            Coverage(device, "1", "other-platform", "not-applicable", core=False),
        ],
        gaps=[
            Gap(
                device,
                "1",
                f"{device}/1/03-log.txt",
                7,
                9,
                "linux/logread",
                "a line that no template knows",
            )
        ],
        exhibits=[
            Exhibit(
                f"{device}/1/02-netstat.txt",
                device,
                "1",
                "netstat -tulpn",
                "complete",
                "none",
                20,
                0,
                "ab" * 32,
                900,
            ),
            Exhibit(
                f"{device}/1/04-nft.txt",
                device,
                "1",
                "nft list ruleset",
                "denied",
                "exit-status",
                1,
                0,
                "cd" * 32,
                30,
                "Operation not permitted",
            ),
        ],
        accounts=[
            Item(device, "1", f"{device}/1/05-passwd.txt", 1, "root", {"password": "sha512crypt"})
        ],
        secrets=[
            Item(device, "1", f"{device}/1/06-uci.txt", 4, "wireless.a.key", {"kind": "wifi"})
        ],
        events=[
            Event(
                device,
                "1",
                "process",
                "x -l (pid 700)",
                f"{device}/1/01-ps.txt",
                3,
                None,
                6000,
                700,
            )
        ],
        checks={"blind-rule": Check("a check that was blind")},
        case={"operator": "A. Example", "case_number": "7"},
        journal_head="ef" * 32,
        case_path="case",
        report_path="case/report.html",
        context=context,
    )
    return replace(result, **changes)


def merged(results: list[Result]) -> Result:
    parts = ("devices", "verdicts", "findings", "coverage", "gaps", "exhibits")
    return replace(results[0], **{p: [x for r in results for x in getattr(r, p)] for p in parts})


def hostile(text: str) -> Result:
    """`text` wherever a device, a case file or a saved finding can put one."""
    name = f"d{text}"
    one = finding(
        name,
        title=text,
        key=(text,),
        response=text,
        attack=(text,),
        falsepositives=(text,),
        references=(text,),
        explanation=text,
        explained_by=text,
        rule=text,
        subjects=(
            {"type": text, text: text, "pid": text},
            {"type": "process", "pid": text, "name": text},
            {"type": "relay-pair", "inbound": {"a": text}},
        ),
        evidence=(Evidence(f"{text}/1/a.txt", 3, text),),
    )
    return Result(
        devices=[
            Device(name, text, text, text, text, text, text, text, 10**15, CLOCK, 10**18, CLOCK)
        ],
        verdicts=[Verdict(name, text, 1, 2, (text,))],
        findings=[
            one,
            replace(one, explained_by="owner"),
            replace(one, level=text, explained_by=None),
        ],
        coverage=[
            Coverage(name, text, text, "not-assessable", core=True, reasons=(text,), notes=(text,))
        ],
        gaps=[Gap(name, text, text, 1, 2, text, text)],
        exhibits=[Exhibit(text, name, text, text, text, text, 1, 1, text, 1, text)],
        accounts=[Item(name, text, text, 1, text, {"label": text})],
        ssh_keys=[Item(name, text, text, 1, text, {"label": text})],
        secrets=[Item(name, text, text, 1, text, {"label": text})],
        jobs=[Item(name, text, text, 1, text, {"label": text})],
        events=[
            Event(name, text, "process", text, text, 1, None, 10**18),
            Event(name, text, "file", text, text, 1, datetime(1, 1, 1)),
            Event(name, text, text, text, text, 1),
        ],
        checks={text: Check(text, text)},
        case={"operator": text, "other": text},
        site_name=text,
        site_sha256=text,
        versions={"rules": text},
        journal_head=text,
        case_path=text,
        report_path=text,
        context=lambda _e, n, _a: [(n - 1, text, False), (n, text, True)],
    )


class Page(HTMLParser):
    """Reads a page strictly: every tag that opens must close in order."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.styles: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.styles if self.open[-1:] == ["style"] else self.text).append(data)

    def said(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.text))

    def values(self, tag: str, name: str) -> list[str]:
        return [v for t, n, v in self.attributes if (t, n) == (tag, name)]
