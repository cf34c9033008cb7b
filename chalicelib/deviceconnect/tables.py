"""The table ``deviceconnect``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``C#<connection>`` | ``CONNECTION`` | the owner of a websocket; looked up before the tenant is known, so the key has
none |
| ``T#t#D#<device>`` | ``STATE`` | the newest connection of a device |
| ``T#t#S#<session>`` | ``SESSION`` | a session; kept after its end as long as its recording |
| ``T#t#S#<session>`` | ``PART#<time>#<number>`` | a part of its recording, until the session ends |

Index ``device``: ``T#t#D#<device>``, the sessions of a device that are running, and ``T#t#ENDED``, all others.
Index ``due`` (``storage.due``): devices that disconnected during a session.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib import limits
from chalicelib.deviceconnect.rules.recording import Part
from chalicelib.storage import due, erasing, keys
from chalicelib.storage.base import IntegerAttribute, Item, TableName, TimeAttribute
from chalicelib.storage.due import DueIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pynamodb.expressions.update import Action

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction


class DeviceIndex(GlobalSecondaryIndex[Any]):
    """Running sessions of a device, ended ones of a tenant."""

    class Meta:
        """The index."""

        index_name = "device"
        projection = AllProjection()

    device_pk = UnicodeAttribute(hash_key=True)
    device_sk = UnicodeAttribute(range_key=True)


class ConnectItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("deviceconnect")

    expires_at = TTLAttribute(null=True)


class ConnectionItem(ConnectItem):
    """A websocket of a device, or with ``session`` of a user."""

    tenant = UnicodeAttribute()
    device = UnicodeAttribute()
    user = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    """The user's address for the audit log."""
    home = UnicodeAttribute(null=True)
    """The user's own tenant."""
    token = UnicodeAttribute(null=True)
    """Id of the user's token."""
    session = UnicodeAttribute(null=True)
    peer = UnicodeAttribute(null=True)
    """For users: the device's connection at the beginning of the session."""
    endpoint = UnicodeAttribute()
    """The endpoint for messages to it."""

    @property
    def connection(self) -> str:
        """The connection's id."""
        return keys.last_part(self.pk)

    @property
    def is_users(self) -> bool:
        """Whether it is a user's; otherwise a device's."""
        return getattr(self, "session", None) is not None


class StateItem(ConnectItem):
    """The newest connection of a device, even if it has closed."""

    due = DueIndex()
    """When its sessions end, if the device does not return."""

    due_pk = UnicodeAttribute(null=True)
    due_sk = UnicodeAttribute(null=True)
    created = TimeAttribute()
    updated = TimeAttribute()
    connection = UnicodeAttribute(null=True)
    """Absent: disconnected."""
    endpoint = UnicodeAttribute(null=True)

    @property
    def owner(self) -> tuple[TenantId, str]:
        """The tenant and the device of the state."""
        return keys.tenant_of(self.pk), keys.last_part(self.pk)

    @property
    def place(self) -> tuple[str, str] | None:
        """Endpoint and id of the connection; None if there is none."""
        connection = getattr(self, "connection", None)
        return (self.endpoint, connection) if connection is not None else None


class SessionItem(ConnectItem):
    """A session of a user with a device."""

    by_device = DeviceIndex()

    device = UnicodeAttribute()
    user = UnicodeAttribute()
    email = UnicodeAttribute()
    connection = UnicodeAttribute()
    """The user's connection."""
    peer = UnicodeAttribute(null=True)
    """The device's connection, if the session ends with it."""
    endpoint = UnicodeAttribute()
    started = TimeAttribute()
    ended = TimeAttribute(null=True)
    shell = BooleanAttribute(default=False)
    """Whether a terminal is open."""
    recorded = IntegerAttribute(default=0)
    """Recorded bytes of output."""
    stored = BooleanAttribute(default=False)
    """Whether the recording is in the bucket."""
    device_pk = UnicodeAttribute(null=True)
    device_sk = UnicodeAttribute(null=True)

    @property
    def session(self) -> str:
        """The session's id."""
        return keys.last_part(self.pk)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return getattr(self, "ended", None) is None


class PartItem(ConnectItem):
    """A part of a recording."""

    output = BinaryAttribute(legacy_encoding=False, null=True)
    width = IntegerAttribute(default=0)
    height = IntegerAttribute(default=0)


def connection_ref(connection: str) -> ConnectionItem:
    """A connection to address writes with."""
    return ConnectionItem(keys.shared("C", connection), "CONNECTION")


def state_ref(tenant: TenantId, device_id: str) -> StateItem:
    """A device's state to address writes with."""
    return StateItem(keys.partition(tenant, "D", device_id), "STATE")


def session_ref(tenant: TenantId, session: str) -> SessionItem:
    """A session to address writes with."""
    return SessionItem(keys.partition(tenant, "S", session), "SESSION")


def find_connection(connection: str) -> ConnectionItem | None:
    """The owner of a websocket."""
    return connection_ref(connection).fetch()


def find_state(tenant: TenantId, device_id: str) -> StateItem | None:
    """A device's connection (strongly consistent)."""
    return state_ref(tenant, device_id).fetch()


def find_session(tenant: TenantId, session: str) -> SessionItem | None:
    """A session (strongly consistent)."""
    return session_ref(tenant, session).fetch()


def put_connected(
    tx: Transaction, tenant: TenantId, item: ConnectionItem, before: StateItem | None, now: datetime
) -> None:
    """Add a device's new websocket to its transaction; fails with label ``state`` if another came first."""
    item.tenant, item.expires_at = tenant, now + timedelta(seconds=2 * limits.CONNECT_LIFE)
    tx.put(item, label="connection")
    known = before.place if before is not None else None
    unchanged = StateItem.connection.does_not_exist() if known is None else StateItem.connection == known[1]
    actions = [
        StateItem.connection.set(item.connection),
        StateItem.endpoint.set(item.endpoint),
        StateItem.updated.set(now),
        StateItem.created.set(StateItem.created | now),
        *due.never(),
    ]
    tx.update(state_ref(tenant, item.device), actions, unchanged, label="state")


def note_disconnected(
    tenant: TenantId, device_id: str, connection: str, now: datetime, *, sessions_end: datetime | None
) -> bool:
    """Mark a device as disconnected, if ``connection`` is still its newest; returns whether it was.

    ``sessions_end``: when its sessions end if it has not returned; None: it has none.
    """
    actions: list[Action] = [StateItem.connection.remove(), StateItem.endpoint.remove(), StateItem.updated.set(now)]
    if sessions_end is not None:
        actions += due.at(device_id, sessions_end)
    return state_ref(tenant, device_id).update_if(actions, StateItem.connection == connection)


def due_states(now: datetime, *, limit: int) -> list[StateItem]:
    """Devices whose sessions are to end (strongly consistent)."""
    return list(StateItem.batch_get(due.found(StateItem.due, now, limit=limit), consistent_read=True))


def settle(state: StateItem) -> None:
    """Record that the sessions of a disconnected device have ended, unless it returned and left again meanwhile."""
    state.update_if(due.never(), StateItem.due_sk == state.due_sk)


def put_session(tx: Transaction, tenant: TenantId, item: ConnectionItem, now: datetime, *, outlives: bool) -> None:
    """Add a user's websocket and its session to their transaction.

    ``outlives``: whether the session continues when the device returns with another connection.
    """
    item.tenant, item.expires_at = tenant, now + timedelta(seconds=2 * limits.CONNECT_LIFE)
    tx.put(item, label="connection")
    session = session_ref(tenant, item.session)
    session.device, session.user, session.email, session.started = item.device, item.user, item.email, now
    session.connection, session.endpoint = item.connection, item.endpoint
    session.peer = None if outlives else item.peer
    session.device_pk, session.device_sk = keys.partition(tenant, "D", item.device), item.session
    session.expires_at = now + timedelta(seconds=limits.RECORDING_LIFE)
    tx.put(session, label="session")


def set_shell(tx: Transaction, tenant: TenantId, session: str, *, is_open: bool) -> None:
    """Record that a terminal was opened or closed; fails with label ``shell`` if that was known."""
    known = SessionItem.shell == is_open
    tx.update(
        session_ref(tenant, session),
        [SessionItem.shell.set(is_open)],
        SessionItem.pk.exists() & SessionItem.ended.does_not_exist() & ~known,
        label="shell",
    )


def end_session(tenant: TenantId, session: str, now: datetime) -> bool:
    """End a session; False if it had ended already."""
    actions: list[Action] = [SessionItem.ended.set(now), SessionItem.device_pk.set(_ended(tenant))]
    running = SessionItem.pk.exists() & SessionItem.ended.does_not_exist()
    return session_ref(tenant, session).update_if(actions, running)


def _ended(tenant: TenantId) -> str:
    return keys.partition(tenant, "ENDED")


def set_stored(tenant: TenantId, session: str) -> None:
    """Record that the recording is in the bucket."""
    session_ref(tenant, session).update([SessionItem.stored.set(True)], SessionItem.pk.exists())


def running_sessions(tenant: TenantId, device_id: str) -> list[SessionItem]:
    """The sessions with a device that have not ended."""
    return list(SessionItem.by_device.query(keys.partition(tenant, "D", device_id)))


def add_part(tenant: TenantId, session: str, part: Part, number: int) -> None:
    """Store a part of a recording."""
    pk = keys.partition(tenant, "S", session)
    item = PartItem(pk, keys.sort("PART", keys.number(part.at), keys.number(number)))
    item.output, item.width, item.height = part.output or None, part.width, part.height
    item.expires_at = datetime.fromtimestamp(part.at // 1000, UTC) + timedelta(seconds=limits.RECORDING_LIFE)
    item.save_if(PartItem.pk.does_not_exist())


def count_recorded(tenant: TenantId, session: str, size: int) -> int:
    """Add to a session's recorded bytes; returns the sum."""
    item = session_ref(tenant, session)
    item.update([SessionItem.recorded.add(size)])
    return item.recorded


def parts(tenant: TenantId, session: str) -> Iterator[PartItem]:
    """The parts of a recording in order."""
    return iter(
        PartItem.query(keys.partition(tenant, "S", session), PartItem.sk.startswith("PART#"), consistent_read=True)
    )


def delete_parts(items: list[PartItem]) -> None:
    """Delete parts of a recording."""
    with PartItem.batch_write() as batch:
        for item in items:
            batch.delete(item)


def part_of(item: PartItem) -> Part:
    """Converts a stored part."""
    _, at, _ = str(item.sk).split("#")
    return Part(int(at), item.output or b"", item.width, item.height)


def erase(tenant: TenantId, device_ids: Iterable[str]) -> int:
    """Erase states, connections and sessions of a removed tenant; returns the number of items.

    Items that lead to others are deleted last: a session is found by its device while it runs, and by its tenant
    afterwards.
    """
    count = _forget_sessions(SessionItem.by_device.query(_ended(tenant)))
    for device_id in device_ids:
        count += _forget_sessions(SessionItem.by_device.query(keys.partition(tenant, "D", device_id)))
        state = find_state(tenant, device_id)
        if state is None:
            continue
        if state.place is not None:
            ref = connection_ref(state.place[1])
            count += erasing.rows(ConnectionItem, [(ref.pk, ref.sk)])
        count += erasing.partition(StateItem, state.pk)
    return count


def _forget_sessions(sessions: Iterable[SessionItem]) -> int:
    count = 0
    for session in sessions:
        ref = connection_ref(session.connection)
        count += erasing.rows(ConnectionItem, [(ref.pk, ref.sk)])
        count += erasing.partition(SessionItem, session.pk, last="SESSION")
    return count
