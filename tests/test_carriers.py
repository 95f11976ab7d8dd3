"""Bytes over time, and what long connections carry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import devicehunt
from devicehunt import database
from devicehunt.detect import carriers, carriers_coarse
from devicehunt.flows import series, take
from tests.conversations import START, save, tcp, udp

ROOT = Path(__file__).resolve().parent.parent
PLACE = ("d", "1", "e")


def unit(size: int) -> dict[str, Any]:
    return {"t0": 0, "t1": (size - 1) * carriers.STEP_US, "channel": None, "peer_ip": "198.51.100.7", "leg": 1}


def legs(rng: np.random.Generator, size: int, number: int) -> list[carriers.Leg]:
    made = []
    for n in range(number):
        steps = int(rng.integers(50, size - 60)) + np.arange(4)
        row = {"id": n + 2, "fwd": 700, "rev": 4000}
        made.append(carriers.Leg(row, steps, np.array([500, 0, 200, 0]), np.array([0, 2500, 0, 1500])))
    return made


def test_bytes_over_time_are_all_the_payload(tmp_path: Path) -> None:
    talk = ((">", b"a" * 300), ("<", b"b" * 900), (">", b"c" * 50))
    packets = [*tcp(("192.0.2.1", 40000), ("203.0.113.1", 22), *talk), *udp(("2001:db8::1", 5), ("2001:db8::2", 6), start=START)]
    packets += udp(("192.0.2.9", 4000), ("203.0.113.1", 500), (">", b"x" * 70), ("<", b"y" * 20), start=START + 3.04)
    con = database.connect()
    taken = take.capture(con, PLACE, save(tmp_path / "a.pcap", packets))
    rows = con.execute(
        "select c.proto, sum(s.orig_bytes)::bigint, sum(s.resp_bytes)::bigint, "
        "min(s.bin) - any_value(epoch_ms(c.first_at::timestamp)) // 100 "
        "from connections c join series s using (device, snapshot, exhibit, connection) group by all order by all"
    ).fetchall()
    assert rows == [("tcp", 350, 900, 0), ("udp", 70, 20, 0)]
    assert taken.feeds["series"] == con.execute("select count(*) from series").fetchall()[0][0]


def test_what_is_left_out_is_said(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(series, "CONNECTIONS", 2)
    packets = [p for n in range(5) for p in udp(("192.0.2.1", 4000 + n), ("203.0.113.1", 500), (">", b"x" * (70 + n)), start=START + n)]
    con = database.connect()
    taken = take.capture(con, PLACE, save(tmp_path / "a.pcap", packets))
    assert "3 of 5" in taken.short["series"]
    assert con.execute("select max(orig_bytes), count(distinct connection) from series").fetchall() == [(74, 2)]


def test_long_connections_that_were_not_looked_at_are_never_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "WORK", 0)
    case = devicehunt.hunt([ROOT / "fixtures" / "replay" / "taken"], case=tmp_path / "case", device="r")
    (one,) = [c for c in case.coverage if c.rule == "carrier-relays"]
    assert one.result == "not-assessable"
    assert "not held against the others: too many" in one.reasons[0]


def test_a_carrier_is_told_from_a_connection_with_times_of_its_own() -> None:
    rng = np.random.default_rng(5)
    size, others = 900, legs(rng, 900, 8)
    came, went = np.zeros(size), np.zeros(size)
    for leg in others:
        came[leg.steps] += leg.sent * 1.05
        went[leg.steps] += leg.got * 1.05
    steps = np.arange(size)
    found = carriers.judge(unit(size), [np.stack([steps, came, went]).astype(np.int64)], others)
    assert found.matched == 8
    assert found.score >= 10
    assert found.z >= 8
    assert len(found.carried) == 8
    moved = [np.stack([steps, np.roll(came, 217), np.roll(went, 217)]).astype(np.int64)]
    assert carriers.judge(unit(size), moved, others).score < carriers.SCORE
    always = [np.stack([steps, np.full(size, 900), np.full(size, 4000)])]
    assert carriers.judge(unit(size), always, others).score < carriers.SCORE


def test_too_short_a_connection_has_no_controls() -> None:
    others = legs(np.random.default_rng(5), 118, 3)
    assert carriers.judge(unit(80), [np.zeros((3, 1), dtype=np.int64)], others).score == 0


def test_by_the_minute_only_what_moves_together_stands_apart() -> None:
    rng = np.random.default_rng(7)
    minutes = np.arange(600)
    sent, got = (rng.lognormal(8, 2, 600) * (rng.random(600) < 0.3) for _ in range(2))
    node = np.stack([minutes, sent, got])
    assert carriers_coarse.apart(np.stack([minutes, sent * 1.1 + 800, got * 1.1 + 800]), node, 0, 599) >= 8
    assert carriers_coarse.apart(np.stack([minutes, np.roll(sent, 90), np.roll(got, 90)]), node, 0, 599) < carriers_coarse.Z
    assert carriers_coarse.apart(np.stack([minutes, np.ones(600), np.ones(600)]), node, 0, 599) == 0
    assert carriers_coarse.apart(node, node, 0, 10) == 0
