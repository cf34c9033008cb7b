"""Names with special characters in paths: no gateway may change another object than the named one."""

from __future__ import annotations

import json
import posixpath
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import httpx2
import pytest

from chalicelib.http import gateway_events
from chalicelib.http.routing import RouteTable
from infra.local.lambda_context import LambdaContext
from infra.local.testing import LocalServer
from tests.artifacts.catalog import ARTIFACTS
from tests.http.events import Sent
from tests.simulator.artifacts import build_artifact

CUT: dict[str, Callable[[str], str]] = {
    "as sent": lambda path: path,
    "decoded": unquote,
    "cut at ?": lambda path: unquote(path).partition("?")[0],
    "cut at #": lambda path: unquote(path).partition("#")[0],
    "decoded twice": lambda path: unquote(unquote(path)),
    "normalized": lambda path: posixpath.normpath(unquote(path)),
}
"""The ways in which an HTTP API, or a proxy in front of it, may change a path."""
ROLES = "/api/management/v1/useradm/roles"


@pytest.mark.parametrize("name", ["a?b", "a#b", "a/b", "a/", "a%3Fb", "a%2Fb", "a/../a", "a;b"])
def test_no_gateway_changes_another_release_or_role(server: LocalServer, api: httpx2.Client, name: str) -> None:
    """There also is one named ``a``, which most of these names may be shortened to."""
    routes = RouteTable(server.app.routes)
    unique = uuid.uuid4().hex[:8]
    other, meant = f"{unique}a", f"{unique}{name}"
    for each in (other, meant):
        assert api.post(ARTIFACTS, files={"artifact": ("a.mender", build_artifact(each, ["pi"], b"x"))}).is_success
    releases = "/api/management/v2/deployments/deployments/releases"
    path = f"{releases}/{quote(meant, safe='')}"

    def call(change: str, method: str, path: str, body: Any) -> int:
        lines = {"authorization": [api.headers["Authorization"]], "content-type": ["application/json"]}
        sent = Sent(method, path.removeprefix("/api"), "", lines, json.dumps(body).encode())
        event = sent.http_api()
        event["path"] = event["requestContext"]["path"] = CUT[change](event["path"])
        answer = gateway_events.serve(event, routes, lambda each: server.app(each, LambdaContext("api", 29)))
        status: int = answer["statusCode"]
        return status

    for change in CUT:
        statuses = {
            call(change, "PATCH", path, {"notes": "meant for another"}),
            call(change, "PUT", f"{path}/tags", ["wrong"]),
            call(change, "DELETE", f"{ROLES}/{quote(meant, safe='')}", None),
            call(change, "PUT", f"{ROLES}/{quote(meant, safe='')}", {"name": other, "permissions": []}),
        }

        assert statuses <= {400, 404, 405}, change
    for each in (other, meant):
        shown = api.get(f"{releases}/{quote(each, safe='')}").json()
        assert (shown["notes"], shown["tags"]) == ("", [])


@pytest.mark.parametrize("name", ["a?b", "a#b", "a/b", "a%3Fb", "a/../a"])
@pytest.mark.parametrize("gateway", ["rest", "balancer"])
def test_gateways_that_keep_the_path_change_the_named_release(
    server: LocalServer, api: httpx2.Client, name: str, gateway: str
) -> None:
    routes = RouteTable(server.app.routes)
    unique = uuid.uuid4().hex[:8]
    for each in (f"{unique}a", f"{unique}{name}"):
        assert api.post(ARTIFACTS, files={"artifact": ("a.mender", build_artifact(each, ["pi"], b"x"))}).is_success
    path = f"/management/v2/deployments/deployments/releases/{quote(unique + name, safe='')}"
    lines = {"authorization": [api.headers["Authorization"]], "content-type": ["application/json"]}
    sent = Sent("PATCH", path, "", lines, b'{"notes": "mine"}')

    if gateway == "rest":
        status = server.app(sent.rest(routes), LambdaContext("api", 29))["statusCode"]
    else:
        handler = lambda each: server.app(each, LambdaContext("api", 29))  # noqa: E731
        status = gateway_events.serve(sent.balancer(), routes, handler)["statusCode"]

    assert status == 204
    assert api.get(f"/api{path}").json()["notes"] == "mine"
    assert api.get(f"/api{path.replace(quote(name, safe=''), 'a')}").json()["notes"] == ""


def test_every_write_with_a_free_name_in_its_path_is_declared(server: LocalServer) -> None:
    """A new route with a name in its path has to declare that, unless the variable is an id or a restricted name."""
    names = {
        f"{method} {path}"
        for path, views in server.app.routes.items()
        for method, view in views.items()
        if method != "GET" and view.view_function.endpoint_spec.changes_by_name  # type: ignore[attr-defined]
    }
    checked = {"group", "alerts"}  # their names consist of letters, digits, "-" and "_" only
    other = {
        f"{method} {path}"
        for path, views in server.app.routes.items()
        for method in views
        if method != "GET" and "{name}" in path and not any(each in path for each in checked)
    }

    assert other <= names
    assert {each.rpartition("/")[0] for each in names} == {
        "PATCH /management/v2/deployments/deployments/releases",
        "PUT /management/v2/deployments/deployments/releases/{name}",
        *(f"{verb} /management/{rest}" for verb in ("PUT", "DELETE") for rest in (
            "v1/useradm/roles", "v2/useradm/roles", "v2/useradm/permission_sets"
        )),
    }  # fmt: skip
