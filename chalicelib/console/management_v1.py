"""``/management/v1/console``: what the console's page starts with; ours, beyond Mender."""

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
    """What the page shows to whoever has not signed in."""
    return Reply(body=service.public(), headers={"Cache-Control": "no-store"})


@user_route(bp, "GET /management/v1/console/session", Permission.BASIC)
def show_session(request: UserRequest) -> Reply[shapes.Session]:
    """Who has signed in, what they may do, and where; 401: nobody has.

    A cookie that another host of the domain could have planted does not count: its owner would watch what is done in
    their account.
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
