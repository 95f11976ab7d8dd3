"""What was read of a list: entries in Parquet files of a temporary folder, and the count of everything else."""

from __future__ import annotations

import shutil
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from devicehunt.errors import CaseError
from devicehunt.indicators.values import NO_VALUE, RefusedError, Value, guess, of_kind, settings
from devicehunt.text import shown

if TYPE_CHECKING:
    import duckdb

BATCH = 100_000
SAID = 12
"""Entries that were not taken and are named, of a list; all are counted."""


class About(NamedTuple):
    """What a list says of an entry. Times: microseconds since 1970; confidence: 0 to 100."""

    line: int | None = None
    object: str | None = None
    name: str | None = None
    first: int | None = None
    last: int | None = None
    until: int | None = None
    confidence: int | None = None

    @property
    def where(self) -> str:
        """The place in the list, for people."""
        return f"line {self.line}" if self.line else shown(self.object or "?", 60)


@dataclass
class Source:
    """One list. `kinds` counts values by kind; `left` what was not taken, by reason."""

    name: str
    sha256: str
    form: str = ""
    entries: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """What was not taken, in one line; empty where all was."""
        return f"{self.name}: {_left(self.left, self.said)}" if self.left else ""


def _left(left: Mapping[str, int], said: Sequence[str]) -> str:
    counts = ", ".join(f"{n} {why}" for why, n in sorted(left.items()))
    more = sum(left.values()) - len(said)
    return f"not compared: {counts} ({'; '.join(said)}{f'; and {more} more' if more > 0 else ''})"


def sentences(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the journal keeps of lists, for people."""
    return [
        f"{f['name']} (SHA-256 {f['sha256']}): {f['entries']} entries" + (f"; {_left(f['left'], f['said'])}" if f["left"] else "")
        for f in facts
    ]


class Sink:
    """Takes the entries of one list."""

    def __init__(self, source: Source, folder: Path, number: int) -> None:
        self.source = source
        self._folder, self._number = folder, number
        self._rows: list[tuple[Any, ...]] = []
        self._parts = 0
        self._con: duckdb.DuckDBPyConnection | None = None

    def add(self, about: About, values: Iterable[Value]) -> None:
        """Keep the values of one entry."""
        self.source.entries += 1
        for value in values:
            self.source.kinds[value.kind] += 1
            self._rows.append((*value, *about))
        if len(self._rows) >= BATCH:
            self.flush()

    def leave(self, about: About, reason: str, text: str = "") -> None:
        """Count an entry that is not compared, and name the first ones."""
        self.source.left[reason] += 1
        if len(self.source.said) < SAID:
            self.source.said.append(f"{about.where}{': ' + shown(text, 60) if text else ''}")

    def take(self, about: About, text: str, kind: str = "") -> None:
        """Read a value, of a kind or by its look, and keep it or count why not."""
        try:
            values: Sequence[Value] = (of_kind(kind, text),) if kind else guess(text)
        except RefusedError as error:
            self.leave(about, f"refused ({error})", text)
        except ValueError as error:
            self.leave(about, f"not read ({error or NO_VALUE})", text)
        else:
            self.add(about, values)

    def flush(self) -> None:
        """Write what waits."""
        if not self._rows:
            return
        import duckdb
        import numpy as np

        self._con = self._con or duckdb.connect(":memory:", config={"threads": 1})
        columns: dict[str, Any] = {}
        for name, values, integer in zip(_COLUMNS, zip(*self._rows, strict=True), _INTEGER, strict=True):
            if integer:
                columns[name] = np.ma.masked_array([v or 0 for v in values], [v is None for v in values], dtype=np.int64)
            else:
                columns[name] = np.array(values, dtype=object)
        self._rows.clear()
        path = self._folder / f"{self._number:03d}-{self._parts:05d}.parquet"
        self._parts += 1
        self._con.register("batch", columns)
        try:
            self._con.execute(f"copy (select {_PICKED} from batch) to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet)")
        except (duckdb.IOException, OSError) as error:
            raise CaseError(f"cannot keep the list {self.source.name}: {str(error).splitlines()[0]}") from error
        finally:
            self._con.unregister("batch")

    def close(self) -> None:
        """Write the rest and let go."""
        self.flush()
        if self._con:
            self._con.close()


_COLUMNS = ("kind", "value", "first_key", "last_key", "port", "line", "object", "name", "first_at", "last_at", "until", "confidence")
_INTEGER = tuple(c in ("port", "line", "first_at", "last_at", "until", "confidence") for c in _COLUMNS)
_TYPES = ["bigint" if integer else "blob" if c.endswith("_key") else "varchar" for c, integer in zip(_COLUMNS, _INTEGER, strict=True)]
_PICKED = ", ".join(f"{c}::{kind} as {c}" for c, kind in zip(_COLUMNS, _TYPES, strict=True))


@dataclass
class Lists:
    """All lists of a hunt, read. `folder` goes with it."""

    sources: list[Source]
    folder: Path

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def kinds(self) -> Counter[str]:
        """How many values there are of each kind."""
        return sum((s.kinds for s in self.sources), Counter())

    def facts(self) -> list[dict[str, Any]]:
        """What the journal keeps."""
        return [
            {"name": s.name, "sha256": s.sha256, "form": s.form, "entries": s.entries, "kinds": dict(sorted(s.kinds.items())),
             "left": dict(sorted(s.left.items())), "said": s.said}
            for s in self.sources
        ]  # fmt: skip

    def notes(self) -> tuple[str, ...]:
        """What a reader of a check must know: which lists it stands on, and what of them was not compared."""
        read = [f"list {s.name}: {s.entries} entries" for s in self.sources]
        return (*read, *filter(None, (s.sentence() for s in self.sources)))


@lru_cache(4096)
def when(text: str) -> int | None:
    """A time as lists write them -> microseconds since 1970; None for none, or one that nobody can mean."""
    text = text.strip().strip('"').removesuffix(" UTC").removesuffix(" utc")
    try:
        moment = datetime.fromtimestamp(float(text), UTC) if _digits(text) else datetime.fromisoformat(text)
        at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        micros = int(at.timestamp()) * 1_000_000 + at.microsecond
    except (ValueError, OverflowError, OSError):
        return None
    return micros if 0 < micros < 4_102_444_800_000_000 else None  # 1970 is what a clock says that knows nothing; until 2100


def _digits(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit() and 9 <= len(text.partition(".")[0]) <= 10


def confidence(value: Any) -> int | None:
    """0 to 100, or a word for it; None for anything else."""
    if isinstance(value, str):
        value = settings()["confidence_words"].get(value.strip().lower(), value.strip().removesuffix("%"))
    try:
        number = int(float(value)) if not isinstance(value, bool) else -1
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number <= 100 else None


