"""``/management/v1/tenantadm``: the caller's tenant."""

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
    """Get the user's tenant. The tenant token is shown only to users who manage the devices of all groups.

    Raises:
        NotFound: the tenant was removed.
    """
    tiers = bool(request.query.flag("tiers"))
    user = request.identity
    token = user.groups(Permission.DEVICES_MANAGE) is None
    seen = user.groups(Permission.DEVICES_READ)
    return Reply(body=service.describe(request.tenant, token=token, tiers=tiers, groups=seen))
