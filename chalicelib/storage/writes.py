"""Writes of items that are built by hand, for the calls that devices make all the time.

pynamodb takes 100 us to build one, ten times as long. The models of ``tables`` remain the definition of names and
types: ``tests/storage/test_writes.py`` compares what is written here with what they would write.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from chalicelib.storage import dynamodb
from chalicelib.storage.transport import Refused
from chalicelib.storage.values import of_document, of_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Typed = dict[str, Any]
"""A value in DynamoDB's form: ``{"S": "text"}``."""


class Write:
    """A write of one item under a condition.

    Expressions name an attribute as ``#name``, and a value as ``:name``; what that is, the arguments say.
    """

    kind: str
    """As in a transaction."""
    operation: str
    """Alone."""

    def __init__(self, table: str) -> None:
        """``table``: the full name."""
        self._table = table
        self._condition = ""
        self._values: dict[str, Typed] = {}

    def require(self, condition: str, **values: Typed) -> Self:
        """Require a condition, besides those that were given before."""
        self._condition = f"{self._condition} AND {condition}" if self._condition else condition
        return self._valued(values)

    def request(self) -> dict[str, Any]:
        """The arguments of the operation."""
        request: dict[str, Any] = {"TableName": self._table}
        expressions = self._about(request)
        if self._condition:
            request["ConditionExpression"] = self._condition
            expressions = f"{expressions} {self._condition}"
        if names := _names(expressions):
            request["ExpressionAttributeNames"] = names
        if self._values:
            request["ExpressionAttributeValues"] = self._values
        return request

    def run(self) -> bool:
        """Write the item now, alone; False if the condition failed.

        Raises:
            Unavailable: DynamoDB does not answer.
        """
        try:
            dynamodb.shared().call(self.operation, self.request())
        except Refused as refused:
            if refused.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _about(self, request: dict[str, Any]) -> str:
        """Add what is written to the arguments; returns its expressions."""
        raise NotImplementedError

    def _valued(self, values: Mapping[str, Typed]) -> Self:
        for name, value in values.items():
            if self._values.setdefault(f":{name}", value) != value:
                raise ValueError(f"two values are called {name}")
        return self


class Put(Write):
    """A whole item."""

    kind = "Put"
    operation = "PutItem"

    def __init__(self, table: str, item: dict[str, Typed]) -> None:
        """``item``: with its key."""
        super().__init__(table)
        self._item = item

    def _about(self, request: dict[str, Any]) -> str:
        request["Item"] = self._item
        return ""


class Update(Write):
    """Changes of an item, which create it unless a condition says otherwise."""

    kind = "Update"
    operation = "UpdateItem"

    def __init__(self, table: str, pk: str, sk: str) -> None:
        """The item's key."""
        super().__init__(table)
        self._key = {"pk": {"S": pk}, "sk": {"S": sk}}
        self._clauses: dict[str, list[str]] = {}

    def set(self, name: str, value: Typed) -> Self:
        """Set an attribute."""
        return self._add("SET", f"#{name} = :{name}", {name: value})

    def set_first(self, name: str, value: Typed) -> Self:
        """Set an attribute unless the item has it."""
        return self._add("SET", f"#{name} = if_not_exists(#{name}, :{name})", {name: value})

    def add(self, name: str, amount: int) -> Self:
        """Add to a number."""
        return self._add("ADD", f"#{name} :{name}", {name: number(amount)})

    def add_at(self, name: str, index: int, amount: int) -> Self:
        """Add to an element of a list of numbers."""
        place = f"#{name}[{index}]"
        return self._add("SET", f"{place} = {place} + :{name}", {name: number(amount)})

    def remove(self, *names: str) -> Self:
        """Remove attributes."""
        for name in names:
            self._add("REMOVE", f"#{name}", {})
        return self

    @property
    def changes_something(self) -> bool:
        """Whether there is more than a condition."""
        return bool(self._clauses)

    def _about(self, request: dict[str, Any]) -> str:
        changes = " ".join(f"{kind} {', '.join(clauses)}" for kind, clauses in self._clauses.items())
        request["Key"] = self._key
        request["UpdateExpression"] = changes
        return changes

    def _add(self, kind: str, clause: str, values: Mapping[str, Typed]) -> Self:
        self._clauses.setdefault(kind, []).append(clause)
        return self._valued(values)


class Check(Write):
    """A condition on an item that a transaction does not write."""

    kind = "ConditionCheck"

    def __init__(self, table: str, pk: str, sk: str) -> None:
        """The item's key."""
        super().__init__(table)
        self._key = {"pk": {"S": pk}, "sk": {"S": sk}}

    def _about(self, request: dict[str, Any]) -> str:
        request["Key"] = self._key
        return ""


# A process uses few expressions.
@lru_cache(maxsize=256)
def _names(expressions: str) -> dict[str, str]:
    return {name: name[1:] for name in re.findall(r"#\w+", expressions)}


def text(value: str) -> Typed:
    """A string."""
    return {"S": str(value)}  # also of a StrEnum


def number(value: int) -> Typed:
    """A number."""
    return {"N": str(value)}


def time(value: datetime) -> Typed:
    """A time (``base.TimeAttribute``)."""
    return {"N": of_time(value)}


def document(value: Any) -> Typed:
    """A JSON document (``base.BlobAttribute``)."""
    return {"B": of_document(value)}
