"""Settings: one free-form object a user and one a tenant, which UIs keep their state in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from chalicelib.errors import PreconditionFailed
from chalicelib.useradm import rules
from chalicelib.useradm.tables import settings as rows

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def read(tenant: TenantId, user_id: str | None) -> tuple[dict[str, Any], str | None]:
    """The settings of a user or (None) of the tenant, with their version; ``{}`` without one at first."""
    return rows.find(tenant, user_id) or ({}, None)


def write(tenant: TenantId, user_id: str | None, document: dict[str, Any], *, replacing: str | None) -> None:
    """Replace the settings of a user or (None) of the tenant.

    Args:
        tenant: whose settings.
        user_id: the user, or None.
        document: what they shall be.
        replacing: the version that they must have now; None: any.

    Raises:
        BadRequest: a bound is passed.
        PreconditionFailed: they have another version, or none yet.
    """
    rules.check_settings(document)
    if not rows.save(tenant, user_id, document, str(uuid.uuid4()), replacing=replacing):
        raise PreconditionFailed("ETag does not match")
