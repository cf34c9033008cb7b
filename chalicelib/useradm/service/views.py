"""Users as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.clock import rfc3339
from chalicelib.useradm import shapes
from chalicelib.useradm.rules import TfaStatus
from chalicelib.useradm.service.sso.providers import KIND
from chalicelib.useradm.service.users import get_user, is_invited

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import User


def shown(user: User) -> shapes.User:
    """A user as lists show them."""
    return shapes.User(
        id=user.id,
        email=user.email,
        created_ts=rfc3339(user.created),
        updated_ts=rfc3339(user.updated),
        login_ts=rfc3339(user.login) if user.login else None,
        verified=user.verified,
        tfa_status=user.tfa.status,
        sso=[shapes.SsoLogin(provider, KIND, subject) for provider, subject in user.sso.items()],
        roles=list(user.roles),
        invited=is_invited(user),
    )


def who_asks(home: TenantId, user_id: str, tenant: TenantId) -> shapes.User:
    """The user who asks, whose own tenant is ``home``, with the tenants that they work in; just now in ``tenant``.

    Raises:
        NotFound: the user is gone.
    """
    user = get_user(home, user_id)
    found = shown(user)
    found.tenant_id = tenant
    if user.tfa.status is TfaStatus.ENABLED:
        found.recovery_codes_left = len(user.tfa.recovery)
    if user.assigned:
        found.tenant_ids = [user.tenant, *user.assigned]
    return found
