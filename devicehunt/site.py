"""The site file: what the owner says is theirs, and which findings it explains."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from devicehunt.data import KeysOnce
from devicehunt.decode.addresses import canonical
from devicehunt.errors import SiteError
from devicehunt.text import shown, storable

KINDS: dict[str, frozenset[str]] = {
    "listener": frozenset({"proto", "port", "address"}),
    "port-forward": frozenset({"proto", "port", "to"}),
    "tunnel": frozenset({"name", "peer", "port"}),
    "peer": frozenset({"address", "port", "proto"}),
    "account": frozenset({"name"}),
    "ssh-key": frozenset({"fingerprint", "comment"}),
    "resolver": frozenset({"address"}),
    "job": frozenset({"command", "path"}),
    "program": frozenset({"path"}),
    "redirect": frozenset({"proto", "port", "to_port"}),
}
"""The kinds of `expected:` entries and the keys that each may have."""
YAML_CAP = 1024 * 1024
"""Bytes of a file that a person writes; beside evidence may lie one that nobody wrote."""
SIDES = ("inside", "management", "wan")
CASE_KEYS = ("operator", "case_number", "device_owner", "authority", "scope")


@dataclass(frozen=True, slots=True)
class Site:
    """A site file, checked. `networks` maps inside, management and wan to their members."""

    expected: tuple[dict[str, Any], ...] = ()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of the tables `expected` and `site_networks`."""
        expected = [
            {
                "id": i, "kind": e["kind"], "proto": e.get("proto"), "port": e.get("port"),
                "to_port": e.get("to_port"), "address": e.get("address") or e.get("peer"),
                "to_address": str(e["to"]).rpartition(":")[0] or str(e["to"]) if "to" in e else None,
                "name": e.get("name"), "fingerprint": e.get("fingerprint"), "command": e.get("command"),
                "path": e.get("path"),
            }
            for i, e in enumerate(self.expected)
        ]  # fmt: skip
        networks = []
        for side, members in self.networks.items():
            for member in members:
                network = _network(member)
                networks.append(
                    {
                        "side": side,
                        "network": str(network) if network else None,
                        "interface": None if network else member,
                        "first_key": key_hex(network.network_address) if network else None,
                        "last_key": key_hex(network.broadcast_address) if network else None,
                    }
                )
        return expected, networks


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def key_hex(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """The 16 bytes of an address in hexadecimal, as the macro `ip` makes them."""
    return address.packed.hex().rjust(32, "0") if address.version == 6 else "0" * 20 + "ffff" + address.packed.hex()


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping written by the user; SiteError names the file and the place."""
    try:
        return parse_yaml(path.read_bytes(), str(path))
    except OSError as error:
        raise SiteError(f"{path}: {error.strerror or error}") from error


class _Plain(KeysOnce, yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of them stand for gigabytes of text."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read here, write it out")
        return super().compose_node(parent, index)


def parse_yaml(text: bytes, where: str) -> dict[str, Any]:
    """A YAML mapping; SiteError says where and what is wrong."""
    if len(text) > YAML_CAP:
        raise SiteError(f"{where}: larger than {YAML_CAP >> 10} KiB")
    try:
        loaded = yaml.load(text.decode("utf-8-sig"), Loader=_Plain)  # noqa: S506 - a safe loader
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise SiteError(f"{where}: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SiteError(f"{where}: must be a mapping")
    return loaded


def case_info(body: Mapping[str, Any], where: str) -> dict[str, str]:
    """What a case.yaml says, as safe text; SiteError for a key that there is not."""
    _known(body, CASE_KEYS, where)
    return {k: shown(str(v)) for k, v in body.items() if v is not None}


def _known(keys: Iterable[Any], known: Sequence[str], where: str, says: str = "unknown keys") -> None:
    """SiteError for keys that are not among the known ones, with the nearest name."""
    unknown = [k for k in keys if k not in known]
    if unknown:
        raise SiteError(f"{where}: {says} {', '.join(repr(k) for k in unknown)}; {_nearest(unknown[0], known)}")


def _nearest(name: Any, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), known, 1, 0.5)
    names = f"there are {', '.join(known)}"
    return f"did you mean {near[0]}? ({names})" if near else names


def load(path: Path) -> Site:
    """Read a site file; SiteError names what is wrong in it."""
    body = read_yaml(path)
    _known(body, ("expected", "networks"), str(path))
    expected = body.get("expected") or []
    networks = body.get("networks") or {}
    if not isinstance(expected, list) or not isinstance(networks, dict):
        raise SiteError(f"{path}: `expected` is a list and `networks` is a mapping")
    _known(networks, SIDES, f"{path}: networks")
    return Site(
        tuple(_checked(path, i, e) for i, e in enumerate(expected, 1)),
        {side: _members(path, side, given) for side, given in networks.items()},
    )


def _members(path: Path, side: str, given: Any) -> tuple[str, ...]:
    members = [] if given is None else given if isinstance(given, list) else [given]
    for member in members:
        if not isinstance(member, str) or ("/" in member and _network(member) is None):
            raise SiteError(f"{path}: networks: {side}: {member!r} is no network and no interface")
    return tuple(map(storable, members))


def _checked(path: Path, number: int, entry: Any) -> dict[str, Any]:
    where = f"{path}: expected entry {number}"
    kinds = sorted(KINDS)
    if not isinstance(entry, dict) or entry.get("kind") not in kinds:
        given = entry.get("kind") if isinstance(entry, dict) else entry
        raise SiteError(f"{where}: `kind` must be one of those known, not {given!r}; {_nearest(given, kinds)}")
    _known(entry, ("kind", "note", *sorted(KINDS[entry["kind"]])), where, f"a {entry['kind']} has no")
    if len(set(entry) & KINDS[entry["kind"]]) == 0:
        raise SiteError(f"{where}: a {entry['kind']} must say which one")
    checked = {k: storable(v) if isinstance(v, str) else v for k, v in entry.items()}
    for key, value in entry.items():
        if key in ("port", "to_port"):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
                raise SiteError(f"{where}: {key} must be a number from 1 to 65535")
        elif not isinstance(value, str | int | float):
            raise SiteError(f"{where}: {key} must be one value")
    for key in ("address", "peer"):
        if key in checked:
            try:
                checked[key] = canonical(str(checked[key]))
            except ValueError as error:
                raise SiteError(f"{where}: {error}") from error
    return checked


def explains(site: Site, kinds: Sequence[str], subjects: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The entry of the site file that explains these subjects, or None.

    Every subject of the entry's type must be explained, so that one known port does not cover
    for a second one in the same finding.
    """
    for kind in kinds:
        mine = [s for s in subjects if s.get("type") in _SUBJECTS[kind]]
        entries = [e for e in site.expected if e["kind"] == kind]
        if not mine or not entries:
            continue
        hits = [next((e for e in entries if _MATCH[kind](e, s)), None) for s in mine]
        if all(h is not None for h in hits):
            return hits[0]
    return None


def _same(entry: Mapping[str, Any], key: str, value: Any) -> bool:
    return key not in entry or value is None or str(entry[key]) == str(value)


def _listener(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    return (
        _same(entry, "proto", subject.get("proto"))
        and ("port" not in entry or str(entry["port"]) == str(subject.get("local_port")))
        and _same(entry, "address", subject.get("local_ip"))
    )


def _forward(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    wanted, _, port = str(entry.get("to", "")).partition(":")
    to, _, to_port = str(subject.get("to") or "").partition(":")
    return (
        _same(entry, "proto", subject.get("proto"))
        and _same(entry, "port", subject.get("port"))
        and (not wanted or wanted == to)
        and (not port or not to_port or port == to_port)
    )


def _tunnel(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    return (
        ("name" not in entry or entry["name"] == subject.get("name"))
        and _same(entry, "peer", subject.get("peer"))
        and _same(entry, "port", subject.get("port"))
    )


def _peer(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    return "address" in entry and entry["address"] == subject.get("address") and _same(entry, "port", subject.get("port"))


def _program(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    wanted = str(entry["path"])
    names = [subject.get(k) for k in ("script", "exe", "path", "program")]
    return any(n and (str(n).startswith(wanted) if wanted.endswith("/") else n == wanted) for n in names)


def _job(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    command = str(subject.get("command") or "").strip()
    return ("command" not in entry or str(entry["command"]).strip() in (command, command.removesuffix("&").strip())) and _same(
        entry, "path", subject.get("path")
    )


def _key(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    if "fingerprint" in entry:
        return bool(entry["fingerprint"] == subject.get("fingerprint"))
    return bool(entry.get("comment") == subject.get("comment"))  # weaker; the owner's choice


def _redirect(entry: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    return (
        _same(entry, "proto", subject.get("proto"))
        and _same(entry, "port", subject.get("port"))
        and _same(entry, "to_port", subject.get("to_port"))
    )


_MATCH = {
    "listener": _listener,
    "port-forward": _forward,
    "tunnel": _tunnel,
    "peer": _peer,
    "account": lambda e, s: e.get("name") == s.get("name"),
    "ssh-key": _key,
    "resolver": lambda e, s: e.get("address") == s.get("address"),
    "job": _job,
    "program": _program,
    "redirect": _redirect,
}
_SUBJECTS: dict[str, tuple[str, ...]] = {
    "listener": ("socket", "firewall-rule"),
    "port-forward": ("nat-rule",),
    "tunnel": ("interface",),
    "peer": ("peer",),
    "account": ("account",),
    "ssh-key": ("ssh-key",),
    "resolver": ("resolver", "peer"),
    "job": ("job",),
    "program": ("process", "file", "job"),
    "redirect": ("nat-rule", "firewall-rule"),
}
