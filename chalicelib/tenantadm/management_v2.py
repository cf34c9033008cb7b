"""``/management/v2/tenantadm``: the tenant of the user who asks, without its token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.permissions import Permission
from chalicelib.http.request import Reply
from chalicelib.tenantadm import service

if TYPE_CHECKING:
    from chalicelib.http.request import Request

bp = Blueprint(__name__)


@endpoint(bp, "GET /management/v2/tenantadm/tenants/me", auth=Auth.USER, permission=Permission.BASIC)
def show_tenant(request: Request) -> Reply:
    """The tenant."""
    tiers = bool(request.query.flag("tiers"))
    return Reply(body=service.describe(request.tenant, token=False, tiers=tiers))
