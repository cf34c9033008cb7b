"""Tenant control items: read at every call, so cached for a few seconds by each warm process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import limits
from chalicelib import settings as server_settings
from chalicelib.errors import Unprocessable
from chalicelib.fleet.tables import ControlItem, SequenceItem
from chalicelib.storage import keys

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_SORT = "CONTROL"
_CACHED_TENANTS = 10_000


class TenantSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a tenant wants the server to behave. Each member is off or as Mender does until the tenant sets it."""

    audit_days: int = 0
    """Days that audit entries are kept; 0: ``settings.audit_days``. Entries that there are keep their time, and none
    goes before the one that was written before it."""
    device_timeout: int = 0
    """Seconds after which a device that reports nothing ends as a failure in its deployment; 0: never."""


@dataclass(frozen=True, slots=True)
class Control:
    """A tenant as calls see it. ``open`` are unfinished deployments ``(sequence, id)``, oldest first."""

    active: bool
    plan: str
    addons: tuple[dict[str, Any], ...]
    max_devices: int
    storage_limit: int
    open: tuple[tuple[int, str], ...]
    settings: TenantSettings


_GONE = Control(active=False, plan="", addons=(), max_devices=0, storage_limit=0, open=(), settings=TenantSettings())
_cache: dict[str, tuple[float, Control]] = {}
_lock = Lock()


def ref(tenant: TenantId) -> ControlItem:
    """A control item to address updates with."""
    return ControlItem(keys.partition(tenant), _SORT)


def get(tenant: TenantId, *, fresh: bool = False) -> Control:
    """The tenant's control item, at most ``settings.control_cache`` seconds old; an unknown tenant is inactive."""
    if not fresh:
        cached = _cache.get(tenant)
        if cached is not None and time.monotonic() - cached[0] < server_settings.current().control_cache:
            return cached[1]
    read_at = time.monotonic()
    control = _read(tenant)
    with _lock:
        if len(_cache) >= _CACHED_TENANTS:
            _cache.clear()
        _cache[tenant] = (read_at, control)
    return control


def _read(tenant: TenantId) -> Control:
    try:
        item = ControlItem.get(keys.partition(tenant), _SORT, consistent_read=True)
    except ControlItem.DoesNotExist:
        return _GONE
    opened: dict[str, int] = item.open.as_dict()  # type: ignore[no-untyped-call, unused-ignore]  # pynamodb
    return Control(
        active=item.status == "active",
        plan=item.plan,
        addons=tuple(item.addons),
        max_devices=int(item.max_devices),
        storage_limit=int(item.storage_limit),
        open=tuple(sorted((int(sequence), deployment) for deployment, sequence in opened.items())),
        settings=msgspec.convert(item.settings, TenantSettings),
    )


def forget(tenant: TenantId) -> None:
    """Drop this process's copy; whoever changed the item calls this after the commit."""
    _cache.pop(tenant, None)


def create(tx: Transaction, tenant: TenantId, item: ControlItem) -> None:
    """Add the control item of a new tenant to its creation."""
    item.pk, item.sk = keys.partition(tenant), _SORT
    tx.put(item, ControlItem.pk.does_not_exist(), label="control")


def change(  # one keyword an attribute; None leaves it as it is
    tx: Transaction,
    tenant: TenantId,
    *,
    status: str | None = None,
    plan: str | None = None,
    addons: list[dict[str, Any]] | None = None,
    max_devices: int | None = None,
    storage_limit: int | None = None,
    settings: TenantSettings | None = None,
) -> None:
    """Change what ``tenantadm`` owns of a tenant's control item, in the transaction that changes the tenant."""
    wanted: tuple[tuple[Any, Any], ...] = (
        (ControlItem.status, status),
        (ControlItem.plan, plan),
        (ControlItem.addons, addons),
        (ControlItem.max_devices, max_devices),
        (ControlItem.storage_limit, storage_limit),
        (ControlItem.settings, settings),
    )
    actions = [attribute.set(value) for attribute, value in wanted if value is not None]
    tx.update(ref(tenant), actions, ControlItem.pk.exists(), label="control")


def next_sequence(tenant: TenantId) -> int:
    """A number above all that were given out before. Gaps are fine, so no transaction is needed."""
    item = SequenceItem(keys.partition(tenant), "SEQUENCE")
    item.update([SequenceItem.value.add(1)])
    return int(item.value)


def open_deployment(tx: Transaction, tenant: TenantId, deployment: str, sequence: int) -> None:
    """Add an unfinished deployment to what polls look at.

    Raises:
        Unprocessable: the tenant has as many as the control item takes.
    """
    if len(get(tenant, fresh=True).open) >= limits.OPEN_DEPLOYMENTS:
        raise Unprocessable(f"too many unfinished deployments (max: {limits.OPEN_DEPLOYMENTS})")
    tx.update(ref(tenant), [ControlItem.open[deployment].set(sequence)], ControlItem.pk.exists(), label="control")


def close_deployment(tx: Transaction, tenant: TenantId, deployment: str) -> None:
    """Take a deployment out of what polls look at; also if it is not there."""
    tx.update(ref(tenant), [ControlItem.open[deployment].remove()], ControlItem.pk.exists(), label="control")
