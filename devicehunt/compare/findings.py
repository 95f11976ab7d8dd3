"""The findings of two snapshots: what was found before and is still there stands first."""

from __future__ import annotations

from collections.abc import Iterator

from devicehunt.compare.model import KINDS, Change, Side
from devicehunt.model import LEVELS, Coverage, Finding

Known = dict[tuple[str, tuple[str, ...]], Finding]


def hunted(side: Side) -> bool:
    """Whether rules were run over a side."""
    return any((c.device, c.snapshot) == (side.device, side.snapshot) for c in side.book.case.coverage)


def differences(a: Side, b: Side) -> Iterator[Change]:
    """Findings by what they are about. One that a side could not have made is never called new or gone."""
    before, after = _findings(a), _findings(b)
    for key in sorted(set(before) | set(after)):
        old, new = before.get(key), after.get(key)
        one = new or old
        if one is None:
            continue
        kind, reason = "persists", ""
        if old and new:
            kind = "changed" if old.level != new.level else "persists"
        elif reason := _unsure(b if old else a, key[0]):
            kind = "cannot-say"
        else:
            kind = "removed" if old else "added"
        yield Change(
            kind, f"{one.level} finding", b.device, one.title, {"rule": one.rule},
            {"level": old.level} if old else {}, {"level": new.level} if new else {},
            old.evidence[0] if old and old.evidence else None, new.evidence[0] if new and new.evidence else None,
            reason, (1, KINDS.index(kind), -LEVELS.index(one.level)),
        )  # fmt: skip


def _findings(side: Side) -> Known:
    return {(f.rule, f.key): f for f in side.book.case.findings if (f.device, f.snapshot) == (side.device, side.snapshot)}


def _unsure(side: Side, rule: str) -> str:
    """Why a side may lack a finding though the thing is there; empty when its rule was asked and answered."""
    answers: list[Coverage] = [c for c in side.book.case.coverage if (c.device, c.snapshot, c.rule) == (side.device, side.snapshot, rule)]
    if not answers:
        return "the rule was not run on the other side"
    if answers[0].result in ("hit", "no-hit"):
        return ""
    return "not assessed on the other side: " + "; ".join(answers[0].reasons)[:200]
