"""Results of relay.py and relay_lab.py as tables."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Score:
    """What one way of looking got right, wrong, honestly coupled, and what there was."""

    by: str
    pairs: tuple[int, int, int, int] | None = None
    keys: tuple[int, int, int, int] = (0, 0, 0, 0)
    tested: int = 0
    at_rate: int = 0
    by_kind: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    keys_by_kind: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    others: dict[str, tuple[int, int, int]] = field(default_factory=dict)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def table(found: list[tuple[str, str, Score]]) -> str:
    """One line a simulation, vantage and way of looking; then the kinds."""
    heads = [
        "simulation",
        "vantage",
        "by",
        "pairs: precision",
        "recall",
        "honest couplings claimed",
        "TPR at FPR 1e-5",
        "pairs tested",
        "keys: precision",
        "recall (6 sessions and more)",
        "false keys",
        "honest keys",
        "carriers",
        "chains",
        "beacons",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for label, vantage, s in found:
        right, wrong, honest, true = s.pairs or (0, 0, 0, 0)
        got, false, coupled, many = s.keys
        other = [_other(s.others.get(what)) for what in ("carriers", "chains", "beacons")]
        cells = [
            label,
            vantage,
            s.by,
            share(right, right + wrong),
            share(right, true),
            str(honest),
            share(s.at_rate, true),
            f"{s.tested:,}",
            share(got, got + false),
            f"{got} of {many}",
            str(false),
            str(coupled),
            *other,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_kinds(found)])


def _other(counts: tuple[int, int, int] | None) -> str:
    return "-" if counts is None else f"{counts[0]} of {counts[2]}, {counts[1]} false"


def _kinds(found: list[tuple[str, str, Score]]) -> list[str]:
    """All simulations together: of each kind and difficulty the pairs and keys that were found."""
    lines = ["| kind | difficulty | vantage | by | pairs found | of them at FPR 1e-5 | of | keys found | of |", "|---" * 9 + "|"]
    ways = dict.fromkeys((vantage, s.by) for _, vantage, s in found)
    for vantage, by in ways:
        mine = [s for _, v, s in found if (v, s.by) == (vantage, by)]
        for kind, difficulty in sorted({k for s in mine for k in s.by_kind}):
            sums = [sum(s.by_kind.get((kind, difficulty), (0, 0, 0))[i] for s in mine) for i in range(3)]
            keys = [sum(s.keys_by_kind.get((kind.removeprefix("relay-"), difficulty), (0, 0))[i] for s in mine) for i in range(2)]
            lines.append(
                f"| {kind.removeprefix('relay-')} | {difficulty} | {vantage} | {by} "
                f"| {sums[0]} | {sums[1]} | {sums[2]} | {keys[0]} | {keys[1]} |"
            )
    return lines
