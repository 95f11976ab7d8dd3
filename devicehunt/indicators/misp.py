"""MISP: the attributes of events, of feeds and of answers of its API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from devicehunt.indicators.entries import About, Sink, when
from devicehunt.indicators.values import kind_of, word

_BY_LAST_PART = ("filename_", "filename|")


def events_of(body: Any) -> list[dict[str, Any]] | None:
    """The events of a file; None for JSON that is no MISP."""
    if isinstance(body, dict) and "response" in body:
        body = body["response"]
    if isinstance(body, dict) and isinstance(body.get("Event"), dict):
        return [body["Event"]]
    if isinstance(body, dict) and isinstance(body.get("Attribute"), list):
        return [body]
    if isinstance(body, list):
        events = [o["Event"] for o in body if isinstance(o, dict) and isinstance(o.get("Event"), dict)]
        return events or None
    return None


def is_manifest(body: Any) -> bool:
    """Whether it is the table of contents of a feed: it holds no values."""
    return isinstance(body, dict) and bool(body) and all(isinstance(v, dict) and {"Orgc", "info"} <= set(v) for v in body.values())


def _attributes(event: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    def of(holder: dict[str, Any], key: str) -> list[Any]:
        return holder[key] if isinstance(holder.get(key), list) else []

    for attribute in of(event, "Attribute"):
        yield attribute, {}
    for thing in of(event, "Object"):
        if isinstance(thing, dict):
            for attribute in of(thing, "Attribute"):
                yield attribute, thing


def read(events: list[dict[str, Any]], sink: Sink) -> None:
    """Take the attributes of events."""
    for event in events:
        for number, (attribute, thing) in enumerate(_attributes(event), 1):
            if isinstance(attribute, dict):
                _attribute(attribute, thing, event, number, sink)
            else:
                sink.leave(About(object=f"attribute {number}"), "not read (no attribute)")


def _attribute(one: dict[str, Any], thing: dict[str, Any], event: dict[str, Any], number: int, sink: Sink) -> None:
    def said(*keys: str) -> str:
        places = [(one, k) for k in keys] + [(thing, k) for k in keys if k.endswith("_seen")]
        return next((str(p[k]) for p, k in places if isinstance(p.get(k), str | int) and not isinstance(p.get(k), bool) and p.get(k)), "")

    kind_name, value = word(said("type")), said("value")
    last = when(said("last_seen"))
    about = About(
        None, said("uuid", "id")[:120] or f"attribute {number}", (said("comment") or str(event.get("info") or ""))[:120] or None,
        when(said("first_seen")) or when(str(event.get("date") or "")), last or when(said("timestamp")),
    )  # fmt: skip
    if one.get("to_ids") in (False, 0, "0", "false"):
        sink.leave(about, "left out (to_ids is false)", value)
    elif one.get("deleted") in (True, 1, "1"):
        sink.leave(about, "left out (deleted)", value)
    elif kind_name in kind_of():
        _take(about, kind_name, value, sink)
    elif kind_name.startswith(_BY_LAST_PART) and kind_of().get(kind_name.split("|")[-1]) == "hash":
        sink.take(about, value.rpartition("|")[2], "hash")
    else:
        sink.leave(about, f"not read (the type {kind_name[:40] or 'is missing'})", value)


def _take(about: About, name: str, value: str, sink: Sink) -> None:
    kind = kind_of()[name]
    if name == "filename" and "/" not in value:
        sink.leave(about, "not read (the name of a file without its folder)", value)
    elif name.endswith("|ip") and "|" in value:  # both are said to be bad
        domain, _, address = value.partition("|")
        sink.take(about, domain, "domain")
        sink.take(about, address, "address")
    elif kind == "hash":
        sink.take(about, value.rpartition("|")[2], kind)
    else:
        sink.take(about, value, "network" if kind == "address" and "/" in value else kind)
