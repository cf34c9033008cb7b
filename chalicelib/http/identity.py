"""Identifies the caller by the request's token. It checks stored state at every call, so revoked tokens end at once."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from chalicelib import settings, tokens
from chalicelib.errors import Forbidden, InvalidToken, Unauthorized
from chalicelib.fleet import control, heads
from chalicelib.fleet.head import Head
from chalicelib.http import access, throttle
from chalicelib.rights import NOTHING, Permission, Rights, groups_of, release_tags_of
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Mapping


_BEARER_PARTS = 2
_NOWHERE = TenantId("")
_OWN_SITES = frozenset({"none", "same-origin"})
"""Values of ``Sec-Fetch-Site`` for requests by the user, or by a page of this host (W3C, Fetch Metadata, 2.4)."""


class Auth(StrEnum):
    """Who may call a route."""

    DEVICE = "device"
    NONE = "none"
    USER = "user"


class Identity(msgspec.Struct, frozen=True):
    """A verified caller: the device or user ``subject`` of ``tenant``, by the token ``token_id``.

    ``head`` is the device's head item as this call read it; ``rights`` are the user's.
    """

    kind: Auth
    tenant: TenantId
    subject: str
    token_id: str
    head: Head | None = None
    email: str = ""
    """The user's address, as this call read it."""
    rights: Rights = NOTHING
    home: TenantId = _NOWHERE
    """The user's own tenant. It differs from ``tenant`` while the user works in another one."""
    is_personal: bool = False
    """Whether the token is a personal access token."""
    is_recent: bool = False
    """Whether the session began with a recent sign-in (``limits.RECENT_SIGN_IN``)."""
    used_factor: bool = False
    """Whether that sign-in included a code, or the user has no second factor."""

    @property
    def device(self) -> Head:
        """The calling device's head item."""
        if self.head is None:
            raise RuntimeError("a management route asked for a device")
        return self.head

    def allows(self, permission: Permission) -> bool:
        """Whether the caller has this permission, for at least some devices or releases."""
        return bool(self.rights.scopes(permission))

    def require_everything(self, what: str) -> None:
        """Require an administrator, who has every permission everywhere.

        Raises:
            Forbidden: the caller is not one. The text contains ``what``, such as ``end the tenant``.
        """
        if not self.rights.has_everything:
            raise Forbidden(f"only a user with every permission may {what}")

    def groups(self, permission: Permission) -> frozenset[str] | None:
        """The static groups to which the caller's permission is limited; None: it holds for all devices."""
        return groups_of(self.rights.scopes(permission))

    def release_tags(self, permission: Permission) -> frozenset[str] | None:
        """The release tags to which the caller's permission is limited; None: it holds for all releases."""
        return release_tags_of(self.rights.scopes(permission))


def authenticate(auth: Auth, headers: Mapping[str, str]) -> Identity:
    """The caller of a route for ``auth``.

    Raises:
        InvalidToken: there is no token, it is not valid or of the other kind, or its owner was removed or revoked.
        TooManyRequests: the caller or its tenant has reached its rate limit.
    """
    try:
        return identify(auth, tokens.verify(bearer(headers)))
    except Unauthorized as error:
        raise InvalidToken(error.text) from error


def identify(auth: Auth, claims: Mapping[str, Any]) -> Identity:
    """The caller with these verified claims; raises Unauthorized and TooManyRequests."""
    tenant = TenantId(str(claims.get("mender.tenant", "")))
    if not tenant or claims.get(f"mender.{auth}") is not True:
        raise Unauthorized("identity: incorrect token format")
    subject, token_id = str(claims["sub"]), str(claims["jti"])
    throttle.admit(auth, tenant, subject)
    if not control.get(tenant).active:
        raise Unauthorized("Account suspended")
    if auth is Auth.DEVICE:
        head = heads.accepted(tenant, subject, token_id, claims.get("lamplighter.gen"))
        return Identity(auth, tenant, subject, token_id, head=head)
    home = TenantId(str(claims.get("lamplighter.home", tenant)))
    if home != tenant and not control.get(home).active:
        raise Unauthorized("Account suspended")
    session = access.current().require_session(home, subject, token_id, tenant)
    return Identity(
        auth,
        tenant,
        subject,
        token_id,
        email=session.email,
        rights=session.rights,
        home=home,
        is_personal=session.is_personal,
        is_recent=session.is_recent,
        used_factor=session.used_factor,
    )


def bearer(headers: Mapping[str, str]) -> str:
    """The token of a request: ``Authorization: Bearer X``, or that of a cookie (``http.cookies``).

    Raises:
        Unauthorized: there is neither, the header has another form, or a page of another site sent the cookie.
    """
    header = headers.get("authorization")
    if header is None:
        # Imported here: devices and scripts send the header.
        from chalicelib.http import cookies

        _require_own_site(headers)
        found = cookies.token(headers)
        if not found:
            raise Unauthorized("Authorization not present in header")
        return found
    parts = header.split(" ")
    if len(parts) != _BEARER_PARTS:
        raise Unauthorized("malformed Authorization header")
    if parts[0].lower() != "bearer":
        raise Unauthorized(f"unknown Authorization method {parts[0][:32]}")
    return parts[1]


def basic(headers: Mapping[str, str]) -> tuple[str, str]:
    """Name and password of a request with ``Authorization: Basic X``.

    Raises:
        Unauthorized: there is no such header, or it has another form.
    """
    # Imported here: only logins send it.
    import base64
    import binascii

    scheme, _, coded = headers.get("authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(coded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthorized("invalid or missing auth header") from error
    name, colon, password = decoded.partition(":")
    if scheme.lower() != "basic" or not colon or not name:
        raise Unauthorized("invalid or missing auth header")
    return name, password


def _require_own_site(headers: Mapping[str, str]) -> None:
    """Refuse a cookie that a browser sends for a page of another site.

    Browsers send the page's ``Origin`` with each websocket handshake and each request that changes something, and at
    least ``Sec-Fetch-Site`` with other requests. Pages cannot set these headers, nor those with the name of this
    server. Other clients send neither.
    """
    origin = headers.get("origin")
    if origin is None:
        if headers.get("sec-fetch-site", "none").lower() not in _OWN_SITES:
            raise Unauthorized("the session's cookie is accepted from this server's own pages only")
        return
    known = settings.current()
    called = (headers.get("host", ""), headers.get("x-forwarded-host", "").partition(",")[0].strip())
    own = {*map(_place, called), *(_place(urlsplit(url).netloc) for url in (known.public_url, known.ui_url))}
    if _place(urlsplit(origin).netloc) not in own - {""}:
        raise Unauthorized("the session's cookie is accepted from this server's own pages only")


def _place(netloc: str) -> str:
    """Host and port, without a port that browsers leave out."""
    return netloc.lower().removesuffix(":443").removesuffix(":80")
