"""What browsers are told of the console's answers: which scripts run, whom they may call, who may show the page."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from chalicelib.aws import links, push

_ORIGIN: Final = re.compile(r"(?:https?|wss?)://(?:(?:\*\.)?[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""What may be put into a policy: anything else could end it and begin another."""
_ALWAYS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def headers(server: str) -> dict[str, str | list[str]]:
    """The headers of the console's answers, for a page that was loaded from ``server``, such as ``https://host``."""
    return {**_ALWAYS, "Content-Security-Policy": _content_security(server)}


def _content_security(server: str) -> str:
    """The page's policy: its own files only, nothing inline, and no HTML made of text (Trusted Types).

    https://www.w3.org/TR/CSP3/ and https://www.w3.org/TR/trusted-types/
    """
    called = " ".join(["'self'", *_called(server)])
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


def _called(server: str) -> list[str]:
    """The other origins that the page calls: websockets of this server, and the bucket."""
    found = [push.public_url(server), links.origin()]
    return [each for each in dict.fromkeys(map(_origin, found)) if _ORIGIN.fullmatch(each) and each != server]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
