"""``/api/management/v2/deployments/deployments``: deployments to saved filters, and the list that UIs read."""

from __future__ import annotations

from chalice.app import Blueprint
from msgspec.structs import replace

from chalicelib.deployments.management_v1.deployments import read_id, read_wanted, save_or_preview, show_list
from chalicelib.deployments.service import managing as service
from chalicelib.deployments.shapes import Deployment, NewDynamicDeployment
from chalicelib.deployments.shapes.preview import Preview
from chalicelib.errors import BadRequest
from chalicelib.features import Feature
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Created, NoContent, Reply, UserRequest, no_content
from chalicelib.rights import Permission

bp = Blueprint(__name__)

_SCOPES = {"identity", "inventory", "tags"}


@user_route(bp, "GET /management/v2/deployments/deployments", Permission.DEPLOYMENTS_READ)
def list_deployments(request: UserRequest) -> Reply[list[Deployment]]:
    """List deployments by the time of their creation, page by page.

    ``name`` is the name of a deployment, or with ``id_attribute`` that of a device.
    """
    query = request.query
    names = tuple(filter(None, query.all("name")))
    ids = frozenset(map(read_id, filter(None, query.all("id"))))
    wanted = replace(read_wanted(request), search=names, ids=ids)
    attribute, scope = query.get("id_attribute"), query.get("id_scope")
    if scope and scope not in _SCOPES:
        raise BadRequest(f"id_scope: must be one of {', '.join(sorted(_SCOPES))}")
    device = service.Named(attribute, scope or None, names[0]) if attribute and names else None
    return show_list(request, wanted, device)


@user_route(
    bp,
    "POST /management/v2/deployments/deployments",
    Permission.DEPLOYMENTS_MANAGE,
    feature=Feature.DYNAMIC_GROUPS,
    body_error="Validating request body: ",
)
def create_deployment(request: UserRequest, body: NewDynamicDeployment) -> Created | Reply[Preview]:
    """Create a deployment for the devices that match a saved filter when they poll; with ``dry_run``, only preview it.

    Raises:
        Conflict: an unfinished deployment has the same parameters.
        Unprocessable: there is no such filter or artifact, or too many deployments are unfinished.
    """
    return save_or_preview(request, service.draft_for_filter(request.tenant, body, request.scopes))


@user_route(bp, "DELETE /management/v2/deployments/deployments/releases", Permission.RELEASES_MANAGE)
def delete_releases(request: UserRequest) -> NoContent:
    """Delete releases with all their artifacts.

    Raises:
        Conflict: unfinished deployments use some of them; nothing was deleted.
    """
    service.delete_releases(
        request.tenant,
        request.query.all("name"),
        tags=request.release_tags,
        seen=request.identity.rights.scopes(Permission.DEPLOYMENTS_READ),
    )
    return no_content()
