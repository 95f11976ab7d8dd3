"""A Result, sorted and grouped the way people read it; both renderers lay this out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from devicehunt.model import LEVELS, Coverage, Evidence, Finding, Gap, Verdict
from devicehunt.report import Device, Exhibit, Result
from devicehunt.report.words import count, cut, line, phrases

ORDER = ("compromised", "suspicious", "inconclusive", "nothing-found")
"""Verdicts, the most urgent first."""
USABLE = ("complete", "empty", "absent")
"""Exhibit statuses that can carry a fact."""

COVERAGE_NOTES = ("end not proven", "not read, ")
"""How the notes of the coverage itself begin; other notes are a rule's own."""

T = TypeVar("T")
K = TypeVar("K")


def rank(level: str) -> int:
    """0 for the worst level; an unknown level comes last and is still shown."""
    return len(LEVELS) - 1 - LEVELS.index(level) if level in LEVELS else len(LEVELS)


MEDIUM = rank("medium")


def verdict_key(verdict: Verdict) -> str:
    """The verdict's word in the phrases; one that this version does not know is inconclusive."""
    return verdict.verdict if verdict.verdict in ORDER else "inconclusive"


def serious(finding: Finding) -> bool:
    """Whether the finding is at high or above."""
    return rank(finding.level) <= rank("high")


def explained(finding: Finding) -> bool:
    """Whether a finding is set apart: explained, and (unless by the owner) below high."""
    return finding.explained_by == "owner" or (bool(finding.explained_by) and not serious(finding))


@dataclass(frozen=True, slots=True)
class Missed:
    """Checks of one or more devices that were not assessed for one reason."""

    reason: str
    checks: tuple[str, ...]
    core: int
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotSeen:
    """All that was not seen. `gaps`: reason -> (lines, places)."""

    missed: tuple[Missed, ...] = ()
    checks: int = 0
    core: int = 0
    bad: tuple[tuple[Exhibit, ...], ...] = ()  # alike in status and reason
    bad_outputs: int = 0
    unread: tuple[tuple[str, int, tuple[Gap, ...]], ...] = ()
    unread_lines: int = 0
    unproven: tuple[Exhibit, ...] = ()
    unasked: tuple[str, ...] = ()
    """Devices that no check was made for: none applies to their platform, or there is none."""

    def __bool__(self) -> bool:
        return bool(self.missed or self.bad or self.unread or self.unproven or self.unasked)


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device: verdict, snapshots, findings sorted by level, and what was not seen."""

    name: str
    verdict: Verdict
    snapshots: tuple[Device, ...]
    findings: tuple[Finding, ...]
    explained: tuple[Finding, ...]
    exposed: tuple[Finding, ...]
    unlisted: tuple[str, ...]  # what the lists of exposure do not name
    coverage: tuple[Coverage, ...]
    not_seen: NotSeen

    @property
    def facts(self) -> Device:
        """The latest snapshot's facts."""
        return self.snapshots[-1] if self.snapshots else Device(self.name)

    @property
    def levels(self) -> list[tuple[str, int]]:
        """Unexplained findings counted by level, the worst first, only those there are."""
        return [(level, n) for level in reversed(LEVELS) if (n := self._count(level))]

    def _count(self, level: str) -> int:
        return sum(1 for finding in self.findings if finding.level == level)

    def counted(self) -> str:
        """`2 critical, 3 high`: unexplained findings from medium up, or that none is high."""
        words = phrases()
        told = [f"{n} {words['levels'][name]}" for name, n in self.levels if rank(name) <= MEDIUM]
        return ", ".join(told) if told else str(words["terminal"]["no_high"])

    def assessed(self) -> str:
        """`24 of 26 core checks assessed`; a verdict is never printed without it."""
        words = phrases()["terminal"]
        if not self.verdict.core:
            return str(words["no_checks"])
        total = count(self.verdict.core, "core")
        return str(words["assessed"]).format(assessed=self.verdict.assessed, core=total)

    @property
    def steps(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What to do next: title, text, and commands, in order."""
        return list(_steps(self))


def devices(result: Result) -> list[DeviceView]:
    """Every device that any part of the result names, by verdict and then by name."""
    by_device = _grouped(result.devices, lambda d: d.name)
    verdicts = {v.device: v for v in result.verdicts}
    findings = _grouped(result.findings, lambda f: f.device)
    coverage = _grouped(result.coverage, lambda c: c.device)
    gaps = _grouped(result.gaps, lambda g: g.device)
    exhibits = _grouped(result.exhibits, lambda e: e.device)
    names = set(by_device) | set(verdicts) | set(findings) | set(coverage) | set(exhibits)
    views = []
    for name in names:
        ordered = sorted(findings.get(name, ()), key=lambda f: (rank(f.level), f.rule, f.title, f.id))
        views.append(
            DeviceView(
                name=name,
                # a device without a verdict must never look like a clean one
                verdict=verdicts.get(name) or Verdict(name, "inconclusive", 0, 0),
                snapshots=tuple(sorted(by_device.get(name, ()), key=lambda d: d.snapshot)),
                findings=tuple(f for f in ordered if not explained(f) and not f.context),
                explained=tuple(f for f in ordered if explained(f) and not f.context),
                exposed=tuple(f for f in ordered if f.context),
                unlisted=_unlisted(result, coverage.get(name, ())),
                coverage=tuple(coverage.get(name, ())),
                not_seen=not_seen(coverage.get(name, ()), gaps.get(name, ()), exhibits.get(name, ()), [name]),
            )
        )
    return sorted(views, key=_urgency)


def _unlisted(result: Result, coverage: Iterable[Coverage]) -> tuple[str, ...]:
    """What rules of exposure say beside their findings: no entry names the version, or it is too vague for one."""
    asked = {name for name, check in result.checks.items() if check.context}
    notes = [n for c in coverage if c.rule in asked and c.result in ("hit", "no-hit") for n in c.notes]
    return tuple(dict.fromkeys(n for n in notes if not n.startswith(COVERAGE_NOTES)))


def _urgency(view: DeviceView) -> tuple[Any, ...]:
    place = ORDER.index(verdict_key(view.verdict))
    worst = [-sum(1 for f in view.findings if f.level == level) for level in reversed(LEVELS)]
    return (place, *worst, view.name)


def _grouped(rows: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    grouped: dict[K, list[T]] = defaultdict(list)
    for row in rows:
        grouped[key(row)].append(row)
    return dict(grouped)


def not_seen(coverage: Iterable[Coverage], gaps: Iterable[Gap], exhibits: Iterable[Exhibit], devices: Iterable[str] = ()) -> NotSeen:
    """Group what was not assessed, not read and not proven; the largest groups first."""
    coverage = list(coverage)
    asked = {c.device for c in coverage if c.result != "not-applicable"}
    missed = [c for c in coverage if c.result == "not-assessable"]
    kept = list(exhibits)
    whole = {e.id for e in kept if e.status == "not-read"}  # listed as outputs already
    unread = _unread(g for g in gaps if g.exhibit not in whole)
    return NotSeen(
        missed=_missed(missed),
        checks=len(missed),
        core=sum(1 for c in missed if c.core),
        bad=_bad(kept),
        bad_outputs=sum(1 for e in kept if e.status not in USABLE),
        unread=unread,
        unread_lines=sum(lines for _, lines, _ in unread),
        unproven=tuple(e for e in kept if e.status == "complete" and e.end_proof in ("", "none")),
        unasked=tuple(sorted(set(devices) - asked)),
    )


def _missed(coverage: Sequence[Coverage]) -> tuple[Missed, ...]:
    groups: dict[str, list[Coverage]] = defaultdict(list)
    for one in coverage:
        # without the device's own folder, the same reason on many devices is one group
        own = f"{one.device}/{one.snapshot}/"
        for why in one.reasons or ("",):
            groups[why.replace(own, "")].append(one)
    found = [
        Missed(
            reason=why or phrases()["page"]["unknown"],
            checks=tuple(dict.fromkeys(c.rule for c in sorted(group, key=lambda c: not c.core))),
            core=len({c.rule for c in group if c.core}),
            devices=tuple(sorted({c.device for c in group})),
        )
        for why, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda m: (-m.core, -len(m.checks), m.reason)))


def reason(exhibit: Exhibit) -> str:
    """Why an output is not usable, without its status in front."""
    return exhibit.reason.removeprefix(f"{exhibit.status}: ")


def output_place(exhibit: Exhibit) -> str:
    """Where an output lies: its file; inside a log also its line and the command, as the file holds many."""
    name = line(exhibit.id, 160)
    if exhibit.line <= 1:
        return name
    return f"{name}:{exhibit.line}" + (f" ({line(exhibit.command, 80)})" if exhibit.command else "")


def _bad(exhibits: Iterable[Exhibit]) -> tuple[tuple[Exhibit, ...], ...]:
    bad = [e for e in exhibits if e.status not in USABLE]
    groups = _grouped(bad, lambda e: (e.status, reason(e)))
    return tuple(tuple(g) for _, g in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])))


def _unread(gaps: Iterable[Gap]) -> tuple[tuple[str, int, tuple[Gap, ...]], ...]:
    groups = _grouped(gaps, lambda g: g.reason)
    found = [(why, sum(g.last_line - g.line + 1 for g in group if g.line > 0), tuple(group)) for why, group in groups.items()]
    return tuple(sorted(found, key=lambda f: (-f[1], f[0])))


def evidence_blocks(result: Result, evidence: Sequence[Evidence], around: int) -> list[tuple[str, list[tuple[int, str, bool]]]]:
    """Cited lines in context: (exhibit, lines); citations close to each other share a block.

    A gap in the numbers inside a block means that lines between are not shown. When the case cannot
    be read, the text kept in the finding stands alone.
    """
    blocks: dict[str, dict[int, tuple[str, bool]]] = {}
    for cited in evidence:
        rows = blocks.setdefault(cited.exhibit, {})
        context = result.context(cited.exhibit, cited.line, around)
        for number, text, marked in context or [(cited.line, cited.text, True)]:
            rows[number] = (text, marked or rows.get(number, ("", False))[1])
    return [(exhibit, [(n, *rows[n]) for n in sorted(rows)]) for exhibit, rows in blocks.items()]


def check_name(result: Result, rule: str) -> str:
    """A rule in words."""
    check = result.checks.get(rule)
    return line(check.name if check and check.name else rule.replace("-", " "), 120)


def _steps(view: DeviceView) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    found = [f for f in view.findings if serious(f)]
    reasons = {view.verdict.verdict}
    subjects: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    if found:
        reasons.add("high")
        reasons -= {"nothing-found", "inconclusive"}
    for finding in found:
        for subject in finding.subjects:
            kind = str(subject.get("type", ""))
            reasons.add(kind)
            subjects[kind].append(subject)
    for step in phrases()["steps"]:
        if reasons & set(step["when"]):
            commands = [
                _command(pattern, view.name, subject)
                for kind, pattern in step.get("each", {}).items()
                for subject in subjects.get(kind, ())
            ]
            text = step["text"].replace("PLATFORM", line(view.facts.platform or "PLATFORM", 40))
            yield step["title"], text, tuple(dict.fromkeys(c for c in commands if c))[:12]


def _command(pattern: str, device: str, subject: Mapping[str, Any]) -> str:
    # only a number from the device may enter a command that somebody will paste
    pid = subject.get("pid")
    return pattern.format(device=cut(device, 60), pid=pid) if type(pid) is int else ""
