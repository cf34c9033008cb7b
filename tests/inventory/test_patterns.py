"""Regular expressions in searches match as in Python, in bounded time."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import BadRequest
from chalicelib.inventory.rules import patterns
from chalicelib.inventory.rules.patterns import of_filter
from tests.inventory.views import SEARCH

ATOMS = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\S", r"\.", "[]a]", "[a-]", "^", "$"]
)
QUANTIFIERS = st.sampled_from(["*", "+", "?", "{2}", "{0}", "{1,2}", "{1,}", "*?", "{0,1}"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})")
        | st.tuples(inner, QUANTIFIERS).map(lambda pair: f"(?:{pair[0]}){pair[1]}")
    ),
    max_leaves=8,
)
# Python's $ also matches before a final newline.
TEXTS = st.text("abcxA1. ", max_size=8)


@given(PATTERNS, TEXTS)
def test_they_match_as_in_python(pattern, text):
    assert of_filter(pattern).search(text) is bool(re.match(pattern, text))
    assert of_filter(f"/{pattern}/").search(text) is bool(re.search(pattern, text))
    assert of_filter(f"/{pattern}/i").search(text) is bool(re.search(pattern, text, re.IGNORECASE))


@given(st.text("ab()[]{}*+?|^$\\.-/,1i", max_size=12), TEXTS)
def test_any_text_is_a_pattern_or_is_refused(pattern, text):
    try:
        found = of_filter(pattern)
    except BadRequest:
        return
    found.search(text)


def count_steps(pattern: str, text: str) -> int:
    """The number of transitions computed for a text, which determines the time."""
    found = of_filter(pattern)
    assert not found.search(text)
    return len(found._known)


@pytest.mark.parametrize("pattern", ["/(a+)+$/", "/(a|a)*b/", "/(.*)*(.*)*(.*)*x/", "/(a?){30}a{30}b/", "(a*)*$"])
def test_no_pattern_takes_exponential_time(pattern):
    assert count_steps(pattern, "a" * 1000 + "c") <= 1001


@pytest.mark.parametrize("pattern", ["(", ")", "a**", "*", "a{3,2}", "[", "[b-a]", "\\", "a|*"])
def test_invalid_patterns_are_refused(pattern):
    with pytest.raises(BadRequest, match="not a valid regular expression"):
        of_filter(pattern)


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)", "(?<!a)b", r"\bword", "(a{1000}){1000}", "(" * 60 + ")" * 60])
def test_patterns_that_need_backtracking_or_are_too_large_are_refused(pattern):
    with pytest.raises(BadRequest):
        of_filter(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "/(a|b)*a(a|b){40}c/",
        "/(.a|b.|ab){20,}c/",
        "/[ab]*b[ab]{60}$/",
        "/(a?b?){30}c/",
        "/(((a|b)+)+)+c/",
        "/^(a|ab|b|ba)*c/",
        "/.*.*.*.*.*c/",
    ],
)
def test_the_work_of_a_pattern_on_a_whole_fleet_is_bounded(pattern):
    """Random letters lead large patterns to a new set of states at nearly every character."""
    random = Random(7)
    found = of_filter(pattern)
    refused = 0
    for _ in range(3000):
        text = "".join(random.choices("ab", k=1024))
        try:
            assert not found.search(text) or pattern.endswith("$/")
        except BadRequest:
            refused += 1
    most = patterns._WORK + 1024 * patterns._STATE * patterns._STATES
    # Beyond the limit, texts are refused without work.
    assert found.work - 1024 * refused <= most


def test_a_typical_pattern_works_on_a_large_fleet():
    found = of_filter("/^host-[0-9]+[.]example[.](com|org)$/")
    for number in range(20_000):
        assert found.search(f"host-{number}.example.com")
    assert found.work * 10 < patterns._WORK


def test_no_search_over_http_is_slow(api, device):
    device.inventory({"text": "ab" * 30_000})
    for pattern in ("/(a|b)*a(a|b){40}c/", "/(a+)+$/", "(a|aa)+$", "/(b|ab)*c/"):
        condition = {"scope": "inventory", "attribute": "text", "type": "$regex", "value": pattern}
        assert api.post(SEARCH, json={"filters": [condition]}).status_code in {200, 400}
