"""``/api/devices/v1/deviceconfig``: the configuration that a device should have, and the one that it reports."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.deviceconfig import service
from chalicelib.deviceconfig.shapes import Configuration
from chalicelib.http.endpoint import device_route
from chalicelib.http.request import DeviceRequest, NoContent, Reply, no_content

bp = Blueprint(__name__)


@device_route(bp, "GET /devices/v1/deviceconfig/configuration")
def get_configuration(request: DeviceRequest) -> Reply[dict[str, str]]:
    """Get the configuration that the device should have."""
    return Reply(200, service.wanted(request.tenant, request.identity.subject))


@device_route(bp, "PUT /devices/v1/deviceconfig/configuration", body_error="invalid request body: ")
def report_configuration(request: DeviceRequest, body: Configuration) -> NoContent:
    """Report the whole configuration that the device has.

    Raises:
        NotFound: the device is being removed.
    """
    service.reported(request.tenant, request.identity.subject, body)
    return no_content()
