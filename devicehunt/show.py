"""A case -> what the renderers show; progress on a terminal; query results."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import __version__, rules
from devicehunt.case import Case
from devicehunt.errors import CaseError, UsageError
from devicehunt.model import Gap
from devicehunt.report import Check, Device, End, Event, Exhibit, Item, Result, Traffic, jsonl
from devicehunt.text import decode, shown

if TYPE_CHECKING:
    import duckdb

    from devicehunt.rules import Rule

EVENT_LIMIT = 400
"""Timeline rows kept for one device."""
SHOWN_DEVICES = 200
"""Devices whose accounts, keys, jobs and timeline are read; findings are always all there."""


class Progress:
    """What is going on, on stderr, only while a terminal looks."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._wide = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._on:
            sys.stderr.write("\r" + " " * self._wide + "\r")

    def step(self, what: str, done: int, total: int) -> None:
        """Show `what` with `done` of `total`."""
        if self._on:
            text = f"{what} {done}/{total} …"
            self._wide = max(self._wide, len(text))
            sys.stderr.write("\r" + text.ljust(self._wide))
            sys.stderr.flush()


def saved(case: Case) -> Case:
    """A case with the findings, coverage and verdicts that were written to it."""
    from devicehunt.engine import verdicts

    case.findings = list(jsonl.read_findings(case.path / "findings.jsonl"))
    case.coverage = list(jsonl.read_coverage(case.path / "coverage.jsonl"))
    _fits(case)
    case.verdicts = verdicts(case.findings, case.coverage)
    return case


def _fits(case: Case) -> None:
    """CaseError when what was found, what was checked and the journal are not of one hunt: half of it would read as clean."""
    stored = {e.exhibit for e in case.entries}
    hits = {(c.device, c.snapshot, c.rule) for c in case.coverage if c.result == "hit"}
    found = {(f.device, f.snapshot, f.rule) for f in case.findings}
    seen = {(c.device, c.snapshot) for c in case.coverage}
    if hits == found and seen == set(case.snapshots()) and stored.issuperset(e.exhibit for f in case.findings for e in f.evidence):
        return
    raise CaseError(f"{case.path}: findings.jsonl, coverage.jsonl and the journal do not fit together; run `devicehunt hunt {case.path}`")


def result(case: Case, con: duckdb.DuckDBPyConnection | None = None, asked: Iterable[Rule] | None = None) -> Result:
    """Everything that the terminal and the page show, read from the case.

    `con` holds its tables already; `asked` are the rules of the hunt (else those that are shipped).
    """
    from devicehunt.engine import open_tables

    con = con or open_tables(case)
    facts = _Facts(con, case)
    return Result(
        devices=facts.devices(), verdicts=case.verdicts, findings=case.findings, coverage=case.coverage,
        gaps=facts.gaps(), exhibits=facts.exhibits(), accounts=facts.accounts(), ssh_keys=facts.ssh_keys(),
        secrets=facts.secrets(), jobs=facts.jobs(), events=facts.events(), checks=_checks(asked or rules.load()),
        case={k: v for k, v in case.meta.items() if k in ("operator", "case_number", "device_owner", "authority", "scope")},
        site_name=str(case.meta.get("site_file", "")), site_sha256=str(case.meta.get("site_sha256", "")),
        lists=_lists(case),
        versions={"devicehunt": __version__, **{k: str(case.meta[k]) for k in ("rules", "parsers") if k in case.meta}},
        journal_head=case.head, case_path=str(case.path), report_path=str(case.path / "report.html"),
        context=_Context(case, con).lines, traffic=facts.traffic(),
    )  # fmt: skip


def _lists(case: Case) -> list[str]:
    """The lists of indicators of a hunt, and what of them was not compared."""
    from devicehunt.indicators import sentences

    return sentences(case.meta["indicators"]) if case.meta.get("indicators") else []


def write_page(case: Case, found: Result) -> None:
    """Write report.html of a case."""
    from devicehunt.report import html

    jsonl.write_text(case.path / "report.html", html.render(found))


def outdated(case: Case, con: duckdb.DuckDBPyConnection) -> str:
    """Why the tables do not show all of the evidence, or nothing: a hunt was interrupted, or is to be made yet."""
    shown_there = {e for (e,) in con.execute("select distinct exhibit from exhibits").fetchall()}
    wanted = [e.exhibit for e in case.entries if e.kind != "index"]
    waiting = sum(exhibit not in shown_there for exhibit in wanted)
    return f"{waiting} of {len(wanted)} exhibits are not in the tables yet: run `devicehunt hunt {case.path}`" if waiting else ""


def _checks(asked: Iterable[Rule]) -> dict[str, Check]:
    return {r.id: Check(name=r.id.replace("-", " "), why=r.about, context=r.context) for r in asked}


class _Facts:
    def __init__(self, con: duckdb.DuckDBPyConnection, case: Case) -> None:
        self._con, self._case = con, case
        worst = [v.device for v in case.verdicts if v.verdict != "nothing-found"] + [v.device for v in case.verdicts]
        self._shown = list(dict.fromkeys(worst))[:SHOWN_DEVICES]

    def _rows(self, sql: str, *, shown_only: bool = True) -> Iterator[dict[str, Any]]:
        where = "where device in (select unnest(?))" if shown_only else ""
        cursor = self._con.execute(f"select * from ({sql}) {where} order by all", [self._shown] if shown_only else [])
        names = [d[0] for d in cursor.description or ()]
        for row in cursor.fetchall():
            yield dict(zip(names, row, strict=True))

    def devices(self) -> list[Device]:
        sql = """
          with known as (select device, snapshot, max(platform) platform, max(vendor) vendor, max(model) model,
              max(version) "version", max(hostname) hostname, max(address) address, max(uptime_s) uptime_s,
              max(clock) clock, max(clock_skew_ms) clock_skew_ms from devices group by all),
            taken as (select device, snapshot, min(collected_at) collected_at, max(split_part(stanza, '/', 1)) platform
              from exhibits group by all),
            clocks as (select d.device, d.snapshot, max(epoch_ms(d.clock) - epoch_ms(e.collected_at)) skew
              from devices d join exhibits e using (device, snapshot, exhibit)
              where d.clock is not null and e.collected_at is not null group by all)
          select t.device, t.snapshot, coalesce(k.platform, t.platform) platform, vendor, model, "version", hostname, address,
            uptime_s, clock, coalesce(clock_skew_ms, skew) clock_skew_ms, collected_at
          from taken t left join known k using (device, snapshot) left join clocks using (device, snapshot)"""
        return [Device(r.pop("device"), **r) for r in self._rows(sql, shown_only=False)]

    def gaps(self) -> list[Gap]:
        sql = """select device, snapshot, exhibit, line, last_line, parser, reason from gaps
          union all select device, snapshot, exhibit, 0, 0, '--vantage', 'the addresses of this capture contradict its vantage: ' || why
          from vantages where contradicted"""
        return [Gap(**r) for r in self._rows(sql, shown_only=False)]

    def exhibits(self) -> list[Exhibit]:
        stored = {e.exhibit: e for e in self._case.entries}
        sql = """select e.device, e.snapshot, e.exhibit, e.line, command, status, end_proof, lines, unread,
          (select max(reason) from gaps g where g.exhibit = e.exhibit
            and g.line between e.line and e.line + greatest(coalesce(lines, 1), 1) - 1) as reason from exhibits e"""
        rows = list(self._rows(sql, shown_only=False))
        strange = next((r["exhibit"] for r in rows if r["exhibit"] not in stored), None)
        if strange is not None:
            raise CaseError(f"{self._case.tables}: {strange} is not in the journal; run `devicehunt parse {self._case.path}` again")
        return [
            Exhibit(
                r["exhibit"], r["device"], r["snapshot"], shown(r["command"] or "", 120) or None, r["status"], r["end_proof"],
                r["lines"], r["unread"] or 0, stored[r["exhibit"]].sha256, stored[r["exhibit"]].size, r["reason"] or "",
                r["line"] or 1,
            )
            for r in rows
        ]  # fmt: skip

    def _items(self, sql: str, name: str, labels: dict[str, str]) -> list[Item]:
        return [
            Item(r["device"], r["snapshot"], r["exhibit"], r["line"], str(r[name] or "?"),
                 {label: str(r[c]) for c, label in labels.items() if r[c] is not None})
            for r in self._rows(sql)
        ]  # fmt: skip

    def accounts(self) -> list[Item]:
        sql = """select device, snapshot, name, max(uid) uid, max(privilege) privilege, max(shell) shell,
          max(hash_kind) filter (hash_kind not in ('shadow')) hash_kind, min(exhibit) exhibit, arg_min(line, exhibit) line
          from accounts where name is not null group by device, snapshot, name"""
        return self._items(sql, "name", {"uid": "uid", "privilege": "privilege", "shell": "shell", "hash_kind": "password"})

    def ssh_keys(self) -> list[Item]:
        sql = "select device, snapshot, exhibit, line, fingerprint, kind, comment, account, store from ssh_keys"
        return self._items(sql, "fingerprint", {"kind": "kind", "comment": "comment", "account": "account", "store": "store"})

    def secrets(self) -> list[Item]:
        sql = "select device, snapshot, exhibit, line, location, kind, account, reversible from secrets"
        return self._items(sql, "location", {"kind": "kind", "account": "account", "reversible": "reversible"})

    def jobs(self) -> list[Item]:
        sql = "select device, snapshot, exhibit, line, command, kind, schedule, owner, path from jobs"
        return self._items(sql, "command", {"kind": "kind", "schedule": "schedule", "owner": "owner", "path": "file"})

    def events(self) -> list[Event]:
        sql = f"""
          with e as (
            select device, snapshot, 'process' kind, coalesce(cmdline, name, '?') || ' (pid ' || pid || ')' as "text",
              exhibit, line, started_at as "when", start_ticks, pid, null as printed from programs where not is_kernel
            union all select device, snapshot, 'file', path, exhibit, line, modified_at, null, null, modified from files
              where coalesce(modified, modified_at::varchar) is not null and kind = 'file'
            union all select device, snapshot, 'login', concat_ws(': ', program, message), exhibit, line, logged_at, null, null, logged
              from log_events
              where regexp_matches(message, '(?i)auth succeeded|accepted (password|publickey)|session opened|child connection|login')
            union all select device, snapshot, 'job', coalesce(command, name), exhibit, line, null, null, null, null from jobs)
          select * replace (coalesce("text", '?') as "text") from e qualify {EVENT_LIMIT // 4} >=
            row_number() over (partition by device, snapshot, kind order by "when" desc nulls last, exhibit, line)"""
        return [Event(**r) for r in self._rows(sql)]


    def traffic(self) -> Traffic:
        """Of the connections that findings name: payload; of peers that are called at a rhythm: when."""
        from devicehunt.report.pictures import RHYTHM, end_of

        told = [(f.device, s) for f in self._case.findings for s in f.subjects]
        pairs = [(d, s) for d, s in told if s.get("type") == "relay-pair"]
        ends = {(d, end_of(s[k])) for d, s in pairs for k in ("inbound", "outbound") if isinstance(s.get(k), dict)}
        called = {
            (f.device, str(s.get("address")), port)
            for f in self._case.findings for s in f.subjects for port in [s.get("port")]
            if f.rule in RHYTHM and s.get("type") == "peer" and isinstance(port, int)
        }  # fmt: skip
        carriers = [(d, s) for d, s in told if s.get("type") == "carrier"]
        moved = {(d, (*end_of(c)[:5], "")) for d, s in carriers for c in [s, *(c for c in s.get("carried") or () if isinstance(c, dict))]}
        if not ends and not called and not moved:
            return Traffic()
        volumes: dict[tuple[str, End], int] = {}
        names = sorted({e[k] for _, e in ends for k in (1, 3)})
        sql = """select device, proto, orig_ip, coalesce(orig_port, 0), resp_ip, coalesce(resp_port, 0), iso_us(epoch_us(first_at)),
          coalesce(orig_payload, orig_bytes) + coalesce(resp_payload, resp_bytes) from connections
          where first_at is not null and orig_ip in (select unnest(?)) and resp_ip in (select unnest(?)) order by all"""
        for device, *end, volume in self._con.execute(sql, [names, names]).fetchall() if names else ():
            if (device, tuple(end)) in ends and volume is not None:
                volumes[device, (end[0], end[1], end[2], end[3], end[4], end[5])] = volume
        calls: dict[tuple[str, str, int], list[float]] = {key: [] for key in sorted(called)}
        sql = """select device, resp_ip, resp_port, epoch_us(first_at) / 1e6 from connections
          where first_at is not null and coalesce(depth, 0) = 0 and resp_ip in (select unnest(?)) order by all"""
        for device, address, port, start in self._con.execute(sql, [sorted({a for _, a, _ in called})]).fetchall() if called else ():
            if (device, address, port) in calls:
                calls[device, address, port].append(start)
        return Traffic(volumes, calls, self._series(moved))

    def _series(self, moved: set[tuple[str, End]]) -> dict[tuple[str, End], dict[int, int]]:
        """Bytes a second of these connections, where they were kept."""
        names = sorted({e[k] for _, e in moved for k in (1, 3)})
        sql = """select c.device, proto, orig_ip, coalesce(orig_port, 0), resp_ip, coalesce(resp_port, 0), bin // 10,
            sum(s.orig_bytes + s.resp_bytes)
          from series s join connections c using (device, snapshot, exhibit, connection)
          where orig_ip in (select unnest(?)) and resp_ip in (select unnest(?)) group by all order by all"""
        found: dict[tuple[str, End], dict[int, int]] = {}
        for device, proto, orig, port, resp, at, second, number in self._con.execute(sql, [names, names]).fetchall() if names else ():
            key = device, (proto, orig, port, resp, at, "")
            if key in moved:
                found.setdefault(key, {})[second] = int(number)
        return found


class _Context:
    """The lines around a citation, read from the evidence."""

    def __init__(self, case: Case, con: duckdb.DuckDBPyConnection) -> None:
        self._case, self._con, self._name, self._lines = case, con, "", [b""]
        self._captures = {e.exhibit for e in case.entries if e.kind in ("capture", "flow")}

    def lines(self, exhibit: str, line: int, around: int) -> list[tuple[int, str, bool]]:
        """Up to `around` lines before and after `line`, which is marked; of a capture the packet alone."""
        if exhibit in self._captures:
            from devicehunt.engine import packet

            return [(line, packet(self._con, exhibit, line), True)]
        if exhibit != self._name:
            self._name, self._lines = exhibit, self._case.read(exhibit).split(b"\n")
        first, last = max(1, line - around), min(len(self._lines), line + around)
        found = [(n, shown(decode(self._lines[n - 1][:4096]), 400), n == line) for n in range(first, last + 1)]
        return [f for f in found if f[1] or f[2] or f[0] < len(self._lines)]


def query(case: Case, sql: str, form: str) -> int:
    """Print the rows of one SELECT; UsageError when it is no SELECT or does not bind."""
    import csv
    import json

    import duckdb

    from devicehunt.engine import open_tables

    con = open_tables(case)
    late = outdated(case, con)
    if late:
        print(f"devicehunt: {shown(late)}", file=sys.stderr)
    try:
        statements = con.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError("query takes exactly one SELECT")
        con.execute("begin transaction read only")
        cursor = con.execute(sql)
        names = [d[0] for d in cursor.description or ()]
        if form == "parquet":
            cursor.fetchmany()  # a locked database has refused by now what reaches for other files
            _write_parquet(case, sql)
            return 0
        rows = cursor.fetchall()
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        raise UsageError(str(error).splitlines()[0]) from error
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(map(shown, names))
        writer.writerows([_cell(v) for v in r] for r in rows)
    elif form == "json":
        for row in rows:
            print(json.dumps({n: _plain(v) for n, v in zip(_distinct(names), row, strict=True)}))
    else:
        _print_table(list(map(shown, names)), rows)
    return 0


def _distinct(names: list[str]) -> list[str]:
    """Column names of which none is twice: two columns of one name are two keys."""
    made: list[str] = []
    for name in names:
        count, distinct = 1, name
        while distinct in made:
            count += 1
            distinct = f"{name}_{count}"
        made.append(distinct)
    return made


def _cell(value: Any) -> Any:
    """A value of a CSV. A text that a spreadsheet would run as a formula stands behind an apostrophe."""
    plain = _plain(value)
    return f"'{plain}" if isinstance(plain, str) and plain.startswith(("=", "+", "-", "@", "\t")) and len(plain) > 1 else plain


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if value is None or isinstance(value, int | float):
        return value
    return shown(str(value), 100_000)


def _write_parquet(case: Case, sql: str) -> None:
    """Parquet to stdout, through a file beside the case: DuckDB writes no pipes."""
    import tempfile

    from devicehunt import database, engine

    if sys.stdout.isatty():
        raise UsageError("--format parquet writes bytes: redirect it to a file")
    con = database.connect(views=False)
    engine._load_facts(con, case)
    database.derive(con)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        # checked above to be one SELECT; it may end in a comment
        con.execute(f"create temp table answer as {sql}")
        con.execute(f"copy answer to '{path}' (format parquet)")
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.buffer.write(path.read_bytes())


def _print_table(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    cells = [[shown("" if v is None else str(_plain(v)), 60) for v in r] for r in rows]
    widths = [max([len(n), *(len(c[i]) for c in cells)]) for i, n in enumerate(names)]
    for line in [names, ["-" * w for w in widths], *cells]:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())
    print(f"({len(rows)} rows)")
