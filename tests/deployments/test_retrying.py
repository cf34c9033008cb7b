"""Retrying what failed: a new deployment to the devices that failed in an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.workers import preparing
from chalicelib.deployments.tables.items import RowItem, row_ref
from chalicelib.fleet import control, control_items, parts
from chalicelib.fleet.tables import ControlItem
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World, serves, serves_nothing
from tests.roles.test_roles import ROLES, role, scoped

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


@pytest.fixture
def fleet(world: World) -> list[Device]:
    """Four devices."""
    world.upload("two")
    return [world.device() for _ in range(4)]


def _end(device: Device, deployment: str, status: str = "failure") -> None:
    serves(device.poll(), deployment)
    assert device.report(deployment, status).status_code == 204


def _post(client: httpx2.Client, deployment: str, body: dict[str, Any] | None = None) -> httpx2.Response:
    return client.post(f"{DEPLOYMENTS}/{deployment}/retry", json=body)


def _retry(world: World, deployment: str, body: dict[str, Any] | None = None) -> str:
    answer = _post(world.api, deployment, body)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rsplit("/", 1)[-1]


def _targets(world: World, deployment: str) -> list[str]:
    found: list[str] = world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json()
    return found


def test_a_retry_is_for_exactly_the_devices_that_failed(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", name="winter", force_installation=True)
    for device, status in zip(fleet, ("failure", "success", "failure", "already-installed"), strict=True):
        _end(device, deployment, status)

    again = _retry(world, deployment)

    failed = [fleet[0], fleet[2]]
    assert _targets(world, again) == sorted(device.id for device in failed)
    shown = world.show(again)
    assert (shown["name"], shown["artifact_name"], shown["parent"]) == ("winter (retry 1)", "two", deployment)
    assert shown["force_installation"]
    entries = world.api.get("/api/management/v1/auditlogs/logs").json()
    assert [each["change"] for each in entries if each["object"]["id"] == again] == [
        f"Retry of deployment {deployment}"
    ]
    assert shown["filter"]["terms"][0]["value"] == sorted(device.id for device in failed)
    assert world.show(deployment)["retried_by"] == [again]
    serves_nothing(fleet[1].poll())
    for device in failed:
        _end(device, again, "success")
    assert (world.show(again)["status"], world.numbers(again)) == ("finished", {"success": 2})
    # What the devices did in the earlier deployment stays as it was.
    assert world.numbers(deployment) == {"failure": 2, "success": 1, "already-installed": 1}


def test_a_running_deployment_is_retried_for_those_that_have_failed_so_far(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", name="winter")
    _end(fleet[0], deployment)
    first = _retry(world, deployment)
    assert _targets(world, first) == [fleet[0].id]

    # The same call again changes nothing, although it would get another name.
    assert _post(world.api, deployment).status_code == 409
    assert world.show(deployment)["retried_by"] == [first]
    _end(fleet[1], deployment)
    second = _retry(world, deployment)

    assert _targets(world, second) == sorted([fleet[0].id, fleet[1].id])
    assert world.show(second)["name"] == "winter (retry 2)"
    assert world.show(deployment)["retried_by"] == [first, second]
    _end(fleet[0], first)
    nested = _retry(world, first)
    assert (world.show(nested)["name"], world.show(nested)["parent"]) == ("winter (retry 1.1)", first)
    serves(fleet[2].poll(), deployment)


def test_a_retry_may_bring_a_fixed_release_with_other_options(world: World, fleet: list[Device]) -> None:
    world.upload("three")
    deployment = world.deploy("two", retries=1, phases=[{"batch_size": 50}, {"start_ts": "2099-01-01T00:00:00Z"}])
    for _ in range(2):
        _end(fleet[0], deployment)
    for _ in range(2):
        _end(fleet[1], deployment)

    inherited = world.show(_retry(world, deployment))
    assert inherited["retries"] == 1
    assert "phases" not in inherited
    wanted = {"artifact_name": "three", "name": "fixed", "retries": 0}
    phases = [{"batch_size": 50}, {"start_ts": "2099-01-01T00:00:00Z"}]
    answer = _post(world.api, deployment, {**wanted, "phases": phases})
    assert answer.status_code == 201, answer.text
    shown = world.show(answer.headers["Location"].rsplit("/", 1)[-1])
    assert (shown["artifact_name"], shown["name"], shown["parent"]) == ("three", "fixed", deployment)
    assert "retries" not in shown
    assert len(shown["phases"]) == 2


def test_a_retry_keeps_what_protects_the_fleet(world: World, fleet: list[Device], moment: Clock) -> None:
    phases: list[dict[str, Any]] = [{"batch_size": 50}, {"batch_size": 50}]
    windows = [{"start_time": "00:00", "duration": "P1D"}]
    stop = {"max_failures": 3, "per": "phase"}
    given = {"gate": {"success_percent": 50}, "stop": stop, "windows": windows, "time_zone": "Europe/Berlin"}
    deployment = world.deploy("two", phases=phases, rollout=given)
    for device in fleet[:2]:
        _end(device, deployment)

    kept = world.show(_retry(world, deployment))["rollout"]["settings"]

    assert (kept["windows"], kept["time_zone"]) == (windows, "Europe/Berlin")
    assert "gate" not in kept
    # Without phases, failures are counted in the whole deployment.
    assert (kept["stop"]["max_failures"], kept["stop"].get("per")) == (3, None)
    in_phases = world.show(_retry(world, deployment, {"name": "in phases", "phases": phases}))["rollout"]["settings"]
    assert (in_phases["gate"], in_phases["stop"]) == (given["gate"], stop)
    other = {"name": "other", "rollout": {"stop": {"max_failures": 1}}}
    assert "windows" not in world.show(_retry(world, deployment, other))["rollout"]["settings"]
    assert "rollout" not in world.show(_retry(world, deployment, {"name": "none", "rollout": {}}))
    world.abort(deployment)  # its second phase waits, and would be the older one
    only_gate = world.deploy("two", [fleet[2].id, fleet[3].id], phases=phases, rollout={"gate": {}})
    _end(fleet[2], only_gate)
    assert "rollout" not in world.show(_retry(world, only_gate))


def test_devices_with_other_statuses_can_be_retried(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two")
    _end(fleet[0], deployment)
    other = fleet[1]
    assert other.poll(device_type="other").status_code == 204
    serves(fleet[2].poll(), deployment)
    world.abort(deployment)  # fleet[3] has not polled

    def retried(*statuses: str) -> list[str]:
        return _targets(world, _retry(world, deployment, {"statuses": list(statuses)}))

    assert retried("failure") == [fleet[0].id]
    assert retried("aborted") == [fleet[2].id]
    assert retried("noartifact") == [other.id]
    assert retried("noartifact", "failure", "aborted") == sorted(device.id for device in fleet[:3])


def test_what_cannot_be_retried_is_refused_with_the_reason(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two")
    nothing = _post(world.api, deployment)
    assert nothing.status_code == 422
    assert nothing.json()["error"].startswith("nothing to retry: no device of this deployment has the status failure")
    _end(fleet[0], deployment)
    assert _post(world.api, "6d5f0b4e-0000-4000-8000-000000000001").status_code == 404
    assert _post(world.api, deployment, {"artifact_name": "missing"}).status_code == 422
    bad: list[dict[str, Any]] = [{"statuses": []}, {"statuses": ["success"]}, {"name": ""}, {"retries": -1}]
    for body in (*bad, {"phases": [{}, {}]}):
        assert _post(world.api, deployment, body).status_code == 400, body
    raw = world.api.post(
        f"{DEPLOYMENTS}/{deployment}/retry", content=b"name: x", headers={"Content-Type": "text/plain"}
    )
    assert raw.status_code == 415
    assert "retried_by" not in world.show(deployment)


def test_a_configuration_deployment_is_not_retried(world: World, fleet: list[Device]) -> None:
    place = f"/api/management/v1/deviceconfig/configurations/device/{fleet[0].id}"
    assert world.api.put(place, json={"a": "b"}).status_code == 204
    made = world.api.post(f"{place}/deploy", json={}).json()["deployment_id"]
    refused = _post(world.api, made)
    assert refused.status_code == 422
    assert "deploy the configuration" in refused.json()["error"]


def test_decommissioned_devices_are_left_out(world: World, fleet: list[Device], server: LocalServer) -> None:
    deployment = world.deploy("two")
    for device in fleet[:2]:
        _end(device, deployment)
    assert world.api.delete(f"{DEVAUTH}/{fleet[0].id}").status_code == 204
    assert _targets(world, _retry(world, deployment)) == [fleet[1].id]
    server.drain()
    assert world.api.delete(f"{DEVAUTH}/{fleet[1].id}").status_code == 204
    assert _post(world.api, deployment, {"name": "late"}).status_code == 422


def test_a_deployment_is_retried_a_limited_number_of_times(
    world: World, fleet: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DEPLOYMENT_RETRIES", 1)
    deployment = world.deploy("two")
    _end(fleet[0], deployment)
    again = _retry(world, deployment)
    _end(fleet[0], again)
    refused = _post(world.api, deployment, {"name": "more"})
    assert refused.status_code == 409
    assert "retry one of its retries" in refused.json()["error"]
    assert world.show(_retry(world, again))["parent"] == again


def test_a_retry_finds_devices_that_the_index_by_status_does_not_show_yet(
    world: World, fleet: list[Device], tenant: Tenant
) -> None:
    deployment = world.deploy("two")
    for device in fleet[:2]:
        _end(device, deployment)
    plan = plans.get(tenant.id, deployment)
    assert plan is not None
    row_ref(tenant.id, plan, fleet[0].id).update([RowItem.state_sk.set(f"07#{fleet[0].id}")])
    assert _targets(world, _retry(world, deployment)) == sorted(device.id for device in fleet[:2])


def test_the_user_of_a_group_retries_its_devices_only(
    world: World, fleet: list[Device], sign_in: SignIn, tenant: Tenant
) -> None:
    inside, outside = fleet[:2]
    groups = "/api/management/v1/inventory/groups/mine/devices"
    assert world.api.patch(groups, json=[inside.id, outside.id]).status_code == 200
    deployment = world.deploy("two", group="mine")
    listed = world.deploy("two", [fleet[2].id, fleet[3].id])
    for device in (inside, outside):
        _end(device, deployment)
    for device in fleet[2:]:
        _end(device, listed)
    assert world.api.request("DELETE", groups, json=[outside.id]).status_code == 200
    sets = role("mine", scoped("DeployToDevices", "mine"))
    assert world.api.post(ROLES, json=sets).status_code == 201
    user = sign_in(tenant, "mine")

    answer = _post(user, deployment)

    assert answer.status_code == 201, answer.text
    again = answer.headers["Location"].rsplit("/", 1)[-1]
    assert _targets(world, again) == [inside.id]
    assert user.get(f"{DEPLOYMENTS}/{again}").json()["groups"] == ["mine"]
    assert _post(user, listed).status_code == 403
    # A list of several devices is not permitted to them in any other way either.
    assert world.api.patch(groups, json=[fleet[2].id, fleet[3].id]).status_code == 200
    assert user.get(f"{DEPLOYMENTS}/{listed}").status_code == 200
    assert _post(user, listed).status_code == 403
    # An administrator retries all devices, wherever they are now.
    assert _targets(world, _retry(world, deployment, {"name": "all"})) == sorted([inside.id, outside.id])


def test_the_user_of_a_tag_retries_with_its_releases_only(
    world: World, fleet: list[Device], sign_in: SignIn, tenant: Tenant
) -> None:
    world.upload("three")
    tags = "/api/management/v2/deployments/deployments/releases/two/tags"
    assert world.api.put(tags, json=["ours"]).status_code == 204
    groups = "/api/management/v1/inventory/groups/mine/devices"
    assert world.api.patch(groups, json=[fleet[0].id, fleet[1].id]).status_code == 200
    deployment = world.deploy("two", group="mine")
    _end(fleet[0], deployment)
    _end(fleet[1], deployment)
    sets = [scoped("DeployToDevices", "mine"), scoped("ReadReleases", "ours", kind="ReleaseTags")]
    assert world.api.post(ROLES, json=role("ours", *sets)).status_code == 201
    user = sign_in(tenant, "ours")

    assert _post(user, deployment, {"artifact_name": "three"}).status_code == 403
    assert _post(user, deployment).status_code == 201


def test_a_reader_does_not_retry(world: World, fleet: list[Device], sign_in: SignIn, tenant: Tenant) -> None:
    deployment = world.deploy("two")
    _end(fleet[0], deployment)
    assert _post(sign_in(tenant, "RBAC_ROLE_OBSERVER"), deployment).status_code == 403


def test_a_retry_of_many_devices_is_prepared(
    world: World, fleet: list[Device], server: LocalServer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    control_items.ref(tenant.id).update([ControlItem.parts.set(parts.LARGE)])
    control.forget(tenant.id)
    gone = world.device()
    deployment = world.deploy("two", name="winter")
    for device in (*fleet[:3], gone):
        _end(device, deployment)
    monkeypatch.setattr(limits, "UNDIVIDED_DEVICES", 2)
    assert world.api.delete(f"{DEVAUTH}/{gone.id}").status_code == 204

    again = _retry(world, deployment)

    shown = world.show(again)
    assert (shown["preparing"], shown["parent"]) == ({"found": 0, "expected": 4}, deployment)
    assert _post(world.api, deployment).status_code == 409
    server.drain()
    assert _targets(world, again) == sorted(device.id for device in fleet[:3])
    _end(fleet[3], deployment)
    assert _targets(world, again) == sorted(device.id for device in fleet[:3])
    for device in fleet[:3]:
        _end(device, again, "success")
    assert world.show(again)["status"] == "finished"


def test_a_prepared_retry_is_for_devices_in_the_users_groups(
    world: World,
    fleet: list[Device],
    server: LocalServer,
    tenant: Tenant,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control_items.ref(tenant.id).update([ControlItem.parts.set(parts.LARGE)])
    control.forget(tenant.id)
    groups = "/api/management/v1/inventory/groups/mine/devices"
    assert world.api.patch(groups, json=[device.id for device in fleet]).status_code == 200
    deployment = world.deploy("two", group="mine")
    for device in fleet[:3]:
        serves(device.poll(), deployment)
    world.abort(deployment)
    monkeypatch.setattr(limits, "UNDIVIDED_DEVICES", 2)
    assert world.api.post(ROLES, json=role("mine", scoped("DeployToDevices", "mine"))).status_code == 201
    answer = _post(sign_in(tenant, "mine"), deployment, {"statuses": ["aborted"]})
    assert answer.status_code == 201, answer.text
    assert world.api.request("DELETE", groups, json=[fleet[0].id]).status_code == 200

    server.drain()

    again = answer.headers["Location"].rsplit("/", 1)[-1]
    assert _targets(world, again) == sorted(device.id for device in fleet[1:3])


def test_an_earlier_worker_gives_a_retry_to_no_device(
    world: World, fleet: list[Device], server: LocalServer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the group only, which must not be absent: that stands for all devices."""
    control_items.ref(tenant.id).update([ControlItem.parts.set(parts.LARGE)])
    control.forget(tenant.id)
    monkeypatch.setattr(limits, "UNDIVIDED_DEVICES", 2)
    deployment = world.deploy("two")
    server.drain()
    for device in fleet[:3]:
        _end(device, deployment)
    again = _retry(world, deployment)
    known = preparing._devices

    def earlier(tenant_id: Any, wanted: Any) -> Any:
        return known(tenant_id, type(wanted)(**{**_fields(wanted), "retried": None}))

    monkeypatch.setattr(preparing, "_devices", earlier)
    server.drain()
    assert (world.show(again)["status"], world.numbers(again)) == ("finished", {})
    serves_nothing(fleet[0].poll())


def _fields(wanted: Any) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in wanted.__struct_fields__}
