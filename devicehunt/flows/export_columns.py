"""Records of templates -> columns, many records at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from devicehunt.flows.export_fields import ELEMENTS, NONE, Sampling, Sets
from devicehunt.flows.export_rows import NO_TIME, Batch
from devicehunt.flows.records import I64, U8, U64

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


class Records:
    """The records of some sets, field by field."""

    def __init__(self, sets: Sets) -> None:
        template = sets.template
        self.slots = template.slots
        self.data: U8 = np.frombuffer(b"".join(sets.bodies), np.uint8)
        about = np.array(sets.about, dtype=np.int64).reshape(-1, 6)
        counts = about[:, 5]
        self.about = np.repeat(about[:, :5], counts, axis=0)
        self.count = int(counts.sum())
        self.at: npt.NDArray[np.int64] | None = None
        if len(template.runs) > 1:
            flat = np.array([place for starts in sets.starts for place in starts], dtype=np.int64).reshape(-1, len(template.runs))
            sizes = np.array([len(body) for body in sets.bodies], dtype=np.int64)
            self.at = flat + np.repeat(np.cumsum(sizes) - sizes, counts)[:, None]
        else:
            self.table = self.data.reshape(self.count, template.shortest)

    def raw(self, element: int, *lengths: int) -> U8 | None:
        """The bytes of a field, a row a record; None where the template does not have it (in one of these lengths)."""
        slot = self.slots.get(element)
        if slot is None or (lengths and slot[2] not in lengths):
            return None
        run, offset, length = slot
        if self.at is None:
            return self.table[:, offset : offset + length]
        picked: U8 = self.data[(self.at[:, run] + offset)[:, None] + np.arange(length)]
        return picked

    def wide(self, name: str) -> U64 | None:
        """A number of up to eight bytes."""
        for element in ELEMENTS[name]:
            found = self.raw(element, 1, 2, 3, 4, 5, 6, 7, 8)
            if found is not None:
                length = found.shape[1]
                if length in (1, 2, 4, 8):
                    return np.ascontiguousarray(found).view(f">u{length}")[:, 0].astype(np.uint64)
                padded = np.zeros((self.count, 8), np.uint8)
                padded[:, 8 - length :] = found
                return padded.view(">u8")[:, 0].astype(np.uint64)
        return None

    def number(self, name: str) -> I64:
        """The same as signed numbers; NONE where there is none, or where it cannot be true (more than 63 bits)."""
        found = self.wide(name)
        if found is None:
            return np.full(self.count, NONE, np.int64)
        return np.where(found >> np.uint64(63), np.int64(NONE), found.astype(np.int64))

    def has(self, name: str) -> bool:
        """Whether the template has a field for this."""
        return any(element in self.slots for element in ELEMENTS[name])

    def address(self, four: str, six: str) -> tuple[U64, U64] | None:
        """An address as two halves, IPv4 as v4-mapped. Where a record has both, the one that is not zero."""
        halves = None
        for element in ELEMENTS[six]:
            found = self.raw(element, 16)
            if found is not None and halves is None:
                both = np.ascontiguousarray(found).view(">u8").astype(np.uint64)
                halves = both[:, 0], both[:, 1]
        for element in ELEMENTS[four]:
            found = self.raw(element, 4)
            if found is not None:
                low = np.ascontiguousarray(found).view(">u4")[:, 0].astype(np.uint64)
                mapped = low | np.uint64(0xFFFF_0000_0000)
                if halves is None:
                    return np.zeros(self.count, np.uint64), mapped
                four_set = (low != 0) | ((halves[0] | halves[1]) == 0)
                return np.where(four_set, np.uint64(0), halves[0]), np.where(four_set, mapped, halves[1])
        return halves


def _scaled(values: I64, unit: int, largest: int = (1 << 62)) -> I64:
    """Units since 1970 as nanoseconds; zero and what no clock of ours can hold are no time."""
    good = (values > 0) & (values <= largest // unit)
    return np.where(good, values * np.int64(unit), NO_TIME)


def _ntp(records: Records, name: str) -> I64 | None:
    found = records.raw(ELEMENTS[name][0], 8)
    if found is None:
        return None
    parts = np.ascontiguousarray(found).view(">u4").astype(np.int64)
    # seconds since 1900; they begin again in 2036
    seconds = parts[:, 0] - 2_208_988_800 + np.where(parts[:, 0] < 2_208_988_800, 1 << 32, 0)
    return np.where(parts.any(axis=1), seconds * SECOND + ((parts[:, 1] * SECOND) >> 32), NO_TIME)


def _uptime(records: Records, name: str, sampling: Sampling) -> I64 | None:
    """Milliseconds since the exporter's start. NetFlow gives the uptime beside the time of export; in IPFIX the start is a field."""
    if not records.has(name):
        return None
    values = records.number(name)
    exported, uptime = records.about[:, 2], records.about[:, 3]
    # the counter wraps after 49.7 days: the nearest place around the export
    ago = ((uptime - values + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
    beside = exported - ago * 1_000_000
    init = np.where(records.number("init_ms") > 0, records.number("init_ms"), sampling.init_ms)
    init = np.where((init > 0) & (init < (1 << 42)), init, NONE)
    since = init + values
    turns = np.round((exported // 1_000_000 - since) / (1 << 32)).astype(np.int64)
    from_init = np.where(init > 0, (since + (turns << 32)) * 1_000_000, NO_TIME)
    return np.where(values < 0, NO_TIME, np.where(uptime >= 0, beside, from_init))


def _moment(records: Records, which: str, sampling: Sampling) -> I64:
    """Start or end of the flows, from the field that the template has."""
    for name, unit in ((f"{which}_ms", 1_000_000), (f"{which}_s", SECOND)):
        if records.has(name):
            return _scaled(records.number(name), unit)
    for name in (f"{which}_us", f"{which}_ns"):
        if (found := _ntp(records, name)) is not None:
            return found
    if records.has(f"{which}_ago"):
        ago = records.number(f"{which}_ago")
        return np.where(ago >= 0, records.about[:, 2] - np.minimum(ago, 1 << 52) * 1000, NO_TIME)
    found = _uptime(records, f"{which}_up", sampling)
    return np.full(records.count, NO_TIME, np.int64) if found is None else found


def _times(records: Records, sampling: Sampling) -> tuple[I64, I64]:
    first, last = _moment(records, "start", sampling), _moment(records, "end", sampling)
    for name, unit in (("span_ms", 1_000_000), ("span_us", 1000)):
        if records.has(name):
            span = records.number(name)
            span = np.where((span >= 0) & (span < (1 << 52) // unit), span * unit, NONE)
            last = np.where((last == NO_TIME) & (first != NO_TIME) & (span >= 0), first + span, last)
            first = np.where((first == NO_TIME) & (last != NO_TIME) & (span >= 0), last - span, first)
    for name, unit in (("event_ms", 1_000_000), ("event_s", SECOND)):
        if records.has(name):
            event = _scaled(records.number(name), unit)
            last = np.where(last == NO_TIME, event, last)
            first = np.where(first == NO_TIME, event, first)
    return first, last


def _clock(first: I64, last: I64, exported: I64, received: I64) -> npt.NDArray[np.int64]:
    """An index into CLOCKS. A minute of grace against the exporter's own clock, an hour against ours."""
    late = np.maximum(first, last)
    known = received > 0
    past = ((last != NO_TIME) & (last < exported - DAY)) | (known & (exported < received - HOUR))
    future = (late > exported + 60 * SECOND) | (known & (exported > received + HOUR))
    backwards = (first != NO_TIME) & (last != NO_TIME) & (last < first)
    none = late == NO_TIME
    return np.where(none, 1, np.where(backwards, 2, np.where(future, 3, np.where(past, 4, 0))))


def _looked_up(table: dict[int, int], keys: I64, otherwise: I64) -> I64:
    if not table:
        return otherwise
    names = np.array(sorted(table), dtype=np.int64)
    rates = np.array([table[int(name)] for name in names], dtype=np.int64)
    place = np.minimum(np.searchsorted(names, keys), len(names) - 1)
    return np.where(names[place] == keys, rates[place], otherwise)


def _sampling(records: Records, said: Sampling, template: int, in_interface: I64) -> I64:
    everywhere = said.templates.get(template, said.everywhere)
    rate = _looked_up(said.interfaces, in_interface, np.full(records.count, everywhere, np.int64))
    if records.has("sampler"):
        rate = _looked_up(said.samplers, records.number("sampler"), rate)
    interval = rates(records)
    return np.where(interval > 0, interval, rate)


def rates(records: Records) -> I64:
    """One packet in so many, where the records themselves say it."""
    rate = records.number("interval")
    if records.has("space"):
        rate = np.where(rate > 0, (rate + np.maximum(records.number("space"), 0)) // np.maximum(rate, 1), rate)
    if records.has("population"):
        size = records.number("size")
        rate = np.where(size > 0, records.number("population") // np.maximum(size, 1), rate)
    chance = records.raw(311, 8)
    if chance is not None:
        part = np.ascontiguousarray(chance).view(">f8")[:, 0].astype(np.float64)
        good = np.isfinite(part) & (part > 1e-9) & (part <= 1)
        rate = np.where(good, np.round(1 / np.where(good, part, 1.0)).astype(np.int64), rate)
    return np.where((rate > 0) & (rate < 1 << 32), rate, NONE)


def _ports(records: Records, proto: I64) -> tuple[I64, I64]:
    """ICMP has its type in the source port and its code in the destination port."""
    source, target = records.number("src_port"), records.number("dst_port")
    icmp = (proto == 1) | (proto == 58)
    if not icmp.any():
        return source, target
    both = records.number("icmp") if records.has("icmp") else target
    kind, code = np.where(both < 0, NONE, both >> 8), np.where(both < 0, NONE, both & 255)
    if records.has("icmp_type"):
        kind, code = records.number("icmp_type"), records.number("icmp_code")
    return np.where(icmp, kind, source), np.where(icmp, code, target)


def decode(sets: Sets) -> tuple[Batch | None, int]:
    """The rows of some sets - inner packets and reverse directions last - and how many records give none: they have no addresses."""
    records = Records(sets)
    parts = _directions(records, sets, 0)
    if sets.template.inner:
        records.slots = sets.template.inner
        parts += _directions(records, sets, 1)
    if not parts:
        return None, records.count
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Batch(sets.exporter, sets.domain, sets.view, len(columns["line"]), columns), 0


def _directions(records: Records, sets: Sets, depth: int) -> list[dict[str, Any]]:
    """The columns of one layer, and those of the other direction where records tell it."""
    source, target = records.address("src4", "src6"), records.address("dst4", "dst6")
    if source is None or target is None or not records.count:
        return []
    proto = records.number("proto")
    first, last = _times(records, sets.sampling)
    packet, sequence, exported, _, received = records.about.T
    columns: dict[str, Any] = {
        "line": packet, "template": np.full(records.count, sets.template.number, np.int64), "sequence": sequence, "proto": proto,
        "src_hi": source[0], "src_lo": source[1], "dst_hi": target[0], "dst_lo": target[1],
        "src_is": np.ones(records.count, bool), "dst_is": np.ones(records.count, bool),
        "first_at": first, "last_at": last, "exported_at": exported, "clock": _clock(first, last, exported, received),
        "depth": np.full(records.count, depth, np.int64),
    }  # fmt: skip
    columns["src_port"], columns["dst_port"] = _ports(records, proto)
    for name in ("packets", "bytes", "tcp_flags", "direction", "in_interface", "out_interface", "post_src_port", "post_dst_port"):
        columns[name] = records.number(name)
    for name in ("post_src", "post_dst"):
        found = records.address(f"{name}4", f"{name}6")
        nothing = np.zeros(records.count, np.uint64)
        columns[f"{name}_hi"], columns[f"{name}_lo"] = found or (nothing, nothing)
        # 0.0.0.0 and :: mean: not translated
        columns[f"{name}_is"] = (columns[f"{name}_hi"] | (columns[f"{name}_lo"] & np.uint64(0xFFFF0000FFFFFFFF))) != 0
    columns["sampling"] = _sampling(records, sets.sampling, sets.template.number, columns["in_interface"])
    backwards = _backwards(records, columns)
    return [columns] if backwards is None else [columns, backwards]


_SWAPPED = {
    "src_hi": "dst_hi", "src_lo": "dst_lo", "dst_hi": "src_hi", "dst_lo": "src_lo",
    "in_interface": "out_interface", "out_interface": "in_interface",
}  # fmt: skip
_UNKNOWN_BACK = ("direction", "post_src_port", "post_dst_port")


def _backwards(records: Records, columns: dict[str, Any]) -> dict[str, Any] | None:
    """The other direction of biflows, where anything came back."""
    if not (records.has("back_packets") or records.has("back_bytes")):
        return None
    packets, size = records.number("back_packets"), records.number("back_bytes")
    came = (packets > 0) | (size > 0)
    if not came.any():
        return None
    made = {name: columns[_SWAPPED.get(name, name)][came] for name in columns}
    icmp = (columns["proto"] == 1) | (columns["proto"] == 58)
    for name, other in (("src_port", "dst_port"), ("dst_port", "src_port")):
        made[name] = np.where(icmp, NONE, columns[other])[came]
    made |= {name: np.full(len(made["line"]), NONE, np.int64) for name in _UNKNOWN_BACK}
    made |= {"packets": packets[came], "bytes": size[came], "tcp_flags": records.number("back_flags")[came]}
    for name in ("post_src_is", "post_dst_is"):
        made[name] = np.zeros(len(made["line"]), bool)
    return made
