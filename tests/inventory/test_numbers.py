"""Searching for reported values: large numbers, booleans, and invalid text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deployments.world import World, serves
from tests.inventory.views import DEVICES, FILTERS, SEARCH, ids, path, values

ICCID = 89490200001234567890
"""The number of a SIM card, with two more digits than a float64 can hold."""


@pytest.fixture
def world(api, http, tenant) -> World:
    return World(api, http, tenant.tenant_token)


def found(api, scope: str, name: str, operator: str, value: Any) -> list[str]:
    term = {"scope": scope, "attribute": name, "type": operator, "value": value}
    return ids(api.post(SEARCH, json={"filters": [term]}))


@pytest.mark.parametrize("number", [ICCID, 2**53 + 1, -(2**63), 10**40, 12.5, 0.1], ids=str)
def test_a_device_is_found_by_a_large_number(api, world: World, number: float):
    device = world.device(identity={"sim": number})
    other = world.device(identity={"sim": -1.5})
    device.inventory({"sim": number, "sims": [number, 7]})
    other.inventory({"sim": -1.5, "sims": []})
    for scope, name in (("identity", "sim"), ("inventory", "sim"), ("inventory", "sims")):
        for operator, value in (("$eq", number), ("$in", [5, number]), ("$gte", number), ("$lte", number)):
            assert device.id in found(api, scope, name, operator, value), (scope, name, operator)
        for operator, value in (("$ne", number), ("$nin", [5, number])):
            assert found(api, scope, name, operator, value) == [other.id], (scope, name, operator)
        if name == "sim":
            assert device.id not in found(api, scope, name, "$gt", number)
            assert device.id not in found(api, scope, name, "$lt", number)
        assert ids(api.get(DEVICES, params={f"{scope}/{name}": str(number)})) == [device.id]


def test_a_filter_and_a_dynamic_deployment_match_a_large_number(api, world: World):
    device, other = world.device(identity={"sim": ICCID}), world.device(identity={"sim": 8})
    term = {"scope": "identity", "attribute": "sim", "type": "$eq", "value": ICCID}
    made = api.post(FILTERS, json={"name": "sim", "terms": [term]}).headers["location"].rsplit("/", 1)[-1]
    assert ids(api.get(f"{FILTERS}/{made}/search")) == [device.id]
    world.upload("release")
    body = {"name": "n", "artifact_name": "release", "filter_id": made}
    answer = api.post("/api/management/v2/deployments/deployments", json=body)
    assert answer.status_code == 201, answer.text
    serves(device.poll(), answer.headers["Location"].rsplit("/", 1)[-1])
    assert other.poll().status_code == 204


def test_a_number_that_is_out_of_range_is_refused(api, world: World):
    device = world.device()
    for text in (b"1" + b"0" * 309, b"-1" + b"0" * 309, b"1e400", b"9" * 5000):
        raw = b'[{"name":"a","value":' + text + b"}]"
        headers = {"Authorization": f"Bearer {device.token}", "Content-Type": "application/json"}
        answer = world.http.put("/api/devices/v1/inventory/device/attributes", content=raw, headers=headers)
        assert answer.status_code == 400, answer.text
        assert "range" in answer.json()["error"]


@pytest.mark.parametrize("written", ["1", "+1", "1.0", "1E0", "10e-1", ".1e1", "01"])
def test_a_number_in_a_query_may_have_any_notation(api, world: World, written: str):
    device = world.device(identity={"n": 1})
    assert ids(api.get(DEVICES, params={"identity/n": written})) == [device.id]


@pytest.mark.parametrize("written", ["\u0661", "1_", " 1", "0x1", "NaN", "1e999999"], ids=ascii)
def test_text_in_a_query_does_not_match_numbers(api, world: World, written: str):
    world.device(identity={"n": 1})
    assert ids(api.get(DEVICES, params={"identity/n": written})) == []


def test_a_device_is_found_by_a_boolean_in_its_identity(api, world: World):
    """Mender's server accepts such identity data and then cannot show it."""
    device, other = world.device(identity={"lab": True, "n": 1}), world.device(identity={"lab": 1, "n": 2})
    assert values(api, device.id, "identity")["lab"] is True
    assert found(api, "identity", "lab", "$eq", True) == [device.id]
    assert found(api, "identity", "lab", "$in", [True]) == [device.id]
    assert found(api, "identity", "lab", "$ne", True) == [other.id]
    assert found(api, "identity", "lab", "$eq", 1) == [other.id]
    assert ids(api.get(DEVICES, params={"identity/lab": "true"})) == [device.id]


def test_a_report_with_a_lone_surrogate_is_stored(api, world: World):
    device = world.device()
    raw = rb'[{"name":"\udc00a","value":"caf\ud83d \\ud83d \ud83d\ude00"},{"name":"b","value":["x' + b'\xe9\xff"]}]'
    headers = {"Authorization": f"Bearer {device.token}", "Content-Type": "application/json"}
    answer = world.http.put("/api/devices/v1/inventory/device/attributes", content=raw, headers=headers)
    assert answer.status_code == 200, answer.text
    assert values(api, device.id) == {
        "\ufffda": "caf\ufffd \\ud83d \U0001f600",
        "b": ["x\ufffd\ufffd"],
    }
    assert api.get(path(device.id)).status_code == 200


def test_null_is_absent_in_deployments(api, world: World):
    device = world.device()
    world.upload("release")
    body = {
        "name": "n",
        "artifact_name": "release",
        "devices": [device.id],
        "all_devices": None,
        "retries": None,
        "force_installation": None,
        "phases": [{"batch_size": None, "start_ts": None}],
        "uniform_phases": None,
        "update_control_map": {
            "id": None,
            "priority": None,
            "states": {"ArtifactInstall_Enter": {"action": "pause", "on_map_expire": None}},
        },
    }
    answer = api.post("/api/management/v1/deployments/deployments", json=body)
    assert answer.status_code == 201, answer.text
    serves(device.poll(), answer.headers["Location"].rsplit("/", 1)[-1])
