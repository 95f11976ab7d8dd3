"""The configuration of VyOS, EdgeOS and Vyatta as a tree in braces (`config.boot`, `show configuration`).

A row has the fields of the template for `set` commands: what stands in a block gets the names of the blocks
around it. Vyatta indents each depth by four blanks: a brace that was lost moves no statement to another block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from devicehunt.readers import TOO_LONG, Read, Row, Texts, reader

FIELDS = ("account", "key_name", "key", "hash_name", "hash", "path", "value")
_BLOCK = re.compile(r"([a-z][\w-]*(?: (?:\"[^\"]*\"|[^\s\"{}]+))?) \{")
_LEAF = re.compile(r"([a-z][\w-]*)(?: (\"[^\"]*\"|[^\s\"{}]+))?")
_LOGIN = re.compile(r"system login user (\S+) authentication (?:public-keys (\S+) key|(encrypted-password|plaintext-password))")
_KEY = re.compile(r"AAAA[A-Za-z0-9+/]+={0,2}")


@reader("vyatta_config", *FIELDS)
def vyatta_config(texts: Texts, _now: Row) -> Read:
    """VyOS, EdgeOS, Vyatta in braces: a row a statement, its path the names of all blocks around it."""
    stack: list[tuple[int, str]] = []
    opened: tuple[int, str] | None = None  # a block without a line yet: empty, it is a statement itself
    for number, indent, bare in _said(texts):
        if bare is None:
            yield number, None, TOO_LONG
            continue
        if bare == "}" and indent < _depth(stack):
            if opened and stack and stack[-1][0] == indent:
                yield opened[0], _row(opened[1], None), ""
            opened = None
            while stack and stack[-1][0] >= indent:
                stack.pop()
            continue
        block, leaf = _BLOCK.fullmatch(bare), _LEAF.fullmatch(bare)
        if not block and (not leaf or indent == 0):
            yield number, None, "no statement of this configuration language"
            continue
        if indent > _depth(stack) or indent % 4 or indent < 0:
            yield number, None, "the block around it is not known"
            continue
        while stack and stack[-1][0] >= indent:
            stack.pop()
        opened = None
        around = [name for _, name in stack]
        if block:
            stack.append((indent, block[1].replace('"', "")))
            opened = (number, " ".join([*around, stack[-1][1]]))
        elif leaf:
            row = _row(" ".join([*around, leaf[1]]), leaf[2])
            if row:
                yield number, row, ""


def _said(texts: Texts) -> Iterator[tuple[int, int, str | None]]:
    """Line, indentation and text of each line that is no comment; None for one that is too long."""
    comment = False
    lead: int | None = None
    for number, text in texts:
        if text is None:
            yield number, 0, None
            continue
        bare = text.strip()
        if comment or not bare or bare.startswith(("//", "/*")):
            comment = (comment or bare.startswith("/*")) and not bare.endswith("*/")
            continue
        indent = len(text) - len(text.lstrip(" "))
        if lead is None:
            lead = min(indent, 1)  # `show` while configuring keeps a column for marks of change
        yield number, indent - lead, bare


def _depth(stack: list[tuple[int, str]]) -> int:
    """The indentation of a statement in the innermost open block."""
    return stack[-1][0] + 4 if stack else 0


def _row(path: str, value: str | None) -> Row | None:
    """The row of one statement; None for an empty password, which says nothing."""
    row: Row = dict.fromkeys(FIELDS)
    plain = (value or "").strip('"')
    login = _LOGIN.fullmatch(path)
    if login and login[3]:
        if not plain:
            return None
        row.update(account=login[1], hash_name=login[3], hash=plain)
    elif login and login[2] and _KEY.fullmatch(plain):
        row.update(account=login[1], key_name=login[2], key=plain)
    else:
        row.update(path=path, value=None if value is None else f"'{plain}'")
    return row
