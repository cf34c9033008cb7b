"""Websockets of devices and users, opened and closed (``docs/behaviour.md#websockets``).

A device's newest websocket replaces older ones. A user's websocket is one session with one device.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock, limits
from chalicelib.aws import push
from chalicelib.deviceconnect import shapes, tables
from chalicelib.deviceconnect.rules.envelope import Message, Proto, ShellStatus, pack
from chalicelib.deviceconnect.service import admitting, recordings, sending, watching
from chalicelib.errors import NotFound
from chalicelib.fleet import switches
from chalicelib.fleet.switches import Switch
from chalicelib.storage import due
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deviceconnect.tables import ConnectionItem, StateItem

_GRACE = timedelta(seconds=30)
"""How long a session waits for its device to return, because clients reconnect with every new token."""
CONFLICT = 409
"""The HTTP status of a file transfer that ends this way."""
_DUE = 200
"""Devices that one run of the schedule handles."""


class Caller(msgspec.Struct, frozen=True):
    """A user who opens a session: their own tenant ``home``, and their token."""

    id: str
    email: str
    home: TenantId
    token: str


@retried
def connect_device(tenant: TenantId, device_id: str, connection: str, endpoint: str) -> None:
    """A device has opened a websocket. An older one of the same device is closed.

    Raises:
        SwitchedOff: an admin has switched remote access off.
        Unavailable: the device connected too often at the same time.
    """
    switches.require(Switch.REMOTE_ACCESS)
    before = tables.find_state(tenant, device_id)
    item = tables.connection_ref(connection)
    item.device, item.endpoint = device_id, endpoint
    tx = Transaction()
    tables.put_connected(tx, tenant, item, before, clock.now())
    tx.commit()
    sending.forget_device(tenant, device_id)
    place = before.place if before is not None else None
    if place is not None and place[1] != connection:
        push.close(*place)


def connect_user(  # a session needs an accepted device
    tenant: TenantId, user: Caller, device_id: str, connection: str, endpoint: str, *, outlives: bool = True
) -> str:
    """A user has opened a websocket to a device; returns the id of the session.

    ``outlives``: whether the session waits for a device that disconnects. A terminal does, because clients reconnect
    with every new token; a file transfer does not, because the device starts over.

    Raises:
        NotFound: the device is not connected or does not exist.
    """
    now = clock.now()
    place = place_of(tenant, device_id, now)
    item = tables.connection_ref(connection)
    item.device, item.endpoint, item.session = device_id, endpoint, str(uuid.uuid4())
    item.user, item.email, item.peer = user.id, user.email, place[1]
    item.home, item.token = user.home, user.token
    tx = Transaction()
    tables.put_session(tx, tenant, item, now, outlives=outlives)
    tx.commit()
    return str(item.session)


def place_of(tenant: TenantId, device_id: str, now: datetime) -> tuple[str, str]:
    """Where an accepted device is connected: the API, as ``<api id>/<stage>``, and the connection's id.

    Raises:
        NotFound: the device is not connected, or there is none.
    """
    state = _connected(tables.find_state(tenant, device_id), now)
    if state is None or state.place is None or not admitting.is_welcome(tenant, device_id):
        raise NotFound("failed to connect to device: device disconnected")
    return state.place


def _connected(state: StateItem | None, now: datetime) -> StateItem | None:
    """The state, if the device is connected. It counts as connected for the longest life of a websocket at most."""
    if state is None or state.place is None:
        return None
    return state if now - state.updated < timedelta(seconds=limits.CONNECT_LIFE + limits.CONNECT_IDLE) else None


def device(tenant: TenantId, device_id: str) -> shapes.Device:
    """A device's connection in the wire format.

    Raises:
        NotFound: there is no such device.
    """
    # Imported here: devices and their messages do not need it.
    from chalicelib.inventory import service as inventory

    now = clock.now()
    state = tables.find_state(tenant, device_id)
    try:
        created = inventory.get(tenant, device_id).created
    except NotFound:
        raise NotFound("device not found") from None
    if state is None:
        since = clock.rfc3339(created)
        return shapes.Device(device_id, "unknown", since, since)
    status = "disconnected" if _connected(state, now) is None else "connected"
    return shapes.Device(device_id, status, clock.rfc3339(state.created), clock.rfc3339(state.updated))


def disconnected(connection: str) -> None:
    """A websocket has closed. This may be reported twice, late, or never."""
    item = sending.connection(connection)
    if item is None:
        return
    tenant = TenantId(item.tenant)
    if item.is_users:
        _user_left(tenant, item)
    else:
        _device_left(tenant, item)
    item.delete()


def _device_left(tenant: TenantId, item: ConnectionItem) -> None:
    sending.forget_device(tenant, item.device)
    now = clock.now()
    running = tables.running_sessions(tenant, item.device)
    for found in running:
        if found.peer == item.connection:
            end_for_user(tenant, found.session, "device disconnected", code=CONFLICT)
    sessions_end = now + _GRACE if running else None
    # A late report about an old websocket must not affect the new one.
    tables.note_disconnected(tenant, item.device, item.connection, now, sessions_end=sessions_end)


def tick(now: datetime) -> None:
    """End the sessions with devices that have not returned in time. Clients reconnect with each new token."""
    due.work_off(tables.due_states(now, limit=_DUE), _end_sessions)


def _end_sessions(state: StateItem) -> None:
    tenant, device_id = state.owner
    if state.place is None:
        for found in tables.running_sessions(tenant, device_id):
            end_for_user(tenant, found.session, "device disconnected")
    tables.settle(state)


def _user_left(tenant: TenantId, item: ConnectionItem) -> None:
    session_id = str(item.session)
    found = tables.find_session(tenant, session_id)
    sending.forget_session(tenant, session_id)
    if found is None or not tables.end_session(tenant, session_id, clock.now()):
        return
    watching.ended(tenant, found)
    if found.shell:
        status = {"status": int(ShellStatus.ERROR), "user_id": found.user}
        stop = Message(Proto.SHELL, "stop", session_id, status, b"user disconnected")
        sending.to_device(tenant, found.device, stop)
    recordings.store(tenant, session_id)


def end_for_user(tenant: TenantId, session_id: str, text: str, **about: int) -> None:
    """End a session from the server's side: the user gets the reason, with ``about``, and is disconnected."""
    found = tables.find_session(tenant, session_id)
    if found is None or not found.is_running:
        return
    error = Message(Proto.CONTROL, "error", session_id, body=pack({"err": text, "close": True, **about}))
    if sending.to_user(found, error):
        push.close(found.endpoint, found.connection)
    else:
        disconnected(found.connection)  # the user's leaving was not reported


def device_gone(tenant: TenantId, device_id: str) -> None:
    """End the websocket and the sessions of a decommissioned device."""
    for found in tables.running_sessions(tenant, device_id):
        end_for_user(tenant, found.session, "device decommissioned")
    state = tables.find_state(tenant, device_id)
    if state is None:
        return
    if state.place is not None:
        push.close(*state.place)
    sending.forget_device(tenant, device_id)
    state.delete()
