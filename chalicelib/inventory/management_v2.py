"""Management API v2, inventory: search and saved filters."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.features import Feature
from chalicelib.http import paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Created, NoContent, Reply, UserRequest, created, no_content
from chalicelib.inventory import service
from chalicelib.inventory.rules import queries
from chalicelib.inventory.shapes import AttributeCount, DeviceShape, FilterDefinition, SavedFilter, Search, Statistics
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(bp, "POST /management/v2/inventory/filters/search", Permission.DEVICES_READ)
def search_inventory(request: UserRequest, body: Search) -> Reply[list[DeviceShape]]:
    """Search for devices that meet all conditions. The answer has ``X-Total-Count`` but no ``Link``."""
    page = paging.page_of(body.page, body.per_page)
    query = queries.of_search(body.filters or [], body.sort or [], body.device_ids, body.text)
    only = queries.selected(body.attributes or [])
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    return Reply(200, service.show(devices, only), {"X-Total-Count": str(total)})


@user_route(bp, "GET /management/v2/inventory/filters/attributes", Permission.DEVICES_READ)
def list_attributes(request: UserRequest) -> Reply[list[AttributeCount]]:
    """List the attributes that devices have, the most frequent first."""
    return Reply(200, service.attribute_counts(request.tenant, request.groups))


@user_route(bp, "GET /management/v2/inventory/statistics", Permission.DEVICES_READ)
def get_device_statistics(request: UserRequest) -> Reply[Statistics]:
    """Count accepted and pending devices by tier."""
    return Reply(200, Statistics(service.statistics(request.tenant, request.groups)))


@user_route(bp, "GET /management/v2/inventory/filters", Permission.DEVICES_READ, feature=Feature.DYNAMIC_GROUPS)
def list_filters(request: UserRequest) -> Reply[list[SavedFilter]]:
    """List the saved filters by name.

    Users whose rights are limited to groups see none, since a filter may name other groups.
    """
    page = paging.read_page(request)
    if request.groups is not None:
        return Reply(200, [], paging.headers(request, page, total=0))
    filters, total = service.list_filters(request.tenant, page.start, page.stop)
    return Reply(200, filters, paging.headers(request, page, total=total))


@user_route(
    bp,
    "POST /management/v2/inventory/filters",
    Permission.DEVICES_MANAGE,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # a deployment by this filter goes to devices of all groups
)
def create_filter(request: UserRequest, body: FilterDefinition) -> Created:
    """Save a filter. ``Location`` is relative; its last segment is the id.

    Raises:
        Conflict: there is another filter with this name.
        Unprocessable: the tenant has reached its limit of filters.
    """
    return created(f"filters/{service.create_filter(request.tenant, body)}")


@user_route(
    bp,
    "GET /management/v2/inventory/filters/{id}",
    Permission.DEVICES_READ,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # a filter may name other groups
)
def get_filter(request: UserRequest, id: str) -> Reply[SavedFilter]:
    """Get a saved filter."""
    return Reply(200, service.get_filter(request.tenant, id))


@user_route(
    bp,
    "PUT /management/v2/inventory/filters/{id}",
    Permission.DEVICES_MANAGE,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # a deployment by this filter goes to devices of all groups
)
def change_filter(request: UserRequest, body: FilterDefinition, id: str) -> NoContent:
    """Replace the name and the terms of a saved filter.

    Raises:
        Conflict: there is another filter with this name.
    """
    service.change_filter(request.tenant, id, body)
    return no_content()


@user_route(
    bp,
    "DELETE /management/v2/inventory/filters/{id}",
    Permission.DEVICES_MANAGE,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # a deployment by this filter goes to devices of all groups
)
def delete_filter(request: UserRequest, id: str) -> NoContent:
    """Delete a saved filter. An unknown one is no error."""
    service.delete_filter(request.tenant, id)
    return no_content()


@user_route(
    bp,
    "GET /management/v2/inventory/filters/{id}/search",
    Permission.DEVICES_READ,
    feature=Feature.DYNAMIC_GROUPS,
    everywhere=True,  # a filter may name other groups
)
def search_by_filter(request: UserRequest, id: str) -> Reply[list[DeviceShape]]:
    """List the devices that a saved filter matches now, by id."""
    page = paging.read_page(request)
    query = queries.of_search(service.get_filter(request.tenant, id).terms, [], None, "")
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    headers = paging.headers(request, page, total=total)
    return Reply(200, service.show(devices), headers)
