"""A result as one self-contained page."""

from __future__ import annotations

from devicehunt.report import Result


def render(result: Result) -> str:
    """The page; it loads nothing, runs no script and needs no network."""
    return f"<!doctype html><title>devicehunt</title><p>{len(result.verdicts)} devices"
