"""The site file: what it explains, what it does not, and how it says that it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from devicehunt import site
from devicehunt.errors import SiteError


def made(tmp_path: Path, text: str) -> site.Site:
    file = tmp_path / "site.yaml"
    file.write_text(text)
    return site.load(file)


SOCKET = {"type": "socket", "proto": "tcp", "local_ip": "0.0.0.0", "local_port": 8443}
FORWARD = "{kind: port-forward, proto: tcp, port: 443, to: 192.168.1.10}"
CASES = [
    ("{kind: listener, proto: tcp, port: 8443}", "listener", SOCKET, True),
    ("{kind: listener, proto: udp, port: 8443}", "listener", SOCKET, False),
    ("{kind: listener, port: 8443, address: 192.168.1.1}", "listener", SOCKET, False),
    ("{kind: listener, port: 22}", "listener", SOCKET, False),
    (FORWARD, "port-forward", {"type": "nat-rule", "proto": "tcp", "port": "443", "to": "192.168.1.10:443"}, True),
    (FORWARD, "port-forward", {"type": "nat-rule", "proto": "tcp", "port": "443", "to": "203.0.113.9:443"}, False),
    ("{kind: tunnel, name: tun0, peer: 198.51.100.7}", "tunnel", {"type": "interface", "name": "tun0", "peer": "198.51.100.7"}, True),
    ("{kind: tunnel, name: tun0, peer: 198.51.100.7}", "tunnel", {"type": "interface", "name": "tun0", "peer": "203.0.113.1"}, False),
    ("{kind: tunnel, name: tun0}", "tunnel", {"type": "interface", "name": "tun1"}, False),
    ("{kind: peer, address: 198.51.100.9, port: 8883}", "peer", {"type": "peer", "address": "198.51.100.9", "port": 8883}, True),
    ("{kind: account, name: admin}", "account", {"type": "account", "name": "adrnin"}, False),
    ('{kind: ssh-key, fingerprint: "SHA256:abc"}', "ssh-key", {"type": "ssh-key", "fingerprint": "SHA256:abc"}, True),
    ("{kind: resolver, address: 9.9.9.9}", "resolver", {"type": "resolver", "address": "9.9.9.9"}, True),
    ("{kind: job, command: /usr/sbin/backup.sh}", "job", {"type": "job", "command": "/usr/sbin/backup.sh"}, True),
    ("{kind: job, command: /usr/sbin/backup.sh}", "job", {"type": "job", "command": "/usr/sbin/backup.sh; /tmp/x"}, False),
    ("{kind: program, path: /opt/}", "program", {"type": "process", "exe": "/opt/bin/x"}, True),
    ("{kind: program, path: /opt/}", "program", {"type": "process", "exe": "/optional/x"}, False),
    ("{kind: redirect, port: 53, to_port: 53}", "redirect", {"type": "nat-rule", "port": "53", "to_port": 53}, True),
    ("{kind: redirect, port: 53, to_port: 53}", "redirect", {"type": "nat-rule", "port": "80", "to_port": 53}, False),
]


@pytest.mark.parametrize(("entry", "kind", "subject", "explained"), CASES)
def test_an_entry_explains_its_subject_and_no_other(
    tmp_path: Path, entry: str, kind: str, subject: dict[str, object], explained: bool
) -> None:
    found = site.explains(made(tmp_path, f"expected:\n  - {entry}\n"), [kind], [subject])
    assert (found is not None) is explained


def test_one_known_port_does_not_cover_for_a_second_one(tmp_path: Path) -> None:
    owner = made(tmp_path, "expected:\n  - {kind: listener, port: 8443}\n")
    assert site.explains(owner, ["listener"], [SOCKET, {**SOCKET, "local_port": 4444}]) is None


def test_a_kind_that_the_rule_does_not_name_explains_nothing(tmp_path: Path) -> None:
    owner = made(tmp_path, "expected:\n  - {kind: listener, port: 8443}\n")
    assert site.explains(owner, ["program"], [SOCKET]) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "must be a mapping"),
        ("expected: {a: 1}\n", "is a list"),
        ("expected:\n  - {kind: listner, port: 1}\n", "entry 1: `kind` must be one of .* did you mean listener"),
        ("expected:\n  - {kind: listener, prot: tcp}\n", "a listener has no 'prot'; did you mean proto"),
        ("expected:\n  - {kind: listener}\n", "must say which one"),
        ("expected:\n  - {kind: listener, port: ssh}\n", "port must be a number"),
        ("expected:\n  - {kind: peer, address: somewhere}\n", "entry 1"),
        ("allow: []\n", "unknown keys"),
        ("expected: [\n", "site.yaml"),
        ("expected: [5]\n", "entry 1: `kind`"),
        ("expected: [{kind: [listener], port: 1}]\n", "entry 1: `kind`"),
        ("expected: [{kind: listener, port: 70000}]\n", "from 1 to 65535"),
        ("expected: [{kind: listener, port: true}]\n", "port must be a number"),
        ("expected: [{kind: program, path: [/opt]}]\n", "path must be one value"),
        ("networks: {insde: [10.0.0.0/8]}\n", "did you mean inside"),
        ("networks: {inside: [10.0.0.0/99]}\n", "no network and no interface"),
        ("networks: {wan: {a: 1}}\n", "no network and no interface"),
        ("networks: {wan: 5}\n", "no network and no interface"),
        ("[" * 5000, "site.yaml"),
    ],
)
def test_a_wrong_site_file_says_where_and_what(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SiteError, match=words):
        made(tmp_path, text)


def test_networks_become_ranges(tmp_path: Path) -> None:
    _, networks = made(tmp_path, "networks: {inside: [192.168.7.0/24, 'fd00::/64'], wan: [eth1]}\n").rows()
    assert networks[0]["first_key"].endswith("ffffc0a80700") and networks[0]["last_key"].endswith("ffffc0a807ff")
    assert networks[1]["first_key"] == "fd" + "0" * 30
    assert networks[2]["interface"] == "eth1" and networks[2]["network"] is None


def test_one_network_needs_no_list(tmp_path: Path) -> None:
    assert made(tmp_path, "networks: {inside: 10.1.0.0/16, wan: }\n").networks == {"inside": ("10.1.0.0/16",), "wan": ()}


def test_half_a_character_is_stored_as_its_escape(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text('expected: [{kind: account, name: "\\ud800"}]\nnetworks: {wan: ["\\ud800"]}\n')
    expected, networks = site.load(file).rows()
    assert (expected[0]["name"], networks[0]["interface"]) == ("\\ud800", "\\ud800")
