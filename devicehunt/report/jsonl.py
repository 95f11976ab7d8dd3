"""findings.jsonl and coverage.jsonl: one JSON object a line, the same bytes for the same hunt.

Order: findings by device, snapshot, level (worst first), rule and id; coverage by device, snapshot
and rule. Keys are sorted. Secrets are masked; everything else stays as it was, non-ASCII escaped.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devicehunt.errors import CaseError
from devicehunt.model import LEVELS, Coverage, Evidence, Finding
from devicehunt.report.mask import mask_values


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as plain JSON data, secrets masked."""
    data = asdict(finding)
    data["evidence"] = [asdict(line) for line in finding.evidence]
    masked: dict[str, Any] = mask_values(data)
    return masked | {"id": finding.id}


def _level(finding: Finding) -> int:
    return -LEVELS.index(finding.level) if finding.level in LEVELS else 1


def _dump(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, sort_keys=True, ensure_ascii=True, default=str).encode() + b"\n"


def write_findings(path: Path, findings: Iterable[Finding]) -> Path:
    """Write CASE/findings.jsonl whole or not at all, also when empty; or CaseError."""
    ordered = sorted(findings, key=lambda f: (f.device, f.snapshot, _level(f), f.rule, f.id))
    return _write(path, _dump(finding_json(f) for f in ordered))


def write_coverage(path: Path, coverage: Iterable[Coverage]) -> Path:
    """Write CASE/coverage.jsonl whole or not at all; CaseError when it cannot be written."""
    ordered = sorted(coverage, key=lambda c: (c.device, c.snapshot, c.rule))
    return _write(path, _dump(mask_values(asdict(c)) for c in ordered))


def write_text(path: Path, text: str) -> Path:
    """Write a report file whole or not at all; CaseError when it cannot be written."""
    return _write(path, [text.encode("utf-8", "backslashreplace")])


def _write(path: Path, pieces: Iterable[bytes]) -> Path:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise CaseError(f"cannot write {path}: {error.strerror or error}") from error
        raise
    return path


def read_findings(path: Path) -> list[Finding]:
    """The findings of a saved case; CaseError when the file is absent or not readable."""
    return [_finding(row, where) for where, row in _rows(path)]


def read_coverage(path: Path) -> list[Coverage]:
    """The coverage of a saved case; CaseError when the file is absent or not readable."""
    return [_coverage(row, where) for where, row in _rows(path)]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CaseError(f"cannot read {path}: {error.strerror or error}") from error
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line:
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CaseError(f"{where}: not JSON; run the hunt again") from error
        if not isinstance(row, dict):
            raise CaseError(f"{where}: not an object; run the hunt again")
        yield where, row


def _finding(row: dict[str, Any], where: str) -> Finding:
    try:
        for name in ("key", "subjects", "attack", "falsepositives", "references"):
            row[name] = tuple(row.get(name, ()))
        row["evidence"] = tuple(Evidence(**line) for line in row["evidence"])
        return Finding(**row)
    except (TypeError, KeyError) as error:
        raise CaseError(f"{where}: not a finding ({error}); run the hunt again") from error


def _coverage(row: dict[str, Any], where: str) -> Coverage:
    try:
        for name in ("reasons", "notes"):
            row[name] = tuple(row.get(name, ()))
        return Coverage(**row)
    except TypeError as error:
        raise CaseError(f"{where}: not a coverage line ({error}); run the hunt again") from error
