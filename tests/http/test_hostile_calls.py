"""Malicious requests through the other gateways: they are answered like any other, and forged headers are ignored."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.http import gateway_events
from chalicelib.http.routing import RouteTable
from infra.local.lambda_context import LambdaContext
from infra.local.testing import LocalServer
from tests.all_routes.table import routes
from tests.http.events import CLIENT, Sent
from tests.http.test_gateways import names as parameters
from tests.http.test_gateways import plain, segments, serve_event

Event = dict[str, Any]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.lists(text, max_size=3)
forwarded = st.sampled_from(
    ["x-forwarded-for", "X-Forwarded-For", "cookie", "Cookie", "x-lamplighter-client", "accept"]
)
names = text | forwarded
paths = text | st.lists(
    st.sampled_from(
        ["api", "devices", "special", "groups", "..", ".", "", ";a=b", "%2F", "%", "%zz", "%ff", "%00", "é"]
    ),
    max_size=6,
).map(lambda parts: "/" + "/".join(parts))
verbs = st.sampled_from(["GET", "HEAD", "OPTIONS", "PATCH", "POST", "TRACE", "get", "PROPFIND"])
several = st.none() | st.dictionaries(names, values, max_size=4)
single = st.none() | st.dictionaries(names, text, max_size=4)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """Events with only some of these members."""
    return st.fixed_dictionaries({}, optional=fields)


common = optional(
    body=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    isBase64Encoded=st.just(value=False),
)
by_balancer = optional(
    multiValueHeaders=several,
    headers=single,
    multiValueQueryStringParameters=several,
    queryStringParameters=single,
)
by_http_api = optional(
    headers=single,
    multiValueHeaders=several,
    queryStringParameters=single,
    multiValueQueryStringParameters=st.none() | st.dictionaries(names, st.lists(text, min_size=1), max_size=3),
    pathParameters=st.none(),
    stageVariables=st.none(),
)
contexts = {
    "balancer": {"elb": {"targetGroupArn": "arn"}},
    "http_api": {"resourcePath": "$default", "identity": {"sourceIp": CLIENT}, "requestId": "x", "stage": "$default"},
}


def is_answer(result: Event) -> bool:
    """Whether a gateway can pass this on."""
    lines = result.get("multiValueHeaders") or {}
    json.dumps(result)
    return (
        isinstance(result["statusCode"], int)
        and result["statusCode"] < 500
        and isinstance(result["body"], str)
        and all(isinstance(each, str) for each in (result.get("headers") or {}).values())
        and all(isinstance(each, str) for values in lines.values() for each in values)
    )


@given(path=paths, verb=verbs, more=common, own=by_balancer)
def test_any_request_from_a_load_balancer_is_answered(path: str, verb: str, more: Event, own: Event) -> None:
    event = {"requestContext": contexts["balancer"], "httpMethod": verb, "path": path, **more, **own}

    result = serve_event(event)

    assert is_answer(result)
    assert ("multiValueHeaders" in result) is ("headers" not in own)


@given(path=paths, verb=verbs, more=common, own=by_http_api)
def test_any_request_from_an_http_api_is_answered(path: str, verb: str, more: Event, own: Event) -> None:
    event = {"requestContext": contexts["http_api"], "httpMethod": verb, "path": path, "version": "1.0", **more, **own}

    assert is_answer(serve_event(event))


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["192.0.2.1"], "192.0.2.1"),
        (["203.0.113.66, 192.0.2.1"], "192.0.2.1"),
        (["203.0.113.66,192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1:4321"], "192.0.2.1"),
        (["2001:db8::7"], "2001:db8::7"),
        (["2001:DB8:0::7"], "2001:db8::7"),
        (["[2001:db8::7]:4321"], "2001:db8::7"),
        (["203.0.113.66", "192.0.2.1"], ""),
        (["203.0.113.66, 192.0.2.1", "203.0.113.67"], ""),
        (["somewhere"], ""),
        (["192.0.2.1, "], ""),
        (["[2001:db8::7"], "2001:db8::7"),
        (["9" * 3000], ""),
        ([], ""),
    ],
)
def test_the_callers_address_is_the_one_that_the_load_balancer_added(lines: list[str], client: str) -> None:
    """Earlier addresses and additional header lines were sent by the caller."""
    event = Sent("GET", "/devices/a").balancer()
    for name in ("x-forwarded-for", "X-Forwarded-For"):
        event["multiValueHeaders"] = {name: lines, "x-real-ip": ["203.0.113.66"]}

        assert json.loads(serve_event(event)["body"])["client"] == client


def test_cookies_may_be_in_several_headers() -> None:
    event = Sent("GET", "/devices/a", headers={"cookie": ["JWT=token", "theme=dark"]}).balancer()

    assert json.loads(serve_event(event)["body"])["headers"]["cookie"] == "JWT=token; theme=dark"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_app_answers_the_same_through_every_gateway(
    server: LocalServer, api: httpx2.Client, data: st.DataObject
) -> None:
    """Reads by an administrator, other calls without a token, both with unusual ids and queries."""
    table = RouteTable(server.app.routes)
    route = data.draw(st.sampled_from(list(routes(server.app))), label="route")
    ids = {name: quote(data.draw(segments), safe="") for name in route.variables}
    query = urlencode(data.draw(st.lists(st.tuples(parameters | st.sampled_from(USUAL), parameters), max_size=4)))
    lines = {"content-type": [data.draw(st.sampled_from(TYPES))], "x-men-requestid": ["same"]}
    if route.spec.method == "GET":
        lines["authorization"] = [api.headers["Authorization"]]
    body = b"" if route.spec.method == "GET" else data.draw(st.text(max_size=30)).encode()
    sent = Sent(route.spec.method, route.spec.path.format(**ids), query, lines, body)

    def call(event: Event) -> Event:
        answer: Event = server.app(event, LambdaContext("api", 29))
        return answer

    wanted = joined(call(sent.rest(table)))
    assert wanted[0] < 500
    doors_of = [sent.balancer(), sent.balancer(several=False)]
    if not route.spec.changes_by_name:  # which an HTTP API may have changed: 400 for every caller
        doors_of.append(sent.http_api())
    for event in doors_of:
        if event.get("queryStringParameters") and "multiValueQueryStringParameters" not in event:
            continue  # this format has only one value of a repeated parameter
        assert joined(gateway_events.serve(event, table, call)) == wanted


def joined(result: Event) -> tuple[int, dict[str, str], Any]:
    """The answer with one line per header, since one gateway supports no more; it is equivalent (RFC 9110, 5.3)."""
    status, lines, body = plain(result)
    return status, {name: ", ".join(values) for name, values in lines.items()}, body


USUAL = ["page", "per_page", "sort", "name", "limit", "status", "created_after", "id"]
TYPES = ["application/json", "multipart/form-data; boundary=x", "text/plain", "nonsense", ""]
