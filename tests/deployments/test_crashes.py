"""A process may crash at any of its calls: repeating the operation leaves nothing half done or counted twice."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.deployments import service
from chalicelib.deployments.service import managing as deployments_service
from chalicelib.deployments.shapes import NewDeployment, NewDynamicDeployment, NewPhase
from chalicelib.deployments.shapes.devices import StatusReport
from chalicelib.errors import Conflict, Unprocessable
from chalicelib.fleet import control, heads
from chalicelib.rights import EVERYWHERE
from tests.deployments.test_dynamic import save_filter, tagged
from tests.deployments.test_schedule import Opened, opened, tick  # noqa: F401  # a fixture
from tests.deployments.world import DEPLOYMENTS, World, serves
from tests.support.crashes import each_crash

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device
    from tests.support.time import Clock

TIMEOUT = 3600


@pytest.fixture
def fleet(world: World, moment: Clock) -> list[Device]:
    """Three devices that can install release two and match the saved filter."""
    world.upload("two")
    return tagged(world, 3)


def consistent(world: World, deployment: str) -> dict[str, Any]:
    """Read the deployment; its statistics must equal its rows."""
    shown, rows = world.show(deployment), world.rows(deployment)
    statuses = Counter(row["status"] for row in rows.values())
    if shown["status"] != "finished":
        statuses["pending"] += max(0, shown["max_devices"] - len(rows))
    assert +Counter(shown["statistics"]["status"]) == +statuses
    assert shown["device_count"] == len(rows)
    begun = Counter(row["phase_id"] for row in rows.values() if "phase_id" in row)
    for phase in shown.get("phases", ()):
        assert phase["device_count"] == begun[phase["id"]]
    return shown


def two_phases(moment: Clock) -> list[dict[str, Any]]:
    return [{"batch_size_devices": 1}, {"start_ts": moment.later(hours=1)}]


def poll(tenant: Tenant, device: Device) -> object:
    """A poll in this process, which may crash."""
    head = heads.find(tenant.id, device.id)
    assert head is not None
    provides = {"device_type": device.device_type, "artifact_name": device.artifact_name}
    return service.next_update(tenant.id, head, provides, server="https://localhost")


def report(tenant: Tenant, device: Device, deployment: str, status: str) -> None:
    """A report in this process, which may crash."""
    head = heads.find(tenant.id, device.id)
    assert head is not None
    service.report(tenant.id, head, deployment, StatusReport(status))


def test_creating_a_deployment(world: World, fleet: list[Device], moment: Clock, tenant: Tenant) -> None:
    phases = [NewPhase(batch_size=50), NewPhase(start_ts=moment.time.replace(year=2099))]
    listed = NewDeployment(name="a", artifact_name="two", all_devices=True, phases=phases)
    chosen = save_filter(world, "tags", "place", "here")
    dynamic = NewDynamicDeployment(name="b", artifact_name="two", filter_id=chosen, max_devices=2, phases=phases)
    everywhere = (EVERYWHERE,)
    drafts: list[Callable[[], deployments_service.Draft]] = [
        partial(deployments_service.draft, tenant.id, listed, everywhere),
        partial(deployments_service.draft_for_filter, tenant.id, dynamic, everywhere),
    ]
    for draft in drafts:

        def make(draft: Callable[[], deployments_service.Draft] = draft) -> str:
            return deployments_service.save(tenant.id, draft())

        for _ in each_crash(make):
            control.forget(tenant.id)  # a crashed process remembers nothing
            with suppress(Conflict):  # the crashed one had been committed
                make()
            answer = world.api.get(DEPLOYMENTS, params={"status": "pending"})
            (made,) = answer.json()
            assert answer.headers["X-Total-Count"] == "1"
            serves(fleet[0].poll(), made["id"])
            assert consistent(world, made["id"])["phases"][0]["device_count"] == 1
            world.abort(made["id"])
        world.abort(make_twice(world, make))


def make_twice(world: World, make: Callable[[], str]) -> str:
    """Create twice; the second call did not crash."""
    with pytest.raises(Conflict):
        make()
    (made,) = world.api.get(DEPLOYMENTS, params={"status": "pending"}).json()
    return str(made["id"])


def test_beginning_an_update_in_a_phase(world: World, fleet: list[Device], moment: Clock, tenant: Tenant) -> None:
    deployment = world.deploy("two", phases=two_phases(moment))
    for _ in each_crash(lambda: poll(tenant, fleet[0])):
        serves(fleet[0].poll(), deployment)
        assert fleet[1].poll().status_code == 204
        shown = consistent(world, deployment)
        assert [phase["device_count"] for phase in shown["phases"]] == [1, 0]
        world.abort(deployment)
        deployment = world.deploy("two", phases=two_phases(moment))


def test_beginning_and_ending_a_limited_dynamic_deployment(
    world: World, fleet: list[Device], moment: Clock, tenant: Tenant
) -> None:
    chosen = save_filter(world, "tags", "place", "here")

    def make() -> str:
        body = {"name": "a", "artifact_name": "two", "filter_id": chosen, "max_devices": 1}
        answer = world.api.post("/api/management/v2/deployments/deployments", json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rsplit("/", 1)[-1]

    current = [make()]

    def whole() -> None:
        poll(tenant, fleet[0])
        report(tenant, fleet[0], current[0], "installing")
        report(tenant, fleet[0], current[0], "success")

    for _ in each_crash(whole):
        fleet[0].poll()  # serves it, or has nothing anymore
        assert fleet[0].report(current[0], "success").status_code == 204
        assert fleet[1].poll().status_code == 204
        shown = consistent(world, current[0])
        assert (shown["status"], shown["device_count"]) == ("finished", 1)
        assert world.numbers(current[0]) == {"success": 1}
        current[0] = make()


def test_counting_attempts(world: World, fleet: list[Device], moment: Clock, tenant: Tenant) -> None:
    deployment = world.deploy("two", retries=90)
    serves(fleet[0].poll(), deployment)
    attempts = 1
    for _ in each_crash(partial(report, tenant, fleet[0], deployment, "failure")):
        assert fleet[0].report(deployment, "failure").status_code == 204
        serves(fleet[0].poll(), deployment)
        attempts += 1  # one attempt per failure, however often it was reported
        consistent(world, deployment)
        assert world.rows(deployment)[fleet[0].id]["attempts"] == attempts


def test_recording_open_phases(world: World, fleet: list[Device], moment: Clock, opened: Opened) -> None:  # noqa: F811
    deployment = world.deploy("two", phases=two_phases(moment))
    for _ in each_crash(lambda: tick(moment)):
        tick(moment)
        tick(moment)
        moment.move(hours=1)
        tick(moment)
        tick(moment)
        # The hook may have been called for a transaction that failed; it is not called after the commit.
        assert set(opened) == {(deployment, 0), (deployment, 1)}
        before = list(opened)
        tick(moment)
        assert opened == before
        world.abort(deployment)
        opened.clear()
        deployment = world.deploy("two", phases=two_phases(moment))
        moment.move(hours=1)


def test_timing_out_a_device(world: World, fleet: list[Device], moment: Clock, opened: Opened) -> None:  # noqa: F811
    place = "/api/management/v2/tenantadm/settings"
    assert world.api.put(place, json={"device_timeout": TIMEOUT}).is_success

    def begin() -> str:
        made = world.deploy("two", [device.id for device in fleet[:2]])
        for device in fleet[:2]:
            serves(device.poll(), made)
        moment.move(seconds=TIMEOUT)
        return made

    deployment = begin()
    for _ in each_crash(lambda: tick(moment)):
        tick(moment)
        shown = consistent(world, deployment)
        assert (shown["status"], world.numbers(deployment)) == ("finished", {"failure": 2})
        deployment = begin()


def test_changing_a_map_and_aborting(world: World, fleet: list[Device], moment: Clock, tenant: Tenant) -> None:
    def begin() -> str:
        made = world.deploy("two", phases=two_phases(moment), update_control_map={"priority": 1})
        serves(fleet[0].poll(), made)
        return made

    current = [begin()]

    def change_and_abort() -> None:
        deployments_service.change_control_map(tenant.id, current[0], {"priority": 2})
        deployments_service.abort(tenant.id, current[0])

    for _ in each_crash(change_and_abort):
        with suppress(Unprocessable):  # the crashed abort had been committed
            change_and_abort()
        shown = consistent(world, current[0])
        assert (shown["status"], shown["update_control_map"]["priority"]) == ("finished", 2)
        assert fleet[0].report(current[0], "success").status_code == 409
        current[0] = begin()
