"""The wire format of remote access over REST."""

from __future__ import annotations

from typing import Final

import msgspec

NO_HANDSHAKE: Final = "websocket: the client is not using the websocket protocol: 'upgrade' token not found"
"""The error for a websocket path without a websocket."""


TEXT_DIALECT: Final = "base64.protomsg"
"""The websocket subprotocol of the text dialect (docs/remote-access.md)."""


class Ticket(msgspec.Struct):
    """The URL that a browser opens within ``expires_in`` seconds, optionally with the subprotocol."""

    url: str
    subprotocol: str
    expires_in: int


class Device(msgspec.Struct):
    """A device's connection. ``status``: ``connected``, ``disconnected``, or ``unknown`` before its first one."""

    device_id: str
    status: str
    created_ts: str
    updated_ts: str


class Recording(msgspec.Struct):
    """A link to a session's recording, and its expiry."""

    uri: str
    expire: str
