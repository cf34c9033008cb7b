"""The transport gives the same answers, errors and stored items as botocore's client."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DeleteError, PutError, UpdateError, VerboseClientError

from chalicelib.storage import connection, dynamodb
from chalicelib.storage.base import BlobAttribute, Item
from infra.paths import ROOT
from tests.storage.conftest import TABLE

Typed = dict[str, dict[str, Any]]


def key(pk: str, sk: str = "a") -> Typed:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def everything(pk: str, sk: str = "a") -> Typed:
    """An item with a value of every type, including extreme ones."""
    return {
        **key(pk, sk),
        "text": {"S": 'Grüße, 世界 🚀 \u0000\u2028"\\#'},
        "empty": {"S": ""},
        "number": {"N": "-12345678901234567890.123456789"},
        "zero": {"N": "0"},
        "bytes": {"B": bytes(range(256))},
        "no bytes": {"B": b""},
        "yes": {"BOOL": True},
        "nothing": {"NULL": True},
        "texts": {"SS": ["a", "ü"]},
        "numbers": {"NS": ["1", "2.5"]},
        "blobs": {"BS": [b"\0", b"\xff"]},
        "list": {"L": [{"S": ""}, {"B": b"\0"}, {"L": []}, {"M": {"ü": {"BS": [b"x"]}}}]},
        "map": {"M": {"": {"S": "a"}, "deep": {"M": {"b": {"B": b"\xfe"}}}}},
    }


def unordered(value: Any) -> Any:
    """``value`` with Python sets, since DynamoDB's sets have no order."""
    if isinstance(value, dict):
        return {
            name: sorted(inner) if name in {"SS", "NS", "BS"} else unordered(inner) for name, inner in value.items()
        }
    return [unordered(inner) for inner in value] if isinstance(value, list) else value


def by_botocore(client: Any, operation: str, request: dict[str, Any]) -> Any:
    """Botocore's answer, or the parts of the error that callers use."""
    try:
        answer = client._make_api_call(operation, request)
    except ClientError as error:
        reasons = [
            (reason["Code"], reason.get("Message"), reason.get("Item")) if reason["Code"] != "None" else None
            for reason in error.response.get("CancellationReasons", [])
        ]
        return error.response["Error"]["Code"], error.response["Error"]["Message"], reasons
    del answer["ResponseMetadata"]
    return unordered(answer)


def by_ours(seam: connection.SeamConnection, operation: str, request: dict[str, Any]) -> Any:
    """The same from our transport."""
    try:
        return unordered(seam.dispatch(operation, request))
    except VerboseClientError as error:
        found = [
            (reason.code, reason.message, reason.raw_item) if reason else None for reason in error.cancellation_reasons
        ]
        return error.response["Error"]["Code"], error.response["Error"]["Message"], found


OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
ABSENT = {"ConditionExpression": "attribute_not_exists(pk)"}


def requests(pk: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Operations on a partition with ``everything`` at ``a``, ``b`` and ``c``."""
    of, there = {"TableName": TABLE}, {**OLD, **ABSENT}
    bump = {
        "UpdateExpression": "ADD #n :one SET #b = :b",
        "ExpressionAttributeNames": {"#n": "zero", "#b": "bytes"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":b": {"B": b"\0new\xff"}},
    }
    page = {
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": pk}},
    }
    batch = {"RequestItems": {TABLE: {"Keys": [key(pk, sk) for sk in "abz"], "ConsistentRead": True}}}
    writes = [
        {"PutRequest": {"Item": everything(pk, "d")}},
        {"DeleteRequest": {"Key": key(pk, "b")}},
    ]
    return {
        "get": ("GetItem", {**of, "Key": key(pk)}),
        "get, strong": ("GetItem", {**of, "Key": key(pk), "ConsistentRead": True}),
        "get nothing": ("GetItem", {**of, "Key": key(pk, "none")}),
        "get a part": ("GetItem", {**of, "Key": key(pk), "ProjectionExpression": "blobs, texts"}),
        "put": ("PutItem", {**of, "Item": everything(pk), "ReturnValues": "ALL_OLD"}),
        "put where something is": ("PutItem", {**of, "Item": everything(pk), **ABSENT}),
        "update": ("UpdateItem", {**of, "Key": key(pk), **bump, "ReturnValues": "ALL_NEW"}),
        "update what is new": ("UpdateItem", {**of, "Key": key(pk, "new"), **bump, "ReturnValues": "UPDATED_NEW"}),
        "update against a condition": ("UpdateItem", {**of, "Key": key(pk), **bump, **ABSENT}),
        "delete": ("DeleteItem", {**of, "Key": key(pk), "ReturnValues": "ALL_OLD"}),
        "delete nothing": ("DeleteItem", {**of, "Key": key(pk, "none"), "ReturnValues": "ALL_OLD"}),
        "delete against a condition": ("DeleteItem", {**of, "Key": key(pk), **ABSENT}),
        "query": ("Query", {**of, **page}),
        "query backwards": ("Query", {**of, **page, "ScanIndexForward": False, "ConsistentRead": True}),
        "query a page": ("Query", {**of, **page, "Limit": 2}),
        "query the next": ("Query", {**of, **page, "Limit": 2, "ExclusiveStartKey": key(pk, "b")}),
        "count": ("Query", {**of, **page, "Select": "COUNT"}),
        "batch get": ("BatchGetItem", batch),
        "batch write": ("BatchWriteItem", {"RequestItems": {TABLE: writes}}),
        "transact get": (
            "TransactGetItems",
            {"TransactItems": [{"Get": {**of, "Key": key(pk, sk)}} for sk in "az"]},
        ),
        "transact": (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {**of, "Item": everything(pk, "d"), **ABSENT}},
                    {"Update": {**of, "Key": key(pk), **bump}},
                    {"Delete": {**of, "Key": key(pk, "b")}},
                    {"ConditionCheck": {**of, "Key": key(pk, "c"), "ConditionExpression": "attribute_exists(pk)"}},
                ]
            },
        ),
        "transact against conditions": (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {**of, "Item": everything(pk), **there}},
                    {"Update": {**of, "Key": key(pk, "none"), **bump, "ConditionExpression": "attribute_exists(pk)"}},
                    {"Delete": {**of, "Key": key(pk, "b"), **there}},
                    {"Put": {**of, "Item": everything(pk, "d")}},
                    {"ConditionCheck": {**of, "Key": key(pk, "c"), **there}},
                ]
            },
        ),
        "no such table": ("GetItem", {"TableName": "none", "Key": key(pk)}),
        "a key that is none": ("GetItem", {**of, "Key": {"pk": {"S": pk}}}),
        "an expression that is none": ("PutItem", {**of, "Item": everything(pk), "ConditionExpression": "("}),
    }


REFUSED = ("a key that is none", "an expression that is none")


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.refused_by_aws] if case in REFUSED else []) for case in requests("")],
)
def test_answers_and_effects_equal_botocores(seam: connection.SeamConnection, botocore_client: Any, pk: str, case: str):
    outcomes = []
    for run in (by_botocore, by_ours):
        for sk in ("a", "b", "c"):
            botocore_client.put_item(TableName=TABLE, Item=everything(pk, sk))
        for sk in ("d", "new"):
            botocore_client.delete_item(TableName=TABLE, Key=key(pk, sk))
        operation, request = requests(pk)[case]
        request |= {"ReturnConsumedCapacity": "TOTAL"}
        outcome = run(botocore_client if run is by_botocore else seam, operation, request)
        stored = botocore_client.query(
            TableName=TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": pk}},
            ConsistentRead=True,
        )["Items"]
        outcomes.append((outcome, unordered(stored)))

    assert outcomes[0] == outcomes[1]


@given(st.binary(max_size=300), st.text(max_size=300), st.integers(-(10**37), 10**37))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_values_are_unchanged(seam: connection.SeamConnection, pk: str, data: bytes, text: str, number: int):
    item = {**key(pk), "data": {"B": data}, "text": {"S": text}, "number": {"N": str(number)}}

    seam.dispatch("PutItem", {"TableName": TABLE, "Item": item})

    assert seam.dispatch("GetItem", {"TableName": TABLE, "Key": key(pk), "ConsistentRead": True})["Item"] == item


class Thing(Item):
    """An item of the test's table."""

    class Meta:
        table_name = TABLE

    name = UnicodeAttribute(default="")
    data = BinaryAttribute(legacy_encoding=False, null=True)
    blob = BlobAttribute(null=True)
    number = NumberAttribute(default=0)


class TestModels:
    """Operations that features use."""

    def test_an_item_is_unchanged(self, seam: connection.SeamConnection, pk: str):
        Thing(pk, "a", name="Grüße", data=b"\0\xff", blob={"a": [1, None, ""]}, number=3).save()

        found = Thing.get(pk, "a", consistent_read=True)

        assert (found.name, found.data, found.blob, found.number) == ("Grüße", b"\0\xff", {"a": [1, None, ""]}, 3)

    def test_a_missing_item(self, seam: connection.SeamConnection, pk: str):
        with pytest.raises(Thing.DoesNotExist):
            Thing.get(pk, "a")

    def test_an_update_returns_the_new_values(self, seam: connection.SeamConnection, pk: str):
        thing = Thing(pk, "a")

        thing.update([Thing.number.add(2), Thing.data.set(b"\xff")])

        assert (thing.number, thing.data) == (2, b"\xff")

    def test_failing_conditions_raise_their_own_error(self, seam: connection.SeamConnection, pk: str):
        thing = Thing(pk, "a")
        thing.save()

        for kind, write in (
            (PutError, lambda: thing.save(Thing.pk.does_not_exist())),
            (UpdateError, lambda: thing.update([Thing.number.add(1)], Thing.pk.does_not_exist())),
            (DeleteError, lambda: thing.delete(Thing.pk.does_not_exist())),
        ):
            with pytest.raises(kind) as caught:
                write()
            assert caught.value.cause_response_code == "ConditionalCheckFailedException"

    def test_pages_of_a_query(self, seam: connection.SeamConnection, pk: str):
        for name in "01234":
            Thing(pk, name).save()

        assert [thing.sk for thing in Thing.query(pk, page_size=2)] == list("01234")
        assert Thing.count(pk) == 5

    def test_batches(self, seam: connection.SeamConnection, pk: str):
        with Thing.batch_write() as batch:
            for number in range(30):
                batch.save(Thing(pk, f"{number:02}", data=b"\0"))

        found = {thing.sk: thing.data for thing in Thing.batch_get([(pk, f"{number:02}") for number in range(120)])}

        assert found == {f"{number:02}": b"\0" for number in range(30)}


def test_observers_see_successful_and_failed_calls(
    seam: connection.SeamConnection, pk: str, monkeypatch: pytest.MonkeyPatch
):
    seen = []
    monkeypatch.setattr(dynamodb, "observers", [lambda name, request, answer: seen.append((name, answer))])

    seam.dispatch("GetItem", {"TableName": TABLE, "Key": key(pk)})
    with pytest.raises(VerboseClientError):
        seam.dispatch("GetItem", {"TableName": "none", "Key": key(pk)})

    assert [name for name, _ in seen] == ["GetItem", "GetItem"]
    assert seen[0][1]["ConsumedCapacity"]["CapacityUnits"] == 0.5
    assert seen[1][1] == {}


FRESH = """
import json, sys

models = []
sys.addaudithook(lambda event, about: models.append(str(about[0])) if event == "open" and (
    "botocore/data" in str(about[0]).replace("\\\\", "/")) else None)

from pynamodb.attributes import NumberAttribute
from chalicelib.storage import connection, transactions
from chalicelib.storage.base import Item

class Thing(Item):
    class Meta:
        table_name = "TABLE"
    count = NumberAttribute(default=0)

Thing("PK", "a").update([Thing.count.add(1)])
Thing.get("PK", "a", consistent_read=True)
assert len(list(Thing.query("PK"))) == 1
work = transactions.Transaction()
work.put(Thing("PK", "b"), Thing.pk.does_not_exist())
work.update(Thing("PK", "a"), [Thing.count.add(1)])
work.check(Thing("PK", "c"), Thing.pk.does_not_exist())
work.commit()

assert repr(connection.shared())
assert connection.shared()._client is None
print(json.dumps({"models": models, "modules": sorted(sys.modules)}))
"""


def test_a_new_process_creates_no_boto_client(seam: connection.SeamConnection, pk: str):
    """``botocore.client`` is loaded, since pynamodb imports it, but not the data that a client needs.

    That is the model of DynamoDB and its endpoint rules, in ``botocore/data``.
    """
    code = FRESH.replace("TABLE", TABLE).replace("PK", pk)

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert loaded["models"] == []
    assert "boto3" not in loaded["modules"]
