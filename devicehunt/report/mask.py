"""Hide obvious secrets in what is shown; the tables and the evidence keep the exact values.

This is a seat belt, not a proof: a password in free text cannot be known as one. The patterns are
data (secrets.yaml); a page or a ticket is shared more widely than a case folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from devicehunt.errors import DataError

MASK = "[masked]"
LIMIT = 16 * 1024
"""Characters of a line that are looked at; the rest of a longer line is not shown at all."""

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY")
_BASE64 = re.compile(r"\s*[A-Za-z0-9+/]{48,}={0,2}\s*")
_BASE64_TAIL = re.compile(r"\s*[A-Za-z0-9+/]{4,}={0,2}\s*")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]:
    import yaml

    path = Path(__file__).with_name("secrets.yaml")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        return tuple(
            (tuple(entry["near"]), re.compile(entry["pattern"], re.IGNORECASE)) for entry in entries
        )
    except (OSError, yaml.YAMLError, re.error, KeyError, TypeError) as error:
        raise DataError(f"{path}: {error}") from error


def _hide(match: re.Match[str]) -> str:
    start, end = match.span("secret")
    base = match.start()
    whole = match.group()
    return whole[: start - base] + MASK + whole[end - base :]


def mask(text: str) -> str:
    """`text` (one line) with each secret replaced by `[masked]`; cut to LIMIT characters."""
    text = text[:LIMIT]
    if _BASE64.fullmatch(text):  # the body of a private key, or of a certificate: no loss to a reader
        return f"{MASK} ({len(text.strip())} characters of base64)"
    lower = text.lower()
    for near, pattern in _patterns():
        if any(word in lower for word in near):
            text = pattern.sub(_hide, text)
    return text


def mask_lines(texts: list[str]) -> list[str]:
    """Consecutive lines, masked; knows the inside of a private key, and its short last line."""
    shown: list[str] = []
    inside = False
    for position, text in enumerate(texts):
        if _KEY_END.search(text):
            inside = False
        before = texts[position - 1] if position else ""
        tail = _BASE64.fullmatch(before) and _BASE64_TAIL.fullmatch(text)
        shown.append(MASK if inside or tail else mask(text))
        if _KEY_BEGIN.search(text) and not _KEY_END.search(text):
            inside = True
    return shown


def mask_values(value: Any) -> Any:
    """Subjects, keys and other nested data with every text masked; the shape stays.

    A mapping with a `path` (or `name`) and a `value`, as of a setting, is masked as `path=value`.
    """
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        masked = {key: mask_values(item) for key, item in value.items()}
        name, text = value.get("path") or value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(text, str) and mask(f"{name}={text}").endswith(MASK):
            masked["value"] = MASK
        return masked
    if isinstance(value, list | tuple):
        return [mask_values(item) for item in value]
    return value
