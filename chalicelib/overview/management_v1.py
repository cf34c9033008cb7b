"""``/management/v1/console/overview``: what needs attention. Not part of Mender's API."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.http import etag
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.overview import service
from chalicelib.overview.shapes import Overview
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v1/console/overview", Permission.BASIC)
def show_overview(request: UserRequest) -> Reply[Overview]:
    """Get devices and deployments that need attention. Parts that the caller may not read are left out."""
    rights = request.identity.rights
    found = service.overview(
        request.tenant,
        devices=rights.scopes(Permission.DEVICES_READ),
        rollouts=rights.scopes(Permission.DEPLOYMENTS_READ),
    )
    return etag.conditional(request, Reply(200, found))
