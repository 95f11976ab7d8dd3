"""The types that the modules of `flows` hand to each other. Times are integers: nanoseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from devicehunt.flows.damage import Damage as Damage  # noqa: PLC0414 - the way of mypy to say that it may be taken from here

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


@dataclass(slots=True)
class Interface:
    """One interface of a capture, as the file describes it. `drops`: packets the capturer says it lost; None: it does not say."""

    number: int  # counted over the whole file, section by section
    linktype: int
    snaplen: int = 0
    name: str = ""
    filter: str = ""
    drops: int | None = None


@dataclass(slots=True)
class Chunk:
    """A run of packet records. `data` holds the bytes; record i is data[at[i] : at[i] + caplen[i]].

    `place`: offset of data[0] in the decompressed file. Packets are numbered from 1 over the whole file, as Wireshark
    does; packet i of the chunk is number `first + i`.
    """

    data: U8
    place: int
    first: int
    at: I64  # offsets in data
    caplen: I64
    wirelen: I64
    time: I64  # ns since 1970
    linktype: U16
    interface: U16
    direction: U8 | None = None  # as in Decoded, where the file says it (pcapng flags, modified pcap); None: it does not


@dataclass(slots=True)
class Decoded:
    """What a decoder says of the packets of a chunk: a row a layer that has addresses (an inner one is a row of its own).

    Addresses are two big-endian 64-bit halves; IPv4 is v4-mapped (::ffff:a.b.c.d). ICMP has type in the source port and
    code in the destination port. A fragment without ports has port 0 and `fragment` set. `payload` and `payload_at`
    describe the bytes above TCP, UDP, ICMP (or above IP) that were captured; `payload_len` is what the headers say was
    sent, without padding. `length` is the packet's length on the wire (frame.len), for an inner row too.
    """

    packet: I64  # number in the file
    time: I64
    length: I64
    src_hi: U64
    src_lo: U64
    dst_hi: U64
    dst_lo: U64
    sport: U16
    dport: U16
    proto: U8  # IP protocol number of the last header
    flags: U8  # TCP flags, 0 for others
    seq: U32  # TCP sequence number, 0 for others
    vlan: U16  # outermost VLAN id, 0: none
    depth: U8  # 0: outer; 1: inside one tunnel ...
    tunnel: U8  # index in TUNNELS of what carried this row; 0: nothing
    interface: U16  # of the file; of a cooked capture (SLL2) the kernel's index, which tells the interfaces of `any` apart
    fragment: U8  # 1: later fragment whose first was not seen; 2: put to its first by the identification
    payload_at: I64  # offset in the decompressed file, -1: no payload captured
    payload: I64  # captured bytes
    payload_len: I64
    # 0 unknown, 1 sent by the capturing host, 2 to it, 3 to somebody else (SLL, SLL2, pcapng flags)
    direction: U8
    unread: list[Damage] = field(default_factory=list)  # packets without addresses that nothing explains
    named: dict[str, int] = field(default_factory=dict)  # packets (and insides of tunnels) without addresses that have a name: arp, stp ...


TUNNELS = ("", "gre", "ipip", "sit", "4in6", "6in6", "l2tp", "vxlan", "erspan", "tzsp", "pppoe", "gtp", "teredo", "eoip", "geneve")
"""What carried an inner row. PPPoE and VLAN are link layers: what is inside them is an outer row (depth 0)."""
