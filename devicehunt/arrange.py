"""The files of a source -> snapshots of devices: whose output is it, and from which collection?"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from devicehunt.archives import Found
from devicehunt.platforms import Platform, knowing
from devicehunt.text import slug

SNAPSHOT_NAME = re.compile(
    r"(?i)(before|during|after|late|early|first|second|last|pre|post|baseline|snap(shot)?|t|run|day)?[-_.]?[\d._:T-]*z?"
)
GENERIC = {"evidence", "data", "outputs", "output", "live_response", "collection", "files", "logs"}


@dataclass(slots=True)
class Output:
    """One file on its way into the case."""

    found: Found
    kind: str
    command: str | None = None
    exit_status: int | None = None
    collected_at: str | None = None
    status: str | None = None
    reason: str = ""
    path: str = ""
    platform: str = ""


@dataclass(slots=True)
class Snapshot:
    """One collection of one device."""

    device: str
    name: str
    outputs: list[Output] = field(default_factory=list)


def arrange(snapshots: dict[str, list[Output]], others: list[Output], device: str, *, forced: bool) -> list[Snapshot]:
    """Folders -> snapshots of one device, or of several where the folders are devices of their own."""
    if not snapshots:
        return [Snapshot(device, "1", others)]
    if len(snapshots) == 1 or _are_topics(snapshots):
        merged = [o for outputs in snapshots.values() for o in outputs]
        return [Snapshot(device, "1", merged + others)]
    groups: dict[str, dict[str, list[Output]]] = defaultdict(dict)
    for folder, outputs in snapshots.items():
        parent, _, leaf = folder.rpartition("/")
        if SNAPSHOT_NAME.fullmatch(leaf):
            groups[parent][leaf] = outputs
        else:
            groups[folder]["1"] = outputs
    owners = {g: device if forced or len(groups) == 1 else _owner(g, device) for g in groups}
    result: list[Snapshot] = []
    seen: set[tuple[str, str]] = set()
    for group, members in sorted(groups.items()):
        for leaf, outputs in members.items():
            name = slug(leaf) if len(members) > 1 or leaf != "1" else "1"
            while (owners[group], name) in seen:
                name = f"{name}-{slug(group.rpartition('/')[2])}"
            seen.add((owners[group], name))
            result.append(Snapshot(owners[group], name, outputs))
    result[0].outputs += others
    return result


def _are_topics(snapshots: dict[str, list[Output]]) -> bool:
    """Folders like network/ and process/ that share no command are one collection, sorted by topic."""
    if any(SNAPSHOT_NAME.fullmatch(f.rpartition("/")[2]) for f in snapshots):
        return False
    seen: set[str] = set()
    for outputs in snapshots.values():
        commands = {o.command for o in outputs if o.command}
        if commands & seen:
            return False
        seen |= commands
    return True


def _owner(folder: str, device: str) -> str:
    parts = [slug(p) for p in folder.split("/") if p and slug(p).lower() not in GENERIC]
    return "-".join(parts[-2:]) if parts else device


def each_a_device(outputs: list[Output], platforms: Sequence[Platform], device: str) -> list[Snapshot]:
    """A folder of nothing but configurations that are named after devices (or after days): each its own. Empty: it is none."""
    known = {p.name: p for p in platforms}
    read = [o for o in outputs if o.kind not in ("unknown", "index")]
    kinds: Counter[str] = Counter()
    found: list[Snapshot] = []
    for output in read:
        platform = known.get(output.platform)
        stanza = platform.find(output.command) if platform and output.command else None
        stem = output.found.name.rpartition("/")[2].rpartition(".")[0] or output.found.name.rpartition("/")[2]
        if platform is None or stanza is None or not stanza.one_a_device or platform.find_by_name(stem) is not None:
            return []
        kinds[stanza.name] += 1
        days = SNAPSHOT_NAME.fullmatch(stem)
        found.append(Snapshot(device, slug(stem), [output]) if days else Snapshot(slug(stem), "1", [output]))
    several = len({name.partition("/")[0] for name in kinds}) > 1 or any(count > 1 for count in kinds.values())
    return found if several else []


def by_platform(snapshots: list[Snapshot], platforms: Sequence[Platform], settled: dict[str, str]) -> list[Snapshot]:
    """What only another platform knows is of another device: `NAME-PLATFORM`, with a verdict of its own.

    Beside the others its outputs would be read by nobody, and its rules be called not applicable.
    `settled` is filled as devices come.
    """
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for snapshot in snapshots:
        for output in snapshot.outputs:
            votes[snapshot.device].update(knowing(output.command, output.platform, platforms))
    for device, count in votes.items():
        if count:
            settled.setdefault(device, max(sorted(count), key=lambda name: count[name]))
    result: list[Snapshot] = []
    for snapshot in snapshots:
        parts: dict[str, list[Output]] = {snapshot.device: []}
        for output in snapshot.outputs:
            names = knowing(output.command, output.platform, platforms)
            main = settled.get(snapshot.device, "")
            foreign = bool(names) and main not in names
            parts.setdefault(f"{snapshot.device}-{names[-1]}" if foreign else snapshot.device, []).append(output)
        result += [Snapshot(device, snapshot.name, outputs) for device, outputs in parts.items() if outputs]
    return result


def named_apart(snapshots: list[Snapshot], others: list[Snapshot], folder: str) -> list[Snapshot]:
    """Snapshots under names that no other has: with the folder before them, or a number behind."""
    taken = {(s.device, s.name) for s in others}
    for snapshot in snapshots:
        name, count = snapshot.device, 1
        while (snapshot.device, snapshot.name) in taken:
            parent = slug(folder.rpartition("/")[2])
            snapshot.device = f"{parent}-{name}" if count == 1 and parent != "_" else f"{name}-{count}"
            count += 1
        taken.add((snapshot.device, snapshot.name))
    return snapshots
