"""The pytest plug-in, as other people's tests use it: in a pytest of their own."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conversations import save, tcp

pytest_plugins = ["pytester"]

CLIENT, SERVER, OTHER = "192.0.2.10", "198.51.100.20", "203.0.113.77"
RULE = """/*
id: web-in-the-clear
title: "{orig} asks {resp} in the clear"
level: {level}
needs: [{{connections@packets: [app]}}]
key: [orig, resp]
subjects: [{{type: peer, address: resp}}]
attack: [T1071.001]
falsepositives: ["everybody does"]
references: ["a test"]
response: "Nothing."
*/
select device, snapshot, exhibit, line, orig_ip as orig, resp_ip as resp from connections where app = 'http' and orig_packets > 3
"""
REPLAY = """
input: web.pcap
device_ip: 203.0.113.1
rules: pack
expect:
  - {{rule: web-in-the-clear, level: {level}, subject: {{type: peer, address: {address}}}, count: 1}}
forbid: [{{level: high}}]
"""

pytestmark = pytest.mark.skipif(
    not any(e.name == "devicehunt" for e in importlib.metadata.entry_points(group="pytest11")),
    reason="devicehunt is not installed as a plug-in here: pip install -e .",
)


@pytest.fixture
def place(pytester: pytest.Pytester) -> Path:
    root = Path(pytester.path)
    (root / "pack").mkdir()
    (root / "pack" / "web-in-the-clear.sql").write_text(RULE.format(level="low", orig="{orig}", resp="{resp}"))
    talk = ((">", b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n"), ("<", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    save(root / "web.pcap", tcp((CLIENT, 40001), (SERVER, 80), *talk))
    return root


def run(pytester: pytest.Pytester, *options: str) -> Any:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_a_file_is_a_test(pytester: pytest.Pytester, place: Path) -> None:
    (place / "web.replay.yaml").write_text(REPLAY.format(level="low", address=SERVER))
    run(pytester).assert_outcomes(passed=1)


def test_what_failed_is_told_in_sentences(pytester: pytest.Pytester, place: Path) -> None:
    (place / "web.replay.yaml").write_text(REPLAY.format(level="medium+", address=OTHER))
    said = run(pytester)
    said.assert_outcomes(failed=1)
    said.stdout.fnmatch_lines([
        f"a finding of rule web-in-the-clear, level medium+*{OTHER}* expected, 0 found*",
        f"*[[]low] {CLIENT} asks {SERVER} in the clear (web-in-the-clear; device/1/01-web.pcap:1)*",
    ])  # fmt: skip
    said.stdout.no_fnmatch_line("*Traceback*")


def test_a_wrong_file_says_what_is_wrong(pytester: pytest.Pytester, place: Path) -> None:
    (place / "web.replay.yaml").write_text("input: web.pcap\nexpects: []\n")
    said = run(pytester)
    said.assert_outcomes(failed=1)
    said.stdout.fnmatch_lines(["*unknown keys expects; there are input, *"])


def test_the_example_of_the_readme(pytester: pytest.Pytester) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    example = readme.split("### In your own tests")[1].split("```yaml\n")[1].split("```")[0]
    root = Path(pytester.path)
    (root / "web.replay.yaml").write_text(example)
    asked = b"\x05\x01\x00\x01" + bytes([198, 51, 100, 99]) + (443).to_bytes(2, "big")
    talk = ((">", b"\x05\x01\x00"), ("<", b"\x05\x00"), (">", asked), ("<", b"\x05\x00\x00\x01" + bytes(6)))
    save(root / "wan.pcap", tcp(("198.51.100.7", 40100), ("203.0.113.1", 4433), *talk))
    run(pytester).assert_outcomes(passed=1)


CHANGED = """
def test_renamed(devicehunt_replay):
    plain = devicehunt_replay("web.pcap", rules=["pack"])
    other = devicehunt_replay("web.pcap", rules=["pack"], map_addresses={{"{0}": "{1}"}}, map_ports={{80: 8080}}, shift=86400)
    assert [f.title for f in other.of("web-in-the-clear")] == [f.title.replace("{0}", "{1}") for f in plain.of("web-in-the-clear")]
    assert len(other.of("web-in-the-clear")) == 1

def test_mixed(devicehunt_replay):
    mixed = devicehunt_replay("web.pcap", rules=["pack"], mix_with="other.pcap")
    assert len(mixed.of("web-in-the-clear")) == 2

def test_degraded_is_never_clean(devicehunt_replay):
    seen = [devicehunt_replay("web.pcap", rules=["pack"], snaplen=n).result("web-in-the-clear") for n in (60, 54)]
    assert seen == ["hit", "not-assessable"]  # six bytes of the request are enough, none are not
"""


def test_a_capture_is_changed(pytester: pytest.Pytester, place: Path) -> None:
    talk = ((">", b"GET /x HTTP/1.1\r\nHost: example.org\r\n\r\n"), ("<", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    save(place / "other.pcap", tcp((CLIENT, 40002), (OTHER, 80), *talk))
    (place / "test_changed.py").write_text(CHANGED.format(SERVER, OTHER))
    run(pytester).assert_outcomes(passed=3)


SNAPSHOT = """
def test_kept(devicehunt_replay, devicehunt_snapshot):
    devicehunt_snapshot(devicehunt_replay("web.pcap", rules=["pack"]))
"""


def test_a_snapshot_is_written_kept_and_compared(pytester: pytest.Pytester, place: Path) -> None:
    (place / "test_kept.py").write_text(SNAPSHOT)
    missing = run(pytester)
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*there is no snapshot*--devicehunt-update*"])
    run(pytester, "--devicehunt-update").assert_outcomes(passed=1)
    [kept] = (place / "__snapshots__").iterdir()
    before = kept.read_bytes()
    run(pytester).assert_outcomes(passed=1)
    (place / "pack" / "web-in-the-clear.sql").write_text(RULE.format(level="medium", orig="{orig}", resp="{resp}"))
    changed = run(pytester)
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(["*(web-in-the-clear) differs in level*"])
    assert json.loads(before)["findings"][0]["rule"] == "web-in-the-clear"


def test_the_example_of_the_page_on_replay(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).parent.parent / "docs" / "replay.md").read_text(encoding="utf-8")
    root = Path(pytester.path)
    (root / "rules").mkdir()
    rule, first, spec, second = (
        page.split(f"```{kind}\n")[n].split("```")[0] for kind, n in (("sql", 1), ("python", 1), ("yaml", 1), ("python", 2))
    )
    (root / "rules" / "web-in-the-clear.sql").write_text(rule)
    (root / "make.py").write_text(first)
    (root / "web.replay.yaml").write_text(spec)
    (root / "test_web.py").write_text(second)
    pytester.runpython(root / "make.py")
    run(pytester).assert_outcomes(passed=3)
