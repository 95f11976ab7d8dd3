"""Sources -> exhibits: what a file is, whose it is, and that none is lost on the way."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

import devicehunt
from devicehunt import archives, intake, platforms
from devicehunt.api import Job, Options
from devicehunt.case import Case, Entry
from devicehunt.errors import SourceError, UsageError
from devicehunt.text import slug

UNAME = b"Linux r 5.4.188 #0 SMP Mon Jan 6 10:00:00 2026 mips GNU/Linux\n"
PS = b"  PID USER       VSZ STAT COMMAND\n    1 root      1568 S    /sbin/procd\n"
DATE = b"Tue Jan  6 10:00:00 UTC 2026\n"
LINUX = [platforms.load("linux")]


def made(folder: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def take_in(case: Path, *sources: Path, **options: Any) -> list[Entry]:
    """Only the first step of a hunt: what the journal holds then, without the index (tests/test_bad_sources.py)."""
    Job(Case.open(case), Options(**options), lambda *_: None).take_in(sources)
    opened = Case.open(case)
    assert opened.verify() == []
    return [e for e in opened.entries if e.kind != "index"]


def tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def commands(entries: list[Entry]) -> dict[str, list[str | None]]:
    """device/snapshot -> commands."""
    found: dict[str, list[str | None]] = {}
    for entry in entries:
        found.setdefault(f"{entry.device}/{entry.snapshot}", []).append(entry.command)
    return {where: sorted(c, key=str) for where, c in found.items()}


def reasons(entries: list[Entry]) -> dict[str, str]:
    return {e.source: e.reason for e in entries}


# what a file is


def test_an_index_a_name_and_the_content(tmp_path: Path) -> None:
    index = {"a.txt": {"command": "ps w", "rc": 0, "time": 1767693600}, "gone.txt": "uname -a"}
    one = made(tmp_path / "one", **{"a.txt": PS, "b.txt": UNAME, "index.json": json.dumps(index).encode()})
    two = made(tmp_path / "two", **{"ps_w.log": PS, "whatever.bin": UNAME, "junk.dat": b"\x00\x01\x02nothing"})
    entries = {e.source: e for e in take_in(tmp_path / "c", one, two)}
    assert (entries["a.txt"].command, entries["a.txt"].exit_status) == ("ps w", 0)
    assert entries["a.txt"].collected_at == "2026-01-06T10:00:00+00:00"
    assert (entries["gone.txt"].kind, entries["gone.txt"].status) == ("missing", "not-collected")
    assert (entries["b.txt"].command, entries["b.txt"].reason) == (None, "not in the index")
    assert entries["ps_w.log"].command == "ps w"
    assert entries["whatever.bin"].command == "uname -a"
    assert entries["junk.dat"].reason.startswith("not recognised")


def test_the_capitals_of_an_option_count(tmp_path: Path) -> None:
    names = ("iptables -t nat -L -n -v", "ip6tables -L -n -v", "iptables -t nat -S")
    files = {f"{slug(n)}.txt": b"Chain PREROUTING (policy ACCEPT)\n" if "-L" in n else b"-P PREROUTING ACCEPT\n" for n in names}
    assert commands(take_in(tmp_path / "c", made(tmp_path / "r", **files)))["r/1"] == sorted(names)


def test_captures_and_flows_stay_where_they_are(tmp_path: Path) -> None:
    files = {"a.pcap": b"\xd4\xc3\xb2\xa1" + bytes(100), "b.pcapng": b"\x0a\x0d\x0d\x0a" + bytes(60), "c": b"\x0c\xa5" + bytes(9)}
    entries = take_in(tmp_path / "c", made(tmp_path / "r", **files, **{"ps_w.txt": PS}))
    kept = {e.source: (e.kind, e.status, e.size) for e in entries}
    assert kept["a.pcap"] == ("capture", None, 104)
    assert (kept["b.pcapng"][0], kept["c"][0]) == ("capture", "flow")
    assert {e.source: e.origin for e in entries if e.origin} == {n: str((tmp_path / "r" / n).resolve()) for n in files}
    assert not (tmp_path / "c" / "evidence" / "data" / entries[0].exhibit).exists()


def test_a_uac_archive(tmp_path: Path) -> None:
    top = "uac-router-linux-20260106"
    members = {
        f"{top}/live_response/process/ps_w.txt": PS,
        f"{top}/live_response/network/netstat_-anp.txt": b"Active Internet connections (servers and established)\n",
        f"{top}/[root]/etc/passwd": b"root:x:0:0:root:/root:/bin/ash\n",
        f"{top}/[root]/etc/case.yaml": b"operator: planted\n",
        f"{top}/[root]/usr/sbin/strange": b"\x7fELF" + bytes(200),
        f"{top}/uac.log": b"2026-01-06 10:00:00 INFO uac\n",
    }
    entries = take_in(tmp_path / "c", tar(tmp_path / f"{top}.tar.gz", members))
    assert {e.device for e in entries} == {top}
    assert len(entries) == len(members)
    by_path = {e.path: e.command for e in entries if e.path}
    assert by_path["/etc/passwd"] == "cat /etc/passwd"
    assert by_path["/usr/sbin/strange"] == "cat /usr/sbin/strange"
    assert "ps w" in {e.command for e in entries}
    assert "operator" not in Case.open(tmp_path / "c").meta


@pytest.mark.parametrize(("name", "mode"), [("r.tar", "w"), ("r.tgz", "w:gz"), ("r.tar.bz2", "w:bz2"), ("r.tar.xz", "w:xz")])
def test_every_kind_of_tar(tmp_path: Path, name: str, mode: str) -> None:
    entries = take_in(tmp_path / "c", tar(tmp_path / name, {"./ps_w.txt": PS, "./uname_-a.txt": UNAME}, mode))
    assert commands(entries) == {"r/1": ["ps w", "uname -a"]}


def test_an_archive_inside_is_named_and_not_unpacked(tmp_path: Path) -> None:
    inner = tar(tmp_path / "inner.tar.gz", {"uname_-a.txt": UNAME}).read_bytes()
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr("uname_-a.txt", UNAME)
    source = made(tmp_path / "r", **{"ps_w.txt": PS, "uname_-a.tar.gz": inner, "uname_-a.zip": box.getvalue()})
    said = reasons(take_in(tmp_path / "c", source))
    assert sum("an archive inside" in r for r in said.values()) == 2


EVIL = PS + b"   66 root      1568 S    /tmp/.x\n"


def test_an_archive_may_hold_two_files_of_one_name(tmp_path: Path) -> None:
    index = json.dumps({"a.txt": {"command": "ps w", "rc": 0}}).encode()
    source = tmp_path / "r.tar"
    with tarfile.open(source, "w") as archive:
        for name, data in (("index.json", index), ("a.txt", EVIL), ("a.txt", PS)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    entries = take_in(tmp_path / "c", source)
    assert [(e.command, e.size) for e in entries] == [("ps w", len(EVIL)), ("ps w", len(PS))]


def test_an_index_that_contradicts_itself_is_not_believed(tmp_path: Path) -> None:
    index = b'{"a.txt": "ps w", "a.txt": "uptime", "b.txt": {"command": "date", "command": "df"}, "gone": 5, "u.txt": "uname -a"}'
    entries = take_in(tmp_path / "c", made(tmp_path / "r", **{"index.json": index, "a.txt": EVIL, "b.txt": DATE, "u.txt": UNAME}))
    assert {e.source: (e.command, e.status) for e in entries} == {
        "a.txt": (None, "not-read"), "b.txt": (None, "not-read"), "gone": (None, "not-read"), "u.txt": ("uname -a", None),
    }  # fmt: skip
    assert "twice" in reasons(entries)["a.txt"]


def test_text_that_no_file_takes_is_stored_as_escapes(tmp_path: Path) -> None:
    index = b'{"a.txt": "cat /etc/caf\\udce9", "b\\ud800.txt": "ps w"}'
    entries = take_in(tmp_path / "c", made(tmp_path / "r", **{"index.json": index, "a.txt": b"x\n"}))
    assert {e.source: e.command for e in entries} == {"a.txt": "cat /etc/caf\\udce9", "b\\ud800.txt": "ps w"}
    source = tmp_path / "uac.tar"
    with tarfile.open(source, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        info = tarfile.TarInfo("[root]/etc/caf\xe9")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"x\n"))
    (entry,) = take_in(tmp_path / "c2", source)
    assert (entry.source, entry.command) == ("[root]/etc/caf\\xe9", "cat /etc/caf\\xe9")


# whose it is


def test_one_device_a_source_and_snapshots_in_folders(tmp_path: Path) -> None:
    for name in ("north", "south"):
        for when in ("before", "during"):
            made(tmp_path / name / when, **{"ps_w.txt": PS, "uname_-a.txt": UNAME + name.encode()})
    entries = take_in(tmp_path / "c", tmp_path / "north", tmp_path / "south")
    assert set(commands(entries)) == {"north/before", "north/during", "south/before", "south/during"}


def test_devices_in_folders_of_one_source(tmp_path: Path) -> None:
    for name in ("north", "south"):
        made(tmp_path / "fleet" / name, **{"ps_w.txt": PS, "uname_-a.txt": UNAME})
    assert set(commands(take_in(tmp_path / "c", tmp_path / "fleet"))) == {"north/1", "south/1"}


def test_topics_in_folders_are_one_collection(tmp_path: Path) -> None:
    made(tmp_path / "r" / "process", **{"ps_w.txt": PS})
    made(tmp_path / "r" / "system", **{"uname_-a.txt": UNAME})
    assert commands(take_in(tmp_path / "c", tmp_path / "r")) == {"r/1": ["ps w", "uname -a"]}


def test_sources_of_one_name_get_their_parents(tmp_path: Path) -> None:
    for site in ("paris", "rome"):
        made(tmp_path / site / "router", **{"ps_w.txt": PS})
    entries = take_in(tmp_path / "c", tmp_path / "paris" / "router", tmp_path / "rome" / "router")
    assert {e.device for e in entries} == {"paris-router", "rome-router"}


def test_a_source_given_twice_is_one(tmp_path: Path) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS})
    assert len(take_in(tmp_path / "c", source, tmp_path / "x" / ".." / "r" if (tmp_path / "x").mkdir() is None else source)) == 1


def test_files_of_one_device_are_one_collection(tmp_path: Path) -> None:
    source = made(tmp_path / "in", **{"ps_w.txt": PS, "uname_-a.txt": UNAME})
    entries = take_in(tmp_path / "c", source / "ps_w.txt", source / "uname_-a.txt", device="edge 1")
    assert commands(entries) == {"edge_1/1": ["ps w", "uname -a"]}
    assert len({e.exhibit for e in entries}) == 2


def test_two_collections_of_one_device_are_two_snapshots(tmp_path: Path) -> None:
    first = made(tmp_path / "mon", **{"ps_w.txt": PS, "date.txt": DATE})
    second = made(tmp_path / "tue", **{"ps_w.txt": PS, "date.txt": DATE.replace(b"Tue Jan  6", b"Wed Jan  7")})
    entries = take_in(tmp_path / "c", first, second, device="r")
    assert commands(entries) == {"r/1": ["date", "ps w"], "r/2": ["date", "ps w"]}
    # and the same again adds nothing
    assert take_in(tmp_path / "c", first, second, device="r") == entries
    assert take_in(tmp_path / "c", second, device="r") == entries


def test_two_logs_of_one_device_are_two_snapshots(tmp_path: Path) -> None:
    log = b"root@r:~# uname -a\n%broot@r:~# date\n%broot@r:~# \n"
    for name, when in (("a.log", DATE), ("b.log", DATE.replace(b"10:00", b"11:00"))):
        (tmp_path / name).write_bytes(log % (UNAME, when))
    entries = take_in(tmp_path / "c", tmp_path / "a.log", tmp_path / "b.log", device="r")
    assert [(e.kind, e.snapshot) for e in entries] == [("transcript", "1"), ("transcript", "2")]


def test_a_case_grows(tmp_path: Path) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS, "uname_-a.txt": UNAME})
    before = take_in(tmp_path / "c", source)
    made(source, **{"date.txt": DATE})  # its name sorts before the others
    after = take_in(tmp_path / "c", source)
    assert after[: len(before)] == before
    assert commands(after) == {"r/1": ["date", "ps w", "uname -a"]}
    (source / "uname_-a.txt").write_bytes(UNAME.replace(b" r ", b" s "))
    assert set(commands(take_in(tmp_path / "c", source))) == {"r/1", "r/2"}


def test_what_was_missing_and_comes_later_joins_its_collection(tmp_path: Path) -> None:
    index = json.dumps({"a.txt": "ps w", "b.txt": "uname -a"}).encode()
    source = made(tmp_path / "r", **{"a.txt": PS, "index.json": index})
    assert {e.kind for e in take_in(tmp_path / "c", source)} == {"output", "missing"}
    made(source, **{"b.txt": UNAME})
    entries = take_in(tmp_path / "c", source)
    assert {e.snapshot for e in entries} == {"1"}
    assert sorted((e.kind, e.source) for e in entries) == [("missing", "b.txt"), ("output", "a.txt"), ("output", "b.txt")]


def test_an_order_that_nobody_noted_is_none(tmp_path: Path) -> None:
    plain = take_in(tmp_path / "c", made(tmp_path / "r", **{"ps_w.txt": PS, "uname_-a.txt": UNAME}))
    assert {e.seq for e in plain} == {0}
    index = {"ps_w.txt": {"command": "ps w", "time": 20}, "uname_-a.txt": {"command": "uname -a", "time": 10}}
    timed = take_in(tmp_path / "c2", made(tmp_path / "r", **{"index.json": json.dumps(index).encode()}))
    assert [e.command for e in sorted(timed, key=lambda e: e.seq)] == ["uname -a", "ps w"]


# the collector's own words


CASE = b"operator: A. Analyst\ncase_number: 2026-17\nauthority: ~\n"


def test_case_yaml_beside_the_outputs(tmp_path: Path) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS, "case.yaml": CASE})
    entries = take_in(tmp_path / "c", source)
    assert [e.command for e in entries] == ["ps w"]
    meta = Case.open(tmp_path / "c").meta
    assert (meta["operator"], meta["case_number"], "authority" in meta) == ("A. Analyst", "2026-17", False)


def test_case_info_stands_above_case_yaml_and_several_are_joined(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made(tmp_path / name, **{"ps_w.txt": PS, "case.yaml": b"operator: X\ndevice_owner: owner of %s\n" % name.encode()})
    (tmp_path / "info.yaml").write_text("operator: Y\n")
    take_in(tmp_path / "c", tmp_path / "b", tmp_path / "a", case_info=tmp_path / "info.yaml")
    meta = Case.open(tmp_path / "c").meta
    assert (meta["operator"], meta["device_owner"]) == ("Y", "owner of a; owner of b")


BOMB = b"operator: [&a0 [x, x]" + b"".join(b", &a%d [*a%d, *a%d]" % (n, n - 1, n - 1) for n in range(1, 60)) + b"]\n"


@pytest.mark.parametrize("text", [b"operater: me\n", b"[", b"- a\n", b"\xff\xfe", b"[" * 9000, BOMB, b"scope: " + b"x" * (2 << 20)])
def test_a_case_yaml_that_is_none_is_a_gap_with_a_reason(tmp_path: Path, text: bytes) -> None:
    entries = take_in(tmp_path / "c", made(tmp_path / "r", **{"ps_w.txt": PS, "case.yaml": text}))
    assert {e.source: e.status for e in entries} == {"ps_w.txt": None, "case.yaml": "not-read"}
    assert "case.yaml" in reasons(entries)["case.yaml"]


# bad days


def test_a_source_without_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    full = made(tmp_path / "full", **{"ps_w.txt": PS})
    entries = take_in(tmp_path / "c", full, tmp_path / "empty")
    assert {e.device: e.reason for e in entries} == {"full": "", "empty": "there is no file in this source"}


def test_a_pipe_is_no_source_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        list(intake.take([tmp_path / "pipe"], LINUX))


def test_a_source_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS})
    real = Path.open

    def denied(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "ps_w.txt":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(SourceError, match="Permission denied"):
        list(intake.take([source / "ps_w.txt"], LINUX))
    entries = take_in(tmp_path / "c", source)  # one bad file of a folder stops nothing
    assert reasons(entries) == {"ps_w.txt": "cannot be read: Permission denied"}


def test_a_folder_that_may_not_be_read_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS, "secret/uname_-a.txt": UNAME})
    real = os.scandir

    def denied(path: Any = ".") -> Any:
        if str(path).endswith("secret"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", denied)
    said = reasons(take_in(tmp_path / "c", source))
    assert said == {"ps_w.txt": "", "secret": "the folder cannot be read: Permission denied"}


def test_a_folder_that_may_not_be_entered_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS, "secret/uname_-a.txt": UNAME})
    scan, look = os.scandir, os.stat

    def denied(real: Any) -> Any:
        def refuse(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
            if "/secret/" in f"{path}/" and (real is scan or not str(path).endswith("secret")):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(path, *args, **kwargs)

        return refuse

    monkeypatch.setattr(os, "scandir", denied(scan))
    monkeypatch.setattr(os, "stat", denied(look))
    found = {f.name: f.problem for f in archives.walk(source)}
    assert found == {"ps_w.txt": "", "secret": "the folder cannot be read: Permission denied"}


def test_a_medium_that_fails_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS, "uname_-a.txt": UNAME})
    real = archives._to_the_end

    def failing(handle: Any) -> None:
        if handle.name.endswith("ps_w.txt"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    monkeypatch.setattr(archives, "_to_the_end", failing)
    said = reasons(take_in(tmp_path / "c", source))
    assert said == {"ps_w.txt": "cannot be read: Input/output error", "uname_-a.txt": ""}


def test_our_own_case_inside_the_source_is_no_evidence(tmp_path: Path) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS})
    first = take_in(source / "case-r", source)
    assert [e.command for e in first] == ["ps w"]
    assert take_in(source / "case-r", source) == first
    other = take_in(tmp_path / "c", source)
    assert reasons(other) == {"ps_w.txt": "", "case-r": "a case of devicehunt: hunt it by itself"}


def test_a_case_among_sources_is_refused(tmp_path: Path) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt": PS})
    take_in(tmp_path / "c", source)
    for given in ([tmp_path / "c", source], [tmp_path / "c"]):
        with pytest.raises(UsageError, match="is a case"):
            take_in(tmp_path / "c2", *given)
    assert not (tmp_path / "c2").exists() or not list((tmp_path / "c2").iterdir())


def test_names_that_no_system_likes(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path / "r")
    Path(os.fsdecode(root)).mkdir()
    for name in (b"caf\xe9.txt", b"a\nb.txt", b"\x1b[31m.txt", b"-rf", b"x" * 250, b"con.txt", "ps_w\u202e.txt".encode()):
        Path(os.fsdecode(root + b"/" + name)).write_bytes(UNAME)
    entries = take_in(tmp_path / "c", tmp_path / "r")
    assert len(entries) == len({e.exhibit for e in entries}) == 7
    for entry in entries:
        assert entry.exhibit.isascii()
        assert not set(entry.source) & set("\n\x1b\u202e")


# archives that were made to hurt


def test_a_tar_whose_sizes_lie(tmp_path: Path) -> None:
    for size in (1 << 20, 1 << 40, (1 << 62)):
        info = tarfile.TarInfo("uname_-a.txt")
        info.size = size
        honest = tarfile.TarInfo("ps_w.txt")
        honest.size = len(PS)
        body = honest.tobuf() + PS.ljust(512, b"\0") + info.tobuf() + UNAME
        for name, data in (("r.tar", body), ("r.tar.gz", gzip.compress(body))):
            (tmp_path / name).write_bytes(data)
            entries = take_in(tmp_path / f"{name}-{size}", tmp_path / name)
            said = reasons(entries)
            assert said["ps_w.txt"] == ""
            assert "ends here" in said["uname_-a.txt"], said
            stored = next(e for e in entries if e.source == "uname_-a.txt")
            assert (stored.status, stored.size) == ("cut", len(UNAME))


def test_a_sparse_tar_and_long_headers_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FILE_CAP", 4 << 20)
    monkeypatch.setattr(archives, "PASSED_CAP", 64 << 20)
    ps = tarfile.TarInfo("ps_w.txt")
    ps.size = len(PS)
    start = ps.tobuf() + PS.ljust(512, b"\0")
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 200 << 20
    wide = tarfile.TarInfo("wide")
    wide.type, wide.size = tarfile.XHDTYPE, 200 << 20
    pax = tarfile.TarInfo("uname_-a.txt")
    pax.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 50)}
    big = tarfile.TarInfo("uname_-a.txt")
    big.size = 60 << 20
    for number, body in enumerate(
        (
            start + long.tobuf() + bytes(200 << 20), start + wide.tobuf() + bytes(200 << 20),
            start + pax.tobuf(tarfile.PAX_FORMAT) + bytes(1024), start + big.tobuf() + bytes(200 << 20),
        )
    ):  # fmt: skip
        source = tmp_path / f"r{number}.tar.gz"
        source.write_bytes(gzip.compress(body, 1))
        del body
        tracemalloc.start()
        found = list(archives.walk(source))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 32 << 20, (number, peak)
        assert [f.read() for f in found if f.name == "ps_w.txt"] == [PS]
        assert any(f.problem for f in found), number


def test_many_tiny_files_and_folders_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "COUNT_CAP", 50)
    names = {f"{n:04d}.txt": b"x" for n in range(120)}
    source = made(tmp_path / "r", **names)
    dirs = tmp_path / "dirs.tar"
    with tarfile.open(dirs, "w") as archive:
        for n in range(120):
            info = tarfile.TarInfo(f"d{n}")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as box:
        for name in names:
            box.writestr(name, b"x")
    for given in (source, tar(tmp_path / "r.tar", names, "w"), tmp_path / "r.zip", dirs):
        found = list(archives.walk(given))
        assert len(found) <= 51
        assert "further" in found[-1].problem, given
        assert found[-1].status == "not-read"


def test_an_archive_keeps_at_most_the_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FILE_CAP", 1000)
    monkeypatch.setattr(archives, "TOTAL_CAP", 2500)
    members = {f"{n}.txt": bytes(1000) for n in range(9)}
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as box:
        for name, data in members.items():
            box.writestr(name, data)
    for given in (tar(tmp_path / "r.tar.gz", members), tmp_path / "r.zip"):
        found = list(archives.walk(given))
        assert sum(len(f.read()) for f in found) == 2500
        assert [f.status for f in found] == ["", "", "cut", "not-read"]


def test_a_zip_that_cannot_be_opened_everywhere(tmp_path: Path) -> None:
    source = tmp_path / "r.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_STORED) as box:
        box.writestr("ps_w.txt", PS)
        box.writestr("uname_-a.txt", UNAME)
        link = zipfile.ZipInfo("date.txt")
        link.external_attr = 0o120777 << 16
        box.writestr(link, "/etc/shadow")
    data = source.read_bytes()
    source.write_bytes(data.replace(UNAME, UNAME.replace(b"Linux", b"LINUX")))  # its checksum is now wrong
    said = reasons(take_in(tmp_path / "c", source))
    assert said["ps_w.txt"] == ""
    assert "damaged" in said["uname_-a.txt"]
    assert said["date.txt"] == "a link or device: not followed"
    encrypted = bytearray(data)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = encrypted.find(mark)
        encrypted[at + place] |= 1
    (tmp_path / "e.zip").write_bytes(encrypted)
    assert "is encryp" in reasons(take_in(tmp_path / "c2", tmp_path / "e.zip"))["ps_w.txt"]
    (tmp_path / "t.zip").write_bytes(data[:60] + data[90:])
    assert take_in(tmp_path / "c3", tmp_path / "t.zip")


def test_a_gzip_that_breaks_off_keeps_its_bytes(tmp_path: Path) -> None:
    source = made(tmp_path / "r", **{"ps_w.txt.gz": gzip.compress(PS * 500)[:-20], "uname_-a.txt.gz": gzip.compress(UNAME)})
    entries = {e.source: e for e in take_in(tmp_path / "c", source)}
    assert entries["uname_-a.txt"].command == "uname -a"
    assert (entries["ps_w.txt"].status, "damaged gzip" in entries["ps_w.txt"].reason) == ("garbled", True)


def test_a_transfer_that_broke_off_keeps_what_came(tmp_path: Path) -> None:
    import random

    noise = random.Random(1).randbytes(200_000)
    whole = tar(tmp_path / "w.tar.gz", {"ps_w.txt": PS, "uname_-a.txt": UNAME + noise}).read_bytes()
    (tmp_path / "r.tar.gz").write_bytes(whole[: len(whole) // 2])
    entries = {e.source: e for e in take_in(tmp_path / "c", tmp_path / "r.tar.gz")}
    assert (entries["ps_w.txt"].command, entries["ps_w.txt"].status) == ("ps w", None)
    assert entries["uname_-a.txt"].status == "cut"
    assert entries["uname_-a.txt"].size > 50_000
    assert entries["end-of-archive"].reason.startswith("the archive ends here")


def test_a_tar_does_not_end_in_silence(tmp_path: Path) -> None:
    first, second = (tar(tmp_path / f"{n}.tar", {n: d}, "w").read_bytes() for n, d in (("uname_-a.txt", UNAME), ("ps_w.txt", EVIL)))
    both = bytearray(tar(tmp_path / "both.tar", {"uname_-a.txt": UNAME, "ps_w.txt": EVIL}, "w").read_bytes())
    damaged = both.copy()
    damaged[1024 + 3] ^= 1  # one byte of the second header
    ends = {
        "whole": (bytes(both), None),
        "damaged": (bytes(damaged), "bad checksum"),
        "appended": (first + second, "more follows behind the end"),
        "cut-between": (bytes(both[:1024]), "its end mark is missing"),
        "cut-within": (bytes(both[:1224]), "truncated header"),
    }
    for name, (body, said) in ends.items():
        for suffix, data in ((".tar", body), (".tgz", gzip.compress(body))):
            (tmp_path / f"{name}{suffix}").write_bytes(data)
            found = list(archives.walk(tmp_path / f"{name}{suffix}"))
            problems = [f.problem for f in found if f.problem]
            assert len(problems) == (said is not None), (name, suffix, problems)
            assert said is None or said in problems[0]
            assert "uname_-a.txt" in [f.name for f in found]


def test_a_log_that_ends_in_a_zip_is_a_log(tmp_path: Path) -> None:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr("ps_w.txt", PS)
    log = b"root@r:~# ps w\n" + EVIL + b"root@r:~# uname -a\n" + UNAME + b"root@r:~# \n"
    (tmp_path / "r.log").write_bytes(log + box.getvalue())
    (entry,) = take_in(tmp_path / "c", tmp_path / "r.log")
    assert (entry.kind, entry.size) == ("transcript", len(log) + len(box.getvalue()))


def test_fuzzed_archives_raise_nothing(tmp_path: Path) -> None:
    import random

    chance = random.Random(5)
    whole = tar(tmp_path / "w.tar", {"ps_w.txt": PS, "uname_-a.txt": UNAME, "x" * 150: DATE}, "w").read_bytes()
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ps_w.txt", PS)
        archive.writestr("uname_-a.txt", UNAME)
    began = time.monotonic()
    for number in range(300):
        data = bytearray(whole[:4096] if number % 2 else box.getvalue())
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        source = tmp_path / "fuzz"
        source.write_bytes(gzip.compress(bytes(data), 1) if number % 3 == 0 else bytes(data))
        assert list(archives.walk(source)), number
    assert time.monotonic() - began < 60


# outputs of two platforms side by side

CONFIG = (Path(__file__).parent.parent / "fixtures" / "cases" / "ios-taken" / "device" / "show_running-config.txt").read_bytes()


def test_outputs_of_another_platform_are_another_device(tmp_path: Path) -> None:
    mixed = made(tmp_path / "edge", **{"ps_w.txt": PS, "uname_-a.txt": UNAME, "date.txt": DATE, "show_running-config.txt": CONFIG})
    assert commands(take_in(tmp_path / "case", mixed)) == {
        "edge/1": ["date", "ps w", "uname -a"],
        "edge-cisco_ios/1": ["show running-config"],
    }


def test_files_of_another_platform_that_come_later_are_another_device(tmp_path: Path) -> None:
    first = made(tmp_path / "a", **{"ps_w.txt": PS, "uname_-a.txt": UNAME})
    later = made(tmp_path / "b", **{"show_running-config.txt": CONFIG})
    take_in(tmp_path / "case", first, device="edge")
    assert commands(take_in(tmp_path / "case", later, device="edge")) == {
        "edge/1": ["ps w", "uname -a"],
        "edge-cisco_ios/1": ["show running-config"],
    }


def test_what_the_smaller_part_shows_is_found(tmp_path: Path) -> None:
    alone = devicehunt.hunt([made(tmp_path / "ios", **{"show_running-config.txt": CONFIG})], case=tmp_path / "one")
    many = {"ps_w.txt": PS, "uname_-a.txt": UNAME, "date.txt": DATE}
    both = devicehunt.hunt([made(tmp_path / "edge", **many, **{"show_running-config.txt": CONFIG})], case=tmp_path / "two")
    found = sorted((f.rule, f.level) for f in alone.findings)
    assert any(level in ("high", "critical") for _, level in found)
    assert sorted((f.rule, f.level) for f in both.findings if f.device == "edge-cisco_ios") == found
