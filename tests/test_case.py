"""The evidence store: exact bytes, a chained journal, and what happens when the disk is full."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from devicehunt import case as case_module
from devicehunt.case import Case, Entry
from devicehunt.errors import CaseError


def entry(number: int, data: bytes) -> Entry:
    digest = hashlib.sha256(data).hexdigest()
    return Entry(f"r/1/{number:02d}-x.txt", "r", "1", number, "output", "ps w", len(data), digest, "x", "2026-01-01T00:00:00+00:00")


def filled(path: Path, count: int = 3) -> Case:
    case = Case.open(path)
    for n in range(count):
        case.store(entry(n, b"data %d\x00\xff" % n), b"data %d\x00\xff" % n)
    return case


def test_bytes_are_exact_and_the_chain_holds(tmp_path: Path) -> None:
    filled(tmp_path / "c")
    again = Case.open(tmp_path / "c")
    assert [e.seq for e in again.entries] == [0, 1, 2]
    assert again.read("r/1/01-x.txt") == b"data 1\x00\xff"
    assert again.verify() == []
    lines = again.journal.read_bytes().splitlines()
    assert json.loads(lines[0])["previous"] == "0" * 64
    assert json.loads(lines[2])["previous"] == hashlib.sha256(lines[1]).hexdigest()


@pytest.mark.parametrize("damage", ["change", "remove", "add", "journal-edit", "journal-drop", "journal-cut", "journal-swap"])
def test_verify_sees_every_kind_of_tampering(tmp_path: Path, damage: str) -> None:
    case = filled(tmp_path / "c")
    journal = case.journal
    lines = journal.read_bytes().splitlines(keepends=True)
    if damage == "change":
        case.file("r/1/01-x.txt").write_bytes(b"data 1\x00\xfe")
    elif damage == "remove":
        case.file("r/1/01-x.txt").unlink()
    elif damage == "add":
        case.file("r/1/99-new.txt").write_bytes(b"planted")
    elif damage == "journal-edit":
        journal.write_bytes(b"".join([lines[0], lines[1].replace(b"ps w", b"ps q"), lines[2]]))
    elif damage == "journal-drop":
        journal.write_bytes(lines[0] + lines[2])
    elif damage == "journal-cut":
        journal.write_bytes(b"".join(lines)[:-20])
    else:
        journal.write_bytes(lines[1] + lines[0] + lines[2])
    assert Case(tmp_path / "c").verify() != []


def test_same_bytes_again_are_no_second_entry_and_other_bytes_are_refused(tmp_path: Path) -> None:
    case = filled(tmp_path / "c", 1)
    case.store(entry(0, b"data 0\x00\xff"), b"data 0\x00\xff")
    assert len(case.entries) == 1
    with pytest.raises(CaseError, match="other bytes"):
        case.store(entry(0, b"else"), b"else")
    assert case.verify() == []


def test_a_folder_that_is_no_case_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CaseError, match="not a case"):
        Case.open(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("failing", ["evidence", "journal", "journal-half"])
def test_a_full_disk_keeps_what_was_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    case = filled(tmp_path / "c", 2)
    real_open = Path.open

    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> Full:
            self.file.__enter__()  # type: ignore[attr-defined]
            return self

        def __exit__(self, *args: object) -> None:
            self.file.__exit__(*args)  # type: ignore[attr-defined]

        def write(self, data: bytes) -> int:
            if failing == "journal-half":
                self.file.write(data[: len(data) // 2])  # type: ignore[attr-defined]
                self.file.flush()  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(path: Path, mode: str = "r", *args: object, **kwargs: object) -> object:
        wanted = path.name.endswith(".part") if failing == "evidence" else path.name == "journal.jsonl"
        file = real_open(path, mode, *args, **kwargs)  # type: ignore[arg-type]
        return Full(file) if wanted and mode != "r" else file

    monkeypatch.setattr(case_module.Path, "open", full)
    with pytest.raises(CaseError, match="No space left"):
        case.store(entry(5, b"more"), b"more")
    monkeypatch.undo()
    again = Case.open(tmp_path / "c")
    assert [e.seq for e in again.entries] == [0, 1]
    problems = again.verify()
    # bytes whose journal line did not fit are named, nothing stored before is hurt
    assert all("05-x.txt is not in the journal" in p for p in problems)
    again.store(entry(5, b"more"), b"more")
    assert Case(tmp_path / "c").verify() == []
