"""A comparison as text for a terminal, and as JSON for programs. Everything in it is masked and escaped already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from devicehunt.compare.model import KINDS, Change, Comparison
from devicehunt.text import shown

SIGNS = {"persists": "=", "added": "+", "changed": "~", "removed": "-", "cannot-say": "?"}
FEW = 12
"""Up to so many pairs of devices are named at the top."""
DOUBTFUL = 5
"""Things that cannot be said are printed so many of a kind and reason; the JSON has all."""
WIDE = 120


def as_text(found: Comparison) -> str:
    """One line a change, the lines behind it, then what could not be said."""
    many = len(found.pairs) > 1
    out = [f"{shown(a)} -> {shown(b)}" for a, b in found.pairs] if len(found.pairs) <= FEW else [f"{len(found.pairs)} pairs of devices"]
    counts = {k: sum(c.kind == k for c in found.changes) for k in KINDS}
    told = ", ".join(f"{n} {k.replace('cannot-say', 'cannot be said')}" for k, n in counts.items() if n)
    out += [told or ("no difference in what both sides show" if found.unseen else "no difference"), ""]
    for change in found.changes:
        if change.kind != "cannot-say":
            out += _told(change, many=many)
    out += _section("ONLY ON ONE SIDE", [f"  - {shown(line, 200)}" for line in found.alone])
    out += _section("CANNOT SAY", [*(f"  - {shown(line, 300)}" for line in found.unseen), *_doubtful(found, many=many)])
    out += _section("NOTE", [f"  - {shown(line, 300)}" for line in found.notes])
    return "\n".join(out).rstrip("\n") + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _doubtful(found: Comparison, *, many: bool) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[Change]] = {}
    for change in found.changes:
        if change.kind == "cannot-say":
            groups.setdefault((change.device, change.what, change.reason), []).append(change)
    for changes in groups.values():
        for change in changes[:DOUBTFUL]:
            yield from _told(change, many=many)
        if len(changes) > DOUBTFUL:
            yield f"? {changes[0].what}: {len(changes) - DOUBTFUL} more ({shown(changes[0].reason, 200)})"


def _told(change: Change, *, many: bool) -> Iterator[str]:
    where = f"{change.device}: " if many else ""
    reason = f" ({shown(change.reason, 200)})" if change.reason else ""
    yield f"{SIGNS[change.kind]} {where}{change.what} {shown(change.name, 200)}".rstrip() + reason
    if change.kind == "changed":
        for value in dict.fromkeys([*change.before, *change.after]):
            yield f"    {value}: {_apart(change.before.get(value, ''), change.after.get(value, ''))}"
    for evidence in (change.evidence_before, change.evidence_after):
        if evidence:
            yield f"    {shown(evidence.exhibit)}:{evidence.line}  {evidence.text}"


def _apart(old: str, new: str) -> str:
    """Two texts, each from a little before where they begin to differ."""
    if max(len(old), len(new)) > WIDE:
        same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        start = max(0, same - 30)
        if start:
            old, new = f"…{old[start:]}", f"…{new[start:]}"
    return f"{shown(old, WIDE)} -> {shown(new, WIDE)}"


def as_json(found: Comparison) -> str:
    """The same as canonical JSON."""
    changes: list[dict[str, Any]] = []
    for change in found.changes:
        facts = asdict(change)
        del facts["rank"]
        changes.append(facts)
    whole = {"pairs": found.pairs, "changes": changes, "alone": found.alone, "unseen": found.unseen, "notes": found.notes}
    return json.dumps(whole, indent=1, sort_keys=True) + "\n"
