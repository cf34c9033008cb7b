"""Permissions, the scopes that limit them, and how the rights of several roles add up.

Pure functions and values. ``useradm`` knows which user has which rights; a route names a :class:`Permission`, which
``@user_route`` checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import chain

import msgspec


class Permission(StrEnum):
    """A permission that a management route requires. Every signed-in user has ``BASIC`` (own data, own session).

    Values are ``<area>:<action>``. Keep the list alphabetical.
    """

    ACCEPTANCE_MANAGE = "acceptance:manage"
    ARTIFACTS_UPLOAD = "artifacts:upload"
    AUDIT_READ = "audit:read"
    BASIC = "basic:use"
    CONFIGURATION_MANAGE = "configuration:manage"
    DEPLOYMENTS_APPROVE = "deployments:approve"
    DEPLOYMENTS_MANAGE = "deployments:manage"
    DEPLOYMENTS_READ = "deployments:read"
    DEVICES_CONNECT = "devices:connect"
    DEVICES_MANAGE = "devices:manage"
    DEVICES_READ = "devices:read"
    INTEGRATIONS_MANAGE = "integrations:manage"
    INTEGRATIONS_READ = "integrations:read"
    RELEASES_MANAGE = "releases:manage"
    RELEASES_READ = "releases:read"
    SETTINGS_MANAGE = "settings:manage"
    TENANTS_MANAGE = "tenants:manage"
    TENANTS_READ = "tenants:read"
    TOKENS_MANAGE = "tokens:manage"
    USERS_MANAGE = "users:manage"
    USERS_READ = "users:read"


Names = frozenset[str]


class Scope(msgspec.Struct, frozen=True):
    """Where a permission holds: devices of these static groups, releases with one of these tags. None means all."""

    groups: Names | None = None
    release_tags: Names | None = None


def _within(inner: Names | None, outer: Names | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


EVERYWHERE = Scope()
P = Permission
BY_GROUP = frozenset(
    {
        P.CONFIGURATION_MANAGE,
        P.DEPLOYMENTS_APPROVE,
        P.DEPLOYMENTS_MANAGE,
        P.DEPLOYMENTS_READ,
        P.DEVICES_CONNECT,
        P.DEVICES_MANAGE,
        P.DEVICES_READ,
    }
)
"""Permissions that can be limited to device groups. A grant with such a limit gives no other permission."""
BY_TAG = frozenset(
    {P.DEPLOYMENTS_APPROVE, P.DEPLOYMENTS_MANAGE, P.DEPLOYMENTS_READ, P.RELEASES_MANAGE, P.RELEASES_READ}
)
"""Permissions that can be limited to release tags."""
Scopes = tuple[Scope, ...]
"""The scopes of one permission from several roles: it holds in each of them. Empty: nowhere.

Scopes cannot be merged into one: the groups of one role with the tags of another would be a scope that no role gives.
"""


def groups_of(scopes: Scopes) -> Names | None:
    """The static groups whose devices are within any of the scopes; None means all devices."""
    return _all([scope.groups for scope in scopes])


def release_tags_of(scopes: Scopes) -> Names | None:
    """The tags whose releases are within any of the scopes; None means all releases."""
    return _all([scope.release_tags for scope in scopes])


def _all(names: list[Names | None]) -> Names | None:
    known = [each for each in names if each is not None]
    return None if len(known) < len(names) else Names().union(*known)


class Calls(msgspec.Struct, frozen=True):
    """A permission by method and public path, as roles of the API may state it: ``GET`` and ``/api/.*``.

    The method ``any`` stands for every method. In ``path``, ``.*`` stands for any text; everything else is literal.
    """

    method: str
    path: str

    def match(self, method: str, path: str) -> bool:
        """Whether the call matches."""
        if self.method not in {"any", method}:
            return False
        first, *others = self.path.split(".*")
        if not others:
            return path == first
        *middle, last = others
        if not path.startswith(first) or len(path) < len(first) + len(last) or not path.endswith(last):
            return False
        at, end = len(first), len(path) - len(last)
        for text in middle:
            at = path.find(text, at, end)
            if at < 0:
                return False
            at += len(text)
        return True


Call = tuple[str, str]
"""A call's method and public path."""


class Grant(msgspec.Struct, frozen=True):
    """Permissions within a scope: named ones, and calls by method and path."""

    permissions: frozenset[Permission] = frozenset()
    calls: tuple[Calls, ...] = ()
    scope: Scope = EVERYWHERE

    def gives(self, permission: Permission, call: Call | None = None) -> bool:
        """Whether the grant contains the permission, or allows ``call``, which requires that permission."""
        return (
            (self.scope.groups is None or permission in BY_GROUP)
            and (self.scope.release_tags is None or permission in BY_TAG)
            and (permission in self.permissions or (call is not None and any(each.match(*call) for each in self.calls)))
        )


class Rights(msgspec.Struct, frozen=True):
    """What a user may do: the union of the grants of their roles. Everything else is denied."""

    grants: tuple[Grant, ...]
    roles: tuple[str, ...] = ()

    def scopes(self, permission: Permission, call: Call | None = None) -> Scopes:
        """The scopes in which the user has this permission, or may make this call; empty: nowhere.

        Without ``call``, grants by path do not count: they open routes and imply no permission anywhere else.
        """
        found = [grant.scope for grant in self.grants if grant.gives(permission, call)]
        return (EVERYWHERE,) if EVERYWHERE in found else tuple(dict.fromkeys(found))

    @property
    def has_everything(self) -> bool:
        """Whether the user is an administrator: every permission, without a scope."""
        return all(EVERYWHERE in self.scopes(permission) for permission in Permission)

    @property
    def unconfined(self) -> Rights:
        """The grants without a scope, because names of groups and tags are meaningful in the user's own tenant only."""
        return Rights(tuple(grant for grant in self.grants if grant.scope == EVERYWHERE), self.roles)

    def covers(self, other: Rights) -> bool:
        """Whether the user has all of ``other``'s rights, and may therefore give them to others."""
        return self.has_everything or all(self._covers(grant) for grant in other.grants)

    def _covers(self, grant: Grant) -> bool:
        # Users who are not administrators can give grants by path to others only exactly as they have them.
        called = (tuple(each.scope for each in self.grants if calls in each.calls) for calls in grant.calls)
        named = (self.scopes(permission) for permission in grant.permissions if grant.gives(permission))
        return all(_covered(grant.scope, own) for own in chain(called, named))


def _covered(scope: Scope, own: Scopes) -> bool:
    """Whether ``own`` covers ``scope``: for each of its groups, the matching ones of ``own`` have all its tags.

    Groups that match the same ones of ``own`` are checked once, because groups times tags may be millions.
    """
    groups: Iterable[str | None] = (None,) if scope.groups is None else scope.groups
    holding = {tuple(each for each in own if each.groups is None or group in each.groups) for group in groups}
    return all(_within(scope.release_tags, release_tags_of(scopes)) for scopes in holding)


NOTHING = Rights(())
EVERYTHING = Rights((Grant(frozenset(Permission)),))
"""Every permission: administrators, and the admin at the command line."""
