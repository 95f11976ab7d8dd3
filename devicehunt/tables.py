"""Parsed outputs -> typed tables in Parquet.

One Loader takes the parsed outputs of a batch of devices and converts the rows of one stanza together.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import database
from devicehunt.case import Entry
from devicehunt.convert import Conversion, Place, left_open
from devicehunt.database import insert_rows
from devicehunt.model import Gap, Status
from devicehunt.parse import Parsed
from devicehunt.platforms import Stanza
from devicehunt.templates import Row

if TYPE_CHECKING:
    import duckdb

    from devicehunt.flows import logs, take
    from devicehunt.flows.taken import Taken

FLUSH_ROWS = 20_000
THREADS = 2
"""Stanzas that are converted at a time: most of it is the planning of queries, which uses one core."""
META = ("exhibits", "feeds", "gaps")


class Loader:
    """Collects parsed outputs and writes them as tables."""

    def __init__(self, *, keys: bool = True) -> None:
        self._keys = keys
        self._connection = database.connect_beside()
        self._waiting: dict[str, tuple[Stanza, list[Row]]] = {}
        self._exhibits: list[tuple[Any, ...]] = []
        self._feeds: list[tuple[Any, ...]] = []
        self._gaps: list[Gap] = []
        self._counts: dict[tuple[str, Place, int], tuple[int, str]] = {}
        self._parsed: list[Parsed] = []
        self._by_place: dict[Place, list[Parsed]] = defaultdict(list)
        self._open: dict[tuple[str, int, str], str] = {}
        self._refused: set[tuple[Place, int]] = set()
        self._folders: dict[tuple[str, str, str], logs.Folder] = {}

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The database that the rows go to."""
        return self._connection()

    def add(self, found: Parsed) -> None:
        """Take one parsed output; its rows are released once they are in a table."""
        section, stanza = found.section, found.stanza
        self._parsed.append(found)
        self._by_place[_place(found)].append(found)
        self._gaps.extend(found.gaps)
        if stanza is not None and found.rows:
            head = {
                "device": section.device,
                "snapshot": section.snapshot,
                "exhibit": section.exhibit,
                "command_line": f"cat {section.path}" if section.path else section.command,
                "_section": section.first_line,
            }
            waiting = self._waiting.setdefault(stanza.name, (stanza, []))[1]
            waiting.extend(row | head for row in found.rows)
            found.rows = []
            if len(waiting) >= FLUSH_ROWS:
                self._flush(*self._waiting.pop(stanza.name), (0, 1))

    def take_captures(self, members: list[tuple[Entry, Path]], progress: take.Progress | None = None) -> None:
        """Take the files of one capture: its rows go to the tables at once."""
        from devicehunt.flows import take

        files = [((e.device, e.snapshot, e.exhibit), path, e.source.rpartition("/")[2]) for e, path in members]
        for (entry, _), found in zip(members, take.captures(self.con, files, progress), strict=True):
            self._note_traffic(entry, found)

    def take(self, entry: Entry, path: Path, *, ends: bool = False) -> None:
        """Take a log or a file of flows. `ends`: no log beside it tells the connections."""
        from devicehunt.flows import logs, take_logs

        place = (entry.device, entry.snapshot, entry.exhibit)
        if entry.kind == "log":
            beside = (entry.device, entry.snapshot, entry.source.rpartition("/")[0])
            folder = self._folders.setdefault(beside, logs.Folder())
            found = take_logs.log(self.con, place, path, entry.command or "", folder, ends=ends)
        else:
            found = take_logs.records(self.con, place, path)
        self._note_traffic(entry, found)

    def _note_traffic(self, entry: Entry, found: Taken) -> None:
        place, parser = (entry.device, entry.snapshot, entry.exhibit), f"traffic/{entry.kind}"
        counts = (found.packets, found.unread, entry.collected_at)
        self._exhibits.append((*place, 1, entry.seq, entry.command, parser, str(found.status), found.proof, None, *counts))
        usable = found.status in (Status.COMPLETE, Status.EMPTY) and not found.beside
        views = {(table, "packets"): count for table, count in found.feeds.items()} | found.views
        for (table, view), count in views.items():
            columns = ",".join(database.columns_of(self.con, table))
            left, short = found.open.get(table, ""), found.short.get(table, "")
            whole = usable and (bool(left) or not short)  # rows whose open columns are named are whole but for those
            self._feeds.append((*place, 1, parser, table, view, columns, left, count, whole, found.reason or found.beside or short))
        self._gaps += [Gap(*place, first, last, parser, reason) for first, last, reason in found.gaps]
        self._gaps += [Gap(*place, 0, 0, parser, f"{table}: {short}") for table, short in found.short.items()]

    def convert(self) -> None:
        """Convert what waits: afterwards everything that was added is in the tables."""
        from concurrent.futures import ThreadPoolExecutor

        # a configuration alone is one stanza of many feeds: both threads take a half of them
        parts = THREADS if len(self._waiting) == 1 else 1
        work = [(stanza, rows, (n, parts)) for stanza, rows in self._waiting.values() for n in range(parts)]
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(lambda one: self._flush(*one), work):
                pass
        self._waiting.clear()
        self._write_meta()

    def finish(self, folder: Path, part: str) -> None:
        """Convert what waits and write every table that has rows to `folder/<table>/<part>.parquet`."""
        self.convert()
        for table in database.tables():
            count = self.con.execute(f"select count(*) from {table}").fetchall()[0][0]
            if count:
                target = folder / table
                target.mkdir(parents=True, exist_ok=True)
                path = str(target / f"{part}.parquet").replace("'", "''")
                self.con.execute(f"copy (select * from {table} order by all) to '{path}' (format parquet)")
        self.con.close()

    def _flush(self, stanza: Stanza, rows: list[Row], part: tuple[int, int]) -> None:
        with self.con.cursor() as own:
            made = Conversion(own, stanza, part=part, keys=self._keys)
            made.run(rows)
        for (place, index), (count, left) in made.counts.items():
            key = (stanza.name, place, index)
            before = self._counts.get(key, (0, ""))
            self._counts[key] = (before[0] + count, ",".join(sorted(filter(None, {*before[1].split(","), *left.split(",")}))))
        for one in made.refused:
            if (one.place, one.line) in self._refused:  # by the other half of the feeds
                continue
            self._refused.add((one.place, one.line))
            self._gaps.append(Gap(*one.place[:3], one.line, one.line, stanza.name, f"a value did not convert for {one.table}"))
            for found in self._by_place[one.place]:
                found.unread += 1
                found.usable = False
                found.reason = found.reason or "a value did not convert"

    def _left_open(self, stanza: Stanza, index: int, command: str) -> str:
        if not any("command_line" in condition for condition in stanza.feeds[index].incomplete.values()):
            return ""
        key = (stanza.name, index, command)
        if key not in self._open:
            self._open[key] = left_open(self.con, stanza, index, command)
        return self._open[key]

    def _write_meta(self) -> None:
        for found in self._parsed:
            self._note(found)
        gaps = [
            {"device": g.device, "snapshot": g.snapshot, "exhibit": g.exhibit, "line": g.line,
             "last_line": g.last_line, "parser": g.parser, "reason": g.reason}
            for g in self._gaps
        ]  # fmt: skip
        insert_rows(self.con, "exhibits", [dict(zip(_EXHIBIT, e, strict=True)) for e in self._exhibits])
        self._track()
        insert_rows(self.con, "feeds", [dict(zip(_FEED, f, strict=True)) for f in self._feeds])
        insert_rows(self.con, "gaps", gaps)
        for written in (self._parsed, self._exhibits, self._feeds, self._gaps):
            written.clear()

    def _track(self) -> None:
        """Sessions of connection tracking that carry times and bytes are connections too; lists get the time they were taken."""
        parents = [f for f in self._feeds if f[5] == "nat_sessions"]
        if not parents:
            return
        from devicehunt import flows

        self.con.execute((Path(flows.__file__).parent / "nat.sql").read_text(encoding="utf-8"))
        asked = "select device, snapshot, exhibit, count(*) from connections where view = 'conntrack' group by all"
        counts = {(device, snapshot, exhibit): count for device, snapshot, exhibit, count in self.con.execute(asked).fetchall()}
        for device, snapshot, exhibit, line, stanza, _, view, _, _, _, usable, reason in parents:
            if view == "conntrack-events":
                # what went on outside its time, or did not end in it, is not told
                count = counts.pop((device, snapshot, exhibit), 0)
                head = (device, snapshot, exhibit, line, stanza, "connections", "conntrack")
                self._feeds.append((*head, TRACKED, "orig_ip,resp_ip", count, usable, reason))

    def _note(self, found: Parsed) -> None:
        s, stanza = found.section, found.stanza
        self._exhibits.append(
            (s.device, s.snapshot, s.exhibit, s.first_line, s.seq, s.command,
             stanza.name if stanza else None, str(found.status), str(found.end_proof), s.exit_status,
             found.lines, found.unread, s.collected_at)
        )  # fmt: skip
        for index, feed in enumerate(stanza.feeds if stanza else ()):
            assert stanza is not None
            count, incomplete = self._counts.get((stanza.name, _place(found), index)) or (0, self._left_open(stanza, index, s.command))
            reason = found.reason
            if found.usable and str(found.end_proof) == "none":
                reason = "end not proven"
            self._feeds.append(
                (s.device, s.snapshot, s.exhibit, s.first_line, stanza.name, feed.table, feed.view,
                 ",".join(feed.columns), incomplete, count, found.usable, reason)
            )  # fmt: skip


_EXHIBIT = (
    "device", "snapshot", "exhibit", "line", "seq", "command", "stanza", "status", "end_proof",
    "exit_status", "lines", "unread", "collected_at",
)  # fmt: skip
TRACKED = "proto,orig_ip,orig_port,resp_ip,resp_port,first_at,last_at,orig_packets,orig_bytes,resp_packets,resp_bytes"
"""What connection tracking tells of a connection."""
_FEED = (
    "device", "snapshot", "exhibit", "line", "stanza", "table_name", "view", "columns",
    "incomplete", "row_count", "usable", "reason",
)  # fmt: skip


def _place(found: Parsed) -> Place:
    section = found.section
    return (section.device, section.snapshot, section.exhibit, section.first_line)
