"""Acceptance rules, and preregistered identities."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.devauth import shapes, views
from chalicelib.devauth.service.acceptance import managing, previewing, registering
from chalicelib.errors import UnsupportedMediaType
from chalicelib.http import content, paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Created, NoContent, Reply, UserRequest, created, no_content
from chalicelib.limits import PREVIEW_DEVICES
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v2/devauth/acceptance/rules", Permission.DEVICES_READ, everywhere=True)
def list_acceptance_rules(request: UserRequest) -> Reply[list[shapes.AcceptanceRuleShape]]:
    """List the acceptance rules, in the order in which they are tried, with the number of devices accepted today."""
    return Reply(200, [views.rule(*each) for each in managing.listed(request.tenant)])


@user_route(bp, "POST /management/v2/devauth/acceptance/rules", Permission.ACCEPTANCE_MANAGE)
def create_acceptance_rule(request: UserRequest, body: shapes.NewAcceptanceRule) -> Created:
    """Create a rule by which devices are accepted when they ask.

    Raises:
        Conflict: another rule has the name.
        Unprocessable: the tenant has as many rules as it may.
    """
    return created(f"acceptance/rules/{managing.create(request.tenant, body)}")


@user_route(bp, "PUT /management/v2/devauth/acceptance/rules/{id}", Permission.ACCEPTANCE_MANAGE)
def change_acceptance_rule(request: UserRequest, body: shapes.NewAcceptanceRule, id: str) -> NoContent:
    """Replace a rule. A changed daily limit counts from now on.

    Raises:
        Conflict: another rule has the name.
        NotFound: there is no such rule.
        Unprocessable: all rules together are too large.
    """
    managing.change(request.tenant, id, body)
    return no_content()


@user_route(bp, "DELETE /management/v2/devauth/acceptance/rules/{id}", Permission.ACCEPTANCE_MANAGE)
def delete_acceptance_rule(request: UserRequest, id: str) -> NoContent:
    """Delete a rule. Devices that it accepted stay accepted.

    Raises:
        NotFound: there is no such rule.
    """
    managing.delete(request.tenant, id)
    return no_content()


@user_route(bp, "POST /management/v2/devauth/acceptance/preview", Permission.ACCEPTANCE_MANAGE)
def preview_acceptance_rule(request: UserRequest, body: shapes.NewAcceptanceRule) -> Reply[shapes.AcceptancePreview]:
    """List the pending devices that a rule would accept, without storing anything. Limits are not considered."""
    page = paging.read_page(request)
    accepted, checked = previewing.preview(request.tenant, body)
    shown = shapes.AcceptancePreview(
        total=len(accepted),
        checked=checked,
        complete=checked < PREVIEW_DEVICES,
        devices=[views.device(device) for device in accepted[page.start : page.stop]],
    )
    return Reply(200, shown, paging.headers(request, page, total=len(accepted)))


@user_route(bp, "GET /management/v2/devauth/acceptance/identities", Permission.DEVICES_READ, everywhere=True)
def list_identities(request: UserRequest) -> Reply[list[shapes.ExpectedShape]]:
    """List the preregistered identities, each with its device if that has asked already."""
    page = paging.read_place(request)
    found = registering.page(request.tenant, page.start, page.stop, page.cursor)
    rows = [views.expected(*each) for each in found.rows]
    return Reply(200, rows, paging.headers_with_cursors(request, page, found))


@user_route(bp, "POST /management/v2/devauth/acceptance/identities", Permission.ACCEPTANCE_MANAGE)
def register_identities(request: UserRequest, body: bytes) -> Reply[shapes.Registered]:
    """Preregister identities, which are accepted when they first ask: a CSV file, or a JSON list.

    The answer has a result for each. The call can be repeated.

    Raises:
        Conflict: the rule that accepts them does not exist yet, and another rule has its name.
        TooLarge: there are more identities than one call takes.
        Unprocessable: the tenant has as many preregistered identities as it may.
        UnsupportedMediaType: the body is neither CSV nor JSON.
    """
    kind = content.media(request.headers.get("content-type"))
    if kind not in {"text/csv", "application/json"}:
        raise UnsupportedMediaType("unsupported media type: send text/csv or application/json")
    return Reply(200, registering.register(request.tenant, body, csv=kind == "text/csv"))


@user_route(bp, "DELETE /management/v2/devauth/acceptance/identities", Permission.ACCEPTANCE_MANAGE)
def delete_identities(request: UserRequest) -> Reply[shapes.RegistrationsDeleted]:
    """Delete all preregistered identities. If there are too many for one call, the answer says how many are left."""
    return Reply(200, registering.delete_all(request.tenant))


@user_route(bp, "DELETE /management/v2/devauth/acceptance/identities/{id}", Permission.ACCEPTANCE_MANAGE)
def delete_identity(request: UserRequest, id: str) -> NoContent:
    """Delete a preregistered identity. Its device, if it was accepted already, stays accepted.

    Raises:
        NotFound: there is none with this id.
    """
    registering.delete(request.tenant, id)
    return no_content()
