"""``/management/v2/tenantadm``: the tenant of the user who asks, its settings, and a service provider's children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from chalice.app import Blueprint

from chalicelib import limits, settings
from chalicelib.errors import MethodNotAllowed, UnsupportedMediaType
from chalicelib.http import content, etag, paging, signin
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply, accepted, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import rules, service, shapes

if TYPE_CHECKING:
    from chalicelib.http.request import Accepted, NoContent, Request

bp = Blueprint(__name__)

_TENANTS = "/api/management/v2/tenantadm/tenants"


@endpoint(bp, "GET /management/v2/tenantadm/tenants/me", auth=Auth.USER, permission=Permission.BASIC)
def show_tenant(request: Request) -> Reply[shapes.Tenant]:
    """Get the user's tenant, without its token.

    Raises:
        NotFound: the tenant is gone.
    """
    tiers = bool(request.query.flag("tiers"))
    seen = request.identity.groups(Permission.DEVICES_READ)
    return Reply(body=service.describe(request.tenant, token=False, tiers=tiers, groups=seen))


@endpoint(bp, "GET /management/v2/tenantadm/tenants", auth=Auth.USER, permission=Permission.TENANTS_READ)
def list_children(request: Request) -> Reply[list[shapes.Tenant]]:
    """List the child tenants, oldest first.

    Raises:
        NotFound: the tenant is gone.
    """
    page = paging.read_page(request, default=limits.TENANTS_PER_PAGE)
    tiers = bool(request.query.flag("tiers"))
    found, total = service.list_children(request.tenant, page.start, page.stop)
    headers = paging.headers(request, page, total=total)
    return Reply(200, [service.shown(each, tiers=tiers) for each in found], headers)


@endpoint(
    bp,
    "POST /management/v2/tenantadm/tenants",
    auth=Auth.USER,
    permission=Permission.TENANTS_MANAGE,
    body=shapes.NewTenant,
    sign_in=SignIn.SESSION,
)
def create_child(request: Request) -> Accepted:
    """Create a child tenant with its first user.

    Raises:
        Conflict: the e-mail address is taken.
        NotFound: the tenant is gone.
        Unprocessable: the service provider has no room for it, the password breaks a rule, or the body asks for what
            this server does not do.
    """
    body: shapes.NewTenant = request.body
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


@endpoint(bp, "POST /management/v2/tenantadm/tenants/signup", auth=Auth.NONE, permission=None, body=bytes)
def sign_up(request: Request) -> Accepted:
    """Sign up: create a tenant on trial, where the server allows it.

    Raises:
        MethodNotAllowed: this server takes no sign-ups.
        Conflict: the e-mail address is taken.
        UnsupportedMediaType: the body is neither JSON nor a form.
        Unprocessable: the password breaks a rule.
        TooManyRequests: too many sign-ups were tried lately.
    """
    return _sign_up(request)


@endpoint(bp, "POST /management/v2/tenantadm/tenants/trial", auth=Auth.NONE, permission=None, body=bytes)
def begin_trial(request: Request) -> Accepted:
    """Sign up, under the name that other clients use.

    Raises:
        MethodNotAllowed: this server takes no sign-ups.
        Conflict: the e-mail address is taken.
        UnsupportedMediaType: the body is neither JSON nor a form.
        Unprocessable: the password breaks a rule.
        TooManyRequests: too many sign-ups were tried lately.
    """
    return _sign_up(request)


def _sign_up(request: Request) -> Accepted:
    service.require_signup()
    kind = content.media(request.headers.get("content-type"))
    if kind == "application/x-www-form-urlencoded":
        form = {name: values[-1] for name, values in parse_qs(request.raw.decode(errors="replace")).items()}
        form_marketing = form.pop("marketing", "").lower() in {"1", "on", "t", "true"}
        known = {field for field in shapes.SignUp.__struct_fields__ if field in form}
        wanted = shapes.SignUp(**{name: form[name] for name in known}, marketing=form_marketing)
    elif kind == "application/json":
        wanted = content.decode(request.raw, shapes.SignUp)
    else:
        raise UnsupportedMediaType("unsupported media type")
    service.sign_up(wanted, request.source_ip)
    return accepted(settings.current().public_url or "/")


@endpoint(
    bp,
    "PUT /management/v2/tenantadm/tenants/{id}/child",
    auth=Auth.USER,
    permission=Permission.TENANTS_MANAGE,
    body=shapes.ChildUpdate,
)
def update_child(request: Request, id: str) -> NoContent:
    """Change the name or the limits of a child tenant.

    Raises:
        Unprocessable: the service provider has not that many devices left.
    """
    body: shapes.ChildUpdate = request.body
    service.update_child(request.tenant, TenantId(id), body.name, shapes.device_limits(body))
    return no_content()


@endpoint(
    bp,
    "PUT /management/v2/tenantadm/tenants/{id}/status",
    auth=Auth.USER,
    permission=Permission.TENANTS_MANAGE,
    body=shapes.NewStatus,
)
def set_child_status(request: Request, id: str) -> Accepted:
    """Suspend or activate a child tenant.

    Raises:
        Conflict: the tenant is being removed.
    """
    service.set_child_status(request.tenant, TenantId(id), request.body.status)
    return accepted()


@endpoint(
    bp,
    "POST /management/v2/tenantadm/tenants/{id}/cancel",
    auth=Auth.USER,
    permission=Permission.TENANTS_MANAGE,
    body=shapes.Cancellation,
    sign_in=SignIn.RECENT,
)
def cancel_tenant(request: Request, id: str) -> Accepted:
    """Cancel a child tenant or, for administrators with their password, the own one.

    It is locked at once and erased later.

    Raises:
        Conflict: the tenant is not active, or has children.
    """
    if id == request.tenant:
        request.identity.require_everything("end the tenant")
        signin.require_shown(request)
    service.cancel(request.tenant, TenantId(id), request.body.reason)
    return accepted()


@endpoint(
    bp,
    "POST /management/v2/tenantadm/tenants/{id}/plan",
    auth=Auth.USER,
    permission=Permission.TENANTS_MANAGE,
    body=shapes.PlanRequest,
)
def request_plan(request: Request, id: str) -> Accepted:
    """Ask for another plan. The request is noted for the server's administrator.

    Raises:
        Conflict: the tenant is not active.
    """
    if id == request.tenant:
        request.identity.require_everything("ask for another plan")
    service.request_plan(request.tenant, TenantId(id), request.identity.subject, request.body)
    return accepted()


@endpoint(
    bp,
    "POST /management/v2/tenantadm/tenants/{id}/remove/start",
    auth=Auth.USER,
    permission=Permission.TENANTS_MANAGE,
    sign_in=SignIn.RECENT,
)
def start_child_removal(request: Request, id: str) -> Accepted:
    """Lock a child tenant for good, and have its data erased.

    Raises:
        Conflict: the tenant has children.
    """
    service.remove_child(request.tenant, TenantId(id), inactive_only=False)
    return accepted()


@endpoint(
    bp,
    "DELETE /management/v2/tenantadm/tenants/{id}",
    auth=Auth.USER,
    permission=Permission.TENANTS_MANAGE,
    sign_in=SignIn.RECENT,
)
def remove_child(request: Request, id: str) -> NoContent:
    """Have the data of an inactive child tenant erased.

    Raises:
        MethodNotAllowed: the tenant is active.
        Conflict: the tenant has children.
    """
    if not service.remove_child(request.tenant, TenantId(id), inactive_only=True):
        raise MethodNotAllowed("only an inactive tenant can be removed")
    return no_content()


@endpoint(bp, "GET /management/v2/tenantadm/settings", auth=Auth.USER, permission=Permission.BASIC)
def show_tenant_settings(request: Request) -> Reply[dict[str, int]]:
    """Get the tenant's settings for the server, with an ``ETag``. Not part of Mender's API."""
    document, version = service.settings(request.tenant)
    return Reply(200, document, {"ETag": version})


@endpoint(
    bp,
    "PUT /management/v2/tenantadm/settings",
    auth=Auth.USER,
    permission=Permission.SETTINGS_MANAGE,
    body=dict[str, Any],
)
def save_tenant_settings(request: Request) -> NoContent:
    """Replace the tenant's settings for the server. What is left out gets its default. Not part of Mender's API.

    Raises:
        NotFound: the tenant is gone.
        PreconditionFailed: the settings have another version than ``If-Match`` names.
    """
    replacing = etag.if_match(request.headers.get("if-match"))
    version = service.save_settings(request.tenant, request.body, replacing=replacing, by=request.identity.rights)
    return no_content({"ETag": version})
