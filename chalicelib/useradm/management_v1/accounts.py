"""What people do for their own account by mail: reset a password, verify or change an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.clock import rfc3339
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply, accepted, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import service, shapes
from chalicelib.useradm.rules import Purpose

if TYPE_CHECKING:
    from chalicelib.http.request import Accepted, NoContent, Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "POST /management/v1/useradm/auth/password-reset/start",
    auth=Auth.NONE,
    permission=None,
    body=shapes.Address,
)
def start_password_reset(request: Request) -> Accepted:
    """Mail a link for setting a new password. The answer does not tell whether there is such a user.

    Raises:
        TooManyRequests: too many mails were asked for lately.
    """
    service.start(Purpose.PASSWORD_RESET, request.body.email)
    return accepted()


@endpoint(
    bp,
    "POST /management/v1/useradm/auth/password-reset/complete",
    auth=Auth.NONE,
    permission=None,
    body=shapes.NewPassword,
)
def complete_password_reset(request: Request) -> Accepted:
    """Set a new password with a mailed secret. All tokens of the user are revoked.

    Raises:
        Unprocessable: the password breaks a rule.
    """
    service.complete_reset(request.body.secret_hash, request.body.password)
    return accepted()


@endpoint(
    bp,
    "POST /management/v1/useradm/auth/verify-email/start",
    auth=Auth.NONE,
    permission=None,
    body=shapes.Address,
)
def start_email_verification(request: Request) -> Accepted:
    """Mail a link for verifying an e-mail address. The answer does not tell whether there is such a user.

    Raises:
        TooManyRequests: too many mails were asked for lately.
    """
    service.start(Purpose.VERIFY_EMAIL, request.body.email)
    return accepted()


@endpoint(
    bp,
    "POST /management/v1/useradm/auth/verify-email/complete",
    auth=Auth.NONE,
    permission=None,
    body=shapes.Secret,
)
def complete_email_verification(request: Request) -> NoContent:
    """Verify an e-mail address with a mailed secret.

    Raises:
        Gone: the secret has expired.
    """
    service.complete_verification(request.body.secret_hash)
    return no_content()


@endpoint(
    bp,
    "GET /management/v1/useradm/users/me/email-change/pending",
    auth=Auth.USER,
    permission=Permission.BASIC,
)
def show_pending_email_change(request: Request) -> Reply[shapes.PendingEmailChange] | NoContent:
    """Get the change of the own e-mail address that is not confirmed yet. 204 if there is none."""
    found = service.pending_change(request.tenant, request.identity.subject)
    if found is None:
        return no_content()
    return Reply(body=shapes.PendingEmailChange(found.email, rfc3339(found.created), rfc3339(found.until)))


@endpoint(
    bp,
    "POST /management/v1/useradm/users/me/email-change/start",
    auth=Auth.USER,
    permission=Permission.BASIC,
    body=shapes.EmailChange,
    sign_in=SignIn.SESSION,
)
def start_email_change(request: Request) -> Accepted:
    """Begin to change the own e-mail address. A secret is mailed to the new one.

    Raises:
        NotFound: the user is gone.
        Conflict: another change is pending.
        Unprocessable: ``current_password`` is wrong, or the address is the present one.
    """
    wanted: shapes.EmailChange = request.body
    service.start_change(request.tenant, request.identity.subject, wanted.email, wanted.current_password)
    return accepted()


@endpoint(
    bp,
    "POST /management/v1/useradm/users/me/email-change/complete",
    auth=Auth.NONE,
    permission=None,
    body=shapes.Secret,
)
def complete_email_change(request: Request) -> NoContent:
    """Change an e-mail address with a mailed secret. All tokens of the user are revoked.

    Raises:
        Conflict: the address was taken meanwhile.
    """
    service.complete_change(request.body.secret_hash)
    return no_content()


@endpoint(
    bp,
    "POST /management/v1/useradm/users/me/email-change/cancel",
    auth=Auth.USER,
    permission=Permission.BASIC,
    sign_in=SignIn.SESSION,
)
def cancel_email_change(request: Request) -> NoContent:
    """Cancel the change of the own e-mail address.

    Raises:
        NotFound: no change is pending.
    """
    service.cancel_change(request.tenant, request.identity.subject)
    return no_content()
