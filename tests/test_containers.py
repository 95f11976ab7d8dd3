"""Captures: both formats with what is legal and rare in them, damage, packing, sets; the fast walk against the plain one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import sys
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devicehunt.flows.containers import Capture, read
from devicehunt.flows.records import Chunk, Damage

T = 1_790_000_000
Row = tuple[int, int, int, bytes, int, int]


def pcap(packets: list[bytes], *, order: str = "<", magic: int = 0xA1B2C3D4, snaplen: int = 262144, link: int = 1, start: int = T) -> bytes:
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)
    for number, packet in enumerate(packets):
        out += struct.pack(order + "IIII", start + number, number, len(packet), len(packet) + 4)
        out += struct.pack(order + "IHBB", 3, 0x800, 4, 0) if magic == 0xA1B2CD34 else b""
        out += packet
    return out


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, options: bytes = b"", order: str = "<", snaplen: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def packet(data: bytes, ticks: int, number: int = 0, options: bytes = b"", order: str = "<") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) + 4)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def pcapng(packets: list[bytes]) -> bytes:
    return section() + interface() + b"".join(packet(data, (T + number) * 10**6) for number, data in enumerate(packets))


def rows(capture: Capture) -> tuple[list[Row], list[Damage]]:
    found: list[Row] = []
    damage: list[Damage] = []
    for item in capture.chunks():
        if isinstance(item, Damage):
            damage.append(item)
            continue
        assert item.first == len(found) + 1
        for at, size, wire, time, link, number in zip(
            item.at.tolist(), item.caplen.tolist(), item.wirelen.tolist(), item.time.tolist(), item.linktype.tolist(),
            item.interface.tolist(), strict=True,
        ):  # fmt: skip
            assert at + size <= len(item.data)
            found.append((time, wire, item.place + at, item.data[at : at + size].tobytes(), link, number))
    return found, damage


def taken(data: bytes, chunk: int = 1 << 20) -> tuple[list[bytes], list[Damage]]:
    found, damage = rows(Capture(io.BytesIO(data), chunk))
    return [row[3] for row in found], damage


FRAMES = [bytes([number]) * (60 + number * 7 % 900) for number in range(1, 200)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1), (0xA1B2CD34, 1000)])
def test_every_magic(order: str, magic: int, unit: int) -> None:
    capture = Capture(io.BytesIO(pcap(FRAMES, order=order, magic=magic, link=0xF0000071)))
    found, damage = rows(capture)
    assert [row[3] for row in found] == FRAMES
    assert [row[0] for row in found] == [(T + number) * 10**9 + number * unit for number in range(len(FRAMES))]
    assert found[0][1] == len(FRAMES[0]) + 4
    assert not damage
    assert (capture.format, capture.packets, capture.interfaces[0].linktype) == ("pcap", len(FRAMES), 0x71)
    assert capture.first_at == T * 10**9


def test_modified_pcap_says_the_direction() -> None:
    chunk = next(read(io.BytesIO(pcap(FRAMES, magic=0xA1B2CD34))))
    assert isinstance(chunk, Chunk)
    assert chunk.direction is not None
    assert set(chunk.direction.tolist()) == {1}


@pytest.mark.parametrize("snaplen", [0, 0x7FFFFFFF, 64])
def test_snap_lengths_that_do_not_fit_are_legal(snaplen: int) -> None:
    assert taken(pcap(FRAMES, snaplen=snaplen)) == (FRAMES, [])


def test_captured_more_than_was_on_the_wire() -> None:
    data = pcap([]) + struct.pack("<IIII", T, 0, 5, 3) + b"abcde"
    found, damage = rows(Capture(io.BytesIO(data)))
    assert (found[0][1], found[0][3], damage) == (3, b"abcde", [])


@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
def test_the_last_record_is_cut(chunk: int) -> None:
    found, damage = taken(pcap(FRAMES)[:-5], chunk)
    assert found == FRAMES[:-1]
    assert [(item.reason, item.size, item.packets) for item in damage] == [("the last record is cut", 16 + len(FRAMES[-1]) - 5, 1)]


@pytest.mark.parametrize("zeros", [3, 16, 5000, 300_000])
@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_zeros_at_the_end(zeros: int, chunk: int) -> None:
    whole = pcap(FRAMES)
    found, damage = taken(whole + bytes(zeros), chunk)
    assert found == FRAMES
    assert [(item.reason, item.offset, item.size) for item in damage] == [("the end of the file is filled with zeros", len(whole), zeros)]


@pytest.mark.parametrize("lost", [bytes(500), b"\xff" * 333, struct.pack("<IIII", T, 0, 1 << 20, 1 << 20)])
def test_reading_goes_on_behind_damage(lost: bytes) -> None:
    first = pcap(FRAMES[:50])
    found, damage = taken(first + lost + pcap(FRAMES[50:], start=T + 50)[24:])
    assert found == FRAMES
    assert [(item.offset, item.size, item.first_packet) for item in damage] == [(len(first), len(lost), 51)]


def test_clocks_that_go_back_or_were_never_set_are_counted() -> None:
    capture = Capture(io.BytesIO(pcap(FRAMES[:3]) + pcap(FRAMES[:2], start=9)[24:]))
    found, damage = rows(capture)
    assert (len(found), damage, capture.backwards, capture.early) == (5, [], 1, 2)


def test_sections_interfaces_resolutions() -> None:
    options = option(2, b"eth0") + option(11, b"\0tcp") + option(9, b"\x8a") + option(14, struct.pack("<q", 100)) + option(0, b"")
    data = section() + interface(1, options) + interface(113, snaplen=96)
    data += packet(b"one", 1024 * T + 512, 0, option(2, struct.pack("<I", 1)))
    data += packet(b"two", T * 10**6, 1, option(1, b"a word") + option(2, struct.pack("<I", 2)))
    data += packet(b"gone", T, 7)
    data += block(5, struct.pack("<III", 1, 0, 0) + option(5, struct.pack("<Q", 11)) + option(7, struct.pack("<Q", 2)))
    data += block(2, struct.pack("<HHIIII", 0, 4, 0, 0, 3, 3) + b"old") + block(0xBAD, b"what")
    data += section(">") + interface(276, option(9, b"\x09", ">"), ">") + packet(b"big", T * 10**9 + 7, 0, order=">")
    data += block(3, struct.pack(">I", 6) + b"simple", ">")
    capture = Capture(io.BytesIO(data))
    found, damage = rows(capture)
    assert [row[3] for row in found] == [b"one", b"two", b"old", b"big", b"simple"]
    assert [row[0] for row in found] == [(T + 100) * 10**9 + 5 * 10**8, T * 10**9, 100 * 10**9, T * 10**9 + 7, 0]
    assert [row[4:] for row in found] == [(1, 0), (113, 1), (1, 0), (276, 2), (276, 2)]
    assert [(item.name, item.filter, item.snaplen, item.drops) for item in capture.interfaces] == [
        ("eth0", "tcp", 0, 4), ("", "", 96, 13), ("", "", 0, None),
    ]  # fmt: skip
    assert sorted((item.reason.split(" (")[0], item.packets) for item in damage) == [
        ("packets of an interface that the section does not describe", 1), ("packets without a time", 1),
    ]  # fmt: skip
    assert capture.other_blocks == {0xBAD: 1}


def test_directions_of_pcapng() -> None:
    data = section() + interface() + b"".join(packet(b"x", T, 0, option(2, struct.pack("<I", way))) for way in (0, 1, 2))
    chunk = next(read(io.BytesIO(data)))
    assert isinstance(chunk, Chunk)
    assert chunk.direction is not None
    assert chunk.direction.tolist() == [0, 2, 1]


@pytest.mark.parametrize("chunk", [50, 1 << 20])
@pytest.mark.parametrize("length", [33, 0, 4, 0xFFFFFFFC, 2000])
def test_a_block_length_that_cannot_be(length: int, chunk: int) -> None:
    good = [packet(data, (T + number) * 10**6) for number, data in enumerate(FRAMES[:9])]
    broken = good[4][:4] + struct.pack("<I", length) + good[4][8:]
    found, damage = taken(section() + interface() + b"".join([*good[:4], broken, *good[5:]]), chunk)
    assert found == FRAMES[:4] + FRAMES[5:9]
    assert [(item.size, item.first_packet) for item in damage] == [(len(broken), 5)]


def test_times_out_of_reach() -> None:
    found, damage = rows(Capture(io.BytesIO(section() + interface() + packet(b"x", 2**64 - 1))))
    assert len(found) == 1
    assert damage[0].reason.startswith("packets with a time that cannot be")


def test_a_section_with_an_unknown_byte_order_ends_nothing_silently() -> None:
    odd = block(0x0A0D0D0A, struct.pack("<IHHq", 0x11111111, 1, 0, -1))
    found, damage = taken(pcapng(FRAMES[:3]) + odd + packet(b"after", T))
    assert found == [*FRAMES[:3], b"after"]
    assert [item.size for item in damage] == [len(odd)]


class Pipe(io.RawIOBase):
    """A stream that cannot seek and hands over little at a time."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(min(size, 7))


def test_a_stream_in_small_pieces() -> None:
    found, damage = rows(Capture(cast("BinaryIO", Pipe(pcap(FRAMES)))))
    assert (len(found), damage) == (len(FRAMES), [])


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_packed(make: object) -> None:
    data = (pcap if make is pcap else pcapng)(FRAMES)
    half = len(data) // 2
    members = gzip.compress(data[:half]) + gzip.compress(data[half:])
    for packed in (gzip.compress(data), members, members + bytes(700), bz2.compress(data), lzma.compress(data)):
        assert taken(packed, 3000) == (FRAMES, [])
    found, damage = taken(gzip.compress(data, 0)[:half])
    assert 0 < len(found) < len(FRAMES)
    assert any("gzip: the file is cut" in item.reason for item in damage)
    found, damage = taken(members + b"garbage")
    assert found == FRAMES
    assert [(item.size, item.offset) for item in damage] == [(7, len(data))]


def test_zstd() -> None:
    library = pytest.importorskip("zstandard", reason="zstandard is not installed")
    data = pcap(FRAMES)
    packed = library.compress(data[:999]) + library.compress(data[999:])
    assert taken(packed) == (FRAMES, [])
    assert any("zstd: the file is cut" in item.reason for item in taken(packed[:-9])[1])


def test_zstd_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    found, damage = taken(b"\x28\xb5\x2f\xfd" + bytes(50))
    assert not found
    assert "zstandard is not installed" in damage[0].reason


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"hello, this is no capture at all", "not a pcap"), (pcap([])[:20], "header is cut")]
)
def test_what_is_no_capture(data: bytes, reason: str) -> None:
    found, damage = taken(data)
    assert not found
    assert len(damage) == 1
    assert reason in damage[0].reason
    assert damage[0].size == len(data)


def test_a_set_is_one_capture_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(FRAMES[100:], start=T + 100))
    (tmp_path / "b.pcap").write_bytes(pcap(FRAMES[:100]))
    (tmp_path / "c.pcapng").write_bytes(gzip.compress(section() + interface()))
    capture = Capture([tmp_path / "c.pcapng", tmp_path / "a.pcap", tmp_path / "b.pcap", tmp_path / "missing.pcap"])
    found, damage = rows(capture)
    assert [row[3] for row in found] == FRAMES
    assert [(part.first, part.place) for part in capture.parts[:2]] == [(1, 0), (101, len(pcap(FRAMES[:100])))]
    assert found[100][2] == capture.parts[1].place + 24 + 16
    assert [item.reason for item in damage] == ["cannot be opened: No such file or directory"]
    assert capture.format == "pcap, pcapng"
    assert capture.read_bytes == capture.total_bytes


def test_ten_thousand_damages_are_summed_up() -> None:
    piece = pcapng(FRAMES[:1])[-len(packet(FRAMES[0], 0)) :] + b"\xff" * 8
    data = pcapng([]) + piece * 3000
    capture = Capture(io.BytesIO(data))
    found, damage = rows(capture)
    assert len(found) >= 999
    assert len(damage) <= 1001
    assert sum(item.size for item in damage) + len(pcapng([])) + len(found) * len(packet(FRAMES[0], 0)) == len(data)


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_the_fast_walk_finds_the_same_in_a_large_file(make: object) -> None:
    draw = random.Random(3)
    frames = [draw.randbytes(draw.choice((0, 40, 60, 590, 1514))) for _ in range(4000)]
    inner = (pcap if make is pcap else pcapng)(frames[:200])
    frames[1000:1000] = [inner[i : i + 1400] for i in range(0, len(inner), 1400)]  # a capture that is carried by packets
    data = (pcap if make is pcap else pcapng)(frames)
    plain = rows(Capture(io.BytesIO(data), slice_bytes=0))
    assert [row[3] for row in plain[0]] == frames
    for size in (256, 4096, 1 << 15):
        assert rows(Capture(io.BytesIO(data), slice_bytes=size)) == plain


MUTATION = st.lists(st.tuples(st.integers(0, 1 << 30), st.binary(max_size=12), st.integers(0, 40)), max_size=6)
BASES = [
    pcap(FRAMES), pcap(FRAMES, order=">", magic=0xA1B23C4D), pcap(FRAMES[:40], magic=0xA1B2CD34), pcapng(FRAMES),
    pcapng(FRAMES[:30]) + section(">") + interface(order=">") + packet(b"x" * 77, T, order=">") * 40,
]  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(base=st.sampled_from(BASES), changes=MUTATION, chunk=st.sampled_from([777, 5000, 1 << 16]), piece=st.sampled_from([128, 512, 2048]))
def test_mutated_captures_read_the_same_by_either_walk(base: bytes, changes: list[tuple[int, bytes, int]], chunk: int, piece: int) -> None:
    data = bytearray(base)
    for place, new, old in changes:
        at = place % max(len(data), 1)
        data[at : at + old] = new
    plain = rows(Capture(io.BytesIO(bytes(data)), slice_bytes=0))
    fast = rows(Capture(io.BytesIO(bytes(data)), slice_bytes=piece))
    assert fast[0] == plain[0]
    small = rows(Capture(io.BytesIO(bytes(data)), chunk, slice_bytes=piece))
    assert small[0] == plain[0]
    kinds = ("not a", "the end", "the last")
    assert [item for item in small[1] if item.reason.startswith(kinds)] == [item for item in plain[1] if item.reason.startswith(kinds)]


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["", "pcap", "pcapng", "gz", "zst"]))
def test_any_bytes_are_survived(data: bytes, kind: str) -> None:
    heads = {"": b"", "pcap": pcap([]), "pcapng": pcapng([]), "gz": b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "zst": b"\x28\xb5\x2f\xfd"}
    found, damage = rows(Capture(io.BytesIO(heads[kind] + data), 64))
    assert found or damage or not data or kind == "pcapng"


def test_a_record_length_that_reaches_behind_the_end() -> None:
    data = bytearray(pcap(FRAMES[:20]))
    at = 24 + sum(16 + len(frame) for frame in FRAMES[:4])
    data[at + 8 : at + 12] = struct.pack("<I", 100_000)
    found, damage = taken(bytes(data))
    assert found == FRAMES[:4] + FRAMES[5:20]
    assert [(item.offset, item.size) for item in damage] == [(at, 16 + len(FRAMES[4]))]
