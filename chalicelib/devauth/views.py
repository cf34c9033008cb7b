"""Devices as the API for authentication returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.clock import rfc3339
from chalicelib.devauth import shapes

if TYPE_CHECKING:
    from chalicelib.devauth.rules.device import Device


def device(found: Device, *, with_sets: bool = True) -> shapes.DeviceShape:
    """A device, with its auth sets or without."""
    identity = msgspec.Raw(found.identity.encode())
    auth_sets = [
        shapes.AuthSetShape(
            id=item.id,
            identity_data=identity,
            pubkey=item.pubkey,
            ts=rfc3339(item.ts),
            status=item.status,
            device_id=found.id,
            tier=item.tier,
        )
        for item in found.standing.sets
    ]
    return shapes.DeviceShape(
        id=found.id,
        identity_data=identity,
        status=found.standing.status,
        created_ts=rfc3339(found.created),
        updated_ts=rfc3339(found.updated),
        auth_sets=auth_sets if with_sets else None,
        decommissioning=found.decommissioning,
        tier=found.standing.tier,
        flags=shapes.Flags(test_device=True) if found.test_device else None,
        check_in_time=rfc3339(found.check_in) if found.check_in else None,
    )
