"""Two-factor authentication of the user who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.errors import Forbidden
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import AcceptedWith, Reply
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import service, shapes

if TYPE_CHECKING:
    from chalicelib.http.request import Request

bp = Blueprint(__name__)

_NOT_KEPT = {"Cache-Control": "no-store"}
"""Headers of answers with secrets, which no cache may keep."""


@endpoint(bp, "GET /management/v1/useradm/2faqr", auth=Auth.USER, permission=Permission.BASIC, sign_in=SignIn.RECENT)
def show_two_factor_qr(request: Request) -> Reply[shapes.QrCode]:
    """Get the new secret of the second factor for an authenticator app, as a QR code and as text.

    Only until the app was verified.

    Raises:
        BadRequest: no secret is waiting to be verified.
        NotFound: the user is gone.
    """
    return Reply(
        body=shapes.QrCode(*service.tfa_qr(request.tenant, request.identity.subject)),
        headers=_NOT_KEPT,
    )


@endpoint(
    bp,
    "PUT /management/v1/useradm/2faverify",
    auth=Auth.USER,
    permission=Permission.BASIC,
    body=shapes.TfaToken,
    sign_in=SignIn.RECENT,
)
def verify_two_factor(request: Request) -> AcceptedWith[shapes.RecoveryCodes]:
    """Verify the authenticator app. From now on signing in needs its codes.

    The answer has recovery codes for who loses the app. They are shown only this once; new ones can be made.

    Raises:
        NotFound: the user is gone.
    """
    codes = service.verify_tfa(request.tenant, request.identity.subject, request.body.token2fa)
    return AcceptedWith(body=shapes.RecoveryCodes(codes), headers=_NOT_KEPT)


@endpoint(
    bp,
    "POST /management/v1/useradm/users/me/2fa/recovery-codes",
    auth=Auth.USER,
    permission=Permission.BASIC,
    sign_in=SignIn.FACTOR,
)
def renew_my_recovery_codes(request: Request) -> Reply[shapes.RecoveryCodes]:
    """Make new recovery codes for the own second factor, which are shown only this once. Earlier ones end.

    Raises:
        BadRequest: the second factor is not enabled.
        NotFound: the user is gone.
    """
    codes = service.renew_recovery_codes(request.tenant, request.identity.subject)
    return Reply(body=shapes.RecoveryCodes(codes), headers=_NOT_KEPT)


@endpoint(
    bp,
    "POST /management/v1/useradm/users/me/2fa/enable",
    auth=Auth.USER,
    permission=Permission.BASIC,
    sign_in=SignIn.RECENT,
)
def enable_my_two_factor(request: Request) -> Reply[None]:
    """Enable the own second factor: make a new secret.

    Raises:
        BadRequest: there is a secret already.
        NotFound: the user is gone.
    """
    return _enable(request)


@endpoint(
    bp,
    "POST /management/v1/useradm/users/me/2fa/disable",
    auth=Auth.USER,
    permission=Permission.BASIC,
    sign_in=SignIn.FACTOR,
)
def disable_my_two_factor(request: Request) -> Reply[None]:
    """Disable the own second factor.

    Raises:
        BadRequest: it is not enabled.
        NotFound: the user is gone.
    """
    return _disable(request)


@endpoint(
    bp,
    "POST /management/v1/useradm/users/{id}/2fa/enable",
    auth=Auth.USER,
    permission=Permission.BASIC,
    sign_in=SignIn.RECENT,
)
def enable_two_factor(request: Request, id: str) -> Reply[None]:
    """Enable the own second factor, by the user's id."""
    _require_self(request, id)
    return _enable(request)


@endpoint(
    bp,
    "POST /management/v1/useradm/users/{id}/2fa/disable",
    auth=Auth.USER,
    permission=Permission.BASIC,
    sign_in=SignIn.FACTOR,
)
def disable_two_factor(request: Request, id: str) -> Reply[None]:
    """Disable the own second factor, by the user's id."""
    _require_self(request, id)
    return _disable(request)


def _enable(request: Request) -> Reply[None]:
    service.enable_tfa(request.tenant, request.identity.subject)
    return Reply()


def _disable(request: Request) -> Reply[None]:
    service.disable_tfa(request.tenant, request.identity.subject)
    return Reply()


def _require_self(request: Request, user_id: str) -> None:
    """Refuse for anybody else: a factor that others can take away is none.

    Raises:
        NotFound: the tenant has no such user.
        Forbidden: it is somebody else.
    """
    if user_id != request.identity.subject:
        service.get_user(request.tenant, user_id)
        raise Forbidden("two-factor authentication is changed by its user only")
