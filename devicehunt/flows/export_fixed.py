"""The exports without templates: NetFlow v1, v5 and v7 as if they had one; and which UDP payloads are flow exports at all.

Formats: Cisco, "NetFlow Export Datagram Format"; version 1 has records of 48 bytes, in some systems of 52.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

V5_FIELDS = (
    (8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2), (0, 1), (6, 1), (4, 1), (5, 1), (16, 2),
    (17, 2), (9, 1), (13, 1), (0, 2),
)  # fmt: skip
_V1_FIELDS = (*V5_FIELDS[:11], (0, 2), (4, 1), (5, 1), (6, 1), (0, 7))
HEAD = struct.Struct(">HHIII")
"""Version, count, uptime, seconds, nanoseconds: the beginning of the three."""
_SET = struct.Struct(">HH")
AGGREGATED = "NetFlow version 8 datagrams are not read: they hold totals of a router's own, no flows"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A version without templates."""

    view: str
    header: int
    fields: tuple[tuple[int, int], ...]
    most: int
    """Records of one datagram."""

    @property
    def size(self) -> int:
        """Bytes of a record."""
        return sum(length for _, length in self.fields)


V1 = Fixed("netflow1", 16, _V1_FIELDS, 24)
V1_LONG = Fixed("netflow1", 16, (*_V1_FIELDS, (0, 4)), 24)
V5 = Fixed("netflow5", 24, V5_FIELDS, 30)
V7 = Fixed("netflow7", 24, (*V5_FIELDS, (0, 4)), 28)
_FIXED = {1: V1, 5: V5, 7: V7}


def fixed(datagram: bytes) -> Fixed | None:
    """The version of a datagram without templates that holds at least its header; None: another kind."""
    version, count = int.from_bytes(datagram[:2], "big"), int.from_bytes(datagram[2:4], "big")
    found = _FIXED.get(version)
    if found is V1 and len(datagram) == V1_LONG.header + count * V1_LONG.size:
        return V1_LONG
    return found if found and len(datagram) >= found.header else None


def is_export(datagram: bytes) -> bool:
    """Whether a UDP payload has the shape of NetFlow, IPFIX or sFlow, whatever the port: its version, and lengths that agree."""
    size, version = len(datagram), int.from_bytes(datagram[:2], "big")
    count = int.from_bytes(datagram[2:4], "big")
    kind = fixed(datagram)
    if kind is not None:
        held = size - kind.header
        # more may stand behind the records of version 5 alone: the others would be any payload that begins so
        return 1 <= count <= kind.most and (held >= count * kind.size if kind is V5 else held == count * kind.size)
    if version == 8:  # method and version of the aggregation; records of one size
        return 1 <= count <= 51 and size >= 28 and 1 <= datagram[22] <= 14 and datagram[23] == 2 and (size - 28) % count == 0
    if version == 10:
        return 16 < count <= size
    if version == 0:
        return _is_sflow(datagram)
    if version != 9 or size < 20 + _SET.size or not count:
        return False
    number, length = _SET.unpack_from(datagram, 20)
    return bool((number in (0, 1) or number > 255) and _SET.size <= length <= size - 20)


def _is_sflow(datagram: bytes) -> bool:
    """sFlow version 5: the kind of the agent's address, and a first sample that the datagram holds."""
    size, family = len(datagram), datagram[4:8]
    if datagram[:4] != b"\0\0\0\5" or family not in (b"\0\0\0\1", b"\0\0\0\2"):
        return False
    place = 28 if family == b"\0\0\0\1" else 40
    if size < place:
        return False
    count = int.from_bytes(datagram[place - 4 : place], "big")
    if not count or size < place + 8:
        return False
    length = int.from_bytes(datagram[place + 4 : place + 8], "big")
    return count <= size // 8 and length % 4 == 0 and 8 <= length <= size - place - 8
