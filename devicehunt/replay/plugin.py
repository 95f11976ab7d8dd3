"""The pytest plug-in: `*.replay.yaml` files are tests, and two fixtures replay and remember.

It is loaded in every pytest run of an environment that has devicehunt, so nothing else is imported until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from devicehunt.replay.spec import Replay


class ReplayError(Exception):
    """The hunt did not say what the file wants; its text is what the user reads."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --devicehunt-update."""
    group = parser.getgroup("devicehunt")
    group.addoption("--devicehunt-update", action="store_true", help="write the snapshots of devicehunt_snapshot anew")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A `*.replay.yaml` is a test by itself."""
    if file_path.name.endswith(".replay.yaml"):
        return ReplayFile.from_parent(parent, path=file_path)
    return None


class ReplayFile(pytest.File):
    """One file, one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The test of this file."""
        yield ReplayItem.from_parent(self, name=self.path.name.removesuffix(".replay.yaml"))


class ReplayItem(pytest.Item):
    """The hunt of a file's input, held against what it expects."""

    def runtest(self) -> None:
        """Hunt, and raise with a sentence for each thing that is not as it must be."""
        from devicehunt.replay import spec

        wanted = spec.load(self.path)
        found = spec.run(wanted)
        wrong = spec.problems(wanted, found)
        if wrong:
            raise ReplayError("\n".join([*wrong, "", "what was found:", spec.sentences(found.findings)]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Sentences, without a traceback: the file is wrong or the rule is, not the plug-in."""
        from devicehunt.errors import DevicehuntError

        if isinstance(excinfo.value, ReplayError | DevicehuntError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where and what."""
        return self.path, None, f"replay: {self.name}"


@pytest.fixture
def devicehunt_replay(tmp_path: Path) -> Callable[..., Replay]:
    """`replay(source, device_ip=, vantage=, site=, map_addresses=, map_ports=, shift=, loss=, sample=, snaplen=, mix_with=)` -> Replay."""

    def replay(*sources: str | Path, device: str = "device", **options: Any) -> Replay:
        from devicehunt.replay import change, spec

        paths, options = change.changed([Path(s) for s in sources], tmp_path, options)
        for name in ("device_ip", "vantage"):
            given = options.get(name, ())
            options[name] = (given,) if isinstance(given, str) else tuple(given)
        options |= {name: tuple(map(Path, options.get(name, ()))) for name in ("rules", "parsers")}
        options |= {name: Path(options[name]) for name in ("site",) if options.get(name)}
        return spec.run(spec.Spec(tuple(paths), device, options))

    return replay


@pytest.fixture
def devicehunt_snapshot(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`snapshot(replay)`: the findings are those that were kept; `--devicehunt-update` keeps these."""
    counted: list[int] = []

    def snapshot(found: Replay, name: str = "") -> None:
        import json

        from devicehunt.replay import snapshot as kept

        counted.append(1)
        label = name or (request.node.name if len(counted) == 1 else f"{request.node.name}-{len(counted)}")
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in label)
        path = request.path.parent / "__snapshots__" / f"{request.path.stem}.{safe}.json"
        now = kept.taken(found, dict(found.rules))
        if request.config.getoption("--devicehunt-update"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(kept.text(now), encoding="utf-8")
            return
        if not path.is_file():
            pytest.fail(f"there is no snapshot {path.name}: run pytest --devicehunt-update once, and read what it writes", pytrace=False)
        before = json.loads(path.read_text(encoding="utf-8"))
        wrong = kept.differences(before, json.loads(kept.text(now)))
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)

    return snapshot
