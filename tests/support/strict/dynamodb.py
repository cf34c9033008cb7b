"""Documented rules for requests to DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.support.strict.conditions import Expressions
from tests.support.strict.models import Complain, Models
from tests.support.strict.rules import Rule
from tests.support.strict.values import (
    Index,
    Schema,
    Values,
    check_key,
    check_key_values,
    item_size,
    schema,
    with_index,
)

ITEM: Final = 400 * 1024
_TRANSACTION: Final = 4 * 1024 * 1024
_BATCH: Final = 16 * 1024 * 1024
_BATCH_WRITES: Final = 25
_BATCH_KEYS: Final = 100
_LEGACY: Final = frozenset(
    {
        "AttributeUpdates",
        "AttributesToGet",
        "ConditionalOperator",
        "Expected",
        "KeyConditions",
        "QueryFilter",
        "ScanFilter",
    }
)
_EXPRESSION_PARAMETERS: Final = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)


class DynamoDB:
    """The rules, and the known tables. Fewer rules are checked for tables whose schema is unknown."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        """The parameters, operators and types of values so far."""
        self.models = Models({"AttributeValue": Values(self.seen).check})
        self._tables: dict[str, Schema] = {}

    def check(self, operation: str, request: dict[str, Any], complain: Complain) -> None:
        """Check a request against all rules."""
        self.models.check("dynamodb", operation, _without_empty_expressions(request), complain)
        getattr(self, f"_{operation}", self._nothing)(request, complain)

    def _nothing(self, request: dict[str, Any], complain: Complain) -> None:
        """Operations without rules of their own."""

    # Tables.

    def _CreateTable(self, request: dict[str, Any], _: Complain) -> None:  # noqa: N802  # AWS's name
        self._tables[request["TableName"]] = schema(request)

    def _UpdateTable(self, request: dict[str, Any], _: Complain) -> None:  # noqa: N802
        known = self._tables.get(request["TableName"])
        if known is not None:
            self._tables[request["TableName"]] = with_index(known, request)

    def _table(self, request: Mapping[str, Any]) -> Schema | None:
        return self._tables.get(str(request.get("TableName")))

    # Single items.

    def _GetItem(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        self._key(request, complain)
        self._expressions(request, complain)

    def _PutItem(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        self._put(request, complain)
        if request.get("ReturnValues", "NONE") not in {"NONE", "ALL_OLD"}:
            complain(f"ReturnValues is {request['ReturnValues']}", Rule.RETURN_VALUES)

    def _DeleteItem(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        self._key(request, complain)
        self._expressions(request, complain)
        if request.get("ReturnValues", "NONE") not in {"NONE", "ALL_OLD"}:
            complain(f"ReturnValues is {request['ReturnValues']}", Rule.RETURN_VALUES)

    def _UpdateItem(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        self._key(request, complain)
        self._expressions(request, complain)

    def _put(self, request: Mapping[str, Any], complain: Complain) -> int:
        self._expressions(request, complain)
        return self._item(request.get("Item"), self._table(request), complain)

    def _item(self, item: Any, table: Schema | None, complain: Complain) -> int:
        """Check an item that is written as a whole; returns its size."""
        if not isinstance(item, Mapping):
            return 0
        if table is not None:
            if missing := set(table.keys) - item.keys():
                complain(f"the item lacks {sorted(missing)}", Rule.KEY_ATTRIBUTES)
            check_key_values(item, table, "Item", complain)
        amount = item_size(item)
        if amount > ITEM:
            complain(f"the item has {amount} bytes", Rule.ITEM_SIZE)
        return amount

    def _key(self, request: Mapping[str, Any], complain: Complain) -> None:
        if (table := self._table(request)) is not None:
            check_key(request.get("Key"), table, table.keys, "Key", complain)

    def _expressions(self, request: Mapping[str, Any], complain: Complain) -> Expressions:
        for name in _EXPRESSION_PARAMETERS:
            if name in request and not request[name]:
                complain(f"{name} is {request[name]!r}", Rule.EXPRESSION_EMPTY)
        given = {name: request[name] for name in _EXPRESSION_PARAMETERS if request.get(name)}
        if given and (legacy := _LEGACY & request.keys()):
            complain(f"{sorted(legacy)} stand beside {sorted(given)}", Rule.LEGACY)
        expressions = Expressions(request, given, complain)
        self.seen.update(map("dynamodb.".__add__, request))
        self.seen.update(expressions.kinds)
        expressions.check(self._table(request))
        return expressions

    # Several items.

    def _TransactWriteItems(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        whole = 0
        keys: list[str] = []
        for entry in request.get("TransactItems") or ():
            if len(entry) != 1:
                complain(f"an entry has {sorted(entry)}", Rule.TRANSACTION_ONE_ACTION)
            for kind, about in entry.items():
                if kind == "Put":
                    whole += self._put(about, complain)
                else:
                    self._key(about, complain)
                    self._expressions(about, complain)
                    whole += item_size(about.get("Key") or {})
                keys.append(self._identity(about.get("TableName"), about.get("Key") or about.get("Item") or {}))
        _once(keys, Rule.TRANSACTION_TWICE, complain)
        if whole > _TRANSACTION:
            complain(f"the transaction has {whole} bytes", Rule.TRANSACTION_SIZE)

    def _TransactGetItems(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        gets = [entry.get("Get") or {} for entry in request.get("TransactItems") or ()]
        for about in gets:
            self._key(about, complain)
            self._expressions(about, complain)
        _once(
            [self._identity(about.get("TableName"), about.get("Key") or {}) for about in gets],
            Rule.TRANSACTION_TWICE,
            complain,
        )

    def _BatchWriteItem(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        keys: list[str] = []
        whole = 0
        for name, about in _writes(request):
            table = self._tables.get(name)
            if "PutRequest" in about:
                item = about["PutRequest"].get("Item") or {}
                whole += self._item(item, table, complain)
                keys.append(self._identity(name, item))
            else:
                key = (about.get("DeleteRequest") or {}).get("Key") or {}
                if table is not None:
                    check_key(key, table, table.keys, "Key", complain)
                keys.append(self._identity(name, key))
        _once(keys, Rule.BATCH_TWICE, complain)
        if len(keys) > _BATCH_WRITES:
            complain(f"the batch has {len(keys)} writes", Rule.BATCH_WRITE_COUNT)
        if whole > _BATCH:
            complain(f"the batch has {whole} bytes", Rule.BATCH_SIZE)

    def _BatchGetItem(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        keys: list[str] = []
        for name, about in (request.get("RequestItems") or {}).items():
            self._expressions({"TableName": name, **about}, complain)
            for key in about.get("Keys") or ():
                self._key({"TableName": name, "Key": key}, complain)
                keys.append(self._identity(name, key))
        _once(keys, Rule.BATCH_TWICE, complain)
        if len(keys) > _BATCH_KEYS:
            complain(f"the batch has {len(keys)} keys", Rule.BATCH_READ_COUNT)

    def _identity(self, table: object, item: Mapping[str, Any]) -> str:
        """The identity of an item in a request."""
        known = self._tables.get(str(table))
        names = known.keys if known is not None else sorted(item)
        return repr((table, [item.get(name) for name in names]))

    # Queries.

    def _Query(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        expressions = self._expressions(request, complain)
        if "KeyConditionExpression" not in request and "KeyConditions" not in request:
            complain("there is no condition on the key", Rule.KEY_CONDITION)
        self._read_many(request, expressions, complain)

    def _Scan(self, request: dict[str, Any], complain: Complain) -> None:  # noqa: N802
        self._read_many(request, self._expressions(request, complain), complain)

    def _read_many(self, request: dict[str, Any], expressions: Expressions, complain: Complain) -> None:
        specific = request.get("Select", "SPECIFIC_ATTRIBUTES") == "SPECIFIC_ATTRIBUTES"
        if "ProjectionExpression" in request and not specific:
            complain(f"Select is {request['Select']} beside a projection", Rule.SELECT)
        table = self._table(request)
        if table is None:
            return
        name = request.get("IndexName")
        index = table.indexes.get(name) if name is not None else None
        if name is not None and index is None:
            complain(f"there is no index {name}; there are {sorted(table.indexes)}", Rule.INDEX_UNKNOWN)
            return
        keys = index.keys if index is not None else table.keys
        if "KeyConditionExpression" in request:
            expressions.check_key_condition(keys, table)
        if index is not None and index.is_global:
            _global(request, index, expressions, complain)
        if (start := request.get("ExclusiveStartKey")) is not None:
            _start(start, table, keys, complain)


def _global(request: Mapping[str, Any], index: Index, expressions: Expressions, complain: Complain) -> None:
    name = str(request["IndexName"])
    if request.get("ConsistentRead"):
        complain(f"index {name} is read consistently", Rule.INDEX_CONSISTENT)
    if index.projected is not None:
        expressions.check_projected(index.projected, name)
        if request.get("Select") == "ALL_ATTRIBUTES":
            complain(f"index {name} has not all attributes", Rule.INDEX_PROJECTION)


def _start(start: Mapping[str, Any], table: Schema, keys: tuple[str, ...], complain: Complain) -> None:
    wanted = {*table.keys, *keys}
    if set(start) != wanted:
        complain(f"the start key has {sorted(start)}, and should have {sorted(wanted)}", Rule.START_KEY)
    check_key_values(start, table, "ExclusiveStartKey", complain)


def _writes(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, entries in (request.get("RequestItems") or {}).items():
        for about in entries:
            yield name, about


def _once(keys: list[str], rule: Rule, complain: Complain) -> None:
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        complain(f"{twice} stands twice", rule)


def _without_empty_expressions(request: dict[str, Any]) -> dict[str, Any]:
    """Parameters with their own rule, which is more specific than the model's."""
    if any(name in request and request[name] is None for name in _EXPRESSION_PARAMETERS):
        return {name: value for name, value in request.items() if name not in _EXPRESSION_PARAMETERS or value}
    return request
