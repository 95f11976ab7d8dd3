"""Outputs that hold no answer: empty, denied, unsupported, absent, ended, a usage text, or an error in any language."""

from __future__ import annotations

import re

from devicehunt import margins
from devicehunt.model import Section, Status
from devicehunt.platforms import Platform
from devicehunt.text import decode, lines

LIMIT = 2000
"""Bytes; a longer output is more than a refusal."""
USAGE_LIMIT = 8000
"""Bytes; the longest usage text of BusyBox is below."""
CUT_STATUS = frozenset({124, 129, 130, 137, 141, 143})  # timeout(1), or ended by a signal
_PROGRAM = re.compile(r"(?:\S*/)?([\w.+-]+)(?: |$)")


def read(section: Section, platform: Platform, *, free: bool = False) -> tuple[Status, str] | None:
    """The status of an output that holds no answer, and what the device said; None where there may be one.

    `free`: any line may be content here, so no template will refuse a usage text or a message.
    """
    if not section.data.strip():
        by_code = {127: Status.UNSUPPORTED, 126: Status.DENIED}
        status = by_code.get(section.exit_status or 0, Status.EMPTY)
        if section.exit_status in CUT_STATUS:
            status = Status.TIMED_OUT
        return status, f"the output is {status}" if status is Status.EMPTY else f"exit status {section.exit_status}"
    if len(section.data) > USAGE_LIMIT:
        return None
    # what is quoted is refused as much as what is not
    for data in (section.data, margins.marked(section.data)):
        if data is not None and (found := _said(data, section.command if free else None, platform)) is not None:
            return found
    return None


def _said(data: bytes, command: str | None, platform: Platform) -> tuple[Status, str] | None:
    texts = [decode(data[a:b], platform.encoding) for a, b in lines(data)]
    texts = [t for t in texts if t.strip()]
    if not texts:
        return None
    if command is not None and platform.usage is not None and platform.usage.search(texts[0]):
        return Status.UNSUPPORTED, f"the device answered with its usage: {texts[0].strip()[:160]}"
    if len(data) > LIMIT:
        return None
    said = next((t for t in texts if any(map(str.isalpha, t))), texts[0]).strip()[:200]
    for pattern, status in (
        (platform.denied, Status.DENIED),
        (platform.unsupported, Status.UNSUPPORTED),
        (platform.absent, Status.ABSENT),
        (platform.ended, Status.CUT),
    ):
        if pattern is not None and all(pattern.search(t) for t in texts):
            return status, f"the device answered: {said}"
    speaks = _complaint(command) if command else None
    if speaks is not None and all(speaks.match(t) for t in texts):
        return Status.GARBLED, f"only the program's own message, in words that are not known: {said}"
    return None


def _complaint(command: str) -> re.Pattern[str] | None:
    """What a line begins with that the asked program, or its shell, says of itself: `cat: `."""
    found = _PROGRAM.match(command)
    return re.compile(rf"\s*(?:-?\w*sh: (?:\S+ \d+: |\d+: )?)?{re.escape(found[1])}: ") if found else None
