"""Both ends of remote access for tests: a simulated device and a user."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chalicelib.deviceconnect.rules import envelope
from chalicelib.deviceconnect.rules.envelope import Message, Proto, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

DEVICE = "/api/devices/v1/deviceconnect/connect"

PATIENCE = 60.0
"""Timeout in seconds, long enough for a busy machine."""


def opened(url: str, path: str, token: str, **more: Any) -> ClientConnection:
    """A websocket with a bearer token, or without one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = url.replace("http", "ws", 1) + path
    return connect(
        address,
        additional_headers=headers,
        compression=None,
        max_size=None,
        proxy=None,
        open_timeout=PATIENCE,
        **more,
    )


def user_path(device_id: str) -> str:
    """The path at which users connect to a device."""
    return f"/api/management/v1/deviceconnect/devices/{device_id}/connect"


def say(link: ClientConnection, message: Message) -> None:
    """Send a message."""
    link.send(envelope.encode(message))


def hear(link: ClientConnection, timeout: float = PATIENCE) -> Message:
    """The next message."""
    data = link.recv(timeout)
    assert isinstance(data, bytes)
    return envelope.decode(data)


def hear_all(link: ClientConnection) -> tuple[list[Message], int | None]:
    """All messages until the other side closes, and its close code."""
    heard = []
    try:
        while True:
            heard.append(hear(link))
    except ConnectionClosed:
        return heard, link.close_code


class FakeDevice:
    """A device that speaks the protocol of ``mender-connect``: shells and ports that echo, files in memory."""

    def __init__(self, url: str, token: str, **more: Any) -> None:
        self.files: dict[str, bytes] = {}
        self.heard: list[Message] = []
        self.changed = threading.Condition()
        self._uploads: dict[str, tuple[str, bytearray]] = {}
        self._downloads: dict[str, tuple[bytes, int, int]] = {}
        self._opened = opened(url, DEVICE, token, **more)
        self._socket = self._opened.__enter__()  # this thread ends when the websocket closes
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.__exit__(None, None, None)
        self._thread.join()

    def drop(self) -> None:
        """Disconnect without closing."""
        self._socket.socket.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait until the server has closed this websocket."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def wait_for(self, wanted: Callable[[Message], bool], timeout: float = PATIENCE) -> Message:
        """Wait for the first matching message."""

        def found() -> Message | None:
            return next((message for message in self.heard if wanted(message)), None)

        with self.changed:
            assert self.changed.wait_for(found, timeout), [(m.proto, m.typ, m.body) for m in self.heard]
            result = found()
        assert result is not None
        return result

    def say(self, message: Message) -> None:
        """Send a message on the device's own initiative."""
        say(self._socket, message)

    def _run(self) -> None:
        try:
            while True:
                message = hear(self._socket, 3600)
                with self.changed:
                    self.heard.append(message)
                    self.changed.notify_all()
                self._answer(message)
        except (ConnectionClosed, OSError):
            return

    def _answer(self, message: Message) -> None:
        name = f"_{message.proto}_{message.typ}".replace("-", "_")
        answer = getattr(self, name, None)
        if answer is not None:
            answer(message)

    def _reply(self, message: Message, typ: str, *, props: dict[str, Any] | None = None, body: bytes = b"") -> None:
        self.say(Message(message.proto, typ, message.sid, props or {}, body))

    def _65535_open(self, message: Message) -> None:
        self._reply(message, "accept", body=pack({"version": 1, "protocols": [1, 2, 3, 4]}))

    def _1_new(self, message: Message) -> None:
        self._reply(message, "new", props={"status": 1}, body=b"Shell started")

    def _1_shell(self, message: Message) -> None:
        self._reply(message, "shell", props={"status": 1}, body=message.body)

    def _1_stop(self, message: Message) -> None:
        self._reply(message, "stop", props={"status": 1})

    def _3_forward(self, message: Message) -> None:
        self._reply(message, "forward", props=message.props, body=message.body)

    def _2_stat(self, message: Message) -> None:
        path = unpack(message.body)["path"]
        if path not in self.files:
            self._reply(message, "error", body=pack({"err": f"stat {path}: no such file or directory"}))
            return
        about = {"path": path, "size": len(self.files[path]), "uid": 0, "gid": 0, "mode": 0o644}
        self._reply(message, "file_info", body=pack(about))

    def _2_get_file(self, message: Message) -> None:
        self._downloads[message.sid] = self.files[unpack(message.body)["path"]], 0, 0
        self._pump(message)

    def _2_ack(self, message: Message) -> None:
        if message.sid in self._downloads:
            data, sent, _ = self._downloads[message.sid]
            self._downloads[message.sid] = data, sent, message.props["offset"]
            self._pump(message)

    def _pump(self, message: Message) -> None:
        data, sent, acknowledged = self._downloads[message.sid]
        while sent - acknowledged < 10 * 4096:
            piece = data[sent : sent + 4096]
            self._reply(message, "file_chunk", props={"offset": sent}, body=piece)
            sent += len(piece)
            if not piece:
                del self._downloads[message.sid]
                return
            self._downloads[message.sid] = data, sent, acknowledged

    def _2_put_file(self, message: Message) -> None:
        self._uploads[message.sid] = unpack(message.body)["path"], bytearray()
        self._reply(message, "ack", props={"offset": 0})

    def _2_file_chunk(self, message: Message) -> None:
        path, data = self._uploads[message.sid]
        assert message.props["offset"] == len(data)
        data += message.body
        if not message.body:
            self.files[path] = bytes(data)
        self._reply(message, "ack", props={"offset": len(data)})

    def _4_check_update(self, message: Message) -> None:
        self._reply(message, "check-update", props={"status": 1})


class Stalling(FakeDevice):
    """A device that begins to send a file and then stops sending."""

    def __init__(self, url: str, token: str, **more: Any) -> None:
        self.stalled = threading.Event()
        super().__init__(url, token, **more)

    def _pump(self, message: Message) -> None:
        self._reply(message, "file_chunk", props={"offset": 0}, body=bytes(4096))
        self.stalled.set()


SHELL = Proto.SHELL
