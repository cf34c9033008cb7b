"""Users, their tokens and identity providers as the API returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.clock import rfc3339
from chalicelib.useradm import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.useradm.tables.providers import Provider
    from chalicelib.useradm.tables.requests import Request
    from chalicelib.useradm.tables.tokens import Token
    from chalicelib.useradm.tables.users import User


def user(found: User, *, invited: bool) -> shapes.User:
    """A user as lists show them."""
    return shapes.User(
        id=found.id,
        email=found.email,
        created_ts=rfc3339(found.created),
        updated_ts=rfc3339(found.updated),
        login_ts=rfc3339(found.login) if found.login else None,
        verified=found.verified,
        tfa_status=found.tfa.status,
        sso=[shapes.SsoLogin(provider, shapes.SSO_KIND, subject) for provider, subject in found.sso.items()],
        roles=list(found.roles),
        invited=invited,
    )


def session(found: Token, current: str) -> shapes.OwnSession:
    """A session as its user sees it; ``current`` is the id of the one that makes the call."""
    return shapes.OwnSession(
        id=found.id,
        created_ts=rfc3339(found.created),
        current=found.id == current,
        expiration_date=rfc3339(found.expires) if found.expires else None,
        tenant_id=found.tenant,
    )


def token(found: Token) -> shapes.Token:
    """A personal access token, without the token itself."""
    return shapes.Token(
        id=found.id,
        name=found.name or "",
        created_ts=rfc3339(found.created),
        last_used=rfc3339(found.used) if found.used else None,
        expiration_date=rfc3339(found.expires) if found.expires else None,
    )


def provider(found: Provider, addresses: Mapping[str, str]) -> shapes.Provider:
    """An identity provider, without its secret; ``addresses`` are the URLs of this server to register with it."""
    return shapes.Provider(
        id=found.id,
        kind=shapes.SSO_KIND,
        issuer=found.issuer,
        well_known=found.well_known,
        client_id=found.client_id,
        allowed_domains=list(found.domains),
        auto_provision=found.auto_provision,
        roles=list(found.roles),
        **addresses,
    )


def pending_change(found: Request) -> shapes.PendingEmailChange:
    """The change of an address that is not confirmed yet."""
    return shapes.PendingEmailChange(found.email, rfc3339(found.created), rfc3339(found.until))
