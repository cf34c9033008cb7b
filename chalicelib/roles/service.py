"""Roles and permission sets of a tenant, and the rights that role names stand for.

Every call of a user needs its rights, so a warm process caches the tenant's own roles for ``settings.control_cache``
seconds; its own changes take effect at once. Built-in roles need no read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib import limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.cache import Cache
from chalicelib.errors import BadRequest, Conflict, Forbidden, NotFound, Unprocessable
from chalicelib.rights import Grant, Permission, Rights
from chalicelib.roles import rules, tables
from chalicelib.roles.rules import PERMIT_ALL
from chalicelib.roles.shapes import PermissionSet, Role
from chalicelib.roles.tables import GONE, Document, Stored
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

__all__ = [
    "GONE",
    "PERMIT_ALL",
    "ROLE",
    "SET",
    "check_names",
    "create",
    "delete",
    "erase",
    "get_visible",
    "note_use",
    "rights",
    "update",
    "visible",
]

_BASIC = Grant(frozenset({Permission.BASIC}))
_cache: Cache[TenantId, Stored] = Cache(1_000)


def rights(tenant: TenantId, names: Collection[str]) -> Rights:
    """The rights of users with these roles. Every user may manage their own account. Unknown roles give nothing."""
    own = None if rules.ROLES.keys() >= set(names) else _own(tenant)
    grants = [_BASIC]
    for name in names:
        role = rules.ROLES.get(name) or (own.roles.get(name) if own else None)
        if role is not None:
            grants += rules.grants_of(role, own.sets if own else {})
    return Rights(tuple(grants), tuple(names))


def _own(tenant: TenantId) -> Stored:
    """The tenant's own roles and sets, at most ``settings.control_cache`` seconds old."""
    return _cache.get(tenant, lambda: tables.read(tenant))


def check_names(tenant: TenantId, names: Iterable[str]) -> list[str]:
    """The roles for a user, without duplicates.

    Raises:
        Unprocessable: there are too many, or one does not exist.
    """
    wanted = list(dict.fromkeys(names))
    if len(wanted) > limits.ROLES_PER_USER:
        raise Unprocessable(f"roles: a user can have at most {limits.ROLES_PER_USER}")
    own = None if rules.ROLES.keys() >= set(wanted) else tables.read(tenant)
    for name in wanted:
        if name not in rules.ROLES and (own is None or name not in own.roles):
            raise Unprocessable(f"roles: there is no role {name[: limits.ROLE_NAME]}")
    return wanted


def note_use(tx: Transaction, tenant: TenantId, before: Collection[str], after: Collection[str]) -> None:
    """Count the roles that a user gains or loses, in the transaction that changes the user.

    It fails with label :data:`GONE` if one of them was deleted meanwhile.
    """
    for name in sorted(set(before) ^ set(after)):
        if name not in rules.ROLES:
            tables.use(tx, tenant, tables.ROLE, name, 1 if name in after else -1)


def _grants_of_role(role: Any, own: Stored) -> tuple[Grant, ...]:
    return rules.grants_of(role, own.sets)


def _grants_of_set(own_set: Any, _own: Stored) -> tuple[Grant, ...]:
    return rules.grants_of_set(own_set)


class Kind(msgspec.Struct, frozen=True):
    """The differences between roles and permission sets, which are otherwise stored alike."""

    key: str
    what: str
    built_in: Mapping[str, Any]
    limit: int
    check: Callable[[Any, Mapping[str, PermissionSet]], Any]
    grants: Callable[[Any, Stored], tuple[Grant, ...]]

    def own(self, stored: Stored) -> Mapping[str, Any]:
        """The tenant's own ones."""
        return stored.roles if self.key == tables.ROLE else stored.sets


ROLE: Final = Kind(tables.ROLE, "role", rules.ROLES, limits.ROLES, rules.check_role, _grants_of_role)
SET: Final = Kind(tables.SET, "permission set", rules.BUILT_IN, limits.PERMISSION_SETS, rules.check_set, _grants_of_set)


def visible(tenant: TenantId, kind: Kind, by: Rights) -> list[Any]:
    """The visible ones by name: all if the user manages users, otherwise the built-in ones and the user's own.

    Other roles and sets would reveal names of groups and tags outside the user's scope.
    """
    stored = tables.read(tenant)
    own = kind.own(stored)
    names = set(own) if by.scopes(Permission.USERS_MANAGE) else _names_of(kind, stored, by)
    return [*kind.built_in.values(), *(own[name] for name in sorted(names & own.keys()))]


def _names_of(kind: Kind, stored: Stored, by: Rights) -> set[str]:
    """The user's own roles, or the sets in them."""
    if kind.key == tables.ROLE:
        return set(by.roles)
    return {name for role in by.roles if role in stored.roles for name in _sets_of(stored.roles[role])}


def get_visible(tenant: TenantId, kind: Kind, name: str, by: Rights) -> Any:
    """One of the visible ones.

    Raises:
        NotFound: it is not one of them.
    """
    for each in visible(tenant, kind, by):
        if each.name == name:
            return each
    raise NotFound(f"{kind.what} not found")


@retried
def create(tenant: TenantId, kind: Kind, wanted: Document, by: Rights) -> str:
    """Create one with at most the rights of ``by``, which are the user's. Returns its name.

    Raises:
        BadRequest: it is not valid.
        Forbidden: it has rights that ``by`` does not cover.
        Conflict: there is one with this name already.
        Unprocessable: the tenant has reached its limit.
    """
    stored = tables.read(tenant)
    own = kind.own(stored)
    new = _checked(kind, wanted, stored, by)
    if new.name in kind.built_in or new.name in own:
        raise Conflict(f"a {kind.what} with the same name already exists")
    if len(own) >= kind.limit:
        raise Unprocessable(f"too many {kind.what}s (max: {kind.limit})")
    tx = Transaction()
    tables.put_new(tx, tenant, kind.key, new)
    _commit(tx, tenant, Action.CREATE, None, new)
    return str(new.name)


@retried
def update(tenant: TenantId, kind: Kind, name: str, wanted: Document, by: Rights) -> None:
    """Change one for all who have it. ``by`` must cover its rights, before and after the change.

    For a permission set, ``by`` must also cover every role that contains it, because the change changes these roles.

    If a role limits a set to a type of scope that the set no longer supports, the limit stays.

    Raises:
        BadRequest: it breaks a rule, or is to get another name.
        Forbidden: it is built in, or has rights that ``by`` does not cover.
        NotFound: there is none with this name.
    """
    stored = tables.read(tenant)
    before = _changeable(kind, name, stored)
    if before is None:
        raise NotFound(f"{kind.what} not found")
    if wanted.name not in {"", name}:
        raise BadRequest(f"name: a {kind.what}'s name cannot be changed")
    _require(kind, before, stored, by)
    new = _checked(kind, msgspec.structs.replace(wanted, name=name), stored, by)
    tx = Transaction()
    tables.replace(tx, tenant, kind.key, new, stored.versions[kind.key, name])
    _commit(tx, tenant, Action.UPDATE, before, new)


@retried
def delete(tenant: TenantId, kind: Kind, name: str, by: Rights) -> None:
    """Delete one, if it exists. ``by`` must cover its rights.

    Raises:
        Forbidden: it is built in, or has rights that ``by`` does not cover.
        Conflict: users have the role, or roles the set.
    """
    stored = tables.read(tenant)
    before = _changeable(kind, name, stored)
    if before is None:
        return
    _require(kind, before, stored, by)
    if tables.is_used(tenant, kind.key, name):
        raise Conflict(f"the {kind.what} is in use; remove it there first")
    tx = Transaction()
    tables.delete(tx, tenant, kind.key, name, stored.versions[kind.key, name])
    _commit(tx, tenant, Action.DELETE, before, None)


def _changeable(kind: Kind, name: str, stored: Stored) -> Any:
    if name in kind.built_in:
        raise Forbidden(f"a built-in {kind.what} cannot be changed")
    return kind.own(stored).get(name)


def _checked(kind: Kind, wanted: Document, stored: Stored, by: Rights) -> Any:
    new = kind.check(wanted, stored.sets)
    if len(msgspec.json.encode(new)) > limits.ROLE_RECORD:
        raise BadRequest(f"the {kind.what} is too large (max: {limits.ROLE_RECORD} bytes)")
    _require(kind, new, stored, by)
    return new


def _require(kind: Kind, document: Document, stored: Stored, by: Rights) -> None:
    if not by.covers(Rights(kind.grants(document, stored))):
        raise Forbidden(f"the {kind.what} has permissions that you do not have")
    if kind.key == tables.SET:
        for role in stored.roles.values():
            if document.name in _sets_of(role):
                _require(ROLE, role, stored, by)


def _commit(tx: Transaction, tenant: TenantId, action: Action, before: Document | None, after: Document | None) -> None:
    old, new = _sets_of(before), _sets_of(after)
    for name in sorted(old ^ new):
        tables.use(tx, tenant, tables.SET, name, 1 if name in new else -1)
    document = after or before
    if document is not None:
        about = Object(ObjectType.ROLE, document.name, {"name": document.name})
        auditlogs.record(tx, tenant, action, about, change=msgspec.json.encode([before, after]).decode())
    tx.commit()
    _cache.forget(tenant)


def _sets_of(document: Document | None) -> set[str]:
    scoped = document.permission_sets_with_scope if isinstance(document, Role) else None
    return {each.name for each in scoped or ()} - rules.BUILT_IN.keys()


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant; returns the number of items."""
    return tables.erase(tenant)
