"""Configuration deployments: how lists show them, their signed links, and their artifacts.

Sources: ``docs/behaviour.md#configuration-deployments`` and ``docs/behaviour.md#configuration-links``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import msgspec

from chalicelib import times
from chalicelib.errors import BadRequest, Forbidden

if TYPE_CHECKING:
    from datetime import datetime

TYPE = "mender-configure"
"""The update module that installs a configuration."""

EXPIRE, SIGNATURE, TENANT = "x-men-expire", "x-men-signature", "tenant_id"
"""Parameters of a link."""

_PATH = "/api/devices/v1/deployments/download/configuration"
_SHOWN = 3


def artifact_name(deployment: str) -> str:
    """The name of the deployment and of its artifact."""
    return f"configuration-{deployment}"


def hinted(configuration: Mapping[str, str]) -> str:
    """A configuration as deployments show it: base64, with the first characters of values only, which may be secret."""
    hints = {key: f"{value[:_SHOWN]}...<omitted>" for key, value in configuration.items()}
    return base64.b64encode(msgspec.json.encode(hints)).decode()


class LinkParameters(msgspec.Struct, frozen=True):
    """The query of a link as received; empty where a parameter is missing."""

    expire: str
    signature: str
    tenant: str


def link(secret: bytes, deployment: str, device_type: str, device_id: str, *, expire: str, tenant: str) -> str:
    """The path and query of the link with which a device fetches the artifact until ``expire`` (RFC 3339)."""
    path = _path(deployment, device_type, device_id)
    query = {EXPIRE: expire, SIGNATURE: _signature(secret, path, expire, tenant)} | ({TENANT: tenant} if tenant else {})
    return f"{path}?{urlencode(query)}"


def verify(
    secret: bytes, deployment: str, device_type: str, device_id: str, *, given: LinkParameters, now: datetime
) -> None:
    """Check a link.

    Raises:
        BadRequest: a parameter is missing, or the time is not valid.
        Forbidden: the link has expired, or its signature is wrong.
    """
    for name, value in ((EXPIRE, given.expire), (SIGNATURE, given.signature)):
        if not value:
            raise BadRequest(f"missing required query parameter: {name}")
    try:
        expire = times.read(given.expire)
    except ValueError:
        raise BadRequest(f"invalid {EXPIRE}: not a time") from None
    if now > expire:
        raise Forbidden("URL expired")
    wanted = _signature(secret, _path(deployment, device_type, device_id), given.expire, given.tenant)
    if not hmac.compare_digest(wanted.encode(), given.signature.encode()):
        raise Forbidden("signature invalid")


def _path(deployment: str, device_type: str, device_id: str) -> str:
    return "/".join((_PATH, *(quote(part, safe="") for part in (deployment, _as_segment(device_type), device_id))))


_ESCAPE = "%"


def _as_segment(text: str) -> str:
    """A text as a segment of a path. Clients and gateways would resolve ``.`` and ``..``, in any encoding."""
    return _ESCAPE + text if text in {".", ".."} or text.startswith(_ESCAPE) else text


def of_segment(segment: str) -> str:
    """Reverses :func:`_as_segment`."""
    return segment.removeprefix(_ESCAPE)


def _signature(secret: bytes, path: str, expire: str, tenant: str) -> str:
    text = f"GET\n{path}\n{EXPIRE}={expire}\n{TENANT}={tenant}\n"
    return base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).rstrip(b"=").decode()
