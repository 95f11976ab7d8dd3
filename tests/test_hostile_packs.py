"""Packs and rules that a user gives: what is wrong in them is one line that names the file, never a traceback or a silent choice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from devicehunt import data
from tests.test_bad_input import UNAME, cli, folder

HEAD = """name: box
title: Boxes
include: [a.yaml]
denied: 'denied'
unsupported: 'unknown'
absent: 'no such'
pager: 'more'
prompts: ['box> ']
"""
STANZA = """show:
  command: show
  template: a.textfsm
  tier: 1
  feeds:
    - table: devices
      view: show
      columns: {hostname: name}
"""
TEMPLATE = "Value name (\\S+)\n\nStart\n  ^name ${name}$$ -> Record\n  ^. -> Error\n"


def pack(tmp_path: Path, head: str, stanza: str, template: str) -> Path:
    box = tmp_path / "packs" / "box"
    box.mkdir(parents=True)
    for name, text in (("platform.yaml", head), ("a.yaml", stanza), ("a.textfsm", template)):
        (box / name).write_text(text, encoding="utf-8")
    return box.parent


def test_the_pack_itself_is_sound(tmp_path: Path) -> None:
    source = folder(tmp_path, **{"show.txt": b"name r1\n"})
    more = ("--parsers", pack(tmp_path, HEAD, STANZA, TEMPLATE), "--platform", "box", "-o", tmp_path / "case")
    assert cli("hunt", source, *more).returncode == 4
    assert b"r1" in cli("query", tmp_path / "case", "select hostname from devices").stdout


@pytest.mark.parametrize(
    ("where", "old", "new", "says"),
    [
        ("stanza", "tier: 1", "tier: x", "a.yaml: stanza 'show'"),
        ("stanza", "tier: 1", "path: '('", "a.yaml: stanza 'show'"),
        ("stanza", "tier: 1", "tier: 1\n  tier: 2", "a.yaml: line 5: the key 'tier' is there twice"),
        ("stanza", "tier: 1", "content: '['", "a.yaml: stanza 'show'"),
        ("stanza", "tier: 1", "content: 5", "a.yaml: stanza 'show'"),
        ("stanza", "tier: 1", "tier: [", "a.yaml: line"),
        ("stanza", "tier: 1", "suspect_bytes: many", "a.yaml: stanza 'show'"),
        ("stanza", "tier: 1", "section: [a]", "a.yaml: stanza 'show'"),
        ("stanza", "tier: 1", "tier: 2026-99-99", "a.yaml"),
        ("stanza", "columns: {hostname: name}", "columns: [name]", "a.yaml: stanza 'show'"),
        ("stanza", "{hostname: name}", "{hostname: name, hostname: name}", "a.yaml: line 8: the key 'hostname' is there twice"),
        ("head", "title: Boxes", "title: Boxes\nencoding: klingon", "platform.yaml"),
        ("head", "title: Boxes", "title: Boxes\nencoding: utf-16", "platform.yaml"),
        ("head", "title: Boxes", "title: Boxes\nencoding: hex", "platform.yaml"),
        ("head", "name: box", "name: cisco", "platform.yaml: name"),
        ("head", "include: [a.yaml]", "include: [none.yaml]", "none.yaml"),
        ("head", "include: [a.yaml]", "include: 5", "platform.yaml"),
        ("head", "prompts: ['box> ']", "prompts: ['(']", "platform.yaml"),
        ("head", "pager: 'more'", "pager: 'more'\npager: 'less'", "platform.yaml: line 8: the key 'pager' is there twice"),
        ("template", "  ^. -> Error\n", "", "its last rule must be"),
        ("template", "^name", "^(name", "a.textfsm"),
    ],
)
def test_what_is_wrong_in_a_pack_is_said(tmp_path: Path, where: str, old: str, new: str, says: str) -> None:
    texts = {"head": HEAD, "stanza": STANZA, "template": TEMPLATE}
    assert old in texts[where]
    texts[where] = texts[where].replace(old, new)
    source = folder(tmp_path, **{"show.txt": b"name r1\n", "uname_-a.txt": UNAME})
    done = cli("hunt", source, "--parsers", pack(tmp_path, *texts.values()), "--platform", "box", "-o", tmp_path / "case")
    assert b"Traceback" not in done.stderr, done.stderr[-1500:]
    assert done.returncode == 1, (done.returncode, done.stdout)
    assert says in done.stderr.decode()


def test_a_rule_that_says_a_key_twice(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "twice.sql").write_text("/*\nid: twice\nlevel: low\nlevel: high\n*/\nselect 1")
    done = cli("rules", "check", "--rules", rules)
    assert done.returncode == 1
    assert "twice.sql: header: line 4: the key 'level' is there twice" in (done.stdout + done.stderr).decode()


def test_a_site_file_that_says_a_key_twice(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("expected:\n  - {kind: listener, port: 22, port: 23}\n")
    done = cli("hunt", folder(tmp_path, **{"uname_-a.txt": UNAME}), "--site", tmp_path / "site.yaml", "-o", tmp_path / "case")
    assert (done.returncode, b"is there twice" in done.stderr) == (2, True), done.stderr


def test_merged_keys_are_no_second_ones() -> None:
    assert data.read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")["b"] == {"x": 3, "y": 2}
    with pytest.raises(yaml.YAMLError):
        data.read_yaml("[" * 100_000)
