"""Fingerprints of TLS handshakes: JA3, JA3S and the JA4 of a client."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

SNI, GROUPS, POINTS, SIGNATURES, ALPN, VERSIONS = 0, 10, 11, 13, 16, 43
_JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
                 0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3"}  # fmt: skip


@dataclass(slots=True)
class Hello:
    """A ClientHello or ServerHello, numbers as on the wire."""

    version: int
    ciphers: list[int]
    extensions: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    signatures: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    alpn: list[bytes] = field(default_factory=list)
    sni: str | None = None


def grease(value: int) -> bool:
    """Whether a value is one of RFC 8701, which mean nothing."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def _real(values: list[int]) -> list[int]:
    return [value for value in values if not grease(value)]


def _dashed(values: list[int]) -> str:
    return "-".join(map(str, values))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ja3(hello: Hello) -> str:
    """JA3 of a client."""
    lists = (_real(hello.ciphers), _real(hello.extensions), _real(hello.groups), hello.points)
    return _md5(",".join([str(hello.version), *map(_dashed, lists)]))


def ja3s(hello: Hello) -> str:
    """JA3S of a server."""
    return _md5(f"{hello.version},{_dashed(hello.ciphers[:1])},{_dashed(hello.extensions)}")


def _short(values: list[str]) -> str:
    return hashlib.sha256(",".join(values).encode()).hexdigest()[:12]


def _ends(alpn: list[bytes]) -> str:
    """First and last character of the first protocol; in hex where one of them is neither letter nor digit."""
    if not alpn or not alpn[0]:
        return "00"
    first, last = alpn[0][:1], alpn[0][-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    return first.hex()[0] + last.hex()[1]


def ja4(hello: Hello, transport: str = "t") -> str:
    """JA4 of a client; `transport`: t (TCP), q (QUIC), d (DTLS)."""
    ciphers = sorted(f"{value:04x}" for value in _real(hello.ciphers))
    extensions = _real(hello.extensions)
    version = max(_real(hello.versions), default=hello.version)
    counts = f"{min(len(ciphers), 99):02d}{min(len(extensions), 99):02d}"
    head = f"{transport}{_JA4_VERSIONS.get(version, '00')}{'d' if SNI in extensions else 'i'}{counts}{_ends(hello.alpn)}"
    listed = sorted(f"{value:04x}" for value in extensions if value not in (SNI, ALPN))
    signatures = ",".join(f"{value:04x}" for value in _real(hello.signatures))
    tail = _short([",".join(listed) + (f"_{signatures}" if signatures else "")]) if listed else "0" * 12
    return f"{head}_{_short(ciphers) if ciphers else '0' * 12}_{tail}"
