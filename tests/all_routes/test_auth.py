"""Authentication on every route: which tokens it accepts, and the headers of every answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib import tokens
from chalicelib.aws import signing_keys
from chalicelib.errors import TooManyRequests
from chalicelib.http import gateway_events, throttle
from chalicelib.http.identity import Auth
from chalicelib.http.routing import RouteTable
from chalicelib.tenantadm import service
from chalicelib.useradm import service as useradm_service
from infra.local.lambda_context import LambdaContext
from tests.all_routes.table import NOTHING, Route, routes
from tests.deployments.world import World
from tests.http.events import Event, Sent
from tests.simulator.device import Device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

PUBLIC = {
    # The link's signature is the credential: it came with the device's poll.
    "GET /devices/v1/deployments/download/configuration/{deployment_id}/{device_type}/{device_id}",
    "GET /openapi.json",  # the API's description, which the project publishes anyway
    "GET /ui",  # the console's page, on which users sign in
    "GET /ui/assets/{file}",  # loaded by that page
    "GET /ui/{file}",  # the same
    "GET /management/v1/console/public",  # what that page shows before sign-in
    "POST /devices/v1/authentication/auth_requests",  # a device signs its request; it has no token yet
    "GET /management/v1/useradm/auth/sso/{id}/login",  # a login starts here
    "GET /management/v1/useradm/oidc/{id}/callback",  # carries what the identity provider says about a user
    "GET /management/v1/useradm/oidc/{id}/start",  # a login starts here
    "POST /management/v1/useradm/auth/login",  # carries a user's credentials
    "POST /management/v1/useradm/auth/password-reset/complete",  # carries a mailed secret
    "POST /management/v1/useradm/auth/password-reset/start",  # the user has lost the password
    "POST /management/v1/useradm/auth/verify-email/complete",  # carries a mailed secret
    "POST /management/v1/useradm/auth/verify-email/start",  # a mail goes to the address that is to be verified
    "POST /management/v2/tenantadm/tenants/signup",  # anyone may sign up; off by default
    "POST /management/v2/tenantadm/tenants/trial",  # the same
    "POST /management/v1/useradm/users/me/email-change/complete",  # carries a mailed secret
}
"""The only routes that answer without a token."""

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
INNER = ("Traceback", 'File "', ".py", "chalicelib", "botocore", "pynamodb", "msgspec")
"""Texts that occur only in a traceback or in an internal error."""


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    made = World(api, http, tenant.tenant_token)
    made.device()
    return made


@pytest.fixture
def protected(server: LocalServer) -> list[Route]:
    return [route for route in routes(server.app) if route.spec.auth is not Auth.NONE]


def user_token(world: World) -> str:
    return str(world.api.headers["authorization"]).removeprefix("Bearer ")


def token_of(world: World, auth: Auth) -> str:
    """A valid token for routes that require ``auth``."""
    device = world.devices[0].token
    assert device is not None
    return {Auth.USER: user_token(world), Auth.DEVICE: device}[auth]


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_json(document: Any) -> str:
    return encoded(json.dumps(document).encode())


def without_algorithm(token: str) -> str:
    header, payload, _ = token.split(".")
    kid = jwt.get_unverified_header(token)["kid"]
    assert header
    return f"{as_json({'alg': 'none', 'typ': 'JWT', 'kid': kid})}.{payload}."


def signed_with_the_public_key(token: str) -> str:
    secret = (
        signing_keys.active()
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    kid = jwt.get_unverified_header(token)["kid"]
    signed = f"{as_json({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{token.split('.')[1]}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


OTHER_KEY = rsa.generate_private_key(65537, 2048)


def signed_with_another_key(token: str) -> str:
    return jwt.encode(claims_of(token), OTHER_KEY, "RS256", {"kid": jwt.get_unverified_header(token)["kid"]})


def with_unknown_key_id(token: str) -> str:
    return jwt.encode(claims_of(token), OTHER_KEY, "RS256", {"kid": "other"})


def expired(token: str) -> str:
    now = int(time.time())
    return tokens.issue(claims_of(token) | {"iat": now - 3600, "exp": now - 60})


BAD: dict[str, Callable[[str], str | None]] = {
    "none": lambda _: None,
    "scheme alone": lambda _: "Bearer",
    "garbage": lambda _: "Bearer garbage",
    "garbage in three parts": lambda _: "Bearer x.y.z",
    "another scheme": lambda token: f"Basic {token}",
    "bare": lambda token: token,
    "expired": lambda token: f"Bearer {expired(token)}",
    "no algorithm": lambda token: f"Bearer {without_algorithm(token)}",
    "public key used as an HMAC secret": lambda token: f"Bearer {signed_with_the_public_key(token)}",
    "signature by another key": lambda token: f"Bearer {signed_with_another_key(token)}",
    "unknown key id": lambda token: f"Bearer {with_unknown_key_id(token)}",
}


def without_401(protected: list[Route], http: httpx2.Client, header: Callable[[Route], str | None]) -> Iterator[str]:
    """Call every protected route, and list those that do not answer 401 correctly."""
    for route in protected:
        value = header(route)
        answer = route.call(http, headers={} if value is None else {"Authorization": value})
        if answer.status_code != 401:
            yield f"{route.name}: {answer.status_code} {answer.text}"
            continue
        if route.spec.auth is Auth.DEVICE:
            if answer.content or answer.headers.get("content-length") != "0":
                yield f"{route.name}: a device is sent a body: {answer.text}"
        else:
            body = answer.json()
            if set(body) != {"error", "request_id"} or body["request_id"] != answer.headers.get("x-men-requestid"):
                yield f"{route.name}: {answer.text}"
        if "www-authenticate" not in answer.headers:
            yield f"{route.name}: no challenge"


def test_only_the_listed_routes_are_public(server: LocalServer):
    assert {route.name for route in routes(server.app) if route.spec.auth is Auth.NONE} == PUBLIC


def test_every_user_route_requires_a_permission(protected: list[Route]):
    for route in protected:
        assert (route.spec.auth is Auth.USER) == (route.spec.permission is not None), route.name


@pytest.mark.parametrize("how", BAD)
def test_bad_tokens_get_401(world: World, protected: list[Route], http: httpx2.Client, how: str):
    headers = {auth: BAD[how](token_of(world, auth)) for auth in (Auth.DEVICE, Auth.USER)}

    assert list(without_401(protected, http, lambda route: headers[route.spec.auth])) == []


def revoked(world: World) -> str:
    """A device token that an operator has revoked."""
    device = world.device()
    assert device.token is not None
    answer = world.api.delete(f"/api/management/v2/devauth/tokens/{device.claims['jti']}")
    assert answer.status_code == 204, answer.text
    return device.token


def test_a_401_for_a_revoked_device_token_has_no_body(world: World, protected: list[Route], http: httpx2.Client):
    token = revoked(world)
    of_devices = [route for route in protected if route.spec.auth is Auth.DEVICE]

    assert len(of_devices) > 10
    assert list(without_401(of_devices, http, lambda _: f"Bearer {token}")) == []


@pytest.mark.parametrize("gateway", ["http_api", "balancer"])
def test_other_gateways_send_devices_no_body_either(
    world: World, server: LocalServer, protected: list[Route], gateway: str
):
    table = RouteTable(server.app.routes)
    wrong = []
    for token in (revoked(world), expired(token_of(world, Auth.DEVICE)), "garbage"):
        for route in (route for route in protected if route.spec.auth is Auth.DEVICE):
            path = route.uri().removeprefix("/api")
            sent = Sent(route.spec.method, path, headers={"authorization": [f"Bearer {token}"]})
            event: Event = getattr(sent, gateway)()
            answer = gateway_events.serve(event, table, lambda call: server.app(call, LambdaContext("api", 29)))
            if answer["statusCode"] != 401 or answer["body"] != "":
                wrong.append(f"{route.name}: {answer}")
    assert wrong == []


def test_a_refused_authentication_request_says_why(world: World, http: httpx2.Client):
    # Clients read the text of this 401.
    answer = Device(http, world.token).auth()

    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "request_id"}


def test_a_429_for_a_device_has_no_body(
    world: World, protected: list[Route], http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: str) -> None:
        raise TooManyRequests(retry_after=7)

    monkeypatch.setattr(throttle, "admit", refuse)
    wrong = []
    for route in protected:
        answer = route.call(http, headers={"Authorization": f"Bearer {token_of(world, route.spec.auth)}"})
        empty = not answer.content and answer.headers.get("content-length") == "0"
        if answer.status_code != 429 or int(answer.headers.get("retry-after", "0")) <= 0:
            wrong.append(f"{route.name}: {answer.status_code} {answer.headers}")
        if empty is not (route.spec.auth is Auth.DEVICE):
            wrong.append(f"{route.name}: {answer.text}")
    assert wrong == []


@pytest.mark.parametrize("status", [401, 429, 503])
def test_device_routes_answer_some_statuses_without_a_body(server: LocalServer, status: int):
    """Public device routes too: they can also answer 429 and 503."""
    spoken = {
        route.name
        for route in routes(server.app)
        if route.spec.path.startswith("/devices/") and route.spec.explains(status)
    }

    assert spoken == ({name for name in PUBLIC if "/devices/" in name} if status == 401 else set())


def test_user_routes_refuse_device_tokens_and_the_reverse(world: World, protected: list[Route], http: httpx2.Client):
    other = {Auth.DEVICE: Auth.USER, Auth.USER: Auth.DEVICE}

    assert list(without_401(protected, http, lambda route: f"Bearer {token_of(world, other[route.spec.auth])}")) == []


def test_tokens_of_a_suspended_tenant_get_401(
    world: World, tenant: Tenant, protected: list[Route], http: httpx2.Client
):
    service.set_status(tenant.id, service.Status.SUSPENDED)

    assert list(without_401(protected, http, lambda route: f"Bearer {token_of(world, route.spec.auth)}")) == []


def test_valid_tokens_are_accepted(world: World, protected: list[Route], http: httpx2.Client):
    # Otherwise the tests above would pass on a server that refuses everyone.
    useradm_service.verify(world.api.get("/api/management/v1/useradm/users/me").json()["email"])
    last = [route for route in protected if route.spec.path.endswith("/logout")]
    refused = []
    for route in [route for route in protected if route not in last] + last:
        answer = route.call(http, headers={"Authorization": f"Bearer {token_of(world, route.spec.auth)}"})
        if answer.status_code in {401, 403} or answer.status_code >= 500:
            refused.append(f"{route.name}: {answer.status_code} {answer.text}")
    assert refused == []


@pytest.mark.parametrize("signed_in", [False, True])
def test_every_answer_has_the_security_headers_and_a_request_id(
    world: World, server: LocalServer, http: httpx2.Client, signed_in: bool
):
    wrong = []
    for number, route in enumerate(routes(server.app)):
        if route.spec.path.endswith("/logout"):
            continue
        sent = {"X-MEN-RequestID": f"call-{number}"}
        if signed_in and route.spec.auth is not Auth.NONE:
            sent["Authorization"] = f"Bearer {token_of(world, route.spec.auth)}"
        for body in (..., {"unexpected": ["\x00", {}]}, [[1], None]):
            answer = route.call(http, body=body, headers=sent)
            told = answer.headers
            wrong += [
                f"{route.name} {body}: {what}"
                for what, holds in {
                    "request id": told.get("x-men-requestid") == sent["X-MEN-RequestID"],
                    "nosniff": told.get("x-content-type-options") == "nosniff",
                    "no-store": "authorization" not in {name.lower() for name in sent}
                    or told.get("cache-control") == "no-store",
                    f"status {answer.status_code}": answer.status_code < 500,
                    f"inner text: {answer.text}": not any(inner in answer.text for inner in INNER),
                }.items()
                if not holds
            ]
    assert wrong == []


def test_a_request_id_is_generated_if_none_is_sent(server: LocalServer, http: httpx2.Client):
    given = [route.call(http).headers.get("x-men-requestid") for route in routes(server.app)]

    assert None not in given
    assert len(set(given)) == len(given)


def test_debugging_is_off(server: LocalServer):
    assert server.app.debug is False


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/management/v1/nothing", "/nothing", "/api/%00"])
def test_an_unknown_path_gets_404(http: httpx2.Client, path: str):
    answer = http.get(path, headers={"X-MEN-RequestID": "mine"})

    assert answer.status_code == 404
    assert answer.json() == {"error": "not found", "request_id": "mine"}
    assert answer.headers["x-men-requestid"] == "mine"


def test_unsupported_methods_get_405(server: LocalServer, http: httpx2.Client):
    wrong = []
    for path, views in server.app.routes.items():
        uri = "/api" + path.replace("{", "").replace("}", "")
        for method in (method for method in METHODS if method not in views):
            # The path may also match another template, in which this text is the value of a variable.
            answer = http.request(method, uri, headers={"X-MEN-RequestID": NOTHING})
            body = answer.json()
            shape = {"error": "method not allowed", "request_id": NOTHING}
            if answer.status_code != 405 or body != shape or answer.headers["x-men-requestid"] != NOTHING:
                wrong.append(f"{method} {path}: {answer.status_code} {answer.text}")
            if not set(views) <= set(answer.headers.get_list("allow", split_commas=True)):
                wrong.append(f"{method} {path}: allow {answer.headers.get('allow')}")
    assert wrong == []
