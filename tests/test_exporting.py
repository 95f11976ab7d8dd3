"""Exporters inside a capture: every version is rows or a counted gap, and impossible clocks are said."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from devicehunt import database
from devicehunt.flows import take
from devicehunt.flows.export_fixed import is_export
from tests.datagrams import NOW_S, UPTIME, A, B, packed, record5, v5

ETHER = bytes(12) + b"\x08\x00"


def old(version: int, size: int, header: int, count: int = 2) -> bytes:
    """A datagram of NetFlow v1 (records of 48 or 52 bytes) or v7."""
    head = struct.pack(">HHIIIII", version, count, UPTIME, NOW_S, 0, 1, 0)[:header]
    one = record5(A, 50000, B, 443)
    if version == 1:
        one = one[:36] + struct.pack(">HBBB", 0, 6, 0, 0x12)
    return head + one.ljust(size, b"\0") * count


def sflow(length: int = 1000) -> bytes:
    """A datagram with one sample of an Ethernet frame: TCP from A to B, one packet in 256."""
    frame = ETHER + struct.pack(">BBHHHBBH", 0x45, 0, length, 1, 0, 64, 6, 0) + packed(A) + packed(B)
    frame += struct.pack(">HHIIBBHHH", 50000, 443, 1, 1, 0x50, 0x12, 0, 0, 0)
    raw = struct.pack(">IIII", 1, length + 14, 0, len(frame)) + frame + bytes(-len(frame) % 4)
    sample = struct.pack(">8I", 1, 1, 256, 256, 0, 4, 5, 1) + struct.pack(">II", 1, len(raw)) + raw
    return struct.pack(">II4sIIII", 5, 1, packed("192.0.2.1"), 0, 1, 1000, 1) + struct.pack(">II", 1, len(sample)) + sample


def written(folder: Path, *payloads: bytes) -> Path:
    """A capture of datagrams from 192.0.2.1 to a collector."""
    made = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for payload in payloads:
        udp = struct.pack(">HHHH", 40000, 2055, 8 + len(payload), 0) + payload
        frame = ETHER + struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + packed("192.0.2.1") + packed("192.0.2.2") + udp
        made += struct.pack("<IIII", NOW_S, 0, len(frame), len(frame)) + frame
    path = folder / "c.pcap"
    path.write_bytes(made)
    return path


V8 = struct.pack(">HHIIIIBBBBI", 8, 2, UPTIME, NOW_S, 0, 1, 0, 0, 1, 2, 0) + bytes(56)


def test_each_version_is_rows_or_a_counted_gap(tmp_path: Path) -> None:
    con = database.connect(views=False)
    late = v5(1, record5(A, 1, B, 2), seconds=NOW_S + 40 * 86400)
    path = written(tmp_path, old(1, 48, 16), old(1, 52, 16), old(7, 52, 24), sflow(), V8, late)
    taken = take.capture(con, ("d", "s", "e"), path)
    assert con.execute("select view, count(*), min(sampling) from flows group by view order by view").fetchall() == [
        ("netflow1", 4, None), ("netflow5", 1, None), ("netflow7", 2, None), ("sflow", 1, 256),
    ]  # fmt: skip
    rows = con.execute("select distinct src_ip, src_port, dst_ip, dst_port, proto from flows where clock = 'ok'").fetchall()
    assert rows == [(A, 50000, B, 443, "tcp")]
    same = con.execute("select distinct tcp_flags, packets, bytes from flows where view in ('netflow1', 'netflow7')").fetchall()
    assert same == [(0x12, 7, 4200)]
    views = {view: count for (table, view), count in taken.views.items() if table == "flows"}
    assert views == {"netflow1": 4, "netflow5": 1, "netflow7": 2, "sflow": 1}
    reasons = [reason for *_, reason in taken.gaps]
    assert any("NetFlow version 8" in reason and "1 packets" in reason for reason in reasons), reasons
    assert any("1 flows whose time lies in the future" in reason for reason in reasons), reasons


@pytest.mark.parametrize("made", [old(1, 48, 16), old(7, 52, 24), sflow(), V8])
def test_what_only_begins_like_an_export_is_none(made: bytes) -> None:
    assert is_export(made)
    assert not is_export(made[:-1])
    assert not is_export(made[:4] + bytes(40))
