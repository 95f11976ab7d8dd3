"""Bytes of a device -> text that is safe."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from devicehunt import text

CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@given(st.binary(max_size=300))
def test_decoded_lines_hold_no_control_character(raw: bytes) -> None:
    assert not CONTROL.search(text.decode(raw))


@given(st.binary(max_size=2000))
def test_lines_split_at_newline_only_and_lose_nothing(data: bytes) -> None:
    got = [data[a:b] for a, b in text.lines(data)]
    assert b"\n".join(got) == data.removesuffix(b"\n") or (data in (b"", b"\n") and b"".join(got) == b"")


def test_other_separators_forge_no_line() -> None:
    assert text.decode(b"a\x0bb\x0cc\x1cd\xc2\x85e\xe2\x80\xa8f") == "a\\x0bb\\x0cc\\x1cd\\x85e\\u2028f"


def test_what_cannot_be_seen_is_written_as_an_escape() -> None:
    hidden = "\xad\u061c\u200b\u200d\u200f\u2060\ufff9\U000e0041\ud800"
    assert text.escape(f"/usr/sbin/drop{hidden}bear").isascii()
    assert text.escape("caf\xe9 \u4e2d") == "caf\xe9 \u4e2d"


def test_invalid_utf8_is_kept_as_escapes() -> None:
    assert text.decode(b"caf\xe9\r") == "caf\\xe9"


@given(st.text(max_size=200))
def test_slug_is_a_safe_file_name(name: str) -> None:
    made = text.slug(name)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,81}", made)
    assert made not in (".", "..")
    assert made.upper().split(".")[0] not in ("CON", "PRN", "AUX", "NUL", "COM1", "LPT1")
