"""The fuzzer of benchmarks/fuzz_captures.py for seconds: hostile captures, exports and logs, the same ones each time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import fuzz_captures  # noqa: E402
import fuzz_inputs  # noqa: E402


def test_hostile_inputs_raise_nothing_and_read_the_same_by_every_way(tmp_path: Path) -> None:
    bench = fuzz_captures.Bench(tmp_path)
    wrong = {seed: bench.run(seed, others=False) for seed in range(40)}
    assert {seed: said for seed, said in wrong.items() if said} == {}


def test_a_seed_makes_one_input() -> None:
    kinds = set()
    for seed in range(40):
        one, again = (fuzz_inputs.make(seed, others=False) for _ in range(2))
        assert one == again
        kinds.add((one.kind, one.name == "exports"))
    assert kinds == {("capture", False), ("capture", True), ("log", False)}


def test_the_fuzzer_tells_readings_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = fuzz_captures.complete

    def wrong(*given: object) -> object:
        decoded = right(*given)  # type: ignore[arg-type]
        decoded.sport += 1
        return decoded

    monkeypatch.setattr(fuzz_captures, "complete", wrong)
    bench = fuzz_captures.Bench(tmp_path)
    said = [bench.run(seed, others=False) for seed in range(6)]
    assert any("decoders: " in one for one in said)
