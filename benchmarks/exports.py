"""Our decoder of flow exports beside netflume, netflow and scapy, on the same datagrams.

    python -m venv peers && peers/bin/pip install . netflume netflow scapy
    PYTHONPATH=. peers/bin/python benchmarks/exports.py [--records 200000] [--markdown]

The datagrams are made here (seeded): 24 records each of a usual template, IPv4, then IPv6. Seconds of the processor of one
core, the best of three; scapy gets one record in 200. A library that is not installed is left out and said so.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import random
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.datagrams import UPTIME, field_set, ipfix, record5, template9, template10, v5, v9

EACH = 24
FOUR = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (10, 4), (14, 4), (1, 4), (2, 4), (22, 4), (21, 4), (61, 1))
SIX = ((27, 16), (28, 16), (7, 2), (11, 2), (4, 1), (6, 1), (10, 4), (14, 4), (1, 8), (2, 8), (152, 8), (153, 8))
VARIABLE = (*SIX, (82, 65535))
NOW_MS = 1_767_225_600_000

Datagrams = list[bytes]


def flow4(chance: random.Random) -> bytes:
    start = UPTIME - chance.randrange(60_000)
    numbers = (chance.randrange(9000), chance.randrange(9), start, min(UPTIME, start + chance.randrange(9000)))
    ports = (chance.randrange(65536), chance.choice((53, 80, 443)), 6, 27, 1, 2)
    return (
        bytes((10, 0, chance.randrange(8), chance.randrange(256))) + chance.randbytes(4) + struct.pack(">HHBBIIIIIIB", *ports, *numbers, 0)
    )


def flow6(chance: random.Random, name: bytes = b"") -> bytes:
    start = NOW_MS - chance.randrange(60_000)
    rest = struct.pack(">HHBBIIQQQQ", chance.randrange(65536), 443, 6, 27, 1, 2, chance.randrange(9000), 9, start, start + 50)
    return chance.randbytes(32) + rest + name


def flow5(chance: random.Random) -> bytes:
    return record5(f"10.0.{chance.randrange(8)}.{chance.randrange(256)}", chance.randrange(65536), "192.0.2.9", 443)


def made(kind: str, records: int) -> Datagrams:
    """Datagrams of one kind with so many records."""
    chance = random.Random(5)
    count = records // EACH
    if kind == "v5":
        return [v5(EACH * n, *(flow5(chance) for _ in range(EACH))) for n in range(count)]
    if kind == "v9":
        body = [v9(n + 1, field_set(256, b"".join(flow4(chance) for _ in range(EACH)))) for n in range(count)]
        return [v9(0, template9(256, FOUR)), *body]
    name = b"\x04eth0" if kind == "ipfix-variable" else b""
    shape = VARIABLE if name else SIX
    body = [ipfix(EACH * n, field_set(256, b"".join(flow6(chance, name) for _ in range(EACH)))) for n in range(count)]
    return [ipfix(0, template10(256, shape)), *body]


def ours(datagrams: Datagrams) -> int:
    from devicehunt.flows.export_rows import Batch
    from devicehunt.flows.exports import Exports

    exporter = Exports()
    parts = [part for number, one in enumerate(datagrams, 1) for part in exporter.feed(one, "192.0.2.1", number, 0)]
    return sum(part.count for part in (*parts, *exporter.close()) if isinstance(part, Batch))


@functools.cache
def database() -> Any:
    from devicehunt.database import connect

    con = connect(views=False)
    con.execute("set threads = 1")
    return con


def ours_stored(datagrams: Datagrams) -> int:
    from devicehunt.flows.export_rows import Batch
    from devicehunt.flows.exports import Exports

    con, exporter = database(), Exports()
    con.execute("delete from flows")
    for number, one in enumerate(datagrams, 1):
        for part in exporter.feed(one, "192.0.2.1", number, 0):
            if isinstance(part, Batch):
                part.insert(con, "r1", "s1", "x")
    for part in exporter.close():
        if isinstance(part, Batch):
            part.insert(con, "r1", "s1", "x")
    return int(con.execute("select count(*) from flows").fetchall()[0][0])


def netflume(datagrams: Datagrams) -> int:
    from netflume import Decoder  # type: ignore[import-not-found]

    decoder = Decoder()
    return sum(len(decoder.decode(one, ("192.0.2.1", 2055)).flows) for one in datagrams)


def netflow(datagrams: Datagrams) -> int:
    from netflow import parse_packet  # type: ignore[import-not-found]

    templates: dict[str, dict[int, object]] = {"netflow": {}, "ipfix": {}}
    return sum(len(parse_packet(one, templates).flows) for one in datagrams)


def scapy(datagrams: Datagrams) -> int:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.netflow import NetflowDataflowsetV9, NetflowHeader, NetflowRecordV5, netflowv9_defragment

    packets = [IP(src="192.0.2.1") / UDP(dport=2055) / NetflowHeader(one) for one in datagrams]
    if datagrams[0][1] == 5:
        return sum(1 for packet in packets for layer in packet.iterpayloads() if isinstance(layer, NetflowRecordV5))
    defragment: Any = netflowv9_defragment
    return sum(len(packet[NetflowDataflowsetV9].records) for packet in defragment(packets) if NetflowDataflowsetV9 in packet)


READERS: dict[str, Callable[[Datagrams], int]] = {
    "devicehunt": ours, "devicehunt, into the table": ours_stored, "netflume": netflume, "netflow": netflow, "scapy": scapy,
}  # fmt: skip
KINDS = ("v5", "v9", "ipfix", "ipfix-variable")


def rate(reader: Callable[[Datagrams], int], datagrams: Datagrams) -> tuple[float, int]:
    """Records a second of the processor, and how many came out."""
    best, count = float("inf"), reader(datagrams[:2])  # imports and tables are not counted
    for _ in range(3):
        start = time.process_time()
        count = reader(datagrams)
        best = min(best, time.process_time() - start)
    return count / best, count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    lines: list[tuple[str, ...]] = [("reader", "version", *KINDS)]
    for name, reader in READERS.items():
        package = name.partition(",")[0]
        try:
            version = importlib.metadata.version(package) if package != "devicehunt" else "-"
        except importlib.metadata.PackageNotFoundError:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        cells = []
        for kind in KINDS:
            wanted = max(EACH, (args.records // (200 if name == "scapy" else 1)) // EACH * EACH)
            try:
                found, count = rate(reader, made(kind, wanted))
            except Exception as error:  # a library that fails is a result
                cells.append(f"{type(error).__name__}")
                continue
            cells.append(f"{found:,.0f}" + ("" if count == wanted else f" ({count} of {wanted} records)"))
        lines.append((name, version, *cells))
    if args.markdown:
        print(
            "\n".join(
                "| " + " | ".join(line) + " |" + ("\n|" + "---|" * len(line) if not number else "") for number, line in enumerate(lines)
            )
        )
    else:
        print("\n".join("  ".join(cell.ljust(28) for cell in line) for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
