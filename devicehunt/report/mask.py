"""Hide obvious secrets in what is shown; the tables and the evidence keep the exact values.

This is a seat belt, not a proof: a password in free text cannot be known as one. What counts as a
secret is data (secrets.yaml). A page is shared more widely than a case folder: in doubt, mask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from devicehunt.data import read_yaml
from devicehunt.errors import DataError
from devicehunt.readers import ios

MASK = "[masked]"
LIMIT = 4096
"""Characters of a line that are kept; what is behind them is counted, never shown unmasked."""

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY")
_BASE64 = re.compile(r"\s*(?![0-9a-fA-F]+\s*$)[A-Za-z0-9+/]{56,}={0,2}\s*")  # hex is a hash
_BASE64_TAIL = re.compile(r"\s*[A-Za-z0-9+/]{4,}={0,2}\s*")

# a name with what parts it from its value, and the value: quoted, or one word
_NAME = re.compile(r"""(?<![\w.\-@\[\]])(?P<name>[\w.\-@\[\]]{1,128})["']?(?P<parted>\s{0,3}[=:]\s{0,3})""")
_VALUE = re.compile(r"""["'](?P<quoted>[^"']*)|(?P<word>[^\s|"',;]+)""")
_SENTENCE = re.compile(r" +[A-Za-z]")  # `password: not collected` is prose
_WHOLE = re.compile(r"\s*(?P<name>[\w.\-@\[\]:]{1,128})=(?P<word>[^'\"\s].*)")
_OPTION = re.compile(r"\s*option\s+(?P<name>[\w.\-]{1,128})\s+['\"]?(?P<word>[^'\"]+)['\"]?\s*")
_ARGUMENTS = {
    "{gap}": r"""(?:[\s|"',]|\\x00|\\0)""",
    "{sep}": r"""(?:(?:[\s|"',]|\\x00|\\0)+["']?)""",
    "{arg}": r"""(?!-|\[masked\])(?:(?!\\x00|\\0)[^\s|"'])+""",
    "{some}": r".{0,300}?",
}


@dataclass(frozen=True, slots=True)
class _Secrets:
    names: re.Pattern[str]
    names_before_equals: re.Pattern[str]
    plain: re.Pattern[str]
    patterns: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]

    def hides(self, name: str, parted: str, value: str) -> bool:
        """Whether this named value is a secret."""
        if value.startswith(MASK) or not value or self.plain.fullmatch(value):
            return False
        if self.names.search(name):
            return True
        return "=" in parted and bool(self.names_before_equals.search(name))


@lru_cache(maxsize=1)
def _secrets() -> _Secrets:

    path = Path(__file__).with_name("secrets.yaml")
    try:
        data = read_yaml(path.read_text(encoding="utf-8"))
        return _Secrets(
            _ending(data["names"]),
            _ending(data["names_before_equals"]),
            re.compile(data["plain_values"], re.IGNORECASE),
            tuple((tuple(e["near"]), _compiled(e["pattern"])) for e in data["patterns"]),
        )
    except (OSError, yaml.YAMLError, re.error, KeyError, TypeError) as error:
        raise DataError(f"{path}: {error}") from error


def _ending(names: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(names)})\d{{0,2}}(?:_x)?\]?$", re.IGNORECASE)


def _compiled(pattern: str) -> re.Pattern[str]:
    for word, meaning in _ARGUMENTS.items():
        pattern = pattern.replace(word, meaning)
    return re.compile(pattern, re.IGNORECASE)


def _hide(match: re.Match[str], group: str = "secret") -> str:
    start, end = (edge - match.start() for edge in match.span(group))
    return match.group()[:start] + MASK + match.group()[end:]


def _hide_named(text: str) -> str:
    for form in (_WHOLE, _OPTION):  # a value may hold blanks only where it ends with the line
        match = form.fullmatch(text)
        if match and _secrets().hides(match["name"], "=", match["word"]):
            return _hide(match, "word")
    pieces, done = [], 0
    for name in _NAME.finditer(text):  # values are not passed over: one may hold the next name
        value = _VALUE.match(text, name.end())
        group = "word" if value and value["word"] else "quoted"
        if value is None or name.start() < done:
            continue
        if ":" in name["parted"] and group == "word" and _SENTENCE.match(text, value.end()):
            continue
        if _secrets().hides(name["name"], name["parted"], value[group] or ""):
            pieces += [text[done : value.start(group)], MASK]
            done = value.end(group)
    return "".join(pieces) + text[done:]


def mask(text: str) -> str:
    """`text` (one line) with each secret replaced by `[masked]`, kept to LIMIT characters."""
    more = len(text) - LIMIT
    if more > 0:
        return f"{mask(text[:LIMIT])} … [{more} more characters]"
    if _BASE64.fullmatch(text):  # inside a private key, or a certificate: no loss to a reader
        return MASK
    if "=" in text or ":" in text or "option" in text:
        text = _hide_named(text)
    lower = text.lower()
    for near, pattern in _secrets().patterns:
        if any(word in lower for word in near):
            text = pattern.sub(_hide, text)
    # statements of Cisco's configuration language: the reader's own list of where secrets stand
    bare = text.lstrip()
    statement, found = ios.hide(bare)
    return text[: len(text) - len(bare)] + statement.replace(ios.HIDDEN, MASK) if found["secret_kind"] else text


def mask_lines(texts: Sequence[str]) -> list[str]:
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
    """Nested data (subjects, keys) with every text masked; tuples become lists.

    A mapping with a `path` (or `name`) and a `value`, as of a setting, is masked as `path=value`.
    """
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        masked = {key: mask_values(item) for key, item in value.items()}
        name, text = value.get("path") or value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(text, str) and _secrets().hides(name, "=", text):
            masked["value"] = MASK
        return masked
    if isinstance(value, list | tuple):
        return [mask_values(item) for item in value]
    return value
