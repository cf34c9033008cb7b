"""File transfers to and from a device, as generators that are independent of the transport.

The protocol is described in ``docs/behaviour.md#file-transfers``. A generator yields the next step; its driver (the
relay or the local gateway) carries it out and sends the outcome back:

| step | outcome |
|---|---|
| ``Message`` | sent to the device; None |
| ``Receive`` | the next message of the session; ``TransferError`` 408 thrown in after ``limits.FILE_STEP`` seconds |
| ``FileInfo`` | the file's information has arrived; None |
| ``Data`` | a piece of the file has arrived; None |
| ``More`` | the next piece of the file to send, empty at its end |

Every generator ends with a control ``close`` to the device, also after an error: to give up, a driver throws a
``TransferError`` into it and continues with its steps until the error is raised again.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import msgspec

from chalicelib.deviceconnect.rules.envelope import Message, Proto, pack, unpack

CHUNK: Final = 4096
"""Bytes of a file per message."""
_ACK_EVERY: Final = 10
_WINDOW: Final = 20
"""Chunks that may be unacknowledged."""
_NOT_REGULAR: Final = 0x8F280000
"""Type bits of Go's ``fs.FileMode``: directory, link, device, pipe, socket, character device, irregular."""


class TransferError(Exception):
    """The transfer failed; ``status`` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Receive(msgspec.Struct, frozen=True):
    """Wait for the device's next message."""


class Data(msgspec.Struct, frozen=True):
    """A piece of the file."""

    data: bytes


class More(msgspec.Struct, frozen=True):
    """Ask for the next piece of the file."""


class FileInfo(msgspec.Struct, frozen=True):
    """A device's information about a file; ``mode`` are its permission bits."""

    path: str
    size: int | None
    uid: int | None
    gid: int | None
    mode: int | None


Step = Message | Receive | Data | More | FileInfo
Steps = Generator[Step, Any, None]


def download(path: str, *, head: bool = False) -> Steps:
    """Download a file; with ``head`` only its information.

    Raises:
        TransferError: 502 the device does not support file transfer, 400 there is no such regular file, 500 a piece is
            missing.
    """
    try:
        yield from _open()
        yield Message(Proto.FILE_TRANSFER, "stat", body=pack({"path": path}))
        yield _file_info((yield from _answer("file_info")), path)
        if not head:
            yield from _fetch(path)
    finally:
        yield Message(Proto.CONTROL, "close")


def _fetch(path: str) -> Steps:
    yield Message(Proto.FILE_TRANSFER, "get_file", body=pack({"path": path}))
    offset = chunks = 0
    while True:
        chunk = yield from _answer("file_chunk")
        if chunk.props.get("offset", offset) != offset:
            raise TransferError(500, "got unexpected file chunk offset from device")
        offset += len(chunk.body)
        chunks += 1
        if not chunk.body or chunks % _ACK_EVERY == 0:
            yield Message(Proto.FILE_TRANSFER, "ack", props={"offset": offset})
        if not chunk.body:
            return
        yield Data(chunk.body)


def upload(path: str, *, uid: int | None = None, gid: int | None = None, mode: int | None = None) -> Steps:
    """Upload a file.

    Raises:
        TransferError: the device refuses it.
    """
    try:
        yield from _open()
        about: dict[str, Any] = {"path": path, "src_path": path}
        about |= {name: value for name, value in (("uid", uid), ("gid", gid), ("mode", mode)) if value is not None}
        yield Message(Proto.FILE_TRANSFER, "put_file", body=pack(about))
        yield from _answer("ack")
        yield from _send_file()
    finally:
        yield Message(Proto.CONTROL, "close")


def _send_file() -> Steps:
    sent = acknowledged = 0
    rest = b""
    while True:
        if not rest:
            rest = yield More()
        piece, rest = rest[:CHUNK], rest[CHUNK:]
        yield Message(Proto.FILE_TRANSFER, "file_chunk", props={"offset": sent}, body=piece)
        sent += len(piece)
        while sent - acknowledged > _WINDOW * CHUNK or (not piece and acknowledged < sent):
            acknowledged = max(acknowledged, _number((yield from _answer("ack")).props.get("offset")) or 0)
        if not piece:
            if not sent:
                yield from _answer("ack")
            return


def _open() -> Generator[Step, Any, None]:
    yield Message(Proto.CONTROL, "open", body=pack({"versions": [1]}))
    answer: Message = yield Receive()
    if answer.proto == Proto.CONTROL and answer.typ == "error":
        raise _refused(answer, 500)
    protocols = unpack(answer.body).get("protocols") if answer.typ == "accept" else None
    if not isinstance(protocols, list) or Proto.FILE_TRANSFER not in protocols:
        raise TransferError(502, "device does not support file transfer")


def _answer(typ: str) -> Generator[Step, Any, Message]:
    """The device's next message of this type; pings are answered meanwhile."""
    while True:
        message: Message = yield Receive()
        if message.typ == "error":
            raise _refused(message, 400)
        if message.proto == Proto.CONTROL and message.typ == "ping":
            yield Message(Proto.CONTROL, "pong")
        elif message.proto == Proto.CONTROL and message.typ == "close":
            raise TransferError(500, "the device ended the session")
        elif message.proto == Proto.FILE_TRANSFER and message.typ == typ:
            return message
        elif not (message.proto == Proto.FILE_TRANSFER and message.typ == "ack"):
            raise TransferError(500, f"unexpected message from device: {message.typ[:32]}")


def _refused(message: Message, status: int) -> TransferError:
    said = unpack(message.body)
    code = said.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        status = code
    return TransferError(status, str(said.get("err") or "the device refused")[:1000])


def _file_info(message: Message, path: str) -> FileInfo:
    said = unpack(message.body)
    mode = _number(said.get("mode"))
    if mode is not None and mode & _NOT_REGULAR:
        raise TransferError(400, "path is not a regular file")
    return FileInfo(
        path=str(said.get("path") or path),
        size=_number(said.get("size")),
        uid=_number(said.get("uid")),
        gid=_number(said.get("gid")),
        mode=mode & 0o7777 if mode is not None else None,
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
