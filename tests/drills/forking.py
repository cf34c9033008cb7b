"""An engine that forks: ``python -m tests.drills.forking FOLDER KEY``, in the engine's own environment.

A drill lets every call of a deployment fail in every way. So that no deployment has to be repeated up to that call,
the deploying process and the engine fork there: the children continue with that one failure, the parents without it.
An engine serves one process at a time, over a socket in ``FOLDER``; nothing runs in it between two requests.
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
"""Seconds that a copy waits for its process to connect."""
SETTLE = 5.0
"""Seconds that background work of a request, such as a stack's, may take after the answer."""

LOCK = "/deploying"
"""The end of the name of the lock's parameter (``infra/deploy/lock.py``)."""
RECORD = "/deployed"
"""The end of the name of the stage's record."""
_NAMES = re.compile(
    r"(?<![\w+])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|AROA[0-9A-Z]{17}|[0-9a-f]{6,12}|[0-9a-z]{10})(?![\w+])"
)
"""Ids that the engine generates, of APIs, routes, versions, requests."""
_TIMES = re.compile(r'"?\d{4}-\d\d-\d\dT[\d:.]+(?:\+[\d:]+|Z)?"?|(?<![\w.])1[6-9]\d{8}(?:\d{3})?(?:\.\d+)?(?![\w.])')


class Forking:
    """Serves the engine to the one process that is connected."""

    def __init__(self, folder: Path, key: Key) -> None:
        from ministack import app as engine
        from ministack.services import lambda_svc

        patches.apply()
        # Threads do not survive a fork, and nothing may change between requests.
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
        """Answer requests until the connection is closed."""
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
        """Fork a copy of the engine; returns the socket at which it waits for its process."""
        path = self._folder / f"{os.getpid()}-{self._number}"
        self._number += 1
        gc.freeze()  # matches the other end
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
        """A hash of the state, without times and the lock, and with generated names replaced by their order.

        Only a killed process leaves the lock, but that makes no difference: the second run acquires it or takes it
        over, and continues in the same way.
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
    """A parameter's value unless it is secret; the record of a stage is unpacked (``infra/deploy/record.py``)."""
    if RECORD not in name:
        return value if not value.startswith("ENCRYPTED:") else "secret"
    record = json.loads(zlib.decompress(base64.b64decode(value)))
    record["resources"].sort(key=lambda each: each["name"])
    return record


def listening(path: Path) -> socket.socket:
    """A listening socket at a path."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen(1)
    made.settimeout(PATIENCE)  # left by a copy whose process did not connect
    return made


def accepted(waiting: socket.socket) -> Connection:
    """Accept the only connection to a socket."""
    found, _ = waiting.accept()
    waiting.close()
    found.settimeout(None)
    return Connection(found.detach())


def _unquoted(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path)


def main() -> None:
    """Serve the process that connects; forked copies serve its children."""
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
