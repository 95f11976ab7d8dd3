"""`conntrack -E`: the events of connection tracking -> one row a session.

Format: conntrack-tools, conntrack(8), and libnetfilter_conntrack, snprintf_default.c. Only the end of a session carries
counts; a session that was there before the watching began has no first time, unless its end says how long it lasted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from devicehunt.readers import TOO_LONG, Read, Row, Texts, reader

SESSIONS = 150_000
"""Sessions of one output; the lines of further ones are counted as unread."""
FIELDS = (
    "family", "proto", "timeout", "state", "osrc", "odst", "osport", "odport", "opackets", "obytes", "rsrc", "rdst", "rsport",
    "rdport", "rpackets", "rbytes", "unreplied", "assured", "offload", "hw_offload", "mark", "zone", "first", "last",
)  # fmt: skip
_EVENT = re.compile(
    r"\s*(?:\[(?P<time>\d{1,11}\.\d{1,9}) *\]\s*)?\[(?P<kind>NEW|UPDATE|DESTROY)\] (?:(?P<family>ipv[46]) +\d+ )?"
    r"(?P<proto>[a-z][a-z0-9]*) +\d+ (?:(?P<timeout>\d+) )?(?:(?P<state>[A-Z][A-Z_0-9]+) )?"
    r"(?P<rest>(?:timeout=\d+, stream_timeout=\d+ )?src=.*)"
)
_TUPLE = (
    r"src=(?P<{0}src>\S+) dst=(?P<{0}dst>\S+)(?: sport=(?P<{0}sport>\d+) dport=(?P<{0}dport>\d+))?"
    r"(?P<{0}more>(?: (?:type|code|id|srckey|dstkey)=\S+)*)(?: packets=(?P<{0}packets>\d+) bytes=(?P<{0}bytes>\d+))?"
)
_REST = re.compile(
    r"(?:timeout=\d+, stream_timeout=\d+ )?"
    + _TUPLE.format("o")
    + r"(?P<unreplied> \[UNREPLIED\])? "
    + _TUPLE.format("r")
    + r"(?P<tail>(?: \[[^\]\[]{1,60}\]| (?:mark|zone|zone-orig|zone-reply|use|id|secctx|secmark|labels|helper|delta-time|portid|nmark"
    r"|timeout)=\S*)*)\s*"
)
_END = re.compile(r"(?:\^C)?\s*conntrack v[\d.]+ \(conntrack-tools\): \d+ flow events have been shown\.\s*")
_NAMED = re.compile(r" (mark|zone|delta-time)=(\d+)")
# what each event says anew: an older word is replaced
_NOW = ("timeout", "state", "mark", "zone", "opackets", "obytes", "rpackets", "rbytes")


@reader("conntrack_events", *FIELDS)
def conntrack_events(texts: Texts, _now: Row) -> Read:
    """`conntrack -E`: a row a session, from its first event to its last."""
    sessions: dict[tuple[str | None, ...], tuple[int, Row]] = {}
    begun = 0
    try:
        for number, text in texts:
            if text is None:
                yield number, None, TOO_LONG
                continue
            if not text.strip() or _END.fullmatch(text):
                continue
            event = _event(text)
            if event is None:
                yield number, None, "no event of connection tracking"
                continue
            kind, key, row = event
            before = sessions.get(key)
            if before is not None and kind == "NEW":
                yield *sessions.pop(key), ""
                before = None
            if before is None:
                if begun >= SESSIONS:
                    yield number, None, f"more than {SESSIONS:,} sessions"
                    continue
                begun += 1
                sessions[key] = number, row
            else:
                _merge(before[1], row)
            if kind == "DESTROY":
                yield *sessions.pop(key), ""
    except TimeoutError:
        yield from _open(sessions)
        raise
    yield from _open(sessions)


def _open(sessions: dict[tuple[str | None, ...], tuple[int, Row]]) -> Iterator[tuple[int, Row | None, str]]:
    for number, row in sessions.values():
        yield number, row, ""


def _event(text: str) -> tuple[str, tuple[str | None, ...], Row] | None:
    """One line -> its kind, the session that it belongs to, and what it says; None for what is no event."""
    head = _EVENT.fullmatch(text)
    said = _REST.fullmatch(head["rest"]) if head else None
    if head is None or said is None:
        return None
    if (said["osport"] is None) != (said["rsport"] is None) or (said["osport"] is None and head["proto"] in ("tcp", "udp")):
        return None  # half a line
    row: Row = dict.fromkeys(FIELDS)
    row.update((name, value) for name, value in said.groupdict().items() if name in row)
    row.update(family=head["family"], proto=head["proto"], timeout=head["timeout"], state=head["state"])
    tail, named = said["tail"], dict(_NAMED.findall(said["tail"]))
    row["assured"] = "yes" if " [ASSURED]" in tail else None
    row["hw_offload"] = "yes" if " [HW_OFFLOAD]" in tail else None
    row["offload"] = "yes" if "OFFLOAD]" in tail else None
    row.update(mark=named.get("mark"), zone=named.get("zone"))
    time = head["time"]
    if time is not None:
        row["last"] = time
        lasted = named.get("delta-time")
        if head["kind"] == "NEW":
            row["first"] = time
        elif head["kind"] == "DESTROY" and lasted is not None and len(lasted) < 12:
            row["first"] = f"{float(time) - int(lasted):.6f}"
    # the layer above has its own names of a session: icmp numbers, gre keys
    key = tuple(said[f"{side}{name}"] for side in "or" for name in ("src", "dst", "sport", "dport", "more"))
    return head["kind"], (head["proto"], row["zone"], *key), row


def _merge(row: Row, event: Row) -> None:
    """Add what a further event of a session says."""
    for name in _NOW:
        row[name] = event[name] if event[name] is not None else row[name]
    for name in ("assured", "offload", "hw_offload"):
        row[name] = row[name] or event[name]
    row["unreplied"] = event["unreplied"]
    row["first"] = row["first"] or event["first"]
    row["last"] = event["last"] or row["last"]
