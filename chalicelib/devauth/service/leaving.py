"""Decommissioning: the device loses its rights at once, and a worker clears it out of every feature.

The flag comes first. From then on every call of the device is refused, whatever happens to the message: if the
queue did not take it, the operator's next ``DELETE`` sends another. The worker may run any number of times and
die at any point; what is read to find the rest, the head, goes last, with everything else of device
authentication in one transaction.
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
    """Start to remove a device; whether there is one. Asking again sends the worker again.

    Raises:
        Unavailable: the queue did not take the message. The device is locked out all the same.
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
    """Flag the device as leaving, on itself and on its head; one that is flagged already stays as it is.

    Raises:
        OvertakenError: the device was changed meanwhile.
    """
    if not device.decommissioning:
        save(tenant, device, replace(device, decommissioning=True, updated=now), note)


def clear_out(tenant: TenantId, device_id: str) -> None:
    """Remove a device from every feature; what is left there of one that is gone, too. One that stays is left alone."""
    # Imported here: a device that asks for a token does not pay for it.
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
    """Erase all devices of a tenant that is removed, with their heads; how many items there were."""
    return tables.erase(tenant, partial(heads.erase, tenant))
