"""The gateway gives the same answers and events as API Gateway."""

from __future__ import annotations

import http.client
import ssl
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2
import pytest
import websockets.exceptions
import websockets.sync.client

from chalicelib.http.routing import RouteTable
from infra.local.gateway import Gateway
from infra.local.rules import Limits
from infra.local.server import PortBusyError, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.testing import LocalServer
    from tests.local.stub_app import Stub

MB = 1024 * 1024


def test_an_event_has_the_format_of_api_gateway(client: httpx2.Client) -> None:
    answer = client.put(
        "/api/devices/a/echo?x=1&x=2&empty=&name=%C3%A9",
        json={"key": "é"},
        headers={"User-Agent": "mender/5", "X-Forwarded-For": "203.0.113.9"},
    )

    event = answer.json()["event"]
    assert event["resource"] == "/devices/{id}/echo"
    assert event["path"] == "/devices/a/echo"
    assert event["httpMethod"] == "PUT"
    assert event["queryStringParameters"] == {"x": "2", "empty": "", "name": "é"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "empty": [""], "name": ["é"]}
    assert event["pathParameters"] == {"id": "a"}
    assert event["stageVariables"] is None
    assert event["body"] == '{"key":"é"}'
    assert event["isBase64Encoded"] is False
    assert event["headers"]["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert event["multiValueHeaders"]["content-type"] == ["application/json"]
    context = event["requestContext"]
    assert context["stage"] == "api"
    assert context["resourcePath"] == "/devices/{id}/echo"
    assert context["path"] == "/api/devices/a/echo"
    assert context["httpMethod"] == "PUT"
    assert context["protocol"] == "HTTP/1.1"
    assert context["domainName"] == "localhost"
    assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "mender/5"}
    assert uuid.UUID(context["requestId"])


def test_without_query_or_body_an_event_has_none(client: httpx2.Client) -> None:
    event = client.get("/api/devices/a/echo").json()["event"]

    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None
    assert event["body"] is None


@pytest.mark.parametrize("sent", ["a%20b", "a%2Fb", "%C3%A9", "a+b", "%252F"])
def test_path_variables_reach_the_app_still_encoded(client: httpx2.Client, sent: str) -> None:
    assert client.get(f"/api/devices/{sent}/echo").json()["id"] == sent


def test_a_static_segment_wins_over_a_variable(client: httpx2.Client) -> None:
    assert client.get("/api/things/special").json()["view"] == "static"
    assert client.get("/api/things/other").json() == {"view": "variable", "id": "other"}


def test_one_trailing_slash_makes_no_difference(client: httpx2.Client) -> None:
    assert client.get("/api/things/special/").json()["view"] == "static"


def test_two_names_for_one_variable_are_refused() -> None:
    with pytest.raises(ValueError, match=r"is called \{id\} elsewhere"):
        RouteTable({"/a/{id}": {}, "/a/{device}/b": {}})


def test_the_clients_request_id_is_returned(client: httpx2.Client) -> None:
    answer = client.get("/api/nowhere", headers={"X-MEN-RequestID": "mine"})

    assert answer.headers["x-men-requestid"] == "mine"
    assert answer.json() == {"error": "not found", "request_id": "mine"}


@pytest.mark.parametrize("sent", [{}, {"X-MEN-RequestID": "x" * 129}])
def test_a_missing_or_huge_request_id_is_replaced(client: httpx2.Client, sent: dict[str, str]) -> None:
    answer = client.get("/api/nowhere", headers=sent)

    assert uuid.UUID(answer.headers["x-men-requestid"])
    assert answer.json()["request_id"] == answer.headers["x-men-requestid"]


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/nowhere", "/things/special", "/api/things//"])
def test_unknown_paths_are_404(client: httpx2.Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"] == "not found"


def test_a_known_path_with_another_verb_is_405(client: httpx2.Client) -> None:
    answer = client.post("/api/devices/a/echo")

    assert answer.status_code == 405
    assert answer.json()["error"] == "method not allowed"
    assert answer.headers.get_list("allow") == ["DELETE", "GET", "OPTIONS", "PUT"]


def test_options_has_a_line_for_each_verb(client: httpx2.Client) -> None:
    answer = client.options("/api/devices/a/echo")

    assert answer.status_code == 200
    assert answer.headers.get_list("allow") == ["DELETE", "GET", "OPTIONS", "PUT"]
    assert answer.content == b""


def test_head_is_a_get_without_its_body(client: httpx2.Client) -> None:
    answer = client.head("/api/large/1234")

    assert answer.status_code == 200
    assert answer.headers["content-length"] == "1234"
    assert answer.content == b""
    assert client.head("/api/body").status_code == 405


def test_ready(client: httpx2.Client) -> None:
    assert client.get("/local/ready").status_code == 204


def test_a_body_of_unknown_length_is_accepted(client: httpx2.Client) -> None:
    chunks = (b"x" * 1000 for _ in range(50))

    answer = client.post("/api/body", content=chunks, headers={"Content-Type": "text/plain"})

    assert answer.json() == {"length": 50_000}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_over_10_mb_is_413(client: httpx2.Client, chunked: bool) -> None:
    whole = b"x" * (10 * MB + 1)
    body = (whole[at : at + MB] for at in range(0, len(whole), MB)) if chunked else whole

    answer = client.post("/api/body", content=body, headers={"Content-Type": "text/plain"})

    assert answer.status_code == 413
    assert answer.json()["error"] == "request too large"


def test_a_lambda_payload_over_6_mb_is_413_and_base64_counts(client: httpx2.Client) -> None:
    body = b"x" * (5 * MB)
    text, binary = {"Content-Type": "text/plain"}, {"Content-Type": "application/octet-stream"}

    assert client.post("/api/body", content=body, headers=text).json() == {"length": 5 * MB}
    assert client.post("/api/binary", content=body, headers=binary).status_code == 413


def test_an_answer_over_6_mb_is_502(client: httpx2.Client) -> None:
    assert len(client.get(f"/api/large/{5 * MB}").content) == 5 * MB
    answer = client.get(f"/api/large/{6 * MB}")

    assert answer.status_code == 502
    assert answer.json()["error"] == "internal server error"


def test_a_result_that_chalice_cannot_encode_is_502(client: httpx2.Client) -> None:
    assert client.get("/api/broken").status_code == 502


def test_204_has_neither_body_nor_length(client: httpx2.Client) -> None:
    answer = client.get("/api/nothing")

    assert answer.status_code == 204
    assert "content-length" not in answer.headers
    assert "content-type" not in answer.headers


def test_a_header_may_have_several_lines(client: httpx2.Client) -> None:
    assert client.get("/api/several").headers.get_list("link") == ["<a>; rel=next", "<b>; rel=last"]


def test_the_default_content_type_is_json(client: httpx2.Client) -> None:
    assert client.get("/api/things/a").headers["content-type"] == "application/json"


def test_binary_bodies_work_for_clients_that_accept_them(client: httpx2.Client) -> None:
    raw = bytes(range(256))
    headers = {"Content-Type": "application/octet-stream", "Accept": "application/octet-stream"}

    assert client.post("/api/binary", content=raw, headers=headers).content == raw


def test_a_connection_serves_many_requests(server: LocalServer) -> None:
    trust = ssl.create_default_context(cafile=str(server.ca))
    connection = http.client.HTTPSConnection(server.url.removeprefix("https://"), context=trust)
    connection.connect()
    socket = connection.sock

    for path, status in (("/api/nothing", 204), ("/api/nowhere", 404), ("/api/things/a", 200)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        assert connection.sock is socket
    connection.close()


def test_concurrent_requests_are_separate(client: httpx2.Client) -> None:
    def ask(number: int) -> bool:
        event = client.get(f"/api/devices/{number}/echo", headers={"X-Number": str(number)}).json()["event"]
        same: bool = event["pathParameters"]["id"] == event["headers"]["x-number"] == str(number)
        return same

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(ask, range(320)))


@pytest.fixture
def short_timeout(stub: Stub) -> Iterator[str]:
    """The stub app behind a gateway that waits only briefly, without TLS."""
    server = Server("127.0.0.1", 0)
    server.start(Gateway(stub.app, limits=Limits(handler=0.1)))
    yield server.url("127.0.0.1")
    server.stop()


def test_a_handler_that_takes_too_long_is_504(short_timeout: str, stub: Stub) -> None:
    stub.release.clear()

    answer = httpx2.get(f"{short_timeout}/api/slow", trust_env=False)

    stub.release.set()
    assert answer.status_code == 504
    assert answer.json()["error"] == "endpoint request timed out"


def test_websockets_are_served_at_their_own_paths_only(server: LocalServer) -> None:
    trust = ssl.create_default_context(cafile=str(server.ca))
    address = server.url.replace("https://", "wss://")

    with (
        pytest.raises(websockets.exceptions.InvalidStatus, match="403"),
        websockets.sync.client.connect(f"{address}/api/devices/elsewhere", ssl=trust),
    ):
        pass


def test_a_busy_port_is_reported() -> None:
    server = Server("127.0.0.1", 0)

    with pytest.raises(PortBusyError, match=str(server.port)):
        Server("127.0.0.1", server.port)
    server.stop()
