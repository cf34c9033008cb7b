"""``/api/devices/v1/deployments/artifacts``: devices that fetch artifacts for what is behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.artifacts import service
from chalicelib.errors import BadRequest
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply

if TYPE_CHECKING:
    from chalicelib.artifacts import shapes
    from chalicelib.http.request import Request

bp = Blueprint(__name__)


@endpoint(bp, "GET /devices/v1/deployments/artifacts", auth=Auth.DEVICE, permission=None)
def list_artifacts(request: Request) -> Reply[list[shapes.Artifact]]:
    """List the artifacts of a release for a device type, at most 100. For devices that update others.

    Raises:
        NotFound: there is no such release.
    """
    release, device_type = (request.query.get(name) or "" for name in ("release_name", "device_type"))
    if not release or not device_type:
        raise BadRequest("release_name and device_type must be provided")
    return Reply(200, service.of_release(request.tenant, release, device_type))


@endpoint(bp, "GET /devices/v1/deployments/artifacts/{id}", auth=Auth.DEVICE, permission=None)
def show_artifact(request: Request, id: str) -> Reply[shapes.Artifact]:
    """Get an artifact."""
    return Reply(200, service.show(request.tenant, id))


@endpoint(bp, "GET /devices/v1/deployments/artifacts/{id}/download", auth=Auth.DEVICE, permission=None)
def download_artifact(request: Request, id: str) -> Reply[shapes.Link]:
    """Get a link to an artifact's file."""
    return Reply(200, service.download_link(request.tenant, id))
