"""What is open from where: firewall rules and chains followed for each listener.

For every listener and side (wan, lan, vpn) a new packet is walked through the input chains, through
jumps, gotos and returns, as the kernel would: all nft base chains of the input hook in the order of
their priorities, and the iptables table filter. All of them must let it pass. A match that the
columns do not express (`unmodelled`) may decide either way: the answer is then `unknown`, unless
what follows decides the same. No rules collected, or no WAN known: `unknown`, never `closed`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from devicehunt import database

if TYPE_CHECKING:
    import duckdb

Where = tuple[str, str]
OPEN, RESTRICTED, CLOSED, UNKNOWN = "open", "restricted", "closed", "unknown"
_NO_FILTER = ("mangle", "nat", "raw", "security")
_DEPTH = 24
"""Jumps followed; the kernel allows 16 with nft."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The columns of firewall_rules and nat_rules that decide about a packet."""

    exhibit: str
    line: int
    view: str
    table: str
    family: str
    chain: str
    hook: str | None
    priority: int
    policy: str | None
    action: str
    jump: str | None
    proto: str | None
    in_if: str | None
    src: str | None
    dst: str | None
    first: int | None
    last: int | None
    src_first: int | None
    negated: frozenset[str]
    states: frozenset[str]
    unmodelled: str | None
    to_ip: str | None
    to_port: int | None


@dataclass(frozen=True, slots=True)
class Packet:
    """A new packet to the device: it arrives on `interface` for `address`, from anywhere."""

    family: str  # ip or ip6
    proto: str
    port: int
    interface: str
    address: str  # of the interface it arrives on; "" when unknown


@dataclass(slots=True)
class Walk:
    """The state of one walk: where it went, and what a doubtful rule could have decided."""

    followed: list[str] = field(default_factory=list)
    doubts: set[str] = field(default_factory=set)  # actions that an unmodelled match may have taken
    sources: list[str] = field(default_factory=list)
    decided: Rule | None = None


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """Compute the reach table from what is loaded."""
    rules = _rules(con)
    interfaces, addresses = _sides(con)
    rows = []
    for device, snapshot, proto, port, address, loopback, bound in con.execute(
        "select device, snapshot, proto, local_port, local_ip, coalesce(loopback, false), bound_if from listeners "
        "where proto in ('tcp', 'udp') order by all"
    ).fetchall():
        where = (device, snapshot)
        box = Box(rules.get(where, []), interfaces.get(where, {}), addresses.get(where, {}))
        for side in ("wan", "lan", "vpn"):
            rows.append(
                {"device": device, "snapshot": snapshot, "proto": proto, "port": port, "address": address, "from_side": side}
                | box.answer(proto, port, address, side, loopback=loopback, bound=bound)
            )
    database.insert_rows(con, "reach", rows)
    # who is let in from the WAN by an inside address only is nobody of the internet
    con.execute(
        "update reach set answer = 'closed' where answer = 'restricted' and from_side = 'wan' and not exists("
        "select 1 from (select unnest(string_split(reach.sources, ',')) as source) "
        "where not is_inside(ip(split_part(source, '/', 1))))"
    )


_COLUMNS = {
    "exhibit": "exhibit", "line": "line", "view": "view", "table": "coalesce(rule_table, '')", "family": "family",
    "chain": "chain", "hook": "hook", "priority": "coalesce(priority, 0)", "policy": "policy",
    "action": "coalesce(action, 'CONTINUE')", "jump": "jump", "proto": "proto", "in_if": "in_if", "src": "src", "dst": "dst",
    "first": "dst_port_first", "last": "dst_port_last", "src_first": "src_port_first", "negated": "negated",
    "states": "ct_state", "unmodelled": "unmodelled", "to_ip": "to_ip", "to_port": "to_port", "position": "position",
}  # fmt: skip


def _rules(con: duckdb.DuckDBPyConnection) -> dict[Where, list[Rule]]:
    columns = ", ".join(f'{expression} as "{name}"' for name, expression in _COLUMNS.items())
    found: dict[Where, list[Rule]] = defaultdict(list)
    sets = _sets(con)
    for row in con.execute(
        f"select device, snapshot, {columns} from (select * from firewall_rules union all by name select * from nat_rules) order by all"
    ).fetchall():
        device, snapshot = row[:2]
        facts = dict(zip(_COLUMNS, row[2:], strict=True))
        if facts.pop("position") == 0:
            facts["action"] = "CHAIN"
        for name in ("negated", "states"):
            facts[name] = frozenset((facts[name] or "").split(",")) - {""}
        rule = Rule(**facts)
        found[(device, snapshot)] += _with_set(rule, sets.get((device, snapshot), {}))
    return found


# a match by a named set, as decode/nft.py leaves it: `ip saddr @friends`, `tcp dport != @web`
_NAMED = re.compile(r"(?:ip6? (?P<address>saddr)|(?:tcp|udp|th) (?P<port>dport)) (?P<inverted>!= )?@(?P<set>\S+)")
Sets = dict[tuple[str, str], list[str]]


def _sets(con: duckdb.DuckDBPyConnection) -> dict[Where, Sets]:
    found: dict[Where, Sets] = defaultdict(lambda: defaultdict(list))
    for device, snapshot, table, name, element in con.execute(
        "select device, snapshot, coalesce(rule_table, ''), name, element from firewall_sets where element is not null order by all"
    ).fetchall():
        found[(device, snapshot)][(table, name)].append(element)
    return found


def _with_set(rule: Rule, sets: Sets) -> list[Rule]:
    """A rule whose only unexpressed match is a set whose elements were printed, with these; else the rule as it is."""
    match = _NAMED.fullmatch(rule.unmodelled or "")
    elements = sets.get((rule.table, match["set"]), []) if match else []
    if not match or not elements:
        return [rule]
    negated = rule.negated | ({"src" if match["address"] else "dst_port"} if match["inverted"] else set())
    if match["address"]:
        return [replace(rule, unmodelled=None, src=",".join(elements), negated=negated)]
    spans = [re.fullmatch(r"(\d+)(?:-(\d+))?", e) for e in elements]
    if (match["inverted"] and len(spans) > 1) or not all(spans):
        return [rule]
    return [replace(rule, unmodelled=None, first=int(s[1]), last=int(s[2] or s[1]), negated=negated) for s in spans if s is not None]


def _sides(con: duckdb.DuckDBPyConnection) -> tuple[dict[Where, dict[str, str]], dict[Where, dict[str, list[str]]]]:
    interfaces: dict[Where, dict[str, str]] = defaultdict(dict)
    for device, snapshot, name, side in con.execute("select device, snapshot, interface, side from sides order by all").fetchall():
        interfaces[(device, snapshot)][name] = side
    addresses: dict[Where, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for device, snapshot, name, address in con.execute(
        "select device, snapshot, interface, address_ip from own_addresses where interface is not null order by all"
    ).fetchall():
        addresses[(device, snapshot)][name].append(address)
    return interfaces, addresses


class Box:
    """One device at one time: its rules, and which interface looks where."""

    def __init__(self, rules: Sequence[Rule], interfaces: dict[str, str], addresses: dict[str, list[str]]) -> None:
        self.rules, self._interfaces, self._addresses = rules, interfaces, addresses
        self._chains: dict[tuple[str, str, str, str], list[Rule]] = defaultdict(list)
        self._bases: list[Rule] = []
        for rule in rules:
            if rule.action == "CHAIN":
                if rule.hook or rule.chain in ("INPUT", "PREROUTING"):
                    self._bases.append(rule)
            else:
                self._chains[self._key(rule)].append(rule)

    @staticmethod
    def _key(rule: Rule) -> tuple[str, str, str, str]:
        return (rule.view, rule.table, rule.family, rule.chain)

    def answer(self, proto: str, port: int, address: str | None, side: str, *, loopback: bool, bound: str | None) -> dict[str, Any]:
        """The columns of one row of reach; an address of None is one that the device cut or did not print: nothing is known."""
        names = [n for n, s in self._interfaces.items() if s == side]
        blank: dict[str, Any] = {
            "answer": UNKNOWN, "by_rule": False, "followed": None, "sources": None, "exhibit": None, "line": None,
            "interface": ",".join(names) or None,
        }  # fmt: skip
        if address is None:
            return blank | {"family": None}
        families = ("ip6",) if ":" in address and address != "::" else ("ip", "ip6") if address == "::" else ("ip",)
        best: dict[str, Any] | None = None
        for family in families:
            for name in names:
                asked = {"family": family, "interface": name}
                got = blank | asked | self._from(name, family, proto, port, address, loopback=loopback, bound=bound)
                if best is None or _RANK[got["answer"]] > _RANK[best["answer"]]:
                    best = got
        return best or blank | {"family": families[0]}

    def _from(self, name: str, family: str, proto: str, port: int, address: str, *, loopback: bool, bound: str | None) -> dict[str, Any]:
        redirect = self._redirected(name, family, proto, port)
        wildcard = address in ("0.0.0.0", "::")  # noqa: S104 - compared with what a device listens on
        mine = self._addresses.get(name, [])
        own = wildcard or address in mine or (bool(mine) is False and not loopback)
        if not redirect and (loopback or not own or (bound and bound != name)):
            # weak host model: an address of another interface is reachable over this one only if it is routed here
            return {"answer": CLOSED, "by_rule": False}
        # mangle, nat and raw of iptables let through what the table filter may drop
        if not any(r.family in (family, "inet") and r.table not in _NO_FILTER for r in self._bases if self._is_input(r)):
            return {"answer": UNKNOWN, "by_rule": False}
        packet = Packet(family, proto, port, name, "" if wildcard else address)
        return self._input(packet, redirect)

    @staticmethod
    def _is_input(rule: Rule) -> bool:
        return rule.hook == "input" or (rule.hook is None and rule.chain == "INPUT" and rule.table == "filter")

    def _redirected(self, name: str, family: str, proto: str, port: int) -> Rule | None:
        """The REDIRECT rule that brings another port's packets to this one."""
        for rule in self.rules:
            if rule.action == "REDIRECT" and rule.to_port == port and rule.family in (family, "inet") and rule.proto in (None, proto):
                fits = _interface_fits(rule, name)
                if fits:
                    return rule
        return None

    def _input(self, packet: Packet, redirect: Rule | None) -> dict[str, Any]:
        answers: list[tuple[str, Walk, Rule]] = []
        bases = [b for b in self._bases if self._is_input(b) and b.family in (packet.family, "inet")]
        for base in sorted(bases, key=lambda b: (b.view, b.priority)):
            walk = Walk()
            if redirect:
                walk.followed.append(f"{redirect.exhibit}:{redirect.line}")
            action = self._chain(self._key(base), packet, walk, 0) or base.policy or "ACCEPT"
            if walk.decided is None and action == (base.policy or "ACCEPT"):
                walk.followed.append(f"{base.exhibit}:{base.line}")
            answers.append((_judged(action, walk), walk, base))
        # every base chain must let it pass: the strictest answer counts
        answer, walk, base = min(answers, key=lambda a: (_STRICT[a[0]], a[1].decided is None))
        rule = walk.decided or base
        opened = walk.decided is not None and walk.decided.first is not None and walk.decided.action == "ACCEPT"
        return {
            "answer": answer, "by_rule": opened or bool(redirect),
            "exhibit": rule.exhibit, "line": rule.line, "followed": " > ".join(walk.followed[:40]) or None,
            "sources": ",".join(walk.sources) or None,
        }  # fmt: skip

    def _chain(self, key: tuple[str, str, str, str], packet: Packet, walk: Walk, depth: int) -> str | None:
        """Walk one chain; the verdict, or None when it runs off the end."""
        if depth > _DEPTH:
            walk.doubts |= {"ACCEPT", "DROP"}
            return None
        for rule in self._chains.get(key, []):
            fit = _fits(rule, packet)
            if fit == "no":
                continue
            walk.followed.append(f"{rule.exhibit}:{rule.line}")
            if rule.action in ("JUMP", "GOTO"):
                target = (rule.view, rule.table, rule.family, rule.jump or "")
                inner = walk if fit == "yes" else Walk()
                verdict = self._chain(target, packet, inner, depth + 1)
                if fit != "yes":
                    walk.doubts |= inner.doubts | ({verdict} if verdict else set())
                    continue
                if verdict or rule.action == "GOTO":
                    return verdict
                continue
            if rule.action == "RETURN":
                if fit == "yes":
                    return None
                walk.doubts |= {"ACCEPT", "DROP"}
                continue
            if rule.action in ("VMAP", "NFQUEUE", "QUEUE"):  # a named verdict map, a program: not followed
                walk.doubts |= {"ACCEPT", "DROP"}
            elif rule.action in ("ACCEPT", "DROP", "REJECT", "TARPIT"):
                verdict = _decide(rule, fit, walk)
                if verdict:
                    return verdict
            if rule.action in ("NFQUEUE", "QUEUE"):
                return None
        return None


def _decide(rule: Rule, fit: str, walk: Walk) -> str | None:
    """The verdict of a rule that fits; None when the packet goes on behind it."""
    verdict = "ACCEPT" if rule.action == "ACCEPT" else "DROP"
    if fit == "yes":
        walk.decided = rule
        return verdict
    if fit == "maybe":
        walk.doubts.add(verdict)
    elif verdict == "ACCEPT":  # from some sources only
        walk.sources.append(rule.src or "")
        walk.decided = walk.decided or rule
    return None


_RANK = {CLOSED: 0, UNKNOWN: 1, RESTRICTED: 2, OPEN: 3}
_STRICT = {CLOSED: 0, RESTRICTED: 1, UNKNOWN: 2, OPEN: 3}


def _judged(action: str, walk: Walk) -> str:
    passes = action == "ACCEPT"
    if passes:
        return UNKNOWN if "DROP" in walk.doubts else OPEN
    if walk.sources:
        return RESTRICTED
    return UNKNOWN if "ACCEPT" in walk.doubts else CLOSED


def _interface_fits(rule: Rule, name: str) -> bool:
    if rule.in_if is None:
        return True
    hit = any(p in ("*", name) or (p[-1:] in ("+", "*") and name.startswith(p[:-1])) for p in rule.in_if.split(","))
    return hit != ("in_if" in rule.negated)


def _fits(rule: Rule, packet: Packet) -> str:
    """yes, no, source (only from some sources), or maybe (a match that is not expressed)."""
    if rule.proto is not None:
        names = {p.strip() for p in rule.proto.lower().split(",")} - {"all", "0"}
        if names and (packet.proto in names) == ("proto" in rule.negated):
            return "no"
    if rule.states and ("NEW" in rule.states) == ("ct_state" in rule.negated):
        return "no"
    if not _interface_fits(rule, packet.interface):
        return "no"
    if rule.first is not None:
        inside = rule.first <= packet.port <= (rule.last if rule.last is not None else rule.first)
        if inside == ("dst_port" in rule.negated):
            return "no"
    # 0/0 is everybody; a network that is no source of the internet does not let it in
    if rule.src is not None and rule.src.split(",") not in (["0.0.0.0/0"], ["::/0"]):
        return "maybe" if rule.unmodelled or "src" in rule.negated else "source"
    if rule.unmodelled or rule.src_first is not None or (rule.dst is not None and not _to_us(rule, packet)):
        return "maybe"
    return "yes"


def _to_us(rule: Rule, packet: Packet) -> bool:
    wanted = (rule.dst or "").removesuffix("/32").removesuffix("/128")
    return "dst" not in rule.negated and (wanted in ("0.0.0.0/0", "::/0") or (bool(packet.address) and wanted == packet.address))
