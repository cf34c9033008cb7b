"""Routes messages between devices and the users of their sessions, with a fixed number of calls each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.aws import push
from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.dialect import KEEP_ALIVE
from chalicelib.deviceconnect.rules.envelope import MalformedError, Message, Proto, ShellStatus, pack
from chalicelib.deviceconnect.service import admitting, connections, recordings, sending, watching
from chalicelib.fleet import control
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from chalicelib.deviceconnect.rules.dialect import Frame
    from chalicelib.deviceconnect.tables import ConnectionItem

_LIMIT = "session byte limit exhausted"
_REVOKED = "access to the device has ended"


def received(connection: str, text: str, endpoint: str) -> None:
    """Forward a message from a connection, or close it if it is unknown, suspended, or sends a malformed message."""
    if text == KEEP_ALIVE:
        return
    item = sending.connection(connection)
    if item is None or not control.get(TenantId(item.tenant)).active:
        push.close(endpoint, connection)
        return
    try:
        frame = dialect.from_client(text)
        message = envelope.decode(frame.data)
    except MalformedError:
        push.close(endpoint, connection)
        return
    pass_on = _from_user if item.is_users else _from_device
    pass_on(TenantId(item.tenant), item, message, frame)


def _from_user(tenant: TenantId, item: ConnectionItem, message: Message, frame: Frame) -> None:
    session_id = str(item.session)
    if not admitting.may_go_on(item):
        connections.end_for_user(tenant, session_id, _REVOKED)
        return
    message.sid = session_id
    message.props["user_id"] = item.user
    try:
        watching.sent(tenant, item, message)
    except MalformedError as error:
        # Not omitted, because the device's end would wait for its number and forward no later message.
        connections.end_for_user(tenant, session_id, str(error))
        return
    if not sending.to_device(tenant, item.device, message, sender=item, number=frame.number):
        _answer(tenant, session_id, message, "device disconnected")
        return
    recordings.size(tenant, session_id, message, frame.number)


def _from_device(tenant: TenantId, item: ConnectionItem, message: Message, frame: Frame) -> None:
    found = sending.session(tenant, message.sid) if message.sid else None
    if found is None or found.device != item.device:
        _stop(tenant, item, message)
        return
    if not admitting.user_may_go_on(found):
        connections.end_for_user(tenant, message.sid, _REVOKED)
        return
    source = sending.source_of(item.connection)
    if not sending.to_user(found, message, source=source, number=frame.number):
        connections.disconnected(found.connection)
    elif not recordings.output(tenant, message.sid, message, frame.number):
        connections.end_for_user(tenant, message.sid, _LIMIT)


def _answer(tenant: TenantId, session_id: str, message: Message, text: str) -> None:
    """Tell a user that a message could not be delivered."""
    found = sending.session(tenant, session_id)
    if found is None:
        return
    if message.proto == Proto.SHELL:
        sending.to_user(
            found, Message(Proto.SHELL, "stop", session_id, {"status": int(ShellStatus.ERROR)}, text.encode())
        )
    about = {
        "err": text,
        "close": True,
        "code": connections.CONFLICT,
        "msgproto": int(message.proto),
        "msgtype": message.typ,
    }
    sending.to_user(found, Message(Proto.CONTROL, "error", session_id, body=pack(about)))


def _stop(tenant: TenantId, item: ConnectionItem, message: Message) -> None:
    """A device continues a session that has ended: make it close the terminal."""
    if message.proto == Proto.SHELL and message.typ == "shell" and message.sid:
        status = {"status": int(ShellStatus.ERROR)}
        sending.to_device(tenant, item.device, Message(Proto.SHELL, "stop", message.sid, status, b"session ended"))
