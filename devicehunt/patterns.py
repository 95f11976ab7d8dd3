"""Regular expressions of data files, compiled when they are first used: most of a platform's never are in one run."""

from __future__ import annotations

import re

_ONE = re.compile(r"\\.|\[\^?\]?[^\]]*\]")
_GROUP = re.compile(r"\([^()]*\)")
_REPEATED = re.compile(r".(\{[^}]*\}|[?*])", re.DOTALL)
_LETTERS = re.compile(r"[\w /:=-]+")
_GAP = "\0"


class Pattern:
    """A regular expression as text until it has to be asked; then re.error where it is none."""

    __slots__ = ("_compiled", "_needed", "flags", "text")

    def __init__(self, text: str, flags: int = 0) -> None:
        self.text, self.flags = text, flags
        self._compiled: re.Pattern[str] | None = None
        self._needed = "" if flags & ~re.MULTILINE else needed(text)

    @property
    def compiled(self) -> re.Pattern[str]:
        """The expression as the standard library has it."""
        if self._compiled is None:
            self._compiled = re.compile(self.text, self.flags)
        return self._compiled

    def search(self, text: str) -> re.Match[str] | None:
        """As re's; a text without the letters that every match holds needs no expression."""
        return self.compiled.search(text) if self._needed in text else None

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """As re's, and as `search`."""
        return self.compiled.fullmatch(text) if self._needed in text else None

    def sub(self, new: str, text: str) -> str:
        """As re's."""
        return self.compiled.sub(new, text)


def needed(text: str) -> str:
    """The longest run of letters that every match of an expression holds; empty where that is not plain to see."""
    if re.search(r"\(\?[aiLmsux-]", text):  # flags inside change what letters mean
        return ""
    bare = _ONE.sub(_GAP, text)
    while (shorter := _GROUP.sub(_GAP, bare)) != bare:
        bare = shorter
    if "|" in bare or "(" in bare:
        return ""
    return max(_LETTERS.findall(_REPEATED.sub(_GAP, bare)), key=len, default="")
