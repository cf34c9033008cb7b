"""The outcomes of a deployment: why devices failed, and when they finished."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib import clock, limits, times
from chalicelib.deployments.rules import failures
from chalicelib.deployments.rules.row import Row
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import plans
from chalicelib.deployments.shapes.devices import LogMessage
from chalicelib.deployments.tables.items import RowItem, row_ref
from tests.deployments.world import DEPLOYMENTS, World, serves
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device


def _log(device: Device, deployment: str, *lines: tuple[str, str]) -> None:
    messages = [{"timestamp": "2026-03-02T10:15:04Z", "level": level, "message": text} for level, text in lines]
    path = f"/v1/deployments/device/deployments/{deployment}/log"
    assert device.call("PUT", path, {"messages": messages}).status_code == 204


def _fail(device: Device, deployment: str, **more: Any) -> None:
    serves(device.poll(), deployment)
    assert device.report(deployment, "failure", **more).status_code == 204


def _outcomes(world: World, deployment: str) -> dict[str, Any]:
    assert "outcomes" not in world.show(deployment)
    answer = world.api.get(f"{DEPLOYMENTS}/{deployment}", params={"outcomes": "true"})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()["outcomes"]
    return told


def _counted(told: dict[str, Any]) -> list[tuple[str, int]]:
    return [(each["reason"], each["count"]) for each in told["reasons"]]


@pytest.fixture
def fleet(world: World) -> list[Device]:
    world.upload("two")
    return [world.device() for _ in range(6)]


def test_failures_are_counted_by_their_reason(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", [device.id for device in fleet])
    for number, device in enumerate(fleet[:2]):
        _fail(device, deployment, substate="ArtifactInstall")
        own = f"cannot reach 10.1.0.{number}:443 after {40000 + number} ms\n at line 7"
        _log(device, deployment, ("info", "begin"), ("ERROR", own), ("error", "rolling back"))
    _fail(fleet[2], deployment, substate="ArtifactInstall")
    _fail(fleet[3], deployment)
    _log(fleet[3], deployment, ("info", "nothing to see"))
    serves(fleet[4].poll(), deployment)
    fleet[4].report(deployment, "success", substate="fine")

    told = _outcomes(world, deployment)

    network = "cannot reach … after … ms"
    assert _counted(told) == [(network, 2), ("ArtifactInstall", 1), ("no reason given", 1)]
    first = min(fleet[:2], key=lambda device: device.id)
    rows = world.rows(deployment)
    assert told["reasons"][0] == {
        "id": told["reasons"][0]["id"],
        "reason": network,
        "count": 2,
        "devices": sorted(device.id for device in fleet[:2]),
        "state": "ArtifactInstall",
        "example": f"cannot reach 10.1.0.{fleet.index(first)}:443 after {40000 + fleet.index(first)} ms",
        "artifacts": [rows[first.id]["image"]["id"]],
    }
    assert (told["failed"], told["failed_read"], told["updated"]) == (4, 4, 1)
    assert told["failed_at"] == sorted((rows[device.id]["finished"] for device in fleet[:4]), key=times.read)
    assert told["updated_at"] == [rows[fleet[4].id]["finished"]]
    assert rows[fleet[0].id]["reason"] == network
    assert "reason" not in rows[fleet[4].id]
    listed = world.api.get(f"{DEPLOYMENTS}/{deployment}/devices/list", params={"reason": network, "per_page": 1})
    assert listed.headers["X-Total-Count"] == "2"
    assert [row["id"] for row in listed.json()] == [min(fleet[0].id, fleet[1].id)]
    by_id = world.api.get(f"{DEPLOYMENTS}/{deployment}/devices/list", params={"reason": told["reasons"][0]["id"]})
    assert sorted(row["id"] for row in by_id.json()) == told["reasons"][0]["devices"]
    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/devices/list", params={"reason": "other"}).json() == []


def test_a_new_log_replaces_the_reason(world: World, fleet: list[Device]) -> None:
    (device, *_) = fleet
    deployment = world.deploy("two", [device.id])
    _fail(device, deployment, substate="ArtifactInstall")
    _log(device, deployment, ("error", "one"))
    _log(device, deployment, ("error", "two"))
    assert [each["reason"] for each in _outcomes(world, deployment)["reasons"]] == ["two"]
    with counted() as cost:
        _log(device, deployment, ("error", "two"))
    assert "UpdateItem" not in cost.by_operation
    _log(device, deployment, ("warning", "three"))
    assert [each["reason"] for each in _outcomes(world, deployment)["reasons"]] == ["ArtifactInstall"]


def test_rows_of_earlier_versions_have_a_reason_too(world: World, fleet: list[Device], tenant: Tenant) -> None:
    (device, *_) = fleet
    deployment = world.deploy("two", [device.id])
    _fail(device, deployment)
    _log(device, deployment, ("error", "one"))
    plan = plans.get(tenant.id, deployment)
    assert plan is not None
    row_ref(tenant.id, plan, device.id).update([RowItem.error.remove()])
    assert [each["reason"] for each in _outcomes(world, deployment)["reasons"]] == ["no reason given"]


def test_the_cost_does_not_grow_with_the_deployment(
    world: World, fleet: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = world.deploy("two", [device.id for device in fleet])
    for device in fleet[:4]:
        _fail(device, deployment, substate="alike")
    serves(fleet[4].poll(), deployment)
    fleet[4].report(deployment, "success")
    monkeypatch.setattr(limits, "OUTCOMES", 3)
    path = f"{DEPLOYMENTS}/{deployment}?outcomes=true"
    world.api.get(path)  # the first call of a tenant also reads the user

    with counted() as cost:
        answer = world.api.get(path)

    assert cost.by_operation["Query"] == 2
    told = answer.json()["outcomes"]
    assert (told["failed"], told["failed_read"], len(told["failed_at"])) == (4, 3, 3)
    assert _counted(told) == [("alike", 3)]
    again = world.api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_outcomes_cover_only_devices_in_the_users_groups(
    world: World, fleet: list[Device], sign_in: SignIn, tenant: Tenant
) -> None:
    inside, outside = fleet[:2]
    groups = "/api/management/v1/inventory/groups/mine/devices"
    assert world.api.patch(groups, json=[inside.id, outside.id]).status_code == 200
    deployment = world.deploy("two", group="mine")
    _fail(inside, deployment, substate="of mine")
    _fail(outside, deployment, substate="of the other")
    assert world.api.request("DELETE", groups, json=[outside.id]).status_code == 200
    assert world.api.post(ROLES, json=role("mine", scoped("DeployToDevices", "mine"))).status_code == 201
    user = sign_in(tenant, "mine")

    told = user.get(f"{DEPLOYMENTS}/{deployment}?outcomes=true").json()["outcomes"]
    rows = user.get(f"{DEPLOYMENTS}/{deployment}/devices/list", params={"reason": "of the other"})

    assert (told["failed"], _counted(told)) == (1, [("of mine", 1)])
    assert rows.json() == []


def test_the_same_error_in_another_step_is_another_reason(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", [device.id for device in fleet])
    for device, step in zip(fleet, ("ArtifactInstall", "ArtifactCommit", "ArtifactCommit"), strict=False):
        _fail(device, deployment, substate=step)
        _log(device, deployment, ("error", "timed out"))
    told = _outcomes(world, deployment)
    assert [(each["reason"], each["state"], each["count"]) for each in told["reasons"]] == [
        ("timed out", "ArtifactCommit", 2),
        ("timed out", "ArtifactInstall", 1),
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("checksum 9f86d081884c7d659a2f is wrong", "checksum … is wrong"),
        ("exit status 137", "exit status 137"),
        ("curl: status=404, took 3.5s of 10m0s", "curl: status=404, took … of …"),
        ("device 02:00:5e:00:00:07 at 0x1F", "device … at …"),
        ("job 550e8400-e29b-41d4-a716-446655440000 died", "job … died"),
        ("2026-03-02T10:15:04.123Z wrote 12.5MiB (88%)", "… wrote … (…)"),
        ("fe80::1ff:fe23:4567:890a%eth0 is down", "… is down"),
        ("open /var/tmp/update-x81a/part: no space", "open …: no space"),
        ("open /tmp/tmp.aBcDeF failed", "open … failed"),
        (
            "GET https://me:pw@files.example.com/a/b?X-Amz-Signature=9f86 gave HTTP/1.1 403",
            "GET https://files.example.com/… gave HTTP/1.1 403",
        ),
        ("mmcblk0p2: template in /attempt", "mmcblk0p2: template in /attempt"),
        ("write 4096 bytes to /dev/mmcblk0p3", "write … bytes to /dev/mmcblk0p3"),
        ("UBIFS error (ubi0:1 pid 77) on /dev/nvme0n1p2", "UBIFS error (ubi0:1 pid …) on /dev/nvme0n1p2"),
        ("/dev/disk/by-partlabel/rootfs2 on /dev/disk/by-uuid/7AB9-01EF", "/dev/disk/by-partlabel/rootfs2 on …"),
        ("/dev/loop3 of /dev/mapper/luks-550e8400-e29b-41d4-a716-446655440000", "/dev/loop… of /dev/mapper/luks…"),
        ("std::runtime_error", "std::runtime_error"),
        ("tried 1, 2, 3 and 4", "tried … and …"),
        ("  no\tspace  left ", "no space left"),
        ("facade defaced", "facade defaced"),
        ("", "no reason given"),
    ],
)
def test_reasons_leave_out_values_of_a_single_device(said: str, reason: str) -> None:
    assert failures.reason(said, None) == reason
    assert failures.reason(None, said) == reason


words = st.text(st.characters(categories=["Ll", "Lu"]), min_size=1, max_size=8).filter(
    lambda word: word.lower() not in {"status", "code", "errno", "signal", "exit", "http"}
)
values = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.uuids().map(str),
    st.uuids().map(lambda uuid: uuid.hex),
    st.ip_addresses().map(str),
    st.datetimes().map(lambda time: time.isoformat()),
    st.times().map(str),
    st.timedeltas(timedelta(0)).map(lambda time: f"{time.seconds // 60}m{time.seconds % 60}.{time.microseconds}s"),
    st.binary(min_size=6, max_size=6).map(lambda address: address.hex(":")),
    st.binary(min_size=6, max_size=6).map(lambda address: address.hex("-")),
    st.integers(0, 2**64).map(hex),
    st.uuids().map(lambda uuid: f"/tmp/{uuid.hex}/file"),
    st.integers(1, 10**6).map(lambda size: f"{size}KiB"),
)
"""What differs from device to device."""


@given(st.lists(words, min_size=1, max_size=8), st.lists(st.tuples(st.integers(0, 8), values), max_size=6), words)
def test_numbers_and_ids_make_no_other_reason(said: list[str], inserted: list[tuple[int, str]], other: str) -> None:
    changed = list(said)
    for at, value in inserted:
        changed.insert(at, value)
    assume(len(" ".join(changed)) < limits.FAILURE_REASON)
    plain = failures.reason_id(" ".join(said), "Install")
    assert failures.reason_id(" ".join(changed), "Install") == plain
    assert failures.reason_id(" ".join([*said, other]), "Install") != plain
    assert failures.reason_id(" ".join(said), "Commit") != plain


sizes = st.lists(st.integers(12, 150), min_size=3, max_size=3)


@given(st.lists(words, min_size=20, max_size=40), st.integers(0, 19), sizes, sizes)
def test_the_same_error_with_ids_of_any_length_is_one_reason(
    said: list[str], place: int, one: list[int], other: list[int]
) -> None:
    """Although what is stored of an error is short."""

    def identified(sizes: list[int]) -> str | None:
        ids = [f"7{'a1' * (size // 2)}" for size in sizes]
        line = " ".join([*said[:place], *ids, *said[place:]])
        return failures.first_error([LogMessage("2026-03-02T10:15:04Z", "error", line)])

    stored = [identified(one), identified(other)]
    assert all(len(error or "") <= limits.FAILURE_REASON for error in stored)
    assert failures.reason_id(stored[0], "Install") == failures.reason_id(stored[1], "Install")


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_has_a_reason(error: str, substate: str) -> None:
    assert failures.reason(error, substate)
    assert len(failures.reason_id(error, substate)) == 12


errors = st.sampled_from(["no space on /tmp/a1", "no space on /tmp/b2", "timed out after 3 s", "timed out", None])


@given(st.lists(errors, max_size=30).flatmap(lambda said: st.tuples(st.just(said), st.permutations(range(len(said))))))
def test_reasons_do_not_depend_on_the_order_of_devices(given: tuple[list[str | None], list[int]]) -> None:
    said, order = given
    rows = [
        Row(
            deployment_id="d",
            device_id=f"{at:02}",
            status=Status.FAILURE,
            sequence=1,
            created=clock.now(),
            error=error,
            artifact="one" if at % 2 else "two",
        )
        for at, error in enumerate(said)
    ]
    found = failures.grouped(rows)
    assert failures.grouped([rows[at] for at in order]) == found
    assert sum(each.count for each in found) == len(rows)
    assert len(found) == len({failures.reason_id(error, None) for error in said})


def test_a_reason_is_one_short_line() -> None:
    def message(level: str, text: str) -> LogMessage:
        return LogMessage("2026-03-02T10:15:04Z", level, text)

    assert failures.first_error([message("warning", "no"), message("Fatal", "\n \n yes \nno")]) == "yes"
    assert failures.first_error([message("error", " "), message("error", "x" * 999)]) == "x" * limits.FAILURE_REASON
    assert failures.first_error([message("info", "no")]) is None
