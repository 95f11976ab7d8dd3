"""Whether a protocol is at home on a port; the knowledge is in ports.yaml."""

from __future__ import annotations

from functools import cache

from devicehunt.data import PACKAGE, read_yaml

_PROTO = {"tcp": 6, "udp": 17}


@cache
def _known() -> dict[tuple[str, int], frozenset[int]]:
    loaded = read_yaml((PACKAGE / "flows" / "apps" / "ports.yaml").read_text(encoding="utf-8"))
    return {
        (app, _PROTO[proto]): frozenset(port for entry in ports for port in _range(str(entry)))
        for proto, apps in loaded.items()
        for app, ports in apps.items()
    }


def _range(entry: str) -> range:
    first, _, last = entry.partition("-")
    return range(int(first), int(last or first) + 1)


def usual(app: str, proto: int, port: int) -> bool | None:
    """Whether `port` is where `app` is served; None when no application or no port of it is known."""
    ports = _known().get((app, proto))
    return None if ports is None else port in ports
