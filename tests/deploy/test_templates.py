"""The templates are valid and safe for production."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib import limits
from infra.local.engine.process import REGION
from infra.local.template import Template, read
from infra.paths import ROOT

TEMPLATES = sorted((ROOT / "infra" / "templates").glob("*.yaml"))
LINT = Path(sys.executable).with_name("cfn-lint")
STORAGE = ROOT / "infra" / "templates" / "storage.yaml"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"


def resources(template: Path, kind: str) -> dict[str, Any]:
    """The resources of one type, with intrinsic functions in their long form."""
    found = {name: each for name, each in read(template)["Resources"].items() if each["Type"] == kind}
    assert found, f"{template.name} has no {kind}"
    return found


def resolved(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """Properties of the storage template's resources of one type, with these parameters."""
    return dict(Template(STORAGE, {"Stage": "prod", **parameters}, REGION).resources(kind))


def test_the_templates_are_valid() -> None:
    """Checked with cfn-lint, which knows the properties of every resource."""
    done = subprocess.run([LINT, "--", *TEMPLATES], capture_output=True, text=True, check=False)

    assert TEMPLATES
    assert done.returncode == 0, done.stdout + done.stderr


def test_tables_can_be_restored_and_are_protected_from_deletion() -> None:
    for name, table in resources(STORAGE, "AWS::DynamoDB::Table").items():
        about = table["Properties"]
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain"), name
        assert about["DeletionProtectionEnabled"] is True, name
        assert about["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert about["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}, name
        assert about["BillingMode"] == "PAY_PER_REQUEST", name


def test_a_custom_key_encrypts_everything() -> None:
    tables = resolved("AWS::DynamoDB::Table", KmsKey=KEY)
    queues = resolved("AWS::SQS::Queue", KmsKey=KEY)
    [bucket] = resolved("AWS::S3::Bucket", KmsKey=KEY).values()

    for table in tables.values():
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    for queue in queues.values():
        assert (queue["KmsMasterKeyId"], "SqsManagedSseEnabled" in queue) == (KEY, False)
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert rule["BucketKeyEnabled"] is True


def test_the_default_keys_are_those_of_aws() -> None:
    """This is the default of tables."""
    [bucket] = resolved("AWS::S3::Bucket").values()

    assert all("SSESpecification" not in table for table in resolved("AWS::DynamoDB::Table").values())
    assert all(queue["SqsManagedSseEnabled"] is True for queue in resolved("AWS::SQS::Queue").values())
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_the_bucket_is_private_and_deletes_leftovers() -> None:
    [(name, bucket)] = resources(STORAGE, "AWS::S3::Bucket").items()
    about = bucket["Properties"]
    rules = {rule["Id"]: rule for rule in about["LifecycleConfiguration"]["Rules"]}

    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert len(about["PublicAccessBlockConfiguration"]) == 4
    assert set(about["PublicAccessBlockConfiguration"].values()) == {True}
    assert about["VersioningConfiguration"] == {"Status": "Enabled"}
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    assert rules["unfinished-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 8}
    assert rules["replaced-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert [rule["Id"] for rule in rules.values() if "ExpirationInDays" in rule] == ["recordings"]
    [policy] = resources(STORAGE, "AWS::S3::BucketPolicy").values()
    assert policy["Properties"]["Bucket"] == {"Ref": name}
    refusal, grant = policy["Properties"]["PolicyDocument"]["Statement"]
    assert only_tls({"Statement": [refusal]})
    condition, _, otherwise = grant["Fn::If"]
    assert (condition, otherwise) == ("HasDownloads", {"Ref": "AWS::NoValue"}), "as it comes, nobody is let in"


def test_the_downloads_distribution_can_read_only_artifacts() -> None:
    [policy] = resources(STORAGE, "AWS::S3::BucketPolicy").values()
    grant = policy["Properties"]["PolicyDocument"]["Statement"][1]["Fn::If"][1]

    assert grant["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert set(grant["Action"]) == {"s3:GetObject", "s3:GetObjectVersion"}
    assert grant["Resource"] == {"Fn::Sub": "${ArtifactBucket.Arn}/*/artifacts/*"}
    assert grant["Condition"] == {"StringEquals": {"aws:SourceArn": {"Ref": "Downloads"}}}


def test_recordings_expire_after_their_retention() -> None:
    [bucket] = resolved("AWS::S3::Bucket").values()
    [rule] = [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if rule["Id"] == "recordings"]

    assert rule["TagFilters"] == [{"Key": "kept", "Value": "30-days"}]
    assert rule["ExpirationInDays"] * 86_400 == limits.RECORDING_LIFE


def test_every_queue_has_a_dead_letter_queue_and_requires_tls() -> None:
    queues = resources(STORAGE, "AWS::SQS::Queue")
    dead = {name for name in queues if name.endswith("DeadLetters")}
    [policy] = resources(STORAGE, "AWS::SQS::QueuePolicy").values()

    for name in queues.keys() - dead:
        redrive = queues[name]["Properties"]["RedrivePolicy"]
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": name.removesuffix("Queue") + "DeadLetters.Arn"}
        assert redrive["maxReceiveCount"] == 5
    assert len(queues) == 2 * len(dead)
    assert {each["Ref"] for each in policy["Properties"]["Queues"]} == queues.keys()
    assert only_tls(policy["Properties"]["PolicyDocument"])


def only_tls(policy: dict[str, Any]) -> bool:
    """Whether a policy refuses access without TLS, and allows access only by parameter."""
    [statement] = [each for each in policy["Statement"] if "Fn::If" not in each]
    return (statement["Effect"], statement["Principal"], statement["Condition"]) == (
        "Deny",
        "*",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def documented() -> dict[str, set[str]]:
    """The parameters and capabilities with which the documentation deploys each template."""
    found: dict[str, set[str]] = {}
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text().replace("\\\n", " ")
        for line in re.findall(r"^aws cloudformation deploy (.+)$", text, re.MULTILINE):
            words = shlex.split(line)
            name = Path(words[words.index("--template-file") + 1]).name
            found[name] = {word.partition("=")[0] for word in words if "=" in word or word.startswith("CAPABILITY_")}
    return found


@pytest.mark.parametrize("template", [each for each in TEMPLATES if each != STORAGE], ids=lambda path: path.stem)
def test_the_documentation_says_how_it_is_deployed(template: Path) -> None:
    document = read(template)
    parameters = document["Parameters"]
    needed = {name for name, about in parameters.items() if "Default" not in about}
    if "Transform" in document:
        needed.add("CAPABILITY_AUTO_EXPAND")
    if any(each["Type"] == "AWS::IAM::Role" for each in document["Resources"].values() if isinstance(each, dict)):
        needed.add("CAPABILITY_IAM")

    given = documented()[template.name]

    assert needed <= given
    assert given <= needed | parameters.keys()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_no_policy_allows_everything(template: Path) -> None:
    """No allowing statement has a wildcard principal or resource."""
    for statement in statements(read(template)):
        named = [statement.get(part) for part in ("Principal", "Resource", "Action")]
        assert statement["Effect"] == "Deny" or "*" not in values(named), statement


def values(document: Any) -> list[Any]:
    """All scalar values in a document."""
    if isinstance(document, dict):
        return values(list(document.values()))
    if isinstance(document, list):
        return [found for each in document for found in values(each)]
    return [document]


def statements(document: Any) -> list[dict[str, Any]]:
    """Every statement of every policy in a document."""
    if isinstance(document, dict):
        own = [document] if "Effect" in document else []
        return own + [found for value in document.values() for found in statements(value)]
    if isinstance(document, list):
        return [found for value in document for found in statements(value)]
    return []
