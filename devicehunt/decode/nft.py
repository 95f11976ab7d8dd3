"""Decoder of nft rules: the text of one rule -> the columns of firewall_rules and nat_rules.

As with iptables, a match is either expressed in a column or named in `unmodelled`. Source: nft(8).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from devicehunt.decode import Fields, decoder
from devicehunt.decode.addresses import canonical
from devicehunt.decode.firewall import RULE_FIELDS, VERDICTS, Words, by_ports, port_ranges

_TOKEN = re.compile(r'"[^"]*"|\{|\}|[^\s{},;]+|,|;')
_FAMILIES = {"ip", "ip6", "inet"}


@decoder("nft_rule", *RULE_FIELDS)
def nft_rule(value: str) -> list[Fields]:
    """One rule of `nft list ruleset` (`iifname "eth0" tcp dport { 80, 443 } dnat ip to 192.0.2.1:80`); one row a port range."""
    return [row for text in _spelt_out(value) for row in _nft_one(text)]


_SELECTOR = r"(?:[io]if(?:name)?|(?:ip6?|tcp|udp|th|meta|ct|ether|icmp|icmpv6) [a-z_0-9]+)"
_JOINED = re.compile(rf"({_SELECTOR}(?: \. {_SELECTOR})*) (!= )?(vmap )?(\{{[^{{}}]*\}}|@\S+)")


_MAPPED = re.compile(rf"(dnat|snat)( ip6?)?(?: addr \. port)? to ({_SELECTOR}(?: \. {_SELECTOR})*) map (\{{[^{{}}]*\}})")


def _spelt_out(value: str) -> list[str]:
    """Joined selectors (`iifname . tcp dport`) and maps as plain rules, one an element; named ones stay whole."""
    mapped = _MAPPED.search(value)
    if mapped:
        what, family, selectors, elements = mapped.groups()
        return [
            value[: mapped.start()] + f"{pairs} {what}{family or ''} to {target.replace(' . ', ':')}" + value[mapped.end() :]
            for pairs, target in _elements(selectors, elements)
        ]
    match = next((m for m in _JOINED.finditer(value) if m.group(3) or " . " in m.group(1)), None)
    if match is None:
        return [value]
    before, after = value[: match.start()], value[match.end() :]
    if match.group(2) or match.group(4).startswith("@"):
        # what a named map does is not in the rule: it may accept or drop
        word = "vmap" if match.group(3) else "concat"
        return [before + f'{word} "{match.group(0)}"' + after]
    return [f"{before}{pairs} {verdict}{after}" for pairs, verdict in _elements(match.group(1), match.group(4))]


def _elements(joined: str, braces: str) -> list[tuple[str, str]]:
    """`iifname . tcp dport`, `{ "eth0" . 22 : accept }` -> (`iifname "eth0" tcp dport 22`, `accept`), one an element."""
    selectors, found = joined.split(" . "), []
    for element in braces.strip("{} ").split(", "):
        keys, _, result = element.strip().partition(" : ")
        values = keys.split(" . ")
        if len(values) != len(selectors):
            raise ValueError("an element does not fit its selectors")
        found.append((" ".join(f"{s} {v}" for s, v in zip(selectors, values, strict=True) if v != "*"), result))
    return found


def _nft_one(value: str) -> list[Fields]:
    words = Words([t for t in _TOKEN.findall(value) if t != ";"])
    row: dict[str, str | None] = {}
    ports: dict[str, list[tuple[str, str]]] = {}
    negated: list[str] = []
    unmodelled: list[str] = []
    while words:
        word = words.take()
        if word == "#" and words.peek().startswith("xt_"):  # an extension of iptables that this nft cannot read
            _extension(words.take()[3:], row, unmodelled)
            continue
        if word == "#":  # `# handle 5`
            break
        if word == "xt" and words.peek() in ("match", "target"):  # the same, as newer ones print it
            words.take()
            _extension(words.take().strip('"'), row, unmodelled)
            continue
        handler = _NFT.get(word)
        if handler:
            handler(words, row, ports, negated, unmodelled)
        elif word in ("tcp", "udp", "udplite", "sctp", "th", "dccp"):
            _nft_transport(word, words, row, ports, negated, unmodelled=unmodelled)
        elif word in ("ip", "ip6", "ether", "meta", "ct", "fib", "icmp", "icmpv6"):
            _nft_header(word, words, row, negated, unmodelled)
        else:
            unmodelled.append(word)
    row["negated"] = ",".join(dict.fromkeys(negated)) or None
    row["unmodelled"] = " ".join(unmodelled) or None
    row.setdefault("action", "CONTINUE")
    return by_ports(row, ports)


def _extension(name: str, row: dict[str, str | None], unmodelled: list[str]) -> None:
    """A match (small letters) or target (capitals) of iptables of which only the name is shown."""
    if name in VERDICTS:
        row.setdefault("action", name)
    elif name != "comment":  # a comment decides nothing
        unmodelled.append(f"xt {name}")


def _value(words: Words) -> tuple[list[str], bool]:
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


def _match(column: str, words: Words, row: dict[str, str | None], negated: list[str], unmodelled: list[str], *, label: str) -> None:
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


def _nft_opaque(label: str, words: Words, unmodelled: list[str]) -> None:
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
    proto: str, words: Words, row: dict[str, str | None], ports: dict[str, list[tuple[str, str]]],
    negated: list[str], *, unmodelled: list[str],
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
    ports[side] = port_ranges(",".join(found))
    if inverted:
        negated.append(f"{side}_port")


_META = {"iifname": "in_if", "iif": "in_if", "oifname": "out_if", "oif": "out_if", "l4proto": "proto"}


def _nft_header(kind: str, words: Words, row: dict[str, str | None], negated: list[str], unmodelled: list[str]) -> None:
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
        if words.take() in ("ct", "meta"):
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
    _match(column, words, row, negated, unmodelled, label=label)
    if column == "ct_state" and row.get("ct_state"):
        row["ct_state"] = str(row["ct_state"]).upper()


_Handler = Callable[[Words, dict[str, str | None], dict[str, list[tuple[str, str]]], list[str], list[str]], None]


def _interface(column: str, label: str) -> _Handler:
    def handle(
        words: Words, row: dict[str, str | None], _p: dict[str, list[tuple[str, str]]], negated: list[str], unmodelled: list[str]
    ) -> None:
        _match(column, words, row, negated, unmodelled, label=label)

    return handle


def _verdict(action: str) -> _Handler:
    def handle(words: Words, row: dict[str, str | None], *_: object) -> None:
        # `tproxy to :PORT meta mark set 1 accept` is the usual form: the accept ends it, the proxy is what it does
        if not (action == "ACCEPT" and row.get("action") in ("TPROXY", "DUP")):
            row["action"] = action
        if action in ("JUMP", "GOTO"):
            row["jump"] = words.take()

    return handle


def _skip_options(words: Words, names: set[str]) -> None:
    """Options of a statement, each with its value."""
    while words.peek() in names:
        words.take()
        if words and words.peek() not in names and words.peek() != "#":
            words.take()


def _counter(words: Words, row: dict[str, str | None], *_: object) -> None:
    if words.peek() == "packets":
        words.take()
        row["packets"] = words.take()
        if words.peek() == "bytes":
            words.take()
            row["bytes"] = words.take()
    elif words.peek() == "name":
        words.take()
        words.take()


def _comment(words: Words, row: dict[str, str | None], *_: object) -> None:
    row["comment"] = words.take().strip('"')


def _log(words: Words, row: dict[str, str | None], *_: object) -> None:
    _skip_options(words, {"prefix", "level", "group", "snaplen", "queue-threshold", "flags"})
    row.setdefault("action", "LOG")


def _limit(words: Words, _row: object, _p: object, _n: object, unmodelled: list[str]) -> None:
    text = ["limit"]
    units = ("rate", "over", "burst", "packets", "bytes", "kbytes", "mbytes")
    while (words and words.peek() in units) or re.match(r"\d+(/\w+)?$", words.peek()):
        text.append(words.take())
    unmodelled.append(" ".join(text))


def _reject(words: Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "REJECT"
    if words.peek() == "with":
        words.take()
        while words and words.peek() not in ("comment", "#"):
            words.take()


def _nat(action: str) -> _Handler:
    def handle(words: Words, row: dict[str, str | None], _p: object, _n: object, unmodelled: list[str]) -> None:
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


def _skip_flags(words: Words) -> None:
    while words.peek() in ("random", "fully-random", "persistent", ",", "accept"):
        words.take()


def _redirect(words: Words, row: dict[str, str | None], _p: object, _n: object, unmodelled: list[str]) -> None:
    row["action"] = "REDIRECT"
    if words.peek() == "to":
        words.take()
        row["to_port"] = words.take().lstrip(":").partition("-")[0]
        if not str(row["to_port"]).isdigit():
            unmodelled.append(f"redirect to {row.pop('to_port')}")
    _skip_flags(words)


def _tproxy(words: Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "TPROXY"
    if words.peek() in _FAMILIES:
        words.take()
    if words.peek() == "to":
        words.take()
        target = words.take()
        row["to_port"] = target.rpartition(":")[2] or None


def _queue(words: Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "NFQUEUE"
    while (words and words.peek() in ("num", "to", "bypass", "fanout", "flags", ",")) or re.match(r"\d", words.peek()):
        words.take()


def _dup(words: Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "DUP"
    while words and words.peek() not in ("comment", "#"):
        words.take()


def _flow(words: Words, row: dict[str, str | None], *_: object) -> None:
    row["action"] = "FLOWOFFLOAD"
    while words and words.peek() not in ("comment", "#"):
        words.take()


def _whole(word: str) -> _Handler:
    def handle(words: Words, row: dict[str, str | None], _p: object, _n: object, unmodelled: list[str]) -> None:
        unmodelled.append(words.take().strip('"'))
        if word == "vmap":
            row["action"] = "VMAP"

    return handle


_NFT: dict[str, _Handler] = {
    "vmap": _whole("vmap"), "concat": _whole("concat"),
    "iifname": _interface("in_if", "iifname"), "iif": _interface("in_if", "iif"),
    "oifname": _interface("out_if", "oifname"), "oif": _interface("out_if", "oif"),
    "accept": _verdict("ACCEPT"), "drop": _verdict("DROP"), "return": _verdict("RETURN"), "continue": _verdict("CONTINUE"),
    "jump": _verdict("JUMP"), "goto": _verdict("GOTO"), "notrack": _verdict("NOTRACK"), "reject": _reject,
    "counter": _counter, "comment": _comment, "log": _log, "limit": _limit, "masquerade": _nat("MASQUERADE"),
    "snat": _nat("SNAT"), "dnat": _nat("DNAT"), "redirect": _redirect, "tproxy": _tproxy, "queue": _queue, "dup": _dup,
    "fwd": _dup, "flow": _flow,
}  # fmt: skip
