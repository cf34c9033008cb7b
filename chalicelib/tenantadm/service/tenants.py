"""Tenants as their users and the admin manage them: create, show, list, limit, suspend, rotate tokens.

What calls need of a tenant is in its control item (``fleet``), which changes in the same transaction as the tenant.
Only authentication requests of devices read this table.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chalicelib import clock
from chalicelib.errors import Conflict, Unprocessable
from chalicelib.fleet import control, counts
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction
from chalicelib.tenantadm import rules, tables, views
from chalicelib.tenantadm.rules import Status
from chalicelib.tenantadm.service import changes, lookup
from chalicelib.tenantadm.tables import Tenant
from chalicelib.tiers import LIMITS, UNLIMITED, PerTier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chalicelib.rights import Names
    from chalicelib.tenantadm import shapes


def create_tenant(
    name: str,
    *,
    plan: str = "enterprise",
    addons: list[dict[str, Any]] | None = None,
    max_devices: int = -1,
    storage_limit: int = 0,
    service_provider: bool = False,
) -> Tenant:
    """Create an active tenant with a tenant token. Names need not be unique.

    Args:
        name: the organization's name.
        plan: ``os``, ``professional`` or ``enterprise``.
        addons: ``[{"name": ..., "enabled": ...}]``; None: all, enabled.
        max_devices: limit of accepted devices of the standard tier; -1 means no limit, 0 means none.
        storage_limit: bytes of artifacts; 0 means no limit.
        service_provider: whether it may have child tenants.

    Raises:
        BadRequest: a value is not valid.
    """
    tenant = replace(
        draft(name, plan=plan, devices=replace_standard(UNLIMITED, max_devices), storage_limit=storage_limit),
        addons=tuple(rules.default_addons() if addons is None else addons),
        service_provider=service_provider,
    )
    tx = Transaction()
    add(tx, tenant)
    tx.commit()
    created(tenant)
    return replace(tenant, version=1)


def replace_standard(devices: PerTier, limit: int) -> PerTier:
    """``devices`` with a new limit of the standard tier."""
    return rules.with_limits(devices, {"max_devices": limit})


def draft(name: str, *, plan: str = "enterprise", devices: PerTier = UNLIMITED, storage_limit: int = 0) -> Tenant:
    """A tenant that is not stored yet, with all add-ons.

    Raises:
        BadRequest: a value is not valid.
    """
    rules.check_name(name)
    rules.check_plan(plan)
    rules.check_limits(devices, storage_limit)
    now = clock.now()
    return Tenant(
        id=TenantId(secrets.token_hex(12)),
        name=name,
        status=Status.ACTIVE,
        plan=plan,
        addons=tuple(rules.default_addons()),
        devices=devices,
        storage_limit=storage_limit,
        tenant_token=secrets.token_urlsafe(32),
        created=now,
        updated=now,
    )


def add(tx: Transaction, tenant: Tenant) -> None:
    """Add a new tenant with the lookup of its token to a transaction."""
    changes.create(tx, tenant)
    tables.put_token(tx, tenant.id, lookup.token_hash(tenant.tenant_token))


def created(tenant: Tenant) -> None:
    """Drop what this process has cached about the tenant before it existed."""
    control.forget(tenant.id)


def describe(tenant: TenantId, *, token: bool, tiers: bool, groups: Names | None) -> shapes.Tenant:
    """The tenant in the wire format.

    Args:
        tenant: the tenant.
        token: whether to include the tenant token.
        tiers: whether to include limits by device tier.
        groups: the device groups to which the user's permission is limited: other devices are not counted. None: all.

    Raises:
        NotFound: there is none with this id.
    """
    return shown(changes.get_tenant(tenant), token=token, tiers=tiers, groups=groups)


def shown(tenant: Tenant, *, token: bool = False, tiers: bool = False, groups: Names | None) -> shapes.Tenant:
    """A tenant in the wire format; arguments as for :func:`describe`."""
    accepted = counts.accepted_by_tier(tenant.id) if groups is None else _accepted_within(tenant.id, groups)
    return views.tenant(tenant, accepted, token=token, tiers=tiers)


def _accepted_within(tenant: TenantId, groups: frozenset[str]) -> PerTier:
    # Imported here: only users with limited permissions need it.
    from chalicelib.inventory import service as inventory

    return PerTier(**inventory.statistics(tenant, groups)["accepted"])


def all_tenants() -> Iterator[Tenant]:
    """All tenants of the server, oldest first. For the admin only: no route may call this."""
    return tables.all_tenants()


def set_status(tenant: TenantId, status: Status) -> None:
    """Suspend or activate a tenant. A suspension refuses tokens of users and devices from their next call on.

    Other warm processes notice within ``settings.control_cache`` seconds. A suspension deletes nothing, so activating
    restores everything. It also withdraws a cancellation whose data is not being erased yet.

    Raises:
        NotFound: there is no such tenant.
        Conflict: the tenant is being removed.
    """
    changes.changed(tenant, lambda before: with_status(before, status), take_back_removal)


def with_status(before: Tenant, status: str) -> Tenant:
    """The tenant with another status.

    Raises:
        BadRequest: there is no such status.
        Conflict: the tenant is being removed.
    """
    wanted = rules.check_new_status(before.status, status)
    if wanted is Status.SUSPENDED:
        return replace(before, status=wanted)
    trial = before.trial_expiration
    ended = trial is not None and trial <= clock.now()
    return replace(before, status=wanted, removal=None, trial_expiration=None if ended else trial)


def take_back_removal(tx: Transaction, before: Tenant, after: Tenant) -> None:
    """Cancel what is due for the tenant in a change of status, except for the end of a trial."""
    if before.removal is not None and after.removal is None:
        tables.put_due(tx, after.id, after.trial_expiration)


def set_limits(
    tenant: TenantId,
    *,
    max_devices: int | None = None,
    max_micro_devices: int | None = None,
    max_system_devices: int | None = None,
    storage_limit: int | None = None,
) -> None:
    """Change limits; None keeps one. Lowering a limit below the present number only refuses additions.

    Raises:
        BadRequest: a limit is not valid.
        NotFound: there is no such tenant.
        Unprocessable: more than that is assigned to child tenants.
    """
    names = {
        "max_devices": max_devices,
        "max_micro_devices": max_micro_devices,
        "max_system_devices": max_system_devices,
    }

    def decide(before: Tenant) -> Tenant:
        devices = rules.with_limits(before.devices, names)
        storage = before.storage_limit if storage_limit is None else storage_limit
        rules.check_limits(devices, storage)
        for name, tier in LIMITS.items():
            if 0 <= devices.of(tier) < before.given.of(tier):
                raise Unprocessable(f"{name}: its children have {before.given.of(tier)} in all; lower theirs first")
        return replace(before, devices=devices, storage_limit=storage)

    changes.changed(tenant, decide)


def set_plan(tenant: TenantId, *, plan: str | None = None, addons: Sequence[str] | None = None) -> None:
    """Change the plan and the enabled add-ons; None keeps them. Ends the request for another plan.

    Raises:
        BadRequest: there is no such plan or add-on.
        NotFound: there is no such tenant.
    """

    def decide(before: Tenant) -> Tenant:
        rules.check_plan(before.plan if plan is None else plan)
        enabled = before.addons if addons is None else tuple(rules.addons(list(addons)))
        notes = {name: value for name, value in before.notes.items() if name != "plan_request"}
        return replace(before, plan=plan or before.plan, addons=enabled, notes=notes)

    changes.changed(tenant, decide)


def set_service_provider(tenant: TenantId, *, enabled: bool) -> None:
    """Make a tenant a service provider, or an ordinary tenant.

    Raises:
        NotFound: there is no such tenant.
        Conflict: it is a child itself, or has children.
    """

    def decide(before: Tenant) -> Tenant:
        if enabled and before.parent is not None:
            raise Conflict("a child tenant of a service provider cannot have child tenants itself")
        if not enabled and before.children:
            raise Conflict(f"the tenant has {before.children} child tenants; remove them first")
        return replace(before, service_provider=enabled)

    changes.changed(tenant, decide)


def rotate_token(tenant: TenantId, *, grace: int = 0) -> str:
    """Replace the tenant token and return the new one. Accepted devices are not affected.

    Args:
        tenant: the tenant.
        grace: seconds for which new devices may still use the old one.

    Raises:
        NotFound: there is no such tenant.
        Conflict: it is being removed.
    """
    token = secrets.token_urlsafe(32)
    until = clock.now() + timedelta(seconds=grace) if grace else None

    def decide(before: Tenant) -> Tenant:
        if before.status is Status.REMOVING:
            raise Conflict("the tenant is being removed")
        old = lookup.token_hash(before.tenant_token)
        return replace(before, tenant_token=token, old_tokens=(*before.old_tokens, old)[-_OLD_TOKENS:])

    def swap(tx: Transaction, before: Tenant, after: Tenant) -> None:
        tables.put_token(tx, after.id, lookup.token_hash(token))
        tables.end_token(tx, before.id, lookup.token_hash(before.tenant_token), until)
        if len(before.old_tokens) == _OLD_TOKENS:
            tables.end_token(tx, before.id, before.old_tokens[0], None)

    after = changes.changed(tenant, decide, swap)
    for hashed in after.old_tokens:
        lookup.forget(hashed)
    return token


_OLD_TOKENS = 10
"""Old tokens that may be valid at the same time; with one more, the oldest ends."""
