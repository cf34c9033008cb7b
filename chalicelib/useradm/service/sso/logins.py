"""Logins at identity providers: sends the browser there, and handles its return."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock, limits, settings
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action
from chalicelib.aws import vault
from chalicelib.errors import BadRequest, Forbidden, NotFound, Unavailable, Unprocessable
from chalicelib.features import Feature
from chalicelib.fleet import control, strangers
from chalicelib.observability import logger
from chalicelib.rights import EVERYTHING
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.useradm import rules, service
from chalicelib.useradm.service import access, passwords, sessions
from chalicelib.useradm.service.sso import relying_party
from chalicelib.useradm.service.sso.providers import places
from chalicelib.useradm.service.sso.relying_party import Claims, Client, NotTrusted, ProviderError
from chalicelib.useradm.service.users import about, acting_as, add_user, draft_user
from chalicelib.useradm.tables import providers, users
from chalicelib.useradm.tables.providers import Login, Provider

if TYPE_CHECKING:
    from chalicelib.useradm.tables.users import User


_LIFE = timedelta(seconds=limits.SSO_LOGIN_LIFE)
_NO_ACCOUNT = "there is no account for this identity"
_NOT_GOOD = "the login has expired, was completed already, or was begun in another browser"


class Begun(msgspec.Struct, frozen=True):
    """A started login: where the browser goes, and what it must bring back."""

    location: str
    verifier: str


def of_user(email: str) -> Provider | None:
    """The provider where the user with this address signs in; None for users with a password."""
    found = users.find_email(rules.account(email))
    user = users.find(*found) if found else None
    if user is None or user.password != passwords.DUMMY:
        return None
    return next((each for each in providers.of_tenant(user.tenant) if each.id in user.sso), None)


def start(provider_id: str) -> Begun:
    """Begin a login at a provider.

    Raises:
        NotFound: there is no such provider, or its tenant cannot use it now.
        TooManyRequests: the limit of logins at the tenant's providers in this hour is reached.
        Unprocessable: this server does not know its own public URL.
        Unavailable: the provider's description cannot be read.
    """
    provider = _usable(provider_id)
    if not settings.current().public_url:
        raise Unprocessable("single sign-on needs the server's public address; set LAMPLIGHTER_PUBLIC_URL")
    strangers.admit(
        strangers.Kind.SSO_LOGINS,
        limits.SSO_LOGINS_PER_NETWORK,
        tenant=provider.tenant,
        in_all=limits.SSO_LOGINS,
    )
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    until = clock.now() + _LIFE
    login = Login(provider.tenant, provider_id, provider.issuer, nonce, _challenge(verifier), until)
    try:
        location = relying_party.login_url(
            _client(provider),
            redirect_uri=places(provider_id)["redirect_uri"],
            state=state,
            nonce=nonce,
            challenge=login.challenge,
        )
    except ProviderError as error:
        raise _unavailable(provider, error) from error
    providers.put_login(_hash(state), login)
    return Begun(location, verifier)


def complete(provider_id: str, answer: dict[str, str], verifier: str) -> str:
    """The JWT of a new session for a browser that returns from a provider. A login can be completed once.

    Args:
        provider_id: the provider whose callback was called.
        answer: the provider's parameters: ``state`` with ``code``, or with ``error``.
        verifier: the value that the browser received when the login began.

    Raises:
        BadRequest: no login of this browser at this provider is waiting.
        Forbidden: the provider refused the login, or there is no account for the identity.
        Unavailable: the provider gave no valid answer.
    """
    login = providers.take_login(_hash(answer.get("state", "")))
    own = login is not None and hmac.compare_digest(login.challenge, _challenge(verifier))
    if login is None or not own or login.provider != provider_id or login.until <= clock.now():
        raise BadRequest(_NOT_GOOD)
    provider = _usable(provider_id)
    # The issuer may have been changed since the login began, and the code is not for the new one.
    if (provider.tenant, provider.issuer) != (login.tenant, login.issuer) or not _says_issuer(provider, answer):
        raise BadRequest(_NOT_GOOD)
    if not answer.get("code"):
        raise Forbidden("the identity provider refused the login")
    claims = _redeemed(provider, answer["code"], verifier, login.nonce)
    return _session(provider, claims)


def _says_issuer(provider: Provider, answer: dict[str, str]) -> bool:
    """Whether an answer states the provider's issuer, or need not state any (RFC 9207, section 2.4)."""
    if "iss" in answer:
        return answer["iss"] == provider.issuer
    try:
        return not relying_party.names_itself(_client(provider))
    except ProviderError as error:
        raise _unavailable(provider, error) from error


def _redeemed(provider: Provider, code: str, verifier: str, nonce: str) -> Claims:
    where = places(provider.id)["redirect_uri"]
    try:
        claims = relying_party.redeem(_client(provider), code, redirect_uri=where, verifier=verifier, nonce=nonce)
    except ProviderError as error:
        raise _unavailable(provider, error) from error
    except NotTrusted as error:
        logger.warning("a login was refused", extra={"provider": provider.id, "reason": str(error)})
        raise Forbidden("the identity provider's token is not valid") from error
    if not claims.verified:
        raise Forbidden("the identity provider has not verified the email address")
    return claims


@retried
def _session(provider: Provider, claims: Claims) -> str:
    return sessions.admit(_account(provider, claims))


def _account(provider: Provider, claims: Claims) -> User:
    """The account of a verified address in the provider's tenant.

    The first login links the account to the identity. If the provider gives the address to another person later, that
    person does not inherit the account. An identity whose address changes does not get another account.

    Raises:
        Forbidden: there is none and none is created, or account or identity are linked to another one.
    """
    if claims.email != claims.email.strip():
        raise Forbidden(_NO_ACCOUNT)
    try:
        address = rules.email(claims.email)
    except BadRequest as error:
        raise Forbidden(_NO_ACCOUNT) from error
    if provider.domains and address.rpartition("@")[2] not in provider.domains:
        raise Forbidden(_NO_ACCOUNT)
    found = users.find_email(address)
    if found is None and provider.auto_provision:
        _require_untied(provider, claims.subject)
        return _provisioned(provider, address, claims.subject)
    user = users.find(*found) if found is not None and found[0] == provider.tenant else None
    if user is None:
        raise Forbidden(_NO_ACCOUNT)
    tied = user.sso.get(provider.id)
    if tied is None:
        _require_untied(provider, claims.subject)
        return _tied(user, provider, claims.subject)
    if tied != claims.subject:
        raise Forbidden("the account is linked to another identity at this provider")
    return user


def _require_untied(provider: Provider, subject: str) -> None:
    """Refuse an identity that is linked to another account. Reads all users of the tenant, at first logins only."""
    if any(user.sso.get(provider.id) == subject for user in users.of_tenant(provider.tenant)):
        raise Forbidden("this identity is linked to another account")


def _provisioned(provider: Provider, address: str, subject: str) -> User:
    # The rights to give them were checked when an administrator set the provider up.
    roles = access.roles_to_have(provider.tenant, provider.roles or (rules.LEAST_ROLE,), EVERYTHING)
    draft = draft_user(provider.tenant, address, None, roles=roles)
    user = replace(draft, verified=True, sso={provider.id: subject})
    tx = Transaction()
    with acting_as(user):
        add_user(tx, user)
        tx.commit()
    return user


def _tied(user: User, provider: Provider, subject: str) -> User:
    tx = Transaction()
    users.set_sso(tx, user, clock.now(), {**user.sso, provider.id: subject})
    with acting_as(user):
        what = f"{user.email} logs in at {provider.issuer}"
        auditlogs.record(tx, user.tenant, Action.AUTH_METHOD_CHANGE, about(user), change=what)
        tx.commit()
    return service.get_user(user.tenant, user.id)


def _usable(provider_id: str) -> Provider:
    tenant = providers.tenant_of(provider_id)
    provider = providers.find(tenant, provider_id) if tenant else None
    if provider is None:
        raise NotFound("identity provider not found")
    item = control.get(provider.tenant)
    if not item.active or not item.includes(Feature.SSO):
        raise NotFound("identity provider not found")
    return provider


def _client(provider: Provider) -> Client:
    secret = vault.unseal(provider.secret, provider.tenant, provider.id)
    return Client(provider.issuer, provider.well_known, provider.client_id, secret)


def _unavailable(provider: Provider, error: ProviderError) -> Unavailable:
    logger.warning("an identity provider failed", extra={"provider": provider.id, "reason": str(error)})
    return Unavailable("the identity provider gave no valid answer; try again later")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _challenge(verifier: str) -> str:
    """RFC 7636, S256."""
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
