"""A folder of configurations: many devices, one device, or one device on several days."""

from __future__ import annotations

from pathlib import Path

import pytest

from devicehunt import intake, platforms

IOS = "version 15.7\n!\nhostname {name}\n!\nusername netops privilege 15 secret 9 $9$x$y\n!\nline vty 0 4\n transport input ssh\n!\nend\n"
EXPORT = "# 2026-01-06 10:00:00 by RouterOS 7.16.1\n/interface bridge\nadd name=bridge\n/system identity\nset name={name}\n"


def taken_from(folder: Path, files: dict[str, str]) -> dict[tuple[str, str], list[str]]:
    """(device, snapshot) -> the files of it, of a folder with such files."""
    for name, text in files.items():
        (folder / "fleet" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "fleet" / name).write_text(text, encoding="utf-8")
    known = [platforms.load(n) for n in platforms.names()]
    (found,) = intake.take([folder / "fleet"], known)
    return {(s.device, s.name): sorted(o.found.name for o in s.outputs) for s in found.snapshots}


def test_a_folder_of_configurations_is_a_fleet(tmp_path: Path) -> None:
    files = {"r1.cfg": IOS.format(name="a"), "r2.cfg": IOS.format(name="b"), "hut.rsc": EXPORT.format(name="c"), "notes.dat": "x\n"}
    found = taken_from(tmp_path, {**files, "north/r1.cfg": IOS.format(name="d"), "north/r3.cfg": IOS.format(name="e")})
    assert set(found) == {("r1", "1"), ("r2", "1"), ("hut", "1"), ("north-r1", "1"), ("r3", "1")}
    assert sorted(f for names in found.values() for f in names) == sorted([*files, "north/r1.cfg", "north/r3.cfg"])


@pytest.mark.parametrize(
    "files",
    [
        {"r1.cfg": IOS.format(name="a")},  # one of them is the device that the folder is named after
        {"show_running-config.txt": IOS.format(name="a"), "show_startup-config.txt": "Using 99 out of 999 bytes\n" + IOS.format(name="a")},
        {"export.rsc": EXPORT.format(name="a"), "export_verbose.rsc": EXPORT.format(name="a")},
        {"r1.cfg": IOS.format(name="a"), "r2.cfg": IOS.format(name="b"), "show_version.txt": "Cisco IOS Software, C2900 Software\n"},
    ],
)
def test_the_configurations_of_one_device_stay_together(tmp_path: Path, files: dict[str, str]) -> None:
    assert taken_from(tmp_path, files) == {("fleet", "1"): sorted(files)}


def test_configurations_named_after_days_are_snapshots(tmp_path: Path) -> None:
    found = taken_from(tmp_path, {"before.rsc": EXPORT.format(name="a"), "2026-01-07.rsc": EXPORT.format(name="b")})
    assert set(found) == {("fleet", "before"), ("fleet", "2026-01-07")}
