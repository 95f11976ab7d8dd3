"""Words and numbers for people: fixed phrases, safe device text, durations, times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from devicehunt.data import read_yaml
from devicehunt.errors import DataError
from devicehunt.model import Finding
from devicehunt.report.mask import mask, mask_values
from devicehunt.text import escape

# marks that stack over the lines above and below when many follow each other
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{2})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


@lru_cache(maxsize=4)
def phrases(language: str = "en") -> dict[str, Any]:
    """The fixed phrases of a language; DataError when its file is absent or not YAML."""

    path = Path(__file__).with_name(f"phrases.{language}.yaml")
    try:
        loaded: dict[str, Any] = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{path}: {error}") from error
    return loaded


def safe(text: str) -> str:
    """Device text without any character that acts, hides or reorders: those become escapes."""
    text = escape(text)
    if text.isascii():
        return text
    text = _STACKED.sub(r"\1…", text)
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def line(text: str, limit: int = 400) -> str:
    """One line of evidence or a name: masked, safe, at most `limit` characters and a mark."""
    kept = 2 * limit + 200  # enough to see a secret that begins within the limit
    shown = safe(mask(text[:kept]))
    if len(text) > kept:
        return f"{shown[:limit].rstrip()} … (+{len(text) - min(limit, len(shown))})"
    return cut(shown, limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; says how many more there were."""
    return text if len(text) <= limit else f"{text[:limit].rstrip()} … (+{len(text) - limit})"


def count(number: int, unit: str) -> str:
    """`1 line`, `12,345 lines`: a number with its unit's right form."""
    one, many = phrases()["units"][unit]
    return f"{number:,} {one if number == 1 else many}"


def duration(seconds: float) -> str:
    """The two largest parts of a time span: `3 days 4 hours`, `52 minutes`."""
    left = int(abs(seconds))
    parts = []
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(count(number, unit))
        elif parts:
            break
    return " ".join(parts[:2]) or count(0, "second")


def utc(when: datetime) -> datetime:
    """A time with its zone: naive times are UTC already."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def moment(when: datetime) -> str:
    """`2026-11-22 02:48:58 UTC`."""
    return f"{utc(when):%Y-%m-%d %H:%M:%S} UTC"


def earlier(when: datetime, seconds: float) -> datetime | None:
    """`when` minus some seconds; None when a hostile number leaves the calendar."""
    try:
        return utc(when) - timedelta(seconds=seconds)
    except OverflowError:
        return None


def subject(facts: dict[str, Any], limit: int = 160) -> str:
    """A typed subject in a few words: `process 4711 kworker/0:2H (/tmp/.x)`."""
    kind = str(facts.get("type", ""))
    parts = phrases()["subjects"].get(kind)
    if parts is None:
        return cut(f"{line(kind, 40)} {_listed(mask_values(facts))}".strip(), limit)
    known = {n: line(str(v), limit) for n, v in _flat(mask_values(facts)).items() if v not in (None, "")}
    words = []
    for part in parts:
        names = re.findall(r"\{(\w+)\}", part)
        if any(name in known for name in names) or not names:
            words.append(part.format_map({name: known.get(name, "*") for name in names}))
    return cut(" ".join(words), limit)


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with those of a part under its name: inbound_orig_ip; of a list how many it has."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{inner}": v for inner, v in value.items()}
        else:
            flat[name] = len(value) if isinstance(value, list | tuple) else value
    return flat


def author(finding: Finding) -> str:
    """Who explains a finding, and how: `the owner: site file: kind listener, port 22`."""
    name = finding.explained_by or ""
    told = (phrases()["authors"].get(name, name), finding.explanation)
    return ": ".join(line(part, 300) for part in told if part)


def _listed(facts: dict[str, Any]) -> str:
    words = []
    for name, value in facts.items():
        if isinstance(value, dict):
            words.append(f"{line(name, 40)} ({_listed(value)})")
        elif isinstance(value, list | tuple):
            words.append(f"{line(name, 40)} {len(value)}")
        elif name != "type" and value not in (None, ""):
            words.append(f"{line(name, 40)} {line(str(value), 120)}")
    return ", ".join(words)
