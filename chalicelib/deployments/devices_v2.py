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
    """What the device provides is a member of its own."""
    return answer_next(request, request.body.device_provides, takes_map=request.body.update_control_map)


@endpoint(
    bp,
    "GET /devices/v2/deployments/device/deployments/{id}/update_control_map",
    auth=Auth.DEVICE,
    permission=None,
)
def get_control_map(request: Request, id: str) -> Reply[ControlMap]:
    """Where the update that the device is at work on shall wait. 404 makes the client give the update up."""
    return Reply(200, ControlMap(service.control_map(request.tenant, request.identity.device, id)))
