"""Big captures for benchmarks, made with numpy from a seed: the same bytes on every machine.

`min64`: packets of 64 bytes, TCP and UDP over IPv4. `mix`: sizes as on a line to a provider, a tenth IPv6, some VLAN, QinQ and
fragments. Addresses are those kept for documentation and for benchmarks (198.18.0.0/15, 2001:db8::/32).

    python benchmarks/captures_make.py min64 /tmp/min64.pcap --packets 6000000
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

START = 1_790_000_000
_BLOCK = 100_000
_SIZES = np.array([64, 90, 130, 320, 590, 1100, 1514])  # of whole frames without tags
_SHARES = np.array([0.38, 0.17, 0.1, 0.08, 0.06, 0.05, 0.16])
U8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


def make(kind: str, path: Path, packets: int, flows: int, seed: int = 7) -> int:
    """Writes the capture; gives its size in bytes."""
    draw = np.random.default_rng(seed)
    ends = _flows(draw, flows, kind == "mix")
    with path.open("wb") as file:
        file.write(np.array([0xA1B2C3D4, 0x00040002, 0, 0, 262144, 1], "<u4").tobytes())
        for begin in range(0, packets, _BLOCK):
            _write(file, draw, ends, kind, begin, min(_BLOCK, packets - begin))
        return file.tell()


def _flows(draw: np.random.Generator, count: int, mixed: bool) -> dict[str, Ints]:
    number = np.arange(count)
    shape = draw.random(count)
    return {
        "client": 0xC6120000 + number % 65536,
        "server": 0xC6130000 + draw.integers(0, 4096, count),
        "sport": 1024 + (number // 65536 * 7919 + draw.integers(0, 7919, count)) % 64000,
        "dport": draw.choice(np.array([443, 80, 53, 22, 123, 8080]), count),
        "udp": (draw.random(count) < 0.25).astype(np.int64),
        "six": ((shape < 0.11) & mixed).astype(np.int64),
        "tags": np.where(mixed & (shape > 0.97), 2, np.where(mixed & (shape > 0.9), 1, 0)),
    }


def _write(file: BinaryIO, draw: np.random.Generator, ends: dict[str, Ints], kind: str, begin: int, count: int) -> None:
    """One block: every class of packet is laid out as columns, then all are put at their places."""
    flow = draw.integers(0, len(ends["client"]), count)
    size = np.full(count, 64) if kind == "min64" else draw.choice(_SIZES, count, p=_SHARES)
    mine = {name: values[flow] for name, values in ends.items()}
    size = np.where(mine["six"] == 1, np.maximum(size, 90), size) + 4 * mine["tags"]
    places = np.concatenate(([0], np.cumsum(size + 16)))
    out = np.zeros(int(places[-1]), np.uint8)
    back = draw.random(count) < 0.45
    tick = (begin + np.arange(count)) * 10  # microseconds
    _put(out, places[:-1], 0, (START + tick // 1_000_000, tick % 1_000_000, size, size), little=True)
    pieces = (kind == "mix") & (mine["six"] == 0) & (size > 1400) & (draw.random(count) < 0.02)
    for six in (0, 1):
        for tags in (0, 1, 2):
            chosen = np.flatnonzero((mine["six"] == six) & (mine["tags"] == tags))
            if chosen.size:
                columns = {name: values[chosen] for name, values in mine.items()}
                _frames(out, places[chosen] + 16, columns, size[chosen], back[chosen], pieces[chosen], tick[chosen])
    file.write(out.tobytes())


def _frames(  # noqa: PLR0917
    out: U8, at: Ints, flow: dict[str, Ints], size: Ints, back: npt.NDArray[np.bool_], pieces: npt.NDArray[np.bool_], tick: Ints
) -> None:
    six, tags = bool(flow["six"][0]), int(flow["tags"][0])
    none = np.zeros(len(at), np.int64)
    _put(out, at, 0, (none + 0x02000000, none + 0x00010200, none + 2))
    offset = 12
    for tag in range(tags):
        _put(out, at, offset, (none + ((0x88A8 if tags == 2 and tag == 0 else 0x8100) << 16 | 100 + tag),))
        offset += 4
    out[at + offset], out[at + offset + 1] = (0x86, 0xDD) if six else (0x08, 0x00)
    offset += 2
    source = np.where(back, flow["server"], flow["client"])
    target = np.where(back, flow["client"], flow["server"])
    proto = np.where(flow["udp"] == 1, 17, 6)
    above = size - offset - (40 if six else 20)
    if six:
        _put(out, at, offset, (none + 0x60000000, above << 16 | proto << 8 | 64))
        for place, address in ((8, source), (24, target)):
            _put(out, at, offset + place, (none + 0x20010DB8, none, none, address))
        offset += 40
    else:
        ident = tick // 10 & 0xFFFF
        piece = np.where(pieces, 0x2000, 0x4000)
        _put(out, at, offset, (none + 0x45000000 | above + 20, ident << 16 | piece, none + 64 << 24 | proto << 16, source, target))
        offset += 20
    ports = np.where(back, flow["dport"] << 16 | flow["sport"], flow["sport"] << 16 | flow["dport"])
    udp = flow["udp"] == 1
    _put(out, at[udp], offset, (ports[udp], above[udp] << 16))
    tcp = ~udp
    fixed = none[tcp]
    _put(out, at[tcp], offset, (ports[tcp], tick[tcp], fixed + 1, fixed + 0x5018FFFF, fixed))


def _put(out: U8, at: Ints, offset: int, words: tuple[Ints, ...], *, little: bool = False) -> None:
    """32-bit numbers side by side, from `offset` behind each place on."""
    for index, word in enumerate(words):
        for byte in range(4):
            shift = 8 * byte if little else 24 - 8 * byte
            out[at + offset + 4 * index + byte] = (word >> shift & 0xFF).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a big capture for benchmarks.")
    parser.add_argument("kind", choices=("min64", "mix"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--flows", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    print(make(given.kind, given.path, given.packets, given.flows, given.seed), "bytes")


if __name__ == "__main__":
    main()
