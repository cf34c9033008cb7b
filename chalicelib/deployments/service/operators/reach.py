"""Which deployments are within a user's scopes (``docs/behaviour.md#roles``).

A deployment to groups is within a scope that contains one of its groups. Any other deployment is if all its targets are
in the scope's groups now. Its release must also have one of the scope's tags; a configuration deployment has no
release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.service import plans
from chalicelib.deployments.tables import deployments
from chalicelib.errors import Forbidden
from chalicelib.fleet import heads, membership
from chalicelib.rights import EVERYWHERE, groups_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.rights import Scope, Scopes
    from chalicelib.storage.keys import TenantId

ALL = (EVERYWHERE,)
_FEW = 100
"""The number of devices that one round trip looks up. For more, or repeatedly, all members of the groups are read."""


class Reach:
    """A user's scopes with the data read to check them: one for each call."""

    def __init__(self, tenant: TenantId, scopes: Scopes, *, once: bool = False) -> None:
        """``scopes``: the request's. ``once``: for a single deployment, whose devices are looked up individually."""
        self._tenant = tenant
        self._once = once
        self._scopes = scopes
        self._tagged: dict[frozenset[str], frozenset[str]] = {}
        self._members: dict[frozenset[str], frozenset[str]] = {}

    @property
    def everywhere(self) -> bool:
        """Whether the scopes include everything."""
        return EVERYWHERE in self._scopes

    def takes(self, plan: Plan) -> bool:
        """Whether a deployment is within the scopes."""
        return self.everywhere or any(self._takes(plan, scope) for scope in self._scopes)

    def _takes(self, plan: Plan, scope: Scope) -> bool:
        if not plan.configures and not self._is_tagged(plan.artifact_name, scope.release_tags):
            return False
        if scope.groups is None:
            return True
        if plan.groups:
            return not scope.groups.isdisjoint(plan.groups)
        if plan.dynamic or not plan.is_listed:
            return False  # it may be for any device
        if self._once and plan.size <= _FEW:
            targets = list(plans.targets(self._tenant, plan))
            return len(devices_within(self._tenant, targets, scope.groups)) == len(targets)
        members = self._in(scope.groups)
        # Compare the numbers first: a large deployment's targets need not be fetched to see that there are too many.
        return plan.size <= len(members) and members.issuperset(plans.targets(self._tenant, plan))

    def _is_tagged(self, release: str, tags: frozenset[str] | None) -> bool:
        if tags is None:
            return True
        if self._once:
            return artifacts.is_tagged(self._tenant, release, tags)
        if tags not in self._tagged:
            self._tagged[tags] = artifacts.tagged_names(self._tenant, tags)
        return release in self._tagged[tags]

    def _in(self, groups: frozenset[str]) -> frozenset[str]:
        if groups not in self._members:
            self._members[groups] = frozenset(membership.statuses_of_members(self._tenant, groups))
        return self._members[groups]


def is_within(tenant: TenantId, deployment: str, scopes: Scopes) -> bool:
    """Whether a deployment with this id exists within the scopes."""
    stored = deployments.find(tenant, deployment)
    return stored is not None and Reach(tenant, scopes, once=True).takes(stored.plan)


def devices_within(tenant: TenantId, device_ids: Iterable[str], groups: frozenset[str] | None) -> frozenset[str]:
    """The devices that are in one of the groups now; a hundred per round trip."""
    wanted = list(device_ids)
    if groups is None:
        return frozenset(wanted)
    return frozenset(device for device, head in heads.find_many(tenant, wanted).items() if head.group in groups)


def require_reach(
    tenant: TenantId, scopes: Scopes, release: str, *, devices: Collection[str] | None = None, group: str | None = None
) -> None:
    """Raise an error if no scope permits a new deployment of ``release``.

    A scope with groups permits a deployment to one of these groups, or to one device in them. It does not permit a list
    of several devices, which may leave the group separately, or all devices.

    Raises:
        Forbidden: it is not within a scope, or names something that does not exist, which must look the same.
    """
    if not any(_may_deploy(tenant, scope, release, devices, group) for scope in scopes):
        raise Forbidden


def permitting(tenant: TenantId, scopes: Scopes, release: str, group: str) -> Scopes:
    """Those of the scopes that permit a new deployment to a group, as :func:`require_reach` describes."""
    return tuple(scope for scope in scopes if _may_deploy(tenant, scope, release, None, group))


def _may_deploy(
    tenant: TenantId, scope: Scope, release: str, devices: Collection[str] | None, group: str | None
) -> bool:
    if scope.release_tags is not None and not artifacts.is_tagged(tenant, release, scope.release_tags):
        return False
    if scope.groups is None:
        return True
    if group is not None:
        return group in scope.groups
    return devices is not None and len(devices) == 1 and bool(devices_within(tenant, devices, scope.groups))


def require_all_of_device(tenant: TenantId, scopes: Scopes, device_id: str) -> None:
    """Raise an error for operations on all of a device's deployments, if a scope is limited to release tags.

    Raises:
        Forbidden: no scope includes both the device and all releases.
    """
    wide = tuple(scope for scope in scopes if scope.release_tags is None)
    if not devices_within(tenant, [device_id], groups_of(wide)):
        raise Forbidden
