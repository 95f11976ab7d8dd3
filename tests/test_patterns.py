"""Expressions that are compiled late answer as the standard library's do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devicehunt import platforms
from devicehunt.patterns import Pattern, needed

PIECES = ("show ", "a", "bc", "x?", "y*", "z+", "k{0,2}", "(ow)?", "(de|fg)", "[hij]", r"\.", r"\d", ".", "^", "$", "(l(m)?)*", "(?:no)?")
TEXTS = st.text(alphabet="show abcxyzkowdefghij.1lmn\n", max_size=30)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("sh(ow)? ver(s(ion)?)?", " ver"),
        ("show ip( int)?erface", "show ip"),
        ("a|b", ""),
        ("(a|b)cd", "cd"),
        ("abc?", "ab"),
        ("abc{0,3}x", "ab"),
        ("(?i)abc", ""),
        (r"ab\.cde", "cde"),
        ("[abc]de", "de"),
        ("[]abc]de", "de"),
        ("((a(b|c)d)e)?fg", "fg"),
    ],
)
def test_the_letters_that_every_match_holds(text: str, letters: str) -> None:
    assert needed(text) == letters


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join), TEXTS)
def test_a_late_expression_answers_as_the_usual_one(text: str, asked: str) -> None:
    usual, late = re.compile(text, re.MULTILINE), Pattern(text, re.MULTILINE)
    assert (late.search(asked) is None) == (usual.search(asked) is None)
    assert (Pattern(text).fullmatch(asked) is None) == (re.fullmatch(text, asked) is None)


@pytest.mark.parametrize("name", platforms.names())
def test_every_shipped_expression_can_be_compiled(name: str) -> None:
    platform = platforms.load(name)
    found = [p for s in platform.stanzas.values() for p in (*s.also, s.content, s.content_far, s.split, s.trailer, s.must_hold) if p]
    found += [p for p in (platform.denied, platform.unsupported, platform.absent, platform.pager, platform.usage, platform.ended) if p]
    assert found
    assert all(p.compiled.pattern == p.text for p in found)
    assert platform.stock


def test_what_is_no_expression_is_said_when_it_is_asked() -> None:
    with pytest.raises(re.error):
        Pattern("(").search("(")
