"""Deletes the data of decommissioned devices: every feature that stores any adds its ``device_gone`` here.

It can be interrupted at any point and run again. The device's head, by which all other data are found, is deleted last,
in one transaction with the rest of device authentication.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deployments.service import managing as deployments
from chalicelib.devauth import service as devauth
from chalicelib.deviceconfig import service as deviceconfig
from chalicelib.deviceconnect import service as deviceconnect
from chalicelib.devicemonitor import service as devicemonitor

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def clear_out(tenant: TenantId, device_id: str) -> None:
    """Delete the data of a decommissioned device in every feature, also what an earlier run left behind.

    A device that is not marked for decommissioning is left alone.
    """
    if not devauth.is_leaving(tenant, device_id):
        return
    deployments.device_gone(tenant, device_id)
    deviceconfig.device_gone(tenant, device_id)
    deviceconnect.device_gone(tenant, device_id)
    devicemonitor.device_gone(tenant, device_id)
    devauth.remove(tenant, device_id)
