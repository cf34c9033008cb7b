"""Settings: a free-form object per user and per tenant, in which UIs store their state."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from chalicelib.auditlogs import service as auditlogs
from chalicelib.errors import PreconditionFailed
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.useradm import rules
from chalicelib.useradm.tables import settings as rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import User


def read(tenant: TenantId, user_id: str | None) -> tuple[dict[str, Any], str | None]:
    """The settings of a user or (None) of the tenant, with their version; ``{}`` without a version at first."""
    return rows.find(tenant, user_id) or ({}, None)


def who_wants(tenant: TenantId, users: Sequence[User], mail: rules.OptionalMail) -> list[User]:
    """The users of a tenant who have not switched off this kind of mail in their own settings."""
    documents = rows.of_users(tenant, [user.id for user in users])
    return [user for user in users if rules.wants(documents.get(user.id, {}), mail)]


def write(tenant: TenantId, user_id: str | None, document: dict[str, Any], *, replacing: frozenset[str] | None) -> None:
    """Replace the settings of a user or (None) of the tenant.

    Args:
        tenant: the settings' tenant.
        user_id: the user, or None.
        document: the new settings.
        replacing: the versions, one of which must be stored now; None: any.

    Raises:
        BadRequest: a limit is exceeded.
        PreconditionFailed: they have another version, or none yet.
    """
    rules.check_settings(document)
    tx = Transaction()
    rows.save(tx, tenant, user_id, document, str(uuid.uuid4()), replacing=replacing)
    if user_id is None:
        # A user's own settings are the state of a UI: nobody else sees them, and they change with every click.
        _record(tx, tenant, document)
    try:
        tx.commit()
    except ConditionFailed as error:
        raise PreconditionFailed("ETag does not match") from error


def _record(tx: Transaction, tenant: TenantId, document: dict[str, Any]) -> None:
    before, _ = read(tenant, None)
    changed = sorted(name for name in before.keys() | document.keys() if before.get(name) != document.get(name))
    if changed:
        # Names only, because the values may be secrets.
        what = auditlogs.Object(auditlogs.ObjectType.SETTINGS, tenant)
        auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, what, change=f"Changed: {', '.join(changed)}")
