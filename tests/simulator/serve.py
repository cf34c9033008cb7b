"""A whole server in its own process, for benchmarks and the demo.

The child (``python -m tests.simulator.serve``) prints its address as one line of JSON, runs the commands of its
standard input line by line, and ends when that is closed, so that it never outlives its parent.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from infra import migrations
from infra.local.first_run import ensure_first_tenant
from infra.local.testing import LocalServer

ROOT = Path(__file__).resolve().parents[2]

Command = Callable[[LocalServer, Mapping[str, Any]], Mapping[str, Any]]


class ServerFailedError(Exception):
    """The child ended, or a command failed; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server's URL, and the credentials of a user."""

    url: str
    ca: Path | None
    user: str
    password: str
    tenant_token: str

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Address:
        """Read an address as printed by the child, or from `.local/server.json` of `make run`."""
        return cls(
            url=document["url"],
            ca=Path(document["ca"]) if document.get("ca") else None,
            user=document["user"],
            password=document["password"],
            tenant_token=document["tenant_token"],
        )

    @property
    def invitation(self) -> str:
        """A text with the console's URL and the user's credentials."""
        return f"Watch in a browser: {self.url}/ui/ (user {self.user}, password {self.password})"


class ServerProcess:
    """The parent's side. Usable as a context manager."""

    def __init__(self, *, tls: bool = True, module: str = "tests.simulator.serve") -> None:
        self._command = [sys.executable, "-m", module, *(["--tls"] if tls else [])]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by stop
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Address:
        """Start the server; returns once it serves."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,  # Ctrl-C goes to the parent only, which then ends this process
        )
        try:
            return Address.read(self._answer(self._process))
        except BaseException:
            self.stop()
            raise

    def run(self, command: str, **arguments: Any) -> Mapping[str, Any]:
        """Run a command in the child; returns its answer.

        Raises:
            ServerFailedError: the command failed.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise ServerFailedError("the server is not running")
        process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        process.stdin.flush()
        return self._answer(process)

    def stop(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()
            process.stdout.read()
            process.stdout.close()
            process.wait()
        self._log.close()

    def log(self) -> str:
        """The end of the child's log."""
        self._log.seek(0)
        return self._log.read()[-3000:].strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answer(self, process: subprocess.Popen[str]) -> Mapping[str, Any]:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise ServerFailedError(f"the server ended:\n{self.log()}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise ServerFailedError(f"the server could not do that: {answer['failed']}\n{self.log()}")
        return answer


def serve(commands: Mapping[str, Command]) -> None:
    """The child's side: serve, and run ``commands`` by name until the standard input ends."""
    out = sys.stdout
    sys.stdout = sys.stderr  # other output must not be taken for an answer
    with tempfile.TemporaryDirectory() as folder, LocalServer(tls="--tls" in sys.argv) as server:
        migrations.store().version()  # as `make run` does, so that data are stored in the newest form
        first, _ = ensure_first_tenant(Path(folder) / "first_tenant.json")
        server.workers.start()
        try:
            facts = {"url": server.url, "ca": str(server.ca or ""), **asdict(first)}
            print(json.dumps(facts), file=out, flush=True)
            for line in sys.stdin:
                print(json.dumps(_run_command(commands, server, json.loads(line))), file=out, flush=True)
        finally:
            server.workers.stop()


def look(_server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Have the schedule look at a deployment now, which it does once a minute by itself."""
    from chalicelib import clock
    from chalicelib.deployments.service import managing
    from chalicelib.deployments.tables import deployments, progress

    stored = deployments.find(order["tenant"], order["deployment"])
    if stored is not None and stored.is_open:
        progress.check_again(order["tenant"], stored, clock.now())
        managing.tick(clock.now())
    return {}


def _run_command(commands: Mapping[str, Command], server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return commands[order["command"]](server, order)
    except Exception as error:  # noqa: BLE001  # reported to the parent
        return {"failed": repr(error)}


if __name__ == "__main__":
    serve({"look": look})
