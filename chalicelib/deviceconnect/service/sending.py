"""Messages to devices and users, and what is known of their connections: kept by warm processes.

Whose a connection is never changes, so a copy can't be wrong. A device's newest connection does change; a copy is
dropped when a message to it finds nobody, and at most a few seconds old.
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
    """What is there may be believed for a while; what is not there may come at any moment."""
    found = cache.get(key, read)
    if found is None:
        cache.forget(key)
    return found


def connection(connection_id: str) -> ConnectionItem | None:
    """Whose websocket it is."""
    return _there(_connections, connection_id, lambda: tables.find_connection(connection_id))


def admitted(connection_id: str, judge: Callable[[], bool]) -> bool:
    """Whether the user of a connection may go on, as far as was judged lately."""
    return _admitted.get(connection_id, judge)


def session(tenant: TenantId, session_id: str) -> SessionItem | None:
    """A session that runs."""

    def read() -> SessionItem | None:
        found = tables.find_session(tenant, session_id)
        return found if found is not None and found.is_running else None

    return _there(_sessions, (tenant, session_id), read)


def forget_session(tenant: TenantId, session_id: str) -> None:
    """Drop this process's copy of a session that has ended."""
    _sessions.forget((tenant, session_id))


def forget_device(tenant: TenantId, device_id: str) -> None:
    """Drop this process's copy of a device's state."""
    _states.forget((tenant, device_id))


def to_device(
    tenant: TenantId, device_id: str, message: Message, *, sender: ConnectionItem | None = None, number: int = 0
) -> bool:
    """Send a message to a device by its newest connection; False if it has none.

    ``sender``, a user's connection, and its ``number`` say in which order the device's end hands messages on (see
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
        # It has another one by now, or nobody told that this one ended.
        _states.forget((tenant, device_id))
    return False


def _source(sender: ConnectionItem, receiving: str) -> str:
    began_before = sender.peer != receiving
    return BEGAN_BEFORE * began_before + source_of(sender.connection)


def to_user(found: SessionItem, message: Message, *, source: str = "", number: int = 0) -> bool:
    """Send a message to the user of a session; False if the user has gone."""
    text = dialect.to_client(dialect.Frame(envelope.encode(message), number, source))
    return push.send(found.endpoint, found.connection, text)


def source_of(connection_id: str) -> str:
    """The short name of a connection in frames: it tells nothing, ids of connections are not for others."""
    return hashlib.sha256(connection_id.encode()).hexdigest()[:12]
