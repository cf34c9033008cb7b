"""``/api/management/v1/deployments/deployments``: what operators do with deployments."""

from __future__ import annotations

import uuid

from chalice.app import Blueprint
from msgspec.structs import replace

from chalicelib import limits
from chalicelib.deployments.rules.deployment import Person
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import managing as service
from chalicelib.deployments.shapes import (
    ControlMapChange,
    Deployment,
    DeploymentIds,
    DeploymentStatistics,
    NewDeployment,
    NewRetry,
    SetStatus,
)
from chalicelib.deployments.shapes.approval import ApprovalDecision
from chalicelib.deployments.shapes.preview import Preview, PreviewAssumptions
from chalicelib.deployments.shapes.rollout import RolloutAction
from chalicelib.errors import BadRequest, NotFound
from chalicelib.features import Feature
from chalicelib.http import content, etag, paging, queries
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import (
    Created,
    NoContent,
    Query,
    Reply,
    Request,
    UserRequest,
    created,
    no_content,
)
from chalicelib.rights import Permission

bp = Blueprint(__name__)

_PLACE = "/api/management/v1/deployments/deployments/"
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
    order = queries.order(query, "asc", "desc", "match")
    return service.Wanted(
        statuses=frozenset("finished" if status == "aborted" else status for status in statuses),
        kind=kind or None,
        created_after=queries.seconds(query, "created_after"),
        created_before=queries.seconds(query, "created_before"),
        newest_first=order != "asc",
        nearest_first=order == "match",
    )


def save_or_preview(request: UserRequest, draft: service.Draft) -> Created | Reply[Preview]:
    """Save a deployment, or with ``dry_run`` only preview it.

    Raises:
        BadRequest: a parameter is not valid. Nothing is saved then.
    """
    if "dry_run" in request.query.multi:
        if len(set(request.query.all("dry_run"))) > 1:
            raise BadRequest("dry_run: it is given several times, with different values; give it once")
        is_dry = request.query.flag("dry_run")
        if is_dry is None:
            raise BadRequest("dry_run: must be true or false")
        if is_dry:
            return Reply(200, service.preview(request.tenant, draft, _assumptions(request.query)))
    return created(_PLACE + service.save(request.tenant, draft))


_USUAL = PreviewAssumptions()


def _assumptions(query: Query) -> PreviewAssumptions:
    most = limits.PREVIEW_INTERVAL
    return PreviewAssumptions(
        poll_interval=int(
            queries.number(query, "poll_interval", _USUAL.poll_interval, limits.PREVIEW_INTERVAL_MIN, most)
        ),
        update_time=int(queries.number(query, "update_time", _USUAL.update_time, 0, most)),
        silent_days=int(queries.number(query, "silent_days", _USUAL.silent_days, 1, limits.PREVIEW_SILENT_DAYS)),
    )


@user_route(
    bp,
    "POST /management/v1/deployments/deployments",
    Permission.DEPLOYMENTS_MANAGE,
    body_error="Validating request body: ",
)
def create_deployment(request: UserRequest, body: NewDeployment) -> Created | Reply[Preview]:
    """Create a deployment for listed devices or for all devices; with ``dry_run``, only preview it.

    Raises:
        Conflict: an unfinished deployment has the same parameters.
        Unprocessable: there is no such artifact, or too many deployments are unfinished.
    """
    return save_or_preview(request, service.draft(request.tenant, body, request.scopes))


@user_route(
    bp,
    "POST /management/v1/deployments/deployments/group/{name}",
    Permission.DEPLOYMENTS_MANAGE,
    body_error="Validating request body: ",
)
def create_deployment_for_group(request: UserRequest, body: NewDeployment, name: str) -> Created | Reply[Preview]:
    """Create a deployment for a static group; with ``dry_run``, only preview it.

    Raises:
        Conflict: an unfinished deployment has the same parameters.
        Unprocessable: there is no such artifact, or too many deployments are unfinished.
    """
    return save_or_preview(request, service.draft_for_group(request.tenant, name, body, request.scopes))


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
def retry_deployment(request: UserRequest, body: bytes, id: str) -> Created | Reply[Preview]:
    """Create a deployment to the devices that have failed in this one so far.

    The body may be empty: then the same release is installed again, with the options of this deployment but without its
    phases. Devices that fail later are not included. With ``dry_run``, it is only previewed. Not part of Mender's API.

    Raises:
        Conflict: an unfinished retry has the same parameters, or the deployment was retried too often.
        Unprocessable: no device failed, there is no such artifact, or too many deployments are unfinished.
        UnsupportedMediaType: the body is not JSON.
    """
    wanted = NewRetry()
    if body.strip():
        content.require_json(request.headers.get("content-type"), body)
        wanted = content.decode(body, NewRetry, prefix="Validating request body: ")
    return save_or_preview(request, service.draft_retry(request.tenant, read_id(id), wanted, request.scopes))


@user_route(
    bp,
    "POST /management/v1/deployments/deployments/{id}/approval",
    Permission.DEPLOYMENTS_APPROVE,
    within={"deployment": "id"},
)
def decide_approval(request: UserRequest, body: ApprovalDecision, id: str) -> NoContent:
    """Approve a deployment that another user has created, or reject it, which aborts it.

    Raises:
        NotFound: there is no such deployment.
        Conflict: somebody has decided already, or the deployment does not wait for approval.
        Unprocessable: too many deployments are unfinished.
    """
    service.decide(request.tenant, read_id(id), body, Person(request.identity.subject, request.identity.email))
    return no_content()


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
