"""Audit entries of remote sessions: terminals, forwarded ports and files, opened and closed.

Source of their form: ``docs/behaviour.md#audit-entries``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.actor import Acting, Actor
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.deviceconnect import tables
from chalicelib.deviceconnect.rules import envelope
from chalicelib.deviceconnect.rules.envelope import Proto
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.deviceconnect.rules.envelope import Message
    from chalicelib.deviceconnect.tables import ConnectionItem, SessionItem
    from chalicelib.storage.keys import TenantId

_NOTED = {
    (Proto.PORT_FORWARD, "new"): Action.OPEN_PORTFORWARD,
    (Proto.PORT_FORWARD, "stop"): Action.CLOSE_PORTFORWARD,
    (Proto.FILE_TRANSFER, "get_file"): Action.DOWNLOAD_FILE,
    (Proto.FILE_TRANSFER, "put_file"): Action.UPLOAD_FILE,
}


def sent(tenant: TenantId, item: ConnectionItem, message: Message) -> None:
    """Record what a user is about to do on a device.

    Raises:
        MalformedError: it concerns a file whose path cannot be read, although the device might read one.
    """
    with Acting(Actor("user", str(item.user), email=str(item.email))):
        if message.proto == Proto.SHELL and message.typ in {"new", "stop"}:
            _shell(tenant, item.device, str(item.session), is_open=message.typ == "new")
            return
        action = _NOTED.get((Proto(message.proto), message.typ)) if message.proto in list(Proto) else None
        if action is None:
            return
        meta = {"session_id": [str(item.session)]}
        if message.proto == Proto.FILE_TRANSFER:
            meta["path"] = [envelope.path_of(message.body)]
        tx = Transaction()
        auditlogs.record(tx, tenant, action, Object(ObjectType.DEVICE, item.device), meta=meta)
        tx.commit()


def ended(tenant: TenantId, found: SessionItem) -> None:
    """Record the end of a session with an open terminal."""
    if not found.shell:
        return
    with Acting(Actor("user", found.user, email=found.email)):
        tx = Transaction()
        meta = {"session_id": [found.session]}
        auditlogs.record(tx, tenant, Action.CLOSE_TERMINAL, Object(ObjectType.DEVICE, found.device), meta=meta)
        tx.commit()


def _shell(tenant: TenantId, device_id: str, session_id: str, *, is_open: bool) -> None:
    tx = Transaction()
    tables.set_shell(tx, tenant, session_id, is_open=is_open)
    action = Action.OPEN_TERMINAL if is_open else Action.CLOSE_TERMINAL
    what = Object(ObjectType.DEVICE, device_id)
    auditlogs.record(tx, tenant, action, what, meta={"session_id": [session_id]})
    tx.try_commit()  # fails if the terminal is already open, or closed
