"""How long does it take? Start, one device from command to report, and many devices in one call.

    python benchmarks/speed.py fixtures/cases/relay-in-disguise [--devices 100,300,1000] [--jobs 2] [--markdown]

Each figure stands beside something that was run next to it on the same machine: the bare start of
Python, and reading and hashing the same bytes. Memory is the largest sum of the resident sets of
the command and its children, sampled ten times a second (Linux).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement beside another that was made next to it."""

    what: str
    wall: float
    memory_mb: float
    devices: int
    beside: str
    beside_s: float

    def line(self) -> str:
        """For the terminal."""
        memory = f", {self.memory_mb:.0f} MB" if self.memory_mb else ""
        return f"{self.what}: {self.wall:.3f} s{memory}, {self.wall / self.beside_s:.1f} x {self.beside}"

    def markdown(self) -> str:
        """A row of the table in docs/speed.md."""
        each = f"{1000 * self.wall / self.devices:.0f}" if self.devices > 1 else ""
        memory = f"{self.memory_mb:.0f}" if self.memory_mb else ""
        return f"| {self.what} | {self.wall:.2f} | {each} | {memory} | {self.wall / self.beside_s:.1f} | {self.beside} |"


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds of wall clock and megabytes at most."""
    started, most = time.monotonic(), 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env) as process:
        while process.poll() is None:
            most = max(most, resident_mb(process.pid))
            time.sleep(0.02 if time.monotonic() - started < 5 else 0.1)
        wall = time.monotonic() - started
        error = process.stderr.read().decode() if process.stderr else ""
    if "Traceback" in error or process.returncode not in (0, 3, 4, 5):
        raise SystemExit(f"{command[:4]}: status {process.returncode}: {error[-500:]}")
    return wall, most


def resident_mb(pid: int) -> float:
    """The resident set of a process and of all below it."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1])
            waiting += [int(p) for p in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        except (OSError, IndexError):
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def median(command: list[str]) -> float:
    return statistics.median(timed(command)[0] for _ in range(RUNS))


def hashing(folder: Path) -> float:
    """Seconds to read and hash every file below a folder once."""
    started = time.monotonic()
    for file in folder.rglob("*"):
        if file.is_file():
            hashlib.sha256(file.read_bytes()).hexdigest()
    return time.monotonic() - started


def evidence_size(folder: Path) -> str:
    """How much one device is."""
    files = [f for f in folder.rglob("*") if f.is_file()]
    return f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1000:.0f} kB a device"


def fleet(evidence: Path, folder: Path, count: int) -> list[Path]:
    """Copies of one device under other names; a line of its own in each, so that no two are the same."""
    made = []
    for number in range(count):
        target = folder / f"router-{number:05d}"
        shutil.copytree(evidence, target)
        for name in target.rglob("*uptime*"):
            name.write_text(name.read_text().replace(" up ", f" up {number % 300} days, "))
        made.append(target)
    return made


def measure(evidence: Path, counts: Sequence[int], jobs: int) -> Iterator[Figure]:
    """All figures, in the order in which they are printed; each as soon as it is there."""
    tool = [sys.executable, "-m", "devicehunt"]
    bare = median([sys.executable, "-c", "pass"])
    yield Figure("Python alone", bare, 0.0, 1, "itself", bare)
    yield Figure("`devicehunt --help`", median([*tool, "--help"]), 0.0, 1, "Python alone", bare)
    with tempfile.TemporaryDirectory(prefix="devicehunt-speed-") as scratch:
        walls = [timed([*tool, "hunt", str(evidence), "-o", f"{scratch}/one-{n}"]) for n in range(RUNS)]
        wall, most = statistics.median(w for w, _ in walls), max(m for _, m in walls)
        yield Figure("one device, command to report", wall, most, 1, "Python alone", bare)
        for count in counts:
            folder = Path(scratch) / f"fleet-{count}"
            sources = fleet(evidence, folder, count)
            beside = hashing(folder)
            wall, most = timed([*tool, "hunt", *map(str, sources), "-o", f"{scratch}/case-{count}", "--jobs", str(jobs)])
            yield Figure(f"{count:,} devices in one call", wall, most, count, "hashing the same bytes", beside)
            shutil.rmtree(folder)
            shutil.rmtree(f"{scratch}/case-{count}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--devices", default="100,300,1000")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/speed.md")
    args = parser.parse_args()
    if args.markdown:
        machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, `--jobs {args.jobs}`"
        print(f"{date.today()}, {machine}, {evidence_size(args.evidence)}.\n")
        print("| what | seconds | ms a device | MB at most | times | of |\n|---|--:|--:|--:|--:|---|")
    counts = [int(c) for c in args.devices.split(",")]
    for figure in measure(args.evidence, counts, args.jobs):
        print(figure.markdown() if args.markdown else figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
