"""The wire format of users. Unknown members of requests are ignored."""

from __future__ import annotations

from typing import Any, Final

import msgspec

SSO_KIND: Final = "sso/oidc"
"""The API's name for identity providers with OpenID Connect, the only supported protocol."""


class LoginOptions(msgspec.Struct):
    """``POST auth/login``.

    ``token2fa`` is the code of users with a second factor. ``remember``: the session's cookie outlives the browser.
    """

    no_expiry: bool = False
    remember: bool = False
    token2fa: str = ""


class NewUser(msgspec.Struct):
    """``POST users``. Without roles, the user is an administrator.

    If the server sends mails, a user without a password, or with ``send_reset_password``, is invited by mail.
    """

    email: str = ""
    password: str = ""
    send_reset_password: bool = False
    roles: list[str] | None = None


class UserUpdate(msgspec.Struct):
    """``PUT users/{id}``. Empty members change nothing, except an empty list of roles, which makes an administrator."""

    email: str = ""
    password: str = ""
    current_password: str = ""
    roles: list[str] | None = None


class PasswordUpdate(msgspec.Struct):
    """``PUT v2 users/me``."""

    password: str = ""
    current_password: str = ""


class Address(msgspec.Struct):
    """``POST auth/password-reset/start``, ``auth/verify-email/start``."""

    email: str = ""


class Secret(msgspec.Struct):
    """``POST auth/verify-email/complete``, ``users/me/email-change/complete``: the mailed secret."""

    secret_hash: str = ""


class NewPassword(Secret):
    """``POST auth/password-reset/complete``."""

    password: str = ""


class EmailChange(msgspec.Struct):
    """``POST users/me/email-change/start``."""

    email: str = ""
    current_password: str = ""


class PendingEmailChange(msgspec.Struct):
    """``GET users/me/email-change/pending``. Times are RFC 3339."""

    new_email: str
    created_ts: str
    valid_until: str


class QrCode(msgspec.Struct):
    """``GET 2faqr``: a PNG in base64, and the same secret in base32, to type into an app."""

    qr: str
    secret: str


class RecoveryCodes(msgspec.Struct):
    """``PUT 2faverify``, ``POST users/me/2fa/recovery-codes``: each works once in place of a code of the app."""

    recovery_codes: list[str]


class TfaToken(msgspec.Struct):
    """``PUT 2faverify``: a code of the user's app."""

    token2fa: str = ""


class SsoLogin(msgspec.Struct):
    """An identity provider of a user."""

    id: str
    kind: str
    subject: str | msgspec.UnsetType = msgspec.UNSET


class User(msgspec.Struct, omit_defaults=True):
    """A user in answers. Times are RFC 3339.

    ``invited``: the user has not accepted the invitation yet. ``recovery_codes_left``: only for the calling user, and
    only with a second factor.
    """

    id: str
    email: str
    created_ts: str
    updated_ts: str
    login_ts: str | None = None
    verified: bool | None = None
    tfa_status: str | None = None
    recovery_codes_left: int | None = None
    sso: list[SsoLogin] = []
    tenant_ids: list[str] = []
    roles: list[str] = []
    invited: bool = False
    tenant_id: str | None = None


class NewToken(msgspec.Struct):
    """``POST settings/tokens``. ``expires_in`` in seconds; 0 means never."""

    name: str = ""
    expires_in: int = 0


class Token(msgspec.Struct, omit_defaults=True):
    """A personal access token in lists; the JWT itself is shown once, at its creation."""

    id: str
    name: str
    created_ts: str
    last_used: str | None = None
    expiration_date: str | None = None


class OwnSession(msgspec.Struct, omit_defaults=True):
    """A sign-in that has not ended."""

    id: str
    created_ts: str
    current: bool
    """Whether it is the calling session."""
    expiration_date: str | None = None
    """Absent: the session does not expire."""
    tenant_id: str | None = None
    """The tenant of the session, if it is not the user's own."""


Settings = dict[str, Any]
"""``POST settings`` and ``settings/me``: any object."""


class NewProvider(msgspec.Struct):
    """``POST sso/idp/metadata``, ``PUT sso/idp/metadata/{id}``, as JSON: OpenID Connect.

    ``well-known`` is the URL of the provider's description. If only ``issuer`` is given, the URL is derived from it.
    """

    well_known: str = msgspec.field(default="", name="well-known")
    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    allowed_domains: list[str] = []
    auto_provision: bool = False
    roles: list[str] = []


class ProviderEntry(msgspec.Struct):
    """An identity provider in ``GET sso/idp/metadata``."""

    id: str
    issuer: str
    valid_until: str


class Provider(msgspec.Struct):
    """``GET sso/idp/metadata/{id}``."""

    id: str
    kind: str
    issuer: str
    client_id: str
    allowed_domains: list[str]
    auto_provision: bool
    roles: list[str]
    start_url: str
    redirect_uri: str
    well_known: str = msgspec.field(name="well-known")


class Limit(msgspec.Struct):
    """The present number and the limit; ``max`` -1 means no limit."""

    count: int
    max: int


class Limits(msgspec.Struct):
    """``GET limits``."""

    users: Limit


class Plan(msgspec.Struct):
    """A plan and what it includes."""

    name: str
    display_name: str
    features: dict[str, bool]


class PlanBinding(msgspec.Struct):
    """``GET plan_binding``. ``limits`` has those that the tenant has."""

    plan: Plan
    limits: dict[str, int]
