"""Requests and answers as bytes, compared with botocore's."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st
from time_machine import travel

from chalicelib.storage import wire

SERVICE = botocore.session.Session().get_service_model("dynamodb")

words = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=", min_size=1, max_size=60)
hosts = st.sampled_from(["dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:4566", "localhost", "[::1]:81"])
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001

numbers = st.integers(-(10**20), 10**20).map(str)
values = st.recursive(
    st.one_of(
        st.text().map(lambda text: {"S": text}),
        numbers.map(lambda number: {"N": number}),
        st.binary().map(lambda data: {"B": data}),
        st.booleans().map(lambda flag: {"BOOL": flag}),
        st.just({"NULL": True}),
        st.lists(st.text(), min_size=1).map(lambda texts: {"SS": texts}),
        st.lists(numbers, min_size=1).map(lambda several: {"NS": several}),
        st.lists(st.binary(), min_size=1).map(lambda blobs: {"BS": blobs}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda several: {"L": several}),
        st.dictionaries(st.text(), inner, max_size=4).map(lambda named: {"M": named}),
    ),
    max_leaves=8,
)
items = st.dictionaries(st.text(min_size=1), values, max_size=6)


def fields(head: bytes) -> dict[str, str]:
    """The header fields, with names in lower case."""
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert head.endswith(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:-2]
    return {
        name.lower(): value
        for name, value in (line.split(": ", 1) if ": " in line else line.split(":", 1) for line in lines)
    }


@given(hosts, words, words, words, st.none() | words, st.binary(), moments)
def test_signatures_equal_botocores(
    host: str, operation: str, access_key: str, secret: str, token: str | None, body: bytes, when: datetime
):
    operation = "".join(filter(str.isalpha, operation)) or "GetItem"
    service = wire.Service("dynamodb", host, "eu-west-1", "1.0")
    keys = wire.Keys(access_key, secret, token)
    ours = fields(wire.head(service, wire.DYNAMODB + operation, body, keys, when.timestamp()))

    theirs = AWSRequest(
        "POST",
        f"https://{host}/",
        data=body,
        headers={"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{operation}"},
    )
    with travel(when, tick=False):
        SigV4Auth(ReadOnlyCredentials(access_key, secret, token), "dynamodb", "eu-west-1").add_auth(theirs)

    assert ours["content-length"] == str(len(body))
    assert ours["host"] == host
    for name, value in theirs.headers.items():
        assert ours[name.lower()] == value


@given(items)
def test_requests_equal_botocores(item: dict[str, Any]):
    request = {"TableName": "t", "Item": item, "ExpressionAttributeValues": {":v": {"B": b"\0\xff"}}}
    model = SERVICE.operation_model("PutItem")
    theirs = botocore.serialize.create_serializer("json").serialize_to_request(request, model)["body"]

    assert json.loads(wire.encode(request)) == json.loads(theirs)


def dumped(content: Any) -> bytes:
    """JSON in DynamoDB's format."""
    return json.dumps(content, default=lambda data: b64encode(data).decode()).encode()


@given(items, items)
def test_answers_are_decoded_as_by_botocore(one: dict[str, Any], two: dict[str, Any]):
    answers = {
        "GetItem": {"Item": one, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5}},
        "UpdateItem": {"Attributes": one},
        "Query": {"Items": [one, two], "Count": 2, "ScannedCount": 7, "LastEvaluatedKey": two},
        "BatchGetItem": {
            "Responses": {"t": [one, two]},
            "UnprocessedKeys": {"t": {"Keys": [two], "ConsistentRead": True}},
        },
        "BatchWriteItem": {"UnprocessedItems": {"t": [{"PutRequest": {"Item": one}}, {"DeleteRequest": {"Key": two}}]}},
        "TransactGetItems": {"Responses": [{"Item": one}, {}]},
        "TransactWriteItems": {},
    }
    parser = botocore.parsers.create_parser("json")
    for operation, content in answers.items():
        body = dumped(content)
        shape = SERVICE.operation_model(operation).output_shape
        theirs = parser.parse({"body": body, "headers": {}, "status_code": 200}, shape)
        del theirs["ResponseMetadata"]

        assert wire.decode(body) == theirs == content


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'"x"', b'{"Item": 3}', b'{"Item": {"a": {"B": "?"}}}', b"{", b"\xff"]
)
def test_malformed_answers_are_refused(body: bytes):
    with pytest.raises(msgspec.DecodeError):
        wire.decode(body)
