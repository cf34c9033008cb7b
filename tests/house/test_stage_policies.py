"""What a stage's own fields change in the rights of its functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.deploy.functions import FUNCTIONS, TABLES, Stage
from infra.deploy.policies import policy
from infra.scripts import chalice_config

BY_NAME = {each.name: each for each in FUNCTIONS}


def resources(stage: Stage, function: str, service: str) -> set[str]:
    """The ARNs of a service that a function may use."""
    statements: list[dict[str, Any]] = policy(BY_NAME[function], stage)["Statement"]
    return {arn for each in statements for arn in each["Resource"] if arn.split(":")[2] == service}


@pytest.mark.parametrize(
    ("sender", "identities"),
    [
        ("noreply@example.com", {"noreply@example.com", "example.com"}),
        ("Lamplighter <noreply@mail.example.com>", {"noreply@mail.example.com", "mail.example.com", "example.com"}),
        ("", set()),
        ("nobody", set()),
        ("nobody@localhost", set()),
    ],
)
def test_f24_mails_go_out_by_the_identity_of_the_sender_alone(sender: str, identities: set[str]) -> None:
    stage = Stage("some", settings={"LAMPLIGHTER_MAIL_FROM": sender})

    assert resources(stage, "mails", "ses") == {f"arn:aws:ses:*:*:identity/{each}" for each in identities}
    assert not [name for name in BY_NAME if name != "mails" and resources(stage, name, "ses")]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_f24_every_arn_is_of_the_partition(partition: str) -> None:
    stage = Stage("some", partition=partition, settings={"LAMPLIGHTER_MAIL_FROM": "noreply@example.com"})
    arns = {arn for each in FUNCTIONS for one in policy(each, stage)["Statement"] for arn in one["Resource"]}

    assert {arn.split(":")[1] for arn in arns} == {partition}
    assert not [arn for arn in arns if "amazonaws" in arn]


def test_f23_functions_work_on_restored_tables_and_no_others() -> None:
    """Their rights and what they are told, so that a restore is a deployment."""
    stage = Stage("some", tables="lamplighter-r1-")
    arns = set().union(*(resources(stage, name, "dynamodb") for name in BY_NAME))
    config = chalice_config._stage(stage)["environment_variables"]

    assert arns == {
        f"arn:aws:dynamodb:*:*:table/lamplighter-r1-{name}{end}" for name in TABLES for end in ("", "/index/*")
    }
    assert (config["LAMPLIGHTER_TABLE_PREFIX"], config["LAMPLIGHTER_QUEUE_PREFIX"]) == (
        "lamplighter-r1-",
        "lamplighter-some-",
    )
    plain = json.dumps([policy(each, Stage("some")) for each in FUNCTIONS])
    assert json.dumps([policy(each, stage) for each in FUNCTIONS]) == plain.replace(
        "table/lamplighter-some-", "table/lamplighter-r1-"
    )


def test_f23_no_table_can_be_undone_in_the_audit_log_of_restored_ones() -> None:
    stage = Stage("some", tables="lamplighter-r1-")
    statements = policy(BY_NAME["api_handler"], stage)["Statement"]

    [denied] = [each for each in statements if each["Effect"] == "Deny"]
    assert denied["Resource"] == ["arn:aws:dynamodb:*:*:table/lamplighter-r1-auditlogs"]
