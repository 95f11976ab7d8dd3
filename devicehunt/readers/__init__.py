"""Readers: configuration languages that no line-by-line template can read. Stanzas name them.

A reader stands where a template stands: it is fed the lines of one output and yields
(line, row, "") for what it read and (line, None, reason) for each unread line, in order. A row is
text or None by the reader's `fields`. What a line means is left to the stanza's SQL expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from devicehunt.errors import DataError

Row = dict[str, Any]
Texts = Iterator[tuple[int, str | None]]
Read = Iterator[tuple[int, Row | None, str]]
TOO_LONG = "line longer than 16 KiB"


class Source(Protocol):
    """What turns the lines of an output into rows: a template or a reader."""

    header: list[str]

    def read(self, texts: Texts) -> Read:
        """Yield rows and unread lines in order."""

    def heading(self, names: list[str]) -> tuple[Any, ...]:
        """The values of `names` under which the reading stands now."""


@dataclass(slots=True)
class Reader:
    """A named reader at work on one output."""

    header: list[str]
    _function: Callable[[Texts, Row], Read]
    _now: Row

    def read(self, texts: Texts) -> Read:
        """Yield rows and unread lines in order."""
        self._now.clear()
        return self._function(texts, self._now)

    def heading(self, names: list[str]) -> tuple[Any, ...]:
        """The values of the block in which the reading stands now."""
        return tuple(self._now.get(name) for name in names)


@dataclass(frozen=True, slots=True)
class Known:
    """A registered reader and the fields of its rows."""

    fields: tuple[str, ...]
    function: Callable[[Texts, Row], Read]
    about: str


_REGISTRY: dict[str, Known] = {}


def reader(name: str, *fields: str) -> Callable[[Callable[[Texts, Row], Read]], Callable[[Texts, Row], Read]]:
    """Register a function as the reader `name`; it keeps the open block's values in its second argument."""

    def register(function: Callable[[Texts, Row], Read]) -> Callable[[Texts, Row], Read]:
        _REGISTRY[name] = Known(fields, function, (function.__doc__ or "").strip().splitlines()[0])
        return function

    return register


def get(name: str) -> Reader:
    """A fresh reader called `name`; DataError when there is none."""
    found = all_readers().get(name)
    if found is None:
        raise DataError(f"no reader {name!r}; there are {', '.join(sorted(_REGISTRY))}")
    return Reader(list(found.fields), found.function, {})


def all_readers() -> dict[str, Known]:
    """All readers by name."""
    from devicehunt.readers import conntrack, ios, routeros, vyatta  # noqa: F401 - registers its readers

    return _REGISTRY
