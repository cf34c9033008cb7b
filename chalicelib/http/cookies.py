"""Sessions of browsers whose page never sees their token: it is in a cookie that no script can read (ADR 11).

A page asks for one with the header ``X-Session: cookie``, which a page of another site can't set: a browser would ask
this server first, and the server allows no such calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.http.request import Request

SESSION: Final = "__Host-JWT"
"""Where the server has TLS. A browser takes a cookie of such a name from this very host only, and only by TLS: no
other host below the same domain can plant one. https://www.rfc-editor.org/rfc/rfc6265bis section 4.1.3.2"""
MENDER: Final = "JWT"
"""Of Mender's UI, which sets it by a script. Also ours where the server has no TLS, as in tests."""
FOR_EVER: Final = 34_560_000
"""Seconds: the 400 days that browsers keep a cookie at most."""


def parse(header: str) -> dict[str, str]:
    """The cookies that a browser sends, by name; of several with one name the last. What is no pair is left out."""
    pairs = (pair.partition("=") for pair in header.split(";"))
    return {name.strip(): value.strip().strip('"') for name, equals, value in pairs if equals}


def token(headers: Mapping[str, str]) -> str:
    """The token that a browser sends; empty if there is none. One of the server's own cookie goes first."""
    found = parse(headers.get("cookie", ""))
    return found.get(SESSION) or found.get(MENDER) or ""


def is_session(request: Request) -> bool:
    """Whether a call is of a session whose page does not see its token."""
    if "authorization" in request.headers:
        return False
    return bool(parse(request.headers.get("cookie", "")).get(_name()))


def is_wanted(request: Request) -> bool:
    """Whether whoever signs in wants such a session, or has one already."""
    return request.headers.get("x-session", "").strip().lower() == "cookie" or is_session(request)


def begin(token: str, *, life: int | None = None) -> str:
    """A ``Set-Cookie`` that begins a session. ``life``: seconds; None: until the browser is closed."""
    kept = "" if life is None else f"; Max-Age={life}"
    return f"{_name()}={token}; Path=/; HttpOnly; SameSite=Strict{secure()}{kept}"


def end() -> str:
    """A ``Set-Cookie`` that ends one."""
    return begin("", life=0)


def secure() -> str:
    """The attribute of cookies that may only go by TLS, where the server has it."""
    return "" if _is_plain() else "; Secure"


def _name() -> str:
    return MENDER if _is_plain() else SESSION


def _is_plain() -> bool:
    return settings.current().public_url.startswith("http://")
