"""The fields of somebody else's log -> columns of our tables, as logs.yaml says.

A value that cannot be read makes its column null and is counted; a column that the row cannot do without makes the line unread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from devicehunt import data
from devicehunt.decode.addresses import canonical
from devicehunt.errors import DataError
from devicehunt.flows.logpaths import Getter, Record, first_of, getter, text, together

INT64 = 1 << 63
FLAGS = "FSRPAUEC"
_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"(-?)(\d{1,20})(?:\.(\d{1,30}))?")
_EXPONENT = re.compile(r"-?\d+(\.\d+)?[eE][-+]?\d{1,3}")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,30}))?\s*(Z|UTC|[-+]\d\d:?\d\d)?")
_USERINFO = re.compile(r"^([a-zA-Z][\w+.-]*://)[^/?#@]*@")

Converter = Callable[[Any, "dict[str, Any]", Record], Any]


class Unreadable(Exception):  # noqa: N818 - not a failure of ours
    """A line that holds no row: a column is missing that it cannot do without."""


@lru_cache(maxsize=65536)
def address(value: str) -> str:
    """Canonical text of an address; a zone is left out."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return canonical(value.partition("%")[0])


def count(value: Any) -> int:
    """A whole number that a bigint column takes, not negative."""
    if type(value) is str and len(value) < 19 and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool):
        raise ValueError("a truth value")
    if isinstance(value, str):
        if not value.isascii() or len(value) > 25:
            raise ValueError("no number")
        value = value.removesuffix(".0") if value.endswith(".0") else value
        if not value.isdigit():
            raise ValueError("no number")
    elif not isinstance(value, int):
        raise ValueError("no number")
    got = int(value)
    if not 0 <= got < INT64:
        raise ValueError("out of range")
    return got


@lru_cache(maxsize=65536)
def _port(value: Any) -> int:
    got = count(value)
    if got > 0xFFFF:
        raise ValueError("out of range")
    return got


def moment(value: Any) -> tuple[int, int]:
    """Seconds since 1970 and nanoseconds: of an epoch (seconds or smaller), or ISO 8601; UTC where no zone is named."""
    if type(value) is str and len(value) == 17 and value[10] == "." and value.isascii() and (value[:10] + value[11:]).isdigit():
        return int(value[:10]), int(value[11:]) * 1000  # as Zeek writes it
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("no time")
    written = str(value) if isinstance(value, int) and abs(value) < INT64 else value
    if not isinstance(written, str) or len(written) > 64:
        raise ValueError("no time")
    if found := _NUMBER.fullmatch(written):
        sign, whole, fraction = found.groups()
        nanos = int(whole) * _NS + int((fraction or "0").ljust(9, "0")[:9])
        while nanos >= 10**20 and not fraction:  # after the year 5138: written in a smaller unit
            nanos //= 1000
        return divmod(-nanos if sign else nanos, _NS)
    if _EXPONENT.fullmatch(written):
        return divmod(int(Decimal(written) * _NS), _NS)
    if not (found := _ISO.fullmatch(written.strip())):
        raise ValueError("no time")
    day, clock, fraction, zone = found.groups()
    return _second(day, clock, zone), int((fraction or "0").ljust(9, "0")[:9])


@lru_cache(maxsize=4096)
def _second(day: str, clock: str, zone: str | None) -> int:
    at = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in (None, 'Z', 'UTC') else zone}") - _EPOCH
    return at.days * 86400 + at.seconds


def nanoseconds(value: Any) -> int:
    """Nanoseconds since 1970."""
    seconds, nanos = moment(value)
    got = seconds * _NS + nanos
    if not -INT64 < got < INT64:
        raise ValueError("out of range")
    return got


def stamp(value: Any) -> str:
    """A time as text for a timestamp column."""
    seconds, nanos = moment(value)
    return (_EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)).strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")


def span(value: Any) -> int:
    """A duration in seconds -> nanoseconds."""
    if isinstance(value, int) and not isinstance(value, bool):
        return count(value) * _NS
    found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if found and not found[1]:
        return int(found[2]) * _NS + int((found[3] or "0").ljust(9, "0")[:9])
    if isinstance(value, str) and len(value) < 32 and _EXPONENT.fullmatch(value) and value[0] != "-":
        return int(Decimal(value) * _NS)
    raise ValueError("no duration")


def letters(flags: str) -> str:
    """TCP flags in the order of their bits."""
    return "".join(f for f in FLAGS if f in flags)


def _sha256(value: Any) -> str | None:
    got = text(value).replace(":", "").lower()
    return got if re.fullmatch(r"[0-9a-f]{64}", got) else None  # MD5 and SHA-1 are other facts


def _der(value: Any) -> str:
    """Base64 of a certificate, with or without the lines of PEM -> its SHA-256."""
    if not isinstance(value, str):
        raise ValueError("no text")
    bare = re.sub(r"-----[A-Z ]+-----|\s", "", value.partition("-----END")[0])
    try:
        raw = base64.b64decode(bare, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if not raw.startswith(b"\x30"):
        raise ValueError("no certificate")
    return hashlib.sha256(raw).hexdigest()


def _endpoint(value: Any) -> tuple[str, int | None]:
    """`host:port`, `[v6]:port`, also with a scheme before."""
    got = _USERINFO.sub(r"\1", text(value)).partition("://")
    rest = re.split(r"[/?#]", got[2] or got[0])[0]
    if found := re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::(\d{1,5}))?|([^:@\s]+)(?::(\d{1,5}))?", rest):
        host, port = found[1] or found[3], found[2] or found[4]
        return _host(host), _port(port) if port else None
    raise ValueError("no end")


def _host(value: Any) -> str:
    try:
        return address(value)
    except ValueError:
        return text(value)


@dataclass(frozen=True, slots=True)
class How:
    """What a converter is told besides the value."""

    words: Mapping[Any, Any] = field(default_factory=dict)
    other: Getter = lambda _: None

    def word(self, value: Any) -> Any:
        """The vocabulary's word; what is not in it stays (or is its `*`)."""
        key = value.lower().lstrip("0") if isinstance(value, str) else value
        for k in (value, key):
            if k in self.words:
                return self.words[k]
        return self.words.get("*", value)


@dataclass(frozen=True, slots=True)
class _Plain:
    """A converter that looks at its value only: Rows calls `plain` without the way round."""

    plain: Callable[[Any], Any]

    def __call__(self, value: Any, row: dict[str, Any], record: Record) -> Any:
        return self.plain(value)


def _with_words(how: How, plain: Callable[[Any], Any]) -> Converter:
    if not how.words:
        return _Plain(plain)

    def convert(value: Any, row: dict[str, Any], record: Record) -> Any:
        got = how.word(text(value))
        return got if got is None or isinstance(got, bool) else plain(got)

    return convert


def _proto(how: How) -> Converter:
    def convert(value: Any, row: dict[str, Any], record: Record) -> Any:
        got = text(value).lower()
        if got == "unknown_transport" and (number := record.get("ip_proto")) is not None:
            got = text(number)
        elif got in ("unknown_transport", "unknown", "other"):
            return None
        got = str(how.word(got)).lower()
        return "icmp6" if got == "icmp" and ":" in (row.get("orig_ip") or "") else got

    return convert


def _history(how: How, orig: bool) -> Converter:
    @lru_cache(maxsize=4096)
    def flags(written: str) -> str:
        return letters("".join(how.words.get(c.upper(), "") for c in written if c.isupper() == orig and c.isalpha()))

    def convert(value: Any, row: dict[str, Any], record: Record) -> Any:
        if row.get("proto") != "tcp":
            return None
        return flags(text(value))

    return convert


def _time_plus(how: How) -> Converter:
    def convert(value: Any, row: dict[str, Any], record: Record) -> Any:
        length = how.other(record)
        if length is None:
            return None
        got = nanoseconds(value) + span(length)
        if got >= INT64:
            raise ValueError("out of range")
        return got

    return convert


@lru_cache(maxsize=4096)
def _hex_flags(value: Any) -> str | None:
    got = text(value)
    if not re.fullmatch(r"[0-9a-fA-F]{1,2}", got):
        raise ValueError("no flags")
    return "".join(f for bit, f in enumerate(FLAGS) if int(got, 16) >> bit & 1) or None  # 00: not followed


def _service(how: How) -> Converter:
    def convert(value: Any, row: dict[str, Any], record: Record) -> Any:
        names = [n for n in text(value).lower().split(",") if n and not n.startswith("-")]  # -ssl: taken for it, and was not
        return how.word(names[0]) if names else None

    return convert


def _depth(value: Any) -> int:
    """Zeek names the connections around this one, not how deep it lies; 0 where it names none."""
    return 0 if value in ("0", "", []) else 1


def _seen_service(value: Any) -> str | None:
    """nmap: its name, not where it stands for the port's number only."""
    if not isinstance(value, dict) or value.get("method") == "table" or not value.get("name"):
        return None
    tunnel = value.get("tunnel")
    return text(f"{tunnel}/{value['name']}" if tunnel else value["name"])


def _product(value: Any) -> str | None:
    if not isinstance(value, dict):
        raise ValueError("no service")
    return " ".join(text(value[k]) for k in ("product", "version", "extrainfo") if value.get(k)) or None


def _joined(how: How) -> Converter:
    return lambda value, row, record: " ".join(text(v) for v in (value, how.other(record)) if v not in (None, ""))


def _same(how: How) -> Converter:
    def convert(value: Any, row: dict[str, Any], record: Record) -> Any:
        other = how.other(record)
        return None if other in (None, "") else text(value) == text(other)

    return convert


def _answered(how: How) -> Converter:
    """zgrab2: the protocol it spoke, where the other end spoke it too."""
    return lambda value, row, record: text(value) if how.other(record) == "success" else None


def _success(value: Any) -> bool:
    return 200 <= count(value) < 300


def _granted(how: How) -> Converter:
    return lambda value, row, record: bool(how.words.get(text(value), False))


CONVERTERS: dict[str, Callable[[How], Converter]] = {
    "text": lambda how: _with_words(how, text),
    "address": lambda how: _with_words(how, address),
    "port": lambda how: _with_words(how, _port),
    "count": lambda how: _with_words(how, count),
    "time": lambda how: _with_words(how, nanoseconds),
    "stamp": lambda how: _with_words(how, stamp),
    "sha256": lambda how: _with_words(how, _sha256),
    "der": lambda how: _with_words(how, _der),
    "uri": lambda how: _with_words(how, lambda v: _USERINFO.sub(r"\1", text(v))),
    "host": lambda how: _with_words(how, _host),
    "host_of": lambda how: _with_words(how, lambda v: _endpoint(v)[0]),
    "port_of": lambda how: _with_words(how, lambda v: _endpoint(text(v) if not text(v).isdigit() else f"x:{text(v)}")[1]),
    "hex_flags": lambda how: _with_words(how, _hex_flags),
    "depth": lambda how: _with_words(how, _depth),
    "seen_service": lambda how: _with_words(how, _seen_service),
    "product": lambda how: _with_words(how, _product),
    "success": lambda how: _with_words(how, _success),
    "proto": _proto,
    "history_orig": lambda how: _history(how, True),
    "history_resp": lambda how: _history(how, False),
    "time_plus": _time_plus,
    "service": _service,
    "joined": _joined,
    "answered": _answered,
    "same": _same,
    "granted": _granted,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row: where its value is, and how it is read."""

    name: str
    get: Getter
    convert: Converter
    plain: Callable[[Any], Any] | None
    needed: bool
    fields: str


class Rows:
    """How one line becomes a row of one table."""

    def __init__(self, spec: Mapping[str, Any], shared: Mapping[str, Any], view: str):
        self.table: str = spec["table"]
        self.view = view
        self.columns = [self._column(name, how, spec.get("need", ()), shared) for name, how in spec["columns"].items()]
        self.when = [(getter(f), value) for f, value in spec.get("when", {}).items()]
        self.joined = [getter(f) for f in spec.get("joined", ())]
        self.joins = [getter(f) for f in spec.get("joins", ())]

    @staticmethod
    def _column(name: str, spec: Any, need: Any, shared: Mapping[str, Any]) -> Column:
        spec = spec if isinstance(spec, dict) else {"from": spec}
        kind = spec.get("as", shared["types"].get(name, "text"))
        if kind not in CONVERTERS:
            raise DataError(f"logs.yaml: {name}: no converter {kind!r}")
        words = {str(k): v for k, v in shared["words"][spec["words"]].items()} if "words" in spec else {}
        other = first_of(spec.get("plus") or spec.get("and") or spec.get("with") or "=")
        get = together(spec["text"]) if "text" in spec else first_of(spec["from"])
        convert = CONVERTERS[kind](How(words, other))
        plain = convert.plain if isinstance(convert, _Plain) else None
        return Column(name, get, convert, plain, name in need, str(spec.get("from", spec.get("text"))))

    def row(self, record: Record, bad: Callable[[str], None]) -> dict[str, Any] | None:
        """The row; None where it is not one of these; Unreadable where a needed column has no value."""
        for get, value in self.when:
            if get(record) != value:
                return None
        row: dict[str, Any] = {}
        for column in self.columns:
            raw = column.get(record)
            value = None
            if raw is not None and raw != "":
                try:
                    value = column.plain(raw) if column.plain else column.convert(raw, row, record)
                except (ValueError, TypeError, OverflowError, RecursionError):
                    if column.needed:
                        raise Unreadable(f"{column.name} ({column.fields}) cannot be read") from None
                    bad(f"a value of {column.fields} cannot be read: {self.table}.{column.name} is null")
            if value is None and column.needed:
                raise Unreadable(f"no {column.name} ({column.fields})")
            row[column.name] = value
        return row


@cache
def definitions() -> dict[str, Any]:
    """logs.yaml."""
    path = Path(__file__).with_name("logs.yaml")
    loaded: dict[str, Any] = data.read_yaml(path.read_text(encoding="utf-8"))
    return loaded


@cache
def rows_of(log: str, event: str) -> tuple[Rows, ...]:
    """The rows of one kind of log, or of one of its events."""
    shared = definitions()
    spec = shared["logs"][log]
    kind = spec["events"][event] if event else spec
    return tuple(Rows(r, shared, kind.get("view", spec["view"])) for r in kind["rows"])
