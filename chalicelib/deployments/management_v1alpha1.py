"""Management API v1alpha1: a device's log."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.deployments.management_v1.deployments import read_id
from chalicelib.deployments.service import managing as service
from chalicelib.errors import BadRequest, NotFound
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(
    bp,
    "GET /management/v1alpha1/deployments/deployments/{id}/devices/{device_id}/log",
    Permission.DEPLOYMENTS_READ,
    within={"device": "device_id", "deployment": "id"},
)
def show_deployment_log(request: UserRequest, id: str, device_id: str) -> Reply[str]:
    """Get a device's log of a deployment, as the device sent it."""
    form = request.query.get("format") or "text"
    if form != "text":
        raise BadRequest(f"format: this server shows logs as text only, not as {form[:32]}")
    return Reply(200, service.read_log(request.tenant, read_id(id), device_id), content_type="text/plain")


@user_route(
    bp,
    "GET /management/v1alpha1/deployments/deployments/{id}/devices/{device_id}/log/explain",
    Permission.DEPLOYMENTS_READ,
    within={"device": "device_id", "deployment": "id"},
)
def explain_deployment_log(request: UserRequest, id: str, device_id: str) -> Reply[str]:
    """Get an explanation of a log. Always 404: this server does not analyse logs."""
    service.read_log(request.tenant, read_id(id), device_id)
    raise NotFound("this server does not analyse logs; read the log itself")
