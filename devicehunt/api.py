"""The whole job as one call: sources -> case with findings, coverage and verdicts."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import __version__, bundle, data, intake, platforms, rules, site, tables
from devicehunt.case import Case, Entry, write
from devicehunt.engine import Hunt, pack_hash
from devicehunt.errors import CaseError, UsageError
from devicehunt.model import Section, Status
from devicehunt.parse import Parsed, head_of, parse
from devicehunt.platforms import Platform, Stanza
from devicehunt.text import shown
from devicehunt.transcript import read_transcript

if TYPE_CHECKING:
    import duckdb

PARALLEL_FROM = 8
"""Devices from which on a second process pays for its start."""
BATCH = 24
"""Devices a worker takes at a time: bounds its memory."""
Progress = Callable[[str, int, int], None]
CASE_KEYS = ("operator", "case_number", "device_owner", "authority", "scope")


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
    if case is None:
        import tempfile

        case = Path(tempfile.mkdtemp(prefix="devicehunt-")) / "case"
    job = Job(Case.open(Path(case)), Options(**options), progress or (lambda *_: None))
    job.take_in([Path(s) for s in sources])
    job.parse()
    job.hunt()
    return job.case


def take(sources: Sequence[str | Path], **options: Any) -> Case:
    """Evidence -> a temporary case with its tables; no rule is run. Raises as `hunt` does."""
    import tempfile

    job = Job(Case.open(Path(tempfile.mkdtemp(prefix="devicehunt-")) / "case"), Options(**options), lambda *_: None)
    job.take_in([Path(s) for s in sources])
    job.parse()
    return job.case


class Job:
    """The steps of a hunt over one case; each can be run again."""

    def __init__(self, case: Case, options: Options, progress: Progress) -> None:
        self.case, self.options, self._progress = case, options, progress
        self.site = site.load(options.site) if options.site else None
        wanted = [options.platform] if options.platform else platforms.names(options.parsers)
        self.platforms = {n: platforms.load(n, options.parsers) for n in wanted}
        self.rules = rules.load(options.rules)

    def take_in(self, sources: Sequence[Path]) -> None:
        """Store every file of the sources, hashed and journalled."""
        if not sources:
            raise UsageError("no source given")
        if len(sources) == 1 and (sources[0] / "evidence" / "data" / "journal.jsonl").is_file():
            if sources[0].resolve() != self.case.path.resolve():
                raise UsageError(f"{sources[0]} is a case: use `devicehunt report {sources[0]}` or -o {sources[0]}")
            return
        self._note_case()
        for number, taken in enumerate(intake.take(sources, list(self.platforms.values()), self.options.device), 1):
            self._progress("taking in", number, len(sources))
            for snapshot in taken.snapshots:
                intake.put(self.case, snapshot)

    def _note_case(self) -> None:
        info = site.read_yaml(self.options.case_info) if self.options.case_info else {}
        unknown = set(info) - set(CASE_KEYS)
        if unknown:
            raise UsageError(f"{self.options.case_info}: unknown keys {sorted(map(str, unknown))}; there are {', '.join(CASE_KEYS)}")
        facts: dict[str, Any] = {k: shown(str(v)) for k, v in info.items()}
        facts["devicehunt"] = __version__
        facts["rules"] = pack_hash(r.file for r in self.rules)
        facts["parsers"] = pack_hash(f for p in self.platforms.values() for f in p.folder.iterdir() if f.is_file())
        if self.options.site:
            facts["site_file"] = shown(self.options.site.name)
            facts["site_sha256"] = _file_hash(self.options.site)
        self.case.meta.update(facts)
        self.case.note("case", facts=facts)

    def parse(self) -> None:
        """Rebuild all tables from the evidence."""
        by_device: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.case.entries:
            by_device[entry.device].append(entry)
        _clear(self.case.tables)
        names = sorted(by_device)
        batches = [names[i : i + BATCH] for i in range(0, len(names), BATCH)]
        args = [
            (str(self.case.path), [e for d in batch for e in by_device[d]], list(self.platforms), self.options.parsers, f"{n:05d}")
            for n, batch in enumerate(batches)
        ]
        done = 0
        for batch, _ in zip(batches, self._run(args, len(names)), strict=True):
            done += len(batch)
            self._progress("parsing", done, len(names))

    def _run(self, args: list[tuple[Any, ...]], devices: int) -> Iterable[None]:
        jobs = self.options.jobs or os.cpu_count() or 1
        if devices < PARALLEL_FROM or jobs < 2 or len(args) < 2:
            return map(parse_batch, args)
        return _pooled(args, jobs)

    def hunt(self) -> duckdb.DuckDBPyConnection:
        """Run the rules over the tables, write findings and coverage; return the loaded tables."""
        from devicehunt.report import jsonl

        self._progress("hunting", 0, len(self.rules))
        facts = self.case.meta
        versions: dict[str, str] = {k: str(facts[k]) for k in ("devicehunt", "rules", "parsers") if k in facts}
        run = Hunt(
            self.case, self.platforms, self.rules, self.site, device_platform=self._device_platforms(), versions=versions
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


def _pooled(args: list[tuple[Any, ...]], jobs: int) -> Iterable[None]:
    """Parse in worker processes; without them (no semaphores, no spawn) in this one."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    try:
        pool = ProcessPoolExecutor(min(jobs, len(args)), mp_context=multiprocessing.get_context("spawn"))
    except (OSError, ImportError):
        yield from map(parse_batch, args)
        return
    with pool:
        yield from pool.map(parse_batch, args)


def recognise(entries: Iterable[Entry], known: dict[str, Platform]) -> dict[str, Platform]:
    """Device -> the platform that knows the most of its outputs; devices that none knows are absent.

    A vote a command that a platform knows, and one for what intake found by name or content.
    """
    votes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        for name, platform in known.items():
            if entry.command and platform.find(entry.command):
                votes[entry.device][name] += 1
        if entry.platform in known:
            votes[entry.device][entry.platform] += 1
    return {d: known[max(sorted(v), key=lambda n: v[n])] for d, v in votes.items()}


def parse_batch(args: tuple[str, list[Entry], list[str], tuple[Path, ...], str]) -> None:
    """Parse the exhibits of some devices and write one part of every table."""
    path, entries, names, extra, part = args
    case = Case(Path(path))
    known = {n: platforms.load(n, extra) for n in names}
    found = recognise(entries, known)
    loader = tables.Loader()
    for entry in entries:
        platform = found.get(entry.device)
        for section in sections(case, entry, platform):
            loader.add(read(section, platform, next(iter(known.values()))))
    try:
        loader.finish(case.tables, part)
    except Exception as error:
        import duckdb

        if isinstance(error, duckdb.IOException | OSError):
            raise CaseError(f"cannot write the tables: {str(error).splitlines()[0]}") from error
        raise


def sections(case: Case, entry: Entry, platform: Platform | None) -> list[Section]:
    """The outputs inside an exhibit: one, or those of a transcript."""
    blank = Section(
        entry.exhibit, entry.device, entry.snapshot, entry.seq, entry.command or "", b"",
        exit_status=entry.exit_status, collected_at=entry.collected_at,
        status=Status(entry.status) if entry.status else None, reason=entry.reason, path=entry.path,
    )  # fmt: skip
    if entry.kind in ("reference", "missing"):
        return [blank]
    data = case.read(entry.exhibit)
    if entry.kind == "transcript":
        prompts = platform.prompts if platform else ()
        return read_transcript(data, blank, prompts)
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


def _clear(folder: Path) -> None:
    import shutil

    if folder.is_dir():
        shutil.rmtree(folder)


def _file_hash(path: Path) -> str:
    from devicehunt.case import sha256_of

    return sha256_of(path)


__all__ = ["Job", "Options", "data", "hunt", "write"]
