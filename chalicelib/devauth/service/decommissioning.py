"""Decommissioning: tokens end at once, and a worker deletes the device's data (``events/decommissioning.py``).

The flag is written first. From then on every call of the device is refused, even if the message to the worker was lost:
the operator's next ``DELETE`` sends another one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock
from chalicelib.auditlogs.service import Action
from chalicelib.aws import queues
from chalicelib.devauth.service.changes import Note, save
from chalicelib.devauth.tables import devices as table
from chalicelib.fleet import control, head_items, heads
from chalicelib.storage.transactions import retried

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.devauth.rules.device import Device
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def decommission(tenant: TenantId, device_id: str) -> bool:
    """Start decommissioning a device; returns whether it exists. Calling it again sends the worker again.

    Raises:
        Unavailable: the queue did not accept the message. The device's tokens have ended nevertheless.
    """
    if not _mark(tenant, device_id):
        return False
    clear_out(tenant, device_id)
    return True


def clear_out(tenant: TenantId, device_id: str) -> None:
    """Have a worker delete all data of a device that is marked for decommissioning.

    Raises:
        Unavailable: the queue did not accept the message.
    """
    queues.send(queues.Queue.DECOMMISSIONS, queues.Decommission(tenant, device_id))


@retried
def _mark(tenant: TenantId, device_id: str) -> bool:
    device = _find(tenant, device_id)
    if device is None:
        return False
    mark(tenant, device, clock.now(), Note(Action.DECOMMISSION, f"Was {device.standing.status}"))
    return True


def mark(tenant: TenantId, device: Device, now: datetime, note: Note) -> None:
    """Mark the device and its head as being decommissioned; no change if it is marked already.

    Raises:
        ConditionFailed: the device was changed meanwhile.
    """
    if not device.decommissioning:
        also = _withdrawal(tenant, device, now) if control.get(tenant).acceptance_revision else None
        save(tenant, device, replace(device, decommissioning=True, updated=now), note, also)


def _withdrawal(tenant: TenantId, device: Device, now: datetime) -> Callable[[Transaction], None]:
    """What keeps acceptance rules from accepting the identity again."""
    # Imported here because only tenants with acceptance rules need it.
    from chalicelib.devauth.tables import identities

    _, known = table.look_up(tenant, device.identity_hash)

    def add(tx: Transaction) -> None:
        identities.mark_decommissioned(tx, tenant, device.identity_hash, now)
        if known.expected_key is not None:
            identities.delete(tx, tenant, [device.identity_hash])

    return add


def is_leaving(tenant: TenantId, device_id: str) -> bool:
    """Whether the device's data may be deleted: it is marked for decommissioning, or not there any more."""
    device = _find(tenant, device_id)
    return device is None or device.decommissioning


@retried
def remove(tenant: TenantId, device_id: str) -> None:
    """Delete the device itself, with its head and its auth sets. It may be gone already."""
    device = _find(tenant, device_id)
    if device is not None:
        save(tenant, device, None)


def _find(tenant: TenantId, device_id: str) -> Device | None:
    head = heads.find(tenant, device_id)
    return table.find(tenant, head.identity_hash) if head else None


def erase(tenant: TenantId) -> int:
    """Erase all devices of a removed tenant with their heads, and its acceptance rules; returns the number of items."""
    # Imported here because only the erasure needs them.
    from chalicelib.devauth.tables import acceptance, identities

    count = table.erase(tenant, partial(head_items.erase, tenant))
    # A tenant that never had a rule has nothing else either.
    if acceptance.of_tenant(tenant).revision:
        count += identities.erase(tenant) + acceptance.erase(tenant)
    return count
