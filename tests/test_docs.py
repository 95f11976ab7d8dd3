"""The generated pages are current, and the README's promises exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from devicehunt import platforms, rules
from devicehunt.cli import _parser, main
from devicehunt.site import KINDS

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert spec is not None and spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("page", sorted(generate.PAGES))
def test_generated_page_is_current(page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == generate.PAGES[page](), "run python docs/generate.py"


def test_every_rule_page_row_is_a_rule() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| `", page, re.MULTILINE)) >= 20


def test_every_check_has_a_rule_or_a_reason_on_every_platform() -> None:
    listed = rules.checks()
    assert {r.check for r in rules.load()} <= set(listed)
    assert {f"C{n:02}" for n in range(1, 41)} <= set(listed)
    for said in listed.values():
        assert set(said) <= {"title", "cannot", "open"}
        named = [*said.get("cannot", {}), *said.get("open", {})]
        assert len(named) == len(set(named)), said
        assert set(named) <= set(platforms.names())
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| C")]
    assert len(rows) == len(listed)
    for row in rows:
        assert len(row) == 2 + len(platforms.names()), f"{row[0]}: a platform has neither a rule nor a reason: write one into checks.yaml"
        assert all(re.match(r"`|\*(cannot|open)\*: ", text) for text in row[2:]), row


def test_every_command_says_where_its_format_is_known_from() -> None:
    for name in platforms.names():
        unsaid = [s.id for s in platforms.load(name).stanzas.values() if not s.seen]
        assert not unsaid, f"{name}: no `seen:` in {unsaid}"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/design.md", "docs/relay.md"])
def test_links_between_files_hold(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [t for t in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in t]
    for target in links:
        assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"


def test_readme_uses_verbs_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    commands = "\n".join(body for kind, body in blocks if kind in ("sh", "console", ""))
    verbs = set(re.findall(r"devicehunt (\w+)", commands))
    known = set(_parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr]
    assert verbs <= known, verbs - known
    assert "hunt" in verbs


def test_readme_session_is_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of the README's session stands in the real output, in its order; `[...]` stands for lines left out."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"<!-- session -->\n```text\n(.*?)```", page, re.DOTALL)[0].splitlines()
    status = main(["hunt", str(ROOT / "fixtures" / "cases" / "relay-in-disguise"), "-o", str(tmp_path / "case")])
    assert status == 3
    printed = iter(capsys.readouterr().out.replace(str(tmp_path / "case"), "case").splitlines())
    for line in shown:
        if line != "[...]":
            assert line in printed, f"not printed: {line}"
    assert len(shown) > 20


def test_the_relay_that_is_shown_is_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In docs/relay.md line by line in its order, and the first lines in the README."""
    shown = re.findall(r"<!-- finding -->\n```text\n(.*?)```", (ROOT / "docs" / "relay.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    main(["hunt", str(ROOT / "fixtures" / "replay" / "taken"), "-o", str(tmp_path / "case")])
    assert shown in capsys.readouterr().out
    assert "".join(shown.splitlines(keepends=True)[:4]) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_lists_every_kind_of_a_site_file_with_its_keys() -> None:
    part = (ROOT / "README.md").read_text(encoding="utf-8").split("| kind | its keys")[1].split("\n\n")[0]
    rows = [re.findall(r"`([\w-]+)`", row) for row in part.splitlines() if row.startswith("| `")]
    assert {kind: frozenset(keys) for kind, *keys in rows} == KINDS
