"""Applications: random, mutated and endless bytes raise nothing, and are done soon."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devicehunt.data import schema_sql
from devicehunt.flows.apps import DISSECTED, dissect, identify
from tests.apps_samples import (
    NOISE,
    SAMPLES,
    TCP,
    UDP,
    certificate,
    certificates,
    client_hello,
    kexinit,
    name,
    question,
    record,
    segments,
    server_hello,
)

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
APPS = sorted(DISSECTED)
WHOLE = [(orig + NOISE, resp + NOISE) for _, _, _, orig, resp in SAMPLES] + [
    (client_hello(), server_hello(b"", certificates(certificate(name(b"a", b"b"), name(b"c", b"d"))))),
    (b"SSH-2.0-x\r\n" + kexinit(), b"SSH-2.0-y\r\n" + kexinit()),
    (b"\5\1\0\5\1\0\1\1\2\3\4\0\x50" + client_hello(), b"\5\0\5\0\0\1\0\0\0\0\0\0" + server_hello()),
    (b"GET / HTTP/1.1\r\n\r\n" * 3, b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    (question(1, b"a.example"), question(1, b"a.example", flags=0x8180, answers=record(5, b"\1x\xc0\x0c"), count=1)),
]


def _check(app: str, orig: bytes, resp: bytes, cuts: list[int]) -> None:
    sides = []
    for first, data in ((1, orig), (2, resp)):
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        sides.append(segments(*(data[a:b] for a, b in itertools.pairwise(edges)), first=first))
    begun = time.process_time()
    found = dissect(app, *sides)
    assert time.process_time() - begun < 2
    for table, row in found:
        assert table in COLUMNS
        assert set(row) <= COLUMNS[table]
        for value in row.values():
            assert not isinstance(value, str) or (len(value) < 100_000 and "\x1b" not in value and "\n" not in value)


def _columns() -> dict[str, set[str]]:
    found = {}
    for table in ("tls_sessions", "ssh_sessions", "http_requests", "dns_queries", "proxy_requests", "app_facts"):
        body = re.search(rf"create table {table}\((.*?)\);", re.sub(r"--.*", "", schema_sql()), re.S)
        assert body
        found[table] = {part.split()[0] for part in body[1].split(",")} - {"device", "snapshot", "exhibit", "connection", "view"}
    return found


COLUMNS = _columns()


@FUZZ
@given(st.sampled_from(APPS), st.binary(max_size=400), st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=3))
def test_random_bytes_raise_nothing(app: str, orig: bytes, resp: bytes, cuts: list[int]) -> None:
    _check(app, orig, resp, cuts)
    for proto in (TCP, UDP):
        for port in (53, 67, 123, 161, 500, 4500, 1701, 5353):
            assert isinstance(identify(proto, 40000, port, orig[:64], resp[:64]), str)


@FUZZ
@given(
    st.sampled_from(WHOLE),
    st.sampled_from(APPS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
    st.integers(0, 2000),
    st.lists(st.integers(0, 400), max_size=3),
)
def test_mutated_conversations_raise_nothing(
    pair: tuple[bytes, bytes], app: str, changes: list[tuple[int, int]], cut: int, cuts: list[int]
) -> None:
    orig, resp = (bytearray(side) for side in pair)
    for at, value in changes:
        side = (orig, resp)[at % 2]
        if side:
            side[at % len(side)] = value
    own = identify(TCP, 1, 2, bytes(orig[:64]), bytes(resp[:64])) or identify(UDP, 1, 53, bytes(orig[:64]), bytes(resp[:64]))
    for one in {app, own}:
        _check(one, bytes(orig)[:cut], bytes(resp), cuts)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize(
    "unit",
    [
        b"\xff\xfa",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"<NewProtocol",
        b"\r\n",
        b"\x16\3\1",
        b"A:",
        b"\xc0\x0c",
        b"1\r\n",
        b"\x16\3\1\0\5\1\0\0\1\3",
        b"USER a\n",
        b'{"method":"x"}\n',
        b"rtsp://",
    ],
)
def test_a_long_run_of_anything_is_done_soon(app: str, unit: bytes) -> None:
    data = unit * (300_000 // len(unit))
    whole = segments(*(data[at : at + 1400] for at in range(0, len(data), 1400)))
    begun = time.process_time()
    found = dissect(app, whole, whole)
    assert time.process_time() - begun < 5
    assert len(found) < 10_000
