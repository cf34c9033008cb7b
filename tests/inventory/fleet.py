"""Many devices of one tenant, written directly to the tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.fleet import head_items, heads, membership
from chalicelib.fleet.head import Head
from chalicelib.inventory import service
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_BATCH = 20


def fill(tenant: TenantId, number: int, group: str | None = None) -> list[str]:
    """Create accepted devices, optionally in a group; returns their sorted ids."""
    ids = [f"{group or 'device'}-{each:05}" for each in range(number)]
    for start in range(0, number, _BATCH):
        tx = Transaction()
        for device_id in ids[start : start + _BATCH]:
            service.device_created(tx, tenant, device_id, json.dumps({"sn": device_id}), "accepted", clock.now())
            head = head_items.ref(tenant, device_id)
            head.identity_hash, head.auth_status = device_id, "accepted"
            tx.put(head)
            membership.status_changed(tx, tenant, device_id, group=None, before=None, after="accepted")
        tx.commit()
    if group is not None:
        service.put_many(tenant, group, ids)
    return ids


def head_of(tenant: TenantId, device_id: str) -> Head:
    """The device head that calls of the device read."""
    head = heads.find(tenant, device_id)
    assert head is not None
    return head
