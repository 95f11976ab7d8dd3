"""Where captures were taken, as the user says: `--vantage wan` for all, `--vantage lan.pcap=lan` for one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from devicehunt.case import Case, Entry
from devicehunt.errors import UsageError
from devicehunt.text import shown

SIDES = ("wan", "lan", "any")


def facts(given: Iterable[str], author: str) -> dict[str, Any]:
    """What the journal keeps of the words given; UsageError for what is none of them."""
    words = sorted(set(given))
    for word in words:
        if word.rpartition("=")[2] not in SIDES:
            raise UsageError(f"--vantage: {shown(word, 80)}: it is one of {', '.join(SIDES)}, or FILE= and one of them")
    whose = [word.rpartition("=")[0] for word in words]
    twice = next((name for name in whose if whose.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--vantage: {shown(twice, 80) or 'all captures'}: given twice, and not the same")
    return {"vantage": words, "vantage_by": shown(author, 80) or "--vantage"} if words else {}


def rows(case: Case) -> list[dict[str, Any]]:
    """A row a capture of the case whose vantage was given."""
    words = {name: side for name, _, side in (word.rpartition("=") for word in case.meta.get("vantage", ()))}
    author = case.meta.get("vantage_by", "--vantage")
    found = []
    for entry in case.entries:
        side = next((words[n] for n in (*_names(entry), "") if n in words), None) if entry.kind == "capture" else None
        if side:
            found.append({"device": entry.device, "snapshot": entry.snapshot, "exhibit": entry.exhibit, "vantage": side, "author": author})
    return found


def check(case: Case) -> None:
    """UsageError for a file that was named and is no capture of the case."""
    names = {name for entry in case.entries if entry.kind == "capture" for name in _names(entry)}
    for word in case.meta.get("vantage", ()):
        name, mark, _ = word.rpartition("=")
        if mark and name not in names:
            raise UsageError(f"--vantage: {shown(name, 80)} is no capture of this case; there are {', '.join(sorted(names)) or 'none'}")


def _names(entry: Entry) -> tuple[str, ...]:
    """What a user may call a capture: its file, or the set that its file is of."""
    from devicehunt.flows.sets import read_name

    name = entry.source.rpartition("/")[2]
    return entry.source, name, read_name(name).stem
