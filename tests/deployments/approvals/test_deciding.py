"""Approving and rejecting deployments."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from chalicelib import limits
from chalicelib.deployments.rules.rollout import delay
from chalicelib.deployments.service import managing
from chalicelib.deployments.service import preparing as asking
from chalicelib.fleet import control, control_items, parts
from chalicelib.fleet.tables import ControlItem
from tests.deployments.approvals.asking import ME, decide, entries, grouped, state
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.roles.test_roles import ROLES, role, scoped

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


class TestDecision:
    """Approving and rejecting."""

    def test_devices_get_it_once_it_is_approved(
        self, world: World, fleet: list[Device], moment: Clock, second: httpx2.Client
    ) -> None:
        deployment = world.deploy("two", retries=1)
        newer = world.deploy("two", [fleet[0].id])  # needs no approval
        serves(fleet[0].poll(), newer)
        fleet[0].report(newer, "success")
        moment.move(hours=1)

        assert decide(second, deployment, "Looks good").status_code == 204

        him = second.get(ME).json()
        shown = world.show(deployment)
        assert shown["status"] == "pending"
        assert shown["approval"]["state"] == "approved"
        assert shown["approval"]["decided_by"] == {"id": him["id"], "email": him["email"]}
        assert (shown["approval"]["decided_at"], shown["approval"]["comment"]) == (moment.later(), "Looks good")
        assert entries(world, deployment)[1:] == [("approve", "Approved: Looks good")]
        for device in fleet:
            serves(device.poll(), deployment)
            device.report(deployment, "success")
        assert world.show(deployment)["status"] == "finished"
        listed = world.api.get(DEPLOYMENTS).json()
        assert [each["id"] for each in listed] == [deployment, newer]  # by when devices could get it

    @pytest.mark.parametrize("starts", [False, True])
    def test_delays_of_devices_count_from_the_approval(
        self, world: World, fleet: list[Device], moment: Clock, second: httpx2.Client, starts: bool
    ) -> None:
        phases = [{"start_ts": moment.later(hours=1)}] if starts else []
        deployment = world.deploy("two", rollout={"jitter": "PT1H"}, phases=phases)
        moment.move(hours=2)
        assert decide(second, deployment).status_code == 204
        begins = [moment.time + delay(deployment, device.id, timedelta(hours=1)) for device in fleet]
        for device, begin in sorted(zip(fleet, begins, strict=True), key=lambda each: each[1]):
            moment.time = begin - timedelta(milliseconds=2)
            serves_nothing(device.poll())
            moment.move(milliseconds=4)
            serves(device.poll(), deployment)

    def test_rejecting_aborts_it(self, world: World, fleet: list[Device], second: httpx2.Client) -> None:
        deployment = world.deploy("two")

        assert decide(second, deployment, "Not on a Friday", approve=False).status_code == 204

        shown = world.show(deployment)
        assert (shown["status"], shown["approval"]["state"]) == ("finished", "rejected")
        assert shown["approval"]["comment"] == "Not on a Friday"
        assert entries(world, deployment)[1:] == [("reject", "Rejected: Not on a Friday")]
        serves_nothing(fleet[0].poll())
        world.deploy("two")  # the parameters are free again

    def test_the_creator_cannot_decide(self, world: World, fleet: list[Device], http: httpx2.Client) -> None:
        deployment = world.deploy("two")
        made = world.api.post("/api/management/v1/useradm/settings/tokens", json={"name": "a", "expires_in": 86_400})
        token = {"Authorization": f"Bearer {made.text}"}

        place = f"{DEPLOYMENTS}/{deployment}/approval"
        answers = [decide(world.api, deployment), http.post(place, json={"approve": True}, headers=token)]
        answers.append(decide(world.api, deployment, approve=False))

        assert [answer.status_code for answer in answers] == [403] * 3
        assert all("another user has to approve or reject it" in answer.text for answer in answers)
        assert state(world, deployment) == "waiting"

    def test_a_second_decision_is_refused(
        self, world: World, fleet: list[Device], second: httpx2.Client, sign_in: SignIn, tenant: Tenant
    ) -> None:
        deployment = world.deploy("two")
        assert decide(second, deployment).status_code == 204
        email = second.get(ME).json()["email"]

        assert decide(second, deployment, "again").status_code == 204  # the first answer may have been lost
        for answer in (decide(second, deployment, approve=False), decide(sign_in(tenant), deployment)):
            assert (answer.status_code, f"approved by {email}" in answer.text) == (409, True)
        assert len(entries(world, deployment)) == 2

    def test_a_deployment_that_needs_none(self, world: World, fleet: list[Device], second: httpx2.Client) -> None:
        assert decide(second, world.deploy("two", [fleet[0].id])).status_code == 409
        assert decide(second, str(uuid.uuid4())).status_code == 404
        assert decide(second, "no-uuid").status_code == 400
        place = f"{DEPLOYMENTS}/{world.deploy('two')}/approval"
        for wrong in ({}, {"approve": "yes"}, {"approve": True, "comment": "a" * (limits.APPROVAL_COMMENT + 1)}):
            assert second.post(place, json=wrong).status_code == 400, wrong

    def test_a_permission_within_groups(
        self, world: World, fleet: list[Device], sign_in: SignIn, tenant: Tenant
    ) -> None:
        grouped(world, "lab", *fleet)
        grouped(world, "other", world.device(), world.device())
        body = role("approver", scoped("Basic"), scoped("ApproveDeployments", "lab"))
        assert world.api.post(ROLES, json=body).status_code == 201
        own, deployment = sign_in(tenant, "approver"), world.deploy("two", group="lab")

        assert decide(own, world.deploy("two", group="other")).status_code == 403
        assert decide(own, world.deploy("two")).status_code == 403
        assert decide(sign_in(tenant, "RBAC_ROLE_DEPLOYMENTS_MANAGER"), deployment).status_code == 403
        assert decide(own, deployment).status_code == 204
        built_in = sign_in(tenant, "RBAC_ROLE_DEPLOYMENTS_APPROVER")
        assert decide(built_in, world.deploy("two", name="b"), approve=False).status_code == 204
        new = {"name": "c", "artifact_name": "two", "all_devices": True}
        assert built_in.post(DEPLOYMENTS, json=new).status_code == 403


class TestPhases:
    """Times that count from the approval."""

    def test_the_first_phase_opens_with_the_approval(self, world: World, fleet: list[Device], moment, second) -> None:
        later = moment.later(days=2)
        phases = [{"batch_size_devices": 1}, {"batch_size_devices": 1, "start_ts": moment.later(hours=1)}]
        deployment = world.deploy("two", phases=[*phases, {"start_ts": later}])
        moment.move(days=1)
        managing.tick(moment.time)
        assert decide(second, deployment).status_code == 204

        starts = [phase["start_ts"] for phase in world.show(deployment)["phases"]]
        assert starts == [moment.later(), moment.later(), later]
        assert world.api.get(f"{DEPLOYMENTS}/{deployment}/report").json()["start"] == moment.later()
        serves(fleet[0].poll(), deployment)
        serves(fleet[1].poll(), deployment)  # its time has come while the deployment waited
        serves_nothing(fleet[2].poll())
        moment.move(days=1)
        serves(fleet[2].poll(), deployment)

    def test_no_phase_of_a_rollout_is_open_before(self, world: World, fleet: list[Device], moment, second) -> None:
        phases = [{"batch_size_devices": 1}, {}]
        deployment = world.deploy("two", phases=phases, rollout={"gate": {"success_percent": 100}})
        rollout = world.show(deployment)["rollout"]
        assert (rollout["opened"], "waits" in rollout) == (0, False)
        moment.move(days=1)
        managing.tick(moment.time)
        assert decide(second, deployment).status_code == 204

        assert world.show(deployment)["rollout"]["opened"] == 1
        serves(fleet[0].poll(), deployment)
        serves_nothing(fleet[1].poll())
        fleet[0].report(deployment, "success")
        moment.move(minutes=2)
        managing.tick(moment.time)
        assert world.show(deployment)["rollout"]["opened"] == 2
        serves(fleet[1].poll(), deployment)

    def test_uniform_phases_move_together(self, world: World, fleet: list[Device], moment: Clock, second) -> None:
        deployment = world.deploy("two", uniform_phases={"batch_size_devices": 1, "time_interval": "PT1H"})
        moment.move(days=1)
        assert decide(second, deployment).status_code == 204

        starts = [phase["start_ts"] for phase in world.show(deployment)["phases"]]
        assert starts == [moment.later(hours=hour) for hour in range(3)]

    def test_a_later_start_stays(self, world: World, fleet: list[Device], moment: Clock, second) -> None:
        start = moment.later(days=2)
        deployment = world.deploy("two", phases=[{"start_ts": start}])
        moment.move(days=1)
        assert decide(second, deployment).status_code == 204

        assert world.show(deployment)["phases"][0]["start_ts"] == start
        assert world.show(deployment)["status"] == "scheduled"
        serves_nothing(fleet[0].poll())
        moment.move(days=1)
        serves(fleet[0].poll(), deployment)


class TestLarge:
    """Deployments whose targets a worker lists."""

    @pytest.fixture
    def fleet(self, world: World, fleet: list[Device], tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> list[Device]:
        control_items.ref(tenant.id).update([ControlItem.parts.set(parts.LARGE)])
        control.forget(tenant.id)
        monkeypatch.setattr(limits, "UNDIVIDED_DEVICES", 2)
        return fleet

    def test_its_targets_are_listed_after_the_approval(
        self, world: World, fleet: list[Device], server: LocalServer, moment: Clock, second: httpx2.Client
    ) -> None:
        phases = [{"batch_size_devices": 1}, {"start_ts": moment.later(days=2)}]
        deployment = world.deploy("two", phases=phases)
        managing.tick(moment.time)
        server.drain()
        assert world.show(deployment)["preparing"]["found"] == 0
        moment.move(days=1)
        assert decide(second, deployment).status_code == 204
        serves_nothing(fleet[0].poll())

        server.drain()

        shown = world.show(deployment)
        assert (shown["status"], shown["phases"][0]["start_ts"]) == ("pending", moment.later())
        serves(fleet[0].poll(), deployment)
        serves_nothing(fleet[1].poll())

    def test_a_lost_message_is_sent_again(
        self, world: World, fleet: list[Device], server: LocalServer, moment: Clock, second, monkeypatch
    ) -> None:
        deployment = world.deploy("two")
        with monkeypatch.context() as patch:
            patch.setattr(asking, "send", lambda _tenant, _deployment: None)
            assert decide(second, deployment).status_code == 204
        server.drain()
        serves_nothing(fleet[0].poll())
        moment.move(minutes=15)
        managing.tick(moment.time)
        server.drain()
        serves(fleet[0].poll(), deployment)

    def test_a_rejected_one(self, world: World, fleet: list[Device], server: LocalServer, second) -> None:
        deployment = world.deploy("two")
        assert decide(second, deployment, approve=False).status_code == 204
        server.drain()
        serves_nothing(fleet[0].poll())
        assert (world.show(deployment)["status"], state(world, deployment)) == ("finished", "rejected")
