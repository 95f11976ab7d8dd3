"""Logs of Zeek and Suricata, and outside scans by nmap, masscan, zgrab2, Shodan and Censys -> rows of our tables.

`sniff` says what a file is, `read` yields its rows (`line` is the line in the file) and, as Damage, each line that could not be read:
`first_packet` is then a line's number and `packets` a number of lines. Which field becomes which column stands in logs.yaml.
The connections of one log and the sessions of another carry the same `connection` number where they name the same uid.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, BinaryIO

from devicehunt.flows.damage import Damage
from devicehunt.flows.logcolumns import Header
from devicehunt.flows.logfields import INT64, Rows, Unreadable, definitions, rows_of
from devicehunt.flows.loglines import Account, Unread, lines, unpacked
from devicehunt.flows.logpaths import Record, expand, getter, text
from devicehunt.flows.logxml import ports

BATCH = 5000
"""Rows of a table that are handed over together."""
PENDING = 100_000
"""Connections and questions that wait for their other half."""
CERTIFICATES = 300_000
"""Certificates that are remembered for the lines that name them."""
RECORDS = 20_000
"""Records of one JSON value that are read."""
HEAD = 64 << 10

Batch = tuple[str, list[dict[str, Any]]]

_KEY = re.compile(rb'"((?:[^"\\]|\\.){1,80})"\s*:')
_LIST = re.compile(rb"(?m)^(open|closed|banner) (tcp|udp|sctp|icmp|arp) \d+ [0-9a-fA-F.:]+ \d+")
_PATH = re.compile(rb"(?m)^#path[\t ]([\w-]+)")
_NAME = re.compile(r"(?:^|[/_])((?:open_)?(?:conn|dns|ssl|x509|http|ssh|socks))(?=[._-][^/]*$|$)")


@dataclass
class Folder:
    """What the logs of one folder know of each other: certificates by their name. Read x509.log before ssl.log (`order`)."""

    certificates: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    facts: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    forgotten: int = 0

    def remember(self, name: str, row: dict[str, Any]) -> None:
        """Keep what a certificate says under one of its names."""
        if len(self.certificates) >= CERTIFICATES:
            self.forgotten += 1
            return
        # one certificate has a name a connection in older logs: its facts are kept once
        facts = self.facts.setdefault(tuple(row.values()), row)
        self.certificates[_digest(name)] = facts


def order(name: str, kind: str) -> tuple[int, str]:
    """In which order to read the logs of a folder: certificates first, then by name (rotated sets carry their time in it)."""
    return (0 if kind == "zeek-x509" else 1, name)


def sniff(head: bytes, name: str) -> str:
    """What log begins like that: zeek-conn, suricata, nmap, ...; "" for none of them. `zeek-other`: one that holds nothing for us."""
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(31).decompress(head, HEAD)
        except zlib.error:
            return ""
    head = head[:HEAD].removeprefix(b"\xef\xbb\xbf")
    if re.match(rb"(###[^\n]*\n)?#(separator|fields|path)[\t ]", head):
        found = _PATH.search(head)
        path = found[1].decode() if found else _named(name)
        return f"zeek-{path}" if path in definitions()["logs"]["zeek"]["events"] else "zeek-other"
    start = head.lstrip()
    if start.startswith(b"<") and (at := head.find(b"<nmaprun")) >= 0:
        return "masscan-xml" if re.match(rb"<nmaprun[^>]*\bscanner=[\"']masscan", head[at:]) else "nmap"
    if start.startswith(b"#masscan") or _LIST.match(start):
        return "masscan-list"
    return _sniff_json(start, name) if start[:1] in (b"{", b"[") else ""


def _sniff_json(start: bytes, name: str) -> str:
    keys = {k.decode("utf-8", "replace") for k in _KEY.findall(start)}
    if {"id", "orig_h"} <= keys:  # nested, as some shippers write it
        keys.add("id.orig_h")
    logs = definitions()["logs"]
    for log in ("shodan", "censys", "suricata", "zeek", "masscan", "zgrab2"):
        if not any(keys.issuperset(signs) for signs in logs[log]["signs"]):
            continue
        if log != "zeek":
            return log
        if "_path" in keys:
            return "zeek"
        events = logs["zeek"]["events"]
        for event, spec in events.items():
            if any(keys.issuperset(signs) for signs in spec["signs"]):
                return f"zeek-{named}" if (named := _named(name)).endswith(event) else f"zeek-{event}"
        return f"zeek-{_named(name)}" if _named(name) else "zeek-other"
    return ""


def _named(name: str) -> str:
    found = _NAME.search(name.lower().replace("\\", "/"))
    return found[1] if found and found[1] in definitions()["logs"]["zeek"]["events"] else ""


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "backslashreplace"), digest_size=8).digest()


def number_of(log: str, name: Any) -> int | None:
    """The number of the connection that a log calls `name`: the same in every file, and never zero."""
    if name in (None, "") or not isinstance(name, str | int):
        return None
    return int.from_bytes(_digest(f"{log} {text(name)}")) % (INT64 - 1) + 1


@cache
def _ends_rows(log: str) -> tuple[Rows, dict[str, Any]]:
    """How a line's ends become a row of connections, and that row without any."""
    spec = definitions()["logs"][log]
    made = Rows(spec["events"][spec["ends_of"]]["rows"][0], definitions(), spec["view"])
    nothing = dict.fromkeys(c.name for c in made.columns)
    made.columns = [c for c in made.columns if c.name in spec["ends"]]
    return made, nothing


class Taker:
    """The records of one file -> rows, with what must wait for its other half."""

    def __init__(self, kind: str, unread: Unread, folder: Folder, ends: bool):
        self.log, _, self.event = kind.partition("-") if kind.startswith("zeek") else (kind, "", "")
        self.spec = definitions()["logs"][self.log]
        self.unread, self.folder = unread, folder
        self.ends = ends and "ends" in self.spec
        self.by = self.spec.get("by")
        self.number = self.spec.get("number")
        self.levels = self.spec.get("records", [])
        self.out: dict[str, list[dict[str, Any]]] = {}
        self.open: dict[int, dict[str, Any]] = {}  # connections of which only the ends are known
        self.asked: dict[tuple[Any, ...], dict[str, Any]] = {}  # questions without an answer
        self.full = False

    def record(self, record: Record, number: int, offset: int, size: int) -> None:
        """Take one record of a line."""
        event = ""
        if self.by:
            given = record.get(self.by)
            event = given if isinstance(given, str) else self.event
            if event not in self.spec["events"]:
                self.unread.account.note(f"{self.log} {text(event)[:40] or 'line without its kind'}")
                return

        def bad(reason: str) -> None:
            self.unread.sum(reason, number, offset)

        count = 0
        for count, child in enumerate(expand(record, self.levels), 1):
            if count > RECORDS:
                self.unread.line(f"more than {RECORDS} records in one value: the rest is not read", number, offset, 0)
                return
            try:
                for rows in rows_of(self.log, event):
                    row = rows.row(child, bad)
                    if row is not None:
                        self._made(rows, row, child, event, number)
                if self.ends and event:
                    self._ends(child, event, number)
            except Unreadable as error:
                self.unread.line(str(error), number, offset, size)
        if not count:
            self.unread.account.note(f"{self.log} line without records")

    def _made(self, rows: Rows, row: dict[str, Any], record: Record, event: str, number: int) -> None:
        row["line"], row["view"] = number, rows.view
        if self.number and rows.table != "exposures":
            row["connection"] = number_of(self.log, record.get(self.number))
        for get in rows.joined:
            if isinstance(name := get(record), str) and (facts := self.folder.certificates.get(_digest(name))):
                row.update({k: v for k, v in facts.items() if v is not None and row.get(k) is None})
                break
        for get in rows.joins:
            if isinstance(name := get(record), str):
                self.folder.remember(name, {k: v for k, v in row.items() if k not in ("line", "view", "connection")})
        pair = self.spec["events"][event].get("pair") if event else None
        if pair is None:
            self.put(rows.table, row)
        else:
            self._pair(pair, rows.table, row, record)

    def _pair(self, pair: dict[str, Any], table: str, row: dict[str, Any], record: Record) -> None:
        """A question and its answer are two lines, and one row: at the question's line."""
        kind = getter(pair["kind"])(record)
        tag = next((v for p in pair["by"] if isinstance(v := getter(p)(record), int | str)), None)
        key = (row.get("connection"), tag, row["name"], row["kind"])
        before = self.asked.pop(key, None)
        if kind in pair["asks"]:
            if before is not None:  # asked again
                self.put(table, before)
            self.asked[key] = row
            if len(self.asked) > PENDING:
                self.put(table, self.asked.pop(next(iter(self.asked))))
            return
        if before is None:
            before = row
        elif before["answers"] is None:
            before["rcode"], before["answers"] = row["rcode"], row["answers"]
        self.put(table, before)

    def _ends(self, record: Record, event: str, number: int) -> None:
        connection = number_of(self.log, record.get(self.number or ""))
        if connection is None:
            return
        if event.removeprefix("open_") == self.spec["ends_of"]:
            self.open.pop(connection, None)
            return
        if connection in self.open:
            return
        rows, nothing = _ends_rows(self.log)
        try:
            row = nothing | (rows.row(record, lambda _: None) or {})
        except Unreadable:
            return  # x509.log names no ends
        row["proto"] = row["proto"] or self.spec.get("protocols", {}).get(event)
        row |= {"line": number, "view": self.spec["view"], "connection": connection, "oriented": "log"}
        self.open[connection] = row
        if len(self.open) > PENDING:
            self.put("connections", self.open.pop(next(iter(self.open))))

    def put(self, table: str, row: dict[str, Any]) -> None:
        """Keep a row until there are enough of them."""
        rows = self.out.setdefault(table, [])
        rows.append(row)
        self.unread.account.rows += 1
        self.full = self.full or len(rows) >= BATCH

    def take(self) -> Iterator[Batch]:
        """The rows so far."""
        got, self.out, self.full = self.out, {}, False
        yield from got.items()

    def finish(self) -> Iterator[Batch]:
        """The rows that waited for more, and the rest."""
        for row in self.asked.values():
            self.put("dns_queries", row)
        for row in self.open.values():
            self.put("connections", row)
        self.asked, self.open = {}, {}
        yield from self.take()


def read(
    kind: str, stream: BinaryIO, account: Account | None = None, *, folder: Folder | None = None, ends: bool = False
) -> Iterator[Batch | Damage]:
    """The rows of a log, a batch at a time, and what could not be read. `kind` is sniff's word.

    `ends`: make connections out of what the other lines say of their ends, where no line tells the connection itself
    (ssl.log without conn.log, an eve.json without flow events). `folder`: shared by the logs that name the same uids.
    """
    account = account or Account()
    unread = Unread(account)
    chunks = unpacked(stream, unread)
    if kind == "zeek-other":
        yield from _others(chunks, unread)
        return
    taker = Taker("masscan" if kind == "masscan-list" else kind, unread, folder or Folder(), ends)
    if kind in ("nmap", "masscan-xml"):
        source: Iterator[None] = _xml(chunks, taker)
    elif kind == "masscan-list":
        taker.levels = []  # a line is a port
        source = _masscan_list(chunks, taker)
    else:
        source = _text(chunks, taker)
    for _ in source:
        if taker.full:
            yield from taker.take()
        yield from unread.take()
    yield from taker.finish()
    yield from unread.take(last=True)
    if taker.folder.forgotten:
        yield Damage("more certificates than are remembered: sessions do not show them", packets=taker.folder.forgotten)
        taker.folder.forgotten = 0


def _others(chunks: Iterator[bytes], unread: Unread) -> Iterator[Damage]:
    for _, _, line, _ in lines(chunks, unread):
        if line and not line.startswith(b"#"):
            unread.account.note("a log of Zeek that holds nothing for the tables")
    yield from unread.take(last=True)


def _xml(chunks: Iterator[bytes], taker: Taker) -> Iterator[None]:
    for line, record in ports(chunks, taker.unread):
        taker.record(record, line, 0, 0)
        yield


def _masscan_list(chunks: Iterator[bytes], taker: Taker) -> Iterator[None]:
    for number, offset, raw, ended in lines(chunks, taker.unread):
        line = raw.rstrip(b"\r").decode("utf-8", "backslashreplace")
        if not line or line.startswith("#"):
            taker.unread.account.ended = line.startswith("# end")
            continue
        taker.unread.account.ended = False
        parts = line.split(" ", 6)
        if not ended or len(parts) < 5 or parts[0] not in ("open", "closed", "banner"):
            taker.unread.line("cut" if not ended else "not a line of masscan", number, offset, len(raw))
        else:
            service = dict(zip(("name", "banner"), parts[5:], strict=False)) if parts[0] == "banner" else {}
            status = None if parts[0] == "banner" else parts[0]
            above = {"ip": parts[3], "timestamp": parts[4]}
            taker.record({"status": status, "proto": parts[1], "port": parts[2], "service": service, "^": above}, number, offset, len(raw))
        yield


def _text(chunks: Iterator[bytes], taker: Taker) -> Iterator[None]:
    """Lines that are JSON, or Zeek's columns: told apart line by line, as one log after another in a file needs it."""
    unread = taker.unread
    header = Header()
    values = Values(taker)
    events = taker.spec.get("events", {})
    for number, offset, raw, ended in lines(chunks, unread):
        line = raw.rstrip(b"\r")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if taker.log == "zeek" and line[:1] == b"#":
            if header.take(line) == "#path" and header.path in events:
                taker.event = header.path
            unread.account.ended = line.startswith(b"#close")
            continue
        if not line.strip():
            continue
        if (
            taker.log == "zeek"
            and not values.waiting
            and line.lstrip()[:1] not in ((b"{", b"[", b"]", b",") if values.any else (b"{", b"["))
        ):
            unread.account.ended = False
            if header.path and header.path not in events:
                unread.account.note(f"zeek {header.path}"[:60])
            elif not header.fields:
                unread.line("no #fields line before it", number, offset, len(raw))
            elif not ended:
                unread.line("cut: the last line has no end", number, offset, len(raw))
            elif (record := header.record(line)) is None:
                unread.line("another number of fields than the header", number, offset, len(raw))
            else:
                record.pop("_path", None)
                taker.record(record, number, offset, len(raw))
        else:
            values.line(line, number, offset)
        yield
    values.end()
    yield


class Values:
    """JSON values, one a line or spread over several, alone or in a list."""

    def __init__(self, taker: Taker):
        self.taker = taker
        self.waiting: list[tuple[int, int, bytes]] = []
        self.depth = 0
        self.inside = False
        self.size = 0
        self.any = False  # whether there was JSON before

    def line(self, line: bytes, number: int, offset: int) -> None:
        """Take one line."""
        self.any = True
        bare = line.strip().strip(b"\0")
        if self.waiting and line[:1] == b"{" and self._load(bare.rstrip(b",").rstrip()) is not None:
            self._lost("not JSON: cut, or garbled")  # a new value begins: the one before has no end
        if not self.waiting:
            if bare in (b"[", b"]", b",", b"],"):
                return
            core = bare.strip(b",").strip()
            for attempt in (core, core.removeprefix(b"["), core.removesuffix(b"]"), core.removesuffix(b"]").rstrip(b", ")):
                if (value := self._load(attempt)) is not None:
                    self._give(value, number, offset, len(line))
                    return
            if bare[:1] not in (b"{", b"["):
                self.taker.unread.line("not JSON", number, offset, len(line))
                return
        self._wait(line, bare, number, offset)

    def _wait(self, line: bytes, bare: bytes, number: int, offset: int) -> None:
        if not self.waiting:
            self.depth, self.size, self.inside = 0, 0, False
        self.waiting.append((number, offset, line))
        self.size += len(line) + 64
        for mark in re.findall(rb'\\.|["{}\[\]]', bare, re.DOTALL):
            if mark == b'"':
                self.inside = not self.inside
            elif not self.inside:
                self.depth += 1 if mark in b"{[" else -1 if mark in b"}]" else 0
        self.inside = False  # no string goes over a line's end
        if self.depth <= 0:
            whole = b"\n".join(w[2] for w in self.waiting).strip().strip(b",").strip()
            value = self._load(whole)
            if value is None:
                self._lost("not JSON")
            else:
                first = self.waiting[0]
                self.waiting = []
                self._give(value, first[0], first[1], len(whole))
        elif self.size > 4 << 20:
            self._lost("not JSON, or one value of more than 4 MiB")

    def _lost(self, reason: str) -> None:
        for number, offset, line in self.waiting:
            self.taker.unread.line(reason, number, offset, len(line))
        self.waiting = []

    def end(self) -> None:
        """There are no more lines."""
        self._lost("not JSON: cut, or garbled")

    @staticmethod
    def _load(raw: bytes) -> Any:
        if raw[:1] not in (b"{", b"["):
            return None
        try:
            return json.loads(raw.decode("utf-8", "backslashreplace"), parse_float=str, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return None

    def _give(self, value: Any, number: int, offset: int, size: int) -> None:
        for record in value if isinstance(value, list) else [value]:
            if isinstance(record, dict):
                self.taker.record(record, number, offset, size)
            else:
                self.taker.unread.line("JSON, but not an object", number, offset, size)
