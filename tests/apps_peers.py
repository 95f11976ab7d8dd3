"""What other tools say of public captures, beside what we say: counts of equal and of all, a kind of value each.

Run by hand it also prints what differs: python -m tests.apps_peers [FOLDER]
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from devicehunt.flows import fast, streams, table
from devicehunt.flows.apps import dissect, identify
from tests import captures, samples

CORPUS = samples.CORPUS / "pcap"
Ends = tuple[tuple[str, int], tuple[str, int]]
Rows = dict[str, list[dict[str, Any]]]


def ends(one: str, port: object, other: str, port2: object) -> Ends:
    """Both ends in an order of their own: who opened is another question."""
    pair = sorted([(str(ip_address(one)), int(str(port))), (str(ip_address(other)), int(str(port2)))])
    return pair[0], pair[1]


def ours(capture: Path) -> dict[Ends, tuple[str, Rows]]:
    """App and rows of each conversation of a capture, also of those inside tunnels, by the way the product goes."""
    chunk, flows, decoder = captures.read(capture), table.FlowTable(), fast.Decoder()
    for block in decoder.blocks(chunk):
        flows.add(block)
    found = flows.connections()
    number = len(found["line"])
    shown = table.texts(found)
    conversations: dict[Ends, tuple[str, Rows]] = {}
    followed = streams.follow([chunk], found, np.arange(number), packets=500)
    for i, stream in enumerate(followed):
        if stream.proto not in (6, 17):
            continue
        ports = int(found["orig_port"][i]), int(found["resp_port"][i])
        heads = [side.pieces[0].data[:64] if side.pieces else b"" for side in (stream.orig, stream.resp)]
        app = identify(stream.proto, *ports, *heads)
        rows: Rows = defaultdict(list)
        for name, row in dissect(app, stream.orig.pieces, stream.resp.pieces):
            rows[name].append(row)
        key = ends(shown["orig_ip"][i], ports[0], shown["resp_ip"][i], ports[1])
        if app or key not in conversations:
            conversations[key] = app, rows
    return conversations


class Tally:
    """Counts of equal and all; the differences for a person."""

    def __init__(self) -> None:
        self.equal: Counter[str] = Counter()
        self.all: Counter[str] = Counter()
        self.differ: list[str] = []

    def add(self, kind: str, want: Any, have: Any, where: object) -> None:
        self.all[kind] += 1
        if str(want) == str(have):
            self.equal[kind] += 1
        else:
            self.differ.append(f"{kind} {where}: peer {want!r}, we {have!r}")


def _one(rows: Rows, table: str, column: str) -> Any:
    return rows[table][0].get(column) if rows.get(table) else None


def ja4(tally: Tally, folder: Path) -> None:
    for path in sorted((folder / "ja4").glob("*.python.json")):
        have = ours(path.with_name(path.name.removesuffix(".python.json")))
        for entry in json.loads(path.read_text()):
            want = next((entry[key] for key in entry if re.fullmatch(r"JA4\.\d+", key)), "")
            if not want:
                continue
            rows = have.get(ends(entry["src"], entry["srcport"], entry["dst"], entry["dstport"]), ("", {}))[1]
            tally.add("JA4 ja4", want, _one(rows, "tls_sessions", "ja4"), (path.name, entry["srcport"]))
            if entry.get("domain"):
                tally.add("TLS ja4 sni", entry["domain"], _one(rows, "tls_sessions", "sni"), (path.name, entry["srcport"]))


def rust(tally: Tally, folder: Path) -> None:
    """The same captures by the other implementation, which opens QUIC too; conversations inside tunnels are left out."""
    for path in sorted((folder / "ja4").glob("*.rust.snap")):
        have = ours(path.with_name(path.name.removesuffix(".rust.snap")))
        for entry in yaml.safe_load(path.read_text().split("---", 2)[2]) or ():
            key = ends(entry["src"], entry["src_port"], entry["dst"], entry["dst_port"])
            if "ja4" not in entry or key not in have:
                continue
            kind = "QUIC" if entry["ja4"].startswith("q") else "JA4"
            tally.add(f"{kind} rust ja4", entry["ja4"], _one(have[key][1], "tls_sessions", "ja4"), (path.name, key))
            if name := entry.get("tls_server_name"):
                tally.add(f"{kind} rust sni", name, _one(have[key][1], "tls_sessions", "sni"), (path.name, key))


def _zeek(path: Path) -> Iterator[dict[str, str]]:
    names: list[str] = []
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("#fields"):
            names = line.split("\t")[1:]
        elif names and not line.startswith("#"):
            values = line.split("\t")
            if len(values) == len(names):
                yield dict(zip(names, values, strict=True))


def _of(entry: dict[str, str]) -> Ends:
    return ends(entry["id.orig_h"], entry["id.orig_p"], entry["id.resp_h"], entry["id.resp_p"])


def zeek(tally: Tally, folder: Path) -> None:
    readers = {"ssl": _zeek_ssl, "ssh": _zeek_ssh, "socks": _zeek_socks, "http": _zeek_http, "dns": _zeek_dns, "x509": _zeek_x509}
    for logs in sorted((folder / "zeek").glob("*.expected")):
        capture = logs.with_suffix("")
        wanted = {kind: sorted(logs.glob(f"*__{kind}.log")) for kind in readers}
        if not any(wanted.values()) or not capture.exists():
            continue
        have = ours(capture)
        for kind, paths in wanted.items():
            if paths:
                entries = [entry for entry in _zeek(paths[0]) if kind == "x509" or "id.orig_h" in entry]
                readers[kind](tally, entries, have, f"{capture.name}/{kind}")


def _null(value: str) -> Any:
    return None if value in ("-", "(empty)") else value


_ZEEK_TLS = {
    "TLSv13-draft23": "TLSv1.3-draft23",
    "DTLSv10": "DTLSv1.0",
    "DTLSv12": "DTLSv1.2",
    "unknown-32257": "0x7e01",
    "TLSv10": "TLSv1.0",
    "TLSv11": "TLSv1.1",
    "TLSv12": "TLSv1.2",
    "TLSv13": "TLSv1.3",
}


def _zeek_ssl(tally: Tally, entries: list[dict[str, str]], have: dict[Ends, tuple[str, Rows]], where: str) -> None:
    for entry in entries:
        rows = have.get(_of(entry), ("", {}))[1]
        for column, name in (("server_name", "sni"), ("version", "version"), ("cipher", "cipher")):
            if (want := _null(entry.get(column, "-"))) is not None:
                tally.add(f"TLS zeek {name}", _ZEEK_TLS.get(want, want), _one(rows, "tls_sessions", name), where)
        prints = _null(entry.get("cert_chain_fps", "-"))
        if prints and len(prints.split(",")[0]) == 64:
            tally.add("TLS zeek sha256", prints.split(",")[0], _one(rows, "tls_sessions", "sha256"), where)


def _zeek_ssh(tally: Tally, entries: list[dict[str, str]], have: dict[Ends, tuple[str, Rows]], where: str) -> None:
    for entry in entries:
        rows = have.get(_of(entry), ("", {}))[1]
        for column, name in (("client", "client_banner"), ("server", "server_banner")):
            if (want := _null(entry.get(column, "-"))) is not None:
                tally.add(f"SSH zeek {name}", want, _one(rows, "ssh_sessions", name), where)


def _zeek_socks(tally: Tally, entries: list[dict[str, str]], have: dict[Ends, tuple[str, Rows]], where: str) -> None:
    for entry in entries:
        rows = have.get(_of(entry), ("", {}))[1]
        tally.add("SOCKS zeek version", f"socks{entry['version']}", str(_one(rows, "proxy_requests", "kind"))[:6], where)
        host = _null(entry.get("request.name", "-")) or _null(entry.get("request.host", "-"))
        if host:
            tally.add("SOCKS zeek host", host, _one(rows, "proxy_requests", "host"), where)
            tally.add("SOCKS zeek port", entry["request_p"], _one(rows, "proxy_requests", "port"), where)
        if entry.get("status", "-") != "-":
            tally.add("SOCKS zeek status", entry["status"], _one(rows, "proxy_requests", "reply"), where)
        if (user := _null(entry.get("user", "-"))) is not None:
            users = [row["value"] for row in rows.get("app_facts", []) if row["name"] == "socks.user"]
            tally.add("SOCKS zeek user", user, users[0] if users else None, where)


def _zeek_http(tally: Tally, entries: list[dict[str, str]], have: dict[Ends, tuple[str, Rows]], where: str) -> None:
    groups: dict[Ends, list[dict[str, str]]] = defaultdict(list)
    for entry in entries:
        groups[_of(entry)].append(entry)
    for key, group in groups.items():
        rows = have.get(key, ("", {}))[1]
        mine = rows.get("http_requests", [])
        for number, entry in enumerate(one for one in group if one["method"] != "CONNECT"):
            got = mine[number] if number < len(mine) else {}
            names = (("method", "method"), ("host", "host"), ("uri", "path"), ("user_agent", "user_agent"), ("status_code", "status"))
            for column, name in names:
                if (want := _null(entry.get(column, "-"))) is not None and (column, want) != ("status_code", "0"):
                    want = re.sub(r":\d+$", "", want) if column == "host" else want
                    tally.add(f"HTTP zeek {name}", want, got.get(name), where)


def _zeek_dns(tally: Tally, entries: list[dict[str, str]], have: dict[Ends, tuple[str, Rows]], where: str) -> None:
    for entry in entries:
        if (want := _null(entry.get("query", "-"))) is None:
            continue
        rows = have.get(_of(entry), ("", {}))[1].get("dns_queries", [])
        kind = {"*": "ANY"}.get(entry.get("qtype_name", "-"), _null(entry.get("qtype_name", "-")))
        got = next((row for row in rows if row["name"] == want.lower() and kind in (None, row["kind"])), {})
        tally.add("DNS zeek name+kind", want.lower(), got.get("name"), where)
        if (code := _null(entry.get("rcode_name", "-"))) is not None:
            tally.add("DNS zeek rcode", code, got.get("rcode"), where)
        if (
            (answers := _null(entry.get("answers", "-"))) is not None
            and kind in ("A", "AAAA", "PTR", "CNAME", "NS")
            and "RRSIG" not in answers
        ):
            tally.add("DNS zeek answers", answers.lower(), got.get("answers"), where)


def _zeek_x509(tally: Tally, entries: list[dict[str, str]], have: dict[Ends, tuple[str, Rows]], where: str) -> None:
    mine = {row.get("sha256"): row for _, rows in have.values() for row in rows.get("tls_sessions", [])}
    for entry in entries:
        got = mine.get(entry.get("fingerprint"))
        if got is None:  # another of the chain
            continue
        tally.add("X509 zeek subject", entry["certificate.subject"], got["subject"], where)
        tally.add("X509 zeek issuer", entry["certificate.issuer"], got["issuer"], where)
        names = _null(entry.get("san.dns", "-"))
        if names:
            tally.add("X509 zeek names", names, got["names"], where)


_NDPI_LINE = re.compile(r"\t\d+\tTCP (\S+):(\d+) (?:<->|->) (\S+):(\d+) (.*)")
_NDPI = {"JA3C": "ja3", "JA3S": "ja3s", "JA4": "ja4", "Hostname/SNI": "sni", "Cipher": "cipher"}


def ndpi(tally: Tally, folder: Path) -> None:
    for path in sorted((folder / "ndpi").glob("*.out")):
        have = ours(path.with_suffix(""))
        for line in path.read_text(errors="replace").splitlines():
            if not (match := _NDPI_LINE.match(line)) or "TLS" not in match[5].split("]")[0]:
                continue
            key = ends(match[1].strip("[]"), match[2], match[3].strip("[]"), match[4])
            rows = have.get(key, ("", {}))[1]
            for name, column in _NDPI.items():
                if value := re.search(rf"\[{name}: ([^\]]+)\]", match[5]):
                    have_value = _one(rows, "tls_sessions", column)
                    if column == "ja4":  # nDPI's first part goes its own ways: d or i by more than SNI, ht for http/1.1
                        value, have_value = re.match(r"\w{10}(\w*)", value[1]), (have_value or "")[10:]
                    tally.add(f"TLS nDPI {column}", value[1].removesuffix(" (WEAK)"), have_value, (path.name, key[0][1], key[1][1]))


def arkime(tally: Tally, folder: Path) -> None:
    for path in sorted((folder / "arkime").glob("*.test.json")):
        capture = path.with_name(path.name.removesuffix(".test.json") + ".pcap")
        if not capture.exists():
            continue
        have = ours(capture)
        for session in json.loads(path.read_text())["sessions3"]:
            body = session["body"]
            try:
                key = ends(
                    body["source"]["ip"], body["source"].get("port", 0), body["destination"]["ip"], body["destination"].get("port", 0)
                )
            except (KeyError, ValueError):
                continue
            if key in have:
                _arkime(tally, body, have[key][1], (path.name, key))


def _arkime(tally: Tally, body: dict[str, Any], rows: Rows, where: object) -> None:
    tls = body.get("tls", {})
    for field, column in (("ja3", "ja3"), ("ja3s", "ja3s"), ("ja4", "ja4"), ("cipher", "cipher")):
        if len(tls.get(field, [])) == 1:
            tally.add(f"TLS arkime {column}", tls[field][0], _one(rows, "tls_sessions", column), where)
    ssh = body.get("ssh", {})
    for field, column in (("hassh", "hassh"), ("hasshServer", "hassh_server")):
        if len(ssh.get(field, [])) == 1:
            tally.add(f"SSH arkime {column}", ssh[field][0], _one(rows, "ssh_sessions", column), where)
    for entry in body.get("dns", []):
        if "queryHost" in entry and body["source"].get("port"):
            names = {row["name"] for row in rows.get("dns_queries", [])}
            tally.add(
                "DNS arkime host",
                entry["queryHost"].lower(),
                entry["queryHost"].lower() if entry["queryHost"].lower() in names else names,
                where,
            )


def suricata(tally: Tally, folder: Path) -> None:
    for path in sorted((folder / "suricata-verify").glob("*/test.yaml")):
        captures = [*path.parent.glob("*.pcap*")]
        text = path.read_text()
        wanted = re.findall(
            r"(ssh\.client\.hassh\.hash|ssh\.server\.hassh\.hash|(?:tls|quic)\.ja4|tls\.sni|tls\.ja3\.hash|tls\.ja3s\.hash): \"?([^\s\"]+)",
            text,
        )
        if not wanted or not captures:
            continue
        columns = {"ssh.client.hassh.hash": ("ssh_sessions", "hassh"), "ssh.server.hassh.hash": ("ssh_sessions", "hassh_server"),
                   "tls.ja4": ("tls_sessions", "ja4"), "quic.ja4": ("tls_sessions", "ja4"),
                   "tls.sni": ("tls_sessions", "sni"), "tls.ja3.hash": ("tls_sessions", "ja3"),
                   "tls.ja3s.hash": ("tls_sessions", "ja3s")}  # fmt: skip
        rows = [rows for _, rows in ours(captures[0]).values()]
        for field, want in wanted:
            table, column = columns[field]
            values = {row.get(column) for one in rows for row in one.get(table, [])}
            tally.add(f"{table[:3].upper()} suricata {column}", want, want if want in values else values, path.parent.name)


PEERS = (ja4, rust, zeek, ndpi, arkime, suricata)


def compare(folder: Path = CORPUS) -> Tally:
    """All peers over all their captures."""
    tally = Tally()
    for peer in PEERS:
        peer(tally, folder)
    return tally


def main() -> None:
    tally = compare(Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS)
    print("\n".join(tally.differ))
    for kind in sorted(tally.all):
        print(f"{kind:24} {tally.equal[kind]:5}/{tally.all[kind]}")


if __name__ == "__main__":
    main()
