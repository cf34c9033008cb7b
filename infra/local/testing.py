"""The whole server for tests: engine, storage, gateway and workers, in the test's own process."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infra.local import certs, environment, websocket_api
from infra.local.engine.process import Engine
from infra.local.gateway import Gateway
from infra.local.provision import STORAGE, provision
from infra.local.s3_proxy import Bucket
from infra.local.server import Server
from infra.local.workers import Workers
from infra.relay.recordings import RestRecordings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from chalice.app import Chalice

    from infra.local.rules import Limits
    from infra.local.uploads import Attach


def the_app() -> Chalice:
    """Import the project's app, which reads its settings."""
    app: Chalice = import_module("app").app
    return app


class LocalServer:
    """A server on a free loopback port that stores nothing on disk. Usable as a context manager.

    The app and its handlers run in this process, so that a test may freeze time, change settings and drain the
    workers. One for each test session is enough; tests keep apart by tenants.
    """

    def __init__(
        self,
        load: Callable[[], Chalice] = the_app,
        *,
        tls: bool = True,
        template: Path | None = STORAGE,
        limits: Limits | None = None,
        attach: Attach | None = None,
        threads: int = 16,
    ) -> None:
        self._load = load
        self._with_tls = tls
        self._template = template
        self._limits = limits
        self._attach = attach
        self._threads = threads
        self._undo = ExitStack()
        self.url = ""
        """The server's URL: ``https://localhost:PORT``."""
        self.ca: Path | None = None
        """The CA to trust, PEM; None without TLS."""

    def start(self) -> None:
        """Start everything; returns once requests are answered."""
        try:
            self._start()
        except BaseException:
            self._undo.close()
            raise

    def _start(self) -> None:
        folder = Path(self._undo.enter_context(tempfile.TemporaryDirectory(prefix="lamplighter-")))
        self.engine = self._undo.enter_context(Engine(folder / "engine", persist=False))
        tls = certs.ensure(folder / "tls") if self._with_tls else None
        self.ca = tls.ca if tls else None
        server = Server("127.0.0.1", 0, tls)
        self._undo.callback(server.stop)
        self.url = server.url()
        self._undo.enter_context(environment.applied(environment.of_app(self.engine, self.url)))
        if self._template:
            provision(template=self._template)
        self.app = self._load()
        self.workers = Workers(self.app)
        self.gateway = Gateway(
            self.app,
            bucket=Bucket.of_environment(),
            limits=self._limits,
            threads=self._threads,
            attach=self._attach,
            recordings=RestRecordings(self.url, tls.trusted() if tls else None),
        )
        self._undo.enter_context(websocket_api.delivering(self.gateway.websockets))
        server.start(self.gateway)
        self._undo.callback(server.stop)  # stop it before everything that its requests need

    def drain(self) -> int:
        """Run queue workers until no message is due; returns how many messages they took."""
        return self.workers.drain()

    def purge(self) -> None:
        """Delete all messages from the queues, so that work begun by earlier tests is not carried out."""
        for queue in self.workers.queues:
            queue.sqs.purge_queue(QueueUrl=queue.url)

    def stop(self) -> None:
        """Stop everything and discard all data."""
        self._undo.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
