"""A replay: sources, what the hunt of them must say, and the sentences where it does not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devicehunt.errors import DataError, SiteError
from devicehunt.model import LEVELS, Coverage, Finding, Verdict
from devicehunt.site import parse_yaml

KEYS = (
    "input", "device", "device_ip", "vantage", "site", "indicators", "platform", "rules", "parsers",
    "expect", "forbid", "not_assessable", "verdict",
)  # fmt: skip
EXPECT_KEYS = ("rule", "level", "subject", "count")
FORBID_KEYS = ("rule", "level")


@dataclass(frozen=True, slots=True)
class Spec:
    """What to hunt and what must come of it. Paths are absolute."""

    input: tuple[Path, ...]
    device: str = "device"
    options: Mapping[str, Any] = field(default_factory=dict)
    expect: tuple[Mapping[str, Any], ...] = ()
    forbid: tuple[Mapping[str, Any], ...] = ()
    not_assessable: tuple[str, ...] = ()
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a hunt said. `explained` findings are among `findings`, at the level that is left."""

    findings: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    verdicts: tuple[Verdict, ...]
    rules: Mapping[str, str] = field(default_factory=dict)  # id -> SHA-256 of its file

    def at(self, level: str) -> list[Finding]:
        """The findings at `level` or above, those of context left out."""
        return [f for f in self.findings if not f.context and LEVELS.index(f.level) >= LEVELS.index(level)]

    def of(self, rule: str) -> list[Finding]:
        """The findings of one rule."""
        return [f for f in self.findings if f.rule == rule]

    def result(self, rule: str) -> str:
        """hit, no-hit, not-assessable or not-applicable; of several snapshots the strongest; KeyError for no such rule."""
        order = ("hit", "not-assessable", "no-hit", "not-applicable")
        found = {c.result for c in self.coverage if c.rule == rule}
        if not found:
            raise KeyError(rule)
        return next(r for r in order if r in found)


def load(path: Path) -> Spec:
    """Read a `*.replay.yaml`; DataError names the file and what is wrong in it."""
    try:
        body = parse_yaml(path.read_bytes(), str(path))
    except (OSError, SiteError) as error:
        raise DataError(f"{path}: {error}") from error
    _known(path, body, KEYS, "unknown keys")
    sources = _list(body.get("input"))
    if not sources:
        raise DataError(f"{path}: `input` names no source")
    for entry in _list(body.get("expect")):
        _known(path, entry, EXPECT_KEYS, "expect: unknown keys")
    forbid = [e if isinstance(e, dict) else {"rule": e} for e in _list(body.get("forbid"))]
    for entry in forbid:
        _known(path, entry, FORBID_KEYS, "forbid: unknown keys")
    for entry in (*_list(body.get("expect")), *forbid):
        level = str(entry.get("level", "info")).removesuffix("+")
        if level not in LEVELS:
            raise DataError(f"{path}: no level {level!r}: there are {', '.join(LEVELS)}")
    here = path.parent
    options: dict[str, Any] = {"device_ip": tuple(map(str, _list(body.get("device_ip"))))}
    if body.get("vantage"):
        options["vantage"] = tuple(map(str, _list(body["vantage"])))
    if body.get("site"):
        options["site"] = here / str(body["site"])
    if body.get("platform"):
        options["platform"] = str(body["platform"])
    for name in ("rules", "parsers", "indicators"):
        options[name] = tuple(here / str(folder) for folder in _list(body.get(name)))
    return Spec(
        tuple(here / str(s) for s in sources), str(body.get("device", "device")), options, tuple(_list(body.get("expect"))),
        tuple(forbid), tuple(map(str, _list(body.get("not_assessable")))), str(body.get("verdict", "")),
    )  # fmt: skip


def _list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def _known(path: Path, entry: Any, keys: Sequence[str], says: str) -> None:
    if not isinstance(entry, dict):
        raise DataError(f"{path}: {entry!r} is no mapping")
    unknown = [str(k) for k in entry if k not in keys]
    if unknown:
        raise DataError(f"{path}: {says} {', '.join(unknown)}; there are {', '.join(keys)}")


def run(spec: Spec) -> Replay:
    """Hunt the sources in a temporary case."""
    import devicehunt
    from devicehunt import rules

    with tempfile.TemporaryDirectory(prefix="devicehunt-replay-") as scratch:
        case = devicehunt.hunt(list(spec.input), device=spec.device, case=Path(scratch) / "case", **spec.options)
        asked = {r.id: r.sha256 for r in rules.load(spec.options.get("rules", ()))}
        return Replay(tuple(case.findings), tuple(case.coverage), tuple(case.verdicts), asked)


def problems(spec: Spec, found: Replay) -> list[str]:
    """Where a hunt does not say what it must, a sentence each; empty: it agrees."""
    return [*_expected(spec, found), *_forbidden(spec, found), *_unknown(spec, found)]


def _expected(spec: Spec, found: Replay) -> Iterator[str]:
    for want in spec.expect:
        fitting = [f for f in found.of(str(want["rule"])) if _fits(want, f)]
        count = want.get("count")
        if (count is None and not fitting) or (count is not None and len(fitting) != count):
            number = "a finding" if count in (None, 1) else f"{count} findings"
            yield f"{number} of {_words(want)} expected, {len(fitting)} found; {_said(found, str(want['rule']))}"
    if spec.verdict and [v.verdict for v in found.verdicts] != [spec.verdict]:
        yield f"the verdict is {', '.join(v.verdict for v in found.verdicts)}, not {spec.verdict}"


def _forbidden(spec: Spec, found: Replay) -> Iterator[str]:
    for ban in spec.forbid:
        floor = str(ban.get("level", "info")).removesuffix("+")
        for finding in found.at(floor):
            if "rule" not in ban or finding.rule == ban["rule"]:
                yield f"forbidden, and found: {sentence(finding)}"


def _unknown(spec: Spec, found: Replay) -> Iterator[str]:
    for rule in spec.not_assessable:
        try:
            result = found.result(rule)
        except KeyError:
            yield f"{rule}: there is no such rule"
            continue
        if result != "not-assessable":
            yield f"{rule} must be not-assessable, it is {result}"


def _fits(want: Mapping[str, Any], finding: Finding) -> bool:
    level = str(want.get("level", "info+"))
    at = LEVELS.index(finding.level)
    if (at < LEVELS.index(level[:-1])) if level.endswith("+") else finding.level != level:
        return False
    wanted = want.get("subject") or {}
    return not wanted or any(all(str(s.get(k)) == str(v) for k, v in wanted.items()) for s in finding.subjects)


def _words(want: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in want.items() if k != "count")


def _said(found: Replay, rule: str) -> str:
    said = [sentence(f) for f in found.of(rule)]
    if said:
        return "the rule says: " + "; ".join(said)
    reasons = [f"{c.result}{': ' + '; '.join(c.reasons) if c.reasons else ''}" for c in found.coverage if c.rule == rule]
    return f"the rule says: {', '.join(reasons)}" if reasons else "there is no such rule"


def sentence(finding: Finding) -> str:
    """A finding as a person reads it."""
    where = ", ".join(f"{e.exhibit}:{e.line}" for e in finding.evidence[:3])
    return f"[{finding.level}] {finding.title} ({finding.rule}; {where})"


def sentences(findings: Iterable[Finding]) -> str:
    """Findings, one a line."""
    return "\n".join(sentence(f) for f in findings) or "(nothing found)"
