"""What a comparison says, and the sides that it is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from devicehunt.case import Case
from devicehunt.model import Evidence

if TYPE_CHECKING:
    import duckdb

KINDS = ("persists", "added", "changed", "removed", "cannot-say")
"""How a thing differs; `persists` is used for findings only: what was found before is still there."""
NOTHING = "(none)"
"""A value that one side's command showed as absent."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` hold the values of each side, with the line behind them."""

    kind: str
    what: str
    device: str
    name: str
    key: dict[str, str]
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    evidence_before: Evidence | None = None
    evidence_after: Evidence | None = None
    reason: str = ""
    rank: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences of two sides, most important first, and what could not be held against each other.

    `alone` names devices that only one side has, `unseen` what one side did not show, `notes` what was not asked.
    """

    changes: tuple[Change, ...]
    pairs: tuple[tuple[str, str], ...]
    alone: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def differs(self) -> bool:
        """Whether anything was added, removed or changed, or cannot be said of one side."""
        return any(c.kind != "persists" for c in self.changes) or bool(self.alone)


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """One open side: its case, and the database with its tables, where device names begin with `prefix`."""

    case: Case
    con: duckdb.DuckDBPyConnection
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One snapshot of one device."""

    book: Book
    device: str
    snapshot: str

    @property
    def title(self) -> str:
        """How the side is called in messages."""
        return f"{self.device}/{self.snapshot}"

    @property
    def where(self) -> tuple[str, str]:
        """Its device and snapshot in the tables."""
        return (self.book.prefix + self.device, self.snapshot)
