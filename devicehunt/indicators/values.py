"""One written value -> what it is and the one spelling that is compared; or why it is not compared."""

from __future__ import annotations

import re
import socket
from bisect import bisect_right
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NamedTuple

from devicehunt import data

V4 = b"\0" * 10 + b"\xff\xff"
LONGEST = 2048
"""Characters of a value; a longer one is no indicator."""
NO_VALUE = "not a value of a known kind"


class RefusedError(ValueError):
    """A value that is understood, and would match what is everywhere."""


class Value(NamedTuple):
    """A value to look for. `first`, `last`: 16 bytes, of addresses and networks; `port`: only with this port."""

    kind: str
    text: str
    first: bytes | None = None
    last: bytes | None = None
    port: int | None = None


@cache
def settings() -> dict[str, Any]:
    """kinds.yaml as it is."""
    found: dict[str, Any] = data.read_yaml((Path(__file__).parent / "kinds.yaml").read_text(encoding="utf-8"))
    return found


@cache
def kind_of() -> dict[str, str]:
    """How lists call a kind -> the kind."""
    return {word: kind for kind, words in settings()["types"].items() for word in words}


def word(text: str) -> str:
    """A type or a column's name as kinds.yaml spells them."""
    return re.sub(r"[\s.\-]+", "_", text.strip().strip("#\"' ").lower())


@cache
def _reserved() -> tuple[list[bytes], list[bytes]]:
    """First and last addresses of the reserved ranges, in order."""
    ends = sorted(_ends(ip_network(text)) for text in settings()["reserved"])
    return [a for a, _ in ends], [b for _, b in ends]


def _ends(network: IPv4Network | IPv6Network) -> tuple[bytes, bytes]:
    head = V4 if network.version == 4 else b""
    return head + network.network_address.packed, head + network.broadcast_address.packed


def _touches_reserved(first: bytes, last: bytes) -> bool:
    firsts, lasts = _reserved()
    at = bisect_right(firsts, last)
    return at > 0 and lasts[at - 1] >= first


def packed(text: str) -> bytes | None:
    """The 16 bytes of an address; None for what is none."""
    try:
        if ":" in text:
            return socket.inet_pton(socket.AF_INET6, text)
        return V4 + socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):  # a NUL, a surrogate
        return None


def _written(key: bytes) -> str:
    if key.startswith(V4):
        return socket.inet_ntop(socket.AF_INET, key[12:])
    return socket.inet_ntop(socket.AF_INET6, key)


def _address(text: str, port: int | None = None) -> Value | None:
    key = packed(text)
    if key is None:
        return None
    if _touches_reserved(key, key):
        raise RefusedError("private, reserved or documentation address")
    return Value("address", text if key[:12] == V4 and ":" not in text else _written(key), key, key, port)


def _network(text: str) -> Value | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    first, last = _ends(network)
    if first == last:
        return _address(_written(first))
    if network.prefixlen < settings()["widest"][f"v{network.version}"]:
        raise RefusedError("a network too wide to say anything")
    if _touches_reserved(first, last):
        raise RefusedError("private, reserved or documentation network")
    return Value("network", str(network), first, last)


_PORTED = re.compile(r"(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9A-Fa-f:.]+)\])[:|](\d{1,5})/?")
_HOST = re.compile(r"(?=.{4,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}\.[A-Za-z]{2,24}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_COLON_HEX = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){15,31}")
_JA4 = re.compile(r"[tqd][0-9sd]\d[di]\d{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}", re.IGNORECASE)
_SSH = re.compile(r"SHA256:([A-Za-z0-9+/]{43})=?|(?:MD5:)?([0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){15})")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/@\s?#]*@)?(\[[0-9A-Fa-f:.]+\]|[^/:?#\s]+)(?::(\d{1,5}))?([/?#]\S*)?")
_DEFANGED = re.compile(
    r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\\\.|\[:\]|\[://\]|\[/\]|\[at\]|\[@\]|^(?:hxxp|meow|h\*\*p|fxp)", re.IGNORECASE
)
_REFANGED = {
    "[:]": ":", "[://]": "://", "[/]": "/", "[at]": "@", "[@]": "@", "hxxp": "http", "meow": "http", "h**p": "http", "fxp": "ftp",
}  # fmt: skip


def refang(text: str) -> str:
    """A value that was written so that nobody clicks on it, as it is."""
    return _DEFANGED.sub(lambda m: _REFANGED.get(m.group().lower(), "."), text)


def _domain(text: str) -> Value | None:
    name = text.lower().removeprefix("*.").strip(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return None
    if not _HOST.fullmatch(name):
        if "." not in name and re.fullmatch(r"[a-z]{2,24}", name):
            raise RefusedError("a top-level domain")
        return None
    labels = name.split(".")
    if labels[-1] in settings()["local_names"]:
        raise RefusedError("a name that is local everywhere")
    if len(labels) == 1:
        raise RefusedError("a top-level domain")
    if labels[-1].isdigit():
        return None
    if len(labels) == 2 and len(labels[1]) == 2 and labels[0] in settings()["registries"]:
        raise RefusedError("a name of a registry")
    return Value("domain", name)


def _host_port(host: str, port: str | None) -> Value | None:
    """A host with a port: an address keeps it, of a name the name counts."""
    number = int(port) if port else None
    if number is not None and not 0 < number < 65536:
        return None
    bare = host.strip("[]")
    return _address(bare, number) or _domain(bare)


_USUAL = {"http": "80", "https": "443", "ftp": "21"}


def _url(text: str) -> Value | None:
    found = _URL.fullmatch(text)
    if not found:
        return None
    scheme, host, port, rest = found[1].lower(), found[2].lower(), found[3], (found[4] or "").partition("#")[0]
    if rest in ("", "/"):  # all of it: the host
        return _host_port(host, port or _USUAL.get(scheme))
    inner = _host_port(host, port)
    if inner is None:
        return None
    port = None if port in (None, "80", "443") else port
    name = f"[{inner.text}]" if ":" in inner.text else inner.text
    return Value("url", f"{name}{':' + port if port else ''}{rest if rest.startswith('/') else '/' + rest}")


def _hex(text: str, kind: str, sizes: tuple[int, ...]) -> Value | None:
    plain = text.replace(":", "").lower()
    return Value(kind, plain) if len(plain) in sizes and _HEX.fullmatch(plain) else None


def _ssh_key(text: str) -> Value | None:
    found = _SSH.fullmatch(text)
    if not found:
        return None
    return Value("ssh-key", f"SHA256:{found[1]}" if found[1] else f"MD5:{found[2].lower()}")


def _path(text: str) -> Value | None:
    if not text.startswith("/"):
        return None
    clean = re.sub(r"/+", "/", text).rstrip("/")
    if clean.count("/") < 2:
        raise RefusedError("a folder that every device has")
    return Value("path", clean)


def _user(text: str) -> Value | None:
    return Value("user", text) if re.fullmatch(r"[^\s/:]{1,64}", text) else None


def _any_address(text: str) -> Value | None:
    ported = _PORTED.fullmatch(text)
    if ported:
        return _host_port(ported[1] or ported[2], ported[3])
    return _network(text) if "/" in text else _address(text.strip("[]"))


def _named(text: str) -> Value | None:
    host, _, port = text.replace("|", ":").partition(":")
    return _domain(host) if not port or port.isdigit() or packed(port) else None


_READERS = {
    "address": _any_address,
    "network": lambda t: _network(t) if "/" in t else _any_address(t),
    "domain": lambda t: _url(t) if "://" in t else _any_address(t) if t[:1].isdigit() and packed(t) else _named(t),
    "url": lambda t: _url(t if "://" in t else f"http://{t}"),
    "certificate": lambda t: _hex(t, "certificate", (40, 64)),
    "ja3": lambda t: _hex(t, "ja3", (32,)),
    "ja4": lambda t: Value("ja4", t.lower()) if _JA4.fullmatch(t) else None,
    "hassh": lambda t: _hex(t, "hassh", (32,)),
    "ssh-key": _ssh_key,
    "hash": lambda t: _hex(t, "hash", (32, 40, 64, 96, 128)),
    "path": _path,
    "user": _user,
}
KINDS = tuple(_READERS)


def of_kind(kind: str, text: str) -> Value:
    """A value whose kind is known. ValueError for what is none of it, RefusedError for what would match everywhere."""
    text = refang(text.strip())
    found = _READERS[kind](text) if 0 < len(text) <= LONGEST else None
    if found is None:
        raise ValueError(NO_VALUE if kind not in settings()["kinds"] else f"not a value of the kind {kind}")
    return found


_BARE = {32: ("hash", "ja3", "hassh"), 40: ("hash", "certificate"), 64: ("hash", "certificate"), 96: ("hash",), 128: ("hash",)}


def guess(text: str) -> tuple[Value, ...]:
    """A value by its look. A bare hash may be a file's, a certificate's or a client's: it is looked for as each.

    ValueError and RefusedError as `of_kind`.
    """
    text = text.strip()
    if len(text) < 16 and text.count(".") == 3:  # most of most lists, and nothing to undo
        found = _address(text)
        if found:
            return (found,)
    elif text[-1:].isalpha() and _NAME.fullmatch(text):
        named = _domain(text)
        if named:
            return (named,)
    text = refang(text)
    if not 0 < len(text) <= LONGEST:
        raise ValueError(NO_VALUE)
    kind, mark, rest = text.partition(":")
    if mark and kind.lower() in kind_of() and not rest.startswith("//") and not _SSH.fullmatch(text):
        return (of_kind(kind_of()[kind.lower()], rest),)
    if len(text) in _BARE and _HEX.fullmatch(text):
        return tuple(Value(k, text.lower()) for k in _BARE[len(text)])
    found = _guessed(text)
    if found is None:
        raise ValueError(NO_VALUE)
    return (found,)


def _guessed(text: str) -> Value | None:
    if "://" in text:
        return _url(text)
    if text.startswith("/"):
        return _path(text)
    if _SSH.fullmatch(text):
        return _ssh_key(text)
    if _COLON_HEX.fullmatch(text):
        return _hex(text, "certificate", (40, 64))
    if _JA4.fullmatch(text):
        return Value("ja4", text.lower())
    if text[0].isdigit() or text[0] == "[" or ":" in text:
        found = _any_address(text)
        if found:
            return found
    if "/" in text:
        return _url(f"http://{text}")
    return _named(text) if "." in text or text.isalpha() else None
