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
    """Mail a link that sets a new password. The answer is the same whether there is such a user."""
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
    """Set a new password by a mailed secret; all tokens of the user die."""
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
    """Mail a link that proves an address. The answer is the same whether there is such a user."""
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
    """Prove an address by a mailed secret."""
    service.complete_verification(request.body.secret_hash)
    return no_content()


@endpoint(
    bp,
    "GET /management/v1/useradm/users/me/email-change/pending",
    auth=Auth.USER,
    permission=Permission.BASIC,
)
def show_pending_email_change(request: Request) -> Reply[shapes.PendingEmailChange] | NoContent:
    """The change of one's address that waits for its mail to be answered; 204: none."""
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
    """Begin to change one's address: a secret is mailed to the new one."""
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
    """Change an address by a mailed secret; all tokens of the user die."""
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
    """Withdraw the change of one's address."""
    service.cancel_change(request.tenant, request.identity.subject)
    return no_content()
