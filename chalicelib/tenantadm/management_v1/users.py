"""``/management/v1/useradm``: users of a service provider and of its child tenants."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.errors import BadRequest
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.tenantadm import service, shapes

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v1/useradm/users/exists", Permission.TENANTS_MANAGE)
def user_exists(request: UserRequest) -> Reply[shapes.Exists]:
    """Get whether a user of this tenant or of one of its children has an e-mail address.

    Raises:
        NotFound: the tenant was removed.
    """
    address = request.query.get("email")
    if not address:
        raise BadRequest("email: is required")
    return Reply(body=shapes.Exists(service.is_user_known(request.tenant, address)))


@user_route(bp, "POST /management/v1/useradm/users/{id}/assign", Permission.TENANTS_MANAGE, sign_in=SignIn.SESSION)
def assign_tenants(request: UserRequest, body: shapes.TenantIds, id: str) -> Reply[None]:
    """Assign a user, given by id or e-mail address, to tenants of this service provider. An empty list ends it.

    Raises:
        Unprocessable: a tenant has no such role, or there are too many tenants.
    """
    who = request.identity
    service.assign(request.tenant, id, body.tenant_ids, body.role, by=who.rights, own=who.subject)
    return Reply()
