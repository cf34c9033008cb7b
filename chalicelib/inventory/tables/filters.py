"""Saved filters, their unique names, and their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.inventory.shapes import SavedFilter, Term
from chalicelib.inventory.tables import InventoryItem
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

FILTER, NAME, COUNT = "filter", "name", "count"
"""Labels of conditions: the filter was changed or deleted meanwhile; the name is taken; the limit is reached."""

_COUNT_SORT = "FILTERS"


class FilterItem(InventoryItem):
    """A saved filter."""

    name = UnicodeAttribute()
    terms = BlobAttribute()


class FilterNameItem(InventoryItem):
    """Reserves a name for a filter."""

    filter = UnicodeAttribute()


class FilterCountItem(InventoryItem):
    """How many filters a tenant has."""

    filters = IntegerAttribute(default=0)


def _ref(tenant: TenantId, filter_id: str) -> FilterItem:
    return FilterItem(keys.partition(tenant, "FILTERS"), keys.sort(filter_id))


def _name(tenant: TenantId, name: str) -> FilterNameItem:
    return FilterNameItem(keys.partition(tenant, "FILTERNAMES"), keys.sort(name))


def _filter(item: FilterItem) -> SavedFilter:
    return SavedFilter(keys.last_part(item.sk), item.name, msgspec.convert(item.terms, list[Term]))


def find(tenant: TenantId, filter_id: str) -> SavedFilter | None:
    """The filter as it is now."""
    item = _ref(tenant, filter_id).fetch()
    return _filter(item) if item is not None else None


def of_tenant(tenant: TenantId) -> list[SavedFilter]:
    """All filters as they are now, by name."""
    rows = FilterItem.query(keys.partition(tenant, "FILTERS"), consistent_read=True)
    return sorted(map(_filter, rows), key=lambda each: (each.name, each.id))


def create(tx: Transaction, tenant: TenantId, new: SavedFilter, *, most: int) -> None:
    """Add a filter and reserve its name, unless there are ``most`` filters."""
    item = _ref(tenant, new.id)
    item.name, item.terms = new.name, new.terms
    tx.put(item, FilterItem.pk.does_not_exist(), label=FILTER)
    _claim(tx, tenant, new)
    count = FilterCountItem(keys.partition(tenant), _COUNT_SORT)
    room = FilterCountItem.pk.does_not_exist() | (FilterCountItem.filters < most)
    tx.update(count, [FilterCountItem.filters.add(1)], room, label=COUNT)


def change(tx: Transaction, tenant: TenantId, before: SavedFilter, after: SavedFilter) -> None:
    """Replace a filter if it is unchanged since it was read."""
    actions = [FilterItem.name.set(after.name), FilterItem.terms.set(after.terms)]
    tx.update(_ref(tenant, before.id), actions, FilterItem.name == before.name, label=FILTER)
    if after.name != before.name:
        _claim(tx, tenant, after)
        tx.delete(_name(tenant, before.name))


def delete(tx: Transaction, tenant: TenantId, before: SavedFilter) -> None:
    """Delete a filter and its name if it is unchanged since it was read."""
    tx.delete(_ref(tenant, before.id), FilterItem.name == before.name, label=FILTER)
    tx.delete(_name(tenant, before.name))
    tx.update(FilterCountItem(keys.partition(tenant), _COUNT_SORT), [FilterCountItem.filters.add(-1)])


def _claim(tx: Transaction, tenant: TenantId, named: SavedFilter) -> None:
    claim = _name(tenant, named.name)
    claim.filter = named.id
    tx.put(claim, FilterNameItem.pk.does_not_exist(), label=NAME)


def erase(tenant: TenantId) -> int:
    """Erase the filters of a removed tenant, and all single items of the inventory; returns their number."""
    parts = (keys.partition(tenant, "FILTERS"), keys.partition(tenant, "FILTERNAMES"), keys.partition(tenant))
    return sum(erasing.partition(FilterItem, part) for part in parts)
