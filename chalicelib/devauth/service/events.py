"""What a change of a device means to others: the events that integrations are told (behaviour notes K)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chalicelib.clock import rfc3339
from chalicelib.devauth.rules.sets import Status
from chalicelib.integrations import service as integrations
from chalicelib.integrations.service import Event, Kind

if TYPE_CHECKING:
    from chalicelib.devauth.rules.device import Device
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


def emit(tx: Transaction, tenant: TenantId, before: Device, after: Device | None) -> None:
    """Add the events of a change to its transaction.

    A device that is leaving was told of when it was marked; what follows from that is no news.
    """
    if after is None or before.decommissioning:
        return
    if after.decommissioning:
        _tell(tx, tenant, Kind.DEVICE_DECOMMISSIONED, {"id": after.id})
        return
    status = after.standing.status
    if status is before.standing.status:
        return
    if status is Status.ACCEPTED and not before.standing.was_accepted:
        _tell(tx, tenant, Kind.DEVICE_PROVISIONED, _shape(after))
    _tell(tx, tenant, Kind.DEVICE_STATUS_CHANGED, {"id": after.id, "status": status})


def _tell(tx: Transaction, tenant: TenantId, kind: Kind, data: dict[str, Any]) -> None:
    integrations.emit(tx, tenant, Event(kind, data["id"], data))


def _shape(device: Device) -> dict[str, Any]:
    """The device with its accepted key."""
    return {
        "id": device.id,
        "status": device.standing.status,
        "auth_sets": [
            {
                "id": item.id,
                "identity_data": json.loads(device.identity),
                "pubkey": item.pubkey,
                "ts": rfc3339(item.ts),
                "status": item.status,
            }
            for item in device.standing.sets
            if item.status is Status.ACCEPTED
        ],
        "created_ts": rfc3339(device.created),
    }
