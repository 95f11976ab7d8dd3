"""Where a value lies in a record of somebody else's log: names, paths into nested objects, the first of several fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from devicehunt.text import storable

TEXT_LIMIT = 4096
"""Characters of one value that are kept."""
LIST_LIMIT = 256
"""Elements of one list that are kept."""

Record = Mapping[str, Any]
Getter = Callable[[Record], Any]


def text(value: Any) -> str:
    """A value as text that any table takes; lists are joined by commas, objects are none."""
    if isinstance(value, str):
        got = value
    elif isinstance(value, bool):
        got = "true" if value else "false"
    elif isinstance(value, int):
        got = str(value)
    elif isinstance(value, list):
        got = ",".join(text(v) for v in value[:LIST_LIMIT] if v is not None)
    else:
        raise ValueError("an object")
    if got.isascii() and len(got) <= TEXT_LIMIT and "\0" not in got:
        return got
    return storable(got[:TEXT_LIMIT].replace("\0", "\\x00"))


def dig(value: Any, parts: tuple[str, ...]) -> Any:
    """What lies at a path in nested objects and lists; None where nothing does."""
    for at, part in enumerate(parts):
        if part == "*":
            inner = list(value.values()) if isinstance(value, dict) else value
            if not isinstance(inner, list):
                return None
            found = [dig(v, parts[at + 1 :]) for v in inner[:LIST_LIMIT]]
            flat = [w for v in found for w in (v if isinstance(v, list) else [v]) if w is not None]
            return flat or None
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
        if value is None:
            return None
    return value


def getter(path: str) -> Getter:
    """How to take the field of that name: as it is written (`id.orig_h`), else by going into objects; a plain value is a list of one."""
    if path.startswith("="):
        constant = path[1:]
        return lambda record: constant
    if "." not in path:
        return lambda record: record.get(path)
    parts = tuple(path.split("."))
    whole, last = path.rpartition(".")[::2]
    first = parts[0]

    def get(record: Record) -> Any:
        got = record.get(path)
        if got is None:
            got = dig(record[first], parts[1:]) if first in record else None
        if got is None and last == "0":  # san.dns.0, vlan.0
            got = record.get(whole)
            if got is None and first in record:
                got = dig(record[first], parts[1:-1])
            if isinstance(got, list):
                got = got[0] if got else None
            elif isinstance(got, dict):
                got = None
        return got

    return get


def first_of(paths: str | list[str]) -> Getter:
    """The first of several fields that holds a value."""
    getters = [getter(p) for p in ([paths] if isinstance(paths, str) else paths)]
    if len(getters) == 1:
        return getters[0]

    def get(record: Record) -> Any:
        for g in getters:
            got = g(record)
            if got is not None and got not in ("", []):
                return got
        return None

    return get


def together(pattern: str) -> Getter:
    """Fields put together; nothing where one is missing."""
    names = re.findall(r"\{([^}]+)\}", pattern)
    getters = [getter(n) for n in names]
    shape = re.sub(r"\{[^}]+\}", "{}", pattern)

    def get(record: Record) -> Any:
        values = [g(record) for g in getters]
        return None if any(v is None or v == "" for v in values) else shape.format(*(text(v) for v in values))

    return get


def expand(record: Record, levels: list[list[str]]) -> Iterator[Record]:
    """What one JSON value holds: each record of the last level, with the one above it as `^`."""
    if not levels:
        yield record
        return
    for path in levels[0]:
        if path == ".":
            inner: list[Any] = [record]
        elif path.endswith(".*"):
            inside = dig(record, tuple(path[:-2].split(".")))
            if isinstance(inside, dict):
                inner = [{**v, "key": k} for k, v in inside.items() if isinstance(v, dict)]
            elif isinstance(inside, list):
                inner = inside
            else:
                continue
        else:
            found = dig(record, tuple(path.split(".")))
            if not isinstance(found, dict):
                continue
            inner = [found]
        for child in inner:
            if not isinstance(child, dict):
                yield {}
                continue
            yield from expand(child if child is record else {**child, "^": record}, levels[1:])
        return
