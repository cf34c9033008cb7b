"""The lists of a tenant's devices in the index ``list`` of a table, which are divided in large tenants.

| list_pk | devices |
|---|---|
| ``T#t`` | those of a small tenant, and those stored before the tenant became large |
| ``T#t#L#<part>`` | those of a part of a large tenant (``fleet.parts``) |

A device moves from the first form to the second when it is written again, or by a migration. A list that is read at
that moment may lack it, or contain it twice.
"""

from __future__ import annotations

from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from chalicelib.fleet import control, parts
from chalicelib.storage import keys
from chalicelib.storage.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chalicelib.storage.indexes import ListIndex, M
    from chalicelib.storage.keys import TenantId


class Listed(Protocol):
    """A device in such a list."""

    @property
    def list_sk(self) -> str:
        """Its place."""


R = TypeVar("R", bound=Listed)

_MANY: Final = 500
"""Rows of parts that were read together after which only one part is read at a time."""


def partition(tenant: TenantId, device_id: str) -> str:
    """The ``list_pk`` to store with a device."""
    count = control.get(tenant).parts_to_write
    return keys.partition(tenant) if count == 1 else _part(tenant, parts.part_of(device_id, count))


def is_divided(tenant: TenantId) -> bool:
    """Whether devices of the tenant may be in parts."""
    return control.get(tenant).parts > 1


def page(tenant: TenantId, read: Callable[[str], Iterable[R]]) -> Iterator[R]:
    """The first devices of a list in the order of ``list_sk``, at least as many as a page needs, if there are.

    ``read`` reads the first rows of a partition of the index; as many as the page needs. In a divided list, their order
    must be that of ids too, so whatever precedes the id in ``list_sk`` has to be the same in all of them. Devices with
    other ids than UUIDs come in the order of their parts. It takes one query in a small tenant. In a large one it takes
    at least two: more parts, and more of them at a time, are read only if the ones before have too few.
    """
    whole = iter(read(keys.partition(tenant)))
    if not is_divided(tenant):
        return whole
    return _without_repeats(merge(whole, _from_parts(tenant, read), key=_place))


def every(tenant: TenantId, index: ListIndex[M], attributes: list[str] | None = None) -> Iterator[M]:
    """All devices of a list, in no order; one written a moment ago may be missing.

    ``attributes``: the names of those to read; None: all.
    """
    count = control.get(tenant, fresh=True).parts
    divided = [_part(tenant, part) for part in range(count)] if count > 1 else []
    found = (index.query(each, attributes_to_get=attributes) for each in (keys.partition(tenant), *divided))
    return chain.from_iterable(found)


def _part(tenant: TenantId, part: int) -> str:
    return keys.partition(tenant, "L", parts.text(part))


def _place(row: Listed) -> str:
    return row.list_sk


def _from_parts(tenant: TenantId, read: Callable[[str], Iterable[R]]) -> Iterator[R]:
    waiting = [_part(tenant, part) for part in range(control.get(tenant).parts)]
    at_once = 1
    while waiting:
        now, waiting = waiting[:at_once], waiting[at_once:]
        found = in_parallel(lambda part: list(read(part)), now)
        yield from chain.from_iterable(found)
        # The rows are in memory: parts with many are read one by one, for a page far down the list.
        at_once = 1 if sum(map(len, found)) > _MANY else 2 * at_once


def _without_repeats(rows: Iterator[R]) -> Iterator[R]:
    before = None
    for row in rows:
        if _place(row) != before:
            yield row
        before = _place(row)
