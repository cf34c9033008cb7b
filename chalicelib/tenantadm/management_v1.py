"""``/management/v1/tenantadm``: the tenant of the user who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply
from chalicelib.rights import Permission
from chalicelib.tenantadm import service

if TYPE_CHECKING:
    from chalicelib.http.request import Request
    from chalicelib.tenantadm.shapes import Tenant

bp = Blueprint(__name__)


@endpoint(bp, "GET /management/v1/tenantadm/user/tenant", auth=Auth.USER, permission=Permission.BASIC)
def show_tenant(request: Request) -> Reply[Tenant]:
    """Get the user's tenant. The token for setting up devices is only there for users who manage devices of all groups.

    Raises:
        NotFound: the tenant is gone.
    """
    tiers = bool(request.query.flag("tiers"))
    user = request.identity
    token = user.groups(Permission.DEVICES_MANAGE) is None
    seen = user.groups(Permission.DEVICES_READ)
    return Reply(body=service.describe(request.tenant, token=token, tiers=tiers, groups=seen))
