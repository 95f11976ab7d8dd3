"""The whole job as one call: sources -> case with findings, coverage and verdicts."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import __version__, bundle, data, database, intake, platforms, rules, site, spool, tables, vantage
from devicehunt.case import JOURNAL, Case, Entry, write
from devicehunt.engine import Hunt, pack_hash
from devicehunt.errors import CaseError, UsageError
from devicehunt.model import Section, Status
from devicehunt.parse import Parsed, head_of, parse
from devicehunt.platforms import Platform, Stanza
from devicehunt.text import shown
from devicehunt.transcript import read_transcript

if TYPE_CHECKING:
    import duckdb

    from devicehunt.indicators import Lists

PARALLEL_FROM = 8
"""Devices from which on a second process pays for its start."""
BATCH = 24
"""Devices a worker takes at a time: bounds its memory."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What a hunt may be told besides its sources."""

    device: str | None = None
    platform: str | None = None
    site: Path | None = None
    case_info: Path | None = None
    parsers: tuple[Path, ...] = ()
    rules: tuple[Path, ...] = ()
    jobs: int | None = None
    device_ip: tuple[str, ...] = ()  # addresses of the device itself, where its evidence does not tell them
    indicators: tuple[Path, ...] = ()  # lists of values that somebody published as bad
    vantage: tuple[str, ...] = ()  # where captures were taken: wan, lan, any; or FILE=wan


def hunt(
    sources: Sequence[str | Path],
    *,
    case: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Case:
    """Take sources in, parse them, run the rules and write the report; return the case.

    `case` is the folder to write (a new temporary one when not given). `options` are those of
    Options. Raises UsageError for a wrong call and CaseError when the case cannot be written;
    what a device wrote never raises.
    """
    from devicehunt import show

    if case is None:
        import tempfile

        case = Path(tempfile.mkdtemp(prefix="devicehunt-")) / "case"
    job = Job(Case.open(Path(case)), Options(**options), progress or (lambda *_: None))
    with job.case.writing():
        job.take_in([Path(s) for s in sources])
        job.parse()
        show.write_page(job.case, show.result(job.case, job.hunt(), job.rules))
    return job.case


def gather(sources: Sequence[Path], scratch: Path) -> list[tuple[Case, duckdb.DuckDBPyConnection, str]]:
    """Each source as a case of its own below `scratch`, with its tables, and what device names begin with in them.

    No rule is run. Few devices are read into one database, without a detour over files. Raises as `hunt` does.
    """
    from devicehunt.engine import facts, lock

    # the names of platforms are read while the database is made
    loader = tables.Loader(keys=False)
    jobs = [Job(Case.open(scratch / str(n)), Options(), lambda *_: None, hunting=False) for n in range(len(sources))]
    for job, source in zip(jobs, sources, strict=True):
        job.store([source])
    if len({(n, e.device) for n, job in enumerate(jobs) for e in job.case.entries}) > BATCH:
        for job in jobs:
            job.parse()
        return [(job.case, facts(job.case), "") for job in jobs]
    for number, job in enumerate(jobs):
        named = [replace(e, device=f"{number}:{e.device}") for e in job.case.entries]
        _load(loader, job.case, named, job.platforms)
    loader.convert()
    lock(loader.con)
    return [(job.case, loader.con, f"{number}:") for number, job in enumerate(jobs)]


class Job:
    """The steps of a hunt over one case; each can be run again."""

    def __init__(self, case: Case, options: Options, progress: Progress, *, hunting: bool = True) -> None:
        self.case, self.options, self._progress = case, options, progress
        self._connection = database.connect_beside() if hunting else None
        self.site = site.load(options.site) if options.site else None
        self.lists = _lists(options.indicators) if hunting else None
        wanted = [options.platform] if options.platform else platforms.names(options.parsers)
        self.platforms = {n: platforms.load(n, options.parsers) for n in wanted}
        self.rules = rules.load(options.rules) if hunting else []

    def take_in(self, sources: Sequence[Path]) -> None:
        """Store every file of the sources, hashed and journalled."""
        if not sources:
            raise UsageError("no source given")
        sources = spool.keep(sources, self.case.path)
        if len(sources) == 1 and is_case(sources[0]) and sources[0].resolve() == self.case.path.resolve():
            self.note()
            return
        for source in filter(is_case, sources):
            name = shown(str(source))
            raise UsageError(f"{name} is a case: use `devicehunt report {name}`, or `devicehunt hunt {name}` alone")
        intake.check(sources)
        self.note(self._case_info())
        said = self.store(sources)
        # what the user gave by hand stands above what lay beside the outputs
        self.note({k: "; ".join(sorted(v)) for k, v in said.items()} | self._case_info())
        vantage.check(self.case)

    def store(self, sources: Sequence[Path]) -> dict[str, set[str]]:
        """Put the files of the sources into the case; what a case.yaml among them says."""
        intake.check(sources)
        said: dict[str, set[str]] = defaultdict(set)
        taking = intake.take(sources, list(self.platforms.values()), self.options.device, self.case.path, settled=self._device_platforms())
        for number, taken in enumerate(taking, 1):
            self._progress("taking in", number, len(sources))
            for snapshot in taken.snapshots:
                intake.put(self.case, snapshot)
            for key, value in taken.case_info.items():
                said[key].add(value)
        return said

    def _case_info(self) -> dict[str, str]:
        path = self.options.case_info
        return site.case_info(site.read_yaml(path), str(path)) if path else {}

    def note(self, info: dict[str, str] | None = None) -> None:
        """Write to the journal who hunts, with which rules, parsers and site file, where it says so not yet."""
        owner = self.options.site
        self.note_parsers({
            **(info or {}),
            **({"device_ip": _addresses(self.options.device_ip)} if self.options.device_ip else {}),
            **vantage.facts(self.options.vantage, str({**self.case.meta, **(info or {})}.get("operator", ""))),
            **({"indicators": self.lists.facts() if self.lists else []} if self.lists or self.case.meta.get("indicators") else {}),
            "rules": pack_hash(r.file for r in self.rules),
            "site_file": shown(owner.name) if owner else "",
            "site_sha256": _file_hash(owner) if owner else "",
        })  # fmt: skip

    def note_parsers(self, facts: dict[str, Any] | None = None) -> None:
        """The same of a parse alone."""
        files = (f for p in self.platforms.values() for f in p.folder.iterdir() if f.is_file())
        facts = {**(facts or {}), "devicehunt": __version__, "parsers": pack_hash(files)}
        if any(self.case.meta.get(k, "") != v for k, v in facts.items()):
            self.case.note("case", facts=facts)
            self.case.meta.update(facts)

    def parse(self) -> None:
        """Rebuild all tables from the evidence; the old ones stay until all the new ones are there."""
        made = self.case.path / "tables.new"
        _clear(made)
        try:
            made.mkdir(parents=True)
            self._parse_into(made)
            _clear(self.case.tables)
            made.replace(self.case.tables)
        except OSError as error:
            raise CaseError(f"cannot write the tables: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                _clear(made)

    def _parse_into(self, folder: Path) -> None:
        by_device: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.case.entries:
            by_device[entry.device].append(entry)
        names = sorted(by_device)
        batches = [names[i : i + BATCH] for i in range(0, len(names), BATCH)]
        paths, names_known = (str(self.case.path), str(folder)), list(self.platforms)
        args = [
            (*paths, [e for d in batch for e in by_device[d]], names_known, self.options.parsers, f"{n:05d}")
            for n, batch in enumerate(batches)
        ]
        done = 0
        for batch, _ in zip(batches, self._run(args, len(names)), strict=True):
            done += len(batch)
            self._progress("parsing", done, len(names))

    def _run(self, args: list[tuple[Any, ...]], devices: int) -> Iterable[None]:
        jobs = self.options.jobs or os.cpu_count() or 1
        if devices < PARALLEL_FROM or jobs < 2 or len(args) < 2:
            return map(partial(parse_batch, progress=self._progress), args)
        return _pooled(args, jobs)

    def hunt(self) -> duckdb.DuckDBPyConnection:
        """Run the rules over the tables, write findings and coverage; return the loaded tables."""
        from devicehunt.report import jsonl

        self._progress("hunting", 0, len(self.rules))
        connection, self._connection = self._connection, None
        facts = self.case.meta
        versions: dict[str, str] = {k: str(facts[k]) for k in ("devicehunt", "rules", "parsers") if k in facts}
        run = Hunt(
            self.case,
            self.platforms,
            self.rules,
            self.site,
            device_platform=self._device_platforms(),
            versions=versions,
            connection=connection,
            lists=self.lists,
        )
        run.run()
        self._progress("hunting", len(self.rules), len(self.rules))
        jsonl.write_findings(self.case.path / "findings.jsonl", self.case.findings)
        jsonl.write_coverage(self.case.path / "coverage.jsonl", self.case.coverage)
        return run.con

    def _device_platforms(self) -> dict[str, str]:
        """Which platform reads most of a device's outputs."""
        found = recognise(self.case.entries, self.platforms)
        return {device: platform.name for device, platform in found.items()}


def _lists(paths: Sequence[Path]) -> Lists | None:
    """Lists of indicators, read; nothing of it is loaded where none is given."""
    if not paths:
        return None
    from devicehunt import indicators

    return indicators.read(paths)


def _addresses(given: Iterable[str]) -> str:
    """Addresses in their one spelling, parted by blanks; UsageError for what is none."""
    try:
        return " ".join(sorted({str(ipaddress.ip_address(text)) for text in given}))
    except ValueError as error:
        raise UsageError(f"--device-ip: {error}") from error


def _pooled(args: list[tuple[Any, ...]], jobs: int) -> Iterable[None]:
    """Parse in worker processes; without them (no semaphores, no spawn) in this one."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    try:
        pool = ProcessPoolExecutor(min(jobs, len(args)), context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    except (OSError, ImportError):
        yield from map(parse_batch, args)
        return
    try:
        with _no_main(), _no_interrupt():
            waiting = pool.map(parse_batch, args)
        yield from waiting
    except BrokenProcessPool as error:
        raise CaseError("a process that parses was ended from outside (out of memory?); try --jobs 1") from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Workers that start here inherit it: Ctrl-C while they are still loading is the parent's to answer."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Hide the program that calls us from the workers: they would run a script without a main guard again."""
    main = sys.modules["__main__"]
    kept: dict[str, Any] = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(kept)


def recognise(entries: Sequence[Entry], known: dict[str, Platform]) -> dict[str, Platform]:
    """Device -> the platform that knows the most of its outputs; devices that none knows are absent.

    A vote a command that a platform knows, and one for what intake found by name or content.
    """
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        votes[entry.device].update(platforms.knowing(entry.command, entry.platform, known.values()))
    found = {d: known[max(sorted(v), key=lambda n: v[n])] for d, v in votes.items() if v}
    if len(known) == 1:  # the caller named it, so it reads what nothing here recognises too
        found |= dict.fromkeys({e.device for e in entries} - found.keys(), next(iter(known.values())))
    return found


def parse_batch(args: tuple[str, str, list[Entry], list[str], tuple[Path, ...], str], progress: Progress | None = None) -> None:
    """Parse the exhibits of some devices and write one part of every table."""
    path, folder, entries, names, extra, part = args
    case = Case(Path(path))
    known = {n: platforms.load(n, extra) for n in names}
    loader = tables.Loader()
    _load(loader, case, entries, known, progress)
    try:
        loader.finish(Path(folder), part)
    except Exception as error:
        import duckdb

        if isinstance(error, duckdb.IOException | OSError):
            raise CaseError(f"cannot write the tables: {str(error).splitlines()[0]}") from error
        raise


def _load(loader: tables.Loader, case: Case, entries: list[Entry], known: dict[str, Platform], progress: Progress | None = None) -> None:
    """Read the exhibits of a case into a loader."""
    found = recognise(entries, known)
    for members in _captures(case, entries):
        names = shown(members[0][0].source, 60) + (f" and {len(members) - 1} more" if len(members) > 1 else "")
        loader.take_captures(members, partial(progress, f"reading {names}: bytes") if progress else None)
    for entry in _in_order(entries):
        platform = found.get(entry.device)
        if entry.kind == "capture":
            continue
        if entry.kind in ("flow", "log"):
            ends = entry.kind == "log" and not any(e.command in ("zeek", "zeek-conn") and e.device == entry.device for e in entries)
            loader.take(entry, case.traffic(entry), ends=ends)
            continue
        for section in sections(case, entry, platform):
            loader.add(read(section, platform, next(iter(known.values()))))


def _captures(case: Case, entries: list[Entry]) -> list[list[tuple[Entry, Path]]]:
    """The captures of each snapshot; the files of a rotated set together."""
    from devicehunt.flows import sets

    by_place: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.kind == "capture":
            by_place[entry.device, entry.snapshot].append(entry)
    found = []
    for mine in by_place.values():
        files = [(entry, case.traffic(entry)) for entry in mine]
        named = [(f"{path.parent if e.origin else ''}/{e.source}", path) for e, path in files]  # of one folder, wherever that was
        found += [[files[at] for at in members] for members in sets.groups(named)]
    return found


def _in_order(entries: list[Entry]) -> list[Entry]:
    """Entries in their order, but that a log which others stand on (certificates) comes before them."""
    return sorted(entries, key=lambda e: e.kind == "log" and e.command != "zeek-x509")


def sections(case: Case, entry: Entry, platform: Platform | None) -> list[Section]:
    """The outputs inside an exhibit: one, or those of a transcript."""
    blank = Section(
        entry.exhibit, entry.device, entry.snapshot, entry.seq, entry.command or "", b"",
        exit_status=entry.exit_status, collected_at=entry.collected_at,
        status=Status(entry.status) if entry.status else None, reason=entry.reason, path=entry.path,
    )  # fmt: skip
    if entry.kind == "index":
        return []  # it says what the others are
    if entry.kind == "missing":
        return [blank]
    data = case.read(entry.exhibit)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise CaseError(f"{entry.exhibit} was changed: its SHA-256 is not the journal's; run `devicehunt verify {case.path}`")
    if entry.kind == "transcript":
        if platform is None:
            return read_transcript(data, blank, ())
        return read_transcript(data, blank, platform.prompts, platform.console.quiet if platform.console else None)
    whole = replace(blank, data=data)
    stanza = _stanza(whole, platform)
    return bundle.split(whole, stanza.split) if stanza and stanza.split else [whole]


def read(section: Section, platform: Platform | None, fallback: Platform) -> Parsed:
    """Find the stanza for a section and read it."""
    if platform is None:
        return parse(section, None, fallback)
    return parse(section, _stanza(section, platform), platform)


def _stanza(section: Section, platform: Platform | None) -> Stanza | None:
    """What reads this output: by the path of the file that it is, else by its command."""
    if platform is None or section.status not in _HAS_CONTENT:
        return None
    found = platform.find_by_path(section.path) if section.path else None
    head = head_of(section.data, platform.encoding)
    return found or (platform.find(section.command, head) if section.command else None)


_HAS_CONTENT = (None, Status.COMPLETE, Status.CUT, Status.LOST, Status.LATE_DATA, Status.NOT_COLLECTED)


def is_case(path: Path) -> bool:
    """Whether a folder is a case."""
    return (path / JOURNAL).is_file()


def _clear(folder: Path) -> None:
    import shutil

    if folder.is_dir():
        shutil.rmtree(folder)


def _file_hash(path: Path) -> str:
    from devicehunt.case import sha256_of

    return sha256_of(path)


__all__ = ["Job", "Options", "data", "hunt", "write"]
