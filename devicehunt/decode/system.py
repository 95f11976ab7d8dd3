"""Decoders of commands: what a line of a crontab or a boot script runs first."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise

from devicehunt.decode import Fields, decoder

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_REDIRECTION = re.compile(r"\d*(?:<>|>>|>\||<<|&>|>|<)&?(.*)")
_OPERATORS = {";", "&", "&&", "|", "||", ";;", "(", ")", "{", "}", "\n"}
# words of the shell in front of a command, and those that end a block
_OPENERS = {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "(", "time", "exec", "command", "builtin", "eval"}
_NO_PROGRAM = {
    "fi", "done", "esac", "}", ")", ";;", "for", "case", "in", "select", "function", "export", "set", "unset", "local",
    "return", "exit", "shift", "break", "continue", "cd", "umask", "trap", "ulimit", "test", "[", "[[", "]", "]]",
    "true", "false", ":", "wait", "read", "readonly", "alias",
}  # fmt: skip
# programs that run another one: their options that take a value, and how many plain words come before it
_WRAPPERS: dict[str, tuple[str, int]] = {
    "nice": ("n", 0), "ionice": ("cn", 0), "nohup": ("", 0), "setsid": ("", 0), "sudo": ("ug", 0), "env": ("u", 0),
    "timeout": ("ks", 1), "flock": ("wEc", 1), "chroot": ("", 1), "taskset": ("", 1), "chrt": ("", 1), "stdbuf": ("ioe", 0),
    "busybox": ("", 0), "logger": ("tp", 99), "chpst": ("u", 0), "daemonize": ("acepluo", 0), "procd_set_param": ("", 0),
}  # fmt: skip
_SHELLS = re.compile(r"(ba|a|da|z|k|hu)?sh|lua\S*|perl|python\S*|php\S*|ucode|tclsh|expect|node|ruby|source|\.")
_SCHEDULE = re.compile(r"\s*(@[a-z]+|[\d*][\d*/,-]*(?:\s+[\d*A-Za-z/,-]+){4})\s+(\S.*)")


@decoder("shell_command", "program")
def shell_command(value: str) -> Fields:
    """A line of shell -> the first program it runs: behind assignments, nice, redirections; inside `sh -c`."""
    return {"program": first_program(value)}


def first_program(line: str, depth: int = 0) -> str | None:
    """The program or script that `line` runs first; None when it runs none (a variable, a word of the shell)."""
    words = _words(line)
    position = 0
    while position < len(words):
        word = words[position]
        redirected = _REDIRECTION.fullmatch(word)
        if redirected:  # `>file`, `2>&1`, and `> file` with its name as the next word
            position += 1 if redirected.group(1) else 2
        elif words[position + 1 : position + 3] == ["(", ")"]:  # a function begins: `start() {`
            position += 3
        elif word in _NO_PROGRAM:
            position = _after_operator(words, position)
        elif word in _OPERATORS or word in _OPENERS or word == "$" or _ASSIGNMENT.match(word):
            position += 1
        elif word == "sleep":
            position = _after_operator(words, position)
        else:
            return _named(words[position:], depth)
    return None


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        found = list(lexer)
    except ValueError:  # a quote that goes on over lines
        return line.split()
    joined: list[str] = []
    for word in found:  # 2>&1 is one word, whatever the lexer thinks of &
        before = joined[-1] if joined else ""
        if (not word.strip("&") and before.endswith(("<", ">"))) or (before.endswith((">&", "<&")) and re.fullmatch(r"\d|-", word)):
            joined[-1] += word
        elif set(word) <= set(";&|()") and len(set(word)) > 1:
            joined += list(word)  # `);` and the like
        else:
            joined.append(word)
    return joined


def _after_operator(words: list[str], position: int) -> int:
    """The position behind the next `;`, `&&`, `||` ...; the end when there is none."""
    for later in range(position + 1, len(words)):
        if words[later] in _OPERATORS or words[later] in ("then", "do"):
            return later + 1
    return len(words)


def _named(words: list[str], depth: int) -> str | None:
    """The program that a simple command (its words) runs, seen through wrappers and shells."""
    name = words[0].rpartition("/")[2]
    if depth > 4:
        return words[0]
    if name in _WRAPPERS:
        rest = _behind(words[1:], *_WRAPPERS[name])
        if name == "procd_set_param":
            return rest[1] if len(rest) > 1 and rest[0] == "command" else None
        if rest and not rest[0].startswith("-"):
            return _named(rest, depth + 1) if not _ASSIGNMENT.match(rest[0]) else first_program(shlex.join(rest), depth + 1)
        return words[0]
    if name == "start-stop-daemon":
        return _option(words, "-x", "--exec") or _option(words, "-a", "--startas") or words[0]
    if _SHELLS.fullmatch(name):
        return _of_shell(words, depth)
    return words[0].strip("`")


def _behind(words: list[str], valued: str, plain: int) -> list[str]:
    """What follows a wrapper's own options and its `plain` words."""
    position = 0
    while position < len(words) and words[position].startswith("-") and words[position] != "-":
        word = words[position]
        position += 2 if len(word) == 2 and word[1] in valued else 1
    return words[position + plain :]


def _option(words: list[str], *names: str) -> str | None:
    for name, value in pairwise(words):
        if name in names:
            return value
    return None


def _of_shell(words: list[str], depth: int) -> str | None:
    """`sh -c 'x y'` runs x, `sh /a/b` and `. /a/b` run /a/b; an interactive shell is itself."""
    for position, word in enumerate(words[1:], 1):
        if word in _OPERATORS or _REDIRECTION.fullmatch(word):
            break
        if re.fullmatch(r"-[a-z]*c", word) and position + 1 < len(words):
            return first_program(words[position + 1], depth + 1) or words[0]
        if not word.startswith("-"):
            return word
    return words[0]


@decoder("cron_line", "schedule", "command", "program")
def cron_line(value: str) -> Fields:
    """`*/5 * * * * root /usr/bin/x`: schedule, command, program; empty for a line that has no schedule."""
    match = _SCHEDULE.fullmatch(value)
    if not match:
        return {"schedule": None, "command": None, "program": None}
    command = re.sub(r"^(root|admin|nobody)\s+", "", match.group(2))
    return {"schedule": match.group(1), "command": command, "program": first_program(command)}
