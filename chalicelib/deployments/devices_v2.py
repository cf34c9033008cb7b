"""``/api/devices/v2/deployments``: the form of ``next`` that today's clients ask first, update control maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.deployments import service
from chalicelib.deployments.devices_v1 import answer_next
from chalicelib.deployments.shapes import ControlMap, NextV2
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import NoContent, Reply, Request

if TYPE_CHECKING:
    from chalicelib.deployments.shapes import Instructions

bp = Blueprint(__name__)


@endpoint(
    bp,
    "POST /devices/v2/deployments/device/deployments/next",
    auth=Auth.DEVICE,
    permission=None,
    body=NextV2,
)
def next_update(request: Request) -> Reply[Instructions] | NoContent:
    """Get the next update (newest form). 204 if there is nothing to install.

    Raises:
        Conflict: the device reported different types or artifacts while it installs an update; that update has
            failed.
    """
    return answer_next(request, request.body.device_provides, takes_map=request.body.update_control_map)


@endpoint(
    bp,
    "GET /devices/v2/deployments/device/deployments/{id}/update_control_map",
    auth=Auth.DEVICE,
    permission=None,
)
def get_control_map(request: Request, id: str) -> Reply[ControlMap]:
    """Get the update control map of the update in progress: where it has to pause.

    After a 404 the client gives the update up.
    """
    return Reply(200, ControlMap(service.control_map(request.tenant, request.identity.device, id)))
