"""Deploying a configuration (``docs/behaviour.md#configuration-deployments``)."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.deployments import service as deployments
from chalicelib.deviceconfig import service as deviceconfig_service
from chalicelib.deviceconfig.shapes import NewConfigurationDeployment
from chalicelib.fleet import control
from chalicelib.tenantadm import service
from tests.artifacts.container.build import parse_bytes
from tests.deployments.world import DEPLOYMENTS, serves, serves_nothing
from tests.deviceconfig.operator import PLACE, Configured, fetch
from tests.support.crashes import each_crash
from tests.support.probe import counted

# --- a whole deployment --------------------------------------------------------------------------------


def test_a_configuration_is_set_deployed_and_reported(configured: Configured):
    world, device = configured.world, configured.device
    configured.set({"timezone": "UTC", "pw": "hunter2", "x": "é"})
    deployment = configured.deploy()
    name = f"configuration-{deployment}"
    assert configured.shown()["deployment_id"] == deployment

    artifact = serves(device.poll(), deployment)
    assert artifact["id"] == deployment + device.id
    assert artifact["artifact_name"] == name
    assert artifact["device_types_compatible"] == [device.device_type]

    answer = fetch(world, artifact["source"]["uri"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/vnd.mender-artifact"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="artifact.mender"'
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    read = parse_bytes(answer.content)
    assert (read.name, read.format_version, read.signed) == (name, 3, False)
    assert read.depends == {"device_type": (device.device_type,)}
    assert read.provides == {"artifact_name": name, "data-partition.mender-configure.version": name}
    assert read.clears_provides == ("data-partition.mender-configure.*",)
    (payload,) = read.payloads
    assert (payload.type, payload.files) == ("mender-configure", ())
    assert payload.metadata == {"timezone": "UTC", "pw": "hunter2", "x": "é"}

    for status in ("downloading", "installing", "success"):
        assert device.report(deployment, status).status_code == 204
    assert world.show(deployment)["status"] == "finished"
    assert world.numbers(deployment) == {"success": 1}
    serves_nothing(device.poll())


def test_a_configuration_deployment_is_shown(configured: Configured):
    world = configured.world
    configured.set({"a": "secret", "b": "xy"})
    deployment = configured.deploy(retries=2)
    world.upload("software")
    software = world.deploy("software", [configured.device.id])

    shown = world.show(deployment)
    assert shown["name"] == shown["artifact_name"] == f"configuration-{deployment}"
    assert (shown["type"], shown["max_devices"], shown["retries"], shown["artifacts"]) == ("configuration", 1, 2, [])
    assert json.loads(base64.b64decode(shown["configuration"])) == {"a": "sec...<omitted>", "b": "xy...<omitted>"}
    assert "configuration" not in world.show(software)

    def listed(**query: str) -> list[str]:
        return [each["id"] for each in world.api.get(DEPLOYMENTS, params=query).json()]

    assert listed() == [software, deployment]
    assert listed(type="configuration") == [deployment]
    assert listed(type="software") == [software]
    serves(configured.device.poll(), deployment)
    (row,) = world.rows(deployment).values()
    assert "image" not in row
    history = world.api.get(f"{DEPLOYMENTS}/devices/{configured.device.id}").json()
    assert history[0]["deployment"]["configuration"] == shown["configuration"]


def test_deploying_again_creates_another_deployment(configured: Configured):
    configured.set({"a": "b"})
    first, second = configured.deploy(), configured.deploy()
    assert first != second

    # They run in order, and the same configuration is installed again: the artifact name does not identify it.
    configured.device.artifact_name = f"configuration-{first}"
    serves(configured.device.poll(), first)
    configured.device.report(first, "success")
    serves(configured.device.poll(), second)


def test_a_deployment_keeps_the_configuration_of_its_creation(configured: Configured):
    configured.set({"a": "first"})
    link = configured.link(configured.deploy())
    configured.set({"a": "second"})

    assert parse_bytes(fetch(configured.world, link).content).payloads[0].metadata == {"a": "first"}


def test_a_device_without_a_configuration_gets_an_empty_one(configured: Configured):
    link = configured.link(configured.deploy())
    assert parse_bytes(fetch(configured.world, link).content).payloads[0].metadata == {}


def test_retries_and_an_abort(configured: Configured):
    world, device = configured.world, configured.device
    deployment = configured.deploy(retries=1)
    serves(device.poll(), deployment)
    device.report(deployment, "failure")
    serves(device.poll(), deployment)
    device.report(deployment, "failure")
    assert world.numbers(deployment) == {"failure": 1}

    again = configured.deploy()
    serves(device.poll(), again)
    world.abort(again)
    assert device.report(again, "installing").status_code == 409
    serves_nothing(device.poll())


@pytest.mark.parametrize(
    "body", [{"retries": -1}, {"retries": "1"}, {"update_control_map": []}, [], None, {"retries": 10**9}]
)
def test_invalid_bodies_are_refused(configured: Configured, body: object):
    answer = configured.world.api.post(f"{PLACE}/{configured.device.id}/deploy", json=body)
    assert answer.status_code == 400


def test_an_update_control_map_is_included(configured: Configured, tenant):
    states = {"ArtifactInstall_Enter": {"action": "pause"}}
    deployment = configured.deploy(update_control_map={"priority": 1, "states": states})
    wanted = {"id": deployment, "priority": 1, "states": states}
    assert configured.device.poll().json()["update_control_map"] == wanted
    assert configured.world.show(deployment)["update_control_map"] == wanted

    place = f"{PLACE}/{configured.device.id}/deploy"
    answer = configured.world.api.post(place, json={"update_control_map": {"unknown": 1}})
    assert answer.status_code == 400
    service.set_plan(tenant.id, plan="professional")
    assert configured.world.api.post(place, json={"update_control_map": {}}).status_code == 403
    assert configured.world.api.post(place, json={"retries": 1}).status_code == 200


def test_deploying_requires_a_body(configured: Configured):
    place = f"{PLACE}/{configured.device.id}/deploy"
    assert configured.world.api.post(place).status_code == 400
    # Names in any case, unknown ones ignored, as everywhere.
    assert configured.world.api.post(place, json={"Retries": 1, "else": True}).status_code == 200


# --- cost --------------------------------------------------------------------------------


def test_polls_of_other_devices_have_no_additional_cost(configured: Configured, warm):
    world, device = configured.world, configured.device
    other = world.device()
    configured.set({"a": "b" * 1000})
    with counted() as made:
        deployment = configured.deploy()
    assert made.by_operation["TransactWriteItems"] == 1

    with counted() as idle:
        serves_nothing(other.poll())
    assert idle.calls == ["GetItem"]
    assert (idle.read_units, idle.write_units) == (1, 0)

    with counted() as first:
        serves(device.poll(), deployment)
    assert sorted(first.calls) == ["GetItem", "GetItem", "TransactWriteItems"]
    assert first.read_units <= 2
    with counted() as again:
        link = configured.link(deployment)
    assert again.round_trips <= 2
    assert (again.read_units <= 1.5, again.write_units) == (True, 0)
    with counted() as fetched:
        assert fetch(world, link).status_code == 200
    assert fetched.calls == ["GetItem"]


def test_deployments_to_an_absent_device_are_limited(configured: Configured, tenant):
    for _ in range(limits.HEAD_QUEUE):
        configured.deploy()

    answer = configured.world.api.post(f"{PLACE}/{configured.device.id}/deploy", json={})

    assert answer.status_code == 422
    assert control.get(tenant.id, fresh=True).open == {}


# --- races and crashes ----------------------------------------------------------------------------


def test_the_configuration_changes_while_it_is_deployed(configured: Configured, monkeypatch):
    configured.set({"a": "old"})
    real = deployments.deploy_configuration
    calls: list[Any] = []

    def slowly(*arguments: Any, **more: Any) -> None:
        if not calls:
            configured.set({"a": "new"})
        calls.append(arguments)
        real(*arguments, **more)

    monkeypatch.setattr(deployments, "deploy_configuration", slowly)
    deployment = configured.deploy()

    assert len(calls) == 2
    link = configured.link(deployment)
    assert parse_bytes(fetch(configured.world, link).content).payloads[0].metadata == {"a": "new"}
    assert configured.world.api.get(DEPLOYMENTS).headers["X-Total-Count"] == "1"


def test_deploying_can_be_repeated_after_a_crash_at_any_call(configured: Configured, tenant):
    configured.set({"a": "b"})
    api, device = configured.world.api, configured.device
    deploy = partial(deviceconfig_service.deploy, tenant.id, device.id, NewConfigurationDeployment())
    deaths = 0
    for _ in each_crash(deploy):
        deaths += 1
        newest = deploy()
        # In each case the deployment is complete and counted once.
        assert configured.shown()["deployment_id"] == newest
        answer = api.get(DEPLOYMENTS, params={"per_page": 500})
        assert all("configuration" in each for each in answer.json())
        assert answer.headers["X-Total-Count"] == str(len(answer.json()))
        # Each is served in order and finishes.
        for waiting in reversed([each["id"] for each in answer.json() if each["status"] != "finished"]):
            serves(device.poll(), waiting)
            assert device.report(waiting, "success").status_code == 204
        serves_nothing(device.poll())
    assert deaths >= 6


@pytest.mark.parametrize("kind", [".", "..", "%", "%2E", "%.", "a/b", "é ü"])
def test_a_link_for_a_device_of_any_type(configured: Configured, kind: str):
    configured.set({"a": "b"})
    deployment = configured.deploy()
    artifact = serves(configured.device.poll(device_type=kind), deployment)
    answer = fetch(configured.world, artifact["source"]["uri"])
    assert answer.status_code == 200, answer.text
    assert parse_bytes(answer.content).depends == {"device_type": (kind,)}
