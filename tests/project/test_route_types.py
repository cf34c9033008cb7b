"""A route that does not fit its audience is refused by mypy, before any test runs."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

from app import app
from infra.paths import ROOT

START = """
from chalice.app import Blueprint
from chalicelib.http.endpoint import device_route, public_route, user_route
from chalicelib.http.request import DeviceRequest, Reply, Request, UserRequest
from chalicelib.rights import Permission

bp = Blueprint(__name__)
"""

USER = "@user_route(bp, 'GET /management/v1/lamps', Permission.BASIC)"
DEVICE = "@device_route(bp, 'GET /devices/v1/lamps')"
PUBLIC = "@public_route(bp, 'POST /lamps')"

WRONG = {
    "a user's route without a permission": (
        USER.replace(", Permission.BASIC", ""),
        "def handler(request: UserRequest) -> Reply[None]: ...",
        'Missing positional argument "permission"',
    ),
    "a user's route with a device's request": (
        USER,
        "def handler(request: DeviceRequest) -> Reply[None]: ...",
        "cannot be",
    ),
    "a device's route with a user's request": (
        DEVICE,
        "def handler(request: UserRequest) -> Reply[None]: ...",
        "cannot be",
    ),
    "a device's route with a permission": (
        DEVICE.replace(")", ", permission=Permission.BASIC)"),
        "def handler(request: DeviceRequest) -> Reply[None]: ...",
        'Unexpected keyword argument "permission"',
    ),
    "a public route that reads the tenant": (
        PUBLIC,
        "def handler(request: Request) -> Reply[str]: return Reply(body=request.tenant)",
        'has no attribute "tenant"',
    ),
    "a body without what the handler reads": (
        PUBLIC,
        "def handler(request: Request, body: list[str]) -> Reply[str]: return Reply(body=body.name)",
        'has no attribute "name"',
    ),
}
"""Decorators, handlers, and what mypy says of them."""


def test_mypy_refuses_a_route_that_does_not_fit(tmp_path: Path) -> None:
    right = (USER, "def handler(request: UserRequest) -> Reply[str]: return Reply(body=request.tenant)", "")
    for number, (decorator, handler, _) in enumerate([right, *WRONG.values()]):
        (tmp_path / f"route{number}.py").write_text(f"{START}\n\n{decorator}\n{handler}\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    files = sorted(map(str, tmp_path.glob("*.py")))
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)

    said = [" ".join(re.findall(rf"route{number}\.py:\d+: error: (.*)", done.stdout)) for number in range(len(files))]
    assert said[0] == "", done.stdout + done.stderr
    for (what, (_, _, expected)), errors in zip(WRONG.items(), said[1:], strict=True):
        assert expected in errors, (what, done.stdout + done.stderr)


def test_the_parameters_of_a_handler_match_its_route() -> None:
    """The request, then the body where there is one, then the variables of the path by their names."""
    wrong = []
    for path, handlers in app.routes.items():
        for method, entry in handlers.items():
            handler = inspect.unwrap(entry.view_function)
            first, *others = inspect.signature(handler).parameters
            body = others[:1] if others[:1] == ["body"] else []
            variables = set(re.findall(r"\{(\w+)\}", path))
            if first.lstrip("_") != "request" or set(others[len(body) :]) != variables:
                wrong.append(f"{method} {path}: {first}, {others}")
    assert wrong == []
