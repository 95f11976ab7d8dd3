"""What tests of whole devices share: their folders, their expectations, their hunts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import devicehunt
from devicehunt.case import Case

CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"


def expected(story: str, keys: set[str]) -> dict[str, Any]:
    """The `<story>.expected.yaml`, which has no other keys than `keys`."""
    body: dict[str, Any] = yaml.safe_load((CASES / f"{story}.expected.yaml").read_text(encoding="utf-8"))
    assert set(body) <= keys, f"{story}: {sorted(body)}"
    return body


def hunt(device: Path, story: str, case: Path, site: Path | None = None) -> Case:
    return devicehunt.hunt([device], device=story, case=case, site=site)


def hunt_all(stories: Iterable[str], folders: pytest.TempPathFactory) -> dict[str, Case]:
    """Each story, hunted once, with its site file where it has one."""
    found = {}
    for story in stories:
        owner = CASES / story / "site.yaml"
        found[story] = hunt(CASES / story / "device", story, folders.mktemp("case") / "case", owner if owner.is_file() else None)
    return found


def gaps(case: Case) -> list[tuple[str, int, str]]:
    """What could not be read: exhibit, line, reason."""
    folder = case.tables / "gaps"
    if not folder.is_dir():
        return []
    pattern = str(folder / "*.parquet")
    return duckdb.connect().execute("select exhibit, line, reason from read_parquet(?)", [pattern]).fetchall()
