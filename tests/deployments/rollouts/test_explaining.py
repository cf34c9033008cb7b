"""Explanations: what they say is what the next poll does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.deployments.model import new_world
from tests.deployments.rollouts.test_gates import CANARY, steer
from tests.deployments.test_dynamic import deploy as deploy_to_filter
from tests.deployments.test_dynamic import save_filter
from tests.deployments.test_many_open import open_more, to_strangers
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World, serves, serves_nothing
from tests.roles.test_roles import ROLES, role, scoped
from tests.simulator.device import Device
from tests.support.probe import counted
from tests.support.time import Clock

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

NIGHT: dict[str, Any] = {"windows": [{"start_time": "02:00", "duration": "PT2H"}]}


def explained(world: World, device: Device) -> list[dict[str, Any]]:
    answer = world.api.get(f"{DEPLOYMENTS}/devices/{device.id}/explain")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def brief(world: World, device: Device) -> list[tuple[str, str]]:
    return [(each["name"], each["decision"]) for each in explained(world, device)]


@pytest.fixture
def device(world: World, fleet: list[Device]) -> Device:
    """A device that has reported its type."""
    fleet[0].inventory({"device_type": "qemux86-64", "artifact_name": "one"})
    return fleet[0]


def test_every_open_deployment_in_order(world: World, fleet: list[Device], device: Device) -> None:
    world.upload("for another", ("pi",))
    world.upload("three")
    world.deploy("two", [fleet[1].id, fleet[2].id, fleet[3].id, fleet[4].id, fleet[5].id, fleet[6].id], name="others")
    world.deploy("for another", name="unfit")
    world.deploy("two", name="next")
    world.deploy("three", name="later")
    unfit, *others = [each for each in explained(world, device) if each["name"] != "others"]
    assert unfit["decision"] == "noartifact"
    assert unfit["reason"] == "no artifact of for another is for device type qemux86-64; there are some for pi"
    assert [(each["name"], each["decision"]) for each in others] == [("next", "later"), ("later", "later")]
    assert ("others", "not-a-target") in brief(world, device)

    serves_nothing(device.poll())  # the row ends without an artifact
    assert ("unfit", "done") in brief(world, device)
    assert [each for each in brief(world, device) if each[1] not in {"done", "not-a-target"}] == [
        ("next", "assign"),
        ("later", "later"),
    ]
    device.poll()
    assert explained(world, device)[0]["decision"] == "active"


def test_a_dependency_that_the_device_lacks(world: World, device: Device) -> None:
    world.upload("demanding", depends={"checksum": "1"})
    world.deploy("demanding", [device.id])
    (found,) = explained(world, device)
    assert found["reason"] == "the artifact depends on checksum = 1, which the device's inventory does not show"
    device.inventory({"device_type": "qemux86-64", "artifact_name": "one", "checksum": "2"})
    (found,) = explained(world, device)
    assert found["reason"] == "the artifact depends on checksum = 1, and the device provides another value"


def test_what_a_gate_waits_for(world: World, fleet: list[Device], device: Device) -> None:
    deployment = world.deploy("two", rollout={"gate": {"success_percent": 100}}, **CANARY)
    for other in fleet[1:3]:
        serves(other.poll(), deployment)
    serves_nothing(device.poll())
    (found,) = explained(world, device)
    assert found["decision"] == "phase-full"
    assert found["reason"] == (
        "no more devices may begin until phase 2 opens; "
        "phase 2 opens when 2 of 2 devices of phase 1 have succeeded; now 0"
    )


def test_when_a_window_opens(world: World, device: Device, moment: Clock) -> None:
    moment.time = moment.time.replace(year=2031, month=1, day=15, hour=12)
    world.deploy("two", rollout=NIGHT | {"time_zone": "Europe/Oslo"})
    (found,) = explained(world, device)
    assert found["decision"] == "window-closed"
    assert "opens at 02:00 on Thursday, 2031-01-16 (Europe/Oslo)" in found["reason"]
    assert found["opens"] == "2031-01-16T01:00:00Z"


def test_why_it_is_paused(world: World, device: Device) -> None:
    deployment = world.deploy("two")
    steer(world, deployment, "pause", reason="odd logs")
    world.upload("three")
    world.deploy("three", name="newer")
    paused, newer = explained(world, device)
    assert (paused["decision"], paused["reason"]) == ("paused", "it is paused: odd logs")
    assert newer["decision"] == "behind-another"
    assert newer["reason"] == 'it comes after "rollout", an older deployment for which the device waits'


def test_devices_that_cannot_poll_have_the_reason(world: World, fleet: list[Device], device: Device) -> None:
    world.deploy("two")
    assert Device(world.http, world.token).auth().status_code == 401
    [pending] = world.api.get(DEVAUTH, params={"status": "pending"}).json()
    [known] = world.api.get(f"{DEVAUTH}/{device.id}").json()["auth_sets"]
    place = f"{DEVAUTH}/{device.id}/auth/{known['id']}/status"
    assert world.api.put(place, json={"status": "rejected"}).status_code == 204
    assert world.api.delete(f"{DEVAUTH}/{fleet[1].id}").status_code == 204
    for device_id, status, text in (
        (pending["id"], 409, "the device is pending, and only accepted devices get deployments; accept it first"),
        (device.id, 409, "the device is rejected"),
        (fleet[1].id, 409, "being decommissioned"),
        ("nonsense", 404, "device not found"),
    ):
        answer = world.api.get(f"{DEPLOYMENTS}/devices/{device_id}/explain")
        assert answer.status_code == status, answer.text
        assert text in answer.json()["error"]


def test_already_installed_and_unknown(world: World, fleet: list[Device], device: Device) -> None:
    device.inventory({"device_type": "qemux86-64", "artifact_name": "two"})
    world.deploy("two")
    assert explained(world, device)[0]["decision"] == "already-installed"
    assert explained(world, fleet[1])[0]["decision"] == "unknown"


def test_all_of_many_open_deployments(
    world: World, fleet: list[Device], device: Device, tenant: Tenant, warm: None
) -> None:
    other = to_strangers(world)
    mine = world.deploy("two", [each.id for each in fleet[:8]], name="mine")
    explained(world, device)
    with counted() as few:
        assert len(explained(world, device)) == 2
    more = open_more(tenant.id, other, 120)
    explained(world, device)  # this process reads each of them once
    with counted() as many:
        found = explained(world, device)

    assert [each["id"] for each in found] == [other, mine, *more]
    assert [each["decision"] for each in found] == ["not-a-target", "assign", *["not-a-target"] * 118]
    assert len(many.calls) <= len(few.calls) + 1  # the page of open deployments


def test_a_rate_and_a_time_zone_are_read_once(world: World, fleet: list[Device], device: Device, warm: None) -> None:
    all_day = {"windows": [{"start_time": "00:00", "duration": "P2D"}], "device_time_zone": "geo-timezone"}
    costs, said = [], list[tuple[str, str]]()
    for number in range(3):
        world.deploy("two", name=str(number), rollout=all_day | {"maximum_per_minute": 5})
        explained(world, device)
        with counted() as cost:
            said = brief(world, device)
        costs.append(cost.calls)

    assert said == [("0", "assign"), ("1", "later"), ("2", "later")]
    assert costs[0] == costs[1] == costs[2]


def test_what_is_not_for_the_device_does_not_come_after_another(
    world: World, fleet: list[Device], device: Device
) -> None:
    steer(world, world.deploy("two"), "pause")
    world.deploy("two", [each.id for each in fleet[1:8]], name="others")
    assert brief(world, device) == [("rollout", "paused"), ("others", "not-a-target")]


def test_a_dynamic_deployment_that_the_device_has_finished(world: World, device: Device, moment: Clock) -> None:
    moment.time = (moment.time + timedelta(days=1)).replace(hour=12)
    device.inventory({"device_type": "qemux86-64", "place": "here"})
    chosen = save_filter(world, "inventory", "place", "here")
    finished = deploy_to_filter(world, chosen, artifact_name="two")
    serves(device.poll(), finished)
    device.report(finished, "success")
    deploy_to_filter(world, chosen, artifact_name="two", name="newer", rollout=NIGHT)
    device.poll()  # stores which filters match
    assert [each["decision"] for each in explained(world, device)][:1] == ["done"]


def test_after_the_abort_of_what_the_device_is_doing(world: World, device: Device) -> None:
    skipped = world.deploy("two", name="skipped", rollout={"when_paused": "skip"})
    steer(world, skipped, "pause")
    newer = world.deploy("two", name="newer")
    serves(device.poll(), newer)
    world.abort(newer)
    steer(world, skipped, "resume")
    # The next poll finds that it has ended, and gives the device nothing older.
    assert brief(world, device) == [("skipped", "done")]
    serves_nothing(device.poll())
    assert brief(world, device) == [("skipped", "done")]


def test_only_what_the_user_may_see(world: World, device: Device, sign_in: SignIn, tenant: Any) -> None:
    world.deploy("two", name="everywhere")
    world.api.put(f"/api/management/v1/inventory/devices/{device.id}/group", json={"group": "lab"})
    world.deploy("two", name="lab", group="lab")
    assert world.api.post(ROLES, json=role("lab", scoped("DeployToDevices", "lab"))).status_code == 201
    answer = sign_in(tenant, "lab").get(f"{DEPLOYMENTS}/devices/{device.id}/explain")
    assert answer.status_code == 200, answer.text
    assert [each["name"] for each in answer.json()] == ["lab"]


MIDDAY = [{"start_time": "11:00", "duration": "PT3H", "days": ["wed", "sat", "sun", "mon"]}]
rollouts = st.fixed_dictionaries(
    {},
    optional={
        "windows": st.sampled_from(
            [NIGHT["windows"], [{"start_time": "11:00", "duration": "PT3H", "days": ["wed", "sat"]}]]
        ),
        "maximum_per_minute": st.integers(1, 2),
        "jitter": st.just("PT30M"),
        "when_paused": st.sampled_from(["hold", "skip"]),
    },
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["deploy", "deploy", "poll", "poll", "finish", "pause", "resume", "wait", "open_phase"]),
        st.integers(0, 3),
        rollouts,
        st.booleans(),
    ),
    min_size=3,
    max_size=14,
)


@settings(
    max_examples=10,
    deadline=None,
    # A failing history is short enough to read; shrinking it would take minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(steps=steps, hour=st.sampled_from([1, 2, 12]))
def test_an_explanation_is_what_the_poll_does(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, steps: list[Any], hour: int
) -> None:
    world = new_world(server.url)
    try:
        fleet = [world.device() for _ in range(4)]
        with monkeypatch.context() as patch:
            moment = Clock(patch)
            moment.time = (moment.time + timedelta(days=1)).replace(hour=hour, minute=0)
            run(world, fleet, moment, steps)
    finally:
        world.api.close()
        world.http.close()


def run(world: World, fleet: list[Device], moment: Clock, steps: list[Any]) -> None:
    world.upload("two")
    for device in fleet:
        device.inventory({"device_type": "qemux86-64", "artifact_name": "one", "place": "here"})
    chosen = save_filter(world, "inventory", "place", "here")
    made: list[str] = []
    for step, which, rollout, flag in steps:
        if step == "deploy":
            more: dict[str, Any] = {"name": str(len(made))} | ({"rollout": rollout} if rollout else {})
            if flag and which != 3:
                more["phases"] = [{"batch_size_devices": 1}, {"start_ts": moment.later(hours=1)}]
            made.append(deploy(world, fleet, which, chosen, more))
        elif step in {"pause", "resume", "open_phase"} and made:
            steer(world, made[which % len(made)], step, phase=2)
        elif step == "wait":
            moment.move(minutes=20 * (which + 1))
        elif step in {"poll", "finish"}:
            agree(world, fleet[which])
            if step == "finish" and (active := active_of(world, fleet[which])):
                fleet[which].report(active, "success")
    for device in fleet:
        agree(world, device)


def deploy(world: World, fleet: list[Device], which: int, chosen: str, more: dict[str, Any]) -> str:
    """A deployment to a filter, if ``which`` is 3, or to all or all but one of the devices."""
    if which != 3:
        return world.deploy("two", [device.id for device in fleet[which % 2 :]], **more)
    body = {"artifact_name": "two", "filter_id": chosen, "max_devices": 2, **more}
    answer = world.api.post("/api/management/v2/deployments/deployments", json=body)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rsplit("/", 1)[-1]


WAITING = {
    "paused",
    "phase-not-open",
    "phase-full",
    "window-closed",
    "delayed",
    "rate-reached",
    "behind-another",
}


def active_of(world: World, device: Device) -> str | None:
    return next((each["id"] for each in explained(world, device) if each["decision"] == "active"), None)


def agree(world: World, device: Device) -> None:
    """The explanation names the deployment that the poll then serves, or why it serves none."""
    said = explained(world, device)
    expected = next((each["id"] for each in said if each["decision"] in {"active", "assign"}), None)
    answer = device.poll()
    assert answer.status_code in {200, 204}, answer.text
    served = answer.json()["id"] if answer.status_code == 200 else None
    assert served == expected, said
    waiting = {"paused", "phase-not-open", "phase-full", "window-closed", "delayed", "rate-reached"}
    if expected is None:
        assert all(
            each["decision"] in waiting | {"behind-another", "limit-reached", "done", "not-a-target"} for each in said
        )


def test_the_delay_is_named(world: World, device: Device, moment: Clock) -> None:
    world.deploy("two", rollout={"jitter": "PT23H"})
    (found,) = explained(world, device)
    assert found["decision"] == "delayed"
    assert found["opens"] in found["reason"]
