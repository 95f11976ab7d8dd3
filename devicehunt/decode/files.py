"""Decoders of keys and settings. What is secret ends here: a hash, a password or a key is never passed on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from functools import lru_cache
from pathlib import Path

from devicehunt.data import read_yaml
from devicehunt.decode import Fields, decoder
from devicehunt.decode.addresses import canonical

SECRET = "(secret)"  # noqa: S105 - what stands where a secret stood
_SEPARATOR = "\x1f"
"""Between the members of a list in one field: no device text holds it (it is escaped on reading)."""


@decoder("ssh_key", "fingerprint")
def ssh_key(value: str) -> Fields:
    """The base64 of a public key -> its fingerprint as `ssh-keygen -lf` prints it (SHA256:...)."""
    return {"fingerprint": _fingerprint(value)}


def _fingerprint(value: str) -> str:
    """RFC 4253: the key is a list of strings, each behind its length; anything left over is damage."""
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("the key is not base64") from error
    parts, position = [], 0
    while position + 4 <= len(raw):
        length = int.from_bytes(raw[position : position + 4], "big")
        parts.append(raw[position + 4 : position + 4 + length])
        position += 4 + length
    if position != len(raw) or len(parts) < 2 or not re.fullmatch(rb"[a-z0-9@.-]+", parts[0]):
        raise ValueError("the key is damaged")
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


_KEY = re.compile(r"((?:ssh|ecdsa|sk)-[\w.@-]+) +(AAAA[A-Za-z0-9+/]+={0,2})(?: +([^<>\x1f]*))?")


@decoder("ssh_key_lines", "kinds", "fingerprints", "comments")
def ssh_key_lines(value: str) -> Fields:
    """Public keys inside a setting (`ssh-rsa AAAA... me@desk>ssh-rsa ...`): three lists of one length, parted by chr(31)."""
    found = _KEY.findall(value) if "AAAA" in value else []
    if not found:
        return {"kinds": None, "fingerprints": None, "comments": None}
    return {
        "kinds": _SEPARATOR.join(kind for kind, _, _ in found),
        "fingerprints": _SEPARATOR.join(_fingerprint(key) for _, key, _ in found),
        "comments": _SEPARATOR.join(comment.strip() for _, _, comment in found),
    }


_HASHES = {
    "1": "md5crypt", "2": "bcrypt", "2a": "bcrypt", "2b": "bcrypt", "2y": "bcrypt", "5": "sha256crypt", "6": "sha512crypt",
    "y": "yescrypt", "gy": "yescrypt", "7": "scrypt", "sha1": "sha1crypt", "md5": "sunmd5", "apr1": "md5crypt",
}  # fmt: skip


@decoder("hash_kind", "kind")
def hash_kind(value: str) -> Fields:
    """The password field of passwd or shadow -> what kind of hash it is; never the hash."""
    if value == "x":
        return {"kind": "shadow"}
    if value.startswith(("*", "!")):
        return {"kind": "locked"}
    method = re.match(r"\$(\w+)[$,]", value)
    if method:
        return {"kind": _HASHES.get(method.group(1), "other")}
    return {"kind": "des" if re.fullmatch(r"[./0-9A-Za-z]{13}", value) else "other"}


@lru_cache(maxsize=1)
def _secrets() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    data = read_yaml(Path(__file__).with_name("secrets.yaml").read_text(encoding="utf-8"))
    names, plain, text = ("|".join(data[k]) for k in ("names", "plain", "text"))
    return re.compile(f"(?i)(?:{names})$"), re.compile(f"(?i)(?:{plain})"), re.compile(f"(?i){text}")


@decoder("secret_name", "secret")
def secret_name(value: str) -> Fields:
    """The name of a setting -> `yes` when its value is a password or a key (decode/secrets.yaml)."""
    return {"secret": "yes" if _is_secret(value) else None}


@lru_cache(maxsize=8192)
def _is_secret(name: str) -> bool:
    secret, plain, _ = _secrets()
    return bool(secret.search(name)) and not plain.search(name)


def masked(text: str) -> str:
    """`text` without the passwords and keys that it holds in itself (a URL's, a line of a private key)."""
    return _secrets()[2].sub(_hide, text)


def _hide(match: re.Match[str]) -> str:
    group = next((n for n, g in enumerate(match.groups(), 1) if g), 0)
    if not group:
        return match.group()
    start, end = (edge - match.start() for edge in match.span(group))
    return match.group()[:start] + SECRET + match.group()[end:]


@decoder("config_value", "text", "list")
def config_value(value: str) -> Fields:
    """A value of uci, nvram or a script: `text` without quotes and inner secrets; `list` of 'a' 'b', parted by chr(31)."""
    quoted = re.fullmatch(r"'(?:[^']|'\\'')*'(?:\s+'(?:[^']|'\\'')*')*", value)
    if quoted:
        parts = re.findall(r"'((?:[^']|'\\'')*)'(?=\s|$)", value)
    elif value.startswith("'"):  # the first line of several
        parts = [value[1:]]
    else:
        parts = [value.removesuffix('"').removeprefix('"') if value.startswith('"') and value.endswith('"') else value]
    plain = [masked(p.replace("'\\''", "'")) for p in parts]
    return {"text": " ".join(plain) or None, "list": _SEPARATOR.join(p for p in plain if p) or None}


_RESOLVER = re.compile(r"(?:/(?P<domain>[^/\s]*(?:/[^/\s]+)*)/)?(?P<ip>[0-9a-fA-F.:]{2,45})(?:#(?P<port>\d{1,5}))?(?:@\S+)?")


@decoder("resolvers", "addresses", "ports", "domains")
def resolvers(value: str) -> Fields:
    """Name servers in a setting (`9.9.9.9#5353`, `/lan/192.168.1.2`, `6,1.1.1.1`) -> three lists of one length, parted by commas."""
    found: list[tuple[str, str, str]] = []
    for item in re.split(r"'\s+'|\s+", value.strip("'\" ")):
        option = re.fullmatch(r"(?:(?:tag:)?[a-zA-Z][\w.-]*,)*(?:option6?:)?([\w-]+),(.+)", item)
        if option and option[1] not in ("6", "dns-server"):
            continue  # another DHCP option
        for word in (option[2] if option else item).split(","):
            match = _RESOLVER.fullmatch(word.strip("[]"))
            if match and _is_address(match["ip"]):
                found.append((canonical(match["ip"]), match["port"] or "", match["domain"] or ""))
    if not found:
        return {"addresses": None, "ports": None, "domains": None}
    return {
        "addresses": ",".join(f[0] for f in found),
        "ports": ",".join(f[1] for f in found),
        "domains": ",".join(f[2] for f in found),
    }


def _is_address(text: str) -> bool:
    try:
        canonical(text)
    except ValueError:
        return False
    return True
