"""The storage stack: leftovers are removed, existing resources are imported, indexes are changed one at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.deploy import storage
from infra.deploy.functions import default_bucket
from infra.deploy.storage import Stack, StackError, in_steps, wait_for_indexes
from infra.local import environment
from infra.local.engine.process import REGION, Engine
from infra.local.provision import STORAGE
from infra.local.template import ACCOUNT, Template, parse

ATTRIBUTES = ("pk", "a", "b", "c")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with (
        Engine(tmp_path_factory.mktemp("engine"), persist=False, functions=True) as engine,
        environment.applied(engine.env()),
    ):
        yield


def table(name: str, *indexes: str) -> dict[str, Any]:
    used = ("pk", *indexes)
    index = [
        {
            "IndexName": each,
            "KeySchema": [{"AttributeName": each, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        for each in indexes
    ]
    about = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in used],
        **({"GlobalSecondaryIndexes": index} if index else {}),
    }
    return {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "RetainExceptOnCreate", "Properties": about}


def template(*, good: bool = True, **tables: dict[str, Any]) -> str:
    resources: dict[str, Any] = dict(tables)
    if not good:
        nobody = {"ServiceToken": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nobody"}
        resources["Wrong"] = {"Type": "Custom::Wrong", "DependsOn": [*tables], "Properties": nobody}
    return json.dumps({"Resources": resources, "Outputs": {"Bucket": {"Value": "some"}}})


def status(name: str) -> str:
    with_status = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(with_status[0]["StackStatus"])


def stack(name: str, said: list[str] | None = None) -> Stack:
    return Stack(name, say=(said if said is not None else []).append, pause=lambda _: None)


def tables() -> list[str]:
    found: list[str] = boto3.client("dynamodb").list_tables()["TableNames"]
    return found


def test_a_failed_first_stack_is_removed_and_created_again(engine: None) -> None:
    with pytest.raises(StackError, match="Wrong"):
        stack("first").update(template(good=False, Some=table("first-some")), {})
    assert status("first") in storage.NEVER_MADE
    said: list[str] = []

    done = stack("first", said).update(template(Some=table("first-some")), {})

    assert done == "stack first: created"
    assert status("first") == "CREATE_COMPLETE"
    assert "removing what it left" in said[0]
    assert "first-some" in tables()


def test_existing_resources_are_imported(engine: None) -> None:
    stack("gone").update(template(Some=table("gone-some")), {})
    dynamodb = boto3.client("dynamodb")
    dynamodb.put_item(TableName="gone-some", Item={"pk": {"S": "kept"}})
    cloudformation = boto3.client("cloudformation")
    cloudformation.delete_stack(StackName="gone")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="gone", WaiterConfig={"Delay": 1})
    assert "gone-some" in tables(), "it was to outlive its stack"

    assert stack("gone").update(template(Some=table("gone-some")), {}) == "stack gone: created"

    assert dynamodb.get_item(TableName="gone-some", Key={"pk": {"S": "kept"}})["Item"]
    resources = cloudformation.describe_stack_resources(StackName="gone")["StackResources"]
    assert [each["PhysicalResourceId"] for each in resources] == ["gone-some"]


def test_a_prepared_creation_is_executed(engine: None) -> None:
    body = template(Some=table("prepared-some"))
    boto3.client("cloudformation").create_change_set(
        StackName="prepared", ChangeSetName="left-behind", ChangeSetType="CREATE", TemplateBody=body
    )
    assert status("prepared") == "REVIEW_IN_PROGRESS"

    assert stack("prepared").update(body, {}) == "stack prepared: created"


@pytest.mark.parametrize("state", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_a_stack_that_is_being_changed_is_refused(engine: None, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    busy = stack("busy")
    monkeypatch.setattr(busy, "_described", lambda: {"StackStatus": state})  # the engine never shows this state

    with pytest.raises(StackError, match=f"{state}: another deployment is changing it. Wait"):
        busy.update(template(Some=table("busy-some")), {})


def indexes(body: str, name: str = "Some") -> set[str]:
    properties = parse(body)["Resources"][name]["Properties"]
    found = {each["IndexName"] for each in properties.get("GlobalSecondaryIndexes", [])}
    keys = {
        part["AttributeName"] for each in properties.get("GlobalSecondaryIndexes", []) for part in each["KeySchema"]
    }
    assert {each["AttributeName"] for each in properties["AttributeDefinitions"]} == keys | {"pk"}
    return found


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ((), (), [set()]),
        ((), ("a",), [{"a"}]),
        ((), ("a", "b", "c"), [{"a"}, {"a", "b"}, {"a", "b", "c"}]),
        (("a", "b"), (), [{"b"}, set()]),
        (("a",), ("b",), [set(), {"b"}]),
        (("a", "b"), ("b", "c"), [{"b"}, {"b", "c"}]),
    ],
)
def test_a_table_gains_or_loses_one_index_per_update(
    old: tuple[str, ...], new: tuple[str, ...], wanted: list[set[str]]
) -> None:
    before, after = template(Some=table("t", *old)), template(Some=table("t", *new))

    steps = list(in_steps(before, after))

    assert [indexes(each) for each in steps] == wanted
    assert steps[-1] == after


def test_all_steps_are_applied(engine: None) -> None:
    many = stack("many")
    many.update(template(Some=table("many-some")), {})

    assert many.update(template(Some=table("many-some", "a", "b")), {}) == "stack many: updated"

    wait_for_indexes("some")
    found = boto3.client("dynamodb").describe_table(TableName="many-some")["Table"]["GlobalSecondaryIndexes"]
    assert {(each["IndexName"], each["IndexStatus"]) for each in found} == {("a", "ACTIVE"), ("b", "ACTIVE")}


def test_steps_between_real_templates_are_valid_json() -> None:
    """In JSON, ``Fn::GetAtt`` is no single word."""
    new = parse(STORAGE.read_text())
    old = json.loads(json.dumps(new))
    for each in old["Resources"].values():
        if each["Type"] == storage.TABLE and each["Properties"].pop("GlobalSecondaryIndexes", None):
            each["Properties"]["AttributeDefinitions"] = each["Properties"]["AttributeDefinitions"][:2]

    *between, last = in_steps(json.dumps(old), STORAGE.read_text())

    assert last == STORAGE.read_text()
    assert between, "no table has two indexes any more: use another example"
    for step in between:
        assert not any(isinstance(each, str) for each in found(json.loads(step), "Fn::GetAtt"))


def found(document: Any, name: str) -> Iterator[Any]:
    if isinstance(document, list):
        for each in document:
            yield from found(each, name)
    if isinstance(document, dict):
        for key, value in document.items():
            if key == name:
                yield value
            yield from found(value, name)


def test_the_bucket_of_a_new_stage_has_account_and_region_in_its_name() -> None:
    [bucket] = [about for _, about in Template(STORAGE, {"Stage": "prod"}, REGION).resources("AWS::S3::Bucket")]
    longest = default_bucket("s" * 21, "123456789012", "ap-southeast-1")

    assert bucket["BucketName"] == default_bucket("prod", ACCOUNT, REGION)
    assert len(longest) <= 63


def test_a_refusal_is_reported_with_its_reason(engine: None, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="refused"):
        stack("refused").update('{"Resources": {"No": {"Type": "AWS::No::Such"}}}', {})
    with pytest.raises(ClientError):
        status("no-such-stack")


def allowed(bucket: str) -> list[str]:
    """Origins whose pages may use a bucket."""
    client = boto3.client("s3")
    [rule] = client.get_bucket_cors(Bucket=bucket)["CORSRules"]
    client.close()
    assert (rule["AllowedMethods"], rule["ExposeHeaders"]) == (["GET", "HEAD", "PUT"], ["etag"])
    return sorted(rule["AllowedOrigins"])


def test_browsers_may_use_the_bucket_from_the_origins_of_a_deployment(
    engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"Stage": "origins", "Bucket": "origins-bucket"}
    stack("lamplighter-origins-storage").update(STORAGE.read_text(), given)
    assert allowed("origins-bucket") == ["*"], "until the first deployment has an API"
    for service in ("CLOUDFORMATION", "S3"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", os.environ["AWS_ENDPOINT_URL"])
    monkeypatch.delenv("AWS_ENDPOINT_URL")  # which says that there is no stack

    origins = ["https://a.example.com", "https://b.example.com"]
    assert storage.allow_origins("origins", origins) == "stack lamplighter-origins-storage: updated"
    assert allowed("origins-bucket") == origins
    assert storage.origins_parameter(()) == {}, "what is there stays"
