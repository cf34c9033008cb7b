"""Tickets: what a browser opens a websocket with, where its cookie does not go.

On AWS the WebSocket API is another host than the page's. A ticket names one session of a user, one tenant and one
device, and is good for a minute, for a handshake and nothing else. Whoever finds one in a log comes too late.
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
"""The claim that makes a ticket of a token: the device. A ticket has none of the claims that other calls ask for."""


def ticket(tenant: TenantId, user: Caller, device_id: str, server: str, *, edge: bool) -> shapes.Ticket:
    """A ticket to a connected device, with the URL that it opens.

    ``server``: ``https://host``, as it was called; ``edge``: whether that was through an edge.

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
    """What a ticket says, as claims of the token of the session that it was given to.

    Raises:
        Unauthorized: it is none, has expired, or is for another device.
    """
    claims = tokens.verify(given)
    if not device_id or claims.get(_DEVICE) != device_id:
        raise Unauthorized("the ticket is not for this device")
    return claims | {"mender.user": True}
