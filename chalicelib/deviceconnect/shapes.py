"""What travels over REST of remote access."""

from __future__ import annotations

from typing import Final

import msgspec

NO_HANDSHAKE: Final = "websocket: the client is not using the websocket protocol: 'upgrade' token not found"
"""The refusal of who asks for a websocket without one."""


class Device(msgspec.Struct):
    """A device's connection: ``status`` is connected, disconnected, or unknown until it was ever there."""

    device_id: str
    status: str
    created_ts: str
    updated_ts: str


class Recording(msgspec.Struct):
    """Where a session's recording is to be had, until when."""

    uri: str
    expire: str
