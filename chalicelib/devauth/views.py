"""Devices and acceptance rules as the API returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.clock import rfc3339
from chalicelib.devauth import shapes

if TYPE_CHECKING:
    from chalicelib.devauth.rules.acceptance import Rule
    from chalicelib.devauth.rules.device import Device
    from chalicelib.devauth.tables.identities import Expected


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
            rule=item.rule,
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


def rule(found: Rule, accepted_today: int) -> shapes.AcceptanceRuleShape:
    """An acceptance rule."""
    return shapes.AcceptanceRuleShape(
        id=found.id,
        name=found.name,
        type=found.type,
        enabled=found.enabled,
        pattern=dict(found.pattern),
        certificates=[each.pem for each in found.authorities],
        authorities=[shapes.AuthorityShape(each.subject, rfc3339(each.not_after)) for each in found.authorities],
        common_name=found.common_name,
        max_per_day=found.max_per_day,
        accepted_today=accepted_today,
        created_ts=rfc3339(found.created),
        updated_ts=rfc3339(found.updated),
    )


def expected(found: Expected, its_device: Device | None) -> shapes.ExpectedShape:
    """A preregistered identity, with its device if that has asked already."""
    known = shapes.RegisteredDevice(its_device.id, its_device.standing.status) if its_device is not None else None
    return shapes.ExpectedShape(
        id=found.hash,
        identity_data=msgspec.Raw(found.identity.encode()),
        created_ts=rfc3339(found.created),
        pubkey=found.pubkey,
        device=known,
    )
