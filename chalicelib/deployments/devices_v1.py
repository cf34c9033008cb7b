"""``/api/devices/v1/deployments``: polls and reports of devices."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib import limits
from chalicelib.deployments import service
from chalicelib.deployments.rules.configuration import EXPIRE, SIGNATURE, TENANT, LinkParameters
from chalicelib.deployments.rules.polling import read_provides
from chalicelib.deployments.shapes.devices import Instructions, Log, StatusReport
from chalicelib.http import ranges
from chalicelib.http.endpoint import device_route, public_route
from chalicelib.http.request import DeviceRequest, NoContent, Reply, Request, no_content

bp = Blueprint(__name__)


def answer_next(
    request: DeviceRequest, said: dict[str, Any], *, takes_map: bool = False
) -> Reply[Instructions] | NoContent:
    """The common answer of all three forms of ``next``."""
    instructions = service.next_update(
        request.tenant,
        request.device,
        read_provides(said),
        server=request.server,
        takes_map=takes_map,
    )
    return no_content() if instructions is None else Reply(200, instructions)


@device_route(bp, "GET /devices/v1/deployments/device/deployments/next")
def next_by_query(request: DeviceRequest) -> Reply[Instructions] | NoContent:
    """Get the next update (oldest form).

    Clients before 2.0 use it, and the C++ client when the newer form is answered with 404. 204 if there is nothing
    to install.

    Raises:
        Conflict: the device reported different types or artifacts while it installs an update; that update has
            failed.
    """
    said = {name: request.query.get(name) or "" for name in ("artifact_name", "device_type")}
    return answer_next(request, said)


@device_route(bp, "POST /devices/v1/deployments/device/deployments/next")
def next_by_body(request: DeviceRequest, body: dict[str, Any]) -> Reply[Instructions] | NoContent:
    """Get the next update.

    Each member of the body is something that the device provides. 204 if there is nothing to install.

    Raises:
        Conflict: the device reported different types or artifacts while it installs an update; that update has
            failed.
    """
    return answer_next(request, body)


@device_route(bp, "PUT /devices/v1/deployments/device/deployments/{id}/status")
def report_status(request: DeviceRequest, body: StatusReport, id: str) -> NoContent:
    """Report the status of an update. Clients accept only 204 as success.

    Raises:
        Conflict: the deployment was aborted, or the device decommissioned; the device has to stop the update.
    """
    service.report(request.tenant, request.device, id, body)
    return no_content()


@public_route(bp, "GET /devices/v1/deployments/download/configuration/{deployment_id}/{device_type}/{device_id}")
def download_configuration(request: Request, deployment_id: str, device_type: str, device_id: str) -> Reply[str]:
    """Download the artifact of a configuration deployment.

    The link's signature is the only credential, and names the tenant.

    Raises:
        Forbidden: the link has expired, or was not made by this server.
    """
    # Imported here: polls and reports do not need it.
    from chalicelib.artifacts.service import MEDIA_TYPE

    names = {"expire": EXPIRE, "signature": SIGNATURE, "tenant": TENANT}
    signed = LinkParameters(**{part: request.query.get(name) or "" for part, name in names.items()})
    data = service.configuration_artifact(deployment_id, device_type, device_id, signed)
    return ranges.reply(request, data, content_type=MEDIA_TYPE, filename="artifact.mender")


@device_route(
    bp,
    "PUT /devices/v1/deployments/device/deployments/{id}/log",
    body_limit=limits.DEPLOYMENT_LOG,
    repair=lambda raw: service.complete_log(raw),  # noqa: PLW0108  # imports it only when it is needed
)
def store_log(request: DeviceRequest, body: Log, id: str) -> NoContent:
    """Send the log of a failed update."""
    service.store_log(request.tenant, request.identity.subject, id, body.messages)
    return no_content()
