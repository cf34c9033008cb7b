"""An engine that forks: ``python -m tests.drills.forking FOLDER KEY``, in the engine's own environment.

A drill has to fail every call of a deployment in every way. So that no deployment has to be repeated up to that call,
the process that deploys forks there, and the engine with it: the children go on with that one failure, and the parents
as if nothing had happened. One engine serves one process at a time, over a socket in ``FOLDER``; nothing runs in it
between two requests.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import json
import os
import re
import socket
import sys
import zlib
from collections.abc import MutableMapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from infra.local.engine import auth_proxy, patches
from infra.local.signatures import Key

PATIENCE = 60.0
"""Seconds that a copy waits for the process that it is for."""
SETTLE = 5.0
"""Seconds that something which a request has begun may go on after the answer, as a stack does."""

LOCK = "/deploying"
"""How the name of the lock's parameter ends (``infra/deploy/lock.py``)."""
RECORD = "/deployed"
"""The same of the stage's record."""
_NAMES = re.compile(
    r"(?<![\w+])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|AROA[0-9A-Z]{17}|[0-9a-f]{6,12}|[0-9a-z]{10})(?![\w+])"
)
"""What the engine makes up: ids of APIs, routes, versions, requests."""
_TIMES = re.compile(r'"?\d{4}-\d\d-\d\dT[\d:.]+(?:\+[\d:]+|Z)?"?|(?<![\w.])1[6-9]\d{8}(?:\d{3})?(?:\.\d+)?(?![\w.])')


class Forking:
    """The engine, for the one process at the other end of a connection."""

    def __init__(self, folder: Path, key: Key) -> None:
        from ministack import app as engine
        from ministack.services import lambda_svc

        patches.apply()
        # Threads do not survive a fork, and nothing is to happen by itself.
        lambda_svc._ensure_poller = lambda: None
        self._engine = engine
        self._folder = folder
        self._app = auth_proxy.AuthProxy(
            engine.app,
            key,
            port=int(os.environ["GATEWAY_PORT"]),
            region=os.environ["MINISTACK_REGION"],
            functions=True,
        )
        self._number = 0
        self._children: list[int] = []

    def serve(self, connection: Connection) -> None:
        """Answer until the other end is gone."""
        loop = asyncio.new_event_loop()
        self._engine._MAIN_LOOP = loop
        asyncio.set_event_loop(loop)
        while True:
            try:
                command, *words = connection.recv()
            except EOFError:
                return
            match command:
                case "fork":
                    connection.send(self._fork(connection))
                case "digest":
                    connection.send(self._digest())
                case "request":
                    connection.send(loop.run_until_complete(self._answer(*words)))

    def _fork(self, connection: Connection) -> str:
        """Start a copy of everything; where it waits for the one that it is for."""
        path = self._folder / f"{os.getpid()}-{self._number}"
        self._number += 1
        gc.freeze()  # see the other end
        with listening(path) as waiting:
            child = os.fork()
            if child == 0:
                connection.close()
                self.serve(accepted(waiting))
                os._exit(0)
        self._children = [each for each in [*self._children, child] if os.waitpid(each, os.WNOHANG) == (0, 0)]
        return str(path)

    async def _answer(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        pure, _, query = path.partition("?")
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", int(os.environ["GATEWAY_PORT"])),
            "method": method,
            "path": _unquoted(pure),
            "raw_path": pure.encode(),
            "query_string": query.encode(),
            "headers": headers,
        }
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        begun = asyncio.all_tasks() - {asyncio.current_task()}
        if begun:
            await asyncio.wait(begun, timeout=SETTLE)
        start, *parts = sent
        return start["status"], list(start["headers"]), b"".join(part.get("body", b"") for part in parts)

    def _digest(self) -> str:
        """Of all that there is, but for times, the lock, and the names that the engine makes up: those by their order.

        A process that was killed leaves the lock, and one that was refused does not: its first call takes the lock or
        takes it over, and goes on in the same way.
        """
        from ministack.core import persistence

        states = {name: state() for name, state in self._engine._build_persistence_save_dict().items()}
        if "ssm" in states:
            found = json.loads(json.dumps(states["ssm"], default=persistence._json_default))["parameters"]["data"]
            states["ssm"] = {name: _plain(name, each["Value"]) for name, each in found.items() if LOCK not in name}
        text = _TIMES.sub("T", json.dumps(states, default=persistence._json_default))
        names: dict[str, str] = {}
        text = _NAMES.sub(lambda found: names.setdefault(found[0], f"#{len(names)}"), text)
        return hashlib.sha256(text.encode()).hexdigest()


def _plain(name: str, value: str) -> Any:
    """A parameter's value, unless it is secret; the record of a stage unpacked (``infra/deploy/record.py``)."""
    if RECORD not in name:
        return value if not value.startswith("ENCRYPTED:") else "secret"
    record = json.loads(zlib.decompress(base64.b64decode(value)))
    record["resources"].sort(key=lambda each: each["name"])
    return record


def listening(path: Path) -> socket.socket:
    """A socket at a path."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen(1)
    made.settimeout(PATIENCE)  # of a process that forked and did not come
    return made


def accepted(waiting: socket.socket) -> Connection:
    """The one connection to a socket."""
    found, _ = waiting.accept()
    waiting.close()
    found.settimeout(None)
    return Connection(found.detach())


def _unquoted(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path)


def main() -> None:
    """Serve the one that connects, and the children of both."""
    folder, key_file = map(Path, sys.argv[1:])
    key = Key(*json.loads(key_file.read_text()))
    services = auth_proxy.STORES | auth_proxy.FUNCTIONS | auth_proxy.INTERNAL
    os.environ["SERVICES"] = ",".join(sorted(auth_proxy.OTHER_NAMES.get(name, name) for name in services))
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = key.id, key.secret
    with listening(folder / "first") as waiting:
        print("ready", flush=True)
        Forking(folder, key).serve(accepted(waiting))


if __name__ == "__main__":
    main()
