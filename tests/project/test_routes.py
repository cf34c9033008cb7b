"""The table of route modules: complete, correct, and loaded on demand on Lambda."""

import json
import os
import subprocess
import sys
from importlib import import_module

from app import app
from chalicelib.http.endpoint import EndpointSpec
from chalicelib.routes import MODULES, prefix_of
from infra.paths import ROOT
from infra.scripts.feature_entry import ROUTES

ON_LAMBDA = """
import json, sys
from app import app

def call(method, path):
    event = {
        "resource": path, "path": "/api" + path, "httpMethod": method, "headers": {}, "multiValueHeaders": {},
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": {},
        "stageVariables": None, "body": None, "isBase64Encoded": False,
        "requestContext": {"resourcePath": path, "httpMethod": method, "path": "/api" + path, "stage": "api"},
    }
    return app(event, None)["statusCode"]

seen = [len(app.routes)]
seen.append(call("POST", "/devices/v2/deployments/device/deployments/next"))
seen.append(sorted(name for name in sys.modules if ".management_" in name))
seen.append(call("GET", "/management/v2/devauth/devices"))
seen.append(call("GET", "/management/v2/devauth/devices"))
seen.append(sorted(name for name in sys.modules if ".management_" in name))
seen.append([name for name in sys.modules if name in ("chalicelib.http.gateway_events", "chalicelib.http.routing")])
print(json.dumps(seen))
"""


def modules_of_routes() -> list[str]:
    """All there are; of a package those that are in it."""
    paths = [path.relative_to(ROOT / "chalicelib").with_suffix("") for path in (ROOT / "chalicelib").rglob("*.py")]
    return sorted(
        ".".join(path.parts)
        for path in paths
        if path.parts[1:2] and path.parts[1] in ROUTES and path.name != "__init__"
    )


def test_every_module_of_routes_is_listed_once() -> None:
    assert sorted(module for modules in MODULES.values() for module in modules) == modules_of_routes()


def test_a_module_declares_only_paths_below_its_prefix() -> None:
    wrong = []
    for path, views in app.routes.items():
        for method, entry in views.items():
            spec: EndpointSpec = entry.view_function.endpoint_spec  # type: ignore[attr-defined]
            here = [import_module(f"chalicelib.{name}").__name__ for name in MODULES.get(prefix_of(path), ())]
            if entry.view_function.__module__ not in here:
                wrong.append(f"{method} {spec.path}")
    assert wrong == []


def test_a_lambda_function_loads_only_the_features_that_are_called() -> None:
    env = os.environ | {"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run([sys.executable, "-c", ON_LAMBDA], cwd=ROOT, env=env, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
    before, poll, loaded, listed, again, now, gateways = json.loads(done.stdout)
    assert before == 0
    assert (poll, listed, again) == (401, 401, 401)
    assert loaded == []
    assert now == [
        "chalicelib.devauth.management_v2",
        "chalicelib.devauth.management_v2.acceptance",
        "chalicelib.devauth.management_v2.devices",
    ]
    assert gateways == [], "a REST API needs no finder of routes"
