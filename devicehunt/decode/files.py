"""Decoders of keys and settings. What is secret ends here: a hash, a password or a key is never passed on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from devicehunt.decode import Fields, decoder


@decoder("ssh_key", "fingerprint")
def ssh_key(value: str) -> Fields:
    """The base64 of a public key -> its fingerprint as `ssh-keygen -lf` prints it (SHA256:...)."""
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("the key is not base64") from error
    length = int.from_bytes(raw[:4], "big")
    if len(raw) < 4 + length or not re.fullmatch(rb"[a-z0-9@.-]+", raw[4 : 4 + length]):
        raise ValueError("the key is damaged")
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return {"fingerprint": f"SHA256:{digest}"}


_SECRET = re.compile(
    r"(?i)(pass(wd|word|phrase)?|_pw|psk|wpa_key|secret|private_?key|preshared|token|api_?key|auth_?key|wep_?key|crypt|radius_key|(^|[._])key\d?)$"
    r"|(^|_)(http_passwd|pppoe_passwd|ppp_passwd|pptpd?_.*pass|vpn_.*(key|crt|ca|pwd))"
)


@decoder("setting", "setting_value", "setting_secret")
def setting(value: str) -> Fields:
    """`path=value` of uci and nvram -> the value without its quotes; secrets are masked and said to be there."""
    path, equals, text = value.partition("=")
    if not equals or not re.fullmatch(r"[\w@\[\].:+-]+", path):
        path, text = "", value  # a further line of a value that goes on over lines
    parts = re.findall(r"'((?:[^']|'\\'')*)'", text) if text.startswith("'") else [text]
    plain = " ".join(p.replace("'\\''", "'") for p in parts)
    if plain and _SECRET.search(path) and "public" not in path:
        return {"setting_value": "(secret)", "setting_secret": "yes"}
    return {"setting_value": plain or None, "setting_secret": None}
