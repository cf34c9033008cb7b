"""``/api/devices/v1/deviceconfig``: what a device shall be set to, and what it says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.deviceconfig import service
from chalicelib.deviceconfig.shapes import Configuration
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply, no_content

if TYPE_CHECKING:
    from chalicelib.http.request import NoContent, Request

bp = Blueprint(__name__)


@endpoint(bp, "GET /devices/v1/deviceconfig/configuration", auth=Auth.DEVICE, permission=None)
def get_configuration(request: Request) -> Reply[dict[str, str]]:
    """Get the configuration that the device should have."""
    return Reply(200, service.wanted(request.tenant, request.identity.subject))


@endpoint(
    bp,
    "PUT /devices/v1/deviceconfig/configuration",
    auth=Auth.DEVICE,
    permission=None,
    body=Configuration,
    body_error="invalid request body: ",
)
def report_configuration(request: Request) -> NoContent:
    """Report the whole configuration that the device has.

    Raises:
        NotFound: the device is being removed.
    """
    service.reported(request.tenant, request.identity.subject, request.body)
    return no_content()
