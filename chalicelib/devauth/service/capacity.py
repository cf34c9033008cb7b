"""Limits of new and pending devices: anybody with a tenant token can send any number of requests.

The number of new devices is limited for each network and hour, and the number of pending devices for each tenant. If
there are too many, the oldest one that has fallen silent is deleted in favour of the new one; devices that keep asking
stay. The number is read before the new device is written, so devices that appear at the same moment may exceed the
limit by their number; in a large tenant, those within ``settings.control_cache`` seconds in one process.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from chalicelib import limits, settings
from chalicelib.aws import queues
from chalicelib.cache import Cache
from chalicelib.devauth.rules.device import to_drop
from chalicelib.devauth.rules.sets import Status
from chalicelib.devauth.service.changes import save
from chalicelib.devauth.tables import devices as table
from chalicelib.errors import Unauthorized, Unavailable
from chalicelib.fleet import control, counts, strangers
from chalicelib.observability import Metric, count, logger
from chalicelib.storage.transactions import ConditionFailed

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.storage.keys import TenantId

_numbers: Cache[TenantId, int] = Cache()


def limit(tenant: TenantId) -> int:
    """The tenant's limit of pending devices."""
    return control.get(tenant).settings.pending_devices or settings.current().pending_devices


def make(tenant: TenantId, now: datetime) -> None:
    """Allow one more pending device; if there are too many, replace a silent one.

    Raises:
        TooManyRequests: the network has reached this hour's limit of new devices.
        Unauthorized: there are too many, and none of them is known to be silent. The device asks again, as every
            device does that is not accepted.
    """
    strangers.admit(strangers.Kind.DEVICES, settings.current().new_devices, tenant=tenant)
    if _number(tenant) >= limit(tenant) and not _drop_one(tenant, now):
        count(Metric.STRANGERS_REFUSED)
        raise Unauthorized("dev auth: too many devices are pending; accept or reject some, or raise pending_devices")


def _number(tenant: TenantId) -> int:
    """The number of pending devices; of a large tenant, a few seconds ago."""

    def read() -> int:
        return counts.number(tenant, Status.PENDING, None)

    # Every part of a large tenant has its own number.
    return read() if control.get(tenant).parts == 1 else _numbers.get(tenant, read)


def _drop_one(tenant: TenantId, now: datetime) -> bool:
    """Delete the oldest silent one of some pending devices, chosen at random; returns whether there was one."""
    some = table.some_of_status(tenant, Status.PENDING, str(uuid.uuid4()), limits.PENDING_LOOKED_AT)
    oldest = to_drop(some, now)
    if oldest is None:
        return False
    try:
        save(tenant, oldest, None)
    except ConditionFailed:
        return False  # it has just asked again, or somebody decided about it
    count(Metric.PENDING_DEVICES_DROPPED)
    try:
        # An operator may have configured it already.
        queues.send(queues.Queue.DECOMMISSIONS, queues.Decommission(tenant, oldest.id))
    except Unavailable:
        logger.warning("a pending device was dropped but not all of its data were deleted", extra={"device": oldest.id})
    return True
