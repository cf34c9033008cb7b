"""``/devices/v1/deviceconnect``: refuses requests for the device's websocket that are not websocket handshakes."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.deviceconnect.shapes import NO_HANDSHAKE
from chalicelib.errors import BadRequest
from chalicelib.http.endpoint import device_route
from chalicelib.http.request import DeviceRequest, Reply

bp = Blueprint(__name__)


@device_route(bp, "GET /devices/v1/deviceconnect/connect")
def connect(request: DeviceRequest) -> Reply[None]:  # noqa: ARG001  # whoever it is
    """Open the device's websocket for remote access. A request that is not a websocket handshake is refused.

    Raises:
        BadRequest: the request is not a websocket handshake.
    """
    raise BadRequest(NO_HANDSHAKE)
