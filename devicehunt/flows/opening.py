"""The bytes of a capture, whatever they are packed in: plain, gzip (several members), zstd, bzip2, xz; a file or a stream.

A stream need not be seekable. What a packed file expands to is bounded by what the caller asks for, so a bomb costs
time in proportion to its expansion but no memory.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Any, BinaryIO, Protocol

from devicehunt.flows.records import Damage

_MAGICS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"))
_PIECE = 1 << 16
_ZSTD_PIECE = 1 << 10  # one KiB of zstd expands to 32 MiB at most; its decoder has no limit of its own
_ERRORS: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


class _Engine(Protocol):
    """One member of a packed file. `feed` gives at most about `room` bytes."""

    def feed(self, data: bytes, room: int) -> bytes: ...
    @property
    def hungry(self) -> bool: ...
    @property
    def over(self) -> bool: ...
    @property
    def left(self) -> bytes: ...


class _Zlib:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)

    def feed(self, data: bytes, room: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, room)

    @property
    def hungry(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def over(self) -> bool:
        return self._inner.eof

    @property
    def left(self) -> bytes:
        return self._inner.unused_data


class _Limited:
    """bzip2 and xz: the decoder keeps what it could not yet expand."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def feed(self, data: bytes, room: int) -> bytes:
        return bytes(self._inner.decompress(data, room))

    @property
    def hungry(self) -> bool:
        return bool(self._inner.needs_input)

    @property
    def over(self) -> bool:
        return bool(self._inner.eof)

    @property
    def left(self) -> bytes:
        return bytes(self._inner.unused_data)


class _Zstd:
    def __init__(self, library: Any) -> None:
        self._inner = library.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    def feed(self, data: bytes, room: int) -> bytes:
        del room
        return bytes(self._inner.decompress(data)) if data else b""

    hungry = True

    @property
    def over(self) -> bool:
        return bool(self._inner.eof)

    @property
    def left(self) -> bytes:
        return bytes(self._inner.unused_data)


class Source:
    """`read(n)` gives n bytes, fewer only at the end. `taken`: bytes of the file itself that were read, for progress."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.taken = 0
        self.given = 0
        self.damages: list[Damage] = []
        self._pending = b""
        self._pending = self._raw(6)
        self.packed = next((kind for magic, kind in _MAGICS if self._pending.startswith(magic)), "")
        self._library: Any = None
        self._engine: _Engine | None = None
        self._surplus = bytearray()
        self._fed = 0  # packed bytes handed to the present member
        self._over = False
        if self.packed == "zstd":
            self._find_zstd()

    def _find_zstd(self) -> None:
        try:
            import zstandard
        except ImportError:
            self._over = True
            self.damages.append(Damage("compressed with zstd, and the library zstandard is not installed: nothing was read"))
            return
        self._library = zstandard

    def _raw(self, size: int) -> bytes:
        """`size` bytes of the file itself; a pipe may hand them over in small pieces."""
        parts = [self._pending[:size]]
        self._pending = self._pending[size:]
        size -= len(parts[0])
        while size > 0:
            try:
                piece = self._stream.read(size)
            except (OSError, ValueError) as error:
                self.damages.append(Damage(f"reading stopped: {type(error).__name__}", self.given))
                break
            if not piece:
                break
            self.taken += len(piece)
            size -= len(piece)
            parts.append(piece)
        return b"".join(parts)

    def read(self, size: int) -> bytes:
        """Expanded bytes, in order."""
        out = self._unpacked(size) if self.packed else self._raw(size)
        self.given += len(out)
        return out

    def _unpacked(self, size: int) -> bytes:
        out = self._surplus
        while len(out) < size and not self._over:
            self._expand(out, size - len(out))
        self._surplus = out[size:]
        return bytes(out[:size])

    def _expand(self, out: bytearray, room: int) -> None:
        if self._engine is None:
            self._engine, self._fed = self._member(), 0
        data = b""
        if self._engine.hungry:
            data = self._raw(_ZSTD_PIECE if self.packed == "zstd" else _PIECE)
            self._fed += len(data)
            if not data:
                self._over = True
                if self._fed or not self.given + len(out):
                    self._lost(out, f"{self.packed}: the file is cut, its last member does not end")
                return
        try:
            out += self._engine.feed(data, room)
        except Exception as error:  # the zstd library has an error class of its own
            if not isinstance(error, _ERRORS) and type(error).__name__ != "ZstdError":
                raise
            self._over = True
            self._lost(out, f"{self.packed}: the rest of the file cannot be expanded")
            return
        if self._engine.over:
            self._next_member(out)

    def _member(self) -> _Engine:
        if self.packed == "gzip":
            return _Zlib()
        if self.packed == "zstd":
            return _Zstd(self._library)
        return _Limited(bz2.BZ2Decompressor() if self.packed == "bzip2" else lzma.LZMADecompressor(memlimit=1 << 28))

    def _next_member(self, out: bytearray) -> None:
        """Behind a member comes another one, zeros (a tape's padding), or something that is not part of the file."""
        assert self._engine is not None
        left = self._engine.left + self._pending
        self._engine = None
        while True:
            left = left.lstrip(b"\0")
            self._pending = left
            if left:
                break
            left = self._raw(_PIECE)
            if not left:
                self._over = True
                return
        if len(left) < 6:
            self._pending = b""
            left += self._raw(6 - len(left))
            self._pending = left
        if not any(left.startswith(magic) for magic, kind in _MAGICS if kind == self.packed):
            self._over = True
            size = len(left)
            self._pending = b""
            while piece := self._raw(_PIECE):
                size += len(piece)
            self.damages.append(Damage(f"{self.packed}: bytes behind the end that are not {self.packed}", self.given + len(out), size))

    def _lost(self, out: bytearray, reason: str) -> None:
        self.damages.append(Damage(reason, self.given + len(out)))
