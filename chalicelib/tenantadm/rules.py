"""Rules for tenants, and for the limits of a service provider's child tenants. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from chalicelib import features, limits
from chalicelib.errors import BadRequest, Conflict, Unprocessable
from chalicelib.tiers import LIMITS, PerTier, Tier

if TYPE_CHECKING:
    from chalicelib.tenantadm.shapes import NewTenant


class Status(StrEnum):
    """The status of a tenant. ``REMOVING`` is final: its data is being erased."""

    ACTIVE = "active"
    REMOVING = "removing"
    SUSPENDED = "suspended"

    @property
    def shown(self) -> str:
        """The status in the API."""
        return Status.ACTIVE if self is Status.ACTIVE else Status.SUSPENDED


def default_addons() -> list[dict[str, Any]]:
    """The add-ons of a new tenant: all of them, enabled."""
    return addons(features.ADDONS)


def addons(enabled: tuple[str, ...] | list[str]) -> list[dict[str, Any]]:
    """All add-ons with these enabled, in the form of tokens and tenants.

    Raises:
        BadRequest: there is no such add-on.
    """
    unknown = set(enabled) - set(features.ADDONS)
    if unknown:
        raise BadRequest(f"addons: {min(unknown)} does not exist; there are {', '.join(features.ADDONS)}")
    return [{"name": name, "enabled": name in enabled} for name in features.ADDONS]


def check_name(name: str) -> None:
    """Check the name of a tenant.

    Raises:
        BadRequest: it is missing or too long.
    """
    if not name.strip() or len(name) > limits.TENANT_NAME:
        raise BadRequest(f"name: must be between 1 and {limits.TENANT_NAME} characters long")


def check_organization(name: str) -> None:
    """Check the name of an organization at sign-up.

    Raises:
        BadRequest: it is missing, too long, or not ASCII.
    """
    if not name.strip() or len(name) > limits.ORGANIZATION or not (name.isascii() and name.isprintable()):
        raise BadRequest(f"organization: must be between 1 and {limits.ORGANIZATION} ASCII characters long")


def check_plan(plan: str) -> None:
    """Check a plan.

    Raises:
        BadRequest: it does not exist.
    """
    if plan not in features.PLANS:
        raise BadRequest(f"plan: must be one of {', '.join(features.PLANS)}")


def check_limits(devices: PerTier, storage_limit: int) -> None:
    """Check limits.

    Raises:
        BadRequest: a limit is too small (-1 devices and 0 bytes mean no limit) or too large.
    """
    for name, tier in LIMITS.items():
        if not -1 <= devices.of(tier) <= limits.DEVICES_LIMIT_MAX:
            raise BadRequest(f"{name}: must be between -1 (no limit) and {limits.DEVICES_LIMIT_MAX}")
    if not 0 <= storage_limit <= limits.STORAGE_LIMIT_MAX:
        raise BadRequest(f"storage_limit: must be between 0 (no limit) and {limits.STORAGE_LIMIT_MAX} bytes")


def with_limits(devices: PerTier, changes: Mapping[str, int | None]) -> PerTier:
    """``devices`` with some limits changed, by their names in the API; None keeps a limit."""
    numbers = {tier: devices.of(tier) for tier in Tier}
    numbers |= {LIMITS[name]: value for name, value in changes.items() if value is not None}
    return PerTier(**{str(tier): value for tier, value in numbers.items()})


def after_grant(given: PerTier, before: PerTier, after: PerTier) -> PerTier:
    """The limits that a service provider has assigned, after a child's limits change from ``before`` to ``after``.

    A child without a limit is not counted: only a provider without a limit can have one.
    """
    return PerTier(
        **{str(tier): given.of(tier) - max(0, before.of(tier)) + max(0, after.of(tier)) for tier in Tier},
    )


def grows(before: PerTier, after: PerTier) -> tuple[Tier, ...]:
    """The tiers of which a child would get more. Reductions are always accepted."""
    return tuple(tier for tier in Tier if before.of(tier) >= 0 and not 0 <= after.of(tier) <= before.of(tier))


def check_grant(own: PerTier, given: PerTier, accepted: PerTier, before: PerTier, child: PerTier) -> None:
    """Check that a provider with the limits ``own`` may assign ``given`` in all, and ``child`` to one child.

    ``before`` are the child's present limits: only increases are checked.

    Raises:
        Unprocessable: it exceeds the provider's limits, or a child of a limited provider would have no limit.
    """
    for name, tier in LIMITS.items():
        if own.of(tier) < 0 or tier not in grows(before, child):
            continue
        if child.of(tier) < 0 or given.of(tier) + accepted.of(tier) > own.of(tier):
            left = max(0, own.of(tier) - given.of(tier) - accepted.of(tier) + max(0, child.of(tier)))
            raise Unprocessable(f"{name}: device limit for children tenants exhausted; at most {left} are left")


def remaining(own: PerTier, given: PerTier) -> PerTier:
    """The limits for a tenant's own devices: its limits minus those assigned to its children."""
    numbers = {str(tier): -1 if own.of(tier) < 0 else max(0, own.of(tier) - given.of(tier)) for tier in Tier}
    return PerTier(**numbers)


def check_new_status(before: Status, wanted: str) -> Status:
    """Check the new status of a tenant.

    Raises:
        BadRequest: it is not a status that can be set.
        Conflict: the tenant is being removed, which cannot be stopped.
    """
    if wanted not in {Status.ACTIVE, Status.SUSPENDED}:
        raise BadRequest("status: must be one of active, suspended")
    if before is Status.REMOVING:
        raise Conflict("the tenant is being removed")
    return Status(wanted)


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """The differences, one line each, as text for people. A name on one side only counts as empty on the other."""
    names = [*before, *(name for name in after if name not in before)]
    return "\n".join(
        f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in names
        if before.get(name) != after.get(name)
    )


def check_reason(reason: str) -> None:
    """Check the reason for cancelling a tenant.

    Raises:
        BadRequest: it is missing or too long.
    """
    if not reason.strip() or len(reason) > limits.TENANT_TEXT:
        raise BadRequest(f"reason: must be between 1 and {limits.TENANT_TEXT} characters long")


def check_wishes(body: NewTenant) -> None:
    """Refuse members of a new child tenant that would otherwise be ignored silently.

    Raises:
        Unprocessable: the body has a member that this server does not support for child tenants.
    """
    if body.users:
        raise Unprocessable(
            "users: not possible here; create the tenant first, then assign them (useradm/users/{id}/assign)"
        )
    if body.sso or body.admin.login:
        raise Unprocessable(
            "sso: not possible here; the tenant sets up single sign-on itself. Give its admin a password"
        )
    if body.binary_delta:
        raise Unprocessable("binary_delta: this server does not generate binary deltas")
    if not body.admin.password and not body.admin.send_reset_password:
        raise Unprocessable("admin: give a password, or send_reset_password to have a mail sent")
