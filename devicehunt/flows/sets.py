"""Which files are one capture that was cut into files while it was recorded, by their names.

| who | names |
|---|---|
| tcpdump -C, -W | wan.pcap, wan.pcap1, wan.pcap2; wan00, wan01 |
| tcpdump -G | wan-20260101120000.pcap, wan-2026-01-01T12:00:00.pcap |
| dumpcap -b, editcap -c and -i | wan_00001_20260101120000.pcapng |
| logrotate | wan.pcap, wan.pcap.1, wan.pcap.2.gz; wan.pcap-20260101 |

A number that may as well tell devices or interfaces apart (lan_1.pcap, eth0) makes one capture only of files that follow
each other without a pause, and have one link type.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE = 60 * 10**9
"""Nanoseconds without a packet between two files that names alone do not prove to be of one capture."""
_PACKED = re.compile(r"\.(gz|zst|bz2|xz)$", re.I)
_ENDING = r"\.(?:pcap|pcapng|ntar|cap|dmp|dump)"
_DAY = r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d"
_CLOCK = r"[-_.T ]?[0-2]\d[-_.:h]?[0-5]\d(?:[-_.:m]?[0-6]\d)?s?Z?"
_FORMS = (
    ("sure", re.compile(rf"(?P<stem>.+{_ENDING})\.(?P<number>\d{{1,5}})$", re.I)),
    ("sure", re.compile(rf"(?P<stem>.+{_ENDING})-(?P<time>{_DAY}(?:[-_.]?\d{{1,10}})?)$", re.I)),
    ("sure", re.compile(rf"(?P<stem>.+{_ENDING})(?P<number>\d{{1,6}})$", re.I)),
    ("sure", re.compile(rf"(?P<stem>.+)_(?P<number>\d{{5}})_(?P<time>\d{{14}})(?P<end>{_ENDING})?$", re.I)),
    ("sure", re.compile(rf"(?P<stem>.*?)[-_.]?(?P<time>{_DAY}{_CLOCK})(?P<end>.*)$", re.I)),
    ("weak", re.compile(rf"(?P<stem>.+)[-_.](?P<number>\d{{1,6}})(?P<end>{_ENDING})$", re.I)),
    ("weak", re.compile(r"(?P<stem>[^.]*[^.\d])(?P<number>\d{1,6})$")),
)


@dataclass(frozen=True, slots=True)
class Name:
    """What a file's name says. `sure`: only the files of one capture are called so; `number` or `time` None: it has none."""

    stem: str
    sure: bool = False
    number: int | None = None
    time: str | None = None

    @property
    def plain(self) -> bool:
        """Whether the name has no place in a set: it may be the first or the newest file of one."""
        return self.number is None and self.time is None


def read_name(name: str) -> Name:
    """Read a file's name (without its folder)."""
    name = _PACKED.sub("", name)
    for kind, form in _FORMS:
        found = form.fullmatch(name)
        if found:
            parts = found.groupdict()
            number = parts.get("number")
            stem = parts["stem"] + (parts.get("end") or "")
            return Name(stem, kind == "sure", None if number is None else int(number), parts.get("time"))
    return Name(name)


def groups(files: Sequence[tuple[str, Path]]) -> list[list[int]]:
    """Numbers of the files that are one capture, set by set in the order of their first; a file alone is a set of one.

    `files`: name with its folder, and where the bytes are.
    """
    names = [read_name(name.rpartition("/")[2]) for name, _ in files]
    by_key: dict[tuple[str, str, bool], list[int]] = defaultdict(list)
    for at, (name, _) in enumerate(files):
        if not names[at].plain:
            by_key[name.rpartition("/")[0], names[at].stem, names[at].sure].append(at)
    for at, (name, _) in enumerate(files):
        if names[at].plain:
            folder = name.rpartition("/")[0]
            key = next((k for k in ((folder, names[at].stem, sure) for sure in (True, False)) if k in by_key), None)
            if key:
                by_key[key].append(at)
    found: list[list[int]] = []
    for (_, _, sure), members in by_key.items():
        once = _each_once(members, names)
        if len(once) > 1 and (sure or _follow([files[at][1] for at in once])):
            found.append(once)
    joined = {at for members in found for at in members}
    return sorted([*found, *([at] for at in range(len(files)) if at not in joined)])


def _each_once(members: list[int], names: Sequence[Name]) -> list[int]:
    """Of files with one place in the set (packed and unpacked, say) the first."""
    seen: dict[tuple[int | None, str | None], int] = {}
    for at in sorted(members):
        seen.setdefault((names[at].number, names[at].time), at)
    return list(seen.values())


def _follow(paths: Sequence[Path]) -> bool:
    """Whether captures follow each other in time, and have the same link types: each is read once."""
    from devicehunt.flows.containers import Capture
    from devicehunt.flows.records import Damage

    spans = []
    for path in paths:
        capture = Capture(path)
        for part in capture.chunks():
            if isinstance(part, Damage) and part.reason.startswith("cannot be opened"):
                return False
        spans.append((capture.first_at, capture.last_at, frozenset(i.linktype for i in capture.interfaces)))
    timed = sorted((first, last, links) for first, last, links in spans if first is not None and last is not None)
    if len({links for _, _, links in timed}) > 1:
        return False
    return all(one[1] <= other[0] <= one[1] + PAUSE for one, other in itertools.pairwise(timed))


def missing(names: Sequence[str]) -> tuple[list[int], int]:
    """Numbers that a set lacks between its lowest and its highest, and the lowest where files before it are gone (else 0)."""
    read = [read_name(name.rpartition("/")[2]) for name in names]
    numbers = {n.number if n.number is not None else 0 for n in read if n.number is not None or n.plain}
    if len(numbers) < 2 or all(n.number is None for n in read):
        return [], 0
    low = min(numbers)
    gone = sorted(set(range(low, max(numbers) + 1)) - numbers) if max(numbers) - low < 1_000_000 else []
    return gone, low if low > 1 else 0
