"""Evidence replayed in other people's tests: what must be found, what must not, and what nobody could know.

| module | what it does |
|---|---|
| `spec.py` | a `*.replay.yaml` -> Spec; a hunt -> what does not agree with it, in sentences |
| `change.py` | a capture -> the same one renamed, shifted, thinned, cut or mixed |
| `snapshot.py` | findings as canonical JSON, and why they differ: the rule or the engine |
| `plugin.py` | the pytest plug-in: collects the files, gives the fixtures |
"""

from __future__ import annotations

from devicehunt.replay.spec import Replay, Spec, load, run

__all__ = ["Replay", "Spec", "load", "run"]
