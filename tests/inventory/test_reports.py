"""Attributes reported by devices."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from chalicelib import clock, limits, times
from tests.devauth.fleet import accept, decide
from tests.inventory.views import path, values
from tests.simulator.device import Device
from tests.support.probe import counted

ATTRIBUTES = "/v1/inventory/device/attributes"


def test_a_device_is_shown(api, device):
    assert device.inventory({"device_type": "pi4", "cpus": 4, "load": [0.5, 1.0]}).status_code == 200
    shown = api.get(path(device.id)).json()
    assert set(shown) == {"id", "attributes", "updated_ts"}
    assert shown["id"] == device.id
    found = {(item["scope"], item["name"]): item["value"] for item in shown["attributes"]}
    system = {name: found.pop(("system", name)) for name in ("created_ts", "updated_ts", "check_in_time")}
    assert system["updated_ts"] == shown["updated_ts"]
    assert found == {
        ("identity", "mac"): device.identity["mac"],
        ("identity", "status"): "accepted",
        ("inventory", "device_type"): "pi4",
        ("inventory", "cpus"): 4,
        ("inventory", "load"): [0.5, 1],
    }
    assert api.get(path("nobody")).status_code == 404
    assert api.get(path("nobody")).json()["error"] == "Device not found"


def test_put_replaces_and_patch_merges(api, device):
    device.inventory({"a": "1", "b": "2"})
    assert device.inventory({"b": "3", "c": []}, method="PATCH").status_code == 200
    assert values(api, device.id) == {"a": "1", "b": "3", "c": []}
    assert device.inventory({"c": ""}, method="PUT").status_code == 200
    assert values(api, device.id) == {"c": ""}
    device.inventory({}, method="PATCH")
    assert values(api, device.id) == {"c": ""}
    device.inventory({}, method="PUT")
    assert values(api, device.id) == {}


def test_additional_members_of_attributes_are_ignored(api, device):
    document = [
        {"name": "a", "value": 1, "description": "first", "scope": "identity", "timestamp": "x", "more": {}},
        {"NAME": "b", "Value": "two"},
        {"name": "a", "value": 2},
    ]
    assert device.call("PUT", ATTRIBUTES, document).status_code == 200
    assert values(api, device.id) == {"a": 2, "b": "two"}
    device.call("PUT", ATTRIBUTES, [{"name": "a", "value": 1, "description": "first"}])
    device.call("PATCH", ATTRIBUTES, [{"name": "a", "value": 3}])
    (shown,) = [item for item in api.get(path(device.id)).json()["attributes"] if item["scope"] == "inventory"]
    assert shown == {"name": "a", "value": 3, "scope": "inventory", "description": "first"}


@pytest.mark.parametrize("value", [True, False, {}, {"a": 1}, [True], [[]], [None], ["a", {}], None])
def test_values_of_other_types(device, value):
    answer = device.inventory({"a": value})
    assert answer.status_code == 400
    assert answer.json()["error"] == "supported types are string, float64, and arrays thereof"


@pytest.mark.parametrize("value", [["a", 1], [1.5, "a"]])
def test_lists_of_several_types(device, value):
    answer = device.inventory({"a": value})
    assert answer.status_code == 400
    assert answer.json()["error"] == "array values must be of consistent type: string or float64"


@pytest.mark.parametrize(
    "document",
    [
        {},
        "x",
        [1],
        [{"name": 1, "value": "a"}],
        [{"value": "a"}],
        [{"name": "a"}],
        [{"name": "", "value": "a"}],
        [{"name": "a" * (limits.ATTRIBUTE_NAME + 1), "value": "a"}],
        [{"name": "a", "value": "a" * (limits.ATTRIBUTE_VALUE + 1)}],
        [{"name": f"a{number}", "value": "a" * 60_000} for number in range(6)],
    ],
    ids=lambda document: str(document)[:40],
)
def test_invalid_documents_are_refused(api, device, document):
    device.inventory({"kept": "yes"})
    assert device.call("PUT", ATTRIBUTES, document).status_code == 400
    assert values(api, device.id) == {"kept": "yes"}


def test_a_missing_document_and_a_wrong_content_type_are_refused(device):
    headers = {"Authorization": f"Bearer {device.token}"}
    url = "/api/devices" + ATTRIBUTES
    answer = device.http.put(url, headers=headers)
    assert answer.status_code == 400
    assert "EOF" in answer.json()["error"]
    text = device.http.put(url, content=b"[]", headers=headers | {"Content-Type": "text/plain"})
    assert text.status_code == 415


def test_the_number_of_attributes_is_limited_to_a_hundred(api, device):
    most = limits.INVENTORY_ATTRIBUTES
    assert device.inventory({f"a{number}": number for number in range(most)}).status_code == 200
    answer = device.inventory({"one more": 1}, method="PATCH")
    assert answer.status_code == 400
    assert answer.json()["error"] == "the number of attributes in the scope is above the limit"
    assert device.inventory({"a0": "changed"}, method="PATCH").status_code == 200
    assert len(values(api, device.id)) == most


def test_the_same_report_again_costs_one_read_and_no_write(device, warm):
    report = {"a": 1, "b": ["x", "y"], "c": 2.5}
    device.inventory(report)
    shuffled = dict(reversed(report.items()))
    with counted() as cost:
        assert device.inventory(shuffled).status_code == 200
    assert cost.calls == ["GetItem"]
    assert cost.read_units <= 1
    assert cost.write_units == 0


def test_a_changed_report_costs_two_reads_and_one_transaction(device, warm):
    device.inventory({"a": 1})
    with counted() as cost:
        assert device.inventory({"a": 2}).status_code == 200
    assert cost.calls == ["GetItem", "GetItem", "TransactWriteItems"]
    assert cost.read_units <= 2
    # Doubled, since it is a transaction: the device, its row of changes, its head.
    assert cost.write_units <= 6


def test_a_put_after_a_patch_with_the_same_content_is_applied(api, device):
    device.inventory({"a": "1", "b": "2"})
    device.inventory({"a": "1"}, method="PATCH")
    device.inventory({"a": "1"}, method="PUT")
    assert values(api, device.id) == {"a": "1"}


def test_the_first_report_of_a_day_updates_the_time(api, device):
    device.inventory({"a": 1})
    before = api.get(path(device.id)).json()["updated_ts"]
    device.inventory({"a": 1})
    assert api.get(path(device.id)).json()["updated_ts"] == before
    with time_machine.travel(clock.now() + timedelta(days=1), tick=False):
        device.inventory({"a": 1})
    assert times.read(api.get(path(device.id)).json()["updated_ts"]) > times.read(before)


def test_deleted_attributes_are_written_again_by_the_same_report(api, device):
    device.inventory({"a": 1})
    assert api.delete(path(device.id)).status_code == 204
    assert values(api, device.id) == {}
    assert values(api, device.id, "identity")["status"] == "accepted"
    device.inventory({"a": 1})
    assert values(api, device.id) == {"a": 1}
    assert api.delete(path("nobody")).status_code == 204


def test_reports_cannot_change_identity_and_status(http, api, tenant):
    identity = {"status": "fake", "sn": "1", "flag": True, "tree": {"a": 1}, "macs": ["a", "b"], "n": 7.0}
    device = Device(http, tenant.tenant_token, identity=identity)
    accept(api, device)
    shown = {"sn": "1", "flag": True, "macs": ["a", "b"], "n": 7, "status": "accepted"}
    assert values(api, device.id, "identity") == shown
    decide(api, device, "rejected")
    assert values(api, device.id, "identity")["status"] == "rejected"
