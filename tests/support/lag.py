"""Simulates lagging indexes and eventually consistent reads, for as long as a test needs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.storage import dynamodb


@contextmanager
def stale_indexes(*, empty: bool = False) -> Iterator[None]:
    """Let every index repeat its first answer, or with ``empty`` answer as if nothing had been written."""
    shared = dynamodb.shared()
    real = shared.call
    first: dict[str, dict[str, Any]] = {}

    def dispatch(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if "IndexName" not in request:
            return real(operation, request)
        asked = json.dumps([operation, request], sort_keys=True, default=repr)
        if asked not in first:
            first[asked] = {"Items": [], "Count": 0, "ScannedCount": 0} if empty else real(operation, request)
        return copy.deepcopy(first[asked])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "call", dispatch)
        yield


Key = tuple[str, str]
"""The table, and the key as text."""


@contextmanager
def behind() -> Iterator[dict[Key, dict[str, Any] | None]]:
    """Let eventually consistent reads of tables and indexes not see writes during the block.

    The result has the written items as they were before. A stale_indexes query does not return
    deleted items.
    """
    shared = dynamodb.shared()
    real = shared.call
    before: dict[Key, dict[str, Any] | None] = {}

    def dispatch(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        for table, key in _written(operation, request):
            about = {"TableName": table, "Key": key, "ConsistentRead": True}
            before.setdefault(_key(table, key), real("GetItem", about).get("Item"))
        answer = real(operation, request)
        if operation in {"GetItem", "Query"} and not request.get("ConsistentRead"):
            _take_back(request["TableName"], request, answer, before)
        if operation == "BatchGetItem":
            for table, about in request["RequestItems"].items():
                if not about.get("ConsistentRead"):
                    found = {"Items": answer["Responses"].get(table, [])}
                    _take_back(table, about, found, before)
                    answer["Responses"][table] = found["Items"]
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "call", dispatch)
        yield before


def _key(table: str, item: dict[str, Any]) -> Key:
    return table, json.dumps([item["pk"], item["sk"]])


def _written(operation: str, request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Table and key of each item that a request writes."""
    if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        entries = [(request["TableName"], request)]
    elif operation == "TransactWriteItems":
        writes = [
            write for entry in request["TransactItems"] for kind, write in entry.items() if kind != "ConditionCheck"
        ]
        entries = [(write["TableName"], write) for write in writes]
    elif operation == "BatchWriteItem":
        entries = [
            (table, write)
            for table, several in request["RequestItems"].items()
            for entry in several
            for write in entry.values()
        ]
    else:
        return
    for table, write in entries:
        item = write.get("Key") or write["Item"]
        yield table, {name: item[name] for name in ("pk", "sk")}


def _take_back(
    table: str, request: dict[str, Any], answer: dict[str, Any], before: dict[Key, dict[str, Any] | None]
) -> None:
    """Replace items by their earlier versions."""

    def old(item: dict[str, Any]) -> dict[str, Any] | None:
        found = before.get(_key(table, item), item)
        if found is None or found is item or "ProjectionExpression" not in request:
            return copy.deepcopy(found)
        return {name: value for name, value in found.items() if name in item}

    if "Items" in answer:
        answer["Items"] = [known for item in answer["Items"] if (known := old(item)) is not None]
        if "Count" in answer:
            answer["Count"] = len(answer["Items"])
    elif (name := _key(table, request["Key"])) in before:
        answer.pop("Item", None)
        if (known := before[name]) is not None:
            answer["Item"] = copy.deepcopy(known)
