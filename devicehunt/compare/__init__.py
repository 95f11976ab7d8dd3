"""What changed between two collections: two cases, two snapshots, or a golden configuration and a device.

Rows are held against each other by meaning (compare.yaml), never by line number. The one law holds
here too: what one side did not collect, or could not read, is never called added or removed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from devicehunt.compare import findings
from devicehunt.compare.model import KINDS, Change, Comparison, Side
from devicehunt.compare.rows import Outputs
from devicehunt.compare.show import as_json, as_text
from devicehunt.compare.sides import opened, pairs
from devicehunt.compare.tables import Two, Unseen, differences, shown_tables
from devicehunt.model import Evidence
from devicehunt.report.mask import mask
from devicehunt.text import decode, shown

CHUNK = 50
"""Pairs of devices whose rows are in memory at a time."""


def compare(
    before: str | Path, after: str | Path | None = None, *, snapshots: tuple[str, str] | None = None, devices: tuple[str, str] | None = None
) -> Comparison:
    """Hold two sides against each other; each is a case, or evidence that is read into a temporary one.

    Devices are matched by name; where one side has a single device it stands for all of the other
    (a golden configuration). Without `after`, two snapshots of `before`. UsageError when there is nothing to match.
    """
    paths = [Path(before)] if after is None else [Path(before), Path(after)]
    with tempfile.TemporaryDirectory(prefix="devicehunt-") as scratch:
        books = opened(paths, Path(scratch))
        found, alone = pairs(books[0], books[-1], snapshots, devices)
        unseen: Unseen = {}
        changes = [c for start in range(0, len(found), CHUNK) for c in _differences(found[start : start + CHUNK], unseen)]
    changes.sort(key=lambda c: (c.rank, c.device, c.name, KINDS.index(c.kind)))
    sides = list(dict.fromkeys(side for pair in found for side in pair))
    quiet = [side.title for side in sides if not findings.hunted(side)]
    notes = [f"findings are not compared: no rules were run over {', '.join(quiet[:3])}{' ...' if len(quiet) > 3 else ''}; give cases"]
    return Comparison(
        tuple(changes), tuple((a.title, b.title) for a, b in found), tuple(alone),
        tuple(f"{side}: {why} ({', '.join(what)})" if what else f"{side}: {why}" for (side, why), what in unseen.items()),
        tuple(notes if quiet else ()),
    )  # fmt: skip


def _differences(chosen: list[tuple[Side, Side]], unseen: Unseen) -> Iterator[Change]:
    first, second = chosen[0][0].book, chosen[0][1].book
    wheres = [a.where for a, _ in chosen], [b.where for _, b in chosen]
    if first.con is second.con:
        both = Outputs((first, second), [*wheres[0], *wheres[1]])
        tables, unread = [shown_tables(both)] * 2, [both.unread()] * 2
    else:
        sides = Outputs([first], wheres[0]), Outputs([second], wheres[1])
        tables, unread = [shown_tables(s) for s in sides], [s.unread() for s in sides]
    for a, b in chosen:
        if findings.hunted(a) and findings.hunted(b):
            yield from map(_shown, findings.differences(a, b))
        shows = [[table[side.where] for table in found] for side, found in zip((a, b), tables, strict=True)]
        for change in differences(Two(a, b, _lines), shows[0], shows[1], unseen):
            cited = _cited(a, change.evidence_before), _cited(b, change.evidence_after)
            yield _shown(replace(change, evidence_before=cited[0], evidence_after=cited[1]))
        _note_unread((a, b), (unread[0][a.where], unread[1][b.where]), unseen)


def _note_unread(pair: tuple[Side, Side], exhibits: tuple[set[str], set[str]], unseen: Unseen) -> None:
    """Outputs that nothing reads: what they say cannot be compared, unless it is the same bytes."""
    entries = [[e for e in s.book.case.of(s.device, s.snapshot) if e.exhibit in x] for s, x in zip(pair, exhibits, strict=True)]
    kept = [{e.sha256: e.exhibit for e in side} for side in entries]
    for side, mine, other in ((pair[0], kept[0], kept[1]), (pair[1], kept[1], kept[0])):
        names = sorted(shown(mine[digest], 80) for digest in set(mine) - set(other))
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            unseen[side.title, f"nothing reads {', '.join(names[:3])}{more}"] = []


@lru_cache(maxsize=64)
def _file(path: str) -> list[bytes]:
    return Path(path).read_bytes().split(b"\n")


def _lines(side: Side, exhibit: str, line: int) -> bytes:
    """A line of evidence, with those that it goes on in."""
    lines = _file(str(side.book.case.file(exhibit)))
    if not 0 < line <= len(lines):
        return b""
    last = line
    while last < len(lines) and lines[last - 1].rstrip(b"\r").endswith(b"\\"):
        last += 1
    return b"\n".join(lines[line - 1 : last])


def _cited(side: Side, evidence: Evidence | None) -> Evidence | None:
    if evidence is None:
        return None
    first = _lines(side, evidence.exhibit, evidence.line).split(b"\n")[0]
    return replace(evidence, text=shown(decode(first), 300))


def _shown(change: Change) -> Change:
    """A change that can be shown to anybody: nothing of it holds a secret or acts on a terminal."""

    def clean(text: str) -> str:
        return mask(shown(text, 2000))

    def cited(evidence: Evidence | None) -> Evidence | None:
        return replace(evidence, text=mask(evidence.text)) if evidence else None

    texts = [{k: clean(f"{k}={v}").removeprefix(f"{k}=") for k, v in side.items()} for side in (change.key, change.before, change.after)]
    return replace(
        change, device=shown(change.device), name=clean(change.name), key=texts[0], before=texts[1], after=texts[2],
        evidence_before=cited(change.evidence_before), evidence_after=cited(change.evidence_after), reason=clean(change.reason),
    )  # fmt: skip


def status(found: Comparison) -> int:
    """The exit status: 5 when the sides differ, 4 when they do not but not all of both was seen, else 0."""
    return 5 if found.differs() else 4 if found.unseen else 0


__all__ = ["Change", "Comparison", "as_json", "as_text", "compare", "status"]
