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


class KeysOnce:
    """A mixin for YAML loaders: a key that stands twice is an error, where YAML would let the last one win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """The mapping of a node; ConstructorError with the line of the second key."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is there twice", key.start_mark)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)  # type: ignore[misc]


class _Loader(KeysOnce, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """By libyaml where the wheel has it: ten times faster."""


def read_yaml(text: str, first_line: int = 1) -> Any:
    """YAML that ships with the package or a pack; YAMLError says the line, where the text begins on `first_line` of its file."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        raise yaml.YAMLError(_placed(error, first_line)) from error
    except (RecursionError, ValueError) as error:  # nested without end; a date or number that is none
        raise yaml.YAMLError(str(error)) from error


def _placed(error: yaml.MarkedYAMLError, first_line: int) -> str:
    mark = error.problem_mark or error.context_mark
    what = ": ".join(filter(None, (error.context, error.problem)))
    return f"line {mark.line + first_line}: {what}" if mark else what


def check_packs(roots: Sequence[Path], pattern: str, what: str) -> None:
    """UsageError for a folder given by the user that holds nothing of what it should."""
    for root in roots:
        if not any(root.glob(pattern)):
            raise UsageError(f"{root}: there is no {what} in it")
