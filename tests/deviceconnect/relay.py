"""The relay as its own process, as in its container."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from typing import Self

import httpx2

from infra.paths import ROOT
from tests.support.waiting import until


class RelayProcess:
    """A relay that translates for the WebSocket API of the local gateway at ``server``."""

    def __init__(self, server: str, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        env = {
            "RELAY_WEBSOCKETS": server.replace("http", "ws", 1) + "/websockets",
            "RELAY_REST": server,
            "RELAY_PORT": str(self.port),
            "RELAY_NOTICE": "0",
            "RELAY_SPREAD": "0",
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "infra.relay"], cwd=ROOT, env=os.environ | env | settings, stderr=self._errors
        )

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def health(self) -> int:
        """The HTTP status of its health check; 0 while it does not answer."""
        try:
            return httpx2.get(f"{self.url}/health", timeout=5).status_code
        except httpx2.TransportError:
            return 0

    def leave(self) -> int:
        """Ask it to shut down; returns its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait(30)

    def errors(self) -> str:
        """What it has written to its standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def __enter__(self) -> Self:
        until("the relay serves", lambda: self.health() == 200)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        sys.stderr.write(self.errors())
        self._errors.close()
