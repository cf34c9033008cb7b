"""Saved filters, and which devices match them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from chalicelib import limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import BadRequest, Conflict, NotFound, Unprocessable
from chalicelib.inventory.rules import matching, queries
from chalicelib.inventory.rules.attributes import IDENTITY
from chalicelib.inventory.rules.matching import Predicate, Query
from chalicelib.inventory.service.search import search, table
from chalicelib.inventory.shapes import SavedFilter
from chalicelib.inventory.tables import devices, filters
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chalicelib.inventory.rules.device import Device
    from chalicelib.inventory.rules.snapshot import Place
    from chalicelib.inventory.shapes import FilterDefinition, Term
    from chalicelib.storage.keys import TenantId


def list_filters(tenant: TenantId, start: int, stop: int) -> tuple[list[SavedFilter], int]:
    """Rows ``start`` to ``stop`` of the filters by name, and how many there are."""
    found = filters.of_tenant(tenant)
    return found[start:stop], len(found)


def get_filter(tenant: TenantId, filter_id: str) -> SavedFilter:
    """The filter.

    Raises:
        NotFound: there is none with this id.
    """
    found = filters.find(tenant, filter_id)
    if found is None:
        raise NotFound("filter not found")
    return found


def create_filter(tenant: TenantId, given: FilterDefinition) -> str:
    """Save a filter; returns its id.

    Raises:
        BadRequest: the name or a term is not allowed.
        Conflict: the name is taken.
        Unprocessable: the tenant has reached its limit.
    """
    queries.check_definition(given)
    new = SavedFilter(str(uuid.uuid4()), given.name, given.terms or [])
    tx = Transaction()
    filters.create(tx, tenant, new, most=limits.FILTERS)
    auditlogs.record(tx, tenant, Action.CREATE, _about(new))
    try:
        tx.commit()
    except ConditionFailed as error:
        raise _refused(error) from error
    return new.id


def change_filter(tenant: TenantId, filter_id: str, given: FilterDefinition) -> None:
    """Replace name and terms of a filter.

    Raises:
        BadRequest: the name or a term is not allowed.
        NotFound: there is no such filter.
        Conflict: another has this name.
    """
    queries.check_definition(given)
    after = SavedFilter(filter_id, given.name, given.terms or [])

    def change(tx: Transaction) -> None:
        filters.change(tx, tenant, get_filter(tenant, filter_id), after)
        auditlogs.record(tx, tenant, Action.UPDATE, _about(after))

    _commit(change)


def delete_filter(tenant: TenantId, filter_id: str) -> None:
    """Remove a filter; a missing one is not an error. Deployments that began with it keep their copy."""

    def delete(tx: Transaction) -> None:
        found = filters.find(tenant, filter_id)
        if found is not None:
            filters.delete(tx, tenant, found)
            auditlogs.record(tx, tenant, Action.DELETE, _about(found))

    _commit(delete)


def matches(tenant: TenantId, device_id: str, terms: Sequence[Term]) -> bool:
    """Whether the device matches these terms now: one read. An unknown device never matches."""
    (taken,) = matches_each(tenant, device_id, [terms])
    return taken


def matches_each(tenant: TenantId, device_id: str, filters_terms: Sequence[Sequence[Term]]) -> list[bool]:
    """The same for several filters, still with one read."""
    device = devices.find(tenant, device_id)
    return [device is not None and _takes(terms, device) for terms in filters_terms]


def _takes(terms: Sequence[Term], device: Device) -> bool:
    try:
        wanted = queries.predicates(terms)
    except BadRequest:
        # A filter of an earlier version, which accepted invalid patterns: no device matches it.
        return False
    return matching.matches(device, wanted)


def count_accepted(tenant: TenantId, terms: Sequence[Term]) -> int:
    """How many accepted devices match these terms now."""
    _, total = search(tenant, _accepted(terms), 0, 0, groups=None)
    return total


def values_of_accepted(
    tenant: TenantId, terms: Sequence[Term], places: Sequence[Place], most: int
) -> tuple[dict[str, tuple[Any, ...]], int]:
    """The values of the attributes ``places`` (scope and name) of accepted devices that match these terms now, by id.

    They are of the first ``most`` devices by id. Returns also how many match.
    """
    return table(tenant, _accepted(terms), places, most)


def _accepted(terms: Sequence[Term]) -> Query:
    return Query((*queries.predicates(terms), Predicate(IDENTITY, "status", "$eq", "accepted")))


@retried
def _commit(change: Callable[[Transaction], None]) -> None:
    tx = Transaction()
    change(tx)
    try:
        tx.commit()
    except ConditionFailed as error:
        if filters.FILTER not in error.failed:
            raise _refused(error) from error
        raise


def _refused(error: ConditionFailed) -> Exception:
    if filters.NAME in error.failed:
        return Conflict("a filter with the same name already exists")
    return Unprocessable(f"too many saved filters (max: {limits.FILTERS}); delete one first")


def _about(saved: SavedFilter) -> Object:
    return Object(ObjectType.FILTER, saved.id, {"name": saved.name})
