"""The summary of applied rules, and adding up counts of several processes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.strict.test_dynamodb import KEY, TABLE, query
from tests.support.strict import applied, rules
from tests.support.strict.plugin import Checker, Tally
from tests.support.strict.rules import Found, Rule


def checked(*requests: tuple[str, dict[str, Any]], service: str = "dynamodb") -> Tally:
    checker = Checker(Found())
    checker.call("dynamodb", "CreateTable", TABLE)
    for operation, params in requests:
        checker.call(service, operation, params)
    return checker.tally()


def test_every_rule_lists_its_kinds_of_requests_or_applies_to_all():
    assert set(Rule) - applied.KINDS.keys() == {Rule.MODEL, Rule.HTTP}


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (query("pk = :p AND sk BETWEEN :a AND :b", values={":a": {"S": "a"}, ":b": {"S": "b"}}), Rule.BETWEEN),
        (query(FilterExpression="a IN (:p)"), Rule.IN_SIZE),
        (query(IndexName="byg"), Rule.INDEX_CONSISTENT),
        (("PutItem", {"TableName": "table", "Item": {**KEY, "a": {"SS": ["x"]}}}), Rule.EMPTY_SET),
        (("PutItem", {"TableName": "table", "Item": {**KEY, "a": {"L": []}}}), Rule.DEPTH),
    ],
)
def test_a_rule_is_unused_without_a_request_of_its_kind(request_: tuple[str, dict[str, Any]], rule: Rule):
    assert rule in applied.idle(set(checked().seen))
    assert rule not in applied.idle(set(checked(request_).seen))


def test_counts_of_processes_are_added_up():
    one, two = checked(query()), checked(("PutItem", {"TableName": "table", "Item": KEY}))

    both = one + two

    assert both.requests == {"dynamodb:CreateTable": 2, "dynamodb:Query": 1, "dynamodb:PutItem": 1}
    assert both.members == one.members | two.members
    assert set(both.seen) == {*one.seen, *two.seen}
    assert re.match(r"AWS's rules: 4 requests of 3 operations held against \d+ rules and \d+ members", str(both))
    assert not re.search(r"\bITEM_SIZE\b", str(both)), "both had their part in it"
    assert "S3_LINK" in str(both)
    assert len(rules.Rule) > len(applied.idle(set(both.seen))) > 0
