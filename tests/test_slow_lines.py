"""No line that a device chooses may take seconds: every pattern of every stanza, and those that part a console log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from devicehunt import platforms, templates, transcript
from devicehunt.model import Section
from devicehunt.text import LINE_LIMIT

STANZAS = [s for n in platforms.names() for s in platforms.load(n).stanzas.values()]
RUN = LINE_LIMIT - 1
HOSTILE = {
    "blanks": " " * RUN + "x", "tabs": "\t" * RUN + "x", "digits": "1" * RUN + "x", "dashes": "-" * RUN,
    "words": "ab " * (RUN // 3) + "!",
    "dots": "1." * (RUN // 2) + "!",
    "hex": " " + "30819F30 " * (RUN // 9) + "!",
    "quotes": "'\\''" * (RUN // 4), "settings": "a=b " * (RUN // 4) + "\\x01", "paths": "/a" * (RUN // 2) + "!",
    "colons": "a:" * (RUN // 2), "brackets": "[{(" * (RUN // 3), "sides": "| " * (RUN // 2), "lists": "a," * (RUN // 2) + " ",
}  # fmt: skip
SLOW_S = 1.0
"""CPU seconds of one pattern over one line of 16 KiB, hundreds of times what any takes; one that is not linear takes many."""


def patterns(stanza: platforms.Stanza) -> Iterator[tuple[re.Pattern[str], Callable[[str], object]]]:
    """Each pattern, and the way in which it is held against a line."""
    for one in filter(None, (stanza.content, stanza.content_far, stanza.trailer, stanza.must_hold)):
        yield one, one.search
    for one in filter(None, (stanza.split, *stanza.also)):
        yield one, one.fullmatch
    if stanza.template is not None:
        for rules in templates.template(stanza.template)._fsm.states.values():
            yield from ((rule.regex_obj, rule.regex_obj.match) for rule in rules)


@pytest.mark.parametrize("stanza", STANZAS, ids=lambda s: s.name)
def test_no_pattern_takes_seconds_over_a_hostile_line(stanza: platforms.Stanza) -> None:
    for name, text in HOSTILE.items():
        for pattern, held in patterns(stanza):
            begun = time.process_time()
            held(text)
            taken = time.process_time() - begun
            assert taken < SLOW_S, f"{name}: {taken:.1f} s: {pattern.pattern[:120]}"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_log_is_parted_for_seconds(name: str) -> None:
    text = HOSTILE[name].encode()[: LINE_LIMIT - 1]
    log = b"root@r:~# ps\n" + text + b"\nroot@r:~# uptime\n" + text + b"\nroot@r:~# \n" + text + b"\n"
    linux = platforms.load("linux")
    begun = time.process_time()
    assert transcript.looks_like_transcript(log, linux.prompts)
    assert transcript.read_transcript(log, Section("x", "d", "1", 1, "", b""), linux.prompts)
    assert time.process_time() - begun < SLOW_S
