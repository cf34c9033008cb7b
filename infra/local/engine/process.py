"""Starts and stops the embedded AWS engine as a child process."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from infra.local import private
from infra.local.signatures import Key
from infra.paths import ROOT

if TYPE_CHECKING:
    from types import TracebackType


REGION = "eu-west-1"
"""The region of the embedded engine."""

READY = "/ready"
"""The path that answers 204 once the engine serves."""

START_LIMIT = 60.0
"""Maximum seconds until the engine answers; it needs 0.4 s, or some seconds with a large state."""

STOP_LIMIT = 60.0
"""Maximum seconds for the engine to write its state and stop."""

SETUP = """\
The embedded AWS engine has no Python environment of its own at {python}.
Make it with `make env`, or by hand:
    python3 -m venv {venv} && {venv}/bin/python -m pip install -r requirements-engine.txt
Or name the interpreter of an existing one in LAMPLIGHTER_ENGINE_PYTHON."""


class EngineError(Exception):
    """The engine could not be started; the message says why and what to do."""


class Engine:
    """An AWS engine on loopback for one data folder. It is a context manager.

    It answers only requests that are signed with its own access key, which is stored in the folder, so links signed
    before a restart still work.

    ``persist=False`` stores nothing: the state is lost with the process. ``functions=True`` also runs the services that
    a deployment needs (Lambda, API Gateway), and answers calls of deployed APIs; ``auth=True`` also enforces IAM
    policies. ``port=None`` takes any free port. The process never outlives this one, even if this one is killed.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        persist: bool = True,
        functions: bool = False,
        auth: bool = False,
        port: int | None = None,
    ) -> None:
        self._data = data_dir.resolve()
        self._persist = persist
        self._functions = functions or auth
        self._auth = auth
        self._wanted_port = port or 0
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:PORT`` of the running engine."""
        if self._port is None:
            raise EngineError("the engine is not running")
        return f"http://127.0.0.1:{self._port}"

    @property
    def key(self) -> Key:
        """The access key of the running engine."""
        return Key(*json.loads(self._key_file.read_text()))

    @property
    def pid(self) -> int:
        """Process id of the running engine."""
        if self._process is None:
            raise EngineError("the engine is not running")
        return self._process.pid

    @property
    def log(self) -> Path:
        """The engine's log file; it is overwritten at each start."""
        return self._data / "engine.log"

    def env(self) -> dict[str, str]:
        """The ``AWS_*`` variables that make any AWS SDK use only the engine."""
        key = self.key
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            # A developer's own profiles and instance roles must never be used.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Start the engine and return once it answers.

        Raises:
            EngineError: no interpreter, the port is busy, or the engine ended or did not answer.
        """
        python = interpreter()
        private.folder(self._data)
        (self._data / "tmp").mkdir(exist_ok=True)
        self._ensure_key()
        with _listen(self._wanted_port) as listener:
            self._port = port = listener.getsockname()[1]
            command = [str(python), "-m", "infra.local.engine.launcher", "--fd", str(listener.fileno())]
            command += ["--key", str(self._key_file)]
            if self._functions:
                command.append("--functions")
            if self._persist:
                command += ["--state", str(self._data / "state")]
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=self._environment(),
                    stdin=subprocess.PIPE,  # closed when this process ends, which ends the engine
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    umask=0o077,
                    pass_fds=[listener.fileno()],
                    start_new_session=True,  # Ctrl-C is for the app first; the engine stops after it
                )
        try:
            self._await_health(self._process, port)
        except BaseException:
            self.stop()
            raise

    def watch(self) -> NoReturn:
        """Wait until the engine ends by itself.

        Raises:
            EngineError: it has ended.
        """
        if self._process is None:
            raise EngineError("the engine is not running")
        code = self._process.wait()
        raise EngineError(
            f"the embedded AWS engine has ended (exit code {code}), and without it no call can be answered. "
            f"Nothing that was answered is lost: start the server again. The engine's log is {self.log}"
        )

    def stop(self) -> None:
        """Write the state and stop the engine; does nothing if it is not running."""
        process, self._process, self._port = self._process, None, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

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

    @property
    def _key_file(self) -> Path:
        return self._data / "key.json"

    def _ensure_key(self) -> None:
        if not self._key_file.exists():
            private.write(self._key_file, ["LAMPLIGHTER" + secrets.token_hex(4).upper(), secrets.token_hex(32)])

    def _environment(self) -> dict[str, str]:
        # Its Lambda functions inherit its variables, but must get an app's settings from their own configuration only.
        foreign = ("AWS_", "LAMPLIGHTER_", "PYTHON")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return inherited | {
            "AUTH": "true" if self._auth else "false",
            # Only one port: these two services would open further ones.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It would look for containers to clean up on the developer's Docker.
            "DOCKER_HOST": f"unix://{self._data}/no-docker.sock",
            "GATEWAY_PORT": str(self._port),
            "LOG_LEVEL": os.environ.get("LAMPLIGHTER_ENGINE_LOG", "WARNING"),
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1" if self._persist else "0",
            "PYTHONUNBUFFERED": "1",
            "S3_DATA_DIR": str(self._data / "objects"),
            "S3_PERSIST": "1" if self._persist else "0",
            "TMPDIR": str(self._data / "tmp"),
        }

    def _await_health(self, process: subprocess.Popen[bytes], port: int) -> None:
        """Poll until the engine answers. The socket listens from the beginning, so a poll mostly waits."""
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EngineError(f"the embedded AWS engine stopped while starting:\n{self._log_end()}")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
            try:
                connection.request("GET", READY)
                if connection.getresponse().status == 204:
                    return
            except (OSError, http.client.HTTPException):
                continue
            finally:
                connection.close()
        raise EngineError(f"the embedded AWS engine did not answer within {START_LIMIT:.0f} s:\n{self._log_end()}")

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-2000:].strip()


def interpreter() -> Path:
    """The Python of the engine's own environment.

    Raises:
        EngineError: there is none.
    """
    named = os.environ.get("LAMPLIGHTER_ENGINE_PYTHON")
    python = Path(named) if named else ROOT / ".venv-engine" / "bin" / "python"
    if not python.exists():
        raise EngineError(SETUP.format(python=python, venv=python.parents[1]))
    return python


def _listen(port: int) -> socket.socket:
    """Open a listening socket on loopback. Passing it to the engine keeps the port reserved all the time."""
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise EngineError(f"the embedded AWS engine cannot listen on port {port}: {error.strerror}") from error
    return listener
