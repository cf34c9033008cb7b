"""The report of a deployment, and the export of its devices."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.deployments.rules import exports, reports
from chalicelib.deployments.rules.reports import DeviceCourse
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.shapes import ExportedDevice
from tests.deployments.world import DEPLOYMENTS, World, serves
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device
    from tests.support.time import Clock


@pytest.fixture
def fleet(world: World) -> list[Device]:
    """Four devices."""
    world.upload("two")
    return [world.device() for _ in range(4)]


def _end(device: Device, deployment: str, status: str = "success", **more: Any) -> None:
    serves(device.poll(), deployment)
    assert device.report(deployment, status, **more).status_code == 204


def _report(client: httpx2.Client, deployment: str) -> dict[str, Any]:
    answer = client.get(f"{DEPLOYMENTS}/{deployment}/report")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def _log(device: Device, deployment: str, text: str) -> None:
    path = f"/v1/deployments/device/deployments/{deployment}/log"
    messages = [{"timestamp": "2026-03-02T10:15:04Z", "level": "error", "message": text}]
    assert device.call("PUT", path, {"messages": messages}).status_code == 204


def test_a_report_tells_the_course_and_the_results(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two", name="winter")
    moment.move(minutes=10)
    for device in fleet[:3]:
        serves(device.poll(), deployment)
        device.report(deployment, "downloading")
    began = moment.time
    moment.move(minutes=20)
    fleet[0].report(deployment, "success")
    moment.move(minutes=30)
    fleet[1].report(deployment, "failure", substate="ArtifactInstall")
    _log(fleet[1], deployment, "no space left: 12 MB")

    told = _report(world.api, deployment)

    assert (told["id"], told["name"], told["artifact_name"], told["status"]) == (
        *(deployment, "winter", "two"),
        "inprogress",
    )
    assert (told["targets"], told["devices"], told["devices_read"], told["complete"]) == (4, 3, 3, True)
    assert told["statistics"] == world.api.get(f"{DEPLOYMENTS}/{deployment}/statistics").json()
    assert told["finished_after"] == {"p50": 3600}
    points = told["progress"]
    numbers = [[each[name] for name in ("begun", "succeeded", "failed", "other")] for each in points]
    assert numbers[0] == [0, 0, 0, 0]
    assert [3, 0, 0, 0] in numbers
    assert [3, 1, 0, 0] in numbers
    assert numbers[-1] == [3, 1, 1, 0]
    times = [datetime.fromisoformat(each["time"]) for each in points]
    assert {time < began for time, each in zip(times, points, strict=True) if not each["begun"]} == {True}
    assert {time >= began for time, each in zip(times, points, strict=True) if each["begun"]} == {True}
    assert {after - before for before, after in pairwise(times)} == {timedelta(seconds=told["step_seconds"])}
    part = {"begun": 3, "succeeded": 1, "failed": 1, "other": 0, "finished_after": {"p50": 3600}}
    artifact = world.rows(deployment)[fleet[0].id]["image"]["id"]
    assert told["artifacts"] == [{"key": artifact} | part]
    assert told["device_types"] == [{"key": "qemux86-64"} | part]
    assert told["phases"] == []
    assert (told["failures_read"], told["failures"][0]["reason"]) == (1, "no space left: … MB")
    _end(fleet[2], deployment)
    _end(fleet[3], deployment)
    done = _report(world.api, deployment)
    assert done["finished_after"] == {"p50": 3600, "p90": 3600, "p99": 3600}
    assert done["finished"] == world.show(deployment)["finished"]


def test_a_report_tells_each_phase(world: World, fleet: list[Device], moment: Clock) -> None:
    phases = [{"batch_size": 25}, {"start_ts": moment.later(hours=1)}]
    deployment = world.deploy("two", phases=phases)
    _end(fleet[0], deployment)
    moment.move(hours=2)
    _end(fleet[1], deployment, "failure")

    told = _report(world.api, deployment)

    first, second = told["phases"]
    assert (first["key"], first["begun"], first["succeeded"], first["finished_after"]["p99"]) == ("1", 1, 1, 0)
    # Its time is counted from its own start.
    assert (second["key"], second["begun"], second["failed"], second["finished_after"]["p99"]) == ("2", 1, 1, 3600)


def test_the_time_of_a_gated_phase_counts_from_its_first_device(
    world: World, fleet: list[Device], moment: Clock
) -> None:
    deployment = world.deploy("two", phases=[{"batch_size": 25}, {}], rollout={"gate": {}})
    _end(fleet[0], deployment)
    moment.move(hours=2)
    world.api.post(f"{DEPLOYMENTS}/{deployment}/rollout", json={"action": "open_phase", "phase": 2})
    serves(fleet[1].poll(), deployment)
    fleet[1].report(deployment, "downloading")
    moment.move(minutes=5)
    fleet[1].report(deployment, "success")

    first, second = _report(world.api, deployment)["phases"]

    assert (first["key"], first["finished_after"]["p99"]) == ("1", 0)
    assert (second["key"], second["finished_after"]["p99"]) == ("2", 300)


def test_a_device_that_has_not_reported_counts_as_beginning_now(
    world: World, fleet: list[Device], moment: Clock
) -> None:
    deployment = world.deploy("two")
    serves(fleet[0].poll(), deployment)
    moment.move(minutes=10)

    points = _report(world.api, deployment)["progress"]

    assert [each["begun"] for each in points[:-1]] == [0] * (len(points) - 1)
    assert points[-1]["begun"] == 1


def test_an_abort_ends_the_devices_in_the_report(world: World, fleet: list[Device], moment: Clock) -> None:
    deployment = world.deploy("two")
    serves(fleet[0].poll(), deployment)
    moment.move(hours=1)
    world.abort(deployment)
    last = _report(world.api, deployment)["progress"][-1]
    assert (last["begun"], last["other"]) == (1, 1)


def test_a_deployment_that_no_device_has_begun(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two")
    told = _report(world.api, deployment)
    assert (told["devices"], told["complete"], told["progress"], told["finished_after"]) == (0, True, [], {})
    assert world.api.get(f"{DEPLOYMENTS}/6d5f0b4e-0000-4000-8000-000000000001/report").status_code == 404
    assert world.api.get(f"{DEPLOYMENTS}/{deployment}/report", params={"format": "pdf"}).status_code == 400


def test_a_report_of_many_devices_is_made_from_a_sample(
    world: World, fleet: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = world.deploy("two")
    for device in fleet:
        _end(device, deployment)
    monkeypatch.setattr(limits, "REPORT_DEVICES", 3)
    _report(world.api, deployment)  # the first call of a tenant also reads the user

    with counted() as cost:
        told = _report(world.api, deployment)

    assert (told["targets"], told["devices"], told["devices_read"], told["complete"]) == (4, 4, 3, False)
    assert told["statistics"]["success"] == 4
    assert told["progress"][-1]["succeeded"] == 3
    assert set(told["finished_after"]) == {"p50", "p90", "p99"}
    # The deployment, its counters and its first rows.
    assert len(cost.calls) <= 5


def test_a_report_as_a_table(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", name='=HYPERLINK("x"), "quoted"')
    _end(fleet[0], deployment)
    _end(fleet[1], deployment, "failure", substate="@SUM(1)\nnext")
    path = f"{DEPLOYMENTS}/{deployment}/report"
    by_parameter = world.api.get(path, params={"format": "csv"})
    by_header = world.api.get(path, headers={"Accept": "text/csv"})
    assert by_parameter.headers["Content-Type"].startswith("text/csv")
    assert by_parameter.headers["Content-Disposition"] == f'attachment; filename="report-{deployment}.csv"'
    assert by_header.text == by_parameter.text
    head, *lines = csv.reader(io.StringIO(by_parameter.text))
    assert {len(line) for line in lines} == {len(head)}
    found = [dict(zip(head, line, strict=True)) for line in lines]
    assert found[0]["text"] == """'=HYPERLINK("x"), "quoted\""""
    (reason,) = [each for each in found if each["section"] == "reason"]
    assert (reason["failed"], reason["text"][0]) == ("1", "'")
    assert [each["begun"] for each in found if each["section"] == "artifact"] == ["2"]


def _parts(client: httpx2.Client, deployment: str, **params: Any) -> list[str]:
    """The parts of an export, as the links lead to them."""
    found = []
    answer = client.get(f"{DEPLOYMENTS}/{deployment}/devices/export", params=params)
    while True:
        assert answer.status_code == 200, answer.text
        found.append(answer.text)
        if "next" not in answer.links:
            return found
        answer = client.get(answer.links["next"]["url"])


def test_an_export_has_each_device_once_in_parts(world: World, fleet: list[Device]) -> None:
    deployment = world.deploy("two", retries=1)
    for device, status in zip(fleet[:3], ("success", "success", "failure"), strict=True):
        _end(device, deployment, status)
    _end(fleet[2], deployment, "failure", substate="ArtifactInstall")
    _log(fleet[2], deployment, "=cmd(1), failed\nmore")

    whole = _parts(world.api, deployment)
    parts = _parts(world.api, deployment, per_page=1)

    assert (len(whole), len(parts)) == (1, 3)
    assert "".join(parts) == whole[0]
    table = list(csv.DictReader(io.StringIO(whole[0])))
    assert [each["id"] for each in table] == sorted(device.id for device in fleet[:3])
    (failed,) = [each for each in table if each["status"] == "failure"]
    assert (failed["attempts"], failed["error"], failed["substate"], failed["log"]) == (
        *("2", "'=cmd(1), failed"),
        *("ArtifactInstall", "true"),
    )
    as_json = _parts(world.api, deployment, format="jsonl", per_page=2)
    documents = [json.loads(line) for line in "".join(as_json).splitlines()]
    assert [each["id"] for each in documents] == [each["id"] for each in table]
    (failure,) = [each for each in documents if each["reason"] is not None]
    (told,) = _report(world.api, deployment)["failures"]
    assert (failure["reason_id"], failure["error"]) == (told["id"], "=cmd(1), failed")
    assert failure["phase"] is None


def test_an_export_answers_with_what_fits(world: World, fleet: list[Device], monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = world.deploy("two")
    for device in fleet:
        _end(device, deployment)
    whole = "".join(_parts(world.api, deployment))
    fitting = exports.fitting
    monkeypatch.setattr(exports, "fitting", lambda lines, _size: fitting(lines, 400))
    parts = _parts(world.api, deployment)
    assert len(parts) > 1
    assert "".join(parts) == whole


def test_exports_and_reports_are_of_devices_in_the_users_groups(
    world: World, fleet: list[Device], sign_in: SignIn, tenant: Tenant
) -> None:
    inside, outside = fleet[:2]
    groups = "/api/management/v1/inventory/groups/mine/devices"
    assert world.api.patch(groups, json=[inside.id, outside.id]).status_code == 200
    deployment = world.deploy("two", group="mine")
    _end(inside, deployment)
    _end(outside, deployment, "failure", substate="of the other")
    assert world.api.request("DELETE", groups, json=[outside.id]).status_code == 200
    assert world.api.post(ROLES, json=role("mine", scoped("DeployToDevices", "mine"))).status_code == 201
    user = sign_in(tenant, "mine")

    told = _report(user, deployment)
    documents = "".join(_parts(user, deployment, format="jsonl", per_page=1)).splitlines()

    assert (told["devices"], told["failures"], told["progress"][-1]["failed"]) == (1, [], 0)
    assert [json.loads(line)["id"] for line in documents] == [inside.id]
    other = world.deploy("two", [fleet[2].id])
    assert user.get(f"{DEPLOYMENTS}/{other}/report").status_code == 403
    assert user.get(f"{DEPLOYMENTS}/{other}/devices/export").status_code == 403


SINCE = datetime(2026, 3, 1, 10, 7, 9, tzinfo=UTC).timestamp()
seconds = st.floats(0, 10**9).map(lambda after: SINCE + after)
courses = st.builds(
    DeviceCourse,
    begun=seconds,
    ended=st.none() | seconds,
    status=st.sampled_from(Status),
    phase=st.none(),
    artifact=st.none() | st.sampled_from("ab"),
    device_type=st.none() | st.sampled_from("xyz"),
)


@given(st.lists(courses, max_size=40))
def test_the_course_has_few_points_and_ends_with_all_devices(given: list[DeviceCourse]) -> None:
    step, points = reports.progress(given, SINCE)
    assert len(points) <= limits.REPORT_POINTS
    assert bool(points) == bool(given)
    for before, after in pairwise(points):
        assert after.time - before.time == timedelta(seconds=step)
        for name in ("begun", "succeeded", "failed", "other"):
            assert getattr(before, name) <= getattr(after, name)
    if given:
        assert points[0].time.timestamp() <= SINCE
        assert points[0].time.timestamp() % step == 0
        ended = [each for each in given if each.ended is not None and each.status.final]
        last = points[-1]
        assert (last.begun, last.succeeded + last.failed + last.other) == (len(given), len(ended))


@given(st.lists(st.floats(0, 10**6), max_size=60), st.integers(0, 80))
def test_devices_end_in_the_order_of_their_times(after: list[float], waiting: int) -> None:
    ended = sorted(SINCE + each for each in after)
    devices = len(ended) + waiting
    told = reports.finished_after(ended, SINCE, devices)
    for percent, found in ((50, told.p50), (90, told.p90), (99, told.p99)):
        needed = max(1, -(-devices * percent // 100))
        assert (found is None) == (len(ended) < needed)
        if found is not None:
            assert sum(round(each - SINCE) <= found for each in ended) >= needed


texts = st.text(max_size=30)


@given(texts, texts, st.booleans())
def test_any_text_is_one_cell_and_one_line_of_json(error: str, substate: str, log: bool) -> None:
    device = ExportedDevice("id", "failure", None, None, 1, 1, None, None, substate, error, None, None, log, None)
    (cells,) = csv.reader(io.StringIO(exports.device_as_cells(device), newline=""))
    assert len(cells) == len(exports.DEVICES)
    assert cells[exports.DEVICES.index("error")].removeprefix("'") in {error, error.removeprefix("'")}
    assert not cells[exports.DEVICES.index("error")].startswith(("=", "+", "-", "@", "\t", "\r"))
    line = exports.device_as_json(device)
    assert line.count("\n") == 1
    assert json.loads(line)["error"] == error
