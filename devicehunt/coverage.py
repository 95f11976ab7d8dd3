"""What each rule could see: its needs held against the exhibits that feed them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from devicehunt import data
from devicehunt.errors import RuleError
from devicehunt.platforms import Platform
from devicehunt.rules import Need, Rule


@dataclass(frozen=True, slots=True)
class Feed:
    """One row of the feeds table, with the status of its exhibit."""

    exhibit: str
    command: str
    table: str
    view: str
    columns: frozenset[str]
    incomplete: frozenset[str]
    usable: bool
    reason: str
    proven: bool


@dataclass(slots=True)
class Answer:
    """Whether a need is met; else why not. `unproven` lists exhibits whose end is not proven."""

    met: bool
    reasons: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)


@lru_cache(maxsize=1)
def _needs_file() -> dict[str, Any]:
    text = (data.rules_dir() / "needs.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = data.read_yaml(text)
    return loaded


class Seen:
    """The feeds of one snapshot of one device, ready to be asked."""

    def __init__(self, feeds: Iterable[Feed], platform: Platform | None = None) -> None:
        self._by_table: dict[str, list[Feed]] = defaultdict(list)
        for feed in feeds:
            self._by_table[feed.table].append(feed)
        self._platform = platform
        self._able = {(f.table, f.view, frozenset(f.columns)) for s in platform.stanzas.values() for f in s.feeds} if platform else set()

    def assess(self, rule: Rule) -> Answer:
        """All needs of a rule together; what no command of the platform could show is said as that."""
        needs = expand(rule)
        answer = self._all(needs)
        if not answer.met and self._platform:
            never = [n for n in needs if not self._possible(n)]
            if never:
                names = sorted({f"{t}@{v}" if v else t for t, v, _ in leaves(never)})
                answer.reasons = [f"{self._platform.name} has no command that shows {' or '.join(names)}"]
        return answer

    def _possible(self, need: Need) -> bool:
        """Whether some command of the platform could meet the need."""
        table, view, columns, parts = read_need(need)
        if parts is not None:
            return (any if parts[0] == "any" else all)(self._possible(m) for m in parts[1])
        return any(t == table and (not view or v == view) and columns <= c for t, v, c in self._able)

    def _all(self, needs: Iterable[Need]) -> Answer:
        total = Answer(met=True)
        for need in needs:
            answer = self._one(need)
            total.met = total.met and answer.met
            total.reasons += answer.reasons
            total.unproven += answer.unproven
        return total

    def _one(self, need: Need) -> Answer:
        table, view, columns, parts = read_need(need)
        if parts is not None:
            mode, members = parts
            if mode == "all":
                return self._all(members)
            answers = [self._one(m) for m in members]
            met = [a for a in answers if a.met]
            if met:
                # the proven one, when there is one, carries the answer
                return min(met, key=lambda a: len(a.unproven))
            return Answer(met=False, reasons=[r for a in answers for r in a.reasons])
        return self._table(table, view, columns)

    def _table(self, table: str, view: str, columns: frozenset[str]) -> Answer:
        name = f"{table}@{view}" if view else table
        fitting = [
            f for f in self._by_table.get(table, ()) if (not view or f.view == view) and columns <= f.columns
        ]
        if not fitting:
            return Answer(met=False, reasons=[f"{name}: not collected"])
        good = [f for f in fitting if f.usable and not columns & f.incomplete]
        bad = [f for f in fitting if f not in good]
        if not good or (bad and table in _needs_file()["partitioned"]):
            return Answer(met=False, reasons=[_why(name, f, columns) for f in bad])
        proven = any(f.proven for f in good)
        if table in _needs_file()["partitioned"]:
            proven = all(f.proven for f in good)
        return Answer(met=True, unproven=[] if proven else sorted({f.exhibit for f in good if not f.proven}))


def _why(name: str, feed: Feed, columns: frozenset[str]) -> str:
    holes = sorted(columns & feed.incomplete)
    reason = feed.reason if not feed.usable else f"{', '.join(holes)} not shown for every row"
    return f"{name}: {feed.exhibit} ({feed.command}): {reason}"


def read_need(need: Need) -> tuple[str, str, frozenset[str], tuple[str, list[Need]] | None]:
    """One entry of `needs:` -> (table, view, columns, None) or ("", "", {}, (any|all, members))."""
    if isinstance(need, str):
        table, _, view = need.partition("@")
        return table, view, frozenset(), None
    if len(need) != 1:
        raise RuleError(f"a need has one key: {need}")
    name, value = next(iter(need.items()))
    if name in ("any", "all"):
        return "", "", frozenset(), (name, list(value))
    table, _, view = name.partition("@")
    return table, view, frozenset(value), None


def expand(rule: Rule) -> list[Need]:
    """A rule's needs with the derived tables (listeners, reach ...) replaced by what they stand on."""
    return [_expanded(n, rule) for n in rule.needs]


def _expanded(need: Need, rule: Rule) -> Need:
    table, _view, _columns, parts = read_need(need)
    if parts is not None:
        return {parts[0]: [_expanded(m, rule) for m in parts[1]]}
    derived: Mapping[str, list[Need]] = _needs_file()["derived"]
    if table in derived:
        return {"all": [_expanded(m, rule) for m in derived[table]]}
    return need


def leaves(needs: Iterable[Need]) -> Iterable[tuple[str, str, frozenset[str]]]:
    """Every (table, view, columns) that some needs name."""
    for need in needs:
        table, view, columns, parts = read_need(need)
        if parts is not None:
            yield from leaves(parts[1])
        else:
            yield table, view, columns
