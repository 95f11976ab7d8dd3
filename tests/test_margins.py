"""Colours, line numbers, quoting marks and indents: read through where that is sure, a doubt where it is not, never silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devicehunt import margins, parse, platforms
from devicehunt.model import Section
from tests.test_bad_input import UNAME, cli, folder, hunt
from tests.test_parsers import GOOD, WANT

Dress = Callable[[bytes], bytes]


def coloured(data: bytes) -> bytes:
    return b"\n".join(b"\x1b[01;31m\x1b[K" + t[:3] + b"\x1b[m\x1b[K" + t[3:] if t.strip() else t for t in data.split(b"\n"))


def before(mark: bytes) -> Dress:
    return lambda data: b"".join(mark + t for t in data.splitlines(keepends=True))


def numbered(form: bytes) -> Dress:
    return lambda data: b"".join(form % n + t for n, t in enumerate(data.splitlines(keepends=True), 1))


def nl(data: bytes) -> bytes:
    out, number = [], 0
    for text in data.splitlines(keepends=True):
        number += bool(text.strip())
        out.append(b"%6d\t" % number + text if text.strip() else b" " * 7 + text)
    return b"".join(out)


DRESSES: dict[str, Dress] = {
    "colour": coloured, "quote": before(b"> "), "quoted twice": before(b"> > "), "side": before(b"| "), "indent": before(b"    "),
    "cat -n": numbered(b"%6d\t"), "nl": nl, "grep -n": numbered(b"%d:"), "12: ": numbered(b"%4d: "), "12 | ": numbered(b"%3d | "),
    "less -N": numbered(b"%7d "),
}  # fmt: skip
BY_STANZA = {raw.parent: raw for raw, _ in GOOD}


def read(raw: Path, data: bytes) -> parse.Parsed:
    platform = platforms.load(raw.parent.parent.name)
    stanza, want = platform.stanzas[raw.parent.name], WANT[raw]
    asked = want.get("command") or stanza.command
    return parse.parse(Section("x", "d", "1", 1, asked, data, exit_status=want.get("exit_status")), stanza, platform)


def bare(found: parse.Parsed) -> list[dict[str, object]]:
    # the whole line is kept by some templates, only to be measured
    return [{k: v for k, v in row.items() if k != "whole" and v is not None} for row in found.rows]


@pytest.mark.parametrize("raw", BY_STANZA.values(), ids=[f"{f.parent.name}/{f.name}" for f in BY_STANZA])
def test_what_stands_before_each_line_is_read_through_or_a_gap(raw: Path) -> None:
    plain = read(raw, raw.read_bytes())
    for name, dress in DRESSES.items():
        found = read(raw, dress(raw.read_bytes()))
        assert found.lines == plain.lines
        if name == "colour":
            assert (bare(found), found.usable) == (bare(plain), plain.usable)
        elif found.usable:
            assert bare(found) == bare(plain), name
        else:
            assert found.gaps, name


@pytest.mark.parametrize("name", ["colour", "quote", "cat -n", "nl", "grep -n", "12: ", "12 | ", "less -N", "indent"])
def test_a_pasted_listing_is_read(name: str) -> None:
    data = b"root:x:0:0:root:/root:/bin/ash\ndaemon:*:1:1:daemon:/var:/bin/false\nsupport:x:0:0::/:/bin/ash\n"
    linux = platforms.load("linux")
    found = parse.parse(Section("x", "d", "1", 1, "cat /etc/passwd", DRESSES[name](data)), linux.find("cat /etc/passwd"), linux)
    assert [(r["line"], r["name"]) for r in found.rows] == [(1, "root"), (2, "daemon"), (3, "support")]
    assert found.unread == 0


@pytest.mark.parametrize(("name", "clean"), [("cat -n", False), ("quote", False), ("colour", True)])
def test_a_boot_script_with_a_margin_gives_its_rows_and_proves_nothing(tmp_path: Path, name: str, *, clean: bool) -> None:
    # `> /dev/null program` is shell: whether the mark is the device's own cannot be known
    script = b"#!/bin/sh\nmkdir /tmp/a\n/tmp/.x/relay -d &\nexit 0\n"
    done = hunt(tmp_path, folder(tmp_path, **{"cat_etc_rc.local.txt": DRESSES[name](script), "uname_-a.txt": UNAME}))
    assert done.returncode in (3, 4)
    found = [json.loads(t) for t in (tmp_path / "case" / "findings.jsonl").read_bytes().splitlines()]
    cited = {e["line"]: e["text"] for f in found if f["rule"] == "boot-line-unusual" for e in f["evidence"]}
    assert "relay" in cited[3]
    if name == "colour":
        assert "\\x1b[01;31m" in cited[3], "the citation is the raw line"
    gaps = cli("query", tmp_path / "case", "select count(*) from gaps where reason like '%margin%'", "--format", "csv").stdout.split()
    assert gaps[1] == (b"0" if clean else b"1")


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=6), st.sampled_from([*DRESSES]))
def test_lines_keep_their_number_and_lose_nothing_but_the_margin(texts: list[bytes], name: str) -> None:
    data = DRESSES[name](b"\n".join(texts))
    for found in (margins.uncoloured(data), margins.marked(data), margins.indented(data)):
        if found is None:
            continue
        assert found.count(b"\n") == data.count(b"\n")
        if found is not margins.uncoloured(data) and b"\x1b" not in data:
            for kept, whole in zip(found.split(b"\n"), data.split(b"\n"), strict=True):
                assert whole.endswith(kept)


@pytest.mark.parametrize("data", [
    b"1: lo: <UP>\n3: eth0: <UP>\n", b"0 4 * * * /bin/a\n1 4 * * * /bin/b\n", b"> a\nb\n", b"", b"\n\n", b"   1\n", b"12",
])  # fmt: skip
def test_a_margin_that_is_not_before_each_line_is_none(data: bytes) -> None:
    assert margins.marked(data) is None
