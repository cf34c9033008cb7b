"""The first call of a function that has just started, as Lambda runs it: a poll that brings nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx2

from infra.local.testing import LocalServer
from infra.scripts.package import ROOT
from tests.deployments.world import World, serves_nothing
from tests.house.test_house import NEVER_AT_START

NOT_FOR_A_POLL = {
    *NEVER_AT_START,
    "chalicelib.deviceconnect",
    "chalicelib.outbound",
    "chalicelib.tenantadm",
    "chalicelib.useradm",
    "http.cookies",
    "smtplib",
}

PROGRAM = """
import json, sys
import app

class Context:
    def get_remaining_time_in_millis(self):
        return 29_000

answer = app.app(json.loads(sys.argv[1]), Context())
print(json.dumps([answer["statusCode"], list(sys.modules)]))
"""

PATH = "/devices/v2/deployments/device/deployments/next"


def event(token: str) -> dict[str, object]:
    """A poll as API Gateway hands it over."""
    return {
        "resource": PATH,
        "path": PATH,
        "httpMethod": "POST",
        "headers": {"content-type": "application/json", "authorization": f"Bearer {token}"},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"httpMethod": "POST", "resourcePath": PATH, "path": f"/api{PATH}", "identity": {}},
        "body": json.dumps({"device_provides": {"device_type": "qemux86-64", "artifact_name": "original"}}),
        "isBase64Encoded": False,
    }


def test_a_first_poll_loads_only_what_a_poll_needs(
    server: LocalServer, api: httpx2.Client, http: httpx2.Client, tenant
) -> None:
    device = World(api, http, tenant.tenant_token).device()
    serves_nothing(device.poll())

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(event(str(device.token)))],
        cwd=ROOT,
        env={**os.environ, "AWS_LAMBDA_FUNCTION_NAME": "api_handler"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()  # an idle poll writes no other
    status, loaded = json.loads(line)
    assert status == 204
    assert set(loaded) & NOT_FOR_A_POLL == set()
