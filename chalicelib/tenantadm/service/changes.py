"""Changes a tenant and its control item in one transaction, conditional on the tenant as it was read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib import clock, features
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import NotFound
from chalicelib.fleet import control, control_items, schema
from chalicelib.storage.transactions import Transaction, retried
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
    """Add a change of a tenant and of its control item to a transaction."""
    tables.put(tx, replace(after, updated=clock.now()))
    seen, sees = _control(before), _control(after)
    if seen.serialize() != sees.serialize():
        # Without the settings, which another module of this package changes.
        control_items.change(tx, after.id, sees)


def create(tx: Transaction, tenant: Tenant) -> None:
    """Add a new tenant to a transaction."""
    tables.put(tx, tenant)
    control_items.create(tx, tenant.id, _control(tenant), gathers_changes=schema.is_at_least(control.CHANGES_KNOWN))


def _control(tenant: Tenant) -> ControlItem:
    item = control_items.ref(tenant.id)
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
    """The text of a change in an audit entry."""
    return rules.difference(_told(before), _told(after))


def _told(tenant: Tenant) -> dict[str, object]:
    """A tenant as audit entries show it; of its token only whether it has changed."""
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


def commit(tx: Transaction, *tenants: TenantId) -> None:
    """Commit, and drop the cached copies of these tenants, whatever happens.

    Raises:
        ConditionFailed: one of them, or something else that the writes depend on, has changed since it was read.
    """
    try:
        tx.commit()
    finally:
        for each in tenants:
            control.forget(each)


@retried
def changed(
    tenant: TenantId,
    decide: Callable[[Tenant], Tenant],
    also: Callable[[Transaction, Tenant, Tenant], None] | None = None,
    *,
    log: TenantId | None = None,
    action: Action = Action.UPDATE,
) -> Tenant:
    """Replace the tenant by ``decide(tenant)``, with what ``also`` adds; returns the new tenant.

    The change is recorded in the audit log of ``log``, or in the tenant's own.

    Raises:
        NotFound: there is none with this id.
        Unavailable: it changed too often meanwhile.
    """
    before = get_tenant(tenant)
    after = decide(before)
    tx = Transaction()
    save(tx, before, after)
    if also is not None:
        also(tx, before, after)
    record(tx, log or tenant, action, after, told(before, after))
    commit(tx, tenant)
    return after
