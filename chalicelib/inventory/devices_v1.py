"""Device API v1, inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply
from chalicelib.inventory import service
from chalicelib.inventory.shapes import AttributeInput

if TYPE_CHECKING:
    from chalicelib.http.request import Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "PUT /devices/v1/inventory/device/attributes",
    auth=Auth.DEVICE,
    permission=None,
    body=list[AttributeInput],
)
def replace_attributes(request: Request) -> Reply[None]:
    """Report all attributes. Those that are not listed are removed."""
    service.report(request.tenant, request.identity.device, request.body, replace=True)
    return Reply(200)


@endpoint(
    bp,
    "PATCH /devices/v1/inventory/device/attributes",
    auth=Auth.DEVICE,
    permission=None,
    body=list[AttributeInput],
)
def change_attributes(request: Request) -> Reply[None]:
    """Report some attributes. The others stay as they are."""
    service.report(request.tenant, request.identity.device, request.body, replace=False)
    return Reply(200)
