"""The server as started by ``make run``: a separate process, known only by the file that it writes."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx2

from infra.paths import ROOT
from tests.support.waiting import until

LOGIN = "/api/management/v1/useradm/auth/login"


def free_port() -> int:
    """A port that is currently free."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


class RunningServer:
    """``python -m infra.local.run``; a context manager, which stops it with SIGTERM."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.facts: dict[str, str] = {}
        self.code: int | None = None
        self._command = [sys.executable, "-m", "infra.local.run", "--data", str(data), "--port", str(port)]
        self._output = data.with_name(f"{data.name}.log")

    def __enter__(self) -> Self:
        file = self.data / "server.json"
        before = file.stat().st_ino if file.exists() else None
        with self._output.open("w") as output:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            # The file is renamed into place last: then the server answers.
            until("the server writes its facts", lambda: self._wrote(before), timeout=60, detail=self.output)
        except BaseException:
            self.stop()
            raise
        self.facts = json.loads(file.read_text())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Stop it and wait until it has ended. May be repeated."""
        if self.code is not None:
            return
        self._process.send_signal(by)
        try:
            self.code = self._process.wait(60)
        finally:
            self._process.kill()

    def join(self) -> None:
        """Wait until it has ended by itself."""
        self.code = self._process.wait(60)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def engine(self) -> int:
        """The process id of its engine."""
        own = self.pid
        return int(Path(f"/proc/{own}/task/{own}/children").read_text().split()[0])

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        self._process.kill()
        self.code = self._process.wait(30)

    def output(self) -> str:
        """Its output."""
        return self._output.read_text()

    def client(self, token: str = "") -> httpx2.Client:
        """A client that trusts the server's CA only."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.facts["url"], verify=self.trust(), headers=headers, timeout=30)

    def trust(self) -> ssl.SSLContext:
        """Trust in the server's CA only."""
        return ssl.create_default_context(cafile=self.facts["ca"])

    def token(self) -> str:
        """A token of the first admin."""
        with self.client() as client:
            answer = client.post(LOGIN, auth=(self.facts["user"], self.facts["password"]))
        assert answer.status_code == 200, answer.text
        return answer.text

    def _wrote(self, before: int | None) -> bool:
        assert self._process.poll() is None, self.output()
        file = self.data / "server.json"
        return file.exists() and file.stat().st_ino != before
