"""Keeps the keys of queried partitions sorted, so that a page of a Query costs the same in a partition of any size.

The engine collects all items of a partition, sorts them, checks each against the key condition, and then takes a page.
Here the keys of a partition are sorted when it is first queried, and each write keeps them so. The engine's own
function gets only the items of the page (and the next one), and checks, filters and projects them as before. Its
answers are the same, which ``tests/local/test_sorted_keys.py`` tests.
"""

from __future__ import annotations

import functools
import threading
from bisect import bisect_left, bisect_right
from operator import itemgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ministack.services import dynamodb

if TYPE_CHECKING:
    from collections.abc import Iterator

    Table = dict[str, Any]
    Item = dict[str, Any]
    Key = tuple[str, str]  # of an item in the table, as the engine keeps it
    Entry = tuple[tuple[Any, ...], Key]  # the position in the order, and the key

FEW = 64
"""The engine may sort this many items for each page itself. Most partitions are small, and need no sorted keys."""

_lock = threading.RLock()
"""Held while items or keys change, because the engine's thread that expires items changes them too."""


class _Members(dict[str, Any]):
    """The engine's keys of each index, partition by partition, and the sorted keys: dropped and built again together.

    A partition is named by its index, None for the table itself, and the value of its partition key.
    """

    def __init__(self, unsorted: dict[str, Any]) -> None:
        super().__init__(unsorted)
        self._sorted: dict[tuple[str | None, Any], list[Entry]] = {}

    def entries(self, table: Table, index: str | None, partition: Any) -> list[Entry] | None:
        """The sorted keys of a partition; None if it has only a few items."""
        entries = self._sorted.get((index, partition))
        if entries is None:
            keys = self.keys_of(table, index, partition)
            if len(keys) <= FEW:
                return None
            names = _order(table, index)
            entries = sorted((_position(_item(table, key), names), key) for key in keys)
            self._sorted[index, partition] = entries
        return entries

    def keys_of(self, table: Table, index: str | None, partition: Any) -> list[Key]:
        """The keys of a partition, in no particular order."""
        if index is None:
            return [(partition, sort) for sort in table["items"].get(partition, ())]
        return list(self[index].get(partition, ()))

    def note(self, table: Table, key: Key, item: Item, *, add: bool) -> None:
        """Add an item's key to its sorted partitions, or remove it."""
        for index, hashes, ranges in ((None, *_keys(table, None)), *dynamodb._index_key_schemas(table)):
            name = (index, dynamodb._index_partition(item, hashes, ranges))
            entries = self._sorted.get(name)
            if entries is None:
                continue
            entry = (_position(item, _order(table, index)), key)
            at = bisect_left(entries, entry)
            if add:
                entries.insert(at, entry)
            elif entries[at : at + 1] == [entry]:
                del entries[at]
                if not entries:
                    del self._sorted[name]


class _Page:
    """Takes the place of a partition in the engine's function for one query: gives the items of its page only."""

    def __init__(self, table: Table, query: dict[str, Any]) -> None:
        self._table = table
        self._query = query

    def get(self, partition: Any, _default: object) -> dict[Key, Item]:
        """The items that the engine needs, by their keys."""
        table, query, index = self._table, self._query, self._query.get("IndexName") or None
        with _lock:
            members = dynamodb._index_members(table)
            entries = members.entries(table, index, partition)
            found = _range(entries, table, query) if entries else None
            if entries is None or found is None:
                return {key: _item(table, key) for key in members.keys_of(table, index, partition)}
            given: dict[Key, Item] = {}

            def read() -> Iterator[Item]:
                for at in found if query.get("ScanIndexForward", True) else reversed(found):
                    _, key = entries[at]
                    given[key] = _item(table, key)
                    yield given[key]

            # It reads as far as it must to know whether the page is the last one.
            dynamodb._paginate_evaluated_items(read(), query.get("Limit"), table, index)
            return given


class _Tables:
    """Takes the place of the engine's tables in its function for queries."""

    query: dict[str, Any]

    def get(self, name: str) -> Table | None:
        table: Table | None = dynamodb._tables.get(name)
        if not table:
            return None
        page, index = _Page(table, self.query), self.query.get("IndexName")
        return table | ({dynamodb._INDEX_MEMBERS: {index: page}} if index else {"items": page})


def apply() -> None:
    """Patch the engine. Call once, after the other patches of its DynamoDB."""
    tables = _Tables()
    globals_of_query = vars(dynamodb) | {"_tables": tables}
    engines_query = FunctionType(dynamodb._query.__code__, globals_of_query)

    def query(data: dict[str, Any]) -> Any:
        tables.query = data
        return engines_query(data)

    unsorted_members, index_item = dynamodb._index_members, dynamodb._index_item

    def index_members(table: Table) -> _Members:
        members = unsorted_members(table)
        if not isinstance(members, _Members):
            members = table[dynamodb._INDEX_MEMBERS] = _Members(members)
        return members

    def index_item_sorted(table: Table, partition: str, sort: str, item: Item, add: bool) -> None:  # noqa: FBT001
        index_item(table, partition, sort, item, add)
        members = table.get(dynamodb._INDEX_MEMBERS)
        if isinstance(members, _Members):
            members.note(table, (partition, sort), item, add=add)

    dynamodb._query = query
    dynamodb._index_members = index_members
    dynamodb._index_item = index_item_sorted
    for name in ("_set_item", "_remove_item"):
        setattr(dynamodb, name, _alone(getattr(dynamodb, name)))


def _alone(change: Any) -> Any:
    @functools.wraps(change)
    def changed(*arguments: Any) -> Any:
        with _lock:
            return change(*arguments)

    return changed


def _keys(table: Table, index: str | None) -> tuple[list[str], list[str]]:
    """The names of the partition and sort keys."""
    if index is None:
        return [table["pk_name"]], [table["sk_name"]] if table["sk_name"] else []
    hashes, ranges = dynamodb._index_key_lists(dynamodb._index_def(table, index))
    return hashes, ranges


def _order(table: Table, index: str | None) -> list[tuple[str, str]]:
    """The names and types of the attributes that order a partition. No two items are equal in all of them."""
    order: list[tuple[str, str]] = dynamodb._index_order_keys(table, _keys(table, index)[1])
    return order


def _position(item: Item, order: list[tuple[str, str]]) -> tuple[Any, ...]:
    return tuple(dynamodb._index_order_value(item, name, kind) for name, kind in order)


def _item(table: Table, key: Key) -> Item:
    item: Item = table["items"][key[0]][key[1]]
    return item


def _range(entries: list[Entry], table: Table, query: dict[str, Any]) -> range | None:
    """What a query's condition and its ExclusiveStartKey leave of a partition; None if the condition is not simple."""
    index = query.get("IndexName") or None
    hashes, ranges = _keys(table, index)
    if len(ranges) > 1 or query.get("KeyConditions"):
        return None
    start, stop = 0, len(entries)
    values: tuple[str, ...]
    for clause in dynamodb._key_condition_clauses(dynamodb._tokenize(query["KeyConditionExpression"])):
        match [token for token in clause if token[0] not in ("LPAREN", "RPAREN", "COMMA")]:
            case [("IDENT", "begins_with"), name, ("VALUE_REF", value)]:
                operator, values = "begins_with", (value,)
            case [name, (operator, _), ("VALUE_REF", value)]:
                values = (value,)
            case [name, ("IDENT", _), ("VALUE_REF", lowest), ("IDENT", _), ("VALUE_REF", highest)]:
                operator, values = "BETWEEN", (lowest, highest)
            case _:
                return None
        attribute = query["ExpressionAttributeNames"][name[1]] if name[0] == "NAME_REF" else name[1]
        if attribute in hashes:
            continue
        kind = dynamodb._get_attr_type(table, attribute)
        operands = [dynamodb._sort_key_value(query["ExpressionAttributeValues"][each], kind) for each in values]
        found = _where(entries, operator, operands)
        if found is None:
            return None
        start, stop = found
    cursor = query.get("ExclusiveStartKey")
    if cursor:
        position = _position(cursor, _order(table, index))
        if query.get("ScanIndexForward", True):
            start = max(start, bisect_right(entries, position, key=itemgetter(0)))
        else:
            stop = min(stop, bisect_left(entries, position, key=itemgetter(0)))
    return range(start, max(start, stop))


def _where(entries: list[Entry], operator: str, operands: list[Any]) -> tuple[int, int] | None:
    """The first entry whose sort key fulfils a condition, and the one after the last; None if it is not known."""
    lowest, highest = operands[0], operands[-1]

    def sort_key(entry: Entry) -> Any:
        return entry[0][0][: len(lowest)] if operator == "begins_with" else entry[0][0]

    first = bisect_left(entries, lowest, key=sort_key)
    after = bisect_right(entries, highest, key=sort_key)
    match operator:
        case "EQ" | "BETWEEN" | "begins_with":
            return first, after
        case "LT":
            return 0, first
        case "LE":
            return 0, after
        case "GT":
            return after, len(entries)
        case "GE":
            return first, len(entries)
        case _:
            return None
