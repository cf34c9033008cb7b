"""Management API v1alpha1: software, the common name of releases and manifests. There are no manifests here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.artifacts import rules, service, shapes
from chalicelib.errors import BadRequest
from chalicelib.http import paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from chalicelib.http.request import Query

bp = Blueprint(__name__)

_KINDS = {"release", "manifest"}
_SORTS = ("name", "modified", "tags")


@user_route(bp, "GET /management/v1alpha1/deployments/software", Permission.RELEASES_READ)
def list_software(request: UserRequest) -> Reply[list[shapes.Software]]:
    """List software, page by page."""
    page = paging.read_page(request)
    query = request.query
    names, prefix = frozenset(filter(None, query.all("name"))), query.get("name_prefix") or ""
    if names and prefix:
        raise BadRequest("name and name_prefix cannot be combined; give one of them")
    wanted = service.SoftwareFilter(
        names=names,
        prefix=prefix,
        update_type=query.get("update_type") or "",
        tags=frozenset(tag.lower() for tag in query.all("tag")),
        within=request.release_tags,
        nothing=_kind(query) == "manifest",
    )
    found, total = service.listed_software(
        request.tenant, wanted, rules.read_sort(query.get("sort"), _SORTS), start=page.start, stop=page.stop
    )
    return Reply(200, found, paging.headers(request, page, total=total))


@user_route(bp, "GET /management/v1alpha1/deployments/software/tags", Permission.RELEASES_READ)
def list_software_tags(request: UserRequest) -> Reply[list[str]]:
    """List the tags that software has."""
    if _kind(request.query) == "manifest":
        return Reply(200, [])
    return Reply(200, service.all_tags(request.tenant, request.release_tags))


def _kind(query: Query) -> str | None:
    kind = query.get("kind") or None
    if kind is not None and kind not in _KINDS:
        raise BadRequest(f"kind: must be release or manifest, is {kind[:32]}")
    return kind
