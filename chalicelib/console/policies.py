"""Security headers of the console's answers: which scripts run, what they may call, who may frame the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chalicelib.aws import links, push

if TYPE_CHECKING:
    from chalicelib.http.request import Request

_SOURCE: Final = re.compile(
    r"(?:https?|wss?)://(?:(?:\*\.)?[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]*)?"
)
"""Characters that may be put into a policy. Others could end it and begin another."""
_ALWAYS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def headers(request: Request) -> dict[str, str | list[str]]:
    """The headers of the console's answers, for a page that was loaded through the gateway of this request."""
    return {**_ALWAYS, "Content-Security-Policy": _content_security(request)}


def _content_security(request: Request) -> str:
    """The content security policy: own files only, nothing inline, and no HTML from text (Trusted Types).

    https://www.w3.org/TR/CSP3/ and https://www.w3.org/TR/trusted-types/
    """
    called = " ".join(["'self'", *_called(request)])
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            f"connect-src {called}",
            "manifest-src 'self'",
            "worker-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _called(request: Request) -> list[str]:
    """What the page calls besides its own host: websockets, and the bucket (at a shared host only this bucket)."""
    sockets = urlsplit(push.public_url(request.server, edge=request.is_through_edge))
    found = [f"{sockets.scheme}://{sockets.netloc}"]
    if links.origin() != request.server:
        found.append(links.place())
    return [each for each in found if _SOURCE.fullmatch(each)]
