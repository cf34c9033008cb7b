"""The console's page and files, at each gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec.structs import replace

from app import app
from chalicelib import settings
from chalicelib.console import files
from chalicelib.http import gateway_events
from chalicelib.http.routing import RouteTable
from tests.console.conftest import PAGE, SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

PLACES = ("/ui/", "/api/ui/")
"""The paths of the page: at the root of a host, and below the stage of an API."""


@pytest.mark.parametrize("place", PLACES)
def test_the_page_is_revalidated_at_each_load(http: httpx2.Client, built: Path, place: str) -> None:
    answer = http.get(place)

    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    again = http.get(place, headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    (built / "index.html").write_text(PAGE + "new")
    assert http.get(place, headers={"If-None-Match": answer.headers["etag"]}).text == PAGE + "new"


@pytest.mark.parametrize("place", PLACES)
def test_a_file_named_by_its_hash_is_cached_forever(http: httpx2.Client, built: Path, place: str) -> None:
    answer = http.get(place + "assets/main-1a2b.js")

    assert (answer.status_code, answer.text) == (200, SCRIPT)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("place", PLACES)
def test_without_its_slash_the_page_redirects_without_a_host(http: httpx2.Client, place: str) -> None:
    answer = http.get(place.removesuffix("/"), headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})

    assert answer.status_code == 308
    assert answer.headers["location"] == "ui/"


@pytest.mark.parametrize("path", ["//evil.example/ui", "/ui//evil.example", "/ui/..%2f..", "/ui/%2f%2fevil.example/"])
def test_no_spelling_of_the_path_redirects_elsewhere(http: httpx2.Client, built: Path, path: str) -> None:
    answer = http.send(http.build_request("GET", http.base_url.copy_with(raw_path=path.encode())))

    assert answer.headers.get("location") in (None, "ui/")
    assert answer.status_code in (308, 404)


@pytest.mark.parametrize(
    "name",
    [
        "assets/missing.js",
        "assets/picture-1a2b.png",
        "assets/..%2findex.html",
        "assets/..%2f..%2fsecret.json",
        "assets/%2e%2e%2findex.html",
        "..%2fsecret.json",
        "%2e%2e%2fsecret.json",
        "..%5csecret.json",
        ".stamp",
        "icon.svg%00",
        "icon.svg%0a",
        "main-1a2b.js",
        "assets",
        "a" * 300 + ".js",
    ],
)
def test_other_files_are_not_served(http: httpx2.Client, built: Path, name: str) -> None:
    answer = http.send(http.build_request("GET", http.base_url.copy_with(raw_path=f"/ui/{name}".encode())))

    assert answer.status_code == 404
    assert answer.json()["error"]


def test_a_file_beside_the_page_is_served_with_its_type(http: httpx2.Client, built: Path) -> None:
    answer = http.get("/ui/icon.svg")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["cache-control"] == "no-cache"
    assert http.get("/ui/index.html").text == PAGE


@pytest.mark.parametrize("path", ["/ui/", "/ui/assets/main-1a2b.js"])
def test_head_answers_as_get_without_the_body(http: httpx2.Client, built: Path, path: str) -> None:
    whole, head = http.get(path), http.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == whole.headers["etag"]


def test_before_a_build_the_page_says_what_to_do(
    http: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUILT", tmp_path / "none")
    answer = http.get("/ui/")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "make ui" in answer.text


# --- Other gateways


def through(path: str, gateway: dict[str, Any]) -> Any:
    event = {
        "path": path,
        "httpMethod": "GET",
        "headers": {"host": "api.example"},
        "requestContext": {"path": path, "httpMethod": "GET", **gateway},
    }
    return gateway_events.serve(event, RouteTable(app.routes), lambda call: app(call, None))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("gateway", [{}, {"elb": {"targetGroupArn": "arn"}}], ids=["http api", "load balancer"])
def test_http_apis_and_load_balancers_serve_it_too(built: Path, place: str, gateway: dict[str, Any]) -> None:
    page, script = through(place, gateway), through(f"{place}assets/main-1a2b.js", gateway)
    without_slash = through(place.removesuffix("/"), gateway)

    assert (page["statusCode"], page["body"]) == (200, PAGE)
    assert (script["statusCode"], script["body"]) == (200, SCRIPT)
    assert without_slash["statusCode"] == 308
    assert '"ui/"' in json.dumps(without_slash)


# --- Headers for browsers


def policy(answer: httpx2.Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    return {name: values for name, *values in parts}


@pytest.mark.parametrize("path", ["/ui", "/ui/", "/ui/assets/main-1a2b.js", "/ui/icon.svg"])
def test_framing_and_inline_scripts_are_forbidden(http: httpx2.Client, built: Path, path: str) -> None:
    answer = http.get(path)

    rules = policy(answer)
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == ["'self'"]
    assert rules["frame-ancestors"] == rules["object-src"] == rules["base-uri"] == ["'none'"]
    assert rules["require-trusted-types-for"] == ["'script'"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_may_call_this_server_and_the_bucket_only(http: httpx2.Client, built: Path, server) -> None:
    called = policy(http.get("/ui/"))["connect-src"]

    assert called == ["'self'", server.url.replace("http", "ws", 1)]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("edge", "sockets"), [(False, "wss://*.execute-api.eu-west-1.amazonaws.com"), (True, "wss://lamp.example")]
)
def test_on_aws_it_may_call_the_websocket_api_and_its_bucket(
    http: httpx2.Client, monkeypatch: pytest.MonkeyPatch, edge: bool, sockets: str
) -> None:
    known = replace(settings.current(), public_url="https://lamp.example", bucket="the-bucket")
    aws = replace(settings.aws(), region="eu-west-1", endpoint_url=None, on_lambda=True)
    monkeypatch.setattr(settings, "current", lambda: known)
    monkeypatch.setattr(settings, "aws", lambda: aws)

    found = policy(http.get("/ui/", headers={"X-Lamplighter-Edge": "shown"} if edge else {}))

    assert found["connect-src"] == ["'self'", sockets, "https://s3.eu-west-1.amazonaws.com/the-bucket/"]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("host", ["a; script-src *", "a b", "a,b", "*", "a'b"])
def test_the_host_header_is_not_used_in_the_policy(
    http: httpx2.Client, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    known = replace(settings.current(), public_url="")
    monkeypatch.setattr(settings, "current", lambda: known)
    found = http.get("/ui/", headers={"X-Forwarded-Host": host})

    assert policy(found)["script-src"] == ["'self'"]
    assert host not in found.headers["content-security-policy"].removeprefix("default-src")
