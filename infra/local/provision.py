"""Creates the storage declared in ``infra/templates/storage.yaml``.

It works with any AWS endpoint and can be repeated. It updates existing resources where nothing can be lost: missing
indexes, expiry, queue attributes. Properties for production (backups, encryption, deletion protection) are ignored on
one machine.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.local.engine.process import REGION
from infra.local.template import Template, TemplateError

STORAGE = Path(__file__).resolve().parents[1] / "templates" / "storage.yaml"
"""The template of the storage."""

_QUEUE_ATTRIBUTES = (
    "DelaySeconds",
    "FifoQueue",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
)


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The names of the existing resources."""

    tables: tuple[str, ...]
    buckets: tuple[str, ...]
    queues: tuple[str, ...]


def provision(stage: str = "local", *, endpoint: str | None = None, template: Path = STORAGE) -> Provisioned:
    """Create the template's resources for a stage, or complete the existing ones.

    ``endpoint`` and the credentials come from the ``AWS_*`` environment unless given.

    Raises:
        TemplateError: the template uses something that :mod:`infra.local.template` does not support.
        botocore.exceptions.ClientError: the endpoint refused a call.
    """
    read = Template(template, {"Stage": stage}, REGION)
    session = boto3.session.Session(region_name=REGION)
    dynamodb = session.client("dynamodb", endpoint_url=endpoint)
    s3 = session.client("s3", endpoint_url=endpoint)
    sqs = session.client("sqs", endpoint_url=endpoint)
    return Provisioned(
        tables=tuple(_table(dynamodb, about) for _, about in read.resources("AWS::DynamoDB::Table")),
        buckets=tuple(_bucket(s3, stage, about) for about in _one_bucket(read)),
        queues=tuple(_queue(sqs, about) for about in _dead_letters_first(read)),
    )


def _table(dynamodb: Any, about: dict[str, Any]) -> str:
    name: str = about["TableName"]
    indexes = about.get("GlobalSecondaryIndexes", [])
    wanted: dict[str, Any] = {
        field: about[field]
        for field in ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes")
        if field in about
    }
    if indexes:
        wanted["GlobalSecondaryIndexes"] = indexes
    if stream := about.get("StreamSpecification"):
        wanted["StreamSpecification"] = {"StreamEnabled": True, **stream}
    try:
        dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **wanted)
    except dynamodb.exceptions.ResourceInUseException:
        _missing_indexes(dynamodb, name, about["AttributeDefinitions"], indexes)
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    _expiry(dynamodb, name, about.get("TimeToLiveSpecification"))
    return name


def _missing_indexes(dynamodb: Any, name: str, attributes: list[dict[str, str]], indexes: list[dict[str, Any]]) -> None:
    """Add the indexes that a table of an earlier version lacks."""
    table = dynamodb.describe_table(TableName=name)["Table"]
    present = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
    for index in indexes:
        if index["IndexName"] not in present:
            dynamodb.update_table(
                TableName=name,
                AttributeDefinitions=attributes,
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )


def _expiry(dynamodb: Any, name: str, specification: dict[str, Any] | None) -> None:
    if not specification or not specification.get("Enabled", True):
        return
    # Enabling it twice is an error on AWS.
    current = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if current["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        dynamodb.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": specification["AttributeName"]},
        )


def _one_bucket(read: Template) -> list[dict[str, Any]]:
    buckets = [about for _, about in read.resources("AWS::S3::Bucket")]
    if len(buckets) > 1:
        raise TemplateError("one bucket is all that the app has settings for")
    return buckets


def _bucket(s3: Any, stage: str, about: dict[str, Any]) -> str:
    # Not the template's name, which has to be globally unique on AWS; here it has to be predictable.
    name = f"lamplighter-{stage}-artifacts"
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if versioning := about.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning["Status"]})
    return name


def _dead_letters_first(read: Template) -> list[dict[str, Any]]:
    """Queues in the order in which they can be created: a redrive policy needs its target."""
    queues = [about for _, about in read.resources("AWS::SQS::Queue")]
    return sorted(queues, key=lambda about: "RedrivePolicy" in about)


def _queue(sqs: Any, about: dict[str, Any]) -> str:
    name: str = about["QueueName"]
    attributes = {field: _text(about[field]) for field in _QUEUE_ATTRIBUTES if field in about}
    if policy := about.get("RedrivePolicy"):
        attributes["RedrivePolicy"] = json.dumps(policy)
    try:
        sqs.create_queue(QueueName=name, Attributes=attributes)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("QueueAlreadyExists", "QueueNameExists"):
            raise
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return name


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
