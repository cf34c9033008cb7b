"""Devices in the management API: lists, counts, decisions, tokens."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.tenantadm import service as tenantadm
from tests.devauth.fleet import DEVICES, accept, decide, device_path, find, set_of
from tests.simulator.device import Device, new_key

if TYPE_CHECKING:
    import httpx2

TOKENS = "/api/management/v2/devauth/tokens"
SEARCH = f"{DEVICES}/search"


@pytest.fixture
def fleet(http, api, tenant) -> list[Device]:
    """Two pending devices, one accepted, one rejected."""
    devices = [Device(http, tenant.tenant_token) for _ in range(4)]
    for device in devices:
        device.auth()
    decide(api, devices[2], "accepted")
    decide(api, devices[3], "rejected")
    return devices


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()]


def test_a_device_is_shown(api, device):
    device.auth()
    shown = find(api, device)
    assert shown == api.get(device_path(shown["id"])).json()
    assert set(shown) == {
        "id",
        "identity_data",
        "status",
        "created_ts",
        "updated_ts",
        "auth_sets",
        "decommissioning",
        "tier",
    }
    (auth_set,) = shown["auth_sets"]
    assert auth_set == {
        "id": auth_set["id"],
        "identity_data": device.identity,
        "pubkey": device.pubkey,
        "status": "pending",
        "ts": auth_set["ts"],
        "device_id": shown["id"],
        "tier": "standard",
    }
    assert str(uuid.UUID(shown["id"])) == shown["id"]
    assert api.get(device_path("nobody")).status_code == 404


def test_lists_are_sorted_by_status_and_id(api, fleet):
    answer = api.get(DEVICES)
    shown = [(item["status"], item["id"]) for item in answer.json()]
    assert shown == sorted(shown)
    assert [status for status, _ in shown] == ["accepted", "pending", "pending", "rejected"]
    assert "x-total-count" not in answer.headers
    assert answer.headers["link"] == f'<{DEVICES}?page=1&per_page=20>; rel="first"'


def test_pages(api, fleet):
    everyone = ids(api.get(DEVICES))
    pages = [api.get(DEVICES, params={"page": page, "per_page": 3}) for page in (1, 2, 3)]
    assert [ids(page) for page in pages] == [everyone[:3], everyone[3:], []]
    assert 'rel="next"' in pages[0].headers["link"]
    assert 'rel="prev"' in pages[1].headers["link"]
    assert 'rel="next"' not in pages[1].headers["link"]
    assert 'rel="last"' not in pages[1].headers["link"]
    exact = api.get(DEVICES, params={"per_page": 4})
    assert 'rel="next"' not in exact.headers["link"]
    for bad in ({"page": 0}, {"page": "x"}, {"per_page": 501}):
        assert api.get(DEVICES, params=bad).status_code == 400


def test_filters(api, fleet):
    everyone = ids(api.get(DEVICES))
    assert ids(api.get(DEVICES, params={"status": "pending"})) == everyone[1:3]
    both = api.get(DEVICES, params={"status": ["rejected", "accepted"]})
    assert ids(both) == [everyone[0], everyone[3]]
    some = [everyone[3], everyone[1], "nobody"]
    assert ids(api.get(DEVICES, params={"id": some})) == [everyone[1], everyone[3]]
    assert ids(api.get(DEVICES, params={"id": some, "status": "rejected"})) == [everyone[3]]
    page = api.get(DEVICES, params={"id": some, "per_page": 1, "page": 2})
    assert ids(page) == [everyone[3]]
    answer = api.get(DEVICES, params={"status": "strange"})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "filter status must be one of: accepted, pending, rejected, preauthorized or noauth"
    )


def test_search(api, fleet):
    everyone = ids(api.get(DEVICES))
    for body, found in (
        ({}, everyone),
        ({"status": "pending"}, everyone[1:3]),
        ({"status": ["accepted", "rejected"]}, [everyone[0], everyone[3]]),
        ({"id": everyone[2]}, [everyone[2]]),
        ({"id": [everyone[2], everyone[0]], "status": "pending"}, [everyone[2]]),
        ({"status": "strange"}, []),
        ({"status": None, "id": []}, everyone),
    ):
        assert ids(api.post(SEARCH, json=body)) == found
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    raw = f"status=pending&status=accepted&id={everyone[0]}&id={everyone[3]}"
    assert ids(api.post(SEARCH, content=raw, headers=form)) == [everyone[0]]
    paged = api.post(SEARCH, params={"per_page": 1, "page": 2}, json={"status": "pending"})
    assert ids(paged) == [everyone[2]]
    assert 'rel="prev"' in paged.headers["link"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-8", ""])
def test_a_search_accepts_two_content_types(api, kind):
    answer = api.post(SEARCH, content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415


def test_a_search_that_cannot_be_decoded_is_refused(api):
    for raw in (b"", b"{", b'{"status":1}'):
        answer = api.post(SEARCH, content=raw, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400


def test_counts(api, http, tenant, fleet):
    wanted = {"accepted": 1, "pending": 2, "rejected": 1, "preauthorized": 0, "noauth": 0, "": 4}

    def counts() -> dict[str, int]:
        return {status: api.get(f"{DEVICES}/count", params={"status": status}).json()["count"] for status in wanted}

    assert counts() == wanted
    fleet[0].key = new_key()
    fleet[0].auth()
    assert counts() == wanted
    decide(api, fleet[2], "rejected")
    assert counts() == wanted | {"accepted": 0, "rejected": 2}
    answer = api.get(f"{DEVICES}/count", params={"status": "strange"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "status must be one of: pending, accepted, rejected, preauthorized, noauth"


@pytest.mark.parametrize("wanted", ["rejected", "pending"])
def test_a_decision_takes_effect_at_the_devices_next_call(api, device, wanted):
    accept(api, device)
    assert device.inventory().status_code == 200
    assert decide(api, device, wanted).status_code == 204
    assert device.inventory().status_code == 401
    assert device.auth().status_code == 401
    assert find(api, device)["status"] == wanted
    # Accepting the same key again does not make the old token valid.
    old = device.token
    assert decide(api, device, "accepted").status_code == 204
    device.token = old
    assert device.inventory().status_code == 401
    assert device.auth().status_code == 200
    assert device.inventory().status_code == 200


def test_invalid_decisions_are_refused(api, http, tenant, fleet):
    device_id, set_id = set_of(api, fleet[0])
    other_id, _ = set_of(api, fleet[1])

    def put(device: str, aid: str, body: Any) -> httpx2.Response:
        answer: httpx2.Response = api.put(f"{device_path(device)}/auth/{aid}/status", json=body)
        return answer

    for status in ("preauthorized", "noauth", "strange", ""):
        answer = put(device_id, set_id, {"status": status})
        assert (answer.status_code, answer.json()["error"]) == (400, "incorrect device status")
    assert put(device_id, set_id, []).status_code == 400
    assert put(device_id, "nothing", {"status": "accepted"}).status_code == 404
    answer = put(other_id, set_id, {"status": "accepted"})
    assert (answer.status_code, answer.json()["error"]) == (400, "dev auth: dev ID and auth ID mismatch")
    for place in ((device_id, "nothing"), (other_id, set_id)):
        assert api.get(f"{device_path(place[0])}/auth/{place[1]}/status").status_code == 404
    assert put(device_id, set_id, {"status": "pending"}).status_code == 204


def test_removing_auth_sets(api, device):
    accept(api, device)
    device_id, set_id = set_of(api, device)
    # The device id in the path is ignored.
    assert api.delete(f"{device_path('any')}/auth/{set_id}").status_code == 204
    assert device.inventory().status_code == 401
    shown = api.get(device_path(device_id)).json()
    assert (shown["status"], shown["auth_sets"]) == ("noauth", [])
    answer = api.delete(f"{device_path(device_id)}/auth/{set_id}")
    assert (answer.status_code, answer.content) == (404, b"")
    device.auth()
    assert find(api, device)["id"] == device_id
    assert find(api, device)["status"] == "pending"


def test_revoking_a_token(api, device):
    accept(api, device)
    jti = device.claims["jti"]
    assert api.delete(f"{TOKENS}/{jti}").status_code == 204
    assert device.inventory().status_code == 401
    assert find(api, device)["status"] == "accepted"
    assert device.auth().status_code == 200
    assert device.claims["jti"] == jti
    assert device.inventory().status_code == 200
    answer = api.delete(f"{TOKENS}/nothing")
    assert (answer.status_code, answer.content) == (404, b"")
    decide(api, device, "rejected")
    assert api.delete(f"{TOKENS}/{jti}").status_code == 404


def test_other_tenants_can_neither_see_nor_change_devices(api, device, sign_in):
    accept(api, device)
    device_id, set_id = set_of(api, device)
    stranger = sign_in(tenantadm.create_tenant("Other"))
    assert stranger.get(DEVICES).json() == []
    assert stranger.get(f"{DEVICES}/count").json() == {"count": 0}
    assert stranger.get(device_path(device_id)).status_code == 404
    assert stranger.delete(device_path(device_id)).status_code == 404
    assert stranger.delete(f"{device_path(device_id)}/auth/{set_id}").status_code == 404
    assert stranger.delete(f"{TOKENS}/{set_id}").status_code == 404
    path = f"{device_path(device_id)}/auth/{set_id}/status"
    assert stranger.get(path).status_code == 404
    assert stranger.put(path, json={"status": "rejected"}).status_code == 404
    assert ids(stranger.get(DEVICES, params={"id": device_id})) == []
    assert device.inventory().status_code == 200
