"""parsers/README.md: its recipe is run as it stands, and its tables are the keys that the code knows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from devicehunt import data, database, decode, engine, hunt, parse, platforms
from devicehunt.errors import DataError
from devicehunt.model import Section
from devicehunt.tables import Loader
from tests import samples

README = (data.parsers_dir() / "README.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "packs" / "example"
    folder.mkdir(parents=True)
    (folder / "bridges.textfsm").write_text(block("textfsm"), encoding="utf-8")
    (folder / "network.yaml").write_text(block("yaml", 0), encoding="utf-8")
    (folder / "platform.yaml").write_text(block("yaml", 1), encoding="utf-8")
    return tmp_path / "packs"


def test_the_recipe_gives_the_rows_that_it_promises(pack: Path, tmp_path: Path) -> None:
    example = platforms.load("example", [pack])
    sample = block("text").encode()
    stanza = example.find_by_content(parse.head_of(sample))
    assert stanza is not None and stanza is example.find("sudo /usr/sbin/brctl  show 2>/dev/null")
    found = parse.parse(Section("x", "d", "1", 1, "brctl show", sample), stanza, example)
    want = json.loads(block("json"))
    assert (str(found.status), found.unread, found.gaps) == (want["status"], want["unread"], want["gaps"])
    loader = Loader()
    loader.add(found)
    loader.finish(tmp_path / "tables", "0")
    rows = samples._rows(tmp_path / "tables")["interfaces"]
    assert [samples._plain(r) for r in rows] == want["tables"]["interfaces"]


def test_a_stray_line_in_the_recipe_is_a_gap(pack: Path) -> None:
    example = platforms.load("example", [pack])
    text = block("text").replace("br-guest", "kernel: oops\nbr-guest")
    found = parse.parse(Section("x", "d", "1", 1, "brctl show", text.encode()), example.stanzas["bridges"], example)
    assert [(g.line, g.last_line) for g in found.gaps] == [(4, 4)] and len(found.rows) == 3


@pytest.mark.parametrize("part", ["network.yaml", "platform.yaml"])
def test_a_misspelt_key_is_an_error_that_names_it(pack: Path, part: str) -> None:
    path = pack / "example" / part
    wrong = {"network.yaml": ("      view:", "      incomplet: {}\n      view:"), "platform.yaml": ("core:", "cores:")}[part]
    path.write_text(path.read_text(encoding="utf-8").replace(*wrong), encoding="utf-8")
    with pytest.raises(DataError, match=r"incomplet|cores"):
        platforms.load("example", [pack])


def test_a_misspelt_block_of_stock_facts_is_an_error_that_names_it(pack: Path) -> None:
    (pack / "example" / "stock.yaml").write_text("listener:\n  - {path: /usr/sbin/sshd, proto: tcp, port: 22}\n", encoding="utf-8")
    with pytest.raises(DataError, match="'listener'"):
        engine.prepare(database.connect(), [platforms.load("example", [pack])], None)


@pytest.mark.parametrize("name", ["listener-unexplaned", "listener-unexplained"])
def test_a_core_check_that_no_rule_of_the_platform_makes_is_an_error(pack: Path, tmp_path: Path, name: str) -> None:
    path = pack / "example" / "platform.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("core: []", f"core: [{name}]"), encoding="utf-8")
    sample = tmp_path / "show.txt"
    sample.write_text(block("text"), encoding="utf-8")
    with pytest.raises(DataError, match=f"for example is called {name}$"):
        hunt([sample], case=tmp_path / "case", parsers=[pack])


def test_a_stock_file_that_is_named_but_not_there_is_an_error(pack: Path) -> None:
    path = pack / "example" / "platform.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "stock: facts.yaml\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"facts\.yaml"):
        platforms.load("example", [pack])


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        ("Keys of a stanza", platforms._STANZA_KEYS),
        ("Keys of a feed", platforms._FEED_KEYS),
        ("Keys of platform.yaml", platforms._PLATFORM_KEYS),
    ],
)
def test_every_key_is_explained_and_no_other(heading: str, keys: set[str]) -> None:
    part = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    named = {k for row in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for k in re.findall(r"`(\w+)`", row)}
    assert named == keys


def test_every_decoder_is_listed() -> None:
    part = README.split("## Decoders\n")[1].split("\n## ")[0]
    assert set(decode.all_decoders()) <= set(re.findall(r"`(\w+)`", part))


def test_links_hold() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (data.parsers_dir() / target).resolve().exists() or target.startswith("../docs/"), target
