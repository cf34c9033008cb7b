"""``/management/v2/useradm``: roles and the permission sets that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from chalice.app import Blueprint

from chalicelib.features import Feature
from chalicelib.http import paging
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply, created, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.roles import service, shapes

if TYPE_CHECKING:
    from chalicelib.http.request import Created, NoContent, Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "GET /management/v2/useradm/roles",
    auth=Auth.USER,
    permission=Permission.BASIC,
    feature=Feature.RBAC,
)
def list_roles(request: Request) -> Reply[list[shapes.Role]]:
    """List the built-in roles and the tenant's own. Users who do not manage users only see their own of the latter."""
    return _page(request, service.visible(request.tenant, service.ROLE, request.identity.rights))


@endpoint(
    bp,
    "POST /management/v2/useradm/roles",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    body=shapes.Role,
    sign_in=SignIn.SESSION,
)
def create_role(request: Request) -> Created:
    """Create a role. It can have no more rights than the user who creates it.

    Raises:
        Conflict: there is a role of this name.
        Unprocessable: the tenant has as many roles as it may, or there is no such permission set.
    """
    name = service.create(request.tenant, service.ROLE, request.body, request.identity.rights)
    return created(f"/api/management/v2/useradm/roles/{quote(name, safe='')}")


@endpoint(
    bp,
    "GET /management/v2/useradm/roles/{id}",
    auth=Auth.USER,
    permission=Permission.BASIC,
    feature=Feature.RBAC,
)
def show_role(request: Request, id: str) -> Reply[shapes.Role]:
    """Get a role."""
    return Reply(200, service.get_visible(request.tenant, service.ROLE, id, request.identity.rights))


@endpoint(
    bp,
    "PUT /management/v2/useradm/roles/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    body=shapes.Role,
    sign_in=SignIn.SESSION,
)
def update_role(request: Request, id: str) -> Reply[None]:
    """Change a role for everyone who has it.

    Raises:
        Unprocessable: there is no such permission set.
    """
    service.update(request.tenant, service.ROLE, id, request.body, request.identity.rights)
    return Reply(200)


@endpoint(
    bp,
    "DELETE /management/v2/useradm/roles/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    sign_in=SignIn.SESSION,
)
def delete_role(request: Request, id: str) -> NoContent:
    """Delete a role that no user has.

    Raises:
        Conflict: users have the role.
    """
    service.delete(request.tenant, service.ROLE, id, request.identity.rights)
    return no_content()


@endpoint(
    bp,
    "GET /management/v2/useradm/permission_sets",
    auth=Auth.USER,
    permission=Permission.BASIC,
    feature=Feature.RBAC,
)
def list_permission_sets(request: Request) -> Reply[list[shapes.PermissionSet]]:
    """List the built-in permission sets and the tenant's own.

    Users who do not manage users see those of their own roles.
    """
    return _page(request, service.visible(request.tenant, service.SET, request.identity.rights))


@endpoint(
    bp,
    "POST /management/v2/useradm/permission_sets",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    body=shapes.PermissionSet,
    sign_in=SignIn.SESSION,
)
def create_permission_set(request: Request) -> Created:
    """Create a permission set. It can have no more rights than the user who creates it.

    Raises:
        Conflict: there is a permission set of this name.
        Unprocessable: the tenant has as many permission sets as it may.
    """
    name = service.create(request.tenant, service.SET, request.body, request.identity.rights)
    return created(f"/api/management/v2/useradm/permission_sets/{quote(name, safe='')}")


@endpoint(
    bp,
    "GET /management/v2/useradm/permission_sets/{id}",
    auth=Auth.USER,
    permission=Permission.BASIC,
    feature=Feature.RBAC,
)
def show_permission_set(request: Request, id: str) -> Reply[shapes.PermissionSet]:
    """Get a permission set."""
    return Reply(200, service.get_visible(request.tenant, service.SET, id, request.identity.rights))


@endpoint(
    bp,
    "PUT /management/v2/useradm/permission_sets/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    body=shapes.PermissionSet,
    sign_in=SignIn.SESSION,
)
def update_permission_set(request: Request, id: str) -> Reply[None]:
    """Change a permission set for all roles that have it."""
    service.update(request.tenant, service.SET, id, request.body, request.identity.rights)
    return Reply(200)


@endpoint(
    bp,
    "DELETE /management/v2/useradm/permission_sets/{id}",
    auth=Auth.USER,
    permission=Permission.USERS_MANAGE,
    feature=Feature.RBAC,
    named="id",
    sign_in=SignIn.SESSION,
)
def delete_permission_set(request: Request, id: str) -> NoContent:
    """Delete a permission set that no role has.

    Raises:
        Conflict: roles have the permission set.
    """
    service.delete(request.tenant, service.SET, id, request.identity.rights)
    return no_content()


def _page(request: Request, found: list[Any]) -> Reply[list[Any]]:
    page = paging.read_page(request)
    return Reply(200, found[page.start : page.stop], paging.headers(request, page, more=page.stop < len(found)))
