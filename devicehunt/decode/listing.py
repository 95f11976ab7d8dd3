"""Decoders of the last column of `iptables -L`: what a rule matches and does, in words.

The listing is the poorer form (DESIGN: iptables-save says everything); routers of old firmware have
no other. As in firewall.py, a match that no column expresses is named in `unmodelled`.
Source: iptables(8), the print functions of libxt_* in iptables.
"""

from __future__ import annotations

import re

from devicehunt.decode import Fields, decoder
from devicehunt.decode.addresses import canonical
from devicehunt.decode.firewall import VERDICTS

LISTING_FIELDS = (
    "src_port_first", "src_port_last", "dst_port_first", "dst_port_last", "icmp_type", "negated", "ct_state",
    "unmodelled", "to_ip", "to_port", "comment", "goto",
)  # fmt: skip


@decoder("iptables_target", "action", "jump")
def iptables_target(value: str) -> Fields:
    """The target column of `iptables -L` -> what it does, or the chain that it jumps to."""
    if value in VERDICTS:
        return {"action": value.upper(), "jump": None}
    return {"action": "JUMP", "jump": value}


_COMMENT = re.compile(r"/\* (.*?) \*/")
# what a target does, not what is matched
_DONE = re.compile(
    r"reject-with \S+|(U?LOG|NFLOG) flags .*|LOG level .*|NFLOG prefix .*|random(-fully)?|persistent|masq ports: \S+"
    r"|TCPMSS (clamp to PMTU|set \d+)|(CONN)?MARK (set|or|and|xor|save|restore)\S* ?.*|NFQUEUE num \S+( bypass)?|CT notrack"
    r"|mark 0x[0-9a-f]+/0x[0-9a-f]+(?=$)|DSCP set \S+|TTL set to \S+|CLASSIFY set \S+|policy match dir \S+ pol none"
)
_PROTO = {"tcp", "udp", "udplite", "sctp", "dccp", "icmp", "ipv6-icmp", "all"}
_STEPS = (
    (re.compile(r"(d|s)pts?:(!?)(\d+)(?::(\d+))?(?=\s|$)"), "ports"),
    (re.compile(r"multiport (d|s)ports (!? ?)([\d,:]+)"), "many"),
    (re.compile(r"(! )?(?:ctstate|state) ([A-Z,]+)"), "state"),
    (re.compile(r"(?:ipv6-)?icmp(?:v6)?[ -]?(!?)type (\d+)(?: code \d+)?|icmp(?:v6)? (!?)([a-z-]+)(?=\s|$)"), "icmp"),
    (re.compile(r"to:(\S+)|redir ports (\d+)\S*|TPROXY redirect (\S+)"), "to"),
    (re.compile(r"\[goto\]"), "goto"),
)


@decoder("iptables_listing", *LISTING_FIELDS)
def iptables_listing(value: str) -> list[Fields]:
    """The last column of `iptables -L -n` (`tcp dpt:22 ctstate NEW /* ssh */`); one row a destination port range."""
    row: Fields = dict.fromkeys(LISTING_FIELDS)
    comments = _COMMENT.findall(value)
    row["comment"] = comments[0] if comments else None
    rest = _COMMENT.sub(" ", value).strip()
    targets: list[tuple[str, str]] = []
    negated: list[str] = []
    left: list[str] = []
    while rest:
        rest = rest.lstrip()
        done = _DONE.match(rest)
        if done and done.end():
            rest = rest[done.end() :]
            continue
        for pattern, kind in _STEPS:
            match = pattern.match(rest)
            if match:
                _take(kind, match, row, targets, negated, left)
                rest = rest[match.end() :]
                break
        else:
            word, _, rest = rest.partition(" ")
            if word not in _PROTO:
                left.append(word)
    row["negated"] = ",".join(dict.fromkeys(negated)) or None
    row["unmodelled"] = " ".join(left) or None
    return [row | {"dst_port_first": a, "dst_port_last": b} for a, b in targets] or [row]


def _take(
    kind: str, match: re.Match[str], row: Fields, targets: list[tuple[str, str]], negated: list[str], left: list[str]
) -> None:
    if kind == "goto":
        row["goto"] = "yes"
    elif kind == "state":
        row["ct_state"] = match.group(2)
        negated += ["ct_state"] if match.group(1) else []
    elif kind == "icmp":
        row["icmp_type"] = match.group(2) or match.group(4)
        negated += ["icmp_type"] if match.group(1) or match.group(3) else []
    elif kind == "to":
        _destination(match, row, left)
    elif kind == "many":
        _ports(match, [_range(part) for part in match.group(3).split(",")], row, targets, negated, left)
    else:
        _ports(match, [(match.group(3), match.group(4) or match.group(3))], row, targets, negated, left)


def _range(text: str) -> tuple[str, str]:
    first, _, last = text.partition(":")
    return first, last or first


def _ports(
    match: re.Match[str], ranges: list[tuple[str, str]], row: Fields, targets: list[tuple[str, str]], negated: list[str], left: list[str]
) -> None:
    inverted = bool(match.group(2).strip())
    if match.group(1) == "s":
        if len(ranges) > 1 or row["src_port_first"]:
            left.append(match.group(0))
            return
        row["src_port_first"], row["src_port_last"] = ranges[0]
        negated += ["src_port"] if inverted else []
    elif targets or (inverted and len(ranges) > 1):
        left.append(match.group(0))
    else:
        targets += ranges
        negated += ["dst_port"] if inverted else []


def _destination(match: re.Match[str], row: Fields, left: list[str]) -> None:
    if match.group(2):
        row["to_port"] = match.group(2)
        return
    text = match.group(1) or match.group(3)
    found = re.fullmatch(r"\[?([0-9a-fA-F:.]*?)\]?(?:-[0-9a-fA-F.:]+)?(?::(\d+)(?:-\d+)?)?", text)
    if not found:
        left.append(match.group(0))
        return
    row["to_ip"] = canonical(found.group(1)) if found.group(1) else None
    row["to_port"] = found.group(2)
