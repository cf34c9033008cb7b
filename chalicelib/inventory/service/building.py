"""Builds snapshots: which tenants need one, and the worker (``docs/adr/0006-inventory-search.md``)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.aws import queues, s3
from chalicelib.fleet import control, control_items, growth, schema
from chalicelib.inventory.rules import building, finding, snapshot
from chalicelib.inventory.service.snapshots import load, look
from chalicelib.inventory.tables import changes, snapshots
from chalicelib.inventory.tables.snapshots import Pointer

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.inventory.tables.changes import Change
    from chalicelib.storage.keys import TenantId

_NOTICE = timedelta(minutes=15)
"""Longer than any process uses a control item or runs a call, so that all store rows in the same way."""
_LEASE = timedelta(minutes=5)
"""At least as long as a build may take: the worker's timeout."""


def tick(_now: datetime) -> None:
    """Send a message to the worker for each tenant that may need a new snapshot."""
    for tenant in snapshots.due():
        queues.send(queues.Queue.SNAPSHOTS, queues.Snapshot(tenant))


def rebuild(tenant: TenantId) -> bool:
    """Build the tenant's next snapshot if enough devices have changed; returns whether there is more to do.

    It may run twice, concurrently, or be interrupted: a snapshot is valid once the holder of the lease has made the
    pointer lead to it, and changes are removed only after that.
    """
    snapshots.looked(tenant)
    before = snapshots.find(tenant)
    rows = changes.read(tenant)
    now = clock.now()
    key = s3.key(tenant, "snapshots", str(uuid.uuid4()))
    if not finding.is_due(len(rows), before.devices) or not snapshots.lease(tenant, before, key, now, now + _LEASE):
        return False
    for left, version in before.garbage:
        s3.delete(left, version)
    if before.building is not None:
        s3.delete(before.building)
    step = rows[: limits.SNAPSHOT_STEP]
    _, settled = look(tenant, step, {})
    size, data = building.build(load(before), {device_id: device for device_id, (_, device) in settled.items()})
    ref = s3.put(key, data)
    devices = snapshot.opened(size, lambda start, stop: data[start:stop]).devices
    pointer = Pointer((key, ref.version), size, devices)
    if not snapshots.publish(tenant, before, pointer, key, beside=_are_gathered(tenant, rows, now)):
        s3.delete(key, ref.version)
        return False
    growth.consider(tenant, devices)
    changes.settle([row for row in step if row.device_id in settled])
    return len(rows) > len(step)


def _are_gathered(tenant: TenantId, rows: list[Change], now: datetime) -> bool:
    """Whether all rows of changed devices of a small tenant are in one partition, as all later ones will be.

    The first time, it makes processes store them there. Rows that are elsewhere are removed by a build, as all others.
    It stays true after the tenant has become large, since a process may not have noticed that yet.
    """
    known = control.get(tenant, fresh=True)
    if known.changes_from is None:
        if known.parts == 1 and schema.is_at_least(control.CHANGES_KNOWN):
            control_items.gather_changes(tenant, now + _NOTICE)
        return False
    return now >= known.changes_from + _NOTICE and changes.are_gathered(rows, tenant)
