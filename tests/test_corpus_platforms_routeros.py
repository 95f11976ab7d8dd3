"""RouterOS outputs that others published, where they lie beside this project: read whole, with the values that others read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import devicehunt
from devicehunt import database, parse, platforms, tables
from devicehunt.model import Section
from tests import samples

CORPUS = samples.ROOT.parent / "shared" / "corpus"
PRINTS = CORPUS / "cli" / "ntc-templates" / "mikrotik_routeros"
ROUTEROS = platforms.load("mikrotik_routeros")
pytestmark = pytest.mark.skipif(not PRINTS.is_dir(), reason="the corpus of real outputs is not beside this project")

# command -> table, and their value -> our column
SAME: dict[str, tuple[str, dict[str, str]]] = {
    "interface_print": ("interfaces", {"name": "name", "type": "kind", "mac_address": "mac", "actual_mtu": "mtu"}),
    "interface_wireguard_peers": ("tunnels", {"interface": "name", "allowed_address": "allowed"}),
    "interface_wireguard_print": ("vpn_servers", {"name": "name", "listen_port": "port"}),
    "ip_address": ("addresses", {"ip": "address_ip", "interface": "interface", "subnet": "prefix_length", "mask": "prefix_length"}),
    "ip_arp": ("neighbours", {"ip_address": "address_ip", "mac_address": "mac", "interface": "interface"}),
    "ip_dhcp-server_lease": ("neighbours", {"address": "address_ip", "mac_address": "mac", "status": "state"}),
    "ip_firewall_address-list": ("firewall_sets", {"ip_address": "element", "list": "name"}),
    "ip_firewall_filter": (
        "firewall_rules",
        {"chain": "chain", "comment": "comment", "connection_state": "ct_state", "protocol": "proto", "src_address": "src",
         "dst_address": "dst", "in_interface": "in_if", "out_interface": "out_if"},
    ),
    "ip_firewall_nat": (
        "nat_rules",
        {"chain": "chain", "comment": "comment", "protocol": "proto", "src_address": "src", "dst_address": "dst",
         "to_addresses": "to_ip", "in_interface": "in_if", "out_interface": "out_if"},
    ),
    "ip_neighbor": ("neighbours", {"ipv4_address": "address_ip", "mac_address": "mac", "identity": "state"}),
    "ip_route": ("routes", {"dst_address": "destination", "distance": "metric"}),
    "log_print_detail": ("log_events", {"topic": "facility", "message": "message"}),
    "system_identity": ("devices", {"name": "hostname"}),
    "system_resource": ("devices", {"board_name": "model", "version": "version"}),
    "system_routerboard": ("devices", {"hardware_model": "model", "serial_number": "serial"}),
    "user_active": ("sessions", {"name": "account", "address": "source_ip", "via": "terminal"}),
}  # fmt: skip


def _outputs() -> Iterator[tuple[Path, str]]:
    for path in sorted(PRINTS.glob("*/*.raw")):
        yield path, "/" + path.parent.name.replace("_", " ")


def _read(path: Path, command: str) -> parse.Parsed:
    data = path.read_bytes()
    stanza = ROUTEROS.find(command, parse.head_of(data)) or ROUTEROS.find_by_content(parse.head_of(data))
    return parse.parse(Section(f"d/1/{path.name}", "d", "1", 1, command, data), stanza, ROUTEROS)


def test_outputs_of_a_known_command_are_read_whole() -> None:
    lines = unread = files = 0
    poor = []
    for path, command in _outputs():
        found = _read(path, command)
        if found.stanza is None:
            assert found.gaps, f"{path.name}: nothing read and nothing said"
            continue
        files, lines, unread = files + 1, lines + found.lines, unread + found.unread
        if found.unread:
            poor.append(f"{path.name}: {found.unread} of {found.lines}")
    assert files >= 24
    assert unread / lines < 0.02, poor


def _rows(found: parse.Parsed, table: str, folder: Path) -> list[dict[str, Any]]:
    loader = tables.Loader()
    loader.add(found)
    loader.finish(folder, "0")
    if not (folder / table).is_dir():
        return []
    got = database.connect(views=False).execute(f"select * from '{folder}/{table}/*.parquet'")
    names = [d[0] for d in got.description or []]
    return [dict(zip(names, row, strict=True)) for row in got.fetchall()]


def test_values_are_those_that_others_read(tmp_path: Path) -> None:
    wanted = missing = 0
    lost: list[str] = []
    for number, (path, command) in enumerate(_outputs()):
        known = next((v for k, v in SAME.items() if path.parent.name.startswith(k)), None)
        if known is None:
            continue
        table, columns = known
        rows = _rows(_read(path, command), table, tmp_path / str(number))
        for theirs in yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["parsed_sample"]:
            if "X" in theirs.get("flags", "") or theirs.get("disabled") == "yes":
                continue  # what is switched off is no fact of these tables
            values = {columns[k]: _plain(v) for k, v in theirs.items() if k in columns and _plain(v)}
            best = max((sum(_plain(r[c]) == v for c, v in values.items()) for r in rows), default=0)
            wanted, missing = wanted + len(values), missing + len(values) - best
            if best < len(values):
                lost.append(f"{path.name}: {values}")
    assert wanted >= 250
    assert missing / wanted <= 0.05, f"{missing} of {wanted}\n" + "\n".join(lost)


def _plain(value: Any) -> str:
    return re.sub(r"\s+", " ", str(value if value is not None else "")).strip().lower().removesuffix("/32")


@pytest.mark.parametrize("version", ["7.10.1", "7.16"])
def test_an_export_behind_somebodys_comments_is_read_whole(version: str, tmp_path: Path) -> None:
    path = CORPUS / "session" / "oxidized" / f"routeros__CHR_{version}__output.txt"
    case = devicehunt.hunt([path], case=tmp_path / "case")
    exhibits, gaps = (database.connect(views=False).execute(
        f"select {what} from '{case.tables}/exhibits/*.parquet'").fetchall() for what in ("stanza, status, lines", "unread"))  # fmt: skip
    assert [(stanza, status) for stanza, status, _ in exhibits] == [("mikrotik_routeros/export", "complete")]
    assert gaps == [(0,)]
    assert case.verdicts[0].verdict != "nothing-found"  # an export names no accounts and no keys
