"""``/management/v1/console``: the calls that the console's page starts with. Not part of Mender's API."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib import tokens
from chalicelib.console import service, shapes
from chalicelib.errors import Unauthorized
from chalicelib.http import cookies, identity
from chalicelib.http.endpoint import public_route, user_route
from chalicelib.http.request import Reply, Request, UserRequest
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@public_route(bp, "GET /management/v1/console/public")
def show_public(request: Request) -> Reply[shapes.Public]:  # noqa: ARG001  # the same for everyone
    """Get what the console shows before anybody has signed in."""
    return Reply(body=service.public(), headers={"Cache-Control": "no-store"})


@user_route(bp, "GET /management/v1/console/session", Permission.BASIC)
def show_session(request: UserRequest) -> Reply[shapes.Session]:
    """Get the signed-in user, and what the user may do; 401: nobody is signed in.

    A cookie that another host of the domain could have set is not accepted: its owner could watch what the user does in
    the owner's account.
    """
    if "authorization" not in request.headers and not cookies.is_session(request):
        raise Unauthorized("you are not signed in; sign in first")
    who = request.identity
    return Reply(
        body=service.session(
            who.home,
            who.subject,
            who.tenant,
            who.rights,
            expires=tokens.verify(identity.bearer(request.headers)).get("exp"),
            recent=who.is_recent,
            url=request.server,
        )
    )
