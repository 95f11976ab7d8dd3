"""Flow exports: NetFlow v5, v9, IPFIX and sFlow datagrams become rows of the table `flows`.

A datagram is taken apart at once, its records are decoded together with many others (export_columns.py). What an exporter
says - templates, sampling - holds for what comes after it, per exporter and domain. Everything is bounded: exporters,
templates, what waits for a template. What could not be read is counted by reason and comes out of `close` as Damage.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import Any

from devicehunt.flows import sflow
from devicehunt.flows.export_columns import SECOND, Records, decode, rates
from devicehunt.flows.export_fields import NONE, REVERSE, REVERSE_ENTERPRISE, SCOPE, Sampling, Sets, Template
from devicehunt.flows.export_fixed import AGGREGATED, HEAD, Fixed, fixed
from devicehunt.flows.export_rows import Batch
from devicehunt.flows.records import Damage
from devicehunt.text import shown

MAX_DOMAINS = 4096  # exporters and their observation domains
MAX_TEMPLATES = 1024  # of one domain
MAX_FIELDS = 1 << 18  # of all templates together, a template itself counted as TEMPLATE_WEIGHT fields
TEMPLATE_WEIGHT = 8
MAX_SAID = 256  # samplers, interfaces and templates with a sampling of their own, of one domain
MAX_CHANGES = 64  # how often a domain's sampling may change before what waits no longer remembers it
MAX_WAITING = 4096  # data sets that wait for a template
MAX_WAITING_BYTES = 16 << 20
MAX_REASONS = 4096  # kinds of damage told apart
BATCH_RECORDS = 1 << 15
BATCH_BYTES = 4 << 20
BATCH_GROUPS = 1024

_V9 = struct.Struct(">HHIIII")
_IPFIX = struct.Struct(">HHIII")
_SET = struct.Struct(">HH")
_JUMP = 1 << 24  # a step of the sequence that is no loss but another count

COUNT_DATAGRAMS = ("netflow9", "sflow")  # the others count records

Key = tuple[str, str, int]
"""Exporter, view (netflow5 ...), observation domain."""


@dataclass(slots=True)
class _Domain:
    """What one exporter has said in one observation domain."""

    templates: dict[int, Template] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    changes: int = 0  # of the sampling
    sequence: int = NONE  # of the last datagram
    records: int = NONE  # in the last datagram; NONE: not known
    lost: int = 0
    gaps: int = 0
    first_gap: int = 0  # packet


@dataclass(slots=True)
class _Datagram:
    """The header of one datagram, and what was counted in it."""

    key: Key
    domain: _Domain
    sequence: int
    exported: int
    uptime: int  # NONE: the header has none
    packet: int
    received: int
    records: int = 0  # NONE: a set could not be counted


@dataclass(slots=True)
class _Waiting:
    body: bytes
    about: tuple[int, int, int, int, int]
    sampling: Sampling


class Exports:
    """Feed datagrams in the order they came; batches of rows come back when enough records are together, the rest from `close`."""

    def __init__(self) -> None:
        self.datagrams = 0
        self.records = 0  # that became rows, reverse directions not counted
        self.option_records = 0
        self.template_changes = 0
        self._domains: dict[Key, _Domain] = {}
        self._pending: dict[tuple[int, int], Sets] = {}
        self._pending_records = self._pending_bytes = self._fields = 0
        self._samples: dict[Key, list[sflow.Row]] = {}
        self._waiting: dict[tuple[Key, int], list[_Waiting]] = {}
        self._waiting_sets = self._waiting_bytes = 0
        self._damage: dict[str, Damage] = {}

    def feed(self, datagram: bytes, exporter: str, packet: int, at_ns: int) -> list[Batch | Damage]:
        """One UDP payload. `packet`: its number in the capture; `at_ns`: when it was received, 0: not known."""
        self.datagrams += 1
        version = int.from_bytes(datagram[:2], "big")
        kind = fixed(datagram)
        if kind is not None:
            self._feed_fixed(kind, datagram, exporter, packet, at_ns)
        elif version == 9 and len(datagram) >= _V9.size:
            self._feed_v9(datagram, exporter, packet, at_ns)
        elif version == 10 and len(datagram) >= _IPFIX.size:
            self._feed_ipfix(datagram, exporter, packet, at_ns)
        elif datagram[:4] == b"\0\0\0\5" and datagram[4:8] in (b"\0\0\0\1", b"\0\0\0\2"):
            self._feed_sflow(datagram, exporter, packet, at_ns)
        else:
            self._harm(_what(datagram), packet, len(datagram))
        if self._pending_records >= BATCH_RECORDS or self._pending_bytes >= BATCH_BYTES or len(self._pending) >= BATCH_GROUPS:
            return self._flush()
        return []

    def close(self) -> list[Batch | Damage]:
        """What is left: the last rows, and everything that could not be read."""
        made = self._flush()
        for (key, number), sets in sorted(self._waiting.items(), key=lambda item: (item[0][0], item[0][1])):
            reason = f"{_named(key)}: data of template {number}, which the exporter never described"
            for one in sets:
                self._harm(reason, one.about[0], len(one.body))
        self._waiting.clear()
        self._waiting_sets = self._waiting_bytes = 0
        for key, domain in sorted(self._domains.items()):
            if domain.lost:
                unit = "datagrams" if key[1] in COUNT_DATAGRAMS else "flow records"
                reason = f"{_named(key)}: {domain.lost} {unit} lost on the way, in {domain.gaps} gaps of the sequence"
                made.append(Damage(reason, packets=domain.lost if unit == "datagrams" else None, first_packet=domain.first_gap))
        made += self._damage.values()
        self._damage = {}
        return made

    def _harm(self, reason: str, packet: int, size: int) -> None:
        if reason not in self._damage and len(self._damage) >= MAX_REASONS:
            reason = "flow exports that could not be read for reasons too many to tell apart"
        known = self._damage.setdefault(reason, Damage(reason, packets=0, first_packet=packet))
        known.size += size
        known.packets = (known.packets or 0) + 1

    def _domain(self, key: Key, packet: int, size: int) -> _Domain | None:
        domain = self._domains.get(key)
        if domain is None:
            if len(self._domains) >= MAX_DOMAINS:
                self._harm(f"flow exports of more than {MAX_DOMAINS} exporters and domains", packet, size)
                return None
            domain = self._domains[key] = _Domain()
        return domain

    # -- the three formats --

    def _feed_fixed(self, kind: Fixed, datagram: bytes, exporter: str, packet: int, at_ns: int) -> None:
        version, count, uptime, seconds, rest = HEAD.unpack_from(datagram)
        sequence = NONE if version == 1 else int.from_bytes(datagram[16:20], "big")
        engine = int.from_bytes(datagram[20:22], "big") if version == 5 else 0
        key = (exporter, kind.view, engine)
        domain = self._domain(key, packet, len(datagram))
        if domain is None:
            return
        # two bits of mode, then the interval; 0: nothing is said, but that packets are sampled where a mode stands
        rate = (int.from_bytes(datagram[22:24], "big") & 0x3FFF if version == 5 else 0) or NONE
        if domain.sampling.everywhere != rate:
            domain.sampling = Sampling(rate)
        template = domain.templates.setdefault(kind.size, Template(NONE, kind.fields))
        size = template.shortest
        there = min(count, (len(datagram) - kind.header) // size)
        if there < count:
            self._harm(f"{_named(key)}: a datagram is cut: it holds fewer records than its header says", packet, (count - there) * size)
        exported = seconds * SECOND + min(rest, SECOND - 1)
        now = _Datagram(key, domain, sequence, exported, uptime, packet, at_ns)
        self._take(now, template, datagram[kind.header : kind.header + there * size], domain.sampling)
        now.records = count
        if sequence != NONE:
            self._count(now)

    def _feed_v9(self, datagram: bytes, exporter: str, packet: int, at_ns: int) -> None:
        _, _, uptime, seconds, sequence, source = _V9.unpack_from(datagram)
        key = (exporter, "netflow9", source)
        domain = self._domain(key, packet, len(datagram))
        if domain is not None:
            now = _Datagram(key, domain, sequence, seconds * SECOND, uptime, packet, at_ns)
            self._sets(now, datagram, _V9.size, len(datagram))
            self._count(now)

    def _feed_ipfix(self, datagram: bytes, exporter: str, packet: int, at_ns: int) -> None:
        place = 0
        while place + _IPFIX.size <= len(datagram):
            version, length, seconds, sequence, source = _IPFIX.unpack_from(datagram, place)
            key = (exporter, "ipfix", source)
            if version != 10 or length < _IPFIX.size:
                self._harm(f"{shown(exporter, 60)} ipfix: bytes behind a message that are no message", packet, len(datagram) - place)
                return
            domain = self._domain(key, packet, len(datagram) - place)
            if domain is None:
                return
            end = place + length
            if end > len(datagram):
                self._harm(f"{_named(key)}: a message is cut: it is shorter than its header says", packet, end - len(datagram))
                end = len(datagram)
            now = _Datagram(key, domain, sequence, seconds * SECOND, NONE, packet, at_ns)
            self._sets(now, datagram, place + _IPFIX.size, end)
            self._count(now)
            place = end

    def _feed_sflow(self, datagram: bytes, exporter: str, packet: int, at_ns: int) -> None:
        try:
            agent, sequence, count, place = sflow.header(datagram)
        except sflow.NotReadError as reason:
            self._harm(str(reason), packet, len(datagram))
            return
        key = (exporter, "sflow", agent)
        domain = self._domain(key, packet, len(datagram))
        if domain is None:
            return
        rows = self._samples.setdefault(key, [])
        for row in sflow.samples(datagram, place, count):
            if isinstance(row, sflow.NotReadError):
                self._harm(f"{_named(key)}: {row}", packet, len(datagram))
            elif row is None:
                self.option_records += 1
            else:
                rows.append(row | {"line": packet, "at": at_ns, "sequence": sequence})
                self._pending_records += 1
        self._count(_Datagram(key, domain, sequence, 0, NONE, packet, at_ns))

    def _sets(self, now: _Datagram, datagram: bytes, place: int, end: int) -> None:
        template_set, options_set = (0, 1) if now.key[1] == "netflow9" else (2, 3)
        while place + _SET.size <= end:
            number, length = _SET.unpack_from(datagram, place)
            if length < _SET.size or place + length > end:
                if any(datagram[place:end]):
                    self._harm(f"{_named(now.key)}: a set with a length that cannot be", now.packet, end - place)
                    now.records = NONE
                return
            body = datagram[place + _SET.size : place + length]
            if number >= 256:
                self._data(now, number, body)
            elif number == template_set:
                self._templates(now, body)
            elif number == options_set:
                self._options(now, body)
            else:
                self._harm(f"{_named(now.key)}: a set of a kind that is reserved", now.packet, length)
            place += length

    # -- templates --

    def _templates(self, now: _Datagram, body: bytes) -> None:
        place = 0
        while place + 4 <= len(body):
            number, count = _SET.unpack_from(body, place)
            place += 4
            if number < 256:
                if now.key[1] == "ipfix" and number == 2 and count == 0:
                    self._withdraw(now.domain, None, options=False)
                elif any(body[place - 4 :]):
                    self._harm(f"{_named(now.key)}: a template with a number that cannot be", now.packet, len(body) - place + 4)
                    return
                continue
            if count == 0:
                self._withdraw(now.domain, number, options=False)
                continue
            fields, place = _fields(body, place, count, enterprise=now.key[1] == "ipfix")
            if len(fields) < count:
                self._harm(f"{_named(now.key)}: a template is cut", now.packet, len(body))
                return
            self._know(now, number, fields, options=False)

    def _options(self, now: _Datagram, body: bytes) -> None:
        place, ipfix = 0, now.key[1] == "ipfix"
        while place + (4 if ipfix else 6) <= len(body):
            number, count = _SET.unpack_from(body, place)
            if ipfix and count == 0 and (number == 3 or number >= 256):
                self._withdraw(now.domain, None if number == 3 else number, options=True)
                place += 4
                continue
            if number < 256 or place + 6 > len(body):
                if any(body[place:]):
                    self._harm(f"{_named(now.key)}: an options template with a number that cannot be", now.packet, len(body) - place)
                return
            second = int.from_bytes(body[place + 4 : place + 6], "big")
            place += 6
            # IPFIX counts all fields, then the scopes among them; NetFlow v9 the bytes of scopes, then of options
            scopes, total = (second, count) if ipfix else (count // 4, count // 4 + second // 4)
            fields, place = _fields(body, place, total, enterprise=ipfix)
            if len(fields) < total:
                self._harm(f"{_named(now.key)}: an options template is cut", now.packet, len(body))
                return
            scoped = [(_scope(element, ipfix=ipfix), length) for element, length in fields[:scopes]]
            self._know(now, number, scoped + fields[scopes:], options=True)

    def _know(self, now: _Datagram, number: int, fields: list[tuple[int, int]], *, options: bool) -> None:
        """A template that is described; data that waited for it is decoded."""
        domain, shape = now.domain, tuple(fields)
        known = domain.templates.get(number)
        if known is not None and known.fields == shape and known.options == options:
            return
        template = Template(number, shape, options=options)
        weight = len(shape) + TEMPLATE_WEIGHT
        full = len(domain.templates) >= MAX_TEMPLATES or self._fields + weight > MAX_FIELDS
        if template.shortest == 0 or (known is None and full) or self._fields + weight > MAX_FIELDS:
            reason = "a template of records without length" if template.shortest == 0 else "more templates than anybody needs"
            self._harm(f"{_named(now.key)}: {reason}", now.packet, 4 * len(shape))
            self._withdraw(domain, number, options=known is not None and known.options)
            return
        if known is not None:
            self.template_changes += 1
            self._fields -= len(known.fields) + TEMPLATE_WEIGHT
        domain.templates[number] = template
        self._fields += weight
        for one in self._waiting.pop((now.key, number), ()):
            self._waiting_sets -= 1
            self._waiting_bytes -= len(one.body)
            packet, sequence, exported, uptime, received = one.about
            then = _Datagram(now.key, domain, sequence, exported, uptime, packet, received)
            self._take(then, template, one.body, one.sampling)

    def _withdraw(self, domain: _Domain, number: int | None, *, options: bool) -> None:
        gone = [n for n, known in domain.templates.items() if known.options == options] if number is None else [number]
        for one in gone:
            known = domain.templates.pop(one, None)
            if known is not None:
                self._fields -= len(known.fields) + TEMPLATE_WEIGHT

    # -- data --

    def _data(self, now: _Datagram, number: int, body: bytes) -> None:
        template = now.domain.templates.get(number)
        if template is not None:
            self._take(now, template, body, now.domain.sampling)
            return
        now.records = NONE
        if self._waiting_sets >= MAX_WAITING or self._waiting_bytes + len(body) > MAX_WAITING_BYTES:
            self._harm(f"{_named(now.key)}: data without a template, and no room to wait for it", now.packet, len(body))
            return
        said = now.domain.sampling if now.domain.changes <= MAX_CHANGES else Sampling()
        self._waiting_sets += 1
        self._waiting_bytes += len(body)
        about = (now.packet, now.sequence, now.exported, now.uptime, now.received)
        self._waiting.setdefault((now.key, number), []).append(_Waiting(body, about, said))

    def _take(self, now: _Datagram, template: Template, body: bytes, sampling: Sampling) -> None:
        walked = template.walk(body)
        count, _, end = walked
        if now.records != NONE:
            now.records += count
        rest = body[end:]
        if len(rest) > 3 and any(rest):
            self._harm(f"{_named(now.key)}: the end of a data set of template {template.number} is no record", now.packet, len(rest))
        if not count:
            return
        about = (now.packet, now.sequence, now.exported, now.uptime, now.received)
        if template.options:
            made = Sets(template, sampling, now.key[0], now.key[2], now.key[1])
            made.add(body, about, walked)
            self.option_records += count
            _listen(now.domain, Records(made))
            return
        place = (id(template), id(sampling))  # what is pending keeps both alive
        sets = self._pending.get(place)
        if sets is None:
            sets = self._pending[place] = Sets(template, sampling, now.key[0], now.key[2], now.key[1])
        sets.add(body, about, walked)
        self._pending_records += count
        self._pending_bytes += end

    def _flush(self) -> list[Batch | Damage]:
        made: list[Batch | Damage] = []
        for sets in self._pending.values():
            batch, nameless = decode(sets)
            if batch is not None:
                self.records += sum(about[5] for about in sets.about)
                made.append(batch)
            if nameless:
                key = (sets.exporter, sets.view, sets.domain)
                reason = f"{_named(key)}: records of template {sets.template.number} have no addresses"
                for about, body in zip(sets.about, sets.bodies, strict=True):
                    self._harm(reason, about[0], len(body))
        for key, rows in self._samples.items():
            if rows:
                self.records += len(rows)
                made.append(sflow.batch(key[0], key[2], rows))
        self._pending, self._samples = {}, {}
        self._pending_records = self._pending_bytes = 0
        return made

    # -- sequence --

    def _count(self, now: _Datagram) -> None:
        """What is lost between the last datagram and this one.

        NetFlow v9 and sFlow count datagrams; v5 and IPFIX count records, up to the one before this datagram. Some exporters count
        the other way, or their own records too: a step that fits any of these is no gap.
        """
        domain = now.domain
        before, records = domain.sequence, domain.records
        domain.records = now.records
        domain.sequence = now.sequence
        if before == NONE:
            return
        step = (now.sequence - before) & 0xFFFFFFFF
        fits = {1, records, now.records} - {NONE}
        # 0: the same number again; a step back is a late datagram or a start from anew
        if step in fits or step == 0 or step >= _JUMP:
            return
        if now.key[1] in COUNT_DATAGRAMS:
            missing = step - 1
        elif records == NONE:
            return  # how many records there were is not known
        else:
            missing = step - records
        if missing > 0:
            domain.lost += missing
            domain.gaps += 1
            domain.first_gap = domain.first_gap or now.packet


def _fields(body: bytes, place: int, count: int, *, enterprise: bool) -> tuple[list[tuple[int, int]], int]:
    """Field numbers and lengths of a template; fewer than `count` where it is cut. Fields of vendors get a number of no meaning."""
    fields: list[tuple[int, int]] = []
    while len(fields) < count and place + 4 <= len(body):
        element, length = _SET.unpack_from(body, place)
        place += 4
        if enterprise and element & 0x8000:
            if place + 4 > len(body):
                break
            owner = int.from_bytes(body[place : place + 4], "big")
            place += 4
            element = REVERSE + (element & 0x7FFF) if owner == REVERSE_ENTERPRISE else -1 - (element & 0x7FFF)
        fields.append((element, length))
    return fields, place


def _scope(element: int, *, ipfix: bool) -> int:
    """The number of a scope field. NetFlow v9 numbers scopes apart; in IPFIX only the interface is told from a field."""
    if not ipfix:
        return SCOPE + element
    return SCOPE + 2 if element == 10 else element


def _listen(domain: _Domain, records: Records) -> None:
    """What options say of sampling and of the exporter's start."""
    said = domain.sampling
    if records.has("init_ms") and records.number("init_ms")[-1] > 0:
        said = replace(said, init_ms=int(records.number("init_ms")[-1]))
    rate = rates(records)
    for kind, name in (("sampler", "samplers"), ("scope_template", "templates"), ("scope_interface", "interfaces")):
        if records.has(kind):
            known: dict[int, int] = getattr(said, name)
            made = dict(known)
            for key, value in zip(records.number(kind).tolist(), rate.tolist(), strict=True):
                if value > 0 and key >= 0 and (key in made or len(made) < MAX_SAID):
                    made[key] = value
            changed: dict[str, Any] = {name: made}
            said = replace(said, **changed)
            break
    else:
        good = rate[rate > 0]
        if len(good):
            said = replace(said, everywhere=int(good[-1]))
    if said != domain.sampling:
        domain.sampling = said
        domain.changes += 1


def _named(key: Key) -> str:
    exporter, view, domain = key
    return f"{shown(exporter, 60)} {view} domain {domain}"


def _what(datagram: bytes) -> str:
    """Why a datagram is not read."""
    version = int.from_bytes(datagram[:2], "big")
    if version == 8:
        return AGGREGATED
    if version in (1, 5, 7, 9, 10):
        return f"NetFlow version {version} datagrams are shorter than their header"
    return "datagrams that are no flow export"
