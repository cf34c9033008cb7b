"""File transfers over HTTP: the relay acts as the user of a session (``docs/behaviour.md#file-transfers``)."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chalicelib import limits, text
from chalicelib.deviceconnect.rules import envelope, transfer
from chalicelib.deviceconnect.rules.dialect import GapError
from chalicelib.deviceconnect.rules.envelope import MalformedError, Message
from chalicelib.deviceconnect.rules.transfer import Data, FileInfo, More, Receive, TransferError
from infra.relay.answers import Answers
from infra.relay.forms import Form, FormError, read_form
from infra.relay.sockets import address, credentials
from infra.relay.translation import Incoming, Outgoing
from infra.relay.upstream import Closed, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chalicelib.deviceconnect.rules.transfer import Steps
    from infra.relay.upstream import Socket, Upstream

    Scope = dict[str, Any]
    Read = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

PATIENCE: float = limits.FILE_STEP
"""Maximum seconds for one step of a device."""
_FIELDS = frozenset({"path", "uid", "gid", "mode"})
_DIGITS = {8: re.compile("[0-7]{1,20}"), 10: re.compile("[0-9]{1,20}")}
"""Accepted numbers, by base. Python's ``int`` would also take "1_0", "0o7", signs and digits of other scripts."""


class Session:
    """A session with a device, in which this process is the user's side."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._outgoing = Outgoing(one_session=True)
        self._incoming = Incoming()
        self._due: list[Message] = []

    async def send(self, message: Message) -> None:
        """Send to the device."""
        await self._socket.send(self._outgoing.frame(message))

    async def receive(self) -> Message:
        """The device's next message.

        Raises:
            TransferError: 408, no message arrived in time; 500, the session has ended.
        """
        while not self._due:
            try:
                async with asyncio.timeout(PATIENCE):
                    frame = await self._socket.receive()
                self._due = [envelope.decode(data) for data in self._incoming.messages(frame)]
            except TimeoutError:
                raise TransferError(408, "timeout waiting for the device") from None
            except Closed:
                raise TransferError(500, "the session with the device ended") from None
            except (MalformedError, GapError) as error:
                raise TransferError(500, str(error)) from error
        return self._due.pop(0)


async def run(steps: Steps, session: Session, *, outcome: Callable[[Any], Awaitable[Any]]) -> None:
    """Carry out the steps of a transfer; ``outcome`` handles those that concern HTTP.

    Raises:
        TransferError: it failed.
    """
    reply: Any = None
    failure: TransferError | None = None
    while True:
        try:
            step = steps.throw(failure) if failure is not None else steps.send(reply)
        except StopIteration:
            return
        reply = failure = None
        try:
            if isinstance(step, Message):
                with suppress(Closed):  # the next receive then reports that the session has ended
                    await session.send(step)
            elif isinstance(step, Receive):
                reply = await session.receive()
            else:
                reply = await outcome(step)
        except TransferError as error:
            failure = error
        except (OSError, RuntimeError, asyncio.CancelledError) as error:
            failure = TransferError(499, f"the client disconnected: {error}")


async def download(scope: Scope, read: Read, send: Send, upstream: Upstream, *, device: str, path: str) -> None:
    """``GET .../devices/{id}/download?path=``: the file, streamed as it arrives; ``HEAD``: only the headers."""
    answers = Answers(scope, send)
    begun = False
    head = scope["method"] == "HEAD"
    gone = asyncio.create_task(_until_gone(read))

    async def outcome(step: Any) -> None:
        nonlocal begun
        if gone.done():
            raise TransferError(499, "the client disconnected")
        if isinstance(step, FileInfo):
            await answers.begin(200, _headers(step))
            begun = True
        elif isinstance(step, Data):
            await answers.body(step.data, more=True)

    async def steps() -> Steps:
        return transfer.download(_checked(path), head=head)

    try:
        await _with_session(scope, upstream, device, steps, outcome)
    except TransferError as error:
        if begun:
            raise  # Too late for an error status: cut the connection, so that half a file is not taken for a whole one.
        await answers.refuse(error.status, {"error": error.text})
    else:
        await answers.body(b"")
    finally:
        gone.cancel()


async def _until_gone(read: Read) -> None:
    while (await read())["type"] != "http.disconnect":
        pass


async def upload(scope: Scope, read: Read, send: Send, upstream: Upstream, *, device: str) -> None:
    """``PUT .../devices/{id}/upload``: a form with path, uid, gid, mode and the file."""
    answers = Answers(scope, send)
    form: Form | None = None

    async def outcome(step: Any) -> bytes | None:
        if form is None or not isinstance(step, More):
            return None
        try:
            return await anext(form.file, b"")
        except FormError as error:
            raise TransferError(error.status, str(error)) from error

    async def steps() -> Steps:
        nonlocal form
        try:
            form = await read_form(scope, read, fields=_FIELDS, file="file", most=limits.FILE_UPLOAD)
        except FormError as error:
            raise TransferError(error.status, str(error)) from error
        return transfer.upload(**_wanted(form.fields))

    try:
        await _with_session(scope, upstream, device, steps, outcome)
    except TransferError as error:
        await answers.refuse(error.status, {"error": error.text})
    else:
        await answers.begin(201, {"content-length": "0"})
        await answers.body(b"")


async def _with_session(
    scope: Scope,
    upstream: Upstream,
    device: str,
    steps: Callable[[], Awaitable[Steps]],
    outcome: Callable[[Any], Awaitable[Any]],
) -> None:
    try:
        query = {"device_id": device, "purpose": "file"}
        socket = await upstream.open(credentials(scope), query, address(scope))
    except Refused as refused:
        disconnected = refused.status == 404
        why = "device disconnected" if disconnected else _text(refused.body)
        raise TransferError(409 if disconnected else refused.status, why) from refused
    try:
        # Missing permission is reported first, before other errors.
        await run(await steps(), Session(socket), outcome=outcome)
    finally:
        await socket.close()


def _text(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "service unavailable"


def _wanted(fields: dict[str, str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {"path": _checked(fields.get("path", ""))}
    for name, base in (("uid", 10), ("gid", 10), ("mode", 8)):
        said = fields.get(name)
        if not said:
            continue
        if not _DIGITS[base].fullmatch(said) or int(said, base) >= 2**32:
            raise TransferError(400, f"{name}: must be a number")
        wanted[name] = int(said, base)
    return wanted


def _checked(path: str) -> str:
    """A path on a device.

    Bytes that are not UTF-8 arrive as lone surrogates. They are refused: the envelope holds text, and replacing them
    would name another file.
    """
    if not path.startswith("/"):
        raise TransferError(400, "path: must be an absolute path")
    if text.without_surrogates(path) != path or "\0" in path:
        raise TransferError(400, "path: must be UTF-8 without NUL; files with other names cannot be transferred")
    if len(path.encode()) > limits.FILE_PATH:
        raise TransferError(400, f"path: too long (max: {limits.FILE_PATH} bytes)")
    return path


def _headers(info: FileInfo) -> dict[str, str]:
    return {
        "content-type": "application/octet-stream",
        "content-disposition": text.attachment(info.path.rsplit("/", 1)[-1]),
        "x-men-file-path": text.header(info.path) or "",
        "x-men-file-uid": _plain(info.uid),
        "x-men-file-gid": _plain(info.gid),
        "x-men-file-mode": f"{info.mode:o}" if info.mode is not None else "",
        "x-men-file-size": _plain(info.size),
    }


def _plain(value: int | None) -> str:
    return "" if value is None else str(value)
