"""Collects the overview from one reading of the inventory and two short lists of deployments.

It may be called every few seconds, so its cost does not grow with the fleet: it reads the tenant's snapshot and the
devices that changed since, as a search does, and at most a page of deployments of each kind.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chalicelib import clock
from chalicelib.deployments.service import managing as deployments
from chalicelib.inventory import service as inventory
from chalicelib.overview import rules
from chalicelib.overview.shapes import Brief, Deployments, Devices, Overview, Software, Some
from chalicelib.rights import groups_of

if TYPE_CHECKING:
    from chalicelib.rights import Names, Scopes
    from chalicelib.storage.keys import TenantId

DAYS: Final = 14
SILENT: Final = timedelta(hours=48)
"""The time after which a device counts as silent. A healthy device's check-in is stored once a day."""
SHOWN: Final = 5
"""The number of devices, and of deployments with failures, that are listed."""
SOFTWARE: Final = 8
_OPEN: Final = deployments.Wanted(statuses=frozenset({"pending", "inprogress", "scheduled"}), kind="software")
_ENDED: Final = deployments.Wanted(statuses=frozenset({"finished"}))
_OPEN_SHOWN: Final = 20
_ENDED_READ: Final = 100


def overview(tenant: TenantId, *, devices: Scopes, rollouts: Scopes) -> Overview:
    """What needs attention among the devices and deployments in these scopes; an empty scope leaves a part out."""
    found = Overview()
    if devices:
        found.devices = _devices(tenant, groups_of(devices))
    if rollouts:
        found.deployments = _deployments(tenant, rollouts)
    return found


def _devices(tenant: TenantId, groups: Names | None) -> Devices:
    seen = inventory.glance(tenant, groups, silent_since=clock.now() - SILENT, first=SHOWN)
    leading, other = rules.leading(seen.software, SOFTWARE)
    return Devices(
        by_status=dict(seen.by_status),
        alerting=_some(*seen.alerting),
        silent=_some(*seen.silent),
        silent_hours=SILENT // timedelta(hours=1),
        software=[Software(name, count) for name, count in leading],
        other_software=other,
    )


def _some(devices: list[inventory.Named], count: int) -> Some:
    return Some(count, [Brief(each.id, each.name, clock.rfc3339(each.seen) if each.seen else None) for each in devices])


def _deployments(tenant: TenantId, scopes: Scopes) -> Deployments:
    current = deployments.list_deployments(tenant, _OPEN, 0, _OPEN_SHOWN, scopes=scopes)
    ended = deployments.list_deployments(tenant, _ENDED, 0, _ENDED_READ, scopes=scopes)
    start = rules.since(clock.now(), DAYS)
    lately = [each for each in rules.ended_since(ended.rows, start) if each.type == "software"]
    return Deployments(
        open=current.rows,
        open_count=current.total,
        failed=[each for each in lately if rules.failures(each)][:SHOWN],
        days=rules.by_day(lately, start, DAYS),
    )
