"""Changes of device heads that users and features make, with pynamodb. Devices' own calls use ``fleet.heads``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.fleet import heads
from chalicelib.fleet.tables import DeviceHead
from chalicelib.storage import erasing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.storage.base import Action
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def ref(tenant: TenantId, device_id: str) -> DeviceHead:
    """A head as the key of an update, without other attributes."""
    pk, sk = heads.key(tenant, device_id)
    return DeviceHead(pk, sk)


def facts_changed() -> Action:
    """The action for the head that belongs to every change of a device's attributes, tags or group.

    Dynamic deployments store in the head whether their filters match the device. This counter tells them when to match
    again.
    """
    return DeviceHead.facts.add(1)


def require_staying(tx: Transaction, tenant: TenantId, device_id: str) -> None:
    """Make ``tx`` fail with label ``head`` if the device is being decommissioned; unknown ids pass.

    For data that is deleted only with the device: if it were written later, it would never be deleted.
    """
    tx.check(ref(tenant, device_id), DeviceHead.decommissioning.does_not_exist(), label="head")


def erase(tenant: TenantId, device_ids: Iterable[str]) -> int:
    """Erase the heads of these devices; returns their number at most."""
    return erasing.rows(DeviceHead, (heads.key(tenant, device_id) for device_id in device_ids))
