"""What the renderers need to know, and nothing else: one Result, many ways to show it.

`terminal.render(result, colour=, width=, show_all=)` and `html.render(result)` return text;
`jsonl` writes and reads findings.jsonl and coverage.jsonl. None of them reads tables or evidence by
itself: the caller fills a Result, `context` reads the lines around a citation. All times are UTC,
naive or aware. Texts from the device may hold anything: each renderer escapes and masks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from devicehunt.model import Coverage, Finding, Gap, Verdict

ContextLine = tuple[int, str, bool]
"""Line number, text, and whether it is the cited line."""

Context = Callable[[str, int, int], Sequence[ContextLine]]
"""context(exhibit, line, around): the cited line and up to `around` lines before and after it."""


@dataclass(frozen=True, slots=True)
class Device:
    """What is known about one snapshot of one device; None is unknown."""

    name: str
    snapshot: str = ""
    platform: str | None = None
    vendor: str | None = None
    model: str | None = None
    version: str | None = None
    hostname: str | None = None
    address: str | None = None
    uptime_s: int | None = None
    clock: datetime | None = None  # what the device's own clock said
    clock_skew_ms: int | None = None  # device clock minus true time; positive: the device is ahead
    collected_at: datetime | None = None  # true time, by the collector's clock


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One output as received. `reason` says why a status is what it is; `line` is where it begins in its file."""

    id: str
    device: str
    snapshot: str
    command: str | None
    status: str
    end_proof: str
    lines: int | None = None
    unread: int = 0
    sha256: str = ""
    size: int | None = None
    reason: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One account, key, secret or job. `facts` are label -> text, never a secret's value."""

    device: str
    snapshot: str
    exhibit: str
    line: int
    name: str
    facts: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One source row of the timeline, in the device's own clock.

    `kind`: process, file, login, job, log. Its time is `when`, or else `start_ticks` (1/100 s after
    boot), or else `printed` without a year (`Nov 22 03:40`); with none it is listed without a time.
    `text` of a file is its path. A row is marked when a finding cites its line, or names its pid or
    its path.
    """

    device: str
    snapshot: str
    kind: str
    text: str
    exhibit: str
    line: int
    when: datetime | None = None
    start_ticks: int | None = None
    pid: int | None = None
    printed: str | None = None


End = tuple[str, str, int, str, int, str]
"""A connection as findings name it: proto, orig_ip, orig_port, resp_ip, resp_port, first_at."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What findings do not say of the connections that they name: payload, and when a peer was called.

    `volumes`: (device, connection) -> bytes both ways; `calls`: (device, address, port) -> starts in order, seconds since 1970.
    """

    volumes: Mapping[tuple[str, End], int] = field(default_factory=dict)
    calls: Mapping[tuple[str, str, int], Sequence[float]] = field(default_factory=dict)
    series: Mapping[tuple[str, End], Mapping[int, int]] = field(default_factory=dict)  # second since 1970 -> bytes; first_at is empty


@dataclass(frozen=True, slots=True)
class Check:
    """What a rule is about, in words: its name, why a hit matters, and whether it tells of exposure only."""

    name: str = ""
    why: str = ""
    context: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One hunt, ready to be shown. Everything but `devices` and `verdicts` may be empty."""

    devices: Sequence[Device]
    verdicts: Sequence[Verdict]
    findings: Sequence[Finding] = ()
    coverage: Sequence[Coverage] = ()
    gaps: Sequence[Gap] = ()
    exhibits: Sequence[Exhibit] = ()
    accounts: Sequence[Item] = ()
    ssh_keys: Sequence[Item] = ()
    secrets: Sequence[Item] = ()
    jobs: Sequence[Item] = ()
    events: Sequence[Event] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)  # by rule id
    case: Mapping[str, Any] = field(default_factory=dict)  # case.yaml
    site_name: str = ""  # "" = no site file was given
    site_sha256: str = ""
    lists: Sequence[str] = ()  # each list of indicators, and what of it was not compared
    versions: Mapping[str, str] = field(default_factory=dict)  # devicehunt, parser and rule packs
    journal_head: str = ""
    case_path: str = ""
    report_path: str = ""
    traffic: Traffic = field(default_factory=Traffic)  # of the connections that findings name
    context: Context = lambda _exhibit, _line, _around: ()
