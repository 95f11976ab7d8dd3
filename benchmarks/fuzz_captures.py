"""Fuzzer of everything that reads traffic: hostile captures, exports and logs, for as long as one likes.

    python benchmarks/fuzz_captures.py --minutes 20 --jobs 2 --seed 1 --keep DIR

Of each input: no exception, an answer within a deadline of the processor, memory that does not grow, the same connections from
the fast and the complete decoder, by large chunks and small ones, by either walk, and from a file that was split in two.
An input that fails is kept in DIR with its seed; `--once SEED` runs one again.
"""

from __future__ import annotations

import argparse
import gc
import io
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from fuzz_inputs import Input, make  # noqa: E402

from devicehunt import database  # noqa: E402
from devicehunt.flows import containers, fast, logs, packet, streams, take, take_logs  # noqa: E402
from devicehunt.flows.loglines import Account  # noqa: E402
from devicehunt.flows.records import Chunk, Damage, Decoded  # noqa: E402
from devicehunt.flows.table import FlowTable  # noqa: E402

SLOW_S = 5.0
"""Seconds of the processor for one input, of all checks of it together."""
HANG_S = 120
GROWTH_MB = 150
"""What memory may grow after the first inputs, which fill caches."""
WARM = 150
PLACE = ("device", "1", "device/1/01-x.pcap")
ROWS = ("src", "dst", "sport", "dport", "proto", "flags", "seq", "vlan", "depth", "tunnel", "fragment", "payload", "payload_len")


class DiffersError(AssertionError):
    """Two ways of reading one input do not agree."""


class Hangs(BaseException):
    """An input took too long by the clock; no handler of ours may take it for an error of the input."""


def complete(chunk: Chunk, fragments: packet.Fragments) -> Decoded:
    """A chunk by the complete decoder, as columns."""
    columns: dict[str, list[Any]] = {name: [] for name in fast.KINDS}
    for i in range(len(chunk.at)):
        at = int(chunk.at[i])
        data = chunk.data[at : at + int(chunk.caplen[i])].tobytes()
        p = packet.decode(data, int(chunk.linktype[i]), int(chunk.wirelen[i]), int(chunk.interface[i]), fragments)
        side = p.direction or (int(chunk.direction[i]) if chunk.direction is not None else 0)
        for row in p.rows:
            for name in ROWS[2:]:
                columns[name].append(getattr(row, name))
            for name in ROWS[:2]:
                columns[f"{name}_hi"].append(getattr(row, name) >> 64)
                columns[f"{name}_lo"].append(getattr(row, name) & fast.MASK)
            columns["payload_at"].append(row.payload_at + chunk.place + at if row.payload_at >= 0 else -1)
            for name, value in (("packet", chunk.first + i), ("time", chunk.time[i]), ("length", chunk.wirelen[i])):
                columns[name].append(value)
            columns["interface"].append(p.interface & 0xFFFF)
            columns["direction"].append(side)
    return Decoded(**{name: np.array(values, dtype=fast.KINDS[name]) for name, values in columns.items()})


def _table(parts: Iterator[Chunk | Damage], *, slow: bool = False) -> dict[str, Any]:
    flows, decoder, fragments = FlowTable(), fast.Decoder(), packet.Fragments()
    for part in parts:
        if isinstance(part, Chunk):
            for block in [complete(part, fragments)] if slow else decoder.blocks(part):
                flows.add(block)
    return flows.connections()


def _same(one: dict[str, Any], other: dict[str, Any], what: str, without: tuple[str, ...] = ()) -> None:
    for name, column in one.items():
        if name not in without and column.tolist() != other[name].tolist():
            raise DiffersError(f"{what}: {name} differs")


def _payload(data: bytes, size: int, found: dict[str, Any]) -> list[Any]:
    chunks = [c for c in containers.Capture(io.BytesIO(data), size).chunks() if isinstance(c, Chunk)]
    wanted = np.arange(min(len(found["line"]), 200))
    return [(s.connection, s.orig, s.resp) for s in streams.follow(chunks, found, wanted, packets=200)]


def check_capture(item: Input, draw: random.Random, folder: Path, con: Any) -> None:
    """All ways of reading one capture."""
    data = item.data
    whole = containers.Capture(io.BytesIO(data), slice_bytes=0)
    parts = list(whole.chunks())
    found = _table(iter(parts))
    _same(found, _table(iter(parts), slow=True), "decoders")
    size, piece = draw.choice((777, 4096, 50_000)), draw.choice((128, 512, 4096))
    _same(found, _table(containers.Capture(io.BytesIO(data), size, slice_bytes=piece).chunks()), f"chunks of {size}, slices of {piece}")
    if _payload(data, 1 << 24, found) != _payload(data, size, found):
        raise DiffersError(f"payload by chunks of {size}")
    _split(data, parts, found, draw, folder)
    path = folder / "x.pcap"
    path.write_bytes(data)
    taken = take.capture(con, PLACE, path)
    if len(found["line"]) != taken.feeds.get("connections", 0):
        raise DiffersError("the table of connections has another number of rows")
    counted = sum(len(p.time) for p in parts if isinstance(p, Chunk))
    if counted != whole.packets:
        raise DiffersError("packets are counted twice or not at all")


def _split(data: bytes, parts: list[Chunk | Damage], found: dict[str, Any], draw: random.Random, folder: Path) -> None:
    """A classic file as two files: the same connections. Only of whole ones, whose times say which is first."""
    chunks = [p for p in parts if isinstance(p, Chunk)]
    if len(chunks) != 1 or len(parts) != 1 or data[:4] in (b"\x0a\x0d\x0d\x0a", b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34"):
        return
    chunk = chunks[0]
    if len(chunk.at) < 2:
        return
    n = draw.randrange(1, len(chunk.at))
    if chunk.time[0] >= chunk.time[n]:
        return
    at = int(chunk.at[n]) + chunk.place - 16
    two = [folder / "a.pcap", folder / "b.pcap"]
    two[0].write_bytes(data[:at])
    two[1].write_bytes(data[:24] + data[at:])
    got = _table(containers.Capture(two).chunks())
    # a second file is a second interface, and its bytes lie elsewhere
    if len(chunk.interface) and (got["interface"] != 0).any():
        return
    _same(found, got, f"split before packet {n + 1}", ("orig_place", "resp_place"))


def check_log(item: Input, folder: Path, con: Any) -> None:
    """A log, whatever it says of itself."""
    kind = logs.sniff(item.data, item.name)
    if not kind:
        return
    account = Account()
    told = 0
    for part in logs.read(kind, io.BytesIO(item.data), account):
        told += isinstance(part, Damage) or len(part[1])
    path = folder / "log"
    path.write_bytes(item.data)
    take_logs.log(con, PLACE, path, kind, logs.Folder(), ends=True)


def hunt(item: Input, folder: Path) -> None:
    """The whole way, rules and report included."""
    import shutil

    import devicehunt

    case = folder / "case"
    shutil.rmtree(case, ignore_errors=True)
    path = folder / ("x.pcap" if item.kind == "capture" else item.name)
    path.write_bytes(item.data)
    devicehunt.hunt([path], case=case, device="device", device_ip=("192.0.2.1",))


def _alarm(*_: object) -> None:
    raise Hangs


class Bench:
    """One process: a database that is emptied after each input."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.con: Any = None
        self.fed = 0

    def run(self, seed: int, *, others: bool = True, whole: bool = False) -> str:
        """Run one seed; gives what was wrong, or nothing."""
        if self.con is None or self.fed >= 500:
            self.con, self.fed = database.connect(views=False), 0
            self.tables = [n for (n,) in self.con.execute("select table_name from duckdb_tables()").fetchall()]
        self.fed += 1
        begun = time.process_time()
        signal.alarm(HANG_S)
        try:
            item = make(seed, others=others)
            if item.kind == "capture":
                check_capture(item, random.Random(seed), self.folder, self.con)
            else:
                check_log(item, self.folder, self.con)
            if whole:
                hunt(item, self.folder)
        except Hangs:
            return f"hangs\n{traceback.format_exc(limit=-4)}"
        except Exception:  # the fuzzer's purpose: whatever it is, it is a finding
            return traceback.format_exc(limit=-6)
        finally:
            signal.alarm(0)
            self._empty()
        spent = time.process_time() - begun
        return f"slow: {spent:.1f} s of the processor" if spent > SLOW_S and not whole else ""

    def _empty(self) -> None:
        for name in ("connections", "flows", "captures_read", *take.TABLES, "exposures"):
            if name in self.tables:
                self.con.execute(f"delete from {name}")


def resident() -> int:
    """MB that this process has in memory now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


def worker(number: int, seed: int, until: float, out: Any, *, hunts: int, keep: Path) -> None:
    """Seeds one after the other until the time is over."""
    signal.signal(signal.SIGALRM, _alarm)
    count, findings, first, peak = 0, dict[str, int](), 0, 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        bench = Bench(Path(scratch))
        while time.monotonic() < until:
            one = seed + count
            wrong = bench.run(one, whole=hunts > 0 and count % hunts == 0)
            count += 1
            if wrong:
                _found(wrong, one, keep, findings)
            if count % 50 == 0:
                peak = max(peak, resident())
                if count == WARM:
                    first = peak
                if first and peak - first > GROWTH_MB:
                    _found(f"memory grew from {first} to {peak} MB", one, keep, findings)
                    first = peak
    out.put((number, count, findings, first, peak))


def _found(wrong: str, seed: int, keep: Path, findings: dict[str, int]) -> None:
    last = wrong.strip().splitlines()
    key = " | ".join(last[-3:])[:300] if len(last) > 1 else last[0][:20]
    findings[key] = findings.get(key, 0) + 1
    if findings[key] <= 3:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{seed}.txt").write_text(wrong, encoding="utf-8")
        (keep / f"{seed}.input").write_bytes(make(seed).data)
        print(f"seed {seed}: {key}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hunts", type=int, default=200, help="one input in so many goes the whole way; 0: none")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--once", type=int, help="run one seed and say what is wrong")
    given = parser.parse_args()
    if given.once is not None:
        signal.signal(signal.SIGALRM, _alarm)
        with tempfile.TemporaryDirectory() as scratch:
            wrong = Bench(Path(scratch)).run(given.once, whole=True)
        print(wrong or "nothing is wrong")
        return bool(wrong)
    out: Any = multiprocessing.Queue()
    until = time.monotonic() + given.minutes * 60
    jobs = [
        multiprocessing.Process(
            target=worker, args=(n, given.seed + n * 10**9, until, out), kwargs={"hunts": given.hunts, "keep": given.keep}
        )
        for n in range(given.jobs)
    ]
    for job in jobs:
        job.start()
    results = [out.get() for _ in jobs]
    for job in jobs:
        job.join()
    total: dict[str, int] = {}
    for number, count, findings, first, peak in sorted(results):
        print(f"process {number}: {count:,} inputs, memory {first} MB after {WARM}, at most {peak} MB")
        for key, times in findings.items():
            total[key] = total.get(key, 0) + times
    print(f"{sum(r[1] for r in results):,} inputs in {given.minutes:g} minutes with {given.jobs} processes; {len(total)} kinds of findings")
    for key, times in sorted(total.items(), key=lambda one: -one[1]):
        print(f"  {times} times: {key}")
    return bool(total)


if __name__ == "__main__":
    sys.exit(main())
