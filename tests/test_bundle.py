"""show tech-support: one file, parted by its headings into commands."""

from __future__ import annotations

from pathlib import Path

from devicehunt import hunt, platforms
from devicehunt.bundle import split
from devicehunt.model import EndProof, Section, Status

CONFIG = (Path(__file__).resolve().parent.parent / "fixtures" / "cisco_ios" / "running_config" / "branch.raw").read_bytes()
VERSION, RUNNING = b"------------------ show version ------------------\n", b"------------------ show running-config ------------------\n"
HEADING = platforms.load("cisco_ios").stanzas["tech_support"].split


def whole(data: bytes) -> Section:
    return Section("r/1/01.txt", "r", "1", 1, "show tech-support", data)


def test_headings_part_it_and_lines_keep_their_numbers() -> None:
    assert HEADING is not None
    data = b"\n" + VERSION + b"\nCisco IOS\n" + RUNNING + CONFIG
    found = split(whole(data), HEADING)
    assert [(s.command, s.first_line, s.end_proof) for s in found] == [
        ("show version", 3, EndProof.TRAILER), ("show running-config", 6, EndProof.NONE),
    ]  # fmt: skip
    assert found[0].data == b"\nCisco IOS\n"
    assert found[1].data == CONFIG


def test_what_stands_before_the_first_heading_is_a_gap() -> None:
    assert HEADING is not None
    found = split(whole(b"typed by somebody\n------------------ show clock ------------------\n10:00:00\n"), HEADING)
    assert [(s.command, s.status) for s in found] == [("", Status.NOT_READ), ("show clock", None)]
    assert [s.status for s in split(whole(b"no heading at all\n"), HEADING)] == [Status.NOT_READ]


def test_a_bundle_gives_the_facts_of_its_commands(tmp_path: Path) -> None:
    source = tmp_path / "tech.txt"
    source.write_bytes(VERSION + b"x\n" + RUNNING + CONFIG)
    case = hunt([source], case=tmp_path / "case")
    assert case.query("select name, line from accounts").fetchall() == [("breakglass", 43)]
    assert case.entries[0].platform == "cisco_ios"
