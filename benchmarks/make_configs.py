"""Configurations of Cisco IOS and RouterOS, made from words and documentation addresses: as long as is asked for.

The same number gives the same device. Nothing of a real device is in them.
"""

from __future__ import annotations

import random

WORDS = [
    "north", "south", "east", "west", "river", "hill", "lake", "forest", "harbour", "bridge", "station", "market", "garden", "tower",
    "mill", "field", "church", "castle", "meadow", "orchard", "quarry", "valley", "summit", "shore", "island", "delta", "canyon",
    "prairie", "glacier", "lagoon",
]  # fmt: skip
NETS = ("192.0.2", "198.51.100", "203.0.113")
Chosen = random.Random


def address(chosen: Chosen) -> str:
    """An address for documentation."""
    return f"{chosen.choice(NETS)}.{chosen.randint(1, 254)}"


def inside(chosen: Chosen) -> str:
    return f"10.{chosen.randint(0, 250)}.{chosen.randint(0, 250)}.{chosen.randint(1, 254)}"


def _ios_head(name: str) -> str:
    return (
        "Building configuration...\n\nCurrent configuration : 70000 bytes\n!\n"
        "! Last configuration change at 09:12:01 UTC Tue Jan 6 2026 by netops\n!\n"
        "version 15.7\nservice timestamps log datetime msec localtime\nservice password-encryption\n!\n"
        f"hostname {name}\n!\nlogging buffered 65536 informational\nenable secret 9 $9$generated$generated\naaa new-model\n"
        "aaa authentication login default group tacacs+ local\n!\nusername netops privilege 15 secret 9 $9$generated$generated\n!\n"
        "no ip http server\nno ip http secure-server\nip ssh version 2\n!\n"
    )


_IOS_TAIL = "line con 0\nline vty 0 4\n access-class MGMT in\n transport input ssh\n!\nend\n"


def _ios_interface(chosen: Chosen, number: int) -> str:
    return (
        f"interface GigabitEthernet{number // 48}/{number % 48}\n description {chosen.choice(WORDS)} {chosen.choice(WORDS)} {number}\n"
        f" ip address {inside(chosen)} 255.255.255.0\n ip access-group EDGE-{number % 20} in\n ip nat inside\n"
        f" service-policy output {chosen.choice(WORDS).upper()}\n!\n"
    )


def _ios_list(chosen: Chosen, number: int) -> str:
    ports = ("eq 443", "eq 22", "range 8000 8100", "eq domain", "gt 1023")
    count = chosen.randint(4, 12)
    rules = "".join(f" permit tcp {chosen.choice(NETS)}.0 0.0.0.255 host {inside(chosen)} {chosen.choice(ports)}\n" for _ in range(count))
    return f"ip access-list extended EDGE-{number}\n{rules} deny   ip any any log\n!\n"


def _ios_routing(chosen: Chosen, number: int) -> str:
    return (
        f"ip route {inside(chosen)} 255.255.255.255 {address(chosen)} name {chosen.choice(WORDS)}\n"
        f"ip nat inside source static tcp {inside(chosen)} {1000 + number} {address(chosen)} {2000 + number} extendable\n"
        f"ip prefix-list {chosen.choice(WORDS).upper()}-{number} seq 5 permit {inside(chosen)}/32\n"
    )


def _ios_vpn(chosen: Chosen, number: int) -> str:
    return (
        f"crypto isakmp key generated{number} address {address(chosen)}\n!\ninterface Tunnel{number}\n"
        f" description to {chosen.choice(WORDS)}\n ip address 10.255.{number % 250}.1 255.255.255.252\n"
        f" tunnel source GigabitEthernet0/0\n tunnel destination {address(chosen)}\n!\n"
    )


def _ios_group(chosen: Chosen, number: int) -> str:
    members = "".join(f" match dscp {value}\n" for value in chosen.sample(("af11", "af21", "af31", "ef", "cs3"), 3))
    return f"class-map match-any {chosen.choice(WORDS).upper()}-{number}\n{members}!\n"


def _routeros_head(name: str) -> str:
    return (
        "# 2026-01-06 10:00:00 by RouterOS 7.16.1\n# software id = GENE-RATE\n#\n# model = RB5009UG+S+\n"
        f"/interface bridge\nadd name=bridge\n/system identity\nset name={name}\n"
        "/ip service\nset telnet disabled=yes\nset ftp disabled=yes\n"
    )


def _routeros_list(chosen: Chosen, number: int) -> str:
    rows = "".join(f'add address={inside(chosen)} comment="{chosen.choice(WORDS)}" list={chosen.choice(WORDS)}\n' for _ in range(8))
    return f"/ip firewall address-list\n{rows}"


def _routeros_filter(chosen: Chosen, number: int) -> str:
    rows = "".join(
        f'add action={chosen.choice(("accept", "drop"))} chain={chosen.choice(("input", "forward"))} comment=\\\n'
        f'    "{chosen.choice(WORDS)} {number}" dst-port={chosen.randint(1, 65000)} protocol={chosen.choice(("tcp", "udp"))} \\\n'
        f"    src-address-list={chosen.choice(WORDS)}\n"
        for _ in range(4)
    )
    return f"/ip firewall filter\n{rows}"


def _routeros_nat(chosen: Chosen, number: int) -> str:
    return (
        f"/ip firewall nat\nadd action=dst-nat chain=dstnat comment={chosen.choice(WORDS)} dst-port={2000 + number} \\\n"
        f"    in-interface=ether1 protocol=tcp to-addresses={inside(chosen)} to-ports=443\n"
    )


def _routeros_lease(chosen: Chosen, number: int) -> str:
    mac = ":".join(f"{chosen.randint(0, 255):02X}" for _ in range(3))
    return (
        f"/ip dhcp-server lease\nadd address={inside(chosen)} comment={chosen.choice(WORDS)} mac-address=00:00:5E:{mac} server=lan\n"
        f"/ip dns static\nadd address={inside(chosen)} name={chosen.choice(WORDS)}{number}.example.net\n"
    )


def _routeros_vpn(chosen: Chosen, number: int) -> str:
    return (
        f"/ppp secret\nadd name={chosen.choice(WORDS)}{number} password=generated{number} profile=staff service=l2tp\n"
        f"/interface gre\nadd name=gre{number} remote-address={address(chosen)}\n"
        f"/queue simple\nadd max-limit=10M/10M name={chosen.choice(WORDS)}{number} target={inside(chosen)}/32\n"
    )


IOS = (_ios_interface, _ios_list, _ios_routing, _ios_routing, _ios_vpn, _ios_group)
ROUTEROS = (_routeros_list, _routeros_filter, _routeros_filter, _routeros_nat, _routeros_lease, _routeros_vpn)


def configuration(kind: str, number: int, size: int) -> str:
    """A configuration of `ios` or `routeros`, of about `size` bytes."""
    chosen, name = random.Random(f"{kind} {number}"), f"{WORDS[number % len(WORDS)]}-{number}"
    head, tail, parts = (_ios_head(name), _IOS_TAIL, IOS) if kind == "ios" else (_routeros_head(name), "", ROUTEROS)
    pieces, count = [head], 0
    length = len(head)
    while length < size:
        count += 1
        pieces.append(parts[count % len(parts)](chosen, count))
        length += len(pieces[-1])
    return "".join(pieces) + tail


def changed(text: str, kind: str) -> str:
    """The same device some days later: an account more, a rule less, a route to another place."""
    lines = text.splitlines(keepends=True)
    middle = len(lines) // 2
    if kind == "ios":
        at = next(n for n in range(middle, len(lines)) if lines[n].startswith("ip route"))
        account = "username helper privilege 15 secret 9 $9$generated$generated\n"
        lines[at] = f"ip route 10.9.9.9 255.255.255.255 203.0.113.99 name changed\n{account}"
    else:
        at = next(n for n in range(middle, len(lines)) if lines[n].startswith("/ip dhcp-server lease"))
        lines[at] = f"/user\nadd group=full name=helper\n/ip socks\nset enabled=yes port=4145\n{lines[at]}"
    rule = next(n for n in range(middle, len(lines)) if lines[n].lstrip().startswith(("permit tcp", "add action=dst-nat")))
    last = rule
    while lines[last].rstrip("\n").endswith("\\"):
        last += 1
    del lines[rule : last + 1]
    return "".join(lines)
