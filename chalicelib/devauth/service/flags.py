"""Flags: devices that users mark as test devices (OpenAPI: ``devices/{id}/flags``)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.devauth.service.operators import get
from chalicelib.devauth.tables import devices as table
from chalicelib.errors import TooManyRequests, Unprocessable
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


@retried
def set_test_device(tenant: TenantId, device_id: str, *, wanted: bool) -> None:
    """Mark a device as a test device, or remove the mark. Repeating it changes nothing.

    Raises:
        NotFound: there is no such device.
        TooManyRequests: the tenant has reached today's limit of changed flags.
        Unprocessable: the tenant has reached its limit of test devices.
    """
    device = get(tenant, device_id)
    if device.test_device is wanted:
        return
    now = clock.now()
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    tx = Transaction()
    table.put(tx, tenant, replace(device, test_device=wanted, updated=now))
    table.count_test_device(tx, tenant, 1 if wanted else -1, limits.TEST_DEVICES)
    table.count_flag_change(tx, tenant, f"{now:%Y-%m-%d}", int(midnight.timestamp()) + 1, limits.FLAG_CHANGES)
    about = auditlogs.Object(auditlogs.ObjectType.DEVICE, device.id, {"identity_data": device.identity})
    auditlogs.record(
        tx, tenant, auditlogs.Action.UPDATE, about, change=f"Test device: {device.test_device} -> {wanted}"
    )
    try:
        tx.commit()
    except ConditionFailed as failed:
        if "device" in failed.failed:
            raise
        if "changes" in failed.failed:
            raise TooManyRequests(retry_after=int((midnight - now).total_seconds()) + 1) from failed
        raise Unprocessable(
            f"maximum number of test devices reached ({limits.TEST_DEVICES}); unmark another device first"
        ) from failed
