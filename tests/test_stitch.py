"""Flow records -> connections: pieces joined, directions paired, who opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devicehunt import database
from devicehunt.flows.stitch import stitch
from tests.datagrams import A, B, packed

SYN, SYN_ACK, ALL = 2, 18, 27


def flow(  # noqa: PLR0917 - in the order of a line of nfdump
    source: str, sport: int, target: str, dport: int, start: float, end: float, **more: Any
) -> dict[str, Any]:
    """A row of `flows`: ten packets, 1000 bytes, TCP with all usual flags. Times in seconds of 2026-01-01."""

    def key(address: str) -> str:
        return packed(address).hex().rjust(8, "0").rjust(12, "f").rjust(32, "0") if "." in address else packed(address).hex()

    def at(seconds: float) -> str:
        return f"2026-01-01 {int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{seconds % 60:06.3f}"

    row = {
        "device": "r1", "snapshot": "s1", "exhibit": "x", "line": 1, "exporter": "192.0.2.1", "domain": 0, "depth": 0, "view": "netflow9",
        "proto": "tcp",
        "src_ip": source, "src_key": key(source), "src_port": sport, "dst_ip": target, "dst_key": key(target), "dst_port": dport,
        "first_at": at(start), "last_at": at(end), "exported_at": at(max(start, end)), "packets": 10, "bytes": 1000,
        "tcp_flags": ALL,
    }  # fmt: skip
    return row | more


def stitched(*flows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    con = database.connect(views=False)
    database.insert_rows(con, "flows", list(flows))
    count = stitch(con, **options)
    found = con.execute("select * from connections order by connection")
    names = [one[0] for one in found.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    assert count == len(rows)
    return rows


def ends(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["orig_ip"], row["orig_port"], row["resp_ip"], row["resp_port"], row["oriented"]


def test_pieces_and_both_directions_are_one_connection() -> None:
    rows = stitched(
        flow(A, 50000, B, 443, 0, 1800), flow(A, 50000, B, 443, 1800, 2000, line=2),
        flow(B, 443, A, 50000, 0.02, 1990, packets=20, bytes=9000),
    )  # fmt: skip
    assert len(rows) == 1
    one = rows[0]
    assert ends(one) == (A, 50000, B, 443, "syn")  # its SYN came first
    assert (one["orig_packets"], one["orig_bytes"], one["resp_packets"], one["resp_bytes"]) == (20, 2000, 20, 9000)
    assert (one["last_at"] - one["first_at"]).total_seconds() == 2000
    assert (one["orig_flags"], one["view"], one["line"], one["connection"]) == ("FSPA", "exporter", 1, 1)
    assert one["orig_payload"] is None


def test_silence_ends_a_connection() -> None:
    two = flow(A, 123, B, 123, 0, 1, proto="udp", tcp_flags=0), flow(A, 123, B, 123, 1000, 1001, proto="udp", tcp_flags=0)
    assert len(stitched(*two)) == 2
    assert len(stitched(*two, idle_s=None)) == 1
    # a long piece reaches over short ones
    assert len(stitched(flow(A, 1, B, 2, 0, 3000), flow(B, 2, A, 1, 1, 2), flow(A, 1, B, 2, 3000, 3100))) == 1


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        # a SYN that nobody answered; the same to a high port
        ([flow(A, 80, B, 50000, 0, 1, tcp_flags=SYN)], (A, 80, B, 50000, "syn")),
        # the answer alone
        ([flow(A, 50000, B, 60000, 0, 1, tcp_flags=SYN_ACK, packets=1)], (B, 60000, A, 50000, "syn")),
        ([flow(A, 443, B, 50000, 0, 1)], (B, 50000, A, 443, "port")),
        ([flow(A, 8080, B, 50000, 0, 1, proto="udp", tcp_flags=0)], (B, 50000, A, 8080, "port")),
        ([flow(A, 50000, B, 50001, 1, 2, tcp_flags=16), flow(B, 50001, A, 50000, 0, 2, tcp_flags=16)], (B, 50001, A, 50000, "first")),
        ([flow(A, 0, B, 0, 0, 1, proto="icmp"), flow(B, 8, A, 0, 0, 1, proto="icmp")], (B, 8, A, 0, "syn")),
        ([flow(A, None, B, None, 0, 1, proto="gre", tcp_flags=None)], (A, None, B, None, "first")),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_who_opened(flows: list[dict[str, Any]], expected: tuple[Any, ...]) -> None:
    rows = stitched(*flows)
    assert [ends(row) for row in rows] == [expected]


def test_what_is_told_twice_counts_once() -> None:
    rows = stitched(flow(A, 1, B, 80, 0, 1, direction="egress"), flow(A, 1, B, 80, 0, 1, direction="ingress"))
    assert [row["orig_packets"] for row in rows] == [10]
    # another exporter, and another depth, are connections of their own
    assert len(stitched(flow(A, 1, B, 80, 0, 1), flow(A, 1, B, 80, 0, 1, exporter="192.0.2.2"))) == 2
    assert [row["depth"] for row in stitched(flow(A, 1, B, 80, 0, 1), flow(A, 1, B, 80, 0, 1, depth=1))] == [0, 1]


def test_sampling_is_carried_and_counts_stay() -> None:
    assert [(row["sampling"], row["orig_packets"]) for row in stitched(flow(A, 1, B, 80, 0, 1, sampling=100))] == [(100, 10)]
    mixed = stitched(flow(A, 1, B, 80, 0, 1, sampling=100), flow(A, 1, B, 80, 1, 2))
    assert [(row["sampling"], row["orig_packets"]) for row in mixed] == [(None, 20)]


def test_unknown_is_null_and_unseen_is_zero() -> None:
    rows = stitched(flow(A, 50000, B, 80, 0, 1, packets=None))
    assert (rows[0]["orig_packets"], rows[0]["orig_bytes"], rows[0]["resp_packets"], rows[0]["resp_flags"]) == (None, 1000, 0, None)


def test_broken_clocks_stay_usable() -> None:
    rows = stitched(flow(A, 50000, B, 80, 9, 5), flow(A, 50001, B, 80, 0, 7, first_at=None, last_at=None))
    assert [(row["first_at"].second, row["last_at"].second) for row in rows] == [(5, 9), (7, 7)]


def test_parquet_and_little_memory(tmp_path: Path) -> None:
    con = database.connect(views=False)
    database.insert_rows(con, "flows", [flow(A, 0, B, 443, 0, 60)])
    con.register("many", {"n": np.arange(60_000)})
    con.execute(
        f"copy (select f.* replace ((1024 + n % 30000)::integer as src_port, (n // 30000)::bigint as packets) from flows f, many) "
        f"to '{tmp_path}/flows.parquet' (format parquet)"
    )
    assert stitch(con, tmp_path / "flows.parquet", temp=tmp_path, memory="120MB") == 30_000
    assert con.execute("select sum(orig_packets), count(distinct connection) from connections").fetchone() == (30_000, 30_000)
