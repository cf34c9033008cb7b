"""Single sign-on: the tenant's identity providers, and logins at them. OpenID Connect only."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from chalice.app import Blueprint

from chalicelib import limits
from chalicelib.errors import DomainError, UnsupportedMediaType
from chalicelib.features import Feature
from chalicelib.http import content, cookies
from chalicelib.http.endpoint import public_route, user_route
from chalicelib.http.request import Created, NoContent, Redirect, Reply, Request, UserRequest, created, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import rules, shapes, views
from chalicelib.useradm.service import mail_texts, sso

bp = Blueprint(__name__)

_COOKIE = "oidc_login"
_PATH = "/api/management/v1/useradm/oidc"
_SETTING_UP = "set up single sign-on, since the provider decides who can sign in"
_CONSOLE = "console"
"""The value of ``ui`` for logins that the console begins, whose session is in a cookie that no script can read."""
_NEVER = "9999-12-31T23:59:59Z"
"""The expiry that the API has for SAML metadata; OpenID Connect has none."""


@user_route(bp, "GET /management/v1/useradm/sso/idp/metadata", Permission.USERS_MANAGE, feature=Feature.SSO)
def list_providers(request: UserRequest) -> Reply[list[shapes.ProviderEntry]]:
    """List the tenant's identity providers."""
    return Reply(body=[shapes.ProviderEntry(each.id, each.issuer, _NEVER) for each in sso.listed(request.tenant)])


@user_route(
    bp,
    "POST /management/v1/useradm/sso/idp/metadata",
    Permission.USERS_MANAGE,
    feature=Feature.SSO,
    sign_in=SignIn.RECENT,
)
def create_provider(request: UserRequest, body: bytes) -> Created:
    """Add an identity provider (OpenID Connect), at which users can sign in.

    Raises:
        Conflict: the tenant has as many identity providers as it may.
        UnsupportedMediaType: the body is not JSON; SAML is not supported.
    """
    request.identity.require_everything(_SETTING_UP)
    made = sso.create(request.tenant, _wanted(request, body), by=request.identity.rights)
    return created(f"/api/management/v1/useradm/sso/idp/metadata/{made.id}")


@user_route(bp, "GET /management/v1/useradm/sso/idp/metadata/{id}", Permission.USERS_MANAGE, feature=Feature.SSO)
def show_provider(request: UserRequest, id: str) -> Reply[shapes.Provider]:
    """Get the settings of an identity provider, without its secret."""
    return Reply(body=views.provider(sso.get(request.tenant, id), sso.places(id)))


@user_route(
    bp,
    "PUT /management/v1/useradm/sso/idp/metadata/{id}",
    Permission.USERS_MANAGE,
    feature=Feature.SSO,
    sign_in=SignIn.RECENT,
)
def update_provider(request: UserRequest, body: bytes, id: str) -> NoContent:
    """Replace the settings of an identity provider.

    Raises:
        UnsupportedMediaType: the body is not JSON; SAML is not supported.
    """
    request.identity.require_everything(_SETTING_UP)
    sso.get(request.tenant, id)
    sso.update(request.tenant, id, _wanted(request, body), by=request.identity.rights)
    return no_content()


@user_route(
    bp,
    "DELETE /management/v1/useradm/sso/idp/metadata/{id}",
    Permission.USERS_MANAGE,
    feature=Feature.SSO,
    sign_in=SignIn.RECENT,
)
def delete_provider(request: UserRequest, id: str) -> NoContent:
    """Delete an identity provider.

    Raises:
        Conflict: no administrator could sign in any more.
    """
    request.identity.require_everything(_SETTING_UP)
    sso.delete(request.tenant, id)
    return no_content()


@user_route(bp, "GET /management/v1/useradm/sso/sp/metadata/{id}", Permission.USERS_MANAGE, feature=Feature.SSO)
def show_provider_places(request: UserRequest, id: str) -> Reply[dict[str, str]]:
    """Get the URLs to register with the identity provider: where sign-ins begin, and where they return to."""
    return Reply(body=sso.places(sso.get(request.tenant, id).id))


@public_route(bp, "GET /management/v1/useradm/auth/sso/{id}/login")
def begin_sso_login(request: Request, id: str) -> Redirect:
    """Begin a sign-in at an identity provider: the browser is sent there.

    Raises:
        TooManyRequests: too many sign-ins began at the tenant's providers within the last hour.
        Unprocessable: this server does not know its own URL.
    """
    return _begin(request, id)


@public_route(bp, "GET /management/v1/useradm/oidc/{id}/start")
def begin_oidc_login(request: Request, id: str) -> Redirect:
    """Begin a sign-in at an identity provider: the browser is sent there.

    Raises:
        TooManyRequests: too many sign-ins began at the tenant's providers within the last hour.
        Unprocessable: this server does not know its own URL.
    """
    return _begin(request, id)


@public_route(bp, "GET /management/v1/useradm/oidc/{id}/callback")
def complete_oidc_login(request: Request, id: str) -> Redirect:
    """Finish a sign-in at an identity provider.

    The browser returns from the provider and is redirected, signed in, to the web page where the sign-in began. An
    error is shown on the console's sign-in page if the console began the sign-in, or if the request accepts
    ``text/html``.

    Raises:
        Forbidden: the identity provider refused, or there is no account for the user.
    """
    answer = {name: request.query.get(name) or "" for name in ("state", "code") if request.query.get(name)}
    issuer = request.query.get("iss")
    if issuer is not None:
        answer["iss"] = issuer
    verifier, _, began = cookies.parse(request.headers.get("cookie", "")).get(_COOKIE, "").partition(".")
    try:
        token = sso.complete(id, answer, verifier)
    except DomainError as error:
        # The cookie may have expired, so it is not known where the sign-in began.
        if began == _CONSOLE or _is_page(request):
            return _refused_to_console(error)
        raise
    if began == _CONSOLE:
        return _sent_on(f"{mail_texts.console_url()}/", cookies.begin(token), _verifier(""))
    ui = mail_texts.ui_url()
    # Only for the UI's path, so that browsers do not send it with calls that another site causes. Mender's UI reads it
    # with a script.
    path = urlsplit(ui).path or "/"
    return _sent_on(
        f"{ui}/", f"{cookies.MENDER}={token}; Path={path}; SameSite=Strict{cookies.secure()}", _verifier("")
    )


def _is_page(request: Request) -> bool:
    """Whether a browser would show the answer to a user, and there is a page to redirect to instead."""
    return "text/html" in request.headers.get("accept", "") and bool(mail_texts.console_url())


def _begin(request: Request, provider_id: str) -> Redirect:
    if request.query.get("ui") != _CONSOLE:
        begun = sso.start(provider_id)
        return _sent_on(begun.location, _verifier(begun.verifier))
    try:
        begun = sso.start(provider_id)
    except DomainError as error:
        # The browser has left the console for this answer, so without a redirect its user would see JSON.
        if not mail_texts.console_url():
            raise
        return _refused_to_console(error)
    return _sent_on(begun.location, _verifier(f"{begun.verifier}.{_CONSOLE}"))


def _refused_to_console(error: DomainError) -> Redirect:
    return _sent_on(f"{mail_texts.console_url()}/#/?sso_error={quote(error.text, safe='')}", _verifier(""))


def _verifier(value: str) -> str:
    """A ``Set-Cookie`` with the secret of the browser that begins a login; empty: delete the cookie."""
    life = limits.SSO_LOGIN_LIFE if value else 0
    return f"{_COOKIE}={value}; Path={_PATH}; Max-Age={life}; HttpOnly; SameSite=Lax{cookies.secure()}"


def _sent_on(where: str, *set_cookies: str) -> Redirect:
    return Redirect(headers={"Location": where, "Set-Cookie": list(set_cookies), "Cache-Control": "no-store"})


def _wanted(request: UserRequest, body: bytes) -> rules.ProviderSettings:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() == "application/samlmetadata+xml":
        raise UnsupportedMediaType("SAML is not supported: set up OpenID Connect, as application/json")
    content.require_json(kind, body)
    given = content.decode(body, shapes.NewProvider)
    return rules.ProviderSettings(
        issuer=given.issuer,
        well_known=given.well_known
        or (f"{given.issuer.rstrip('/')}/.well-known/openid-configuration" if given.issuer else ""),
        client_id=given.client_id,
        client_secret=given.client_secret,
        domains=tuple(domain.strip().lower().lstrip("@") for domain in given.allowed_domains),
        auto_provision=given.auto_provision,
        roles=tuple(given.roles),
    )
