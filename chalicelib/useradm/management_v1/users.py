"""``/management/v1/useradm``: logins, users, settings, personal access tokens, plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint

from chalicelib import limits, settings
from chalicelib.aws import mail
from chalicelib.http import content, cookies, etag, queries, signin
from chalicelib.http.endpoint import public_route, user_route
from chalicelib.http.identity import basic
from chalicelib.http.request import (
    Accepted,
    Created,
    Jwt,
    NoContent,
    Reply,
    Request,
    UserRequest,
    accepted,
    created,
    jwt,
    no_content,
    signed_in,
)
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import rules, service, shapes, views
from chalicelib.useradm.service import plans, preferences, sessions, sso

if TYPE_CHECKING:
    from chalicelib.http.request import Query
    from chalicelib.storage.keys import TenantId

bp = Blueprint(__name__)


@public_route(bp, "POST /management/v1/useradm/auth/login")
def login(request: Request, body: bytes) -> Jwt | NoContent | Reply[shapes.SsoLogin]:
    """Sign in with an e-mail address and a password (HTTP Basic).

    The answer is a session's token, or with the header ``X-Session: cookie`` a cookie without a body. For a user
    without a password it names the identity provider to sign in at. The body can be empty, whatever its type.

    Raises:
        Unauthorized: the address, the password or the code is wrong, a code is needed, or the tenant is suspended.
        UnsupportedMediaType: the body is not JSON.
        TooManyRequests: there were too many failed attempts.
    """
    options = shapes.LoginOptions()
    if body.strip():
        content.require_json(request.headers.get("content-type"), body)
        options = content.decode(body, shapes.LoginOptions)
    address, password = basic(request.headers)
    if not password and (provider := sso.of_user(address)):
        # Users without a password sign in at a provider: the UI sends them there.
        return Reply(body=shapes.SsoLogin(provider.id, shapes.SSO_KIND))
    code = options.token2fa
    token = sessions.login(address, password, request.source_ip, code=code, no_expiry=options.no_expiry)
    if not cookies.is_wanted(request):
        return jwt(token)
    life = cookies.FOR_EVER if options.no_expiry else settings.current().user_token_life
    return signed_in(token, life=life if options.remember else None)


@user_route(bp, "POST /management/v1/useradm/auth/logout", Permission.BASIC)
def logout(request: UserRequest) -> Accepted:
    """Sign out: end the session that makes this call, another one of its user, or all of them."""
    who = request.identity
    other = request.query.get("session")
    if other and other != who.token_id:
        signin.require(SignIn.SESSION, request)
        sessions.end_session(who.home, who.subject, other)
        return accepted()
    if request.query.flag("everywhere"):
        signin.require(SignIn.SESSION, request)
        sessions.logout_everywhere(who.home, who.subject)
    sessions.logout(who.home, who.subject, who.token_id)
    return Accepted(headers={"Set-Cookie": cookies.end()} if cookies.is_session(request) else {})


@user_route(bp, "GET /management/v1/useradm/users", Permission.USERS_READ)
def list_users(request: UserRequest) -> Reply[list[shapes.User]]:
    """List the tenant's users. Not paged."""
    users = service.list_users(request.tenant, _filter(request.query))
    return Reply(body=[views.user(user, invited=service.is_invited(user)) for user in users])


@user_route(bp, "POST /management/v1/useradm/users", Permission.USERS_MANAGE, sign_in=SignIn.SESSION)
def create_user(request: UserRequest, body: shapes.NewUser) -> Created:
    """Create a user with a password, or with an invitation by mail, with which the user chooses one.

    Raises:
        TooManyRequests: too many mails were requested recently.
        Unprocessable: the e-mail address is taken, the password breaks a rule, or there is no such role.
    """
    mailed = body.send_reset_password or (not body.password and mail.configured())
    password = body.password or None if mailed else body.password
    if mailed:
        service.admit_mail(body.email)  # first, because a user who was already created would stay if this is refused
    user = service.create_user(request.tenant, body.email, password, roles=body.roles or (), by=request.identity.rights)
    if mailed:
        service.invite(user.email)
    return created(f"/api/management/v1/useradm/users/{user.id}")


@user_route(bp, "GET /management/v1/useradm/users/me", Permission.BASIC)
def show_me(request: UserRequest) -> Reply[shapes.User]:
    """Get the user who is signed in, and the tenant.

    Raises:
        NotFound: the user was deleted.
    """
    return Reply(body=service.caller(request.identity.home, request.identity.subject, request.tenant))


@user_route(bp, "PUT /management/v1/useradm/users/me", Permission.BASIC, sign_in=SignIn.SESSION)
def update_me(request: UserRequest, body: shapes.UserUpdate) -> NoContent:
    """Change one's own e-mail address or password.

    Raises:
        NotFound: the user was deleted.
        Conflict: the user is the last administrator.
        Unprocessable: the address is taken, the password breaks a rule, or ``current_password`` is wrong.
    """
    return _update(request, body, request.identity.subject)


@user_route(bp, "GET /management/v1/useradm/users/{id}", Permission.USERS_READ, own="id")
def show_user(request: UserRequest, id: str) -> Reply[shapes.User]:
    """Get a user."""
    user = service.get_user(request.tenant, id)
    return Reply(body=views.user(user, invited=service.is_invited(user)))


@user_route(bp, "PUT /management/v1/useradm/users/{id}", Permission.USERS_MANAGE, own="id", sign_in=SignIn.SESSION)
def update_user(request: UserRequest, body: shapes.UserUpdate, id: str) -> NoContent:
    """Change a user. Only users themselves can change their password, without a permission.

    Raises:
        Conflict: the user is the last administrator.
        Unprocessable: the address is taken, the password breaks a rule or is another user's, ``current_password`` is
            wrong, or there is no such role.
    """
    return _update(request, body, id)


@user_route(bp, "DELETE /management/v1/useradm/users/{id}", Permission.USERS_MANAGE, sign_in=SignIn.SESSION)
def delete_user(request: UserRequest, id: str) -> NoContent:
    """Delete a user. All tokens of the user are revoked.

    Raises:
        Conflict: the user is the last administrator.
    """
    service.delete_user(request.tenant, id, by=request.identity.rights)
    return no_content()


@user_route(bp, "POST /management/v1/useradm/users/{id}/invitation", Permission.USERS_MANAGE, sign_in=SignIn.SESSION)
def invite_again(request: UserRequest, id: str) -> Accepted:
    """Mail another invitation to a user who has not accepted one yet. The link of the earlier one becomes invalid.

    Raises:
        Conflict: the user has accepted it.
        TooManyRequests: too many mails were requested recently.
    """
    service.invite_again(request.tenant, id, by=request.identity.rights)
    return accepted()


@user_route(bp, "GET /management/v1/useradm/settings", Permission.BASIC)
def show_shared_settings(request: UserRequest) -> Reply[dict[str, Any]]:
    """Get the settings that the tenant's users share."""
    return _settings(request, None)


@user_route(bp, "POST /management/v1/useradm/settings", Permission.SETTINGS_MANAGE, body_limit=limits.SETTINGS_DOCUMENT)
def save_shared_settings(request: UserRequest, body: shapes.Settings) -> Created:
    """Replace the settings that the tenant's users share.

    Raises:
        PreconditionFailed: the settings have another version than ``If-Match`` names.
    """
    return _save_settings(request, body, None)


@user_route(bp, "GET /management/v1/useradm/settings/me", Permission.BASIC)
def show_my_settings(request: UserRequest) -> Reply[dict[str, Any]]:
    """Get the settings of the user who is signed in."""
    return _settings(request, request.identity.subject)


@user_route(bp, "POST /management/v1/useradm/settings/me", Permission.BASIC, body_limit=limits.SETTINGS_DOCUMENT)
def save_my_settings(request: UserRequest, body: shapes.Settings) -> Created:
    """Replace the settings of the user who is signed in.

    Raises:
        PreconditionFailed: the settings have another version than ``If-Match`` names.
    """
    return _save_settings(request, body, request.identity.subject)


@user_route(bp, "GET /management/v1/useradm/users/me/sessions", Permission.BASIC)
def list_own_sessions(request: UserRequest) -> Reply[list[shapes.OwnSession]]:
    """List one's own sessions, the newest first. Not part of Mender's API."""
    who = request.identity
    return Reply(body=[views.session(each, who.token_id) for each in sessions.list_sessions(who.home, who.subject)])


@user_route(bp, "GET /management/v1/useradm/settings/tokens", Permission.BASIC)
def list_tokens(request: UserRequest) -> Reply[list[shapes.Token]]:
    """List one's own personal access tokens."""
    tokens = sessions.list_tokens(request.tenant, request.identity.subject)
    return Reply(body=[views.token(token) for token in tokens])


@user_route(bp, "POST /management/v1/useradm/settings/tokens", Permission.TOKENS_MANAGE, sign_in=SignIn.RECENT)
def create_token(request: UserRequest, body: shapes.NewToken) -> Jwt:
    """Create a personal access token, which is shown only once.

    Raises:
        NotFound: the user was deleted.
        Conflict: there is a token with this name.
    """
    return jwt(sessions.create_token(request.tenant, request.identity.subject, body.name, body.expires_in))


@user_route(bp, "DELETE /management/v1/useradm/settings/tokens/{id}", Permission.BASIC, sign_in=SignIn.SESSION)
def revoke_token(request: UserRequest, id: str) -> NoContent:
    """Revoke one of one's own personal access tokens."""
    sessions.revoke_token(request.tenant, request.identity.subject, id)
    return no_content()


@user_route(bp, "GET /management/v1/useradm/plans", Permission.BASIC)
def list_plans(request: UserRequest) -> Reply[list[shapes.Plan]]:  # noqa: ARG001  # the same for everyone
    """List the plans that a tenant can have."""
    return Reply(body=plans.all_plans())


@user_route(bp, "GET /management/v1/useradm/plan_binding", Permission.BASIC)
def show_plan_binding(request: UserRequest) -> Reply[shapes.PlanBinding]:
    """Get the tenant's plan and limits."""
    return Reply(body=plans.binding(request.tenant))


def _update(request: UserRequest, body: shapes.UserUpdate, user_id: str) -> NoContent:
    own = user_id == request.identity.subject
    if body.email and not own:
        # Whoever receives the mails of an account can set its password.
        signin.require(SignIn.RECENT, request)
    service.update_user(
        request.tenant,
        user_id,
        rules.change(body.email, body.password, own=own, roles=body.roles),
        current_password=body.current_password,
        keep_token=request.identity.token_id,
        by=request.identity.rights,
    )
    return no_content()


def _settings(request: UserRequest, user_id: str | None) -> Reply[dict[str, Any]]:
    document, version = preferences.read(_owner(request, user_id), user_id)
    return Reply(body=document, headers={"ETag": version} if version else {})


def _save_settings(request: UserRequest, body: shapes.Settings, user_id: str | None) -> Created:
    wanted = etag.if_match(request.headers.get("if-match"))
    preferences.write(_owner(request, user_id), user_id, body, replacing=wanted)
    return created()


def _owner(request: UserRequest, user_id: str | None) -> TenantId:
    """The tenant of the settings: those of a user stay in the user's own tenant."""
    return request.tenant if user_id is None else request.identity.home


def _filter(query: Query) -> rules.UserFilter:
    return rules.UserFilter(
        ids=frozenset(query.all("id")),
        emails=frozenset(map(rules.account, query.all("email"))),
        created_after=queries.seconds(query, "created_after"),
        created_before=queries.seconds(query, "created_before"),
        updated_after=queries.seconds(query, "updated_after"),
        updated_before=queries.seconds(query, "updated_before"),
    )
