"""Decoders of process owners."""

from __future__ import annotations

import re

from devicehunt.decode import Fields, decoder

_USER = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d+)(?:,fd=(\d+))?[^)]*\)')


@decoder("ss_users", "name", "pid", "fd")
def ss_users(value: str) -> list[Fields]:
    """`(("dropbear",pid=12,fd=3),("x",pid=13,fd=4))` of ss: one row an owner."""
    found: list[Fields] = [{"name": name, "pid": pid, "fd": fd} for name, pid, fd in _USER.findall(value)]
    if not found:
        raise ValueError("owner is not in ss's form")
    return found
