"""Files of a source: a folder, one file, or an archive read in memory, never unpacked to disk.

Names inside an archive are only looked at. Links are never followed. Sizes are capped before
anything is decompressed; what a cap left out is said.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from devicehunt.text import shown

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.xz", ".tar.bz2")
FILE_CAP = 256 * 1024 * 1024
"""Bytes read of one file; the rest is cut, and said."""
TOTAL_CAP = 1024 * 1024 * 1024
"""Bytes kept of one archive: they are held in memory."""
PASSED_CAP = 2 * 1024 * 1024 * 1024
"""Bytes of a compressed tar that are decompressed at most, those that are skipped among them."""
HEADER_CAP = 1024 * 1024
"""Bytes of one long name or extended header in a tar: the library holds them in memory."""
COUNT_CAP = 200_000
"""Files taken from one source."""
CAPTURES = frozenset((
    b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34",
    b"\x0a\x0d\x0d\x0a",
))  # fmt: skip
"""What pcap and pcapng files begin with."""
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass
class Found:
    """One file of a source. `problem` says why it can not be (wholly) read, `status` what that means."""

    name: str
    size: int
    data: bytes | None = None
    file: Path | None = None
    problem: str = ""
    status: str = ""

    def read(self) -> bytes:
        """Its bytes, at most FILE_CAP of them."""
        if self.data is not None:
            return self.data
        if self.file is not None:
            with self.file.open("rb") as handle:
                return handle.read(FILE_CAP)
        return b""

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        if self.file is not None and self.data is None:
            with self.file.open("rb") as handle:
                return handle.read(count)
        return self.read()[:count]

    def sha256(self, cap: int | None = None) -> str:
        """SHA-256 of its bytes, or of the first `cap` of them, read in pieces where it is a file."""
        if self.file is None or self.data is not None:
            return hashlib.sha256(self.read()).hexdigest()
        total = hashlib.sha256()
        left = self.size if cap is None else cap
        with self.file.open("rb") as handle:
            while left > 0 and (piece := handle.read(min(left, 1 << 20))):
                total.update(piece)
                left -= len(piece)
        return total.hexdigest()


    def capture_head(self, count: int) -> bytes:
        """Its first bytes, those inside where it is a gzip file."""
        head = self.head(count)
        if head[:2] != b"\x1f\x8b" or self.file is None:
            return head
        try:
            with gzip.open(self.file) as handle:
                return handle.read(count)
        except _BROKEN:
            return head


def walk(source: Path, own: Path | None = None) -> Iterator[Found]:
    """All files of a source, in the order of their names, without those of our own case inside it."""
    if source.is_dir():
        yield from _walk_folder(source, own.resolve() if own else None)
    elif _is_zip(source):
        yield from _walk_zip(source)
    elif _is_tar(source):
        yield from _walk_tar(source)
    else:
        yield _one_file(source, source.name)


def is_archive(data: bytes) -> bool:
    """Whether these are the bytes of a zip or a tar."""
    return data[:4] in _ZIP or data[257:262] == b"ustar"


def is_damaged(data: bytes) -> bool:
    """Whether these are the bytes of a zip that has lost its end, or of a compressed file that cannot be unpacked."""
    if data[:4] in _ZIP:
        return not zipfile.is_zipfile(io.BytesIO(data))
    if data[:3] != b"BZh" and data[:6] != b"\xfd7zXZ\0":
        return False
    try:
        with bz2.open(io.BytesIO(data)) if data[:1] == b"B" else lzma.open(io.BytesIO(data)) as handle:
            handle.read(1 << 20)
    except _BROKEN:
        return True
    return False


def _is_zip(source: Path) -> bool:
    """Whether a file is a zip from its first byte: a log that a device ends with a zip is a log."""
    with source.open("rb") as handle:
        return handle.read(4) in _ZIP and zipfile.is_zipfile(handle)


def _one_file(path: Path, name: str) -> Found:
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        return _not_read(name, "not a regular file: not opened")
    found = Found(name, info.st_size, file=path)
    with path.open("rb") as handle:
        magic = handle.read(2)
        _to_the_end(handle)
    if magic == b"\x1f\x8b" and found.capture_head(4) not in CAPTURES:  # a capture is read as it lies, of any size
        return _gunzip(path, name.removesuffix(".gz"))
    if info.st_size > FILE_CAP:
        found.problem, found.status = f"larger than {FILE_CAP >> 20} MiB: only its beginning was read", "cut"
    return found


def _to_the_end(handle: IO[bytes]) -> None:
    """OSError now, not later, when the medium cannot be read to the end (or to the cap)."""
    left = FILE_CAP
    while left > 0 and (piece := handle.read(1 << 20)):
        left -= len(piece)


def _gunzip(path: Path, name: str) -> Found:
    try:
        with gzip.open(path) as handle:
            data = handle.read(FILE_CAP + 1)
    except _BROKEN as error:
        raw = path.read_bytes()[:FILE_CAP]
        return Found(name, len(raw), data=raw, problem=f"damaged gzip: {shown(str(error), 80)}", status="garbled")
    if len(data) > FILE_CAP:
        return Found(name, FILE_CAP, data=data[:FILE_CAP], problem="decompresses to more than the cap", status="cut")
    return Found(name, len(data), data=data)


def _walk_folder(root: Path, own: Path | None) -> Iterator[Found]:
    for count, (path, relative, problem) in enumerate(_below(root, own), 1):
        if count > COUNT_CAP:
            yield _not_read(relative, f"more than {COUNT_CAP} files: this and further ones were not taken")
            return
        if problem:
            yield _not_read(relative, problem)
            continue
        try:
            yield _one_file(path, relative)
        except OSError as error:
            yield _not_read(relative, f"cannot be read: {error.strerror or error}")


def _not_read(name: str, problem: str) -> Found:
    return Found(name, 0, data=b"", problem=problem, status="not-read")


def _below(root: Path, own: Path | None) -> Iterator[tuple[Path, str, str]]:
    """(path, name, what is wrong with it) of all that lies in a folder, but for our own case."""
    refused: list[OSError] = []
    for folder, subfolders, names in os.walk(root, onerror=refused.append):
        here = Path(folder)
        for name in list(subfolders):
            path = here / name
            if path.is_symlink() or _holds_case(path):
                subfolders.remove(name)
                if path.is_symlink() or path.resolve() != own:
                    names.append(name)
        subfolders.sort()
        for name in sorted(names):
            path = here / name
            yield path, _name_below(root, path), _not_taken(path)
        for error in refused:
            path = Path(os.fsdecode(error.filename))
            yield path, _name_below(root, path), f"the folder cannot be read: {error.strerror}"
        refused.clear()
    for error in refused:
        path = Path(os.fsdecode(error.filename))
        yield path, _name_below(root, path), f"the folder cannot be read: {error.strerror}"


def _holds_case(path: Path) -> bool:
    try:
        return (path / "evidence" / "data" / "journal.jsonl").is_file()
    except OSError:  # a folder that may not be entered: what is in it is said when it is walked
        return False


def _not_taken(path: Path) -> str:
    if path.is_symlink():
        return "a link: not followed"
    return "a case of devicehunt: hunt it by itself" if path.is_dir() else ""


def _name_below(root: Path, path: Path) -> str:
    return _encodable(path.relative_to(root).as_posix())


def _encodable(name: str) -> str:
    """A name whose bytes were no UTF-8, with those written as escapes: such a name could not be stored as it is."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_tar(source: Path) -> bool:
    try:
        return source.is_file() and tarfile.is_tarfile(source)
    except _BROKEN:
        return False


def _beyond_cap(name: str) -> Found:
    return _not_read(name, "the archive is larger than the cap: this and further files were not read")


def _safe_name(name: str) -> tuple[str, str]:
    """The name to look at, and what is wrong with it as a path."""
    parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".")]
    unsafe = name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":")
    clean = _encodable("/".join(p for p in parts if p != ".."))
    return clean or "unnamed", "its name points outside the archive: kept under a safe name" if unsafe else ""


class _Budget:
    def __init__(self) -> None:
        self.left, self.count = TOTAL_CAP, 0

    def read(self, handle: IO[bytes], size: int, name: str) -> Found:
        """Read one member within the caps; what breaks off is kept up to there."""
        found = Found(name, size)
        pieces: list[bytes] = []
        left = cap = min(FILE_CAP, self.left)
        try:
            while left > 0 and (piece := handle.read(min(left, 1 << 20))):
                pieces.append(piece)
                left -= len(piece)
            if left <= 0 and handle.read(1):
                found.problem, found.status = "decompresses to more than the cap: cut there", "cut"
        except _BROKEN as error:
            found.problem, found.status = f"damaged, it ends here: {_said(error)}", "cut" if pieces else "garbled"
        found.data = b"".join(pieces)
        found.size = len(found.data)
        self.left -= cap - left
        return found


_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError,
    NotImplementedError, ValueError, OverflowError, MemoryError,
)  # fmt: skip
"""How the libraries say that an archive is damaged, encrypted or made to hurt."""


def _said(error: BaseException) -> str:
    return shown(str(error) or type(error).__name__, 80)


def _walk_zip(source: Path) -> Iterator[Found]:
    budget = _Budget()
    try:
        with zipfile.ZipFile(source) as archive:
            for info in sorted(archive.infolist(), key=lambda i: i.filename):
                name, unsafe = _safe_name(info.filename)
                budget.count += 1
                if info.is_dir():
                    continue
                if budget.left <= 0 or budget.count > COUNT_CAP:
                    yield _beyond_cap(name)
                    return
                yield _marked(_zip_member(archive, info, name, budget), unsafe)
    except _BROKEN as error:
        problem = f"the archive cannot be read: {_said(error)}"
        yield Found("archive", 0, data=b"", problem=problem, status="garbled")


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, budget: _Budget) -> Found:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return _not_read(name, "a link or device: not followed")
    try:
        with archive.open(info) as handle:
            return budget.read(handle, info.file_size, name)
    except _BROKEN as error:
        return Found(name, 0, data=b"", problem=f"cannot be unpacked: {_said(error)}", status="garbled")


def _marked(found: Found, unsafe: str) -> Found:
    found.problem = found.problem or unsafe
    found.status = found.status or ("not-read" if unsafe else "")
    return found


class _Member(tarfile.TarInfo):
    """A tar header that refuses to hold gigabytes of names in memory, and to be a silent end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        """The header in these bytes. ReadError where the library would stop as if the archive ended there."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the end mark
            raise tarfile.ReadError(_NO_END if not buf else str(error)) from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        long = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if self.type in long and self.size > HEADER_CAP:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


class _Passed(io.RawIOBase):
    """A decompressed stream that ends with an error behind PASSED_CAP: skipping takes time too."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner = inner

    def read(self, count: int = -1) -> bytes:
        self._check(count)
        return self._inner.read(count)

    def read1(self, count: int = -1) -> bytes:
        """What there is, before the error that follows it."""
        self._check(count)
        piece: bytes = self._inner.read1(count)  # type: ignore[attr-defined]
        return piece

    def _check(self, count: int) -> None:
        if self._inner.tell() + max(count, 0) > PASSED_CAP:
            raise tarfile.ReadError("decompresses to more than the cap")

    def seek(self, place: int, whence: int = 0) -> int:
        if place > PASSED_CAP:
            raise tarfile.ReadError("decompresses to more than the cap")
        return self._inner.seek(place, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Body(io.RawIOBase):
    """The bytes of a plain member, those before a break too: the library's own reader loses them."""

    def __init__(self, stream: IO[bytes], member: tarfile.TarInfo) -> None:
        self._stream, self._left = stream, member.size
        stream.seek(member.offset_data)

    def read(self, count: int = -1) -> bytes:
        piece: bytes = self._stream.read1(min(count, self._left))  # type: ignore[attr-defined]
        if not piece and self._left:
            raise EOFError("unexpected end of data")
        self._left -= len(piece)
        return piece


def _decompressed(source: Path) -> IO[bytes]:
    with source.open("rb") as handle:
        magic = handle.read(6)
    if magic[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", _Passed(cast("IO[bytes]", gzip.open(source))))
    if magic[:3] == b"BZh":
        return cast("IO[bytes]", _Passed(cast("IO[bytes]", bz2.open(source))))
    if magic == b"\xfd7zXZ\0":
        return cast("IO[bytes]", _Passed(cast("IO[bytes]", lzma.open(source))))
    return source.open("rb")


_NO_END = "its end mark is missing"


def _behind_the_end(stream: IO[bytes]) -> bool:
    """Whether more than padding follows the end mark: another archive, say, that was appended."""
    left = PASSED_CAP
    while left > 0 and (piece := stream.read(1 << 20)):
        left -= len(piece)
        if piece.strip(b"\0"):
            return True
    return left <= 0


def _walk_tar(source: Path) -> Iterator[Found]:
    budget = _Budget()
    found: list[Found] = []
    try:
        with _decompressed(source) as stream, tarfile.open(fileobj=stream, mode="r:", tarinfo=_Member) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # the library keeps every header
                name, unsafe = _safe_name(member.name)
                budget.count += 1
                if budget.left <= 0 or budget.count > COUNT_CAP:
                    found.append(_beyond_cap(name))
                    break
                if member.isdir():
                    continue
                if not member.isreg():
                    found.append(_not_read(name, "a link or device: not followed"))
                    continue
                handle = archive.extractfile(member) if member.issparse() else _Body(stream, member)
                found.append(_marked(budget.read(cast("IO[bytes]", handle), member.size, name), unsafe))
            else:
                if _behind_the_end(stream):
                    found.append(_not_read("end-of-archive", "more follows behind the end of the archive: it was not read"))
    except _BROKEN as error:
        found.append(Found("end-of-archive", 0, data=b"", problem=f"the archive ends here, damaged: {_said(error)}", status="cut"))
    yield from sorted(found, key=lambda f: f.name)
