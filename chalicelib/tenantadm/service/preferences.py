"""Settings: how a tenant wants the server to behave, as its users see and change it (``fleet.control``)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import settings
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import BadRequest, Forbidden, NotFound, PreconditionFailed
from chalicelib.fleet import control
from chalicelib.fleet.control import TenantSettings
from chalicelib.rights import EVERYTHING
from chalicelib.storage.transactions import RACES, ConditionFailed, Transaction

if TYPE_CHECKING:
    from chalicelib.rights import Rights
    from chalicelib.storage.keys import TenantId


def read(tenant: TenantId) -> tuple[dict[str, Any], str]:
    """All settings, those that are as they were at first among them, and their version."""
    found = control.get(tenant, fresh=True).settings
    return msgspec.structs.asdict(found), _version(found)


def _version(found: TenantSettings) -> str:
    return hashlib.sha256(msgspec.json.encode(found, order="sorted")).hexdigest()[:32]


def write(tenant: TenantId, document: dict[str, Any], *, replacing: frozenset[str] | None = None, by: Rights) -> str:
    """Replace all settings; what is not in ``document`` is again as it was at first.

    Args:
        tenant: whose.
        document: setting by name.
        replacing: the versions of which they must have one now; None: any.
        by: the rights of who asks.

    Returns:
        Their new version.

    Raises:
        BadRequest: there is no such setting, or a value breaks its rule.
        Forbidden: audit entries would be kept for a shorter time, for which ``by`` must be every right.
        PreconditionFailed: they have another version.
    """
    wanted = parsed(document)
    for _ in range(RACES):
        before = control.get(tenant, fresh=True).settings
        if replacing is not None and _version(before) not in replacing:
            break
        if _audit_days(wanted) < _audit_days(before) and not by.has_everything:
            raise Forbidden("only an administrator may shorten the time for which the audit log is kept")
        if _replaced(tenant, before, wanted):
            return _version(wanted)
    raise PreconditionFailed("ETag does not match")


def _audit_days(wanted: TenantSettings) -> int:
    return wanted.audit_days or settings.current().audit_days


def change(tenant: TenantId, changes: dict[str, Any]) -> dict[str, Any]:
    """Change some settings and leave the others; for the server's admin.

    Raises:
        BadRequest: there is no such setting, or a value breaks its rule.
        PreconditionFailed: somebody else changed them again and again.
    """
    document, version = read(tenant)
    write(tenant, document | changes, replacing=frozenset({version}), by=EVERYTHING)
    return document | changes


def parsed(document: dict[str, Any]) -> TenantSettings:
    """A document as settings. Each member's rule stands with the member.

    Raises:
        BadRequest: there is no such setting, or a value breaks its rule.
    """
    known = {field.name for field in msgspec.structs.fields(TenantSettings)}
    unknown = sorted(set(document) - known)
    if unknown:
        raise BadRequest(f"setting {unknown[0][:64]} does not exist; there are {', '.join(sorted(known))}")
    try:
        # Null is absent, as in every body (``http.content``).
        return msgspec.convert({name: value for name, value in document.items() if value is not None}, TenantSettings)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def _replaced(tenant: TenantId, before: TenantSettings, after: TenantSettings) -> bool:
    """Store; False if they are no longer ``before``."""
    tx = Transaction()
    control.save_settings(tx, tenant, before, after)
    said = f"{msgspec.json.encode(before).decode()} -> {msgspec.json.encode(after).decode()}"
    auditlogs.record(tx, tenant, Action.UPDATE, Object(ObjectType.SETTINGS, tenant), change=said)
    try:
        tx.commit()
    except ConditionFailed as failed:
        if failed.failed.get("settings") is None:
            raise NotFound("tenant not found") from failed
        return False
    finally:
        control.forget(tenant)
    return True
