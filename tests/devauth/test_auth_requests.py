"""Auth requests: the order of checks, the texts of errors, and what is stored."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from msgspec.structs import replace

from chalicelib import clock, settings
from chalicelib.tenantadm import service as tenantadm
from tests.devauth.fleet import DEVICES, accept, decide, find
from tests.simulator.device import AUTH_REQUESTS, Device, new_key
from tests.support import faults
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2


def post(http: httpx2.Client, body: Any, **headers: str) -> httpx2.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.post(AUTH_REQUESTS, content=raw, headers={"Content-Type": "application/json", **headers})


def error(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"id_data": None}, "invalid auth request: id_data must be provided"),
        ({"id_data": ""}, "invalid auth request: id_data must be provided"),
        ({"pubkey": None}, "invalid auth request: pubkey must be provided"),
        ({"pubkey": "x"}, "invalid auth request: cannot decode public key"),
        ({}, "missing request signature header"),
    ],
)
def test_missing_members_are_named(http, device, change, text):
    body = json.loads(device.auth_body()) | change
    assert error(post(http, body)) == (400, text)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"id_data":{"a":1}}', b'"x"'])
def test_bodies_that_cannot_be_decoded_are_refused(http, raw):
    status, text = error(post(http, raw))
    assert status == 400
    assert text.startswith("failed to decode auth request: ")


def test_the_signature_comes_before_the_tenant_and_covers_the_raw_body(http, api, device):
    body = device.auth_body()
    for wrong in ("x", device.sign(body + b"\n"), Device(http).sign(body)):
        answer = post(http, body, **{"X-MEN-Signature": wrong})
        assert error(answer) == (401, "signature verification failed")
    device.tenant_token = "of nobody"
    answer = post(http, device.auth_body(), **{"X-MEN-Signature": "x"})
    assert error(answer) == (401, "signature verification failed")
    assert api.get(DEVICES).json() == []


@pytest.mark.parametrize("id_data", ["x", "[]", "null", '{"a":1e999}'])
def test_identity_data_must_be_an_object(http, device, id_data):
    body = json.dumps({"id_data": id_data, "pubkey": device.pubkey, "tenant_token": device.tenant_token}).encode()
    assert post(http, body, **{"X-MEN-Signature": device.sign(body)}).status_code == 400


def test_the_tenant_is_named_in_the_body_or_else_in_the_header(http, api, device, tenant):
    token, device.tenant_token = device.tenant_token, ""
    body = device.auth_body()
    signed = {"X-MEN-Signature": device.sign(body)}
    # Without a default tenant, a device needs a tenant token.
    assert error(post(http, body, **signed)) == (401, "dev auth: unauthorized")
    assert error(post(http, body, Authorization="Bearer", **signed)) == (401, "dev auth: unauthorized")
    assert error(post(http, body, Authorization="Bearer of nobody", **signed)) == (401, "dev auth: unauthorized")
    assert api.get(DEVICES).json() == []
    assert post(http, body, Authorization=f"Bearer {token}", **signed).status_code == 401
    assert find(api, device)["status"] == "pending"


def test_a_default_tenant_gets_devices_without_a_valid_tenant_token(http, api, tenant, monkeypatch):
    known = replace(settings.current(), default_tenant=tenant.id)
    monkeypatch.setattr(settings, "current", lambda: known)
    for token in ("", "of nobody"):
        device = Device(http, token)
        assert device.auth().status_code == 401
        assert find(api, device)["status"] == "pending"


def test_devices_of_a_suspended_tenant_are_refused(server, api, device, tenant):
    accept(api, device)
    tenantadm.set_status(tenant.id, tenantadm.Status.SUSPENDED)
    assert error(device.auth()) == (401, "Account suspended")
    refused = device.inventory()
    assert (refused.status_code, refused.content) == (401, b"")  # some clients fail on a body here
    tenantadm.set_status(tenant.id, tenantadm.Status.ACTIVE)
    assert device.auth().status_code == 200
    assert device.inventory().status_code == 200


def test_the_claims_of_a_device_token(api, device, tenant):
    accept(api, device)
    claims = device.claims
    known = find(api, device)
    assert claims["sub"] == known["id"]
    assert claims["jti"] == known["auth_sets"][0]["id"]
    assert claims["iss"] == "Mender"
    assert claims["exp"] - claims["iat"] == 604_800
    assert claims["mender.device"] is True
    assert claims["mender.tenant"] == tenant.id
    assert claims["mender.plan"] == "enterprise"
    assert claims["mender.trial"] is False
    assert {"name": "configure", "enabled": True} in claims["mender.addons"]
    assert "mender.user" not in claims
    first = device.token
    assert device.auth().status_code == 200
    assert device.claims["jti"] == claims["jti"]
    device.token = first
    assert device.inventory().status_code == 200


def test_an_expired_token_is_refused(api, device):
    accept(api, device)
    with time_machine.travel(clock.now() + timedelta(days=8), tick=False):
        answer = device.inventory()
    assert answer.status_code == 401


def test_identity_data_in_another_notation_is_the_same_device(http, api, device):
    device.identity = {"sn": "A<1>", "mac": device.identity["mac"]}
    device.auth()
    for id_data in (
        json.dumps(device.identity, indent=1),
        json.dumps(dict(reversed(device.identity.items()))),
        json.dumps(device.identity).replace("<", "\\u003c"),
    ):
        body = json.dumps(
            {"ID_DATA": id_data, "PubKey": device.pubkey.replace("\n", "\r\n"), "tenant_token": device.tenant_token}
        ).encode()
        assert post(http, body, **{"X-MEN-Signature": device.sign(body)}).status_code == 401
    (known,) = api.get(DEVICES).json()
    assert known["identity_data"] == device.identity
    assert known["auth_sets"][0]["pubkey"] == device.pubkey


def test_a_new_key_is_pending_while_the_old_one_is_valid(api, device):
    accept(api, device)
    old, device.key = device.key, new_key()
    answer = device.auth()
    assert error(answer) == (401, "dev auth: unauthorized")
    known = find(api, device)
    assert known["status"] == "accepted"
    assert sorted(item["status"] for item in known["auth_sets"]) == ["accepted", "pending"]
    assert device.inventory().status_code == 200

    assert decide(api, device, "accepted").status_code == 204
    assert device.inventory().status_code == 401
    assert device.auth().status_code == 200
    assert device.inventory().status_code == 200
    device.key = old
    assert device.auth().status_code == 401
    assert sorted(item["status"] for item in find(api, device)["auth_sets"]) == ["accepted", "rejected"]


def test_a_rejected_device_with_a_new_key_is_pending(api, device):
    device.auth()
    decide(api, device, "rejected")
    assert error(device.auth()) == (401, "dev auth: unauthorized")
    assert find(api, device)["status"] == "rejected"
    device.key = new_key()
    device.auth()
    assert find(api, device)["status"] == "pending"
    counted = api.get(f"{DEVICES}/count", params={"status": "pending"}).json()
    assert counted == {"count": 1}


def test_the_time_of_the_last_request_is_updated_once_a_day(api, device):
    accept(api, device)
    first = find(api, device)["check_in_time"]
    start = clock.now()
    for hours, moved in ((1, False), (25, True)):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            assert device.auth().status_code == 200
        assert (find(api, device)["check_in_time"] != first) is moved
    path = f"/api/management/v1/inventory/devices/{device.id}"
    shown = {item["name"]: item["value"] for item in api.get(path).json()["attributes"]}
    assert shown["check_in_time"] == find(api, device)["check_in_time"]


def test_a_check_in_that_cannot_be_written_does_not_cost_a_device_its_token(api, device):
    accept(api, device)
    assert device.auth().status_code == 200
    first = find(api, device)["check_in_time"]
    conflict = faults.cancels("TransactionConflict")
    with time_machine.travel(clock.now() + timedelta(hours=25)):
        with faults.at(1, conflict, for_good=True) as so_far:
            assert device.auth().status_code == 200
        assert so_far.met > 1
        assert find(api, device)["check_in_time"] == first
        assert device.auth().status_code == 200
    assert find(api, device)["check_in_time"] != first


def test_a_preauthorized_device_checks_in_with_the_write_that_accepts_it(api, device, warm):
    api.post(DEVICES, json={"identity_data": device.identity, "pubkey": device.pubkey})
    with counted() as cost:
        assert device.auth().status_code == 200
    assert cost.by_operation["TransactWriteItems"] == 1
    shown = find(api, device)
    path = f"/api/management/v1/inventory/devices/{device.id}"
    listed = {item["name"]: item["value"] for item in api.get(path).json()["attributes"]}
    assert shown["check_in_time"] == listed["check_in_time"] != ""


def test_a_signature_in_another_base64_alphabet_is_refused(http, device):
    body = device.auth_body()
    raw = base64.b64decode(device.sign(body))
    answer = post(http, body, **{"X-MEN-Signature": base64.urlsafe_b64encode(raw).decode().rstrip("=")})
    assert answer.status_code == 401


def test_a_replayed_request_gets_no_more_than_its_key_has_now(server, http, api, device):
    """An attacker who has recorded a request can repeat it at any time."""
    raw = device.auth_body()
    recorded = {"X-MEN-Signature": device.sign(raw)}
    accept(api, device)
    assert post(http, raw, **recorded).status_code == 200

    device.key = new_key()
    accept(api, device)
    assert post(http, raw, **recorded).status_code == 401
    assert device.poll().status_code == 204

    device_id = device.id
    assert api.delete(f"{DEVICES}/{device_id}").status_code == 204
    server.drain()
    assert post(http, raw, **recorded).status_code == 401
    assert find(api, device)["status"] == "pending"
