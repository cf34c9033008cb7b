"""Browser sessions: the token is in a cookie that no script can read (ADR 11).

A page asks for one with the header ``X-Session: cookie``. A page of another site cannot set it: the browser would first
ask this server, which does not allow such calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.http.request import Request

SESSION: Final = "__Host-JWT"
"""The cookie's name if the server has TLS. Browsers accept a cookie with this prefix from this host only, and only over
TLS, so no other host of the domain can set it (RFC 6265bis, 4.1.3.2)."""
MENDER: Final = "JWT"
"""The cookie of Mender's UI, which sets it by a script. It is also ours if the server has no TLS, as in tests."""
FOR_EVER: Final = 34_560_000
"""Seconds: browsers keep a cookie for at most 400 days."""


def parse(header: str) -> dict[str, str]:
    """The cookies of a request by name; the last one of several with the same name. Malformed ones are left out."""
    pairs = (pair.partition("=") for pair in header.split(";"))
    return {name.strip(): value.strip().strip('"') for name, equals, value in pairs if equals}


def token(headers: Mapping[str, str]) -> str:
    """The token in a request's cookies; empty if there is none. The server's own cookie takes precedence."""
    found = parse(headers.get("cookie", ""))
    return found.get(SESSION) or found.get(MENDER) or ""


def is_session(request: Request) -> bool:
    """Whether the request is from a session whose token is in the server's own cookie."""
    if "authorization" in request.headers:
        return False
    return bool(parse(request.headers.get("cookie", "")).get(_name()))


def is_wanted(request: Request) -> bool:
    """Whether a client that signs in asks for such a session, or already has one."""
    return request.headers.get("x-session", "").strip().lower() == "cookie" or is_session(request)


def begin(token: str, *, life: int | None = None) -> str:
    """The ``Set-Cookie`` that begins a session. ``life``: seconds; None: until the browser is closed."""
    kept = "" if life is None else f"; Max-Age={life}"
    return f"{_name()}={token}; Path=/; HttpOnly; SameSite=Strict{secure()}{kept}"


def end() -> str:
    """The ``Set-Cookie`` that ends a session."""
    return begin("", life=0)


def secure() -> str:
    """The attribute ``Secure``, if the server has TLS."""
    return "" if _is_plain() else "; Secure"


def _name() -> str:
    return MENDER if _is_plain() else SESSION


def _is_plain() -> bool:
    return settings.current().public_url.startswith("http://")
