"""Configured and reported configurations (``docs/behaviour.md#configurations``)."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.deviceconfig import rules
from chalicelib.errors import BadRequest
from chalicelib.tenantadm import service
from tests.deviceconfig.operator import OWN, PLACE, Configured
from tests.simulator.device import Device
from tests.support.probe import counted

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")


def test_an_accepted_device_has_an_empty_configuration(configured: Configured):
    shown = configured.shown()
    assert TIME.fullmatch(shown.pop("updated_ts"))
    assert shown == {"id": configured.device.id, "configured": {}, "reported": {}}
    assert configured.own() == {}


def test_the_device_gets_the_wanted_configuration_and_operators_see_both(configured: Configured):
    assert configured.set({"timezone": "UTC", "empty": ""}).status_code == 204
    assert configured.own() == {"timezone": "UTC", "empty": ""}

    assert configured.report({"timezone": "Europe/Oslo"}).status_code == 204

    assert configured.own() == {"timezone": "UTC", "empty": ""}
    shown = configured.shown()
    assert shown["configured"] == {"timezone": "UTC", "empty": ""}
    assert shown["reported"] == {"timezone": "Europe/Oslo"}
    assert TIME.fullmatch(shown["updated_ts"])
    assert TIME.fullmatch(shown["reported_ts"])
    assert "deployment_id" not in shown


def test_a_write_replaces_the_whole_configuration(configured: Configured):
    configured.set({"a": "1", "b": "2"})
    configured.report({"a": "1", "b": "2"})

    configured.set({"b": "3"})
    configured.report({})

    assert configured.shown()["configured"] == {"b": "3"}
    assert configured.shown()["reported"] == {}


@pytest.mark.parametrize("value", [1, 1.5, True, None, ["a"], {"a": "b"}, "x" * (limits.CONFIGURATION_TEXT + 1)])
def test_values_must_be_strings(configured: Configured, value: object):
    for answer in (configured.set({"a": value}), configured.report({"a": value})):
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("invalid request body: ")
    assert configured.shown()["configured"] == configured.shown()["reported"] == {}


@pytest.mark.parametrize(
    "body",
    [
        {"": "v"},
        {"k" * (limits.CONFIGURATION_TEXT + 1): "v"},
        {str(number): "v" for number in range(limits.CONFIGURATION_KEYS + 1)},
        {str(number): "v" * 4000 for number in range(40)},
        ["a"],
        "a",
        None,
    ],
    ids=["no key", "long key", "many keys", "much", "list", "text", "null"],
)
def test_invalid_configurations_are_refused(configured: Configured, body: object):
    assert configured.set(body).status_code == 400
    assert configured.report(body).status_code == 400


@given(st.dictionaries(st.text(min_size=1, max_size=50), st.text(max_size=500), max_size=20))
def test_any_strings_can_be_stored(configuration: dict[str, str]):
    rules.check_size(configuration)


def test_a_configuration_that_is_too_large_is_refused():
    with pytest.raises(BadRequest, match="too large"):
        rules.check_size({"k": "v" * limits.CONFIGURATION})


def test_unknown_and_pending_devices(configured: Configured):
    api = configured.world.api
    pending = Device(configured.world.http, configured.world.token)
    assert pending.auth().status_code == 401
    found = api.get("/api/management/v2/devauth/devices", params={"status": "pending"}).json()
    for unknown in (str(uuid.uuid4()), found[0]["id"]):
        answer = api.get(f"{PLACE}/{unknown}")
        assert (answer.status_code, answer.json()["error"]) == (404, "device does not exist")
        assert api.post(f"{PLACE}/{unknown}/deploy", json={}).status_code == 404

        # The configuration of a device may be set before the device exists.
        assert api.put(f"{PLACE}/{unknown}", json={"a": "b"}).status_code == 204
        assert api.get(f"{PLACE}/{unknown}").json()["configured"] == {"a": "b"}


def test_decommissioning_deletes_the_configuration(server, configured: Configured):
    api, device = configured.world.api, configured.device.id
    configured.set({"a": "b"})
    deployment = configured.deploy()
    assert api.delete(f"/api/management/v2/devauth/devices/{device}").status_code == 204

    # It is being decommissioned: anything written now would never be deleted.
    assert configured.set({"a": "c"}).status_code == 404
    assert configured.report({"a": "c"}).status_code == 401
    assert api.post(f"{PLACE}/{device}/deploy", json={}).status_code == 404
    server.drain()

    assert api.get(f"{PLACE}/{device}").status_code == 404
    assert configured.world.show(deployment)["status"] == "finished"


def test_a_tenant_without_the_add_on(configured: Configured, tenant):
    configured.set({"a": "b"})
    service.set_plan(tenant.id, addons=["monitor", "troubleshoot"])

    api, place = configured.world.api, f"{PLACE}/{configured.device.id}"
    for answer in (api.get(place), api.put(place, json={}), api.post(f"{place}/deploy", json={})):
        assert answer.status_code == 403, answer.text
    # A device cannot know its owner's plan.
    assert configured.own() == {"a": "b"}
    assert configured.report({}).status_code == 204


def test_the_cost_of_configurations(configured: Configured, warm):
    configured.set({"a": "b"})
    with counted() as asked:
        configured.own()
    assert asked.calls == ["GetItem", "GetItem"]
    assert (asked.read_units, asked.write_units) == (2, 0)

    with counted() as told:
        configured.report({"a": "b"})
    assert told.calls == ["GetItem", "TransactWriteItems"]
    assert told.write_units == 4  # the item and the device head

    with counted() as shown:
        configured.shown()
    assert shown.round_trips == 2  # the user's session and the item


def test_device_routes_require_a_device_token(configured: Configured):
    assert configured.world.http.get("/api/devices" + OWN).status_code == 401


def test_a_device_without_a_configuration_has_a_time_too(configured: Configured):
    known = configured.world.api.get(f"/api/management/v1/inventory/devices/{configured.device.id}").json()
    created = next(each["value"] for each in known["attributes"] if each["name"] == "created_ts")

    assert configured.shown()["updated_ts"] == created

    assert configured.report({"key": "value"}).status_code == 204
    assert configured.shown()["updated_ts"] == created
