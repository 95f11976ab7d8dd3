"""Files of a source: a folder, one file, or an archive read in memory, never unpacked to disk.

Names inside an archive are only looked at. Links are never followed. Sizes are capped before
anything is decompressed; what a cap left out is said.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devicehunt.text import shown

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.xz", ".tar.bz2")
FILE_CAP = 256 * 1024 * 1024
"""Bytes read of one file; the rest is cut, and said."""
TOTAL_CAP = 2 * 1024 * 1024 * 1024
"""Bytes decompressed of one archive."""
COUNT_CAP = 200_000
"""Files taken from one source."""


@dataclass
class Found:
    """One file of a source. `problem` says why it can not be (wholly) read, `status` what that means."""

    name: str
    size: int
    opener: Callable[[], bytes] | None = None
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
        return self.opener() if self.opener else b""

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        if self.file is not None and self.data is None:
            with self.file.open("rb") as handle:
                return handle.read(count)
        return self.read()[:count]

    def sha256(self) -> str:
        """SHA-256 of its bytes, read in pieces where it is a file."""
        if self.file is not None:
            with self.file.open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest()
        return hashlib.sha256(self.read()).hexdigest()


def walk(source: Path) -> Iterator[Found]:
    """All files of a source, in the order of their names."""
    if source.is_dir():
        yield from _walk_folder(source)
    elif zipfile.is_zipfile(source):
        yield from _walk_zip(source)
    elif _is_tar(source):
        yield from _walk_tar(source)
    else:
        yield _one_file(source, source.name)


def _one_file(path: Path, name: str) -> Found:
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        return Found(name, 0, data=b"", problem="not a regular file: not opened", status="not-read")
    found = Found(name, info.st_size, file=path)
    with path.open("rb") as handle:
        magic = handle.read(2)
    if magic == b"\x1f\x8b":
        return _gunzip(path, name.removesuffix(".gz"))
    if info.st_size > FILE_CAP:
        found.problem, found.status = f"larger than {FILE_CAP >> 20} MiB: only its beginning was read", "cut"
    return found


def _gunzip(path: Path, name: str) -> Found:
    try:
        with gzip.open(path) as handle:
            data = handle.read(FILE_CAP + 1)
    except (OSError, EOFError, zlib.error) as error:
        raw = path.read_bytes()[:FILE_CAP]
        return Found(name, len(raw), data=raw, problem=f"damaged gzip: {shown(str(error), 80)}", status="garbled")
    if len(data) > FILE_CAP:
        return Found(name, FILE_CAP, data=data[:FILE_CAP], problem="decompresses to more than the cap", status="cut")
    return Found(name, len(data), data=data)


def _walk_folder(root: Path) -> Iterator[Found]:
    count = 0
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        for name in sorted([*names, *(s for s in subfolders if (Path(folder) / s).is_symlink())]):
            path = Path(folder) / name
            relative = path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            count += 1
            if count > COUNT_CAP:
                problem = f"more than {COUNT_CAP} files: this and further ones were not taken"
                yield Found(relative, 0, data=b"", problem=problem, status="not-read")
                return
            if path.is_symlink():
                yield Found(relative, 0, data=b"", problem="a link: not followed", status="not-read")
                continue
            try:
                yield _one_file(path, relative)
            except OSError as error:
                yield Found(relative, 0, data=b"", problem=f"cannot be opened: {error.strerror}", status="not-read")


def _is_tar(source: Path) -> bool:
    try:
        return source.is_file() and tarfile.is_tarfile(source)
    except (OSError, EOFError, zlib.error):
        return False


def _beyond_cap(name: str) -> Found:
    return Found(name, 0, data=b"", problem="the archive is larger than the cap: this and further files were not read", status="not-read")


def _safe_name(name: str) -> tuple[str, str]:
    """The name to look at, and what is wrong with it as a path."""
    parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".")]
    unsafe = name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":")
    clean = "/".join(p for p in parts if p != "..")
    return clean or "unnamed", "its name points outside the archive: kept under a safe name" if unsafe else ""


class _Budget:
    def __init__(self) -> None:
        self.left, self.count = TOTAL_CAP, 0

    def read(self, handle: IO[bytes], size: int, name: str) -> Found:
        """Read one member within the caps."""
        self.count += 1
        cap = min(FILE_CAP, self.left)
        data = handle.read(cap + 1)
        self.left -= min(len(data), cap)
        if len(data) > cap:
            return Found(name, size, data=data[:cap], problem="decompresses to more than the cap: cut there", status="cut")
        return Found(name, len(data), data=data)


def _walk_zip(source: Path) -> Iterator[Found]:
    budget = _Budget()
    with zipfile.ZipFile(source) as archive:
        for info in sorted(archive.infolist(), key=lambda i: i.filename):
            if info.is_dir():
                continue
            name, unsafe = _safe_name(info.filename)
            if budget.left <= 0 or budget.count >= COUNT_CAP:
                yield _beyond_cap(name)
                return
            if stat.S_ISLNK(info.external_attr >> 16):
                yield Found(name, 0, data=b"", problem="a link: not followed", status="not-read")
                continue
            try:
                with archive.open(info) as handle:
                    found = budget.read(handle, info.file_size, name)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, zlib.error) as error:
                yield Found(name, 0, data=b"", problem=f"cannot be unpacked: {shown(str(error), 80)}", status="garbled")
                continue
            found.problem = found.problem or unsafe
            found.status = found.status or ("not-read" if unsafe else "")
            yield found


def _walk_tar(source: Path) -> Iterator[Found]:
    budget = _Budget()
    found: list[Found] = []
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                if member.isdir():
                    continue
                name, unsafe = _safe_name(member.name)
                if budget.left <= 0 or budget.count >= COUNT_CAP:
                    found.append(_beyond_cap(name))
                    break
                handle = archive.extractfile(member) if member.isreg() else None
                if handle is None:
                    found.append(Found(name, 0, data=b"", problem="a link or device: not followed", status="not-read"))
                    continue
                one = budget.read(handle, member.size, name)
                one.problem = one.problem or unsafe
                one.status = one.status or ("not-read" if unsafe else "")
                found.append(one)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        found.append(Found("end-of-archive", 0, data=b"", problem=f"the archive ends here, damaged: {shown(str(error), 80)}", status="cut"))
    yield from sorted(found, key=lambda f: f.name)
