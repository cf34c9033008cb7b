"""Rules for users, passwords, tokens and settings documents (``docs/behaviour.md#users``). Pure functions."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest, Unprocessable

_EMAIL = re.compile(
    # The form of an address in the HTML standard: ASCII, and no colon, which ends the name in Basic credentials.
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_IPV6_NETWORK = 64


def account(text: str) -> str:
    """An address in the form that identifies an account: in lower case, whether it is valid or not.

    Only ASCII text is changed. Other letters can become ASCII in lower case (the Kelvin sign becomes ``k``), and such
    an address does not belong to the owner of the ASCII one.
    """
    text = text.strip()
    return text.lower() if text.isascii() else text


def email(text: str) -> str:
    """A valid e-mail address in the form of :func:`account`.

    Raises:
        BadRequest: it is not valid, or longer than ``limits.EMAIL``.
    """
    lowered = account(text)
    if len(lowered) > limits.EMAIL or not _EMAIL.fullmatch(lowered):
        raise BadRequest("email: must be a valid email address")
    return lowered


def check_password(password: str, address: str) -> None:
    """Check a new password of the user with this (lower-case) address.

    Raises:
        Unprocessable: it is too short, too long, or a part of the address.
    """
    if len(password) < limits.PASSWORD_MIN:
        raise Unprocessable(f"password: must be minimum {limits.PASSWORD_MIN} characters long")
    if len(password) > limits.PASSWORD_MAX:
        raise Unprocessable(f"password: must be maximum {limits.PASSWORD_MAX} characters long")
    if password.lower() in address:
        raise Unprocessable("password is too similar to the email")


class Change(msgspec.Struct, frozen=True):
    """An update of a user. None keeps the present value. ``own``: the user is the caller."""

    email: str | None
    password: str | None
    own: bool
    roles: tuple[str, ...] | None = None

    @property
    def needs_password(self) -> bool:
        """Whether the caller must give the present password."""
        return self.own and (self.email is not None or self.password is not None)


def change(given_email: str, given_password: str, *, own: bool, roles: list[str] | None = None) -> Change:
    """The change that an update asks for. Empty strings, and ``roles`` that are left out, change nothing.

    Raises:
        BadRequest: there is no change, or the address is not valid.
    """
    if not given_email and not given_password and roles is None:
        raise BadRequest("no update information provided")
    address = email(given_email) if given_email else None
    return Change(address, given_password or None, own, None if roles is None else tuple(roles))


LEAST_ROLE = "RBAC_ROLE_OBSERVER"
"""The default role of users from an identity provider or another tenant."""


class TfaStatus(StrEnum):
    """The state of a user's two-factor authentication. The values are the API's."""

    DISABLED = "disabled"
    UNVERIFIED = "unverified"
    """There is a secret, but the user has not shown a code yet. Logins need no code."""
    ENABLED = "enabled"


class Purpose(StrEnum):
    """The purpose of a mailed secret. The values are stored."""

    PASSWORD_RESET = "password-reset"  # noqa: S105  # the name of a purpose
    VERIFY_EMAIL = "verify-email"
    EMAIL_CHANGE = "email-change"
    INVITATION = "invitation"

    @property
    def life(self) -> timedelta:
        """How long the secret is valid."""
        match self:
            case Purpose.PASSWORD_RESET:
                return timedelta(seconds=limits.RESET_LIFE)
            case Purpose.INVITATION:
                return timedelta(seconds=limits.INVITATION_LIFE)
            case _:
                return timedelta(seconds=limits.VERIFICATION_LIFE)


class ProviderSettings(msgspec.Struct, frozen=True):
    """The settings of an identity provider. ``domains`` are in lower case; without any, all addresses are accepted.

    ``issuer`` is the issuer that the provider must state; empty: the one in its description.
    """

    issuer: str
    well_known: str
    client_id: str
    client_secret: str
    domains: tuple[str, ...]
    auto_provision: bool
    roles: tuple[str, ...]


def check_provider(wanted: ProviderSettings) -> None:
    """Check the settings of an identity provider.

    Raises:
        BadRequest: a value is missing, too long or not a domain; or everybody with an account at the provider would
            become a user.
    """
    if not wanted.well_known or not wanted.client_id:
        raise BadRequest("well-known and client_id: both are required")
    if max(map(len, (wanted.well_known, wanted.client_id, wanted.client_secret))) > limits.SSO_TEXT:
        raise BadRequest(f"well-known, client_id and client_secret: at most {limits.SSO_TEXT} characters")
    if len(wanted.domains) > limits.SSO_DOMAINS:
        raise BadRequest(f"allowed_domains: at most {limits.SSO_DOMAINS} are allowed")
    for domain in wanted.domains:
        email(f"x@{domain}")
    if wanted.auto_provision and not wanted.domains:
        raise BadRequest("auto_provision: needs allowed_domains")


def check_token(name: str, expires_in: int) -> None:
    """Check a new personal access token; ``expires_in`` in seconds, 0 means never.

    Raises:
        BadRequest: the name is missing, or a value exceeds its limit.
    """
    if not name or len(name) > limits.TOKEN_NAME:
        raise BadRequest(f"name: must be between 1 and {limits.TOKEN_NAME} characters long")
    if not 0 <= expires_in <= limits.TOKEN_LIFE_MAX:
        raise BadRequest(f"expires_in: must be between 0 and {limits.TOKEN_LIFE_MAX} seconds")


def check_settings(document: dict[str, Any]) -> None:
    """Check a settings document.

    Raises:
        BadRequest: there are too many members, or a name or a value is too long.
    """
    if len(document) > limits.SETTINGS_MEMBERS:
        raise BadRequest(f"settings: at most {limits.SETTINGS_MEMBERS} members are allowed")
    for name, value in document.items():
        if len(name) > limits.SETTINGS_KEY:
            raise BadRequest(f"settings: a name is longer than {limits.SETTINGS_KEY} characters")
        if isinstance(value, str) and len(value) > limits.SETTINGS_TEXT:
            raise BadRequest(f"settings: {name} is longer than {limits.SETTINGS_TEXT} characters")


class OptionalMail(StrEnum):
    """The kinds of mails that users may turn off. The values are those of their settings."""

    DEPLOYMENT_APPROVALS = "deployment_approvals"
    DEPLOYMENT_STOPS = "deployment_stops"
    DEVICE_ALERTS = "device_alerts"


def wants(document: dict[str, Any], mail: OptionalMail) -> bool:
    """Whether a user with these settings gets this kind of mail: unless ``{"notifications": {"<mail>": false}}``."""
    chosen = document.get("notifications")
    return not isinstance(chosen, dict) or chosen.get(mail) is not False


def network(address: str) -> str:
    """The network that failed logins from ``address`` count for: itself, or its /64, which one host may use."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:  # all of these are in one /64
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))


class UserFilter(msgspec.Struct, frozen=True):
    """The filter of a list of users: ids and addresses (any of them), and times (exclusive)."""

    ids: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None

    def takes(self, user_id: str, address: str, created: datetime, updated: datetime) -> bool:
        """Whether a user matches."""
        return (
            (not self.ids or user_id in self.ids)
            and (not self.emails or address in self.emails)
            and _between(created, self.created_after, self.created_before)
            and _between(updated, self.updated_after, self.updated_before)
        )


def _between(time: datetime, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or time > after) and (before is None or time < before)
