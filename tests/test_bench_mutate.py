"""Changed evidence must still tell one story: every view shows the same processes and sockets."""

import random
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import mutate  # noqa: E402
from evidence import ALL, LISTENING, PS, SS, WALK, Box, Targets, hexed, map_tokens  # noqa: E402
from mutate import Run  # noqa: E402
from situations import apply, load  # noqa: E402

QUIET = ROOT / "fixtures" / "cases" / "quiet-router" / "evidence"


def box() -> Box:
    text = (QUIET / "ip_addr.txt").read_text()
    inside = re.search(r"inet (192\.168\.\d+\.1)/24 .* (\S+)$", text, re.M)
    outside = re.search(r"inet (203\.0\.113\.\d+)/24 .* (\S+)$", text, re.M)
    assert inside and outside
    router = {"wan_ip": outside[1], "wan_if": outside[2], "lan_ip": inside[1], "lan_if": inside[2]}
    router["firewall"] = "nft" if "table" in (QUIET / "nft_list_ruleset.txt").read_text() else "iptables"
    lan = inside[1].rsplit(".", 1)[0]
    return Box.load(QUIET, "quiet", router, [f"{lan}.{n}" for n in (20, 30, 40)])


def check(b: Box, hidden: bool = False) -> None:
    listed = {int(p) for p in re.findall(r"(?m)^ *(\d+) \S+ +\S+ +\S", b.files[PS])} - {b.own_pid}
    walked = set(b.blocks())
    assert listed <= walked
    assert hidden or {p for p in walked if p < b.own_pid} <= listed
    netstat = {(m[0], int(m[1])) for m in re.findall(r"(?m)^(tcp|udp) .*?:(\d+) +\S+:\* .*?\d+/", b.files[LISTENING])}
    assert netstat == {(m[0], int(m[1])) for m in re.findall(r"(?m)^(tcp|udp) .*?:(\d+) +\S+:\* .*?\d+/", b.files[ALL])}
    ss = {(m[0], int(m[1])) for m in re.findall(r"(?m)^(tcp|udp) +(?:LISTEN|UNCONN) .*?:(\d+) +\S+:\* .*pid=", b.files[SS])}
    assert hidden or ss == netstat
    kernel = b.files["cat_proc_net_tcp.txt"] + b.files["cat_proc_net_tcp6.txt"]
    ports = {int(p, 16) for p in re.findall(r":([0-9A-F]{4}) 0+:0000 0A", kernel)}
    assert hidden or ports == {port for proto, port in netstat if proto == "tcp"}
    owners = {int(p) for p in re.findall(r"pid=(\d+)", b.files[SS])}
    assert owners <= walked
    inodes = re.findall(r"socket:\[(\d+)\]", b.files[WALK])
    assert len(inodes) == len(set(inodes))


@pytest.mark.parametrize("seed", range(3))
def test_mess_and_other_addresses_stay_consistent(seed):
    run = Run(box(), "benign")
    mutate.mess(run, random.Random(seed), 6)
    old = run.box.wan_ip
    mutate.readdress(run, random.Random(seed))
    check(run.box)
    assert not any(old in text for text in run.box.files.values())
    assert not any(hexed(old) in run.box.files[f"cat_proc_net_{n}.txt"] for n in ("tcp", "udp"))
    assert run.box.wan_if in run.box.files["ip_addr.txt"]


@pytest.mark.parametrize("situation", load("implants.yaml"), ids=lambda s: s["id"])
def test_every_implant_can_be_put_in_and_named(situation):
    b = box()
    before = {n: len(t) for n, t in b.files.items()}
    targets, _ = apply(b, situation, random.Random(1))
    assert any(vars(targets).values())
    assert {n: len(t) for n, t in b.files.items()} != before
    partly = [s.get("views") for s in situation.get("sockets", [])] + [not p.get("in_ps", True) for p in situation.get("processes", [])]
    hidden = any(partly)
    check(b, hidden)
    assert not any(re.search(r"\{(lan|wan|out|port|name|eph|net|key|user|host)\w*\}", t) for t in b.files.values())


def test_the_same_seed_gives_the_same_evidence():
    made = []
    for _ in range(2):
        run = Run(box(), "benign")
        mutate.mess(run, random.Random(7))
        mutate.readdress(run, random.Random(7))
        made.append(run.box.files)
    assert made[0] == made[1]


def test_a_disguised_program_is_renamed_in_every_view():
    run = Run(box(), "malicious", Targets())
    pid = run.box.add_process(["/tmp/.x/prx", "-p", "4711"], "/tmp/.x/prx")
    run.box.add_socket(pid, "tcp", ("0.0.0.0", 4711))
    run.box.add_file("/tmp/.x/prx", "-rwxr-xr-x", 90000)
    run.targets = Targets(pids={pid}, paths={"/tmp/.x/prx"}, ports={("tcp", 4711)})
    mutate.disguise(run, random.Random(3))
    (path,) = run.targets.paths
    assert path.startswith("/usr/sbin/")
    assert not any("prx" in text for text in run.box.files.values())
    ((_, port),) = run.targets.ports
    assert f":{port:04X} " in run.box.files["cat_proc_net_tcp.txt"]
    assert f"pid={pid}," in run.box.files[SS]
    check(run.box)


def test_columns_stay_where_they_were():
    assert map_tokens("tcp  10.0.0.1:80      0.0.0.0:*", lambda t: t.replace("10.0.0.1", "1.1.1.1")) == "tcp  1.1.1.1:80       0.0.0.0:*"
