"""Indicators: values that somebody published as bad, looked for in everything that was collected.

| module | what it does |
|---|---|
| `values.py` | a written value -> kind and spelling, or why it is refused |
| `kinds.yaml` | worth and half-life of each kind, reserved ranges, how lists spell things |
| `tabular.py`, `stix.py`, `misp.py` | the forms of lists |
| `entries.py` | what was read, in Parquet outside memory, and counts of the rest |
| `lists.py` | a file -> its form |
| `match.py`, `match.sql` | entries against the tables, in one pass, whatever their number |

`read` gives Lists; `match.fill` puts what the evidence holds of them into the table `indicators`, and where, into
`indicator_hits`. Rules (`indicator-*`) read those. Without a list nothing here runs.
"""

from __future__ import annotations

from devicehunt.indicators.entries import Lists, sentences
from devicehunt.indicators.lists import read

__all__ = ["Lists", "read", "sentences"]
