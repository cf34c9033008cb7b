"""The identity providers of a tenant: set up, changed, deleted."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from chalicelib import limits, settings
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.aws import vault
from chalicelib.errors import BadRequest, Conflict, NotFound
from chalicelib.roles import service as role_service
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.useradm import rules
from chalicelib.useradm.service import access, passwords
from chalicelib.useradm.service.sso import relying_party
from chalicelib.useradm.service.sso.relying_party import ProviderError
from chalicelib.useradm.tables import providers, users
from chalicelib.useradm.tables.providers import Provider

if TYPE_CHECKING:
    from chalicelib.rights import Rights
    from chalicelib.storage.keys import TenantId


def listed(tenant: TenantId) -> list[Provider]:
    """The tenant's providers."""
    return list(providers.of_tenant(tenant))


def get(tenant: TenantId, provider_id: str) -> Provider:
    """A provider of the tenant.

    Raises:
        NotFound: it has none with this id.
    """
    found = providers.find(tenant, provider_id)
    if found is None:
        raise NotFound("identity provider not found")
    return found


def create(tenant: TenantId, wanted: rules.ProviderSettings, *, by: Rights) -> Provider:
    """Add a provider at which the tenant's users can sign in. Its description must be readable.

    Raises:
        BadRequest: a value is not valid, or the provider's description cannot be read.
        Conflict: the tenant has reached its limit.
        Unprocessable: there is no such role.
    """
    if not wanted.client_secret:
        raise BadRequest("client_secret: is required")
    if len(listed(tenant)) >= limits.SSO_PROVIDERS:
        raise Conflict(f"too many identity providers (max: {limits.SSO_PROVIDERS}); delete one first")
    provider = _described(tenant, str(uuid.uuid4()), wanted, b"", by)
    tx = Transaction()
    providers.put_new(tx, provider)
    _record(tx, provider, Action.CREATE)
    tx.commit()
    return provider


@retried
def update(tenant: TenantId, provider_id: str, wanted: rules.ProviderSettings, *, by: Rights) -> None:
    """Replace the settings of a provider; without a secret it keeps the present one.

    Raises:
        BadRequest: a value is not valid, the provider's description cannot be read, or the issuer is a new one and
            there is no new secret.
        NotFound: the tenant has no such provider.
        Unprocessable: there is no such role.
    """
    before = get(tenant, provider_id)
    after = _described(tenant, provider_id, wanted, before.secret, by)
    if not wanted.client_secret and after.issuer != before.issuer:
        raise BadRequest("client_secret: is required for another issuer")
    tx = Transaction()
    providers.replace(tx, before, after)
    _record(tx, after, Action.UPDATE)
    tx.commit()


@retried
def delete(tenant: TenantId, provider_id: str) -> None:
    """Delete a provider. Its users and their sessions stay.

    Raises:
        Conflict: no administrator could sign in any more.
        NotFound: the tenant has no such provider.
    """
    provider = get(tenant, provider_id)
    tx = Transaction()
    _keep_administrator(tx, provider)
    providers.delete(tx, provider)
    _record(tx, provider, Action.DELETE)
    tx.commit()


def _keep_administrator(tx: Transaction, provider: Provider) -> None:
    """Make the transaction conditional on an administrator who can sign in without the provider."""
    others = {each.id for each in listed(provider.tenant)} - {provider.id}
    admins = [user for user in users.of_tenant(provider.tenant) if role_service.PERMIT_ALL in user.roles]
    able = (user for user in admins if user.password != passwords.DUMMY or user.sso.keys() & others)
    found = next(able, None)
    if found is not None:
        users.hold_admin(tx, found)
    elif admins:
        raise Conflict("without this provider no administrator could sign in; set a password for one first")


def places(provider_id: str) -> dict[str, str]:
    """The URLs where logins begin and to which the provider must return browsers."""
    base = settings.current().public_url + f"/api/management/v1/useradm/oidc/{provider_id}"
    return {"start_url": f"{base}/start", "redirect_uri": f"{base}/callback"}


def _described(
    tenant: TenantId, provider_id: str, wanted: rules.ProviderSettings, secret: bytes, by: Rights
) -> Provider:
    rules.check_provider(wanted)
    roles = access.roles_to_have(tenant, wanted.roles, by) if wanted.roles else ()
    try:
        relying_party.check_url(wanted.well_known)
        document = relying_party.discover(wanted.well_known, fresh=True)
    except ProviderError as error:
        raise BadRequest(f"the identity provider cannot be used: {error}") from error
    # OpenID Connect Discovery, section 4.3. Providers differ in whether their issuer ends with a slash.
    if not document.issuer or (wanted.issuer and document.issuer.rstrip("/") != wanted.issuer.rstrip("/")):
        raise BadRequest(f"issuer: the provider states another issuer, {document.issuer[: limits.SSO_TEXT]!r}")
    sealed = vault.seal(wanted.client_secret, tenant, provider_id) if wanted.client_secret else secret
    return Provider(
        id=provider_id,
        tenant=tenant,
        issuer=document.issuer,
        well_known=wanted.well_known,
        client_id=wanted.client_id,
        secret=sealed,
        domains=wanted.domains,
        auto_provision=wanted.auto_provision,
        roles=tuple(roles),
    )


def _record(tx: Transaction, provider: Provider, action: Action) -> None:
    what = Object(ObjectType.SETTINGS, provider.id, {"name": "single sign-on"})
    domains = ", ".join(provider.domains) or "any"
    change = f"Identity provider {provider.issuer}, client {provider.client_id}, domains: {domains}"
    if provider.auto_provision:
        change += f", makes users with the roles {', '.join(provider.roles) or rules.LEAST_ROLE}"
    auditlogs.record(tx, provider.tenant, action, what, change=change)
