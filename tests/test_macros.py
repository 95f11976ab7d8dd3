"""The SQL macros that rules stand on, against Python's own word."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicehunt import database

patient = settings(deadline=None)  # a loaded machine is no failure
CON = database.connect()
ADDRESSES = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.ip_addresses(v=6).map(lambda a: a.exploded))
ALMOST = st.text(alphabet="0123456789abcdefABCDEF.:/%[]- z", max_size=48)


def key(text: str | None) -> bytes | None:
    found = CON.execute("select ip(?::varchar)", [text]).fetchone()
    assert found is not None
    return None if found[0] is None else bytes(found[0])


def packed(text: str) -> bytes:
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


@patient
@given(ADDRESSES)
def test_ip_is_the_address_in_network_order(text: str) -> None:
    assert key(text) == packed(text)


@patient
@given(st.one_of(ALMOST, st.text(max_size=40)))
def test_ip_of_anything_else_is_null_and_never_fails(text: str) -> None:
    got = key(text)
    try:
        wanted = packed(text)
    except ValueError:
        # leading zeros are the one thing that devices print and Python refuses
        assert got is None or "." in text
    else:
        assert got in (wanted, None)


@patient
@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_in_cidr_agrees_for_v4(base: ipaddress.IPv4Address, bits: int, address: ipaddress.IPv4Address) -> None:
    network = ipaddress.ip_network((base, bits), strict=False)
    assert inside(str(address), str(network)) == (address in network)
    assert inside(str(network.broadcast_address), str(network))


@patient
@given(st.ip_addresses(v=6), st.integers(0, 128), st.ip_addresses(v=6))
def test_in_cidr_agrees_for_v6(base: ipaddress.IPv6Address, bits: int, address: ipaddress.IPv6Address) -> None:
    network = ipaddress.ip_network((base, bits), strict=False)
    assert inside(str(address), str(network)) == (address in network)
    assert inside(str(network.network_address), str(network))


def inside(address: str, network: str) -> bool:
    found = CON.execute("select in_cidr(ip(?), ?::varchar)", [address, network]).fetchone()
    assert found is not None
    return bool(found[0])


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("/bin/sh /tmp/x.sh 1", "/tmp/x.sh"), ("sh -c /tmp/x", "/tmp/x"), ("busybox ash /var/k", "/var/k"),
        ("/usr/bin/python3 /opt/a.py", "/opt/a.py"), ("lua5.1 /usr/lib/x.lua", "/usr/lib/x.lua"),
        ("/lib/ld-musl-arm.so.1 /dev/shm/a", "/dev/shm/a"), ("-ash", None), ("sh", None), ("/usr/sbin/dnsmasq -C /var/etc/x", None),
        ("showmount /tmp/x", None), ("crash /tmp/x", None),
    ],
)  # fmt: skip
def test_script_of_an_interpreter(command: str, script: str | None) -> None:
    assert CON.execute("select script_of(?)", [command]).fetchone() == (script,)


@pytest.mark.parametrize(
    ("command", "cwd", "script"),
    [
        ("sh ./k.sh", "/tmp/w", "/tmp/w/k.sh"), ("ash k", "/tmp/", "/tmp/k"), ("sh -x k.sh", "/", "/k.sh"),
        ("sh -c k.sh", "/tmp", None), ("-ash", "/tmp", None), ("sh ./k.sh", None, None), ("sh --login", "/tmp", None),
    ],
)  # fmt: skip
def test_script_named_from_its_folder(command: str, cwd: str | None, script: str | None) -> None:
    assert CON.execute("select script_in(?, ?)", [command, cwd]).fetchone() == (script,)
