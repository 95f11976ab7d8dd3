"""parsers/<name>/platform.yaml -> Platform: how a kind of device speaks, as data.

parsers/README.md is the reference of the format.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from devicehunt import data
from devicehunt.errors import DataError, UsageError
from devicehunt.patterns import Pattern
from devicehunt.text import slug

HEAD_LINES = 12
"""How many lines `content:` may look at."""
Patterns = Callable[..., Pattern | None]
PACK = ("*/platform.yaml", "platform (*/platform.yaml)")


@dataclass(frozen=True, slots=True)
class Decode:
    """One decoding step: raw value `source` through decoder `name`, results prefixed with `into`."""

    name: str
    source: str
    into: str


@dataclass(frozen=True, slots=True)
class Feed:
    """One table that a stanza fills; expressions are SQL over the raw values (all text or null)."""

    table: str
    view: str
    columns: Mapping[str, str]
    where: str = ""
    group: str = ""
    line: str = ""
    incomplete: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stanza:
    """One command of a platform: how to ask, how to read, what it feeds."""

    id: str
    platform: str
    command: str
    template: Path | None
    feeds: tuple[Feed, ...]
    content_far: Pattern | None = None
    reader: str = ""
    split: Pattern | None = None
    suspect_bytes: int = 0
    must_hold: Pattern | None = None
    one_a_device: bool = False
    seen: str = ""
    also: tuple[Pattern, ...] = ()
    content: Pattern | None = None
    path: str = ""
    tier: int = 3
    plan: bool = True
    plan_command: str = ""
    plan_script: Path | None = None
    empty_means: str = "gap"
    absent_means: str = "gap"
    trailer: Pattern | None = None
    any_line: str = ""
    decode: tuple[Decode, ...] = ()
    section: Mapping[str, str] = field(default_factory=dict)
    about: str = ""

    @property
    def name(self) -> str:
        """The stanza's full name, e.g. `linux/netstat`."""
        return f"{self.platform}/{self.id}"

    def takes(self, command: str) -> bool:
        """Whether `command` (normalised) is this stanza's command in one of its spellings."""
        return command == self.command or any(p.fullmatch(command) for p in self.also)


@dataclass(frozen=True, slots=True)
class Console:
    """How a person pastes commands where there is no shell: a comment, what comes first, what answers nothing."""

    comment: str
    before: tuple[str, ...] = ()
    quiet: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """A family of devices that speak alike."""

    name: str
    title: str
    folder: Path
    stanzas: Mapping[str, Stanza]
    core: tuple[str, ...]
    denied: Pattern
    unsupported: Pattern
    absent: Pattern
    pager: Pattern
    prompts: tuple[str, ...]
    encoding: str
    stock_file: Path | None
    console: Console | None = None
    usage: Pattern | None = None
    ended: Pattern | None = None
    part: Pattern | None = None
    _by_command: dict[str, tuple[Stanza, ...]] = field(default_factory=dict)

    @property
    def stock(self) -> Mapping[str, Any]:
        """What the platform brings of itself; read when it is asked for. DataError when it cannot be read."""
        return _stock(self.stock_file) if self.stock_file else {}

    def find(self, command: str, head: str = "") -> Stanza | None:
        """The stanza for a command; `head` (the first lines) decides between several."""
        wanted = self.whole(normalise(command))
        known = self._by_command.get(wanted)
        if known is None:
            known = tuple(s for s in self.stanzas.values() if s.takes(wanted))
            self._by_command[wanted] = known
        return _best(known, head)

    def whole(self, command: str) -> str:
        """The command without the words that ask for a part of what it prints."""
        return self.part.sub("", command) if self.part else command

    def asks_part(self, command: str) -> bool:
        """Whether a command asks for a part only, so that what it does not show may still be there."""
        return bool(self.part and self.part.search(normalise(command)))

    def find_by_name(self, stem: str, head: str = "") -> Stanza | None:
        """The stanza for a file name that is the slug of a command (`netstat_-anp`)."""
        key = f"\0{stem}"
        known = self._by_command.get(key)
        if known is None:
            bare = slug(stem).lower()
            # letters as they are: `iptables -L` is another command than `-l`
            spaced = [normalise(text.replace("_", " ")) for text in (slug(stem), bare)]
            known = tuple(s for s in self.stanzas.values() if bare in _slugs(s) or any(s.takes(self.whole(text)) for text in spaced))
            self._by_command[key] = known
        return _best(known, head)

    def spelled(self, stem: str, stanza: Stanza) -> str:
        """The command of a file name in its own words (`cat_etc_crontabs_admin`), where the stanza takes it so."""
        spaced = normalise(slug(stem).replace("_", " "))
        return spaced if stanza.takes(self.whole(spaced)) else stanza.command

    def find_by_content(self, head: str) -> Stanza | None:
        """The stanza whose `content:` fits the first lines; None when none or several do."""
        fits = [s for s in self.stanzas.values() if s.content and s.content.search(head)]
        return fits[0] if fits else None

    def find_by_far_content(self, text: str) -> Stanza | None:
        """The stanza whose `content_far:` fits somewhere in `text`: outputs that begin with somebody's comments."""
        return next((s for s in self.stanzas.values() if s.content_far and s.content_far.search(text)), None)

    def find_by_path(self, path: str) -> Stanza | None:
        """The stanza that reads the file `path` of the device (UAC's [root]/etc/passwd)."""
        for stanza in self.stanzas.values():
            if stanza.path and re.fullmatch(stanza.path, path):
                return stanza
        return None


def knowing(command: str | None, said: str, platforms: Iterable[Platform]) -> list[str]:
    """The names of the platforms that know an output, a name a vote: by its command, and `said` by its name or content."""
    names = [p.name for p in platforms if command and p.find(command)]
    return [*names, said] if any(p.name == said for p in platforms) else names


def _best(candidates: Sequence[Stanza], head: str) -> Stanza | None:
    if len(candidates) > 1 and head:
        for stanza in candidates:
            if stanza.content and stanza.content.search(head):
                return stanza
    return candidates[0] if candidates else None


@lru_cache(maxsize=4096)
def normalise(command: str) -> str:
    """A command in its plain form: one space between words, no sudo, no folder, no redirection."""
    text = " ".join(command.split())
    text = re.sub(r"\s*2>\s*(/dev/null|&1)", "", text)
    text = re.sub(r"^(sudo|doas|busybox|command) ", "", text)
    return re.sub(r"^/(usr/)?s?bin/", "", text)


def _slugs(stanza: Stanza) -> set[str]:
    name = slug(stanza.command).lower()
    short = re.sub(r"^cat_", "", name)
    return {name, short, stanza.id.lower(), re.sub(r"^(proc_net|etc)_", "", short)}


def load(name: str, extra: Sequence[Path] = ()) -> Platform:
    """Load one platform by name; a user's pack in `extra` comes before the shipped one."""
    data.check_packs(extra, *PACK)
    for root in (*extra, data.parsers_dir()):
        folder = root / name
        if (folder / "platform.yaml").is_file():
            return _cached(folder)
    raise UsageError(f"no platform {name!r}; known: {', '.join(names(extra))}")


def names(extra: Sequence[Path] = ()) -> list[str]:
    """The names of all platforms that can be loaded."""
    data.check_packs(extra, *PACK)
    roots = (*extra, data.parsers_dir())
    return sorted({p.parent.name for root in roots for p in root.glob("*/platform.yaml")})


@lru_cache(maxsize=32)
def _cached(folder: Path) -> Platform:
    head = _yaml(folder / "platform.yaml")
    regex = _patterns(folder)
    unknown = set(head) - _PLATFORM_KEYS
    if unknown:
        raise DataError(f"{folder / 'platform.yaml'}: unknown keys {sorted(unknown)}")
    if head.get("name") != folder.name:
        raise DataError(f"{folder / 'platform.yaml'}: name: must be that of its folder, {folder.name!r}")
    stanzas: dict[str, Stanza] = {}
    if not isinstance(head.get("include", []), list):
        raise DataError(f"{folder / 'platform.yaml'}: include: must be a list of files")
    for part in head.get("include", []):
        for key, body in _yaml(folder / part).items():
            if key in stanzas:
                raise DataError(f"{folder / part}: stanza {key!r} exists already")
            try:
                stanzas[key] = _stanza(folder, head["name"], key, body, regex)
            except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
                raise DataError(f"{folder / part}: stanza {key!r}: {error!r}") from error
    stock_file = folder / head.get("stock", "stock.yaml")
    has_stock = "stock" in head or stock_file.is_file()
    if has_stock and not _shipped(folder):
        _stock(stock_file)
    try:
        return Platform(
            name=head["name"],
            title=head["title"],
            folder=folder,
            stanzas=stanzas,
            core=tuple(head.get("core", [])),
            denied=_there(regex(head["denied"]), "denied"),
            unsupported=_there(regex(head["unsupported"]), "unsupported"),
            absent=_there(regex(head["absent"]), "absent"),
            pager=_there(regex(head["pager"]), "pager"),
            prompts=tuple(_pattern(p) for p in head.get("prompts", [])),
            encoding=_encoding(head.get("encoding", "utf-8")),
            stock_file=stock_file if has_stock else None,
            console=_console(head["console"], regex) if "console" in head else None,
            usage=regex(head.get("usage")),
            ended=regex(head.get("ended")),
            part=regex(head.get("part")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise DataError(f"{folder / 'platform.yaml'}: {error!r}") from error


@lru_cache(maxsize=32)
def _stock(path: Path) -> Mapping[str, Any]:
    return _yaml(path)


def _console(body: dict[str, Any], regex: Patterns) -> Console:
    unknown = set(body) - {"comment", "before", "quiet"}
    if unknown:
        raise KeyError(f"unknown keys of console {sorted(unknown)}")
    return Console(body["comment"], tuple(body.get("before", [])), regex(body.get("quiet")))


def _stanza(folder: Path, platform: str, key: str, body: dict[str, Any], regex: Patterns) -> Stanza:
    unknown = set(body) - _STANZA_KEYS
    if unknown:
        raise KeyError(f"unknown keys {sorted(unknown)}")
    template = _template(folder, body["template"]) if "template" in body else None
    return Stanza(
        id=key,
        platform=platform,
        command=normalise(body["command"]),
        template=template,
        feeds=tuple(_feed(f) for f in body.get("feeds", [])),
        also=tuple(_there(regex(p), "also") for p in body.get("also", [])),
        content=regex(body.get("content"), re.MULTILINE),
        path=_pattern(body.get("path", "")),
        tier=int(body.get("tier", 3)),
        plan=bool(body.get("plan", True)),
        plan_command=body.get("plan_command", ""),
        plan_script=folder / body["plan_script"] if "plan_script" in body else None,
        empty_means=_one_of(body.get("empty_means", "gap"), ("gap", "none")),
        absent_means=_one_of(body.get("absent_means", "gap"), ("gap", "none")),
        trailer=regex(body.get("trailer")),
        any_line=body.get("any_line", ""),
        decode=tuple(Decode(d["with"], d["from"], d.get("into", d["from"])) for d in body.get("decode", [])),
        section=dict(body.get("section", {})),
        content_far=regex(body.get("content_far"), re.MULTILINE),
        reader=body.get("reader", ""),
        split=regex(body.get("split")),
        suspect_bytes=int(body.get("suspect_bytes", 0)),
        must_hold=regex(body.get("must_hold"), re.MULTILINE),
        one_a_device=bool(body.get("one_a_device", False)),
        seen=_one_of(body.get("seen", ""), ("", "real", "manual", "guess")),
        about=body.get("about", ""),
    )


def _template(folder: Path, name: str) -> Path:
    """The file of a template: beside the stanza, or `ntc:NAME` among those of the ntc-templates package."""
    path = folder / name
    if name.startswith("ntc:"):
        spec = importlib.util.find_spec("ntc_templates")
        if spec is None or spec.origin is None:
            raise DataError("the package ntc-templates is missing; install devicehunt again")
        path = Path(spec.origin).parent / "templates" / name.removeprefix("ntc:")
    if not path.is_file():
        raise KeyError(f"template {name} does not exist")
    return path


_STANZA_KEYS = {
    "command", "template", "feeds", "also", "content", "path", "tier", "plan", "plan_command", "plan_script",
    "empty_means", "absent_means", "trailer", "any_line", "decode", "section", "about", "content_far", "reader", "split",
    "suspect_bytes", "must_hold", "seen", "one_a_device",
}  # fmt: skip


_FEED_KEYS = {"table", "view", "columns", "where", "group", "line", "incomplete"}
_PLATFORM_KEYS = {
    "name", "title", "include", "stock", "encoding", "denied", "unsupported", "absent", "pager", "prompts", "core", "console",
    "usage", "ended", "part",
}  # fmt: skip


def _feed(body: dict[str, Any]) -> Feed:
    # a misspelt key would leave something out in silence
    unknown = set(body) - _FEED_KEYS
    if unknown:
        raise KeyError(f"unknown keys of a feed {sorted(unknown)}")
    return Feed(
        table=body["table"],
        view=body["view"],
        columns={k: str(v) for k, v in body["columns"].items()},
        where=body.get("where", ""),
        group=body.get("group", ""),
        line=body.get("line", ""),
        incomplete=dict(body.get("incomplete", {})),
    )


def _shipped(folder: Path) -> bool:
    return folder.parent == data.parsers_dir()


def _patterns(folder: Path) -> Patterns:
    """How the expressions of a pack are made: a user's are tried at once, the shipped ones are proven by the tests."""
    ours = _shipped(folder)

    def made(text: str | None, flags: int = 0) -> Pattern | None:
        found = Pattern(text, flags) if text else None
        if found and not ours:
            _ = found.compiled
        return found

    return made


def _there(pattern: Pattern | None, key: str) -> Pattern:
    if pattern is None:
        raise KeyError(f"{key}: an empty expression")
    return pattern


def _pattern(text: str) -> str:
    """A regular expression that stays text here; re.error where it is none."""
    re.compile(text)
    return text


_PLAIN = bytes(range(32, 127)) + b"\t"


def _encoding(name: str) -> str:
    """A text encoding in which plain ASCII is itself: lines are parted and patterns are written in it."""
    try:
        if _PLAIN.decode(name, "backslashreplace") == _PLAIN.decode("ascii"):
            return name
    except (LookupError, UnicodeError, TypeError, ValueError) as error:
        raise KeyError(f"encoding {name!r}: {error}") from error
    raise KeyError(f"encoding {name!r}: plain ASCII is something else in it")


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise KeyError(f"{value!r} is not one of {allowed}")
    return value


def _yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = data.read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: {error}") from error
    if not isinstance(loaded, dict):
        raise DataError(f"{path}: must be a mapping")
    return loaded
