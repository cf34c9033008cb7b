"""Management API v2, inventory: search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib import limits
from chalicelib.errors import BadRequest
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.permissions import Permission
from chalicelib.http.request import Reply
from chalicelib.inventory import service
from chalicelib.inventory.rules import queries
from chalicelib.inventory.shapes import Search

if TYPE_CHECKING:
    from chalicelib.http.request import Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "POST /management/v2/inventory/filters/search",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    body=Search,
)
def search(request: Request) -> Reply:
    """Devices that meet all conditions; ``X-Total-Count`` says how many there are, ``Link`` is not sent."""
    body: Search = request.body
    # Go's zero values stand for what was not sent.
    page, size = body.page or 1, body.per_page or limits.PER_PAGE_DEFAULT
    if page < 1 or not 1 <= size <= limits.PER_PAGE_MAX:
        raise BadRequest(f"page or per_page out of bounds (per_page max: {limits.PER_PAGE_MAX})")
    query = queries.of_search(body.filters or [], body.sort or [], body.device_ids, body.text)
    only = queries.selected(body.attributes or [])
    devices, total = service.search(request.tenant, query, (page - 1) * size, page * size)
    return Reply(200, [service.shown(device, only) for device in devices], {"X-Total-Count": str(total)})


@endpoint(
    bp,
    "GET /management/v2/inventory/filters/attributes",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
)
def list_attributes(request: Request) -> Reply:
    """Which attributes devices have, the most frequent first."""
    return Reply(200, service.attribute_counts(request.tenant))


@endpoint(
    bp,
    "GET /management/v2/inventory/statistics",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
)
def get_statistics(request: Request) -> Reply:
    """How many devices are accepted and pending, by tier."""
    return Reply(200, {"devices_by_status": service.statistics(request.tenant)})
