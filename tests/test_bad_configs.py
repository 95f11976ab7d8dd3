"""Configurations of IOS and RouterOS as they go wrong: cut, paged, in another tongue, with text that looks like statements.

Each bad configuration is a device of one case: none may be called nothing-found, and no secret may be copied into what is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import devicehunt
from devicehunt import database, platforms, rules
from devicehunt.api import read
from devicehunt.case import Case
from devicehunt.model import Section, Status
from devicehunt.parse import Parsed
from devicehunt.report import html
from devicehunt.show import result
from tests import samples

IOS, ROUTEROS = platforms.load("cisco_ios"), platforms.load("mikrotik_routeros")
WHOLE = samples.FIXTURES / "faults"
CONFIG = (WHOLE / "cisco_ios" / "show_running-config.txt").read_text(encoding="utf-8")
EXPORT = (WHOLE / "mikrotik_routeros" / "export.txt").read_text(encoding="utf-8")
NAT = (WHOLE / "mikrotik_routeros" / "ip_firewall_nat_print_detail_without-paging.txt").read_text(encoding="utf-8")
LIMIT = 131072


def of_ios(text: str) -> Parsed:
    return read(Section("d/1/x", "d", "1", 1, "show running-config", text.encode()), IOS, IOS)


def of_routeros(text: str | bytes, command: str = "/export") -> Parsed:
    data = text if isinstance(text, bytes) else text.encode()
    return read(Section("d/1/x", "d", "1", 1, command, data), ROUTEROS, ROUTEROS)


def grown(size: int) -> bytes:
    """An export of exactly `size` bytes that ends with a whole line, as a download that stopped."""
    begin = EXPORT.replace("/system clock", "/ip firewall address-list\n%s/system clock")
    head = begin[: begin.index("%s")]
    lines = "".join(f"add address=10.{n // 250}.{n % 250}.0/24 list=customers\n" for n in range(4000))
    room = size - len(head)
    whole = lines[: lines.rfind("\n", 0, room - 40) + 1]
    return (head + whole + "add address=10.99.0.0/24 list=" + "c" * (room - len(whole) - 31) + "\n").encode()


def test_an_export_of_128_kib_was_cut() -> None:
    data = grown(LIMIT)
    assert len(data) == LIMIT
    found = of_routeros(data)
    assert (found.status, found.usable) == (Status.CUT, False)
    assert "131072" in found.reason
    assert of_routeros(grown(LIMIT - 300)).status is Status.COMPLETE


@pytest.mark.parametrize("end", [b'add comment="half', b"add action=accept chain=\\", b"/ip fire"])
def test_an_export_that_ends_inside_a_line_was_cut(end: bytes) -> None:
    found = of_routeros(EXPORT.encode() + b"/ip firewall raw\n" + end)
    assert not found.usable
    assert found.gaps or found.status is not Status.COMPLETE


def test_a_pager_inside_an_output_is_a_gap() -> None:
    lines = CONFIG.splitlines()
    paged = "\n".join([*lines[:20], " --More-- ", *lines[20:]]) + "\n"
    found, sound = of_ios(paged), of_ios(CONFIG)
    assert not found.usable
    assert [(g.line, g.last_line) for g in found.gaps] == [(21, 21)]
    assert texts(found) == texts(sound)
    rows = NAT.splitlines()
    printed = of_routeros("\n".join([*rows[:2], "-- [Q quit|D dump|down]", *rows[2:]]) + "\n", "/ip firewall nat print detail")
    assert not printed.usable
    assert not [r for r in printed.rows if r.get("kind") == "item"]


def texts(found: Parsed) -> list[tuple[Any, Any]]:
    return [(r["parents"], r["text"]) for r in found.rows]


BANNERS = [
    "banner motd ^C\nusername ghost privilege 15 secret 0 hunter2\nline vty 0 4\n transport input telnet\n^C",
    "banner login #\n!\nend\nusername ghost privilege 15 password 0 hunter2\n#",
    "banner exec ^Cusername ghost privilege 15^C",
    "banner incoming \x03\nip http server\nusername ghost privilege 15 password 0 hunter2\n\x03",
    "aaa authentication banner $\nusername ghost privilege 15 password 0 hunter2\n$",
]


@pytest.mark.parametrize("banner", BANNERS)
def test_what_a_banner_says_is_text(banner: str) -> None:
    found = of_ios(CONFIG.replace("line con 0", f"{banner}\nline con 0"))
    said = [t for _, t in texts(found)]
    assert not [t for t in said if "ghost" in t or "telnet" in t]
    assert not [r for r in found.rows if r["text"] == "ip http server" and not r["negated"]]
    assert "line con 0" in said
    assert len(said) == len(texts(of_ios(CONFIG))) + 1
    assert not found.unread


def test_a_banner_without_its_end_is_a_cut() -> None:
    found = of_ios(CONFIG.replace("line con 0", "banner motd ^C\nusername ghost privilege 15\nline con 0"))
    assert not found.usable
    assert found.gaps
    assert not [t for _, t in texts(found) if "ghost" in t]


@pytest.mark.parametrize("comment", ["Überwachung — Büro", "Связь, офис", "回线", "\\CE\\D4\\C8\\D1", "emoji 🦊"])
def test_letters_of_every_tongue_are_read(comment: str) -> None:
    found = of_routeros(EXPORT.replace("add action=masquerade", f'add comment="{comment}" action=masquerade'))
    assert (found.status, found.unread) == (Status.COMPLETE, 0)
    config = of_ios(CONFIG.replace("interface GigabitEthernet0/0", f"interface GigabitEthernet0/0\n description {comment}"))
    assert (config.status, config.unread) == (Status.COMPLETE, 0)


@pytest.mark.parametrize("end", ["\r\n", "\r\r\n"])
def test_line_ends_of_windows_and_of_terminal_logs_change_nothing(end: str) -> None:
    for reading, text in ((of_ios, CONFIG), (of_routeros, EXPORT)):
        changed, sound = reading(text.replace("\n", end)), reading(text)
        assert (changed.status, changed.unread, len(changed.rows)) == (sound.status, sound.unread, len(sound.rows))


OTHERS: dict[str, str] = yaml.safe_load((samples.FIXTURES / "bad_configs" / "others.yaml").read_text(encoding="utf-8"))
NAMES = ("show_running-config.txt", "export.rsc", "r1.cfg")


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Each configuration of another kind under each name, as a device."""
    folder = tmp_path_factory.mktemp("mistaken")
    sources = []
    for kind, text in OTHERS.items():
        for number, name in enumerate(NAMES):
            (folder / f"{kind}-{number}").mkdir()
            (folder / f"{kind}-{number}" / name).write_text(text, encoding="utf-8")
            sources.append(folder / f"{kind}-{number}")
    return devicehunt.hunt(sources, case=folder / "case")


def test_what_is_of_another_system_is_never_called_clean(mistaken: Case) -> None:
    assert len(mistaken.verdicts) == len(OTHERS) * len(NAMES)
    assert [v.device for v in mistaken.verdicts if v.verdict in ("nothing-found", "compromised", "suspicious")] == []
    con = database.connect(views=False)
    silent = con.execute(
        f"select device from '{mistaken.tables}/exhibits/*.parquet' except select device from '{mistaken.tables}/gaps/*.parquet'"
    ).fetchall()
    assert silent == []


SECRET = "Zq9sEcReT{n}x"
STATEMENTS = yaml.safe_load((samples.FIXTURES / "bad_configs" / "secrets.yaml").read_text(encoding="utf-8"))
IOS_SECRETS: list[str] = STATEMENTS["cisco_ios"]
ROUTEROS_SECRETS: list[str] = STATEMENTS["mikrotik_routeros"]


def numbered(statements: list[str], first: int) -> tuple[str, list[str]]:
    tokens = [SECRET.format(n=n) for n in range(first, first + len(statements))]
    return "\n".join(s.replace("{s}", t) for s, t in zip(statements, tokens, strict=True)), tokens


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, list[str], list[str]]:
    folder = tmp_path_factory.mktemp("secrets")
    config, first = numbered(IOS_SECRETS, 100)
    export, second = numbered(ROUTEROS_SECRETS, 500)
    for name, file, text in (
        ("ios", "show_running-config.txt", CONFIG.replace("line con 0", f"{config}\nline con 0")),
        ("ros", "export.rsc", EXPORT + export + "\n"),
    ):
        (folder / name).mkdir()
        (folder / name / file).write_text(text, encoding="utf-8")
    return devicehunt.hunt([folder / "ios", folder / "ros"], case=folder / "case"), first, second


def test_every_statement_with_a_secret_is_told_by_where_it_stands(kept: tuple[Case, list[str], list[str]]) -> None:
    case, first, second = kept
    counted = f"select device, count(distinct (line, location)) from '{case.tables}/secrets/*.parquet' group by 1"
    found = dict(database.connect(views=False).execute(counted).fetchall())
    assert found["ios"] >= len(first)
    assert found["ros"] >= len(second)


def test_no_secret_is_copied(kept: tuple[Case, list[str], list[str]]) -> None:
    case, first, second = kept
    con = database.connect(views=False)
    shown = {p.name: p.read_text(encoding="utf-8") for p in case.path.iterdir() if p.is_file() and p.suffix in (".jsonl", ".json", ".html")}
    shown["report"] = html.render(result(case))
    for table in case.tables.iterdir():
        rows = con.execute(f"select * from '{table}/*.parquet'").fetchall()
        shown[f"tables/{table.name}"] = "\n".join(map(str, rows))
    leaks = sorted((where, token) for where, text in shown.items() for token in (*first, *second) if token in text)
    assert leaks == []


# what an export of RouterOS never lists: users and keys (in few exports), files, the log, sessions, packages, certificates
NOT_EXPORTED = ("accounts", "ssh_keys", "files", "log_events", "sessions", "packages", "certificates", "processes", "images")


def test_what_an_export_cannot_show_is_not_assessable(tmp_path: Path) -> None:
    """No list of users in an export is no list without users: every rule that stands on one must say so."""
    kept = "\n/".join(m for m in EXPORT.split("\n/") if not m.startswith("user"))
    (tmp_path / "export.rsc").write_text(kept, encoding="utf-8")
    case = devicehunt.hunt([tmp_path / "export.rsc"], case=tmp_path / "case", jobs=1)
    got = case.query(
        f"select table_name, view, columns, incomplete from feeds where table_name in {NOT_EXPORTED}"
    ).fetchall()  # fmt: skip
    fed = [(t, v, set(c.split(",")) - set((i or "").split(","))) for t, v, c, i in got]
    assert {(t, v) for t, v, open_ in fed if open_} <= {("accounts", "vpn")}
    results = {c.rule: c.result for c in case.coverage}
    for rule in rules.load():
        if "mikrotik_routeros" in rule.platforms and _stands_on(rule.needs):
            assert results[rule.id] == "not-assessable", rule.id
    assert results["account-on-router"] == "not-assessable"


def test_an_export_that_names_users_is_a_list_of_them() -> None:
    with_user = EXPORT + "/user\nadd group=full name=operator\n"
    sample = samples.read("mikrotik_routeros", "export", with_user.encode())
    assert "accounts" not in sample.get("incomplete", {})


def _stands_on(needs: Any) -> bool:
    """Whether some need can be met by no table but one that an export cannot fill."""
    def blocked(need: Any) -> bool:
        if isinstance(need, str):
            return need != "accounts@vpn" and need.partition("@")[0] in NOT_EXPORTED  # /ppp secret is exported
        (name, value), = need.items()
        if name in ("any", "all"):
            return (all if name == "any" else any)(blocked(n) for n in value)
        return blocked(name)

    return any(blocked(n) for n in needs)


def test_a_property_may_have_a_slash_in_its_name() -> None:
    line = '/interface wireless\nset [ find default-name=wlan1 ] basic-rates-a/g="" supported-rates-a/g=6Mbps ssid=x\n'
    assert of_routeros(EXPORT + line).unread == 0


def test_a_command_that_asks_for_a_part_proves_no_absence() -> None:
    part = of_routeros(NAT, "/ip firewall nat print detail where chain=dstnat")
    whole = of_routeros(NAT, "/ip firewall nat print detail")
    assert (len(part.rows), part.unread) == (len(whole.rows), 0)
    assert (whole.usable, part.usable) == (True, False)
    empty = read(Section("d/1/x", "d", "1", 1, "/ip firewall nat print where chain=x", b"", exit_status=0), ROUTEROS, ROUTEROS)
    assert not empty.usable
