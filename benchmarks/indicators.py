"""How long lists of indicators take, and how much memory: `python benchmarks/indicators.py [--connections N] [--sizes 1000,1000000]`.

Made connections (seeded, numpy) with a DNS question for every tenth, and made lists of addresses, networks and names of
which a hundred are met. Each size runs in a process of its own; CPU seconds (user and system) of reading the list and of
matching it, and what the process grew by over the tables alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from devicehunt import database
from devicehunt.indicators import match, read

SEED = 20260101
MET = 100


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory(field: str) -> float:
    """MB of this process now (VmRSS), or at most since `forget` (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def forget() -> float:
    """Begin the peak anew; what there is now."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def text(numbers: np.ndarray) -> np.ndarray:
    """Numbers -> addresses from 20.0.0.0 on, as text."""
    parts = [(numbers >> shift & 255).astype(str) for shift in (24, 16, 8, 0)]
    found = parts[0]
    for part in parts[1:]:
        found = np.char.add(np.char.add(found, "."), part)
    return found.astype(object)


def connections(rng: np.random.Generator, count: int) -> tuple[object, np.ndarray]:
    con = database.connect(views=False)
    far = rng.integers(0x14000000, 0x64000000, count)
    batch = {"n": np.arange(count), "far": text(far), "far_key": far, "near": text(0xC0A80100 + rng.integers(2, 250, count))}
    con.register("batch", batch)
    con.execute(
        "insert into connections by name select 'r' as device, '1' as snapshot, 'r/1/x.pcap' as exhibit, n as line, n as connection, "
        "'tcp' as proto, near as orig_ip, ip(near) as orig_key, 40000 as orig_port, far as resp_ip, "
        "unhex('00000000000000000000ffff' || printf('%08x', far_key)) as resp_key, 443 as resp_port, "
        "make_timestamp(1767700000000000 + n * 1000) as first_at, 4 as resp_packets, 'SA' as resp_flags, 'packets' as view from batch"
    )
    con.execute(
        "insert into dns_queries by name select device, snapshot, exhibit, line, connection, "
        "'h' || line || '.site' || line % 50000 || '.example' as name, 'A' as kind, 'packets' as view from connections where line % 10 = 0"
    )
    con.unregister("batch")
    database.derive(con)
    return con, far


def lists(rng: np.random.Generator, far: np.ndarray, size: int, path: Path) -> None:
    """Six tenths addresses, one tenth networks, three tenths names; the first hundred of each are met."""
    addresses = rng.integers(0x65000000, 0xA0000000, size * 6 // 10)
    addresses[:MET] = far[:MET]
    networks = rng.integers(0x650000, 0xA00000, size // 10) << 8
    networks[:MET] = far[MET : 2 * MET] & 0xFFFFFF00
    names = [f"bad{n}.other{n % 9973}.example" for n in range(size * 3 // 10)]
    names[:MET] = [f"site{n * 10}.example" for n in range(MET)]
    with path.open("w") as file:
        file.write("\n".join(text(addresses)) + "\n")
        file.write("\n".join(f"{n}/24" for n in text(networks)) + "\n")
        file.write("\n".join(names) + "\n")


def one(count: int, size: int) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    con, far = connections(rng, count)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "list.txt"
        lists(rng, far, size, path)
        before, at = forget(), spent()
        found = read([path])
        reading = spent() - at
        at = spent()
        match.fill(con, found)  # type: ignore[arg-type]
        matching = spent() - at
    hits = con.execute("select count(distinct (kind, value)) from indicator_hits").fetchall()[0][0]  # type: ignore[attr-defined]
    kept = con.execute("select count(*) from indicators").fetchall()[0][0]  # type: ignore[attr-defined]
    return {"size": size, "reading": reading, "matching": matching, "grew": memory("VmHWM") - before, "met": kept, "told": hits}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--sizes", default="1000,1000000")
    parser.add_argument("--one", type=int)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.connections, args.one)))
        return
    rows = []
    for size in map(int, args.sizes.split(",")):
        call = [sys.executable, __file__, "--connections", str(args.connections), "--one", str(size)]
        rows.append(json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout))
    print(f"{args.connections} connections")
    print("| indicators | reading, CPU s | matching, CPU s | memory grew, MB | met | told |\n|---|---|---|---|---|---|")
    for row in rows:
        print("| {size} | {reading:.2f} | {matching:.2f} | {grew:.0f} | {met} | {told} |".format(**row))
    total = [row["reading"] + row["matching"] for row in rows]
    alone = rows[-1]["matching"] / rows[0]["matching"]
    print(f"ratio of the last to the first: {total[-1] / total[0]:.1f}; of the matching alone: {alone:.1f}")


if __name__ == "__main__":
    main()
