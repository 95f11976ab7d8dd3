"""Every sample of every platform: the rows, the gaps, and what damage does to them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from devicehunt import platforms
from devicehunt.convert import insert_sql, raw_columns, raw_sql
from devicehunt.database import connect
from tests import samples

SAMPLES = samples.all_samples()
IDS = [f"{p.parent.parent.name}/{p.parent.name}/{p.stem}" for p in SAMPLES]
STRAY = "q7#~ stray ]] line %% of nothing ;;"
STANZAS = [s for n in platforms.names() for s in platforms.load(n).stanzas.values()]


@pytest.mark.parametrize("raw", SAMPLES, ids=IDS)
def test_sample_gives_exactly_its_rows_and_gaps(raw: Path) -> None:
    want = samples.expected(raw)
    got = samples.read(raw.parent.parent.name, raw.parent.name, raw.read_bytes(), want.get("exit_status"), want.get("command", ""))
    assert got == want


@pytest.mark.parametrize("stanza", STANZAS, ids=lambda s: s.name)
def test_stanza_has_a_sample_and_valid_expressions(stanza: platforms.Stanza) -> None:
    if stanza.split:
        return  # a bundle: its headings part it into the commands of other stanzas (tests/test_bundle.py)
    folder = samples.FIXTURES / stanza.platform / stanza.id
    assert list(folder.glob("*.raw")), f"no sample in {folder.name}"
    con = connect()
    columns = ", ".join(f"null::varchar as {c}" for c in raw_columns(stanza))
    nothing = (
        "select ''::varchar as device, ''::varchar as snapshot, ''::varchar as exhibit, ''::varchar as command_line, "
        f"0::bigint as line, 0::bigint as _section, 0::bigint as _n{', ' if columns else ''}{columns} limit 0"
    )
    con.execute(f"create temp table raw as {raw_sql(stanza, nothing)}")
    assert stanza.feeds, "a stanza that feeds nothing reads nothing"
    for feed in stanza.feeds:
        con.execute(insert_sql(con, stanza, feed))
        for condition in feed.incomplete.values():
            con.execute(f"select count(*) filter (where {condition}) from raw")


@pytest.mark.parametrize("stanza", [s for s in STANZAS if s.template], ids=lambda s: s.name)
def test_template_refuses_what_it_does_not_know(stanza: platforms.Stanza) -> None:
    assert stanza.template is not None
    text = stanza.template.read_text(encoding="utf-8")
    states = [block for block in text.split("\n\n")[1:] if block.strip() and block.strip() != "EOF"]
    for block in states:
        rules = [r for r in block.splitlines() if r.startswith("  ")]
        if rules:
            assert rules[-1].strip() == "^. -> Error", block.splitlines()[0]
    assert "(.*) (.*)" not in text


WANT = {p: samples.expected(p) for p in SAMPLES}
GOOD = [(p, i) for p, i in zip(SAMPLES, IDS, strict=True) if WANT[p]["status"] == "complete" and not WANT[p]["gaps"]]


@pytest.mark.parametrize("raw", [p for p, _ in GOOD], ids=[i for _, i in GOOD])
def test_a_stray_line_anywhere_is_one_gap_and_no_false_row(raw: Path) -> None:
    platform, stanza = raw.parent.parent.name, raw.parent.name
    lines = raw.read_bytes().split(b"\n")
    free_text = bool(platforms.load(platform).stanzas[stanza].any_line)
    places = range(len(lines)) if len(lines) < 12 else sorted(random.Random(raw.name).sample(range(len(lines)), 8))
    damaged = [b"\n".join([*lines[:p], STRAY.encode(), *lines[p:]]) for p in places]
    clean, *read = samples.read_many(platform, stanza, [raw.read_bytes(), *damaged])
    for place, got in zip(places, read, strict=True):
        if free_text:
            # any line is content here: the stray one must be found in a row, word for word
            assert STRAY in json.dumps(got["tables"]) or len(got["gaps"]) == 1
            continue
        assert len(got["gaps"]) == 1, f"before line {place + 1}: {got['gaps']}"
        first, last = got["gaps"][0]
        assert first <= place + 1 <= last
        known = {table: [_bare(r) for r in rows] for table, rows in clean["tables"].items()}
        for table, rows in got["tables"].items():
            for row in rows:
                assert _bare(row) in known[table], f"false row in {table}"
        # what is missing stood on lines that the gap names
        for table, rows in clean["tables"].items():
            kept = {_bare(r) for r in got["tables"].get(table, [])}
            for row in rows:
                moved = row["line"] + (row["line"] > place)
                assert _bare(row) in kept or first <= moved <= last, f"a row of {table} vanished outside the gap"


def _bare(row: dict[str, object]) -> str:
    return json.dumps({k: v for k, v in row.items() if k != "line"}, sort_keys=True)
