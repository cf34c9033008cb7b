"""Previews of deployments: they say what the deployment then does, refuse what it would refuse, and store nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.deployments.service import managing
from chalicelib.fleet import control, control_items, parts, switches
from chalicelib.fleet.switches import Switch
from chalicelib.fleet.tables import ControlItem
from chalicelib.inventory.service import snapshots
from tests.all_routes.state import changed, state
from tests.deployments.approvals.asking import demand
from tests.deployments.test_downgrades import set_policy
from tests.deployments.test_dynamic import save_filter, tag
from tests.deployments.world import DEPLOYMENTS, World
from tests.inventory.fleet import fill
from tests.inventory.snapshots import build
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock

PROVIDES = {"depends": {"checksum": "1"}, "other": {"checksum": "2"}}
V2 = "/api/management/v2/deployments/deployments"


def body(release: str = "two", **more: Any) -> dict[str, Any]:
    """A request for a deployment."""
    return {"name": "rollout", "artifact_name": release, **more}


def asked(world: World, wanted: dict[str, Any], path: str = DEPLOYMENTS, **params: Any) -> httpx2.Response:
    """The answer to a request for a preview."""
    return world.api.post(path, json=wanted, params={"dry_run": "true", **params})


def previewed(world: World, wanted: dict[str, Any], path: str = DEPLOYMENTS, **params: Any) -> dict[str, Any]:
    """A preview."""
    answer = asked(world, wanted, path, **params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def numbers(preview: dict[str, Any]) -> dict[str, int]:
    """The numbers of devices in the groups of a preview, without zeros."""
    return {
        name: found["devices"] for name, found in preview.items() if isinstance(found, dict) and found.get("devices")
    }


@pytest.fixture
def mixed(world: World, moment: Clock) -> dict[str, list[Device]]:
    """Devices of each kind, and a release for two of three device types, one of them with a dependency."""
    world.upload("two", ("a",), payload=bytes(range(256)) * 50)
    world.upload("two", ("b",), depends={"checksum": "1"})
    moment.move(days=-4)  # the token of the silent one is still valid
    silent = world.device(device_type="a")
    silent.inventory()
    moment.move(days=4)
    kinds = {
        "silent": [silent],
        "update": [world.device(device_type="a") for _ in range(4)],
        "depends": [world.device(device_type="b") for _ in range(2)],
        "other": [world.device(device_type="b") for _ in range(3)],
        "not shown": [world.device(device_type="b")],
        "wrong type": [world.device(device_type="c") for _ in range(2)],
        "installed": [world.device(device_type="a", artifact_name="two")],
        "no inventory": [world.device(device_type="a") for _ in range(2)],
    }
    for name, devices in kinds.items():
        for device in devices:
            if name not in {"silent", "no inventory"}:
                known = {"artifact_name": device.artifact_name, "device_type": device.device_type}
                assert device.inventory(known | PROVIDES.get(name, {})).status_code == 200
    return kinds


def test_it_says_what_the_deployment_then_does(world: World, mixed: dict[str, list[Device]]) -> None:
    preview = previewed(world, body(all_devices=True), silent_days=3)
    assert preview["devices"] == preview["devices_read"] == 16
    assert preview["complete"]
    assert numbers(preview) == {"update": 7, "already_installed": 1, "no_artifact": 5, "unknown": 3, "silent": 1}
    assert preview["silent"]["examples"] == [mixed["silent"][0].id]
    reasons = [(each["devices"], each.get("device_type"), each.get("dependency")) for each in _reasons(preview)]
    assert reasons == [
        (3, None, "checksum = 1"),
        (2, "c", None),
        (2, None, None),
        (1, None, "checksum = 1"),
    ]
    deployment, sent = world.deploy("two"), 0
    for name, devices in mixed.items():
        for device in devices:
            answer = device.poll(**PROVIDES.get(name, {}))
            if answer.status_code == 200 and name not in {"silent", "no inventory"}:
                sent += _size(world, answer.json()["artifact"]["device_types_compatible"][0])
    # One device is silent but polls in the end; those without an inventory get the update, and the one whose inventory
    # lacks the dependency does not provide it in polls either.
    assert world.numbers(deployment) == {"pending": 7 + 2, "noartifact": 5 + 1, "already-installed": 1}
    assert preview["bytes"] == sent + _size(world, "a")  # of the silent one


def _size(world: World, device_type: str) -> int:
    """The size of the artifact for a device type."""
    found = world.api.get("/api/management/v1/deployments/artifacts", params={"device_type": device_type}).json()
    (artifact,) = found
    size: int = artifact["size"]
    return size


def _reasons(preview: dict[str, Any]) -> list[dict[str, Any]]:
    return [*preview["no_artifact"]["reasons"], *preview["unknown"]["reasons"]]


def test_it_stores_nothing(world: World, mixed: dict[str, list[Device]], tenant: Tenant) -> None:
    ids = [device.id for device in world.devices]
    for device in world.devices:
        tag(world, device, "here")
    assert world.api.patch("/api/management/v1/inventory/groups/lab/devices", json=ids[:5]).status_code == 200
    chosen = save_filter(world, "tags", "place", "here")
    parent = world.deploy("two", ids[-2:])
    polled = world.devices[-1].poll().json()["id"]
    assert world.devices[-1].report(polled, "failure").status_code == 204
    before = state(tenant.id)
    phases = [{"batch_size": 50}, {}]
    rollout = {"gate": {}, "windows": [{"start_time": "02:00", "duration": "PT1H"}], "maximum_per_minute": 1}
    for wanted, path in (
        (body(all_devices=True), DEPLOYMENTS),
        (body(devices=ids, phases=phases, rollout=rollout), DEPLOYMENTS),
        (body(devices=ids[:1]), DEPLOYMENTS),
        (body(), f"{DEPLOYMENTS}/group/lab"),
        (body(filter_id=chosen), V2),
        ({}, f"{DEPLOYMENTS}/{parent}/retry"),
    ):
        assert previewed(world, wanted, path)["devices"], path
    assert changed(before, state(tenant.id)) == []


def test_phases_open_when_it_says(world: World, moment: Clock) -> None:
    world.upload("two")
    fleet = [world.device() for _ in range(9)]
    for device in fleet:
        device.inventory()
    phases = [{"batch_size_devices": 2}, {"batch_size_devices": 3, "start_ts": moment.later(hours=2)}, {}]
    rollout = {"gate": {"minimum_devices": 2, "soak": "PT30M"}, "maximum_per_minute": 5}
    wanted = body(all_devices=True, phases=phases, rollout=rollout)
    preview = previewed(world, wanted, poll_interval=1800, update_time=0)
    assert [each["devices"] for each in preview["phases"]] == [2, 3, 4]
    assert preview["maximum_per_minute"] == 5
    first, second, third = (each["waits_for"] for each in preview["phases"])
    assert first == "opens at once"
    needed = "100 % of the devices of phase {}, and at least 2, have succeeded, and that has been so for 30 minutes"
    assert second == f"opens when {needed.format(1)}; not before {moment.later(hours=2)}"
    assert third.startswith(f"opens when {needed.format(2)}")

    deployment = world.deploy("two", phases=phases, rollout=rollout)
    opened, left = [moment.time], list(enumerate(fleet))
    while left:
        for at, device in list(left):
            # Each device polls once in 30 minutes.
            minute = int((moment.time - opened[0]).total_seconds()) // 60
            if minute % 30 == at * 3 and device.poll().status_code == 200:
                assert device.report(deployment, "success").status_code == 204
                left.remove((at, device))
        moment.move(minutes=1)
        managing.tick(moment.time)
        if left and world.show(deployment)["rollout"]["opened"] > len(opened):
            opened.append(moment.time)
    shown = world.show(deployment)
    assert shown["status"] == "finished"
    assert [phase["device_count"] for phase in shown["phases"]] == [2, 3, 4]
    expected = [datetime.fromisoformat(each["opens"]) for each in preview["phases"]]
    for said, found in zip(expected, opened, strict=True):
        assert abs(said - found) <= timedelta(minutes=30)
    assert abs(datetime.fromisoformat(preview["done_at"]) - moment.time) <= timedelta(minutes=30)


def test_it_says_what_keeps_it_from_being_done(world: World, moment: Clock) -> None:
    world.upload("two")
    fleet = [world.device() for _ in range(3)]
    ids = [device.id for device in fleet]
    for device in fleet[:2]:
        device.inventory({"device_type": "another"})
    phases, gate = [{"batch_size_devices": 2}, {}], {"gate": {"minimum_devices": 2}}
    preview = previewed(world, body(devices=ids, phases=phases, rollout=gate))
    assert "opens" not in preview["phases"][1]
    assert "done_at" not in preview
    [warning] = preview["warnings"]
    assert warning.startswith("phase 2 does not open by itself: its gate needs the success of 2 devices")
    strangers = [str(uuid.uuid4()), "not an id"]
    preview = previewed(world, body(devices=strangers))
    assert numbers(preview) == {"not_accepted": 2}
    assert preview["warnings"] == ["no device of the deployment polls"]
    weekly = {"windows": [{"days": ["mon"], "start_time": "02:00", "duration": "PT1M"}]}
    slow = previewed(world, body(devices=ids, rollout=weekly), poll_interval=86_400)
    assert slow["warnings"] == ["the deployment takes more than a year"]


@pytest.mark.parametrize(
    ("stop", "takes"),
    [
        ({"max_failures": 3}, 3),
        ({"max_failures_percent": 5, "minimum_reports": 20}, 20),
        ({"max_failures": 4, "max_failures_percent": 5, "minimum_reports": 3}, 3),
        ({"max_failures": 2, "max_failures_percent": 5, "minimum_reports": 20}, None),
        ({"max_failures_percent": 100}, None),
    ],
)
def test_it_warns_of_a_stop_that_never_acts(world: World, stop: dict[str, int], takes: int | None) -> None:
    world.upload("two")
    ids = [world.device().id for _ in range(2)]
    preview = previewed(world, body(devices=ids, rollout={"stop": stop}))
    warning = f"failures never stop it: even if all fail, that takes {takes} devices, but it is for 2 devices"
    assert preview.get("warnings", []) == ([warning] if takes else [])


def test_windows_are_in_the_time_zone_of_the_rollout(world: World, moment: Clock) -> None:
    world.upload("two")
    device = world.device()
    moment.time = datetime(2027, 3, 26, 12, tzinfo=UTC)  # two days later, clocks are put forward
    daily = {"windows": [{"start_time": "04:00", "duration": "PT1H"}], "time_zone": "Europe/Oslo"}
    preview = previewed(world, body(devices=[device.id], rollout=daily), silent_days=365)
    assert preview["time_zone"] == "Europe/Oslo"
    assert [(each["start"], each["end"]) for each in preview["windows"]] == [
        ("2027-03-27T04:00:00+01:00", "2027-03-27T05:00:00+01:00"),
        ("2027-03-28T04:00:00+02:00", "2027-03-28T05:00:00+02:00"),
        ("2027-03-29T04:00:00+02:00", "2027-03-29T05:00:00+02:00"),
    ]
    assert preview["done_at"] == "2027-03-27T03:40:00Z"


def test_the_windows_of_devices_are_in_their_own_time(world: World, moment: Clock) -> None:
    world.upload("two")
    fleet = [world.device() for _ in range(4)]
    for device, zone in zip(fleet, ("Asia/Tokyo", "America/Bogota", "Nowhere/At_all"), strict=False):
        device.inventory({"device_type": "qemux86-64", "geo-timezone": zone})
    moment.time = datetime(2027, 3, 26, 12, tzinfo=UTC)
    rollout = {"windows": [{"start_time": "02:00", "duration": "PT2H"}], "device_time_zone": "geo-timezone"}

    def done(*devices: Device, **more: Any) -> Any:
        wanted = body(devices=[device.id for device in devices], rollout=rollout | more)
        return previewed(world, wanted, silent_days=365)["done_at"]

    tokyo, bogota, nowhere, unknown = fleet
    assert done(tokyo) == "2027-03-26T17:40:00Z"
    assert done(bogota) == done(*fleet) == "2027-03-27T07:40:00Z"
    assert done(nowhere, unknown, tokyo) == "2027-03-27T02:40:00Z"
    assert done(nowhere, time_zone="Asia/Tokyo") == "2027-03-26T17:40:00Z"
    # A tag of this name is the device's own time zone before its inventory.
    place = f"/api/management/v1/inventory/devices/{bogota.id}/tags"
    assert world.api.put(place, json=[{"name": "geo-timezone", "value": "Asia/Tokyo"}]).status_code == 200
    assert done(tokyo, bogota) == "2027-03-26T17:40:00Z"
    assert done(tokyo, bogota, maximum_per_minute=1, jitter="PT1H") == "2027-03-26T18:40:00Z"


def test_it_refuses_what_the_deployment_would_refuse(
    world: World, tenant: Tenant, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.upload("two")
    ids = [world.device().id for _ in range(6)]
    chosen = save_filter(world, "tags", "place", "here")
    parent = world.deploy("two", ids[:1], name="parent")
    requests = [
        (body(), DEPLOYMENTS),
        (body("none", devices=ids), DEPLOYMENTS),
        (body(devices=ids, phases=[{}, {}]), DEPLOYMENTS),
        (body(devices=ids, rollout={"gate": {}}), DEPLOYMENTS),
        (body(), f"{DEPLOYMENTS}/group/none"),
        (body(filter_id=str(uuid.uuid4())), V2),
        ({}, f"{DEPLOYMENTS}/{parent}/retry"),
        ({}, f"{DEPLOYMENTS}/{uuid.uuid4()}/retry"),
    ]
    for wanted, path in requests:
        _refused_alike(world, wanted, path, {400, 404, 422})

    good = body(devices=ids, name="good")
    world.deploy("two", ids, name="good")
    _refused_alike(world, good, DEPLOYMENTS, {409})
    limited = sign_in(tenant, "RBAC_ROLE_CI")
    for path, wanted in ((DEPLOYMENTS, body(devices=ids)), (V2, body(filter_id=chosen))):
        assert limited.post(path, json=wanted, params={"dry_run": "1"}).status_code == 403
    with monkeypatch.context() as patch:
        patch.setattr(limits, "OPEN_DEPLOYMENTS", 1)
        _refused_alike(world, body(devices=ids, name="one more"), DEPLOYMENTS, {422})
        # A deployment to few devices is not one of those that are counted.
        previewed(world, body(devices=ids[1:2], name="small"))
    try:
        switches.turn_off(Switch.DEPLOYMENTS, "for a test")
        _refused_alike(world, body(devices=ids, name="another"), DEPLOYMENTS, {503})
    finally:
        switches.turn_on(Switch.DEPLOYMENTS)


def _refused_alike(world: World, wanted: dict[str, Any], path: str, statuses: set[int]) -> None:
    preview, creation = asked(world, wanted, path), world.api.post(path, json=wanted)
    assert creation.status_code in statuses, creation.text
    assert preview.status_code == creation.status_code
    assert preview.json()["error"] == creation.json()["error"]


@pytest.mark.parametrize("policy", ["flag", "refuse"])
def test_downgrades(world: World, policy: str) -> None:
    world.upload("gateway-1.0")
    set_policy(world, policy)
    newer, older = world.device(artifact_name="gateway-2.0"), world.device(artifact_name="gateway-0.9")
    for device in (newer, older):
        device.inventory()
    preview = previewed(world, body("gateway-1.0", devices=[newer.id, older.id]))
    assert preview["downgrades"] == {"policy": policy, "devices": 1, "examples": [newer.id]}
    assert numbers(preview)["update"] == (2 if policy == "flag" else 1)


def test_it_says_that_a_second_person_has_to_approve(world: World, moment: Clock) -> None:
    world.upload("two")
    ids = [world.device().id for _ in range(2)]
    demand(world, approval_devices=1, approval_hours=2)
    assert "approval_expires" not in previewed(world, body(devices=ids[:1]))
    preview = previewed(world, body(devices=ids))
    assert preview["approval_expires"] == world.show(world.deploy("two", ids))["approval"]["expires"]


def test_devices_that_wait_for_others(world: World) -> None:
    world.upload("one")
    world.upload("two")
    fleet = [world.device() for _ in range(8)]
    ids = [device.id for device in fleet]
    for device in fleet:
        device.inventory()
    world.deploy("one", ids[:1], name="on a head")
    world.deploy("one", ids[:7], name="listed")
    aborted = world.deploy("one", ids[7:], name="aborted")
    world.abort(aborted)
    preview = previewed(world, body(devices=ids))
    assert preview["waits_for_others"] == {"devices": 7, "examples": sorted(ids[:7])[:3]}
    assert numbers(preview)["update"] == 8


def test_of_many_devices_a_sample_is_read(
    world: World, mixed: dict[str, list[Device]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = previewed(world, body(all_devices=True))
    monkeypatch.setattr(limits, "PREVIEW_DEVICES", 8)
    monkeypatch.setattr(limits, "PREVIEW_HEADS", 7)
    chosen = save_filter(world, "inventory", "device_type", "c", "$ne")
    for wanted, path in ((body(all_devices=True), DEPLOYMENTS), (body(filter_id=chosen), V2)):
        preview = previewed(world, wanted, path)
        assert (preview["devices_read"], preview["complete"]) == (8, False)
        assert sum(number for name, number in numbers(preview).items() if name != "silent") == 8
        assert "waits_for_others" not in preview
        assert preview["done_at"] == whole["done_at"]


def test_large_deployments_are_previewed_before_their_devices_are_listed(
    world: World, mixed: dict[str, list[Device]], monkeypatch: pytest.MonkeyPatch, tenant: Tenant
) -> None:
    small = previewed(world, body(all_devices=True))
    lab = [device.id for device in (*mixed["update"], *mixed["wrong type"])]
    assert world.api.patch("/api/management/v1/inventory/groups/lab/devices", json=lab).status_code == 200
    monkeypatch.setattr(limits, "UNDIVIDED_DEVICES", 2)
    control_items.ref(tenant.id).update([ControlItem.parts.set(parts.LARGE)])
    control.forget(tenant.id)
    assert previewed(world, body(all_devices=True)) == small
    assert numbers(previewed(world, body(), f"{DEPLOYMENTS}/group/lab")) == {"update": 4, "no_artifact": 2}


@pytest.mark.parametrize("is_built", [False, True])
def test_it_reads_a_hundred_devices_per_round_trip(world: World, tenant: Tenant, warm: None, *, is_built: bool) -> None:
    world.upload("two")
    known = fill(tenant.id, 1000)
    if is_built:
        build(tenant.id)
    trips = {}
    for number in (10, 1000):
        snapshots._known.clear()
        with counted() as cost:
            assert numbers(previewed(world, body(devices=known[:number]))) == {"unknown": number}
        trips[number] = cost.round_trips
    # Their heads, and their inventory unless it is in the snapshot.
    assert trips[1000] - trips[10] <= (10 if is_built else 20) + 5


@pytest.mark.parametrize("value", ["yes", "", "2", ["false", "true"]])
def test_a_dry_run_that_is_neither_true_nor_false_creates_nothing(world: World, value: str | list[str]) -> None:
    world.upload("two")
    answer = world.api.post(DEPLOYMENTS, json=body(devices=[str(uuid.uuid4())]), params={"dry_run": value})
    assert answer.status_code == 400
    assert world.api.get(DEPLOYMENTS).json() == []
