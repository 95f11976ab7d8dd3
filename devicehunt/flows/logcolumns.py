"""A log of Zeek as columns: the lines that begin with # say how the others are read, and may come again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_SHOWN = re.compile(r"\\x([2-7][0-9a-fA-F])(?<!5[cC])(?<!7[fF])")


@dataclass
class Header:
    """What the lines before the rows of a Zeek log say."""

    separator: bytes = b"\t"
    between: bytes = b","
    empty: bytes = b"(empty)"
    unset: bytes = b"-"
    path: str = ""
    fields: list[str] = field(default_factory=list)
    lists: set[str] = field(default_factory=set)

    def take(self, line: bytes) -> str:
        """Take one line that begins with #; its first word."""
        word, _, rest = line.partition(b" " if line.startswith(b"#separator") else self.separator)
        if word == b"#separator":
            self.separator = _unescape(rest.strip(b"\r")) or b"\t"
        elif word == b"#set_separator":
            self.between = rest or b","
        elif word == b"#empty_field":
            self.empty = rest
        elif word == b"#unset_field":
            self.unset = rest
        elif word == b"#path":
            self.path = rest.decode("utf-8", "backslashreplace")
        elif word == b"#fields":
            self.fields = [f.decode("utf-8", "backslashreplace") for f in rest.split(self.separator)]
            self.lists = set()
        elif word == b"#types":
            kinds = rest.split(self.separator)
            self.lists = {f for f, k in zip(self.fields, kinds, strict=False) if k.startswith((b"set[", b"vector["))}
        return word.decode("ascii", "replace")

    def record(self, line: bytes) -> dict[str, Any] | None:
        """The fields of a line that are set; None where it has another number of fields than the header."""
        written = line.decode("utf-8", "backslashreplace")
        plain = _plain if "\\x" in written else str  # most lines hold no escape
        values = written.split(self.separator.decode("latin-1"))
        if len(values) != len(self.fields):
            return None
        unset, empty, between = (v.decode("utf-8", "backslashreplace") for v in (self.unset, self.empty, self.between))
        got: dict[str, Any] = {}
        for name, value in zip(self.fields, values, strict=True):
            if value == unset:
                continue
            if name in self.lists:
                got[name] = [] if value == empty else [plain(v) for v in value.split(between)]
            else:
                got[name] = "" if value == empty else plain(value)
        return got


def _unescape(value: bytes) -> bytes:
    return _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), value)


def _plain(value: str) -> str:
    """Escapes of what can be printed; others stay as they are."""
    return _SHOWN.sub(lambda m: chr(int(m[1], 16)), value)
