"""A capture of a case -> the tables of traffic, with what could not be read.

Two passes: the first makes connections of all packets, the second reads the payload of those whose first bytes
say that there is something to know. Both are bounded: what a bound leaves out is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from devicehunt.database import columns_of, insert_rows
from devicehunt.flows import apps, containers, joined, naming, series, streams
from devicehunt.flows.exporting import Writer
from devicehunt.flows.fast import Decoder
from devicehunt.flows.records import Chunk, Damage
from devicehunt.flows.table import ORIENTED, FlowTable
from devicehunt.flows.taken import Place, Taken, stamp, told, write_said
from devicehunt.model import Status

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[int, int], None]
Columns = dict[str, Any]
FOLLOWED = 20_000
"""Connections whose payload is kept at a time, at most 32 KiB of each."""
PASSES = 3
"""How often the file is read again for payload; what is left then is said."""
MESSAGES = frozenset({"dns", "mdns", "llmnr", "nbns", "dhcp", "ssdp", "stratum"})
"""Applications in which each message counts, not only the first ones."""
ENOUGH = 64
"""Bytes of a direction by which every application would be recognised."""
TCP = 6
ACK, RST = 16, 4
TABLES = ("tls_sessions", "ssh_sessions", "http_requests", "dns_queries", "proxy_requests", "app_facts")


@dataclass(slots=True)
class _Pass:
    """What the first pass learnt besides connections."""

    capture: containers.Capture
    flows: FlowTable
    exported: Writer
    files: list[joined.File] = field(default_factory=list)
    bytes: dict[int, int] = field(default_factory=dict)  # of an interface
    packets: dict[int, int] = field(default_factory=dict)
    cut: int = 0  # packets that were not captured whole

    @property
    def now(self) -> joined.File:
        """The file that is being read."""
        return self.files[max(self.capture.reading, 0)]

    def note(self, damage: Iterable[Damage]) -> None:
        """Put damage that is told at the end to the file that holds its packets."""
        for one in damage:
            parts = self.capture.parts
            at = max((i for i, part in enumerate(parts) if part.first <= one.first_packet), default=0)
            self.files[at].damage.append(one)


def capture(con: duckdb.DuckDBPyConnection, place: Place, path: Path, progress: Progress | None = None) -> Taken:
    """Read one capture into the tables of `con`. A file that is not there, or is none, is a gap and never an exception."""
    return captures(con, [(place, path, path.name)], progress)[0]


def captures(con: duckdb.DuckDBPyConnection, members: Sequence[tuple[Place, Path, str]], progress: Progress | None = None) -> list[Taken]:
    """Read the files of one capture, in any order, as one; what each of them gave, in the order of `members`.

    A member is its place, its file and its name in the set. What the tables got is told of the earliest file.
    """
    paths = [path for _, path, _ in members]
    capture = containers.Capture(paths)
    order = [paths.index(part.origin) for part in capture.parts if isinstance(part.origin, Path)]
    first = members[order[0]][0]
    exported = Writer(con, first)
    try:
        seen = _first_pass(_Pass(capture, FlowTable(), exported, [joined.File() for _ in capture.parts]), progress)
        found = seen.flows.connections()
        names = naming.names(seen.capture, paths, found)
        said, short, holes = _dissected(paths, found, names)
        steps, left_out = series.over_time(joined.chunks(paths), found)
    except OSError as error:
        exported.drop()
        reason = f"the capture cannot be read: {error.strerror or error}"
        return [Taken(Status.LOST, reason, gaps=[(0, 0, reason)]) for _ in members]
    seen.note(seen.flows.damage())
    seen.note(exported.close())
    _write_connections(con, first, seen.flows, found, names)
    _write_interfaces(con, [members[at][0] for at in order], seen)
    taken = [_judged(seen, at) for at in range(len(order))]
    head = taken[0]
    head.feeds = {"connections": len(found["line"]), "captures_read": len(seen.capture.interfaces)}
    for table in TABLES:
        write_said(con, first, table, said.get(table, []))
        head.feeds[table] = len(said.get(table, []))
    head.feeds["series"] = len(steps["bin"])
    if head.feeds["series"]:
        _insert(con, "series", first, steps, {"view": "packets"})
    blind = _blind(seen, found)
    if blind:
        short = {"connections": blind, **dict.fromkeys(TABLES, blind)}
        head.open["connections"] = "app,usual_port"
    portless, hidden = _portless(seen, found)
    if portless:
        short = {"connections": portless, **short}
        head.open["connections"] = hidden
    head.short = short | left_out
    if exported.rows:
        exported.connections()
        head.views |= exported.views
        head.gaps += exported.clocks()
    head.beside = _one_sided(found)
    if holes[1]:
        lost = f"packets are missing inside {holes[1]} of {holes[0]} TCP connections that were looked at: lost, or sampled"
        head.gaps.append((0, 0, lost))
        head.beside = head.beside or (lost if holes[1] * 10 >= holes[0] else "")
    if len(order) > 1:
        _as_set(con, [members[at] for at in order], seen, taken)
    return [taken[order.index(at)] for at in range(len(order))]


def _as_set(con: duckdb.DuckDBPyConnection, members: Sequence[tuple[Place, Path, str]], seen: _Pass, taken: list[Taken]) -> None:
    """Several files: rows cite their own, and what does not fit together is said at the first."""
    parts = seen.capture.parts
    ends = [part.first - 1 for part in parts[1:]] + [seen.capture.packets]
    exhibits = [(place[2], part.first, end) for (place, _, _), part, end in zip(members, parts, ends, strict=True)]
    joined.renumber(con, members[0][0], exhibits, (*TABLES, "series"))
    for one, part in zip(taken, parts, strict=True):
        one.gaps = [(max(low - part.first + 1, 0), max(high - part.first + 1, 0), reason) for low, high, reason in one.gaps]
    bad, said = joined.misfits([name for _, _, name in members], seen.files)
    taken[0].gaps += [(0, 0, reason) for reason in (*bad, *said)]
    broken = [f"{name}: {one.reason}" for one, (_, _, name) in zip(taken, members, strict=True) if one.status in (Status.CUT, Status.LOST)]
    taken[0].beside = "; ".join([*bad, *broken, *filter(None, [taken[0].beside])][:3])


def _dissected(
    paths: Sequence[Path], found: Columns, names: list[str]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str], tuple[int, int]]:
    """What the payload of recognised connections says: rows by table, why a table does not hold everything, and of how
    many TCP connections how many lack packets in the middle."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    cut: dict[str, int] = defaultdict(int)
    left = looked = holed = 0
    for wanted, limit, packets in (
        ([i for i, n in enumerate(names) if n in MESSAGES], 16 * streams.BYTES, 64 * streams.PACKETS),
        ([i for i, n in enumerate(names) if n in apps.DISSECTED and n not in MESSAGES], streams.BYTES, streams.PACKETS),
    ):
        size = FOLLOWED * streams.BYTES // limit
        left += max(0, len(wanted) - PASSES * size)
        for at in range(0, min(len(wanted), PASSES * size), size):
            for stream in streams.follow(joined.chunks(paths), found, np.array(wanted[at : at + size]), limit=limit, packets=packets):
                _said(stream, names[stream.connection - 1], rows, cut)
                looked += stream.proto == TCP
                # what the snap length cut is no hole
                holed += stream.proto == TCP and (stream.orig.gaps > stream.orig.lost or stream.resp.gaps > stream.resp.lost)
    short = {table: f"of {count} connections only the beginning was looked at" for table, count in cut.items()}
    if left:
        short = dict.fromkeys(TABLES, f"the payload of {left} further connections was not looked at")
    return rows, short, (looked, holed)


def _said(stream: streams.Stream, app: str, rows: dict[str, list[dict[str, Any]]], cut: dict[str, int]) -> None:
    for table, row in apps.dissect(app, stream.orig.pieces, stream.resp.pieces):
        rows[table].append({**row, "connection": stream.connection})
    if app in _OF and (stream.orig.cut or stream.resp.cut):
        cut[_OF[app]] += 1


_OF = {"http": "http_requests"} | dict.fromkeys(("dns", "mdns", "llmnr", "nbns"), "dns_queries")
"""Where a later message would have been a further row."""


def _first_pass(seen: _Pass, progress: Progress | None) -> _Pass:
    capture = seen.capture
    decoder, interfaces = Decoder(), joined.Interfaces(capture)
    early = backwards = 0
    for part in capture.chunks():
        if isinstance(part, Damage):
            seen.now.damage.append(part)
            continue
        _count(seen, part)
        seen.now.see(part, capture.early - early, capture.backwards - backwards)
        early, backwards = capture.early, capture.backwards
        interfaces.one(part)
        for block in decoder.blocks(part):
            seen.flows.add(block, part)
            seen.note(seen.exported.feed(part, block))
            seen.now.damage += block.unread
            for name, count in block.named.items():
                seen.now.named[name] = seen.now.named.get(name, 0) + count
        if progress:
            progress(capture.read_bytes, capture.total_bytes or 0)
    return seen


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


def _portless(seen: _Pass, found: Columns) -> tuple[str, str]:
    """Why ports or flags are not there, and the columns that this leaves open: the snap length ends within the headers."""
    if not seen.cut:
        return "", ""
    # an echo has its type there: nothing at all was not captured
    ports = np.isin(found["proto"], (TCP, 17, 1, 58)) & (found["orig_port"] == 0) & (found["resp_port"] == 0)
    flags = (found["proto"] == TCP) & (found["orig_flags"] | found["resp_flags"] == 0)
    missing = [(ports, "ports", "orig_port,resp_port,"), (flags, "flags", "")]
    said = [f"the {name} of {int(cut.sum())} of {len(cut)} connections" for cut, name, _ in missing if cut.any()]
    if not said:
        return "", ""
    columns = "app,usual_port,orig_flags,resp_flags,oriented,orig_payload,resp_payload"
    return f"{' and '.join(said)} were not captured (snap length)", "".join(more for cut, _, more in missing if cut.any()) + columns


def _one_sided(found: Columns) -> str:
    """Whether most TCP connections show one end only, though it confirms what the other sent; empty: they do not."""
    tcp = (found["proto"] == TCP) & (found["depth"] == 0)
    alone = tcp & (found["resp_packets"] == 0) & (found["orig_flags"] & ACK > 0) & (found["orig_flags"] & RST == 0)
    if alone.sum() * 2 <= tcp.sum():
        return ""
    return f"one direction only was captured: {int(alone.sum())} of {int(tcp.sum())} TCP connections show no packet of the other end"


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


def _write_interfaces(con: duckdb.DuckDBPyConnection, places: Sequence[Place], seen: _Pass) -> None:
    from devicehunt.text import shown

    rows = []
    for i, at in zip(seen.capture.interfaces, seen.capture.interface_parts, strict=True):
        file, base = seen.files[at], seen.capture.interface_parts.index(at)
        rows.append({
            **dict(zip(("device", "snapshot", "exhibit"), places[at], strict=True)), "line": 0, "capture": places[0][2],
            "format": seen.capture.parts[at].format, "view": "packets", "first_at": stamp(file.first_at), "last_at": stamp(file.last_at),
            "interface": i.number - base, "interface_name": shown(i.name, 80) or None, "linktype": i.linktype, "snaplen": i.snaplen,
            "filter": shown(i.filter, 200) or None, "packets": seen.packets.get(i.number, 0), "bytes": seen.bytes.get(i.number, 0),
            "unread_packets": sum(d.packets or 0 for d in file.damage),
            "other_packets": ", ".join(f"{name} {count}" for name, count in sorted(file.named.items())) or None,
            "drops": i.drops, "early_packets": file.early, "backward_packets": file.backwards,
        })  # fmt: skip
    insert_rows(con, "captures_read", rows)


def _judged(seen: _Pass, at: int) -> Taken:
    """Whether one file of the capture is whole; what of it was not read, a gap a kind."""
    file = seen.files[at]
    taken = Taken(packets=file.packets)
    taken.gaps = told(file.damage)
    taken.unread = sum(d.packets or 0 for d in file.damage)
    mine = [i for i, part in zip(seen.capture.interfaces, seen.capture.interface_parts, strict=True) if part == at]
    drops = sum(i.drops or 0 for i in mine)
    if drops:
        taken.gaps.append((0, 0, f"the capturer lost {drops} packets"))
    if not taken.packets and not file.damage and not drops:
        taken.status, taken.reason = Status.EMPTY, "the capture holds no packet"
    elif taken.gaps:
        taken.status, taken.reason = Status.CUT if taken.packets else Status.LOST, "; ".join(reason for _, _, reason in taken.gaps[:3])
    if file.early:
        taken.gaps.append((0, 0, f"the clock was never set: {file.early} packets are dated before 1990"))
    if file.backwards:
        taken.gaps.append((0, 0, f"the clock runs backwards: {file.backwards} packets are dated before the one in front of them"))
    return taken
