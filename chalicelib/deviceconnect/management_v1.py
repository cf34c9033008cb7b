"""``/management/v1/deviceconnect``: what operators do with connected devices.

The relay or the local gateway serves the websockets and files of these paths, over the session's websocket to the
device. The functions here refuse requests that arrive without one.
"""

from __future__ import annotations

from typing import NoReturn

from chalice.app import Blueprint

from chalicelib.deviceconnect import service
from chalicelib.deviceconnect.shapes import NO_HANDSHAKE, Device, Recording, Ticket
from chalicelib.errors import BadRequest, Conflict
from chalicelib.features import Feature
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(
    bp,
    "GET /management/v1/deviceconnect/devices/{id}",
    Permission.DEVICES_READ,
    feature=Feature.TERMINAL,
    within={"device": "id"},
)
def show_connection(request: UserRequest, id: str) -> Reply[Device]:
    """Get whether a device is connected."""
    return Reply(body=service.device(request.tenant, id))


@user_route(
    bp,
    "POST /management/v1/deviceconnect/devices/{id}/check-update",
    Permission.DEVICES_CONNECT,
    feature=Feature.TERMINAL,
    within={"device": "id"},
)
def check_update(request: UserRequest, id: str) -> Reply[str]:
    """Make a device check for an update now.

    Raises:
        Conflict: the device is not connected.
    """
    service.check_update(request.tenant, id)
    return Reply(202, "null")


@user_route(
    bp,
    "POST /management/v1/deviceconnect/devices/{id}/send-inventory",
    Permission.DEVICES_CONNECT,
    feature=Feature.TERMINAL,
    within={"device": "id"},
)
def send_inventory(request: UserRequest, id: str) -> Reply[str]:
    """Make a device send its inventory now.

    Raises:
        Conflict: the device is not connected.
    """
    service.send_inventory(request.tenant, id)
    return Reply(202, "null")


@user_route(
    bp,
    "GET /management/v1/deviceconnect/devices/{id}/connect",
    Permission.DEVICES_CONNECT,
    feature=Feature.TERMINAL,
    within={"device": "id"},
)
def connect_to_device(request: UserRequest, id: str) -> Reply[None]:  # noqa: ARG001  # whoever it is
    """Open a websocket to a device, for a terminal and port forwarding.

    A request that is not a websocket handshake is refused.

    Raises:
        BadRequest: the request is not a websocket handshake.
    """
    raise BadRequest(NO_HANDSHAKE)


@user_route(
    bp,
    "POST /management/v1/deviceconnect/devices/{id}/connect/ticket",
    Permission.DEVICES_CONNECT,
    feature=Feature.TERMINAL,
    within={"device": "id"},
)
def create_session_ticket(request: UserRequest, id: str) -> Reply[Ticket]:
    """Get a URL with which a browser opens a session with a device, for WebSocket APIs that do not get its cookie."""
    who = request.identity
    caller = service.Caller(who.subject, who.email, who.home, who.token_id)
    found = service.ticket(request.tenant, caller, id, request.server, edge=request.is_through_edge)
    return Reply(body=found, headers={"Cache-Control": "no-store"})


@user_route(
    bp,
    "GET /management/v1/deviceconnect/devices/{id}/download",
    Permission.DEVICES_CONNECT,
    feature=Feature.FILE_TRANSFER,
    within={"device": "id"},
)
def download_file(request: UserRequest, id: str) -> Reply[str]:
    """Download a file from a device. Served by the relay; without one it is refused.

    Raises:
        Conflict: the device is not connected, or no relay serves this address.
    """
    _no_files(request, id)


@user_route(
    bp,
    "PUT /management/v1/deviceconnect/devices/{id}/upload",
    Permission.DEVICES_CONNECT,
    feature=Feature.FILE_TRANSFER,
    within={"device": "id"},
)
def upload_file(request: UserRequest, id: str) -> Reply[None]:
    """Upload a file to a device. Served by the relay; without one it is refused.

    Raises:
        Conflict: the device is not connected, or no relay serves this address.
    """
    _no_files(request, id)


@user_route(
    bp,
    "GET /management/v1/deviceconnect/sessions/{id}/playback",
    Permission.DEVICES_CONNECT,
    feature=Feature.PLAYBACK,
)
def play_session(request: UserRequest, id: str) -> Reply[None]:  # noqa: ARG001  # whoever it is
    """Open a websocket that plays a recorded session. A request that is not a websocket handshake is refused.

    Raises:
        BadRequest: the request is not a websocket handshake.
    """
    raise BadRequest(NO_HANDSHAKE)


@user_route(
    bp,
    "GET /management/v1/deviceconnect/sessions/{id}/recording",
    Permission.DEVICES_CONNECT,
    feature=Feature.PLAYBACK,
)
def show_recording(request: UserRequest, id: str) -> Reply[Recording]:
    """Get a link to a recorded session's file. Not part of Mender's API."""
    return Reply(body=service.recording(request.tenant, id, groups=request.groups))


def _no_files(request: UserRequest, device_id: str) -> NoReturn:
    if service.device(request.tenant, device_id).status != "connected":
        raise Conflict("device disconnected")
    raise Conflict("files are transferred through a relay, which does not serve this address; use the relay's address")
