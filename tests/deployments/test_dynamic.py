"""Dynamic deployments: for the devices that match a saved filter when they poll."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.tenantadm import service
from tests.deployments.test_races import concurrently
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock

V2 = "/api/management/v2/deployments/deployments"
FILTERS = "/api/management/v2/inventory/filters"
INVENTORY = "/api/management/v1/inventory/devices"


def save_filter(world: World, scope: str, attribute: str, value: Any, kind: str = "$eq") -> str:
    terms = [{"scope": scope, "attribute": attribute, "type": kind, "value": value}]
    answer = world.api.post(FILTERS, json={"name": uuid.uuid4().hex, "terms": terms})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rsplit("/", 1)[-1]


def post(world: World, filter_id: str, **more: Any) -> httpx2.Response:
    body = {"name": "rollout", "artifact_name": "two", "filter_id": filter_id} | more
    return world.api.post(V2, json=body)


def deploy(world: World, filter_id: str, **more: Any) -> str:
    answer = post(world, filter_id, **more)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rsplit("/", 1)[-1]


def tag(world: World, device: Device, place: str) -> None:
    answer = world.api.put(f"{INVENTORY}/{device.id}/tags", json=[{"name": "place", "value": place}])
    assert answer.status_code == 200, answer.text


def tagged(world: World, count: int) -> list[Device]:
    """Devices with the tag that the filter looks for."""
    devices = [world.device() for _ in range(count)]
    for device in devices:
        tag(world, device, "here")
    return devices


@pytest.fixture
def chosen(world: World) -> str:
    """A saved filter for the tagged devices; there is a release."""
    world.upload("two")
    return save_filter(world, "tags", "place", "here")


def test_a_dynamic_deployment_is_shown(world: World, chosen: str) -> None:
    first, _ = tagged(world, 2)
    world.device()
    deployment = deploy(world, chosen)

    shown = world.show(deployment)
    saved = world.api.get(f"{FILTERS}/{chosen}").json()
    assert (shown["dynamic"], shown["initial_device_count"], shown["max_devices"]) == (True, 2, 0)
    assert shown["filter"] == saved
    assert (shown["status"], shown["device_count"], world.numbers(deployment)) == ("pending", 0, {})
    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json() == []

    serves(first.poll(), deployment)

    assert (world.show(deployment)["status"], world.numbers(deployment)) == ("pending", {"pending": 1})
    first.report(deployment, "installing")
    assert world.show(deployment)["status"] == "inprogress"
    first.report(deployment, "success")
    # Devices that match later belong to it too.
    assert world.show(deployment)["status"] == "inprogress"
    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json() == [first.id]
    (row,) = world.api.get(f"{DEPLOYMENTS}/{deployment}/devices").json()
    assert row["status"] == "success"
    world.abort(deployment)
    assert (world.show(deployment)["status"], world.numbers(deployment)) == ("finished", {"success": 1})


def test_devices_are_matched_when_they_poll(world: World, chosen: str) -> None:
    device = world.device()
    deployment = deploy(world, chosen)
    serves_nothing(device.poll())

    tag(world, device, "elsewhere")
    serves_nothing(device.poll())
    tag(world, device, "here")

    serves(device.poll(), deployment)
    # A device that has begun continues, even if it no longer matches.
    tag(world, device, "elsewhere")
    serves(device.poll(), deployment)
    late = world.device()
    serves_nothing(late.poll())
    tag(world, late, "here")
    serves(late.poll(), deployment)


def test_the_current_group_and_inventory_are_matched(world: World, chosen: str) -> None:
    device = world.device()
    by_group = deploy(world, save_filter(world, "system", "group", "lab"), name="group")
    by_kernel = deploy(world, save_filter(world, "inventory", "kernel", "6", "$regex"), name="kernel")
    serves_nothing(device.poll())

    assert device.inventory({"kernel": "6.1"}).status_code == 200
    serves(device.poll(), by_kernel)
    device.report(by_kernel, "success")
    assert world.api.put(f"{INVENTORY}/{device.id}/group", json={"group": "lab"}).status_code == 204
    # It is older than the deployment that the device has finished.
    serves_nothing(device.poll())

    other = world.device()
    assert world.api.put(f"{INVENTORY}/{other.id}/group", json={"group": "lab"}).status_code == 204
    serves(other.poll(), by_group)


def test_the_deployment_keeps_a_copy_of_a_deleted_filter(world: World, chosen: str) -> None:
    (device,) = tagged(world, 1)
    deployment = deploy(world, chosen)
    assert world.api.delete(f"{FILTERS}/{chosen}").status_code == 204

    serves(device.poll(), deployment)
    assert world.show(deployment)["filter"]["id"] == chosen


def test_it_finishes_when_its_limit_of_devices_is_reached(world: World, chosen: str) -> None:
    devices = tagged(world, 4)
    deployment = deploy(world, chosen, max_devices=2, retries=1)
    newer = deploy(world, chosen, name="newer")
    assert world.numbers(deployment) == {"pending": 2}

    for device in devices[:2]:
        serves(device.poll(), deployment)
    serves(devices[2].poll(), newer)  # the limit stays reached, so no device waits
    devices[0].report(deployment, "success")
    devices[1].report(deployment, "failure")
    assert world.show(deployment)["status"] == "inprogress"
    serves(devices[1].poll(), deployment)
    devices[1].report(deployment, "success")

    shown = world.show(deployment)
    assert (shown["status"], shown["max_devices"], shown["device_count"]) == ("finished", 2, 2)
    assert world.numbers(deployment) == {"success": 2}
    serves(devices[3].poll(), newer)


def test_the_limit_is_exact_with_concurrent_polls_and_reports(world: World, chosen: str) -> None:
    devices = tagged(world, 12)
    deployment = deploy(world, chosen, max_devices=7)

    answers = concurrently([device.poll for device in devices])

    served = [device for device, answer in zip(devices, answers, strict=True) if answer.status_code == 200]
    assert len(served) == len(world.rows(deployment)) == 7
    answers = concurrently([partial(device.report, deployment, "success") for device in served])
    assert {answer.status_code for answer in answers} == {204}
    assert (world.show(deployment)["status"], world.numbers(deployment)) == ("finished", {"success": 7})


def test_phases_divide_the_devices_that_matched_at_creation(world: World, chosen: str, moment: Clock) -> None:
    devices = tagged(world, 4)
    deployment = deploy(
        world,
        chosen,
        phases=[{"batch_size": 50, "start_ts": moment.later(hours=1)}, {"start_ts": moment.later(hours=2)}],
    )
    assert world.show(deployment)["status"] == "scheduled"
    more = tagged(world, 2)
    stranger = world.device()
    serves_nothing(devices[0].poll())

    moment.move(hours=1)
    for device in devices[:2]:
        serves(device.poll(), deployment)
    for device in [*devices[2:], *more, stranger]:
        serves_nothing(device.poll())

    moment.move(hours=1)
    for device in [*devices[2:], *more]:
        serves(device.poll(), deployment)
    serves_nothing(stranger.poll())
    shown = world.show(deployment)
    assert [(each["batch_size"], each["device_count"]) for each in shown["phases"]] == [(50, 2), (50, 4)]


def test_invalid_dynamic_deployments_are_refused(world: World, chosen: str, moment: Clock) -> None:
    wanted = [{"batch_size": 50}, {"start_ts": moment.later(hours=1)}]
    nobody = post(world, chosen, phases=wanted)
    assert (nobody.status_code, "zero devices" in nobody.json()["error"]) == (400, True)
    assert post(world, str(uuid.uuid4())).status_code == 422
    assert post(world, chosen, artifact_name="none").status_code == 422
    assert post(world, chosen, max_devices=-1).status_code == 400
    assert world.api.post(V2, json={"name": "a", "artifact_name": "two"}).status_code == 400
    tagged(world, 2)
    assert post(world, chosen, phases=wanted).status_code == 201
    assert post(world, chosen, max_devices=5).status_code == 409


def test_other_tenants_filters_and_plans_without_dynamic_deployments_are_refused(
    world: World, chosen: str, sign_in: SignIn
) -> None:
    other = service.create_tenant("Other")
    stranger = World(sign_in(other), world.http, other.tenant_token)
    stranger.upload("two")
    assert post(stranger, chosen).json()["error"] == post(stranger, str(uuid.uuid4())).json()["error"]

    small = service.create_tenant("Small", plan="os")
    assert post(World(sign_in(small), world.http, small.tenant_token), chosen).status_code == 403


def test_withdrawing_a_device(world: World, chosen: str) -> None:
    devices = tagged(world, 3)
    unbounded = deploy(world, chosen)
    bounded = deploy(world, chosen, name="bounded", max_devices=1)
    elsewhere = world.device()
    for device in [devices[0], devices[1], elsewhere]:
        assert world.api.delete(f"{DEPLOYMENTS}/devices/{device.id}").status_code == 204

    assert world.numbers(unbounded) == {"aborted": 2}
    # The limit of one was reached by the first device, so the deployment has finished.
    assert world.numbers(bounded) == {"aborted": 1}
    assert world.show(bounded)["status"] == "finished"
    serves_nothing(devices[0].poll())
    serves(devices[2].poll(), unbounded)


def test_the_cost_of_polls(world: World, chosen: str, warm: None) -> None:
    other, (mine,) = world.device(), tagged(world, 1)
    deployments = [deploy(world, chosen, name=f"number {number}") for number in range(3)]

    serves_nothing(world.device().poll())  # this process has cached the deployments
    with counted() as judged:
        serves_nothing(other.poll())
    assert judged.by_operation == {
        "GetItem": 2,
        "UpdateItem": 1,
    }  # one read for all of them; the result is stored on the device head
    with counted() as idle:
        serves_nothing(other.poll())
    assert (idle.calls, idle.read_units, idle.write_units) == (["GetItem"], 1, 0)

    tag(world, other, "elsewhere")
    with counted() as again:
        serves_nothing(other.poll())
    assert again.by_operation == {"GetItem": 2, "UpdateItem": 1}
    assert (again.read_units, again.write_units) == (2, 1)
    with counted() as idle:
        serves_nothing(other.poll())
    assert idle.calls == ["GetItem"]

    newest = deploy(world, chosen, name="newest")
    with counted() as news:
        serves_nothing(other.poll())
    assert news.by_operation == {"GetItem": 4, "UpdateItem": 1}  # the control item, the new deployment, the inventory

    with counted() as assigned:
        serves(mine.poll(), deployments[0])
    assert assigned.by_operation == {"GetItem": 2, "TransactWriteItems": 1}
    assert (assigned.read_units, assigned.write_units) == (2, 6)
    for each in [*deployments, newest]:
        world.abort(each)
    serves_nothing(mine.poll())


def test_a_device_that_waits_for_a_phase_is_not_matched_at_every_poll(
    world: World, chosen: str, moment: Clock, warm: None
) -> None:
    (mine,) = tagged(world, 1)
    deployment = deploy(world, chosen, phases=[{"start_ts": moment.later(hours=1)}])
    serves_nothing(mine.poll())
    with counted() as waiting:
        serves_nothing(mine.poll())
    assert waiting.calls == ["GetItem"]
    moment.move(hours=1)
    with counted() as served:
        serves(mine.poll(), deployment)
    assert served.by_operation == {"GetItem": 1, "TransactWriteItems": 1}


def test_a_full_device_head_keeps_the_oldest_filter_matches(
    world: World, chosen: str, moment: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILTER_MATCHES", 2)
    (device,) = tagged(world, 1)
    later = [{"start_ts": moment.later(hours=1)}]
    deployments = [deploy(world, chosen, name=f"number {number}", phases=later) for number in range(4)]
    for _ in range(2):
        serves_nothing(device.poll())

    moment.move(hours=1)
    for each in deployments:
        serves(device.poll(), each)
        device.report(each, "success")
    serves_nothing(device.poll())
