"""What the fields of templates mean, and where they stand in a record.

Numbers of fields are those of IPFIX (RFC 7012), which NetFlow v9 shares; reverse fields (RFC 5103) have REVERSE added.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REVERSE = 1 << 32
"""Added to the number of a field that speaks of the other direction."""
SCOPE = 1 << 33
"""Added to the number of a scope field of NetFlow v9 (2: interface, 5: template); IPFIX scopes are ordinary fields."""
REVERSE_ENTERPRISE = 29305

NONE = -1
VARIABLE = 0xFFFF


# column: numbers of the fields that carry it, the best first
ELEMENTS: dict[str, tuple[int, ...]] = {
    "src4": (8,), "dst4": (12,), "src6": (27,), "dst6": (28,),
    "src_port": (7, 180, 182), "dst_port": (11, 181, 183), "proto": (4,), "tcp_flags": (6,),
    "packets": (2, 86, 24, 298), "bytes": (1, 85, 23, 231),
    "back_packets": (REVERSE + 2, REVERSE + 86, 299), "back_bytes": (REVERSE + 1, REVERSE + 85, 232), "back_flags": (REVERSE + 6,),
    "in_interface": (10, 252), "out_interface": (14, 253), "direction": (61,),
    "icmp": (32, 139), "icmp_type": (176, 178), "icmp_code": (177, 179),
    # 40001 ...: what firewalls of Cisco used before the fields had numbers
    "post_src4": (225, 40001), "post_dst4": (226, 40002), "post_src6": (281,), "post_dst6": (282,),
    "post_src_port": (227, 40003), "post_dst_port": (228, 40004),
    "start_s": (150,), "end_s": (151,), "start_ms": (152,), "end_ms": (153,), "start_us": (154,), "end_us": (155,),
    "start_ns": (156,), "end_ns": (157,), "start_ago": (158,), "end_ago": (159,), "start_up": (22,), "end_up": (21,),
    "span_ms": (161,), "span_us": (162,), "event_ms": (323,), "event_s": (322,), "init_ms": (160,),
    "sampler": (48, 302), "interval": (34, 50, 305), "space": (306,), "size": (309,), "population": (310,), "probability": (311,),
    "scope_interface": (SCOPE + 2,), "scope_template": (SCOPE + 5, 145),
}  # fmt: skip
# of a packet inside another these appear a second time, behind those of the outer packet
_LAYER = frozenset((8, 12, 27, 28, 7, 11, 180, 181, 182, 183, 4, 6, 32, 139, 176, 177, 178, 179))
_WANTED = {number for numbers in ELEMENTS.values() for number in numbers}


@dataclass(slots=True, frozen=True)
class Sampling:
    """What an exporter has said of its sampling so far: one packet in so many. Never changed, replaced."""

    everywhere: int = NONE
    samplers: dict[int, int] = field(default_factory=dict)
    interfaces: dict[int, int] = field(default_factory=dict)
    templates: dict[int, int] = field(default_factory=dict)
    init_ms: int = NONE  # when the exporter started, where it said so apart from its records


NOTHING_SAID = Sampling()


class Template:
    """Where the wanted fields of a record are. A record is runs of fixed length, each but the last followed by a variable field."""

    __slots__ = ("fields", "inner", "number", "options", "runs", "shortest", "slots")

    def __init__(self, number: int, fields: tuple[tuple[int, int], ...], *, options: bool = False) -> None:
        self.number, self.fields, self.options = number, fields, options
        self.slots: dict[int, tuple[int, int, int]] = {}  # field number: run, offset in it, length
        self.inner: dict[int, tuple[int, int, int]] = {}  # the same for the packet inside a tunnel; empty: there is none
        self.runs: list[int] = [0]
        tunnel = _inner_start(fields)
        for index, (element, length) in enumerate(fields):
            if length == VARIABLE:
                self.runs.append(0)
            else:
                if element in _WANTED and 0 < length <= 16:
                    inside = index >= tunnel and element in _LAYER
                    (self.inner if inside else self.slots).setdefault(element, (len(self.runs) - 1, self.runs[-1], length))
                self.runs[-1] += length
        self.shortest = sum(self.runs) + len(self.runs) - 1
        for responder, initiator in ((232, 231), (299, 298)):  # alone they are some vendor's own
            if initiator not in self.slots:
                self.slots.pop(responder, None)
        if self.inner:
            self.inner = {element: slot for element, slot in self.slots.items() if element not in _LAYER} | self.inner

    def walk(self, body: bytes) -> tuple[int, list[int], int]:
        """How many records `body` holds, where the runs of each start (variable ones only), and where the last one ends."""
        if len(self.runs) == 1:
            count = len(body) // self.shortest
            return count, [], count * self.shortest
        starts: list[int] = []
        place = count = 0
        end, last = len(body), self.runs[-1]
        while place + self.shortest <= end:
            at, found = place, []
            for run in self.runs[:-1]:
                found.append(at)
                at += run
                if at >= end:
                    return count, starts, place
                size = body[at]
                at += 1
                if size == 255:
                    size = int.from_bytes(body[at : at + 2], "big")
                    at += 2
                at += size
            if at + last > end:
                return count, starts, place
            found.append(at)
            starts += found
            place, count = at + last, count + 1
        return count, starts, place


def _inner_start(fields: tuple[tuple[int, int], ...]) -> int:
    """Where the fields of an inner packet begin: at the addresses behind the first protocol, when a protocol follows them too."""
    names = [element for element, _ in fields]
    if names.count(4) < 2:
        return len(names)
    first = names.index(4)
    if not {8, 27} & set(names[:first]):
        return len(names)
    return next((index for index in range(first, len(names)) if names[index] in (8, 27) and 4 in names[index:]), len(names))


@dataclass(slots=True)
class Sets:
    """Data sets of one template, waiting to be decoded together. `about`: packet, sequence, exported, uptime, received, records."""

    template: Template
    sampling: Sampling
    exporter: str
    domain: int
    view: str
    bodies: list[bytes] = field(default_factory=list)
    starts: list[list[int]] = field(default_factory=list)
    about: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)

    def add(self, body: bytes, about: tuple[int, int, int, int, int], walked: tuple[int, list[int], int]) -> None:
        """One more set, as Template.walk took it apart."""
        count, starts, end = walked
        self.bodies.append(body[:end])
        self.starts.append(starts)
        self.about.append((*about, count))
