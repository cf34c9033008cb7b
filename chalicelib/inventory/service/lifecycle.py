"""Changes of devices that device authentication makes, as parts of its transactions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chalicelib.errors import NotFound
from chalicelib.fleet import head_items
from chalicelib.fleet.tables import DeviceHead
from chalicelib.inventory.rules import attributes
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.tables import changes, devices, filters
from chalicelib.tiers import Tier

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def device_created(  # what device authentication knows about it
    tx: Transaction,
    tenant: TenantId,
    device_id: str,
    identity: str,
    status: str,
    now: datetime,
    tier: Tier = Tier.STANDARD,
) -> None:
    """A new device, with ``identity`` (JSON text) as its identity data."""
    scope = attributes.from_identity(json.loads(identity))
    devices.create(tx, tenant, Device(device_id, {attributes.IDENTITY: scope}, status, now, now, tier=tier))


def standing_changed(
    tx: Transaction, tenant: TenantId, device_id: str, status: str, tier: Tier, check_in: datetime | None
) -> None:
    """A device's authentication status, tier or last check-in (None: it has not checked in yet) changed."""
    devices.set_standing(tx, tenant, device_id, status, tier, check_in)


def checked_in(tx: Transaction, tenant: TenantId, device_id: str, now: datetime) -> None:
    """A device has checked in."""
    devices.set_check_in(tx, tenant, device_id, now)


def alerts_changed(tx: Transaction, tenant: TenantId, device_id: str, critical: int) -> None:
    """The number of a device's critical subjects has changed; it is stored as attributes, so that searches find it.

    Also writes the device's head. The transaction fails with label ``inventory`` if the device's attributes have
    changed meanwhile, with ``head`` if it is being decommissioned.

    Raises:
        NotFound: there is no such device.
    """
    device = devices.find(tenant, device_id)
    if device is None:
        raise NotFound("Device not found")
    scope: attributes.Scope = {"alert_count": [critical], "alerts": [critical > 0]}
    devices.set_attributes(tx, tenant, device, device.attributes | {attributes.MONITOR: scope})
    staying = DeviceHead.pk.exists() & DeviceHead.decommissioning.does_not_exist()
    tx.update(head_items.ref(tenant, device_id), [head_items.facts_changed()], staying, label="head")


def device_gone(tx: Transaction, tenant: TenantId, device_id: str) -> None:
    """A device was deleted."""
    devices.delete(tx, tenant, device_id)


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant; returns the number of items."""
    return devices.erase(tenant) + changes.erase(tenant) + filters.erase(tenant)
