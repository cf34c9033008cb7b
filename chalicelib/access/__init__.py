"""Implements what routes need to know about users (``chalicelib.http.access``).

Each function imports its feature when it is called, so that a device's cold start loads none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.http.access import Kind, Session
    from chalicelib.http.request import UserRequest
    from chalicelib.storage.keys import TenantId


def require_session(home: TenantId, user_id: str, token_id: str, tenant: TenantId) -> Session:
    """See ``useradm.require_session``."""
    # Imported here: calls of devices do not need it.
    from chalicelib.useradm import service as useradm

    return useradm.require_session(home, user_id, token_id, tenant)


def prove(tenant: TenantId, user_id: str, token_id: str, *, password: str, code: str, recent: bool) -> None:
    """See ``useradm.prove``."""
    # Imported here: calls of devices do not need it.
    from chalicelib.useradm import service as useradm

    useradm.prove(tenant, user_id, token_id, password=password, code=code, recent=recent)


def is_within(request: UserRequest, kind: Kind, value: str) -> bool:
    """Whether what a path names is within the user's scopes."""
    # Imported here: calls of devices do not need it.
    from chalicelib.access import confinement

    return confinement.INSIDE[kind](request, value)
