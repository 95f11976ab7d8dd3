"""Our reader of Cisco's configuration language beside ciscoconfparse2 and hier_config, on one long configuration.

    python -m venv readers && readers/bin/pip install . ciscoconfparse2 hier-config
    readers/bin/python benchmarks/config_readers.py [--lines 300000] [--limit 120] [--markdown]

Each reader runs in a process of its own: seconds of the processor, and of the clock, from the text in memory to its
tree, and the largest resident set of that process. One that is not installed is left out and said so; one that takes
more of the processor than the limit is ended and said so.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from make_configs import configuration

BYTES_A_LINE = 38


def ours(text: str) -> int:
    """Statements with their line, block and secrets hidden, as `hunt` reads them."""
    from devicehunt import readers

    reader = readers.get("ios_config")
    texts = ((number, line) for number, line in enumerate(text.splitlines(), 1))
    return sum(row is not None for _, row, _ in reader.read(texts))


def ciscoconfparse2(text: str) -> int:
    """Its tree of statements with their parents and children."""
    from ciscoconfparse2 import CiscoConfParse  # type: ignore[import-not-found]

    return len(CiscoConfParse(text.splitlines(), syntax="ios").find_objects(r"^"))


def hier_config(text: str) -> int:
    """Its tree of statements; line numbers are not kept."""
    import hier_config as package  # type: ignore[import-not-found]

    if hasattr(package, "get_hconfig"):  # since version 3
        return sum(1 for _ in package.get_hconfig(package.Platform.CISCO_IOS, text).all_children())
    host = package.Host("r1", "ios")
    host.load_running_config(text)
    return sum(1 for _ in host.running_config.all_children())


READERS = {"devicehunt": ours, "ciscoconfparse2": ciscoconfparse2, "hier-config": hier_config}


def one(name: str, file: Path) -> int:
    """Run one reader and print its seconds, megabytes and statements."""
    text = file.read_text(encoding="utf-8")
    started, used = time.monotonic(), time.process_time()
    count = READERS[name](text)
    wall, busy = time.monotonic() - started, time.process_time() - used
    print(f"{busy:.1f} {wall:.1f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} {count}")
    return 0


def licence(name: str) -> str:
    """What the package says of its licence."""
    facts = importlib.metadata.metadata(name)
    said = facts.get("License-Expression") or facts.get("License") or ""
    classes = [c.rpartition(" :: ")[2] for c in facts.get_all("Classifier") or () if c.startswith("License ::")]
    return (said.splitlines() or [""])[0] or ", ".join(classes)


def row(name: str, file: Path, limit: int) -> list[str]:
    """A row of the table: reader, version, licence, seconds, megabytes, statements."""
    try:
        known = [name, importlib.metadata.version(name), licence(name)]
    except importlib.metadata.PackageNotFoundError:
        return [name, "not installed", *[""] * 5]
    command = [sys.executable, __file__, "--one", name, str(file)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    )
    if done.returncode == -signal.SIGXCPU:
        return [*known, f"more than {limit}", *[""] * 3]
    if done.returncode:
        return [*known, f"failed: {(done.stderr.splitlines() or ['no word'])[-1][:80]}", *[""] * 3]
    return [*known, *done.stdout.split()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--limit", type=int, default=120, help="seconds of the processor for one reader")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/configurations.md")
    parser.add_argument("--one", nargs=2, metavar=("READER", "FILE"), help="run one reader in this process")
    args = parser.parse_args()
    if args.one:
        return one(args.one[0], Path(args.one[1]))
    with tempfile.TemporaryDirectory(prefix="devicehunt-readers-") as scratch:
        file = Path(scratch) / "long.cfg"
        file.write_text(configuration("ios", 7, args.lines * BYTES_A_LINE), encoding="utf-8")
        text = file.read_text(encoding="utf-8")
        size = f"{text.count(chr(10)):,} lines, {len(text) / 1e6:.1f} MB"
        print(f"{date.today()}, Python {platform.python_version()}, {os.cpu_count()} cores, {size}.\n")
        if args.markdown:
            print("| reader | version | licence | seconds of the processor | of the clock | MB at most | statements |")
            print("|---|---|---|--:|--:|--:|--:|")
        for name in READERS:
            told = row(name, file, args.limit)
            print("| " + " | ".join(told) + " |" if args.markdown else "  ".join(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
