"""Where the data files lie: parsers/, rules/ and schema.sql, installed or in a checkout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from devicehunt.errors import DataError, UsageError

PACKAGE = Path(__file__).resolve().parent


def parsers_dir() -> Path:
    """The folder of platforms: inside the installed package, else beside it in a checkout."""
    for folder in (PACKAGE / "parsers", PACKAGE.parent / "parsers"):
        if (folder / "README.md").is_file():
            return folder
    raise DataError("the parsers/ folder is missing from this installation; install it again")


def rules_dir() -> Path:
    """The folder of rules that ships with the package."""
    return PACKAGE / "rules"


def schema_sql() -> str:
    """The tables and views: the contract between parsers and rules."""
    return (PACKAGE / "schema.sql").read_text(encoding="utf-8")


def read_yaml(text: str) -> Any:
    """YAML that ships with the package or a pack, by libyaml where the wheel has it: ten times faster."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders


def check_packs(roots: Sequence[Path], pattern: str, what: str) -> None:
    """UsageError for a folder given by the user that holds nothing of what it should."""
    for root in roots:
        if not any(root.glob(pattern)):
            raise UsageError(f"{root}: there is no {what} in it")
