"""Promises T1, T6 and R5 of every route: who may call it, and what every answer carries."""

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

from chalicelib.errors import TooManyRequests
from chalicelib.http import gateway_events, throttle
from chalicelib.http.identity import Auth
from chalicelib.http.routing import RouteTable
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
    "GET /ui/assets/{file}",  # what that page loads
    "GET /ui/{file}",  # the same
    "GET /management/v1/console/public",  # what that page shows before
    "POST /devices/v1/authentication/auth_requests",  # a device signs its request; it has no token yet
    "GET /management/v1/useradm/auth/sso/{id}/login",  # a login begins
    "GET /management/v1/useradm/oidc/{id}/callback",  # what the identity provider says of a user is in it
    "GET /management/v1/useradm/oidc/{id}/start",  # a login begins
    "POST /management/v1/useradm/auth/login",  # a user's credentials are in it
    "POST /management/v1/useradm/auth/password-reset/complete",  # a mailed secret is in it
    "POST /management/v1/useradm/auth/password-reset/start",  # who asks has lost the password
    "POST /management/v1/useradm/auth/verify-email/complete",  # a mailed secret is in it
    "POST /management/v1/useradm/auth/verify-email/start",  # a mail goes to the address that is to be proved
    "POST /management/v2/tenantadm/tenants/signup",  # a stranger comes; off by default
    "POST /management/v2/tenantadm/tenants/trial",  # the same
    "POST /management/v1/useradm/users/me/email-change/complete",  # a mailed secret is in it
}
"""The routes that answer without a token. Nothing else does."""

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
INNER = ("Traceback", 'File "', ".py", "chalicelib", "botocore", "pynamodb", "msgspec")
"""What only a trace or an error's inner text would say."""


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    made = World(api, http, tenant.tenant_token)
    made.device()
    return made


@pytest.fixture
def guarded(server: LocalServer) -> list[Route]:
    return [route for route in routes(server.app) if route.spec.auth is not Auth.NONE]


def user_token(world: World) -> str:
    return str(world.api.headers["authorization"]).removeprefix("Bearer ")


def token_of(world: World, auth: Auth) -> str:
    """A good token for routes that ask for ``auth``."""
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
    from chalicelib.aws import signing_keys

    secret = (
        signing_keys.active()
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    kid = jwt.get_unverified_header(token)["kid"]
    signed = f"{as_json({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{token.split('.')[1]}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


STRANGER = rsa.generate_private_key(65537, 2048)


def signed_by_a_stranger(token: str) -> str:
    return jwt.encode(claims_of(token), STRANGER, "RS256", {"kid": jwt.get_unverified_header(token)["kid"]})


def of_an_unknown_key(token: str) -> str:
    return jwt.encode(claims_of(token), STRANGER, "RS256", {"kid": "other"})


def expired(token: str) -> str:
    from chalicelib import tokens

    now = int(time.time())
    return tokens.issue(claims_of(token) | {"iat": now - 3600, "exp": now - 60})


BAD: dict[str, Callable[[str], str | None]] = {
    "none": lambda _: None,
    "scheme alone": lambda _: "Bearer",
    "garbage": lambda _: "Bearer garbage",
    "three parts of garbage": lambda _: "Bearer x.y.z",
    "another scheme": lambda token: f"Basic {token}",
    "bare": lambda token: token,
    "expired": lambda token: f"Bearer {expired(token)}",
    "no algorithm": lambda token: f"Bearer {without_algorithm(token)}",
    "the public key as a secret": lambda token: f"Bearer {signed_with_the_public_key(token)}",
    "a stranger's signature": lambda token: f"Bearer {signed_by_a_stranger(token)}",
    "an unknown key": lambda token: f"Bearer {of_an_unknown_key(token)}",
}


def walked(guarded: list[Route], http: httpx2.Client, header: Callable[[Route], str | None]) -> Iterator[str]:
    """Calls every guarded route; yields a line for each that does not answer 401 as it should."""
    for route in guarded:
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


def test_public_routes_are_the_written_ones(server: LocalServer):
    assert {route.name for route in routes(server.app) if route.spec.auth is Auth.NONE} == PUBLIC


def test_users_need_a_permission_everywhere(guarded: list[Route]):
    for route in guarded:
        assert (route.spec.auth is Auth.USER) == (route.spec.permission is not None), route.name


@pytest.mark.parametrize("how", BAD)
def test_bad_tokens(world: World, guarded: list[Route], http: httpx2.Client, how: str):
    headers = {auth: BAD[how](token_of(world, auth)) for auth in (Auth.DEVICE, Auth.USER)}

    assert list(walked(guarded, http, lambda route: headers[route.spec.auth])) == []


def revoked(world: World) -> str:
    """A device's token that an operator has revoked."""
    device = world.device()
    assert device.token is not None
    answer = world.api.delete(f"/api/management/v2/devauth/tokens/{device.claims['jti']}")
    assert answer.status_code == 204, answer.text
    return device.token


def test_a_revoked_token_is_answered_without_a_body(world: World, guarded: list[Route], http: httpx2.Client):
    token = revoked(world)
    of_devices = [route for route in guarded if route.spec.auth is Auth.DEVICE]

    assert len(of_devices) > 10
    assert list(walked(of_devices, http, lambda _: f"Bearer {token}")) == []


@pytest.mark.parametrize("door", ["http_api", "balancer"])
def test_other_doors_send_devices_no_body_either(world: World, server: LocalServer, guarded: list[Route], door: str):
    table = RouteTable(server.app.routes)
    wrong = []
    for token in (revoked(world), expired(token_of(world, Auth.DEVICE)), "garbage"):
        for route in (route for route in guarded if route.spec.auth is Auth.DEVICE):
            path = route.uri().removeprefix("/api")
            sent = Sent(route.spec.method, path, headers={"authorization": [f"Bearer {token}"]})
            event: Event = getattr(sent, door)()
            answer = gateway_events.serve(event, table, lambda call: server.app(call, LambdaContext("api", 29)))
            if answer["statusCode"] != 401 or answer["body"] != "":
                wrong.append(f"{route.name}: {answer}")
    assert wrong == []


def test_a_request_for_a_token_is_told_why_it_gets_none(world: World, http: httpx2.Client):
    # Clients read the text of this 401.
    answer = Device(http, world.token).auth()

    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "request_id"}


def test_throttled_devices_are_sent_no_body(
    world: World, guarded: list[Route], http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: str) -> None:
        raise TooManyRequests(retry_after=7)

    monkeypatch.setattr(throttle, "admit", refuse)
    wrong = []
    for route in guarded:
        answer = route.call(http, headers={"Authorization": f"Bearer {token_of(world, route.spec.auth)}"})
        empty = not answer.content and answer.headers.get("content-length") == "0"
        if answer.status_code != 429 or int(answer.headers.get("retry-after", "0")) <= 0:
            wrong.append(f"{route.name}: {answer.status_code} {answer.headers}")
        if empty is not (route.spec.auth is Auth.DEVICE):
            wrong.append(f"{route.name}: {answer.text}")
    assert wrong == []


@pytest.mark.parametrize("status", [401, 429, 503])
def test_what_every_device_route_answers_without_a_body(server: LocalServer, status: int):
    """Public routes of devices too: they are refused with 429 and 503 as well."""
    spoken = {
        route.name
        for route in routes(server.app)
        if route.spec.path.startswith("/devices/") and route.spec.explains(status)
    }

    assert spoken == ({name for name in PUBLIC if "/devices/" in name} if status == 401 else set())


def test_tokens_of_the_other_kind(world: World, guarded: list[Route], http: httpx2.Client):
    other = {Auth.DEVICE: Auth.USER, Auth.USER: Auth.DEVICE}

    assert list(walked(guarded, http, lambda route: f"Bearer {token_of(world, other[route.spec.auth])}")) == []


def test_a_suspended_tenant(world: World, tenant: Tenant, guarded: list[Route], http: httpx2.Client):
    from chalicelib.tenantadm import service

    service.set_status(tenant.id, service.Status.SUSPENDED)

    assert list(walked(guarded, http, lambda route: f"Bearer {token_of(world, route.spec.auth)}")) == []


def test_good_tokens_are_let_in(world: World, guarded: list[Route], http: httpx2.Client):
    # Else the tests above would pass on a server that refuses everyone.
    from chalicelib.useradm import service

    service.verify(world.api.get("/api/management/v1/useradm/users/me").json()["email"])
    last = [route for route in guarded if route.spec.path.endswith("/logout")]
    refused = []
    for route in [route for route in guarded if route not in last] + last:
        answer = route.call(http, headers={"Authorization": f"Bearer {token_of(world, route.spec.auth)}"})
        if answer.status_code in {401, 403} or answer.status_code >= 500:
            refused.append(f"{route.name}: {answer.status_code} {answer.text}")
    assert refused == []


@pytest.mark.parametrize("signed_in", [False, True])
def test_what_every_answer_carries(world: World, server: LocalServer, http: httpx2.Client, signed_in: bool):
    wrong = []
    for number, route in enumerate(routes(server.app)):
        if route.spec.path.endswith("/logout"):
            continue
        sent = {"X-MEN-RequestID": f"walk-{number}"}
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


def test_a_request_id_is_made_where_none_is_sent(server: LocalServer, http: httpx2.Client):
    given = [route.call(http).headers.get("x-men-requestid") for route in routes(server.app)]

    assert None not in given
    assert len(set(given)) == len(given)


def test_debugging_is_off(server: LocalServer):
    assert server.app.debug is False


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/management/v1/nothing", "/nothing", "/api/%00"])
def test_an_unknown_path(http: httpx2.Client, path: str):
    answer = http.get(path, headers={"X-MEN-RequestID": "mine"})

    assert answer.status_code == 404
    assert answer.json() == {"error": "not found", "request_id": "mine"}
    assert answer.headers["x-men-requestid"] == "mine"


def test_methods_that_a_path_does_not_have(server: LocalServer, http: httpx2.Client):
    wrong = []
    for path, views in server.app.routes.items():
        uri = "/api" + path.replace("{", "").replace("}", "")
        for method in (method for method in METHODS if method not in views):
            # A path with a variable may be what another template means by this text.
            answer = http.request(method, uri, headers={"X-MEN-RequestID": NOTHING})
            body = answer.json()
            shape = {"error": "method not allowed", "request_id": NOTHING}
            if answer.status_code != 405 or body != shape or answer.headers["x-men-requestid"] != NOTHING:
                wrong.append(f"{method} {path}: {answer.status_code} {answer.text}")
            if not set(views) <= set(answer.headers.get_list("allow", split_commas=True)):
                wrong.append(f"{method} {path}: allow {answer.headers.get('allow')}")
    assert wrong == []
