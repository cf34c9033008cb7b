"""Room for devices that appear by themselves: whoever has a tenant token can send any number of them.

So many come from one network in an hour, and so many of a tenant's may be pending. When there are too many, the oldest
that nobody hears of any more goes, and the new one takes its place; devices that keep asking stay. The number is read
before the new device is written, so devices that appear at the same moment may exceed it by as many as they are.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from chalicelib import limits, settings
from chalicelib.aws import queues
from chalicelib.devauth import tables
from chalicelib.devauth.rules.device import to_drop
from chalicelib.devauth.rules.sets import Status
from chalicelib.devauth.service.changes import OvertakenError, save
from chalicelib.errors import Unauthorized, Unavailable
from chalicelib.fleet import control, strangers
from chalicelib.observability import Metric, count, logger

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.storage.keys import TenantId


def limit(tenant: TenantId) -> int:
    """How many devices of the tenant may be pending."""
    return control.get(tenant).settings.pending_devices or settings.current().pending_devices


def make(tenant: TenantId, now: datetime) -> None:
    """Let a new device in, in place of another if there are too many.

    Raises:
        TooManyRequests: enough new ones came from its network in this hour.
        Unauthorized: there are too many, and all of them may still be there. The device asks again as every device does
            that is not accepted.
    """
    strangers.admit(strangers.Kind.DEVICES, settings.current().new_devices, tenant=tenant)
    pending = sum(number for (status, _), number in tables.counts(tenant).items() if status is Status.PENDING)
    if pending >= limit(tenant) and not _drop_one(tenant, now):
        count(Metric.STRANGERS_REFUSED)
        raise Unauthorized("dev auth: too many devices are pending; accept or reject some, or raise pending_devices")


def _drop_one(tenant: TenantId, now: datetime) -> bool:
    """Drop the oldest silent one of some pending devices, which begin anywhere; whether there was one."""
    some = tables.some_of_status(tenant, Status.PENDING, str(uuid.uuid4()), limits.PENDING_LOOKED_AT)
    oldest = to_drop(some, now)
    if oldest is None:
        return False
    try:
        save(tenant, oldest, None)
    except OvertakenError:
        return False  # it has just asked again, or somebody decided about it
    count(Metric.PENDING_DEVICES_DROPPED)
    try:
        # An operator may have given it a configuration.
        queues.send(queues.Queue.DECOMMISSIONS, queues.Decommission(tenant, oldest.id))
    except Unavailable:
        logger.warning("a pending device was dropped but not all of its data were deleted", extra={"device": oldest.id})
    return True
