"""The functions may add entries to the log and read them, and nothing else."""

from __future__ import annotations

import json

import pytest

from infra.scripts.package import ROOT

CHANGES = {"dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"}


@pytest.mark.parametrize("path", sorted((ROOT / ".chalice").glob("policy-*.json")), ids=lambda path: path.stem)
def test_entries_are_never_changed(path):
    stage = path.stem.removeprefix("policy-")
    statements = json.loads(path.read_text())["Statement"]

    [denied] = [statement for statement in statements if statement["Effect"] == "Deny"]

    assert set(denied["Action"]) == CHANGES
    assert denied["Resource"] == f"arn:aws:dynamodb:*:*:table/lamplighter-{stage}-auditlogs"
    allowed = {action for each in statements if each["Effect"] == "Allow" for action in each["Action"]}
    assert {action for action in allowed if action.startswith("dynamodb:")} - CHANGES <= {
        "dynamodb:BatchGetItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
    }
