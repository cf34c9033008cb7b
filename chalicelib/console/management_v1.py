"""``/management/v1/console``: what the console's page starts with; ours, beyond Mender."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib import tokens
from chalicelib.console import service, shapes
from chalicelib.errors import Unauthorized
from chalicelib.http import cookies, identity
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from chalicelib.http.request import Request

bp = Blueprint(__name__)


@endpoint(bp, "GET /management/v1/console/public", auth=Auth.NONE, permission=None)
def show_public(request: Request) -> Reply[shapes.Public]:  # noqa: ARG001  # the same for everyone
    """What the page shows to whoever has not signed in."""
    return Reply(body=service.public(), headers={"Cache-Control": "no-store"})


@endpoint(bp, "GET /management/v1/console/session", auth=Auth.USER, permission=Permission.BASIC)
def show_session(request: Request) -> Reply[shapes.Session]:
    """Who has signed in, what they may do, and where; 401: nobody has.

    A cookie that another host of the domain could have planted does not count: its owner would watch what is done in
    their account.
    """
    if "authorization" not in request.headers and not cookies.is_session(request):
        raise Unauthorized("sign in")
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
