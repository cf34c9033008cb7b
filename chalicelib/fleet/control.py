"""Tenant control items. Every call needs one, so each warm process caches them for a few seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
from msgspec import Meta

from chalicelib import clock, features, limits, settings
from chalicelib.cache import Cache
from chalicelib.errors import Forbidden, Unprocessable
from chalicelib.fleet import open_deployments
from chalicelib.fleet.tables import ControlItem, SequenceItem
from chalicelib.storage import erasing, keys
from chalicelib.tiers import PerTier

if TYPE_CHECKING:
    from chalicelib.features import Feature
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_SORT = "CONTROL"
ALWAYS = datetime.fromtimestamp(0, UTC)
"""``Control.changes_from`` of tenants that never stored rows of changed devices in several partitions."""


class TenantSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """The settings of a tenant. Each is off, or as in Mender, until the tenant sets it.

    The limits of a member are in its type. Users set it by ``PUT /management/v2/tenantadm/settings``, which checks
    them.
    """

    audit_days: Annotated[int, Meta(ge=0, le=limits.AUDIT_DAYS_MAX)] = 0
    """Days for which audit entries are kept; 0: ``settings.audit_days``. Existing entries keep their expiry, and none
    expires before the previous one."""
    device_timeout: Annotated[int, Meta(ge=0, le=limits.DEVICE_TIMEOUT_MAX)] = 0
    """Seconds without a report after which a device fails in its deployment; 0: never."""
    pending_devices: Annotated[int, Meta(ge=0, le=limits.PENDING_DEVICES_MAX)] = 0
    """Maximum number of pending devices; 0: ``settings.pending_devices``."""


class Control(msgspec.Struct, frozen=True):
    """A tenant as calls see it."""

    active: bool
    plan: str
    addons: tuple[dict[str, Any], ...]
    trial: bool
    devices: PerTier
    """Maximum number of accepted devices by tier; -1 means no limit, 0 means none."""
    storage_limit: int
    open: Mapping[str, int]
    """Its unfinished deployments that do not wait in heads: id to sequence number, oldest first."""
    settings: TenantSettings
    subscribers: Mapping[str, frozenset[str]] = {}
    """The integrations by id, with the scopes of the events that they receive."""
    parts: int = 1
    """The number of parts of the tenant's lists and counts: 1, or ``fleet.parts.LARGE``. It never decreases."""
    parts_from: datetime | None = None
    """When storing in parts begins. Readers expect parts before that."""
    changes_from: datetime | None = None
    """When storing the rows of changed devices in one partition begins; None: never. Parts come before it."""
    terms: int = 0
    """Counts changes of status, plan and limits."""

    def includes(self, feature: Feature) -> bool:
        """Whether plan and add-ons include a feature."""
        return features.included(feature, self.plan, features.enabled_addons(self.addons))

    @property
    def parts_to_write(self) -> int:
        """The number of parts by which to store something.

        It remains 1 for a while after the tenant became large, until every process knows it and reads the parts too.
        """
        return 1 if self.parts_from is not None and clock.now() < self.parts_from else self.parts


_GONE = Control(
    active=False,
    plan="",
    addons=(),
    trial=False,
    devices=PerTier(),
    storage_limit=0,
    open={},
    settings=TenantSettings(),
)
_cache: Cache[TenantId, Control] = Cache(stale=lambda: settings.current().control_stale)


def ref(tenant: TenantId) -> ControlItem:
    """A control item as the key of an update."""
    return ControlItem(keys.partition(tenant), _SORT)


def get(tenant: TenantId, *, fresh: bool = False) -> Control:
    """The tenant's control item; an unknown tenant is inactive.

    The item is at most ``settings.control_cache`` seconds old, and up to ``settings.control_stale`` more while DynamoDB
    does not answer. ``fresh``: strongly consistent.

    Raises:
        Unavailable: DynamoDB does not answer, and there is no copy that is recent enough.
    """
    return _cache.get(tenant, lambda: _read(tenant), life=0 if fresh else None)


def _read(tenant: TenantId) -> Control:
    item = ref(tenant).fetch()
    if item is None:
        return _GONE
    return Control(
        active=item.status == "active",
        plan=item.plan,
        addons=tuple(item.addons),
        trial=bool(item.trial),
        devices=PerTier(item.max_devices, item.max_micro_devices, item.max_system_devices),
        storage_limit=item.storage_limit,
        open=open_deployments.read(tenant, item).all,
        settings=msgspec.convert(item.settings, TenantSettings),
        subscribers={integration: frozenset(scopes) for integration, scopes in (item.subscribers or {}).items()},
        parts=item.parts or 1,
        parts_from=item.parts_from,
        changes_from=item.changes_from,
        terms=item.terms or 0,
    )


def require(tenant: TenantId, feature: Feature) -> None:
    """Raise an error if the tenant's plan and add-ons do not include a feature.

    Raises:
        Forbidden: they do not include it.
    """
    if not get(tenant).includes(feature):
        raise Forbidden(f"the plan and add-ons of this tenant do not include {feature.replace('_', ' ')}")


def forget(tenant: TenantId) -> None:
    """Drop the cached copy. Code that changed the item calls this after the commit."""
    _cache.forget(tenant)


def create(tx: Transaction, tenant: TenantId, item: ControlItem, *, gathers_changes: bool) -> None:
    """Add the control item of a new tenant to its transaction.

    ``gathers_changes``: whether all code that may run knows ``Control.changes_from``.
    """
    item.pk, item.sk = keys.partition(tenant), _SORT
    if gathers_changes:
        item.changes_from = ALWAYS
    tx.put(item, ControlItem.pk.does_not_exist(), label="control")


def change(tx: Transaction, tenant: TenantId, item: ControlItem) -> None:
    """Change the attributes that ``tenantadm`` owns, in the transaction that changes the tenant."""
    owned = (
        ControlItem.status,
        ControlItem.plan,
        ControlItem.addons,
        ControlItem.trial,
        ControlItem.max_devices,
        ControlItem.max_micro_devices,
        ControlItem.max_system_devices,
        ControlItem.storage_limit,
    )
    actions = [attribute.set(getattr(item, attribute.attr_name)) for attribute in owned]
    tx.update(ref(tenant), [*actions, ControlItem.terms.add(1)], ControlItem.pk.exists(), label="control")


def save_settings(tx: Transaction, tenant: TenantId, before: TenantSettings, after: TenantSettings) -> None:
    """Replace the settings of a tenant; fails with label ``settings`` if they are no longer ``before``."""
    same = ControlItem.settings == before
    if before == TenantSettings():
        same = same | ControlItem.settings.does_not_exist() | (ControlItem.settings == {})
    condition = ControlItem.pk.exists() & same
    tx.update(ref(tenant), [ControlItem.settings.set(after)], condition, label="settings")


def require_limits(tx: Transaction, tenant: TenantId, limits: PerTier) -> None:
    """Make a transaction fail with label ``terms`` if the limits are different from these."""
    same = (
        (ControlItem.max_devices == limits.standard)
        & (ControlItem.max_micro_devices == limits.micro)
        & (ControlItem.max_system_devices == limits.system)
    )
    tx.check(ref(tenant), same, label="terms")


def divide(tenant: TenantId, parts: int, since: datetime) -> bool:
    """Divide a tenant into parts, in which processes store from ``since`` on; False if it is divided already."""
    actions = [ControlItem.parts.set(parts), ControlItem.parts_from.set(since)]
    try:
        return ref(tenant).update_if(actions, ControlItem.pk.exists() & ControlItem.parts.does_not_exist())
    finally:
        forget(tenant)


def gather_changes(tenant: TenantId, since: datetime) -> None:
    """Let processes store the rows of changed devices in one partition from ``since`` on, unless that has begun."""
    try:
        unset = ControlItem.pk.exists() & ControlItem.changes_from.does_not_exist()
        ref(tenant).update_if([ControlItem.changes_from.set(since)], unset)
    finally:
        forget(tenant)


def require_terms(tx: Transaction, tenant: TenantId, terms: int) -> None:
    """Make a transaction fail with label ``terms`` if status, plan or limits have changed since ``terms``."""
    same = ControlItem.terms == terms
    tx.check(ref(tenant), same if terms else same | ControlItem.terms.does_not_exist(), label="terms")


def change_subscribers(
    tx: Transaction, tenant: TenantId, change: Callable[[dict[str, list[str]]], dict[str, list[str]]]
) -> None:
    """Change which integrations receive which events; fails with label ``subscribers`` if that has changed meanwhile.

    Processes with a cached control item use the old ones for up to ``settings.control_cache`` seconds.
    """
    item = ControlItem.get(keys.partition(tenant), _SORT, consistent_read=True)
    revision = cast("float | None", item.subscribers_revision)
    known = ControlItem.subscribers_revision
    tx.update(
        ref(tenant),
        [ControlItem.subscribers.set(change(item.subscribers or {})), known.set(int(revision or 0) + 1)],
        ControlItem.pk.exists() & (known.does_not_exist() if revision is None else known == revision),
        label="subscribers",
    )


def next_sequence(tenant: TenantId) -> int:
    """A number greater than all earlier ones. Gaps are allowed, so no transaction is needed."""
    item = SequenceItem(keys.partition(tenant), "SEQUENCE")
    item.update([SequenceItem.value.add(1)])
    return item.value


def open_deployment(tx: Transaction, tenant: TenantId, deployment: str, sequence: int) -> None:
    """Add an unfinished deployment to those that polls consider.

    Fails with label ``control`` or ``page`` if others were added or removed meanwhile; the sequence number must be a
    new one then.

    Raises:
        Unprocessable: too many deployments are unfinished.
    """
    item = ref(tenant).fetch() or ref(tenant)
    recent = open_deployments.recent_of(item)
    if len(recent) + (item.paged or 0) >= limits.OPEN_DEPLOYMENTS:
        raise Unprocessable(
            f"too many unfinished deployments (max: {limits.OPEN_DEPLOYMENTS}); abort some or let them finish"
        )
    open_deployments.add(tx, ref(tenant), recent, deployment, sequence)


def close_deployment(tx: Transaction, tenant: TenantId, deployment: str) -> None:
    """Remove a deployment from those that polls consider, if it is there."""
    attempts = count()

    def remove(late: Transaction) -> None:
        # What this process has read at some time is mostly still right. If not, a condition fails, and this runs again.
        opened = open_deployments.last_read(tenant)
        if next(attempts):
            item = ref(tenant).fetch()
            opened = open_deployments.read(tenant, item) if item is not None else None
            if opened is None or deployment not in opened.all:
                late.check(ref(tenant), ControlItem.pk.exists(), label="control")
                return
        open_deployments.remove(late, ref(tenant), opened, deployment)

    tx.late(remove)


def erase(tenant: TenantId) -> int:
    """Erase the control item of a removed tenant, which refuses its calls; returns the number of items."""
    try:
        return erasing.partition(ControlItem, keys.partition(tenant))
    finally:
        forget(tenant)
