"""A capture of a case -> the tables of traffic, with what could not be read.

Two passes: the first makes connections of all packets, the second reads the payload of those whose first bytes
say that there is something to know. Both are bounded: what a bound leaves out is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from devicehunt.archives import CAPTURES
from devicehunt.database import columns_of, insert_rows
from devicehunt.flows import apps, containers, loglines, logs, nfcapd, streams
from devicehunt.flows.export_rows import Batch
from devicehunt.flows.exports import Exports, is_export
from devicehunt.flows.fast import Decoder
from devicehunt.flows.records import Chunk, Damage, Decoded
from devicehunt.flows.stitch import stitch
from devicehunt.flows.table import ORIENTED, FlowTable, address
from devicehunt.model import Status

if TYPE_CHECKING:
    import duckdb

Place = tuple[str, str, str]
"""Device, snapshot, exhibit."""
Progress = Callable[[int, int], None]
Columns = dict[str, Any]
GAPS = 200
"""Kinds of damage that are told one by one; the rest is counted in one."""
SIGN = 128
"""Bytes of each direction by which an application is recognised."""
FOLLOWED = 20_000
"""Connections whose payload is kept at a time, at most 32 KiB of each."""
PASSES = 3
"""How often the file is read again for payload; what is left then is said."""
MESSAGES = frozenset({"dns", "mdns", "llmnr", "nbns", "dhcp", "ssdp", "stratum"})
"""Applications in which each message counts, not only the first ones."""
ENOUGH = 64
"""Bytes of a direction by which every application would be recognised."""
TCP = 6
TABLES = ("tls_sessions", "ssh_sessions", "http_requests", "dns_queries", "proxy_requests", "app_facts")


@dataclass(slots=True)
class Taken:
    """What a capture gave. `gaps`: first packet, last packet, reason; `feeds`: table, rows."""

    status: Status = Status.COMPLETE
    reason: str = ""
    packets: int = 0
    unread: int = 0
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    feeds: dict[str, int] = field(default_factory=dict)
    views: dict[tuple[str, str], int] = field(default_factory=dict)  # table and view, where one file fills several
    proof: str = "byte-count"
    open: dict[str, str] = field(default_factory=dict)  # table -> columns that rows leave open though the rest is whole
    short: dict[str, str] = field(default_factory=dict)  # table -> why it does not hold all that was said


@dataclass(slots=True)
class _Pass:
    """What the first pass learnt besides connections."""

    capture: containers.Capture
    flows: FlowTable
    damage: list[Damage] = field(default_factory=list)
    named: dict[str, int] = field(default_factory=dict)
    bytes: dict[int, int] = field(default_factory=dict)  # of an interface
    packets: dict[int, int] = field(default_factory=dict)
    cut: int = 0  # packets that were not captured whole
    exports: Exports = field(default_factory=Exports)
    batches: list[Batch] = field(default_factory=list)


def capture(con: duckdb.DuckDBPyConnection, place: Place, path: Path, progress: Progress | None = None) -> Taken:
    """Read one capture into the tables of `con`. A file that is not there, or is none, is a gap and never an exception."""
    try:
        seen = _first_pass(path, progress)
        found = seen.flows.connections()
        names = _identified(path, found)
        said, short = _dissected(path, found, names)
    except OSError as error:
        reason = f"the capture cannot be read: {error.strerror or error}"
        return Taken(Status.LOST, reason, gaps=[(0, 0, reason)])
    seen.damage += seen.flows.damage()
    _exported(seen, seen.exports.close())
    _write_connections(con, place, seen.flows, found, names)
    _write_interfaces(con, place, seen)
    taken = _judged(seen)
    taken.feeds = {"connections": len(found["line"]), "captures_read": len(seen.capture.interfaces)}
    for table in TABLES:
        _write_said(con, place, table, said.get(table, []))
        taken.feeds[table] = len(said.get(table, []))
    blind = _blind(seen, found)
    if blind:
        short = {"connections": blind, **dict.fromkeys(TABLES, blind)}
        taken.open["connections"] = "app,usual_port"
    portless = _portless(seen, found)
    if portless:
        short = {"connections": portless, **short}
        taken.open["connections"] = "app,usual_port,orig_port,resp_port,orig_flags,resp_flags,oriented"
    taken.short = short
    if seen.batches:
        _write_flows(con, place, seen.batches, taken)
    return taken


def _write_said(con: duckdb.DuckDBPyConnection, place: Place, table: str, rows: list[dict[str, Any]]) -> None:
    head = dict(zip(("device", "snapshot", "exhibit"), place, strict=True))
    stamps = {name for name, kind in columns_of(con, table).items() if kind == "TIMESTAMP_NS"}
    whole = [{"view": "packets", **row, **head, **{n: _stamp(row[n]) for n in stamps if isinstance(row.get(n), int)}} for row in rows]
    for at in range(0, len(whole), 5000):
        insert_rows(con, table, whole[at : at + 5000])


def _dissected(path: Path, found: Columns, names: list[str]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """What the payload of recognised connections says: rows by table, and why a table does not hold everything."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    cut: dict[str, int] = defaultdict(int)
    left = 0
    for wanted, limit, packets in (
        ([i for i, n in enumerate(names) if n in MESSAGES], 16 * streams.BYTES, 64 * streams.PACKETS),
        ([i for i, n in enumerate(names) if n in apps.DISSECTED and n not in MESSAGES], streams.BYTES, streams.PACKETS),
    ):
        size = FOLLOWED * streams.BYTES // limit
        left += max(0, len(wanted) - PASSES * size)
        for at in range(0, min(len(wanted), PASSES * size), size):
            for stream in streams.follow(_chunks(path), found, np.array(wanted[at : at + size]), limit=limit, packets=packets):
                _said(stream, names[stream.connection - 1], rows, cut)
    short = {table: f"of {count} connections only the beginning was looked at" for table, count in cut.items()}
    if left:
        short = dict.fromkeys(TABLES, f"the payload of {left} further connections was not looked at")
    return rows, short


def _chunks(path: Path) -> Iterator[Chunk]:
    return (part for part in containers.read(path) if isinstance(part, Chunk))


def _said(stream: streams.Stream, app: str, rows: dict[str, list[dict[str, Any]]], cut: dict[str, int]) -> None:
    for table, row in apps.dissect(app, stream.orig.pieces, stream.resp.pieces):
        rows[table].append({**row, "connection": stream.connection})
    if app in _OF and (stream.orig.cut or stream.resp.cut):
        cut[_OF[app]] += 1


_OF = {"http": "http_requests"} | dict.fromkeys(("dns", "mdns", "llmnr", "nbns"), "dns_queries")
"""Where a later message would have been a further row."""


def records(con: duckdb.DuckDBPyConnection, place: Place, path: Path) -> Taken:
    """Read a file of nfcapd into flows and connections, through nfdump; where that is not installed, it is a gap."""
    batches: list[Batch] = []
    damage: list[Damage] = []
    try:
        for part in nfcapd.read(path):
            if isinstance(part, Batch):
                batches.append(part)
            else:
                damage.append(part)
    except OSError as error:
        damage.append(Damage(f"the file cannot be read: {error.strerror or error}"))
    taken = Taken(packets=sum(b.count for b in batches), unread=sum(d.packets or 0 for d in damage))
    taken.gaps = _told(damage)
    if taken.gaps:
        taken.status = Status.CUT if batches else Status.NOT_READ
        taken.reason = taken.gaps[0][2]
    _write_flows(con, place, batches, taken)
    return taken


def log(con: duckdb.DuckDBPyConnection, place: Place, path: Path, kind: str, folder: logs.Folder, *, ends: bool) -> Taken:
    """Read a log of another tool. `folder`: what the logs beside it said; `ends`: no other log tells the connections."""
    account = loglines.Account()
    taken = Taken(proof="marker")
    damage: list[Damage] = []
    try:
        with path.open("rb") as stream:
            for part in logs.read(kind, stream, account, folder=folder, ends=ends):
                if isinstance(part, Damage):
                    damage.append(part)
                else:
                    _write_log(con, place, *part)
                    for row in part[1]:
                        taken.views.setdefault((part[0], row["view"]), 0)
                        taken.views[part[0], row["view"]] += 1
    except OSError as error:
        damage.append(Damage(f"the log cannot be read: {error.strerror or error}"))
    taken.packets, taken.unread = account.lines, account.unread
    taken.gaps = _told(damage, "lines")
    if taken.gaps:
        taken.status, taken.reason = Status.CUT, taken.gaps[0][2]
    elif not account.lines:
        taken.status, taken.reason = Status.EMPTY, "the log is empty"
    if not account.ended:
        taken.proof = "none"
    return taken


_NUMBERS = {"tcp": 6, "udp": 17}


def _write_log(con: duckdb.DuckDBPyConnection, place: Place, table: str, rows: list[dict[str, Any]]) -> None:
    if table == "connections":
        rows = [{**row, "usual_port": _usual(row)} for row in rows]
    _write_said(con, place, table, rows)


def _usual(row: dict[str, Any]) -> bool | None:
    number = _NUMBERS.get(row.get("proto") or "")
    return apps.usual(row["app"], number, row["resp_port"]) if number and row.get("app") and row.get("resp_port") else None


def _write_flows(con: duckdb.DuckDBPyConnection, place: Place, batches: list[Batch], taken: Taken) -> None:
    """Rows of flows, and the connections that they make."""
    for batch in batches:
        batch.insert(con, *place)
        taken.views["flows", batch.view] = taken.views.get(("flows", batch.view), 0) + batch.count
    taken.views["connections", "exporter"] = stitch(con, where=place)


def _first_pass(path: Path, progress: Progress | None) -> _Pass:
    seen = _Pass(containers.Capture(path), FlowTable())
    decoder = Decoder()
    for part in seen.capture.chunks():
        if isinstance(part, Damage):
            seen.damage.append(part)
            continue
        _count(seen, part)
        for block in decoder.blocks(part):
            seen.flows.add(block)
            _feed_exports(seen, part, block)
            seen.damage += block.unread
            for name, count in block.named.items():
                seen.named[name] = seen.named.get(name, 0) + count
        if progress:
            progress(seen.capture.read_bytes, seen.capture.total_bytes or 0)
    return seen


def _feed_exports(seen: _Pass, chunk: Chunk, block: Decoded) -> None:
    """Datagrams of exporters on their way to a collector."""
    rows = np.flatnonzero((block.proto == 17) & (block.payload >= 20) & (block.depth == 0))
    at = block.payload_at[rows] - chunk.place
    version = chunk.data[at].astype(np.uint16) << 8 | chunk.data[at + 1]
    fits = np.isin(version, (5, 9, 10))
    for row, start in zip(rows[fits].tolist(), at[fits].tolist(), strict=True):
        data = chunk.data[start : start + int(block.payload[row])].tobytes()
        if not is_export(data):
            continue
        source = int(block.src_hi[row]).to_bytes(8, "big") + int(block.src_lo[row]).to_bytes(8, "big")
        _exported(seen, seen.exports.feed(data, address(source), int(block.packet[row]), int(block.time[row])))


def _exported(seen: _Pass, parts: Iterable[Batch | Damage]) -> None:
    for part in parts:
        if isinstance(part, Damage):
            seen.damage.append(part)
        else:
            seen.batches.append(part)


def _count(seen: _Pass, chunk: Chunk) -> None:
    seen.cut += int(np.count_nonzero(chunk.caplen < chunk.wirelen))
    for number in np.unique(chunk.interface).tolist():
        mine = chunk.interface == number
        seen.packets[number] = seen.packets.get(number, 0) + int(mine.sum())
        seen.bytes[number] = seen.bytes.get(number, 0) + int(chunk.wirelen[mine].sum())


def _blind(seen: _Pass, found: Columns) -> str:
    """Why the first bytes of connections are not there to be recognised, or nothing: then no application is no answer."""
    count = len(found["line"])
    if seen.cut:
        lost = np.zeros(count, dtype=bool)
        for side in ("orig", "resp"):
            sent, kept = found[f"{side}_payload"], np.maximum(found[f"{side}_captured"], 0)
            lost |= (sent > kept) & (kept < ENOUGH)
        if lost.any():
            return f"the first bytes of {int(lost.sum())} of {count} connections were not captured (snap length)"
    tcp = (found["proto"] == TCP) & (found["depth"] == 0)
    late = tcp & (found["oriented"] != ORIENTED.tolist().index("syn"))
    if late.sum() * 2 > tcp.sum():
        return f"{int(late.sum())} of {int(tcp.sum())} TCP connections have no beginning here: what they speak is not known"
    return ""


def _portless(seen: _Pass, found: Columns) -> str:
    """Why ports and flags are not there, or nothing: a snap length that ends within the IP header's last bytes, or right behind it."""
    if not seen.cut:
        return ""
    cut = np.isin(found["proto"], (TCP, 17)) & (found["orig_port"] == 0) & (found["resp_port"] == 0)
    return f"the ports of {int(cut.sum())} of {len(cut)} connections were not captured (snap length)" if cut.any() else ""


def _identified(path: Path, found: Columns) -> list[str]:
    """The application of each connection, by its first bytes; empty where they say nothing."""
    count = len(found["line"])
    if not count:
        return []
    places = np.concatenate([found["orig_place"], found["resp_place"]])
    sizes = np.concatenate([found["orig_captured"], found["resp_captured"]])
    with path.open("rb") as file:
        plain = file.read(4) in CAPTURES
        spans = streams.heads(file, places, sizes, SIGN) if plain else streams.heads_of(_chunks(path), places, sizes, SIGN)
    ends = zip(found["proto"].tolist(), found["orig_port"].tolist(), found["resp_port"].tolist(), spans[:count], spans[count:], strict=True)
    return [apps.identify(*end) for end in ends]


def _write_connections(con: duckdb.DuckDBPyConnection, place: Place, flows: FlowTable, found: Columns, names: list[str]) -> None:
    ends = zip(names, found["proto"].tolist(), found["resp_port"].tolist(), strict=True)
    app = np.array([*(n or None for n in names), None], dtype=object)[:-1]
    usual = np.array([*(apps.usual(name, proto, port) if name else None for name, proto, port in ends), None], dtype=object)[:-1]
    at = 0
    for batch in flows.batches(found=found):
        size = len(batch["line"])
        batch["app"], batch["usual_port"] = app[at : at + size], usual[at : at + size]
        at += size
        _insert(con, "connections", place, batch, {"view": "packets", "sampling": None})


def _insert(con: duckdb.DuckDBPyConnection, table: str, place: Place, batch: Columns, fixed: dict[str, Any]) -> None:
    """Append numpy columns to a table; what is the same in every row is a constant."""
    import duckdb

    same = dict(zip(("device", "snapshot", "exhibit"), place, strict=True)) | fixed
    kinds = columns_of(con, table)
    picked = [f"?::{kind}" if name in same else f'"{name}"::{kind}' for name, kind in kinds.items()]
    con.register("batch", batch)
    try:
        con.execute(f"insert into {table} select {', '.join(picked)} from batch", [same[name] for name in kinds if name in same])
    except duckdb.Error as error:  # columns come from our own code: a wrong one is ours to mend, and not to lose
        raise RuntimeError(f"{table}: {error}") from error
    finally:
        con.unregister("batch")


def _write_interfaces(con: duckdb.DuckDBPyConnection, place: Place, seen: _Pass) -> None:
    from devicehunt.text import shown

    head = dict(zip(("device", "snapshot", "exhibit"), place, strict=True)) | {"line": 0, "format": seen.capture.format, "view": "packets"}
    span = {"first_at": _stamp(seen.capture.first_at), "last_at": _stamp(seen.capture.last_at)}
    unread = sum(d.packets or 0 for d in seen.damage)
    other = ", ".join(f"{name} {count}" for name, count in sorted(seen.named.items())) or None
    rows = [
        {**head, **span, "interface": i.number, "interface_name": shown(i.name, 80) or None, "linktype": i.linktype, "snaplen": i.snaplen,
         "filter": shown(i.filter, 200) or None, "packets": seen.packets.get(i.number, 0), "bytes": seen.bytes.get(i.number, 0),
         "unread_packets": unread, "other_packets": other, "drops": i.drops}
        for i in seen.capture.interfaces
    ]  # fmt: skip
    insert_rows(con, "captures_read", rows)


def _stamp(ns: int | None) -> str | None:
    return None if ns is None else f"{np.datetime64(ns, 'ns')}"


def _judged(seen: _Pass) -> Taken:
    """Whether the capture is whole; what of it was not read, a gap a kind."""
    taken = Taken(packets=seen.capture.packets)
    taken.gaps = _told(seen.damage)
    taken.unread = sum(d.packets or 0 for d in seen.damage)
    drops = sum(i.drops or 0 for i in seen.capture.interfaces)
    if drops:
        taken.gaps.append((0, 0, f"the capturer lost {drops} packets"))
    if not taken.packets and not seen.damage and not drops:
        taken.status, taken.reason = Status.EMPTY, "the capture holds no packet"
    elif taken.gaps:
        taken.status, taken.reason = Status.CUT if taken.packets else Status.LOST, "; ".join(reason for _, _, reason in taken.gaps[:3])
    return taken


def _told(damages: Iterable[Damage], unit: str = "packets") -> list[tuple[int, int, str]]:
    """A gap a kind of damage, with what it cost."""
    kinds: dict[str, list[Damage]] = defaultdict(list)
    for damage in damages:
        kinds[damage.reason].append(damage)
    gaps = [(*_span(of), f"{reason}: {_amount(of, unit)}") for reason, of in list(kinds.items())[:GAPS]]
    return [*gaps, (0, 0, f"{len(kinds) - GAPS} further kinds of damage")] if len(kinds) > GAPS else gaps


def _span(of: Iterable[Damage]) -> tuple[int, int]:
    numbers = [d.first_packet for d in of if d.first_packet]
    return (min(numbers), max(numbers)) if numbers else (0, 0)


def _amount(of: list[Damage], unit: str) -> str:
    packets, octets = sum(d.packets or 0 for d in of), sum(d.size for d in of)
    said = [f"{packets} {unit}"] if packets else []
    said += [f"{octets} bytes"] if octets else []
    return ", ".join(said) or f"{len(of)} times"
