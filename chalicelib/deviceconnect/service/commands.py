"""Commands for the Mender client on a device (protocol 4)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from chalicelib import actor
from chalicelib.deviceconnect.rules.envelope import Message, Proto
from chalicelib.deviceconnect.service import sending
from chalicelib.errors import NotFound
from chalicelib.fleet import switches
from chalicelib.fleet.switches import Switch

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def check_update(tenant: TenantId, device_id: str) -> None:
    """Make a device poll for an update now.

    Raises:
        NotFound: it is not connected or does not exist.
        SwitchedOff: an admin has switched remote access off.
    """
    _send(tenant, device_id, "check-update")


def send_inventory(tenant: TenantId, device_id: str) -> None:
    """Make a device report its inventory now.

    Raises:
        NotFound: it is not connected or does not exist.
        SwitchedOff: an admin has switched remote access off.
    """
    _send(tenant, device_id, "send-inventory")


def _send(tenant: TenantId, device_id: str, typ: str) -> None:
    switches.require(Switch.REMOTE_ACCESS)
    who = {"user_id": actor.current().id}
    if not sending.to_device(tenant, device_id, Message(Proto.MENDER_CLIENT, typ, str(uuid.uuid4()), who)):
        raise NotFound("device not connected")
