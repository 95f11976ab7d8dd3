"""The glance at the first bytes of many connections, held against the signatures that it saves."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from devicehunt.flows import apps, containers, fast, naming, table
from devicehunt.flows.apps import glance, signs_tcp, signs_udp
from devicehunt.flows.records import Chunk
from tests import apps_samples
from tests.samples import CORPUS

Pair = tuple[int, int, int, bytes, bytes]
TCP, UDP = 6, 17
BYTES = bytes((0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 10, 16, 22, 23, 32, 34, 65, 90, 0x6A, 0x80, 0x81, 254, 255))
PORTS = sorted(glance.PORTED.nonzero()[0].tolist())


def quick(pairs: list[Pair]) -> list[str]:
    """What `naming` would say: TLS at a glance, nothing, or what the signatures say when asked."""
    signs = []
    for sent in ([p[3] for p in pairs], [p[4] for p in pairs]):
        heads = np.full((len(pairs), glance.WIDTH), 0xAA, np.uint8)  # other bytes lie behind the payload
        for row, data in zip(heads, sent, strict=True):
            row[: len(data)] = list(data[: glance.WIDTH])
        signs.append(glance.glance(heads, np.array([len(data) for data in sent]), np.array([p[0] for p in pairs])))
    ends = [np.array([p[i] for p in pairs]) for i in range(3)]
    tls, ask = glance.decided(*ends, *signs)
    return ["tls" if sure else apps.identify(*p) if asked else "" for p, sure, asked in zip(pairs, tls, ask, strict=True)]


def held(pairs: list[Pair]) -> None:
    for pair, said in zip(pairs, quick(pairs), strict=True):
        assert said == apps.identify(*pair), pair


def changed(draw: random.Random, data: bytes) -> bytes:
    out = bytearray(data[: draw.choice((len(data), len(data), draw.randrange(len(data) + 1), draw.randrange(1, 34)))])
    for _ in range(draw.randrange(3)):
        if out:
            out[draw.randrange(min(len(out), 24))] = draw.choice(BYTES)
    return bytes(out)


def samples() -> list[Pair]:
    return [(proto, 50_000, port, orig, resp) for _, proto, port, orig, resp in apps_samples.SAMPLES]


def test_every_sample_keeps_its_name() -> None:
    held(samples())
    held([(proto, port, other, resp, orig) for proto, other, port, orig, resp in samples()])
    held([(proto, one, 40_000, orig, resp) for proto, one, _, orig, resp in samples()])


@pytest.mark.parametrize("seed", range(3))
def test_changed_and_cut_samples(seed: int) -> None:
    draw, known = random.Random(seed), samples()
    held([(p, a, draw.choice((b, 40_000, draw.choice(PORTS))), changed(draw, o), changed(draw, r)) for p, a, b, o, r in known * 20])


def test_bytes_that_mean_something_at_random() -> None:
    draw = random.Random(7)
    heads = [bytes(draw.choices(BYTES, k=draw.randrange(80))) for _ in range(3000)]
    held([(draw.choice((TCP, UDP)), 1, draw.choice((443, 40_000)), a, draw.choice(heads)) for a in heads])


def test_every_first_byte_that_has_a_signature() -> None:
    """Each first byte, before what the signatures of that byte are made of."""
    tails = [data[1:] for pair in samples() for data in pair[3:] if isinstance(data, bytes) and data][::2]
    firsts = sorted({*signs_tcp._CLIENT, *signs_tcp._SERVER, *range(0, 256, 9)})
    held([(proto, 1, 40_000, bytes([first]) + tail, b"") for first in firsts for tail in tails for proto in (TCP, UDP)])


def test_zeros_and_ciphertext_are_not_asked() -> None:
    heads = np.frombuffer(random.Random(1).randbytes(glance.WIDTH * 4000), np.uint8).reshape(4000, glance.WIDTH)
    for proto, share in ((TCP, 0.2), (UDP, 0.25)):
        marks = glance.glance(heads, np.full(4000, 60), np.full(4000, proto))
        assert np.count_nonzero(marks) < share * 4000
        assert not glance.glance(np.zeros((1, glance.WIDTH), np.uint8), np.array([60]), np.array([proto])).any()


def test_ports_are_all_that_signatures_ask_for() -> None:
    assert set(signs_udp._PORTS) | {5246, 5247} <= signs_udp.PORTS
    assert {port for ports in signs_udp._AT.values() for port in ports} <= signs_udp.PORTS


@pytest.mark.parametrize("path", sorted((CORPUS / "pcap").rglob("*.pcap"), key=lambda p: p.stat().st_size)[:40:2], ids=lambda p: p.name)
def test_captures_of_the_corpus(path: Path) -> None:
    capture, flows, decoder = containers.Capture(path), table.FlowTable(), fast.Decoder()
    unasked = table.FlowTable()
    for chunk in capture.chunks():
        if isinstance(chunk, Chunk):
            for block in decoder.blocks(chunk):
                flows.add(block, chunk)
                unasked.add(block)  # without the chunk, every connection is asked
    one, other = flows.connections(), unasked.connections()
    assert naming.names(capture, [path], one) == naming.names(capture, [path], other)
