"""The script that a person pastes into a console, or pipes into `ssh router 'sh -s'`.

It runs under any POSIX shell (BusyBox ash, dash, bash), writes nothing, and needs nothing but what
each command itself needs: a missing tool is an exit status of 127 that the reader sees. The whole
script is one function, so that a shell reads all of it before it runs any of it: the echo of a
paste never falls between two outputs. Markers are put together from two variables and hold a
number that nobody on the device can know, so that neither an echo nor an output can look like one.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path

from devicehunt.errors import UsageError
from devicehunt.platforms import Platform, Stanza

WIDTH = 240
"""Bytes of a line; consoles cut longer ones (4,095 on Linux, about 256 on old UARTs)."""
OUTPUT_KB = {0: 1, 1: 24, 2: 48, 3: 16, 4: 24, 5: 8, 6: 64}
"""Kilobytes expected of a command by tier, to estimate the time on a serial line."""
COMMAND_S = {0: 0.1, 1: 1.0, 2: 1.0, 3: 0.3, 4: 1.0, 5: 20.0, 6: 60.0}
"""Seconds expected of a command by tier on a slow CPU."""
_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> int:
    """`90s`, `10m`, `1h` -> seconds; UsageError for anything else."""
    match = re.fullmatch(r"(\d+)([smh]?)", text.strip())
    if not match or int(match[1]) == 0:
        raise UsageError(f"not a time: {text!r} (write 90s, 10m or 1h)")
    return int(match[1]) * _UNITS[match[2] or "s"]


def plan(platform: Platform, *, budget_s: int | None = None, baud: int | None = None, nonce: str | None = None) -> str:
    """The script for one platform.

    `budget_s` leaves out the least volatile commands first until the estimate fits; each of them is
    named in the transcript as not asked. `baud` is the speed of a serial console. `nonce` is 32
    hexadecimal digits, new for every plan; give one only to get the same script again.
    """
    nonce = nonce or secrets.token_hex(16)
    if not re.fullmatch(r"[0-9a-f]{16,64}", nonce):
        raise UsageError("a nonce is 16 to 64 hexadecimal digits")
    if baud is not None and baud < 300:
        raise UsageError("a baud rate below 300 is not one")
    stanzas = sorted((s for s in platform.stanzas.values() if s.plan), key=lambda s: s.tier)
    asked = _within(stanzas, budget_s, baud)
    lines = _head(platform, stanzas, asked, budget_s, baud, nonce)
    for number, stanza in enumerate(stanzas, 1):
        lines += _ask(number, stanza) if stanza in asked else [f"n {number} {_quoted(stanza.command)}"]
    lines += ['echo "$M$N done $T"', "}", "dh", "stty echo 2>/dev/null"]
    return "".join(f"{line} #dh\n" if not line.startswith("#") else f"{line}\n" for line in lines)


def _head(
    platform: Platform, stanzas: Sequence[Stanza], asked: Sequence[Stanza], budget_s: int | None, baud: int | None, nonce: str
) -> list[str]:
    speed = f" at {baud} baud" if baud else ""
    comments = [
        f"# devicehunt plan {platform.name}: {len(asked)} of {len(stanzas)} commands, about {_clock(_cost(asked, baud))}{speed}. #dh",
        "# Read-only: asks, writes nothing on the device. Record the whole session, then: #dh",
        "#   devicehunt hunt TRANSCRIPT #dh",
    ]
    if len(asked) < len(stanzas):
        comments.append(f"# Left out for the budget of {_clock(budget_s or 0)}: the least volatile commands. #dh")
    half = len(nonce) // 2
    return [
        *comments,
        " stty -echo 2>/dev/null",  # a leading blank keeps the line out of shells' history
        " unset HISTFILE; LC_ALL=C; export LC_ALL",
        f" M='@@d'; N='h {nonce[:half]}'; N=\"$N\"'{nonce[half:]}'; T={len(stanzas)}",
        "dh() {",
        'w() { printf %s "$1"; }',
        "printf x >/dev/null 2>&1 || w() { echo \"$1\"; }",
        'n() { echo "$M$N not-asked $1 $2"; }',
        'r() { echo "$M$N begin $1 $T $2"; o=$(eval "${3:-$2}" 2>&1; echo ":$?")',
        'c=${o##*:}; o=${o%:*}; w "$o"; echo "$M$N end $1 rc=$c bytes=${#o}"; }',
    ]


def _ask(number: int, stanza: Stanza) -> list[str]:
    if stanza.plan_script is not None:
        body = _script(stanza.plan_script)
        return [f"s{number}() {{", *body, "}", f"r {number} {_quoted(stanza.command)} s{number}"]
    if stanza.plan_command and stanza.plan_command != stanza.command:
        return _joined(number, stanza.command, stanza.plan_command)
    return [f"r {number} {_quoted(stanza.command)}"]


def _joined(number: int, label: str, command: str) -> list[str]:
    line = f"r {number} {_quoted(label)} {_quoted(command)}"
    return [line] if len(line) < WIDTH else [f"x={_quoted(command)}", f'r {number} {_quoted(label)} "$x"']


def _script(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _quoted(text: str) -> str:
    return shlex.quote(text)


def _cost(stanzas: Sequence[Stanza], baud: int | None) -> float:
    time = sum(COMMAND_S[s.tier] for s in stanzas)
    if baud:
        # ten bits a byte on the line
        time += sum(OUTPUT_KB[s.tier] * 1024 * 10 / baud for s in stanzas)
    return time


def _within(stanzas: Sequence[Stanza], budget_s: int | None, baud: int | None) -> list[Stanza]:
    asked = list(stanzas)
    while budget_s is not None and len(asked) > 1 and _cost(asked, baud) > budget_s:
        asked.pop()
    return asked


def _clock(value: float) -> str:
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
