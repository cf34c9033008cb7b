"""``/management/v1/tenantadm``: the tenant of the user who asks."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.rights import Permission
from chalicelib.tenantadm import service
from chalicelib.tenantadm.shapes import Tenant

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v1/tenantadm/user/tenant", Permission.BASIC)
def show_tenant(request: UserRequest) -> Reply[Tenant]:
    """Get the user's tenant. The token for setting up devices is only there for users who manage devices of all groups.

    Raises:
        NotFound: the tenant is gone.
    """
    tiers = bool(request.query.flag("tiers"))
    user = request.identity
    token = user.groups(Permission.DEVICES_MANAGE) is None
    seen = user.groups(Permission.DEVICES_READ)
    return Reply(body=service.describe(request.tenant, token=token, tiers=tiers, groups=seen))
