"""Deployments that wait for approval, and whom mails tell of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chalicelib.deployments.service import managing
from chalicelib.fleet import control
from tests.deployments.approvals.asking import ME, decide, demand, entries, grouped, state
from tests.deployments.test_dynamic import deploy as deploy_to_filter
from tests.deployments.test_dynamic import save_filter, tag
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World, serves, serves_nothing
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.mailbox import of_server

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


class TestWaiting:
    """What happens before the decision."""

    def test_no_device_gets_it(self, world: World, fleet: list[Device], moment: Clock) -> None:
        deployment = world.deploy("two")

        for device in fleet:
            serves_nothing(device.poll())
        (why,) = world.api.get(f"{DEPLOYMENTS}/devices/{fleet[0].id}/explain").json()
        assert (why["decision"], why["reason"]) == ("waits-for-approval", "a second person has to approve it first")
        shown = world.show(deployment)
        me = world.api.get(ME).json()
        assert (shown["status"], world.numbers(deployment)) == ("scheduled", {"pending": 3})
        assert shown["approval"] == {
            "state": "waiting",
            "requested_by": {"id": me["id"], "email": me["email"]},
            "requested_at": moment.later(),
            "expires": moment.later(hours=72),
        }
        listed = world.api.get(DEPLOYMENTS, params={"status": "scheduled"}).json()
        assert [each["approval"]["state"] for each in listed] == ["waiting"]
        assert entries(world, deployment) == [("create", f"Waits for approval until {moment.later(hours=72)}")]

    def test_it_can_be_aborted_and_created_again(self, world: World, fleet: list[Device], second) -> None:
        deployment = world.deploy("two")
        same = {"name": "rollout", "artifact_name": "two", "all_devices": True}
        assert world.api.post(DEPLOYMENTS, json=same).status_code == 409
        assert world.api.delete("/api/management/v2/deployments/deployments/releases?name=two").status_code == 409

        world.abort(deployment)

        assert (world.show(deployment)["status"], state(world, deployment)) == ("finished", "ended")
        answer = decide(second, deployment)
        assert (answer.status_code, "has ended" in answer.text) == (409, True)
        again = world.deploy("two")
        world.abort(again)
        assert world.api.delete("/api/management/v2/deployments/deployments/releases?name=two").is_success

    def test_it_cannot_be_changed(self, world: World, fleet: list[Device]) -> None:
        deployment = world.deploy("two", update_control_map={"priority": 1})
        place = f"{DEPLOYMENTS}/{deployment}"

        answers = [
            world.api.patch(place, json={"update_control_map": {"priority": 2}}),
            world.api.post(f"{place}/rollout", json={"action": "pause"}),
        ]

        assert [answer.status_code for answer in answers] == [409, 409]
        assert all("waits for approval" in answer.text for answer in answers)

    @pytest.mark.parametrize("withdraw", ["decommission", "abort"])
    def test_a_device_may_leave(self, world: World, fleet: list[Device], second, server: LocalServer, withdraw) -> None:
        deployment = world.deploy("two")
        gone, *others = fleet

        place = f"{DEVAUTH}/{gone.id}" if withdraw == "decommission" else f"{DEPLOYMENTS}/devices/{gone.id}"
        assert world.api.delete(place).status_code == 204
        server.drain()
        assert decide(second, deployment).status_code == 204

        if withdraw == "abort":
            serves_nothing(gone.poll())
        for device in others:
            serves(device.poll(), deployment)
            device.report(deployment, "success")
        ended = "decommissioned" if withdraw == "decommission" else "aborted"
        assert world.numbers(deployment) == {"success": 2, ended: 1}
        assert world.show(deployment)["status"] == "finished"

    def test_a_device_may_leave_at_once(
        self, world: World, fleet: list[Device], second, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, read = control.get(tenant.id), control.get
        deployment = world.deploy("two")

        with monkeypatch.context() as patch:  # as in a process that does not know of the tenant's first request yet
            patch.setattr(control, "get", lambda *given, fresh=False: read(*given, fresh=True) if fresh else before)
            assert world.api.delete(f"{DEPLOYMENTS}/devices/{fleet[0].id}").status_code == 204

        assert decide(second, deployment).status_code == 204
        assert world.numbers(deployment) == {"aborted": 1, "pending": 2}

    def test_unknown_devices_cannot_leave(self, world: World, fleet: list[Device]) -> None:
        unknown = str(uuid.uuid4())
        deployment = world.deploy("two", [fleet[0].id, unknown])
        assert world.api.delete(f"{DEPLOYMENTS}/devices/{unknown}").status_code == 204
        assert world.numbers(deployment) == {"pending": 2}

    def test_a_device_may_leave_a_dynamic_one(self, world: World, fleet: list[Device], second) -> None:
        for device in fleet:
            tag(world, device, "here")
        chosen = save_filter(world, "tags", "place", "here")
        demand(world)
        last = deploy_to_filter(world, chosen, name="needs no approval")
        demand(world, approval_devices=1)
        deployment = deploy_to_filter(world, chosen, max_devices=2)
        demand(world)
        later = deploy_to_filter(world, chosen, name="later")
        for device in fleet:  # which stores that the filters of all that they see match
            serves(device.poll(), last)
            device.report(last, "success")
            serves(device.poll(), later)
            device.report(later, "success")
        assert world.api.delete(f"{DEPLOYMENTS}/devices/{fleet[0].id}").status_code == 204
        assert decide(second, deployment).status_code == 204

        serves_nothing(fleet[0].poll())
        serves(fleet[1].poll(), deployment)
        serves_nothing(fleet[2].poll())  # the one that has left counts for the limit
        assert world.numbers(deployment) == {"aborted": 1, "pending": 1}

    def test_nobody_decides_in_time(self, world: World, fleet: list[Device], moment: Clock, second) -> None:
        demand(world, approval_devices=1, approval_hours=2)
        deployment = world.deploy("two")
        moment.move(hours=2, seconds=-1)
        managing.tick(moment.time)
        assert state(world, deployment) == "waiting"
        moment.move(seconds=1)
        until = moment.later()
        late = decide(second, deployment)
        assert (late.status_code, until in late.text) == (409, True)

        managing.tick(moment.time)

        assert (world.show(deployment)["status"], state(world, deployment)) == ("finished", "expired")
        assert entries(world, deployment)[1:] == [("abort", f"Nobody approved it by {until}")]
        assert until in decide(second, deployment).text
        world.deploy("two")  # the parameters are free again


class TestMails:
    """Mails to those who may approve."""

    def test_those_who_may_approve_are_told(
        self, world: World, fleet: list[Device], server: LocalServer, tenant: Tenant, sign_in: SignIn, monkeypatch
    ) -> None:
        grouped(world, "lab", *fleet[:2])
        body = role("of another group", scoped("Basic"), scoped("ApproveDeployments", "other"))
        assert world.api.post(ROLES, json=body).status_code == 201
        admin, approver = sign_in(tenant), sign_in(tenant, "RBAC_ROLE_DEPLOYMENTS_APPROVER")
        off, other = sign_in(tenant), sign_in(tenant, "of another group")
        manager = sign_in(tenant, "RBAC_ROLE_DEPLOYMENTS_MANAGER")
        unwanted = {"notifications": {"deployment_approvals": False}}
        assert off.post("/api/management/v1/useradm/settings/me", json=unwanted).status_code == 201

        with of_server(server, monkeypatch) as box:
            deployment = world.deploy("two", group="lab", name="winter\nrelease")
            server.drain()
            told = {client: len(box.to(client.get(ME).json()["email"])) for client in (admin, approver)}
            assert list(told.values()) == [1, 1]
            assert all(not box.to(client.get(ME).json()["email"]) for client in (off, other, manager, world.api))
            mail = box.mails[0]
            assert mail["Subject"] == "Deployment waits for approval: winter release"
            assert world.api.get(ME).json()["email"] in mail.get_content()
            assert decide(admin, deployment).status_code == 204
            server.drain()
            assert len(box.mails) == 2
