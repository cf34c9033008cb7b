"""Alerts: stored once, listed by time, counted in the inventory, bounded (``docs/behaviour.md#alerts``)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import pytest

from chalicelib import clock, limits
from chalicelib.devicemonitor import service
from chalicelib.devicemonitor.shapes import NewAlerts
from chalicelib.devicemonitor.tables import MonitorItem, _device
from chalicelib.errors import NotFound
from chalicelib.tenantadm import service as tenantadm_service
from tests.devicemonitor.monitored import PLACE, Watched, alert
from tests.support.crashes import each_crash
from tests.support.probe import counted


def test_what_a_device_sends_is_what_operators_see(watched: Watched):
    lines = [{"line_number": 1, "data": "before"}]
    details = {
        "description": "gone",
        "lines_before": lines,
        "lines_after": lines,
        "line_matching": {"line_number": 2, "data": "fatal"},
        "log_pattern": "fat.*",
        "log_file_path": "/var/log/x",
    }
    sent = alert(details=details)
    watched.sent(sent)

    (seen,) = watched.get("alerts").json()

    assert uuid.UUID(seen.pop("id"))
    assert seen.pop("device_id") == watched.device.id
    assert seen == sent
    assert watched.get("alerts/latest").json()[0]["subject"]["details"] == details


def test_one_that_is_well_and_two_that_are_not(watched: Watched):
    assert watched.counted() is None
    watched.sent(alert("a", "OK"), alert("b"), alert("c"))
    assert watched.counted() == (2, True)

    watched.sent(alert("b", "OK", 1))
    assert watched.counted() == (1, True)
    watched.sent(alert("c", "OK", 2))
    assert watched.counted() == (0, False)
    assert watched.latest() == []


def test_devices_are_found_by_their_alerts(watched: Watched):
    other = watched.world.device()
    watched.sent(alert())

    def found(attribute: str, kind: str, value: Any) -> list[str]:
        filters = [{"scope": "monitor", "attribute": attribute, "type": kind, "value": value}]
        answer = watched.world.api.post("/api/management/v2/inventory/filters/search", json={"filters": filters})
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()]

    assert found("alert_count", "$gt", 0) == [watched.device.id]
    assert found("alerts", "$eq", True) == [watched.device.id]
    assert found("alerts", "$exists", False) == [other.id]


def test_the_order_and_the_pages(watched: Watched):
    for minute in (3, 1, 5, 2, 4):
        watched.sent(alert(f"s{minute}", minute=minute))

    answer = watched.get("alerts", per_page=2, page=2)
    assert [each["subject"]["name"] for each in answer.json()] == ["s3", "s2"]
    assert answer.headers["X-Total-Count"] == "5"
    relations = [line.rpartition('rel="')[2].rstrip('"') for line in answer.headers.get_list("link")]
    assert relations == ["first", "prev", "next", "last"]
    assert watched.alerts(sort_ascending="true", per_page=2) == ["s1 CRITICAL 01", "s2 CRITICAL 02"]
    assert watched.alerts(sort_ascending="false", per_page=1) == ["s5 CRITICAL 05"]
    assert watched.alerts(page=9) == []
    assert watched.latest(per_page=2) == ["s1 CRITICAL 01", "s2 CRITICAL 02"]
    assert watched.get("alerts/latest", per_page=2).headers["X-Total-Count"] == "5"


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ({"issued_after": "2024-03-01T10:02:00Z"}, [4, 3, 2]),
        ({"issued_before": "2024-03-01T10:02:00Z"}, [2, 1]),
        ({"issued_after": "2024-03-01T12:02:00+02:00", "issued_before": "2024-03-01T10:03:59.999Z"}, [3, 2]),
        ({"issued_after": "1709287320"}, [4, 3, 2]),
        ({"issued_before": "0"}, []),
        ({"issued_after": "2024-03-02T00:00:00Z"}, []),
        ({"issued_after": "2024-03-01T11:00:00Z", "issued_before": "2024-03-01T09:00:00Z"}, []),
        ({"issued_before": "9999-12-31T23:59:59Z"}, [4, 3, 2, 1]),
    ],
)
def test_a_window_of_time(watched: Watched, query: dict[str, str], minutes: list[int]):
    watched.sent(*(alert(f"s{minute}", minute=minute) for minute in (1, 2, 3, 4)))

    answer = watched.get("alerts", **query)
    assert answer.status_code == 200, answer.text
    assert [int(each["timestamp"][14:16]) for each in answer.json()] == minutes
    assert answer.headers["X-Total-Count"] == str(len(minutes))
    assert [int(each[-2:]) for each in watched.latest(**query)] == minutes[::-1]


def test_the_latest_of_each_subject(watched: Watched):
    watched.sent(alert("a", minute=1), alert("b", minute=2), alert("a", "OK", 3), alert("c", "OK", 4))

    assert watched.latest() == ["b CRITICAL 02"]
    assert watched.latest(level_from="CRITICAL") == ["b CRITICAL 02"]
    assert watched.latest(level_from="OK") == ["b CRITICAL 02", "a OK 03", "c OK 04"]
    assert len(watched.alerts()) == 4


def test_an_alert_that_was_held_up_does_not_undo_a_newer_one(watched: Watched):
    watched.sent(alert(level="OK", minute=5))
    watched.sent(alert(minute=3))

    assert watched.counted() == (0, False)
    assert watched.latest(level_from="OK") == ["sshd OK 05"]
    assert watched.alerts() == ["sshd OK 05", "sshd CRITICAL 03"]


def test_a_clock_that_ran_ahead_does_not_hide_what_follows(watched: Watched):
    watched.sent(alert() | {"timestamp": "2999-01-01T00:00:00Z"})
    assert watched.counted() == (1, True)

    watched.sent(alert(level="OK") | {"timestamp": clock.rfc3339(clock.now())})
    assert watched.counted() == (0, False)


def test_the_same_report_again_is_taken_once(watched: Watched):
    report = [alert("a"), alert("b", "OK"), alert("a", "OK", 1)]
    for _ in range(3):
        watched.sent(*report)

    assert len(watched.alerts()) == 3
    ids = [each["id"] for each in watched.get("alerts").json()]
    watched.sent(*report)
    assert [each["id"] for each in watched.get("alerts").json()] == ids


def test_the_largest_report(watched: Watched):
    watched.sent(*(alert(f"s{number}") for number in range(limits.ALERTS)))

    assert watched.counted() == (limits.ALERTS, True)
    assert watched.get("alerts").headers["X-Total-Count"] == str(limits.ALERTS)
    assert len(watched.alerts(per_page=500)) == limits.ALERTS


@pytest.mark.parametrize(
    "bad",
    [
        {"level": "WARNING"},
        {"level": None},
        {"timestamp": "yesterday"},
        {"timestamp": "2024-03-01T10:00:00"},
        {"timestamp": 1709287200},
        {"name": ""},
        {"name": "x" * (limits.ALERT_NAME + 1)},
        {"subject": {"name": "a", "type": "b"}},
        {"subject": {"name": "", "type": "b", "status": "c"}},
        {"subject": {"name": "a", "type": "b", "status": "c", "details": {"lines_before": [{"data": "x"}]}}},
        {"subject": {"name": "a", "type": "b", "status": "c", "details": {"description": "x" * limits.ALERT}}},
    ],
)
def test_what_is_no_alert(watched: Watched, bad: dict[str, Any]):
    answer = watched.send(alert("fine"), alert() | bad)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "request_id"}
    # All or nothing.
    assert watched.alerts() == []


@pytest.mark.parametrize("body", [[], {}, None, [1], [alert()] * (limits.ALERTS + 1)], ids=str)
def test_what_is_no_report(watched: Watched, body: Any):
    assert watched.device.call("POST", "/v1/devicemonitor/alert", body).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"issued_after": "yesterday"},
        {"issued_before": "2024-03-01"},
        {"issued_before": "99999999999999999999"},
        {"page": 0},
        {"per_page": 501},
    ],
)
def test_what_no_list_takes(watched: Watched, query: dict[str, Any]):
    for what in ("alerts", "alerts/latest"):
        answer = watched.get(what, **query)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error", "request_id"}


def test_words_that_are_none(watched: Watched):
    assert watched.get("alerts", sort_ascending="perhaps").status_code == 400
    assert watched.get("alerts/latest", level_from="WARNING").status_code == 400


def test_a_device_that_nobody_knows_has_no_alerts(watched: Watched):
    for what in ("alerts", "alerts/latest", "config"):
        answer = watched.world.api.get(f"{PLACE}/{uuid.uuid4()}/{what}")
        assert (answer.status_code, answer.json()) == (200, [])


def test_history_is_bounded_but_for_what_is_still_so(watched: Watched, monkeypatch):
    monkeypatch.setattr(limits, "ALERTS_KEPT", 20)
    watched.sent(alert("quiet", minute=0))
    for start in range(0, 40, 8):
        watched.sent(*(alert("loud", ("OK", "CRITICAL")[number % 2], number) for number in range(start, start + 8)))

    assert len(watched.alerts()) == 20
    assert watched.alerts()[-1] == "quiet CRITICAL 00"
    assert watched.latest() == ["quiet CRITICAL 00", "loud CRITICAL 39"]
    assert watched.counted() == (2, True)


def test_what_it_costs_does_not_grow(watched: Watched, warm):
    def cost(report: dict[str, Any]) -> tuple[list[str], float]:
        with counted() as spent:
            watched.sent(report)
        return spent.calls, spent.write_units

    first = cost(alert("a", minute=0))
    # Head, standing, inventory; then all in one transaction.
    assert first[0] == ["GetItem", "GetItem", "GetItem", "TransactWriteItems"]
    again = cost(alert("a", minute=1))
    assert again[0] == ["GetItem", "GetItem", "TransactWriteItems"]
    for start in range(0, 300, 100):
        watched.sent(*(alert("a", minute=number % 60) for number in range(start, start + 100)))
    late = cost(alert("a", minute=59, details={"description": "another"}))
    assert late == again
    with counted() as repeated:
        watched.sent(alert("a", minute=59, details={"description": "another"}))
    assert repeated.calls == ["GetItem", "GetItem"]

    with counted() as page:
        assert len(watched.alerts()) == 20
    assert page.by_operation == {"Query": 1, "BatchGetItem": 2}  # one of them is the user's session


def test_reports_at_once_are_all_counted(watched: Watched):
    reports = [alert(f"s{number}", minute=number) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(watched.send, reports))

    assert {answer.status_code for answer in answers} <= {204, 503}
    taken = sum(answer.status_code == 204 for answer in answers)
    assert taken >= 1
    assert watched.counted() == (taken, True)
    assert len(watched.alerts()) == len(watched.latest()) == taken


def test_it_dies_at_any_call_and_the_device_sends_again(watched: Watched, tenant):
    number = 0

    def report() -> None:
        # Two transactions, and every subject changes its level.
        level = ("CRITICAL", "OK")[number % 2]
        alerts = [alert(f"s{each}", level, number) for each in range(100)]
        service.report(tenant.id, watched.device.id, msgspec.convert(alerts, NewAlerts))

    deaths = 0
    for _ in each_crash(report):
        report()
        deaths += 1
        number += 1
        assert watched.get("alerts").headers["X-Total-Count"] == str(min(100 * number, limits.ALERTS_KEPT))
        assert watched.counted() == ((100, True) if number % 2 else (0, False))
        assert len(watched.latest(per_page=500)) == (100 if number % 2 else 0)
    assert deaths >= 10


def test_decommissioning_takes_all_of_it_along(server, watched: Watched, tenant):
    watched.sent(*(alert(f"s{number}") for number in range(30)))
    watched.device.call("POST", "/v1/devicemonitor/config", [{"name": "a", "type": "log", "status": "on"}])
    watched.world.api.delete(f"/api/management/v2/devauth/devices/{watched.device.id}")
    assert watched.send(alert()).status_code == 401
    server.drain()

    assert list(MonitorItem.query(_device(tenant.id, watched.device.id))) == []
    assert watched.alerts() == watched.latest() == []
    left = Watched(watched.world, watched.world.device())
    left.sent(alert())
    assert left.alerts() == ["sshd CRITICAL 00"]


def test_a_report_that_races_with_the_end_of_its_device(watched: Watched, tenant):
    watched.sent(alert())
    watched.world.api.delete(f"/api/management/v2/devauth/devices/{watched.device.id}")
    late = partial(service.report, tenant.id, watched.device.id)
    for given in ([alert("other")], [alert(minute=1)]):
        with pytest.raises(NotFound):
            late(msgspec.convert(given, NewAlerts))


def test_a_tenant_without_the_add_on(watched: Watched, tenant):
    tenantadm_service.set_plan(tenant.id, addons=["configure", "troubleshoot"])

    channel = "/api/management/v1/devicemonitor/settings/global/channel/alerts/email/status"
    answers = [
        watched.send(alert()),
        watched.device.call("POST", "/v1/devicemonitor/config", [{"name": "a", "type": "log", "status": "on"}]),
        watched.get("alerts"),
        watched.get("alerts/latest"),
        watched.get("config"),
        watched.world.api.put(channel, json={"enabled": True}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 6
