"""Load the tables, run the rules, and say for each rule: hit, no hit, or not assessable and why."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import data, database, detect, reach, rules, vantage
from devicehunt.case import Case
from devicehunt.coverage import NOT_GIVEN, Feed, Seen, expand, given, leaves, traffic
from devicehunt.errors import CaseError, DataError, RuleError
from devicehunt.model import LEVELS, Coverage, Evidence, Finding, Verdict
from devicehunt.platforms import Platform
from devicehunt.rules import Rule
from devicehunt.site import Site, explains, key_hex
from devicehunt.text import shown

if TYPE_CHECKING:
    import duckdb

    from devicehunt.indicators import Lists

EVIDENCE_LIMIT = 12
THREADS = 2
Where = tuple[str, str]
Hits = dict[Where, list[Finding]]
Races = dict[Where, str]
# RFC 6890 and its registries. Documentation ranges count as outside: evidence made for tests uses them.
INSIDE = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8",
)  # fmt: skip


def open_tables(case: Case) -> duckdb.DuckDBPyConnection:
    """The tables of a case, loaded, with the database closed to the outside."""
    con = database.connect(views=False)
    _load_facts(con, case)
    database.derive(con)
    lock(con)
    return con


def facts(case: Case) -> duckdb.DuckDBPyConnection:
    """The tables of a case alone, without what is derived from them."""
    con = database.connect(views=False)
    _load_facts(con, case)
    lock(con)
    return con


def lock(con: duckdb.DuckDBPyConnection) -> None:
    """Close the database to files and network; a rule cannot open it again."""
    con.execute("set enable_external_access=false; set lock_configuration=true")


def _load_facts(con: duckdb.DuckDBPyConnection, case: Case) -> None:
    import duckdb

    for table in database.tables():
        folder = case.tables / table
        if folder.is_dir() and any(folder.glob("*.parquet")):
            pattern = str(folder / "*.parquet").replace("'", "''")
            try:
                con.execute(f"insert into {table} by name select * from read_parquet('{pattern}')")
            except duckdb.Error as error:
                raise CaseError(f"{folder}: {str(error).splitlines()[0]}; run `devicehunt parse` again") from error
    given = [ipaddress.ip_address(text) for text in str(case.meta.get("device_ip", "")).split()]
    database.insert_rows(con, "given_vantages", vantage.rows(case))
    database.insert_rows(con, "given_addresses", [{"address_ip": str(a), "address_key": key_hex(a)} for a in given])


def prepare(
    con: duckdb.DuckDBPyConnection, platforms: Sequence[Platform], site: Site | None, lists: Lists | None = None
) -> None:
    """Fill what the owner, the platforms and the lists of indicators say, then what is computed from the facts."""
    expected, networks = (site or Site()).rows()
    database.insert_rows(con, "expected", expected)
    database.insert_rows(con, "site_networks", networks)
    ranges = [ipaddress.ip_network(text) for text in INSIDE]
    database.insert_rows(con, "inside_ranges", [{"first_key": key_hex(r[0]), "last_key": key_hex(r[-1])} for r in ranges])
    con.execute(
        "insert into inside_ranges select first_key, last_key from site_networks "
        "where side in ('inside', 'management') and first_key is not null"
    )
    for table, rows in _stock(platforms).items():
        database.insert_rows(con, table, rows)
    database.insert_rows(con, "known_exposures", _exposures())
    database.derive(con)
    reach.fill(con)
    detect.fill(con)
    if lists is not None or con.execute("select 1 from indicators limit 1").fetchall():
        from devicehunt.indicators import match as indicators

        indicators.fill(con, lists)


def _exposures() -> list[dict[str, Any]]:
    """The entries of rules/exposures.yaml, each with the date of the list."""
    listed = data.read_yaml((data.rules_dir() / "exposures.yaml").read_text(encoding="utf-8"))
    return [{"listed": str(listed["as_of"]), **entry} for entry in listed["entries"]]


def _check_core(platform: Platform, found: Sequence[Rule]) -> None:
    """DataError for a core check that no rule makes: the verdict would stand on fewer, in silence."""
    made = {r.id for r in found if not r.platforms or platform.name in r.platforms}
    missing = sorted(set(platform.core) - made)
    if missing:
        raise DataError(f"{platform.folder / 'platform.yaml'}: core: no rule for {platform.name} is called {', '.join(missing)}")


def _stock(platforms: Iterable[Platform]) -> dict[str, list[dict[str, Any]]]:
    """Table -> what the platforms say of their own programs, listeners and names."""
    pick = {
        "known_listeners": ("listeners", ("path", "proto", "port", "wan", "reason")),
        "known_programs": ("programs", ("path", "role", "wan_client", "reason")),
    }
    found: dict[str, list[dict[str, Any]]] = {table: [] for table in (*pick, "known_patterns")}
    for platform in platforms:
        stock = platform.stock
        # a misspelt block would leave its facts out in silence
        unknown = set(stock) - {block for block, _ in pick.values()} - set(_PATTERN_BLOCKS)
        if unknown:
            raise DataError(f"{platform.folder}: stock programs: unknown keys {sorted(unknown)}")
        head = {"platform": platform.name}
        for table, (block, keys) in pick.items():
            found[table] += [head | {k: e.get(k) for k in keys} for e in stock.get(block, [])]
        for block, kind in _PATTERN_BLOCKS.items():
            found["known_patterns"] += [head | {"kind": kind, **_pattern(e)} for e in stock.get(block, [])]
    return found


_PATTERN_BLOCKS = {
    "kernel_threads": "kernel-thread",
    "proxy_arguments": "proxy-arguments",
    "proxy_programs": "proxy-program",
    "volatile_paths": "volatile-path",
    "owner_paths": "owner-path",
    "tunnel_interfaces": "tunnel-interface",
    "tunnel_interfaces_default": "tunnel-interface-default",
    "packet_socket_programs": "packet-socket-program",
    "busybox_daemons": "busybox-daemon",
    "system_accounts": "system-account",
    "vendor_lookalike_accounts": "lookalike-account",
    "public_resolvers": "public-resolver",
    "persistence_stock": "stock-boot-line",
    "program_names": "program-name",
    "listening_services": "service-statement",
}


def _pattern(entry: Any) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"pattern": entry}
    first = next((entry[k] for k in ("pattern", "regex", "name", "path", "prefix", "address") if k in entry), None)
    return {"pattern": first, "label": entry.get("kind") or entry.get("operator"), "reason": entry.get("reason")}


class Hunt:
    """One run of the rules over a case."""

    def __init__(
        self, case: Case, platforms: Mapping[str, Platform], found: Sequence[Rule], site: Site | None,
        *, device_platform: Mapping[str, str], versions: Mapping[str, str],
        connection: Callable[[], duckdb.DuckDBPyConnection] | None = None, lists: Lists | None = None,
    ) -> None:  # fmt: skip
        self.case, self.rules, self.site = case, found, site or Site()
        self.platforms, self._device_platform = platforms, device_platform
        self._versions = dict(versions)
        self._lists = lists
        for platform in platforms.values():
            _check_core(platform, found)
        self.con = connection() if connection else database.connect(views=False)
        _load_facts(self.con, case)
        self._lines = _Lines(case, self.con)
        used = set(device_platform.values())
        prepare(self.con, [p for n, p in platforms.items() if n in used or not used], site, lists)
        lock(self.con)

    def run(self) -> None:
        """Run all rules and set the case's findings, coverage and verdicts."""
        seen = self._seen()
        findings: list[Finding] = []
        coverage: list[Coverage] = []
        scene = Scene(self.site, self._lines.get, self._versions)
        # without any traffic the rules of the wire have no row to look at: to plan their queries costs as much as with it
        wire = any(feeds.heard() for feeds in seen.values())
        flow = data.rules_dir() / "flow"
        asked = [
            r for r in self.rules
            if (wire or r.file.parent != flow) and any(self._applies(r, device) and feeds.asked(r) for (device, _), feeds in seen.items())
        ]  # fmt: skip
        answers = dict(zip((r.id for r in asked), _in_turn(self.con, asked), strict=True))
        for rule in self.rules:
            rows = answers.pop(rule.id, [])
            hits, races = _grouped(rule, rows, scene)
            notes = _notes(rows)
            hits = {where: found for where, found in hits.items() if self._applies(rule, where[0])}
            findings += [f for group in hits.values() for f in group]
            for where, feeds in seen.items():
                covered = self._cover(rule, where, feeds, where in hits, races.get(where))
                coverage.append(replace(covered, notes=(*covered.notes, *notes.get(where, ()))))
        self.case.findings = sorted(findings, key=_order)
        self.case.coverage = sorted(coverage, key=lambda c: (c.device, c.snapshot, c.rule))
        self.case.verdicts = verdicts(self.case.findings, self.case.coverage)

    def _seen(self) -> dict[tuple[str, str], Seen]:
        rows = self.con.execute(
            "select f.device, f.snapshot, f.exhibit, e.command, table_name, view, columns, incomplete, usable, "
            "coalesce(f.reason, ''), e.end_proof <> 'none', coalesce(f.stanza, ''), e.status from feeds f join exhibits e "
            "using (device, snapshot, exhibit, line)"
        ).fetchall()
        feeds: dict[tuple[str, str], list[Feed]] = {where: [] for where in self.case.snapshots()}
        for device, snapshot, exhibit, command, table, view, columns, incomplete, usable, reason, proven, stanza, status in rows:
            feeds.setdefault((device, snapshot), []).append(
                Feed(exhibit, shown(command or "", 60), table, view, frozenset(columns.split(",")),
                     frozenset(filter(None, (incomplete or "").split(","))), bool(usable), reason, bool(proven), stanza, status)
            )  # fmt: skip
        if self.case.meta.get("device_ip"):  # the user's word feeds a table as an output does
            told = Feed("case", "--device-ip", "given_addresses", "given", frozenset(["address_ip"]), frozenset(), True, "", True)
            for of in feeds.values():
                of.append(told)
        for kind in sorted(self._lists.kinds()) if self._lists else ():
            listed = Feed("case", "--indicators", "indicators", kind, frozenset(["value"]), frozenset(), True, "", True)
            for of in feeds.values():
                of.append(listed)
        platforms = {d: self.platforms.get(n) for d, n in self._device_platform.items()}
        return {where: Seen(of, platforms.get(where[0])) for where, of in sorted(feeds.items())}

    def _applies(self, rule: Rule, device: str) -> bool:
        """Whether the rule is meant for the platform of `device`; a device of no known platform is asked everything."""
        name = self._device_platform.get(device, "")
        return not (name in self.platforms and rule.platforms and name not in rule.platforms)

    def _cover(self, rule: Rule, where: tuple[str, str], feeds: Seen, hit: bool, race: str | None) -> Coverage:
        device, snapshot = where
        platform = self.platforms.get(self._device_platform.get(device, ""))
        core = bool(platform and rule.id in platform.core) or (platform is None and rule.core)
        if not self._applies(rule, device):
            return Coverage(device, snapshot, rule.id, "not-applicable", core=False)
        if not feeds.asked(rule):
            return Coverage(device, snapshot, rule.id, "not-applicable", False, (NOT_GIVEN,))
        answer = feeds.assess(rule)
        notes = answer.notes
        if self._lists and any(table in given() for table, _, _ in leaves(expand(rule))):
            absent = feeds.unfed(rule) if answer.met else []
            notes = (*notes, *self._lists.notes(), *([f"not compared, for nothing showed them: {', '.join(absent)}"] if absent else []))
        reasons = tuple(dict.fromkeys(answer.reasons))
        if hit:
            return Coverage(device, snapshot, rule.id, "hit", core, reasons, notes)
        if not answer.met:
            return Coverage(device, snapshot, rule.id, "not-assessable", core, reasons, notes)
        if race:
            return Coverage(device, snapshot, rule.id, "not-assessable", core, (race,), notes)
        return Coverage(device, snapshot, rule.id, "no-hit", core, (), notes)


@dataclass(frozen=True, slots=True)
class Scene:
    """What findings need besides rows: the owner's word, the text of a cited line, the versions at work."""

    site: Site
    line_of: Callable[[str, int], str]
    versions: Mapping[str, str]


def match(con: duckdb.DuckDBPyConnection, rule: Rule, scene: Scene) -> tuple[Hits, Races]:
    """Run one rule over prepared tables: its findings, and the races it saw, by (device, snapshot).

    RuleError when the rule is not one SELECT, does not bind or fails.
    """
    return _grouped(rule, _rows(con, rule), scene)


def _rows(con: duckdb.DuckDBPyConnection, rule: Rule) -> list[dict[str, Any]]:
    import duckdb

    try:
        rules.check_form(con, rule)
        cursor = con.execute(rule.sql)
        names = [d[0] for d in cursor.description or ()]
        return [dict(zip(names, r, strict=True)) for r in cursor.fetchall()]
    except duckdb.Error as error:
        raise RuleError(f"{rule.file}: {str(error).splitlines()[0]}") from error


def _in_turn(con: duckdb.DuckDBPyConnection, found: Sequence[Rule]) -> Iterable[list[dict[str, Any]]]:
    """The rows of each rule, in the order of the rules.

    On two threads: most of a rule's time is the planning of its query, which uses one core.
    """
    from concurrent.futures import ThreadPoolExecutor

    def rows(rule: Rule) -> list[dict[str, Any]]:
        with con.cursor() as own:
            return _rows(own, rule)

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            yield from pool.map(rows, found)
        finally:
            pool.shutdown(cancel_futures=True)


def _grouped(rule: Rule, rows: list[dict[str, Any]], scene: Scene) -> tuple[Hits, Races]:
    races: Races = {}
    grouped: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get("no_finding") and not row.get("race"):
            continue
        where = (row["device"], row["snapshot"])
        if row.get("race"):
            reason = str(row.get("race_reason") or "race: the two views were not taken at one time")
            races[where] = min(reason, races.get(where, reason))
        else:
            grouped[(*where, *(_text(row[k]) for k in rule.key))].append(row)
    hits: Hits = {}
    for (device, snapshot, *key), group in grouped.items():
        finding = _finding(rule, (device, snapshot, tuple(key)), group, scene)
        hits.setdefault((device, snapshot), []).append(finding)
    return hits, races


def _notes(rows: list[dict[str, Any]]) -> dict[Where, tuple[str, ...]]:
    """What a rule says beside its findings (a column `no_finding`), by (device, snapshot)."""
    said: dict[Where, dict[str, None]] = defaultdict(dict)
    for row in rows:
        if row.get("no_finding"):
            said[(row["device"], row["snapshot"])][shown(str(row["no_finding"]), 240)] = None
    return {where: tuple(sorted(notes)) for where, notes in said.items()}


def _finding(rule: Rule, where: tuple[str, str, tuple[str, ...]], rows: list[dict[str, Any]], scene: Scene) -> Finding:
    device, snapshot, key = where
    # the whole row breaks ties: a database promises no order
    rows.sort(key=lambda r: (-LEVELS.index(r.get("level") or rule.level), str(r["exhibit"]), r["line"] or 0, list(map(str, r.values()))))
    first = rows[0]
    subjects = _subjects(rule, rows)
    level = first.get("level") or rule.level
    finding = Finding(
        id=hashlib.sha256("\0".join((rule.id, device, *key)).encode()).hexdigest()[:16],
        rule=rule.id,
        title=rule.title.format_map({k: _short(v) for k, v in first.items()}),
        level=level, device=device, snapshot=snapshot, key=key, subjects=subjects,
        evidence=tuple(Evidence(e, n, scene.line_of(e, n)) for e, n in _cited(rows)), attack=rule.attack,
        falsepositives=rule.falsepositives, references=rule.references, response=_addressed(rule.response, subjects),
        explained_by=first.get("explained_by"), explanation=str(first.get("explanation") or ""),
        level_unexplained=level, family=rule.check, context=rule.context, versions={**scene.versions, "rule": rule.sha256[:16]},
    )  # fmt: skip
    entry = explains(scene.site, rule.explained_by, subjects)
    if entry is not None:
        said = ", ".join(f"{k} {v}" for k, v in entry.items())
        return replace(finding, level="info", explained_by="owner", explanation=f"site file: {shown(said, 160)}")
    return finding


def _cited(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The lines that the rows of one finding cite, in their order."""
    cited: dict[tuple[str, int], None] = {}
    for row in rows:
        for suffix in ("", *(f"_{n}" for n in range(2, 7))):
            exhibit, line = row.get(f"exhibit{suffix}"), row.get(f"line{suffix}")
            if exhibit and line:
                cited[(exhibit, int(line))] = None
    return list(cited)[:EVIDENCE_LIMIT]


class _Lines:
    """Lines of exhibits for citations; keeps the last file only. A line of a capture is a packet: its connection is told."""

    def __init__(self, case: Case, con: duckdb.DuckDBPyConnection | None = None) -> None:
        self._case, self._con, self._name, self._data = case, con, "", [b""]
        self._captures = {e.exhibit for e in case.entries if e.kind in ("capture", "flow")}

    def get(self, exhibit: str, line: int) -> str:
        if exhibit in self._captures:
            return packet(self._con, exhibit, line) if self._con else ""
        if exhibit != self._name:
            self._name, self._data = exhibit, self._case.read(exhibit).split(b"\n")
        raw = self._data[line - 1] if 0 < line <= len(self._data) else b""
        return shown(raw.rstrip(b"\r").decode("utf-8", "backslashreplace"), 500)


def packet(con: duckdb.DuckDBPyConnection, exhibit: str, line: int) -> str:
    """A packet of a capture as a line that can be cited: the connection that it begins."""
    with con.cursor() as own:
        found = own.execute(_PACKET, [exhibit, line]).fetchall()
    return shown(found[0][0], 500) if found else f"packet {line}"


_PACKET = """
select concat('packet ', line, ': ', proto, ' ', orig_ip, ':', orig_port, ' > ', resp_ip, ':', resp_port, ', first at ',
  strftime(first_at::timestamp, '%Y-%m-%d %H:%M:%S'), ' UTC, ', orig_packets, ' packets (', orig_bytes, ' bytes) out, ',
  resp_packets, ' packets (', resp_bytes, ' bytes) back', case when app is not null then ', ' || app else '' end)
from connections where exhibit = ? and line = ? order by depth limit 1
"""


def _subjects(rule: Rule, rows: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        for shape in rule.subjects:
            subject = {k: _json(row[c]) for k, c in shape.items() if k != "type" and row[c] is not None}
            if subject:
                subject = {"type": shape["type"], **subject}
                found[json.dumps(subject, sort_keys=True)] = subject
    return tuple(found[k] for k in sorted(found))


def _addressed(response: str, subjects: Iterable[Mapping[str, Any]]) -> str:
    """The response with the process that it is about, where that is one: it can be typed as it stands."""
    pids = {s["pid"] for s in subjects if isinstance(s.get("pid"), int)}
    return response.replace("/proc/PID", f"/proc/{pids.pop()}") if len(pids) == 1 else response


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _json(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_json(v) for v in value]
    return value if isinstance(value, int | float | bool) else shown(str(value))


def _text(value: Any) -> str:
    return "" if value is None else shown(str(value))


def _short(value: Any) -> str:
    return "?" if value is None else shown(str(value), 160)


def _order(finding: Finding) -> tuple[Any, ...]:
    return (finding.device, finding.snapshot, -LEVELS.index(finding.level), finding.rule, finding.key)


def _identities(finding: Finding) -> set[tuple[str, str]]:
    """What a finding is about, as comparable pairs."""
    names = {
        "process": ("pid", "exe", "script"), "socket": ("local_port",), "interface": ("name",), "account": ("name",),
        "ssh-key": ("fingerprint",), "job": ("program", "command"), "file": ("path",), "nat-rule": ("text", "port"),
        "firewall-rule": ("text", "port"), "peer": ("address",),
    }  # fmt: skip
    alias = {"local_port": "port", "exe": "path", "script": "path", "program": "path"}
    return {
        (alias.get(key, key), str(subject[key]))
        for subject in finding.subjects
        for key in names.get(str(subject.get("type")), ())
        if key in subject
    }


def verdicts(findings: Sequence[Finding], coverage: Sequence[Coverage]) -> list[Verdict]:
    """One verdict a device, as docs/design.md defines the four words."""
    by_device: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.explained_by != "owner" and not finding.context:
            by_device[finding.device].append(finding)
    cover: dict[str, list[Coverage]] = defaultdict(list)
    for one in coverage:
        cover[one.device].append(one)
    return [_verdict(device, by_device[device], cover[device]) for device in sorted(cover)]


def _verdict(device: str, findings: list[Finding], coverage: list[Coverage]) -> Verdict:
    core = [c for c in coverage if c.core and c.result != "not-applicable"]
    by_rule: dict[str, bool] = {}
    for c in core:
        # a rule counts as assessed when each snapshot that could be asked was; a hit in what is left of the
        # evidence says nothing of what could not be read
        by_rule[c.rule] = by_rule.get(c.rule, True) and (c.result == "no-hit" or (c.result == "hit" and not c.reasons))
    assessed = sum(by_rule.values())
    high = [f for f in findings if LEVELS.index(f.level) >= LEVELS.index("high")]
    if any(f.level == "critical" for f in high) or _corroborated(high):
        word = "compromised"
    elif high:
        word = "suspicious"
    elif by_rule and assessed == len(by_rule):
        word = "nothing-found"
    else:
        word = "inconclusive"
    return Verdict(device, word, assessed, len(by_rule), tuple(f.id for f in high))


def _corroborated(high: list[Finding]) -> bool:
    """Two rules over different exhibits that speak of one subject."""
    for i, one in enumerate(high):
        for other in high[i + 1:]:
            same = one.snapshot == other.snapshot and _identities(one) & _identities(other)
            sources = {e.exhibit for e in one.evidence} ^ {e.exhibit for e in other.evidence}
            if one.rule != other.rule and same and sources:
                return True
    return False


def check(platforms: Sequence[Platform], found: Sequence[Rule]) -> list[str]:
    """Bind every rule and join its needs with what stanzas can feed; return the problems."""
    con = database.connect()
    prepare(con, [], None)
    feeds = {
        (f.table, f.view, c) for p in platforms for s in p.stanzas.values() for f in s.feeds for c in f.columns
    } | {(t, v, c) for t, views in (*traffic().items(), *given().items()) for v in views for c in database.columns_of(con, t)}
    problems = []
    for rule in found:
        try:
            rules.bind(con, rule)
            needs = list(leaves(expand(rule)))
        except RuleError as error:
            problems.append(str(error))
            continue
        for table, view, columns in needs:
            for column in columns or {""}:
                if not any(t == table and (not view or v == view) and (not column or c == column) for t, v, c in feeds):
                    problems.append(f"{rule.file}: needs {table}@{view or '*'} {column}: no stanza fills it")
    return problems


def pack_hash(files: Iterable[Path]) -> str:
    """One SHA-256 over files and their names: the version of a rule or parser pack."""
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:16]
