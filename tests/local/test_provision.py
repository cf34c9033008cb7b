"""Local storage is created and updated from the template, repeatedly and from earlier versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.local import environment
from infra.local.engine.process import Engine
from infra.local.provision import STORAGE, provision
from infra.local.template import Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = """
Parameters: { Stage: { Type: String } }
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub "lamplighter-${Stage}-things"
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: true
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
      AttributeDefinitions:
        - { AttributeName: pk, AttributeType: S }
        INDEXED
      KeySchema:
        - { AttributeName: pk, KeyType: HASH }
      INDEXES
"""
WITHOUT_INDEX = TABLE.replace("INDEXED", "").replace("INDEXES", "")
WITH_INDEX = TABLE.replace("INDEXED", "- { AttributeName: list, AttributeType: S }").replace(
    "INDEXES",
    """GlobalSecondaryIndexes:
        - IndexName: list
          KeySchema: [{ AttributeName: list, KeyType: HASH }]
          Projection: { ProjectionType: KEYS_ONLY }
""",
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine"), persist=False) as running, environment.applied(running.env()):
        yield running


@pytest.fixture
def dynamodb(engine: Engine) -> Iterator[Any]:
    connected = boto3.client("dynamodb")
    yield connected
    connected.close()


def write(folder: Path, text: str) -> Path:
    file = folder / "template.yaml"
    file.write_text(text)
    return file


def test_the_projects_own_template_can_be_provisioned_twice(engine: Engine) -> None:
    first = provision()

    assert provision() == first
    assert "lamplighter-local-fleet" in first.tables
    assert first.buckets == ("lamplighter-local-artifacts",)


def test_everything_in_the_template_exists(engine: Engine, dynamodb: Any) -> None:
    made = provision(stage="full")

    declared = Template(STORAGE, {"Stage": "full"}, "eu-west-1")
    for _, about in declared.resources("AWS::DynamoDB::Table"):
        table = dynamodb.describe_table(TableName=about["TableName"])["Table"]
        assert table["KeySchema"] == about["KeySchema"]
        indexes = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
        assert indexes == {index["IndexName"] for index in about.get("GlobalSecondaryIndexes", [])}
        expiry = dynamodb.describe_time_to_live(TableName=about["TableName"])["TimeToLiveDescription"]
        assert expiry["AttributeName"] == about["TimeToLiveSpecification"]["AttributeName"]
    sqs = boto3.client("sqs")
    for _, about in declared.resources("AWS::SQS::Queue"):
        assert about["QueueName"] in made.queues
        if policy := about.get("RedrivePolicy"):
            url = sqs.get_queue_url(QueueName=about["QueueName"])["QueueUrl"]
            [found] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"].values()
            assert json.loads(found)["deadLetterTargetArn"] == policy["deadLetterTargetArn"]
            assert int(json.loads(found)["maxReceiveCount"]) == policy["maxReceiveCount"]
    sqs.close()


def test_a_table_of_an_earlier_version_gets_its_new_index(engine: Engine, dynamodb: Any, tmp_path: Path) -> None:
    provision(stage="old", template=write(tmp_path, WITHOUT_INDEX))
    name = "lamplighter-old-things"
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "1"}, "list": {"S": "a"}})

    provision(stage="old", template=write(tmp_path, WITH_INDEX))

    found = dynamodb.query(
        TableName=name,
        IndexName="list",
        KeyConditionExpression="#l = :a",
        ExpressionAttributeNames={"#l": "list"},
        ExpressionAttributeValues={":a": {"S": "a"}},
    )
    assert found["Count"] == 1


def test_the_bucket_has_versioning_if_the_template_enables_it(engine: Engine) -> None:
    [bucket] = provision(stage="versions").buckets

    s3 = boto3.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    s3.close()


def test_conditions_and_functions_are_resolved(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
Parameters: { Stage: { Type: String }, Days: { Type: Number, Default: 3 } }
Conditions:
  IsProduction: !Equals [!Ref Stage, prod]
  IsOther: !Not [!Condition IsProduction]
Resources:
  Always:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [q, !Ref Stage]]
      DelaySeconds: !If [IsProduction, 9, !Ref Days]
      Tags: !If [IsProduction, [], !Ref AWS::NoValue]
      RedrivePolicy: { deadLetterTargetArn: !Sub "${Other.Arn}" }
  Other:
    Type: AWS::SQS::Queue
    Condition: IsOther
    Properties: { QueueName: !Sub ["${a}-${Stage}", { a: other }] }
""",
    )

    found = dict(Template(file, {"Stage": "dev"}, "eu-west-1").resources("AWS::SQS::Queue"))

    assert found == {
        "Always": {
            "QueueName": "q-dev",
            "DelaySeconds": 3,
            "RedrivePolicy": {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:other-dev"},
        },
        "Other": {"QueueName": "other-dev"},
    }
    assert list(dict(Template(file, {"Stage": "prod"}, "eu-west-1").resources("AWS::SQS::Queue"))) == ["Always"]


@pytest.mark.parametrize("value", ["!GetAZs ''", "!Ref Nobody", "!GetAtt Queue.QueueName"])
def test_unknown_syntax_of_templates_is_refused(tmp_path: Path, value: str) -> None:
    file = write(tmp_path, f"Resources: {{Queue: {{Type: AWS::SQS::Queue, Properties: {{Tags: {value}}}}}}}")

    with pytest.raises(TemplateError):
        list(Template(file, {}, "eu-west-1").resources("AWS::SQS::Queue"))
