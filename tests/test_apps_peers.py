"""Our facts of public captures against the values of Zeek, Suricata, Arkime, nDPI and the two JA4 programs."""

from __future__ import annotations

import pytest

from tests.apps_peers import CORPUS, Tally, compare

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the public captures are not on this machine")

# How many values of a kind may differ, and why. Nothing is added without a reason.
ALLOWED = {
    # ALPN beyond ASCII: both programs write 99 as the specification once said, we its ends in hexadecimal as it says now
    "JA4 ja4": 1,
    "JA4 rust ja4": 1,
    # Arkime: q for OpenVPN over UDP, which is no QUIC (2), and a DTLS older than its standard (1)
    "TLS arkime ja4": 3,
    # nDPI sees through acknowledgements with two bytes of padding, which the walker of these tests takes for payload (5);
    # its JA4 of a hello without extensions is the hash of nothing, not zeros (1)
    "TLS nDPI cipher": 5,
    "TLS nDPI ja3": 5,
    "TLS nDPI ja3s": 5,
    "TLS nDPI ja4": 6,
    "TLS nDPI sni": 5,
    # Zeek: TLS inside the GSSAPI of FTP, in Base64
    "TLS zeek cipher": 1,
    "TLS zeek sha256": 1,
    "TLS zeek version": 1,
    # Zeek: SSH over UDP
    "SSH zeek client_banner": 1,
    "SSH zeek server_banner": 1,
    # Zeek names what an update changes, not its zone (2); inside PPTP (1); a fragment (1 rcode)
    "DNS zeek name+kind": 3,
    "DNS zeek rcode": 4,
    "DNS arkime host": 1,  # answers without a question, which Arkime puts to the root
    # inside tunnels (7 of each), answers without a request (2), the second half of a request that Zeek takes for one more (1)
    "HTTP zeek host": 9,
    "HTTP zeek method": 10,
    "HTTP zeek path": 10,
    "HTTP zeek status": 9,
    "HTTP zeek user_agent": 9,
}


@pytest.fixture(scope="module")
def tally() -> Tally:
    return compare()


def test_our_values_are_those_of_the_peers(tally: Tally) -> None:
    assert tally.all["JA4 ja4"] >= 80
    assert sum(tally.all.values()) >= 1000
    differ = {kind: tally.all[kind] - tally.equal[kind] for kind in tally.all if tally.all[kind] != tally.equal[kind]}
    assert {kind: count for kind, count in differ.items() if count > ALLOWED.get(kind, 0)} == {}, "\n".join(tally.differ)
