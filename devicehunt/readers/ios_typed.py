"""Statements of Cisco IOS where they stand alone: in the log, and in the record of what was typed."""

from __future__ import annotations

import re

from devicehunt.decode import Fields, decoder
from devicehunt.readers.ios import hide

_TYPED = re.compile(r"((?:.*?\blogged command: ?)?(?:!\w+: ?)?(?:no |do )*)(.*)", re.DOTALL)


@decoder("ios_statement", "text")
def ios_statement(value: str) -> Fields:
    """A statement of Cisco IOS, alone or behind `logged command:` of a log message -> the same without its secrets."""
    found = _TYPED.fullmatch(value.strip())
    assert found is not None  # both parts may be empty
    return {"text": found[1] + hide(found[2])[0]}
