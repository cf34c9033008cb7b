"""The table ``tenantadm``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t`` | ``TENANT`` | a tenant; in the index ``list`` under ``TENANTS``, in order of creation |
| ``T#t`` | ``DUE`` | when the schedule has to check the tenant; in the index ``list`` under ``DUE``, by time |
| ``T#t#CHILDREN`` | ``<created>#<child>`` | a child of a service provider |
| ``TOKEN#<sha256>`` | ``TOKEN`` | tenant token (its hash, in hex) to tenant |
| ``SIGNUP#<sha256 of a network>`` | ``<hour>`` | number of sign-ups from there; expires |
| ``SCHEMA`` | ``SCHEMA`` | the version of all stored data, kept by ``manage migrate`` |
"""

from __future__ import annotations

from dataclasses import dataclass, field  # noqa: TID251  # its repr hides a secret
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName, TimeAttribute
from chalicelib.storage.indexes import ListIndex
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm.rules import Status
from chalicelib.tiers import NOTHING, UNLIMITED, PerTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chalicelib.storage.transactions import Transaction

_SORT, _DUE_SORT = "TENANT", "DUE"
_TOKEN_SORT = "TOKEN"  # noqa: S105  # the name of a key
_LIST, _DUE = "TENANTS", "DUE"
TENANT = "tenant"
"""Label of a condition: the tenant has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant. ``version`` is 0 until it is stored; every change adds 1 and is conditional on the version it read."""

    id: TenantId
    name: str
    status: Status
    plan: str
    addons: tuple[dict[str, Any], ...]
    tenant_token: str = field(repr=False)
    created: datetime
    updated: datetime
    devices: PerTier = UNLIMITED
    """Limits of accepted devices by tier; -1 means no limit, 0 means none."""
    storage_limit: int = 0
    """Bytes of artifacts; 0 means no limit."""
    service_provider: bool = False
    parent: TenantId | None = None
    """The service provider whose child this is."""
    children: int = 0
    given: PerTier = NOTHING
    """How much of ``devices`` is assigned to its children."""
    trial_expiration: datetime | None = None
    """The end of a trial; None: no trial."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Information for people only: the reason of a cancellation, a requested plan, the origin."""
    old_tokens: tuple[str, ...] = ()
    """Hashes of the tokens before ``tenant_token``, which may still be valid for a while."""
    removal: datetime | None = None
    """When its data is to be erased, or when that began."""
    version: int = 0

    @property
    def max_devices(self) -> int:
        """The limit of accepted devices of the standard tier."""
        return self.devices.standard


class TenantadmItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("tenantadm")


class TenantItem(TenantadmItem):
    """A tenant. Its ``tenant_token`` is stored in plain text, because its users must be able to read it again.

    It is not a secret like a password: every device of the tenant holds it, and it only names the tenant in which a
    device asks to be accepted.
    """

    name = UnicodeAttribute()
    status = UnicodeAttribute()
    plan = UnicodeAttribute()
    addons = BlobAttribute()
    max_devices = IntegerAttribute(default=-1)
    max_micro_devices = IntegerAttribute(default=-1)
    max_system_devices = IntegerAttribute(default=-1)
    storage_limit = IntegerAttribute()
    tenant_token = UnicodeAttribute()
    old_tokens = BlobAttribute(default=list)
    created = TimeAttribute()
    updated = TimeAttribute()
    service_provider = BooleanAttribute(default=False)
    parent = UnicodeAttribute(null=True)
    children = IntegerAttribute(default=0)
    given = BlobAttribute(default=dict)
    trial_expiration = TimeAttribute(null=True)
    removal = TimeAttribute(null=True)
    notes = BlobAttribute(default=dict)
    version = IntegerAttribute(default=1)
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_creation = ListIndex["TenantItem"]()


class DueItem(TenantadmItem):
    """Tells the schedule when to check a tenant."""

    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_time = ListIndex["DueItem"]()


class ChildItem(TenantadmItem):
    """A child of a service provider."""


class TokenItem(TenantadmItem):
    """The tenant of a tenant token; ``until``: only until then."""

    tenant = UnicodeAttribute()
    until = TimeAttribute(null=True)
    expires_at = IntegerAttribute(null=True)


class SignupItem(TenantadmItem):
    """Counts sign-ups."""

    n = IntegerAttribute(null=True)
    expires_at = IntegerAttribute(null=True)


def put(tx: Transaction, tenant: Tenant) -> None:
    """Write the whole tenant; fails with label ``tenant`` if it has changed since ``tenant.version``."""
    item = TenantItem(
        keys.partition(tenant.id),
        _SORT,
        name=tenant.name,
        status=tenant.status,
        plan=tenant.plan,
        addons=list(tenant.addons),
        max_devices=tenant.devices.standard,
        max_micro_devices=tenant.devices.micro,
        max_system_devices=tenant.devices.system,
        storage_limit=tenant.storage_limit,
        tenant_token=tenant.tenant_token,
        old_tokens=list(tenant.old_tokens),
        created=tenant.created,
        updated=tenant.updated,
        service_provider=tenant.service_provider,
        parent=tenant.parent,
        children=tenant.children,
        given=tenant.given,
        trial_expiration=tenant.trial_expiration,
        removal=tenant.removal,
        notes=tenant.notes,
        version=tenant.version + 1,
        list_pk=_LIST,
        list_sk=keys.sort(keys.time(tenant.created), tenant.id),
    )
    tx.put(item, _unchanged(tenant.version), label=TENANT)


def _unchanged(version: int) -> Any:
    if version == 0:
        return TenantItem.pk.does_not_exist()
    same = TenantItem.version == version
    # Tenants stored before versions existed have none; a new one is stored as version 1.
    return (TenantItem.pk.exists() & TenantItem.version.does_not_exist()) | same if version == 1 else same


def put_child(tx: Transaction, parent: TenantId, child: Tenant) -> None:
    """List a child under its service provider."""
    tx.put(_child(parent, child))


def delete_child(tx: Transaction, parent: TenantId, child: Tenant) -> None:
    """Remove a child from its service provider's list."""
    tx.delete(_child(parent, child))


def _child(parent: TenantId, child: Tenant) -> ChildItem:
    return ChildItem(keys.partition(parent, "CHILDREN"), keys.sort(keys.time(child.created), child.id))


def children(parent: TenantId, start: int, stop: int) -> list[Tenant]:
    """Rows ``start`` to ``stop`` of a service provider's children, oldest first.

    Keys before ``start`` are read and skipped, because DynamoDB has no offset.
    """
    rows = list(ChildItem.query(keys.partition(parent, "CHILDREN"), limit=stop, consistent_read=True))[start:]
    ids = [TenantId(keys.last_part(row.sk)) for row in rows]
    found = {tenant.id: tenant for tenant in find_many(ids)}
    return [found[each] for each in ids if each in found]


def find(tenant: TenantId) -> Tenant | None:
    """The tenant as it is now."""
    item = TenantItem.find(keys.partition(tenant), _SORT)
    return _tenant(item) if item is not None else None


def find_many(tenants: Iterable[TenantId]) -> Iterator[Tenant]:
    """The tenants that exist, in no order; 100 per round trip."""
    wanted = [(keys.partition(each), _SORT) for each in dict.fromkeys(tenants)]
    return map(_tenant, TenantItem.batch_get(wanted, consistent_read=True))


def put_token(tx: Transaction, tenant: TenantId, token_hash: str) -> None:
    """Add a new token of the tenant."""
    tx.put(TokenItem(_token_key(token_hash), _TOKEN_SORT, tenant=tenant), TokenItem.pk.does_not_exist(), label="token")


def end_token(tx: Transaction, tenant: TenantId, token_hash: str, until: datetime | None) -> None:
    """Make a token valid only ``until`` then; None: no longer."""
    item = TokenItem(_token_key(token_hash), _TOKEN_SORT, tenant=tenant, until=until)
    if until is None:
        tx.delete(item)
    else:
        item.expires_at = int(until.timestamp()) + 1
        tx.put(item)


def _token_key(token_hash: str) -> str:
    return keys.shared("TOKEN", token_hash)


def find_by_token(token_hash: str, now: datetime) -> TenantId | None:
    """The tenant of the tenant token with this hash."""
    item = TokenItem.find(_token_key(token_hash), _TOKEN_SORT)
    if item is None:
        return None
    until = cast("datetime | None", item.until)
    return TenantId(item.tenant) if until is None or now < until else None


def all_tenants() -> Iterator[Tenant]:
    """All tenants, oldest first. One created a moment ago may be missing."""
    return map(_tenant, TenantItem.by_creation.query(_LIST))


def put_due(tx: Transaction, tenant: TenantId, due: datetime | None) -> None:
    """Have the schedule check the tenant at a time; None: never."""
    item = DueItem(keys.partition(tenant), _DUE_SORT)
    if due is None:
        tx.delete(item)
    else:
        item.list_pk, item.list_sk = _DUE, keys.sort(keys.time(due), tenant)
        tx.put(item)


def due(now: datetime, *, limit: int) -> list[TenantId]:
    """Tenants that the schedule has to check, at most ``limit``, the longest overdue first."""
    rows = DueItem.by_time.query(_DUE, DueItem.list_sk < keys.sort(keys.time(now) + "~"), limit=limit)
    return [TenantId(keys.last_part(row.list_sk)) for row in rows]


def count_signup(network: str, hour: int, ends: int, most: int) -> bool:
    """Count a sign-up from a network (its hash) in an hour; False if there were ``most`` already."""
    item = SignupItem(keys.shared("SIGNUP", network), keys.sort(keys.number(hour)))
    return item.update_if(
        [SignupItem.n.add(1), SignupItem.expires_at.set(ends + 1)],
        SignupItem.n.does_not_exist() | (SignupItem.n < most),
    )


def drop_due(tenant: TenantId) -> None:
    """Stop the schedule from checking the tenant."""
    DueItem(keys.partition(tenant), _DUE_SORT).delete()


def postpone(tenant: TenantId, due: datetime) -> None:
    """Have the schedule check the tenant later, if it is to check it at all."""
    item = DueItem(keys.partition(tenant), _DUE_SORT)
    item.update_if([DueItem.list_sk.set(keys.sort(keys.time(due), tenant))], DueItem.pk.exists())


def delete(tx: Transaction, tenant: Tenant) -> None:
    """Delete the tenant's own item, the last one left; fails with label ``tenant`` if it has changed."""
    tx.delete(TenantItem(keys.partition(tenant.id), _SORT), _unchanged(tenant.version), label=TENANT)
    tx.delete(DueItem(keys.partition(tenant.id), _DUE_SORT))


def _tenant(item: TenantItem) -> Tenant:
    return Tenant(
        id=TenantId(keys.last_part(item.pk)),
        name=item.name,
        status=Status(item.status),
        plan=item.plan,
        addons=tuple(item.addons),
        devices=PerTier(item.max_devices, item.max_micro_devices, item.max_system_devices),
        storage_limit=item.storage_limit,
        tenant_token=item.tenant_token,
        old_tokens=tuple(item.old_tokens),
        created=item.created,
        updated=item.updated,
        service_provider=bool(item.service_provider),
        parent=TenantId(item.parent) if item.parent else None,
        children=item.children,
        given=PerTier(**item.given),
        trial_expiration=item.trial_expiration,
        removal=item.removal,
        notes=item.notes,
        version=item.version,
    )
