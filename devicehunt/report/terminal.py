"""A result for a person at a terminal: verdict first, then findings, then what was not seen."""

from __future__ import annotations

from devicehunt.report import Result


def render(result: Result, *, colour: bool, width: int, show_all: bool = False) -> str:
    """The text to print, with a newline at its end; ANSI colours only when `colour`."""
    return "\n".join(f"{v.verdict}  {v.device}" for v in result.verdicts) + "\n"
