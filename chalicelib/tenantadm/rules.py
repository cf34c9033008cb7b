"""What a tenant may be, and what a service provider may give to its children. Pure."""

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
    """Whether a tenant may be used. ``REMOVING`` is for good: its data is being erased."""

    ACTIVE = "active"
    REMOVING = "removing"
    SUSPENDED = "suspended"

    @property
    def shown(self) -> str:
        """As the API knows it."""
        return Status.ACTIVE if self is Status.ACTIVE else Status.SUSPENDED


def default_addons() -> list[dict[str, Any]]:
    """The add-ons of a new tenant: all there are, enabled."""
    return addons(features.ADDONS)


def addons(enabled: tuple[str, ...] | list[str]) -> list[dict[str, Any]]:
    """All add-ons, of which these are enabled, as tokens and tenants show them.

    Raises:
        BadRequest: there is no such add-on.
    """
    unknown = set(enabled) - set(features.ADDONS)
    if unknown:
        raise BadRequest(f"addons: {min(unknown)} does not exist; there are {', '.join(features.ADDONS)}")
    return [{"name": name, "enabled": name in enabled} for name in features.ADDONS]


def check_name(name: str) -> None:
    """Judge what a tenant is to be called.

    Raises:
        BadRequest: no name, or one that is too long.
    """
    if not name.strip() or len(name) > limits.TENANT_NAME:
        raise BadRequest(f"name: must be between 1 and {limits.TENANT_NAME} characters long")


def check_organization(name: str) -> None:
    """Judge what somebody who signs up calls the organization.

    Raises:
        BadRequest: no name, one that is too long, or one with letters beyond ASCII.
    """
    if not name.strip() or len(name) > limits.ORGANIZATION or not (name.isascii() and name.isprintable()):
        raise BadRequest(f"organization: must be between 1 and {limits.ORGANIZATION} ASCII characters long")


def check_plan(plan: str) -> None:
    """Judge a plan.

    Raises:
        BadRequest: it does not exist.
    """
    if plan not in features.PLANS:
        raise BadRequest(f"plan: must be one of {', '.join(features.PLANS)}")


def check_limits(devices: PerTier, storage_limit: int) -> None:
    """Judge limits.

    Raises:
        BadRequest: a limit is below what has a meaning (-1 devices: no limit; 0 bytes: no limit), or beyond all sense.
    """
    for name, tier in LIMITS.items():
        if not -1 <= devices.of(tier) <= limits.DEVICES_LIMIT_MAX:
            raise BadRequest(f"{name}: must be between -1 (no limit) and {limits.DEVICES_LIMIT_MAX}")
    if not 0 <= storage_limit <= limits.STORAGE_LIMIT_MAX:
        raise BadRequest(f"storage_limit: must be between 0 (no limit) and {limits.STORAGE_LIMIT_MAX}")


def with_limits(devices: PerTier, changes: Mapping[str, int | None]) -> PerTier:
    """``devices`` with some limits, by their names in the API, changed; None leaves one as it is."""
    numbers = {tier: devices.of(tier) for tier in Tier}
    numbers |= {LIMITS[name]: value for name, value in changes.items() if value is not None}
    return PerTier(**{str(tier): value for tier, value in numbers.items()})


def after_grant(given: PerTier, before: PerTier, after: PerTier) -> PerTier:
    """What a service provider has given away once a child's limits go from ``before`` to ``after``.

    A child without a limit counts for nothing: only a provider that has none itself can have such children.
    """
    return PerTier(
        **{str(tier): given.of(tier) - max(0, before.of(tier)) + max(0, after.of(tier)) for tier in Tier},
    )


def grows(before: PerTier, after: PerTier) -> tuple[Tier, ...]:
    """The tiers of which a child would have more. What comes back is always taken, however much the provider lacks."""
    return tuple(tier for tier in Tier if before.of(tier) >= 0 and not 0 <= after.of(tier) <= before.of(tier))


def check_grant(own: PerTier, given: PerTier, accepted: PerTier, before: PerTier, child: PerTier) -> None:
    """Judge whether a provider with the limits ``own`` may have ``given`` this much, ``child`` to the child at hand.

    ``before`` is what the child had: only what grows is judged.

    Raises:
        Unprocessable: it is more than the provider has, or a child of a limited provider would have no limit.
    """
    for name, tier in LIMITS.items():
        if own.of(tier) < 0 or tier not in grows(before, child):
            continue
        if child.of(tier) < 0 or given.of(tier) + accepted.of(tier) > own.of(tier):
            left = max(0, own.of(tier) - given.of(tier) - accepted.of(tier) + max(0, child.of(tier)))
            raise Unprocessable(f"{name}: device limit for children tenants exhausted; at most {left} are left")


def remaining(own: PerTier, given: PerTier) -> PerTier:
    """The limits that a tenant's own devices are held to: its limits without what its children have of them."""
    numbers = {str(tier): -1 if own.of(tier) < 0 else max(0, own.of(tier) - given.of(tier)) for tier in Tier}
    return PerTier(**numbers)


def check_new_status(before: Status, wanted: str) -> Status:
    """The status that a tenant shall have.

    Raises:
        BadRequest: it is none that can be given.
        Conflict: the tenant is being removed, which nothing stops.
    """
    if wanted not in {Status.ACTIVE, Status.SUSPENDED}:
        raise BadRequest("status: must be one of active, suspended")
    if before is Status.REMOVING:
        raise Conflict("the tenant is being removed")
    return Status(wanted)


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """What differs, a line each, for people; a name that is on one side only counts as nothing on the other."""
    names = [*before, *(name for name in after if name not in before)]
    return "\n".join(
        f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in names
        if before.get(name) != after.get(name)
    )


def check_reason(reason: str) -> None:
    """Judge why a tenant is to be cancelled.

    Raises:
        BadRequest: nothing, or too much, is said.
    """
    if not reason.strip() or len(reason) > limits.TENANT_TEXT:
        raise BadRequest(f"reason: must be between 1 and {limits.TENANT_TEXT} characters long")


def check_wishes(body: NewTenant) -> None:
    """Refuse what is asked for a new child and would silently not happen.

    Raises:
        Unprocessable: the body asks for what this server does not do for children.
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
