"""The differences of two snapshots, table by table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from devicehunt.compare.model import KINDS, NOTHING, Change, Side
from devicehunt.compare.rows import Key, Outputs, Row, Shown, Source, Table, Where, joined, matched, plan, renamed
from devicehunt.model import Evidence
from devicehunt.report.mask import mask

PAIRS_LIMIT = 250_000
"""Lines of one side times those of the other, up to which lines that changed are looked for among those that came and went."""
Lines = Callable[[Side, str, int], bytes]
Unseen = dict[tuple[str, str], list[str]]
"""A side and why something is not known of it -> what."""
Told = tuple[set[tuple[str, int]], set[tuple[str, int]]]
"""The lines of each side that were told."""


@dataclass(frozen=True, slots=True)
class Two:
    """Two snapshots, and a way to the lines of their evidence."""

    a: Side
    b: Side
    lines: Lines

    def change(self, kind: str, what: str, named: tuple[str, dict[str, str]], old: Row | None, new: Row | None) -> Change:
        """A change with the lines behind it; `named` is how it is called, and what says that it is the same."""
        return Change(
            kind, what, self.b.device, *named, dict(old.values) if old else {}, dict(new.values) if new else {},
            Evidence(old.exhibit, old.line) if old else None, Evidence(new.exhibit, new.line) if new else None,
        )  # fmt: skip

    def one_sided(self, kind: str, table: Table, key: Key, row: Row, *, gone: bool) -> Change:
        """A change of a thing that only one side has."""
        return self.change(kind, table.what, _name(table, key, row), row if gone else None, None if gone else row)


def shown_tables(outputs: Outputs) -> list[dict[Where, Shown]]:
    """What each snapshot shows, in the order of the plan."""
    return [outputs.show(table) for table in plan()]


def differences(two: Two, a: Sequence[Shown], b: Sequence[Shown], unseen: Unseen) -> Iterator[Change]:
    """The differences of two snapshots; a line that a weightier table has told is not told again by a quiet one."""
    told: Told = (set(), set())
    for order, (table, before, after) in enumerate(zip(plan(), a, b, strict=True), 1):
        names = matched(before, after)
        one, other = renamed(before, names), renamed(after, names)
        _note_unseen(two, table, one, other, unseen)
        if table.quiet:
            one, other = _untold(one, other, told[0]), _untold(other, one, told[1])
        for rank, change in _of_table(two, table, one, other):
            if change.kind != "cannot-say":
                for lines, cited in zip(told, (change.evidence_before, change.evidence_after), strict=True):
                    if cited:
                        lines.add((cited.exhibit, cited.line))
            yield replace(change, rank=(2, order, rank, KINDS.index(change.kind)))


def _untold(here: Shown, there: Shown, told: set[tuple[str, int]]) -> Shown:
    """A side without the rows that only it has, and whose lines were told already."""
    rows = {k: r for k, r in here.rows.items() if k in there.rows or any((o.exhibit, o.line) not in told for o in r.values())}
    return replace(here, rows=rows)


def _of_table(two: Two, table: Table, a: Shown, b: Shown) -> Iterator[tuple[int, Change]]:
    gone: dict[Key, Row] = {}
    come: dict[Key, Row] = {}
    for key in sorted(set(a.rows) | set(b.rows), key=_sortable):
        before, after = a.rows.get(key, {}), b.rows.get(key, {})
        if before and after:
            values = _changed(two, table, (before, a), (after, b))
            if values:
                first, last = _first(before), _first(after)
                yield min(first.rank, last.rank), _with_values(two, table, key, (first, last), values)
        elif reason := _unsure(before or after, *((a, b) if before else (b, a))):
            row = _first(before or after)
            yield row.rank, replace(two.one_sided("cannot-say", table, key, row, gone=bool(before)), reason=reason)
        else:
            (gone if before else come)[key] = _first(before or after)
    for old, new in list(_partners(table, gone, come)):
        first, last = gone.pop(old), come.pop(new)
        yield min(first.rank, last.rank), _with_values(two, table, new, (first, last), _key_values(table, old, new, first, last))
    for kind, rows in (("removed", gone), ("added", come)):
        for key, row in rows.items():
            yield row.rank, two.one_sided(kind, table, key, row, gone=kind == "removed")
    if table.order:
        yield from ((0, change) for change in _moved(two, table, a, b))


def _sortable(key: Key) -> tuple[str, ...]:
    return tuple(text or "" for text in key)


def _first(rows: dict[Source, Row]) -> Row:
    row = min(rows.values(), key=lambda r: (r.exhibit, r.line))
    return replace(row, values=joined(list(rows.values())))


def _changed(
    two: Two, table: Table, one: tuple[dict[Source, Row], Shown], other: tuple[dict[Source, Row], Shown]
) -> dict[str, tuple[str, str]]:
    """What differs: value -> both texts. Outputs of the same kind are held against each other, absent values too."""
    (before, a), (after, b) = one, other
    common = sorted(set(before) & set(after))
    found: dict[str, tuple[str, str]] = {}
    for name in table.values:
        for source in common:
            old, new = before[source].values.get(name), after[source].values.get(name)
            if None in (old, new) and name in a.left_open[source] | b.left_open[source]:
                continue
            if old != new:
                found[name] = (old or NOTHING, new or NOTHING)
        if not common:  # a value that only one side's command shows is no change
            old, new = joined(list(before.values())).get(name), joined(list(after.values())).get(name)
            if old is not None and new is not None and old != new:
                found[name] = (old, new)
    if table.secret and common and not found and _other_secret(two, before[common[0]], after[common[0]]):
        found["secret"] = ("[masked]", "[masked], another one")
    return found


def _other_secret(two: Two, old: Row, new: Row) -> bool:
    """Whether two lines differ in nothing but what is masked."""
    texts = [b" ".join(two.lines(side, row.exhibit, row.line).split()) for side, row in ((two.a, old), (two.b, new))]
    if texts[0] == texts[1]:
        return False
    masked = [mask(text.decode("utf-8", "backslashreplace")) for text in texts]
    return masked[0] == masked[1]


def _unsure(rows: dict[Source, Row], here: Shown, other: Shown) -> str:
    """Why a row that the other side lacks may be there all the same; empty when the other side would have shown it."""
    if any(source in other.good for source in rows):
        return ""
    for source in sorted(rows):
        if source in other.bad:
            return f"not read whole on the other side: {other.bad[source]}"
    return f"the other side has no {here.commands.get(min(rows), 'such output')}"


def _note_unseen(two: Two, table: Table, a: Shown, b: Shown, unseen: Unseen) -> None:
    for side, here, there, other in ((two.a, a, b, two.b), (two.b, b, a, two.a)):
        for source in sorted({*there.good, *here.bad} - here.good):
            same = here.exhibits[source] and _bytes(side, here.exhibits[source]) == _bytes(other, there.exhibits[source])
            if source in here.bad and source not in there.good and same:
                continue  # the same bytes on both sides: whatever they say, it is the same
            command = (here if source in here.bad else there).commands[source]
            why = f"not read whole: {command}: {here.bad[source]}" if source in here.bad else f"not collected: {command}"
            what = unseen.setdefault((side.title, why), [])
            if table.what not in what:
                what.append(table.what)


def _bytes(side: Side, exhibits: set[str]) -> set[str]:
    return {e.sha256 for e in side.book.case.of(side.device, side.snapshot) if e.exhibit in exhibits}


def _partners(table: Table, gone: dict[Key, Row], come: dict[Key, Row]) -> Iterator[tuple[Key, Key]]:
    """Rows that went and came and are one thing that changed."""
    if table.by_line:
        yield from _line_partners(gone, come)
        return
    if not table.pair:
        return
    places = [table.key.index(column) for column in table.pair]
    sides: list[dict[Key, list[Key]]] = []
    for rows in (gone, come):
        found: dict[Key, list[Key]] = defaultdict(list)
        for key in rows:
            named = tuple(key[p] for p in places)
            if named[-1] is not None:
                found[named].append(key)
        sides.append(found)
    for named, old in sides[0].items():
        new = sides[1].get(named, [])
        if len(old) == len(new) == 1:
            yield old[0], new[0]


def _line_partners(gone: dict[Key, Row], come: dict[Key, Row]) -> Iterator[tuple[Key, Key]]:
    """Lines of a configuration that say half or more of the same."""
    if not gone or not come or len(gone) * len(come) > PAIRS_LIMIT:
        return
    heads = [Counter(path for key in rows for path in set(key[::2])) for rows in (gone, come)]
    found: list[tuple[int, list[tuple[str, ...]], Key, Key]] = []
    for old in gone:
        facts = set(zip(old[::2], old[1::2], strict=True))
        for new in come:
            paths = set(old[::2]) & set(new[::2])
            if not paths:
                continue
            equal = len(facts & set(zip(new[::2], new[1::2], strict=True)))
            half = equal and equal * 4 >= min(len(old), len(new))  # a key holds a path and a value for each fact
            if half or any(heads[0][p] == heads[1][p] == 1 for p in paths):
                found.append((-equal, sorted((_sortable(old), _sortable(new))), old, new))
    taken: set[Key] = set()
    for _, _, old, new in sorted(found, key=lambda f: f[:2]):
        if old not in taken and new not in taken:
            taken |= {old, new}
            yield old, new


def _key_values(table: Table, old: Key, new: Key, first: Row, last: Row) -> dict[str, tuple[str, str]]:
    if table.by_line:
        olds, news = dict(zip(old[::2], old[1::2], strict=True)), dict(zip(new[::2], new[1::2], strict=True))
        names = [str(p) for p in dict.fromkeys([*old[::2], *new[::2]]) if olds.get(p) != news.get(p)]
        return {_property(n, names): (olds.get(n) or NOTHING, news.get(n) or NOTHING) for n in names}
    found = {c: (a or NOTHING, b or NOTHING) for c, a, b in zip(table.key, old, new, strict=True) if a != b}
    values = {v: (first.values.get(v), last.values.get(v)) for v in table.values}
    return found | {v: (a or NOTHING, b or NOTHING) for v, (a, b) in values.items() if a != b}


def _property(path: str, names: list[str]) -> str:
    return path.rsplit(" ", 1)[-1] if len(names) > 1 or path.startswith("/") else "value"


def _with_values(two: Two, table: Table, key: Key, rows: tuple[Row, Row], values: dict[str, tuple[str, str]]) -> Change:
    change = two.change("changed", table.what, _name(table, key, rows[1]), *rows)
    named = {c: t for c, t in change.key.items() if c not in values}
    before, after = {v: old for v, (old, _) in values.items()}, {v: new for v, (_, new) in values.items()}
    name = change.name if table.by_line else _words(named) or change.name
    return replace(change, key=named, before=before, after=after, name=name)


def _moved(two: Two, table: Table, a: Shown, b: Shown) -> Iterator[Change]:
    """Where the rows that both sides have stand in another order: the one that moved furthest, of each chain."""
    within = [table.key.index(column) for column in table.order]
    chains: dict[Key, list[Key]] = defaultdict(list)
    for key in set(a.rows) & set(b.rows):
        if set(a.rows[key]) & set(b.rows[key]):
            chains[tuple(key[p] for p in within)].append(key)
    for chain, keys in sorted(chains.items(), key=lambda c: _sortable(c[0])):
        sides = [sorted(keys, key=lambda k, s=side: _place(s, k)) for side in (a, b)]  # type: ignore[misc]
        if sides[0] == sides[1]:
            continue
        places = [{k: n for n, k in enumerate(side, 1)} for side in sides]
        far = max(keys, key=lambda k: (abs(places[0][k] - places[1][k]), _sortable(k)))
        old, new = _first(a.rows[far]), _first(b.rows[far])
        named = {c: t for c, t in zip(table.order, chain, strict=True) if t is not None}
        change = two.change("changed", f"order of {table.what}s", (_words(named), named), old, new)
        yield replace(change, before={"place": str(places[0][far])}, after={"place": str(places[1][far])})


def _place(side: Shown, key: Key) -> tuple[int, str, int]:
    row = min(side.rows[key].values(), key=lambda r: (r.place, r.exhibit, r.line))
    return row.place, row.exhibit, row.line


_PLAIN = frozenset(
    ("name", "path", "service", "kind", "action", "chain", "text", "provider", "rule_table", "element", "comment", "location", "command")
)
"""Columns whose text speaks for itself."""


def _words(named: dict[str, str]) -> str:
    """The columns that tell things apart, as one would say them: `dst_port 8443`, `dst_port 8443-8450`."""
    told: list[str] = []
    for column, text in named.items():
        first = named.get(column.replace("_last", "_first"))
        if column.endswith("_last") and first is not None:
            if first != text:
                told[-1] += f"-{text}"
            continue
        told.append(text if column in _PLAIN else f"{column.removesuffix('_first')} {text}")
    return " ".join(told)


def _name(table: Table, key: Key, row: Row) -> tuple[str, dict[str, str]]:
    """How a thing is called, and what says that it is the same."""
    if table.by_line:
        return _line_name(key)
    named = {column: text for column, text in zip(table.key, key, strict=True) if text is not None}
    return _words(named) or _words(row.values), named


def _line_name(key: Key) -> tuple[str, dict[str, str]]:
    """A line of a configuration: what all its settings begin with, then each of them."""
    facts = [(str(p), str(v)) for p, v in zip(key[::2], key[1::2], strict=True)]
    if len(facts) == 1:
        return _fact_name(*facts[0]), dict(facts)
    words = [path.split(" ") for path, _ in facts]
    head = 0
    while head < min(map(len, words)) - 1 and len({tuple(w[: head + 1]) for w in words}) == 1:
        head += 1
    rest = " ".join(f"{' '.join(w[head:])}={v}" for w, (_, v) in zip(words, facts, strict=True))
    return f"{' '.join(words[0][:head])} {rest}", dict(facts)


def _fact_name(path: str, value: str) -> str:
    if path.startswith("/") or value not in ("yes", "no"):
        return f"{path}={value}"
    return path if value == "yes" else f"no {path}"
