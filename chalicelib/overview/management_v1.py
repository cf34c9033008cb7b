"""``/management/v1/console/overview``: what needs attention first. Beyond Mender's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.http import etag
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply
from chalicelib.overview import service
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from chalicelib.http.request import Request
    from chalicelib.overview.shapes import Overview

bp = Blueprint(__name__)


@endpoint(bp, "GET /management/v1/console/overview", auth=Auth.USER, permission=Permission.BASIC)
def show_overview(request: Request) -> Reply[Overview]:
    """Devices and deployments that need attention, each part for who may read it; answers ``If-None-Match``."""
    rights = request.identity.rights
    found = service.overview(
        request.tenant,
        devices=rights.scopes(Permission.DEVICES_READ),
        rollouts=rights.scopes(Permission.DEPLOYMENTS_READ),
    )
    return etag.conditional(request, Reply(200, found))
