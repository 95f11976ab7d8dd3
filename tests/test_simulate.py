"""The simulator's data are what they say, in the tool's own columns, with labels that fit; the benchmarks judge rightly."""

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

pytest.importorskip("numpy")
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import relay  # noqa: E402
import relay_lab  # noqa: E402
import relay_naive  # noqa: E402
from relay_table import Score, table  # noqa: E402
from simulate import load, make  # noqa: E402
from simulate_base import BENCH, UNICAST, Settings, address_key, address_text, site_six  # noqa: E402
from simulate_relays import KINDS, plan  # noqa: E402

SMALL = Settings(seed=5, routers=12, connections=150, infected=10, chunk=6, hours=12)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("simulated")
    counts = make(SMALL, folder)
    assert counts["connections"] > 500
    yield folder


@pytest.fixture(scope="module")
def known(made: Path) -> duckdb.DuckDBPyConnection:
    return load(made, "wan+nat", owner=True)


@pytest.fixture(scope="module")
def both(made: Path) -> duckdb.DuckDBPyConnection:
    return load(made, "wan+lan")


def test_the_same_seed_gives_the_same_connections(made: Path, tmp_path: Path, known: duckdb.DuckDBPyConnection) -> None:
    make(SMALL, tmp_path, parts=())
    query = "select * from '{}/connections_wan.parquet/*.parquet'"
    one, two = query.format(made), query.format(tmp_path)
    assert known.execute(f"select count(*) from ({one} except {two})").fetchall() == [(0,)]
    assert known.execute(f"select count(*) from '{made}/truth_pairs.parquet'").fetchall()[0][0] > 10


def test_columns_are_those_of_the_schema(known: duckdb.DuckDBPyConnection) -> None:
    con = known
    assert con.execute(
        "select count(*) > 0, count(distinct (exhibit, connection)) = count(*), count(*) = count(orig_key) from connections"
    ).fetchall() == [(True, True, True)]
    assert con.execute("select count(*) from connections where last_at < first_at or orig_bytes < orig_payload").fetchall() == [(0,)]
    assert con.execute("select count(*) > 0 from own_traffic where from_device and resp_outside").fetchall() == [(True,)]
    assert con.execute("select count(*) > 0 from expected where kind = 'listener'").fetchall() == [(True,)]


def test_the_tool_sees_the_vantages(both: duckdb.DuckDBPyConnection) -> None:
    rows = both.execute("select vantage, count(*) from vantages where exhibit like '%/' || vantage || '.pcap' group by all").fetchall()
    seen = dict(rows)
    assert seen["wan"] > 6 and seen["lan"] > 6


def test_pairs_are_of_one_session_and_ordered(made: Path, known: duckdb.DuckDBPyConnection) -> None:
    rows = known.execute(f"""select p.kind, a.first_at <= b.first_at, a.orig_payload + a.resp_payload >= b.orig_payload + b.resp_payload
        from '{made}/truth_pairs.parquet' p join connections a on (a.exhibit, a.connection) = (p.in_exhibit, p.in_connection)
        join connections b on (b.exhibit, b.connection) = (p.out_exhibit, p.out_connection) where p.relayed""").fetchall()
    assert len(rows) > 10
    assert all(first and more for _, first, more in rows)


def test_a_nat_session_tells_the_host_inside(made: Path, known: duckdb.DuckDBPyConnection) -> None:
    rows = known.execute(f"""select count(*), count(n.exhibit) from connections c
        join '{made}/truth_connections.parquet/*.parquet' t using (exhibit, connection)
        left join nat_sessions n on n.device = c.device and n.proto = c.proto and is_inside(n.orig_src_key)
          and (n.reply_dst_key, n.reply_dst_port, n.reply_src_key, n.reply_src_port) = (c.orig_key, c.orig_port, c.resp_key, c.resp_port)
        where t.origin = 'nat'""").fetchall()
    total, known = rows[0]
    assert known / total > 0.9


def test_every_kind_of_relay_is_made(tmp_path: Path) -> None:
    relays = plan(Settings(seed=1, routers=200, infected=200))
    assert {r.kind for r in relays} == set(KINDS)
    make(Settings(seed=2, routers=4, connections=30, infected=4, chunk=4, kinds=("carrier-in", "carrier-out"), rate=60.0), tmp_path)
    con = load(tmp_path)
    carriers, carried = (
        con.execute(f"select count(*) from '{tmp_path}/truth_{n}.parquet'").fetchall()[0][0] for n in ("carriers", "carried")
    )
    assert carriers == 4 and carried > 100
    slots = con.execute(f"""select min(n) from (select c.connection, count(f.line) as n from '{tmp_path}/truth_carriers.parquet' t
        join connections c using (exhibit, connection)
        join flows f on f.device = c.device and (f.src_key, f.src_port, f.dst_key, f.dst_port) = (c.orig_key, c.orig_port, c.resp_key,
          c.resp_port)
        group by all)""").fetchall()[0][0]
    assert slots > 1000  # a record a minute


def test_addresses() -> None:
    assert address_text(BENCH + 5, "benchmark") == "198.18.0.5"
    assert address_text(BENCH + 5, "unicast") == address_text(UNICAST + 5, "benchmark")
    assert address_text(int(site_six(3, 1)), "benchmark") == "2001:db8:3::1"
    assert address_key("198.18.0.5") == bytes(10) + b"\xff\xff" + bytes((198, 18, 0, 5))


def test_what_is_true_is_judged_right(made: Path, both: duckdb.DuckDBPyConnection) -> None:
    """The labels themselves as claims: all right, none wrong."""
    con = both
    relay_naive.pairs(con)
    con.execute(
        f"create table told as select device, in_exhibit, in_connection, out_exhibit, out_connection, 1.0 as score"
        f" from '{made}/truth_pairs.parquet' where relayed"
    )
    for name in ("truth_relays", "truth_carriers"):
        con.execute(f"create table x_{name} as from '{made / name}.parquet'")
    keys = con.execute(
        "select device, 'tcp', port, null, 1.0 from x_truth_relays where kind in ('in-out', 'out-out', 'dnat', 'host', 'chain')"
    ).fetchall()
    carriers = con.execute("select exhibit, connection, 1.0 from x_truth_carriers").fetchall()
    (score,) = relay.judge(con, made, {"told": {"pairs": "told", "keys": keys, "carriers": carriers}})
    assert score.pairs is not None
    right, wrong, _, true = score.pairs
    assert right == true > 10 and wrong == 0 and score.at_rate == true
    assert score.keys[0] == score.keys[3] > 0 and score.keys[1] == 0
    assert score.others["carriers"][0] == len(carriers) and score.others["carriers"][1] == 0
    assert "told" in table([("small", "wan+lan", score)])


def test_rules_of_thumb_find_the_plain_and_alarm_wrongly(made: Path, both: duckdb.DuckDBPyConnection) -> None:
    scores = {s.by: s for s in relay.judge(both, made, relay.ask(both))}
    plain, twin = scores["naive"].pairs, scores["naive, no LAN twin"].pairs
    assert plain is not None and twin is not None
    assert plain[0] > 0 and plain[1] > twin[1]


def test_legs_match_whatever_their_direction() -> None:
    facts = {"flows": [{"id": i, "proto": "tcp", "src": "192.0.2.1", "sport": n, "dst": "203.0.113.9", "dport": 22, "iface": f}
                       for n, (i, f) in enumerate((("a", "wan"), ("b", "wan"), ("c", "lan")))],
             "pairs": [{"relation": "1:1", "inbound": "a", "outbound": "b"}, {"relation": "1:1", "inbound": "c", "outbound": "b"},
                       {"relation": "carrier:n", "carrier": ["a"], "outbound": "b"}]}  # fmt: skip
    pairs, carriers = relay_lab.truth_of(facts, "wan")
    one, two = relay_lab.leg("tcp", ("203.0.113.9", 22), ("192.0.2.1", 0)), relay_lab.leg("tcp", ("192.0.2.1", 1), ("203.0.113.9", 22))
    assert pairs == {frozenset((one, two))}
    assert carriers == {frozenset((one,)): {two}}
    assert len(relay_lab.truth_of(facts, "wan+lan")[0]) == 2
    assert isinstance(Score("x").others, dict)
