"""For each rule of DynamoDB, a request that breaks it, and a similar one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.strict.plugin import Checker
from tests.support.strict.rules import Found, Rule

TABLE: dict[str, Any] = {
    "TableName": "table",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind}
        for name, kind in (("pk", "S"), ("sk", "S"), ("gk", "S"), ("gs", "N"))
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "byg",
            "KeySchema": [{"AttributeName": "gk", "KeyType": "HASH"}, {"AttributeName": "gs", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]},
        }
    ],
}
KEY: dict[str, Any] = {"pk": {"S": "p"}, "sk": {"S": "s"}}
INDEX_START = {**KEY, "gk": {"S": "g"}, "gs": {"N": "1"}}
Request = tuple[str, dict[str, Any]]


def put(**item: Any) -> Request:
    return "PutItem", {"TableName": "table", "Item": {**KEY, **item}}


def put_if(condition: Any, names: Any = None, values: Any = None) -> Request:
    maps = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    given = {name: each for name, each in maps.items() if each is not None}
    return "PutItem", {"TableName": "table", "Item": KEY, "ConditionExpression": condition, **given}


def update(expression: Any, **values: Any) -> Request:
    request: dict[str, Any] = {"TableName": "table", "Key": KEY, "UpdateExpression": expression}
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return "UpdateItem", request


def query(condition: str = "pk = :p", *, values: dict[str, Any] | None = None, **more: Any) -> Request:
    given = {":p": {"S": "p"}, **(values or {})}
    return "Query", {
        "TableName": "table",
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": given,
        **more,
    }


def query_index(**more: Any) -> Request:
    return query("gk = :p", IndexName="byg", **more)


def transact(*actions: dict[str, Any]) -> Request:
    return "TransactWriteItems", {"TransactItems": list(actions)}


def write(sk: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "table", "Item": {"pk": {"S": "p"}, "sk": {"S": sk}, **more}}}


def batch_write(*sks: str, size: int = 0) -> Request:
    text = {"a": {"S": "x" * size}} if size else {}
    writes = [{"PutRequest": {"Item": {"pk": {"S": "p"}, "sk": {"S": sk}, **text}}} for sk in sks]
    return "BatchWriteItem", {"RequestItems": {"table": writes}}


def batch_get(*sks: str, **more: Any) -> Request:
    keys = [{"pk": {"S": "p"}, "sk": {"S": sk}} for sk in sks]
    return "BatchGetItem", {"RequestItems": {"table": {"Keys": keys, **more}}}


def deep(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(depth):
        value = {"L": [value]}
    return value


def hundred(more: int = 0) -> str:
    return ", ".join([":v"] * (100 + more))


A, ONE, TWO, LIST = {"S": "a"}, {"N": "1"}, {"N": "2"}, {"L": [{"S": "x"}]}
KB400 = 400 * 1024

BROKEN: list[tuple[Rule, Request]] = [
    (Rule.MODEL, ("GetItem", {"TableName": "table"})),
    (Rule.MODEL, ("GetItem", {"TableName": "table", "Key": KEY, "Consistent": True})),
    (Rule.MODEL, ("GetItem", {"TableName": "table", "Key": KEY, "ConsistentRead": None})),
    (Rule.MODEL, ("GetItem", {"TableName": "table", "Key": KEY, "ConsistentRead": "yes"})),
    (Rule.MODEL, ("UpdateItem", {"TableName": "table", "Key": KEY, "ReturnValues": "SOME"})),
    (Rule.MODEL, query(Limit=0)),
    (Rule.MODEL, ("TransactWriteItems", {"TransactItems": [write("a")], "ClientRequestToken": "x" * 37})),
    (Rule.MODEL, transact()),
    (Rule.MODEL, transact(*(write(str(number)) for number in range(101)))),
    (Rule.MODEL, transact({"ConditionCheck": {"TableName": "table", "Key": KEY}})),
    (Rule.MODEL, batch_write()),
    (Rule.VALUE_TYPE, put(a={"S": "x", "N": "1"})),
    (Rule.VALUE_TYPE, put(a={})),
    (Rule.VALUE_TYPE, put(a={"S": 1})),
    (Rule.VALUE_TYPE, put(a={"N": 1})),
    (Rule.VALUE_TYPE, put(a={"N": "one"})),
    (Rule.VALUE_TYPE, put(a={"N": "NaN"})),
    (Rule.VALUE_TYPE, put(a={"NULL": False})),
    (Rule.VALUE_TYPE, put(a={"BOOL": "true"})),
    (Rule.VALUE_TYPE, put(a={"L": [{"M": {"b": {"X": "?"}}}]})),
    (Rule.NUMBER, put(a={"N": "1" * 39})),
    (Rule.NUMBER, put(a={"N": "1E126"})),
    (Rule.NUMBER, put(a={"N": "-1E-131"})),
    (Rule.NUMBER, put(a={"NS": ["1E126"]})),
    (Rule.EMPTY_SET, put(a={"SS": []})),
    (Rule.EMPTY_SET, put(a={"SS": ["x", "x"]})),
    (Rule.EMPTY_SET, put(a={"NS": ["1", "1.0"]})),
    (Rule.EMPTY_SET, update("SET a = :a", a={"BS": []})),
    (Rule.DEPTH, put(a=deep(33))),
    (Rule.ITEM_SIZE, put(a={"S": "x" * KB400})),
    (Rule.ITEM_SIZE, transact(write("a", a={"B": b"x" * KB400}))),
    (Rule.ITEM_SIZE, batch_write("a", size=KB400)),
    (Rule.KEY_ATTRIBUTES, ("GetItem", {"TableName": "table", "Key": {"pk": {"S": "p"}}})),
    (Rule.KEY_ATTRIBUTES, ("GetItem", {"TableName": "table", "Key": {**KEY, "more": A}})),
    (Rule.KEY_ATTRIBUTES, ("GetItem", {"TableName": "table", "Key": {**KEY, "sk": ONE}})),
    (Rule.KEY_ATTRIBUTES, ("PutItem", {"TableName": "table", "Item": {"pk": {"S": "p"}}})),
    (Rule.KEY_EMPTY, put(sk={"S": ""})),
    (Rule.KEY_EMPTY, transact({"Delete": {"TableName": "table", "Key": {**KEY, "pk": {"S": ""}}}})),
    (Rule.KEY_EMPTY, query("pk = :p AND begins_with(sk, :s)", values={":s": {"S": ""}})),
    (Rule.KEY_SIZE, put(pk={"S": "ü" * 1025})),
    (Rule.KEY_SIZE, put(sk={"S": "x" * 1025})),
    (Rule.INDEX_KEY, put(gk={"S": ""})),
    (Rule.INDEX_KEY, put(gs={"S": "1"})),
    (Rule.INDEX_KEY, put(gk={"NULL": True})),
    (Rule.INDEX_KEY, update("SET gk = :g", g={"S": ""})),
    (Rule.INDEX_KEY, update("SET gs = :g", g=A)),
    (Rule.EXPRESSION_EMPTY, update(None)),
    (Rule.EXPRESSION_EMPTY, transact({"Update": {"TableName": "table", "Key": KEY, "UpdateExpression": None}})),
    (Rule.EXPRESSION_EMPTY, put_if("")),
    (Rule.EXPRESSION_SIZE, put_if("attribute_exists(" + "a" * 4096 + ")")),
    (Rule.EXPRESSION_SIZE, put_if(" AND ".join(["attribute_exists(a)"] * 151))),
    (Rule.EXPRESSION_SIZE, put_if("a = :a", None, {":a": {"S": "x" * 2**21}})),
    (Rule.EXPRESSION_SYNTAX, put_if("(")),
    (Rule.EXPRESSION_SYNTAX, put_if("a = ")),
    (Rule.EXPRESSION_SYNTAX, put_if("a ? b")),
    (Rule.EXPRESSION_SYNTAX, put_if("exists(a)")),
    (Rule.EXPRESSION_SYNTAX, put_if("attribute_exists(a, b)")),
    (Rule.EXPRESSION_SYNTAX, update("a = b")),
    (Rule.EXPRESSION_SYNTAX, update("SET a")),
    (Rule.EXPRESSION_SYNTAX, update("ADD a b")),
    (Rule.EXPRESSION_SYNTAX, query(ProjectionExpression="a,")),
    (Rule.PARENTHESES, put_if("((attribute_exists(a)))")),
    (Rule.NAME_UNDEFINED, put_if("attribute_exists(#a)")),
    (Rule.NAME_UNUSED, put_if("attribute_exists(#a)", {"#a": "a", "#b": "b"})),
    (Rule.NAME_UNUSED, ("PutItem", {"TableName": "table", "Item": KEY, "ExpressionAttributeNames": {"#a": "a"}})),
    (Rule.VALUE_UNDEFINED, put_if("a = :a")),
    (Rule.VALUE_UNUSED, put_if("a = :a", None, {":a": A, ":b": A})),
    (Rule.VALUE_UNUSED, update("REMOVE a", a=A)),
    (Rule.PLACEHOLDERS, put_if("attribute_exists(a)", {})),
    (Rule.PLACEHOLDERS, put_if("attribute_exists(a)", None, {})),
    (Rule.PLACEHOLDERS, put_if("attribute_exists(a)", {"a": "a"})),
    (Rule.RESERVED, put_if("attribute_exists(status)")),
    (Rule.RESERVED, query(ProjectionExpression="a, Name")),
    (Rule.RESERVED, update("SET a.size = :a", a=A)),
    (Rule.SAME_OPERAND, put_if("a = a")),
    (Rule.SAME_OPERAND, put_if("contains(a, a)")),
    (Rule.OPERAND_TYPE, put_if("a < :a", None, {":a": {"BOOL": True}})),
    (Rule.OPERAND_TYPE, put_if("begins_with(a, :a)", None, {":a": ONE})),
    (Rule.OPERAND_TYPE, put_if("size(:a) > :b", None, {":a": A, ":b": ONE})),
    (Rule.OPERAND_TYPE, update("ADD a :a", a=A)),
    (Rule.OPERAND_TYPE, update("DELETE a :a", a=ONE)),
    (Rule.OPERAND_TYPE, update("SET a = a + :a", a=A)),
    (Rule.OPERAND_TYPE, update("SET a = list_append(a, :a)", a=A)),
    (Rule.BETWEEN, put_if("a BETWEEN :a AND :b", None, {":a": TWO, ":b": ONE})),
    (Rule.BETWEEN, put_if("a BETWEEN :a AND :b", None, {":a": A, ":b": ONE})),
    (Rule.IN_SIZE, put_if(f"a IN ({hundred(1)})", None, {":v": A})),
    (Rule.LEGACY, query(AttributesToGet=["a"])),
    (Rule.UPDATE_CLAUSE, update("SET a = :a SET b = :a", a=A)),
    (Rule.UPDATE_OVERLAP, update("SET a = :a, a.b = :a", a=A)),
    (Rule.UPDATE_OVERLAP, update("SET a = :a REMOVE a", a=A)),
    (Rule.UPDATE_KEY, update("SET sk = :a", a=A)),
    (Rule.UPDATE_TOP_LEVEL, update("ADD a.b :a", a=ONE)),
    (Rule.TRANSACTION_ONE_ACTION, transact({**write("a"), "Delete": {"TableName": "table", "Key": KEY}})),
    (Rule.TRANSACTION_TWICE, transact(write("s"), {"Delete": {"TableName": "table", "Key": KEY}})),
    (
        Rule.TRANSACTION_TWICE,
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "table", "Key": KEY}}] * 2}),
    ),
    (Rule.TRANSACTION_SIZE, transact(*(write(str(number), a={"S": "x" * 390_000}) for number in range(11)))),
    (Rule.BATCH_TWICE, batch_write("a", "a")),
    (Rule.BATCH_TWICE, batch_get("a", "a")),
    (Rule.BATCH_WRITE_COUNT, batch_write(*map(str, range(26)))),
    (Rule.BATCH_READ_COUNT, batch_get(*map(str, range(101)))),
    (Rule.BATCH_SIZE, batch_write(*map(str, range(43)), size=399_000)),
    (Rule.KEY_CONDITION, query("sk = :p")),
    (Rule.KEY_CONDITION, query("pk > :p")),
    (Rule.KEY_CONDITION, query("pk = :p AND a = :p")),
    (Rule.KEY_CONDITION, query("pk = :p OR sk = :p")),
    (Rule.KEY_CONDITION, query("pk = :p AND sk <> :p")),
    (Rule.KEY_CONDITION, query("pk = :p AND sk > :s AND sk < :p", values={":s": A})),
    (Rule.KEY_CONDITION, query("pk = :p AND sk = :s", values={":s": ONE})),
    (Rule.KEY_CONDITION, ("Query", {"TableName": "table"})),
    (Rule.FILTER_KEY, query(FilterExpression="attribute_exists(sk)")),
    (Rule.INDEX_UNKNOWN, query(IndexName="none")),
    (Rule.INDEX_CONSISTENT, query_index(ConsistentRead=True)),
    (Rule.INDEX_PROJECTION, query_index(ProjectionExpression="a, b")),
    (Rule.INDEX_PROJECTION, query_index(FilterExpression="attribute_exists(b)")),
    (Rule.INDEX_PROJECTION, query_index(Select="ALL_ATTRIBUTES")),
    (Rule.START_KEY, query(ExclusiveStartKey={"pk": {"S": "p"}})),
    (Rule.START_KEY, query_index(ExclusiveStartKey=KEY)),
    (Rule.PROJECTION_OVERLAP, query(ProjectionExpression="a, a.b")),
    (Rule.PROJECTION_OVERLAP, batch_get("a", ProjectionExpression="a, a")),
    (Rule.RETURN_VALUES, ("PutItem", {"TableName": "table", "Item": KEY, "ReturnValues": "ALL_NEW"})),
    (Rule.SELECT, query(ProjectionExpression="a", Select="COUNT")),
]

FINE: list[Request] = [
    put(a={"N": "1" * 38}, b={"N": "1E125"}, c={"N": "0"}, d={"S": ""}, e={"L": []}, f={"M": {}}, g={"B": b""}),
    put(a={"SS": ["a", "b"]}, b={"NS": ["1", "2"]}, c={"BS": [b"\0"]}, gk={"S": "g"}, gs={"N": "1"}),
    put(a=deep(31), b={"NULL": True}, c={"BOOL": False}, d={"S": "x" * 300_000}),
    put_if(
        "attribute_exists(#a) AND (NOT contains(#b, :b) OR size(c) >= :n)",
        {"#a": "status", "#b": "b"},
        {":b": A, ":n": ONE},
    ),
    put_if(f"a IN ({hundred()})", None, {":v": A}),
    put_if("(a = :a) and (b = :a)", None, {":a": A}),
    put_if("((a = :a) AND (b = :a)) OR c.d[0].e <> :a", None, {":a": A}),
    put_if("a BETWEEN :a AND :b", None, {":a": ONE, ":b": {"N": "10"}}),
    update(
        "SET a = :a, b.c[1] = if_not_exists(b.c[0], :n) + :n, d = list_append(d, :l) REMOVE e, gk "
        "ADD f :n, g :s DELETE h :s",
        a=A,
        n=ONE,
        l=LIST,
        s={"SS": ["x"]},
    ),
    ("UpdateItem", {"TableName": "table", "Key": KEY}),
    query(
        "pk = :p AND begins_with(sk, :s)", values={":s": A}, FilterExpression="attribute_exists(a)", ConsistentRead=True
    ),
    query("pk = :p AND sk BETWEEN :a AND :b", values={":a": A, ":b": {"S": "b"}}, ExclusiveStartKey=KEY, Limit=1),
    query(Select="COUNT"),
    query_index(ProjectionExpression="a, pk, gs", ExclusiveStartKey=INDEX_START),
    transact(*(write(str(number)) for number in range(100))),
    transact(
        write("a"),
        {"ConditionCheck": {"TableName": "table", "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}},
    ),
    batch_write(*map(str, range(25))),
    batch_get(*map(str, range(100)), ConsistentRead=True, ProjectionExpression="pk, a"),
]


def violations(request: Request) -> set[Rule]:
    found = Found()
    checker = Checker(found)
    checker.call("dynamodb", "CreateTable", TABLE)
    checker.call("dynamodb", *request)
    return {broken.rule for broken in found.take()}


@pytest.mark.parametrize(
    ("rule", "request_"),
    [pytest.param(rule, request, id=f"{rule.name}-{at}") for at, (rule, request) in enumerate(BROKEN)],
)
def test_a_request_that_dynamodb_would_refuse_is_found(rule: Rule, request_: Request):
    assert rule in violations(request_)


@pytest.mark.parametrize("request_", FINE, ids=[f"{each[0]}-{at}" for at, each in enumerate(FINE)])
def test_a_valid_request_to_dynamodb_is_accepted(request_: Request):
    assert violations(request_) == set()


def test_an_index_added_later_is_known():
    found = Found()
    checker = Checker(found)
    checker.call("dynamodb", "CreateTable", {**TABLE, "GlobalSecondaryIndexes": TABLE["GlobalSecondaryIndexes"]})
    index = {"IndexName": "later", "KeySchema": [{"AttributeName": "z", "KeyType": "HASH"}]}
    added = {"Create": {**index, "Projection": {"ProjectionType": "KEYS_ONLY"}}}
    types = [{"AttributeName": "z", "AttributeType": "S"}]
    checker.call(
        "dynamodb",
        "UpdateTable",
        {"TableName": "table", "AttributeDefinitions": types, "GlobalSecondaryIndexUpdates": [added]},
    )
    assert found.take() == []

    checker.call("dynamodb", *query("z = :p", IndexName="later", ConsistentRead=True))
    checker.call("dynamodb", *put(z={"S": ""}))

    assert [broken.rule for broken in found.take()] == [Rule.INDEX_CONSISTENT, Rule.INDEX_KEY]
