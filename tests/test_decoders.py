"""Decoders and the parser on input that nobody typed: what goes in comes out, and nothing is invented or raised."""

from __future__ import annotations

import ipaddress
import random
import re
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devicehunt import decode, parse, platforms, templates
from devicehunt.decode.addresses import NETSTAT_WIDTH, canonical
from devicehunt.model import Section, Status
from devicehunt.platforms import Stanza
from devicehunt.text import decode as decode_text
from tests import samples

LINUX = platforms.load("linux")
STANZAS = sorted(LINUX.stanzas)
bounded = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
ports = st.integers(0, 65535)


def one(name: str, value: str) -> dict[str, str | None]:
    fields = decode.get(name).function(value)
    assert isinstance(fields, dict)
    return fields


def plain(address: Address) -> str:
    """The canonical text, by another way than the decoders': from the bytes."""
    raw = address.packed
    if len(raw) == 16 and raw[:12] == bytes(10) + b"\xff\xff":
        return str(ipaddress.IPv4Address(raw[12:]))
    return str(ipaddress.ip_address(raw))


# -- addresses go round ---------------------------------------------------------------------------


@bounded
@given(addresses, ports, st.sampled_from(["little", "big"]))
def test_proc_net_address_comes_back_in_its_byte_order(address: Address, port: int, order: str) -> None:
    raw = address.packed
    words = [raw[i : i + 4] for i in range(0, len(raw), 4)]
    printed = b"".join(w[::-1] if order == "little" else w for w in words).hex().upper()
    fields = one("proc_net_address", f"{printed}:{port:04X}")
    assert fields[order] == plain(address)
    assert fields["port"] == str(port)


@pytest.mark.parametrize("own", ["127.0.0.1", "192.168.7.1", "169.254.3.4", "::1", "fe80::1", "2001:db8::5", "::ffff:192.168.7.1"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_an_address_of_ones_own_proves_the_byte_order(own: str, order: str) -> None:
    raw = ipaddress.ip_address(own).packed
    words = [raw[i : i + 4] for i in range(0, len(raw), 4)]
    printed = b"".join(w[::-1] if order == "little" else w for w in words).hex().upper()
    assert one("proc_net_address", f"{printed}:0016")["order"] in (order, None)


@bounded
@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_proc_net_route_words_come_back(address: ipaddress.IPv4Address, bits: int) -> None:
    fields = one("proc_net_ip", address.packed[::-1].hex().upper())
    assert (fields["little"], fields["big"]) == (str(address), str(ipaddress.IPv4Address(address.packed[::-1])))
    mask = ipaddress.ip_network(f"0.0.0.0/{bits}").netmask.packed
    assert one("proc_net_ip", mask[::-1].hex())["bits"] == str(bits)
    assert one("proc_net_ip", mask.hex())["bits"] == str(bits)


@bounded
@given(st.ip_addresses(v=6))
def test_if_inet6_digits_are_the_address(address: ipaddress.IPv6Address) -> None:
    assert one("ip", address.packed.hex())["ip"] == plain(address)


@bounded
@given(addresses, ports, st.sampled_from([None, "eth0", "br-lan"]))
def test_socket_address_comes_back(address: Address, port: int, zone: str | None) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    fields = one("socket_address", f"{host}%{zone}:{port}" if zone else f"{host}:{port}")
    assert (fields["ip"], fields["port"], fields["zone"]) == (plain(address), str(port), zone)
    assert fields["family"] == ("inet6" if address.version == 6 else "inet")


@bounded
@given(addresses, ports)
def test_netstat_never_gives_an_address_that_it_may_have_cut(address: Address, port: int) -> None:
    tail = f":{port}"
    shown = str(address)[: NETSTAT_WIDTH - len(tail)] + tail
    try:
        got = one("netstat_address", shown)["ip"]
    except ValueError:
        return
    assert got in (plain(address), None)


@bounded
@given(addresses)
def test_canonical_text_is_its_own_canonical_text(address: Address) -> None:
    assert canonical(canonical(str(address))) == canonical(str(address)) == plain(address)


# -- no decoder raises anything but ValueError, on any text ------------------------------------------

_WORDS = [
    word
    for line in (
        "-A INPUT FORWARD -p tcp udp --dport --dports 22 80,443 8000:8100 -m multiport comment --comment -j DNAT REDIRECT",
        "--to-destination --to-ports 192.0.2.1:80 [2001:db8::1]:80 -i eth0 ! -s 10.0.0.0/8 --ctstate NEW,ESTABLISHED MARK",
        'iifname oifname "eth0" { } ip saddr daddr th dport counter packets 3 bytes 180 accept drop jump goto dnat to redirect',
        "meta mark set 0x1 ct state established,related vmap @set . : , ; fib tproxy queue num dup fwd log prefix \" ' [3:180]",
        '*/5 * @reboot /tmp/x >/dev/null 2>&1 && || | $(x) `x` sh -c ssh-rsa AAAAB3NzaC1yc2E= $6$a$b users:(("x",pid=1,fd=3))',
        "dpt:22 spt:1:2 /* x */ to:192.0.2.1:80 reject-with %eth0 9.9.9.9#53 /lan/1.1.1.1 0100007F:0016",
    )
    for word in line.split()
]
any_line = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80),
    st.text(alphabet=string.printable, max_size=60),
    st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join),
)


@pytest.mark.parametrize("name", sorted(decode.all_decoders()))
def test_a_decoder_gives_its_fields_or_a_value_error(name: str) -> None:
    how = decode.get(name)

    @settings(bounded, max_examples=200)
    @given(any_line)
    def run(value: str) -> None:
        try:
            answer = how.function(value)
        except ValueError:
            return
        for fields in answer if isinstance(answer, list) else [answer]:
            assert set(fields) <= set(how.fields), set(fields) - set(how.fields)
            assert all(v is None or isinstance(v, str) for v in fields.values())

    run()


@pytest.mark.parametrize("name", ["iptables_rule", "iptables_listing", "nft_rule"])
def test_a_damaged_rule_has_no_port_that_was_not_written(name: str) -> None:
    how = decode.get(name)
    rng = random.Random(name)
    rules = _rules_of(name)
    assert rules
    for rule in rules:
        for _ in range(8):
            at = rng.randrange(len(rule))
            damaged = rng.choice([rule[:at], rule[:at] + rule[at + 1 :], rule[:at] + rng.choice("{}\"'!:,-") + rule[at:]])
            try:
                answer = how.function(damaged)
            except ValueError:
                continue
            numbers = set(re.findall(r"\d+", damaged))
            for fields in answer if isinstance(answer, list) else [answer]:
                for column in ("dst_port_first", "dst_port_last", "src_port_first", "to_port"):
                    value = fields.get(column)
                    # `!=`, `<` and `>` are written as the ranges that are left
                    assert value is None or value in numbers | _BOUNDS or {str(int(value) - 1), str(int(value) + 1)} & numbers


_BOUNDS = {"0", "1", "65535"}


def _rules_of(name: str) -> list[str]:
    """Values that stanzas give to this decoder, from their samples."""
    found: list[str] = []
    for stanza in LINUX.stanzas.values():
        steps = [d for d in stanza.decode if d.name == name]
        if not steps or stanza.template is None:
            continue
        reader = templates.template(stanza.template)
        for raw in sorted((samples.FIXTURES / "linux" / stanza.id).glob("*.raw")):
            texts = [(n, t) for n, t in enumerate(raw.read_text(encoding="utf-8", errors="replace").split("\n"), 1)]
            for _, row, _ in reader.read(iter(texts)):
                found += [row[s.source] for s in steps if row and row.get(s.source)]
    return sorted(set(found))[:60]


# -- the parser on any bytes ---------------------------------------------------------------------------


def read(stanza: Stanza, data: bytes) -> parse.Parsed:
    return parse.parse(Section("d/1/x", "d", "1", 1, stanza.command, data), stanza, LINUX)


def holds(found: parse.Parsed, data: bytes) -> None:
    """Lines add up, gaps lie inside, no row stands on an unread line, and each value was printed by the device."""
    total = data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
    assert 0 <= found.unread <= found.lines <= total
    if found.status is Status.COMPLETE:
        assert found.lines == total
    part_of_a_gap: set[int] = set()
    for gap in found.gaps:
        assert 0 < gap.line <= max(gap.last_line, gap.line) <= max(total, 1)
        # a line that may be several is a doubt beside its row, not an unread one
        if not gap.reason.startswith((str(found.status), parse.SEVERAL)) and "more unread" not in gap.reason:
            part_of_a_gap |= set(range(gap.line, gap.last_line + 1))
    if found.unread and found.status is Status.COMPLETE and len(found.gaps) < parse.GAP_LIMIT:
        assert len(part_of_a_gap) == found.unread
    for row in found.rows:
        assert 1 <= row["line"] <= total
        assert row["line"] not in part_of_a_gap
    if found.unread or any(g.reason == parse.SEVERAL for g in found.gaps):
        assert not found.usable and found.gaps


def printed(stanza: Stanza, found: parse.Parsed, data: bytes) -> None:
    """A value of the template (before the decoders) stands in the output, letter by letter."""
    assert stanza.template is not None
    text = "\n".join(decode_text(line) for line in data.split(b"\n"))
    names = templates.template(stanza.template).header
    for row in found.rows:
        for name in names:
            value = row[name]
            if isinstance(value, str):
                assert value in text, (stanza.id, name)


@pytest.mark.parametrize("name", STANZAS)
def test_random_bytes_are_counted_and_never_raise(name: str) -> None:
    stanza = LINUX.stanzas[name]
    rng = random.Random(name)
    for size in (0, 1, 40, 700):
        data = rng.randbytes(size)
        holds(read(stanza, data), data)
    data = bytes(rng.choices(b" \t\n:/.-_%[](){}<>\"'=,0123456789abcdefABCxyzrw*", k=1500))
    found = read(stanza, data)
    holds(found, data)
    if stanza.template is not None:
        printed(stanza, found, data)


def _damage(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    how = rng.randrange(6)
    if how == 0:
        return data[:at]
    if how == 1:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if how == 2:
        return data[:at] + data[at + rng.randrange(1, 40) :]
    if how == 3:
        return data[:at] + rng.randbytes(rng.randrange(1, 30)) + data[at:]
    lines = data.split(b"\n")
    if how == 4:
        rng.shuffle(lines)
        return b"\n".join(lines)
    return data.replace(b" ", b"\t", rng.randrange(1, 9)).replace(b"\n", b"\r\n")


SOUND = [p for p in samples.all_samples() if p.stat().st_size < 20_000 and p.parent.parent.name == "linux"]


@pytest.mark.parametrize("name", STANZAS)
def test_damaged_samples_are_counted_and_hold_nothing_invented(name: str) -> None:
    stanza = LINUX.stanzas[name]
    rng = random.Random(name)
    mine = [p for p in SOUND if p.parent.name == name]
    for raw in mine[:6]:
        whole = raw.read_bytes()
        for _ in range(3 if whole else 0):
            data = _damage(whole, rng)
            found = read(stanza, data)
            holds(found, data)
            if stanza.template is not None:
                printed(stanza, found, data)


def test_the_wrong_stanza_on_a_sample_never_raises() -> None:
    rng = random.Random(7)
    for raw in rng.sample(SOUND, min(60, len(SOUND))):
        stanza = LINUX.stanzas[rng.choice(STANZAS)]
        data = raw.read_bytes()
        holds(read(stanza, data), data)


def test_templates_live_in_the_platform_folder() -> None:
    used = {s.template for s in LINUX.stanzas.values() if s.template}
    there = set(Path(LINUX.folder).glob("*.textfsm"))
    assert used == there
