"""Files of nfcapd become rows of `flows`, through the program nfdump where it is installed; without it they are Damage.

The format is nfdump's own and changes with it, so its own program reads it: no shell, its output as JSON, an end in time and in
number of records.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any

import numpy as np

from devicehunt.flows.export_fields import NONE
from devicehunt.flows.export_rows import ADDRESSES, NO_TIME, NUMBERS, TIMES, Batch
from devicehunt.flows.records import Damage
from devicehunt.text import shown

MAX_RECORDS = 50_000_000
MAX_SECONDS = 3600.0
MAX_LINE = 64 * 1024
MAX_LINES = 1000  # of one record
BATCH_RECORDS = 1 << 14

# column: names in the JSON of nfdump 1.6 and 1.7
_NAMES: dict[str, tuple[str, ...]] = {
    "src_port": ("src_port",), "dst_port": ("dst_port",), "packets": ("in_packets",), "bytes": ("in_bytes",),
    "in_interface": ("input_snmp",), "out_interface": ("output_snmp",), "proto": ("proto",), "direction": ("direction",),
    "post_src_port": ("src_xlt_port", "xlate_src_port"), "post_dst_port": ("dst_xlt_port", "xlate_dst_port"),
}  # fmt: skip
_ADDRESS_NAMES = {
    "src": ("src4_addr", "src6_addr"), "dst": ("dst4_addr", "dst6_addr"),
    "post_src": ("src4_xlt_ip", "src6_xlt_ip"), "post_dst": ("dst4_xlt_ip", "dst6_xlt_ip"),
}  # fmt: skip
_FLAGS = {"C": 128, "E": 64, "U": 32, "A": 16, "P": 8, "R": 4, "S": 2, "F": 1}


def is_nfcapd(head: bytes) -> bool:
    """Whether a file begins as nfcapd's do, in either order of bytes."""
    return head[:2] in (b"\x0c\xa5", b"\xa5\x0c")


def read(path: Path, *, program: str = "nfdump", most: int = MAX_RECORDS, seconds: float = MAX_SECONDS) -> Iterator[Batch | Damage]:
    """The records of one file, in batches; `line` is the number of the record."""
    size = path.stat().st_size
    found = shutil.which(program)
    if found is None:
        yield Damage("a file of nfcapd: it is read with nfdump, which is not installed", size=size)
        return
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(  # a fixed program, no shell, and a path that cannot be an option
            [found, "-q", "-r", str(path.resolve()), "-o", "json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        ) as process:  # fmt: skip
            late = threading.Event()

            def end() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(seconds, end)
            timer.start()
            try:
                assert process.stdout is not None
                count = yield from _batches(process.stdout, most)
                rest = process.stdout.read(1)
            finally:
                timer.cancel()
                process.kill()
        said.seek(0)
        words = " ".join(said.read(2000).decode("utf-8", "replace").replace(str(path.resolve()), path.name).split())
    if late.is_set():
        yield Damage(
            f"nfdump did not end within {seconds:.0f} seconds: the rest of the file is not read", size=size, first_packet=count + 1
        )
    elif rest and count >= most:
        yield Damage(f"more than {most} records: the rest of the file is not read", size=size, first_packet=count + 1)
    elif words or not count:
        reason = f"nfdump says: {shown(words, 300)}" if words else "nfdump found no record in the file"
        yield Damage(reason, size=size, first_packet=count + 1)


def _batches(stream: IO[bytes], most: int) -> Generator[Batch | Damage, None, int]:
    """Returns how many records there were."""
    count = bad = nameless = 0
    rows: list[dict[str, Any]] = []
    for text in _objects(stream):
        count += 1
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            bad += 1
        elif (row := _row(record, count)) is None:
            nameless += 1
        else:
            rows.append(row)
        if len(rows) >= BATCH_RECORDS:
            yield from _as_batches(rows)
            rows = []
        if count >= most:
            break
    yield from _as_batches(rows)
    if bad:
        yield Damage("records of nfdump that are no JSON", packets=bad)
    if nameless:
        yield Damage("records of nfdump without addresses", packets=nameless)
    return count


def _objects(stream: IO[bytes]) -> Iterator[bytes]:
    """Each record as text: from a line that opens it to the one that closes it."""
    lines: list[bytes] = []
    while line := stream.readline(MAX_LINE):
        bare = line.strip().lstrip(b"[,").strip()
        if bare.startswith(b"{"):
            lines = []
        if bare == b"]" or (not lines and not bare.startswith(b"{")):
            continue
        lines.append(line if not bare.startswith(b"{") else bare)
        if bare.startswith(b"}") or (bare.startswith(b"{") and bare.rstrip(b"],").endswith(b"}")):
            yield b"".join(lines).strip().rstrip(b"],").strip()
            lines = []
        elif len(lines) > MAX_LINES:
            yield b""
            lines = []


def _row(record: dict[str, Any], number: int) -> dict[str, Any] | None:
    row: dict[str, Any] = {name: _number(record, names) for name, names in _NAMES.items()}
    for name, names in _ADDRESS_NAMES.items():
        row[name] = next((halves for key in names if (halves := _halves(record.get(key))) is not None), None)
    if row["src"] is None or row["dst"] is None:
        return None
    row["line"] = number
    row["tcp_flags"] = _flags(record.get("tcp_flags"))
    row["first_at"] = _moment(record.get("first", record.get("t_first")))
    row["last_at"] = _moment(record.get("last", record.get("t_last")))
    if row["proto"] in (1, 58) and "icmp_type" in record:
        row["src_port"], row["dst_port"] = _number(record, ("icmp_type",)), _number(record, ("icmp_code",))
    router = record.get("ip4_router", record.get("ip6_router", ""))
    row["exporter"] = router if isinstance(router, str) else ""
    return row


def _number(record: dict[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        value = record.get(name)
        if isinstance(value, int) and 0 <= value < 1 << 63:
            return value
    return NONE


def _halves(text: Any) -> tuple[int, int] | None:
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    whole = int(found) if found.version == 6 else 0xFFFF << 32 | int(found)
    return whole >> 64, whole & (1 << 64) - 1


def _flags(value: Any) -> int:
    if isinstance(value, str):
        return sum(bit for letter, bit in _FLAGS.items() if letter in value)
    return value & 255 if isinstance(value, int) else NONE


def _moment(text: Any) -> int:
    if not isinstance(text, str):
        return NO_TIME
    try:
        found = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return NO_TIME
    whole = found.replace(microsecond=0)
    # 1970: nothing was said
    return int(whole.timestamp()) * 1_000_000_000 + found.microsecond * 1000 if whole.timestamp() > 0 else NO_TIME


def _as_batches(rows: list[dict[str, Any]]) -> Iterator[Batch]:
    for exporter in sorted({row["exporter"] for row in rows}):
        mine = [row for row in rows if row["exporter"] == exporter]
        count = len(mine)
        columns: dict[str, Any] = {name: np.full(count, NONE, np.int64) for name in (*NUMBERS, "proto", "direction")}
        columns |= {name: np.full(count, NO_TIME, np.int64) for name in TIMES}
        columns["depth"] = np.zeros(count, np.int64)
        for name in columns:
            if name in mine[0]:
                columns[name] = np.array([row[name] for row in mine], np.int64)
        for name in ADDRESSES:
            pairs = [row[name] or (0, 0) for row in mine]
            columns[f"{name}_hi"] = np.array([pair[0] for pair in pairs], np.uint64)
            columns[f"{name}_lo"] = np.array([pair[1] for pair in pairs], np.uint64)
            columns[f"{name}_is"] = np.array([row[name] is not None for row in mine], bool)
        first, last = columns["first_at"], columns["last_at"]
        none = (first == NO_TIME) & (last == NO_TIME)
        columns["clock"] = np.where(none, 1, np.where((last < first) & (last != NO_TIME), 2, 0))
        yield Batch(shown(exporter, 60), 0, "nfcapd", count, columns)
