"""Management API v2, inventory: search and saved filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.features import Feature
from chalicelib.http import paging
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply, created, no_content
from chalicelib.inventory import service
from chalicelib.inventory.rules import queries
from chalicelib.inventory.shapes import FilterDefinition, Search, Statistics
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from chalicelib.http.request import Created, NoContent, Request
    from chalicelib.inventory.shapes import AttributeCount, DeviceShape, SavedFilter

bp = Blueprint(__name__)


@endpoint(
    bp,
    "POST /management/v2/inventory/filters/search",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    body=Search,
)
def search_inventory(request: Request) -> Reply[list[DeviceShape]]:
    """Devices that meet all conditions; ``X-Total-Count`` says how many there are, ``Link`` is not sent."""
    body: Search = request.body
    page = paging.page_of(body.page, body.per_page)
    query = queries.of_search(body.filters or [], body.sort or [], body.device_ids, body.text)
    only = queries.selected(body.attributes or [])
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    return Reply(200, [service.shown(device, only) for device in devices], {"X-Total-Count": str(total)})


@endpoint(
    bp,
    "GET /management/v2/inventory/filters/attributes",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
)
def list_attributes(request: Request) -> Reply[list[AttributeCount]]:
    """Which attributes devices have, the most frequent first."""
    return Reply(200, service.attribute_counts(request.tenant, request.groups))


@endpoint(
    bp,
    "GET /management/v2/inventory/statistics",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
)
def get_device_statistics(request: Request) -> Reply[Statistics]:
    """How many devices are accepted and pending, by tier."""
    return Reply(200, Statistics(service.statistics(request.tenant, request.groups)))


@endpoint(
    bp,
    "GET /management/v2/inventory/filters",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    feature=Feature.DYNAMIC_GROUPS,
)
def list_filters(request: Request) -> Reply[list[SavedFilter]]:
    """The saved filters, by name; none for whose rights end at groups, since filters may name what is outside."""
    page = paging.read_page(request)
    if request.groups is not None:
        return Reply(200, [], paging.headers(request, page, total=0))
    filters, total = service.list_filters(request.tenant, page.start, page.stop)
    return Reply(200, filters, paging.headers(request, page, total=total))


@endpoint(
    bp,
    "POST /management/v2/inventory/filters",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    body=FilterDefinition,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # who deploys by a filter relies on it for devices of all groups
)
def create_filter(request: Request) -> Created:
    """Save a filter. ``Location`` is relative, and its last segment the id."""
    return created(f"filters/{service.create_filter(request.tenant, request.body)}")


@endpoint(
    bp,
    "GET /management/v2/inventory/filters/{id}",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # a filter may name what is outside of their groups
)
def get_filter(request: Request, id: str) -> Reply[SavedFilter]:
    """A saved filter."""
    return Reply(200, service.get_filter(request.tenant, id))


@endpoint(
    bp,
    "PUT /management/v2/inventory/filters/{id}",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    body=FilterDefinition,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # who deploys by a filter relies on it for devices of all groups
)
def change_filter(request: Request, id: str) -> NoContent:
    """Replace name and terms of a saved filter."""
    service.change_filter(request.tenant, id, request.body)
    return no_content()


@endpoint(
    bp,
    "DELETE /management/v2/inventory/filters/{id}",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # who deploys by a filter relies on it for devices of all groups
)
def delete_filter(request: Request, id: str) -> NoContent:
    """Remove a saved filter; unknown ones are fine."""
    service.delete_filter(request.tenant, id)
    return no_content()


@endpoint(
    bp,
    "GET /management/v2/inventory/filters/{id}/search",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # a filter may name what is outside of their groups
)
def search_by_filter(request: Request, id: str) -> Reply[list[DeviceShape]]:
    """The devices that a saved filter takes now, by id."""
    page = paging.read_page(request)
    query = queries.of_search(service.get_filter(request.tenant, id).terms, [], None, "")
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    headers = paging.headers(request, page, total=total)
    return Reply(200, [service.shown(device) for device in devices], headers)
