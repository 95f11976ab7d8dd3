"""sFlow version 5: sampled packet headers become rows of `flows`, one packet each.

Ethernet (with VLAN tags) and IP headers are read, and the records in which an agent has read them itself; of a tunnel the outer
packet. Counter samples say nothing of flows and are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from devicehunt.flows.export_fields import NONE
from devicehunt.flows.export_rows import ADDRESSES, NO_TIME, NUMBERS, TIMES, Batch

_FLOW, _COUNTERS, _FLOW_EXPANDED, _COUNTERS_EXPANDED = 1, 2, 3, 4
_RAW, _IPV4, _IPV6 = 1, 3, 4
_TAGS = (0x8100, 0x88A8, 0x9100)
_MAPPED = 0xFFFF << 32

Row = dict[str, Any]


class NotReadError(ValueError):
    """Why a datagram or a sample is not read."""


def header(datagram: bytes) -> tuple[int, int, int, int]:
    """Sub-agent, sequence, number of samples, and where they begin."""
    size = 4 if datagram[4:8] == b"\0\0\0\1" else 16
    if len(datagram) < 24 + size:
        raise NotReadError("an sFlow datagram is shorter than its header")
    agent, sequence, _, count = struct.unpack_from(">IIII", datagram, 8 + size)
    return agent, sequence, count, 24 + size


def samples(datagram: bytes, place: int, count: int) -> Iterator[Row | NotReadError | None]:
    """A row a packet sample, None for counters, and why a sample is not read."""
    for _ in range(count):
        if place + 8 > len(datagram):
            yield NotReadError("an sFlow datagram is cut: it holds fewer samples than its header says")
            return
        kind, length = struct.unpack_from(">II", datagram, place)
        body = datagram[place + 8 : place + 8 + length]
        place += 8 + length
        try:
            if len(body) < length:
                raise NotReadError("an sFlow sample is cut")
            yield _sample(kind, body)
        except NotReadError as reason:
            yield reason
        except struct.error:
            yield NotReadError("an sFlow sample is cut")


def _sample(kind: int, body: bytes) -> Row | None:
    if kind in (_COUNTERS, _COUNTERS_EXPANDED):
        return None
    if kind == _FLOW:
        _, _, rate, _, _, incoming, outgoing, count = struct.unpack_from(">8I", body)
        place = 32
        # two bits say what the number is: only 0 is an interface
        incoming, outgoing = (NONE if one >> 30 or one == 0x3FFFFFFF else one for one in (incoming, outgoing))
    elif kind == _FLOW_EXPANDED:
        _, _, _, rate, _, _, in_kind, incoming, out_kind, outgoing, count = struct.unpack_from(">11I", body)
        place = 44
        incoming, outgoing = NONE if in_kind else incoming, NONE if out_kind else outgoing
    else:
        raise NotReadError("an sFlow sample of a kind that is not known")
    found: Row | None = None
    for _ in range(count):
        if place + 8 > len(body):
            break
        record, length = struct.unpack_from(">II", body, place)
        data = body[place + 8 : place + 8 + length]
        place += 8 + length
        if record == _RAW:
            protocol, _, _, size = struct.unpack_from(">IIII", data)
            found = _frame(protocol, data[16 : 16 + size])
        elif record in (_IPV4, _IPV6) and found is None:
            found = _read_by_agent(record, data)
    if found is None:
        raise NotReadError("an sFlow sample without a packet header")
    return found | {"sampling": rate or NONE, "in_interface": incoming, "out_interface": outgoing, "packets": 1}


def _read_by_agent(record: int, data: bytes) -> Row:
    wide = 4 if record == _IPV4 else 16
    size, proto = struct.unpack_from(">II", data)
    sport, dport, flags = struct.unpack_from(">III", data, 8 + 2 * wide)
    ends = {"src": _halves(data[8 : 8 + wide]), "dst": _halves(data[8 + wide : 8 + 2 * wide])}
    return ends | {"proto": proto & 255, "bytes": size, "src_port": sport & 0xFFFF, "dst_port": dport & 0xFFFF, "tcp_flags": flags & 255}


def _frame(protocol: int, data: bytes) -> Row:
    if protocol == 1:
        place, kind = 14, int.from_bytes(data[12:14], "big")
        while kind in _TAGS and place + 4 <= len(data):
            kind = int.from_bytes(data[place + 2 : place + 4], "big")
            place += 4
        data = data[place:]
    else:
        kind = {11: 0x0800, 12: 0x86DD}.get(protocol, 0)
    if kind == 0x0800 and len(data) >= 20 and data[0] >> 4 == 4:
        return _ip4(data)
    if kind == 0x86DD and len(data) >= 40 and data[0] >> 4 == 6:
        row = {"src": _halves(data[8:24]), "dst": _halves(data[24:40]), "proto": data[6], "bytes": 40 + int.from_bytes(data[4:6], "big")}
        return row | _ports(data[6], data[40:])
    raise NotReadError("sFlow samples of packets that are no IP")


def _ip4(data: bytes) -> Row:
    size = (data[0] & 15) * 4
    row = {"src": _halves(data[12:16]), "dst": _halves(data[16:20]), "proto": data[9], "bytes": int.from_bytes(data[2:4], "big") or NONE}
    later = int.from_bytes(data[6:8], "big") & 0x1FFF
    return row if later or size < 20 else row | _ports(data[9], data[size:])


def _ports(proto: int, data: bytes) -> Row:
    if proto in (1, 58) and len(data) >= 2:
        return {"src_port": data[0], "dst_port": data[1]}
    if proto in (6, 17, 132) and len(data) >= 4:
        ports = {"src_port": int.from_bytes(data[:2], "big"), "dst_port": int.from_bytes(data[2:4], "big")}
        return ports | ({"tcp_flags": data[13]} if proto == 6 and len(data) >= 14 else {})
    return {}


def _halves(address: bytes) -> tuple[int, int]:
    if len(address) == 4:
        return 0, _MAPPED | int.from_bytes(address, "big")
    return int.from_bytes(address[:8], "big"), int.from_bytes(address[8:], "big")


def batch(exporter: str, agent: int, rows: list[Row]) -> Batch:
    """Rows as arrays. A sample has the time at which it was received (`at`); the agent's clock is an uptime."""
    count = len(rows)
    columns: dict[str, Any] = {}
    for name in (*NUMBERS, "proto", "direction"):
        columns[name] = np.array([row.get(name, NONE) for row in rows], np.int64)
    columns |= {name: np.full(count, NO_TIME, np.int64) for name in TIMES}
    at = np.array([row["at"] for row in rows], np.int64)
    columns["first_at"] = columns["last_at"] = np.where(at > 0, at, NO_TIME)
    columns["clock"] = np.where(at > 0, 0, 1)
    columns["depth"] = np.zeros(count, np.int64)
    for name in ADDRESSES:
        pairs = [row.get(name, (0, 0)) for row in rows]
        columns[f"{name}_hi"] = np.array([pair[0] for pair in pairs], np.uint64)
        columns[f"{name}_lo"] = np.array([pair[1] for pair in pairs], np.uint64)
        columns[f"{name}_is"] = np.full(count, name in ("src", "dst"))
    return Batch(exporter, agent, "sflow", count, columns)
