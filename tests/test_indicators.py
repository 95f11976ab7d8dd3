"""Lists of indicators: what is read of each form, what is refused or counted, and what a hunt makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

import devicehunt
from devicehunt import database, engine
from devicehunt.case import Case
from devicehunt.cli import main
from devicehunt.errors import UsageError
from devicehunt.indicators import Lists, lists, match, read
from devicehunt.indicators.entries import confidence, when
from devicehunt.indicators.stix import read_pattern
from devicehunt.indicators.values import KINDS, RefusedError, guess, settings
from devicehunt.model import LEVELS
from devicehunt.replay import spec
from tests.conversations import save, tcp

# addresses that are in the world on purpose (root servers): those of documentation are refused in a list
ROOT, OTHER, SIX = "198.41.0.4", "199.9.14.201", "2001:503:ba3e::2:30"
WAN = "203.0.113.1"


def listed(tmp_path: Path, text: str | bytes, name: str = "list.txt") -> Lists:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read([path])
    assert found is not None
    return found


def rows(found: Lists, columns: str = "kind, value") -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select {columns} from '{found.folder}/*.parquet' order by all").fetchall()


@pytest.mark.parametrize(
    ("text", "kind", "value", "port"),
    [
        (ROOT, "address", ROOT, None),
        ("198[.]41[.]0[.]4:8080", "address", ROOT, 8080),
        (f"::ffff:{ROOT}", "address", ROOT, None),
        (f"[{SIX}]:443", "address", SIX, 443),
        ("45.33.0.9/16", "network", "45.33.0.0/16", None),
        ("Evil[.]Example[.]org.", "domain", "evil.example.org", None),
        ("*.evil.example", "domain", "evil.example", None),
        ("hxxps://evil[.]example/", "domain", "evil.example", None),
        (f"http://{ROOT}/", "address", ROOT, 80),
        ("hxxp://User@Evil.example:80/A/b?c#d", "url", "evil.example/A/b?c", None),
        ("t13d1516h2_8daaf6152771_b186095e22b6", "ja4", "t13d1516h2_8daaf6152771_b186095e22b6", None),
        ("SHA256:" + "A" * 43, "ssh-key", "SHA256:" + "A" * 43, None),
        (":".join(["AB"] * 20), "certificate", "ab" * 20, None),
        ("/tmp//.x/y/", "path", "/tmp/.x/y", None),
        ("user:toor", "user", "toor", None),
        ("ja3:" + "A" * 32, "ja3", "a" * 32, None),
    ],
)
def test_a_value_is_read_by_its_look(text: str, kind: str, value: str, port: int | None) -> None:
    (found,) = guess(text)
    assert (found.kind, found.text, found.port) == (kind, value, port)


def test_a_bare_hash_is_looked_for_as_each_kind_that_it_may_be() -> None:
    assert [v.kind for v in guess("a" * 32)] == ["hash", "ja3", "hassh"]
    assert [v.kind for v in guess("a" * 64)] == ["hash", "certificate"]


@pytest.mark.parametrize(
    "text",
    ["10.1.2.3", "192.168.0.0/16", "0.0.0.0/0", "203.0.113.9", "2001:db8::1", "fe80::1", "127.0.0.1", "224.0.0.1", "192.0.2.0/23",
     "2000::/3", "com", "co.uk", "router.local", "localhost", "/tmp", "172.16.0.0/11"],
)  # fmt: skip
def test_what_would_match_everywhere_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        guess(text)


@pytest.mark.parametrize("text", ["", "hello world", "999.1.1.1", "12345", "a" * 5000, "\x00", "evil", "\ud800.example"])
def test_what_is_no_value_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"value|domain"):
        guess(text)


def test_every_kind_has_worth_and_age_with_a_reason() -> None:
    known = settings()["kinds"]
    assert set(known) == set(KINDS)
    assert all(0 < k["confidence"] <= 100 and k["reason"] for k in known.values())
    assert known["hash"]["half_life_days"] is None
    assert min(k["half_life_days"] or 10**6 for k in known.values()) == known["address"]["half_life_days"]


def test_a_plain_list_with_comments_and_other_forms_of_lines(tmp_path: Path) -> None:
    text = f"# head\n\n{ROOT} # a server\n0.0.0.0 bad.example\n||ads.example^\n{OTHER},2026-01-01\n10.0.0.0/8\nwhat is that\n"
    found = listed(tmp_path, text)
    assert rows(found, "kind, value, line, name") == [
        ("address", ROOT, 3, "a server"), ("address", OTHER, 6, None),
        ("domain", "ads.example", 5, None), ("domain", "bad.example", 4, None),
    ]  # fmt: skip
    (source,) = found.sources
    assert sum(source.left.values()) == 2
    assert "line 7: 10.0.0.0/8" in source.sentence()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_with_a_mark(tmp_path: Path, encoding: str) -> None:
    assert rows(listed(tmp_path, f"{ROOT}\r\nevil.example\r\n".encode(encoding))) == [("address", ROOT), ("domain", "evil.example")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('# "first_seen_utc","ioc_id","ioc_value","ioc_type","malware","confidence_level"\n'
         f'"2026-01-02 03:04:05", "12", "{ROOT}:8080", "ip:port", "Mirai", "75"\n',
         [("address", ROOT, 8080, "Mirai", 75, "12")]),
        ('"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"\n'
         f'"2026-01-02 03:04:05","{ROOT}","443","online","2026-01-03","Emotet"\n', [("address", ROOT, 443, "Emotet", None, None)]),
        ("# Listingdate,SHA1,Listingreason\n2026-01-02 03:04:05," + "a" * 40 + ",some C&C\n",
         [("certificate", "a" * 40, None, "some C&C", None, None)]),
        ("# ja3_md5,Firstseen,Lastseen,Listingreason\n" + "b" * 32 + ",2026-01-02 03:04:05,2026-01-03,Adware\n",
         [("ja3", "b" * 32, None, "Adware", None, None)]),
        ('# "id","dateadded","url","url_status","last_online","threat","tags","urlhaus_link","reporter"\n'
         '"7","2026-01-02 03:04:05","http://evil.example/a.sh","online","","malware_download","elf","https://list.example/7","x"\n',
         [("url", "evil.example/a.sh", None, "malware_download", None, "7")]),
        ("uuid;type;value;to_ids\n1;ip-dst;198[.]41[.]0[.]4;1\n2;domain;evil.example;0\n", [("address", ROOT, None, None, None, "1")]),
        ("ip\n" + ROOT + "\n", [("address", ROOT, None, None, None, None)]),
    ],
)  # fmt: skip
def test_csv_by_its_header(tmp_path: Path, text: str, expected: list[tuple[Any, ...]]) -> None:
    found = listed(tmp_path, text, "list.csv")
    assert rows(found, "kind, value, port, name, confidence, object") == expected
    if "03:04:05" in text:
        assert rows(found, "first_at") == [(when("2026-01-02 03:04:05"),)]


def test_a_quote_that_does_not_end_costs_what_it_covers_and_is_counted(tmp_path: Path) -> None:
    body = "type,value\n" + f'ip,"{ROOT}\n' + "".join(f"domain,a{n}.example\n" for n in range(20_000))
    found = listed(tmp_path, f"type,value\nip,{OTHER}\n" + body.partition("\n")[2], "list.csv")
    assert ("address", OTHER) in rows(found)
    assert sum(found.sources[0].left.values()) >= 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (f"[ipv4-addr:value = '{ROOT}']", [("address", ROOT)]),
        ("[domain-name:value IN ('a.example', 'b.example') OR url:value = 'http://c.example/d']",
         [("domain", "a.example"), ("domain", "b.example"), ("url", "http://c.example/d")]),
        ("[file:hashes.'SHA-256' = 'aa' AND file:name = 'x'] OR [file:hashes.MD5 = 'bb']", [("hash", "aa"), ("hash", "bb")]),
        (f"[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '{ROOT}' AND network-traffic:dst_port = 8443]",
         [("address", f"{ROOT}:8443")]),
        ("[x509-certificate:hashes.'SHA-256' = 'cc']", [("certificate", "cc")]),
        ("[user-account:user_id = 'it\\'s']", [("user", "it's")]),
        ("[file:name = 'a' AND file:parent_directory_ref.path = '/tmp/.x']", [("path", "/tmp/.x/a")]),
        ("[ipv4-addr:value ISSUBSET '45.33.0.0/16']", [("network", "45.33.0.0/16")]),
        ("([domain-name:value = 'a.example']) OR ([ipv6-addr:value = '2001:503:ba3e::2:30'])", [("domain", "a.example"), ("address", SIX)]),
    ],
)  # fmt: skip
def test_a_pattern_that_one_value_decides(pattern: str, expected: list[tuple[str, str]]) -> None:
    assert read_pattern(pattern) == (expected, [])


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[domain-name:value = 'a.example' AND ipv4-addr:value = '198.41.0.4']", "together"),
        ("[domain-name:value = 'a.example'] AND [ipv4-addr:value = '198.41.0.4']", "together"),
        ("[domain-name:value = 'a.example'] FOLLOWEDBY [ipv4-addr:value = '198.41.0.4']", "order"),
        ("[domain-name:value = 'a.example'] WITHIN 5 SECONDS", "order"),
        ("[ipv4-addr:value != '198.41.0.4']", "absence"),
        ("[ipv4-addr:value NOT = '198.41.0.4' AND network-traffic:dst_port = 80]", "absence"),
        ("[domain-name:value LIKE '%.example']", "likeness"),
        ("[process:command_line = 'x']", "property"),
        ("[network-traffic:dst_port = 4444]", "port alone"),
        ("[file:name = 'x.exe']", "folder"),
        ("[domain-name:value = 'a.example'", "missing"),
        ("[domain-name:value = 'a.example", "character"),
        ("(" * 5000 + "[a:b = 'c']", "deep"),
        ("", "missing"),
        ("rule x { condition: true }", "word"),
    ],
)  # fmt: skip
def test_a_pattern_that_is_not_read_says_why(pattern: str, why: str) -> None:
    found, lost = read_pattern(pattern)
    assert found == []
    assert any(why in reason for reason in lost), lost


def indicator(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "indicator", "id": f"indicator--{abs(hash(pattern)) % 1000}", "pattern": pattern, "pattern_type": "stix", **more}


def test_a_stix_bundle(tmp_path: Path) -> None:
    objects = [
        indicator(
            f"[ipv4-addr:value = '{ROOT}']", id="indicator--1", name="C2", confidence=80,
            valid_from="2026-01-02T03:04:05Z", valid_until="2026-02-01T00:00:00.5Z",
        ),
        indicator("[domain-name:value = 'old.example']", id="indicator--2", revoked=True),
        indicator("rule x { condition: true }", id="indicator--3", pattern_type="yara"),
        indicator("[domain-name:value = 'x.example'] WITHIN 5 SECONDS", id="indicator--4"),
        indicator("[ipv4-addr:value = '192.168.1.1']", id="indicator--5"),
        {"type": "malware", "id": "malware--1", "name": "x"}, "nothing", {"type": "indicator", "pattern": 7},
    ]  # fmt: skip
    found = listed(tmp_path, json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}), "b.json")
    expected = ("address", ROOT, "indicator--1", "C2", when("2026-01-02T03:04:05Z"), when("2026-02-01T00:00:00.5Z"), 80)
    assert rows(found, "kind, value, object, name, first_at, until, confidence") == [expected]
    (source,) = found.sources
    assert source.form == "stix"
    assert sum(source.left.values()) == 6
    assert all(f"indicator--{n}" in source.sentence() for n in (2, 3, 4, 5))


def test_a_misp_event(tmp_path: Path) -> None:
    attributes = [
        {"type": "ip-dst|port", "value": f"{ROOT}|8443", "uuid": "a", "to_ids": True,
         "first_seen": "2026-01-02T03:04:05+00:00", "last_seen": "2026-01-09T00:00:00+00:00"},
        {"type": "filename|sha256", "value": "x.sh|" + "a" * 64, "uuid": "b", "to_ids": True, "timestamp": "1767700000"},
        {"type": "domain", "value": "left.example", "uuid": "c", "to_ids": False},
        {"type": "yara", "value": "rule x", "uuid": "d", "to_ids": True},
    ]  # fmt: skip
    inner = [{"type": "x509-fingerprint-sha256", "value": "b" * 64, "uuid": "e"}, {"type": "hassh-md5", "value": "c" * 32, "uuid": "f"}]
    event = {"Event": {"info": "a campaign", "date": "2026-01-01", "Attribute": attributes, "Object": [{"Attribute": inner}]}}
    found = listed(tmp_path, json.dumps({"response": [event]}), "m.json")
    assert rows(found, "kind, value, port, object, name") == [
        ("address", ROOT, 8443, "a", "a campaign"), ("certificate", "b" * 64, None, "e", "a campaign"),
        ("hash", "a" * 64, None, "b", "a campaign"), ("hassh", "c" * 32, None, "f", "a campaign"),
    ]  # fmt: skip
    assert found.sources[0].sentence().count("c: left.example; d: rule x") == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n# only a comment\n", "empty"),
        (b"10.0.0.1\nfe80::1\n", "line 1: 10.0.0.1"),
        (b'{"type": "bundle", "objects": [{"type": "indi', "line 1, column"),
        (b'{"type": "bundle",\n "objects": [}', "line 2, column"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' * 100_000, "nested too deep"),
        (b'{"objects": [{"type": "malware", "id": "malware--1"}]}', "no indicator"),
        (b'{"weather": "fine"}', "neither STIX"),
        (b'{"0b": {"Orgc": {}, "info": "x"}}', "manifest"),
        (b"<?xml version='1.0'?><stix/>", "XML"),
        (b"PK\x03\x04abc", "archive"),
        (b"1\x009\x008\x00.\x00", "UTF-8"),
        (b'{"type": "bundle", "objects": ["\xff"]}', "byte 33"),
        (b'{"objects": [' + b"9" * 5000 + b"]}", "list.txt"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_list_is_refused_with_the_place(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=r"--indicators: .*list\.txt") as raised:
        listed(tmp_path, data)
    assert says in str(raised.value)


def test_a_json_file_larger_than_the_cap_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "JSON_CAP", 1 << 20)
    with pytest.raises(UsageError, match="more than 1 MiB"):
        listed(tmp_path, b'{"objects": [' + b" " * (1 << 20) + b"]}")


def test_a_line_without_end_is_counted_and_the_next_is_read(tmp_path: Path) -> None:
    found = listed(tmp_path, b"evil.example\n" + b"x" * 3_000_000 + b"\n" + ROOT.encode() + b"\n\xff\xfe.example\n")
    assert rows(found, "value, line") == [(ROOT, 3), ("evil.example", 1)]
    assert sum(found.sources[0].left.values()) == 2


def test_the_same_file_twice_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"{ROOT}\n")
    (tmp_path / "b").write_text(f"{ROOT}\n")
    with pytest.raises(UsageError, match="the same file"):
        read([tmp_path / "a", tmp_path / "b"])


WORTH = [("high", 85), (50, 50), ("75%", 75), (101, None), (True, None), ("x", None), (None, None), (1e400, None)]
TIMES = [("2026-01-02", True), ("1767700000", True), ("0", False), ("1970-01-01", False), ("soon", False), ("9999-12-31", False)]


@pytest.mark.parametrize(("text", "number"), WORTH)
def test_confidence(text: Any, number: int | None) -> None:
    assert confidence(text) == number


@pytest.mark.parametrize(("text", "known"), TIMES)
def test_times(text: str, known: bool) -> None:
    assert (when(text) is not None) == known


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A capture: the device calls an address of the list, another network of it, and one at another port."""
    folder = tmp_path_factory.mktemp("hunt")
    (folder / "list.txt").write_text(f"{ROOT}\n199.9.14.0/24\n192.33.4.12:8080\n192.168.0.0/16\n/tmp/.x/y\nnonsense here too\n")
    talk = ((">", b"x" * 20), ("<", b"y" * 20))
    packets = [p for n in range(30) for p in tcp((WAN, 41000 + n), (ROOT, 443), *talk, start=1_767_700_000.0 + n)]
    packets += tcp((WAN, 42000), (OTHER, 443), *talk) + tcp((WAN, 42001), ("192.33.4.12", 80), *talk)
    capture = save(folder / "wan.pcap", packets)
    return devicehunt.hunt([capture], device="r", case=folder / "case", device_ip=(WAN,), indicators=(folder / "list.txt",))


def test_one_finding_an_entry_with_the_packet_and_the_line(hunted: Case) -> None:
    found = {f.key: f for f in hunted.findings if f.rule.startswith("indicator-")}
    assert set(found) == {("address", ROOT), ("network", "199.9.14.0/24")}
    one = found["address", ROOT]
    assert one.level == "medium"
    assert "list.txt line 1" in one.title
    assert "30 times" in one.title
    assert one.evidence[0].text.startswith("packet 1: tcp")
    assert {"type": "peer", "address": OTHER, "port": 443} in found["network", "199.9.14.0/24"].subjects
    assert all(LEVELS.index(f.level) <= LEVELS.index("medium") for f in found.values())


def test_report_and_terminal_name_the_list_and_what_was_not_compared(hunted: Case, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", str(hunted.path)])
    page = (hunted.path / "report.html").read_text(encoding="utf-8")
    for text in (page, " ".join(capsys.readouterr().out.split())):
        assert "line 4: 192.168.0.0/16" in text
        assert "list.txt (SHA-256" in text


def test_the_page_tells_the_numbers_that_are_used() -> None:
    page = (Path(__file__).parent.parent / "docs" / "indicators.md").read_text(encoding="utf-8")
    for kind, known in settings()["kinds"].items():
        assert f"| {kind} | {known['confidence']} | {known['half_life_days'] or 'none'} | {known['reason']} |" in page


def test_a_replay_may_give_lists(tmp_path: Path) -> None:
    (tmp_path / "x.replay.yaml").write_text("input: x.pcap\nindicators: [a.csv, b.json]\nexpect: []\n")
    assert spec.load(tmp_path / "x.replay.yaml").options["indicators"] == (tmp_path / "a.csv", tmp_path / "b.json")


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ps.txt").write_text("PID USER COMMAND\n")
    assert main(["hunt", str(tmp_path / "ps.txt"), "-o", str(tmp_path / "case"), "--indicators", str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_coverage_says_what_was_compared_what_not_and_what_nobody_asked(hunted: Case) -> None:
    of = {c.rule: c for c in hunted.coverage if c.rule.startswith("indicator-")}
    assert of["indicator-address-traffic"].result == "hit"
    assert any("192.168.0.0/16" in note and "line 6" in note for note in of["indicator-address-traffic"].notes)
    assert of["indicator-path"].result == "not-assessable"
    assert "files: not collected" in of["indicator-path"].reasons
    assert of["indicator-hash"].result == "not-applicable"
    assert "--indicators" in of["indicator-hash"].reasons[0]


def test_the_journal_names_the_list_and_a_hunt_without_it_asks_nothing(hunted: Case) -> None:
    (noted,) = Case.open(hunted.path).meta["indicators"]
    assert (noted["name"], noted["entries"], len(noted["sha256"])) == ("list.txt", 4, 64)
    again = devicehunt.hunt([hunted.path], case=hunted.path)
    assert {c.result for c in again.coverage if c.rule.startswith("indicator-")} == {"not-applicable"}
    assert not [f for f in again.findings if f.rule.startswith("indicator-")]
    assert Case.open(hunted.path).meta["indicators"] == []


def test_many_entries_that_match_are_a_hundred_findings_and_one_for_the_rest(tmp_path: Path) -> None:
    con = database.connect(views=False)
    con.execute(
        "insert into connections by name select 'r' as device, '1' as snapshot, 'x' as exhibit, n as line, 'tcp' as proto, "
        "'192.168.1.2' as orig_ip, ip('192.168.1.2') as orig_key, '45.33.' || n // 250 || '.' || n % 250 as resp_ip, "
        "ip('45.33.' || n // 250 || '.' || n % 250) as resp_key, 443 as resp_port, 2 as resp_packets from range(1000) t(n)"
    )
    found = listed(tmp_path, "".join(f"45.33.{n // 250}.{n % 250}\n" for n in range(1000)))
    engine.prepare(con, [], None, found)
    told = dict(con.execute("select kind, count(distinct value) from indicator_hits group by kind").fetchall())
    assert told == {"address": 100, "further": 1}
    rest = con.execute("select facts, said from indicator_hits where kind = 'further'").fetchall()
    assert rest == [(900, "900 more of these lists, not told one by one")]


def test_a_network_is_found_by_the_address_inside_it_and_only_then(tmp_path: Path) -> None:
    con = database.connect(views=False)
    for n, address in enumerate(["45.33.0.0", "45.33.3.255", "45.33.4.0", "45.32.255.255", SIX], 1):
        con.execute(
            "insert into sockets by name select 'r' as device, '1' as snapshot, 'x' as exhibit, ? as line, 'tcp' as proto, "
            "? as remote_ip, ip(?) as remote_key",
            [n, address, address],
        )
    database.derive(con)
    match.fill(con, listed(tmp_path, "45.33.0.0/22\n45.33.0.0/16\n2001:503:ba3e::/48\n2001:503:ba3f::/48\n"))
    hits = con.execute("select value, list(line order by line) from indicator_hits group by value order by value").fetchall()
    assert hits == [("2001:503:ba3e::/48", [5]), ("45.33.0.0/16", [1, 2, 3]), ("45.33.0.0/22", [1, 2])]
