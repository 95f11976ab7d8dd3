"""The configuration language of Cisco IOS and its kin: one statement a line, blocks by indentation.

Format: Cisco, "Configuration Fundamentals Configuration Guide". Values over several lines (banners,
certificates, key strings) have delimiters of their own and are one row; their text is not kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from devicehunt.data import read_yaml
from devicehunt.readers import TOO_LONG, Read, Row, Texts, reader

_PREAMBLE = re.compile(
    r"(Building configuration\.\.\.|(Current|Startup) configuration\s*:?\s*(\d+ bytes)?.*|Using \d+ out of \d+ bytes.*"
    r"|Uncompressed configuration from .*|Load for five secs: .*|Time source is .*|No time source, .*|Command: show .*)\s*"
)
_BANNER = re.compile(
    r"\s*(banner (?:motd|login|exec|incoming|slip-ppp|prompt-timeout|config-save)"
    r"|aaa authentication (?:banner|fail-message)|menu \S+ title) (\^\w|\\x03|\S)(.*)"
)
_STATEMENT = re.compile(r"[A-Za-z][\w./:+-]*(?: .*)?|\d+ (?:permit|deny|remark|evaluate|match|set)\b.*|\d+ (?:\S.*)?|\$?\w[\w-]*.*")
_HEX = re.compile(r"\s*(?:[0-9A-Fa-f]{1,8}\s*)+")
_BINARY = re.compile(r"certificate (?:self-signed|ca|rollover|chain|[0-9A-Fa-f]{2,}).*|key-string\s*")
# community names that every scanner tries first (SecLists' list of default SNMP communities, its first lines)
_WEAK = {
    "public", "private", "cisco", "community", "manager", "admin", "snmp", "secret", "password", "test", "default", "monitor",
    "read", "write",
}  # fmt: skip
HIDDEN = "(secret)"
_CLOSED = re.compile(r"\s*(quit|exit)\s*")


@reader(
    "ios_config", "text", "parent", "parents", "block", "block_line", "depth", "negated", "kind", "digest", "secret_kind",
    "secret_type", "secret_account", "weak",
)  # fmt: skip
def ios_config(texts: Texts, now: Row) -> Read:
    """Cisco-like configuration: a row a statement, with the blocks around it; banners and certificates are one row."""
    stack: list[tuple[int, str]] = []
    ended = False
    source = iter(texts)
    for number, text in source:
        if text is None:
            yield number, None, TOO_LONG
            continue
        bare = text.strip()
        if not bare or bare == "!":
            continue
        if ended or not _plausible(text, bare):
            reason = "stands behind the end of the configuration" if ended else "no statement of this configuration language"
            yield number, None, reason
            continue
        if bare == "end" and not text.startswith(" "):
            ended = True
            now.clear()
            yield number, _row(bare, [], number, "end"), ""
            continue
        if bare.startswith("!") or _PREAMBLE.fullmatch(text):
            yield number, _row(bare, [], number, "comment"), ""
            continue
        indent = len(text) - len(text.lstrip(" "))
        while stack and stack[-1][0] >= indent:
            stack.pop()
        if not stack:
            now.clear()
            now.update(block=hide(bare.removeprefix("no "))[0], block_line=str(number))
        above = [t for _, t in stack]
        banner = _BANNER.fullmatch(text)
        if banner:
            yield from _banner(number, source, banner, above)
            continue
        if _BINARY.fullmatch(bare):
            yield from _binary(number, source, bare, above, now)
            continue
        stack.append((indent, hide(bare)[0]))
        yield number, _row(bare, above, int(now["block_line"]), "statement", block=now["block"]), ""


def _plausible(text: str, bare: str) -> bool:
    if bare.startswith("!") or _PREAMBLE.fullmatch(text):
        return True
    return bool(_STATEMENT.fullmatch(bare)) and not bare.endswith(("{", "}", ";"))


def _row(text: str, above: list[str], block_line: int, kind: str, *, block: str | None = None, digest: str | None = None) -> Row:
    negated = text.startswith("no ")
    bare, secret = hide(text.removeprefix("no "))
    return {
        "text": bare, "parent": above[-1] if above else None, "parents": " > ".join(above) or None,
        "block": block or (above[0] if above else bare), "block_line": str(block_line), "depth": str(len(above)),
        "negated": "yes" if negated else None, "kind": kind, "digest": digest, **secret,
    }  # fmt: skip


@lru_cache(2048)
def hide(statement: str) -> tuple[str, Mapping[str, str | None]]:
    """A statement without its secrets, and what kind of secret stood there (ios_secrets.yaml); remembered, not to be changed."""
    found: Row = {"secret_kind": None, "secret_type": None, "secret_account": None, "weak": None}
    for kind, look in _secrets():
        match = look(statement)
        if not match:
            continue
        named = match.groupdict()
        found = {
            "secret_kind": kind, "secret_type": named.get("type"), "secret_account": named.get("account"),
            "weak": ("yes" if (named["hide"] or "").lower() in _WEAK else "no") if kind == "community" else None,
        }  # fmt: skip
        for group in ("hide2", "hide"):
            if named.get(group):
                statement = statement[: match.start(group)] + HIDDEN + statement[match.end(group) :]
    return statement, found


@lru_cache(maxsize=1)
def _secrets() -> list[tuple[str, Callable[[str], re.Match[str] | None]]]:
    """Kind of secret -> how to find it. A search for what stands at the beginning looks at every other place too: five times the time."""
    found: list[tuple[str, Callable[[str], re.Match[str] | None]]] = []
    for entry in read_yaml((Path(__file__).parent / "ios_secrets.yaml").read_text(encoding="utf-8")):
        pattern = re.compile(entry["match"])
        found.append((entry["kind"], pattern.match if _at_beginning(entry["match"]) else pattern.search))
    return found


def _at_beginning(pattern: str) -> bool:
    """Whether a pattern fits nowhere but at the beginning: `^`, and no alternative outside of brackets."""
    bare = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "", pattern)
    while "(" in bare:
        shorter = re.sub(r"\([^()]*\)", "", bare)
        if shorter == bare:
            return False
        bare = shorter
    return bare.startswith("^") and "|" not in bare


def _banner(number: int, source: Iterator[tuple[int, str | None]], found: re.Match[str], above: list[str]) -> Read:
    """A banner goes on until its delimiter comes back; what it says is no configuration."""
    name, delimiter, rest = found.groups()
    if delimiter not in rest and not any(text is not None and delimiter in text for _, text in source):
        yield number, None, "the output ends inside a value"
        return
    yield number, _row(name, above, number, "banner"), ""


def _binary(number: int, source: Iterator[tuple[int, str | None]], bare: str, above: list[str], now: Row) -> Read:
    """A certificate or key in hexadecimal, up to `quit` or `exit`: its SHA-256 stands for it."""
    digits: list[str] = []
    key = bare.startswith("key-string")
    for at, text in source:
        if text is not None and _CLOSED.fullmatch(text):
            break
        if text is None or not (key or _HEX.fullmatch(text)):
            yield at, None, "no hexadecimal digits inside a certificate"
            continue
        digits.append("".join(text.split()))
    else:
        yield number, None, "the output ends inside a value"
        return
    joined = "".join(digits)
    raw = bytes.fromhex(joined) if not key and len(joined) % 2 == 0 else joined.encode()
    digest = hashlib.sha256(raw).hexdigest() if digits else None
    yield number, _row(bare, above, int(now.get("block_line") or number), "binary", block=now.get("block"), digest=digest), ""
