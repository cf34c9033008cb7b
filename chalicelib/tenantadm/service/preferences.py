"""The settings of a tenant, as its users read and change them (``fleet.control``)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import settings, times
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import BadRequest, Forbidden, NotFound, PreconditionFailed
from chalicelib.fleet import control, control_items, schema
from chalicelib.fleet.control import TenantSettings
from chalicelib.rights import EVERYTHING
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from chalicelib.rights import Rights
    from chalicelib.storage.keys import TenantId


def read(tenant: TenantId) -> tuple[dict[str, int | str | list[str]], str]:
    """All settings, including those with their default, and their version."""
    found = control.get(tenant, fresh=True).settings
    return msgspec.structs.asdict(found), _version(found)


def _version(found: TenantSettings) -> str:
    return hashlib.sha256(msgspec.json.encode(found, order="sorted")).hexdigest()[:32]


@retried
def write(tenant: TenantId, document: dict[str, Any], *, replacing: frozenset[str] | None = None, by: Rights) -> str:
    """Replace all settings; those that are not in ``document`` get their default.

    Args:
        tenant: the tenant.
        document: the settings by name.
        replacing: the versions, one of which must be stored now; None: any.
        by: the caller's rights.

    Returns:
        Their new version.

    Raises:
        BadRequest: there is no such setting, or a value is not valid.
        Conflict: deployments would need approval, and code that does not know approvals may still run.
        Forbidden: audit entries would be kept for a shorter time, or fewer deployments need approval, which only
            administrators may set.
        PreconditionFailed: they have another version.
    """
    wanted = parsed(document)
    before = control.get(tenant, fresh=True).settings
    if replacing is not None and _version(before) not in replacing:
        raise PreconditionFailed("ETag does not match")
    if _audit_days(wanted) < _audit_days(before) and not by.has_everything:
        raise Forbidden("only an administrator may shorten the time for which the audit log is kept")
    if wanted.demands_approval:
        # Older code would create deployments without one.
        schema.require(control.APPROVALS_KNOWN)
    if _needs_fewer_approvals(wanted, before) and not by.has_everything:
        raise Forbidden("only an administrator may let more deployments begin without a second person")
    _replace(tenant, before, wanted)
    return _version(wanted)


def _audit_days(wanted: TenantSettings) -> int:
    return wanted.audit_days or settings.current().audit_days


def _needs_fewer_approvals(wanted: TenantSettings, before: TenantSettings) -> bool:
    devices = wanted.approval_devices
    is_higher = bool(before.approval_devices) and (not devices or devices > before.approval_devices)
    return is_higher or not set(before.approval_groups) <= set(wanted.approval_groups)


def change(tenant: TenantId, changes: dict[str, Any]) -> dict[str, Any]:
    """Change some settings and keep the others; for the admin.

    Raises:
        BadRequest: there is no such setting, or a value is not valid.
        PreconditionFailed: other changes came first too often.
    """
    document, version = read(tenant)
    write(tenant, document | changes, replacing=frozenset({version}), by=EVERYTHING)
    return document | changes


def parsed(document: dict[str, Any]) -> TenantSettings:
    """Parse a document of settings. The type of each member has its limits.

    Raises:
        BadRequest: there is no such setting, or a value is not valid.
    """
    known = {field.name for field in msgspec.structs.fields(TenantSettings)}
    unknown = sorted(set(document) - known)
    if unknown:
        raise BadRequest(f"setting {unknown[0][:64]} does not exist; there are {', '.join(sorted(known))}")
    try:
        # Null counts as absent, as in every body (``http.content``).
        wanted = msgspec.convert({name: value for name, value in document.items() if value is not None}, TenantSettings)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error
    if not times.is_zone(wanted.time_zone):
        raise BadRequest(f"time_zone: {wanted.time_zone} is not a time zone; use an IANA name such as Europe/Oslo")
    return wanted


def _replace(tenant: TenantId, before: TenantSettings, after: TenantSettings) -> None:
    tx = Transaction()
    control_items.save_settings(tx, tenant, before, after)
    said = f"{msgspec.json.encode(before).decode()} -> {msgspec.json.encode(after).decode()}"
    auditlogs.record(tx, tenant, Action.UPDATE, Object(ObjectType.SETTINGS, tenant), change=said)
    try:
        tx.commit()
    except ConditionFailed as failed:
        if failed.failed.get("settings") is None:
            raise NotFound("tenant not found") from failed
        raise
    finally:
        control.forget(tenant)
