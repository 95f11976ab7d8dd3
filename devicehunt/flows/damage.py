"""What could not be read of evidence of traffic. Apart from the other types: readers of logs need no numpy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Damage:
    """Bytes of a capture that could not be read as packets, or packets that could not be read as such. Never silent.

    `offset` is the place in the (decompressed) file, `size` the bytes lost, `packets` how many packets are concerned
    (None: nobody can know).
    """

    reason: str
    offset: int = 0
    size: int = 0
    packets: int | None = None
    first_packet: int = 0  # number of the first packet concerned, 0: none
