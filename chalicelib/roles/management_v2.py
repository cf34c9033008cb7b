"""``/management/v2/useradm``: roles and permission sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from chalice.app import Blueprint

from chalicelib.features import Feature
from chalicelib.http import paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Created, NoContent, Reply, UserRequest, created, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.roles import service, shapes

if TYPE_CHECKING:
    from chalicelib.http.request import Request

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v2/useradm/roles", Permission.BASIC, feature=Feature.RBAC)
def list_roles(request: UserRequest) -> Reply[list[shapes.Role]]:
    """List the built-in roles and the tenant's own. Users who do not manage users see only their own roles of these."""
    return _page(request, service.visible(request.tenant, service.ROLE, request.identity.rights))


@user_route(
    bp,
    "POST /management/v2/useradm/roles",
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
    return created(f"/api/management/v2/useradm/roles/{quote(name, safe='')}")


@user_route(bp, "GET /management/v2/useradm/roles/{id}", Permission.BASIC, feature=Feature.RBAC)
def show_role(request: UserRequest, id: str) -> Reply[shapes.Role]:
    """Get a role."""
    return Reply(200, service.get_visible(request.tenant, service.ROLE, id, request.identity.rights))


@user_route(
    bp,
    "PUT /management/v2/useradm/roles/{id}",
    Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    sign_in=SignIn.SESSION,
)
def update_role(request: UserRequest, body: shapes.Role, id: str) -> Reply[None]:
    """Change a role for everyone who has it.

    Raises:
        Unprocessable: there is no such permission set.
    """
    service.update(request.tenant, service.ROLE, id, body, request.identity.rights)
    return Reply(200)


@user_route(
    bp,
    "DELETE /management/v2/useradm/roles/{id}",
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


@user_route(bp, "GET /management/v2/useradm/permission_sets", Permission.BASIC, feature=Feature.RBAC)
def list_permission_sets(request: UserRequest) -> Reply[list[shapes.PermissionSet]]:
    """List the built-in permission sets and the tenant's own.

    Users who do not manage users see those of their own roles.
    """
    return _page(request, service.visible(request.tenant, service.SET, request.identity.rights))


@user_route(
    bp,
    "POST /management/v2/useradm/permission_sets",
    Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    sign_in=SignIn.SESSION,
)
def create_permission_set(request: UserRequest, body: shapes.PermissionSet) -> Created:
    """Create a permission set. It can have no more rights than the user who creates it.

    Raises:
        Conflict: there is a permission set with this name.
        Unprocessable: the tenant has reached its limit of permission sets.
    """
    name = service.create(request.tenant, service.SET, body, request.identity.rights)
    return created(f"/api/management/v2/useradm/permission_sets/{quote(name, safe='')}")


@user_route(bp, "GET /management/v2/useradm/permission_sets/{id}", Permission.BASIC, feature=Feature.RBAC)
def show_permission_set(request: UserRequest, id: str) -> Reply[shapes.PermissionSet]:
    """Get a permission set."""
    return Reply(200, service.get_visible(request.tenant, service.SET, id, request.identity.rights))


@user_route(
    bp,
    "PUT /management/v2/useradm/permission_sets/{id}",
    Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    sign_in=SignIn.SESSION,
)
def update_permission_set(request: UserRequest, body: shapes.PermissionSet, id: str) -> Reply[None]:
    """Change a permission set for all roles that have it."""
    service.update(request.tenant, service.SET, id, body, request.identity.rights)
    return Reply(200)


@user_route(
    bp,
    "DELETE /management/v2/useradm/permission_sets/{id}",
    Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    sign_in=SignIn.SESSION,
)
def delete_permission_set(request: UserRequest, id: str) -> NoContent:
    """Delete a permission set that no role has.

    Raises:
        Conflict: roles have the permission set.
    """
    service.delete(request.tenant, service.SET, id, request.identity.rights)
    return no_content()


def _page(request: Request, found: list[Any]) -> Reply[list[Any]]:
    page = paging.read_page(request)
    return Reply(200, found[page.start : page.stop], paging.headers(request, page, more=page.stop < len(found)))
