"""How a tenant changes: the tenant and its control item in one transaction, held to the tenant as it was read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib import clock, features
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import NotFound, Unavailable
from chalicelib.fleet import control
from chalicelib.storage.transactions import RACES, ConditionFailed, Transaction
from chalicelib.tenantadm import rules, tables
from chalicelib.tiers import Tier

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.fleet.tables import ControlItem
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.tables import Tenant


def get_tenant(tenant: TenantId) -> Tenant:
    """The tenant.

    Raises:
        NotFound: there is none with this id.
    """
    found = tables.find(tenant)
    if found is None:
        raise NotFound("tenant not found")
    return found


def save(tx: Transaction, before: Tenant, after: Tenant) -> None:
    """Add a change of a tenant, and of what calls see of it, to a transaction."""
    tables.put(tx, replace(after, updated=clock.now()))
    seen, sees = _control(before), _control(after)
    if seen.serialize() != sees.serialize():
        # The settings are left out: they have an owner of their own in this package.
        control.change(tx, after.id, sees)


def create(tx: Transaction, tenant: Tenant) -> None:
    """Add a new tenant to a transaction."""
    tables.put(tx, tenant)
    control.create(tx, tenant.id, _control(tenant))


def _control(tenant: Tenant) -> ControlItem:
    item = control.ref(tenant.id)
    item.status = tenant.status
    item.plan, item.addons = tenant.plan, list(tenant.addons)
    item.trial = tenant.trial_expiration is not None
    own = rules.remaining(tenant.devices, tenant.given)
    item.max_devices, item.max_micro_devices, item.max_system_devices = own.standard, own.micro, own.system
    item.storage_limit = tenant.storage_limit
    return item


def record(tx: Transaction, log: TenantId, action: Action, tenant: Tenant, change: str | None = None) -> None:
    """Add the audit entry of a change of a tenant to its transaction."""
    auditlogs.record(tx, log, action, Object(ObjectType.TENANT, tenant.id, {"name": tenant.name}), change=change)


def told(before: Tenant, after: Tenant) -> str:
    """What an audit entry says of a change."""
    return rules.difference(_told(before), _told(after))


def _told(tenant: Tenant) -> dict[str, object]:
    """What an audit log tells of a tenant; of its token only whether it is another one."""
    return {
        "name": tenant.name,
        "status": str(tenant.status),
        "plan": tenant.plan,
        "add-ons": ", ".join(sorted(features.enabled_addons(tenant.addons))),
        "limits": ", ".join(f"{tier} {tenant.devices.of(tier)}" for tier in Tier),
        "storage limit": tenant.storage_limit,
        "service provider": tenant.service_provider,
        "tokens before": len(tenant.old_tokens),
        **{name.replace("_", " "): value for name, value in tenant.notes.items()},
    }


def decided(attempt: Callable[[Transaction], tuple[TenantId, ...]]) -> None:
    """Let ``attempt`` read, decide and fill a transaction; again when a tenant that it read has changed.

    Args:
        attempt: returns the tenants whose copies this process has to drop.

    Raises:
        Unavailable: the tenants changed again and again.
    """
    for _ in range(RACES):
        tx = Transaction()
        touched = attempt(tx)
        try:
            tx.commit()
        except ConditionFailed as failed:
            if not failed.failed.keys() <= {tables.TENANT, "control", "limit"}:
                raise
        else:
            return
        finally:
            for each in touched:
                control.forget(each)
    raise Unavailable(retry_after=1)


def changed(
    tenant: TenantId,
    decide: Callable[[Tenant], Tenant],
    also: Callable[[Transaction, Tenant, Tenant], None] | None = None,
    *,
    log: TenantId | None = None,
    action: Action = Action.UPDATE,
) -> Tenant:
    """Make ``decide(tenant)`` of the tenant, with what ``also`` adds; the tenant as it then is.

    The change is in the audit log of ``log``, or in the tenant's own.

    Raises:
        NotFound: there is none with this id.
        Unavailable: it changed again and again.
    """
    result: list[Tenant] = []

    def attempt(tx: Transaction) -> tuple[TenantId, ...]:
        before = get_tenant(tenant)
        after = decide(before)
        result[:] = [after]
        save(tx, before, after)
        if also is not None:
            also(tx, before, after)
        record(tx, log or tenant, action, after, told(before, after))
        return (tenant,)

    decided(attempt)
    return result[0]
