"""One device's section of the page: what its template shows, as safe text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from devicehunt.model import Evidence, Finding
from devicehunt.report import Device, Item, Result
from devicehunt.report.mask import mask_lines
from devicehunt.report.timeline import Timeline, build, clock_words, named, started, true_time
from devicehunt.report.view import (
    DeviceView,
    check_name,
    evidence_blocks,
    rank,
    serious,
    verdict_key,
)
from devicehunt.report.words import (
    author,
    count,
    cut,
    duration,
    line,
    moment,
    phrases,
    safe,
    subject,
)

FINDINGS = 150
"""Findings told in full for one device; explained ones the same."""
CITED = 6
"""Citations of one finding that are shown in context; the others are named."""
AROUND = 3
"""Lines shown before and after a cited one."""
ITEMS = 120
"""Accounts, keys, secrets and jobs listed of each sort."""
WIDTH = 600
"""Characters of an evidence line."""
UNDATED = 20


class DevicePage:
    """Builds the facts of device sections; keeps the result's rows grouped by device."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.words = phrases()
        self.say = self.words["page"]
        self._commands = {e.id: e.command or "" for e in result.exhibits}
        self._events = _by_device(result.events)
        self._items = {name: _by_device(getattr(result, name)) for name in ("accounts", "ssh_keys", "secrets", "jobs")}

    def facts(self, view: DeviceView, target: str, *, many: bool) -> dict[str, Any]:
        """Everything device.html.j2 needs about one device."""
        verdict = verdict_key(view.verdict)
        words = self.words["verdicts"][verdict]
        cited = {(e.exhibit, e.line) for f in view.findings for e in f.evidence}
        events = self._events.get(view.name, ())
        timeline = build(view.snapshots, events, named(view.findings))
        rest = len(view.findings) - FINDINGS
        return {
            "target": target,
            "many": many,
            "name": line(view.name, 120),
            "verdict": verdict,
            "word": words["word"],
            "means": words["means"],
            "means_not": words["not"],
            "counts": view.counted(),
            "checks": view.assessed(),
            "dots": self._dots(view),
            "missing": self._missing(view),
            "missing_names": self._missing_names(view),
            "snapshots": [list(self._device(d)) for d in view.snapshots],
            "uptime": list(self._uptime(view)),
            "findings": [self._finding(f) for f in view.findings[:FINDINGS]],
            "findings_rest": self.say["findings_rest"].format(n=count(rest, "finding")) if rest > 0 else "",
            "explained": [self._finding(f) for f in view.explained[:FINDINGS]],
            "exposed": [self._finding(f) for f in view.exposed[:FINDINGS]],
            "unlisted": [line(text, 240) for text in view.unlisted],
            **self._pictures(view),
            "steps": view.steps,
            "clock": timeline.clock,
            "corrected": timeline.corrected,
            "timeline": self._days(timeline),
            "timeline_rest": self._timeline_rest(timeline),
            "jobs": self._list("jobs", view, cited),
            "credentials_intro": self.say["credentials_intro" if any(serious(f) for f in view.findings) else "credentials_quiet"],
            "credentials": [self._list(name, view, cited) for name in ("accounts", "ssh_keys", "secrets")],
        }

    # == verdict ==

    def _dots(self, view: DeviceView) -> str:
        dots: dict[str, str] = self.words["dots"]
        core: dict[str, str] = {}
        for one in view.coverage:
            if one.core and one.result in dots:
                # a check counts as assessed when it was for every snapshot; a hit is a hit
                worst = sorted({one.result, core.get(one.rule, one.result)}, key=list(dots).index)
                core[one.rule] = "hit" if "hit" in worst else worst[-1]
        return "".join(dots[result] for result in sorted(core.values(), key=list(dots).index))

    def _missing(self, view: DeviceView) -> str:
        missing = view.verdict.core - view.verdict.assessed
        if missing <= 0:
            return ""
        return str(self.say["loud_missing"]).format(n=count(missing, "core"))

    def _missing_names(self, view: DeviceView) -> str:
        rules = sorted({c.rule for c in view.coverage if c.core and c.result == "not-assessable"})
        names = ", ".join(check_name(self.result, r) for r in rules)
        return f"{names}." if names else ""

    def _device(self, device: Device) -> Iterator[tuple[str, str]]:
        for name, label in self.say["device_facts"].items():
            value = getattr(device, name)
            if value not in (None, ""):
                yield (
                    label,
                    moment(value) if name in ("collected_at", "clock") else line(str(value), 120),
                )

    def _uptime(self, view: DeviceView) -> Iterator[str]:
        device, words = view.facts, self.words["uptime"]
        since = started(device)
        if device.uptime_s is None:
            yield words["unknown"]
        elif since is None:
            yield words["up_short"].format(duration=duration(device.uptime_s))
        else:
            yield words["up"].format(duration=duration(device.uptime_s), since=moment(true_time(device, since)))
            yield clock_words(device)[0]
        yield words["erased"]
        alive = sum(1 for f in view.findings if serious(f))
        what = words["would_erase_what"].format(n=count(alive, "finding")) if alive else ""
        yield words["would_erase"].format(what=what)

    # == findings ==

    def _finding(self, finding: Finding) -> dict[str, Any]:
        check = self.result.checks.get(finding.rule)
        before = finding.level_unexplained
        levels = self.words["levels"]
        rest = finding.evidence[CITED:]
        return {
            "id": line(finding.id, 80),
            "rule": line(finding.rule, 80),
            "level": line(levels.get(finding.level, finding.level), 20),
            "level_key": finding.level if rank(finding.level) < len(levels) else "info",
            "title": line(finding.title, 600),
            "why": line(check.why, 1200) if check else "",
            "note": self.say["running_note"] if finding.explained_by == "running" else "",
            "explained": author(finding) if finding.explained_by else "",
            "before": levels.get(before, before) if before and before != finding.level else "",
            "blocks": self._blocks(finding.evidence[:CITED]),
            "rest": self.say["evidence_more"].format(n=count(len(rest), "line")) if rest else "",
            "rest_citations": ", ".join(f"{line(e.exhibit, 120)}:{e.line}" for e in rest[:50]),
            "subjects": [subject(dict(s), 300) for s in finding.subjects[:20]],
            "falsepositives": [line(t, 600) for t in finding.falsepositives],
            "response": line(finding.response, 1200),
            "attack": ", ".join(line(t, 60) for t in finding.attack),
            "references": [line(t, 400) for t in finding.references],
        }

    def _blocks(self, evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
        return [
            {
                "citations": f"{line(exhibit, 160)}:{','.join(str(n) for n, _, c in rows if c)}",
                "command": line(self._commands.get(exhibit, ""), 120),
                "lines": list(_numbered(rows)),
            }
            for exhibit, rows in evidence_blocks(self.result, evidence, AROUND)
        ]

    # == pictures ==

    def _pictures(self, view: DeviceView) -> dict[str, Any]:
        """The pictures of a device's findings, or why there are none."""
        from devicehunt.report import pictures

        if not pictures.wanted(view.findings):
            return {"pictures": [], "pictures_note": ""}
        try:
            drawn = list(pictures.draw(view.findings, self.result.traffic))
        except pictures.MissingError:
            return {"pictures": [], "pictures_note": self.say["pictures_missing"]}
        rest = self.say["pictures_rest"].format(n=len(drawn)) if len(drawn) == pictures.FIGURES else ""
        return {"pictures": drawn, "pictures_note": rest}

    # == timeline ==

    def _days(self, timeline: Timeline) -> list[tuple[str, list[dict[str, Any]]]]:
        kinds = self.words["timeline"]["kinds"]
        days: dict[str, list[dict[str, Any]]] = {}
        for row in timeline.rows:
            days.setdefault(f"{row.when:%Y-%m-%d}", []).append(
                {
                    "time": f"{row.when:%H:%M:%S}",
                    "kind": kinds.get(row.kind, line(row.kind, 40)),
                    "text": row.text,
                    "citation": line(row.citation, 200),
                    "cited": row.cited,
                    "landmark": row.kind in ("boot", "collected"),
                }
            )
        return list(days.items())

    def _timeline_rest(self, timeline: Timeline) -> str:
        words = self.words["timeline"]
        told = []
        if timeline.left_out:
            told.append(words["capped"].format(n=count(timeline.left_out, "row")))
        undated = [e for e in timeline.undated if e.kind != "job"]  # jobs have a list of their own
        if undated:
            names = ", ".join(line(e.text, 80) for e in undated[:UNDATED])
            more = f", … +{len(undated) - UNDATED:,}" if len(undated) > UNDATED else ""
            told.append(f"{words['undated']} ({count(len(undated), 'row')}): {names}{more}")
        return " ".join(told)

    # == accounts, keys, secrets, jobs ==

    def _list(self, name: str, view: DeviceView, cited: set[tuple[str, int]]) -> dict[str, Any]:
        rows = sorted(
            self._items[name].get(view.name, ()),
            key=lambda i: ((i.exhibit, i.line) not in cited, i.name, i.exhibit, i.line),
        )
        rest = len(rows) - ITEMS
        return {
            "title": self.say[name],
            "rows": [self._item(item, cited) for item in rows[:ITEMS]],
            "empty": self.say[f"no_{name}"],
            "rest": self.say["capped_items"].format(n=f"{rest:,}") if rest > 0 else "",
        }

    def _item(self, item: Item, cited: set[tuple[str, int]]) -> dict[str, Any]:
        # each value alone: behind the label "password" even the name of a hash would be masked
        facts = "; ".join(f"{label}: {line(text, 200)}" for label, text in item.facts.items() if text)
        return {
            "name": line(item.name, 240),
            "facts": facts,
            "citation": f"{line(item.exhibit, 160)}:{item.line}",
            "cited": (item.exhibit, item.line) in cited,
        }


def _by_device(rows: Iterable[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.device].append(row)
    return dict(grouped)


def _numbered(
    rows: Sequence[tuple[int, str, bool]],
) -> Iterator[tuple[int, str, bool, bool]]:
    """Lines of a block, masked together, each with whether numbers jump before it."""
    before = None
    for (number, _, cited), text in zip(rows, mask_lines([r[1] for r in rows]), strict=True):
        jump = before is not None and number != before + 1
        yield number, cut(safe(text), WIDTH), cited, jump
        before = number
