"""``/api/devices/v2/deployments``: the form of ``next`` that current clients try first, and update control maps."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.deployments import service
from chalicelib.deployments.devices_v1 import answer_next
from chalicelib.deployments.shapes.devices import ControlMap, Instructions, NextV2
from chalicelib.http.endpoint import device_route
from chalicelib.http.request import DeviceRequest, NoContent, Reply

bp = Blueprint(__name__)


@device_route(bp, "POST /devices/v2/deployments/device/deployments/next")
def next_update(request: DeviceRequest, body: NextV2) -> Reply[Instructions] | NoContent:
    """Get the next update (newest form). 204 if there is nothing to install.

    Raises:
        Conflict: the device reported different types or artifacts while it installs an update; that update has
            failed.
    """
    return answer_next(request, body.device_provides, takes_map=body.update_control_map)


@device_route(bp, "GET /devices/v2/deployments/device/deployments/{id}/update_control_map")
def get_control_map(request: DeviceRequest, id: str) -> Reply[ControlMap]:
    """Get the update control map of the update in progress: where it has to pause.

    After a 404 the client aborts the update.
    """
    return Reply(200, ControlMap(service.control_map(request.tenant, request.device, id)))
