"""How well are relays found among the simulated connections of many routers? Prints tables.

    python benchmarks/relay.py --seeds 11,12 [--routers 200 --connections 3000 --infected 1,30] [--vantages wan,wan+lan,wan+nat]
    python benchmarks/relay.py --seeds 11 --power          hours for 90 % of the relays at r sessions a day
    python benchmarks/relay.py --seeds 11 --cost 1,3,10,20 seconds and peak memory at so many million records

Tune on some seeds, report others. Beside the tool stand the two rules of thumb of relay_naive.py. A pair counts as honest when
it is a true coupling of the owner's (reverse proxy behind the device, TR-069): it is neither right nor wrong, and counted apart.
A false-positive rate of a pair is taken of all pairs of a connection in and one out at the same device that start within 60 s.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import relay_naive
from relay_seam import detect, read_found
from relay_table import Score, table
from simulate import VANTAGES, chosen, load, make, settings
from simulate_base import Settings

if TYPE_CHECKING:
    import duckdb

Found = dict[str, Any]
NEAR_S = 60
RATE = 1e-5
RATES = (3, 6, 10, 20, 50, 100)
HOURS = (1, 2, 4, 8, 12, 24)
PAIR_KINDS = ("relay-in-out", "relay-out-out", "relay-dnat", "relay-host", "relay-chain")


# -- asking ------------------------------------------------------------------------------------------


def ask(con: duckdb.DuckDBPyConnection) -> dict[str, Found]:
    """What the tool and the rules of thumb say of one database: pairs, keys, carriers, chains, beacons by name of table."""
    said: dict[str, Found] = {}
    if detect(con):
        said["devicehunt"] = read_found(con)
    for name, pairs in relay_naive.pairs(con).items():
        con.execute(f"create or replace temp table {pairs}_copy as from {pairs}")
        said[name] = {"pairs": f"{pairs}_copy", "keys": [(*k, 0.0) for k in relay_naive.keys(con, pairs)]}
    return said


def negatives(con: duckdb.DuckDBPyConnection) -> int:
    """How many pairs of a connection in and one out there are to be wrong about."""
    return int(
        con.execute(f"""select coalesce(sum(i * (o + coalesce(p, 0) + coalesce(q, 0))), 0) from (
        select device, floor(t0 / {NEAR_S})::bigint as b, count(*) filter (where not outward) as i, count(*) filter (where outward) as o
          from naive_legs group by all)
        left join (select device, floor(t0 / {NEAR_S})::bigint + 1 as b, count(*) as p from naive_legs where outward group by all) using
          (device, b)
        left join (select device, floor(t0 / {NEAR_S})::bigint - 1 as b, count(*) as q from naive_legs where outward group by all) using
          (device, b)""").fetchall()[0][0]
    )


# -- judging -----------------------------------------------------------------------------------------


def judge(con: duckdb.DuckDBPyConnection, folder: Path, said: dict[str, Found]) -> list[Score]:
    """Precision and recall of each, by pair and by key, in all and by kind and difficulty."""
    for name in ("truth_relays", "truth_pairs", "truth_carriers", "truth_carried"):
        con.execute(f"create or replace temp table {name} as from '{folder / name}.parquet'")
    con.execute(
        "create or replace temp table seen_pairs as select p.* from truth_pairs p"
        " semi join connections a on (a.exhibit, a.connection) = (p.in_exhibit, p.in_connection)"
        " semi join connections b on (b.exhibit, b.connection) = (p.out_exhibit, p.out_connection)"
    )
    total = negatives(con)
    scores = []
    for name, found in said.items():
        score = Score(name)
        if found.get("pairs"):
            _pairs(con, found["pairs"], total, score)
        if found.get("keys") is not None:
            _keys(con, found["keys"], score)
        for what in ("carriers", "beacons", "chains"):
            if found.get(what) is not None:
                _lines(con, what, found[what], score)
        scores.append(score)
    return scores


def _pairs(con: duckdb.DuckDBPyConnection, claimed: str, total: int, score: Score) -> None:
    """Legs may be claimed in either order: which of two outbound legs is the first is not to be seen."""
    con.execute(f"""create or replace temp table judged as select c.device, c.score, coalesce(t.relayed, u.relayed) as relayed,
      coalesce(t.kind, u.kind) as kind,
        coalesce(t.difficulty, u.difficulty) as difficulty from (select distinct on (in_exhibit, in_connection, out_exhibit,
          out_connection) * from {claimed}
          order by in_exhibit, in_connection, out_exhibit, out_connection, score desc) c
        left join seen_pairs t on (t.in_exhibit, t.in_connection, t.out_exhibit, t.out_connection) = (c.in_exhibit, c.in_connection,
          c.out_exhibit, c.out_connection)
        left join seen_pairs u on (u.in_exhibit, u.in_connection, u.out_exhibit, u.out_connection) = (c.out_exhibit, c.out_connection,
          c.in_exhibit, c.in_connection)""")
    right, honest, wrong = con.execute(
        "select count(*) filter (where relayed), count(*) filter (where not relayed), count(*) filter (where relayed is null) from judged"
    ).fetchall()[0]
    true = con.execute("select count(*) from seen_pairs where relayed").fetchall()[0][0]
    allowed = int(RATE * total)
    row = con.execute("select score from judged where relayed is null order by score desc offset ? limit 1", [allowed]).fetchall()
    limit = row[0][0] if row else float("-inf")
    score.pairs = (right, wrong, honest, true)
    score.tested, score.at_rate = total, con.execute("select count(*) from judged where relayed and score > ?", [limit]).fetchall()[0][0]
    for kind, difficulty, have, got, fine in con.execute(f"""
        select s.kind, s.difficulty, s.n, coalesce(j.n, 0), coalesce(j.fine, 0)
        from (select kind, difficulty, count(*) as n from seen_pairs where relayed group by all) s
        left join (select kind, difficulty, count(*) as n, count(*) filter (where score > '{limit}'::double) as fine from judged where
          relayed group by all) j
        using (kind, difficulty) order by all""").fetchall():
        score.by_kind[kind, difficulty] = (got, fine, have)


def true_keys(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Device, kind, difficulty, sessions, local port or null, peers that name it too."""
    return con.execute("""select device, kind, difficulty, sessions, port, peers, upstream from truth_relays
        where kind in ('in-out', 'out-out', 'dnat', 'host', 'chain')""").fetchall()


def _keys(con: duckdb.DuckDBPyConnection, claimed: list[tuple[Any, ...]], score: Score) -> None:
    """A relay is found when one of its keys is claimed; a claimed key of nobody is false, but once a key."""
    relays = true_keys(con)
    honest = {
        (d, p)
        for d, p in con.execute("""select distinct p.device, c.resp_port from seen_pairs p
        join connections c on (c.exhibit, c.connection) in ((p.in_exhibit, p.in_connection)) where not p.relayed""").fetchall()
    }
    honest |= {
        (d, p)
        for d, p in con.execute("""select distinct p.device, c.resp_ip from seen_pairs p
        join connections c on (c.exhibit, c.connection) in ((p.out_exhibit, p.out_connection)) where not p.relayed""").fetchall()
    }
    infected: dict[tuple[str, Any], int] = {}
    for number, (device, _, _, _, port, peers, upstream) in enumerate(relays):
        for key in (port, upstream, *peers):
            if key is not None:
                infected[device, key] = number
    got = {infected[device, key] for device, _, port, peer, _ in claimed for key in (port, peer) if (device, key) in infected}
    wrong = {
        (d, port, peer)
        for d, _, port, peer, _ in claimed
        if not any((d, k) in infected or (d, k) in honest for k in (port, peer) if k is not None)
    }
    coupled = {(d, port, peer) for d, _, port, peer, _ in claimed if any((d, k) in honest for k in (port, peer) if k is not None)}
    many = [n for n, r in enumerate(relays) if r[3] >= relay_naive.MINIMUM]
    score.keys = (len(got & set(many)), len(wrong), len(coupled), len(many))
    for n in many:
        _, kind, difficulty, *_ = relays[n]
        have = score.keys_by_kind.get((kind, difficulty), (0, 0))
        score.keys_by_kind[kind, difficulty] = (have[0] + (n in got), have[1] + 1)


def _lines(con: duckdb.DuckDBPyConnection, what: str, claimed: list[tuple[Any, ...]], score: Score) -> None:
    """Carriers by connection, beacons by device and peer, long chains by pair."""
    queries = {
        "carriers": "select exhibit, connection from truth_carriers",
        "beacons": "select device, unnest(peers) from truth_relays where kind in ('beacon', 'heartbeat')",
        "chains": "select in_exhibit, in_connection from seen_pairs where kind = 'relay-chain' and relayed",
    }
    true, told = set(con.execute(queries[what]).fetchall()), {tuple(c[:2]) for c in claimed}
    score.others[what] = (len(told & true), len(told - true), len(true))


# -- measuring ---------------------------------------------------------------------------------------


def measure(s: Settings, vantages: list[str], scratch: Path) -> list[tuple[str, str, Score]]:
    """One simulation, each vantage, with and without the owner's word."""
    folder = scratch / f"s{s.seed}-{s.infected}"
    made = make(s, folder)
    label = f"seed {s.seed}, {s.infected} of {s.routers} infected, {made['pairs']} pairs in {made['connections']} connections"
    print(label, file=sys.stderr)
    found = []
    for vantage in vantages:
        con = load(folder, vantage, owner=True)
        began = time.process_time()
        for score in judge(con, folder, ask(con)):
            found.append((label, vantage, score))
        print(f"  {vantage}: {time.process_time() - began:.1f} s of the processor", file=sys.stderr)
        con.close()
    return found


def power(s: Settings, vantage: str, scratch: Path) -> list[tuple[str, int, int, float]]:
    """Share of relays found by hours seen, at so many sessions a day."""
    found = []
    for rate in RATES:
        folder = scratch / f"p{s.seed}-{rate}"
        make(replace(s, rate=float(rate), kinds=s.kinds or ("in-out", "out-out", "dnat", "host")), folder, parts=("lan", "nat"))
        for hours in HOURS:
            con = load(folder, vantage, owner=True, until=hours)
            con.execute(
                f"create temp table truth_relays as select * replace (greatest(sessions, {relay_naive.MINIMUM}) as sessions)"
                f" from '{folder}/truth_relays.parquet'"
            )
            con.execute(f"create temp table seen_pairs as from '{folder}/truth_pairs.parquet'")
            for name, said in ask(con).items():
                score = Score(name)
                _keys(con, said["keys"], score)
                found.append((name, rate, hours, score.keys[0] / max(1, score.keys[3])))
            con.close()
    return found


def cost(millions: float, seed: int, scratch: Path, by: str) -> None:
    """Run alone in a process: make, then ask, and print what the asking cost."""
    folder = scratch / f"c{millions}"
    routers = max(1, int(millions * 100))
    if not (folder / "truth_pairs.parquet").is_file():
        make(Settings(seed=seed, routers=routers, connections=6900, infected=max(1, routers // 30)), folder, parts=("nat",))
    else:
        con = load(folder, "wan+nat", keep_in_files=True)
        con.execute(f"set memory_limit='4GB'; set temp_directory='{folder / 'spill'}'")
        count = con.execute("select count(*) from connections").fetchall()[0][0]
        began, cpu = time.perf_counter(), time.process_time()
        done = detect(con) if by == "devicehunt" else bool(relay_naive.pairs(con))
        spent = {"by": by, "records": count, "seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        if done:
            print(json.dumps(spent | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


def costs(args: argparse.Namespace, scratch: Path) -> str:
    """Made in one process and asked in another, so that memory is that of the asking."""
    lines = ["| by | records | seconds | of the processor | peak MB |", "|---|---|---|---|---|"]
    for millions in args.cost.split(","):
        for by in ("", "devicehunt", "naive"):
            told = subprocess.run(
                [sys.executable, __file__, "--seeds", args.seeds, "--one-cost", millions, "--by", by, "--scratch", str(scratch)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            if told.strip():
                row = json.loads(told)
                lines.append(f"| {row['by']} | {row['records']:,} | {row['seconds']:.1f} | {row['cpu']:.1f} | {row['peak_mb']:,} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="11,12", help="tune on others than you publish")
    parser.add_argument("--vantages", default=",".join(VANTAGES))
    parser.add_argument("--power", action="store_true")
    parser.add_argument("--cost", help="millions of records, comma-separated")
    parser.add_argument("--one-cost", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--by", default="", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help="keep what is simulated here")
    parser.add_argument("--numbers-infected", default="1,30", help="how many of the routers are infected, comma-separated")
    settings(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="devicehunt-relay-") as temporary:
        scratch = args.scratch or Path(temporary)
        seeds = [int(s) for s in args.seeds.split(",")]
        if args.one_cost:
            cost(args.one_cost, seeds[0], scratch, args.by)
        elif args.cost:
            print(costs(args, scratch))
        elif args.power:
            for seed in seeds:
                print(table_power(power(chosen(args, seed=seed), args.vantages.split(",")[-1], scratch), seed))
        else:
            found = [
                f
                for seed in seeds
                for n in args.numbers_infected.split(",")
                for f in measure(chosen(args, seed=seed, infected=int(n)), args.vantages.split(","), scratch)
            ]
            print(table(found))
    return 0


def table_power(rows: list[tuple[str, int, int, float]], seed: int) -> str:
    lines = [
        f"Seed {seed}: share of relays found by hours seen",
        "",
        "| by | sessions a day | " + " | ".join(f"{h} h" for h in HOURS) + " | 90 % after |",
        "|---" * (len(HOURS) + 3) + "|",
    ]
    for name in dict.fromkeys(r[0] for r in rows):
        for rate in RATES:
            shares = {h: x for n, r, h, x in rows if (n, r) == (name, rate)}
            after = next((f"{h} h" for h in HOURS if shares[h] >= 0.9), f"more than {HOURS[-1]} h")
            lines.append(f"| {name} | {rate} | " + " | ".join(f"{shares[h]:.2f}" for h in HOURS) + f" | {after} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
