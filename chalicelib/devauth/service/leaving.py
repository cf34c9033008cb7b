"""Decommissioning: tokens end at once, and a worker deletes the device's data in every feature.

The flag is written first. From then on every call of the device is refused, even if the message to the worker was lost:
the operator's next ``DELETE`` sends another one. The worker can be interrupted at any point and run again. The head, by
which all other data are found, is deleted last, in one transaction with the rest of device authentication.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock
from chalicelib.auditlogs.service import Action
from chalicelib.aws import queues
from chalicelib.devauth import tables
from chalicelib.devauth.service.changes import Note, decided, save
from chalicelib.fleet import heads

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.devauth.rules.device import Device
    from chalicelib.storage.keys import TenantId


def decommission(tenant: TenantId, device_id: str) -> bool:
    """Start decommissioning a device; returns whether it exists. Calling it again sends the worker again.

    Raises:
        Unavailable: the queue did not accept the message. The device's tokens have ended nevertheless.
    """
    if not decided(partial(_mark, tenant, device_id)):
        return False
    queues.send(queues.Queue.DECOMMISSIONS, queues.Decommission(tenant, device_id))
    return True


def _mark(tenant: TenantId, device_id: str) -> bool:
    device = _find(tenant, device_id)
    if device is None:
        return False
    mark(tenant, device, clock.now(), Note(Action.DECOMMISSION, f"Was {device.standing.status}"))
    return True


def mark(tenant: TenantId, device: Device, now: datetime, note: Note) -> None:
    """Mark the device and its head as being decommissioned; no change if it is marked already.

    Raises:
        OvertakenError: the device was changed meanwhile.
    """
    if not device.decommissioning:
        save(tenant, device, replace(device, decommissioning=True, updated=now), note)


def clear_out(tenant: TenantId, device_id: str) -> None:
    """Delete the data of a decommissioned device in every feature, also what an earlier run left behind.

    A device that is not marked for decommissioning is left alone.
    """
    # Imported here so that authentication requests do not load it.
    from chalicelib.deployments.service import managing as deployments
    from chalicelib.deviceconfig import service as deviceconfig
    from chalicelib.deviceconnect import service as deviceconnect
    from chalicelib.devicemonitor import service as devicemonitor

    device = _find(tenant, device_id)
    if device is not None and not device.decommissioning:
        return
    deployments.device_gone(tenant, device_id)
    deviceconfig.device_gone(tenant, device_id)
    deviceconnect.device_gone(tenant, device_id)
    devicemonitor.device_gone(tenant, device_id)
    decided(partial(_remove, tenant, device_id))


def _remove(tenant: TenantId, device_id: str) -> None:
    device = _find(tenant, device_id)
    if device is not None:
        save(tenant, device, None)


def _find(tenant: TenantId, device_id: str) -> Device | None:
    head = heads.find(tenant, device_id)
    return tables.find(tenant, head.identity_hash) if head else None


def erase(tenant: TenantId) -> int:
    """Erase all devices of a removed tenant, with their heads; returns the number of items."""
    return tables.erase(tenant, partial(heads.erase, tenant))
