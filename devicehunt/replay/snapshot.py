"""Findings as canonical JSON, and why two of them differ: the rule changed, or the engine did."""

from __future__ import annotations

import json
from typing import Any

from devicehunt import __version__
from devicehunt.model import Finding
from devicehunt.replay.spec import Replay

Snapshot = dict[str, Any]


def taken(found: Replay, rules: dict[str, str]) -> Snapshot:
    """What is kept of a hunt. `rules`: id -> SHA-256 of the rule's file; only those that said something are kept."""
    said = {f.rule for f in found.findings} | {c.rule for c in found.coverage if c.result != "not-applicable"}
    return {
        "engine": __version__,
        "rules": {rule: rules[rule][:16] for rule in sorted(said) if rule in rules},
        "findings": [_finding(f) for f in found.findings],
        "coverage": {c.rule: c.result for c in sorted(found.coverage, key=lambda c: (c.rule, c.snapshot)) if c.result != "not-applicable"},
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule, "level": one.level, "title": one.title, "device": one.device, "snapshot": one.snapshot,
        "key": list(one.key), "subjects": list(one.subjects), "evidence": [f"{e.exhibit}:{e.line}: {e.text}" for e in one.evidence],
        "explained_by": one.explained_by,
    }  # fmt: skip


def text(snapshot: Snapshot) -> str:
    """The one spelling of a snapshot: sorted keys, no clock, a line feed at the end."""
    return json.dumps(snapshot, sort_keys=True, indent=1, ensure_ascii=True) + "\n"


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """What differs, a sentence each, with whose change it is."""
    found: list[str] = []
    kept = {_key(f): f for f in before["findings"]}
    now = {_key(f): f for f in after["findings"]}
    for key in sorted(kept.keys() | now.keys()):
        one, other = kept.get(key), now.get(key)
        if one == other:
            continue
        shape = other or one or {}
        what = "is new" if one is None else "is gone" if other is None else f"differs in {', '.join(_unlike(one, other))}"
        found.append(f"[{shape['level']}] {shape['title']} ({shape['rule']}) {what}: {_whose(shape['rule'], before, after)}")
    for rule in sorted(before["coverage"].keys() | after["coverage"].keys()):
        was, is_now = before["coverage"].get(rule, "absent"), after["coverage"].get(rule, "absent")
        if was != is_now:
            found.append(f"{rule} was {was} and is {is_now}: {_whose(rule, before, after)}")
    return found


def _key(finding: dict[str, Any]) -> str:
    return json.dumps([finding["rule"], finding["device"], finding["snapshot"], finding["key"]])


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in one if one[name] != other.get(name)]


def _whose(rule: str, before: Snapshot, after: Snapshot) -> str:
    was, now = before["rules"].get(rule), after["rules"].get(rule)
    if was is None or now is None:
        return "the rule was not asked on both sides"
    if was != now:
        return f"the rule changed ({was[:8]} to {now[:8]})"
    return f"the rule is the same, the engine changed ({before['engine']} to {after['engine']})"
