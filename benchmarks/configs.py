"""How long do configurations take? Two held against each other, and a folder of many hunted.

    python benchmarks/configs.py [--devices 1000] [--jobs 2] [--markdown]

The configurations are generated (make_configs.py). Each figure stands beside something that was run next to it: the
bare start of Python, or reading and hashing the same bytes.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path

from make_configs import WORDS, changed, configuration
from speed import Figure, hashing, median, timed

SIZE = 70_000
"""Bytes of a configuration that is compared."""
EACH = 6_000
"""Bytes of each of many: a small branch router."""
KINDS = (("ios", "cfg", "IOS configurations"), ("routeros", "rsc", "RouterOS exports"))


def compared(scratch: Path) -> Iterator[Figure]:
    """Two configurations of one device: the whole process, and Python alone beside it."""
    bare = median([sys.executable, "-c", "pass"])
    yield Figure("Python alone", bare, 0.0, 1, "itself", bare)
    for kind, suffix, called in KINDS:
        text = configuration(kind, 1, SIZE)
        sides = [scratch / f"{name}.{suffix}" for name in ("before", "after")]
        sides[0].write_text(text, encoding="utf-8")
        sides[1].write_text(changed(text, kind), encoding="utf-8")
        command = [sys.executable, "-m", "devicehunt", "compare", *map(str, sides)]
        memory = timed(command)[1]
        yield Figure(f"`compare` of two {called} of {SIZE // 1000} kB", median(command), memory, 1, "Python alone", bare)


def hunted(scratch: Path, devices: int, jobs: int) -> Iterator[Figure]:
    """A folder of many configurations, each a device, in one call."""
    folder = scratch / "fleet"
    folder.mkdir()
    for number in range(devices):
        kind, suffix, _ = KINDS[number % 2]
        (folder / f"{WORDS[number % len(WORDS)]}-{number:05d}.{suffix}").write_text(configuration(kind, number, EACH), encoding="utf-8")
    beside = hashing(folder)
    wall, most = timed([sys.executable, "-m", "devicehunt", "hunt", str(folder), "-o", str(scratch / "case"), "--jobs", str(jobs)])
    yield Figure(f"a folder of {devices:,} configurations, hunted", wall, most, devices, "hashing the same bytes", beside)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000, help="0: none are hunted")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/configurations.md")
    args = parser.parse_args()
    if args.markdown:
        print(f"{date.today()}, Python {platform.python_version()}, {os.cpu_count()} cores, `--jobs {args.jobs}`.\n")
        print("| what | seconds | ms a device | MB at most | times | of |\n|---|--:|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory(prefix="devicehunt-configs-") as name:
        scratch = Path(name)
        for figure in chain(compared(scratch), hunted(scratch, args.devices, args.jobs) if args.devices else ()):
            print(figure.markdown() if args.markdown else figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
