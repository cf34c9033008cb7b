"""``/api/devices/v2/deployments``: the form of ``next`` that today's clients ask first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.deployments.devices_v1 import answer_next
from chalicelib.deployments.shapes import NextV2
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth

if TYPE_CHECKING:
    from chalicelib.http.request import Reply, Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "POST /devices/v2/deployments/device/deployments/next",
    auth=Auth.DEVICE,
    permission=None,
    body=NextV2,
)
def next_update(request: Request) -> Reply:
    """What the device provides is a member of its own."""
    return answer_next(request, request.body.device_provides)
