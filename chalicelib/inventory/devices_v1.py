"""Device API v1, inventory."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.http.endpoint import device_route
from chalicelib.http.request import DeviceRequest, Reply
from chalicelib.inventory import service
from chalicelib.inventory.shapes import AttributeInput

bp = Blueprint(__name__)


@device_route(bp, "PUT /devices/v1/inventory/device/attributes")
def replace_attributes(request: DeviceRequest, body: list[AttributeInput]) -> Reply[None]:
    """Report all attributes. Those that are not listed are removed."""
    service.report(request.tenant, request.device, body, replace=True)
    return Reply(200)


@device_route(bp, "PATCH /devices/v1/inventory/device/attributes")
def change_attributes(request: DeviceRequest, body: list[AttributeInput]) -> Reply[None]:
    """Report some attributes. The others stay as they are."""
    service.report(request.tenant, request.device, body, replace=False)
    return Reply(200)
