"""Sources that can be read once (`-`, a named pipe) -> files of the case, which can be read again and hashed."""

from __future__ import annotations

import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from devicehunt.errors import CaseError, UsageError

FOLDER = Path("evidence") / "stream"
STDIN = Path("-")
_PIECE = 1 << 20


def is_stream(source: Path) -> bool:
    """Whether a source is standard input or a named pipe."""
    return source == STDIN or (source.exists() and stat.S_ISFIFO(source.stat().st_mode))


def keep(sources: Sequence[Path], case: Path) -> list[Path]:
    """The sources, each stream among them copied into the case; CaseError when there is no room for it."""
    if sum(source == STDIN for source in sources) > 1:
        raise UsageError("standard input can be read once: give - once")
    return [_kept(source, case) if is_stream(source) else source for source in sources]


def _kept(source: Path, case: Path) -> Path:
    name = "stdin" if source == STDIN else source.name
    target, number = case / FOLDER / name, 1
    while target.exists():
        number += 1
        target = case / FOLDER / f"{name}-{number}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file, (sys.stdin.buffer if source == STDIN else source.open("rb")) as stream:
            while piece := stream.read(_PIECE):
                file.write(piece)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise CaseError(f"cannot keep {name}: {error.strerror or error}") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target
