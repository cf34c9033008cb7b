"""Plan and limits of a tenant for its users, and sessions in other tenants."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.errors import Forbidden
from chalicelib.http import cookies
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Accepted, Jwt, NoContent, Reply, UserRequest, accepted, jwt, signed_in
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.storage.keys import TenantId
from chalicelib.useradm import service, shapes
from chalicelib.useradm.service import plans, sessions

bp = Blueprint(__name__)


@user_route(bp, "POST /management/v1/useradm/auth/plan-verify", Permission.BASIC)
def verify_plan(request: UserRequest) -> Accepted:
    """Check whether the tenant has a plan and an add-on."""
    plan = request.headers.get("x-mender-required-minimal-plan", "")
    addon = request.headers.get("x-mender-required-addon", "")
    if not plans.has(request.tenant, plan, addon):
        raise Forbidden("the plan or the add-ons of the tenant do not include what the request's headers require")
    return accepted()


@user_route(bp, "GET /management/v1/useradm/limits", Permission.BASIC)
def show_user_limits(request: UserRequest) -> Reply[shapes.Limits]:
    """Get the number of the tenant's users, and its limit. -1: no limit."""
    return Reply(body=shapes.Limits(shapes.Limit(service.count_users(request.tenant), -1)))


@user_route(bp, "GET /management/v1/useradm/users/tenants/{id}/token", Permission.BASIC, sign_in=SignIn.SESSION)
def switch_tenant(request: UserRequest, id: str) -> Jwt | NoContent:
    """Get a session in another tenant in which the user may work, or back in one's own.

    Callers with a cookie get another cookie and no body, so that no script sees a token.
    """
    who = request.identity
    token = sessions.switch(who.home, who.subject, who.token_id, TenantId(id))
    return signed_in(token) if cookies.is_wanted(request) else jwt(token)
