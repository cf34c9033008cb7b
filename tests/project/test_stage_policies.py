"""How a stage's settings change the policies of its functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.deploy.functions import FUNCTIONS, TABLES, Stage
from infra.deploy.policies import Binding, policy
from infra.scripts import chalice_config
from infra.scripts.stack import as_deployed

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
def test_mails_can_be_sent_only_with_the_senders_identity(sender: str, identities: set[str]) -> None:
    stage = Stage("some", settings={"LAMPLIGHTER_MAIL_FROM": sender})

    assert resources(stage, "mails", "ses") == {f"arn:aws:ses:*:*:identity/{each}" for each in identities}
    assert not [name for name in BY_NAME if name != "mails" and resources(stage, name, "ses")]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_arn_is_of_the_partition(partition: str) -> None:
    stage = Stage("some", partition=partition, settings={"LAMPLIGHTER_MAIL_FROM": "noreply@example.com"})
    arns = {arn for each in FUNCTIONS for one in policy(each, stage)["Statement"] for arn in one["Resource"]}

    assert {arn.split(":")[1] for arn in arns} == {partition}
    assert not [arn for arn in arns if "amazonaws" in arn]


def test_functions_use_restored_tables_only() -> None:
    """Policies and variables name the tables, so that a restore needs only a deployment."""
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


def test_audit_entries_in_restored_tables_cannot_be_changed() -> None:
    stage = Stage("some", tables="lamplighter-r1-")
    statements = policy(BY_NAME["api_handler"], stage)["Statement"]

    [denied] = [each for each in statements if each["Effect"] == "Deny"]
    assert denied["Resource"] == ["arn:aws:dynamodb:*:*:table/lamplighter-r1-auditlogs"]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_deployed_role_names_one_region_one_account_and_one_websocket_api(partition: str) -> None:
    stage = Stage("some", partition=partition, settings={"LAMPLIGHTER_MAIL_FROM": "noreply@example.com"})
    binding = Binding(partition, "eu-west-1", "123456789012", (stage.bucket, "the-real-one"), "abc123")
    arns = {
        arn
        for each in FUNCTIONS
        for statement in binding.bind(policy(each, stage))["Statement"]
        for arn in statement["Resource"]
    }
    parts = [arn.split(":", 5) for arn in arns]

    assert {(each[1], each[3], each[4]) for each in parts if each[2] != "s3"} == {
        (partition, "eu-west-1", "123456789012")
    }
    assert {each[5].partition("/")[0] for each in parts if each[2] == "s3"} == {"the-real-one"}
    assert {each[5] for each in parts if each[2] == "execute-api"} == {
        f"abc123/api/{method}/@connections/*" for method in ("DELETE", "POST")
    }


def test_complete_arns_are_not_changed() -> None:
    binding = Binding("aws", "eu-west-1", "123456789012", ("configured", "real"), "abc123")
    own = ["arn:aws:sqs:us-east-1:1:q", "arn:aws:s3:::another/configured/*", "arn:aws:s3:::configured-too", "*", "text"]

    assert binding.bind(own) == own
    assert binding.bind("arn:aws:s3:::configured") == "arn:aws:s3:::real"


def test_a_stack_leaves_partition_region_account_and_api_to_cloudformation(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("some", partition="aws-cn")
    monkeypatch.setattr("infra.deploy.functions.STAGES", (stage,))
    document = policy(BY_NAME["api_handler"], stage)
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": document}]}}

    as_deployed({"Resources": {"ApiHandlerRole": role}}, "some")

    arns = [arn["Fn::Sub"] for each in document["Statement"] for arn in each["Resource"]]
    assert all(arn.startswith("arn:${AWS::Partition}:") for arn in arns)
    assert "arn:${AWS::Partition}:s3:::lamplighter-some-${AWS::AccountId}-${AWS::Region}/*" in arns
    assert [arn for arn in arns if "execute-api" in arn] == [
        "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:"
        f"${{WebsocketAPI}}/api/{method}/@connections/*"
        for method in ("DELETE", "POST")
    ]


@pytest.mark.parametrize(("snap_start", "expected"), [(True, "PublishedVersions"), (False, "None")])
def test_only_the_apis_function_of_a_stack_has_snapshots(
    monkeypatch: pytest.MonkeyPatch, snap_start: bool, expected: str
) -> None:
    monkeypatch.setattr("infra.deploy.functions.STAGES", (Stage("some", snap_start=snap_start),))
    functions = {
        name: {"Type": "AWS::Serverless::Function", "Properties": {"Environment": {"Variables": {}}}}
        for name in ("APIHandler", "Uploads")
    }

    made = as_deployed({"Resources": functions}, "some")["Resources"]

    assert [made[name]["Properties"]["SnapStart"]["ApplyOn"] for name in functions] == [expected, "None"]


def test_functions_may_send_traces_only_in_stages_with_tracing() -> None:
    traced = Stage("some", tracing=True)

    for function in FUNCTIONS:
        kept = [each for each in policy(function, traced)["Statement"] if each["Sid"] != "Traces"]
        assert kept == policy(function, Stage("some"))["Statement"]
        assert len(kept) < len(policy(function, traced)["Statement"])
    assert chalice_config._stage(traced)["xray"] is True
    assert "xray" not in chalice_config._stage(Stage("some"))
