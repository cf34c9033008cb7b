"""``/api/management/v1/deployments/deployments``: what operators do with deployments."""

from __future__ import annotations

import uuid

from chalice.app import Blueprint
from msgspec.structs import replace

from chalicelib import limits, text
from chalicelib.deployments.rules.statuses import Status, parse_filter
from chalicelib.deployments.service import managing as service
from chalicelib.deployments.shapes import (
    ControlMapChange,
    Deployment,
    DeploymentDevice,
    DeploymentIds,
    DeploymentStatistics,
    DeviceHistory,
    NewDeployment,
    NewRetry,
    Report,
    SetStatus,
    Upcoming,
)
from chalicelib.deployments.shapes.rollout import Explanation, RolloutAction
from chalicelib.errors import BadRequest, NotFound
from chalicelib.features import Feature
from chalicelib.http import content, etag, paging, queries
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import (
    Created,
    Csv,
    JsonLines,
    NoContent,
    Reply,
    Request,
    UserRequest,
    created,
    no_content,
)
from chalicelib.rights import Permission

bp = Blueprint(__name__)

PLACE = "/api/management/v1/deployments/deployments/"
_STATUSES = {"pending", "inprogress", "finished", "aborted", "scheduled"}
_KINDS = {"software", "configuration"}


def read_id(text: str) -> str:
    """An id of a deployment.

    Raises:
        BadRequest: no deployment has such an id.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise BadRequest("ID is not a valid UUID") from None


@user_route(bp, "GET /management/v1/deployments/deployments", Permission.DEPLOYMENTS_READ)
def list_deployments(request: UserRequest) -> Reply[list[Deployment]]:
    """List deployments by the time of their creation, page by page."""
    search = request.query.get("search")
    return show_list(request, replace(read_wanted(request), search=(search,) if search else ()))


def show_list(
    request: UserRequest, wanted: service.Wanted, device: service.Named | None = None
) -> Reply[list[Deployment]]:
    """The requested page of a list of deployments."""
    page = paging.read_place(request)
    listed = service.list_deployments(
        request.tenant, wanted, page.start, page.stop, cursor=page.cursor, device=device, scopes=request.scopes
    )
    headers = paging.headers_with_cursors(request, page, listed)
    return etag.conditional(request, Reply(200, listed.rows, headers))


def read_wanted(request: Request) -> service.Wanted:
    """The filter of a list, as far as its parameters are the same in all versions.

    Raises:
        BadRequest: a status, type, order or time is not valid.
    """
    query = request.query
    statuses, kind = set(filter(None, query.all("status"))), query.get("type")
    for status in statuses - _STATUSES:
        raise BadRequest(f"unknown status {status[:32]}")
    if kind and kind not in _KINDS:
        raise BadRequest(f"unknown deployment type {kind[:32]}")
    return service.Wanted(
        statuses=frozenset("finished" if status == "aborted" else status for status in statuses),
        kind=kind or None,
        created_after=queries.seconds(query, "created_after"),
        created_before=queries.seconds(query, "created_before"),
        newest_first=queries.newest_first(query),
    )


@user_route(
    bp,
    "POST /management/v1/deployments/deployments",
    Permission.DEPLOYMENTS_MANAGE,
    body_error="Validating request body: ",
)
def create_deployment(request: UserRequest, body: NewDeployment) -> Created:
    """Create a deployment for listed devices or for all devices.

    Raises:
        Conflict: an unfinished deployment has the same parameters.
        Unprocessable: there is no such artifact, or too many deployments are unfinished.
    """
    return created(PLACE + service.create(request.tenant, body, request.scopes))


@user_route(
    bp,
    "POST /management/v1/deployments/deployments/group/{name}",
    Permission.DEPLOYMENTS_MANAGE,
    body_error="Validating request body: ",
)
def create_deployment_for_group(request: UserRequest, body: NewDeployment, name: str) -> Created:
    """Create a deployment for a static group.

    Raises:
        Conflict: an unfinished deployment has the same parameters.
        Unprocessable: there is no such artifact, or too many deployments are unfinished.
    """
    return created(PLACE + service.create_for_group(request.tenant, name, body, request.scopes))


@user_route(bp, "POST /management/v1/deployments/deployments/statistics/list", Permission.DEPLOYMENTS_READ)
def list_deployment_statistics(
    request: UserRequest, body: DeploymentIds | list[str]
) -> Reply[list[DeploymentStatistics]] | Reply[dict[str, int]]:
    """Get the statistics of up to 100 deployments.

    The body is an object with their ids, or just the list of them; for no ids, the answer is an empty object.

    Raises:
        NotFound: none of these deployments exists.
    """
    wanted = body if isinstance(body, list) else body.deployment_ids
    ids = [read_id(each) for each in wanted]
    if len(ids) > limits.STATISTICS_LIST:
        raise BadRequest(f"deployment_ids: too many (max: {limits.STATISTICS_LIST}); ask for fewer at a time")
    if not ids:
        nothing: dict[str, int] = {}
        return Reply(200, nothing)
    found = service.numbers_of_many(request.tenant, ids, request.scopes)
    if not found:
        raise NotFound("Deployment not found")
    return Reply(200, found)


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}",
    Permission.DEPLOYMENTS_READ,
    within={"deployment": "id"},
)
def show_deployment(request: UserRequest, id: str) -> Reply[Deployment]:
    """Get a deployment; with ``outcomes``, also why devices failed, and when devices failed or were updated."""
    shown = service.show(request.tenant, read_id(id))
    if request.query.flag("outcomes"):
        shown.outcomes = service.outcomes(request.tenant, read_id(id), request.groups)
    return etag.conditional(request, Reply(200, shown))


@user_route(
    bp,
    "PATCH /management/v1/deployments/deployments/{id}",
    Permission.DEPLOYMENTS_MANAGE,
    feature=Feature.UPDATE_CONTROL,
    within={"deployment": "id"},
)
def change_control_map(request: UserRequest, body: ControlMapChange, id: str) -> NoContent:
    """Replace the update control map of a deployment.

    Raises:
        Conflict: the deployment was made without a map.
    """
    service.change_control_map(request.tenant, read_id(id), body.update_control_map)
    return no_content()


@user_route(
    bp,
    "PUT /management/v1/deployments/deployments/{id}/status",
    Permission.DEPLOYMENTS_MANAGE,
    within={"deployment": "id"},
)
def set_deployment_status(request: UserRequest, body: SetStatus, id: str) -> NoContent:
    """Abort a deployment. ``aborted`` is the only status that can be set.

    Raises:
        Unprocessable: the deployment is finished, or there is none.
    """
    deployment = read_id(id)
    if body.status != Status.ABORTED:
        raise BadRequest("Unexpected deployment status")
    service.abort(request.tenant, deployment)
    return no_content()


@user_route(
    bp,
    "POST /management/v1/deployments/deployments/{id}/retry",
    Permission.DEPLOYMENTS_MANAGE,
    within={"deployment": "id"},
)
def retry_deployment(request: UserRequest, body: bytes, id: str) -> Created:
    """Create a deployment to the devices that have failed in this one so far.

    The body may be empty: then the same release is installed again, with the options of this deployment but without its
    phases. Devices that fail later are not included. Not part of Mender's API.

    Raises:
        Conflict: an unfinished retry has the same parameters, or the deployment was retried too often.
        Unprocessable: no device failed, there is no such artifact, or too many deployments are unfinished.
        UnsupportedMediaType: the body is not JSON.
    """
    wanted = NewRetry()
    if body.strip():
        content.require_json(request.headers.get("content-type"), body)
        wanted = content.decode(body, NewRetry, prefix="Validating request body: ")
    return created(PLACE + service.retry(request.tenant, read_id(id), wanted, request.scopes))


@user_route(
    bp,
    "POST /management/v1/deployments/deployments/{id}/rollout",
    Permission.DEPLOYMENTS_MANAGE,
    within={"deployment": "id"},
)
def steer_deployment(request: UserRequest, body: RolloutAction, id: str) -> NoContent:
    """Pause a deployment, resume it, or open its next phase now.

    While it is paused, no further device begins; those that have begun go on. After it is resumed, its failures so far
    no longer stop it.

    Raises:
        NotFound: there is no such deployment.
        Conflict: the deployment has ended, or is not open to devices yet; or the phase cannot be opened.
    """
    service.steer(request.tenant, read_id(id), body)
    return no_content()


@user_route(
    bp,
    "GET /management/v1/deployments/deployments/{id}/statistics",
    Permission.DEPLOYMENTS_READ,
    within={"deployment": "id"},
)
def show_deployment_statistics(request: UserRequest, id: str) -> Reply[dict[str, int]]:
    """Get the number of a deployment's devices in each status."""
    return Reply(200, service.numbers(request.tenant, read_id(id)))


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
    """Explain what the next poll of a device does about each open deployment, and why."""
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
