"""A case: the evidence as it arrived, its journal, and what was derived from it.

Each journal line holds the SHA-256 of the line before, so that a line changed, removed or added
later shows. Evidence is written once and never touched again; everything else can be rebuilt.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt.errors import CaseError
from devicehunt.model import Coverage, Finding, Status, Verdict

if TYPE_CHECKING:
    import duckdb

JOURNAL = Path("evidence") / "data" / "journal.jsonl"
FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal line about one exhibit. `kind`: output, transcript, capture or flow (with `origin` its bytes stay
    outside, there), index (what a collector said of its files), or missing (an output that should be there and is
    not; no bytes)."""

    exhibit: str
    device: str
    snapshot: str
    seq: int
    kind: str
    command: str | None
    size: int
    sha256: str
    source: str
    received_at: str
    exit_status: int | None = None
    collected_at: str | None = None
    status: str | None = None
    reason: str = ""
    path: str = ""
    platform: str = ""  # which one intake recognised it for
    origin: str = ""  # where a file lies that is too large to be copied; relative: in the case itself


_TYPES: dict[str, Any] = {
    **dict.fromkeys(("exhibit", "device", "snapshot", "kind", "sha256", "source", "received_at"), str),
    **dict.fromkeys(("reason", "path", "platform", "origin"), str),
    **dict.fromkeys(("command", "collected_at", "status"), str | None),
    **dict.fromkeys(("seq", "size"), int), "exit_status": int | None,
}  # fmt: skip


@dataclass
class Case:
    """A case folder. `findings`, `coverage` and `verdicts` are filled by a hunt."""

    path: Path
    entries: list[Entry] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    head: str = FIRST

    @classmethod
    def open(cls, path: Path) -> Case:
        """Open a case folder, or begin one where there is none; CaseError when it cannot be used."""
        case = cls(path)
        if case.journal.is_file():
            problems = case._load()
            if problems:
                raise CaseError(f"{path}: {problems[0]}; run `devicehunt verify {path}`")
        elif path.exists() and (not path.is_dir() or any(not p.is_dir() for p in path.rglob("*"))):
            # folders alone are what a full disk leaves of a case
            raise CaseError(f"{path} exists and is not a case; choose another -o")
        return case

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the case for ourselves; CaseError while somebody else writes to it: two would part the chain."""
        made = not self.path.exists()
        with contextlib.ExitStack() as held:
            held.callback(self._unmade, made)
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                held.enter_context(_locked(self.path))
            except BlockingIOError as error:
                raise CaseError(f"{self.path}: another devicehunt is writing to this case; wait until it has ended") from error
            except OSError as error:
                raise CaseError(f"cannot write {self.path}: {error.strerror or error}") from error
            if _last_line(self.journal) != self.head:
                raise CaseError(f"{self.path}: another devicehunt wrote to this case just now; run the same command again")
            yield

    def _unmade(self, made: bool) -> None:
        """A folder that was made for nothing goes again."""
        if made:
            with contextlib.suppress(OSError):
                self.path.rmdir()

    @property
    def journal(self) -> Path:
        """The journal file."""
        return self.path / JOURNAL

    @property
    def tables(self) -> Path:
        """The folder of derived tables."""
        return self.path / "tables"

    def file(self, exhibit: str) -> Path:
        """Where the bytes of an exhibit lie."""
        return self.path / "evidence" / "data" / exhibit

    def traffic(self, entry: Entry) -> Path:
        """Where a capture lies: in the case, or where it was found. Never read as text: a journal is not trusted."""
        return self.path / entry.origin if entry.origin else self.file(entry.exhibit)

    def has(self, exhibit: str, sha256: str) -> bool:
        """Whether this exhibit is stored with these bytes; CaseError when with other bytes."""
        for entry in self._index().get(exhibit, ()):
            if entry.sha256 == sha256:
                return True
            raise CaseError(f"{exhibit} is in this case already with other bytes; choose another -o")
        return False

    def _index(self) -> dict[str, list[Entry]]:
        if len(self._known) != len(self.entries):
            self._known = {}
            for entry in self.entries:
                self._known.setdefault(entry.exhibit, []).append(entry)
        return self._known

    def of(self, device: str, snapshot: str) -> list[Entry]:
        """What is stored of one snapshot."""
        if self._counted != len(self.entries):
            self._places, self._counted = {}, len(self.entries)
            for entry in self.entries:
                self._places.setdefault((entry.device, entry.snapshot), []).append(entry)
        return list(self._places.get((device, snapshot), ()))

    _counted: int = field(default=0, repr=False)
    _places: dict[tuple[str, str], list[Entry]] = field(default_factory=dict, repr=False)
    _known: dict[str, list[Entry]] = field(default_factory=dict, repr=False)

    def store(self, entry: Entry, data: bytes | None) -> None:
        """Write the bytes (once), then the journal line. ENOSPC and the like raise CaseError."""
        if self.has(entry.exhibit, entry.sha256):
            return
        with _uninterrupted():
            try:
                if data is not None:
                    write(self.file(entry.exhibit), data)
                self._append(asdict(entry))
            except OSError as error:
                # bytes that the journal does not vouch for are no evidence
                with contextlib.suppress(OSError):  # the first error is the one to tell
                    self.file(entry.exhibit).unlink(missing_ok=True)
                raise CaseError(f"cannot write {entry.exhibit}: {error.strerror or error}") from error
            self.entries.append(entry)
            self._known.setdefault(entry.exhibit, []).append(entry)
            if self._counted == len(self.entries) - 1:
                self._places.setdefault((entry.device, entry.snapshot), []).append(entry)
                self._counted += 1

    def note(self, what: str, **facts: Any) -> None:
        """Add a journal line that is about the case itself (who, which authority, which versions)."""
        with _uninterrupted():
            try:
                self._append({"kind": "note", "what": what, **facts})
            except OSError as error:
                raise CaseError(f"cannot write the journal: {error.strerror or error}") from error

    def _append(self, facts: dict[str, Any]) -> None:
        line = json.dumps({**facts, "previous": self.head}, sort_keys=True).encode()
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        before = self.journal.stat().st_size if self.journal.exists() else 0
        try:
            with self.journal.open("ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # half a line would break the chain for what is stored already
            if self.journal.exists():
                os.truncate(self.journal, before)
            raise
        self.head = hashlib.sha256(line).hexdigest()

    def read(self, exhibit: str) -> bytes:
        """The exact bytes of an exhibit."""
        return self.file(exhibit).read_bytes()

    def _load(self) -> list[str]:
        """Read the journal; return what is wrong with its chain."""
        problems: list[str] = []
        self.entries, self.head = [], FIRST
        written = self.journal.read_bytes()
        for number, line in enumerate(written.split(b"\n")[:-1], 1):
            try:
                facts = json.loads(line)
                previous = facts.pop("previous")
                self._take(facts)
            except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
                problems.append(f"journal line {number} is not readable")
                continue
            if previous != self.head:
                problems.append(f"journal line {number} does not follow the line before it")
            self.head = hashlib.sha256(line).hexdigest()
        if written and not written.endswith(b"\n"):
            problems.append("the journal ends in the middle of a line")
        return problems

    def _take(self, facts: dict[str, Any]) -> None:
        """Keep what a journal line says; TypeError or ValueError when it says nothing that we know."""
        if facts.get("kind") != "note":
            entry = Entry(**facts)
            if not all(isinstance(getattr(entry, name), kinds) for name, kinds in _TYPES.items()):
                raise TypeError("not an entry")
            Status(entry.status or Status.COMPLETE)
            datetime.fromisoformat(entry.collected_at or entry.received_at)
            if entry.exhibit.startswith("/") or "\\" in entry.exhibit or ".." in entry.exhibit.split("/"):
                raise ValueError("an exhibit outside the case")  # a case is handed on: its journal is not trusted
            self.entries.append(entry)
        elif facts.get("what") == "case":
            self.meta.update(facts["facts"])

    def verify(self) -> list[str]:
        """Check the journal's chain and the hash of every exhibit; return the problems found."""
        problems = self._load()
        for entry in self.entries:
            if entry.kind in ("reference", "missing"):
                continue
            path = self.traffic(entry)
            if not path.is_file():
                problems.append(f"{entry.exhibit} is missing" + (f": it lay at {entry.origin}" if entry.origin else ""))
            elif sha256_of(path) != entry.sha256:
                problems.append(f"{entry.exhibit} was changed: its SHA-256 is not the journal's")
        stored = {e.exhibit for e in self.entries}
        root = self.path / "evidence" / "data"
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and name != "journal.jsonl" and name not in stored:
                problems.append(f"{name} is not in the journal")
        return problems

    def query(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run one SELECT over the tables and return the executed cursor."""
        from devicehunt.engine import open_tables

        return open_tables(self).execute(sql)

    def snapshots(self) -> Iterator[tuple[str, str]]:
        """All (device, snapshot), in order."""
        yield from sorted({(e.device, e.snapshot) for e in self.entries})


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder while the process lives; BlockingIOError when it is locked. Without locks there is none."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # a file system that knows no locks
        yield
    finally:
        os.close(handle)


def _last_line(journal: Path) -> str:
    """The SHA-256 of a journal's last line."""
    if not journal.is_file():
        return FIRST
    lines = journal.read_bytes().split(b"\n")[:-1]
    return hashlib.sha256(lines[-1]).hexdigest() if lines else FIRST


def now() -> str:
    """The current time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until evidence and journal agree again; then it is Ctrl-C as before."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield  # somebody else decides what Ctrl-C does; only the main thread may change it
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if came:
        raise KeyboardInterrupt


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: beside its place first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            part.unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
