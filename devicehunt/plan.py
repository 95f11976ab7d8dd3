"""The script that a person pastes into a console, or pipes into `ssh router 'sh -s'`.

It runs under any POSIX shell (BusyBox ash, dash, bash), writes nothing, and needs nothing but what
each command itself needs: a missing tool is an exit status of 127 that the reader sees.

The paste only fills a shell variable; its last line counts what arrived and runs it. A console that
lost a byte so runs nothing, and no echo of the paste falls between two outputs. All of it runs in a
subshell: the person's session keeps its settings. Each output is held in a variable, counted and
printed between two markers, with its MD5 where the device can make one. Markers are put together
from two variables and hold a number that nobody on the device can know, so that neither an echo nor
an output can look like one. A NUL byte would be lost in a variable; no command of a plan prints one.
Ctrl-C ends one command, not the plan. transcript.py reads what comes back.

Where a device has no shell (`console:` in platform.yaml) the plan is the commands themselves, one a line,
between remarks that the device only echoes; there the prompt that comes back is what ends an output.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from devicehunt.errors import DataError, UsageError
from devicehunt.platforms import Console, Platform, Stanza

WIDTH = 200
"""Bytes of a line; consoles and line editors cut longer ones (OpenWrt's at 512, old ones at 255)."""
OUTPUT_KB = {0: 0.1, 1: 4.0, 2: 32.0, 3: 3.0, 4: 6.0, 5: 6.0, 6: 64.0}
"""Kilobytes expected of a command by tier, to estimate the time on a serial line."""
COMMAND_S = {0: 0.1, 1: 0.5, 2: 0.5, 3: 0.2, 4: 0.5, 5: 20.0, 6: 60.0}
"""Seconds expected of a command by tier on a slow CPU."""
SCRIPT_KB, SCRIPT_S = 32.0, 15.0
"""The same for a command that is a script of its own (the walk of /proc)."""
_UNITS = {"s": 1, "m": 60, "h": 3600}

_HEAD = """\
M=@@d; N="h {first}"; N=${{N}}{second}; T={total}
set +efux; unset IFS; unalias -a 2>/dev/null; trap : INT
PATH=/bin:/sbin:/usr/bin:/usr/sbin:$PATH; LC_ALL=C; export PATH LC_ALL
w() {{ echo "$1"; }}
case $(type printf 2>&1) in *builtin*) w() {{ printf "%s\\n" "$1"; }} ;; esac
no() {{ echo "$M$N not-asked $1 $2 @@"; }}
do_() {{ echo "$M$N begin $1 $T $2 @@"; O=$(eval "${{3:-$2}}" 2>&1 </dev/null; X=$?; echo :; exit $X)
X=$?; O=${{O%:}}; S=$(w "$O" | md5sum 2>/dev/null); w "$O"; echo "$M$N end $1 rc=$X bytes=${{#O}} md5=${{S%% *}} @@"; }}
"""


def seconds(text: str) -> int:
    """`90s`, `10m`, `1h` -> seconds; UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,9})([smh]?)", text.strip())
    if not match or int(match[1]) == 0:
        raise UsageError(f"not a time: {text!r} (write 90s, 10m or 1h)")
    return int(match[1]) * _UNITS[match[2] or "s"]


def plan(platform: Platform, *, budget_s: int | None = None, baud: int | None = None, nonce: str | None = None) -> str:
    """The script for one platform, in lines of at most WIDTH bytes.

    `budget_s` leaves out the least volatile commands first until the estimate fits; each of them is
    named in the transcript as not asked. `baud` is the speed of a serial console. `nonce` is 16 to 64
    hexadecimal digits, new for every plan; give one only to get the same script again. UsageError for
    a bad argument, DataError for a command that cannot be pasted.
    """
    nonce = nonce or secrets.token_hex(8)
    if not re.fullmatch(r"[0-9a-f]{16,64}", nonce):
        raise UsageError("a nonce is 16 to 64 hexadecimal digits")
    if baud is not None and baud < 300:
        raise UsageError("a baud rate below 300 is not one")
    stanzas = sorted((s for s in platform.stanzas.values() if s.plan), key=lambda s: s.tier)
    asked = _within(stanzas, budget_s, baud)
    if platform.console:
        return _console(platform, platform.console, stanzas, asked, baud)
    body = _body(stanzas, asked, nonce)
    if not re.fullmatch(r"[\n -~]*", body):
        raise DataError(f"{platform.folder}: a command or script of the plan holds a TAB or a character that a console may change")
    pasted = [_pasted(piece, whole=last) for line in body.splitlines() for piece, last in _pieces(line)]
    lines = [
        f"# {_headline(platform, stanzas, asked, baud)}.",
        "# Read-only: it asks, and writes nothing on the device. Record the whole session, then:",
        "#   devicehunt hunt TRANSCRIPT",
        "# An interactive shell may keep what is pasted in its own history; ssh router 'sh -s' does not.",
    ]
    if len(asked) < len(stanzas):
        lines.append(f"# Left out for the budget of {_clock(budget_s or 0)}: {len(stanzas) - len(asked)} of the least volatile commands.")
    lines += [
        " unset HISTFILE; dh=",  # a leading blank keeps the line out of many shells' history
        ' b() { dh="$dh$1"; }; a() { dh="$dh$1',
        '"; }',
        *pasted,
        f' if [ ${{#dh}} = {len(body)} ]; then (eval "$dh"); else echo "@@dh damaged ${{#dh}} of {len(body)} @@"; fi; unset dh',
    ]
    return "".join(f"{line}\n" for line in lines)


def _headline(platform: Platform, stanzas: Sequence[Stanza], asked: Sequence[Stanza], baud: int | None) -> str:
    speed = f" at {baud} baud" if baud else ""
    return f"devicehunt plan {platform.name}: {len(asked)} of {len(stanzas)} commands, about {_clock(_cost(asked, baud))}{speed}"


def _console(platform: Platform, console: Console, stanzas: Sequence[Stanza], asked: Sequence[Stanza], baud: int | None) -> str:
    commands = [s.plan_command or s.command for s in stanzas]
    if any(not re.fullmatch(r"[ -~]+", c) for c in commands):
        raise DataError(f"{platform.folder}: a command of the plan holds a character that a console may change")
    lines = [
        f"{console.comment} {_headline(platform, stanzas, asked, baud)}",
        f"{console.comment} devicehunt note: read-only. Record the session, paste a few lines at a time, then: devicehunt hunt LOG",
        *console.before,
        *(c if s in asked else f"{console.comment} devicehunt not-asked {s.command}" for s, c in zip(stanzas, commands, strict=True)),
        f"{console.comment} devicehunt done",
    ]
    return "".join(f"{line}\n" for line in lines)


def _body(stanzas: Sequence[Stanza], asked: Sequence[Stanza], nonce: str) -> str:
    half = len(nonce) // 2
    parts = [_HEAD.format(first=nonce[:half], second=nonce[half:], total=len(stanzas))]
    parts += [_ask(n, s) if s in asked else f"no {n} {_quoted(s.command)}\n" for n, s in enumerate(stanzas, 1)]
    parts.append('echo "$M$N done $T @@"\n')
    return "".join(parts)


def _ask(number: int, stanza: Stanza) -> str:
    label = f"do_ {number} {_quoted(stanza.command)}"
    if stanza.plan_script is not None:
        return f"s{number}() {{\n{_script(stanza.plan_script)}}}\n{label} s{number}\n"
    if stanza.plan_command and stanza.plan_command != stanza.command:
        return f"{label} {_quoted(stanza.plan_command)}\n"
    return f"{label}\n"


def _quoted(text: str) -> str:
    """One word for the shell; in double quotes where that is safe, since a single one costs four bytes in the paste."""
    return shlex.quote(text) if re.search(r'["$`\\\\]', text) or not re.search(r"[^\w@%+=:,./-]", text) else f'"{text}"'


def _script(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def _pieces(line: str) -> Iterator[tuple[str, bool]]:
    """A line in parts that fit into WIDTH once they are quoted, each with whether it ends the line."""
    at = 0
    while True:
        end = at
        room = WIDTH - len(" a ''")
        while end < len(line) and (room := room - (4 if line[end] == "'" else 1)) >= 0:
            end += 1
        yield line[at:end], end == len(line)
        if end == len(line):
            return
        at = end


def _pasted(piece: str, *, whole: bool) -> str:
    escaped = piece.replace("'", "'\\''")
    return f" {'a' if whole else 'b'} '{escaped}'"


def _cost(stanzas: Sequence[Stanza], baud: int | None) -> float:
    """Seconds for some commands: on the device, and with `baud` on the line (ten bits a byte)."""
    time = sum(SCRIPT_S if s.plan_script else COMMAND_S[s.tier] for s in stanzas)
    if baud:
        size = sum(SCRIPT_KB if s.plan_script else OUTPUT_KB[s.tier] for s in stanzas)
        # the paste itself: each command, the walk, the frame
        size += sum(len(s.plan_command or s.command) + 30 for s in stanzas) / 1024 + 6
        time += size * 1024 * 10 / baud
    return time


def _within(stanzas: Sequence[Stanza], budget_s: int | None, baud: int | None) -> list[Stanza]:
    asked = list(stanzas)
    while budget_s is not None and len(asked) > 1 and _cost(asked, baud) > budget_s:
        asked.pop()
    return asked


def _clock(value: float) -> str:
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
