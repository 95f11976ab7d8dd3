"""Rows that say nothing but where they stand: whatever a device leaves out, rules, terminal and page have to bear it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import devicehunt
from devicehunt import database, platforms, show
from devicehunt.api import Job, Options
from devicehunt.case import Case
from devicehunt.report import terminal
from devicehunt.tables import META

PLACES = {
    "linux": ("uname -a", "Linux r 5.4.188 #0 SMP mips GNU/Linux\n"),
    "cisco_ios": ("show running-config", "version 15.2\nhostname r\nend\n"),
    "mikrotik_routeros": ("/export", "# nov/18/2026 07:30:00 by RouterOS 6.49.17\n/system identity\nset name=r\n"),
}


def facts() -> list[str]:
    """The tables that parsers fill."""
    con = database.connect()
    return [t for t in database.tables() if t not in META and {"device", "exhibit", "line", "view"} <= set(database.columns_of(con, t))]


@pytest.fixture(scope="module", params=sorted(PLACES))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of one device whose evidence is one small output."""
    folder = tmp_path_factory.mktemp("nulls")
    command, text = PLACES[request.param]
    source = folder / "device"
    source.mkdir()
    (source / (command.strip("/").replace(" ", "_") + ".txt")).write_text(text)
    devicehunt.hunt([source], case=folder / "case", device="r", platform=request.param)
    return folder / "case"


def again(case: Path, tables: list[str]) -> tuple[str, str]:
    """Fill tables with one row each that has its place alone, hunt, and return the page and the terminal's text."""
    opened = Case.open(case)
    (entry,) = opened.entries
    place = [entry.device, entry.snapshot, entry.exhibit]
    for table in tables:
        shutil.rmtree(opened.tables / table, ignore_errors=True)
        (opened.tables / table).mkdir(parents=True)
        con = database.connect(views=False)
        for view in sorted(views().get(table, {"x"})):
            con.execute(f"insert into {table} (device, snapshot, exhibit, line, view) values (?, ?, ?, 1, ?)", [*place, view])
        con.execute(f"copy {table} to '{opened.tables / table}/0.parquet' (format parquet)")
    job = Job(opened, Options(), lambda *_: None)
    found = show.result(job.case, job.hunt(), job.rules)
    show.write_page(job.case, found)
    return (case / "report.html").read_text(encoding="utf-8"), terminal.render(found, colour=False, width=100, everything=True)


def views() -> dict[str, set[str]]:
    """Table -> the views that stanzas fill."""
    found: dict[str, set[str]] = {}
    for name in platforms.names():
        for stanza in platforms.load(name).stanzas.values():
            for feed in stanza.feeds:
                found.setdefault(feed.table, set()).add(feed.view)
    return found


def test_every_table_holds_a_row_without_values(case: Path) -> None:
    page, text = again(case, facts())
    assert "</html>" in page
    assert "NOT SEEN" in text
    for shown in (page, text):
        assert "None" not in shown.replace("None of", "")
