"""Rule cases: fixtures/rules/<rule-id>.yaml, situations written as table rows with only the columns that matter.

    base:                # rows that every situation of the file has (optional)
      routes: [...]
    match:
      - name: what an intruder did
        rows: {processes: [{pid: 7, exe: /tmp/x}]}
        site: {expected: [...]}      # optional: the content of a site file
        level: high                  # of the finding
        subjects: [{type: process, pid: 7}]   # each must be among the finding's, with at least these keys
    clean:
      - name: an honest near-miss
        max_level: low               # optional: findings up to this level are right

Every situation becomes a device of its own, and all situations with one site file are loaded
together: a rule that joins without the device shows at once. device, snapshot, exhibit and line are
filled in, and so are the *_key twins of addresses and, where it is the usual one, the view.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from devicehunt import database, engine, platforms, rules, site
from devicehunt.model import Finding

if TYPE_CHECKING:
    import duckdb

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "rules"
VIEWS = {
    "processes": "proc", "sockets": "netstat", "open_files": "proc", "process_env": "proc", "process_maps": "proc",
    "accounts": "passwd", "ssh_keys": "file", "jobs": "cron", "firewall_rules": "iptables", "nat_rules": "iptables",
    "policies": "ip-rule", "interfaces": "ip", "addresses": "ip", "routes": "ip", "tunnels": "ip", "resolvers": "file",
    "mounts": "mount", "modules": "proc", "files": "ls", "log_events": "syslog", "settings": "uci", "devices": "uptime",
    "services": "uci", "packages": "opkg", "dns_records": "hosts", "neighbours": "ip", "nat_sessions": "conntrack",
    "series": "packets", "captures_read": "packets", "connections": "packets", "tls_sessions": "packets", "ssh_sessions": "packets",
    "http_requests": "packets", "dns_queries": "packets", "proxy_requests": "packets", "app_facts": "packets", "flows": "netflow9",
    "exposures": "nmap",
}  # fmt: skip
KEYS = {"name", "rows", "site", "level", "subjects", "max_level"}


@dataclass(frozen=True)
class Situation:
    """One situation of one rule; `matches` says on which side of the rule it stands."""

    rule: str
    number: int
    name: str
    matches: bool
    rows: dict[str, list[dict[str, Any]]]
    site: str = ""
    level: str = ""
    max_level: str = ""
    subjects: tuple[dict[str, Any], ...] = field(default=())

    @property
    def device(self) -> str:
        """The device that stands for this situation."""
        return f"{self.rule}.{self.number:02d}"


def read(path: Path) -> list[Situation]:
    """The situations of one file; AssertionError for a file that does not keep the form."""
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(body) <= {"base", "match", "clean"}, f"{path.name}: {sorted(body)}"
    base = body.get("base", {})
    found = []
    for side in ("match", "clean"):
        for one in body[side]:
            assert set(one) <= KEYS, f"{path.name}: {one['name']}: {sorted(set(one) - KEYS)}"
            rows = {t: [*base.get(t, []), *one["rows"].get(t, [])] for t in {*base, *one["rows"]}}
            found.append(
                Situation(
                    path.stem, len(found), one["name"], side == "match", rows,
                    json.dumps(one["site"]) if "site" in one else "", one.get("level", ""), one.get("max_level", ""),
                    tuple(one.get("subjects", ())),
                )
            )
    return found


def load_all() -> list[Situation]:
    return [s for path in sorted(FOLDER.glob("*.yaml")) for s in read(path)]


def fill(con: duckdb.DuckDBPyConnection, situations: Sequence[Situation]) -> None:
    """Insert the rows of situations, with the citation, the keys and the usual view.

    An exhibit that a situation does not describe itself was read whole, to a proven end.
    """
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for situation in situations:
        for table, of in _rows(con, situation).items():
            rows[table] += of
    for table, of in rows.items():
        database.insert_rows(con, table, of)
        columns = database.columns_of(con, table)
        for key in (c for c in columns if c.endswith("_key")):
            text = next((c for c in (f"{key[:-4]}_ip", key[:-4]) if c in columns), None)
            if text:  # `host` may be a name: it has no key
                con.execute(f"update {table} set {key} = ip({text}) where {key} is null")


def _rows(con: duckdb.DuckDBPyConnection, situation: Situation) -> dict[str, list[dict[str, Any]]]:
    received: dict[str, tuple[str, str]] = {}
    found: dict[str, list[dict[str, Any]]] = {}
    for table, given in situation.rows.items():
        columns = database.columns_of(con, table)
        found[table] = []
        for number, one in enumerate(given, 1):
            assert set(one) <= set(columns), f"{situation.device}: {table} has no {sorted(set(one) - set(columns))}"
            row = {"device": situation.device, "snapshot": "1", "line": number, "view": VIEWS.get(table)} | one
            row.setdefault("exhibit", f"{situation.device}/1/{table}-{row['view']}.txt")
            found[table].append({c: v for c, v in row.items() if c in columns})
        if "view" in columns:
            received.update({r["exhibit"]: (table, r["view"]) for r in found[table]})
    described = {r["exhibit"] for r in situation.rows.get("exhibits", [])}
    head = {"device": situation.device, "snapshot": "1", "line": 1}
    missing = {e: of for e, of in received.items() if e not in described}
    found["exhibits"] = found.get("exhibits", []) + [
        head | {"exhibit": e, "seq": n, "command": "", "status": "complete", "end_proof": "exit-status"} for n, e in enumerate(missing, 1)
    ]
    found["feeds"] = found.get("feeds", []) + [
        head | {"exhibit": e, "table_name": t, "view": v, "columns": "", "row_count": 1, "usable": True} for e, (t, v) in missing.items()
    ]
    return found


class World:
    """All situations that share one site file, loaded and prepared as a hunt does it."""

    def __init__(self, situations: Sequence[Situation], folder: Path, con: duckdb.DuckDBPyConnection | None = None) -> None:
        text = situations[0].site
        owner = site.Site()
        if text:
            path = folder / "site.yaml"
            path.write_text(text, encoding="utf-8")
            owner = site.load(path)
        self.con = con or database.connect(views=False)  # `prepare` makes tables of them
        fill(self.con, situations)
        engine.prepare(self.con, [platforms.load(n) for n in platforms.names()], owner)
        self.scene = engine.Scene(owner, lambda exhibit, line: f"{exhibit}:{line}", {})
        self._hits: dict[str, engine.Hits] = {}

    def findings(self, rule: rules.Rule, device: str) -> list[Finding]:
        """The findings of one rule about one device; each rule runs once over all of them."""
        if rule.id not in self._hits:
            self._hits[rule.id] = engine.match(self.con, rule, self.scene)[0]
        return [f for (d, _), of in self._hits[rule.id].items() if d == device for f in of]


class Worlds:
    """Site file -> the situations under it. One database, emptied for the next: to make the tables takes longest."""

    def __init__(self, situations: Sequence[Situation], folder: Path) -> None:
        self._of: dict[str, list[Situation]] = defaultdict(list)
        for situation in situations:
            self._of[situation.site].append(situation)
        self._folder = folder
        self._con = database.connect(views=False)
        self._found: dict[tuple[str, str], list[Finding]] = {}
        self._done: set[str] = set()

    def findings(self, situation: Situation, known: Mapping[str, rules.Rule]) -> list[Finding]:
        """What the rule of a situation finds about it."""
        if situation.site not in self._done:
            self._done.add(situation.site)
            self._empty()
            world = World(self._of[situation.site], self._folder, self._con)
            for one in self._of[situation.site]:
                self._found[one.rule, one.device] = world.findings(known[one.rule], one.device)
        return self._found[situation.rule, situation.device]

    def _empty(self) -> None:
        for name, temporary in self._con.execute("select table_name, temporary from duckdb_tables() where not internal").fetchall():
            self._con.execute(f"drop table temp.{name}" if temporary else f"delete from {name}")
