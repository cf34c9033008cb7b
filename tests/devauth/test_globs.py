"""Patterns over identity data equal shell patterns, and never take long."""

from __future__ import annotations

import fnmatch
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.devauth.rules import globs
from chalicelib.devauth.rules.acceptance import SHARDS, Kind, Rule, shards, share
from chalicelib.times import EARLIEST


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_patterns_are_those_of_a_shell(pattern, text):
    assert globs.matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)


@given(st.text(), st.text())
def test_everything_else_is_literal(pattern, text):
    literal = pattern.replace("*", "").replace("?", "")
    assert globs.matches(literal, literal)
    assert globs.matches("*" + literal + "*", text) is (literal in text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [("[a]", "a", False), ("[a]", "[a]", True), ("A*", "a", False), ("?", "", False), ("*", "", True), ("", "", True)],
)
def test_examples(pattern, text, expected):
    assert globs.matches(pattern, text) is expected


def test_the_work_is_at_most_the_product_of_the_lengths():
    most = limits.ACCEPTANCE_PATTERN
    steps = 0

    def count(frame, event, arg):
        nonlocal steps
        steps += event == "line"
        return count

    pattern, text = "*a?a?a?a?a?a?ab" * (most // 15), "a" * most
    sys.settrace(count)
    try:
        assert not globs.matches(pattern, text)
    finally:
        sys.settrace(None)
    assert steps < 20 * most * most


@given(st.integers(0, limits.ACCEPTANCE_PER_DAY))
def test_shares_add_up_to_the_daily_limit(most):
    rule = Rule(id="r", name="n", type=Kind.PATTERN, max_per_day=most, created=EARLIEST, updated=EARLIEST)
    shares = [share(rule, shard) for shard in range(shards(rule))]
    assert len(shares) in {1, SHARDS}
    if most:
        assert sum(each or 0 for each in shares) == most
    else:
        assert set(shares) == {None}
