"""Reads items into structs, for the calls that devices make all the time, and for long lists.

pynamodb takes 80 us to read a device's head, twenty times as long. The models of ``tables`` remain the definition of
names and types: ``tests/storage/test_records.py`` compares the structs with them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, get_type_hints

import msgspec

from chalicelib.storage import dynamodb
from chalicelib.storage.values import to_document, to_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

R = TypeVar("R", bound=msgspec.Struct)
Typed = dict[str, Any]


def _numbered(stored: Typed) -> tuple[int, str]:
    """A number with a text: a list of both, or just the number if the text is empty."""
    if "N" in stored:
        return int(stored["N"]), ""
    number, text = stored["L"]
    return int(number["N"]), text["S"]


_READ: Final[dict[object, tuple[str, Callable[[Any], Any] | None]]] = {
    str: ("S", None),
    str | None: ("S", None),
    int: ("N", int),
    int | None: ("N", int),
    bool: ("BOOL", None),
    datetime | None: ("N", to_time),
    bytes | None: ("B", None),
    dict[str, tuple[int, str]]: ("M", lambda named: {name: _numbered(each) for name, each in named.items()}),
    list[int] | None: ("L", lambda numbers: [int(each["N"]) for each in numbers]),
    list[str] | None: ("L", lambda texts: [each["S"] for each in texts]),
    # A blob (``base.BlobAttribute``).
    Any: ("B", to_document),
}
"""How a field of each type is stored: DynamoDB's type, and what makes the field of it; None: it is the same."""


class Range(msgspec.Struct, frozen=True):
    """The condition of a query on the sort key: that it begins with a text, or is less or greater than it."""

    operator: Literal["begins", "<", ">"]
    text: str


class Reader(Generic[R]):
    """Reads items as structs, whose fields have the names of the attributes. Other attributes are ignored."""

    def __init__(self, record: type[R]) -> None:
        """``record``: a struct with ``pk`` and ``sk``, and a default for all other fields."""
        self._record = record
        self._fields = [(name, *_READ[kind]) for name, kind in get_type_hints(record).items()]

    def of(self, item: Typed) -> R:
        """An item in DynamoDB's form as a struct. Attributes that are null count as absent."""
        found = {}
        for name, kind, convert in self._fields:
            value = item.get(name)
            if value is not None and kind in value:
                content = value[kind]
                found[name] = content if convert is None else convert(content)
        return self._record(**found)

    def find(self, table: str, pk: str, sk: str) -> R | None:
        """The item (strongly consistent read); None if it does not exist. ``table``: the full name."""
        request = {"TableName": table, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "ConsistentRead": True}
        item = dynamodb.shared().call("GetItem", request).get("Item")
        return None if item is None else self.of(item)

    def find_many(self, table: str, keys: Iterable[tuple[str, str]], *, recent: bool = False) -> list[R]:
        """The existing ones of these different items, in any order; 100 per round trip.

        Strongly consistent; with ``recent`` eventually consistent, for half the price.
        """
        wanted = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys]
        found: list[Typed] = []
        for start in range(0, len(wanted), _AT_ONCE):
            about = {"Keys": wanted[start : start + _AT_ONCE], "ConsistentRead": not recent}
            answer = dynamodb.shared().call("BatchGetItem", {"RequestItems": {table: about}})
            found += answer.get("Responses", {}).get(table, ())
        return [self.of(item) for item in found]

    def query(
        self,
        table: str,
        partition: str,
        within: Range | None = None,
        *,
        index: str = "",
        forward: bool = True,
        limit: int | None = None,
        recent: bool = False,
    ) -> Iterator[R]:
        """The items of a partition in the order of their sort keys; of an index, if it is named.

        Strongly consistent for the table, eventually consistent for an index, or with ``recent``, for half the price.
        ``limit``: the maximum number of items.
        """
        prefix = f"{index}_" if index else ""
        names, values = {"#pk": f"{prefix}pk"}, {":pk": {"S": partition}}
        condition = "#pk = :pk"
        if within is not None:
            names["#sk"], values[":sk"] = f"{prefix}sk", {"S": within.text}
            condition += f" AND {_CONDITIONS[within.operator]}"
        request: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": forward,
        } | ({"IndexName": index} if index else {"ConsistentRead": not recent})
        left = limit
        while left is None or left > 0:
            if left is not None:
                request["Limit"] = left
            answer = dynamodb.shared().call("Query", request)
            yield from map(self.of, answer["Items"])
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return
            left = None if left is None else left - len(answer["Items"])
            request = {**request, "ExclusiveStartKey": last}


_CONDITIONS: Final = {"begins": "begins_with(#sk, :sk)", "<": "#sk < :sk", ">": "#sk > :sk"}
_AT_ONCE: Final = 100
"""AWS: items in one ``BatchGetItem``."""
