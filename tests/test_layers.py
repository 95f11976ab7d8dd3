"""Imports point downwards only (docs/design.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "devicehunt"

LAYERS = [
    {"model", "errors", "data", "text", "patterns"},
    {"decode", "readers", "platforms", "site", "case", "archives"},
    {"rules", "templates", "arrange"},
    {"parse", "margins", "refusal", "transcript", "bundle", "plan", "database", "convert", "tables", "coverage", "reach", "flows",
     "detect", "indicators", "vantage", "spool"},
    {"intake", "engine", "report"},
    {"api", "show"},
    {"compare", "replay"},
    {"cli", "__main__"},
]
LEVEL = {name: number for number, layer in enumerate(LAYERS) for name in layer}
NEVER = {("engine", "parse"), ("engine", "intake"), ("report", "engine"), ("report", "parse"), ("reach", "rules")}
LATE = {("case", "engine")}  # Case.query opens the tables through engine, at call time only


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__init__.py" or p.parent != PACKAGE)


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    me = room(path)
    assert me in LEVEL, f"{me} has no layer"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "devicehunt":
            parts = node.module.split(".")
            names = [parts[1]] if len(parts) > 1 else [a.name for a in node.names if not a.name.startswith("__")]
        elif isinstance(node, ast.Import):
            names = [a.name.split(".")[1] for a in node.names if a.name.startswith("devicehunt.")]
        for other in names:
            if other == me or (me, other) in LATE:
                continue
            assert (me, other) not in NEVER, f"{me} must not import {other}"
            assert LEVEL[other] <= LEVEL[me], f"{me} imports {other}, which stands above it"


def test_no_python_among_the_data() -> None:
    root = PACKAGE.parent
    assert list((root / "parsers").rglob("*.py")) == []
    assert [p for p in (root / "fixtures").rglob("*") if p.suffix == ".py"] == []
