"""The same requests through all gateways: a REST API, an HTTP API, a load balancer."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import uuid
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from chalice.app import Chalice, Response
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.auditlogs import tables
from chalicelib.http import gateway_events
from chalicelib.http.routing import RouteTable
from chalicelib.tenantadm.service import Tenant
from infra.local.lambda_context import LambdaContext
from infra.local.testing import LocalServer
from infra.paths import ROOT
from tests.artifacts.catalog import ARTIFACTS
from tests.http.events import BINARY, CLIENT, Event, Sent
from tests.simulator.artifacts import build_artifact

echo = Chalice("echo")
echo.api.binary_types += [*BINARY]
VERBS = ["DELETE", "GET", "POST", "PUT"]
ANY = ["*/*"]


def said(**more: Any) -> Response:
    """Everything that a view can see of a request."""
    call = echo.current_request
    assert call is not None
    event = call.to_original_event()
    raw = call.raw_body
    seen = {
        "method": call.method,
        "path": event["path"],
        "resource": event["resource"],
        "variables": call.uri_params,
        "query": event["multiValueQueryStringParameters"],
        "last": event["queryStringParameters"],
        "headers": {name: value for name, value in call.headers.items() if not name.startswith("x-forwarded")},
        "body": base64.b64encode(raw if isinstance(raw, bytes) else raw.encode()).decode(),
        "client": event["requestContext"]["identity"]["sourceIp"],
        **more,
    }
    return Response(json.dumps(seen), {"X-Seen": ["one", "two"], "Content-Type": "application/json"}, 207)


@echo.route("/devices/{id}", methods=VERBS, content_types=ANY)
def of_device(id: str) -> Response:
    return said(id=id)


@echo.route("/devices/special", methods=["GET", "PUT"], content_types=ANY)
def special() -> Response:
    return said()


@echo.route("/devices/{id}/groups/{name}", methods=VERBS, content_types=ANY)
def of_group(id: str, name: str) -> Response:
    return said(id=id, name=name)


@echo.route("/file", methods=["GET"], content_types=ANY)
def file() -> Response:
    return Response(bytes(range(256)), {"Content-Type": "application/octet-stream"}, 200)


ROUTES = RouteTable(echo.routes)


def rest(sent: Sent) -> Event:
    return echo(sent.rest(ROUTES), None)


def serve_event(event: Event) -> Event:
    return gateway_events.serve(event, ROUTES, lambda call: echo(call, None))


def plain(result: Event) -> tuple[int, dict[str, list[str]], Any]:
    """Status, headers and body of an answer, in any format of headers."""
    lines = {name.lower(): [str(value)] for name, value in (result.get("headers") or {}).items()}
    lines |= {name.lower(): values for name, values in (result.get("multiValueHeaders") or {}).items()}
    body = result.get("body") or ""
    return result["statusCode"], lines, base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()


def other_gateways(sent: Sent) -> list[Event]:
    return [sent.http_api(), sent.balancer()]


segments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: text not in (".", "..")
)
names = st.text("abcxyz-_ é&=+%", min_size=1, max_size=6)
queries = st.lists(st.tuples(names, st.text(max_size=8).filter(lambda text: "\ud800" not in text)), max_size=5)
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=10)
headers = st.dictionaries(
    st.sampled_from(["accept-language", "authorization", "x-men-requestid", "x-own"]),
    st.lists(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=10), min_size=1, max_size=3
    ),
)
bodies = st.one_of(
    st.tuples(st.just("application/json"), st.text(max_size=20).map(str.encode)),
    st.tuples(st.just("application/octet-stream"), st.binary(max_size=40)),
)


@given(
    verb=st.sampled_from(VERBS),
    ids=st.lists(segments, min_size=1, max_size=2),
    query=queries,
    lines=headers,
    body=bodies,
)
def test_a_request_is_the_same_through_every_gateway(
    verb: str, ids: list[str], query: list[tuple[str, str]], lines: dict[str, list[str]], body: tuple[str, bytes]
) -> None:
    path = "/devices/" + "/groups/".join(quote(each, safe="") for each in ids)
    kind = {"content-type": [body[0]], "accept": ["*/*"]}
    sent = Sent(verb, path, urlencode(query), lines | kind, body[1])
    if path == "/devices/special" and verb in ("DELETE", "POST"):
        return

    wanted = plain(rest(sent))

    assert wanted[0] == 207
    for event in other_gateways(sent):
        assert plain(serve_event(event)) == wanted


@given(ids=st.lists(segments.filter(lambda text: not set(text) & set("/%")), min_size=1, max_size=2))
def test_a_path_decoded_by_an_http_api_is_found_as_well(ids: list[str]) -> None:
    path = "/devices/" + "/groups/".join(quote(each, safe="") for each in ids)

    status, _, body = plain(serve_event(Sent("GET", path).http_api(decoded=True)))

    assert status == 207
    assert json.loads(body)["resource"] == ("/devices/special" if ids == ["special"] else ROUTES.find(path).template)  # type: ignore[union-attr]


def test_a_static_path_takes_precedence_over_a_variable() -> None:
    for event in other_gateways(Sent("PUT", "/devices/special")):
        assert json.loads(serve_event(event)["body"])["resource"] == "/devices/special"


def test_binary_answers_are_unchanged() -> None:
    for event in other_gateways(Sent("GET", "/file", headers={"accept": ["application/octet-stream"]})):
        result = serve_event(event)

        assert result["isBase64Encoded"] is True
        assert plain(result)[2] == bytes(range(256))


def test_a_load_balancer_without_multi_value_headers_gets_single_ones() -> None:
    sent = Sent("GET", "/devices/a%2Fb", "q=%C3%A9+x&q=2", {"x-own": ["1"]})

    result = serve_event(sent.balancer(several=False))

    assert result["headers"]["X-Seen"] == "one, two"
    assert "multiValueHeaders" not in result
    seen = json.loads(result["body"])
    assert (seen["id"], seen["last"], seen["client"]) == ("a%2Fb", {"q": "2"}, CLIENT)


@pytest.mark.parametrize(
    ("method", "path", "status", "error", "allow"),
    [
        ("GET", "/nothing", 404, "not found", None),
        ("GET", "/devices", 404, "not found", None),
        ("GET", "/devices/a/groups", 404, "not found", None),
        ("POST", "/devices/special", 405, "method not allowed", ["GET", "OPTIONS", "PUT"]),
        ("PATCH", "/devices/a", 405, "method not allowed", ["DELETE", "GET", "OPTIONS", "POST", "PUT"]),
    ],
)
def test_unknown_paths_and_methods_are_refused_as_by_mender(
    method: str, path: str, status: int, error: str, allow: list[str] | None
) -> None:
    for event in other_gateways(Sent(method, path, headers={"X-MEN-RequestID": ["mine"]})):
        answered, lines, body = plain(serve_event(event))

        assert answered == status
        assert json.loads(body) == {"error": error, "request_id": "mine"}
        assert lines["x-men-requestid"] == ["mine"]
        assert lines["content-type"] == ["application/json"]
        assert lines.get("allow") == allow


def test_a_path_outside_of_the_api_gets_404() -> None:
    for path in ("/", "/apidevices/a", "/devices/a", "/api", ""):
        for event in other_gateways(Sent("GET", "/devices/a")):
            assert serve_event(event | {"path": path})["statusCode"] == 404


def test_head_has_no_body_and_options_lists_the_methods() -> None:
    for event in other_gateways(Sent("HEAD", "/devices/a")):
        assert plain(serve_event(event))[::2] == (207, b"")
    for event in other_gateways(Sent("OPTIONS", "/devices/special")):
        status, lines, _ = plain(serve_event(event))
        assert (status, lines["allow"]) == (200, ["GET", "OPTIONS", "PUT"])


@pytest.mark.parametrize("gateway", ["http_api", "balancer"])
def test_the_app_serves_an_operator(server: LocalServer, api: httpx2.Client, gateway: str) -> None:
    """A form with binary data, a list, and an unknown id."""
    routes = RouteTable(server.app.routes)

    def call(method: str, path: str, query: str = "", body: bytes = b"", **more: str) -> Event:
        lines = {name.lower().replace("_", "-"): [value] for name, value in more.items()}
        lines["authorization"] = [api.headers["Authorization"]]
        sent = Sent(method, path.removeprefix("/api"), query, lines, body)
        event: Event = getattr(sent, gateway)()
        return gateway_events.serve(event, routes, lambda each: server.app(each, LambdaContext("api", 29)))

    form = httpx2.Request(
        "POST", "http://x", files={"artifact": ("a.mender", build_artifact("gateway", ["pi"], b"\0\xff"))}
    )
    made = call("POST", ARTIFACTS, body=form.read(), Content_Type=form.headers["content-type"])
    listed = call("GET", f"{ARTIFACTS}/list", "name=gateway&per_page=1")
    missing = call("GET", f"{ARTIFACTS}/{uuid.uuid4()}")

    assert made["statusCode"] == 201, made
    assert [row["name"] for row in json.loads(listed["body"])] == ["gateway"]
    assert plain(listed)[1]["x-total-count"] == ["1"]
    assert (missing["statusCode"], set(json.loads(missing["body"]))) == (404, {"error", "request_id"})


@pytest.mark.parametrize(
    ("secret", "headers", "caller"),
    [
        ("between-us", {"X-Lamplighter-Edge": "between-us", "X-Lamplighter-Client": "2001:db8::7"}, "2001:db8::7"),
        ("between-us", {"x-lamplighter-edge": "between-us", "x-lamplighter-client": "192.0.2.1"}, "192.0.2.1"),
        ("between-us", {"X-Lamplighter-Edge": "between-us"}, "127.0.0.1"),
        ("between-us", {"X-Lamplighter-Edge": "a-guess", "X-Lamplighter-Client": "2001:db8::7"}, "127.0.0.1"),
        ("between-us", {"X-Lamplighter-Edge": "between-ü", "X-Lamplighter-Client": "2001:db8::7"}, "127.0.0.1"),
        ("between-us", {"X-Lamplighter-Client": "2001:db8::7"}, "127.0.0.1"),
        ("", {"X-Lamplighter-Edge": "", "X-Lamplighter-Client": "2001:db8::7"}, "127.0.0.1"),
        ("", {"X-Lamplighter-Client": "2001:db8::7"}, "127.0.0.1"),
        ("", {"X-Forwarded-For": "2001:db8::7", "X-Real-IP": "2001:db8::7"}, "127.0.0.1"),
        ("", {"CloudFront-Viewer-Address": "2001:db8::7:443", "Forwarded": "for=2001:db8::7"}, "127.0.0.1"),
    ],
)
def test_the_callers_address_is_taken_from_an_edge_with_the_secret(
    api: httpx2.Client,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    secret: str,
    headers: dict[str, str],
    caller: str,
) -> None:
    """Callers that bypass the edge can send any header, but do not know the secret."""
    known = replace(settings.current(), edge_secret=secret)
    monkeypatch.setattr(settings, "current", lambda: known)
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": "a-long-enough-one"}

    made = api.post(
        "/api/management/v1/useradm/users",
        json=body,
        headers={name.encode(): value.encode() for name, value in headers.items()},
    )

    assert made.status_code == 201, made.text
    newest = next(iter(tables.by_time(tenant.id, None, None, newest_first=True)))
    assert newest.source_ip == caller


ON_LAMBDA = """
import json, sys
from app import app

events = json.load(sys.stdin)
before = "chalicelib.http.gateway_events" in sys.modules
statuses = [app(event, None)["statusCode"] for event in events]
print(json.dumps([before, statuses, sorted(name for name in sys.modules if ".management_" in name)]))
"""


def test_a_lambda_loads_modules_for_calls_through_other_gateways() -> None:
    poll = Sent("POST", "/devices/v2/deployments/device/deployments/next")
    listed = Sent("GET", "/management/v2/devauth/devices")
    events = [
        poll.http_api(),
        poll.balancer(),
        Sent("GET", "/devices/v2/deployments/nothing").http_api(),
        Sent("GET", "/devices/v2/deployments/device/deployments/next").balancer(),
        listed.balancer(),
        listed.http_api(),
        Sent("GET", "/nowhere").http_api(),
    ]
    env = os.environ | {"AWS_LAMBDA_FUNCTION_NAME": "api", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", ON_LAMBDA],
        cwd=ROOT,
        env=env,
        input=json.dumps(events).encode(),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()
    before, statuses, loaded = json.loads(done.stdout)
    assert before is False
    assert statuses == [401, 401, 404, 405, 401, 401, 404]
    assert loaded == [
        "chalicelib.devauth.management_v2",
        "chalicelib.devauth.management_v2.acceptance",
        "chalicelib.devauth.management_v2.devices",
    ]
