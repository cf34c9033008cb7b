"""``/management/v2/useradm``: changing one's own password."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.http.endpoint import user_route
from chalicelib.http.request import NoContent, UserRequest, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import rules, service, shapes

bp = Blueprint(__name__)


@user_route(bp, "PUT /management/v2/useradm/users/me", Permission.BASIC, sign_in=SignIn.SESSION)
def update_me(request: UserRequest, body: shapes.PasswordUpdate) -> NoContent:
    """Change one's own password. Unlike in v1, an e-mail address is ignored.

    Raises:
        NotFound: the user was deleted.
        Unprocessable: the password breaks a rule, or ``current_password`` is wrong.
    """
    service.update_user(
        request.tenant,
        request.identity.subject,
        rules.change("", body.password, own=True),
        current_password=body.current_password,
        keep_token=request.identity.token_id,
        by=request.identity.rights,
    )
    return no_content()
