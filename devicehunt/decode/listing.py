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
_TARGET = re.compile(r"\[?([0-9a-fA-F:.]*?)\]?(?:-[0-9a-fA-F.:]+)?(?::(\d+)(?:-\d+)?)?")
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
    words = _Listing()
    comments = _COMMENT.findall(value)
    words.row["comment"] = comments[0] if comments else None
    rest = _COMMENT.sub(" ", value).strip()
    while rest:
        done = _DONE.match(rest)
        rest = (rest[done.end() :] if done and done.end() else words.take(rest)).lstrip()
    return words.rows()


class _Listing:
    """What the words of one rule have said so far."""

    def __init__(self) -> None:
        self.row: Fields = dict.fromkeys(LISTING_FIELDS)
        self._targets: list[tuple[str, str]] = []
        self._negated: list[str] = []
        self._left: list[str] = []

    def take(self, text: str) -> str:
        """Read one match from the front; return what stands behind it."""
        for pattern, kind in _STEPS:
            match = pattern.match(text)
            if match:
                getattr(self, f"_{kind}")(match)
                return text[match.end() :]
        word, _, rest = text.partition(" ")
        if word not in _PROTO:
            self._left.append(word)
        return rest

    def rows(self) -> list[Fields]:
        """One row a destination port range, with what no column expresses in `unmodelled`."""
        row = self.row | {"negated": ",".join(dict.fromkeys(self._negated)) or None, "unmodelled": " ".join(self._left) or None}
        return [row | {"dst_port_first": a, "dst_port_last": b} for a, b in self._targets] or [row]

    def _goto(self, _match: re.Match[str]) -> None:
        self.row["goto"] = "yes"

    def _state(self, match: re.Match[str]) -> None:
        self.row["ct_state"] = match.group(2)
        self._negated += ["ct_state"] if match.group(1) else []

    def _icmp(self, match: re.Match[str]) -> None:
        self.row["icmp_type"] = match.group(2) or match.group(4)
        self._negated += ["icmp_type"] if match.group(1) or match.group(3) else []

    def _ports(self, match: re.Match[str]) -> None:
        self._ranges(match, [(match.group(3), match.group(4) or match.group(3))])

    def _many(self, match: re.Match[str]) -> None:
        parts = [p.partition(":") for p in match.group(3).split(",")]
        self._ranges(match, [(first, last or first) for first, _, last in parts])

    def _ranges(self, match: re.Match[str], ranges: list[tuple[str, str]]) -> None:
        inverted = bool(match.group(2).strip())
        source = match.group(1) == "s"
        taken = self.row["src_port_first"] if source else self._targets
        if taken or (len(ranges) > 1 and (source or inverted)):
            self._left.append(match.group(0))
            return
        if source:
            self.row["src_port_first"], self.row["src_port_last"] = ranges[0]
        else:
            self._targets += ranges
        self._negated += ["src_port" if source else "dst_port"] if inverted else []

    def _to(self, match: re.Match[str]) -> None:
        if match.group(2):
            self.row["to_port"] = match.group(2)
            return
        found = _TARGET.fullmatch(match.group(1) or match.group(3))
        if not found:
            self._left.append(match.group(0))
            return
        self.row["to_ip"] = canonical(found.group(1)) if found.group(1) else None
        self.row["to_port"] = found.group(2)
