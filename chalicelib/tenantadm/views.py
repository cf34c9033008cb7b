"""Tenants as the API returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from chalicelib.clock import rfc3339
from chalicelib.tenantadm import shapes
from chalicelib.tenantadm.rules import Status
from chalicelib.tiers import LIMITS, PerTier, Tier

if TYPE_CHECKING:
    from chalicelib.tenantadm.tables import Tenant


def tenant(found: Tenant, accepted: PerTier, *, token: bool, tiers: bool) -> shapes.Tenant:
    """A tenant with ``accepted`` devices; with its tenant token and its limits by tier, or without."""
    limits = {
        name: shapes.DeviceLimit(name, found.id, accepted.of(tier), found.devices.of(tier))
        for name, tier in LIMITS.items()
    }
    about = {name: value for name, value in found.notes.items() if name in {"marketing", "campaign"}}
    trial = found.trial_expiration
    return shapes.Tenant(
        id=found.id,
        name=found.name,
        status=found.status.shown,
        plan=found.plan,
        addons=list(found.addons),
        created_at=rfc3339(found.created),
        updated_at=rfc3339(found.updated),
        device_count=sum(accepted.of(tier) for tier in Tier),
        device_limit=found.max_devices,
        trial=trial is not None,
        trial_expiration=rfc3339(trial) if trial else UNSET,
        service_provider=found.service_provider,
        parent_tenant_id=found.parent or UNSET,
        additional_info=about or UNSET,
        tenant_token=found.tenant_token if token else UNSET,
        device_limits=limits if tiers else UNSET,
        removing=found.status is Status.REMOVING or UNSET,
    )
