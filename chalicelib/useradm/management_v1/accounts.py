"""Routes for one's own account that involve mails: reset a password, verify or change an address."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.http.endpoint import public_route, user_route
from chalicelib.http.request import Accepted, NoContent, Reply, Request, UserRequest, accepted, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import service, shapes, views
from chalicelib.useradm.rules import Purpose

bp = Blueprint(__name__)


@public_route(bp, "POST /management/v1/useradm/auth/password-reset/start")
def start_password_reset(_request: Request, body: shapes.Address) -> Accepted:
    """Mail a link for setting a new password. The answer does not tell whether there is such a user.

    Raises:
        TooManyRequests: too many mails were requested recently.
    """
    service.start(Purpose.PASSWORD_RESET, body.email)
    return accepted()


@public_route(bp, "POST /management/v1/useradm/auth/password-reset/complete")
def complete_password_reset(_request: Request, body: shapes.NewPassword) -> Accepted:
    """Set a new password with a mailed secret. All tokens of the user are revoked.

    Raises:
        Unprocessable: the password breaks a rule.
    """
    service.complete_reset(body.secret_hash, body.password)
    return accepted()


@public_route(bp, "POST /management/v1/useradm/auth/verify-email/start")
def start_email_verification(_request: Request, body: shapes.Address) -> Accepted:
    """Mail a link for verifying an e-mail address. The answer does not tell whether there is such a user.

    Raises:
        TooManyRequests: too many mails were requested recently.
    """
    service.start(Purpose.VERIFY_EMAIL, body.email)
    return accepted()


@public_route(bp, "POST /management/v1/useradm/auth/verify-email/complete")
def complete_email_verification(_request: Request, body: shapes.Secret) -> NoContent:
    """Verify an e-mail address with a mailed secret.

    Raises:
        Gone: the secret has expired.
    """
    service.complete_verification(body.secret_hash)
    return no_content()


@user_route(bp, "GET /management/v1/useradm/users/me/email-change/pending", Permission.BASIC)
def show_pending_email_change(request: UserRequest) -> Reply[shapes.PendingEmailChange] | NoContent:
    """Get the change of one's own e-mail address that is not confirmed yet. 204 if there is none."""
    found = service.pending_change(request.tenant, request.identity.subject)
    if found is None:
        return no_content()
    return Reply(body=views.pending_change(found))


@user_route(bp, "POST /management/v1/useradm/users/me/email-change/start", Permission.BASIC, sign_in=SignIn.SESSION)
def start_email_change(request: UserRequest, body: shapes.EmailChange) -> Accepted:
    """Begin to change one's own e-mail address. A secret is mailed to the new one.

    Raises:
        NotFound: the user was deleted.
        Conflict: another change is pending.
        Unprocessable: ``current_password`` is wrong, or the address is the present one.
    """
    service.start_change(request.tenant, request.identity.subject, body.email, body.current_password)
    return accepted()


@public_route(bp, "POST /management/v1/useradm/users/me/email-change/complete")
def complete_email_change(_request: Request, body: shapes.Secret) -> NoContent:
    """Change an e-mail address with a mailed secret. All tokens of the user are revoked.

    Raises:
        Conflict: the address was taken meanwhile.
    """
    service.complete_change(body.secret_hash)
    return no_content()


@user_route(bp, "POST /management/v1/useradm/users/me/email-change/cancel", Permission.BASIC, sign_in=SignIn.SESSION)
def cancel_email_change(request: UserRequest) -> NoContent:
    """Cancel the change of one's own e-mail address.

    Raises:
        NotFound: no change is pending.
    """
    service.cancel_change(request.tenant, request.identity.subject)
    return no_content()
