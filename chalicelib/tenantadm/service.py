"""Tenants: create, find by token, suspend, limit.

What calls need of a tenant is in its control item (``fleet``), which changes in the same transaction as the
tenant: no call ever reads this table, but for a device that asks to be authenticated.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from threading import Lock
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from chalicelib import clock, settings
from chalicelib.errors import NotFound
from chalicelib.fleet import control
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.tenantadm import rules, shapes, tables
from chalicelib.tenantadm.rules import Status
from chalicelib.tenantadm.tables import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Status",
    "Tenant",
    "all_tenants",
    "create_tenant",
    "describe",
    "get_tenant",
    "set_limits",
    "set_status",
    "tenant_by_token",
]

_CACHED_TOKENS = 10_000
_tokens: dict[str, tuple[float, TenantId | None]] = {}
_lock = Lock()


def create_tenant(
    name: str,
    *,
    plan: str = "enterprise",
    addons: list[dict[str, Any]] | None = None,
    max_devices: int = -1,
    storage_limit: int = 0,
) -> Tenant:
    """A new, active tenant with its tenant token. Names need not be unique.

    Args:
        name: of the organization.
        plan: ``os``, ``professional`` or ``enterprise``.
        addons: ``[{"name": ..., "enabled": ...}]``; None: all, enabled.
        max_devices: most accepted devices; -1 no limit, 0 nobody.
        storage_limit: bytes of artifacts; 0 no limit.

    Raises:
        BadRequest: a value breaks its rule.
    """
    rules.check_new(name, plan)
    rules.check_limits(max_devices, storage_limit)
    now = clock.now()
    tenant = Tenant(
        id=TenantId(secrets.token_hex(12)),
        name=name,
        status=Status.ACTIVE,
        plan=plan,
        addons=tuple(rules.default_addons() if addons is None else addons),
        max_devices=max_devices,
        storage_limit=storage_limit,
        tenant_token=secrets.token_urlsafe(32),
        created=now,
        updated=now,
    )
    tx = Transaction()
    tables.put_new(tx, tenant, _hash(tenant.tenant_token))
    item = control.ref(tenant.id)
    item.plan, item.addons = tenant.plan, list(tenant.addons)
    item.max_devices, item.storage_limit = tenant.max_devices, tenant.storage_limit
    control.create(tx, tenant.id, item)
    tx.commit()
    control.forget(tenant.id)
    return tenant


def tenant_by_token(token: str) -> TenantId | None:
    """The tenant of a tenant token, active or not; None for an unknown token.

    Costs nothing when this process answered the same token in the last ``settings.control_cache`` seconds.
    """
    hashed = _hash(token)
    cached = _tokens.get(hashed)
    if cached is not None and time.monotonic() - cached[0] < settings.current().control_cache:
        return cached[1]
    read_at = time.monotonic()
    tenant = tables.find_by_token(hashed)
    with _lock:
        if len(_tokens) >= _CACHED_TOKENS:
            _tokens.clear()
        _tokens[hashed] = (read_at, tenant)
    return tenant


def _hash(token: str) -> str:
    # Tokens are long and random: a plain hash can't be turned back, and is the same at every lookup.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def get_tenant(tenant: TenantId) -> Tenant:
    """The tenant.

    Raises:
        NotFound: there is none of this id.
    """
    found = tables.find(tenant)
    if found is None:
        raise NotFound("tenant not found")
    return found


def describe(tenant: TenantId, *, token: bool, tiers: bool) -> shapes.Tenant:
    """The tenant as its users see it; ``token``: with the tenant token, ``tiers``: with limits by device tier.

    There is one tier: every device counts as a standard one.

    Raises:
        NotFound: there is none of this id.
    """
    found = get_tenant(tenant)
    # Imported here: devices are asked for their tenant token at an authentication, so devauth imports this module.
    from chalicelib.devauth import service as devauth

    count = devauth.count(tenant, "accepted")
    limit = shapes.DeviceLimit("max_devices", tenant, count, found.max_devices)
    return shapes.Tenant(
        id=tenant,
        name=found.name,
        status=found.status,
        plan=found.plan,
        addons=list(found.addons),
        created_at=clock.rfc3339(found.created),
        updated_at=clock.rfc3339(found.updated),
        device_count=count,
        device_limit=found.max_devices,
        tenant_token=found.tenant_token if token else UNSET,
        device_limits={"max_devices": limit} if tiers else UNSET,
    )


def all_tenants() -> Iterator[Tenant]:
    """Every tenant of the server, oldest first. For its admin only: no route may call this."""
    return tables.all_tenants()


def set_status(tenant: TenantId, status: Status) -> None:
    """Suspend or activate. Tokens of users and devices are refused from their next call on.

    Other warm processes notice within ``settings.control_cache`` seconds. Activating brings everything back:
    nothing is deleted by a suspension.

    Raises:
        NotFound: there is no such tenant.
    """
    tx = Transaction()
    tables.change(tx, tenant, clock.now(), status=status)
    control.change(tx, tenant, status=status)
    _commit_change(tx, tenant)


def set_limits(tenant: TenantId, *, max_devices: int | None = None, storage_limit: int | None = None) -> None:
    """Change limits; None leaves one as it is. What is above a lowered limit stays; only more is refused.

    Raises:
        BadRequest: a limit breaks its rule.
        NotFound: there is no such tenant.
    """
    rules.check_limits(max_devices, storage_limit)
    tx = Transaction()
    tables.change(tx, tenant, clock.now(), max_devices=max_devices, storage_limit=storage_limit)
    if max_devices is not None or storage_limit is not None:
        control.change(tx, tenant, max_devices=max_devices, storage_limit=storage_limit)
    _commit_change(tx, tenant)


def _commit_change(tx: Transaction, tenant: TenantId) -> None:
    try:
        tx.commit()
    except ConditionFailed as failed:
        raise NotFound("tenant not found") from failed
    finally:
        control.forget(tenant)
