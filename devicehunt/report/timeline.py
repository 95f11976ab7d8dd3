"""When things happened on a device, by one clock: the collector's when the skew is known."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from devicehunt.model import Finding
from devicehunt.report import Device, Event
from devicehunt.report.words import count, duration, earlier, line, phrases, utc

TICKS_PER_S = 100
"""USER_HZ: what Linux prints in /proc on the architectures of routers, whatever its real tick."""
LIMIT = 250
"""Rows of one device on a page."""
SAME = 4
"""This many files changed in one second are one row: an image or a package was unpacked."""
# never the locale's own names
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_PRINTED = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d)(?::(\d\d))?")
_RESERVED = ("login", "process", "boot", "collected")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the timeline; `when` is UTC, corrected when the skew is known."""

    when: datetime
    kind: str
    text: str
    citation: str
    cited: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows in order, rows without a time, how many were left out, and a word on the clock."""

    rows: tuple[Row, ...]
    undated: tuple[Event, ...]
    left_out: int
    clock: str
    corrected: bool


def started(device: Device) -> datetime | None:
    """When the device started, by its own clock; None when unknown."""
    if device.uptime_s is None or device.clock is None:
        return None
    return earlier(device.clock, device.uptime_s)


def true_time(device: Device, when: datetime) -> datetime:
    """A time of the device's clock, corrected by its skew when that is known."""
    return earlier(when, (device.clock_skew_ms or 0) / 1000) or utc(when)


def clock_words(device: Device) -> tuple[str, bool]:
    """What is to be said about this device's clock, and whether times are corrected."""
    words = phrases()["clock"]
    skew = device.clock_skew_ms
    if skew is None:
        return words["uncorrected"], False
    if abs(skew) < 1000:
        return words["exact"], True
    direction = words["ahead" if skew > 0 else "behind"]
    return words["corrected"].format(skew=duration(skew / 1000), direction=direction), True


def named(findings: Iterable[Finding]) -> set[object]:
    """What findings name: (exhibit, line) of their citations, pids and paths of their subjects."""
    found: set[object] = set()
    for finding in findings:
        found |= {(e.exhibit, e.line) for e in finding.evidence}
        for subject in finding.subjects:
            keys = (subject.get(key) for key in ("pid", "exe", "path", "script"))
            found |= {key for key in keys if isinstance(key, int | str)}
    return found


def build(snapshots: Sequence[Device], events: Sequence[Event], names: set[object]) -> Timeline:
    """The timeline of one device. `names` (of `named`) marks rows; those are kept first."""
    by_snapshot = {d.snapshot: d for d in snapshots}
    fallback = snapshots[-1] if snapshots else Device("")
    rows, undated = _landmarks(snapshots), []
    seen: set[tuple[str, str, datetime]] = set()
    for event in events:
        device = by_snapshot.get(event.snapshot, fallback)
        when = _when(device, event)
        if when is None:
            undated.append(event)
            continue
        when = true_time(device, when)
        marked = bool(names & {(event.exhibit, event.line), event.pid, event.text})
        # two snapshots tell of the same file or login: once is enough, unless it is evidence
        if (event.kind, event.text, when) in seen and not marked:
            continue
        seen.add((event.kind, event.text, when))
        rows.append(Row(when, event.kind, line(event.text, 240), f"{event.exhibit}:{event.line}", marked))
    kept, left_out = _capped(_merged(sorted(rows, key=_order)))
    words, corrected = clock_words(fallback)
    if any(e.printed and e.when is None for e in events):
        words = f"{words} {phrases()['clock']['printed']}"
    return Timeline(tuple(kept), tuple(undated), left_out, words, corrected)


def _order(row: Row) -> tuple[datetime, str, str, str]:
    return (row.when, row.kind, row.text, row.citation)


def _landmarks(snapshots: Sequence[Device]) -> list[Row]:
    words = phrases()["timeline"]
    rows = []
    for device in snapshots:
        boot = started(device)
        if boot is not None:
            rows.append(Row(true_time(device, boot), "boot", words["boot"], ""))
        if device.collected_at is not None:
            rows.append(Row(utc(device.collected_at), "collected", words["collected"], ""))
    return rows


def _when(device: Device, event: Event) -> datetime | None:
    if event.when is not None:
        return utc(event.when)
    boot = started(device)
    if event.start_ticks is not None and boot is not None:
        return earlier(boot, -event.start_ticks / TICKS_PER_S)
    return _in_year(event.printed or "", device.clock or device.collected_at)


def _in_year(printed: str, clock: datetime | None) -> datetime | None:
    """A time printed without its year: the latest that is not after the device's own clock."""
    match = _PRINTED.fullmatch(printed.strip())
    if match is None or clock is None or match[1] not in _MONTHS:
        return None
    month = _MONTHS.index(match[1]) + 1
    day, hour, minute, second = (int(part or 0) for part in match.groups()[1:])
    limit = utc(clock) + timedelta(days=1)  # printed in the device's zone, which may be ahead
    for year in range(limit.year, limit.year - 9, -1):  # far enough back for a 29 February
        with contextlib.suppress(ValueError):
            when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            if when <= limit:
                return when
    return None


def _merged(rows: Sequence[Row]) -> list[Row]:
    groups: dict[datetime, list[Row]] = defaultdict(list)
    for row in rows:
        if row.kind == "file" and not row.cited:
            groups[row.when.replace(microsecond=0)].append(row)
    alike = {when: group for when, group in groups.items() if len(group) >= SAME}
    merged, told = [], set()
    for row in rows:
        second = row.when.replace(microsecond=0)
        if row.kind != "file" or row.cited or second not in alike:
            merged.append(row)
        elif second not in told:
            told.add(second)
            group = alike[second]
            names = ", ".join(r.text for r in group[:3])
            text = phrases()["timeline"]["same_time"].format(n=count(len(group), "file"), names=names)
            merged.append(Row(row.when, "file", text, row.citation))
    return merged


def _capped(rows: list[Row]) -> tuple[list[Row], int]:
    """Keep what is cited, then starts and logins, then the latest of the rest."""
    if len(rows) <= LIMIT:
        return rows, 0
    newest = sorted(rows, key=lambda r: (r.cited, r.kind in _RESERVED, r.when), reverse=True)[:LIMIT]
    kept = sorted(newest, key=_order)
    return kept, len(rows) - len(kept)
