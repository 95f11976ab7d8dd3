"""Decoders: one device notation -> plain values. Stanzas name them; parsers/README.md lists them.

A decoder takes one raw value and returns a dict of its `fields`, or a list of such dicts when one
value stands for several rows (a port list), or an empty list when the value stands for none.
A notation that it cannot read raises ValueError, and the row becomes a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from devicehunt.errors import DataError

Fields = dict[str, str | None]
Decoded = Fields | list[Fields]


REMEMBERED = 4096
"""Values that a decoder remembers: many devices, and two sides of a comparison, say the same."""


SHORT = 400
"""Letters of a value that is remembered: what a device says may be long."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """A named decoder and the names that it may fill."""

    fields: tuple[str, ...]
    function: Callable[[str], Decoded]
    about: str
    read: Callable[[str], Sequence[Mapping[str, str | None]]]
    """The function's answer as rows, remembered: not to be changed."""


_REGISTRY: dict[str, Decoder] = {}


def decoder(name: str, *fields: str) -> Callable[[Callable[[str], Decoded]], Callable[[str], Decoded]]:
    """Register a function as the decoder `name` that fills `fields`."""

    def register(function: Callable[[str], Decoded]) -> Callable[[str], Decoded]:
        about = (function.__doc__ or "").strip().splitlines()[0]
        _REGISTRY[name] = Decoder(fields, function, about, _remembering(function))
        return function

    return register


def _remembering(function: Callable[[str], Decoded]) -> Callable[[str], Sequence[Fields]]:
    def asked(value: str) -> Sequence[Fields]:
        answer = function(value)
        return answer if isinstance(answer, list) else [answer]

    known = lru_cache(REMEMBERED)(asked)
    return lambda value: (known if len(value) <= SHORT else asked)(value)


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
