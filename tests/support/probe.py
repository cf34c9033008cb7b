"""Counts the cost of code in DynamoDB, in round trips and capacity units, where all calls pass.

Units follow AWS's rules on sizes, so they hold on any engine: a read of up to 4 KB is half a unit, or one if it is
strongly consistent; a write of up to 1 KB is one; in a transaction both count twice. Writes are counted on the
table; an index repeats those of the items that are in it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.storage import dynamodb

if TYPE_CHECKING:
    from collections.abc import Iterator

Typed = dict[str, Any]
"""An item or value in DynamoDB's typed form."""

_READ, _WRITE = 4096, 1024
_LONG = 3600.0
"""In seconds."""


@dataclass
class Cost:
    """The counts. ``calls`` are operation names, one for each round trip."""

    calls: list[str] = field(default_factory=list)
    read_units: float = 0.0
    write_units: float = 0.0

    @property
    def round_trips(self) -> int:
        """The number of calls."""
        return len(self.calls)

    @property
    def by_operation(self) -> Counter[str]:
        """Calls by operation."""
        return Counter(self.calls)


@contextmanager
def counted() -> Iterator[Cost]:
    """Count what the block costs, in all threads of this process.

    What the process has cached does not become too old meanwhile: a busy machine takes long for what costs little.
    """
    cost = Cost()
    known = replace(settings.current(), control_cache=_LONG)
    lock = threading.Lock()
    reading = threading.local()

    def observe(operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if getattr(reading, "ours", False):
            return
        reading.ours = True
        try:
            reads, writes = _units(operation, request, answer)
        finally:
            reading.ours = False
        with lock:
            cost.calls.append(operation)
            cost.read_units += reads
            cost.write_units += writes

    dynamodb.observers.append(observe)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(settings, "current", lambda: known)
            yield cost
    finally:
        dynamodb.observers.remove(observe)


def _units(operation: str, request: dict[str, Any], answer: dict[str, Any]) -> tuple[float, float]:
    if operation == "GetItem":
        return _read(size(answer.get("Item", {})), strong=request.get("ConsistentRead", False)), 0
    if operation in {"Query", "Scan"}:
        total = sum(map(size, answer.get("Items", ())))
        # Rows hidden by a filter were also read.
        seen = answer.get("ScannedCount", 0) / max(1, answer.get("Count", 1))
        return _read(total * max(1, seen), strong=request.get("ConsistentRead", False)), 0
    if operation == "BatchGetItem":
        return sum(
            _read(size(item), strong=request["RequestItems"][table].get("ConsistentRead", False))
            for table, items in answer.get("Responses", {}).items()
            for item in items
        ), 0
    if operation == "BatchWriteItem":
        puts = [about for writes in request["RequestItems"].values() for each in writes for about in each.values()]
        return 0, sum(_write(size(about.get("Item", {}))) for about in puts)
    if operation == "TransactWriteItems":
        writes = [(kind, about) for entry in request["TransactItems"] for kind, about in entry.items()]
        return 0, sum(2 * _write(_written(about)) for _, about in writes)
    if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        return 0, _write(_written(request))
    raise NotImplementedError(operation)


def _read(amount: float, *, strong: bool) -> float:
    return max(1, math.ceil(amount / _READ)) * (1 if strong else 0.5)


def _write(amount: int) -> int:
    return max(1, math.ceil(amount / _WRITE))


def _written(about: dict[str, Any]) -> int:
    """The size of an item after the write; 0 for a deleted one."""
    if "Item" in about:
        return size(about["Item"])
    request = {"TableName": about["TableName"], "Key": about["Key"], "ConsistentRead": True}
    return size(dynamodb.shared().call("GetItem", request).get("Item", {}))


def size(item: Typed) -> int:
    """The size of an item: its attributes' names and values, in bytes."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Typed) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        # About one byte per two digits, and one more.
        return math.ceil(len(str(content).strip("-0.")) / 2) + 1 + str(content).startswith("-")
    if kind == "B":
        return len(content) if isinstance(content, bytes) else len(content) * 3 // 4
    if kind == "L":
        return 3 + sum(1 + _size(entry) for entry in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _size(entry) for name, entry in content.items())
    return 1 if kind in {"BOOL", "NULL"} else sum(len(str(entry).encode()) for entry in content)
