"""What each rule could see: its needs held against the exhibits that feed them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from devicehunt import data
from devicehunt.errors import RuleError
from devicehunt.platforms import Platform
from devicehunt.rules import Need, Rule

NOT_COLLECTED = "not collected"
NOT_SHOWN = "not shown for every row"
NEVER_SHOWN = "not among what it shows"
NO_ADDRESS = "no address of the device is known: collect its addresses, or give --device-ip"
NOT_GIVEN = "not asked for: no list of indicators of this kind was given (--indicators)"
NO_TRAFFIC = "no traffic was given (a capture, a flow export, a log of connections)"


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
    stanza: str = ""
    status: str = ""


@dataclass(slots=True)
class Answer:
    """Whether a need is met; else why not.

    `unproven` lists exhibits whose end is not proven, `unread` what could not be read though another
    output stood in for it.
    """

    met: bool
    reasons: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about a check that was made."""
        ends = [f"end not proven: {e}" for e in sorted(set(self.unproven))]
        return (*ends, *(f"not read, another output stands in: {r}" for r in dict.fromkeys(self.unread)))


@lru_cache(maxsize=1)
def _needs_file() -> dict[str, Any]:
    text = (data.rules_dir() / "needs.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = data.read_yaml(text)
    return loaded


def partitioned() -> frozenset[str]:
    """The tables whose outputs each show another part."""
    return frozenset(_needs_file()["partitioned"])


def traffic() -> dict[str, list[str]]:
    """The tables that traffic fills, and the views of each."""
    found: dict[str, list[str]] = _needs_file()["traffic"]
    return found


def given() -> dict[str, list[str]]:
    """The tables that only an option fills, and the views of each."""
    found: dict[str, list[str]] = _needs_file()["given"]
    return found


class Seen:
    """The feeds of one snapshot of one device, ready to be asked."""

    def __init__(self, feeds: Iterable[Feed], platform: Platform | None = None) -> None:
        self._by_table: dict[str, list[Feed]] = defaultdict(list)
        for feed in feeds:
            self._by_table[feed.table].append(feed)
        self._platform = platform
        self._able = {(f.table, f.view, frozenset(f.columns)) for s in platform.stanzas.values() for f in s.feeds} if platform else set()

    def asked(self, rule: Rule) -> bool:
        """Whether what only the user can give was given: without it the rule has no question."""
        own = [need for need in expand(rule) if all(table in given() for table, _, _ in leaves([need]))]
        return all(self._one(need).met for need in own)

    def heard(self) -> bool:
        """Whether anything of traffic was read."""
        return any(table in self._by_table for table in traffic())

    def unfed(self, rule: Rule) -> list[str]:
        """The tables that a rule would look at and nothing fed, though others were there."""
        wanted = {table for table, _, _ in leaves(expand(rule)) if table not in given()}
        return sorted(table for table in wanted if not self._by_table.get(table))

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

    def can(self, rule: Rule) -> bool:
        """Whether the commands of the platform could meet all needs of a rule."""
        return all(self._possible(need) for need in expand(rule))

    def _possible(self, need: Need) -> bool:
        """Whether some command of the platform could meet the need."""
        table, view, columns, parts = read_need(need)
        if parts is not None:
            return (any if parts[0] == "any" else all)(self._possible(m) for m in parts[1])
        if table in traffic() or table in given():  # whatever the device, somebody may have listened
            return True
        return any(t == table and (not view or v == view) and columns <= c for t, v, c in self._able)

    def _ask(self, table: str, view: str, columns: frozenset[str]) -> str:
        """The platform's first command that would show it, in backquotes with a blank behind; empty where there is none."""
        stanzas = self._platform.stanzas.values() if self._platform else ()
        for stanza in sorted(stanzas, key=lambda s: (not s.plan, s.tier)):
            if any(f.table == table and (not view or f.view == view) and columns <= f.columns.keys() for f in stanza.feeds):
                return f"`{stanza.plan_command or stanza.command}` "
        return ""

    def _all(self, needs: Iterable[Need]) -> Answer:
        total = Answer(met=True)
        for need in needs:
            answer = self._one(need)
            total.met = total.met and answer.met
            total.reasons += answer.reasons
            total.unproven += answer.unproven
            total.unread += answer.unread
        return total

    def _one(self, need: Need) -> Answer:
        table, view, columns, parts = read_need(need)
        if parts is not None:
            mode, members = parts
            if mode == "all":
                return self._all(members)
            return self._any(members)
        return self._table(table, view, columns)

    def _any(self, members: Sequence[Need]) -> Answer:
        lost = [reason for member in members for reason in self._lost_apart(member)]
        # what no command of this platform shows is no way to the answer: it is not asked for
        ways = [m for m in members if self._possible(m)] if self._platform else members
        return Answer(met=False, reasons=lost) if lost else _best([self._one(m) for m in ways or members])

    def _lost_apart(self, need: Need) -> list[str]:
        """Why a view that no alternative shows was not read, though it was asked."""
        table, view, columns, _parts = read_need(need)
        name = f"{table}@{view}"
        if not {name, *(f"{name}.{c}" for c in columns)}.intersection(_needs_file()["apart"]):
            return []
        mine = [f for f in self._by_table.get(table, ()) if f.view == view and f.status != "unsupported"]
        return [] if any(f.usable for f in mine) else [_why(name, f, columns) for f in mine]

    def _no_traffic(self, name: str) -> str:
        if name.startswith("given_addresses"):
            return NO_ADDRESS
        return f"{name}: not in the traffic that was given" if any(self._by_table.get(t) for t in traffic()) else NO_TRAFFIC

    def _table(self, table: str, view: str, columns: frozenset[str]) -> Answer:
        name = f"{table}@{view}" if view else table
        asked = [f for f in self._by_table.get(table, ()) if not view or f.view == view]
        fitting = [f for f in asked if columns <= f.columns]
        # with a view its outputs are alike; without, one may be of quite another kind and say nothing of these columns
        lacking = [f for f in asked if view and f.usable]
        if not fitting and table in traffic():
            return Answer(met=False, reasons=[self._no_traffic(name)])
        if not fitting and lacking:
            return Answer(met=False, reasons=[_lacks(name, f, columns) for f in lacking])
        if not fitting:
            return Answer(met=False, reasons=[f"{name}: {self._ask(table, view, columns)}{NOT_COLLECTED}"])
        good = [f for f in fitting if f.usable and not columns & f.incomplete]
        bad = [f for f in fitting if f not in good]
        parts = _needs_file()["whole"].get(name, ())
        if parts:
            return _whole(name, parts, good, bad, columns)
        parted = table in partitioned()
        # a program that the device does not have keeps nothing of such a table (uci on a box with nvram)
        blocking = [f for f in bad if f.status != "unsupported"]
        if not good or (blocking and parted):
            return Answer(met=False, reasons=[_why(name, f, columns) for f in (bad if not good else blocking)])
        proven = all(f.proven for f in good) if parted else any(f.proven for f in good)
        return Answer(
            met=True,
            unproven=[] if proven else sorted({f.exhibit for f in good if not f.proven}),
            unread=[_why(name, f, columns) for f in bad if not f.usable],
        )


def _best(answers: list[Answer]) -> Answer:
    """Of alternatives the one that is met and proven; what the others lost is noted."""
    met = [a for a in answers if a.met]
    if not met:
        return Answer(met=False, reasons=[r for a in answers for r in a.reasons])
    best = min(met, key=lambda a: len(a.unproven))
    lost = [r for a in answers if not a.met for r in a.reasons if not r.endswith((NOT_COLLECTED, NOT_SHOWN, NEVER_SHOWN))]
    return Answer(met=True, unproven=best.unproven, unread=[*(r for a in answers for r in a.unread), *lost])


def _whole(name: str, parts: list[list[str]], good: list[Feed], bad: list[Feed], columns: frozenset[str]) -> Answer:
    """A view that is there only when each of its parts is."""
    reasons = [_why(name, f, columns) for f in bad]
    unproven: list[str] = []
    for stanzas in parts:
        mine = [f for f in good if f.stanza.rpartition("/")[2] in stanzas]
        if not mine and not any(f.stanza.rpartition("/")[2] in stanzas for f in bad):
            reasons.append(f"{name}: {stanzas[0]}: {NOT_COLLECTED}")
        if not any(f.proven for f in mine):
            unproven += [f.exhibit for f in mine]
    return Answer(met=not reasons, reasons=reasons, unproven=sorted(set(unproven)))


def _lacks(name: str, feed: Feed, columns: frozenset[str]) -> str:
    """What an output of the right kind does not tell, whatever stands in it; and what this one left open."""
    never, holes = sorted(columns - feed.columns), sorted(columns & feed.incomplete)
    also = f"{', '.join(holes)} {NOT_SHOWN}; " if holes else ""
    return f"{name}: {feed.exhibit} ({feed.command}): {also}{', '.join(never)} {NEVER_SHOWN}"


def _why(name: str, feed: Feed, columns: frozenset[str]) -> str:
    holes = sorted(columns & feed.incomplete)
    reason = feed.reason if not feed.usable else f"{', '.join(holes)} {NOT_SHOWN}"
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
