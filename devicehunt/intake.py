"""Sources -> exhibits: folders of outputs, single outputs, transcripts, archives, captures.

A source is walked once; every file in it ends up in the journal: read, kept but not read, or
named as missing. What a file is called decides nothing about where it is written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from devicehunt import archives, site
from devicehunt.archives import Found
from devicehunt.arrange import GENERIC, Output, Snapshot, arrange, by_platform, each_a_device, named_apart
from devicehunt.case import Case, Entry, now
from devicehunt.errors import SiteError, SourceError
from devicehunt.model import Section
from devicehunt.parse import head_of
from devicehunt.platforms import Platform
from devicehunt.text import shown, slug, storable
from devicehunt.transcript import looks_like_transcript, read_transcript

INDEX_CAP = 64 * 1024 * 1024
"""Bytes of an index.json; a larger one is no index."""
FAR_LINES = 300
"""How many lines `content_far:` may look at."""
_ZSTD = b"\x28\xb5\x2f\xfd"
_FLOW = (b"\x0c\xa5", b"\xa5\x0c")  # nfcapd, both byte orders


@dataclass(slots=True)
class Taken:
    """What taking in a source gave."""

    snapshots: list[Snapshot]
    case_info: dict[str, str]


def take(
    sources: Sequence[Path], platforms: Sequence[Platform], device: str | None = None, own: Path | None = None,
    settled: Mapping[str, str] | None = None,
) -> Iterator[Taken]:  # fmt: skip
    """Walk each source once and yield its snapshots; SourceError when a source cannot be opened.

    `device`: all sources are of this one. `own`: the case that is being written, which may lie inside a source.
    `settled`: device -> its platform, where the case holds outputs of it already.
    """
    known = dict(settled or {})
    sources = list({s.resolve(): s for s in reversed(sources)}.values())[::-1]
    check(sources)
    names = [slug(device)] * len(sources) if device else _names(sources)
    for source, name in zip(sources, names, strict=True):
        taken = _take_one(source, name, platforms, own, forced=device is not None)
        taken.snapshots = by_platform(taken.snapshots, platforms, known)
        yield taken


def check(sources: Iterable[Path]) -> None:
    """SourceError for what is no file and no folder, or may not be read: before anything is stored."""
    for source in sources:
        _check(source)


def _check(source: Path) -> None:
    name = shown(str(source))
    try:
        if source.is_dir():
            next(source.iterdir(), None)
        elif source.is_file():
            source.open("rb").close()
        elif source.exists():
            raise SourceError(f"{name} is neither a file nor a folder; save what it gives to a file first")
        else:
            raise SourceError(f"no such source: {name}")
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror or error}") from error


def _names(sources: Sequence[Path]) -> list[str]:
    """A device name a source; the files of one capture, cut while it was recorded, are of one device."""
    from devicehunt.flows import sets

    files = [s for s in sources if s.is_file() and _magic(Found(s.name, 0, file=s)) == "capture"] if len(sources) > 1 else []
    found = sets.groups([(str(s.resolve()), s.resolve()) for s in files])
    lead = {files[at]: files[members[0]] for members in found for at in members}
    stems = {files[m[0]]: files[m[0]].resolve().parent / sets.read_name(files[m[0]].name).stem for m in found if len(m) > 1}
    leads = list(dict.fromkeys(lead.get(s, s) for s in sources))
    named = dict(zip(leads, device_names([_as_file(stems[s]) if s in stems else s for s in leads]), strict=True))
    return [named[lead.get(s, s)] for s in sources]


def _as_file(path: Path) -> Path:
    """The name of a set without its ending."""
    return path.with_suffix("") if path.suffix else path


def device_names(sources: Sequence[Path]) -> list[str]:
    """One name a source: its own; where several share it, all of them with parents before it."""
    parents = [[slug(p) for p in s.resolve().parent.parts[1:] if slug(p).lower() not in GENERIC] for s in sources]
    names = [_device_name(s) for s in sources]
    while True:
        shared = [n for n, count in Counter(names).items() if count > 1]
        grown = False
        for position, name in enumerate(names):
            if name in shared and parents[position]:
                names[position] = f"{parents[position].pop()}-{name}"
                grown = True
        if not grown:
            break
    seen: Counter[str] = Counter()
    for position, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[position] = f"{name}-{seen[name]}"
    return names


def _device_name(source: Path) -> str:
    path = source.resolve()
    name = path.name
    for suffix in archives.SUFFIXES:
        name = name.removesuffix(suffix)
    if path.is_file() and name == path.name:
        name = path.stem
    return slug(name)


def _take_one(source: Path, device: str, platforms: Sequence[Platform], own: Path | None, *, forced: bool) -> Taken:
    found = list(archives.walk(source, own))
    if not found:
        nothing = Output(Found(source.name, 0, data=b""), "missing", status="not-collected", reason="there is no file in this source")
        return Taken([Snapshot(device, "1", [nothing])], {})
    info: dict[str, str] = {}
    spoken = _case_file(found)
    if spoken is not None:
        try:
            info = site.case_info(site.parse_yaml(spoken.read(), "case.yaml"), "case.yaml")
            found.remove(spoken)
        except SiteError as error:
            spoken.problem, spoken.status = shown(str(error), 200), "not-read"
    folders = _folders(found)
    if _is_uac(found):
        return Taken([Snapshot(device, "1", [_uac_output(f, platforms) for f in found])], info)
    snapshots: dict[str, list[Output]] = {}
    others: list[Output] = []
    alone: list[Snapshot] = []
    for folder, files in sorted(folders.items()):
        outputs = _folder(folder, files, platforms)
        each = [] if forced else each_a_device(outputs, platforms, device)
        if each:
            alone += named_apart(each, alone, folder)
            others += [o for o in outputs if o.kind == "unknown"]
        elif any(o.kind in ("output", "transcript", "missing") for o in outputs):
            snapshots[folder] = outputs
        else:
            others += outputs
    if alone and not snapshots:
        alone[0].outputs += others
        return Taken(alone, info)
    return Taken(arrange(snapshots, others, device, forced=forced) + alone, info)


def _case_file(found: list[Found]) -> Found | None:
    """The collector's case.yaml: at the top of the source, or of its one folder; deeper ones are the device's."""
    tops = {f.name.partition("/")[0] for f in found}
    places = {"case.yaml"} | ({f"{min(tops)}/case.yaml"} if len(tops) == 1 and tops != {"[root]"} else set())
    return next((f for f in found if f.name in places and not f.problem), None)


def _is_uac(found: list[Found]) -> bool:
    names = [f.name for f in found]
    return any(n.startswith(("live_response/", "[root]/")) or "/live_response/" in n for n in names)


def _uac_output(found: Found, platforms: Sequence[Platform]) -> Output:
    """A file of a UAC archive: `[root]/etc/passwd` is the device's file, others are outputs."""
    if "[root]/" in found.name:
        path = "/" + found.name.split("[root]/", 1)[1]
        for platform in platforms:
            stanza = platform.find_by_path(path)
            if stanza and not found.problem:
                return Output(found, "output", stanza.command, path=path)
        if not found.problem:
            return Output(found, "output", f"cat {path}", path=path)
    return _recognise(found, platforms)


def _folders(found: list[Found]) -> dict[str, list[Found]]:
    """The files of each folder. What an index names with its path below (`sub/ps.txt`) belongs to the folder of the index."""
    folders: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        folders[one.name.rpartition("/")[0]].append(one)
    for folder, files in sorted(folders.items()):
        index = _index_of(folder, files)
        for name in _index(index) or () if index is not None else ():
            path = f"{folder}/{name}".lstrip("/")
            below = path.rpartition("/")[0]
            if below == folder or below not in folders or _index_of(below, folders[below]) is not None:
                continue
            files += [f for f in folders[below] if f.name == path]
            folders[below] = [f for f in folders[below] if f.name != path]
    return {folder: files for folder, files in folders.items() if files}


def _index_of(folder: str, files: list[Found]) -> Found | None:
    return next((f for f in files if f.name == f"{folder}/index.json".lstrip("/") and not f.problem), None)


def _folder(folder: str, files: list[Found], platforms: Sequence[Platform]) -> list[Output]:
    index = _index_of(folder, files)
    if index is not None:
        listed = _index(index)
        if listed is not None:
            return [*_by_index(listed, [f for f in files if f is not index], index), Output(index, "index")]
    return [_recognise(f, platforms) for f in files]


_NO_COMMAND: dict[str, object] = {"reason": "its entry in the index names no command, or is there twice"}


def _index(found: Found) -> dict[str, dict[str, object]] | None:
    """File name -> what the index says of it; an entry that says nothing sure is kept as that."""
    if found.size > INDEX_CAP:
        return None
    try:
        loaded = json.loads(found.read(), object_pairs_hook=_said_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(loaded, dict):
        return None
    listed: dict[str, dict[str, object]] = {}
    for name, facts in loaded.items():
        if isinstance(facts, str):
            listed[name] = {"command": facts}
        else:
            listed[name] = facts if isinstance(facts, dict) and isinstance(facts.get("command"), str) else _NO_COMMAND
    return listed if any("command" in facts for facts in listed.values()) else None


def _said_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of the index; what it says twice it does not say."""
    count = Counter(name for name, _ in pairs)
    return {name: value if count[name] == 1 else None for name, value in pairs}


def _by_index(listed: dict[str, dict[str, object]], files: list[Found], index: Found) -> list[Output]:
    outputs: list[Output] = []
    present: dict[str, list[Found]] = defaultdict(list)  # an archive may hold two files of one name
    for file in files:
        present[file.name.removeprefix(index.name.removesuffix("index.json"))].append(file)
    for name, facts in listed.items():
        outputs += _listed(name, facts, present.pop(name, []), index)
    for found in chain(*present.values()):
        kind, log = _magic(found) or "output", _log_of(found)
        # no output of the device, and so in no index of them: a scan, a log of connections
        outputs.append(Output(found, "log", log) if log else Output(found, kind, status="not-read", reason="not in the index"))
    return outputs


def _listed(name: str, facts: dict[str, object], files: list[Found], index: Found) -> list[Output]:
    """What the index has under one name: its files, or that there are none."""
    if "command" not in facts:
        files = files or [replace(index, name=name, data=b"", problem="")]
        return [Output(f, "output", status="not-read", reason=str(facts["reason"])) for f in files]
    rc, when = facts.get("rc", facts.get("exit_status")), facts.get("time", facts.get("collected_at"))
    plain = Output(
        replace(index, name=name, data=b"", problem=""), "missing", storable(str(facts["command"])),
        exit_status=rc if isinstance(rc, int) and not isinstance(rc, bool) else None, collected_at=_when(when),
    )  # fmt: skip
    if not files:
        return [replace(plain, status="not-collected", reason="listed in the index, but there is no such file")]
    return [_with_problem(replace(plain, found=found, kind="output")) for found in files]


def _when(value: object) -> str | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC).isoformat()
        if isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _recognise(found: Found, platforms: Sequence[Platform]) -> Output:
    """What a file without an index is: by its first bytes, its name, its content."""
    magic = _magic(found)
    if found.problem and not (magic and found.file is not None):  # captures stay where they are, of any size
        return _with_problem(Output(found, "output"))
    if magic:
        return Output(found, magic)
    data = found.read()
    if archives.is_damaged(data):
        return Output(found, "unknown", status="garbled", reason="a damaged archive: nothing in it could be unpacked")
    if archives.is_archive(data):
        return Output(found, "unknown", status="not-read", reason="an archive inside the source: not unpacked, hunt it by itself")
    log = _log_of(found)
    if log:
        return Output(found, "log", log)
    name = found.name.rpartition("/")[2]
    stem = re.sub(r"\.(txt|log|out|raw|conf|cfg|stdout)$", "", name, flags=re.I)
    head = head_of(data)
    if platforms and looks_like_transcript(data, *(p.prompts for p in platforms)):
        return Output(found, "transcript", platform=_speaker(data, platforms))
    known = [(p, s) for p in platforms if (s := p.find_by_name(stem, head)) is not None]
    # a name may be known to several platforms; then the content says whose it is
    known.sort(key=lambda c: not (c[1].content and c[1].content.search(head)))
    if known:
        platform, stanza = known[0]
        return Output(found, "output", platform.spelled(stem, stanza), platform=platform.name)
    far = head_of(data, limit=FAR_LINES)
    for platform in platforms:
        by_content = platform.find_by_content(head) or platform.find_by_far_content(far)
        if by_content is not None:
            return Output(found, "output", by_content.command, platform=platform.name)
    if Path(found.name).name in ("site.yaml", "site.yml"):
        return Output(found, "unknown", status="not-read", reason="a site file explains nothing from here: give it with --site")
    return Output(found, "unknown", status="not-read", reason="not recognised: neither its name nor its content is known")


def _log_of(found: Found) -> str:
    """Which log of traffic a file is, or none."""
    if found.problem or _magic(found):
        return ""
    data = found.read()
    likely = data.lstrip()[:1] in (b"#", b"{", b"[", b"<") or data.startswith((b"open ", b"banner "))
    return _log(data, found.name) if likely else ""


def _log(data: bytes, name: str) -> str:
    """Which log of traffic (of Zeek, Suricata, a scanner) a text is, or none. Late: it is the only part that reads their fields."""
    from devicehunt.flows import logs

    return logs.sniff(data[: logs.HEAD], name)


def _speaker(data: bytes, platforms: Sequence[Platform]) -> str:
    """The platform whose commands a terminal log holds the most of; empty when none knows any."""
    blank = Section("", "", "", 0, "", b"")
    best, most = "", 0
    for platform in platforms:
        count = sum(1 for s in read_transcript(data, blank, platform.prompts) if s.command and platform.find(s.command))
        if count > most:
            best, most = platform.name, count
    return best


def _with_problem(output: Output) -> Output:
    if output.found.problem:
        output.status, output.reason = output.found.status or "not-read", output.found.problem
    return output


def _magic(found: Found) -> str:
    """capture, flow (nfcapd), or nothing of both. Captures that are packed stay packed."""
    head = found.capture_head(4)
    if head in archives.CAPTURES or (head == _ZSTD and re.search(r"\.(pcap|pcapng|cap)\d*\.zst$", found.name, re.I)):
        return "capture"
    return "flow" if head[:2] in _FLOW else ""


def put(case: Case, snapshot: Snapshot) -> None:
    """Store what the case does not have yet of one snapshot, in order of collection.

    The same files again are no new evidence, further files of the same collection join it; another
    collection of the same device becomes a snapshot of its own.
    """
    ordered = sorted(snapshot.outputs, key=lambda o: (o.kind == "index", o.collected_at or "~", o.found.name))
    marked = [(o, (shown(o.found.name), _digest(o))) for o in ordered]
    name, stored = _place(case, snapshot, marked)
    there = {(e.source, e.sha256) for e in stored}
    latest = max((e.collected_at for e in stored if e.collected_at), default="")
    number = len(stored)
    for output, mark in marked:
        if mark in there:
            continue
        there.add(mark)
        number += 1
        # rules tell by seq what came before what: an order that nobody noted is none
        timed = output.collected_at is not None and output.collected_at >= latest
        seq = number if timed or output.kind == "transcript" else 0
        entry, data = _entry(snapshot.device, name, number, seq, output)
        own = Path(entry.origin) if entry.origin else None
        if own and own.is_relative_to(case.path.resolve()):  # it came as a stream: the case may be moved
            entry = replace(entry, origin=own.relative_to(case.path.resolve()).as_posix())
        case.store(entry, data)


Mark = tuple[str, str]
"""What makes a file the same one in the next run: its name in the source, and its SHA-256."""


def _place(case: Case, snapshot: Snapshot, marked: list[tuple[Output, Mark]]) -> tuple[str, list[Entry]]:
    """The name of the snapshot that these outputs belong to, and what is stored of it."""
    marks = {m for _, m in marked}
    names = {m[0] for m in marks}
    commands = {o.command for o, _ in marked if o.command}
    logs = any(o.kind == "transcript" for o, _ in marked)
    name, count = snapshot.name, 1
    while True:
        stored = case.of(snapshot.device, name)
        there = {(e.source, e.sha256) for e in stored}
        others = [
            e for e in stored if (e.source, e.sha256) not in marks and e.kind != "index" and not (e.kind == "missing" and e.source in names)
        ]
        clash = any(e.source in names or e.command in commands or (logs and e.kind == "transcript") for e in others)
        if marks <= there or not clash:
            return name, stored
        count += 1
        name = str(count) if snapshot.name == "1" else f"{snapshot.name}-{count}"


def _digest(output: Output) -> str:
    if output.kind == "missing":
        return hashlib.sha256(b"").hexdigest()
    return output.found.sha256() if output.kind in ("capture", "flow") else output.found.sha256(archives.FILE_CAP)


def _entry(device: str, snapshot: str, number: int, seq: int, output: Output) -> tuple[Entry, bytes | None]:
    found = output.found
    name = slug(re.sub(r"\.txt$", "", found.name.rpartition("/")[2]))
    exhibit = f"{device}/{snapshot}/{number:02d}-{name}" + ("" if output.kind in ("capture", "flow") else ".txt")
    kind, data, origin = output.kind, None, ""
    if kind in ("capture", "flow") and found.file is not None:
        size, digest, origin = found.size, found.sha256(), str(found.file.resolve())
    elif kind == "missing":
        size, digest = 0, hashlib.sha256(b"").hexdigest()
    else:
        data = found.read()
        size, digest = len(data), hashlib.sha256(data).hexdigest()
    entry = Entry(
        exhibit, device, snapshot, seq, kind, output.command, size, digest,
        shown(found.name), now(), output.exit_status, output.collected_at, output.status,
        output.reason, output.path, output.platform, origin,
    )  # fmt: skip
    return entry, data


def devices(snapshots: Iterable[Snapshot]) -> list[str]:
    """The device names of some snapshots."""
    return sorted({s.device for s in snapshots})
