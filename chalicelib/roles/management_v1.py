"""``/management/v1/useradm/roles``: roles in the older API, whose changes answer 202."""

from __future__ import annotations

from urllib.parse import quote

from chalice.app import Blueprint

from chalicelib.features import Feature
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Accepted, Created, NoContent, Reply, UserRequest, accepted, created, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.roles import service, shapes

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v1/useradm/roles", Permission.BASIC, feature=Feature.RBAC)
def list_roles(request: UserRequest) -> Reply[list[shapes.Role]]:
    """List the built-in roles and the tenant's own. Users who do not manage users see only their own roles of these."""
    return Reply(200, service.visible(request.tenant, service.ROLE, request.identity.rights))


@user_route(
    bp,
    "POST /management/v1/useradm/roles",
    Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    sign_in=SignIn.SESSION,
)
def create_role(request: UserRequest, body: shapes.Role) -> Created:
    """Create a role. It can have no more rights than the user who creates it.

    Raises:
        Conflict: there is a role with this name.
        Unprocessable: the tenant has reached its limit of roles, or there is no such permission set.
    """
    name = service.create(request.tenant, service.ROLE, body, request.identity.rights)
    return created(f"/api/management/v1/useradm/roles/{quote(name, safe='')}")


@user_route(bp, "GET /management/v1/useradm/roles/{id}", Permission.BASIC, feature=Feature.RBAC)
def show_role(request: UserRequest, id: str) -> Reply[shapes.Role]:
    """Get a role."""
    return Reply(200, service.get_visible(request.tenant, service.ROLE, id, request.identity.rights))


@user_route(
    bp,
    "PUT /management/v1/useradm/roles/{id}",
    Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    sign_in=SignIn.SESSION,
)
def update_role(request: UserRequest, body: shapes.Role, id: str) -> Accepted:
    """Change a role for everyone who has it.

    Raises:
        Unprocessable: there is no such permission set.
    """
    service.update(request.tenant, service.ROLE, id, body, request.identity.rights)
    return accepted()


@user_route(
    bp,
    "DELETE /management/v1/useradm/roles/{id}",
    Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    sign_in=SignIn.SESSION,
)
def delete_role(request: UserRequest, id: str) -> NoContent:
    """Delete a role that no user has.

    Raises:
        Conflict: users have the role.
    """
    service.delete(request.tenant, service.ROLE, id, request.identity.rights)
    return no_content()
