"""Samples: fixtures/<platform>/<stanza>/<name>.raw with <name>.json beside it.

The .json holds what must come out: `status`, `end_proof`, `tables` (table -> rows with only the
columns that are set; device, snapshot, exhibit and *_key left out) and `gaps` ([line, last_line]).
`python -m tests.samples fixtures/linux/netstat/x.raw` prints what comes out now; check it by eye
against the raw output before you save it.
A name that ends in `.cut`, `.denied` ... is a damaged sample; `exit_status` in the .json is given to the parser.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from devicehunt import parse, platforms, tables
from devicehunt.model import Section

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"


def all_samples() -> list[Path]:
    names = platforms.names()
    return sorted(p for n in names for p in (FIXTURES / n).glob("*/*.raw"))


def expected(raw: Path) -> dict[str, Any]:
    return json.loads(raw.with_suffix(".json").read_text(encoding="utf-8"))


def read(platform: str, stanza: str, data: bytes, exit_status: int | None = None) -> dict[str, Any]:
    """Everything that one output gives, in the form of the .json files."""
    known = platforms.load(platform)
    section = Section("d/1/x", "d", "1", 1, known.stanzas[stanza].command, data, exit_status=exit_status)
    found = parse.parse(section, known.stanzas[stanza], known)
    loader = tables.Loader()
    loader.add(found)
    with tempfile.TemporaryDirectory() as folder:
        loader.finish(Path(folder), "0")
        con = tables.connect()
        rows = {}
        for table in sorted(p.name for p in Path(folder).iterdir()):
            columns = [c for c, t in tables.columns_of(con, table).items() if t != "BLOB"]
            order = "line, all" if table not in ("gaps",) else "all"
            got = con.execute(
                f"select {', '.join(columns)} from '{folder}/{table}/*.parquet' order by {'line' if order else ''}"
            ).fetchall()
            rows[table] = [_plain(dict(zip(columns, r, strict=True))) for r in got]
    exhibit = rows.pop("exhibits")[0]
    rows.pop("feeds", None)
    gaps = [[g["line"], g["last_line"]] for g in rows.pop("gaps", [])]
    for table in rows.values():
        table.sort(key=lambda r: json.dumps([r["line"], r], sort_keys=True))
    answer = {"status": exhibit["status"], "end_proof": exhibit["end_proof"], "unread": exhibit["unread"], "gaps": gaps, "tables": rows}
    return answer if exit_status is None else {"exit_status": exit_status} | answer


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v if isinstance(v, int | float | str | bool) else str(v)
        for k, v in row.items()
        if v is not None and k not in ("device", "snapshot", "exhibit")
    }


if __name__ == "__main__":
    path = Path(sys.argv[1])
    status = int(sys.argv[2]) if len(sys.argv) > 2 else None
    json.dump(read(path.parent.parent.name, path.parent.name, path.read_bytes(), status), sys.stdout, indent=1, ensure_ascii=False)
    print()
