"""Large deployments: a worker lists their targets, after which devices get them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from chalicelib import limits
from chalicelib.aws import s3
from chalicelib.deployments.service import managing as service
from chalicelib.deployments.service import preparing as asking
from chalicelib.deployments.service.workers import preparing
from chalicelib.deployments.tables import deployments
from chalicelib.fleet import control, control_items, parts
from chalicelib.fleet.tables import ControlItem
from tests.deployments.test_crashes import consistent
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World, serves, serves_nothing
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.crashes import each_crash

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


@pytest.fixture
def fleet(world: World, tenant: Tenant, moment: Clock, monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    """Four devices of a large tenant, whose deployments to three devices and more are large."""
    control_items.ref(tenant.id).update([ControlItem.parts.set(parts.LARGE)])
    control.forget(tenant.id)
    monkeypatch.setattr(limits, "UNDIVIDED_DEVICES", 2)
    world.upload("two")
    return [world.device() for _ in range(4)]


def test_devices_get_it_once_its_targets_are_listed(world: World, fleet: list[Device], server: LocalServer) -> None:
    deployment = world.deploy("two", retries=1)

    shown = world.show(deployment)
    assert (shown["status"], shown["preparing"]) == ("pending", {"found": 0, "expected": 4})
    assert world.numbers(deployment) == {"pending": 4}
    assert world.rows(deployment) == {}
    serves_nothing(fleet[0].poll())

    late = world.device()
    server.drain()
    shown = world.show(deployment)
    assert "preparing" not in shown
    assert (shown["max_devices"], shown["retries"]) == (5, 1)
    listed = world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json()
    assert listed == sorted(device.id for device in (*fleet, late))
    for device in (*fleet, late):
        serves(device.poll(), deployment)
        device.report(deployment, "success")
    assert consistent(world, deployment)["status"] == "finished"


def test_a_group(world: World, fleet: list[Device], server: LocalServer) -> None:
    members = [device.id for device in fleet[:3]]
    group = "/api/management/v1/inventory/groups/some/devices"
    assert world.api.patch(group, json=members).is_success
    deployment = world.deploy("two", group="some")
    assert world.show(deployment)["preparing"]["expected"] == 3

    server.drain()
    assert world.show(deployment)["max_devices"] == 3
    serves(fleet[0].poll(), deployment)
    serves_nothing(fleet[3].poll())


def test_an_aborted_one_reaches_no_device(world: World, fleet: list[Device], server: LocalServer, tenant) -> None:
    deployment = world.deploy("two")
    world.abort(deployment)
    server.drain()

    shown = world.show(deployment)
    assert (shown["status"], world.numbers(deployment)) == ("finished", {})
    serves_nothing(fleet[0].poll())
    assert s3.erase(s3.key(tenant.id, "targets", deployment)) == 0
    again = world.deploy("two")  # the parameters are free again
    server.drain()
    serves(fleet[0].poll(), again)


def test_an_abort_in_the_middle_stops_the_listing(
    world: World, fleet: list[Device], tenant: Tenant, monkeypatch
) -> None:
    monkeypatch.setattr(preparing, "_AT_ONCE", 1)
    deployment = world.deploy("two")
    record = deployments.record_found

    def aborting(*args) -> bool:
        if args[2].found == 2:
            service.abort(tenant.id, deployment)
        return record(*args)

    monkeypatch.setattr(deployments, "record_found", aborting)
    preparing.prepare(tenant.id, deployment)

    assert world.show(deployment)["preparing"] == {"found": 1, "expected": 4}
    assert world.show(deployment)["status"] == "finished"
    serves_nothing(fleet[0].poll())
    assert s3.erase(s3.key(tenant.id, "targets", deployment)) == 0


def test_a_lost_message_is_sent_again(
    world: World, fleet: list[Device], server: LocalServer, moment: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(asking, "send", lambda _tenant, _deployment: None)
        deployment = world.deploy("two")
    server.drain()
    assert "preparing" in world.show(deployment)

    moment.move(minutes=16)
    service.tick(moment.time)
    server.drain()
    assert "preparing" not in world.show(deployment)
    serves(fleet[0].poll(), deployment)


def test_a_worker_may_crash_anywhere(world: World, fleet: list[Device], tenant: Tenant, moment: Clock) -> None:
    phases = [{"batch_size": 25}, {"start_ts": moment.later(hours=1)}]

    def create() -> str:
        return world.deploy("two", phases=phases)

    made = [create()]
    for _ in each_crash(lambda: preparing.prepare(tenant.id, made[-1])):
        control.forget(tenant.id)  # the crashed process cannot do that
        preparing.prepare(tenant.id, made[-1])
        serves(fleet[0].poll(), made[-1])
        serves_nothing(fleet[1].poll())
        shown = consistent(world, made[-1])
        assert (shown["max_devices"], [each["device_count"] for each in shown["phases"]]) == (4, [1, 0])
        world.abort(made[-1])
        made.append(create())


def test_simultaneous_workers_have_one_result(world: World, fleet: list[Device], tenant: Tenant) -> None:
    deployment = world.deploy("two")
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(preparing.prepare, tenant.id), [deployment] * 5))

    for device in fleet:
        serves(device.poll(), deployment)
        device.report(deployment, "success")
    shown = consistent(world, deployment)
    assert (shown["status"], shown["max_devices"]) == ("finished", 4)
    # The other objects were deleted.
    assert s3.erase(s3.key(tenant.id, "targets", deployment)) == 1


def test_phases_divide_the_devices_that_were_found(
    world: World, fleet: list[Device], server: LocalServer, moment: Clock
) -> None:
    phases = [{"batch_size": 50}, {"start_ts": moment.later(hours=1)}]
    deployment = world.deploy("two", phases=phases)
    more = [world.device() for _ in range(2)]
    server.drain()

    served = [device for device in (*fleet, *more) if device.poll().status_code == 200]
    assert len(served) == 3
    moment.move(hours=1)
    for device in (*fleet, *more):
        serves(device.poll(), deployment)
    assert [phase["device_count"] for phase in world.show(deployment)["phases"]] == [3, 3]


def test_devices_that_are_withdrawn_meanwhile_count_as_ended(
    world: World, fleet: list[Device], server: LocalServer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, aborted, *others = fleet
    ready = preparing._open

    def late(*args) -> bool:
        """Withdraw two devices after the targets were listed."""
        assert world.api.delete(f"{DEVAUTH}/{gone.id}").status_code == 204
        assert world.api.delete(f"{DEPLOYMENTS}/devices/{aborted.id}").status_code == 204
        monkeypatch.setattr(preparing, "_open", ready)
        server.workers.queues = [each for each in server.workers.queues if each.name == "decommissions"]
        server.drain()
        return ready(*args)

    deployment = world.deploy("two")
    monkeypatch.setattr(server.workers, "queues", server.workers.queues)
    monkeypatch.setattr(preparing, "_open", late)
    preparing.prepare(tenant.id, deployment)

    assert world.numbers(deployment) == {"pending": 2, "decommissioned": 1, "aborted": 1}
    serves_nothing(aborted.poll())
    for device in others:
        serves(device.poll(), deployment)
        device.report(deployment, "success")
    assert consistent(world, deployment)["status"] == "finished"
    preparing.prepare(tenant.id, deployment)  # as a repeated message does
    assert world.numbers(deployment) == {"success": 2, "decommissioned": 1, "aborted": 1}


def test_what_needs_the_targets_works_before_they_are_listed(
    world: World, fleet: list[Device], server: LocalServer, sign_in: SignIn, tenant: Tenant
) -> None:
    deployment = world.deploy("two")
    every = [device.id for device in fleet]
    group = "/api/management/v1/inventory/groups/mine/devices"
    assert world.api.patch(group, json=every).is_success
    assert world.api.post(ROLES, json=role("mine", scoped("DeployToDevices", "mine"))).status_code == 201
    user = sign_in(tenant, "mine")

    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json() == []
    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/devices").json() == []
    found = world.api.get(DEPLOYMENTS, params={"search": fleet[0].id})
    assert (found.status_code, found.json()) == (200, [])
    # Whether all its devices are in the group is not known yet.
    assert user.get(f"{DEPLOYMENTS}/{deployment}").status_code in {403, 404}
    server.drain()
    assert user.get(f"{DEPLOYMENTS}/{deployment}").status_code == 200


def test_without_devices_it_is_aborted(world: World, fleet: list[Device], server: LocalServer) -> None:
    deployment = world.deploy("two", phases=[{"batch_size_devices": 3}, {"start_ts": "2999-01-01T00:00:00Z"}])
    for device in fleet:
        assert world.api.delete(f"{DEVAUTH}/{device.id}").status_code == 204
    server.drain()

    shown = world.show(deployment)
    assert (shown["status"], shown["device_count"]) == ("finished", 0)
    assert "preparing" in shown


def test_devices_that_get_newer_software_meanwhile_still_get_it(
    world: World, fleet: list[Device], server: LocalServer
) -> None:
    deployment = world.deploy("two")
    world.upload("three")
    newer = world.deploy("three", [fleet[0].id])
    serves(fleet[0].poll(), newer)
    fleet[0].report(newer, "success")
    server.drain()

    serves(fleet[0].poll(), deployment)
    order = [each["id"] for each in world.api.get(DEPLOYMENTS).json()]
    assert order.index(deployment) < order.index(newer)
