from __future__ import annotations

import socket
import struct
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devicehunt.flows import fast, table
from devicehunt.flows.records import Chunk, Decoded
from tests import captures, samples

CORPUS = samples.CORPUS


def flows_of(chunk: Chunk, **options: Any) -> table.FlowTable:
    decoder, flows = fast.Decoder(), table.FlowTable(**options)
    for block in decoder.blocks(chunk):
        flows.add(block)
    return flows


def tcp(src: str, dst: str, sport: int, dport: int, flags: int, *more: bytes) -> tuple[bytes, int, int]:
    return ip(src, dst, 6, struct.pack(">HHIIBBHHH", sport, dport, 1, 0, 0x50, flags, 1024, 0, 0) + b"".join(more))


def udp(src: str, dst: str, sport: int, dport: int, payload: bytes) -> tuple[bytes, int, int]:
    return ip(src, dst, 17, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)


def ip(src: str, dst: str, proto: int, above: bytes) -> tuple[bytes, int, int]:
    if ":" in src:
        pton = socket.inet_pton
        frame = bytes(12) + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(above), proto, 64)
        frame += pton(socket.AF_INET6, src) + pton(socket.AF_INET6, dst) + above
    else:
        frame = bytes(12) + b"\x08\0" + struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(above), 7, 0, 64, proto, 0)
        frame += socket.inet_aton(src) + socket.inet_aton(dst) + above
    return frame, 1, len(frame)


def lines(flows: table.FlowTable) -> list[dict[str, Any]]:
    out = []
    for batch in flows.batches():
        columns = {name: column.tolist() for name, column in batch.items()}
        out += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return out


def one(packets: list[tuple[bytes, int, int]], **options: Any) -> dict[str, Any]:
    rows = lines(flows_of(captures.chunk(packets), **options))
    assert len(rows) == 1
    return rows[0]


C, S = "192.0.2.10", "198.51.100.20"


def test_a_handshake_says_who_opened() -> None:
    row = one([tcp(S, C, 443, 40000, 0x12), tcp(C, S, 40000, 443, 0x10, b"hello"), tcp(S, C, 443, 40000, 0x11, b"worlds")])
    assert (row["orig_ip"], row["orig_port"], row["resp_ip"], row["resp_port"], row["oriented"]) == (C, 40000, S, 443, "syn")
    assert (row["orig_packets"], row["resp_packets"], row["orig_payload"], row["resp_payload"]) == (1, 2, 5, 6)
    assert (row["orig_bytes"], row["resp_bytes"], row["orig_flags"], row["resp_flags"]) == (59, 54 + 60, "A", "FSA")
    assert (row["line"], row["proto"], row["depth"], row["tunnel"]) == (1, "tcp", 0, "")
    assert row["orig_key"] == b"\0" * 10 + b"\xff\xff" + socket.inet_aton(C)


def test_a_server_that_dials_from_a_known_port_is_still_the_one_that_opened() -> None:
    row = one([tcp(S, C, 443, 40000, 0x02), tcp(C, S, 40000, 443, 0x12)])
    assert (row["orig_ip"], row["oriented"]) == (S, "syn")


def test_without_a_handshake_the_port_says_it_and_else_the_first_packet() -> None:
    assert [one([tcp(S, C, 22, 40000, 0x18, b"x")])[k] for k in ("orig_ip", "resp_port", "oriented")] == [C, 22, "port"]
    assert [one([tcp(S, C, 4444, 40000, 0x18)])[k] for k in ("orig_ip", "oriented")] == [C, "port"]
    assert [one([udp(S, C, 5000, 6000, b"x"), udp(C, S, 6000, 5000, b"x")])[k] for k in ("orig_ip", "oriented")] == [S, "first"]
    assert [one([udp(S, C, 53, 6000, b"x")])[k] for k in ("orig_ip", "orig_packets", "resp_packets")] == [C, 0, 1]


def test_ping_and_its_answer_are_one() -> None:
    row = one([ip(S, C, 1, b"\0\0" + bytes(10)), ip(C, S, 1, b"\x08\0" + bytes(10))])
    assert (row["orig_ip"], row["orig_port"], row["resp_port"], row["orig_packets"], row["resp_packets"]) == (C, 8, 0, 1, 1)
    row = one([ip("2001:db8::1", "2001:db8::2", 58, b"\x80\0" + bytes(10)), ip("2001:db8::2", "2001:db8::1", 58, b"\x81\0" + bytes(10))])
    assert (row["proto"], row["orig_ip"], row["orig_packets"], row["resp_packets"]) == ("icmp6", "2001:db8::1", 1, 1)


def test_an_end_that_talks_to_itself() -> None:
    row = one([udp(C, C, 500, 500, b"x")] * 3)
    assert (row["orig_packets"], row["resp_packets"], row["resp_ip"], row["resp_bytes"]) == (3, 0, C, 0)


def test_where_the_first_payload_is() -> None:
    packets = [tcp(C, S, 40000, 443, 2), tcp(C, S, 40000, 443, 16, b"first"), tcp(C, S, 40000, 443, 16, b"second")]
    chunk = captures.chunk(packets, place=1000, first=11)
    found = flows_of(chunk).connections()
    place = int(found["orig_place"][0]) - 1000
    assert bytes(chunk.data[place : place + int(found["orig_captured"][0])]) == b"first"
    assert (int(found["orig_head"][0]), int(found["resp_place"][0]), int(found["line"][0])) == (12, -1, 11)


def test_interfaces_of_any_are_told_apart() -> None:
    def cooked(index: int) -> tuple[bytes, int, int]:
        raw = struct.pack(">HHIHBB8s", 0x0800, 0, index, 1, 0, 6, b"") + udp(C, S, 1000, 53, b"q")[0][14:]
        return raw, 276, len(raw)

    rows = lines(flows_of(captures.chunk([cooked(2), cooked(3), cooked(2)])))
    assert [(r["interface"], r["orig_packets"]) for r in rows] == [(2, 2), (3, 1)]


def test_connections_that_begin_in_one_packet_always_stand_in_one_order() -> None:
    inner = tcp(C, S, 40000, 443, 2)[0][14:]
    for _ in range(6):
        inner = ip(C, S, 4, inner)[0][14:]
    frame = bytes(12) + b"\x08\0" + inner
    chunk = captures.chunk([(frame, 1, len(frame))] * 2)
    for _ in range(5):  # the seed of the hash is another one each time
        assert [row["depth"] for row in lines(flows_of(chunk))] == [*range(7)]


def test_splitting_is_an_option() -> None:
    packets = [tcp(C, S, 40000, 443, 2), tcp(C, S, 40000, 443, 0x11), tcp(C, S, 40000, 443, 2), tcp(S, C, 443, 40000, 0x12)]
    assert one(packets)["orig_packets"] == 3
    rows = lines(flows_of(captures.chunk(packets), after_fin=True))
    assert [(r["line"], r["orig_packets"], r["resp_packets"]) for r in rows] == [(1, 2, 0), (3, 1, 1)]
    rows = lines(flows_of(captures.chunk(packets), idle=500_000))  # packets are a millisecond apart
    assert [r["line"] for r in rows] == [1, 2, 3, 4]


def test_a_full_table_says_what_it_left_out() -> None:
    flows = flows_of(captures.chunk([udp(C, S, 1000 + i, 53, b"x") for i in range(300)]), limit=100)
    assert len(flows.connections()["line"]) == 100
    assert [d.packets for d in flows.damage()] == [200]
    assert flows_of(captures.chunk([udp(C, S, 1, 53, b"x")])).damage() == []


def test_a_hash_that_collides_merges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table.Halves, "_hash", lambda self, keys: keys[0] & np.uint64(3))
    packets = [udp(C, S, 1000 + i % 7, 53, b"x") for i in range(70)] + [udp(S, C, 53, 1000 + i % 7, b"yy") for i in range(70)]
    rows = lines(flows_of(captures.chunk(packets)))
    assert [(r["orig_port"], r["orig_packets"], r["resp_packets"]) for r in rows] == [(1000 + i, 10, 10) for i in range(7)]


@pytest.mark.parametrize("backwards", [False, True])
def test_parts_of_a_capture_are_merged(backwards: bool) -> None:
    packets = [tcp(C, S, 40000 + i % 5, 443, 2 if i < 5 else 16, b"x" * (i % 4)) for i in range(40)]
    packets += [tcp(S, C, 443, 40000 + i % 7, 0x12, b"yy") for i in range(40)]
    packets += [udp("2001:db8::1", "2001:db8::2", 1000 + i % 3, 53, b"q" * i) for i in range(40)]
    packets = packets[::3] + packets[1::3] + packets[2::3]
    chunk = captures.chunk(packets)
    blocks = []
    for low, high in ((0, 50), (50, 120)):
        cut = {name: getattr(chunk, name)[low:high] for name in ("at", "caplen", "wirelen", "time", "linktype", "interface")}
        blocks += list(fast.Decoder().blocks(Chunk(chunk.data, chunk.place, 1 + low, **cut)))
    parts = []
    for block in blocks[::-1] if backwards else blocks:
        parts.append(table.FlowTable())
        parts[-1].add(block)
    parts[0].merge(parts[1])
    assert lines(parts[0]) == lines(flows_of(chunk))
    for name, column in flows_of(chunk).connections().items():
        assert parts[0].connections()[name].tolist() == column.tolist(), name


def test_nothing_gives_nothing() -> None:
    assert lines(table.FlowTable()) == []
    assert lines(flows_of(captures.chunk([]))) == []


def plain(blocks: list[Decoded]) -> dict[tuple[Any, ...], list[int]]:
    """The same sums by a dictionary: both directions of a pair of ends, without saying who opened."""
    out: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 1 << 62, -(1 << 62)])
    for d in blocks:
        sport, dport = table.requests(d)
        columns = (d.src_hi, d.src_lo, sport, d.dst_hi, d.dst_lo, dport, d.proto, d.depth, d.tunnel, d.interface)
        for row, length, sent, time in zip(
            zip(*(c.tolist() for c in columns), strict=True), d.length.tolist(), d.payload_len.tolist(), d.time.tolist(), strict=True
        ):
            sums = out[row]
            sums[:] = sums[0] + 1, sums[1] + length, sums[2] + sent, min(sums[3], time), max(sums[4], time)
    return dict(out)


def halves(found: dict[str, Any]) -> dict[tuple[Any, ...], list[int]]:
    out = {}
    columns = {name: column.tolist() for name, column in found.items()}
    for i in range(len(found["line"])):
        a, b = ([columns[f"{side}_{part}"][i] for part in ("hi", "lo", "port")] for side in ("orig", "resp"))
        rest = [columns[name][i] for name in ("proto", "depth", "tunnel", "interface")]
        for x, y, side in ((a, b, "orig"), (b, a, "resp")):
            if columns[f"{side}_packets"][i]:
                out[(*x, *y, *rest)] = [columns[f"{side}_{part}"][i] for part in ("packets", "bytes", "payload")]
    return out


def check(chunk: Chunk) -> int:
    blocks = list(fast.Decoder().blocks(chunk))
    flows = table.FlowTable()
    for block in blocks:
        flows.add(block)
    found, wanted = flows.connections(), plain(blocks)
    assert halves(found) == {key: sums[:3] for key, sums in wanted.items()}
    if wanted:
        assert (int(found["first"].min()), int(found["last"].max())) == (
            min(s[3] for s in wanted.values()),
            max(s[4] for s in wanted.values()),
        )
    return len(wanted)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.integers(0, 255)), max_size=80),
    st.randoms(),
)
def test_sums_are_those_of_a_dictionary(rows: list[tuple[int, int, int, int, int]], random: Any) -> None:
    packets = []
    for a, b, c, d, e in rows:
        src, dst = (f"2001:db8::{n}" if e & 1 else f"192.0.2.{n}" for n in (a, b))
        packets.append(
            tcp(src, dst, c, d, e, b"x" * c) if e & 2 else udp(src, dst, c, d, b"y" * d) if e & 4 else ip(src, dst, 1, bytes([c * 8, 0]))
        )
    chunk = captures.chunk(packets)
    chunk.time = np.array([random.randrange(-5, 10**18) for _ in rows], dtype=np.int64)
    check(chunk)


@pytest.mark.skipif(not CORPUS.exists(), reason="the captures of other projects are not here")
def test_captures_of_other_projects() -> None:
    files = [p for p in sorted(CORPUS.rglob("*")) if p.suffix in (".pcap", ".pcapng", ".trace") and p.stat().st_size < 300_000]
    counted = 0
    for path in files:
        if path.read_bytes()[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a"):
            counted += check(captures.read(path))
    assert counted > 1000
