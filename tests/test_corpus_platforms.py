"""Real outputs of Cisco IOS that others published, with the values that their parsers read: ours are held against them.

The values are of ntc-templates (.yml), genie and napalm (.json), beside the outputs. The corpus lies beside this project
or where DEVICEHUNT_CORPUS says; without it nothing is tested here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from devicehunt import database, parse, platforms, tables
from devicehunt.model import Section
from tests import samples

CORPUS = samples.CORPUS / "cli"
IOS = platforms.load("cisco_ios")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real outputs is not beside this project")

# The values that our tables have a column for: leaves by their key; `name/` are the keys of the mapping `name`.
FIELDS: dict[str, str] = {
    "version": "hostname version system_image running_image software_image image_id chassis_sn serial hardware chassis "
    "config_register curr_config_register reload_reason last_reload_reason restarted system_restarted_at "
    "model serial_number",
    "clock": "time",
    "ip_sockets": "local_port",
    "processes_cpu": "process_pid process_name process pid",
    "processes_memory": "per_process_memory/ pid",
    "processes_cpu_platform": "pid/ name ppid status",
    "users": "user location line line/",
    "logging": "facility mnemonic severity message logs",
    "nat_translations": "protocol inside_global inside_local outside_local outside_global inside_global_ip inside_global_port "
    "inside_local_ip inside_local_port outside_local_ip outside_local_port outside_global_ip outside_global_port",
    "crypto_session": "interface interface/ peer peer/ local local_ip port",
    "arp": "ip link_layer_address interfaces/ ip_address mac_address mac interface",
    "ip_route": "route next_hop nexthop_ip nexthop_if outgoing_interface metric vrf vrf/ destination",
    "ip_interface_brief": "interface/ ip_address",
    "access_lists": "acl_name name matched_packets matches line_num aces/ src_host dst_host",
    "tacacs": "server/ server_address server_port tacacs_server tacacs_server_name",
    "http_server": "port access_class trustpoint authentication_method",
    "dir": "files/ size last_modified_date permissions",
    "bootvar": "boot_variable next_reload_boot_variable current_boot_variable boot_path config_file configuration_register",
    "pki": "cn common_name serial_number_in_hex",
    "app_list": "app_id/ state",
    "install": "filename_version",
    "privilege": "current_privilege_level",
    "snmp_group": "groupname",
    "snmp_user": "user_name/",
}
# what is the same word for everybody, or nothing
_NO_VALUE = {"", "none", "(none)", "n/a", "-", "---", "--", "unassigned", "default", "any", "0", "idle", "unknown", "--any--", "not set"}
# values that stand in a longer one of ours: a file in its path, a common name in the whole name of a certificate
_PARTS = {"files", "cn", "common_name"}
_ECHO = re.compile(r"\s*(?:[\w.@/()-]*[#>])?\s*((?:sh|sho|show|dir|verify|more)\b[^\n]*?)\s*")
_PROMPT = re.compile(r"\s*[\w.@/()-]*[#>]\s*")


@dataclass(frozen=True)
class Output:
    """One published output: where, the command, what came, and the file of its values."""

    path: Path
    command: str
    data: bytes
    values: Path | None


def _named(folder: str) -> str:
    """The command behind `show_ip_arp` and `ShowIpArp`, in one of our spellings; empty when no stanza has it."""
    words = folder.replace("_", " ") if "_" in folder else " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", folder)).lower()
    if IOS.find(words):
        return words
    packed = re.sub(r"\W", "", words)
    return next((s.command for s in IOS.stanzas.values() if packed == re.sub(r"\W", "", s.command)), "")


def _body(data: bytes, command: str) -> tuple[str, bytes]:
    """The output without its echo and the prompt behind it; the command as it was echoed."""
    lines = data.decode("utf-8", "replace").split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    echo = _ECHO.fullmatch(lines[first])
    if echo:
        command = echo[1]
        lines = lines[first + 1 :]
    while lines and (not lines[-1].strip() or _PROMPT.fullmatch(lines[-1])):
        lines.pop()
    return command, ("\n".join(lines) + "\n").encode()


@lru_cache(maxsize=1)
def outputs() -> tuple[Output, ...]:
    """All outputs whose command a stanza reads; filtered ones (`| include`) and empty ones left out."""
    found = []
    for path in sorted(_files()):
        values = path.with_suffix(".yml") if path.suffix == ".raw" else path.with_suffix("").with_suffix(".expected.json")
        if "napalm" in path.parts:
            values = path.with_name("expected_result.json")
        folder = path.parent.name if "napalm" not in path.parts else path.stem
        command, data = _body(path.read_bytes(), _named(folder))
        if command and "|" not in command and data.strip() and IOS.find(command):
            found.append(Output(path, command, data, values if values.is_file() else None))
    return tuple(found)


def _files() -> Iterator[Path]:
    yield from (CORPUS / "ntc-templates" / "cisco_ios").glob("*/*.raw")
    for family in ("ios", "iosxe"):
        yield from (CORPUS / "genie" / family).glob("*/*.txt")
    yield from (CORPUS / "napalm" / "ios").glob("*/*/show_*.txt")


def _read(output: Output) -> parse.Parsed:
    stanza = IOS.find(output.command, parse.head_of(output.data))
    return parse.parse(Section(f"d/1/{output.path.name}", "d", "1", 1, output.command, output.data), stanza, IOS)


def _words(found: parse.Parsed, folder: Path) -> set[str]:
    """Every value in every row that an output made, as text."""
    loader = tables.Loader()
    loader.add(found)
    loader.finish(folder, "0")
    con = database.connect(views=False)
    words: set[str] = set()
    for table in sorted(p.name for p in folder.iterdir() if p.name not in tables.META):
        for row in con.execute(f"select * exclude (device, snapshot, exhibit, view) from '{folder}/{table}/*.parquet'").fetchall():
            words |= {str(v).lower() for v in row if v is not None and not isinstance(v, bytes)}
    return words


def _wanted(values: Any, names: set[str], key: str = "") -> Iterator[tuple[str, str]]:
    """(key, value) of each expected value of these names."""
    if isinstance(values, dict):
        if f"{key}/" in names:
            yield from ((key, str(k)) for k in values)
        if {"network", "prefix_length"} <= set(values):
            yield "destination", f"{values['network']}/{values['prefix_length']}"
        for name, value in values.items():
            if name != "size" or not str(values.get("permissions", "")).startswith("d"):  # of a folder we keep none
                yield from _wanted(value, names, name)
    elif isinstance(values, list):
        for value in values:
            yield from _wanted(value, names, key)
    elif key in names and values is not None and not isinstance(values, bool):
        yield key, str(values)


def _forms(value: str) -> Iterator[str]:
    """The ways in which a value may stand in our tables."""
    text = value.strip().lower()
    yield text
    yield re.sub(r"^([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})$", r"\1:\2:\3:\4:\5:\6", text)
    yield re.sub(r"^\*?\s*\d* *(?=(con|vty|aux|tty) )", "", text)  # `* 10 vty 0`
    yield re.sub(r"^([a-z]{2})[a-z]+(?=\d)", r"\1", text)  # Te0/0/4 is TenGigabitEthernet0/0/4
    yield text.partition(":")[2]  # flash:packages.conf
    yield f"{text}/32"  # a host of an access list


def _is_found(key: str, value: str, words: set[str]) -> bool:
    if any(form in words for form in _forms(value)):
        return True
    text = value.strip().lower()
    if key in _PARTS:
        return any(re.search(rf"[/:=]{re.escape(text)}(,|$)", w) for w in words)
    pair = re.fullmatch(r"([\d.]+):(\d+)", text)
    if pair:
        return {pair[1], pair[2]} <= words
    inside = re.sub(r"^.*?: (?=%)|^\*?\w{3} +\d+ [\d:.]+( \w+)?: ", "", text)
    return len(text) >= 12 and any(inside in w or text in w for w in words)


def test_known_commands_are_read_without_exception() -> None:
    per: dict[str, tuple[int, int]] = {}
    for output in outputs():
        found = _read(output)
        assert found.stanza is not None
        lines, unread = per.get(found.stanza.id, (0, 0))
        per[found.stanza.id] = (lines + found.lines, unread + found.unread)
    lines, unread = sum(a for a, _ in per.values()), sum(b for _, b in per.values())
    poor = {k: v for k, v in per.items() if v[1] * 20 > v[0]}
    assert len(per) >= 15
    assert unread / lines < 0.02, poor


@pytest.mark.parametrize("stanza", sorted(FIELDS))
def test_values_that_others_read_are_in_the_tables(stanza: str, tmp_path: Path) -> None:
    names = set(FIELDS[stanza].split())
    missing: list[str] = []
    wanted = 0
    for number, output in enumerate(outputs()):
        known = IOS.find(output.command, parse.head_of(output.data))
        if output.values is None or known is None or known.id != stanza:
            continue
        words = _words(_read(output), tmp_path / str(number))
        text = output.values.read_text(encoding="utf-8")
        values = yaml.safe_load(text) if output.values.suffix == ".yml" else json.loads(text)
        for key, value in _wanted(values, names):
            if value.strip().lower() in _NO_VALUE:
                continue
            wanted += 1
            if not _is_found(key, value, words):
                missing.append(f"{output.path.parent.name}/{output.path.name}: {key}={value}"[:160])
    assert wanted, "no published values for this command: take it out of FIELDS"
    assert len(missing) / wanted < 0.05, f"{len(missing)} of {wanted}: {missing[:20]}"


def test_community_names_reach_no_table(tmp_path: Path) -> None:
    seen = 0
    for number, output in enumerate(outputs()):
        if output.values is None or "community" not in output.command:
            continue
        words = _words(_read(output), tmp_path / str(number))
        text = output.values.read_text(encoding="utf-8")
        values = yaml.safe_load(text) if output.values.suffix == ".yml" else json.loads(text)
        names = {v.lower() for _, v in _wanted(values, {"community/", "name"})} - {"default", "public"}
        seen += len(names)
        assert not names & words, output.path
    assert seen
