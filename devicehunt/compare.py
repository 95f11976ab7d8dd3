"""What changed between two collections: two cases, two snapshots, or a golden configuration and a device.

Rows are held against each other by meaning (compare.yaml), never by line number. The one law holds
here too: what one side did not collect, or could not read, is never called added or removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import data
from devicehunt.case import JOURNAL, Case
from devicehunt.errors import UsageError
from devicehunt.model import LEVELS, Evidence
from devicehunt.text import decode, shown

if TYPE_CHECKING:
    import duckdb

KINDS = ("persists", "added", "changed", "removed", "cannot-say")
"""How a thing differs; `persists` is used for findings only: what was found before is still there."""
Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` hold the values of each side, with the line behind them."""

    kind: str
    what: str
    device: str
    name: str
    key: dict[str, str]
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    evidence_before: Evidence | None = None
    evidence_after: Evidence | None = None
    reason: str = ""
    rank: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences of two sides, most important first, and what could not be held against each other."""

    changes: tuple[Change, ...]
    unseen: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One snapshot of one device in an open case."""

    case: Case
    con: duckdb.DuckDBPyConnection
    device: str
    snapshot: str

    @property
    def title(self) -> str:
        """How the side is called in messages."""
        return f"{self.device}/{self.snapshot}"


def compare(
    before: str | Path, after: str | Path, *, snapshots: tuple[str, str] | None = None, devices: tuple[str, str] | None = None
) -> Comparison:
    """Hold two sides against each other; each is a case, or evidence that is read into a temporary one.

    Devices are matched by name; where one side has a single device it stands for all of the other
    (a golden configuration). UsageError when there is nothing to match.
    """
    first, second = _opened(before), _opened(after) if after != before else None
    second = second or first
    pairs, unseen = _pairs(first, second, snapshots, devices)
    changes = [c for a, b in pairs for c in _differences(a, b, unseen)]
    changes.sort(key=lambda c: (c.rank, c.device, c.name, KINDS.index(c.kind)))
    return Comparison(tuple(changes), tuple(dict.fromkeys(unseen)), tuple((a.title, b.title) for a, b in pairs))


def _opened(source: str | Path) -> tuple[Case, duckdb.DuckDBPyConnection]:
    from devicehunt.engine import facts
    from devicehunt.show import saved

    path = Path(source)
    if (path / JOURNAL).is_file():
        case = Case.open(path)
        if (path / "findings.jsonl").is_file() and (path / "coverage.jsonl").is_file():
            case = saved(case)
    else:
        from devicehunt.api import take

        case = take([path])
    return case, facts(case)


Open = tuple[Case, "duckdb.DuckDBPyConnection"]


def _pairs(
    first: Open, second: Open, snapshots: tuple[str, str] | None, devices: tuple[str, str] | None
) -> tuple[list[tuple[Side, Side]], list[str]]:
    """Which snapshot of which device is held against which; and who stands alone."""
    ones, others = _devices(first[0]), _devices(second[0])
    unseen: list[str] = []
    if devices:
        names = [devices]
    elif len(ones) == 1 or len(others) == 1:
        names = [(a, b) for a in sorted(ones) for b in sorted(others)]
    else:
        names = [(n, n) for n in sorted(set(ones) & set(others))]
        unseen += [f"{n}: only on the first side" for n in sorted(set(ones) - set(others))]
        unseen += [f"{n}: only on the second side" for n in sorted(set(others) - set(ones))]
    if not names:
        raise UsageError("no device stands on both sides; name them with --devices A B")
    pairs = []
    for a, b in names:
        for name, side in ((a, ones), (b, others)):
            if name not in side:
                raise UsageError(f"no device {shown(name)}; there are {', '.join(sorted(side))}")
        chosen = snapshots or (ones[a][-1], others[b][-1])
        if first is second and a == b and not snapshots:
            chosen = (ones[a][0], ones[a][-1])
        for snapshot, known in ((chosen[0], ones[a]), (chosen[1], others[b])):
            if snapshot not in known:
                raise UsageError(f"no snapshot {shown(snapshot)}; there are {', '.join(known)}")
        if first is second and (a, chosen[0]) == (b, chosen[1]):
            raise UsageError("both sides are the same snapshot; name two with --snapshots or --devices")
        pairs.append((Side(*first, a, chosen[0]), Side(*second, b, chosen[1])))
    return pairs, unseen


def _devices(case: Case) -> dict[str, list[str]]:
    """Device -> its snapshots, in the order in which they were collected."""
    when: dict[tuple[str, str], str] = {}
    for entry in case.entries:
        where = (entry.device, entry.snapshot)
        when[where] = min(when.get(where, "~"), entry.collected_at or "~")
    found: dict[str, list[str]] = {}
    for device, snapshot in sorted(when, key=lambda w: (w[0], when[w], w[1])):
        found.setdefault(device, []).append(snapshot)
    return found


@lru_cache(maxsize=1)
def _plan() -> list[dict[str, Any]]:
    text = (Path(__file__).parent / "compare.yaml").read_text(encoding="utf-8")
    loaded: list[dict[str, Any]] = data.read_yaml(text)
    return loaded


def _differences(a: Side, b: Side, unseen: list[str]) -> Iterator[Change]:
    """The differences of two snapshots; a line that a weightier table has named is not named again."""
    yield from _findings(a, b)
    named: set[tuple[str, int]] = set()
    for order, table in enumerate(_plan(), 1):
        before, after = _rows(a, table), _rows(b, table)
        if not before and not after:
            continue
        doubts = {side.title: _doubt(side, table["table"]) for side in (a, b)}
        unseen += [f"{name}: {table['table']}: {doubt}" for name, doubt in doubts.items() if doubt]
        for key in sorted(set(before) | set(after), key=str):
            change = _change(table, b.device, key, (before.get(key), after.get(key)), (doubts[a.title], doubts[b.title]))
            if change is None:
                continue
            cited = {(e.exhibit, e.line) for e in (change.evidence_before, change.evidence_after) if e}
            if table["table"] == "settings" and cited and cited <= named:
                continue
            named |= cited
            row = after.get(key) or before[key]
            yield _cited(a, b, _with_rank(change, (2, order, row.rank)))


@dataclass(frozen=True, slots=True)
class _Row:
    values: dict[str, str]
    exhibit: str
    line: int
    rank: int


def _rows(side: Side, table: dict[str, Any]) -> dict[Key, _Row]:
    """Key -> values of one table's rows; several rows of one key are one, with all of their values."""
    keys, values = table["key"], table["values"]
    picked = [f"{c}::varchar" for c in keys]
    picked += [f"string_agg(distinct {c}::varchar, ', ' order by {c}::varchar)" for c in values]
    sql = (
        f"select {', '.join([*picked, 'min(exhibit)', 'arg_min(line, (exhibit, line))', 'min(' + table.get('rank', '0') + ')'])} "
        f"from {table['table']} where device = ? and snapshot = ? and ({table.get('where', 'true')}) "
        f"group by {', '.join(str(i + 1) for i in range(len(keys))) or 'all'}"
    )
    found: dict[Key, _Row] = {}
    for row in side.con.execute(sql, [side.device, side.snapshot]).fetchall():
        key, rest = tuple(row[: len(keys)]), row[len(keys) :]
        exhibit, line, rank = rest[len(values) :]
        if exhibit is not None:
            found[key] = _Row({v: t for v, t in zip(values, rest, strict=False) if t is not None}, exhibit, int(line or 0), int(rank or 0))
    return found


def _doubt(side: Side, table: str) -> str:
    """Why a row that this side lacks may be there all the same; empty when the side read the table whole."""
    feeds = side.con.execute(
        "select usable, reason from feeds where device = ? and snapshot = ? and table_name = ?", [side.device, side.snapshot, table]
    ).fetchall()
    if not feeds:
        return "not collected"
    bad = sorted({str(reason or "not whole") for usable, reason in feeds if not usable})
    return f"not read whole: {bad[0]}" if bad else ""


def _change(
    table: dict[str, Any], device: str, key: Key, rows: tuple[_Row | None, _Row | None], doubts: tuple[str, str]
) -> Change | None:
    before, after = rows
    named = {k: v for k, v in zip(table["key"], key, strict=True) if v is not None}
    if before and after:
        differing = [v for v in table["values"] if before.values.get(v) != after.values.get(v)]
        # a value that only one side's command shows is no change
        told = [v for v in differing if v in before.values and v in after.values]
        if not told:
            return None
        kind, reason = "changed", ""
        old, new = {v: before.values[v] for v in told}, {v: after.values[v] for v in told}
    else:
        kind = "added" if after else "removed"
        reason = doubts[0] if after else doubts[1]
        old, new = (before.values if before else {}), (after.values if after else {})
    return Change(
        "cannot-say" if reason else kind, table["what"], device, _name(table["what"], named, new or old), named, dict(old), dict(new),
        Evidence(before.exhibit, before.line) if before else None, Evidence(after.exhibit, after.line) if after else None, reason,
    )  # fmt: skip


def _name(what: str, key: dict[str, str], values: dict[str, str]) -> str:
    if what == "setting":
        return key.get("path", "") + ("" if key.get("value") in ("yes", None) else f" = {key['value']}")
    told = [v if k in ("name", "path", "service", "kind", "action", "chain") else f"{k} {v}" for k, v in key.items()]
    return " ".join(told or [f"{k} {v}" for k, v in values.items()])


def _with_rank(change: Change, rank: tuple[int, ...]) -> Change:
    return replace(change, rank=(*rank, KINDS.index(change.kind)))


def _cited(a: Side, b: Side, change: Change) -> Change:
    return replace(change, evidence_before=_line(a, change.evidence_before), evidence_after=_line(b, change.evidence_after))


def _line(side: Side, evidence: Evidence | None) -> Evidence | None:
    if evidence is None:
        return None
    lines = _text(side.case, evidence.exhibit)
    raw = lines[evidence.line - 1] if 0 < evidence.line <= len(lines) else b""
    return Evidence(evidence.exhibit, evidence.line, shown(decode(raw), 300))


@lru_cache(maxsize=8)
def _cached(path: str) -> list[bytes]:
    return Path(path).read_bytes().split(b"\n")


def _text(case: Case, exhibit: str) -> list[bytes]:
    return _cached(str(case.file(exhibit)))


def _findings(a: Side, b: Side) -> Iterator[Change]:
    """Findings by what they are about: what persists stands first, for patched is not cleaned."""
    if not a.case.coverage or not b.case.coverage:
        return
    before = {(f.rule, f.key): f for f in a.case.findings if (f.device, f.snapshot) == (a.device, a.snapshot)}
    after = {(f.rule, f.key): f for f in b.case.findings if (f.device, f.snapshot) == (b.device, b.snapshot)}
    results = {c.rule: c for c in b.case.coverage if (c.device, c.snapshot) == (b.device, b.snapshot)}
    for key in sorted(set(before) | set(after)):
        one = after.get(key) or before[key]
        kind = "persists" if key in before and key in after else "added" if key in after else "removed"
        reason = ""
        if kind == "removed" and results.get(key[0]) and results[key[0]].result == "not-assessable":
            kind, reason = "cannot-say", "; ".join(results[key[0]].reasons)[:200]
        evidence = (before.get(key), after.get(key))
        yield Change(
            kind, f"{one.level} finding", b.device, one.title, {"rule": one.rule}, {}, {},
            evidence[0].evidence[0] if evidence[0] and evidence[0].evidence else None,
            evidence[1].evidence[0] if evidence[1] and evidence[1].evidence else None,
            reason, (1, KINDS.index(kind), -LEVELS.index(one.level)),
        )  # fmt: skip


_SIGNS = {"persists": "=", "added": "+", "changed": "~", "removed": "-", "cannot-say": "?"}


def as_text(found: Comparison) -> str:
    """The comparison for a terminal: one line a change, the lines behind it, then what could not be said."""
    out = [f"{shown(a)} -> {shown(b)}" for a, b in found.pairs]
    told = [c for c in found.changes if c.kind != "cannot-say"]
    counts = {k: sum(c.kind == k for c in found.changes) for k in KINDS}
    out.append(", ".join(f"{n} {k}" for k, n in counts.items() if n) or "no difference in what both sides show")
    out.append("")
    for change in told:
        out += _told(change, many=len(found.pairs) > 1)
    doubtful = [c for c in found.changes if c.kind == "cannot-say"]
    if doubtful or found.unseen:
        out += ["", "CANNOT SAY"]
        out += [f"  - {shown(u, 200)}" for u in found.unseen]
        for change in doubtful:
            out += _told(change, many=len(found.pairs) > 1)
    return "\n".join(out) + "\n"


def _told(change: Change, *, many: bool) -> Iterator[str]:
    where = f"{shown(change.device)}: " if many else ""
    reason = f" ({change.reason})" if change.reason else ""
    yield f"{_SIGNS[change.kind]} {where}{change.what} {shown(change.name, 200)}".rstrip() + reason
    for value in sorted(set(change.before) | set(change.after)):
        if change.kind == "changed":
            yield f"    {value}: {shown(change.before[value], 120)} -> {shown(change.after[value], 120)}"
    for evidence in (change.evidence_before, change.evidence_after):
        if evidence:
            yield f"    {evidence.exhibit}:{evidence.line}  {masked(evidence.text)}"


def masked(text: str) -> str:
    """A cited line without its secrets."""
    from devicehunt.report.mask import mask

    return mask(text)


def as_json(found: Comparison) -> str:
    """The comparison as canonical JSON; secrets in cited lines are masked."""
    changes: list[dict[str, Any]] = []
    for change in found.changes:
        facts = asdict(change)
        del facts["rank"]
        for side in ("evidence_before", "evidence_after"):
            if facts[side]:
                facts[side]["text"] = masked(facts[side]["text"])
        changes.append(facts)
    return json.dumps({"pairs": found.pairs, "changes": changes, "unseen": found.unseen}, indent=1, sort_keys=True) + "\n"


def differs(found: Comparison) -> bool:
    """Whether anything was added, removed or changed; what cannot be said counts too."""
    return any(c.kind != "persists" for c in found.changes) or bool(found.unseen)


__all__: Sequence[str] = ("Change", "Comparison", "as_json", "as_text", "compare", "differs")
