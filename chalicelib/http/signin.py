"""Requirements of routes on a user's token: that the user is present, not only a token.

Personal access tokens are stored in scripts and on build servers, and sessions may be left open. Neither must be enough
to get a password, a second factor, another token or an account.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest, Forbidden
from chalicelib.http import access, content

if TYPE_CHECKING:
    from chalicelib.http.request import UserRequest

PERSONAL: Final = "a personal access token can't do this; sign in and use the session's token"


class SignIn(StrEnum):
    """The requirements."""

    ANY = "any token"
    SESSION = "a session"
    """A session, not a personal access token."""
    RECENT = "a recent sign-in"
    """A session whose user signed in at most ``limits.RECENT_SIGN_IN`` seconds ago; or any session, with the password
    or a code in the request."""
    FACTOR = "a recent sign-in by the second factor"
    """The same, but for users with a second factor a sign-in by password alone is not enough."""


class _Shown(msgspec.Struct):
    current_password: str = ""
    token2fa: str = ""


def require(wanted: SignIn, request: UserRequest) -> None:
    """Check the token of a request.

    Raises:
        Forbidden: it is a personal access token, or an old session without password and code in the request.
        TooManyRequests: there were too many failed attempts.
        Unprocessable: the password or the code is wrong.
    """
    if wanted is SignIn.ANY:
        return
    if request.identity.is_personal:
        raise Forbidden(PERSONAL)
    if wanted is SignIn.SESSION:
        return
    who = request.identity
    if not who.is_recent or (wanted is SignIn.FACTOR and not who.used_factor):
        require_shown(request)


def require_shown(request: UserRequest) -> None:
    """Require the password or a code in the request's JSON body, however recent the sign-in.

    Raises:
        Forbidden: neither is given.
        TooManyRequests: there were too many failed attempts.
        Unprocessable: the password or the code is wrong.
    """
    if request.has_shown:
        return
    shown, who = _shown(request.raw), request.identity
    access.current().prove(
        who.home,
        who.subject,
        who.token_id,
        password=shown.current_password,
        code=shown.token2fa,
        recent=who.is_recent,
    )
    request.has_shown = True


def _shown(raw: bytes) -> _Shown:
    if raw and len(raw) <= limits.BODY:
        try:
            return content.decode(raw, _Shown)
        except BadRequest:
            pass  # The route itself reports what is wrong with the body, once the caller is known.
    return _Shown()
