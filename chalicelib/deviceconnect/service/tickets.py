"""Tickets, with which browsers open websockets at hosts that do not get their cookie.

On AWS the WebSocket API has another host than the page. A ticket names one session of a user, one tenant and one
device. It is valid for a minute and for a handshake only, so one that is found in a log later is useless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from chalicelib import clock, limits, tokens
from chalicelib.aws import push
from chalicelib.deviceconnect import shapes
from chalicelib.deviceconnect.service.connections import place_of
from chalicelib.errors import Unauthorized

if TYPE_CHECKING:
    from typing import Any

    from chalicelib.deviceconnect.service.connections import Caller
    from chalicelib.storage.keys import TenantId

_DEVICE = "lamplighter.ticket"
"""The claim that marks a token as a ticket: the device. Tickets lack the claims that other calls require."""


def ticket(tenant: TenantId, user: Caller, device_id: str, server: str, *, edge: bool) -> shapes.Ticket:
    """A ticket for a connected device, with the URL to open.

    ``server``: ``https://host`` as the caller addressed it; ``edge``: whether the call came through the edge.

    Raises:
        NotFound: the device is not connected, or there is none.
    """
    now = clock.now()
    api, _ = place_of(tenant, device_id, now)
    issued = int(now.timestamp())
    claims = {
        "jti": user.token,
        "sub": user.id,
        "iss": "lamplighter.deviceconnect",
        "iat": issued,
        "exp": issued + limits.TICKET_LIFE,
        "mender.tenant": tenant,
        "lamplighter.home": user.home,
        _DEVICE: device_id,
    }
    query = urlencode({"device_id": device_id, "ticket": tokens.issue(claims)})
    url = f"{push.public_url(server, api, edge=edge)}?{query}"
    return shapes.Ticket(url=url, subprotocol=shapes.TEXT_DIALECT, expires_in=limits.TICKET_LIFE)


def claims_of(given: str, device_id: str) -> dict[str, Any]:
    """The claims of a ticket, in the form of the claims of its session's token.

    Raises:
        Unauthorized: it is not a ticket, has expired, or is for another device.
    """
    claims = tokens.verify(given)
    if not device_id or claims.get(_DEVICE) != device_id:
        raise Unauthorized("the ticket is not for this device")
    return claims | {"mender.user": True}
