"""Decoders of firewall rules: the text of one rule -> the columns of firewall_rules and nat_rules.

Every match is either expressed in a column or named in `unmodelled`: a match that is dropped would
make a narrow rule look wide. Sources: iptables(8), iptables-extensions(8), nft(8).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

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
    "SYNPROXY", "BCOUNT", "MASQ", "CONE", "CONENAT", "TRIGGER", "SKIPLOG",
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
    rest = _Words(words[2:])
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
    return _by_ports(row, ports)


class _Words:
    """Words of a rule, taken from the left."""

    def __init__(self, words: list[str]) -> None:
        self._words = words[::-1]

    def __bool__(self) -> bool:
        return bool(self._words)

    def take(self) -> str:
        if not self._words:
            raise ValueError("a value is missing")
        return self._words.pop()

    def peek(self) -> str:
        return self._words[-1] if self._words else ""


def _iptables_word(
    word: str, rest: _Words, row: dict[str, str | None], ports: dict[str, list[tuple[str, str]]],
    unmodelled: list[str], *, inverted: bool,
) -> str | None:  # fmt: skip
    """Handle one option; return the column that it filled (for `negated`)."""
    if word in _COLUMNS:
        column = _COLUMNS[word]
        row[column] = rest.take()
        return column
    if word in _PORTS:
        ports[_PORTS[word]] = _port_ranges(rest.take())
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


def _port_ranges(text: str) -> list[tuple[str, str]]:
    ranges = []
    for part in text.split(","):
        first, _, last = part.replace("-", ":").partition(":")
        first, last = first or "0", (last or first) if ":" not in part else (last or "65535")
        if not (first.isdigit() and last.isdigit()):
            raise ValueError("a port is not a number")
        ranges.append((first, last))
    return ranges


def _by_ports(row: dict[str, str | None], ports: dict[str, list[tuple[str, str]]]) -> list[Fields]:
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


# --- nft -------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'"[^"]*"|\{|\}|[^\s{},;]+|,|;')
_FAMILIES = {"ip", "ip6", "inet"}


@decoder("nft_rule", *RULE_FIELDS)
def nft_rule(value: str) -> list[Fields]:
    """One rule of `nft list ruleset` (`iifname "eth0" tcp dport { 80, 443 } dnat ip to 192.0.2.1:80`); one row a port range."""
    words = _Words([t for t in _TOKEN.findall(value) if t != ";"])
    row: dict[str, str | None] = {}
    ports: dict[str, list[tuple[str, str]]] = {}
    negated: list[str] = []
    unmodelled: list[str] = []
    while words:
        word = words.take()
        if word == "#":  # `# handle 5`
            break
        handler = _NFT.get(word)
        if handler:
            handler(words, row, ports, negated, unmodelled)
        elif word in ("tcp", "udp", "udplite", "sctp", "th", "dccp"):
            _nft_transport(word, words, row, ports, negated, unmodelled)
        elif word in ("ip", "ip6", "ether", "meta", "ct", "fib", "icmp", "icmpv6"):
            _nft_header(word, words, row, negated, unmodelled)
        else:
            unmodelled.append(word)
    row["negated"] = ",".join(dict.fromkeys(negated)) or None
    row["unmodelled"] = " ".join(unmodelled) or None
    row.setdefault("action", "CONTINUE")
    return _by_ports(row, ports)


def _value(words: _Words) -> tuple[list[str], bool]:
    """The value of a match: a word or a set in braces; whether it is inverted. Named sets keep their @."""
    inverted = False
    if words.peek() in ("!=", "==", "eq", "ne"):
        inverted = words.take() in ("!=", "ne")
    first = words.take()
    if first != "{":
        found = [first]
        while words.peek() == ",":  # ct state established,related
            words.take()
            found.append(words.take())
        return [f.strip('"') for f in found], inverted
    found = []
    while words and words.peek() != "}":
        word = words.take()
        if word != ",":
            found.append(word.strip('"'))
    if words:
        words.take()
    return found, inverted


def _match(
    column: str, words: _Words, row: dict[str, str | None], negated: list[str], unmodelled: list[str], label: str
) -> None:
    if words.peek() in ("vmap", "map", "set", "&", "and", "|", "<", ">", "<=", ">="):
        _nft_opaque(label, words, unmodelled)
        return
    found, inverted = _value(words)
    if any(f.startswith("@") or f in (":", "vmap") for f in found) or column in row:
        unmodelled.append(f"{label} {'!= ' if inverted else ''}{','.join(found)}")
        return
    row[column] = ",".join(found)
    if inverted:
        negated.append(column)


def _nft_opaque(label: str, words: _Words, unmodelled: list[str]) -> None:
    """A match by map or arithmetic: kept as text up to its end."""
    text, depth = [label], 0
    while words:
        word = words.take()
        text.append(word)
        depth += (word == "{") - (word == "}")
        if depth == 0 and (word == "}" or word.startswith("@") or (len(text) > 3 and "{" not in text)):
            break
    unmodelled.append(" ".join(text))


def _nft_transport(
    proto: str, words: _Words, row: dict[str, str | None], ports: dict[str, list[tuple[str, str]]],
    negated: list[str], unmodelled: list[str],
) -> None:  # fmt: skip
    field = words.take()
    if proto != "th":
        row["proto"] = proto
    if field not in ("dport", "sport") or words.peek() in ("vmap", "map"):
        _nft_opaque(f"{proto} {field}", words, unmodelled)
        return
    side = "dst" if field == "dport" else "src"
    found, inverted = _value(words)
    if any(not re.fullmatch(r"\d+(-\d+)?", f) for f in found):
        unmodelled.append(f"{proto} {field} {'!= ' if inverted else ''}{','.join(found)}")
        return
    ports[side] = _port_ranges(",".join(found))
    if inverted:
        negated.append(f"{side}_port")


_META = {"iifname": "in_if", "iif": "in_if", "oifname": "out_if", "oif": "out_if", "l4proto": "proto"}


def _nft_header(kind: str, words: _Words, row: dict[str, str | None], negated: list[str], unmodelled: list[str]) -> None:
    field = words.take()
    label = f"{kind} {field}"
    column = {
        "ip saddr": "src", "ip6 saddr": "src", "ip daddr": "dst", "ip6 daddr": "dst", "ip protocol": "proto",
        "ip6 nexthdr": "proto", "icmp type": "icmp_type", "icmpv6 type": "icmp_type", "ct state": "ct_state",
    }.get(label) or (_META.get(field) if kind == "meta" else None)  # fmt: skip
    if label == "meta nfproto":
        _value(words)  # the family of the packet: rows of both families are kept
        return
    if kind in ("icmp", "icmpv6"):
        row["proto"] = kind
    if label in ("meta mark", "ct mark") and words.peek() == "set":
        words.take()
        words.take()
        row.setdefault("action", "MARK")
        return
    if not column:
        if words.peek() in ("vmap", "map", "set"):
            _nft_opaque(label, words, unmodelled)
        else:
            found, inverted = _value(words)
            unmodelled.append(f"{label} {'!= ' if inverted else ''}{','.join(found)}")
        return
    _match(column, words, row, negated, unmodelled, label)
    if column == "ct_state" and row.get("ct_state"):
        row["ct_state"] = str(row["ct_state"]).upper()


_Handler = Callable[
    [_Words, dict[str, str | None], dict[str, list[tuple[str, str]]], list[str], list[str]], None
]


def _interface(column: str, label: str) -> _Handler:
    def handle(words: _Words, row: dict[str, str | None], _p: dict[str, list[tuple[str, str]]], negated: list[str], unmodelled: list[str]) -> None:
        _match(column, words, row, negated, unmodelled, label)

    return handle


def _verdict(action: str) -> _Handler:
    def handle(words: _Words, row: dict[str, str | None], *_: object) -> None:
        row["action"] = action
        if action in ("JUMP", "GOTO"):
            row["jump"] = words.take()

    return handle


def _skip_options(words: _Words, names: set[str]) -> None:
    """Options of a statement, each with its value."""
    while words.peek() in names:
        words.take()
        if words and words.peek() not in names and words.peek() != "#":
            words.take()


def _counter(words: _Words, row: dict[str, str | None], *_: object) -> None:
    if words.peek() == "packets":
        words.take()
        row["packets"] = words.take()
        if words.peek() == "bytes":
            words.take()
            row["bytes"] = words.take()
    elif words.peek() == "name":
        words.take()
        words.take()


def _comment(words: _Words, row: dict[str, str | None], *_: object) -> None:
    row["comment"] = words.take().strip('"')


def _log(words: _Words, row: dict[str, str | None], *_: object) -> None:
    _skip_options(words, {"prefix", "level", "group", "snaplen", "queue-threshold", "flags"})
    row.setdefault("action", "LOG")


def _limit(words: _Words, _row: object, _p: object, _n: object, unmodelled: list[str]) -> None:
    text = ["limit"]
    while (words and words.peek() in ("rate", "over", "burst", "packets", "bytes", "kbytes", "mbytes")) or re.match(r"\d+(/\w+)?$", words.peek()):
        text.append(words.take())
    unmodelled.append(" ".join(text))


def _reject(words: _Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "REJECT"
    if words.peek() == "with":
        words.take()
        while words and words.peek() not in ("comment", "#"):
            words.take()


def _nat(action: str) -> _Handler:
    def handle(words: _Words, row: dict[str, str | None], _p: object, _n: object, unmodelled: list[str]) -> None:
        row["action"] = action
        if words.peek() in _FAMILIES:
            words.take()
        if words.peek() in ("to", ":to"):
            words.take()
            target = words.take()
            match = re.fullmatch(r"\[?([0-9a-fA-F:.]*?)\]?(?:-[0-9a-fA-F.:]+)?(?::(\d+)(?:-\d+)?)?", target)
            if match and (match.group(1) or match.group(2)):
                # the address of an SNAT is where replies come to, not where traffic is sent on
                row["to_ip"] = canonical(match.group(1)) if match.group(1) else None
                row["to_port"] = match.group(2)
            else:
                unmodelled.append(f"{action.lower()} to {target}")
                while words and words.peek() not in ("comment", "#"):
                    unmodelled.append(words.take())
        _skip_flags(words)

    return handle


def _skip_flags(words: _Words) -> None:
    while words.peek() in ("random", "fully-random", "persistent", ",", "accept"):
        words.take()


def _redirect(words: _Words, row: dict[str, str | None], _p: object, _n: object, unmodelled: list[str]) -> None:
    row["action"] = "REDIRECT"
    if words.peek() == "to":
        words.take()
        row["to_port"] = words.take().lstrip(":").partition("-")[0]
        if not str(row["to_port"]).isdigit():
            unmodelled.append(f"redirect to {row.pop('to_port')}")
    _skip_flags(words)


def _tproxy(words: _Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "TPROXY"
    if words.peek() in _FAMILIES:
        words.take()
    if words.peek() == "to":
        words.take()
        target = words.take()
        row["to_port"] = target.rpartition(":")[2] or None


def _queue(words: _Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "NFQUEUE"
    while (words and words.peek() in ("num", "to", "bypass", "fanout", "flags", ",")) or re.match(r"\d", words.peek()):
        words.take()


def _dup(words: _Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "DUP"
    while words and words.peek() not in ("comment", "#"):
        words.take()


def _flow(words: _Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "FLOWOFFLOAD"
    while words and words.peek() not in ("comment", "#"):
        words.take()


_NFT: dict[str, _Handler] = {
    "iifname": _interface("in_if", "iifname"), "iif": _interface("in_if", "iif"),
    "oifname": _interface("out_if", "oifname"), "oif": _interface("out_if", "oif"),
    "accept": _verdict("ACCEPT"), "drop": _verdict("DROP"), "return": _verdict("RETURN"), "continue": _verdict("CONTINUE"),
    "jump": _verdict("JUMP"), "goto": _verdict("GOTO"), "notrack": _verdict("NOTRACK"), "reject": _reject,
    "counter": _counter, "comment": _comment, "log": _log, "limit": _limit, "masquerade": _nat("MASQUERADE"),
    "snat": _nat("SNAT"), "dnat": _nat("DNAT"), "redirect": _redirect, "tproxy": _tproxy, "queue": _queue, "dup": _dup,
    "fwd": _dup, "flow": _flow,
}  # fmt: skip
