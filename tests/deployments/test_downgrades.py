"""Devices that would get older software than they have: allowed, flagged or refused, by the tenant's policy."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.cache import Store
from chalicelib.deployments.service import downgrades
from chalicelib.errors import Conflict
from chalicelib.storage import dynamodb
from tests.deployments.test_crashes import consistent, poll
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.support.crashes import each_crash
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device

POLICY = "/api/management/v1/deployments/trust/policy"
AUDIT = "/api/management/v1/auditlogs/logs"
KEY = "rootfs-image.version"
TEXT = f"{KEY} 2.0 -> 1.9"


def set_policy(world: World, what: str) -> None:
    answer = world.api.put(POLICY, json={"signatures": "off", "downgrades": what})
    assert answer.status_code == 204, answer.text


@pytest.fixture
def old(world: World) -> str:
    """The name of a release of version 1.9."""
    world.upload("old", provides={KEY: "1.9"})
    return "old"


def newer(world: World, version: str = "2.0") -> Device:
    """A device that has a newer version; ``device.poll`` says so."""
    device = world.device()
    plain = device.poll
    device.poll = lambda **more: plain(**{KEY: version} | more)  # type: ignore[method-assign]
    return device


def recorded(world: World, deployment: str) -> list[tuple[str, str, str]]:
    """The audit entries about downgrades of a deployment: what was done, by whom, and the text."""
    entries = world.api.get(AUDIT, params={"object_id": deployment, "per_page": 100}).json()
    found = [each for each in entries if "Downgrade" in each.get("change", "")]
    return [(each["action"], each["actor"]["id"], each["change"]) for each in found]


def test_a_refused_device_ends_at_once_and_says_why(world, old):
    set_policy(world, "refuse")
    device, other = newer(world), world.device()
    deployment = world.deploy(old, [device.id, other.id], force_installation=True)

    serves_nothing(device.poll())
    serves_nothing(device.poll())
    serves(other.poll(), deployment)  # it provides no version

    row = world.rows(deployment)[device.id]
    assert (row["status"], row["substate"], row["downgrade"]) == ("noartifact", f"downgrade refused: {TEXT}", TEXT)
    assert row["finished"]
    assert row["image"]["name"] == old
    assert "downgrade" not in world.rows(deployment)[other.id]
    assert world.numbers(deployment) == {"noartifact": 1, "pending": 1}
    text = f"Downgrade of the first device refused: {TEXT}"
    assert recorded(world, deployment) == [("update", device.id, text)]


def test_a_flagged_device_gets_the_update_and_its_row_says_so(world, old):
    set_policy(world, "flag")
    device = newer(world)
    deployment = world.deploy(old, [device.id])

    serves(device.poll(), deployment)
    serves(device.poll(), deployment)
    assert device.report(deployment, "installing", substate="writing").status_code == 204
    assert device.report(deployment, "success").status_code == 204

    row = world.rows(deployment)[device.id]
    assert (row["status"], row["substate"], row["downgrade"]) == ("success", "writing", TEXT)
    history = world.api.get(f"{DEPLOYMENTS}/devices/{device.id}").json()
    assert history[0]["device"]["downgrade"] == TEXT
    text = f"Downgrade of the first device flagged: {TEXT}"
    assert recorded(world, deployment) == [("update", device.id, text)]


def test_downgrades_are_allowed_by_default(world, old):
    device = newer(world)
    deployment = world.deploy(old, [device.id])
    serves(device.poll(), deployment)
    assert "downgrade" not in world.rows(deployment)[device.id]
    assert recorded(world, deployment) == []


@pytest.mark.parametrize("version", ["1.9", "1.9-rc1", "1.8", "another"])
def test_other_devices_get_the_update(world, old, version):
    set_policy(world, "refuse")
    device = newer(world, version)
    deployment = world.deploy(old, [device.id])
    serves(device.poll(), deployment)
    assert recorded(world, deployment) == []


def test_names_of_artifacts_count_where_there_is_no_version(world):
    set_policy(world, "refuse")
    world.upload("os-1.10")
    device = world.device()
    deployment = world.deploy("os-1.10", [device.id])
    serves_nothing(device.poll(artifact_name="os-1.11"))
    assert world.rows(deployment)[device.id]["downgrade"] == "artifact_name os-1.11 -> os-1.10"


def test_the_same_artifact_is_already_installed(world, old):
    set_policy(world, "refuse")
    device = newer(world)
    deployment = world.deploy(old, [device.id])
    serves_nothing(device.poll(artifact_name=old))
    assert world.rows(deployment)[device.id]["status"] == "already-installed"


def test_after_a_change_of_the_policy_a_new_deployment_reaches_the_device(world, old):
    set_policy(world, "refuse")
    device = newer(world)
    refused = world.deploy(old, [device.id])
    serves_nothing(device.poll())
    assert world.show(refused)["status"] == "finished"

    set_policy(world, "allow")
    deployment = world.deploy(old, [device.id])
    serves(device.poll(), deployment)


def test_a_device_that_has_begun_goes_on(world, old):
    device = newer(world)
    deployment = world.deploy(old, [device.id])
    serves(device.poll(), deployment)
    set_policy(world, "refuse")
    serves(device.poll(), deployment)


def test_a_configuration_is_no_downgrade(world):
    set_policy(world, "refuse")
    device = newer(world)
    place = f"/api/management/v1/deviceconfig/configurations/device/{device.id}"
    assert world.api.put(place, json={"a": "b"}).status_code == 204
    made = world.api.post(f"{place}/deploy", json={})
    assert made.status_code == 200, made.text
    serves(device.poll(), made.json()["deployment_id"])


def test_a_long_version_is_cut(world):
    set_policy(world, "refuse")
    old = "1." + "0" * 200 + "1"
    world.upload("old", provides={KEY: old})
    device = newer(world, "2." + "0" * 200 + "1")
    deployment = world.deploy("old", [device.id])
    serves_nothing(device.poll())
    row = world.rows(deployment)[device.id]
    assert row["downgrade"].startswith(f"{KEY} 2.00")
    assert row["downgrade"].endswith("...")
    assert len(row["substate"]) <= 200


def test_the_prediction_of_a_poll_knows_the_policy(world, old):
    device = newer(world)
    device.inventory({"device_type": device.device_type, "artifact_name": "new", KEY: "2.0"})
    world.deploy(old, [device.id])
    for policy, outcome in (("refuse", "noartifact"), ("flag", "update"), ("allow", "update")):
        set_policy(world, policy)
        (told,) = world.api.get(f"{DEPLOYMENTS}/devices/{device.id}/upcoming").json()
        assert told["outcome"] == outcome
        (explained,) = world.api.get(f"{DEPLOYMENTS}/devices/{device.id}/explain").json()
        assert explained["decision"] == ("noartifact" if policy == "refuse" else "assign")
        assert (f"the trust policy refuses older software: {TEXT}" == explained["reason"]) == (policy == "refuse")


@pytest.mark.parametrize("policy", ["flag", "refuse"])
@pytest.mark.parametrize("forgets", [False, True])
def test_one_of_many_simultaneous_devices_is_recorded(world, old, policy, forgets, monkeypatch):
    """``forgets``: as if each poll were in a new process."""
    set_policy(world, policy)
    devices = [newer(world) for _ in range(8)]
    deployment = world.deploy(old, [device.id for device in devices])
    if forgets:
        monkeypatch.setattr(downgrades, "_recorded", Store(0))
    with ThreadPoolExecutor(8) as pool:
        answers = [answer.status_code for answer in pool.map(lambda device: device.poll(), devices)]

    assert Counter(answers) == {204 if policy == "refuse" else 200: 8}
    assert len(recorded(world, deployment)) == 1
    assert [row["downgrade"] for row in world.rows(deployment).values()] == [TEXT] * 8
    assert world.numbers(deployment) == {"noartifact" if policy == "refuse" else "pending": 8}
    consistent(world, deployment)


@pytest.mark.parametrize("policy", ["flag", "refuse"])
def test_a_poll_that_crashes_records_the_downgrade_with_its_row_or_not_at_all(world, tenant: Tenant, policy):
    set_policy(world, policy)
    world.upload("os-1")
    devices = [world.device() for _ in range(2)]
    for device in devices:
        device.artifact_name = "os-2"

    deployments: list[str] = []

    def begin() -> None:
        deployments.append(world.deploy("os-1", [device.id for device in devices], name=f"d-{len(deployments)}"))

    def run() -> Any:
        return poll(tenant, devices[0])

    begin()
    for _ in each_crash(run):
        deployment = deployments[-1]
        there = "downgrade" in world.rows(deployment).get(devices[0].id, {})
        assert len(recorded(world, deployment)) == there
        for device in devices:
            with suppress(Conflict):
                poll(tenant, device)
        assert len(recorded(world, deployment)) == 1
        consistent(world, deployment)
        if policy == "flag":
            world.abort(deployment)
        begin()


@pytest.mark.usefixtures("warm")
def test_what_a_policy_costs(world, old):
    def spent(what: Device) -> Counter[str]:
        with counted() as cost:
            what.poll()
        return cost.by_operation

    devices = [newer(world) for _ in range(6)]
    world.deploy(old, [device.id for device in devices])
    spent(devices[0])
    plain = spent(devices[1])
    set_policy(world, "refuse")
    serves_nothing(devices[2].poll())  # reads the artifact, and records the first downgrade

    assert spent(devices[3]) == plain
    idle = spent(devices[3])
    assert idle == {"GetItem": 1}

    downgrades._recorded.clear()
    # A new process tries to record it, for which it reads the end of an audit chain.
    assert spent(devices[4]) == plain + Counter({"GetItem": 1, "TransactWriteItems": 1})
    assert spent(devices[5]) == plain


def test_the_artifact_is_read_once(world, old, monkeypatch):
    set_policy(world, "refuse")
    devices = [newer(world) for _ in range(3)]
    world.deploy(old, [device.id for device in devices])
    real, reads = dynamodb.shared().call, Counter[str]()

    def call(operation: str, request: Any, *more: Any) -> Any:
        if operation == "GetItem" and request["Key"]["sk"]["S"] == "ARTIFACT":
            reads["artifact"] += 1
        return real(operation, request, *more)

    monkeypatch.setattr(dynamodb.shared(), "call", call)
    for device in devices:
        serves_nothing(device.poll())
    assert reads == {"artifact": 1}
