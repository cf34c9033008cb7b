"""Deletes the data of a removed tenant. Everything here can be interrupted anywhere and run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pynamodb.indexes import GlobalSecondaryIndex

    from chalicelib.storage.base import Item

Key = tuple[str, str]


def rows(model: type[Item], keys: Iterable[Key]) -> int:
    """Delete these items of the model's table, 25 per round trip; returns their number."""
    count = 0
    with model.batch_write() as batch:
        for pk, sk in keys:
            batch.delete(model(pk, sk))
            count += 1
    return count


def partition(model: type[Item], pk: str, *, last: str | None = None) -> int:
    """Delete a partition of the model's table, with the item ``last`` after all others; returns the number.

    ``last`` is the item by which the partition is found again after an interruption.
    """
    found = model.query(pk, consistent_read=True, attributes_to_get=["pk", "sk"])
    count = rows(model, ((row.pk, row.sk) for row in found if row.sk != last))
    if last is not None:
        count += rows(model, [(pk, last)])
    return count


def listed(index: GlobalSecondaryIndex[Any], pk: str) -> Iterator[Key]:
    """The keys of the items under ``pk`` in an index. One written a moment ago may be missing."""
    return ((row.pk, row.sk) for row in index.query(pk, attributes_to_get=["pk", "sk"]))
