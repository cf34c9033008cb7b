"""Processes as Lambda restores them with SnapStart: children of one process, which is the snapshot.

A fork has what a restore has: the memory of the process. The credentials come from an endpoint, as there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from infra.paths import ROOT

if TYPE_CHECKING:
    from tests.support.cold_start import Call

_RUNTIME = """
hooks = []

def register_after_restore(hook):
    hooks.append(hook)
"""
"""In place of the module of that name in Lambda's runtimes."""

_SNAPSHOT = """
import json, os, random, socket, sys
import app
import snapshot_restore_py
from chalicelib.aws import client
from chalicelib.storage import dynamodb

requests = []
dynamodb.observers.append(lambda operation, request, answer: requests.append(operation + repr(request)))
call_aws = client.call

def counted(service, target, payload, **more):
    requests.append(target + repr(payload))
    return call_aws(service, target, payload, **more)

client.call = counted

class Context:
    def get_remaining_time_in_millis(self):
        return 29_000

def ports():
    found = []
    for number in range(3, 256):
        try:
            copy = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        with copy:
            if copy.family == socket.AF_INET:
                found.append(copy.getsockname()[1])
    return found

def run():
    requests.clear()
    before = {*sys.modules}
    answer = app.app(json.loads(sys.argv[1]), Context())
    about = {
        "status": answer["statusCode"],
        "requests": sorted(requests),
        "random": random.random(),
        "ports": ports(),
        "imported": sorted({*sys.modules} - before),
    }
    os.write(1, json.dumps(about).encode() + b"\\n")

run()
run()
sys.stdin.readline()
state = random.getstate()
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        random.setstate(state)  # Python gives a fork a state of its own, which a restore does not do
        for hook in snapshot_restore_py.hooks:
            hook()
        run()
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
run()
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A call in one of the processes."""

    status: int
    requests: list[str]
    """What was sent to DynamoDB and other services of AWS."""
    random: float
    """A random number that was drawn after the call."""
    ports: list[int]
    """Local ports of all connections that were open after the call."""
    imported: list[str]
    """The modules that the call imported."""


class Snapshot:
    """A process that made a call twice, and of which two copies can be made."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.cold, self.warm = self._run(), self._run()

    def restore(self) -> tuple[list[Run], Run]:
        """Make the call in two restored processes, and then once more in the first, which was not restored."""
        self._write("\n")
        return [self._run(), self._run()], self._run()

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _run(self) -> Run:
        assert self._process.stdout is not None
        # A refused call logs a line, which has no such member.
        while line := self._process.stdout.readline():
            found: dict[str, Any] = json.loads(line)
            if "requests" in found:
                return Run(**found)
        raise RuntimeError(f"the process ended with {self._process.wait()}")


@contextmanager
def snapshot(call: Call, folder: Path, endpoint: str) -> Iterator[Snapshot]:
    """A process that was started as Lambda starts one of which it makes a snapshot, and made this call.

    ``folder`` is empty; ``endpoint`` gives it credentials.
    """
    (folder / "snapshot_restore_py.py").write_text(_RUNTIME)
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    environment = {name: value for name, value in os.environ.items() if name not in keys} | {
        "AWS_LAMBDA_FUNCTION_NAME": "api_handler",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "some",
        "LAMPLIGHTER_CONTROL_CACHE": "3600",  # nothing gets old enough by itself while a test runs
        "LAMPLIGHTER_KEY_CACHE": "3600",
        "PYTHONPATH": str(folder),
    }
    with subprocess.Popen(
        [sys.executable, "-c", _SNAPSHOT, json.dumps(call.event())],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Snapshot(process)
        finally:
            process.kill()


@contextmanager
def credentials() -> Iterator[tuple[str, list[str]]]:
    """Lambda's endpoint for credentials, which gives those of this process: its URL, and the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = json.dumps(
                {
                    "AccessKeyId": os.environ["AWS_ACCESS_KEY_ID"],
                    "SecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"],
                    "Token": "",
                    "Expiration": "2099-01-01T00:00:00Z",
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/keys", asked
        server.shutdown()
        thread.join()
