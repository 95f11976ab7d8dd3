"""Samples: fixtures/<platform>/<stanza>/<name>.raw with <name>.json beside it.

The .json holds what must come out: `status`, `end_proof`, `tables` (table -> rows with only the
columns that are set; device, snapshot, exhibit and *_key left out), `gaps` ([line, last_line]) and
`incomplete` (table -> columns that the output left open for some rows).
`python -m tests.samples fixtures/linux/netstat/x.raw` prints what comes out now; check it by eye
against the raw output before you save it.
A name that ends in `.cut`, `.denied` ... is a damaged sample; `exit_status` in the .json is given to the parser,
and `command` where another spelling than the stanza's own was asked (`ls -la /tmp`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from devicehunt import database, parse, platforms, tables
from devicehunt.model import Section

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("DEVICEHUNT_CORPUS", ROOT.parent / "shared" / "corpus"))
"""Real outputs and captures, where they lie beside the project."""
FIXTURES = ROOT / "fixtures"


def all_samples() -> list[Path]:
    names = platforms.names()
    return sorted(p for n in names for p in (FIXTURES / n).glob("*/*.raw"))


def expected(raw: Path) -> dict[str, Any]:
    return json.loads(raw.with_suffix(".json").read_text(encoding="utf-8"))


def read(platform: str, stanza: str, data: bytes, exit_status: int | None = None, command: str = "") -> dict[str, Any]:
    """Everything that one output gives, in the form of the .json files."""
    return read_many(platform, stanza, [data], exit_status, command)[0]


def read_many(platform: str, stanza: str, outputs: list[bytes], exit_status: int | None = None, command: str = "") -> list[dict[str, Any]]:
    """The same for several outputs of one command, each held apart."""
    known = platforms.load(platform)
    asked = command or known.stanzas[stanza].command
    assert known.stanzas[stanza].takes(platforms.normalise(asked)), f"{asked!r} is no command of {stanza}"
    loader = tables.Loader()
    for number, data in enumerate(outputs):
        section = Section(f"d/{number}/x", "d", str(number), 1, asked, data, exit_status=exit_status)
        loader.add(parse.parse(section, known.stanzas[stanza], known))
    with tempfile.TemporaryDirectory() as folder:
        loader.finish(Path(folder), "0")
        rows = _rows(Path(folder))
    given = {k: v for k, v in (("command", command), ("exit_status", exit_status)) if v not in ("", None)}
    return [given | _answer(rows, str(number)) for number in range(len(outputs))]


def _rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    con = database.connect(views=False)
    found = {}
    for table in sorted(p.name for p in folder.iterdir()):
        columns = [c for c, t in database.columns_of(con, table).items() if t != "BLOB"]
        got = con.execute(f"select {', '.join(columns)} from '{folder}/{table}/*.parquet' order by line").fetchall()
        found[table] = [dict(zip(columns, r, strict=True)) for r in got]
    return found


def _answer(rows: dict[str, list[dict[str, Any]]], snapshot: str) -> dict[str, Any]:
    mine = {t: [r for r in of if r["snapshot"] == snapshot] for t, of in rows.items()}
    exhibit = mine.pop("exhibits")[0]
    holes = {f["table_name"]: f["incomplete"] for f in mine.pop("feeds", []) if f["incomplete"]}
    gaps = [[g["line"], g["last_line"]] for g in mine.pop("gaps", [])]
    made = {
        table: sorted((_plain(r) for r in of), key=lambda r: (r["line"], json.dumps(r, sort_keys=True)))
        for table, of in mine.items()
        if of
    }
    head = {"status": exhibit["status"], "end_proof": exhibit["end_proof"], "unread": exhibit["unread"], "gaps": gaps}
    return head | ({"incomplete": holes} if holes else {}) | {"tables": made}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v if isinstance(v, int | float | str | bool) else str(v)
        for k, v in row.items()
        if v is not None and k not in ("device", "snapshot", "exhibit")
    }


if __name__ == "__main__":
    path = Path(sys.argv[1])
    # the rest of the line: an exit status, a command, or both
    status = next((int(a) for a in sys.argv[2:] if a.isdigit()), None)
    asked = next((a for a in sys.argv[2:] if not a.isdigit()), "")
    json.dump(read(path.parent.parent.name, path.parent.name, path.read_bytes(), status, asked), sys.stdout, indent=1, ensure_ascii=False)
    print()
