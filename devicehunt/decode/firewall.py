"""Decoders of firewall rules: the text of one rule -> the columns of firewall_rules and nat_rules.

Every match is either expressed in a column or named in `unmodelled`: a match that is dropped would
make a narrow rule look wide. Sources: iptables(8), iptables-extensions(8), nft(8).
"""

from __future__ import annotations

import re
import shlex

from devicehunt.decode import Fields, decoder
from devicehunt.decode.addresses import canonical

RULE_FIELDS = (
    "chain", "action", "jump", "proto", "in_if", "out_if", "src", "dst", "src_port_first", "src_port_last",
    "dst_port_first", "dst_port_last", "icmp_type", "negated", "ct_state", "unmodelled", "to_ip", "to_port",
    "packets", "bytes", "comment",
)  # fmt: skip
VERDICTS = {
    "ACCEPT", "DROP", "REJECT", "RETURN", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "TPROXY", "NFQUEUE", "QUEUE",
    "TEE", "DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP", "CT", "NOTRACK", "TCPMSS", "FLOWOFFLOAD", "DSCP",
    "TOS", "TTL", "HL", "CLASSIFY", "SET", "CHECKSUM", "TRACE", "IMQ", "AUDIT", "SECMARK", "CONNSECMARK", "TARPIT",
    "SYNPROXY", "BCOUNT", "MASQ", "CONE", "CONENAT", "FULLCONENAT", "TRIGGER", "SKIPLOG",
}  # fmt: skip
_COLUMNS = {
    "-p": "proto", "--protocol": "proto", "-i": "in_if", "--in-interface": "in_if", "-o": "out_if",
    "--out-interface": "out_if", "-s": "src", "--source": "src", "-d": "dst", "--destination": "dst",
    "--icmp-type": "icmp_type", "--icmpv6-type": "icmp_type", "--comment": "comment",
}  # fmt: skip
_PORTS = {
    "--dport": "dst", "--dports": "dst", "--destination-port": "dst", "--destination-ports": "dst",
    "--sport": "src", "--sports": "src", "--source-port": "src", "--source-ports": "src",
}  # fmt: skip
_STATES = {"--ctstate", "--state"}
# options of a target: they say what is done, not what is matched
_TARGET_OPTIONS = re.compile(
    r"--(reject-with|log-\S+|to-source|random\S*|persistent|set-\S+|or-mark|and-mark|xor-mark|save-mark|restore-mark"
    r"|nfmask|ctmask|clamp-mss-to-pmtu|hw|queue-\S+|nflog-\S+|zone|notrack|add-set|del-set|exist|tproxy-mark|gateway|on-ip|helper|to)$"
)
_PLAIN_MODULES = {"tcp", "udp", "udplite", "icmp", "icmp6", "icmpv6", "comment", "conntrack", "state", "multiport", "sctp", "dccp"}


@decoder("iptables_rule", *RULE_FIELDS)
def iptables_rule(value: str) -> list[Fields]:
    """A line of iptables-save or iptables -S (`[3:180] -A INPUT -p tcp --dport 22 -j ACCEPT`); one row a port range."""
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"quotes do not close: {error}") from error
    row: dict[str, str | None] = {}
    counter = re.fullmatch(r"\[(\d+):(\d+)\]", words[0]) if words else None
    if counter:
        row["packets"], row["bytes"] = counter.groups()
        words = words[1:]
    if len(words) < 2 or words[0] not in ("-A", "-I", "--append", "--insert"):
        raise ValueError("not a rule")
    row["chain"] = words[1]
    rest = Words(words[2:])
    ports: dict[str, list[tuple[str, str]]] = {}
    negated: list[str] = []
    unmodelled: list[str] = []
    inverted = False
    while rest:
        word = rest.take()
        if word == "!":
            inverted = True
            continue
        column = _iptables_word(word, rest, row, ports, unmodelled, inverted=inverted)
        if inverted and column:
            negated.append(column)
        inverted = False
    row["negated"] = ",".join(dict.fromkeys(negated)) or None
    row["unmodelled"] = " ".join(unmodelled) or None
    row.setdefault("action", "CONTINUE")
    return by_ports(row, ports)


class Words:
    """Words of a rule, taken from the left."""

    def __init__(self, words: list[str]) -> None:
        self._words = words[::-1]

    def __bool__(self) -> bool:
        return bool(self._words)

    def take(self) -> str:
        """The next word, taken off; ValueError when none is left."""
        if not self._words:
            raise ValueError("a value is missing")
        return self._words.pop()

    def peek(self) -> str:
        """The next word, left where it is; empty when none is left."""
        return self._words[-1] if self._words else ""


def _iptables_word(
    word: str, rest: Words, row: dict[str, str | None], ports: dict[str, list[tuple[str, str]]],
    unmodelled: list[str], *, inverted: bool,
) -> str | None:  # fmt: skip
    """Handle one option; return the column that it filled (for `negated`)."""
    if word in _COLUMNS:
        column = _COLUMNS[word]
        row[column] = rest.take()
        return column
    if word in _PORTS:
        ports[_PORTS[word]] = port_ranges(rest.take())
        return f"{_PORTS[word]}_port"
    if word in _STATES:
        row["ct_state"] = rest.take().upper()
        return "ct_state"
    if word in ("-m", "--match"):
        module = rest.take()
        if module not in _PLAIN_MODULES:
            unmodelled.append(f"-m {module}")
        return None
    if word in ("-j", "--jump", "-g", "--goto"):
        target = rest.take()
        known = target in VERDICTS
        row["action"] = target.upper() if known else ("GOTO" if word in ("-g", "--goto") else "JUMP")
        row["jump"] = None if known else target
        return None
    if word in ("--to-destination", "--to-ports", "--on-port", "--to"):
        _destination(word, rest.take(), row)
        return None
    if _TARGET_OPTIONS.fullmatch(word):
        if rest.peek() and not rest.peek().startswith("-") and rest.peek() != "!":
            rest.take()
        return None
    if word == "-c":
        row["packets"], row["bytes"] = rest.take(), rest.take()
        return None
    text = ("! " if inverted else "") + word
    while rest and not rest.peek().startswith("-") and rest.peek() != "!":
        text += " " + rest.take()
    unmodelled.append(text)
    return None


def _destination(word: str, value: str, row: dict[str, str | None]) -> None:
    if word in ("--to-ports", "--on-port"):
        row["to_port"] = value.partition("-")[0]
        return
    match = re.fullmatch(r"\[?([0-9a-fA-F:.]+?)\]?(?:-[0-9a-fA-F.:]+)?(?:/\d+)?(?::(\d+)(?:-\d+)?)?", value)
    if not match:
        if value.startswith(":") and value[1:].split("-", maxsplit=1)[0].isdigit():
            row["to_port"] = value[1:].split("-", maxsplit=1)[0]
            return
        raise ValueError("destination is not an address")
    row["to_ip"] = canonical(match.group(1))
    row["to_port"] = match.group(2)


def port_ranges(text: str) -> list[tuple[str, str]]:
    """`80,443,8000:8100` (or with `-`) -> first and last of each range; ValueError for a name."""
    ranges = []
    for part in text.split(","):
        first, _, last = part.replace("-", ":").partition(":")
        first, last = first or "0", (last or first) if ":" not in part else (last or "65535")
        if not (first.isdigit() and last.isdigit()):
            raise ValueError("a port is not a number")
        ranges.append((first, last))
    return ranges


def by_ports(row: dict[str, str | None], ports: dict[str, list[tuple[str, str]]]) -> list[Fields]:
    """One row a destination port range; several source ranges stay in `unmodelled`."""
    source = ports.get("src", [])
    if len(source) == 1:
        row["src_port_first"], row["src_port_last"] = source[0]
    elif source:
        more = "source ports " + ",".join(f"{a}-{b}" for a, b in source)
        row["unmodelled"] = f"{row.get('unmodelled') or ''} {more}".strip()
    targets = ports.get("dst") or []
    if not targets or "dst_port" in (row.get("negated") or ""):
        if targets:
            row["dst_port_first"], row["dst_port_last"] = targets[0]
            if len(targets) > 1:
                row["unmodelled"] = f"{row.get('unmodelled') or ''} not ports {targets}".strip()
        return [row]
    return [row | {"dst_port_first": first, "dst_port_last": last} for first, last in targets]
