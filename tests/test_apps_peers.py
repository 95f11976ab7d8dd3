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
    # nDPI sees through acknowledgements with two bytes of padding, which the headers call payload (5);
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
    # Zeek names what an update changes, not its zone
    "DNS zeek name+kind": 2,
    "DNS zeek rcode": 2,
    "DNS arkime host": 1,  # answers without a question, which Arkime puts to the root
    # inside AYIYA (3) and Teredo between peers (2), a request that GTP carries in fragments (1 but for its status);
    # Zeek gives answers without a request the method they would have had (2), and takes what follows an answer for one (1)
    "HTTP zeek host": 8,
    "HTTP zeek method": 9,
    "HTTP zeek path": 9,
    "HTTP zeek status": 7,
    "HTTP zeek user_agent": 8,
}


@pytest.fixture(scope="module")
def tally() -> Tally:
    return compare()


def test_our_values_are_those_of_the_peers(tally: Tally) -> None:
    assert tally.all["JA4 ja4"] >= 80
    assert sum(tally.all.values()) >= 1000
    differ = {kind: tally.all[kind] - tally.equal[kind] for kind in tally.all if tally.all[kind] != tally.equal[kind]}
    assert {kind: count for kind, count in differ.items() if count > ALLOWED.get(kind, 0)} == {}, "\n".join(tally.differ)
