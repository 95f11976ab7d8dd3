"""Rows of the table `flows` as arrays, and into the database.

A number that is absent is NONE in an array, a time NO_TIME; both are null in the table.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from devicehunt.flows.export_fields import NONE

if TYPE_CHECKING:
    import duckdb

NO_TIME = np.iinfo(np.int64).min

PROTOCOLS = {
    1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 58: "icmp6", 88: "eigrp", 89: "ospf",
    94: "ipip", 97: "etherip", 103: "pim", 112: "vrrp", 115: "l2tp", 132: "sctp", 136: "udplite",
}  # fmt: skip
_PROTOCOL = np.array([PROTOCOLS.get(n, str(n)) for n in range(256)] + [None], dtype=object)
_DIRECTION = np.array(["ingress", "egress", None], dtype=object)
CLOCKS = np.array(["ok", "no-clock", "end-before-start", "future", "past"], dtype=object)

NUMBERS = (
    "line", "depth", "template", "sequence", "src_port", "dst_port", "packets", "bytes", "tcp_flags", "in_interface", "out_interface",
           "post_src_port", "post_dst_port", "sampling")  # fmt: skip
ADDRESSES = ("src", "dst", "post_src", "post_dst")
TIMES = ("first_at", "last_at", "exported_at")


@dataclass(slots=True)
class Batch:
    """Rows of the table `flows`, as arrays. NONE and NO_TIME are null; an address is two halves and whether there is one."""

    exporter: str
    domain: int
    view: str
    count: int
    columns: dict[str, Any]

    def addresses(self, name: str) -> npt.NDArray[np.object_]:
        """An address column as text, None where there is none. Each address is written once."""
        high, low = self.columns[f"{name}_hi"], self.columns[f"{name}_lo"]
        order = np.lexsort((low, high))
        new = np.ones(len(order), bool)
        new[1:] = (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1])
        back = np.empty(len(order), np.int64)
        back[order] = np.cumsum(new) - 1
        some = order[new]
        texts = [address_text(*halves) for halves in zip(high[some].tolist(), low[some].tolist(), strict=True)]
        text = np.array([*texts, None], dtype=object)
        return text[np.where(self.columns[f"{name}_is"], back, len(texts))]

    def arrays(self) -> dict[str, Any]:
        """All columns of the table but device, snapshot, exhibit and the constant ones; numbers still with NONE."""
        made: dict[str, Any] = {name: self.columns[name] for name in (*NUMBERS, *TIMES)}
        made["proto"] = _PROTOCOL[np.where(self.columns["proto"] < 0, 256, np.minimum(self.columns["proto"], 255))]
        direction = self.columns["direction"]
        made["direction"] = _DIRECTION[np.where((direction < 0) | (direction > 1), 2, direction)]
        made["clock"] = CLOCKS[self.columns["clock"]]
        for name in ADDRESSES:
            made[f"{name}_ip"] = self.addresses(name)
        return made

    def rows(self) -> list[dict[str, Any]]:
        """The same as Python rows (for few of them): times in nanoseconds, no keys."""
        made = self.arrays()
        plain = {name: value.tolist() for name, value in made.items()}
        for name in NUMBERS:
            plain[name] = [None if value == NONE else value for value in plain[name]]
        for name in TIMES:
            plain[name] = [None if value == NO_TIME else value for value in plain[name]]
        same = {"exporter": self.exporter, "domain": self.domain, "view": self.view}
        return [{**same, **dict(zip(plain, values, strict=True))} for values in zip(*plain.values(), strict=True)]

    def insert(self, con: duckdb.DuckDBPyConnection, device: str | None, snapshot: str | None, exhibit: str | None) -> None:
        """Into the table flows."""
        picked = {name: f"nullif({name}, {NONE})" for name in NUMBERS}
        picked |= {name: f"make_timestamp_ns(nullif({name}, {NO_TIME}))" for name in TIMES}
        picked |= {name: name for name in ("proto", "direction", "clock", *(f"{part}_ip" for part in ADDRESSES))}
        for name in ("src", "dst"):
            picked[f"{name}_key"] = f"case when {name}_is then unhex(printf('%016x%016x', {name}_hi, {name}_lo)) end"
        same = {
            "device": device,
            "snapshot": snapshot,
            "exhibit": exhibit,
            "exporter": self.exporter,
            "domain": self.domain,
            "view": self.view,
        }
        picked |= {name: f"${name}" for name in same}
        halves = [f"{name}_{part}" for name in ("src", "dst") for part in ("hi", "lo", "is")]
        columns = self.arrays() | {name: self.columns[name] for name in halves}
        con.register("flow_batch", {name: np.ascontiguousarray(value) for name, value in columns.items()})
        try:
            con.execute(f"insert into flows ({', '.join(picked)}) select {', '.join(picked.values())} from flow_batch", same)
        finally:
            con.unregister("flow_batch")


def address_text(high: int, low: int) -> str:
    """An address of two halves as people write it."""
    if high == 0 and low >> 32 == 0xFFFF:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    if high == 0:  # the C library writes some of these with dots
        return str(IPv6Address(low))
    return socket.inet_ntop(socket.AF_INET6, (high << 64 | low).to_bytes(16, "big"))
