"""Policies of functions: only the permissions in the table of functions, only for their own stage."""

import json
import re
from collections import defaultdict
from typing import Any

import pytest
from chalice.app import SQSEventConfig

from app import app
from chalicelib.aws.queues import Queue
from infra.deploy.policies import READ
from infra.paths import ROOT
from infra.scripts import chalice_config

CONFIG = json.loads((ROOT / ".chalice/config.json").read_text())
STAGES = sorted(CONFIG["stages"])
NAMES = sorted(CONFIG["lambda_functions"])


def policy(stage: str, function: str) -> list[dict[str, Any]]:
    document = json.loads(
        (ROOT / ".chalice" / CONFIG["stages"][stage]["lambda_functions"][function]["iam_policy_file"]).read_text()
    )
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(stage: str, function: str) -> dict[str, set[str]]:
    """The resources of each allowed action."""
    found: dict[str, set[str]] = defaultdict(set)
    for statement in policy(stage, function):
        if statement["Effect"] == "Allow":
            for action in listed(statement["Action"]):
                found[action].update(listed(statement["Resource"]))
    return found


NAMED_BY_OTHERS = {f"arn:aws:execute-api:*:*:*/api/{method}/@connections/*" for method in ("DELETE", "POST")}
"""An API's id is AWS's choice, so no policy here can know it: ``make deploy`` and ``make package`` put it in."""


def test_the_configuration_matches_the_table_of_functions() -> None:
    for path, text in chalice_config.files().items():
        assert (ROOT / ".chalice" / path).read_text() == text, f"{path} is out of date: make docs"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", NAMES)
def test_a_policy_names_its_actions_and_its_own_stage(stage: str, function: str) -> None:
    assert CONFIG["stages"][stage]["autogen_policy"] is False, "the analyser cannot see pynamodb"
    for statement in policy(stage, function):
        assert "NotAction" not in statement
        assert "NotResource" not in statement
        assert [action for action in listed(statement["Action"]) if "*" in action] == []
        for resource in set(listed(statement["Resource"])) - NAMED_BY_OTHERS:
            assert re.search(rf"lamplighter-{stage}[-:]|/lamplighter/{stage}/", resource), resource


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", NAMES)
def test_no_function_may_change_an_audit_entry(stage: str, function: str) -> None:
    entries = f"arn:aws:dynamodb:*:*:table/lamplighter-{stage}-auditlogs"
    can = {action for action, resources in allowed(stage, function).items() if entries in resources}

    assert can <= {f"dynamodb:{operation}" for operation in ("PutItem", *READ)}
    if "dynamodb:PutItem" in can:
        denied = [each for each in policy(stage, function) if each["Effect"] == "Deny"]
        assert [set(each["Action"]) for each in denied if entries in each["Resource"]] == [
            {"dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"}
        ]


@pytest.mark.parametrize("function", [name for name in NAMES if name.startswith("websocket_")])
def test_websocket_functions_have_access_to_needed_tables_only(function: str) -> None:
    can = allowed("prod", function)
    arns = {arn for action, found in can.items() if action.startswith("dynamodb:") for arn in found}
    tables = {arn.rpartition("-")[2] for arn in arns if not arn.endswith("/index/*")}

    assert tables <= {"auditchains", "auditlogs", "deviceconnect", "fleet", "roles", "useradm"}
    assert {action.partition(":")[0] for action in can} <= {"dynamodb", "execute-api", "logs", "s3", "ssm"}
    assert can["execute-api:ManageConnections"]
    recordings = {"s3:AbortMultipartUpload", "s3:PutObject", "s3:PutObjectTagging"}
    assert {action for action in can if action.startswith("s3:")} <= recordings


def test_each_queue_is_read_by_one_function() -> None:
    takers = [arn for name in NAMES for arn in allowed("prod", name)["sqs:ReceiveMessage"]]

    assert sorted(takers) == sorted(f"arn:aws:sqs:*:*:lamplighter-prod-{queue}" for queue in Queue)


def test_the_stages_differ_only_in_their_name() -> None:
    """So tests on dev are valid for prod."""
    plain = {
        json.dumps([policy(stage, name) for name in NAMES])
        .replace(f"/{stage}/", "//")
        .replace(f"-{stage}-", "--")
        .replace(f"-{stage}:", "-:")
        for stage in STAGES
    }

    assert len(plain) == 1


def test_workers_leave_most_of_the_accounts_concurrency_to_devices() -> None:
    workers = [source for source in app.event_sources if isinstance(source, SQSEventConfig)]
    most = {str(each.queue).rpartition("-")[2]: each.maximum_concurrency or 0 for each in workers}

    assert most.keys() == set(Queue)
    assert min(most.values()) >= 2, "the least that Lambda takes"
    assert sum(most.values()) < 100
    assert f"start {sum(most.values())} calls at once" in (ROOT / "docs/install.md").read_text()
