"""How long does it take? Start, one device from command to report, and many devices in one call.

    python benchmarks/speed.py fixtures/cases/relay-in-disguise [--devices 100,300,1000] [--jobs 2]

Each figure stands beside something that was run next to it on the same machine: the bare start of
Python, and reading and hashing the same bytes. Memory is the largest sum of the resident sets of
the command and its children, sampled ten times a second (Linux).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds of wall clock and megabytes at most."""
    started, most = time.monotonic(), 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env) as process:
        while process.poll() is None:
            most = max(most, resident_mb(process.pid))
            time.sleep(0.02 if time.monotonic() - started < 5 else 0.1)
        wall = time.monotonic() - started
        error = process.stderr.read().decode() if process.stderr else ""
    if "Traceback" in error or process.returncode not in (0, 3, 4):
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--devices", default="100,300,1000")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    tool = [sys.executable, "-m", "devicehunt"]
    bare = median([sys.executable, "-c", "pass"])
    print(f"python alone: {bare:.3f} s")
    start = median([*tool, "--help"])
    print(f"--help: {start:.3f} s, {start / bare:.1f} x python alone")
    with tempfile.TemporaryDirectory(prefix="devicehunt-speed-") as scratch:
        walls = [timed([*tool, "hunt", str(args.evidence), "-o", f"{scratch}/one-{n}"]) for n in range(RUNS)]
        wall, most = statistics.median(w for w, _ in walls), max(m for _, m in walls)
        print(f"one device, command to report: {wall:.2f} s, {most:.0f} MB, {wall / bare:.0f} x python alone")
        for count in (int(c) for c in args.devices.split(",")):
            folder = Path(scratch) / f"fleet-{count}"
            sources = fleet(args.evidence, folder, count)
            beside = hashing(folder)
            wall, most = timed([*tool, "hunt", *map(str, sources), "-o", f"{scratch}/case-{count}", "--jobs", str(args.jobs)])
            print(f"{count} devices: {wall:.1f} s, {1000 * wall / count:.0f} ms a device, {most:.0f} MB, {wall / beside:.0f} x hashing the same bytes")
            shutil.rmtree(folder)
            shutil.rmtree(f"{scratch}/case-{count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
