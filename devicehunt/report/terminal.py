"""A result for a person at a terminal: verdict first, then findings, then what was not seen.

Everything that comes from a device passes through `words.line`: masked, without control, invisible
or direction-changing characters, and cut. Styles are written here as ANSI codes, so that no markup
language has to be escaped.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence

from devicehunt.model import Evidence, Finding
from devicehunt.report import Exhibit, Result
from devicehunt.report.timeline import clock_words, started, true_time
from devicehunt.report.view import (
    ORDER,
    DeviceView,
    NotSeen,
    check_name,
    devices,
    not_seen,
    output_place,
    reason,
    serious,
    verdict_key,
)
from devicehunt.report.words import author, count, duration, line, moment, phrases, subject

FEW = 12
"""Up to this many devices are told in full; more become a table."""
FINDINGS = 40
"""Findings printed for one device, or for a table of many."""
GROUPS = 8
"""Reasons, outputs and gaps printed of each sort."""
CITED = 3
"""Cited lines printed of one finding."""
MEASURE = 110
"""The widest line of prose, in columns; longer ones are hard to read."""
STYLES = {
    "critical": "1;31", "high": "31", "medium": "33", "low": "36", "info": "2",
    "compromised": "1;97;41", "suspicious": "1;30;43", "inconclusive": "1;35",
    "nothing-found": "32", "heading": "1", "quiet": "2",
}  # fmt: skip


def render(result: Result, *, colour: bool, width: int, everything: bool = False) -> str:
    """The text to print, with a newline at its end; ANSI styles only when `colour`."""
    page = _Page(result, colour=colour, width=max(50, width), everything=everything)
    return "\n".join(text.rstrip() for text in page.lines()) + "\n"


class _Page:
    def __init__(self, result: Result, *, colour: bool, width: int, everything: bool) -> None:
        self.result, self.colour, self.everything = result, colour, everything
        self.width = width
        self.words = phrases()
        self.say = self.words["terminal"]
        self.views = devices(result)
        self.many = len(self.views) > FEW
        self.told: dict[str, str] = {}  # response -> the finding that told it: alike ones have the same
        self.last = ""  # the response of the finding before

    def lines(self) -> Iterator[str]:
        if not self.views:
            yield from self.wrap(self.say["none"], style="heading")
            yield from self.wrap(self.say["none_next"])
        else:
            yield from self.verdicts()
            if not self.many:
                yield from self.meanings()
            yield from self.findings()
            yield from self.explained()
            yield from self.exposure()
        yield from self.not_seen()
        if self.many:
            yield from ("", self.tally())
        yield from self.paths()

    # == pieces ==

    def style(self, text: str, name: str) -> str:
        code = STYLES.get(name) if self.colour else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text

    def heading(self, text: str, note: str = "") -> Iterator[str]:
        yield ""
        yield self.style(text.upper(), "heading") + (f"  {note}" if note else "")

    def wrap(self, text: str, first: str = "", rest: str | None = None, style: str = "") -> list[str]:
        """Prose under a hanging indent; when `first` is styled, `rest` gives its width."""
        indent = " " * len(first) if rest is None else rest
        # an East Asian character takes two columns
        wide = any(unicodedata.east_asian_width(c) in "WF" for c in text)
        columns = max(20, min(self.width, MEASURE) - len(indent))
        rows = textwrap.wrap(text, columns // 2 if wide else columns, break_on_hyphens=False, drop_whitespace=True)
        return [(first if n == 0 else indent) + self.style(row, style) for n, row in enumerate(rows or [""])]

    def raw(self, text: str, indent: str) -> list[str]:
        """A line of evidence as it is, folded over at most three rows."""
        columns = max(20, self.width - len(indent))
        shown = line(text.rstrip(), 3 * columns - 40)
        if len(shown) > columns:  # the columns of a wide table are in the report
            shown = re.sub(" {3,}", "  ", shown)
        wide = any(unicodedata.east_asian_width(c) in "WF" for c in shown)
        step = columns // 2 if wide else columns
        rows = textwrap.wrap(shown, step, replace_whitespace=False, drop_whitespace=False, break_on_hyphens=False)
        return [indent + row for row in rows]

    def limit(self, items: Sequence[object], most: int) -> int:
        return len(items) if self.everything else min(len(items), most)

    # == verdicts ==

    def verdicts(self) -> Iterator[str]:
        names = [line(v.name, 40) for v in self.views]
        column = max(len(n) for n in names)
        word_column = max(len(self.words["verdicts"][verdict_key(v.verdict)]["word"]) for v in self.views)
        if self.many:
            yield from (self.tally(), "")
        for view, name in zip(self.views, names, strict=True):
            word = self.words["verdicts"][verdict_key(view.verdict)]["word"]
            styled = self.style(word, verdict_key(view.verdict)) + " " * (word_column - len(word))
            yield f"{styled}  {name.ljust(column)}  {view.counted()} · {view.assessed()}"

    def tally(self) -> str:
        numbers = [(sum(1 for v in self.views if verdict_key(v.verdict) == verdict), verdict) for verdict in ORDER]
        told = [f"{n:,} {self.style(self.words['verdicts'][v]['word'], v)}" for n, v in numbers if n]
        return f"{count(len(self.views), 'device')}: {', '.join(told)}"

    def meanings(self) -> Iterator[str]:
        told = list(dict.fromkeys(verdict_key(v.verdict) for v in self.views))
        for verdict in told:
            words = self.words["verdicts"][verdict]
            yield ""
            prefix = f"{words['word']}: " if len(told) > 1 else ""
            yield from self.wrap(f"{prefix}{self.say['means']} {words['means']}")
            yield from self.wrap(words["not"])
        yield ""
        for view in self.views:
            prefix = f"{line(view.name, 40)}: " if len(self.views) > 1 else ""
            yield from self.wrap(prefix + self.uptime(view))
        yield from self.wrap(self.words["uptime"]["erased"])
        if any(serious(f) for v in self.views for f in v.findings):
            yield from self.wrap(self.words["uptime"]["would_erase"].format(what=""))

    def uptime(self, view: DeviceView) -> str:
        device, words = view.facts, self.words["uptime"]
        if device.uptime_s is None:
            return str(words["unknown"])
        since = started(device)
        if since is None:
            return str(words["up_short"]).format(duration=duration(device.uptime_s))
        told = words["up"].format(duration=duration(device.uptime_s), since=moment(true_time(device, since)))
        return f"{told} {clock_words(device)[0]}"

    # == findings ==

    def findings(self) -> Iterator[str]:
        told = [(v, f) for v in self.views if self.tells(v) for f in v.findings]
        if not told:
            return
        yield from self.heading(self.say["findings"])
        kept = told[: self.limit(told, FINDINGS * (1 if self.many else len(self.views)))]
        device = ""
        for view, finding in kept:
            if len(self.views) > 1 and view.name != device:
                device = view.name
                yield ""
                yield self.style(line(device, 60), "heading")
            yield from self.finding(finding)
        rest = told[len(kept) :]
        if rest:
            yield ""
            yield from self.wrap(
                self.say["left_out"].format(
                    findings=count(len(rest), "finding"),
                    devices=count(len({v.name for v, _ in rest}), "device"),
                    report=self.result.report_path or "report.html",
                )
            )

    def tells(self, view: DeviceView) -> bool:
        return not self.many or self.everything or verdict_key(view.verdict) != "nothing-found"

    def finding(self, finding: Finding) -> Iterator[str]:
        level = line(self.words["levels"].get(finding.level, finding.level), 12)
        label = f"  {level.upper():<8}  "
        first = label.replace(level.upper(), self.style(level.upper(), finding.level))
        if not self.many:
            yield ""
        yield from self.wrap(line(finding.title, 400), first, " " * len(label), "heading")
        column = max(len(self.say[key]) for key in ("about", "evidence", "do", "owner")) + 2
        indent = " " * (len(label) + column)

        def start(key: str) -> str:
            return " " * len(label) + self.style(f"{self.say[key]:<{column}}", "quiet")

        if self.many and not self.everything:
            where = ", ".join(self.citation(e) for e in finding.evidence[:1])
            yield from self.wrap(where, " " * len(label))
            return
        if finding.subjects:
            about = ", ".join(subject(dict(s)) for s in finding.subjects[:4])
            yield from self.wrap(about, start("about"), indent)
        yield from self.evidence(finding.evidence, start("evidence"), indent)
        if finding.explained_by:
            yield from self.wrap(author(finding), start("owner"), indent)
        if finding.response:
            yield from self.wrap(line(self.response(finding), 400), start("do"), indent)
        yield from self.wrap(line(finding.rule, 120), start("rule"), indent)

    def response(self, finding: Finding) -> str:
        """What to do; said once, then by the finding that said it."""
        before, self.last = self.last, finding.response
        if finding.response == before:
            return str(self.say["as_above"])
        title = self.told.get(finding.response)
        if title is not None:
            return str(self.say["as_for"]).format(title=line(title, 150))
        self.told[finding.response] = finding.title
        return finding.response

    def citation(self, evidence: Evidence) -> str:
        return f"{line(evidence.exhibit, 120)}:{evidence.line}"

    def evidence(self, cited: Sequence[Evidence], first: str, indent: str) -> Iterator[str]:
        kept = cited[: self.limit(cited, CITED)]
        for position, evidence in enumerate(kept):
            yield (indent if position else first) + self.style(self.citation(evidence), "quiet")
            yield from self.raw(self.cited_text(evidence), indent)
        if len(cited) > len(kept):
            yield indent + self.say["more_evidence"].format(n=count(len(cited) - len(kept), "line"))

    def cited_text(self, evidence: Evidence) -> str:
        if evidence.text:
            return evidence.text
        lines = self.result.context(evidence.exhibit, evidence.line, 0)
        return lines[0][1] if lines else ""

    def explained(self) -> Iterator[str]:
        told = [(v, f) for v in self.views if self.tells(v) for f in v.explained]
        if not told:
            return
        yield from self.heading(self.say["explained"])
        kept = told[: self.limit(told, CITED if self.many else FINDINGS)]
        for view, finding in kept:
            level = self.words["levels"].get(finding.level, finding.level)
            before = finding.level_unexplained
            was = ""
            if before and before != finding.level:
                old = self.words["levels"].get(before, before)
                was = f", {self.say['explained_from'].format(level=old)}"
            device = f"{line(view.name, 40)}: " if len(self.views) > 1 else ""
            yield from self.wrap(
                f"{device}{line(finding.title, 200)} ({level}{was}; {author(finding)})",
                "  - ",
            )
        yield from self.more(len(told) - len(kept))

    def exposure(self) -> Iterator[str]:
        """How the device could have been entered: apart from what says that it was."""
        views = [v for v in self.views if self.tells(v) and (v.exposed or v.unlisted)]
        if not views:
            return
        yield from self.heading(self.say["exposure"], self.say["exposure_note"])
        found = [(v, f) for v in views for f in v.exposed]
        told = [(v, f) for v, f in found if f.level != "info" or self.everything]
        kept = told[: self.limit(told, CITED if self.many else FINDINGS)]
        for view, finding in kept:
            level = self.words["levels"].get(finding.level, finding.level)
            device = f"{line(view.name, 40)}: " if len(self.views) > 1 else ""
            where = ", ".join(self.citation(e) for e in finding.evidence[:CITED])
            yield from self.wrap(f"{device}{line(finding.title, 300)} ({level}; {where})", "  - ")
        yield from self.more(len(told) - len(kept))
        quiet = sorted({", ".join(f.key) for v, f in found if (v, f) not in told})
        if quiet:
            names = line(", ".join(quiet), 200)
            yield from self.wrap(self.say["exposure_info"].format(n=len(found) - len(told), names=names), "  - ")
        for text in dict.fromkeys(n for v in views for n in v.unlisted):
            yield from self.wrap(line(text, 240), "  - ")

    # == not seen ==

    def not_seen(self) -> Iterator[str]:
        views = self.views
        seen = views[0].not_seen if len(views) == 1 else self.total()
        core = sum(v.verdict.core - v.verdict.assessed for v in views)
        note = self.say["not_assessed"].format(n=count(core, "core")) if core else ""
        yield from self.heading(self.say["not_seen"], note)
        for told in self.result.lists:
            yield from self.wrap(f"{self.words['page']['indicators']}: {line(told, 900)}", "  ")
        if not seen:
            yield from self.wrap(self.say["all_seen"] if views else self.say["none"], "  ")
            return
        if seen.unasked:
            names = [line(name, 40) for name in seen.unasked[: self.limit(seen.unasked, GROUPS)]]
            yield from self.wrap(self.say["unasked"].format(n=count(len(seen.unasked), "device"), names=", ".join(names)), "  ")
            yield from self.more(len(seen.unasked) - len(names))
        yield from self.missed(seen)
        if seen.bad:
            yield "  " + self.say["bad_outputs"].format(n=count(seen.bad_outputs, "output"))
            kept = seen.bad[: self.limit(seen.bad, GROUPS)]
            for group in kept:
                yield from self.wrap(self.outputs(group), "    - ")
            yield from self.more(len(seen.bad) - len(kept))
        yield from self.unread(seen)
        if seen.unproven:
            told = self.say["unproven"].format(n=count(len(seen.unproven), "output"))
            yield from self.wrap(told, "  ")
            if self.everything:
                yield from self.wrap(", ".join(output_place(e) for e in seen.unproven), "    ")

    def total(self) -> NotSeen:
        return not_seen(self.result.coverage, self.result.gaps, self.result.exhibits, [v.name for v in self.views])

    def missed(self, seen: NotSeen) -> Iterator[str]:
        if not seen.missed:
            return
        told = self.say["not_assessed"].format(n=count(seen.checks, "check"))
        core = f" ({self.say['of_which_core'].format(n=f'{seen.core:,}')})" if seen.core else ""
        yield f"  {told}{core}"
        kept = seen.missed[: self.limit(seen.missed, GROUPS)]
        for group in kept:
            names = ", ".join(check_name(self.result, rule) for rule in group.checks)
            on = ""
            if len(self.views) > 1:
                on = " " + self.say["for_devices"].format(
                    n=line(group.devices[0], 40) if len(group.devices) == 1 else count(len(group.devices), "device")
                )
            yield from self.wrap(f"{line(group.reason, 240)}{on}: {names}", "    - ")
        yield from self.more(len(seen.missed) - len(kept))

    def outputs(self, group: Sequence[Exhibit]) -> str:
        first = group[0]
        told = ": ".join(line(t, 160) for t in (first.status, reason(first)) if t)
        return f"{count(len(group), 'output')}: {told}: {self.names([output_place(e) for e in group])}"

    def names(self, places: Sequence[str]) -> str:
        most = self.limit(places, CITED)
        rest = f", … {len(places) - most:,}" if len(places) > most else ""
        return ", ".join(line(place, 260) for place in places[:most]) + rest

    def unread(self, seen: NotSeen) -> Iterator[str]:
        if not seen.unread:
            return
        yield "  " + self.say["unread"].format(n=count(seen.unread_lines, "line"))
        kept = seen.unread[: self.limit(seen.unread, GROUPS)]
        for why, lines, gaps in kept:
            places = [f"{g.exhibit}:{g.line}" if g.line else g.exhibit for g in gaps]
            number = f"{count(lines, 'line')}: " if lines else ""
            yield from self.wrap(f"{number}{line(why, 200)}: {self.names(places)}", "    - ")
        yield from self.more(len(seen.unread) - len(kept))

    def more(self, number: int) -> Iterator[str]:
        if number > 0:
            yield "    " + self.say["more"].format(n=f"{number:,}")

    def paths(self) -> Iterator[str]:
        yield ""
        if any(verdict_key(v.verdict) == "nothing-found" for v in self.views):
            yield from self.wrap(self.say["no_clean"])
        for key, path in (("report", self.result.report_path), ("case", self.result.case_path)):
            if path:
                yield f"{self.say[key]}: {line(path, 1000)}"
