"""Remote access for other features: everything that they may import."""

from chalicelib.deviceconnect.service.admitting import require_reach
from chalicelib.deviceconnect.service.commands import check_update, send_inventory
from chalicelib.deviceconnect.service.connections import (
    Caller,
    connect_device,
    connect_user,
    device,
    device_gone,
    disconnected,
    tick,
)
from chalicelib.deviceconnect.service.recordings import recording
from chalicelib.deviceconnect.service.routing import received
from chalicelib.deviceconnect.service.tickets import claims_of, ticket

__all__ = [
    "Caller",
    "check_update",
    "claims_of",
    "connect_device",
    "connect_user",
    "device",
    "device_gone",
    "disconnected",
    "received",
    "recording",
    "require_reach",
    "send_inventory",
    "tick",
    "ticket",
]
