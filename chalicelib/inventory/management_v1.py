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
    """Devices, filtered by ``scope/name=value``, ``group`` and ``has_group``, sorted by one attribute or by id."""
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
    """One device; ``ETag`` is the version of its tags."""
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
    """Forget what a device reported; the device itself stays, and unknown ones are fine."""
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
    """Set all tags of a device; ``If-Match`` insists on a version."""
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
    """Set some tags of a device; ``If-Match`` insists on a version."""
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
    """The group of a device, or null."""
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
    """Take a device out of its group, which must be this one."""
    service.leave(request.tenant, id, name)
    return no_content()


@endpoint(bp, "GET /management/v1/inventory/groups", auth=Auth.USER, permission=Permission.DEVICES_READ)
def list_groups(request: Request) -> Reply[list[str]]:
    """The names of all groups, or of those that have a device of ``status``."""
    return Reply(200, service.names(request.tenant, request.query.get("status"), request.groups))


@endpoint(
    bp,
    "DELETE /management/v1/inventory/groups/{name}",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
)
def dissolve_group(request: Request, name: str) -> Reply[Moved]:
    """Take all devices out of a group; ``{}`` if there is none."""
    return Reply(200, service.dissolve(request.tenant, name, request.groups))


@endpoint(
    bp,
    "GET /management/v1/inventory/groups/{name}/devices",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
)
def list_group_devices(request: Request, name: str) -> Reply[list[str]]:
    """Ids of a group's devices."""
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
    """Put the devices with these ids into a group."""
    return Reply(200, service.put_many(request.tenant, name, request.body, request.groups))


@endpoint(
    bp,
    "DELETE /management/v1/inventory/groups/{name}/devices",
    auth=Auth.USER,
    permission=Permission.DEVICES_MANAGE,
    body=list[str],
)
def remove_from_group(request: Request, name: str) -> Reply[Moved]:
    """Take the devices with these ids out of a group."""
    return Reply(200, service.take_out(request.tenant, name, request.body, request.groups))
