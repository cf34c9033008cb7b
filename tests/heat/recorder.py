"""Records the reads and writes of calls by key of DynamoDB, including those of indexes (``infra.heat.traffic``).

Ids become placeholders, so that the calls of several devices count as one kind of call. Units follow the rules of
``tests/support/probe.py``. The effect of a write on an index is computed from the item before and after:
``docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes``.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import settings
from chalicelib.storage.dynamodb import Database
from infra.heat.traffic import Access
from infra.local.provision import STORAGE
from infra.local.template import read
from tests.support import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

Typed = dict[str, Any]
Place = tuple[str, str, str]
"""Table name, partition key, sort key."""
_WRITES = {"PutItem": "Item", "UpdateItem": "Key", "DeleteItem": "Key"}


def _indexes() -> dict[str, list[tuple[str, str, str, bool]]]:
    """By table name without the stage's prefix: each index's name and keys, and whether it has all attributes."""
    found = {}
    for resource in read(STORAGE)["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            about = resource["Properties"]
            name = about["TableName"]["Fn::Sub"].rsplit("-", 1)[-1]
            found[name] = [
                (
                    each["IndexName"],
                    *(key["AttributeName"] for key in each["KeySchema"]),
                    each["Projection"]["ProjectionType"] == "ALL",
                )
                for each in about.get("GlobalSecondaryIndexes", ())
            ]
    return found


class Recorder:
    """Collects accesses while it is in use, in all threads of this process.

    ``forms``: placeholders for ids and parts in keys.
    """

    def __init__(self, forms: list[tuple[re.Pattern[str], str]]) -> None:
        self._forms = forms
        self._indexes = _indexes()
        self._lock = threading.Lock()
        self._ours = threading.local()
        self._found: dict[tuple[str, str, str, str], list[float]] = {}

    @contextmanager
    def also(self, pattern: str, form: str) -> Iterator[None]:
        """Use additional placeholders while the block runs."""
        known = self._forms
        self._forms = [(re.compile(pattern), form), *known]
        yield
        self._forms = known

    @contextmanager
    def recording(self, calls: int = 1) -> Iterator[list[Access]]:
        """Record the block, which makes ``calls`` calls of a kind; the returned list is filled at its end."""
        found: list[Access] = []
        self._found = defaultdict(lambda: [0.0, 0.0, 0.0])
        real = Database.call

        def dispatch(database: Database, operation: str, request: dict[str, Any]) -> dict[str, Any]:
            if getattr(self._ours, "reading", False):
                return real(database, operation, request)
            places = _written(operation, request)
            before = self._items(database, real, places)
            answer = real(database, operation, request)
            after = self._items(database, real, places)
            with self._lock:
                self._reads(operation, request, answer)
                for place in places:
                    self._write(place, before[place], after[place], transaction=operation == "TransactWriteItems")
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Database, "call", dispatch)
            yield found
        found += sorted(
            Access(table, key, item, index, *(round(each / calls, 3) for each in units))
            for (table, index, key, item), units in self._found.items()
        )

    def _items(self, database: Database, real: Any, places: list[Place]) -> dict[Place, Typed]:
        found = {}
        for table, key, item in places:
            wanted = {"TableName": table, "Key": {"pk": {"S": key}, "sk": {"S": item}}, "ConsistentRead": True}
            self._ours.reading = True
            try:
                found[table, key, item] = real(database, "GetItem", wanted).get("Item", {})
            finally:
                self._ours.reading = False
        return found

    def _reads(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if operation == "GetItem":
            units = _read(probe.size(answer.get("Item", {})), request)
            self._add(request["TableName"], "", request["Key"]["pk"]["S"], request["Key"]["sk"]["S"], reads=units)
        elif operation == "Query":
            found = sum(map(probe.size, answer.get("Items", ())))
            clause = re.search(r"(#\w+) = (:\w+)", request["KeyConditionExpression"])
            assert clause is not None, request
            key = request["ExpressionAttributeValues"][clause[2]]["S"]
            self._add(request["TableName"], request.get("IndexName", ""), key, "", reads=_read(found, request))
        elif operation == "BatchGetItem":
            for table, about in request["RequestItems"].items():
                sizes = {(i["pk"]["S"], i["sk"]["S"]): probe.size(i) for i in answer["Responses"].get(table, ())}
                for key in about["Keys"]:
                    place = key["pk"]["S"], key["sk"]["S"]
                    self._add(table, "", *place, reads=_read(sizes.get(place, 0), about))
        elif operation != "TransactWriteItems" and operation not in _WRITES:
            raise NotImplementedError(operation)

    def _write(self, place: Place, before: Typed, after: Typed, *, transaction: bool) -> None:
        units = _write(max(probe.size(before), probe.size(after)))
        table, key, item = place
        self._add(table, "", key, item, writes=units * (2 if transaction else 1), locks=1 if transaction else 0)
        for index, hashed, ranged, all_attributes in self._indexes[self._name(place[0])]:
            old, new = (_entry(item, hashed, ranged, all_attributes=all_attributes) for item in (before, after))
            if old == new:
                continue
            same = old is not None and new is not None and old[:2] == new[:2]
            for entry in (new,) if same else (old, new):
                if entry is not None:
                    self._add(place[0], index, entry[0], "", writes=_write(probe.size(entry[2])))

    def _add(
        self, table: str, index: str, key: str, item: str, *, reads: float = 0, writes: float = 0, locks: float = 0
    ) -> None:
        units = self._found[self._name(table), index, self._form(key), "" if index else self._form(item)]
        units[0] += reads
        units[1] += writes
        units[2] += locks

    def _name(self, table: str) -> str:
        return table.removeprefix(settings.current().table_prefix)

    def _form(self, key: str) -> str:
        for pattern, form in self._forms:
            key = pattern.sub(form, key)
        return key


def _entry(item: Typed, hashed: str, ranged: str, *, all_attributes: bool) -> tuple[str, str, Typed] | None:
    """An item's keys and attributes in an index; None if the index does not contain it."""
    if hashed not in item or ranged not in item:
        return None
    kept = item if all_attributes else {name: item[name] for name in ("pk", "sk", hashed, ranged)}
    return item[hashed]["S"], item[ranged]["S"], kept


def _written(operation: str, request: dict[str, Any]) -> list[Place]:
    if operation == "TransactWriteItems":
        writes = [about for entry in request["TransactItems"] for about in entry.values()]
    else:
        writes = [request] if operation in _WRITES else []
    keys = [(about["TableName"], about.get("Item") or about["Key"]) for about in writes]
    return [(table, key["pk"]["S"], key["sk"]["S"]) for table, key in keys]


def _read(size: float, request: dict[str, Any]) -> float:
    return probe._read(size, strong=request.get("ConsistentRead", False))


def _write(size: int) -> int:
    return probe._write(size)
