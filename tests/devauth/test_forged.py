"""Forged tokens are refused."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib import tokens
from chalicelib.aws import signing_keys
from chalicelib.tenantadm import service as tenantadm
from tests.devauth.fleet import DEVICES, accept

if TYPE_CHECKING:
    from tests.simulator.device import Device

OTHER_KEY = rsa.generate_private_key(65537, 2048)

NOBODY = "6d5f0b4e-0000-4000-8000-000000000001"


def part(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def ours(claims: dict[str, Any], **changes: Any) -> str:
    """A token with other claims, signed by the server's own key."""
    return tokens.issue({name: value for name, value in (claims | changes).items() if value is not ...})


def forged(claims: dict[str, Any]) -> dict[str, str]:
    """Tokens with correct claims that the server did not sign."""
    key = signing_keys.active()
    public = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    good = ours(claims)
    header, payload, signature = good.split(".")
    return {
        "no algorithm": f"{part({'alg': 'none', 'kid': key.kid})}.{payload}.",
        "none with signature": f"{part({'alg': 'None', 'kid': key.kid})}.{payload}.{signature}",
        "public key used as an HMAC secret": jwt.api_jws.PyJWS().encode(
            json.dumps(claims).encode(), base64.b64encode(public), "HS256", {"kid": key.kid}
        ),
        "signature by another key": jwt.encode(claims, OTHER_KEY, "RS256", {"kid": key.kid}),
        "unknown key id": jwt.encode(claims, OTHER_KEY, "RS256", {"kid": "other"}),
        "no kid": jwt.encode(claims, key.private, "RS256"),
        "another payload": f"{header}.{part(claims | {'exp': 4_000_000_000})}.{signature}",
        "another hash": jwt.encode(claims, key.private, "RS512", {"kid": key.kid}),
        "an extension that must be understood": jwt.encode(
            claims, key.private, "RS256", {"kid": key.kid, "crit": ["exp"], "exp": 0}
        ),
        "claims that are a list": jwt.api_jws.PyJWS().encode(b"[]", key.private, "RS256", {"kid": key.kid}),
        "a fourth part": f"{good}.{signature}",
        "padding": f"{good}==",
        "a space in it": f"{header}.{payload} .{signature}",
        "no signature": f"{header}.{payload}",
        "garbage": "x.y.z",
    }


def refused(device: Device, token: str) -> bool:
    device.token = token
    return device.inventory().status_code == 401


@pytest.mark.parametrize(
    "how",
    [
        "no algorithm",
        "none with signature",
        "public key used as an HMAC secret",
        "signature by another key",
        "unknown key id",
        "no kid",
        "another payload",
        "another hash",
        "an extension that must be understood",
        "claims that are a list",
        "a fourth part",
        "padding",
        "a space in it",
        "no signature",
        "garbage",
    ],
)
def test_tokens_that_the_server_did_not_sign_get_401(api, device, how):
    accept(api, device)
    assert refused(device, forged(device.claims)[how])


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_700_000_000},
        {"sub": NOBODY},
        {"sub": ...},
        {"jti": NOBODY},
        {"jti": ...},
        {"mender.device": ...},
        {"mender.device": "true"},
        {"mender.tenant": ...},
        {"mender.tenant": "other"},
        {"lamplighter.gen": ...},
        {"lamplighter.gen": 1},
        {"lamplighter.gen": "0"},
    ],
    ids=str,
)
def test_signed_tokens_with_other_claims_get_401(api, device, changes):
    accept(api, device)
    assert refused(device, ours(device.claims, **changes))


def test_a_device_token_is_invalid_in_another_tenant(api, device):
    accept(api, device)
    other = tenantadm.create_tenant("Other")
    assert refused(device, ours(device.claims, **{"mender.tenant": other.id}))


def test_user_and_device_tokens_are_not_interchangeable(api, http, device):
    accept(api, device)
    bearer = {"Authorization": f"Bearer {device.token}"}
    assert http.get(DEVICES, headers=bearer).status_code == 401
    user = api.headers["authorization"].removeprefix("Bearer ")
    assert refused(device, user)
    device_claims_of_user = jwt.decode(user, options={"verify_signature": False}) | {"mender.device": True}
    assert refused(device, tokens.issue(device_claims_of_user))


def test_a_call_without_a_token_gets_401(http):
    answer = http.put("/api/devices/v1/inventory/device/attributes", json=[])
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"].startswith("Bearer")
