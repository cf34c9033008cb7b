"""Queries of the embedded engine read only their page, and are answered as by the engine's own function."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.engine.process import interpreter
from infra.paths import ROOT

Call = tuple[str, dict[str, Any]]

INDEXES = {"by_group": ("group", "rank"), "in_group": ("group", None), "local": ("pk", "rank")}
PAST = {"N": "1000000000"}
FUTURE = {"N": "99999999999"}


class Both:
    """The engine's functions in a process; see ``both_answers.py``."""

    def __init__(self, few: int) -> None:
        self._process = subprocess.Popen(
            [interpreter(), "-m", "tests.local.both_answers", str(few)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, calls: list[Call]) -> list[Any]:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(calls), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    process = Both(few=3)
    yield process
    process.stop()


def table(kind: str) -> Call:
    """A table with sort keys of one type, and three indexes."""
    types = {"pk": "S", "sk": kind, "group": "S", "rank": kind}

    def schema(partition: str, sort: str | None) -> list[dict[str, str]]:
        names = [(partition, "HASH"), (sort, "RANGE")]
        return [{"AttributeName": name, "KeyType": use} for name, use in names if name]

    def index(name: str) -> dict[str, Any]:
        projection = {"ProjectionType": "KEYS_ONLY" if name == "by_group" else "ALL"}
        return {"IndexName": name, "KeySchema": schema(*INDEXES[name]), "Projection": projection}

    return "CreateTable", {
        "TableName": "table",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": each} for name, each in types.items()],
        "KeySchema": schema("pk", "sk"),
        "GlobalSecondaryIndexes": [index("by_group"), index("in_group")],
        "LocalSecondaryIndexes": [index("local")],
    }


EXPIRY = {"TableName": "table", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "expires"}}

partitions = st.sampled_from(["a", "a", "a", "b"]).map(lambda text: {"S": text})
sort_keys = {
    "S": st.text("aAbö𝄞", min_size=1, max_size=3).map(lambda text: {"S": text}),
    "N": st.sampled_from(["0", "1", "-1", "-20", "3", "10", "2.5", "100"]).map(lambda n: {"N": n}),
    "B": st.lists(st.sampled_from([0, 1, 127, 255]), min_size=1, max_size=3).map(
        lambda octets: {"B": base64.b64encode(bytes(octets)).decode()}
    ),
}


@st.composite
def items(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Items that are in all indexes, or in some."""
    some = {"group": partitions, "rank": sort_keys[kind], "size": st.sampled_from([{"N": "1"}, {"N": "2"}])}
    item = {"pk": draw(partitions), "sk": draw(sort_keys[kind])}
    item |= {name: draw(values) for name, values in some.items() if draw(st.booleans())}
    if draw(st.integers(0, 4)) == 0:
        item["expires"] = draw(st.sampled_from([PAST, FUTURE]))
    return item


def write_of(item: dict[str, Any], how: str) -> dict[str, Any]:
    """An action on an item in a transaction; its parameters are those of a single write too."""
    key = {name: item[name] for name in ("pk", "sk")}
    match how:
        case "Put":
            return {"Put": {"TableName": "table", "Item": item}}
        case "Delete":
            return {"Delete": {"TableName": "table", "Key": key}}
    names = {f"#{name}": name for name in ("group", "rank")}
    values = {f":{name}": item[name] for name in names.values() if name in item}
    left = [f"#{name}" for name in names.values() if name not in item]
    expression = f"SET {', '.join(f'#{name[1:]} = {name}' for name in values)}" if values else ""
    expression += f" REMOVE {', '.join(left)}" if left else ""
    update = {"TableName": "table", "Key": key, "UpdateExpression": expression, "ExpressionAttributeNames": names}
    return {"Update": update | ({"ExpressionAttributeValues": values} if values else {})}


@st.composite
def writes(draw: st.DrawFn, kind: str) -> Call:
    drawn = [draw(items(kind)) for _ in range(draw(st.integers(1, 6)))]
    hows = st.sampled_from(["Put", "Put", "Delete", "Update"])
    match draw(st.sampled_from(["batch", "transaction", "single", "single"])):
        case "batch":
            requests = [
                {"PutRequest": {"Item": item}}
                if draw(st.booleans())
                else {"DeleteRequest": {"Key": {name: item[name] for name in ("pk", "sk")}}}
                for item in drawn
            ]
            return "BatchWriteItem", {"RequestItems": {"table": requests}}
        case "transaction":
            return "TransactWriteItems", {"TransactItems": [write_of(item, draw(hows)) for item in drawn]}
    [(how, parameters)] = write_of(drawn[0], draw(hows)).items()
    return f"{how}Item", parameters


@st.composite
def queries(draw: st.DrawFn, kind: str, some: list[dict[str, Any]]) -> Call:
    index = draw(st.sampled_from([None, *INDEXES]))
    partition, sort = INDEXES[index] if index else ("pk", "sk")
    names: dict[str, str] = {"#p": partition}
    values = {":p": draw(partitions)}
    condition = "#p = :p"
    narrowed = draw(st.booleans())
    if sort and narrowed:
        bounds = [draw(sort_keys[kind]), draw(sort_keys[kind])]
        operators = ["= :x", "< :x", "<= :x", "> :x", ">= :x", "BETWEEN :x AND :y"]
        operator = draw(st.sampled_from([*operators, "begins_with"] if kind != "N" else operators))
        names["#s"] = sort
        values |= {":x": bounds[0]} | ({":y": bounds[1]} if ":y" in operator else {})
        if operator == "begins_with":
            condition += " AND begins_with(#s, :x)"
        else:
            condition = draw(st.sampled_from([f"#p = :p AND #s {operator}", f"(#s {operator}) AND (:p = #p)"]))
    query: dict[str, Any] = {"TableName": "table", "KeyConditionExpression": condition}
    if index:
        query["IndexName"] = index
    if draw(st.booleans()):
        query["ScanIndexForward"] = draw(st.booleans())
    if draw(st.booleans()):
        query["Limit"] = draw(st.integers(1, 6))
    if draw(st.integers(0, 3 if narrowed else 1)) == 0:  # most starts would be outside of a narrow range
        after = {"group": draw(partitions), "rank": draw(sort_keys[kind])} | draw(st.sampled_from(some))
        after[partition] = values[":p"]
        query["ExclusiveStartKey"] = {name: after[name] for name in ("pk", "sk", partition, sort) if name}
    if draw(st.booleans()):
        query["FilterExpression"] = "#size = :size"
        names["#size"], values[":size"] = "size", {"N": "1"}
    if draw(st.integers(0, 3)) == 0:
        query["Select"] = "COUNT"
    return "Query", query | {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}


@st.composite
def histories(draw: st.DrawFn, kind: str) -> list[Call]:
    """Writes and queries, and what rarely happens to a table."""
    some = draw(
        st.lists(items(kind), min_size=12, max_size=25, unique_by=lambda item: (item["pk"]["S"], str(item["sk"])))
    )
    fill: Call = ("BatchWriteItem", {"RequestItems": {"table": [{"PutRequest": {"Item": item}} for item in some]}})
    begin: list[Call] = [table(kind), ("UpdateTimeToLive", EXPIRY), fill]
    rare: list[list[Call]] = [
        [("Restart", {})],
        [("Expire", {})],
        [("DeleteTable", {"TableName": "table"}), *begin],
        [update_of("in_group", "Delete")],
        [update_of("in_group", "Create")],
    ]
    calls = [*begin]
    for _ in range(draw(st.integers(2, 8))):
        calls += [draw(queries(kind, some)) for _ in range(3)]
        calls += draw(st.sampled_from(rare)) if draw(st.integers(0, 4)) == 0 else [draw(writes(kind))]
        calls += [draw(queries(kind, some)) for _ in range(3)]
    return calls


def update_of(index: str, how: str) -> Call:
    """Create or delete an index while there are items."""
    _, created = table("S")
    [definition] = [each for each in created["GlobalSecondaryIndexes"] if each["IndexName"] == index]
    change = definition if how == "Create" else {"IndexName": index}
    groups = [{"AttributeName": "group", "AttributeType": "S"}]
    return "UpdateTable", {
        "TableName": "table",
        "AttributeDefinitions": groups,
        "GlobalSecondaryIndexUpdates": [{how: change}],
    }


@settings(max_examples=50)
@given(calls=st.sampled_from("SNB").flatmap(histories))
def test_queries_are_answered_as_by_the_engine_whatever_was_written(both: Both, calls: list[Call]) -> None:
    for (action, parameters), answer in zip(calls, both.run(calls), strict=True):
        if action == "Query":
            (ours, _), (engines, _) = answer
            assert ours == engines, parameters


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("index", [None, "local"])
def test_pages_end_at_1_mb_and_go_on_from_there(both: Both, forward: bool, index: str | None) -> None:
    def put(number: int) -> Call:
        rank = {"S": f"{9 - number % 5}-{number:02}"}
        item = {"pk": {"S": "a"}, "sk": {"S": f"{number:02}"}, "rank": rank, "text": {"S": "x" * (30_000 * number)}}
        return "PutItem", {"TableName": "table", "Item": item}

    query: dict[str, Any] = {
        "TableName": "table",
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "a"}},
        "ScanIndexForward": forward,
    } | ({"IndexName": index} if index else {})
    written = [table("S"), *(put(number) for number in range(1, 13))]
    seen: list[str] = []
    start: dict[str, Any] = {}
    for _ in range(20):
        *_, ((ours, _), (engines, _)) = both.run([*written, ("Query", query | start)])
        assert ours == engines
        seen += [item["sk"]["S"] for item in ours[1]["Items"]]
        if "LastEvaluatedKey" not in ours[1]:
            break
        start = {"ExclusiveStartKey": ours[1]["LastEvaluatedKey"]}

    assert sorted(seen) == [f"{number:02}" for number in range(1, 13)]


CONDITIONS: dict[str, dict[str, Any]] = {
    "first": {},
    "last": {"ScanIndexForward": False},
    "from": {"KeyConditionExpression": "pk = :p AND sk > :x", "ExpressionAttributeValues": {":x": {"S": "00100"}}},
    "after": {"ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"S": "00100"}}},
    "prefix": {
        "KeyConditionExpression": "pk = :p AND begins_with(sk, :x)",
        "ExpressionAttributeValues": {":x": {"S": "000"}},
    },
    "nothing": {"KeyConditionExpression": "pk = :p AND sk < :x", "ExpressionAttributeValues": {":x": {"S": "0"}}},
    "index": {"IndexName": "local"},
    "group": {
        "IndexName": "by_group",
        "KeyConditionExpression": "#g = :p",
        "ExpressionAttributeNames": {"#g": "group"},
    },
    "filtered": {
        "FilterExpression": "size_ = :size",
        "ExpressionAttributeValues": {":size": {"N": "1"}},
    },
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_page_costs_the_same_in_a_partition_of_both(both: Both, condition: str) -> None:
    def looked_at(size: int) -> tuple[int, int]:
        def put(number: int) -> dict[str, Any]:
            sort = {"S": f"{number:05}"}
            item = {"pk": {"S": "a"}, "sk": sort, "group": {"S": "a"}, "rank": sort, "size_": {"N": "1"}}
            return {"PutRequest": {"Item": item}}

        puts = [put(number) for number in range(size)]
        batches: list[Call] = [
            ("BatchWriteItem", {"RequestItems": {"table": puts[at : at + 25]}}) for at in range(0, size, 25)
        ]
        wanted = CONDITIONS[condition]
        query = {"TableName": "table", "KeyConditionExpression": "pk = :p", "Limit": 20} | wanted
        query["ExpressionAttributeValues"] = wanted.get("ExpressionAttributeValues", {}) | {":p": {"S": "a"}}
        # The first query sorts the keys; the write between the two is put in its place.
        change = ("BatchWriteItem", {"RequestItems": {"table": [put(size)]}})
        *_, ((ours, cost), (engines, engines_cost)) = both.run(
            [table("S"), *batches, ("Query", query), change, ("Query", query)]
        )
        assert ours == engines
        assert ours[1]["Count"] == (0 if condition == "nothing" else 20)
        return cost, engines_cost

    (small, engines_small), (large, engines_large) = looked_at(150), looked_at(600)

    assert small == large < 300
    assert engines_large > engines_small + 450, "the engine looks at all items now: is the patch still needed?"
