"""Checks who may have a session with a device, at its beginning and while it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from chalicelib.deviceconnect.service import sending
from chalicelib.errors import Forbidden, SwitchedOff, Unauthorized
from chalicelib.features import Feature
from chalicelib.fleet import control, heads, switches
from chalicelib.fleet.switches import Switch
from chalicelib.rights import Permission, Rights, groups_of
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from chalicelib.deviceconnect.tables import ConnectionItem, SessionItem

_ROUTE = "/api/management/v1/deviceconnect/devices/{}/connect"
"""The route that clients call, because grants may be by path."""


def require_reach(tenant: TenantId, rights: Rights, device_id: str) -> None:
    """Check that a user with these rights may reach a device, as ``@user_route`` does for the session's route.

    Raises:
        Forbidden: the rights, or the tenant's plan and add-ons, do not include it.
        SwitchedOff: an admin has switched remote access off.
    """
    scopes = rights.scopes(Permission.DEVICES_CONNECT, ("GET", _ROUTE.format(quote(device_id, safe=""))))
    if not scopes:
        raise Forbidden
    switches.require(Switch.REMOTE_ACCESS)
    control.require(tenant, Feature.TERMINAL)
    if not heads.is_within(tenant, device_id, groups_of(scopes)):
        raise Forbidden


def is_welcome(tenant: TenantId, device_id: str) -> bool:
    """Whether a device is accepted. Its websocket may be older than its rejection."""
    head = heads.find(tenant, device_id)
    return head is not None and head.is_accepted


def may_go_on(item: ConnectionItem) -> bool:
    """Whether the user of a connection may stay in its session.

    A terminal lasts for hours. It is ended at the next message, once a warm process checks again
    (``settings.control_cache``), if the token was revoked, the user was deleted or has other roles, or the device was
    rejected or moved to another group.
    """
    return sending.admitted(item.connection, lambda: _judged(item))


def user_may_go_on(found: SessionItem) -> bool:
    """The same for the user of a session to which a device sends."""
    item = sending.connection(found.connection)
    return item is None or may_go_on(item)  # a user who has left is noticed when the message is posted


def _judged(item: ConnectionItem) -> bool:
    # Imported here: most messages of devices do not need it.
    from chalicelib.useradm import service as useradm

    tenant = TenantId(item.tenant)
    if not is_welcome(tenant, item.device):
        return False
    token = getattr(item, "token", None)
    if token is None:
        return True  # it began before tokens were stored
    home = TenantId(item.home)
    if home != tenant and not control.get(home).active:
        return False
    try:
        session = useradm.require_session(home, str(item.user), token, tenant)
        require_reach(tenant, session.rights, item.device)
    except (Forbidden, SwitchedOff, Unauthorized):
        return False
    return True
