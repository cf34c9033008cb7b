"""Which user tokens are accepted, and the cost of checking one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib import tokens
from chalicelib.aws import signing_keys
from chalicelib.errors import Unauthorized
from chalicelib.tenantadm import service as tenantadm
from chalicelib.useradm import service
from tests.useradm.browser import BASE
from tests.useradm.conftest import LOGIN, ME, Person, bearer, dynamodb_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from tests.conftest import SignIn


def coded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@pytest.fixture
def claims(login: Callable[[], str]) -> dict[str, Any]:
    """The claims of an existing session."""
    return jwt.decode(login(), options={"verify_signature": False})


def none(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", algorithm="none", headers={"kid": signing_keys.active().kid})


def keyed_with_the_public_key(claims: dict[str, Any]) -> str:
    key = signing_keys.active()
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = coded(json.dumps({"alg": "HS256", "typ": "JWT", "kid": key.kid}).encode())
    signed = f"{head}.{coded(json.dumps(claims).encode())}"
    return f"{signed}.{coded(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"


def of_an_unknown_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, signing_keys.active().private, algorithm="RS256", headers={"kid": "unknown"})


def of_no_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, signing_keys.active().private, algorithm="RS256")


def of_an_unregistered_key(claims: dict[str, Any]) -> str:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": signing_keys.active().kid})


def of_another_algorithm(claims: dict[str, Any]) -> str:
    key = signing_keys.active()
    return jwt.encode(claims, key.private, algorithm="PS256", headers={"kid": key.kid})


def changed_after_signing(claims: dict[str, Any]) -> str:
    head, _, signature = tokens.issue(claims).split(".")
    return f"{head}.{coded(json.dumps(claims | {'sub': 'somebody'}).encode())}.{signature}"


def expired(claims: dict[str, Any]) -> str:
    return tokens.issue(claims | {"exp": int(time.time()) - 60})


def from_the_future(claims: dict[str, Any]) -> str:
    return tokens.issue(claims | {"iat": int(time.time()) + 3600})


def without_id(claims: dict[str, Any]) -> str:
    return tokens.issue({name: value for name, value in claims.items() if name != "jti"})


def of_another_session(claims: dict[str, Any]) -> str:
    return tokens.issue(claims | {"jti": str(uuid.uuid4())})


def of_another_user(claims: dict[str, Any]) -> str:
    return tokens.issue(claims | {"sub": str(uuid.uuid4())})


def of_another_tenant(claims: dict[str, Any]) -> str:
    return tokens.issue(claims | {"mender.tenant": "f" * 24})


def of_no_tenant(claims: dict[str, Any]) -> str:
    return tokens.issue({name: value for name, value in claims.items() if name != "mender.tenant"})


def of_a_device(claims: dict[str, Any]) -> str:
    return tokens.issue({**claims, "mender.user": False, "mender.device": True})


@pytest.mark.parametrize(
    "forge",
    [
        none,
        keyed_with_the_public_key,
        of_an_unknown_key,
        of_no_key,
        of_an_unregistered_key,
        of_another_algorithm,
        changed_after_signing,
        expired,
        from_the_future,
        without_id,
        of_another_session,
        of_another_user,
        of_another_tenant,
        of_no_tenant,
        of_a_device,
    ],
)
def test_tokens_with_other_claims_are_refused(
    http: httpx2.Client, claims: dict[str, Any], forge: Callable[[dict[str, Any]], str]
):
    assert http.get(ME, headers=bearer(tokens.issue(claims))).status_code == 200

    answer = http.get(ME, headers=bearer(forge(claims)))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="ManagementJWT"'


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "..", "é", "x" * 4000])
def test_garbage_is_refused(server, token: str):
    with pytest.raises(Unauthorized):
        tokens.verify(token)


def test_a_token_may_be_in_a_cookie(http: httpx2.Client, login: Callable[[], str]):
    token = login()

    assert http.get(ME, headers={"Cookie": f"JWT={token}"}).status_code == 200
    assert http.get(ME, headers={"Cookie": "JWT=x"}).status_code == 401
    assert http.get(ME).status_code == 401


def test_the_cookie_is_ignored_in_requests_from_other_sites(server, http: httpx2.Client, login: Callable[[], str]):
    cookie = {"Cookie": f"JWT={login()}"}
    logout = f"{BASE}/auth/logout"
    for origin in ("https://evil.example", "null", "", f"{server.url}.evil.example", "http://localhost.evil.example"):
        answer = http.post(logout, headers=cookie | {"Origin": origin})
        assert answer.status_code == 401, origin
    assert http.get(ME, headers=cookie).headers["cache-control"] == "no-store"
    named = {"X-Forwarded-Host": "Lamps.example:443"}  # by a proxy
    for origin, more in ((server.url, {}), ("https://lamps.example", named)):
        settings = http.post(f"{BASE}/settings/me", json={}, headers=cookie | more | {"Origin": origin})
        assert settings.status_code == 201, origin
    # A script of another site that knows the token does not need the cookie.
    assert http.post(logout, headers=bearer(login()) | {"Origin": "https://other.example"}).status_code == 202


def test_a_check_is_one_round_trip(claims: dict[str, Any], person: Person):
    with dynamodb_calls() as calls:
        service.require_session(person.tenant, person.id, claims["jti"], person.tenant)

    assert calls == ["BatchGetItem"]


def test_rotation_keeps_two_keys_and_withdrawal_one(http: httpx2.Client, person: Person, login: Callable[[], str]):
    before = login()
    assert http.get(ME, headers=bearer(before)).status_code == 200

    signing_keys.rotate()
    after = login()
    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    assert http.get(ME, headers=bearer(before)).status_code == 200
    assert http.get(ME, headers=bearer(after)).status_code == 200

    # Cached verifications of this process must not outlive the key.
    signing_keys.rotate(withdraw_old=True)
    assert http.get(ME, headers=bearer(before)).status_code == 401
    assert http.get(ME, headers=bearer(after)).status_code == 401
    assert http.post(LOGIN, auth=(person.email, person.password)).status_code == 200


def test_a_token_is_invalid_in_another_tenant(sign_in: SignIn, tenant, person: Person):
    stranger = sign_in(tenantadm.create_tenant("Other"))

    of_other = stranger.get(f"/api/management/v1/useradm/users/{person.id}")
    of_nobody = stranger.get(f"/api/management/v1/useradm/users/{uuid.uuid4()}")
    assert of_other.status_code == of_nobody.status_code == 404
    assert of_other.json()["error"] == of_nobody.json()["error"]


def test_device_calls_do_not_load_password_hashing():
    # bcrypt is loaded anyway, by cryptography (0.9 ms).
    program = "import app, sys; print('argon2' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert printed.strip() == "False"
