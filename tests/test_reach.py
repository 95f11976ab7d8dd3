"""What is open from where: iptables and nft as devices print them, walked for each listener."""

from __future__ import annotations

import pytest

from tests import outputs
from tests.outputs import ADDRESSES, ROUTES, Outputs, listening

FILTER = "*filter\n:INPUT {policy} [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{chains}{rules}COMMIT\n"
BASICS = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -i br-lan -j ACCEPT\n"
# the zone chains of OpenWrt before nft
ZONES = """\
:input_wan_rule - [0:0]
:zone_wan_input - [0:0]
:zone_wan_src_REJECT - [0:0]
:zone_lan_input - [0:0]
"""
ZONE_RULES = """\
-A INPUT -i lo -m comment --comment "!fw3" -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "!fw3" -j ACCEPT
-A INPUT -i br-lan -m comment --comment "!fw3" -j zone_lan_input
-A INPUT -i eth0 -m comment --comment "!fw3" -j zone_wan_input
{own}-A zone_lan_input -j ACCEPT
-A zone_wan_input -m comment --comment "!fw3: Custom wan input rule chain" -j input_wan_rule
-A zone_wan_input -p udp -m udp --dport 68 -m comment --comment "!fw3: Allow-DHCP-Renew" -j ACCEPT
-A zone_wan_input -m comment --comment "!fw3" -j zone_wan_src_REJECT
-A zone_wan_src_REJECT -i eth0 -m comment --comment "!fw3" -j REJECT --reject-with icmp-port-unreachable
"""
FW4 = """\
table inet fw4 {{
	set friends {{
		type ipv4_addr
		elements = {{ 203.0.113.5 }}
	}}
	set web {{
		type inet_service
		flags interval
		elements = {{ 80, 4440-4450 }}
	}}
	chain input {{
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		ct state vmap {{ established : accept, related : accept }}
		iifname "br-lan" jump input_lan
		iifname "eth0" jump input_wan
		jump handle_reject
	}}
	chain input_lan {{
		jump accept_from_lan
	}}
	chain input_wan {{
{wan}		jump reject_from_wan
	}}
	chain accept_from_lan {{
		iifname "br-lan" counter packets 1 bytes 60 accept
	}}
	chain reject_from_wan {{
		iifname "eth0" counter packets 9 bytes 540 jump handle_reject
	}}
	chain handle_reject {{
		meta l4proto tcp reject with tcp reset
		reject with icmpx type port-unreachable
	}}
}}
"""
NAT = "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n{rules}COMMIT\n"


def ipt(rules: str = "", policy: str = "DROP", chains: str = "") -> str:
    return FILTER.format(policy=policy, rules=BASICS + rules, chains=chains)


def zones(own: str = "") -> str:
    return FILTER.format(policy="DROP", rules=ZONE_RULES.format(own=own), chains=ZONES)


def box(firewall: str | None, *ends: str, nft: str | None = None, nat: str = "") -> Outputs:
    found: Outputs = {"netstat -tulpn": listening(*(ends or ("tcp 0.0.0.0:4444",))), "ip addr": ADDRESSES, "ip route": ROUTES}
    if firewall is not None:
        found["iptables-save"] = nat + firewall
    if nft is not None:
        found["nft list ruleset"] = nft
    return found


# name: outputs, then what is said of port 4444 from the WAN and from the LAN
CASES: dict[str, tuple[Outputs, str, str]] = {
    "policy-drop": (box(ipt()), "closed", "open"),
    "policy-accept": (box(ipt(policy="ACCEPT")), "open", "open"),
    "a-rule-for-the-port": (box(ipt("-A INPUT -p tcp -m tcp --dport 4444 -j ACCEPT\n")), "open", "open"),
    "another-protocol": (box(ipt("-A INPUT -p udp -m udp --dport 4444 -j ACCEPT\n")), "closed", "open"),
    "a-range": (box(ipt("-A INPUT -i eth0 -p tcp -m tcp --dport 4000:5000 -j ACCEPT\n")), "open", "open"),
    "several-ports": (box(ipt("-A INPUT -p tcp -m multiport --dports 22,4444,8080 -j ACCEPT\n")), "open", "open"),
    "only-some-sources": (box(ipt("-A INPUT -s 203.0.113.5/32 -p tcp -m tcp --dport 4444 -j ACCEPT\n")), "restricted", "open"),
    "a-drop-before-it": (
        box(ipt("-A INPUT -i eth0 -j DROP\n-A INPUT -p tcp -m tcp --dport 4444 -j ACCEPT\n")), "closed", "open",
    ),
    "not-the-lan": (box(ipt("-A INPUT ! -i br-lan -p tcp -m tcp --dport 4444 -j ACCEPT\n")), "open", "open"),
    "a-match-nobody-models": (box(ipt("-A INPUT -p tcp -m string --string GET --algo bm -j ACCEPT\n")), "unknown", "open"),
    "a-doubt-that-decides-nothing": (box(ipt("-A INPUT -i eth0 -m limit --limit 1/sec -j DROP\n")), "closed", "open"),
    "zones": (box(zones()), "closed", "open"),
    "zones-opened-in-the-custom-chain": (box(zones("-A input_wan_rule -p tcp -m tcp --dport 4444 -j ACCEPT\n")), "open", "open"),
    "a-redirect-brings-443-here": (
        box(ipt("-A INPUT -p tcp -m tcp --dport 4444 -j ACCEPT\n"),
            nat=NAT.format(rules="-A PREROUTING -i eth0 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 4444\n")), "open", "open",
    ),
    "loopback-only": (box(ipt(policy="ACCEPT"), "tcp 127.0.0.1:4444"), "closed", "closed"),
    "lan-address-only": (box(ipt(policy="ACCEPT"), "tcp 192.168.1.1:4444"), "closed", "open"),
    "fw4": (box(None, nft=FW4.format(wan="")), "closed", "open"),
    "fw4-opened": (
        box(None, nft=FW4.format(wan='\t\ttcp dport 4444 counter packets 0 bytes 0 accept comment "!fw4: x"\n')), "open", "open",
    ),
    "fw4-a-set-of-ports": (box(None, nft=FW4.format(wan="\t\ttcp dport { 80, 4444 } accept\n")), "open", "open"),
    "fw4-a-named-set-of-sources": (box(None, nft=FW4.format(wan="\t\tip saddr @friends tcp dport 4444 accept\n")), "restricted", "open"),
    "fw4-a-named-set-that-was-not-printed": (
        box(None, nft=FW4.format(wan="\t\tip saddr @others tcp dport 4444 accept\n")), "unknown", "open",
    ),
    "fw4-a-named-set-of-ports": (box(None, nft=FW4.format(wan="\t\ttcp dport @web accept\n")), "open", "open"),
    "both-must-let-it-pass": (box(ipt("-A INPUT -p tcp -m tcp --dport 4444 -j ACCEPT\n"), nft=FW4.format(wan="")), "closed", "open"),
    "an-address-that-netstat-cut": (box(ipt(policy="ACCEPT"), "udp6 2001:db8:7:a240::c:4444"), "unknown", "unknown"),
    "only-the-table-mangle": (
        box(None) | {"iptables -t mangle -L -n": "Chain INPUT (policy ACCEPT)\ntarget     prot opt source               destination\n"},
        "unknown", "unknown",
    ),
    "no-rules-collected": (box(None), "unknown", "unknown"),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    devices = {name: given for name, (given, _, _) in CASES.items()}
    devices["no-wan-known"] = {k: v for k, v in box(ipt(policy="ACCEPT")).items() if k != "ip route"}
    _, con = outputs.hunt(tmp_path_factory.mktemp("reach"), devices)
    rows = con.execute("select device, from_side, answer from reach where port = 4444").fetchall()
    return {(device, side): answer for device, side, answer in rows}


@pytest.mark.parametrize("name", CASES)
def test_reach(answers: dict[tuple[str, str], str], name: str) -> None:
    _, wan, lan = CASES[name]
    assert (answers[name, "wan"], answers[name, "lan"]) == (wan, lan)


def test_without_a_default_route_nothing_is_called_closed(answers: dict[tuple[str, str], str]) -> None:
    assert answers["no-wan-known", "wan"] == "unknown"
