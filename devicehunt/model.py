"""The few types that every part of devicehunt speaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What became of one output. Only COMPLETE, EMPTY and ABSENT can carry a fact."""

    COMPLETE = "complete"
    EMPTY = "empty"
    ABSENT = "absent"
    DENIED = "denied"
    UNSUPPORTED = "unsupported"
    CUT = "cut"
    GARBLED = "garbled"
    TIMED_OUT = "timed-out"
    LOST = "lost"
    LATE_DATA = "late-data"
    NOT_COLLECTED = "not-collected"
    NOT_READ = "not-read"


class EndProof(StrEnum):
    """How we know that an output is whole."""

    EXIT_STATUS = "exit-status"
    MARKER = "marker"
    PROMPT = "prompt"
    TRAILER = "trailer"
    BYTE_COUNT = "byte-count"
    NONE = "none"


LEVELS = ("info", "low", "medium", "high", "critical")
"""Levels of a finding, weakest first."""


@dataclass(frozen=True, slots=True)
class Section:
    """One command's output inside an exhibit; most exhibits are one section.

    `first_line` is 1 unless the exhibit is a transcript. `data` holds the exact bytes.
    `status` is set by intake when it already knows (a marker is missing, the file is absent).
    """

    exhibit: str
    device: str
    snapshot: str
    seq: int
    command: str
    data: bytes
    first_line: int = 1
    exit_status: int | None = None
    end_proof: EndProof = EndProof.NONE
    status: Status | None = None
    reason: str = ""
    collected_at: str | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be read. Lines are 1-based and inclusive; 0 = the whole exhibit."""

    device: str
    snapshot: str
    exhibit: str
    line: int
    last_line: int
    parser: str
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One cited line."""

    exhibit: str
    line: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim, with the lines behind it. `level` is after explanation."""

    id: str
    rule: str
    title: str
    level: str
    device: str
    snapshot: str
    key: tuple[str, ...]
    subjects: tuple[dict[str, Any], ...]
    evidence: tuple[Evidence, ...]
    attack: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    response: str = ""
    explained_by: str | None = None
    explanation: str = ""
    level_unexplained: str = ""
    family: str = ""
    context: bool = False  # how the device is exposed: reported apart, and no verdict stands on it
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one rule could say about one snapshot of one device."""

    device: str
    snapshot: str
    rule: str
    result: str  # hit | no-hit | not-assessable | not-applicable
    core: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One device's answer: compromised, suspicious, nothing-found or inconclusive."""

    device: str
    verdict: str
    assessed: int
    core: int
    reasons: tuple[str, ...] = ()
