"""Connections of up to 1,000 routers for a day, with what is true about them. Seeded; made by numpy.

    python benchmarks/simulate.py OUT --seed 1 --routers 1000 --connections 10000 --infected 30

OUT gets connections_wan.parquet, connections_lan.parquet, nat_sessions.parquet and flows.parquet (records of the exporter
for what outlives its active timeout) with the columns of devicehunt/schema.sql, addresses.parquet, expected.parquet (what
the owners set up), and truth_*.parquet: the origin and kind of every connection, pairs, keys, carriers and what they carry.
Addresses are of 198.18.0.0/15, 100.64.0.0/10, 192.168.1.0/24 and 2001:db8::/32. The tool takes the first and the last for
outside addresses. `--addresses unicast` moves the first into ordinary space, for rules that leave reserved ranges out.
Everything here is synthetic: it bounds what a method can do, it is not field accuracy.
"""

# ruff: noqa: PLR0917 - what makes connections takes the same few things everywhere, in one order
from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from simulate_base import (
    CARRIED,
    CARRIER,
    DNAT,
    EPOCH,
    FLAGS,
    FLAT,
    LEG_IN,
    LEG_OUT,
    LEGS,
    NAT,
    ORIGINS,
    PROTOS,
    SLOT,
    VPN,
    Rows,
    Settings,
    Site,
    address_key,
    address_text,
)
from simulate_honest import ROUTER, fill, site
from simulate_relays import Relay, infect, plan

if TYPE_CHECKING:
    import duckdb

BIG = ("connections_wan", "connections_lan", "nat_sessions", "flows", "truth_connections")
SMALL_PARTS = ("addresses", "expected", "truth_relays", "truth_pairs", "truth_carriers", "truth_carried")
Columns = dict[str, Any]
VPN_CLIENT = 0x0A080002
SNAPSHOT = "s1"
NAT_SEEN = 0.95


class Writer:
    """Puts chunks of columns into a DuckDB database with readable addresses and one folder of Parquet as the outcome."""

    def __init__(self, s: Settings, out: Path) -> None:
        from devicehunt import database

        self.s, self.out, self.files = s, out, 0
        self.con = database.connect(views=False)
        self.con.execute("set preserve_insertion_order=true")
        self.con.execute("create table codes(code bigint primary key, ip varchar, key blob)")
        self.con.execute("create table names(id integer, flags_o varchar, flags_r varchar)")
        self.con.executemany("insert into names values (?, ?, ?)", [(i, *f) for i, f in enumerate(FLAGS)])
        self.con.execute(
            "create table truth_connections(device varchar, exhibit varchar, connection bigint, origin varchar, kind varchar,"
            " leg varchar, relay integer, session bigint)"
        )
        self.con.execute(
            f"create table devices_made as select i::integer as device, printf('r%05d', i) as name from range({s.routers}) t(i)"
        )
        for name in BIG:
            shutil.rmtree(out / f"{name}.parquet", ignore_errors=True)
            (out / f"{name}.parquet").mkdir()
        self.known = np.empty(0, np.int64)

    def codes(self, *arrays: Any) -> None:
        """Make sure that these addresses have their text."""
        new = np.setdiff1d(np.unique(np.concatenate(arrays)), self.known)
        new = new[new >= 0]
        if len(new):
            text = [address_text(int(c), self.s.addresses) for c in new]
            view: Columns = {"code": new, "ip": np.array(text, object), "key": np.array([address_key(t) for t in text], object)}
            self.con.register("new_codes", view)
            self.con.execute("insert into codes select code, ip, key::blob from new_codes").fetchall()
            self.con.unregister("new_codes")
            self.known = np.union1d(self.known, new)

    def save(self, name: str, like: str, sql: str, columns: Columns, *addresses: str) -> None:
        """Write rows to a file of their own, in the columns of a table of the schema."""
        self.files += 1
        empty = f"select * from {like} where false"
        target = self.out / f"{name}.parquet" / f"{self.files:05d}.parquet"
        self.take(f"copy ({empty} union all by name {sql}) to '{target}' (format parquet)", columns, *addresses)

    def take(self, sql: str, columns: Columns, *addresses: str) -> None:
        if addresses:
            self.codes(*(columns[a] for a in addresses))
        self.con.register("c", columns)
        self.con.execute(sql).fetchall()
        self.con.unregister("c")

    def connections(self, table: str, exhibit: str, c: Columns, view: str) -> None:
        numbers = {k: c[k] for k in c if k not in ("series", "lan", "lan_port", "origin", "kind", "leg", "relay", "session")}
        self.save(
            table,
            "connections",
            f"""select d.name as device, '{SNAPSHOT}' as snapshot,
            d.name || '/{exhibit}' as exhibit, connection + 1 as line, connection, {_case("proto", PROTOS)} as proto,
            o.ip as orig_ip, o.key as orig_key, orig_port, r.ip as resp_ip, r.key as resp_key, resp_port,
            make_timestamp_ns(first) as first_at, make_timestamp_ns(last) as last_at, orig_packets, orig_bytes, resp_packets, resp_bytes,
            orig_payload, resp_payload, n.flags_o as orig_flags, n.flags_r as resp_flags,
            case when contains(n.flags_o, 'S') then 'syn' when c.proto = 0 then 'port' else 'first' end as oriented,
            0 as depth, 1 as sampling, '{view}' as view
            from c join codes o on o.code = c.orig join codes r on r.code = c.resp join names n on n.id = c.flags
            join devices_made d on d.device = c.device""",
            numbers,
            "orig",
            "resp",
        )

    def truth(self, exhibit: str, c: Columns, kinds: list[str]) -> None:
        columns = {k: c[k] for k in ("device", "connection", "origin", "kind", "leg", "relay", "session")}
        self.con.register("k", {"id": np.arange(len(kinds)), "name": np.array(kinds, object)})
        self.save(
            "truth_connections",
            "truth_connections",
            f"""select d.name as device, d.name || '/{exhibit}' as exhibit, connection,
            {_case("origin", ORIGINS)} as origin, k.name as kind, {_case("leg", LEGS)} as leg, nullif(relay, -1) as relay, nullif(session,
              -1) as session
            from c join k on k.id = c.kind join devices_made d on d.device = c.device""",
            columns,
        )

    def sessions(self, c: Columns) -> None:
        self.save(
            "nat_sessions",
            "nat_sessions",
            f"""select d.name as device, '{SNAPSHOT}' as snapshot,
            d.name || '/conntrack' as exhibit, n as line,
            case when os.code >= {1 << 33} then 'ipv6' else 'ipv4' end as family, {_case("proto", PROTOS)} as proto,
            os.ip as orig_src_ip, os.key as orig_src_key, o_sp as orig_src_port, od.ip as orig_dst_ip, od.key as orig_dst_key, o_dp as
              orig_dst_port,
            rs.ip as reply_src_ip, rs.key as reply_src_key, r_sp as reply_src_port, rd.ip as reply_dst_ip, rd.key as reply_dst_key, r_dp
              as reply_dst_port,
            orig_packets, orig_bytes, resp_packets as reply_packets, resp_bytes as reply_bytes, resp_packets = 0 as unreplied,
            false as offloaded, 'conntrack' as view {self._when()}
            from c join codes os on os.code = o_src join codes od on od.code = o_dst join codes rs on rs.code = r_src join codes rd on
              rd.code = r_dst
            join devices_made d on d.device = c.device""",
            c,
            "o_src",
            "o_dst",
            "r_src",
            "r_dst",
        )

    def _when(self) -> str:
        """Times of a session, where the schema has a place for them."""
        have = {r[0] for r in self.con.execute("select column_name from duckdb_columns() where table_name = 'nat_sessions'").fetchall()}
        given = {"first_at": "make_timestamp_ns(first)", "last_at": "make_timestamp_ns(last)"}
        return "".join(f", {sql} as {name}" for name, sql in given.items() if name in have)

    def records(self, c: Columns) -> None:
        self.save(
            "flows",
            "flows",
            f"""select e.name as device, '{SNAPSHOT}' as snapshot,
            e.name || '/netflow.pcap' as exhibit, n as line,
            {_case("proto", PROTOS)} as proto, s.ip as src_ip, s.key as src_key, src_port, d.ip as dst_ip, d.key as dst_key, dst_port,
            make_timestamp_ns(first) as first_at, make_timestamp_ns(last) as last_at, make_timestamp_ns(last + 1000000000) as exported_at,
            packets, bytes, 1 as sampling, 0 as depth, 'ok' as clock, 'netflow9' as view
            from c join codes s on s.code = c.src join codes d on d.code = c.dst
            join devices_made e on e.device = c.device""",
            c,
            "src",
            "dst",
        )

    def addresses(self, here: Site) -> None:
        n = len(here.ids)
        lan = {"device": here.ids, "code": np.full(n, ROUTER), "bits": np.full(n, 24), "name": np.full(n, "br-lan", object)}
        wan = {"device": here.ids, "code": here.wan, "bits": np.full(n, 32), "name": np.full(n, "wan", object)}
        six = {"device": here.ids, "code": (1 << 33) + (here.ids << 16) + 1, "bits": np.full(n, 64), "name": np.full(n, "br-lan", object)}
        for part in (lan, wan, six):
            self.take(
                f"""insert into addresses by name select printf('r%05d', device) as device, '{SNAPSHOT}' as snapshot, 'ip_addr.txt' as
                  exhibit,
                1 as line, name as interface, a.ip as address_ip, a.key as address_key, bits as prefix_length
                from c join codes a on a.code = c.code""",
                part,
                "code",
            )

    def expected(self, here: Site) -> None:
        """One site file for all: every owner set the same things up, or did not."""
        for e in here.expected:
            to = e.get("to_address")
            known = [e["kind"], e["proto"], e["port"], e.get("to_port"), to and address_text(to, self.s.addresses)]
            self.con.execute(
                "insert into expected by name select * from (select ? as kind, ? as proto, ?::integer as port, ?::integer as to_port,"
                " ?::varchar as to_address) e where not exists(select 1 from expected x where (x.kind, x.port) = (e.kind, e.port))",
                known,
            )


def _case(column: str, names: tuple[str, ...]) -> str:
    return f"case c.{column} " + " ".join(f"when {i} then '{n}'" for i, n in enumerate(names)) + " end"


# -- chunks ------------------------------------------------------------------------------------------


def _pick(rows: Columns, index: Any) -> Columns:
    return {k: v[index] for k, v in rows.items()}


def _numbered(rows: Columns) -> Columns:
    """In order of device and time, each connection with its number at its device."""
    rows = _pick(rows, np.lexsort((rows["first"], rows["device"])))
    n = np.arange(len(rows["device"]))
    starts = np.r_[True, rows["device"][1:] != rows["device"][:-1]]
    rows["connection"] = n - np.maximum.accumulate(np.where(starts, n, 0))
    return rows


def _ns(rows: Columns) -> Columns:
    return rows | {k: (rows[k] * 1e9).astype(np.int64) + EPOCH * 10**9 for k in ("first", "last")}


def _lan(rng: np.random.Generator, s: Settings, here: Site, rows: Columns) -> Columns:
    """What a recorder on the LAN's side saw of the connections that hosts inside are ends of; its clock is its own."""
    twin = _pick(rows, rows["lan"] >= 0)
    skew = rng.normal(0, s.skew, len(here.ids))[here.at(twin["device"])]
    inward = twin["origin"] == DNAT
    move = skew + np.where(inward, 1, -1) * rng.exponential(0.0004, len(skew))
    twin |= {
        "orig": np.where(inward, twin["orig"], twin["lan"]),
        "orig_port": np.where(inward, twin["orig_port"], twin["lan_port"]),
        "resp": np.where(inward, twin["lan"], twin["resp"]),
        "resp_port": np.where(inward, twin["lan_port"], twin["resp_port"]),
        "first": np.maximum(0, twin["first"] + move),
        "last": np.maximum(0, twin["last"] + move),
    }
    return twin


def _nat(rng: np.random.Generator, here: Site, rows: Columns) -> Columns:
    """Entries of connection tracking: what was asked and what the answer looks like."""
    kept = (rng.random(len(rows["device"])) < NAT_SEEN) & ~((rows["origin"] == DNAT) & (rows["leg"] == LEG_OUT))
    c = _pick(rows, kept)
    c |= {
        "o_src": c["orig"],
        "o_sp": c["orig_port"],
        "o_dst": c["resp"],
        "o_dp": c["resp_port"],
        "r_src": c["resp"],
        "r_sp": c["resp_port"],
        "r_dst": c["orig"],
        "r_dp": c["orig_port"],
    }
    nat = c["origin"] == NAT
    c["o_src"], c["o_sp"] = np.where(nat, c["lan"], c["o_src"]), np.where(nat, c["lan_port"], c["o_sp"])
    c["o_src"] = np.where(c["origin"] == VPN, VPN_CLIENT, c["o_src"])
    behind = (c["origin"] == DNAT) & (c["lan"] >= 0)
    c["r_src"], c["r_sp"] = np.where(behind, c["lan"], c["r_src"]), np.where(behind, c["lan_port"], c["r_sp"])
    through = np.flatnonzero((c["origin"] == DNAT) & (c["lan"] < 0))  # both ends outside: one entry for both legs
    legs = np.flatnonzero((rows["origin"] == DNAT) & (rows["leg"] == LEG_OUT))
    by_session = {(int(rows["relay"][i]), int(rows["session"][i])): i for i in legs}
    for i in through:
        leg = by_session.get((int(c["relay"][i]), int(c["session"][i])))
        if leg is not None:
            c["r_src"][i], c["r_sp"][i], c["r_dst"][i], c["r_dp"][i] = (rows[k][leg] for k in ("resp", "resp_port", "orig", "orig_port"))
    c["n"] = np.arange(1, len(c["device"]) + 1)
    drop = ("orig", "resp", "orig_port", "resp_port", "lan", "lan_port", "series", "kind", "leg", "relay", "session", "origin")
    return {k: v for k, v in _ns(c).items() if k not in drop}


def _records(rng: np.random.Generator, s: Settings, rows: Columns, series: list[Any]) -> Columns | None:
    """What an exporter sends of a connection that outlives its active timeout: a record a timeout and direction."""
    step = s.active_timeout
    long = np.flatnonzero(rows["last"] - rows["first"] > step) if step else np.empty(0, np.int64)
    if not len(long):
        return None
    c = _pick(rows, long)
    slots = np.ceil((c["last"] - c["first"]) / step).astype(np.int64)
    who, starts = np.repeat(np.arange(len(long)), slots), np.cumsum(slots) - slots
    k = np.arange(len(who)) - starts[who]
    first = c["first"][who] + k * step
    last = np.minimum(first + step, c["last"][who])
    base = np.where(c["series"][who] == FLAT, last - first, rng.lognormal(0, 1.5, len(who)) * (rng.random(len(who)) < 0.4) + 0.01)
    found = []
    for side, source, target in (("orig", "orig", "resp"), ("resp", "resp", "orig")):
        weight = base.copy()
        for i in np.flatnonzero(c["series"] >= 0):
            total = np.r_[0.0, np.cumsum(series[c["series"][i]][side == "resp"])]
            edges = np.minimum(np.arange(slots[i] + 1) * step / SLOT, len(total) - 1)
            weight[starts[i] : starts[i] + slots[i]] = np.diff(np.interp(edges, np.arange(len(total)), total)) + 1e-6
        run = np.cumsum(weight)
        before = (run - weight)[starts][who]
        share = np.minimum(1.0, (run - before) / np.add.reduceat(weight, starts)[who])
        total = np.floor(share * c[f"{side}_bytes"][who])
        size = np.diff(total, prepend=0.0)
        size[starts] = total[starts]
        rate = (c[f"{side}_bytes"] / np.maximum(1, c[f"{side}_packets"]))[who]
        found.append(
            {
                "device": c["device"][who],
                "proto": c["proto"][who],
                "src": c[source][who],
                "src_port": c[f"{source}_port"][who],
                "dst": c[target][who],
                "dst_port": c[f"{target}_port"][who],
                "first": first,
                "last": last,
                "bytes": size.astype(np.int64),
                "packets": np.maximum(1, size / np.maximum(rate, 1)).astype(np.int64),
            }
        )
    both = {name: np.concatenate([f[name] for f in found]) for name in found[0]}
    both = _pick(both, both["bytes"] > 0)
    return _ns(both | {"n": np.arange(1, len(both["device"]) + 1)})


def make(s: Settings, out: Path, view: str = "packets", parts: tuple[str, ...] = ("lan", "nat", "flows")) -> dict[str, Any]:
    """Make everything and write it to a folder; returns counts and seconds."""
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    writer, relays, total = Writer(s, out), plan(s), 0
    for first in range(0, s.routers, s.chunk):
        total += _chunk(writer, s, relays, first, view, parts)
    _truth(writer, relays)
    for name in SMALL_PARTS:
        writer.con.execute(f"copy {name} to '{out / name}.parquet' (format parquet)")
    pairs = writer.con.execute("select count(*) from truth_pairs").fetchall()[0][0]
    return {"connections": total, "pairs": pairs, "relays": len(relays), "seconds": round(time.perf_counter() - began, 1)}


def _chunk(writer: Writer, s: Settings, relays: list[Relay], first: int, view: str, parts: tuple[str, ...]) -> int:
    rng = np.random.default_rng([s.seed, 1, first])
    here = site(rng, s, first, min(s.chunk, s.routers - first))
    honest, bad = Rows(), np.random.default_rng([s.seed, 2, first])
    fill(honest, rng, here, s)
    for relay in relays:
        if first <= relay.device < first + s.chunk:
            infect(honest, bad, here, s, relay)
    rows = honest.done(bad)
    recorded = bad.random(len(rows["device"])) >= s.loss
    wan = _numbered(_pick(rows, recorded & (rows["first"] < s.hours * 3600)))
    writer.connections("connections_wan", "wan.pcap", _ns(wan), view)
    writer.truth("wan.pcap", wan, honest.kinds)
    if "lan" in parts:
        seen = _lan(bad, s, here, rows)
        seen = _numbered(_pick(seen, bad.random(len(seen["device"])) >= s.loss))
        writer.connections("connections_lan", "lan.pcap", _ns(seen), view)
        writer.truth("lan.pcap", seen, honest.kinds)
    if "nat" in parts:
        writer.sessions(_nat(bad, here, wan))
    if "flows" in parts and (records := _records(bad, s, wan, honest.series)) is not None:
        writer.records(records)
    writer.addresses(here)
    writer.expected(here)
    return len(wan["device"])


def _truth(writer: Writer, relays: list[Relay]) -> None:
    """Pairs, carriers and what they carry, from the labels."""
    con = writer.con
    con.execute(f"drop table truth_connections; create view truth_connections as from '{writer.out}/truth_connections.parquet/*.parquet'")
    con.execute(
        "create table truth_relays(relay integer, device varchar, kind varchar, difficulty varchar, rate double, port integer,"
        " peers varchar[], upstream varchar, sessions bigint, period double, jitter double)"
    )
    for r in relays:
        peers = [address_text(p, writer.s.addresses) for p in r.peers]
        upstream = address_text(r.upstream, writer.s.addresses) if r.upstream is not None else None
        con.execute(
            "insert into truth_relays values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [r.relay, f"r{r.device:05d}", r.kind, r.difficulty, r.rate, r.port, peers, upstream, r.sessions, r.period, r.jitter],
        )
    on_wan = "ends_with(exhibit, '/wan.pcap')"
    con.execute(f"""create table truth_pairs as select i.device, i.exhibit as in_exhibit, i.connection as in_connection, o.exhibit as
      out_exhibit,
        o.connection as out_connection, i.relay, i.session, i.kind, coalesce(r.difficulty, 'honest') as difficulty, i.leg =
          '{LEGS[LEG_IN]}' as relayed
        from (from truth_connections where leg in ('in', 'coupled-in') and session is not null and {on_wan}) i
        join (from truth_connections where leg in ('out', 'coupled-out') and session is not null and {on_wan}) o
          on o.device = i.device and o.session = i.session and o.relay is not distinct from i.relay
        left join truth_relays r on r.relay = i.relay""")
    con.execute(
        f"create table truth_carriers as select device, exhibit, connection, relay, kind"
        f" from truth_connections where leg = '{LEGS[CARRIER]}' and {on_wan}"
    )
    con.execute(
        f"create table truth_carried as select device, exhibit, connection, relay"
        f" from truth_connections where leg = '{LEGS[CARRIED]}' and {on_wan}"
    )


# -- reading -----------------------------------------------------------------------------------------

VANTAGES = ("wan", "wan+lan", "wan+nat")


def load(
    folder: Path, vantage: str = "wan", *, owner: bool = False, until: float | None = None, keep_in_files: bool = False
) -> duckdb.DuckDBPyConnection:
    """A database of the tool's schema with what a vantage shows; `owner`: with what the owners' site files say."""
    from devicehunt import data, database

    con = database.connect(views=False)
    until_ns = None if until is None else int((EPOCH + until * 3600) * 1e9)
    where = "" if until_ns is None else f" where first_at < make_timestamp_ns({until_ns})"
    names = ["connections_wan", *(["connections_lan"] if vantage == "wan+lan" else [])]
    source = " union all ".join(f"select * from '{folder / n}.parquet/*.parquet'{where}" for n in names)
    if keep_in_files:
        con.execute(f"drop table connections; create view connections as {source}")
    else:
        con.execute(f"insert into connections {source}")
    if any((folder / "flows.parquet").iterdir()):
        con.execute(f"insert into flows select * from '{folder}/flows.parquet/*.parquet'{where}")
    con.execute(f"insert into addresses select * from '{folder}/addresses.parquet'")
    if vantage == "wan+nat":
        con.execute(f"insert into nat_sessions by name select * from '{folder}/nat_sessions.parquet/*.parquet'")
    if owner:
        con.execute(f"insert into expected by name select row_number() over () as id, * exclude (id) from '{folder}/expected.parquet'")
    con.execute("""insert into exhibits by name select distinct device, snapshot, 'ip_addr.txt' as exhibit, 1 as line, 0 as seq, 'ip addr'
      as command,
        'complete' as status, 'exit-status' as end_proof from addresses; insert into interfaces by name select distinct device, snapshot,
          exhibit, 1 as line,
        interface as name from addresses; insert into routes by name select distinct device, snapshot, 'ip_route.txt' as exhibit, 1 as line,
        '0.0.0.0/0' as destination, 'wan' as interface from addresses""")
    ranges = (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
    con.execute("insert into inside_ranges select cidr_first(c), cidr_last(c) from unnest(?) as t(c)", [list(ranges)])
    _, mark, rest = data.schema_sql().partition("create view ")
    con.execute(mark + rest)
    return con


def settings(parser: argparse.ArgumentParser) -> None:
    """Offer every setting as an option."""
    for f in fields(Settings):
        kind = {"shared": int, "kinds": str, "difficulties": str}.get(
            f.name, float if f.name in ("hours", "rate", "jitter", "skew", "loss", "active_timeout") else int
        )
        parser.add_argument(f"--{f.name.replace('_', '-')}", type=str if f.name == "addresses" else kind, default=None)


def chosen(args: argparse.Namespace, **given: Any) -> Settings:
    for f in fields(Settings):
        value = getattr(args, f.name, None)
        if value is not None:
            given[f.name] = (
                tuple(filter(None, value.split(",")))
                if f.name in ("kinds", "difficulties")
                else bool(value)
                if f.name == "shared"
                else value
            )
    return Settings(**given)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--view", default="packets", choices=("packets", "exporter"))
    parser.add_argument("--parts", default="lan,nat,flows", help="what to make besides the WAN's connections")
    settings(parser)
    args = parser.parse_args()
    print(make(chosen(args), args.out, args.view, tuple(args.parts.split(","))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
