"""STIX 2.1 (and 2.0): the indicators of a bundle, and what a pattern asks for.

A pattern is read where one value alone decides: comparisons joined by OR, IN, ISSUBSET; joined by AND where the rest narrows
the same thing (a port, a folder, a further hash). What asks for two things together, for order, absence or a likeness is
counted with the id of its indicator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from devicehunt.indicators.entries import About, Sink, confidence, when
from devicehunt.text import shown

LONGEST_PATTERN = 1 << 20
DEEPEST = 64


class PatternError(ValueError):
    """A pattern, or a part of one, that is not read; says why."""


class Comparison(NamedTuple):
    """object:path = value."""

    object: str
    path: str
    value: str


_TOKEN = re.compile(
    r"\s*(?:(?P<punct>[\[\](),])|(?P<op>!=|<>|<=|>=|=|<|>)|(?P<typed>[hbt]'(?:[^'\\]|\\.)*')|'(?P<text>(?:[^'\\]|\\.)*)'"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?(?=[\s\]),]|$))|(?P<path>[A-Za-z][\w-]*:(?:'(?:[^'\\]|\\.)*'|\[(?:\d+|\*)\]|[\w.-])+)|(?P<word>[A-Za-z]+))"
)
_WORDS = {
    "AND", "OR", "NOT", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS",
    "FOLLOWEDBY", "WITHIN", "REPEATS", "START", "STOP", "SECONDS", "TIMES",
}  # fmt: skip


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    at = 0
    pattern = pattern.rstrip()
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        if not found or found.end() == at:
            raise PatternError(f"cannot be read at character {at + 1}")
        kind = str(found.lastgroup)
        value = found[kind]
        if kind == "word" and value.upper() not in _WORDS and value not in ("true", "false"):
            raise PatternError(f"the word {value[:20]}")
        yield kind, re.sub(r"\\(.)", r"\1", value) if kind == "text" else value
        at = found.end()


Conjunction = tuple[Comparison, ...]


class _Parser:
    """Recursive descent to a list of alternatives; each is what must hold together."""

    def __init__(self, pattern: str) -> None:
        self._tokens = list(_tokens(pattern))
        self._at = 0
        self._depth = 0
        self.lost: list[str] = []

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _is(self, value: str) -> bool:
        kind, text = self._peek()
        return kind in ("punct", "word") and text.upper() == value

    def _expect(self, value: str) -> None:
        if not self._is(value):
            raise PatternError(f"{value} is missing")
        self._next()

    def whole(self) -> list[Conjunction]:
        found = self._observations()
        if self._peek()[0] != "end":
            word = self._peek()[1].upper()
            raise PatternError("an order or a time is asked for" if word in _WORDS else f"cannot be read at {word[:20]}")
        return found

    def _observations(self) -> list[Conjunction]:
        found = self._observation()
        while self._peek()[0] == "word":
            word = self._peek()[1].upper()
            if word == "OR":
                self._next()
                found += self._observation()
            elif word == "AND":
                raise PatternError("two things are asked for together")
            else:
                raise PatternError("an order or a time is asked for")
        return found

    def _observation(self) -> list[Conjunction]:
        self._deeper()
        if self._is("("):
            self._next()
            found = self._observations()
            self._expect(")")
        else:
            self._expect("[")
            found = self._either()
            self._expect("]")
        self._depth -= 1
        return found

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise PatternError("nested too deep")

    def _either(self) -> list[Conjunction]:
        found = self._both()
        while self._is("OR"):
            self._next()
            found += self._both()
        return found

    def _both(self) -> list[Conjunction]:
        found = self._one()
        while self._is("AND"):
            self._next()
            more = self._one()
            if not found or not more:  # what could not be read narrows the rest: without it too much would match
                found = []
                continue
            if len(found) * len(more) > 10_000:
                raise PatternError("too many combinations")
            found = [(*a, *b) for a in found for b in more]
        return found

    def _one(self) -> list[Conjunction]:
        if self._is("("):
            self._deeper()
            self._next()
            found = self._either()
            self._expect(")")
            self._depth -= 1
            return found
        return self._comparison()

    def _comparison(self) -> list[Conjunction]:
        kind, path = self._next()
        if kind == "word" and path.upper() in ("NOT", "EXISTS"):
            raise PatternError("absence is asked for" if path.upper() == "NOT" else "presence alone is asked for")
        if kind != "path":
            raise PatternError(f"a property is missing at {path[:20]!r}")
        negated = self._is("NOT")
        if negated:
            self._next()
        op = self._next()[1].upper()
        values = self._values()
        name, _, rest = path.partition(":")
        if negated or op in ("!=", "<>"):
            self.lost.append("absence is asked for")
            return []
        if op not in ("=", "IN", "ISSUBSET"):
            self.lost.append(f"{op} asks for a likeness")
            return []
        return [(Comparison(name.lower(), rest.replace("'", "").lower(), value),) for value in values]

    def _values(self) -> list[str]:
        if not self._is("("):
            return [self._value()]
        self._next()
        found = [self._value()]
        while self._is(","):
            self._next()
            found.append(self._value())
        self._expect(")")
        return found

    def _value(self) -> str:
        kind, value = self._next()
        if kind not in ("text", "number", "word", "typed"):
            raise PatternError("a value is missing")
        return value


_IGNORED = {("network-traffic", p) for p in ("dst_ref.type", "src_ref.type", "protocols[*]", "protocols[0]", "protocols", "is_active")}
_ADDRESSES = {("ipv4-addr", "value"), ("ipv6-addr", "value"), ("network-traffic", "dst_ref.value"), ("network-traffic", "src_ref.value")}
_USERS = ("user_id", "account_login", "display_name")


def _read(parts: Conjunction) -> list[tuple[str, str]]:
    """The kinds and values that one alternative asks for; any of them decides."""
    facts = {(p.object, p.path): p.value for p in parts if (p.object, p.path) not in _IGNORED}
    if len(facts) < len({(p.object, p.path, p.value) for p in parts if (p.object, p.path) not in _IGNORED}):
        raise PatternError("one property with two values")
    hashes = [v for (o, p), v in facts.items() if o == "file" and p.startswith("hashes.")]
    others = {k for k in facts if k[0] not in ("file", "x509-certificate")}
    if hashes and not others:
        return [("hash", v) for v in hashes]  # names and sizes beside it say less
    certificates = [v for (o, p), v in facts.items() if o == "x509-certificate" and p.startswith("hashes.")]
    if certificates and not others:
        return [("certificate", v) for v in certificates]
    port = facts.pop(("network-traffic", "dst_port"), None)
    if len(facts) == 1:
        ((name, path), value), *_ = facts.items()
        return [_single(name, path, value, port)]
    if set(facts) == {("file", "name"), ("file", "parent_directory_ref.path")} and port is None:
        return [("path", f"{facts['file', 'parent_directory_ref.path'].rstrip('/')}/{facts['file', 'name']}")]
    if not facts:
        raise PatternError("a port alone")
    if set(facts) <= {("user-account", u) for u in _USERS} | {("user-account", "account_type")}:
        return [("user", v) for (_, p), v in facts.items() if p != "account_type"][:1]
    raise PatternError("two things are asked for together")


def _single(name: str, path: str, value: str, port: str | None) -> tuple[str, str]:
    if (name, path) in _ADDRESSES:
        bare = f"[{value}]" if ":" in value else value
        if "." not in value and ":" not in value:
            return "domain", value
        if "/" in value:
            return "network", value
        return ("address", f"{bare}:{port}" if port else value) if _numeric(value) else ("domain", value)
    if port is not None:
        raise PatternError("two things are asked for together")
    if (name, path) == ("domain-name", "value"):
        return "domain", value
    if (name, path) == ("url", "value"):
        return "url", value
    if name == "user-account" and path in _USERS:
        return "user", value
    if (name, path) in (("directory", "path"), ("file", "parent_directory_ref.path")):
        return "path", value
    if (name, path) == ("file", "name") and "/" in value:
        return "path", value
    if (name, path) == ("file", "name"):
        raise PatternError("the name of a file without its folder")
    raise PatternError(f"the property {shown(name, 30)}:{shown(path, 40)}")


def _numeric(value: str) -> bool:
    return ":" in value or value.replace(".", "").isdigit()


def read_pattern(pattern: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What a pattern asks for, as (kind, value), and the reasons for the parts that were not read."""
    if len(pattern) > LONGEST_PATTERN:
        return [], ["a pattern too long"]
    try:
        parser = _Parser(pattern)
        alternatives = parser.whole()
    except PatternError as error:
        return [], [str(error)]
    found: dict[tuple[str, str], None] = {}
    lost = list(parser.lost)
    for one in alternatives:
        try:
            found.update(dict.fromkeys(_read(one)))
        except PatternError as error:
            lost.append(str(error))
    return list(found), list(dict.fromkeys(lost))


def objects_of(body: Any) -> list[Any] | None:
    """The objects of a bundle, a TAXII envelope, a list or one indicator; None for JSON that is no STIX."""
    if isinstance(body, dict) and isinstance(body.get("objects"), list):
        return list(body["objects"])
    if isinstance(body, dict) and body.get("type") == "indicator" and "pattern" in body:
        return [body]
    if isinstance(body, list) and any(isinstance(o, dict) and "--" in str(o.get("id")) and "type" in o for o in body):
        return body
    return None


def read(objects: Sequence[Any], sink: Sink) -> None:
    """Take the indicators among STIX objects."""
    for number, one in enumerate(objects, 1):
        if not isinstance(one, dict):
            sink.leave(About(object=f"object {number}"), "not read (no object)")
        elif one.get("type") == "indicator":
            _indicator(one, number, sink)


def _indicator(one: dict[str, Any], number: int, sink: Sink) -> None:
    def said(key: str) -> str:
        return one[key] if isinstance(one.get(key), str) else ""

    about = About(
        None, said("id")[:120] or f"object {number}", (said("name") or said("description"))[:120] or None,
        when(said("valid_from")), None, when(said("valid_until")), confidence(one.get("confidence")),
    )  # fmt: skip
    lists = [one[key] for key in ("indicator_types", "labels") if isinstance(one.get(key), list)]
    types = [str(t) for of in lists for t in of]
    if one.get("revoked") is True:
        sink.leave(about, "left out (revoked)")
    elif said("pattern_type") not in ("", "stix"):
        sink.leave(about, f"not read (a pattern of {shown(said('pattern_type'), 20)})")
    elif "benign" in types:
        sink.leave(about, "left out (benign)")
    elif not said("pattern"):
        sink.leave(about, "not read (no pattern)")
    else:
        found, lost = read_pattern(said("pattern"))
        for kind, value in found:
            sink.take(about, value, kind)
        for why in lost or ([] if found else ["nothing in it is compared"]):
            sink.leave(about, f"not read ({why})")
