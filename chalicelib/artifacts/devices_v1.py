"""``/api/devices/v1/deployments/artifacts``: for devices that download artifacts to update other devices."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.artifacts import service, shapes
from chalicelib.errors import BadRequest
from chalicelib.http.endpoint import device_route
from chalicelib.http.request import DeviceRequest, Reply

bp = Blueprint(__name__)


@device_route(bp, "GET /devices/v1/deployments/artifacts")
def list_artifacts(request: DeviceRequest) -> Reply[list[shapes.Artifact]]:
    """List the artifacts of a release for a device type, at most 100. For devices that update others.

    Raises:
        NotFound: there is no such release.
    """
    release, device_type = (request.query.get(name) or "" for name in ("release_name", "device_type"))
    if not release or not device_type:
        raise BadRequest("release_name and device_type must be provided")
    return Reply(200, service.of_release(request.tenant, release, device_type))


@device_route(bp, "GET /devices/v1/deployments/artifacts/{id}")
def show_artifact(request: DeviceRequest, id: str) -> Reply[shapes.Artifact]:
    """Get an artifact."""
    return Reply(200, service.show(request.tenant, id))


@device_route(bp, "GET /devices/v1/deployments/artifacts/{id}/download")
def download_artifact(request: DeviceRequest, id: str) -> Reply[shapes.Link]:
    """Get a link to an artifact's file."""
    return Reply(200, service.download_link(request.tenant, id))
