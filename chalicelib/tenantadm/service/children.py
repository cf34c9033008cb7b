"""Child tenants, as their service provider manages them. For it, other tenants do not exist."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib import limits
from chalicelib.auditlogs.service import Action
from chalicelib.errors import Conflict, Forbidden, NotFound, Unprocessable
from chalicelib.fleet import counts
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.tenantadm import rules, tables
from chalicelib.tenantadm.service import changes, tenants
from chalicelib.tiers import NOTHING, PerTier, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.tables import Tenant


def listed(provider: TenantId, start: int, stop: int) -> tuple[list[Tenant], int]:
    """Rows ``start`` to ``stop`` of a tenant's children, oldest first, and their number."""
    own = changes.get_tenant(provider)
    return (tables.children(provider, start, stop) if own.children else []), own.children


def child(provider: TenantId, tenant: TenantId) -> Tenant:
    """A child tenant.

    Raises:
        NotFound: there is no such tenant, or it is not a child of this provider.
    """
    found = tables.find(tenant)
    if found is None or found.parent != provider:
        raise NotFound("tenant not found")
    return found


def create_child(
    provider: TenantId,
    name: str,
    email: str,
    password: str | None,
    *,
    devices: Mapping[str, int | None],
    send_reset: bool = False,
) -> Tenant:
    """Create a child tenant with an administrator. It gets the provider's plan and add-ons.

    Without a ``password`` the user has none yet; ``send_reset`` mails a link for setting one.

    Raises:
        BadRequest: a value is not valid.
        Forbidden: the tenant is not a service provider and cannot have child tenants.
        Conflict: the address is taken.
        Unprocessable: the provider's limit of devices or children is exceeded, the password is not valid, or this
            server cannot send mails.
    """
    # Imported here: device authentication looks up tenant tokens in this package, and needs no users.
    from chalicelib.aws import mail
    from chalicelib.roles import service as roles
    from chalicelib.useradm import service as useradm

    if send_reset and not mail.configured():
        raise Unprocessable("this server cannot send mails; give the admin a password")

    draft = tenants.draft(name)
    person = useradm.draft_user(draft.id, email, password, roles=(roles.PERMIT_ALL,))

    @retried
    def created() -> Tenant:
        if useradm.find_user(person.email) is not None:
            raise Conflict(useradm.TAKEN)
        own = changes.get_tenant(provider)
        if not own.service_provider:
            raise Forbidden("the tenant is not a service provider and cannot have child tenants")
        if own.children >= limits.TENANT_CHILDREN:
            raise Unprocessable(f"the service provider has too many child tenants (max: {limits.TENANT_CHILDREN})")
        # A missing limit means no limit if the provider has none, otherwise 0.
        default = PerTier(*(-1 if own.devices.of(tier) < 0 else 0 for tier in Tier))
        wanted = rules.with_limits(default, devices)
        rules.check_limits(wanted, 0)
        new = replace(draft, parent=provider, plan=own.plan, addons=own.addons, devices=wanted)
        tx = Transaction()
        _grant(tx, own, NOTHING, wanted, children=1)
        tables.put_child(tx, provider, new)
        tenants.add(tx, new)
        useradm.add_user(tx, person)
        changes.record(tx, provider, Action.CREATE, new)
        changes.commit(tx, provider, new.id)
        return replace(new, version=1)

    child = created()
    if send_reset:
        useradm.invite(person.email)
    return child


def _grant(tx: Transaction, provider: Tenant, before: PerTier, after: PerTier, *, children: int = 0) -> None:
    """Add the change of a child's limits from ``before`` to ``after`` to a transaction."""
    given = rules.after_grant(provider.given, before, after)
    more = rules.grows(before, after)
    if more:
        rules.check_grant(provider.devices, given, counts.accepted_by_tier(provider.id), before, after)
        # Devices that the provider accepts meanwhile must not exceed its remaining limits either.
        counts.require_accepted_at_most(tx, provider.id, rules.remaining(provider.devices, given), more)
    changes.save(tx, provider, replace(provider, given=given, children=provider.children + children))


@retried
def update_child(provider: TenantId, tenant: TenantId, name: str | None, devices: Mapping[str, int | None]) -> None:
    """Change a child's name or limits; None keeps the present value.

    Raises:
        BadRequest: a value is not valid.
        NotFound: it is not a child of this provider.
        Unprocessable: the provider's limit of devices is exceeded.
    """
    if name is not None:
        rules.check_name(name)
    before, own = child(provider, tenant), changes.get_tenant(provider)
    after = replace(before, name=name or before.name, devices=rules.with_limits(before.devices, devices))
    rules.check_limits(after.devices, after.storage_limit)
    tx = Transaction()
    if after.devices != before.devices:
        _grant(tx, own, before.devices, after.devices)
    changes.save(tx, before, after)
    changes.record(tx, provider, Action.UPDATE, after, changes.told(before, after))
    changes.commit(tx, provider, tenant)


def set_child_status(provider: TenantId, tenant: TenantId, status: str) -> None:
    """Suspend or activate a child.

    Raises:
        BadRequest: there is no such status.
        NotFound: it is not a child of this provider.
        Conflict: it is being removed.
    """
    child(provider, tenant)
    changes.changed(tenant, lambda before: tenants.with_status(before, status), tenants.take_back_removal, log=provider)


def child_is_gone(tx: Transaction, tenant: Tenant) -> None:
    """Return a removed tenant's limits to its service provider, in the transaction of the removal."""
    provider = tables.find(tenant.parent) if tenant.parent else None
    if provider is not None:
        tables.delete_child(tx, provider.id, tenant)
        _grant(tx, provider, tenant.devices, NOTHING, children=-1)
