"""The same for S3, SQS, SSM, SES, websockets and CloudFormation; and every rule has a case."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSRequest

from tests.strict.test_dynamodb import BROKEN as BROKEN_OF_DYNAMODB
from tests.support.strict.plugin import Checker
from tests.support.strict.rules import Found, Rule

S3 = "https://s3.eu-west-1.amazonaws.com/bucket-1"
OBJECT = {"Bucket": "bucket-1", "Key": "a"}
PART = {**OBJECT, "UploadId": "u"}
QUEUE = {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q"}
SECRET = {"Name": "/stage/secret", "Type": "SecureString", "Value": "x"}


def attributes(count: int = 1, **about: Any) -> dict[str, Any]:
    return {f"a{number}": {"DataType": "String", "StringValue": "x", **about} for number in range(count)}


def entries(*ids: str, **more: Any) -> dict[str, Any]:
    return {**QUEUE, "Entries": [{"Id": each, "MessageBody": "x", **more} for each in ids]}


def mail(to: str = "a@example.com", subject: str = "Hello", text: str = "x", count: int = 1) -> dict[str, Any]:
    simple = {"Subject": {"Data": subject}, "Body": {"Text": {"Data": text}}}
    sender = "Lamplighter <noreply@example.com>"
    return {"FromEmailAddress": sender, "Destination": {"ToAddresses": [to] * count}, "Content": {"Simple": simple}}


def completed(*numbers: int) -> dict[str, Any]:
    return {**PART, "MultipartUpload": {"Parts": [{"PartNumber": number, "ETag": '"e"'} for number in numbers]}}


BROKEN: list[tuple[Rule, str, str, dict[str, Any]]] = [
    (Rule.MODEL, "ssm", "GetParameter", {"WithDecryption": True}),
    (Rule.MODEL, "ssm", "GetParameters", {"Names": [f"/a/{number}" for number in range(11)]}),
    (Rule.MODEL, "ssm", "PutParameter", {**SECRET, "Tier": "Best"}),
    (Rule.MODEL, "apigatewaymanagementapi", "PostToConnection", {"Data": b"x"}),
    (Rule.S3_KEY, "s3", "PutObject", {**OBJECT, "Key": "ü" * 513}),
    (Rule.S3_KEY, "s3", "GetObject", {**OBJECT, "Key": ""}),
    (Rule.S3_METADATA, "s3", "PutObject", {**OBJECT, "Metadata": {"a": "x" * 2048}}),
    (Rule.S3_METADATA, "s3", "PutObject", {**OBJECT, "Metadata": {"a": "ü"}}),
    (Rule.S3_TAGS, "s3", "PutObject", {**OBJECT, "Tagging": "&".join(f"t{number}=x" for number in range(11))}),
    (Rule.S3_TAGS, "s3", "PutObject", {**OBJECT, "Tagging": f"a={'x' * 257}"}),
    (Rule.S3_PART, "s3", "UploadPart", {**PART, "PartNumber": 10_001, "Body": b"x"}),
    (Rule.S3_COMPLETE, "s3", "CompleteMultipartUpload", completed()),
    (Rule.S3_COMPLETE, "s3", "CompleteMultipartUpload", completed(2, 1)),
    (Rule.S3_BUCKET, "s3", "CreateBucket", {"Bucket": "Bucket_1"}),
    (Rule.SQS_BODY, "sqs", "SendMessage", {**QUEUE, "MessageBody": ""}),
    (Rule.SQS_BODY, "sqs", "SendMessage", {**QUEUE, "MessageBody": "a\0"}),
    (Rule.SQS_BODY, "sqs", "SendMessage", {**QUEUE, "MessageBody": "x" * 2**20, "MessageAttributes": attributes()}),
    (Rule.SQS_BODY, "sqs", "SendMessageBatch", entries("a", "b", MessageBody="x" * 600_000)),
    (Rule.SQS_ATTRIBUTES, "sqs", "SendMessage", {**QUEUE, "MessageBody": "x", "MessageAttributes": attributes(11)}),
    (
        Rule.SQS_ATTRIBUTES,
        "sqs",
        "SendMessage",
        {**QUEUE, "MessageBody": "x", "MessageAttributes": attributes(StringValue="")},
    ),
    (Rule.SQS_DELAY, "sqs", "SendMessage", {**QUEUE, "MessageBody": "x", "DelaySeconds": 901}),
    (Rule.SQS_GROUP, "sqs", "SendMessage", {**QUEUE, "MessageBody": "x", "MessageGroupId": "x" * 129}),
    (Rule.SQS_GROUP, "sqs", "SendMessage", {**QUEUE, "MessageBody": "x", "MessageGroupId": "a b"}),
    (Rule.SQS_BATCH, "sqs", "SendMessageBatch", entries("a", "a")),
    (Rule.SQS_BATCH, "sqs", "SendMessageBatch", entries("a/b")),
    (Rule.SQS_BATCH, "sqs", "SendMessageBatch", entries(*map(str, range(11)))),
    (Rule.SQS_RECEIVE, "sqs", "ReceiveMessage", {**QUEUE, "MaxNumberOfMessages": 11}),
    (Rule.SQS_QUEUE, "sqs", "CreateQueue", {"QueueName": "a.b"}),
    (Rule.SQS_QUEUE, "sqs", "CreateQueue", {"QueueName": "a", "Attributes": {"VisibilityTimeout": "43201"}}),
    (Rule.SSM_NAME, "ssm", "GetParameter", {"Name": "/a b"}),
    (Rule.SSM_NAME, "ssm", "PutParameter", {**SECRET, "Name": "/aws/secret"}),
    (Rule.SSM_NAME, "ssm", "GetParameter", {"Name": "/a" * 16}),
    (Rule.SSM_VALUE, "ssm", "PutParameter", {**SECRET, "Value": "x" * 4097}),
    (Rule.SSM_VALUE, "ssm", "PutParameter", {**SECRET, "Value": "x" * 8193, "Tier": "Intelligent-Tiering"}),
    (Rule.SSM_VALUE, "ssm", "PutParameter", {**SECRET, "Value": ""}),
    (Rule.SES_ADDRESS, "sesv2", "SendEmail", mail("nobody")),
    (Rule.SES_ADDRESS, "sesv2", "SendEmail", mail("ü@example.com")),
    (Rule.SES_ADDRESS, "sesv2", "SendEmail", mail(count=51)),
    (Rule.SES_CONTENT, "sesv2", "SendEmail", mail(subject="a\nb")),
    (Rule.SES_CONTENT, "sesv2", "SendEmail", mail(text="")),
    (Rule.PUSH_SIZE, "apigatewaymanagementapi", "PostToConnection", {"ConnectionId": "a=", "Data": "x" * 131_073}),
    (Rule.TEMPLATE_SIZE, "cloudformation", "CreateStack", {"StackName": "a", "TemplateBody": "x" * 51_201}),
]

FINE: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "PutObject", {**OBJECT, "Key": "ü" * 512, "Metadata": {"a": "b"}, "Tagging": "kept=30-days", "Body": b""}),
    ("s3", "CreateBucket", {"Bucket": "bucket-1.x"}),
    ("sqs", "SendMessage", {**QUEUE, "MessageBody": "{}", "MessageAttributes": attributes(10), "MessageGroupId": "t"}),
    ("sqs", "SendMessageBatch", entries(*"abc")),
    ("sqs", "ReceiveMessage", {**QUEUE, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}),
    ("sqs", "CreateQueue", {"QueueName": "a-b_c", "Attributes": {"VisibilityTimeout": "180"}}),
    ("ssm", "GetParameter", {"Name": "/lamplighter/prod/signing-keys", "WithDecryption": True}),
    ("ssm", "PutParameter", {**SECRET, "Value": "x" * 8192, "Tier": "Intelligent-Tiering", "Overwrite": False}),
    ("sesv2", "SendEmail", mail()),
    ("apigatewaymanagementapi", "PostToConnection", {"ConnectionId": "a=", "Data": b"x" * 131_072}),
    ("cloudformation", "CreateStack", {"StackName": "a", "TemplateBody": "x" * 51_200}),
]


def violations(*calls: tuple[str, str, dict[str, Any]]) -> set[Rule]:
    found = Found()
    checker = Checker(found)
    for call in calls:
        checker.call(*call)
    return {broken.rule for broken in found.take()}


@pytest.mark.parametrize(
    ("rule", "service", "operation", "params"),
    [pytest.param(*case, id=f"{case[0].name}-{at}") for at, case in enumerate(BROKEN)],
)
def test_a_request_that_aws_would_refuse_is_found(rule: Rule, service: str, operation: str, params: dict[str, Any]):
    assert rule in violations((service, operation, params))


@pytest.mark.parametrize(("service", "operation", "params"), FINE)
def test_a_valid_request_is_accepted(service: str, operation: str, params: dict[str, Any]):
    assert violations((service, operation, params)) == set()


@pytest.mark.parametrize(("first", "expected"), [(5 * 2**20, set()), (5 * 2**20 - 1, {Rule.S3_PART})])
def test_parts_except_the_last_have_at_least_five_mebibytes(first: int, expected: set[Rule]):
    parts = [
        ("s3", "UploadPart", {**PART, "PartNumber": 1 + at, "Body": b"x" * size}) for at, size in enumerate((first, 1))
    ]

    assert violations(*parts, ("s3", "CompleteMultipartUpload", completed(1, 2))) == expected


def over_http(service: str, *request: Any, **headers: str) -> set[Rule]:
    found = Found()
    method, url, *body = request
    Checker(found).http(service, AWSRequest(method, url, data=body[0] if body else b"", headers=headers))
    return {broken.rule for broken in found.take()}


COMPLETED = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>"


@pytest.mark.parametrize(
    ("service", "request_", "headers", "expected"),
    [
        ("s3", ("GET", f"{S3}/a/b%2Fc?versionId=1"), {"Range": "bytes=0-9"}, set()),
        ("s3", ("PUT", f"{S3}/a", b"x"), {"x-amz-tagging": "a=b", "x-amz-meta-a": "b"}, set()),
        ("s3", ("POST", f"{S3}/a?uploads="), {}, set()),
        ("s3", ("PUT", f"{S3}/a?partNumber=1&uploadId=u", b"x"), {}, set()),
        ("s3", ("POST", f"{S3}/a?uploadId=u", COMPLETED), {}, set()),
        ("s3", ("GET", f"{S3}?versions=&prefix=a&max-keys=500"), {}, set()),
        ("s3", ("HEAD", "https://bucket-1.s3.eu-west-1.amazonaws.com/a"), {}, set()),
        ("s3", ("GET", "https://bucket-1.s3-accelerate.amazonaws.com/a"), {}, set()),
        ("s3", ("GET", "https://s3.dualstack.eu-west-1.amazonaws.com/bucket-1/a"), {}, set()),
        ("s3", ("PUT", f"{S3}/a?partNumber=one&uploadId=u"), {}, {Rule.MODEL}),
        ("s3", ("GET", f"{S3}/a?version=1"), {}, {Rule.HTTP}),
        ("s3", ("PUT", f"{S3}/a"), {"x-amz-tags": "a=b"}, {Rule.HTTP}),
        ("s3", ("PATCH", f"{S3}/a"), {}, {Rule.HTTP}),
        ("s3", ("PUT", f"{S3}/a"), {"x-amz-storage-class": "CHEAP"}, {Rule.MODEL}),
        ("s3", ("POST", f"{S3}/a?uploadId=u", b"<CompleteMultipartUpload/>"), {}, {Rule.S3_COMPLETE}),
        ("execute-api", ("POST", "https://x.execute-api/api/@connections/a%3D", b"x"), {}, set()),
        ("execute-api", ("POST", "https://x.execute-api/api/@connections/a%3D", b"x" * 131_073), {}, {Rule.PUSH_SIZE}),
        ("execute-api", ("PUT", "https://x.execute-api/api/@connections/a%3D", b"x"), {}, {Rule.HTTP}),
        ("ses", ("POST", "https://email/v2/email/outbound-emails", b'{"Content": {}}'), {}, set()),
        ("ses", ("POST", "https://email/v2/email/outbound-emails", b"{}"), {}, {Rule.MODEL, Rule.SES_ADDRESS}),
    ],
)
def test_sent_requests_are_parsed(service: str, request_: Any, headers: dict[str, str], expected: set[Rule]):
    found = over_http(service, *request_, **headers)

    assert found - {Rule.SES_ADDRESS} == expected - {Rule.SES_ADDRESS}


@pytest.mark.parametrize(
    ("target", "payload", "version", "expected"),
    [
        ("AmazonSSM.GetParameter", {"Name": "/a"}, "1.1", set()),
        ("AmazonSSM.GetParameter", {}, "1.1", {Rule.MODEL}),
        ("AmazonSSM.Get", {}, "1.1", {Rule.HTTP}),
        ("AmazonSSM.GetParameter", {"Name": "/a"}, "1.0", {Rule.HTTP}),
    ],
)
def test_calls_of_json_protocols(target: str, payload: dict[str, Any], version: str, expected: set[Rule]):
    found = Found()
    Checker(found).json(target, payload, version)

    assert {broken.rule for broken in found.take()} == expected


@pytest.mark.parametrize(
    ("life", "expected"), [(1, set()), (604_800, set()), (0, {Rule.S3_LINK}), (604_801, {Rule.S3_LINK})]
)
def test_a_link_is_valid_for_at_most_a_week(life: int, expected: set[Rule]):
    found = Found()
    Checker(found).link(AWSRequest("GET", f"{S3}/a", headers={}), life)

    assert {broken.rule for broken in found.take()} == expected


def test_every_rule_has_a_case():
    seen = {rule for rule, *_ in BROKEN} | {rule for rule, _ in BROKEN_OF_DYNAMODB}

    assert set(Rule) - seen == {Rule.HTTP, Rule.S3_LINK, Rule.S3_PUT_SIZE}  # the last: nobody has 5 GiB to spare


def test_a_broken_rule_names_the_request_the_code_and_the_page():
    found = Found()
    checker = Checker(found)
    checker.call("dynamodb", "UpdateItem", {"TableName": "t", "Key": {"pk": {"S": "p"}}, "UpdateExpression": None})
    checker.call("sqs", "SendMessage", {"QueueUrl": "q", "MessageBody": ""})

    expression, body = map(str, found.take())

    assert "UpdateExpression is None" in expression
    assert "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html" in expression
    assert "tests/strict/test_services.py:" in expression
    assert "SQS_BODY" in body
    assert "API_SendMessage.html" in body
