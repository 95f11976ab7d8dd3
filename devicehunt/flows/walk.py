"""A list of records, walked by many cursors at once.

The records of a capture are a linked list: each says where the next begins. The bytes are cut into slices, a plausible
first record is looked for in each, and all cursors go forward together, one gather a step. That the guess was right is
proved, not assumed: the first record of slice 0 is known; a chain that lands exactly on the start of the next slice proves
that start (induction). A chain that misses is walked on record by record until it meets a start.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from devicehunt.flows.records import I64

Hop = Callable[[I64], I64]


def walk(starts: I64, end: int, header: int, hop: Hop, one: Callable[[int], int]) -> tuple[I64, int]:
    """Places of the complete records from starts[0] on, and the place of the first that is not complete.

    `hop` and `one` say where the record behind one begins, always at least a byte further, without judging it; both may
    read a header that begins at `end` (the caller pads). `starts` must be increasing; all but the first are guesses.
    """
    places, chains, stops = _advance(starts, end, header, hop)
    order = np.argsort(chains, kind="stable")
    places = places[order]
    bounds = np.concatenate(([0], np.cumsum(np.bincount(chains, minlength=len(starts))))).tolist()
    begins: list[int] = starts.tolist()
    ends: list[int] = stops.tolist()
    if ends[:-1] == begins[1:]:  # every chain landed
        return places, ends[-1]
    return _proved(places, bounds, begins, ends, end, header, one)


def _advance(starts: I64, end: int, header: int, hop: Hop) -> tuple[I64, I64, I64]:
    """All chains, each up to the start of the next: places, the chain of each place, where each chain stopped."""
    limits = np.append(starts[1:], end + 1)
    stops = np.zeros(len(starts), np.int64)
    active = np.arange(len(starts), dtype=np.int64)
    places: list[I64] = []
    chains: list[I64] = []
    current = starts
    while active.size:
        following = hop(current)
        over = following >= limits
        if not over.any():
            places.append(current)
            chains.append(active)
            current = following
            continue
        whole = (following <= end) & (current + header <= end)
        places.append(current[whole])
        chains.append(active[whole])
        stops[active[over]] = np.where(whole, following, current)[over]
        stay = ~over
        current, active, limits = following[stay], active[stay], limits[stay]
    return np.concatenate(places), np.concatenate(chains).astype(np.int16), stops


def _proved(  # noqa: PLR0917
    places: I64, bounds: list[int], begins: list[int], ends: list[int], end: int, header: int, one: Callable[[int], int]
) -> tuple[I64, int]:
    parts: list[I64] = []
    chain = 0
    while True:
        parts.append(places[bounds[chain] : bounds[chain + 1]])
        place = ends[chain]
        following = chain + 1
        extra: list[int] = []
        while True:
            while following < len(begins) and begins[following] < place:
                following += 1
            if following < len(begins) and begins[following] == place:
                break
            behind = one(place)
            if place + header > end or behind > end:
                parts.append(np.array(extra, np.int64))
                return np.concatenate(parts), place
            extra.append(place)
            place = behind
        parts.append(np.array(extra, np.int64))
        chain = following
