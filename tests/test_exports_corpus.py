"""Flow exports against what nfacctd (pmacct) and logstash say of the same datagrams. The corpus lies beside this project."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from devicehunt.flows.export_rows import PROTOCOLS, Batch
from devicehunt.flows.exports import Exports
from devicehunt.flows.records import Damage
from tests import samples

FLOW = samples.CORPUS / "flow"
PMACCT = sorted(path.parent for path in FLOW.glob("pmacct/*/output-flow-00.json"))
LOGSTASH = sorted(FLOW.glob("netflow-dat/*.expected.json"))

pytestmark = pytest.mark.skipif(not PMACCT, reason="the corpus of flow exports is not beside this project")
scapy = pytest.importorskip("scapy.all")

Datagram = tuple[bytes, str, int]


def captured(path: Path) -> list[Datagram]:
    """Payload, source and time of the UDP packets of a capture."""
    found = []
    for packet in scapy.rdpcap(str(path)):
        if scapy.UDP in packet:
            layer = packet[scapy.IP] if scapy.IP in packet else packet[scapy.IPv6]
            found.append((bytes(packet[scapy.UDP].payload), layer.src, int(packet.time * 10**9)))
    return found


def read(datagrams: list[Datagram]) -> tuple[list[dict[str, Any]], list[Damage], Exports]:
    exporter = Exports()
    made = [part for number, one in enumerate(datagrams, 1) for part in exporter.feed(one[0], one[1], number, one[2])]
    made += exporter.close()
    return (
        [row for part in made if isinstance(part, Batch) for row in part.rows()],
        [part for part in made if isinstance(part, Damage)],
        exporter,
    )


@pytest.mark.parametrize("folder", PMACCT, ids=lambda path: path.name[:3])
def test_like_nfacctd(folder: Path) -> None:
    """Packets and bytes by addresses, ports, protocol and interfaces. Of tunnels nfacctd keeps the inner packet; it multiplies."""
    datagrams = [
        (data, f"{source} {path.name}", at) for path in sorted(folder.glob("traffic-*.pcap")) for data, source, at in captured(path)
    ]
    rows, _, _ = read(sorted(datagrams, key=lambda one: one[2]))
    ours: Counter[Any] = Counter()
    for row in rows:
        ports = (0, 0) if row["proto"] in ("icmp", "icmp6") else (row["src_port"], row["dst_port"])
        key = (row["src_ip"], row["dst_ip"], *ports, row["proto"], row["in_interface"], row["out_interface"])
        for name in ("packets", "bytes"):
            ours[key, name] += row[name] * (row["sampling"] or 1)
    theirs: Counter[Any] = Counter()
    for line in (folder / "output-flow-00.json").read_text().splitlines():
        one = json.loads(line)
        proto = {"ipv6-icmp": "icmp6"}.get(one["ip_proto"], one["ip_proto"])
        key = (one["ip_src"], one["ip_dst"], one["port_src"], one["port_dst"], proto, one["iface_in"], one["iface_out"])
        if proto in ("icmp", "icmp6"):
            key = (*key[:2], 0, 0, *key[4:])
        for name in ("packets", "bytes"):
            theirs[key, name] += one[name]
    assert theirs and {key: ours[key] for key in theirs} == dict(theirs)
    inner = {(row["line"], row["template"]) for row in rows if row["depth"]}
    more = {key for key, _ in ours} - {key for key, _ in theirs}
    outer = {(row["src_ip"], row["dst_ip"]) for row in rows if not row["depth"] and (row["line"], row["template"]) in inner}
    assert {key[:2] for key in more} <= outer


COLUMNS = {
    "packets": ("in_pkts", "packetDeltaCount"), "bytes": ("in_bytes", "octetDeltaCount", "fwd_flow_delta_bytes", "in_permanent_bytes"),
    "tcp_flags": ("tcp_flags", "tcpControlBits"), "in_interface": ("input_snmp", "ingressInterface"),
    "out_interface": ("output_snmp", "egressInterface"), "src_port": ("l4_src_port", "sourceTransportPort"),
    "dst_port": ("l4_dst_port", "destinationTransportPort"), "post_src_ip": ("xlate_src_addr_ipv4",),
    "post_dst_ip": ("xlate_dst_addr_ipv4",), "post_src_port": ("xlate_src_port",), "post_dst_port": ("xlate_dst_port",),
}  # fmt: skip
TIMES = {
    "first_at": ("first_switched", "flowStartMilliseconds", "flow_start_msec", "flowStartSeconds"),
    "last_at": ("last_switched", "flowEndMilliseconds", "event_time_msec", "flowEndSeconds"),
}


def differences(row: dict[str, Any], event: dict[str, Any]) -> list[str]:
    proto = int(event.get("protocol", event.get("protocolIdentifier", -1)))
    found = ["proto"] if row["proto"] != PROTOCOLS.get(proto, str(proto)) else []
    for column, names in COLUMNS.items():
        wanted = next((event[name] for name in names if name in event), None)
        if proto == 1 and column in ("src_port", "dst_port"):
            continue  # type and code
        if wanted is not None and row[column] != (None if wanted == "0.0.0.0" else wanted):
            found.append(column)
    for column, names in TIMES.items():
        wanted = next((event[name] for name in names if name in event), None)
        if isinstance(wanted, str):
            moment = datetime.fromisoformat(re.sub(r"#\{micros\}", "", wanted).replace("Z", "+00:00")).timestamp()
            # logstash takes milliseconds of the uptime from microseconds of the clock: up to a second off
            allowed = 1.001 if names[0] in event else 0.001
            if row[column] is None or abs(row[column] / 1e9 - moment) > allowed:
                found.append(column)
    return found


def equal_to_logstash(path: Path) -> tuple[int, int]:
    equal = count = 0
    for case in json.loads(path.read_text()).values():
        files = [path.parent / name for name in case["files_in_order"]]
        rows, _, _ = read([(one.read_bytes(), "192.0.2.1", 0) for one in files])
        for event in (one["netflow"] for one in case["expected_events"]):
            pairs = (
                ("ipv4_src_addr", "ipv4_dst_addr"),
                ("sourceIPv4Address", "destinationIPv4Address"),
                ("sourceIPv6Address", "destinationIPv6Address"),
            )
            ends = {(event.get(source), event.get(target)) for source, target in pairs}
            mine = [row for row in rows if (row["src_ip"], row["dst_ip"]) in ends]
            if any(source for source, _ in ends):
                count += 1
                equal += any(not differences(row, event) for row in mine)
    return equal, count


def test_like_logstash() -> None:
    results = [equal_to_logstash(path) for path in LOGSTASH]
    assert (sum(equal for equal, _ in results), sum(count for _, count in results)) == (27, 27)


COUNTS = ("src_port", "dst_port", "packets", "bytes", "in_interface", "out_interface", "sampling")

# what akvorado's own tests (outlet/flow/decoder/netflow) expect of its captures, addresses left out
AKVORADO: dict[tuple[str, ...], set[tuple[int | None, ...]]] = {
    ("options-template", "options-data", "template", "data"): {
        (443, 19624, 1, 1500, 335, 450, 30000), (443, 2444, 1, 1500, 335, 452, 30000), (443, 53697, 1, 1400, 461, 306, 30000),
        (443, 52300, 1, 1448, 461, 451, 30000),
    },
    ("multiplesamplingrates-options-template", "multiplesamplingrates-options-data", "multiplesamplingrates-template",
     "multiplesamplingrates-data"): {(443, 52616, 18, 1348, 97, 6, 4000), (2121, 2121, 4, 579, 103, 6, 2000)},
    ("mpls",): {(49153, 862, 1, 89, 0, 16, 10), (49153, 862, 10, 890, 0, 17, 10)},
    # type and code where akvorado has the port 256 * type + code
    ("icmp-template", "icmp-data"): {
        (128, 0, 1, 104, 0, 0, None), (129, 0, 1, 104, 0, 0, None), (8, 0, 1, 84, 0, 0, None), (0, 0, 1, 84, 0, 0, None),
    },
    ("nat",): {(35303, 53, None, None, None, None, None)},
}  # fmt: skip


def of_akvorado(*names: str) -> list[dict[str, Any]]:
    return read([one for name in names for one in captured(FLOW / "akvorado" / "netflow" / f"{name}.pcap")])[0]


@pytest.mark.parametrize("names", AKVORADO, ids=lambda names: names[-1])
def test_like_akvorado(names: tuple[str, ...]) -> None:
    """Templates, options and data lie in captures of their own."""
    found = {tuple(row[name] for name in COUNTS) for row in of_akvorado(*names)}
    assert found >= AKVORADO[names]


def test_late_templates_of_akvorado() -> None:
    late = of_akvorado("multiplesamplingrates-data", "multiplesamplingrates-template")
    assert len(late) == 12 and {row["sampling"] for row in late} == {None}
    event = of_akvorado("nat")[0]
    assert event["post_src_ip"] and (event["post_src_port"], event["post_dst_port"], event["proto"]) == (35303, 53, "udp")


def test_every_datagram_of_the_corpus_gives_rows_or_a_reason() -> None:
    """Nothing raises, whatever the order; a file that gives no row tells why, or held templates and options only."""
    for path in sorted(FLOW.glob("netflow-dat/*.dat")):
        rows, damage, counts = read([(path.read_bytes(), "192.0.2.1", 0)])
        known = any(domain.templates for domain in counts._domains.values())
        assert rows or damage or counts.option_records or known, path.name
