"""Previews an acceptance rule: which of the pending devices it would accept. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock, limits
from chalicelib.devauth.rules import acceptance as rules
from chalicelib.devauth.rules.acceptance import Kind
from chalicelib.devauth.rules.device import Known
from chalicelib.devauth.rules.sets import Status
from chalicelib.devauth.service.acceptance.accepting import applicant
from chalicelib.devauth.tables import devices, identities

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.devauth.rules.acceptance import Rule
    from chalicelib.devauth.rules.device import Device
    from chalicelib.devauth.shapes import NewAcceptanceRule
    from chalicelib.storage.keys import TenantId


def preview(tenant: TenantId, wanted: NewAcceptanceRule) -> tuple[list[Device], int]:
    """The pending devices that a rule would accept if they asked now, by id, and how many pending devices were checked.

    Limits are not considered. The check ends at ``limits.PREVIEW_DEVICES`` devices.

    Raises:
        BadRequest: the rule is not valid.
    """
    now = clock.now()
    rule = rules.rule_of(wanted, "preview", now)
    pending = devices.listed(tenant, [Status.PENDING], 0, limits.PREVIEW_DEVICES)
    if rule.type is Kind.IDENTITIES:
        expected = identities.find_many(tenant, [device.identity_hash for device in pending])
        keys = {each: found.pubkey for each, found in expected.items()}
        accepted = [each for each in pending if _would_accept(rule, each, Known(keys.get(each.identity_hash)), now)]
    else:
        matching = [each for each in pending if _would_accept(rule, each, Known(), now)]
        gone = identities.decommissioned(tenant, [each.identity_hash for each in matching])
        accepted = [each for each in matching if each.identity_hash not in gone]
    return accepted, len(pending)


def _would_accept(rule: Rule, device: Device, known: Known, now: datetime) -> bool:
    """Whether the rule accepts the device with any of its keys."""
    if device.decommissioning:
        return False
    return any(rules.accepts(rule, applicant(device, known, each), now) for each in device.standing.sets)
