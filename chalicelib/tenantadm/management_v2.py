"""``/management/v2/tenantadm``: the caller's tenant, its settings, and a service provider's children."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from chalice.app import Blueprint

from chalicelib import limits, settings
from chalicelib.errors import MethodNotAllowed, UnsupportedMediaType
from chalicelib.http import content, etag, paging, signin
from chalicelib.http.endpoint import public_route, user_route
from chalicelib.http.request import Accepted, NoContent, Reply, Request, UserRequest, accepted, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import rules, service, shapes

bp = Blueprint(__name__)

_TENANTS = "/api/management/v2/tenantadm/tenants"


@user_route(bp, "GET /management/v2/tenantadm/tenants/me", Permission.BASIC)
def show_tenant(request: UserRequest) -> Reply[shapes.Tenant]:
    """Get the user's tenant, without its token.

    Raises:
        NotFound: the tenant was removed.
    """
    tiers = bool(request.query.flag("tiers"))
    seen = request.identity.groups(Permission.DEVICES_READ)
    return Reply(body=service.describe(request.tenant, token=False, tiers=tiers, groups=seen))


@user_route(bp, "GET /management/v2/tenantadm/tenants", Permission.TENANTS_READ)
def list_children(request: UserRequest) -> Reply[list[shapes.Tenant]]:
    """List the child tenants, oldest first.

    Raises:
        NotFound: the tenant was removed.
    """
    page = paging.read_page(request, default=limits.TENANTS_PER_PAGE)
    tiers = bool(request.query.flag("tiers"))
    found, total = service.list_children(request.tenant, page.start, page.stop)
    headers = paging.headers(request, page, total=total)
    return Reply(200, [service.shown(each, tiers=tiers, groups=None) for each in found], headers)


@user_route(bp, "POST /management/v2/tenantadm/tenants", Permission.TENANTS_MANAGE, sign_in=SignIn.SESSION)
def create_child(request: UserRequest, body: shapes.NewTenant) -> Accepted:
    """Create a child tenant with its first user.

    Raises:
        Conflict: the e-mail address is taken.
        NotFound: the tenant was removed.
        Unprocessable: the service provider's limits are reached, the password breaks a rule, or the body has a member
            that this server does not support.
    """
    rules.check_wishes(body)
    made = service.create_child(
        request.tenant,
        body.name,
        body.admin.email,
        body.admin.password or None,
        devices=shapes.device_limits(body),
        send_reset=body.admin.send_reset_password,
    )
    return accepted(f"{_TENANTS}/{made.id}")


@public_route(bp, "POST /management/v2/tenantadm/tenants/signup")
def sign_up(request: Request, body: bytes) -> Accepted:
    """Sign up: create a trial tenant, where the server allows it.

    Raises:
        MethodNotAllowed: sign-up is switched off.
        Conflict: the e-mail address is taken.
        UnsupportedMediaType: the body is neither JSON nor a form.
        Unprocessable: the password breaks a rule.
        TooManyRequests: there were too many sign-ups recently.
    """
    return _sign_up(request, body)


@public_route(bp, "POST /management/v2/tenantadm/tenants/trial")
def begin_trial(request: Request, body: bytes) -> Accepted:
    """Sign up, under the name that other clients use.

    Raises:
        MethodNotAllowed: sign-up is switched off.
        Conflict: the e-mail address is taken.
        UnsupportedMediaType: the body is neither JSON nor a form.
        Unprocessable: the password breaks a rule.
        TooManyRequests: there were too many sign-ups recently.
    """
    return _sign_up(request, body)


def _sign_up(request: Request, body: bytes) -> Accepted:
    service.require_signup()
    kind = content.media(request.headers.get("content-type"))
    if kind == "application/x-www-form-urlencoded":
        form = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
        form_marketing = form.pop("marketing", "").lower() in {"1", "on", "t", "true"}
        known = {field for field in shapes.SignUp.__struct_fields__ if field in form}
        wanted = shapes.SignUp(**{name: form[name] for name in known}, marketing=form_marketing)
    elif kind == "application/json":
        wanted = content.decode(body, shapes.SignUp)
    else:
        raise UnsupportedMediaType("unsupported media type")
    service.sign_up(wanted, request.source_ip)
    return accepted(settings.current().public_url or "/")


@user_route(bp, "PUT /management/v2/tenantadm/tenants/{id}/child", Permission.TENANTS_MANAGE)
def update_child(request: UserRequest, body: shapes.ChildUpdate, id: str) -> NoContent:
    """Change the name or the limits of a child tenant.

    Raises:
        Unprocessable: the service provider does not have that many devices left.
    """
    service.update_child(request.tenant, TenantId(id), body.name, shapes.device_limits(body))
    return no_content()


@user_route(bp, "PUT /management/v2/tenantadm/tenants/{id}/status", Permission.TENANTS_MANAGE)
def set_child_status(request: UserRequest, body: shapes.NewStatus, id: str) -> Accepted:
    """Suspend or activate a child tenant.

    Raises:
        Conflict: the tenant is being removed.
    """
    service.set_child_status(request.tenant, TenantId(id), body.status)
    return accepted()


@user_route(bp, "POST /management/v2/tenantadm/tenants/{id}/cancel", Permission.TENANTS_MANAGE, sign_in=SignIn.RECENT)
def cancel_tenant(request: UserRequest, body: shapes.Cancellation, id: str) -> Accepted:
    """Cancel a child tenant or, for administrators with their password, one's own.

    Its calls are refused at once, and its data is erased later.

    Raises:
        Conflict: the tenant is not active, or has children.
    """
    if id == request.tenant:
        request.identity.require_everything("end the tenant")
        signin.require_shown(request)
    service.cancel(request.tenant, TenantId(id), body.reason)
    return accepted()


@user_route(bp, "POST /management/v2/tenantadm/tenants/{id}/plan", Permission.TENANTS_MANAGE)
def request_plan(request: UserRequest, body: shapes.PlanRequest, id: str) -> Accepted:
    """Ask for another plan. The request is stored for the server's admin.

    Raises:
        Conflict: the tenant is not active.
    """
    if id == request.tenant:
        request.identity.require_everything("ask for another plan")
    service.request_plan(request.tenant, TenantId(id), request.identity.subject, body)
    return accepted()


@user_route(
    bp,
    "POST /management/v2/tenantadm/tenants/{id}/remove/start",
    Permission.TENANTS_MANAGE,
    sign_in=SignIn.RECENT,
)
def start_child_removal(request: UserRequest, id: str) -> Accepted:
    """Remove a child tenant: its calls are refused, and its data is erased.

    Raises:
        Conflict: the tenant has children.
    """
    service.remove_child(request.tenant, TenantId(id), inactive_only=False)
    return accepted()


@user_route(bp, "DELETE /management/v2/tenantadm/tenants/{id}", Permission.TENANTS_MANAGE, sign_in=SignIn.RECENT)
def remove_child(request: UserRequest, id: str) -> NoContent:
    """Remove an inactive child tenant, and erase its data.

    Raises:
        MethodNotAllowed: the tenant is active.
        Conflict: the tenant has children.
    """
    if not service.remove_child(request.tenant, TenantId(id), inactive_only=True):
        raise MethodNotAllowed("only an inactive tenant can be removed")
    return no_content()


@user_route(bp, "GET /management/v2/tenantadm/settings", Permission.BASIC)
def show_tenant_settings(request: UserRequest) -> Reply[dict[str, int | str | list[str]]]:
    """Get the tenant's settings for the server, with an ``ETag``. Not part of Mender's API."""
    document, version = service.settings(request.tenant)
    return Reply(200, document, {"ETag": version})


@user_route(bp, "PUT /management/v2/tenantadm/settings", Permission.SETTINGS_MANAGE)
def save_tenant_settings(request: UserRequest, body: dict[str, Any]) -> NoContent:
    """Replace the tenant's settings for the server. What is left out gets its default. Not part of Mender's API.

    Raises:
        Conflict: deployments would need approval, but the server is being upgraded.
        NotFound: the tenant was removed.
        PreconditionFailed: the settings have another version than ``If-Match`` names.
    """
    replacing = etag.if_match(request.headers.get("if-match"))
    version = service.save_settings(request.tenant, body, replacing=replacing, by=request.identity.rights)
    return no_content({"ETag": version})
