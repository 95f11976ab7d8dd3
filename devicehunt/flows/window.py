"""The bytes in hand while a capture is read: a piece of it with a pad of zeros behind, and unaligned views into it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from devicehunt.flows.opening import Source
from devicehunt.flows.records import U8

PAD = 64  # zeros behind the bytes: a header that begins at the end may be read


class Window:
    """`bytes[:size]` is what is in hand, `place` the offset of bytes[0] in the (expanded) file."""

    def __init__(self, source: Source, step: int, base: int = 0) -> None:
        self._source = source
        self._step = max(step, 1)
        self.place = base
        self.size = 0
        self.eof = False
        self.bytes = bytearray(PAD)
        self.data: U8 = np.frombuffer(self.bytes, np.uint8)
        self.more(0)

    def more(self, at: int) -> None:
        """Let go what lies before `at` and read on. The old bytes stay as they are: chunks refer to them."""
        piece = self._source.read(self._step)
        rest = memoryview(self.bytes)[at : self.size]
        self.bytes = bytearray(len(rest) + len(piece) + PAD)
        self.bytes[: len(rest)] = rest
        self.bytes[len(rest) : len(rest) + len(piece)] = piece
        self.place += at
        self.size = len(rest) + len(piece)
        self.data = np.frombuffer(self.bytes, np.uint8)
        self.eof = len(piece) < self._step

    def hold(self, at: int, need: int) -> int:
        """Have `need` bytes from `at` on, or all there are. Gives where `at` is now."""
        while not self.eof and self.size - at < need:
            self.more(at)
            at = 0
        return at

    def view(self, dtype: str, offset: int = 0) -> npt.NDArray[Any]:
        """view(...)[i]: the number at bytes[i + offset], for each i up to the end of the bytes in hand."""
        return np.ndarray((self.size + 1,), dtype, self.bytes, offset, (1,))

    def zeros(self, at: int) -> bool:
        """Whether only zeros lie between `at` and the end of what is in hand."""
        return not self.data[at : self.size].any()
