"""AES-128 of single blocks, for the opening of QUIC alone: its key is made of what is in the packet, so nothing is secret.

Tables make it about 20 microseconds a block; the opening of a connection has less than a hundred. Time depends on the data:
never use it where a key matters.
"""

from __future__ import annotations

from functools import cache

Words = tuple[int, int, int, int]
_Tables = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@cache
def _tables() -> _Tables:
    """The S-box, and it together with the mixing of columns, turned four ways."""
    sbox = [0x63] * 256
    p = q = 1
    while True:  # p runs through the field by powers of 3, q through the inverses
        p ^= (p << 1) ^ (0x11B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift
        q &= 0xFF
        q ^= 0x09 if q & 0x80 else 0
        turned = q ^ _left(q, 1) ^ _left(q, 2) ^ _left(q, 3) ^ _left(q, 4)
        sbox[p & 0xFF] = turned ^ 0x63
        if p & 0xFF == 1:
            break
    first = []
    for value in sbox:
        twice = (value << 1) ^ (0x11B if value & 0x80 else 0)
        first.append(twice << 24 | value << 16 | value << 8 | (twice ^ value))
    turns = [tuple((word >> shift | word << (32 - shift)) & 0xFFFFFFFF for word in first) for shift in (8, 16, 24)]
    return tuple(first), turns[0], turns[1], turns[2], tuple(sbox)


def _left(value: int, shift: int) -> int:
    return (value << shift | value >> (8 - shift)) & 0xFF


def expand(key: bytes) -> list[Words]:
    """The eleven round keys of a key of 16 bytes."""
    sbox = _tables()[4]
    words = [int.from_bytes(key[at : at + 4], "big") for at in range(0, 16, 4)]
    constant = 1
    for number in range(4, 44):
        word = words[-1]
        if number % 4 == 0:
            word = (word << 8 | word >> 24) & 0xFFFFFFFF
            word = sbox[word >> 24] << 24 | sbox[word >> 16 & 255] << 16 | sbox[word >> 8 & 255] << 8 | sbox[word & 255]
            word ^= constant << 24
            constant = (constant << 1) ^ (0x11B if constant & 0x80 else 0)
        words.append(words[number - 4] ^ word)
    return [(words[at], words[at + 1], words[at + 2], words[at + 3]) for at in range(0, 44, 4)]


def encrypt(keys: list[Words], block: bytes) -> bytes:
    """One block of 16 bytes."""
    t0, t1, t2, t3, sbox = _tables()
    number = int.from_bytes(block, "big")
    k = keys[0]
    a, b, c, d = number >> 96 ^ k[0], number >> 64 & 0xFFFFFFFF ^ k[1], number >> 32 & 0xFFFFFFFF ^ k[2], number & 0xFFFFFFFF ^ k[3]
    for k in keys[1:10]:
        a, b, c, d = (
            t0[a >> 24] ^ t1[b >> 16 & 255] ^ t2[c >> 8 & 255] ^ t3[d & 255] ^ k[0],
            t0[b >> 24] ^ t1[c >> 16 & 255] ^ t2[d >> 8 & 255] ^ t3[a & 255] ^ k[1],
            t0[c >> 24] ^ t1[d >> 16 & 255] ^ t2[a >> 8 & 255] ^ t3[b & 255] ^ k[2],
            t0[d >> 24] ^ t1[a >> 16 & 255] ^ t2[b >> 8 & 255] ^ t3[c & 255] ^ k[3],
        )
    k = keys[10]
    out = 0
    for one, two, three, four, key in ((a, b, c, d, k[0]), (b, c, d, a, k[1]), (c, d, a, b, k[2]), (d, a, b, c, k[3])):
        word = sbox[one >> 24] << 24 | sbox[two >> 16 & 255] << 16 | sbox[three >> 8 & 255] << 8 | sbox[four & 255]
        out = out << 32 | (word ^ key)
    return out.to_bytes(16, "big")


def counter(keys: list[Words], nonce: bytes, data: bytes) -> bytes:
    """`data` under the counter mode of GCM: 12 bytes of nonce, counting from 2. The tag is not looked at."""
    stream = b"".join(encrypt(keys, nonce + number.to_bytes(4, "big")) for number in range(2, 2 + (len(data) + 15) // 16))
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream[:size], "big")).to_bytes(size, "big")
