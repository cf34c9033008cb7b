"""Events that integrations receive when a device changes (``docs/behaviour.md#webhook-events``)."""

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


def emit_new(tx: Transaction, tenant: TenantId, device: Device) -> None:
    """Add the event of a new pending device to its transaction.

    A preauthorized device has its first event when it asks for a token.
    """
    if device.standing.status is Status.PENDING:
        _tell_status(tx, tenant, device)


def emit(tx: Transaction, tenant: TenantId, before: Device, after: Device | None) -> None:
    """Add the events of a change to its transaction.

    A device is reported as decommissioned once: when it is marked for decommissioning, or when it is deleted without
    that (a pending device that is replaced by a new one).
    """
    if before.decommissioning:
        return
    if after is None or after.decommissioning:
        _tell(tx, tenant, Kind.DEVICE_DECOMMISSIONED, {"id": before.id})
        return
    status = after.standing.status
    if status is before.standing.status:
        return
    _tell_status(tx, tenant, after)
    if status is Status.ACCEPTED and not before.standing.was_accepted:
        _tell(tx, tenant, Kind.DEVICE_PROVISIONED, _shape(after))


def _tell_status(tx: Transaction, tenant: TenantId, device: Device) -> None:
    _tell(tx, tenant, Kind.DEVICE_STATUS_CHANGED, {"id": device.id, "status": device.standing.status})


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
