"""Devices reporting their inventory. The same report again costs what the caller has already read: the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.errors import Unavailable
from chalicelib.fleet.tables import DeviceHead
from chalicelib.inventory import tables
from chalicelib.inventory.rules import attributes
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from chalicelib.inventory.shapes import AttributeInput
    from chalicelib.storage.keys import TenantId

_TRIES = 10


def report(tenant: TenantId, head: DeviceHead, given: list[AttributeInput], *, replace: bool) -> None:
    """A device reports attributes: all that it has (``replace``), or some that changed.

    Raises:
        BadRequest: a name or value is not allowed, or there are too many.
        Unavailable: the device's attributes kept changing under us.
    """
    now = clock.now()
    seen = attributes.fingerprint("PUT" if replace else "PATCH", now.date().isoformat(), given)
    if head.inventory_hash == seen:
        return
    for _ in range(_TRIES):
        device = tables.find(tenant, head.device_id)
        if device is None:
            # The device is being removed: its token will not be good for another call.
            return
        scope = attributes.merged(
            device.scope(attributes.INVENTORY),
            given,
            replace=replace,
            most=limits.INVENTORY_ATTRIBUTES,
        )
        after = device.attributes | {attributes.INVENTORY: scope}
        attributes.check_size(after)
        tx = Transaction()
        tables.set_attributes(tx, tenant, device, after, updated=now, check_in=now)
        # The head is written anyway, so the check-in rides along.
        tx.update(
            DeviceHead(head.pk, head.sk),
            [DeviceHead.inventory_hash.set(seen), DeviceHead.seen.set(now)],
            DeviceHead.pk.exists(),
            label="head",
        )
        try:
            tx.commit()
        except ConditionFailed:
            continue
        return
    raise Unavailable("service unavailable", retry_after=1)
