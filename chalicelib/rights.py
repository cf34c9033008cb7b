"""What a user may do, and where: permissions, the scopes that they end at, and how those of several roles add up.

Pure. Who has which rights is ``useradm``'s to say; routes ask for a :class:`Permission`, and ``@endpoint`` judges.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import chain

import msgspec


class Permission(StrEnum):
    """A right that a management route asks for. ``BASIC`` is every signed-in user's (own data, own session).

    One name a right, ``<area>:<action>``; keep the list alphabetical.
    """

    ARTIFACTS_UPLOAD = "artifacts:upload"
    AUDIT_READ = "audit:read"
    BASIC = "basic:use"
    CONFIGURATION_MANAGE = "configuration:manage"
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
    """Where a right holds: devices of these static groups, releases with one of these tags. None: all of them."""

    groups: Names | None = None
    release_tags: Names | None = None


def _within(inner: Names | None, outer: Names | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


EVERYWHERE = Scope()
P = Permission
BY_GROUP = frozenset(
    {
        P.CONFIGURATION_MANAGE,
        P.DEPLOYMENTS_MANAGE,
        P.DEPLOYMENTS_READ,
        P.DEVICES_CONNECT,
        P.DEVICES_MANAGE,
        P.DEVICES_READ,
    }
)
"""The rights that can end at device groups. No grant that ends there gives any other."""
BY_TAG = frozenset({P.DEPLOYMENTS_MANAGE, P.DEPLOYMENTS_READ, P.RELEASES_MANAGE, P.RELEASES_READ})
"""The rights that can end at release tags."""
Scopes = tuple[Scope, ...]
"""Where a right of several roles holds: in each of these. Empty: nowhere.

They do not add up to one scope: groups of one role with tags of another are a place where no role holds.
"""


def groups_of(scopes: Scopes) -> Names | None:
    """The static groups whose devices are in any of the scopes; None: all devices."""
    return _all([scope.groups for scope in scopes])


def release_tags_of(scopes: Scopes) -> Names | None:
    """The tags whose releases are in any of the scopes; None: all releases."""
    return _all([scope.release_tags for scope in scopes])


def _all(names: list[Names | None]) -> Names | None:
    known = [each for each in names if each is not None]
    return None if len(known) < len(names) else Names().union(*known)


class Calls(msgspec.Struct, frozen=True):
    """A right to call by method and public path, as the API's own permissions say it: ``GET`` and ``/api/.*``.

    ``method`` ``any`` is every method. In ``path`` the text ``.*`` stands for any text, all else for itself.
    """

    method: str
    path: str

    def match(self, method: str, path: str) -> bool:
        """Whether a call is meant."""
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
    """Rights within a scope: permissions of ours, and calls by path."""

    permissions: frozenset[Permission] = frozenset()
    calls: tuple[Calls, ...] = ()
    scope: Scope = EVERYWHERE

    def gives(self, permission: Permission, call: Call | None = None) -> bool:
        """Whether it has the right, or allows ``call``, which asks for that right."""
        return (
            (self.scope.groups is None or permission in BY_GROUP)
            and (self.scope.release_tags is None or permission in BY_TAG)
            and (permission in self.permissions or (call is not None and any(each.match(*call) for each in self.calls)))
        )


class Rights(msgspec.Struct, frozen=True):
    """What a user may do: the union of what their ``roles`` grant. What no grant gives is denied."""

    grants: tuple[Grant, ...]
    roles: tuple[str, ...] = ()

    def scopes(self, permission: Permission, call: Call | None = None) -> Scopes:
        """Where the user has this right, or may make this call; empty: nowhere.

        Without a call, rights to call by path don't count: they open routes, and are no right to anything else.
        """
        found = [grant.scope for grant in self.grants if grant.gives(permission, call)]
        return (EVERYWHERE,) if EVERYWHERE in found else tuple(dict.fromkeys(found))

    @property
    def has_everything(self) -> bool:
        """Whether the user has every right, everywhere."""
        return all(EVERYWHERE in self.scopes(permission) for permission in Permission)

    @property
    def unconfined(self) -> Rights:
        """Those that end nowhere: names of groups and tags mean something in the user's tenant only."""
        return Rights(tuple(grant for grant in self.grants if grant.scope == EVERYWHERE), self.roles)

    def covers(self, other: Rights) -> bool:
        """Whether the user has all of ``other``'s rights, so that they may hand them on."""
        return self.has_everything or all(self._covers(grant) for grant in other.grants)

    def _covers(self, grant: Grant) -> bool:
        # Who can't do everything hands on calls only as they were given.
        called = (tuple(each.scope for each in self.grants if calls in each.calls) for calls in grant.calls)
        named = (self.scopes(permission) for permission in grant.permissions if grant.gives(permission))
        return all(_covered(grant.scope, own) for own in chain(called, named))


def _covered(scope: Scope, own: Scopes) -> bool:
    """Whether some of ``own`` hold wherever ``scope`` does: for each of its groups, those of ``own`` have all its tags.

    Groups for which the same ones of ``own`` hold are judged once: groups times tags may be millions.
    """
    groups: Iterable[str | None] = (None,) if scope.groups is None else scope.groups
    holding = {tuple(each for each in own if each.groups is None or group in each.groups) for group in groups}
    return all(_within(scope.release_tags, release_tags_of(scopes)) for scopes in holding)


NOTHING = Rights(())
EVERYTHING = Rights((Grant(frozenset(Permission)),))
"""Every right: that of administrators, and of the server's own admin at the command line."""
