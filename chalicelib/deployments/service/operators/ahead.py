"""Which devices have an unfinished deployment that comes before a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.service import plans
from chalicelib.deployments.service.filter_matches import FilterMatches
from chalicelib.deployments.tables import deployments, heads
from chalicelib.fleet import control
from chalicelib.fleet import heads as fleet_heads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId


def busy(tenant: TenantId, device_ids: Iterable[str]) -> list[str]:
    """The devices that have an unfinished deployment, in the same order; a hundred per round trip.

    Dynamic deployments count if a poll of the device has found that it matches.
    """
    wanted = list(device_ids)
    known = fleet_heads.find_many(tenant, wanted)
    opened = control.get(tenant, fresh=True).open
    before = {device_id: set(_deployments(tenant, head, opened)) for device_id, head in known.items()}
    found = deployments.find_many(tenant, set().union(*before.values()))
    unfinished = {each.id for each in found.values() if each.is_open}
    return [device_id for device_id in wanted if not unfinished.isdisjoint(before.get(device_id, ()))]


def _deployments(tenant: TenantId, head: Head, opened: Mapping[str, int]) -> Iterator[str]:
    """The deployments that a device gets before a new one. Some may have ended since its last poll."""
    current = heads.current_of(head)
    if current is not None:
        yield current.d
    yield from (deployment for _, deployment in heads.queue_of(head))
    matches = FilterMatches(tenant, head)
    for sequence, deployment in plans.possible_for(tenant, head, opened, matches):
        plan = plans.get(tenant, deployment)
        if plan is None:
            continue
        if sequence in matches.matching if plan.dynamic else plans.includes(tenant, plan, head.device_id):
            yield deployment
