"""Management API v2: artifacts by exact names, releases with tags and notes."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.artifacts import rules, service, shapes
from chalicelib.errors import NotFound
from chalicelib.http import paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import NoContent, Reply, UserRequest, no_content
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v2/deployments/artifacts", Permission.RELEASES_READ)
def list_artifacts(request: UserRequest) -> Reply[list[shapes.Artifact]]:
    """List artifacts by name or by the beginning of their names, page by page."""
    page = paging.read_page(request)
    query = request.query
    description, device_type = query.get("description"), query.get("device_type")
    artifacts, more = service.find_by_pattern(
        request.tenant,
        rules.read_names(query.all("name")),
        rules.read_pattern(description) if description else None,
        rules.read_pattern(device_type) if device_type else None,
        start=page.start,
        stop=page.stop,
        tags=request.release_tags,
    )
    return Reply(200, artifacts, paging.headers(request, page, more=more))


@user_route(bp, "GET /management/v2/deployments/deployments/releases", Permission.RELEASES_READ)
def list_releases(request: UserRequest) -> Reply[list[shapes.Release]]:
    """List releases, page by page."""
    page = paging.read_page(request, lenient=True)
    query = request.query
    wanted = service.ReleaseFilter(
        name=query.get("name") or "",
        update_type=query.get("update_type") or "",
        tags=tuple(tag.lower() for tag in query.all("tag")),
        within=request.release_tags,
    )
    sort = rules.read_sort(query.get("sort"), service.SORTS)
    releases, total = service.listed_releases(request.tenant, wanted, sort, start=page.start, stop=page.stop)
    return Reply(200, releases, paging.headers(request, page, total=total))


@user_route(bp, "GET /management/v2/deployments/deployments/releases/delta/jobs", Permission.RELEASES_READ)
def list_delta_jobs(request: UserRequest) -> Reply[list[shapes.DeltaJob]]:
    """List the deltas that are being generated: none, since this server generates none."""
    page = paging.read_page(request)
    return Reply(200, [], paging.headers(request, page, total=0))


@user_route(bp, "GET /management/v2/deployments/deployments/releases/delta/jobs/{id}", Permission.RELEASES_READ)
def show_delta_job(request: UserRequest, id: str) -> Reply[shapes.DeltaJob]:  # noqa: ARG001  # there is none of any id
    """Get the progress of generating a delta. There is none."""
    rules.check_id(id)
    raise NotFound("Resource not found")


@user_route(
    bp,
    "GET /management/v2/deployments/deployments/releases/{name}",
    Permission.RELEASES_READ,
    within={"release": "name"},
)
def show_release(request: UserRequest, name: str) -> Reply[shapes.Release]:
    """Get a release."""
    return Reply(200, service.show_release(request.tenant, name))


@user_route(
    bp,
    "PATCH /management/v2/deployments/deployments/releases/{name}",
    Permission.RELEASES_MANAGE,
    within={"release": "name"},
)
def change_release(request: UserRequest, body: shapes.ReleaseUpdate, name: str) -> NoContent:
    """Change a release's notes."""
    service.set_notes(request.tenant, name, body.notes)
    return no_content()


@user_route(
    bp,
    "PUT /management/v2/deployments/deployments/releases/{name}/tags",
    Permission.RELEASES_MANAGE,
    within={"release": "name"},
)
def set_release_tags(request: UserRequest, body: list[str], name: str) -> NoContent:
    """Replace a release's tags.

    Raises:
        Conflict: the tenant would have too many different tags.
    """
    service.set_tags(request.tenant, name, body, request.release_tags)
    return no_content()


@user_route(bp, "GET /management/v2/deployments/releases/all/tags", Permission.RELEASES_READ)
def list_release_tags(request: UserRequest) -> Reply[list[str]]:
    """List the tags that releases have."""
    return Reply(200, service.all_tags(request.tenant, request.release_tags))


@user_route(bp, "GET /management/v2/deployments/releases/all/types", Permission.RELEASES_READ)
def list_update_types(request: UserRequest) -> Reply[list[str]]:
    """List all payload types that were ever uploaded."""
    return Reply(200, service.all_types(request.tenant, request.release_tags))
