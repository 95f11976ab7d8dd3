"""Decoders: one device notation -> plain values. Stanzas name them; parsers/README.md lists them.

A decoder takes one raw value and returns a dict of its `fields`, or a list of such dicts when one
value stands for several rows (a port list), or an empty list when the value stands for none.
A notation that it cannot read raises ValueError, and the row becomes a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devicehunt.errors import DataError

Fields = dict[str, str | None]
Decoded = Fields | list[Fields]


@dataclass(frozen=True, slots=True)
class Decoder:
    """A named decoder and the names that it may fill."""

    fields: tuple[str, ...]
    function: Callable[[str], Decoded]
    about: str


_REGISTRY: dict[str, Decoder] = {}


def decoder(name: str, *fields: str) -> Callable[[Callable[[str], Decoded]], Callable[[str], Decoded]]:
    """Register a function as the decoder `name` that fills `fields`."""

    def register(function: Callable[[str], Decoded]) -> Callable[[str], Decoded]:
        about = (function.__doc__ or "").strip().splitlines()[0]
        _REGISTRY[name] = Decoder(fields, function, about)
        return function

    return register


def get(name: str) -> Decoder:
    """Return the decoder called `name`; DataError when there is none."""
    found = all_decoders().get(name)
    if found is None:
        raise DataError(f"no decoder {name!r}; there are {', '.join(sorted(_REGISTRY))}")
    return found


def all_decoders() -> dict[str, Decoder]:
    """All decoders by name."""
    from devicehunt.decode import addresses, files, firewall, listing, nft, processes, system  # noqa: F401
    from devicehunt.readers import ios_acl, ios_typed  # noqa: F401

    return _REGISTRY
