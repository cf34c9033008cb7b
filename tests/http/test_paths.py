"""Different spellings of a path are equal at every gateway, and no spelling changes a name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.http import gateway_events
from chalicelib.http.paths import below, plain
from chalicelib.http.routing import RouteTable
from infra.relay.app import Relay
from tests.support.raw import raw

if TYPE_CHECKING:
    import httpx2

    from infra.local.testing import LocalServer

UNRESERVED = "abcXYZ019-_~"
GROUPS = "/api/management/v1/inventory/groups"
VIEWS: Any = {"GET": SimpleNamespace(view_function=None)}
ROUTES = RouteTable(
    dict.fromkeys(
        ["/devices", "/devices/{id}", "/devices/{id}/config", "/groups/{name}", "/groups/{name}/devices"], VIEWS
    )
)


def escaped(text: str, needless: list[bool]) -> str:
    """The percent-encoded text; with ``needless``, also characters that need no encoding."""
    found = []
    for at, character in enumerate(text):
        plainly = character in UNRESERVED and not needless[at % len(needless)]
        found.append(character if plainly else "".join(f"%{byte:02X}" for byte in character.encode()))
    return "".join(found)


encodable = st.characters(exclude_categories=["Cs"])
segments = st.lists(st.text(encodable, min_size=1, max_size=6), min_size=1, max_size=5)
escapes = st.lists(st.booleans(), min_size=1, max_size=7)
between = st.lists(st.sampled_from(["/", "//", "/./", "///", "/.//./"]), min_size=6, max_size=6)
origins = st.sampled_from(["", "http://localhost", "https://localhost:8443", "HTTPS://[::1]:8443"])


@given(segments, escapes, between, origins)
def test_every_spelling_is_normalized(names: list[str], needless: list[bool], slashes: list[str], origin: str) -> None:
    usual = "/" + "/".join(escaped(name, [False]) for name in names)
    other = origin + "".join(slash + escaped(name, needless) for slash, name in zip(slashes, names, strict=False))

    found = plain(other)

    if all(name not in (".", "..") for name in names):
        assert found == plain(usual)
    assert [unquote(segment) for segment in found.split("/")[1:]] == names
    assert plain(found) == found


@given(st.text(st.sampled_from("/.%2eEfF41aA:?*"), max_size=20))
def test_normalizing_keeps_names_and_is_idempotent(path: str) -> None:
    found = plain("/" + path)

    assert plain(found) == found
    kept = [unquote(segment) for segment in ("/" + path).split("/")[:-1] if segment not in ("", ".")]
    assert [unquote(segment) for segment in found.split("/")[1:-1]] == kept
    assert found.count("%2F") + found.count("%2f") == path.count("%2F") + path.count("%2f")


@pytest.mark.parametrize(
    ("sent", "usual"),
    [
        ("//api/x", "/api/x"),
        ("/api/./x", "/api/x"),
        ("/%61pi/x", "/api/x"),
        ("/api/%7euser", "/api/~user"),
        ("http://localhost/api/x", "/api/x"),
        ("/api/x//", "/api/x/"),
        ("/api/a%2Fb", "/api/a%2Fb"),
        ("/api/a%2fb", "/api/a%2fb"),
        ("/api/%2e%2e/x", "/api/%2e%2e/x"),
        ("/api/../x", "/api/../x"),
        ("/api/%2e", "/api/%2e"),
        ("/api/.", "/api/."),
        ("/api/%20%25%C3%A9", "/api/%20%25%C3%A9"),
        ("/api/http://x", "/api/http:/x"),
        ("*", "*"),
    ],
)
def test_examples_of_normalization(sent: str, usual: str) -> None:
    assert plain(sent) == usual


@pytest.mark.parametrize(
    ("sent", "rest"),
    [("/api/x", "/x"), ("//api//x", "//x"), ("/./api/x", "/x"), ("/%61pi/x", "/x"), ("/apis/x", ""), ("/api", "")],
)
def test_the_stage_is_found_in_any_spelling(sent: str, rest: str) -> None:
    assert below(sent, "api") == rest


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("//devices/a", "/devices/{id}", {"id": "a"}),
        ("/devices//a", "/devices/{id}", {"id": "a"}),
        ("/devices/./a/", "/devices/{id}", {"id": "a"}),
        ("/%64evices/%61", "/devices/{id}", {"id": "a"}),
        ("/devices/a%2Fconfig", "/devices/{id}", {"id": "a%2Fconfig"}),
        ("/devices/%2E", "/devices/{id}", {"id": "%2E"}),
        ("/devices/..", "/devices/{id}", {"id": ".."}),
        ("/devices/a//config", "/devices/{id}/config", {"id": "a"}),
        ("/devices", "/devices", {}),
        ("/devices/", "/devices", {}),
    ],
)
def test_routes_are_found_by_any_spelling(path: str, template: str, parameters: dict[str, str]) -> None:
    found = ROUTES.find(path)

    assert found is not None
    assert (found.template, found.parameters) == (template, parameters)


@pytest.mark.parametrize(
    "path", ["/devices//config", "/groups//devices", "/groups///devices", "/devices//", "//groups//devices/"]
)
def test_an_empty_name_does_not_match_another_route(path: str) -> None:
    assert ROUTES.find(path) is None


SPELLINGS = ["/{0}", "/./{0}", "{1}", "https://localhost{0}", "{0}/", "{2}"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_local_server_accepts_every_spelling(server: LocalServer, api: httpx2.Client, spelling: str) -> None:
    target = spelling.format(GROUPS, GROUPS.replace("/api", "/%61pi"), GROUPS.replace("/", "//"))
    lines = f"Host: {urlsplit(server.url).netloc}\r\nAuthorization: {api.headers['Authorization']}\r\nConnection: close"

    status, body = raw(server, f"GET {target} HTTP/1.1\r\n{lines}\r\n\r\n".encode())

    assert (status, body) == (200, b"[]")


@pytest.mark.parametrize("gateway", ["balancer", "http_api"])
@pytest.mark.parametrize("path", ["/%61pi/a/b", "//api//a/b", "/api/./a//b"])
def test_other_gateways_accept_every_spelling(gateway: str, path: str) -> None:
    seen = []

    def handler(call: gateway_events.Event) -> gateway_events.Event:
        seen.append((call["path"], call["resource"], call["pathParameters"]))
        return {"statusCode": 200, "headers": {}, "multiValueHeaders": {}, "body": ""}

    context = {"elb": {"targetGroupArn": "x"}} if gateway == "balancer" else {"resourcePath": "$default"}
    event = {"httpMethod": "GET", "path": path, "headers": {}, "requestContext": context}

    answer = gateway_events.serve(event, RouteTable({"/a/{id}": VIEWS}), handler)

    assert answer["statusCode"] == 200
    assert seen == [("/a/b", "/a/{id}", {"id": "b"})]


CONNECT = "/api/management/v1/deviceconnect/devices/{}/{}"


@pytest.mark.parametrize(
    ("path", "is_served"),
    [
        ("/" + CONNECT.format("d", "download"), True),
        (CONNECT.format("/d", "download"), True),
        (CONNECT.format("d", "./download"), True),
        (CONNECT.format("%64", "download"), True),
        (CONNECT.format("a%2Fb", "download"), True),
        ("/api/management%2Fv1/deviceconnect/devices/d/download", False),
        (CONNECT.format("a/b", "download"), False),
        (CONNECT.format("d", "../d/download"), False),
    ],
)
def test_the_relay_accepts_every_spelling(path: str, is_served: bool) -> None:
    scope = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": path.encode(), "headers": []}

    assert Relay(None, None).serves(scope) is is_served  # type: ignore[arg-type]
