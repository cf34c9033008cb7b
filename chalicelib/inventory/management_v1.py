"""Management API v1, inventory: devices, tags, groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.http import etag, paging
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply, no_content
from chalicelib.inventory import service
from chalicelib.inventory.rules import queries
from chalicelib.inventory.shapes import AttributeInput, Group
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from chalicelib.http.request import NoContent, Request
    from chalicelib.inventory.shapes import DeviceShape, Moved

bp = Blueprint(__name__)


@endpoint(bp, "GET /management/v1/inventory/devices", auth=Auth.USER, permission=Permission.DEVICES_READ)
def list_device_inventories(request: Request) -> Reply[list[DeviceShape]]:
    """List devices with their attributes, filtered and sorted."""
    page = paging.read_page(request)
    query = queries.of_list(request.query.multi)
    devices, total = service.search(request.tenant, query, page.start, page.stop, request.groups)
    return Reply(
        200,
        [service.shown(device) for device in devices],
        paging.headers(request, page, total=total),
    )


@endpoint(
    bp,
    "GET /management/v1/inventory/devices/{id}",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    device="id",
)
def get_device_inventory(request: Request, id: str) -> Reply[DeviceShape]:
    """Get a device with its attributes. ``ETag`` is the version of its tags."""
    device = service.get(request.tenant, id)
    headers: dict[str, str | list[str]] = {"ETag": device.tags_etag} if device.tags_etag else {}
    return Reply(200, service.shown(device), headers)


@endpoint(
    bp,
    "DELETE /management/v1/inventory/devices/{id}",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    device="id",
)
def clear_device_inventory(request: Request, id: str) -> NoContent:
    """Delete what a device reported. The device itself stays; an unknown device is no error."""
    service.clear(request.tenant, id)
    return no_content()


@endpoint(
    bp,
    "PUT /management/v1/inventory/devices/{id}/tags",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    device="id",
    body=list[AttributeInput],
)
def replace_device_tags(request: Request, id: str) -> Reply[None]:
    """Replace all tags of a device.

    Raises:
        PreconditionFailed: the tags have another version than ``If-Match`` names.
    """
    versions = etag.if_match(request.headers.get("if-match"))
    service.tag(request.tenant, id, request.body, replace=True, versions=versions)
    return Reply(200)


@endpoint(
    bp,
    "PATCH /management/v1/inventory/devices/{id}/tags",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    device="id",
    body=list[AttributeInput],
)
def change_device_tags(request: Request, id: str) -> Reply[None]:
    """Set some tags of a device. The others stay as they are.

    Raises:
        PreconditionFailed: the tags have another version than ``If-Match`` names.
    """
    versions = etag.if_match(request.headers.get("if-match"))
    service.tag(request.tenant, id, request.body, replace=False, versions=versions)
    return Reply(200)


@endpoint(
    bp,
    "GET /management/v1/inventory/devices/{id}/group",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    device="id",
)
def get_device_group(request: Request, id: str) -> Reply[Group]:
    """Get the group of a device, or null."""
    return Reply(200, Group(service.get(request.tenant, id).group))


@endpoint(
    bp,
    "PUT /management/v1/inventory/devices/{id}/group",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    device="id",
    body=Group,
)
def set_device_group(request: Request, id: str) -> NoContent:
    """Put a device into a group."""
    service.put(request.tenant, id, request.body.group, request.groups)
    return no_content()


@endpoint(
    bp,
    "DELETE /management/v1/inventory/devices/{id}/group/{name}",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    device="id",
)
def leave_group(request: Request, id: str, name: str) -> NoContent:
    """Take a device out of its group."""
    service.leave(request.tenant, id, name)
    return no_content()


@endpoint(bp, "GET /management/v1/inventory/groups", auth=Auth.USER, permission=Permission.DEVICES_READ)
def list_groups(request: Request) -> Reply[list[str]]:
    """List the names of all groups, or of those with a device of a status."""
    return Reply(200, service.names(request.tenant, request.query.get("status"), request.groups))


@endpoint(
    bp,
    "DELETE /management/v1/inventory/groups/{name}",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
)
def dissolve_group(request: Request, name: str) -> Reply[Moved]:
    """Take all devices out of a group. The answer is ``{}`` if there is none."""
    return Reply(200, service.dissolve(request.tenant, name, request.groups))


@endpoint(
    bp,
    "GET /management/v1/inventory/groups/{name}/devices",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
)
def list_group_devices(request: Request, name: str) -> Reply[list[str]]:
    """List the ids of a group's devices."""
    page = paging.read_page(request)
    ids, total = service.members(request.tenant, name, page.start, page.stop, request.groups)
    headers = paging.headers(request, page, total=total)
    return Reply(200, ids, headers)


@endpoint(
    bp,
    "PATCH /management/v1/inventory/groups/{name}/devices",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    body=list[str],
)
def add_to_group(request: Request, name: str) -> Reply[Moved]:
    """Put devices into a group."""
    return Reply(200, service.put_many(request.tenant, name, request.body, request.groups))


@endpoint(
    bp,
    "DELETE /management/v1/inventory/groups/{name}/devices",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    body=list[str],
)
def remove_from_group(request: Request, name: str) -> Reply[Moved]:
    """Take devices out of a group."""
    return Reply(200, service.take_out(request.tenant, name, request.body, request.groups))
