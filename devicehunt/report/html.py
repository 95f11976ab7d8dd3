"""A result as one self-contained page that a court can read: no script, no network, no surprise.

The style sheet is the only thing the content security policy allows, by its hash. Texts are escaped
by the template engine; those from a device are masked, made safe and cut before (words.line).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt.report import Exhibit, Result
from devicehunt.report.device_page import DevicePage
from devicehunt.report.view import (
    ORDER,
    USABLE,
    DeviceView,
    NotSeen,
    check_name,
    devices,
    not_seen,
    output_place,
    reason,
    verdict_key,
)
from devicehunt.report.words import count, line, phrases

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

BUDGET = 12_000_000
"""Characters of device sections; the other parts of a page are capped to a few million more."""
EXHIBITS = 4000
"""Rows of the exhibit table; what is cited or not complete comes first."""
GROUPS = 200
"""Reasons, outputs and gaps of each sort under "Not seen"."""
PLACES = 60
"""Places named of one reason."""


def render(result: Result) -> str:
    """The page; it loads nothing, runs no script and needs no network."""
    return _Page(result).render()


def style_sheet() -> tuple[str, str]:
    """The style sheet and the content security policy that allows it and nothing else."""
    css = _text("page.css")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return css, policy


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The template engine: everything is escaped, and an unknown name is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["ticks"] = _ticks
    return made


def _ticks(text: str) -> Markup:
    """Escaped text with what stands in `backticks` set as code."""
    from markupsafe import Markup, escape

    parts = str(escape(text)).split("`")
    return Markup(  # noqa: S704 - escaped above
        "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
    )


class _Page:
    def __init__(self, result: Result) -> None:
        self.result = result
        self.words = phrases()
        self.say = self.words["page"]
        self.views = devices(result)
        self.many = len(self.views) > 1

    def render(self) -> str:
        from markupsafe import Markup

        css, policy = style_sheet()
        sections, told = self.sections()
        shown, rest = self.exhibits()
        page = environment().get_template("page.html.j2")
        return page.render(
            p=self.words,
            language=self.words["language"],
            policy=policy,
            # our own file: quotes in it must not be escaped, or the hash would not fit
            css=Markup(css),  # noqa: S704
            title=f"{self.say['title']}: {self.heading()}",
            heading=self.heading(),
            case_facts=list(self.case_facts()),
            has_case=bool(self.result.case),
            contents=list(self.contents()),
            rows=[self.row(view, told) for view in self.views],
            tally=self.tally(),
            details_note=self.details_note(len(told)),
            sections=[Markup(s) for s in sections],  # noqa: S704 - rendered by our own template
            not_seen=Markup(self.not_seen()),  # noqa: S704 - the same
            exhibits=shown,
            exhibits_rest=self.say["exhibits_some"].format(n=count(rest, "output")) if rest else "",
            journal_head=line(self.result.journal_head, 80),
            versions=[(line(k, 40), line(v, 80)) for k, v in sorted(self.result.versions.items())],
        )

    def heading(self) -> str:
        number = self.result.case.get("case_number")
        if len(self.views) == 1:
            return line(self.views[0].name, 80)
        return f"{self.say['case']} {line(str(number), 80)}" if number else count(len(self.views), "device")

    def case_facts(self) -> Iterator[tuple[str, str]]:
        labels = self.say["facts"]
        for key, value in self.result.case.items():
            if value not in (None, ""):
                yield labels.get(key, str(key)), line(str(value), 600)
        site = line(self.result.site_name, 200)
        if self.result.site_sha256:
            site = f"{site} (SHA-256 {line(self.result.site_sha256, 64)})"
        yield self.say["site"], site or self.say["no_site"]
        for told in self.result.lists:
            yield self.say["indicators"], line(told, 900)

    def contents(self) -> Iterator[tuple[str, str]]:
        if self.many:
            yield "overview", self.say["overview"]
        elif self.views:
            yield "d0-findings", self.say["findings"]
            yield "d0-steps", self.say["steps"]
            yield "d0-timeline", self.say["timeline"]
            yield "d0-credentials", self.say["credentials"]
            yield "d0-explained", self.say["explained"]
        yield "not-seen", self.say["not_seen"]
        yield "exhibits", self.say["exhibits"]
        yield "verify", self.say["verify"]

    # == devices ==

    def sections(self) -> tuple[list[str], set[str]]:
        """Device sections, worst first, as far as the page's size allows; and whose they are."""
        template = environment().get_template("device.html.j2")
        told: list[str] = []
        names: set[str] = set()
        size = 0
        clean_too = len(self.views) <= GROUPS
        build = DevicePage(self.result)
        for number, view in enumerate(self.views):
            if view.verdict.verdict == "nothing-found" and not clean_too:
                continue
            text = template.render(p=self.words, d=build.facts(view, f"d{number}", many=self.many))
            size += len(text.encode())
            if size > BUDGET and told:
                break
            told.append(text)
            names.add(view.name)
        return told, names

    def row(self, view: DeviceView, told: set[str]) -> dict[str, Any]:
        verdict = verdict_key(view.verdict)
        worst = view.findings[0].title if view.findings else ""
        return {
            "verdict": verdict,
            "word": self.words["verdicts"][verdict]["word"],
            "name": line(view.name, 80),
            "target": f"d{self.views.index(view)}" if view.name in told else "",
            "counts": view.counted(),
            "checks": view.assessed(),
            "worst": line(worst, 160),
        }

    def tally(self) -> str:
        numbers = [(sum(1 for v in self.views if verdict_key(v.verdict) == o), o) for o in ORDER]
        words = self.words["verdicts"]
        told = ", ".join(f"{n:,} {words[verdict]['word']}" for n, verdict in numbers if n)
        return f"{count(len(self.views), 'device')}: {told}." if told else ""

    def details_note(self, told: int) -> str:
        total = len(self.views)
        if told == total:
            return ""
        return str(self.say["details_some"]).format(n=f"{told:,}", total=count(total, "device"))

    # == not seen ==

    def not_seen(self) -> str:
        seen = (
            self.views[0].not_seen
            if len(self.views) == 1
            else not_seen(self.result.coverage, self.result.gaps, self.result.exhibits, [v.name for v in self.views])
        )
        return environment().get_template("seen.html.j2").render(
            p=self.words,
            any=bool(self.views),
            seen=seen,
            unasked=self.unasked(seen),
            missed_note=self.missed_note(seen),
            missed=[
                {
                    "reason": line(group.reason, 400),
                    "core": bool(group.core),
                    "checks": ", ".join(check_name(self.result, c) for c in group.checks),
                    "devices": self.device_names(group.devices),
                }
                for group in seen.missed[:GROUPS]
            ],
            bad=[
                {**self.exhibit(group[0]), "places": self.outputs(group)}
                for group in seen.bad[:GROUPS]
            ],
            bad_count=seen.bad_outputs,
            unread=[
                {
                    "reason": line(why, 300),
                    "lines": count(lines, "line") if lines else "",
                    "places": self.places([(g.exhibit, g.line, g.last_line) for g in gaps]),
                }
                for why, lines, gaps in seen.unread[:GROUPS]
            ],
            unread_note=count(seen.unread_lines, "line"),
            unproven=self.outputs(seen.unproven),
            unproven_count=len(seen.unproven),
            rest=list(self.rest(seen)),
        )  # fmt: skip

    def missed_note(self, seen: NotSeen) -> str:
        told = count(seen.checks, "check")
        of_core = self.words["terminal"]["of_which_core"].format(n=seen.core)
        return f"{told}, {of_core}" if seen.core else told

    def unasked(self, seen: NotSeen) -> str:
        if not seen.unasked:
            return ""
        names = ", ".join(line(n, 60) for n in seen.unasked[:GROUPS]) + (" …" if len(seen.unasked) > GROUPS else "")
        return str(self.say["unasked"]).format(n=count(len(seen.unasked), "device"), names=names)

    def device_names(self, names: Sequence[str]) -> str:
        if not self.many:
            return ""
        if len(names) <= 3:
            return ", ".join(line(n, 60) for n in names)
        return count(len(names), "device")

    def places(self, cited: Sequence[tuple[str, int, int]]) -> str:
        return _first([_place(*c) for c in cited])

    def outputs(self, group: Sequence[Exhibit]) -> str:
        return _first([output_place(e) for e in group])

    def rest(self, seen: NotSeen) -> Iterator[str]:
        for items in (seen.missed, seen.bad, seen.unread):
            if len(items) > GROUPS:
                yield self.say["capped_groups"].format(n=f"{len(items) - GROUPS:,}")

    # == exhibits ==

    def exhibits(self) -> tuple[list[dict[str, Any]], int]:
        kept = list(self.result.exhibits)
        if len(kept) > EXHIBITS:
            cited = {e.exhibit for f in self.result.findings for e in f.evidence}
            urgent = [e for e in kept if e.id in cited or e.status not in USABLE or e.unread]
            kept = urgent[:EXHIBITS]
        return [self.exhibit(e) for e in kept], len(self.result.exhibits) - len(kept)

    def exhibit(self, exhibit: Exhibit) -> dict[str, Any]:
        proof = exhibit.end_proof
        return {
            "id": line(exhibit.id, 200),
            "command": line(exhibit.command or "", 160),
            "status": line(exhibit.status, 40),
            "bad": exhibit.status not in USABLE,
            "reason": line(reason(exhibit), 200) if exhibit.status not in USABLE else "",
            "end": self.say["end_unproven"] if proof in ("", "none") else line(proof, 40),
            "lines": "" if exhibit.lines is None else f"{exhibit.lines:,}",
            "unread": f"{exhibit.unread:,}" if exhibit.unread else "",
            "size": "" if exhibit.size is None else f"{exhibit.size:,}",
            "sha256": line(exhibit.sha256, 64),
        }


def _first(places: Sequence[str]) -> str:
    rest = f", … +{len(places) - PLACES:,}" if len(places) > PLACES else ""
    return ", ".join(places[:PLACES]) + rest


def _place(exhibit: str, first: int, last: int) -> str:
    name = line(exhibit, 160)
    if not first:
        return name
    return f"{name}:{first}" if last <= first else f"{name}:{first}-{last}"
