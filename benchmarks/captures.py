"""How fast captures become connections, beside other programs on the same machine in the same minute.

    python benchmarks/captures_make.py min64 /tmp/min64.pcap --packets 3000000
    python benchmarks/captures.py /tmp/min64.pcap

CPU seconds of whole processes (children), so that what else the machine does counts less; still, compare only within a run.
Programs that are not installed are said and left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OTHERS = {
    "cat": ["cat", "{file}"],
    "tcpdump": ["tcpdump", "-r", "{file}", "-w", "/dev/null"],
    "softflowd": ["softflowd", "-r", "{file}", "-n", "127.0.0.1:9", "-m", "2000000", "-d"],
    "nfpcapd": ["nfpcapd", "-r", "{file}", "-w", "{folder}"],
    "argus": ["argus", "-r", "{file}", "-w", "/dev/null"],
    "tshark": ["tshark", "-n", "-q", "-r", "{file}", "-z", "conv,tcp", "-z", "conv,udp"],
}


def child(command: list[str]) -> tuple[float, int]:
    """CPU seconds and the largest memory (MB) of one process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def ours(path: Path) -> None:
    """Read a capture in this process, and print where the time goes."""
    from devicehunt.flows import fast, table
    from devicehunt.flows.containers import Capture
    from devicehunt.flows.records import Damage

    decoder, flows, clock = fast.Decoder(), table.FlowTable(), time.process_time
    spent = {"start": clock(), "containers": 0.0, "decoder": 0.0, "table": 0.0}
    capture, last = Capture(path), clock()
    for chunk in capture.chunks():
        spent["containers"] += clock() - last
        last = clock()
        if not isinstance(chunk, Damage):
            for block in decoder.blocks(chunk):
                spent["decoder"] += clock() - last
                last = clock()
                flows.add(block)
                spent["table"] += clock() - last
                last = clock()
    found, spent["pairs"] = flows.connections(), -last
    spent["pairs"] += clock()
    rows = sum(len(batch["line"]) for batch in flows.batches(found=found))
    spent["texts"] = clock() - last - spent["pairs"]
    packets = max(capture.packets, 1)
    parts = ", ".join(f"{name} {seconds / packets * 1e9:.0f}" for name, seconds in spent.items())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{capture.packets} packets, {rows} connections, {memory} MB; nanoseconds of CPU a packet: {parts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--ours", action="store_true", help="only this project, in this process")
    parser.add_argument("--skip", action="append", default=[], choices=sorted(OTHERS), help="leave a slow one out")
    options = parser.parse_args()
    if options.ours:
        return ours(options.file)
    size = options.file.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        commands = {"devicehunt": [sys.executable, __file__, "--ours", "{file}"], **OTHERS}
        for name, command in commands.items():
            if name in options.skip:
                continue
            if not shutil.which(command[0]):
                print(f"{name:12} is not installed")
                continue
            seconds, memory = child([word.format(file=options.file, folder=folder) for word in command])
            print(f"{name:12} {seconds:7.2f} s of CPU {size / 1e6 / max(seconds, 0.01):8.0f} MB/s {memory:6} MB of memory")
    return ours(options.file)


if __name__ == "__main__":
    main()
