"""Management API v2alpha1, inventory: identities and components."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.features import Feature
from chalicelib.http import paging
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply
from chalicelib.inventory import service
from chalicelib.inventory.rules import queries
from chalicelib.inventory.shapes import IdentitySearch
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from typing import Any

    from chalicelib.http.request import Request
    from chalicelib.inventory.shapes import DeviceShape

bp = Blueprint(__name__)


@endpoint(
    bp,
    "POST /management/v2alpha1/inventory/identities/search",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    body=IdentitySearch,
)
def search_identities(request: Request) -> Reply[list[DeviceShape]]:
    """Search for devices whose id, identity or tag begins with a text."""
    body: IdentitySearch = request.body
    page = paging.page_of(body.page, body.per_page)
    query = queries.of_identity(body)
    only = queries.selected(body.attributes or [])
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    headers = paging.headers(request, page, total=total)
    return Reply(200, [service.shown(device, only) for device in devices], headers)


@endpoint(
    bp,
    "GET /management/v2alpha1/inventory/devices/{id}/components",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    feature=Feature.SYSTEMS,
    device="id",
)
def get_device_components(request: Request, id: str) -> Reply[dict[str, Any]]:
    """Get the components of a system device. Always empty: no device reports any yet."""
    service.get(request.tenant, id)
    return Reply(200, {})
