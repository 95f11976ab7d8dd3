"""Opens what is to be compared, and says which snapshot is held against which."""

from __future__ import annotations

from pathlib import Path

from devicehunt.api import gather, is_case
from devicehunt.case import Case
from devicehunt.compare.model import Book, Side
from devicehunt.errors import UsageError
from devicehunt.text import shown

Devices = dict[str, list[str]]


def opened(sources: list[Path], scratch: Path) -> list[Book]:
    """The sides: cases as they are, evidence read into temporary cases below `scratch`."""
    cases = [_case(path) if is_case(path) else None for path in sources]
    loose = [path for path, case in zip(sources, cases, strict=True) if case is None]
    taken = iter(gather(loose, scratch) if loose else ())
    books = []
    for case in cases:
        if case is None:
            found, con, prefix = next(taken)
            books.append(Book(found, con, prefix))
        else:
            from devicehunt.engine import facts

            books.append(Book(case, facts(case)))
    return books


def _case(path: Path) -> Case:
    from devicehunt.show import saved

    case = Case.open(path)
    if (path / "findings.jsonl").is_file() and (path / "coverage.jsonl").is_file():
        return saved(case)
    return case


def pairs(
    first: Book, second: Book, snapshots: tuple[str, str] | None, devices: tuple[str, str] | None
) -> tuple[list[tuple[Side, Side]], list[str]]:
    """Which snapshot of which device is held against which; and the devices that stand alone.

    Devices are matched by name; where one side has a single device it stands for all of the other.
    """
    ones, others = _devices(first.case), _devices(second.case)
    alone: list[str] = []
    if devices:
        names = [devices]
    elif first is not second and (len(ones) == 1 or len(others) == 1):
        names = [(a, b) for a in sorted(ones) for b in sorted(others)]
    else:
        names = [(n, n) for n in sorted(set(ones) & set(others))]
        alone += [f"{n}: only on the first side" for n in sorted(set(ones) - set(others))]
        alone += [f"{n}: only on the second side" for n in sorted(set(others) - set(ones))]
    if not names:
        raise UsageError("no device stands on both sides; name them with --devices A B")
    found = []
    for a, b in names:
        for name, side in ((a, ones), (b, others)):
            if name not in side:
                raise UsageError(f"no device {shown(name)}; there are {', '.join(sorted(side))}")
        if first is second and a == b and len(ones[a]) == 1 and len(names) > 1:
            alone.append(f"{a}: has one snapshot only")
            continue
        found.append(_pair((first, a, ones[a]), (second, b, others[b]), snapshots))
    if not found:
        raise UsageError("no device has two snapshots; name two devices with --devices")
    return found, alone


def _pair(one: tuple[Book, str, list[str]], other: tuple[Book, str, list[str]], snapshots: tuple[str, str] | None) -> tuple[Side, Side]:
    (first, a, known_a), (second, b, known_b) = one, other
    before, after = snapshots or (known_a[-1], known_b[-1])
    if first is second and a == b and not snapshots:
        before = known_a[0]
    for snapshot, known in ((before, known_a), (after, known_b)):
        if snapshot not in known:
            raise UsageError(f"no snapshot {shown(snapshot)}; there are {', '.join(known)}")
    if first is second and (a, before) == (b, after):
        raise UsageError(f"{a}: both sides are the same snapshot; name two with --snapshots or --devices")
    return Side(first, a, before), Side(second, b, after)


def _devices(case: Case) -> Devices:
    """Device -> its snapshots, in the order in which they were collected."""
    when: dict[tuple[str, str], str] = {}
    for entry in case.entries:
        where = (entry.device, entry.snapshot)
        when[where] = min(when.get(where, "~"), entry.collected_at or "~")
    found: Devices = {}
    for device, snapshot in sorted(when, key=lambda w: (w[0], when[w], w[1])):
        found.setdefault(device, []).append(snapshot)
    return found
