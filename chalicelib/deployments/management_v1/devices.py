"""``/api/management/v1/deployments/deployments``: the devices of a deployment, and the deployments of a device."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib import limits, text
from chalicelib.deployments.management_v1.deployments import read_id
from chalicelib.deployments.rules.statuses import Status, parse_filter
from chalicelib.deployments.service import managing as service
from chalicelib.deployments.shapes import DeploymentDevice, DeviceHistory, Report, Upcoming
from chalicelib.deployments.shapes.rollout import Explanation
from chalicelib.errors import BadRequest, NotFound
from chalicelib.http import content, etag, paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import (
    Csv,
    JsonLines,
    NoContent,
    Reply,
    UserRequest,
    no_content,
)
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}/devices",
    Permission.DEPLOYMENTS_READ,
    within={"deployment": "id"},
)
def list_deployment_devices(request: UserRequest, id: str) -> Reply[list[DeploymentDevice]]:
    """List all devices that have polled for a deployment so far."""
    return Reply(200, service.devices(request.tenant, read_id(id), request.groups))


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}/devices/list",
    Permission.DEPLOYMENTS_READ,
    within={"deployment": "id"},
)
def list_deployment_devices_page(request: UserRequest, id: str) -> Reply[list[DeploymentDevice]]:
    """List the devices that have polled for a deployment so far, page by page.

    ``reason`` lists the devices that failed for it, among those that the outcomes of the deployment count.
    """
    page, reason = paging.read_page(request), request.query.get("reason")
    found = (request.tenant, read_id(id))
    if reason:
        rows, total = service.failed_for(*found, reason, page.start, page.stop, request.groups)
    else:
        rows, total = service.devices_page(*found, _statuses(request), page.start, page.stop, request.groups)
    return etag.conditional(request, Reply(200, rows, paging.headers(request, page, total=total)))


def _statuses(request: UserRequest) -> frozenset[Status] | None:
    wanted: frozenset[Status] | None = None
    for name in filter(None, request.query.all("status")):
        found = parse_filter(name)
        if found is None:
            raise BadRequest("status: must be a valid value")
        wanted = found | (wanted or frozenset())
    return wanted


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}/devices/export",
    Permission.DEPLOYMENTS_READ,
    within={"deployment": "id"},
)
def export_deployment_devices(request: UserRequest, id: str) -> Csv | JsonLines:
    """Export the devices that have polled for a deployment so far, by id, part by part.

    As a CSV file, or as a JSON document in each line. The answer is a part of the file, and the header ``Link`` leads
    to the next part; together they are the file. Not part of Mender's API.
    """
    after, most = paging.read_part(request, maximum=limits.EXPORT_DEVICES)
    kind = _format(request, {"csv": "text/csv", "jsonl": "application/x-ndjson"})
    lines, follows = service.export(
        request.tenant,
        read_id(id),
        after,
        most,
        request.answer_limit // 2,
        request.groups,
        as_table=kind == "csv",
    )
    headers = paging.header_with_next(request, follows)
    headers["Content-Disposition"] = text.attachment(f"deployment-{id}.{kind}")
    return Csv(200, lines, headers) if kind == "csv" else JsonLines(200, lines, headers)


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}/report",
    Permission.DEPLOYMENTS_READ,
    within={"deployment": "id"},
)
def show_deployment_report(request: UserRequest, id: str) -> Reply[Report] | Csv:
    """Get the course and the results of a deployment: how many devices had begun, succeeded and failed at which time.

    It also has the time until 50, 90 and 99 % had finished, the same by phase, artifact and device type, and the
    reasons of failures. Of more than 20,000 devices it reads a random sample, and is not ``complete``. Not part of
    Mender's API.
    """
    if _format(request, {"json": "application/json", "csv": "text/csv"}) == "json":
        return etag.conditional(request, Reply(200, service.report(request.tenant, read_id(id), request.groups)))
    table = service.report_table(request.tenant, read_id(id), request.groups)
    return Csv(200, table, {"Content-Disposition": text.attachment(f"report-{id}.csv")})


def _format(request: UserRequest, known: dict[str, str]) -> str:
    """The requested format: by the parameter ``format``, else by ``Accept``. ``known``: media types by name.

    Raises:
        BadRequest: there is no such format.
    """
    name = request.query.get("format")
    if not name:
        return content.chosen(request.headers.get("accept"), known)
    if name not in known:
        raise BadRequest(f"format: there is no {name[:32]}; use {' or '.join(known)}")
    return name


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}/device_list",
    Permission.DEPLOYMENTS_READ,
    within={"deployment": "id"},
)
def list_deployment_targets(request: UserRequest, id: str) -> Reply[list[str]]:
    """List the ids of the devices that a deployment is for."""
    return Reply(200, service.targets(request.tenant, read_id(id), request.groups))


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}/devices/{device_id}/log",
    Permission.DEPLOYMENTS_READ,
    within={"device": "device_id", "deployment": "id"},
)
def show_deployment_log(request: UserRequest, id: str, device_id: str) -> Reply[str]:
    """Get a device's log of a deployment, as text."""
    return Reply(200, service.read_log(request.tenant, read_id(id), device_id), content_type="text/plain")


@user_route(
    bp,
    "DELETE /management/v1/deployments/deployments/devices/{id}",
    Permission.DEPLOYMENTS_MANAGE,
    within={"device": "id"},
)
def abort_device_deployments(request: UserRequest, id: str) -> NoContent:
    """Abort all active and pending deployments of a device."""
    service.abort_device(request.tenant, id, request.scopes)
    return no_content()


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/devices/{id}",
    Permission.DEPLOYMENTS_READ,
    within={"device": "id"},
)
def list_device_deployments(request: UserRequest, id: str) -> Reply[list[DeviceHistory]]:
    """List a device's deployments, newest first."""
    page = paging.read_place(request, maximum=limits.DEVICE_HISTORY_PER_PAGE)
    listed = service.history(
        request.tenant, id, _statuses(request), page.start, page.stop, cursor=page.cursor, scopes=request.scopes
    )
    headers = paging.headers_with_cursors(request, page, listed, keep_total=True)
    return Reply(200, listed.rows, headers)


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/devices/{id}/upcoming",
    Permission.DEPLOYMENTS_READ,
    within={"device": "id"},
)
def list_upcoming_deployments(request: UserRequest, id: str) -> Reply[list[Upcoming]]:
    """List the unfinished deployments that reach a device, in the order in which it gets them."""
    return etag.conditional(request, Reply(200, service.upcoming(request.tenant, id, request.scopes)))


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/devices/{id}/explain",
    Permission.DEPLOYMENTS_READ,
    within={"device": "id"},
)
def explain_device_deployments(request: UserRequest, id: str) -> Reply[list[Explanation]]:
    """Explain what the next poll of a device does about each open deployment, and why.

    Raises:
        Conflict: the device is not accepted, so it cannot poll.
        NotFound: there is no such device.
    """
    return Reply(200, service.explain(request.tenant, id, request.scopes))


@user_route(
    bp,
    "DELETE /management/v1/deployments/deployments/devices/{id}/history",
    Permission.DEPLOYMENTS_MANAGE,
    within={"device": "id"},
)
def forget_device_deployments(request: UserRequest, id: str) -> NoContent:
    """Mark a device's finished deployments as deleted.

    The device may get those again that are not finished for other devices.
    """
    service.forget_history(request.tenant, id, request.scopes)
    return no_content()


@user_route(
    bp,
    "GET /management/v1/deployments/{id}/devices/{device_id}/delta/status",
    Permission.DEPLOYMENTS_READ,
    within={"device": "device_id", "deployment": "id"},
)
def show_delta_status(request: UserRequest, id: str, device_id: str) -> Reply[None]:  # noqa: ARG001  # the same for all
    """Get the progress of generating a delta for a device. This server generates none."""
    raise NotFound("no delta is generated for this device")
