"""Access list entries of Cisco IOS -> the columns of firewall_rules.

Format: Cisco, "Security Configuration Guide: Access Control Lists". Wildcard masks with holes, object
groups and options that the columns do not express stand in `unmodelled`.
"""

from __future__ import annotations

import ipaddress
import re

from devicehunt.decode import Fields, decoder

FIELDS = (
    "list", "position", "action", "proto", "src", "dst", "src_port_first", "src_port_last", "dst_port_first", "dst_port_last",
    "unmodelled",
)  # fmt: skip
_ENTRY = re.compile(
    r"(?:access-list (?P<list>\S+) )?(?:(?P<position>\d+) )?(?:dynamic \S+ (?:timeout \d+ )?)?(?P<action>permit|deny) (?P<rest>.+)"
)
# names that IOS prints for numbers (Cisco, "Access Control List Overview": TCP and UDP port names)
PORTS = {
    "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "chargen": 19, "cmd": 514, "daytime": 13, "discard": 9, "domain": 53,
    "dnsix": 195, "drip": 3949, "echo": 7, "exec": 512, "finger": 79, "ftp": 21, "ftp-data": 20, "gopher": 70, "hostname": 101,
    "ident": 113, "irc": 194, "isakmp": 500, "klogin": 543, "kshell": 544, "login": 513, "lpd": 515, "mobile-ip": 434,
    "nameserver": 42, "netbios-dgm": 138, "netbios-ns": 137, "netbios-ss": 139, "nntp": 119, "non500-isakmp": 4500, "ntp": 123,
    "pim-auto-rp": 496, "pop2": 109, "pop3": 110, "rip": 520, "smtp": 25, "snmp": 161, "snmptrap": 162, "sunrpc": 111,
    "syslog": 514, "tacacs": 49, "talk": 517, "telnet": 23, "tftp": 69, "time": 37, "uucp": 540, "who": 513, "whois": 43,
    "www": 80, "xdmcp": 177, "443": 443,
}  # fmt: skip
_STANDARD = re.compile(r"\d{1,2}|1[3-9]\d\d")
_ADDRESS = re.compile(r"(\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/\d+)?")


@decoder("ios_acl", *FIELDS)
def ios_acl(value: str) -> Fields:
    """`access-list 20 permit 203.0.113.9`, `10 permit tcp any host 192.0.2.1 eq 22 log`: one entry of an access list."""
    # `show` writes a mask of a standard list as words
    found = _ENTRY.fullmatch(value.strip().replace(", wildcard bits ", " "))
    if not found:
        return dict.fromkeys(FIELDS)
    row: Fields = dict.fromkeys(FIELDS)
    row |= {"list": found["list"], "position": found["position"], "action": "ACCEPT" if found["action"] == "permit" else "DROP"}
    words = found["rest"].split()
    left: list[str] = []
    standard = (bool(_STANDARD.fullmatch(found["list"])) if found["list"] else _is_address(words[0])) or words[0] in ("any", "host")
    row["proto"] = None if standard else words.pop(0)
    if row["proto"] in ("object-group", "ipv6", "ip"):
        if row["proto"] == "object-group":
            left += ["object-group", words.pop(0)] if words else []
        row["proto"] = None
    row["src"] = _network(words, left)
    _ports("src", words, row, left)
    if not standard:
        row["dst"] = _network(words, left)
        _ports("dst", words, row, left)
    left += [w for w in words if w not in ("log", "log-input")]
    row["unmodelled"] = " ".join(left) or None
    return row


def _is_address(word: str) -> bool:
    return bool(_ADDRESS.fullmatch(word))


def _network(words: list[str], left: list[str]) -> str | None:
    """Take one address off `words` -> a network in CIDR form; None for every address."""
    if not words:
        return None
    word = words.pop(0)
    if word == "any" or word.startswith("any"):
        return None
    if word == "host" and words:
        return _cidr(words.pop(0), left)
    if word in ("object-group", "addrgroup") and words:
        left += [word, words.pop(0)]
        return None
    if not _is_address(word):
        left.append(word)
        return None
    if words and re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}", words[0]) and "/" not in word:
        return _cidr(word, left, words.pop(0))
    return _cidr(word, left)


def _cidr(address: str, left: list[str], wildcard: str = "0.0.0.0") -> str | None:  # noqa: S104 - a mask, no address to bind to
    try:
        if "/" in address:
            return str(ipaddress.ip_network(address, strict=False))
        if ":" in address:
            return f"{ipaddress.ip_address(address)}/128"
        if wildcard == "255.255.255.255":
            return None
        mask = ipaddress.IPv4Address(int(ipaddress.IPv4Address(wildcard)) ^ 0xFFFFFFFF)
        return str(ipaddress.ip_network(f"{address}/{mask}", strict=False))
    except ValueError:
        left += [address, wildcard]  # a wildcard with holes is no network
        return None


def _ports(side: str, words: list[str], row: Fields, left: list[str]) -> None:
    """Take `eq 22`, `range 1 9`, `gt 1023`, `lt 9` off `words`."""
    if not words or words[0] not in ("eq", "range", "gt", "lt", "neq"):
        return
    how = words.pop(0)
    numbers: list[int] = []
    while words and (words[0].isdigit() or words[0] in PORTS) and (how != "range" or len(numbers) < 2):
        numbers.append(int(PORTS.get(words[0], words[0])))
        words.pop(0)
    spans = {
        "eq": (numbers[:1], numbers[:1]), "range": (numbers[:1], numbers[1:2]),
        "gt": ([numbers[0] + 1] if numbers else [], [65535]), "lt": ([0], [numbers[0] - 1] if numbers else []),
    }  # fmt: skip
    first, last = spans.get(how, ([], []))
    if not first or not last or how == "neq" or (how == "eq" and len(numbers) > 1):
        left += [how, *map(str, numbers)]
        return
    row[f"{side}_port_first"], row[f"{side}_port_last"] = str(first[0]), str(last[0])
