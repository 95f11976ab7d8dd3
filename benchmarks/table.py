"""Results of lab.py as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


def markdown(results: dict[str, dict[str, list[Any]]]) -> str:
    """The table, then what was missed and what was alarmed wrongly."""
    heads = ["runs", "by", "site file", "implants named", "false among high", "false among medium and above",
             "benign with a high", "dual-use above medium", "core checks assessed"]  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, tools in results.items():
        for tool, rows in tools.items():
            for site in ("right", "none", "wrong"):
                mine = [r for r in rows if r.site == site]
                if mine:
                    lines.append(_row(name, tool, site if tool == "devicehunt" else "-", mine))
    for name, tools in results.items():
        lines += _losses(name, tools)
    return "\n".join(lines)


def _row(name: str, tool: str, site: str, rows: list[Any]) -> str:
    evil = [r for r in rows if r.kind == "malicious" and r.counts]
    good = [r for r in rows if r.kind in ("benign", "before")]
    dual = [r for r in rows if r.kind == "dual-use"]
    assessed = [r.assessed for r in rows if r.assessed is not None]
    cells = [
        name, tool, site, _share([r.named for r in evil]),
        _share([not f["true"] for r in rows for f in r.high]),
        _share([not f["true"] for r in rows for f in r.high + r.medium]),
        _share([bool(r.high) for r in good]), _share([bool(r.high) for r in dual]),
        f"{100 * min(assessed):.0f} %" if assessed else "-",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _share(values: list[bool]) -> str:
    return f"{sum(values)} of {len(values)}" if values else "-"


def _losses(name: str, tools: dict[str, list[Any]]) -> list[str]:
    rows = tools["devicehunt"]
    lines: list[str] = []
    missed = [r for r in rows if r.kind == "malicious" and not r.named]
    _listed(lines, "Missed", (f"{r.run} ({r.site})" for r in missed if r.counts))
    _listed(lines, "Missed, and outside the count", (f"{r.run} ({r.site})" for r in missed if not r.counts))
    for site in ("right", "none", "wrong"):
        false = Counter(f["rule"] for r in rows if r.site == site for f in r.high if not f["true"])
        _listed(lines, f"False at high, site file {site}", (f"{rule} {n}" for rule, n in false.most_common()))
    _listed(lines, "Honest additions alarmed at high without a site file", _counted(r for r in rows if r.site == "none"))
    _listed(lines, "Honest additions alarmed at high with the right one", _counted(r for r in rows if r.site == "right"))
    return ["", f"**{name}**", "", *lines] if lines else []


def _counted(rows: Iterable[Any]) -> list[str]:
    return [f"{name} {n}" for name, n in sorted(Counter(h for r in rows for h in r.honest).items())]


def _listed(lines: list[str], title: str, items: Iterable[str]) -> None:
    found = sorted(items) if not isinstance(items, list) else items
    if found:
        lines.append(f"- {title}: " + ", ".join(found))


