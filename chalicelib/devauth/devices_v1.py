"""Device API v1, device authentication: the one call that devices make without a token."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.devauth import service, shapes
from chalicelib.http import content
from chalicelib.http.endpoint import public_route
from chalicelib.http.request import Jwt, Request, jwt

bp = Blueprint(__name__)


@public_route(bp, "POST /devices/v1/authentication/auth_requests")
def authenticate(request: Request, body: bytes) -> Jwt:
    """Ask for a token, which only accepted devices get.

    The request of any other device is kept until an operator decides.

    Raises:
        Unauthorized: the signature is wrong, the tenant is unknown or suspended, or the device is not accepted.
        TooManyRequests: the device is new, and too many new devices asked from its network within the last hour.
    """
    asked, signature = read_signed(request)
    # Clients send "Bearer <tenant token>", or a bare "Bearer" when they have none.
    scheme, _, tenant_token = request.headers.get("authorization", "").partition(" ")
    bearer = tenant_token.strip() if scheme.lower() == "bearer" else ""
    return jwt(service.authenticate(asked, body, signature, bearer))


def read_signed(request: Request) -> tuple[shapes.AuthRequest, str]:
    """A device's request for a token and its signature, whether the device or a user sends it.

    Raises:
        BadRequest: the body is not a valid request.
    """
    body = content.decode(request.raw, shapes.AuthRequest, prefix="failed to decode auth request: ")
    return body, request.headers.get("x-men-signature", "")
