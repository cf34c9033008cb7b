"""``/devices/v1/deviceconnect``: the device's websocket, for whoever comes without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.deviceconnect.shapes import NO_HANDSHAKE
from chalicelib.errors import BadRequest
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth

if TYPE_CHECKING:
    from chalicelib.http.request import Reply, Request

bp = Blueprint(__name__)


@endpoint(bp, "GET /devices/v1/deviceconnect/connect", auth=Auth.DEVICE, permission=None)
def connect(request: Request) -> Reply[None]:  # noqa: ARG001  # whoever it is
    """Open the device's websocket for remote access. A request that is not a websocket handshake is refused.

    Raises:
        BadRequest: the request is not a websocket handshake.
    """
    raise BadRequest(NO_HANDSHAKE)
