"""Cold starts as on Lambda: a new process imports ``app`` and answers a call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.paths import ROOT

if TYPE_CHECKING:
    from tests.simulator.device import Signer

_IMPORT = """
import json, sys

before = {*sys.modules}
import app

print(json.dumps([name for name in sys.modules if name not in before]))
"""

_CALL = """
import json, sys, time

before = {*sys.modules}
begun = time.process_time()
import app

class Context:
    def get_remaining_time_in_millis(self):
        return 29_000

answer = app.app(json.loads(sys.argv[1]), Context())
took = time.process_time() - begun
print(json.dumps([answer["statusCode"], took, [name for name in sys.modules if name not in before]]))
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the REST API; ``path`` is the route's, below the stage, and has no variables."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str = ""

    def event(self) -> dict[str, Any]:
        """The event of API Gateway."""
        place = {"httpMethod": self.method, "resourcePath": self.path, "path": f"/api{self.path}", "identity": {}}
        return {
            "resource": self.path,
            "path": self.path,
            "httpMethod": self.method,
            "headers": {"content-type": "application/json", **self.headers},
            "multiValueHeaders": {},
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": place,
            "body": self.body,
            "isBase64Encoded": False,
        }


def usual_calls(device: Signer, token: str) -> dict[str, Call]:
    """The most frequent calls of an accepted device, by name: its inventory is new, and it has no deployment."""
    bearer = {"authorization": f"Bearer {token}"}
    raw = device.auth_body()
    provides = {"artifact_name": "original", "device_type": "qemux86-64"}
    attributes = [{"name": name, "value": value} for name, value in provides.items()]
    return {
        "auth request": Call(
            "POST", "/devices/v1/authentication/auth_requests", {"x-men-signature": device.sign(raw)}, raw.decode()
        ),
        "inventory": Call("PATCH", "/devices/v1/inventory/device/attributes", bearer, json.dumps(attributes)),
        "poll": Call(
            "POST",
            "/devices/v2/deployments/device/deployments/next",
            bearer,
            json.dumps({"device_provides": provides, "update_control_map": True}),
        ),
    }


@dataclass(frozen=True, slots=True)
class First:
    """The result of a first call, with CPU seconds and loaded modules from import to answer."""

    status: int
    seconds: float
    modules: frozenset[str]


def first_call(call: Call, place: Path | None = None) -> First:
    """Answer one call in a new process, on the storage of the server that runs in this one.

    ``place``: a folder with everything that the app needs; None: this checkout and its environment.
    """
    # An idle call logs no line; others may log one before our result.
    status, seconds, modules = json.loads(_run(_CALL, json.dumps(call.event()), place=place).splitlines()[-1])
    return First(status, seconds, frozenset(modules))


def imported() -> frozenset[str]:
    """The modules that importing ``app`` loads."""
    return frozenset(json.loads(_run(_IMPORT)))


def _run(program: str, *arguments: str, place: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *([] if place is None else ["-S"]), "-c", program, *arguments],
        cwd=place or ROOT,
        env={**os.environ, "AWS_LAMBDA_FUNCTION_NAME": "api_handler"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout
