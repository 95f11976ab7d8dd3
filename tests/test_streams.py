from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devicehunt.flows import streams
from devicehunt.flows.streams import Piece, Side, reassemble
from tests import captures
from tests.test_flow_table import C, S, flows_of, ip, udp

TURN = 1 << 32


def segment(src: str, dst: str, sport: int, dport: int, seq: int, *data: bytes) -> tuple[bytes, int, int]:
    return ip(src, dst, 6, struct.pack(">HHIIBBHHH", sport, dport, seq % TURN, 0, 0x50, 24, 1024, 0, 0) + b"".join(data))


def text(side: Side) -> bytes:
    return b"".join(p.data for p in side.pieces)


def followed(frames: list[tuple[bytes, int, int]], rows: list[int] | None = None, **limits: Any) -> list[streams.Stream]:
    chunk = captures.chunk(frames, place=500)
    found = flows_of(chunk).connections()
    return streams.follow([chunk], found, np.arange(len(found["line"])) if rows is None else np.array(rows), **limits)


def test_both_directions_in_order() -> None:
    one = followed([
        segment(C, S, 40000, 80, 4294967290, b"GET / "),
        segment(S, C, 80, 40000, 50, b"HTTP/1.1 200"),
        segment(C, S, 40000, 80, 10, b"\r\n"),
        segment(C, S, 40000, 80, 0, b"HTTP/1.0\r\n"),
        segment(C, S, 40000, 80, 0, b"HTTP/1.0\r\n"),
    ])[0]  # fmt: skip
    assert text(one.orig) == b"GET / HTTP/1.0\r\n\r\n"
    assert [p.packet for p in one.orig.pieces] == [1, 4, 3]
    assert (one.orig.repeated, one.orig.differing, one.orig.gaps, one.orig.cut) == (10, 0, 0, False)
    assert text(one.resp) == b"HTTP/1.1 200"


def test_gaps_and_contradictions_are_said() -> None:
    one = followed([
        segment(C, S, 40000, 80, 100, b"abcd"), segment(C, S, 40000, 80, 102, b"XXef"), segment(C, S, 40000, 80, 110, b"z")
    ])[0]  # fmt: skip
    assert text(one.orig) == b"abcdefz"
    assert (one.orig.differing, one.orig.repeated, one.orig.gaps) == (2, 0, 4)
    assert [p.missing for p in one.orig.pieces] == [0, 0, 4]
    assert one.orig.pieces[1].seq == 104


def test_limits() -> None:
    packets = [segment(C, S, 40000, 80, 100 + 10 * i, b"0123456789") for i in range(30)]
    assert [(len(text(s.orig)), s.orig.cut) for s in followed(packets, limit=25)] == [(25, True)]
    assert [(len(text(s.orig)), s.orig.cut) for s in followed(packets, packets=3)] == [(30, True)]
    assert [(len(text(s.orig)), s.orig.cut) for s in followed(packets)] == [(300, False)]


def test_only_what_was_asked_for_and_datagrams_stay_whole() -> None:
    packets = [udp(C, S, 1000, 53, b"one"), udp(C, S, 1001, 53, b"two"), udp("2001:db8::1", "2001:db8::2", 1002, 53, b"three")]
    packets += [udp("2001:db8::2", "2001:db8::1", 53, 1002, b"back"), udp(C, S, 1001, 53, b"two"), udp(C, S, 1001, 53, b"more")]
    some = followed(packets, [1, 2])
    assert [(s.connection, [p.data for p in s.orig.pieces], [p.data for p in s.resp.pieces]) for s in some] == [
        (2, [b"two", b"two", b"more"], []), (3, [b"three"], [b"back"]),
    ]  # fmt: skip


def test_what_was_not_captured_of_a_packet() -> None:
    raw = segment(C, S, 40000, 80, 1, b"0123456789")[0]
    one = followed([(raw[:-4], 1, len(raw)), segment(C, S, 40000, 80, 11, b"x")])[0]
    assert (text(one.orig), one.orig.lost, one.orig.gaps) == (b"012345x", 4, 4)


def test_heads_by_place_and_by_chunk() -> None:
    chunk = captures.chunk([udp(C, S, 1000, 53, b"first" * 30), udp(S, C, 53, 1000, b"back"), udp(C, S, 1, 53, b"")], place=0)
    found = flows_of(chunk).connections()
    for side, wanted in (("orig", [(b"first" * 30)[:64], b""]), ("resp", [b"back", b""])):
        places, lengths = found[f"{side}_place"], found[f"{side}_captured"]
        assert streams.heads(io.BytesIO(chunk.data.tobytes()), places, lengths) == wanted
        assert streams.heads_of([chunk], places, lengths) == wanted


@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=1, max_size=60), st.lists(st.tuples(st.integers(0, 59), st.integers(1, 20)), max_size=20), st.integers(0, TURN - 1)
)
def test_any_order_of_true_pieces_gives_the_text(whole: bytes, cuts: list[tuple[int, int]], start: int) -> None:
    spans = [(0, 1), *[(a, min(a + n, len(whole))) for a, n in cuts if a < len(whole)]]
    side = Side([Piece(i, i, whole[a:b], (start + a) % TURN) for i, (a, b) in enumerate(spans)])
    reassemble(side)
    covered = sorted({i for a, b in spans for i in range(a, b)})
    assert text(side) == bytes(whole[i] for i in covered)
    assert (side.differing, side.gaps) == (0, covered[-1] + 1 - len(covered))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, TURN - 1), st.binary(max_size=9)), max_size=30))
def test_hostile_numbers_end(pieces: list[tuple[int, bytes]]) -> None:
    side = Side([Piece(i, i, data, seq) for i, (seq, data) in enumerate(pieces)])
    reassemble(side)
    assert len(text(side)) <= sum(len(d) for _, d in pieces)
