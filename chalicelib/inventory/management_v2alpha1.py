"""Management API v2alpha1, inventory: identities and components."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib.features import Feature
from chalicelib.http import paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.inventory import service
from chalicelib.inventory.rules import queries
from chalicelib.inventory.shapes import DeviceShape, IdentitySearch
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(bp, "POST /management/v2alpha1/inventory/identities/search", Permission.DEVICES_READ)
def search_identities(request: UserRequest, body: IdentitySearch) -> Reply[list[DeviceShape]]:
    """Search for devices whose id, identity or tag begins with a text."""
    page = paging.page_of(body.page, body.per_page)
    query = queries.of_identity(body)
    only = queries.selected(body.attributes or [])
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    headers = paging.headers(request, page, total=total)
    return Reply(200, service.show(devices, only), headers)


@user_route(
    bp,
    "GET /management/v2alpha1/inventory/devices/{id}/components",
    Permission.DEVICES_READ,
    feature=Feature.SYSTEMS,
    within={"device": "id"},
)
def get_device_components(request: UserRequest, id: str) -> Reply[dict[str, Any]]:
    """Get the components of a system device. Always empty: no device reports any yet."""
    service.get(request.tenant, id)
    return Reply(200, {})
