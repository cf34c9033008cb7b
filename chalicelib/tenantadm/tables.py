"""The table ``tenantadm``. Key forms are stored: changing one is a migration.

| pk | sk | item |
|---|---|---|
| ``T#t`` | ``TENANT`` | a tenant; in the index ``list`` under ``TENANTS``, in order of creation |
| ``TOKEN#<sha256>`` | ``TOKEN`` | tenant token (its hash, in hex) to tenant |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, Item, TimeAttribute, table
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.storage.transactions import Transaction

_SORT = "TENANT"
_TOKEN_SORT = "TOKEN"  # noqa: S105  # the name of a key
_LIST = "TENANTS"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant. ``max_devices`` -1: no limit, 0: nobody; ``storage_limit`` in bytes, 0: no limit."""

    id: TenantId
    name: str
    status: str
    plan: str
    addons: tuple[dict[str, Any], ...]
    max_devices: int
    storage_limit: int
    tenant_token: str = field(repr=False)
    created: datetime
    updated: datetime


class TenantadmItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = table("tenantadm")


class TenantList(GlobalSecondaryIndex["TenantItem"]):  # type: ignore[no-untyped-call, unused-ignore]  # pynamodb's
    """All tenants, by creation."""

    class Meta:
        """The index."""

        index_name = "list"
        projection = AllProjection()

    list_pk = UnicodeAttribute(hash_key=True)
    list_sk = UnicodeAttribute(range_key=True)


class TenantItem(TenantadmItem):
    """A tenant. Its ``tenant_token`` is in clear, since its admin must be able to read it again.

    It is no secret of the kind a password is: every device of the tenant holds it, and all it does is name the
    tenant in which a device asks to be accepted.
    """

    name = UnicodeAttribute()
    status = UnicodeAttribute()
    plan = UnicodeAttribute()
    addons = BlobAttribute()
    max_devices = NumberAttribute()
    storage_limit = NumberAttribute()
    tenant_token = UnicodeAttribute()
    created = TimeAttribute()
    updated = TimeAttribute()
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_creation = TenantList()


class TokenItem(TenantadmItem):
    """Which tenant a tenant token stands for."""

    tenant = UnicodeAttribute()


def put_new(tx: Transaction, tenant: Tenant, token_hash: str) -> None:
    """Add a tenant and the lookup of its token."""
    tx.put(
        TenantItem(
            keys.partition(tenant.id),
            _SORT,
            name=tenant.name,
            status=tenant.status,
            plan=tenant.plan,
            addons=list(tenant.addons),
            max_devices=tenant.max_devices,
            storage_limit=tenant.storage_limit,
            tenant_token=tenant.tenant_token,
            created=tenant.created,
            updated=tenant.updated,
            list_pk=_LIST,
            list_sk=keys.sort(keys.number(int(tenant.created.timestamp() * 1000)), tenant.id),
        ),
        TenantItem.pk.does_not_exist(),
        label="tenant",
    )
    tx.put(
        TokenItem(keys.shared("TOKEN", token_hash), _TOKEN_SORT, tenant=tenant.id),
        TokenItem.pk.does_not_exist(),
        label="token",
    )


def find(tenant: TenantId) -> Tenant | None:
    """The tenant as it is now."""
    try:
        return _tenant(TenantItem.get(keys.partition(tenant), _SORT, consistent_read=True))
    except TenantItem.DoesNotExist:
        return None


def find_by_token(token_hash: str) -> TenantId | None:
    """The tenant that a tenant token of this hash stands for."""
    try:
        item = TokenItem.get(keys.shared("TOKEN", token_hash), _TOKEN_SORT, consistent_read=True)
    except TokenItem.DoesNotExist:
        return None
    return TenantId(item.tenant)


def all_tenants() -> Iterator[Tenant]:
    """Every tenant, oldest first; of one created a moment ago not surely."""
    return map(_tenant, TenantItem.by_creation.query(_LIST))


def change(
    tx: Transaction,
    tenant: TenantId,
    now: datetime,
    *,
    status: str | None = None,
    max_devices: int | None = None,
    storage_limit: int | None = None,
) -> None:
    """Change an existing tenant; None leaves an attribute as it is."""
    wanted: tuple[tuple[Any, Any], ...] = (
        (TenantItem.status, status),
        (TenantItem.max_devices, max_devices),
        (TenantItem.storage_limit, storage_limit),
    )
    actions = [attribute.set(value) for attribute, value in wanted if value is not None]
    tx.update(
        TenantItem(keys.partition(tenant), _SORT),
        [*actions, TenantItem.updated.set(now)],
        TenantItem.pk.exists(),
        label="tenant",
    )


def _tenant(item: TenantItem) -> Tenant:
    return Tenant(
        id=TenantId(keys.last_part(item.pk)),
        name=item.name,
        status=item.status,
        plan=item.plan,
        addons=tuple(item.addons),
        max_devices=int(item.max_devices),
        storage_limit=int(item.storage_limit),
        tenant_token=item.tenant_token,
        created=item.created,
        updated=item.updated,
    )
