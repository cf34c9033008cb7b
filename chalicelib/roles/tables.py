"""The table ``roles``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t`` | ``ROLE#<name>`` | a role of the tenant's own |
| ``T#t`` | ``SET#<name>`` | a permission set of the tenant's own |

All of a tenant are read in one query. ``uses`` counts the users who have a role, and the roles that contain a set. It
changes in the transactions that change those, so nothing in use can be deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.roles.shapes import PermissionSet, Role
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

ROLE: Final = "ROLE"
SET: Final = "SET"
GONE: Final = "gone"
"""Label of a condition: the role or set does not exist."""
Document = Role | PermissionSet
_SHAPES: Final[dict[str, type[Document]]] = {ROLE: Role, SET: PermissionSet}


class RolesItem(Item):
    """A role or a permission set."""

    class Meta:
        """The table."""

        table_name = TableName("roles")

    document = BlobAttribute()
    """In the wire format."""
    version = IntegerAttribute(default=1)
    uses = IntegerAttribute(default=0)


class Stored(msgspec.Struct, frozen=True):
    """A tenant's own roles or sets by name, with their versions."""

    roles: dict[str, Role] = {}
    sets: dict[str, PermissionSet] = {}
    versions: dict[tuple[str, str], int] = {}


def _ref(tenant: TenantId, kind: str, name: str) -> RolesItem:
    return RolesItem(keys.partition(tenant), keys.sort(kind, name))


def read(tenant: TenantId) -> Stored:
    """All of a tenant's own roles and permission sets (strongly consistent)."""
    found = Stored()
    for item in RolesItem.query(keys.partition(tenant), consistent_read=True):
        kind = item.sk.split("#", 1)[0]
        document = msgspec.convert(item.document, _SHAPES[kind])
        if isinstance(document, Role):
            found.roles[document.name] = document
        else:
            found.sets[document.name] = document
        found.versions[kind, document.name] = item.version
    return found


def put_new(tx: Transaction, tenant: TenantId, kind: str, document: Document) -> None:
    """Add a role or a set; fails with label ``name`` if the name is taken."""
    item = _ref(tenant, kind, document.name)
    item.document = document
    tx.put(item, RolesItem.pk.does_not_exist(), label="name")


def replace(tx: Transaction, tenant: TenantId, kind: str, document: Document, version: int) -> None:
    """Change a role or a set; fails with label ``version`` if it has changed since this version."""
    actions = [RolesItem.document.set(document), RolesItem.version.set(version + 1)]
    tx.update(_ref(tenant, kind, document.name), actions, RolesItem.version == version, label="version")


def delete(tx: Transaction, tenant: TenantId, kind: str, name: str, version: int) -> None:
    """Delete a role or a set; fails with label ``version`` if it has changed since this version or is in use."""
    condition = (RolesItem.version == version) & (RolesItem.uses == 0)
    tx.delete(_ref(tenant, kind, name), condition, label="version")


def use(tx: Transaction, tenant: TenantId, kind: str, name: str, change: int) -> None:
    """Count a use more or less; fails with label :data:`GONE` if the role or set does not exist."""
    tx.update(_ref(tenant, kind, name), [RolesItem.uses.add(change)], RolesItem.pk.exists(), label=GONE)


def is_used(tenant: TenantId, kind: str, name: str) -> bool:
    """Whether a role has users, or a set roles."""
    item = _ref(tenant, kind, name).fetch()
    return item is not None and item.uses > 0


def erase(tenant: TenantId) -> int:
    """Erase the roles and sets of a removed tenant; returns the number of items."""
    return erasing.partition(RolesItem, keys.partition(tenant))
