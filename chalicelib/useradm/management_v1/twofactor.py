"""Two-factor authentication of the calling user."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.errors import Forbidden
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import AcceptedWith, Reply, UserRequest
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from chalicelib.useradm import service, shapes

bp = Blueprint(__name__)

_NOT_KEPT = {"Cache-Control": "no-store"}
"""Headers of answers with secrets, which must not be cached."""


@user_route(bp, "GET /management/v1/useradm/2faqr", Permission.BASIC, sign_in=SignIn.RECENT)
def show_two_factor_qr(request: UserRequest) -> Reply[shapes.QrCode]:
    """Get the new secret of the second factor for an authenticator app, as a QR code and as text.

    Possible only until the app is verified.

    Raises:
        BadRequest: no secret is waiting to be verified.
        NotFound: the user was deleted.
    """
    return Reply(
        body=shapes.QrCode(*service.tfa_qr(request.tenant, request.identity.subject)),
        headers=_NOT_KEPT,
    )


@user_route(bp, "PUT /management/v1/useradm/2faverify", Permission.BASIC, sign_in=SignIn.RECENT)
def verify_two_factor(request: UserRequest, body: shapes.TfaToken) -> AcceptedWith[shapes.RecoveryCodes]:
    """Verify the authenticator app. From now on signing in needs its codes.

    The answer has recovery codes, for users who lose the app. They are shown only once; new ones can be made.

    Raises:
        NotFound: the user was deleted.
    """
    codes = service.verify_tfa(request.tenant, request.identity.subject, body.token2fa)
    return AcceptedWith(body=shapes.RecoveryCodes(codes), headers=_NOT_KEPT)


@user_route(bp, "POST /management/v1/useradm/users/me/2fa/recovery-codes", Permission.BASIC, sign_in=SignIn.FACTOR)
def renew_my_recovery_codes(request: UserRequest) -> Reply[shapes.RecoveryCodes]:
    """Make new recovery codes for one's own second factor, which are shown only once. Earlier ones become invalid.

    Raises:
        BadRequest: the second factor is not enabled.
        NotFound: the user was deleted.
    """
    codes = service.renew_recovery_codes(request.tenant, request.identity.subject)
    return Reply(body=shapes.RecoveryCodes(codes), headers=_NOT_KEPT)


@user_route(bp, "POST /management/v1/useradm/users/me/2fa/enable", Permission.BASIC, sign_in=SignIn.RECENT)
def enable_my_two_factor(request: UserRequest) -> Reply[None]:
    """Enable one's own second factor: make a new secret.

    Raises:
        BadRequest: there is a secret already.
        NotFound: the user was deleted.
    """
    return _enable(request)


@user_route(bp, "POST /management/v1/useradm/users/me/2fa/disable", Permission.BASIC, sign_in=SignIn.FACTOR)
def disable_my_two_factor(request: UserRequest) -> Reply[None]:
    """Disable one's own second factor.

    Raises:
        BadRequest: it is not enabled.
        NotFound: the user was deleted.
    """
    return _disable(request)


@user_route(bp, "POST /management/v1/useradm/users/{id}/2fa/enable", Permission.BASIC, sign_in=SignIn.RECENT)
def enable_two_factor(request: UserRequest, id: str) -> Reply[None]:
    """Enable one's own second factor, by the user's id."""
    _require_self(request, id)
    return _enable(request)


@user_route(bp, "POST /management/v1/useradm/users/{id}/2fa/disable", Permission.BASIC, sign_in=SignIn.FACTOR)
def disable_two_factor(request: UserRequest, id: str) -> Reply[None]:
    """Disable one's own second factor, by the user's id."""
    _require_self(request, id)
    return _disable(request)


def _enable(request: UserRequest) -> Reply[None]:
    service.enable_tfa(request.tenant, request.identity.subject)
    return Reply()


def _disable(request: UserRequest) -> Reply[None]:
    service.disable_tfa(request.tenant, request.identity.subject)
    return Reply()


def _require_self(request: UserRequest, user_id: str) -> None:
    """Refuse changes of other users' second factors, which would protect nobody.

    Raises:
        NotFound: the tenant has no such user.
        Forbidden: it is somebody else.
    """
    if user_id != request.identity.subject:
        service.get_user(request.tenant, user_id)
        raise Forbidden("only the user can change their own two-factor authentication")
