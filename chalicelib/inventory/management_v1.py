"""Management API v1, inventory: devices, tags, groups."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.http import etag, paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import NoContent, Reply, UserRequest, no_content
from chalicelib.inventory import service, views
from chalicelib.inventory.rules import queries
from chalicelib.inventory.shapes import AttributeInput, DeviceShape, Group, Moved
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v1/inventory/devices", Permission.DEVICES_READ)
def list_device_inventories(request: UserRequest) -> Reply[list[DeviceShape]]:
    """List devices with their attributes, filtered and sorted."""
    page = paging.read_page(request)
    query = queries.of_list(request.query.multi)
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    return Reply(
        200,
        service.show(devices),
        paging.headers(request, page, total=total),
    )


@user_route(bp, "GET /management/v1/inventory/devices/{id}", Permission.DEVICES_READ, within={"device": "id"})
def get_device_inventory(request: UserRequest, id: str) -> Reply[DeviceShape]:
    """Get a device with its attributes. ``ETag`` is the version of its tags."""
    device = service.get(request.tenant, id)
    headers: dict[str, str | list[str]] = {"ETag": device.tags_etag} if device.tags_etag else {}
    return Reply(200, views.device(device), headers)


@user_route(bp, "DELETE /management/v1/inventory/devices/{id}", Permission.DEVICES_MANAGE, within={"device": "id"})
def clear_device_inventory(request: UserRequest, id: str) -> NoContent:
    """Delete what a device reported. The device itself stays; an unknown device is no error."""
    service.clear(request.tenant, id)
    return no_content()


@user_route(bp, "PUT /management/v1/inventory/devices/{id}/tags", Permission.DEVICES_MANAGE, within={"device": "id"})
def replace_device_tags(request: UserRequest, body: list[AttributeInput], id: str) -> Reply[None]:
    """Replace all tags of a device.

    Raises:
        PreconditionFailed: the tags have another version than ``If-Match`` names.
    """
    versions = etag.if_match(request.headers.get("if-match"))
    service.tag(request.tenant, id, body, replace=True, versions=versions)
    return Reply(200)


@user_route(bp, "PATCH /management/v1/inventory/devices/{id}/tags", Permission.DEVICES_MANAGE, within={"device": "id"})
def change_device_tags(request: UserRequest, body: list[AttributeInput], id: str) -> Reply[None]:
    """Set some tags of a device. The others stay as they are.

    Raises:
        PreconditionFailed: the tags have another version than ``If-Match`` names.
    """
    versions = etag.if_match(request.headers.get("if-match"))
    service.tag(request.tenant, id, body, replace=False, versions=versions)
    return Reply(200)


@user_route(bp, "GET /management/v1/inventory/devices/{id}/group", Permission.DEVICES_READ, within={"device": "id"})
def get_device_group(request: UserRequest, id: str) -> Reply[Group]:
    """Get the group of a device, or null."""
    return Reply(200, Group(service.get(request.tenant, id).group))


@user_route(bp, "PUT /management/v1/inventory/devices/{id}/group", Permission.DEVICES_MANAGE, within={"device": "id"})
def set_device_group(request: UserRequest, body: Group, id: str) -> NoContent:
    """Put a device into a group."""
    service.put(request.tenant, id, body.group, request.groups)
    return no_content()


@user_route(
    bp,
    "DELETE /management/v1/inventory/devices/{id}/group/{name}",
    Permission.DEVICES_MANAGE,
    within={"device": "id"},
)
def leave_group(request: UserRequest, id: str, name: str) -> NoContent:
    """Take a device out of its group."""
    service.leave(request.tenant, id, name)
    return no_content()


@user_route(bp, "GET /management/v1/inventory/groups", Permission.DEVICES_READ)
def list_groups(request: UserRequest) -> Reply[list[str]]:
    """List the names of all groups, or of those with a device of a status."""
    return Reply(200, service.names(request.tenant, request.query.get("status"), request.groups))


@user_route(bp, "DELETE /management/v1/inventory/groups/{name}", Permission.DEVICES_MANAGE)
def dissolve_group(request: UserRequest, name: str) -> Reply[Moved]:
    """Take all devices out of a group. The answer is ``{}`` if there is none."""
    return Reply(200, service.dissolve(request.tenant, name, request.groups))


@user_route(bp, "GET /management/v1/inventory/groups/{name}/devices", Permission.DEVICES_READ)
def list_group_devices(request: UserRequest, name: str) -> Reply[list[str]]:
    """List the ids of a group's devices."""
    page = paging.read_page(request)
    ids, total = service.members(request.tenant, name, page.start, page.stop, request.groups)
    headers = paging.headers(request, page, total=total)
    return Reply(200, ids, headers)


@user_route(bp, "PATCH /management/v1/inventory/groups/{name}/devices", Permission.DEVICES_MANAGE)
def add_to_group(request: UserRequest, body: list[str], name: str) -> Reply[Moved]:
    """Put devices into a group."""
    return Reply(200, service.put_many(request.tenant, name, body, request.groups))


@user_route(bp, "DELETE /management/v1/inventory/groups/{name}/devices", Permission.DEVICES_MANAGE)
def remove_from_group(request: UserRequest, body: list[str], name: str) -> Reply[Moved]:
    """Take devices out of a group."""
    return Reply(200, service.take_out(request.tenant, name, body, request.groups))
