"""The client of a forking engine (:mod:`tests.drills.forking`): all calls of boto3 use it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.httpsession
import urllib3
from botocore.awsrequest import AWSRequest, AWSResponse, HeadersDict

from chalicelib.aws import client
from infra.local.engine.process import Engine, interpreter
from infra.paths import ROOT
from tests.drills import faults

PORT = 4566
"""The port in the engine's address; nothing listens there."""


class _Body:
    """The body of an answer, in the form that botocore reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield the whole body."""
        yield self._data


class Line:
    """A connection to this process's own engine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, request: Any) -> AWSResponse:
        """Send a request; the interface of botocore's session."""
        parts = urlsplit(request.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        # The app's own client sends a host of its own, botocore leaves that to its session.
        named = {name.lower(): _bytes(value) for name, value in request.headers.items()}
        headers = [(name.encode(), value) for name, value in (named | {"host": parts.netloc.encode()}).items()]
        status, answered, content = self._ask("request", request.method, path, headers, bytes(body))
        found = {name.decode(): value.decode() for name, value in answered}
        return AWSResponse(request.url, status, HeadersDict(found), _Body(content))

    def get(self, path: str) -> tuple[int, bytes]:
        """Call a deployed API."""
        headers = [(b"host", f"127.0.0.1:{PORT}".encode())]
        status, _, content = self._ask("request", "GET", path, headers, b"")
        return status, content

    def digest(self) -> str:
        """A hash of the engine's state, without times and generated names."""
        found: str = self._ask("digest")
        return found

    def fork(self) -> str:
        """Let the engine fork; returns the socket of the copy."""
        found: str = self._ask("fork")
        return found

    def move(self, path: str) -> None:
        """Continue with the copy at this socket."""
        self._connection.close()
        self._connection = Client(path, "AF_UNIX")

    def _ask(self, *words: Any) -> Any:
        self._connection.send(words)
        return self._connection.recv()


class _Pool:
    """The connection pool of the app's own client."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def request(self, method: str, url: str, *, body: bytes, headers: dict[str, str], **_: Any) -> Any:
        """Send a request, which is counted with the others; the interface of urllib3's pool."""
        operation = headers["x-amz-target"].partition(".")[2]
        return faults.made_by_own_client("ssm", operation, lambda: self._sent(method, url, body, headers))

    def _sent(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Any:
        answer = self._line.send(AWSRequest(method, url, data=body, headers=headers).prepare())
        return urllib3.HTTPResponse(answer.content, status=answer.status_code, preload_content=True)

    def clear(self) -> None:
        """Do nothing, as there are no idle connections."""


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@contextmanager
def line(folder: Path) -> Iterator[tuple[Engine, Line]]:
    """Start an engine that can fork, and send all calls of this process to it."""
    engine = Engine(folder / "engine", persist=False, auth=True, port=PORT)
    engine._port = PORT
    for each in ("engine/tmp", "sockets"):
        (folder / each).mkdir(parents=True)
    engine._ensure_key()
    words = ["-m", "tests.drills.forking", str(folder / "sockets"), str(engine._key_file)]
    with (folder / "engine.log").open("wb") as log:
        program = subprocess.Popen(
            [str(interpreter()), *words], cwd=ROOT, env=engine._environment(), stdout=subprocess.PIPE, stderr=log
        )
    assert program.stdout is not None
    assert program.stdout.readline(), (folder / "engine.log").read_text()
    made = Line(Client(str(folder / "sockets" / "first"), "AF_UNIX"))
    owner = os.getpid()

    def send(_: Any, request: Any) -> AWSResponse:
        return made.send(request)

    botocore.httpsession.URLLib3Session.send = faults._send = send
    setattr(client, "pool", lambda: _Pool(made))  # noqa: B010
    try:
        yield engine, made
    finally:
        if os.getpid() == owner:
            made._connection.close()
            program.wait()
