"""Sends messages to devices and users, and caches their connections.

The owner of a connection never changes, so a cached copy is never wrong. A device's newest connection does change: its
copy is dropped when a message finds nobody, and is at most a few seconds old.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeVar

from chalicelib.aws import push
from chalicelib.cache import Cache
from chalicelib.deviceconnect import tables
from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.dialect import BEGAN_BEFORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.deviceconnect.rules.envelope import Message
    from chalicelib.deviceconnect.tables import ConnectionItem, SessionItem, StateItem
    from chalicelib.storage.keys import TenantId

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_connections: Cache[str, ConnectionItem | None] = Cache()
_states: Cache[tuple[TenantId, str], StateItem | None] = Cache()
_sessions: Cache[tuple[TenantId, str], SessionItem | None] = Cache()
_admitted: Cache[str, bool] = Cache()


def _there(cache: Cache[K, V | None], key: K, read: Callable[[], V | None]) -> V | None:
    """Cache only values that exist, because missing ones may appear at any moment."""
    found = cache.get(key, read)
    if found is None:
        cache.forget(key)
    return found


def connection(connection_id: str) -> ConnectionItem | None:
    """The owner of a websocket."""
    return _there(_connections, connection_id, lambda: tables.find_connection(connection_id))


def admitted(connection_id: str, judge: Callable[[], bool]) -> bool:
    """Whether the user of a connection may continue, by a recent check."""
    return _admitted.get(connection_id, judge)


def session(tenant: TenantId, session_id: str) -> SessionItem | None:
    """A running session."""

    def read() -> SessionItem | None:
        found = tables.find_session(tenant, session_id)
        return found if found is not None and found.is_running else None

    return _there(_sessions, (tenant, session_id), read)


def forget_session(tenant: TenantId, session_id: str) -> None:
    """Drop the cached copy of a session that has ended."""
    _sessions.forget((tenant, session_id))


def forget_device(tenant: TenantId, device_id: str) -> None:
    """Drop the cached copy of a device's state."""
    _states.forget((tenant, device_id))


def to_device(
    tenant: TenantId, device_id: str, message: Message, *, sender: ConnectionItem | None = None, number: int = 0
) -> bool:
    """Send a message to a device through its newest connection; False if it has none.

    ``sender``, a user's connection, and its ``number`` give the order in which the device's end forwards messages (see
    ``rules.dialect``).
    """
    data = envelope.encode(message)
    for _ in range(2):
        state = _there(_states, (tenant, device_id), lambda: tables.find_state(tenant, device_id))
        place = state.place if state is not None else None
        if place is not None:
            source = _source(sender, place[1]) if sender is not None else ""
            if push.send(*place, dialect.to_client(dialect.Frame(data, number, source))):
                return True
        # The device has a new connection by now, or the end of this one was not reported.
        _states.forget((tenant, device_id))
    return False


def _source(sender: ConnectionItem, receiving: str) -> str:
    began_before = sender.peer != receiving
    return BEGAN_BEFORE * began_before + source_of(sender.connection)


def to_user(found: SessionItem, message: Message, *, source: str = "", number: int = 0) -> bool:
    """Send a message to the user of a session; False if the user has disconnected."""
    text = dialect.to_client(dialect.Frame(envelope.encode(message), number, source))
    return push.send(found.endpoint, found.connection, text)


def source_of(connection_id: str) -> str:
    """The short name of a connection in frames. It reveals nothing, because ids of connections are secret."""
    return hashlib.sha256(connection_id.encode()).hexdigest()[:12]
