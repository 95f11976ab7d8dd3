"""Which application each connection of a capture speaks, by its first bytes.

A glance in the first pass (apps/glance.py) left most connections with nothing to look at; the bytes of the others are
read from their places in the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from devicehunt.archives import CAPTURES
from devicehunt.flows import apps, joined, streams
from devicehunt.flows.apps import glance
from devicehunt.flows.containers import Capture

Columns = dict[str, Any]
SHORT = 8
"""A first segment of TCP that is no longer than this says too little: those behind it are joined to it."""
SIGN = 128
"""Bytes of each direction by which an application is recognised."""
FOLLOWED = 20_000
"""Connections whose first segments are joined."""
TCP = 6


def names(capture: Capture, paths: Sequence[Path], found: Columns) -> list[str]:
    """The application of each connection; empty where its first bytes say nothing."""
    known = _identified(capture, paths, found)
    _in_small_pieces(paths, found, known)
    return known


def _identified(capture: Capture, paths: Sequence[Path], found: Columns) -> list[str]:
    count = len(found["line"])
    if not count:
        return []
    names = np.full(count, "", dtype=object)
    tls, ask = glance.decided(*(found[name] for name in ("proto", "orig_port", "resp_port", "orig_sign", "resp_sign")))
    names[tls] = "tls"
    rows = np.flatnonzero(ask & ((found["orig_captured"] > 0) | (found["resp_captured"] > 0)))
    if not len(rows):
        return cast("list[str]", names.tolist())
    some = {name: found[name][rows] for name in ("orig_place", "resp_place", "orig_captured", "resp_captured")}
    places = np.concatenate([some["orig_place"], some["resp_place"]])
    sizes = np.concatenate([some["orig_captured"], some["resp_captured"]])
    spans = _heads(capture, places, sizes) if all(map(_is_plain, paths)) else streams.heads_of(joined.chunks(paths), places, sizes, SIGN)
    ends = zip(
        *(found[name][rows].tolist() for name in ("proto", "orig_port", "resp_port")), spans[: len(rows)], spans[len(rows) :], strict=True
    )
    names[rows] = [apps.identify(*end) for end in ends]
    return cast("list[str]", names.tolist())


def _in_small_pieces(paths: Sequence[Path], found: Columns, names: list[str]) -> None:
    """Name connections whose first segments are of a byte or two, by those segments joined: that hides from nobody here."""
    small = np.zeros(len(names), dtype=bool)
    for side in ("orig", "resp"):
        captured = found[f"{side}_captured"]
        small |= (captured > 0) & (captured <= SHORT) & (found[f"{side}_payload"] > captured)
    unnamed = np.array([not name for name in names], dtype=bool)
    wanted = np.flatnonzero(small & unnamed & (found["proto"] == TCP))[:FOLLOWED]
    if not len(wanted):
        return
    for stream in streams.follow(joined.chunks(paths), found, wanted, limit=SIGN, packets=SIGN):
        at = stream.connection - 1
        heads = [b"".join(piece.data for piece in side.pieces) for side in (stream.orig, stream.resp)]
        names[at] = apps.identify(TCP, int(found["orig_port"][at]), int(found["resp_port"][at]), heads[0], heads[1])


def _is_plain(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in CAPTURES


def _heads(capture: Capture, places: Any, sizes: Any) -> list[bytes]:
    """The first bytes of each direction, straight from their places in the files."""
    spans = [b""] * len(places)
    parts = capture.parts
    for part, end in zip(parts, [*(p.place for p in parts[1:]), capture.place], strict=True):
        mine = np.flatnonzero((places >= part.place) & (places < end))
        if len(mine) and isinstance(part.origin, Path):
            with part.origin.open("rb") as file:
                got = streams.heads(file, places[mine] - part.place, sizes[mine], SIGN)
            for at, span in zip(mine.tolist(), got, strict=True):
                spans[at] = span
    return spans
