"""Decoders of process owners."""

from __future__ import annotations

import re

from devicehunt.decode import Fields, decoder

# A name may hold quotes and brackets; 15 bytes are too few to forge a whole entry and its comma.
_USER = re.compile(r'\("(.*?)",(?:pid=)?(\d+),(?:proc_ctx=[^,]*,)?(?:fd=)?(\d+)(?:,sock_ctx=[^)]*)?\)(?:,(?=\(")|$)')


@decoder("ss_users", "name", "pid", "fd")
def ss_users(value: str) -> list[Fields]:
    """`(("dropbear",pid=12,fd=3),("x",pid=13,fd=4))` of ss: one row an owner."""
    text = value.strip()[1:-1]
    found: list[Fields] = []
    at = 0
    while match := _USER.match(text, at):
        name, pid, fd = match.groups()
        found.append({"name": name, "pid": pid, "fd": fd})
        at = match.end()
    if not found or at != len(text):
        raise ValueError("owner is not in ss's form")
    return found
