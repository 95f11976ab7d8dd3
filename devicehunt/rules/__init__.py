"""Rule files -> Rule: one SELECT with YAML in its opening comment. Rules know only schema.sql."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from devicehunt import data
from devicehunt.errors import RuleError
from devicehunt.model import LEVELS
from devicehunt.site import KINDS

if TYPE_CHECKING:
    import duckdb

_HEADER = re.compile(r"\A\s*/\*(.*?)\*/", re.DOTALL)
_REQUIRED = ("id", "title", "level", "needs", "key", "subjects", "attack", "falsepositives", "references", "response")
_KEYS = {*_REQUIRED, "core", "platforms", "explained_by", "check", "memory", "context", "about"}

Need = str | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `sql` is a single SELECT; `needs` says which columns of which views it looks at."""

    id: str
    title: str
    level: str
    needs: tuple[Need, ...]
    key: tuple[str, ...]
    subjects: tuple[dict[str, str], ...]
    attack: tuple[str, ...]
    falsepositives: tuple[str, ...]
    references: tuple[str, ...]
    response: str
    sql: str
    file: Path
    sha256: str
    core: bool = False
    platforms: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()
    check: str = ""
    memory: bool = False
    context: bool = False
    about: str = ""


def checks() -> dict[str, dict[str, Any]]:
    """The checks that rules belong to: id -> title, and why a platform has no rule (checks.yaml)."""
    found: dict[str, dict[str, Any]] = data.read_yaml((data.rules_dir() / "checks.yaml").read_text(encoding="utf-8"))
    return found


def load(extra: Sequence[Path] = ()) -> list[Rule]:
    """All rules, the user's packs in `extra` included; RuleError names the file and what is wrong."""
    data.check_packs(extra, "**/*.sql", "rule (*.sql)")
    files = [f for root in (data.rules_dir(), *extra) for f in sorted(root.rglob("*.sql"))]
    found = [read(f) for f in files]
    seen: dict[str, Path] = {}
    for rule in found:
        if rule.id in seen:
            raise RuleError(f"{rule.file}: the id {rule.id!r} is taken by {seen[rule.id].name}")
        seen[rule.id] = rule.file
    return sorted(found, key=lambda r: r.id)


def read(file: Path) -> Rule:
    """Read one rule file (its header only; the SQL is bound when it is checked or run)."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{file}: {error}") from error
    match = _HEADER.match(text)
    if not match:
        raise RuleError(f"{file}: must begin with a comment that holds its header")
    try:
        head = data.read_yaml(match.group(1), text.count("\n", 0, match.start(1)) + 1)
    except yaml.YAMLError as error:
        raise RuleError(f"{file}: header: {error}") from error
    _check_head(file, head)
    return Rule(
        id=head["id"], title=head["title"], level=head["level"], needs=tuple(head["needs"]),
        key=tuple(head["key"]), subjects=tuple(head["subjects"]), attack=tuple(head["attack"]),
        falsepositives=tuple(head["falsepositives"]), references=tuple(head["references"]),
        response=str(head["response"]).strip(), sql=text[match.end():].strip().rstrip(";"), file=file,
        sha256=hashlib.sha256(text.encode()).hexdigest(), core=bool(head.get("core", False)),
        platforms=tuple(head.get("platforms", ())), explained_by=tuple(head.get("explained_by", ())),
        check=str(head.get("check", "")), memory=bool(head.get("memory", False)),
        context=bool(head.get("context", False)), about=str(head.get("about", "")).strip(),
    )  # fmt: skip


def _check_head(file: Path, head: Any) -> None:
    if not isinstance(head, dict):
        raise RuleError(f"{file}: the header must be a mapping")
    missing = [k for k in _REQUIRED if k not in head]
    unknown = set(head) - _KEYS
    problems = []
    if missing:
        problems.append(f"the header lacks {', '.join(missing)}")
    if unknown:
        problems.append(f"the header has unknown keys {sorted(map(str, unknown))}")
    if head.get("level") not in LEVELS:
        problems.append(f"level must be one of {', '.join(LEVELS)}")
    if head.get("context") and head.get("level") not in ("info", "low", "medium"):
        problems.append("a rule of context stays at medium or below")
    if head.get("id") != file.stem:
        problems.append(f"the id must be the file's name, {file.stem!r}")
    for kind in head.get("explained_by", ()):
        if kind not in KINDS:
            problems.append(f"explained_by: no kind {kind!r}")
    for name in ("needs", "key", "subjects", "attack", "falsepositives", "references"):
        if name in head and (not isinstance(head[name], list) or not head[name]):
            problems.append(f"{name} must be a list with at least one entry")
    if problems:
        raise RuleError(f"{file}: " + "; ".join(problems))


def bind(con: duckdb.DuckDBPyConnection, rule: Rule) -> list[str]:
    """Bind a rule against the schema; return its columns. RuleError for a wrong column, table or form."""
    import duckdb

    check_form(con, rule)
    try:
        described = con.execute(f"describe {rule.sql}").fetchall()
    except duckdb.Error as error:
        raise RuleError(f"{rule.file}: {_first_line(error)}{_nearest(con, str(error))}") from error
    columns = [row[0] for row in described]
    wanted = ["device", "snapshot", "exhibit", "line", *rule.key]
    wanted += [c for s in rule.subjects for k, c in s.items() if k != "type"]
    wanted += re.findall(r"\{(\w+)\}", rule.title)
    lacking = sorted({c for c in wanted if c not in columns})
    if lacking:
        near = [n for c in lacking for n in difflib.get_close_matches(c, columns, 2)]
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise RuleError(f"{rule.file}: the SELECT does not return {', '.join(lacking)}{hint}")
    for row in described:
        if row[1] == "BLOB":
            raise RuleError(f"{rule.file}: returns the raw key {row[0]}; return the address text")
    return columns


def check_form(con: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    """Refuse a rule that is not exactly one SELECT (`describe select 1; drop table x` runs the drop)."""
    import duckdb

    try:
        statements = con.extract_statements(rule.sql)
    except duckdb.Error as error:
        raise RuleError(f"{rule.file}: {_first_line(error)}") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RuleError(f"{rule.file}: must be exactly one SELECT")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _nearest(con: duckdb.DuckDBPyConnection, message: str) -> str:
    """The names of the schema that are like the one that was not found."""
    match = re.search(r'(column|Table) (?:named |with name )?"?(\w+)"?', message)
    if not match:
        return ""
    source = "column_name from duckdb_columns()"
    if match.group(1) == "Table":
        source = "table_name from duckdb_tables() union select view_name from duckdb_views()"
    names = {r[0] for r in con.execute(f"select {source}").fetchall()}
    near = difflib.get_close_matches(match.group(2), sorted(names), 3)
    return f" (near it: {', '.join(near)})" if near else ""
