"""Single sign-on: the tenant's identity providers, and logins at them. OpenID Connect only."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalice.app import Blueprint

from chalicelib import limits, settings
from chalicelib.errors import UnsupportedMediaType
from chalicelib.features import Feature
from chalicelib.http import content
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Redirect, Reply, created, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import rules, shapes
from chalicelib.useradm.service import letters, sso

if TYPE_CHECKING:
    from chalicelib.http.request import Created, NoContent, Request

bp = Blueprint(__name__)

_COOKIE = "oidc_login"
_PATH = "/api/management/v1/useradm/oidc"
_SETTING_UP = "set up single sign-on, by which its provider says who logs in, as anybody"
_NEVER = "9999-12-31T23:59:59Z"
"""The API gives SAML metadata an end; what a provider says of itself here has none."""


@endpoint(
    bp,
    "GET /management/v1/useradm/sso/idp/metadata",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.SSO,
)
def list_providers(request: Request) -> Reply[list[shapes.ProviderEntry]]:
    """The tenant's identity providers."""
    return Reply(body=[shapes.ProviderEntry(each.id, each.issuer, _NEVER) for each in sso.listed(request.tenant)])


@endpoint(
    bp,
    "POST /management/v1/useradm/sso/idp/metadata",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.SSO,
    body=bytes,
    sign_in=SignIn.RECENT,
)
def create_provider(request: Request) -> Created:
    """Let users log in at an identity provider."""
    request.identity.require_everything(_SETTING_UP)
    made = sso.create(request.tenant, _wanted(request), by=request.identity.rights)
    return created(f"/api/management/v1/useradm/sso/idp/metadata/{made.id}")


@endpoint(
    bp,
    "GET /management/v1/useradm/sso/idp/metadata/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.SSO,
)
def show_provider(request: Request, id: str) -> Reply[shapes.Provider]:
    """What is set of an identity provider; never its secret."""
    found = sso.get(request.tenant, id)
    return Reply(
        body=shapes.Provider(
            id=found.id,
            kind=sso.KIND,
            issuer=found.issuer,
            well_known=found.well_known,
            client_id=found.client_id,
            allowed_domains=list(found.domains),
            auto_provision=found.auto_provision,
            roles=list(found.roles),
            **sso.places(id),
        )
    )


@endpoint(
    bp,
    "PUT /management/v1/useradm/sso/idp/metadata/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.SSO,
    body=bytes,
    sign_in=SignIn.RECENT,
)
def update_provider(request: Request, id: str) -> NoContent:
    """Replace what is set of an identity provider."""
    request.identity.require_everything(_SETTING_UP)
    sso.get(request.tenant, id)
    sso.update(request.tenant, id, _wanted(request), by=request.identity.rights)
    return no_content()


@endpoint(
    bp,
    "DELETE /management/v1/useradm/sso/idp/metadata/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.SSO,
    sign_in=SignIn.RECENT,
)
def delete_provider(request: Request, id: str) -> NoContent:
    """End logins at an identity provider."""
    request.identity.require_everything(_SETTING_UP)
    sso.delete(request.tenant, id)
    return no_content()


@endpoint(
    bp,
    "GET /management/v1/useradm/sso/sp/metadata/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.SSO,
)
def show_provider_places(request: Request, id: str) -> Reply[dict[str, str]]:
    """What the identity provider must be told of this server: where logins begin, and where they come back to."""
    return Reply(body=sso.places(sso.get(request.tenant, id).id))


@endpoint(bp, "GET /management/v1/useradm/auth/sso/{id}/login", auth=Auth.NONE, permission=None)
def begin_sso_login(request: Request, id: str) -> Redirect:  # noqa: ARG001  # whoever asks
    """Send the browser to the identity provider."""
    return _begin(id)


@endpoint(bp, "GET /management/v1/useradm/oidc/{id}/start", auth=Auth.NONE, permission=None)
def begin_oidc_login(request: Request, id: str) -> Redirect:  # noqa: ARG001  # whoever asks
    """Send the browser to the identity provider."""
    return _begin(id)


@endpoint(bp, "GET /management/v1/useradm/oidc/{id}/callback", auth=Auth.NONE, permission=None)
def complete_oidc_login(request: Request, id: str) -> Redirect:
    """Take who comes back from the identity provider to the web UI, signed in."""
    answer = {name: request.query.get(name) or "" for name in ("state", "code") if request.query.get(name)}
    issuer = request.query.get("iss")
    if issuer is not None:
        answer["iss"] = issuer
    token = sso.complete(id, answer, _cookie(request))
    ui = letters.ui_url()
    # For the UI's own path, so that no browser sends it along with calls that another site makes it send.
    path = urlsplit(ui).path or "/"
    cookies = [
        f"JWT={token}; Path={path}; SameSite=Strict{_secure()}",
        f"{_COOKIE}=; Path={_PATH}; Max-Age=0; HttpOnly; SameSite=Lax{_secure()}",
    ]
    return _redirect(f"{ui}/", cookies)


def _begin(provider_id: str) -> Redirect:
    begun = sso.start(provider_id)
    cookie = (
        f"{_COOKIE}={begun.verifier}; Path={_PATH}; Max-Age={limits.SSO_LOGIN_LIFE}; HttpOnly; SameSite=Lax{_secure()}"
    )
    return _redirect(begun.location, [cookie])


def _redirect(location: str, cookies: list[str]) -> Redirect:
    return Redirect(headers={"Location": location, "Set-Cookie": cookies, "Cache-Control": "no-store"})


def _secure() -> str:
    return "" if settings.current().public_url.startswith("http://") else "; Secure"


def _cookie(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _wanted(request: Request) -> rules.ProviderSettings:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() == "application/samlmetadata+xml":
        raise UnsupportedMediaType("SAML is not supported: set up OpenID Connect, as application/json")
    content.require_json(kind, request.raw)
    body = content.decode(request.raw, shapes.NewProvider)
    return rules.ProviderSettings(
        issuer=body.issuer,
        well_known=body.well_known
        or (f"{body.issuer.rstrip('/')}/.well-known/openid-configuration" if body.issuer else ""),
        client_id=body.client_id,
        client_secret=body.client_secret,
        domains=tuple(domain.strip().lower().lstrip("@") for domain in body.allowed_domains),
        auto_provision=body.auto_provision,
        roles=tuple(body.roles),
    )
