"""``/management/v2/useradm``: changing one's own password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import rules, service, shapes

if TYPE_CHECKING:
    from chalicelib.http.request import NoContent, Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "PUT /management/v2/useradm/users/me",
    auth=Auth.USER,
    permission=Permission.BASIC,
    body=shapes.PasswordUpdate,
    sign_in=SignIn.SESSION,
)
def update_me(request: Request) -> NoContent:
    """Change the own password. Other than in v1, an e-mail address is ignored.

    Raises:
        NotFound: the user is gone.
        Unprocessable: the password breaks a rule, or ``current_password`` is wrong.
    """
    service.update_user(
        request.tenant,
        request.identity.subject,
        rules.change("", request.body.password, own=True),
        current_password=request.body.current_password,
        keep_token=request.identity.token_id,
        by=request.identity.rights,
    )
    return no_content()
