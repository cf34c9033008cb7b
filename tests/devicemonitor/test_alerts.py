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
from tests.devicemonitor.monitored import PLACE, Monitored, alert
from tests.support.crashes import each_crash
from tests.support.probe import counted


def test_operators_see_the_alerts_of_a_device(monitored: Monitored):
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
    monitored.sent(sent)

    (seen,) = monitored.get("alerts").json()

    assert uuid.UUID(seen.pop("id"))
    assert seen.pop("device_id") == monitored.device.id
    assert seen == sent
    assert monitored.get("alerts/latest").json()[0]["subject"]["details"] == details


def test_the_inventory_counts_critical_subjects(monitored: Monitored):
    assert monitored.counted() is None
    monitored.sent(alert("a", "OK"), alert("b"), alert("c"))
    assert monitored.counted() == (2, True)

    monitored.sent(alert("b", "OK", 1))
    assert monitored.counted() == (1, True)
    monitored.sent(alert("c", "OK", 2))
    assert monitored.counted() == (0, False)
    assert monitored.latest() == []


def test_devices_are_found_by_their_alerts(monitored: Monitored):
    other = monitored.world.device()
    monitored.sent(alert())

    def found(attribute: str, kind: str, value: Any) -> list[str]:
        filters = [{"scope": "monitor", "attribute": attribute, "type": kind, "value": value}]
        answer = monitored.world.api.post("/api/management/v2/inventory/filters/search", json={"filters": filters})
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()]

    assert found("alert_count", "$gt", 0) == [monitored.device.id]
    assert found("alerts", "$eq", True) == [monitored.device.id]
    assert found("alerts", "$exists", False) == [other.id]


def test_order_and_pages(monitored: Monitored):
    for minute in (3, 1, 5, 2, 4):
        monitored.sent(alert(f"s{minute}", minute=minute))

    answer = monitored.get("alerts", per_page=2, page=2)
    assert [each["subject"]["name"] for each in answer.json()] == ["s3", "s2"]
    assert answer.headers["X-Total-Count"] == "5"
    relations = [line.rpartition('rel="')[2].rstrip('"') for line in answer.headers.get_list("link")]
    assert relations == ["first", "prev", "next", "last"]
    assert monitored.alerts(sort_ascending="true", per_page=2) == ["s1 CRITICAL 01", "s2 CRITICAL 02"]
    assert monitored.alerts(sort_ascending="false", per_page=1) == ["s5 CRITICAL 05"]
    assert monitored.alerts(page=9) == []
    assert monitored.latest(per_page=2) == ["s1 CRITICAL 01", "s2 CRITICAL 02"]
    assert monitored.get("alerts/latest", per_page=2).headers["X-Total-Count"] == "5"


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
def test_filtering_by_time(monitored: Monitored, query: dict[str, str], minutes: list[int]):
    monitored.sent(*(alert(f"s{minute}", minute=minute) for minute in (1, 2, 3, 4)))

    answer = monitored.get("alerts", **query)
    assert answer.status_code == 200, answer.text
    assert [int(each["timestamp"][14:16]) for each in answer.json()] == minutes
    assert answer.headers["X-Total-Count"] == str(len(minutes))
    assert [int(each[-2:]) for each in monitored.latest(**query)] == minutes[::-1]


def test_the_latest_of_each_subject(monitored: Monitored):
    monitored.sent(alert("a", minute=1), alert("b", minute=2), alert("a", "OK", 3), alert("c", "OK", 4))

    assert monitored.latest() == ["b CRITICAL 02"]
    assert monitored.latest(level_from="CRITICAL") == ["b CRITICAL 02"]
    assert monitored.latest(level_from="OK") == ["b CRITICAL 02", "a OK 03", "c OK 04"]
    assert len(monitored.alerts()) == 4


def test_a_delayed_alert_does_not_replace_a_newer_one(monitored: Monitored):
    monitored.sent(alert(level="OK", minute=5))
    monitored.sent(alert(minute=3))

    assert monitored.counted() == (0, False)
    assert monitored.latest(level_from="OK") == ["sshd OK 05"]
    assert monitored.alerts() == ["sshd OK 05", "sshd CRITICAL 03"]


def test_a_time_in_the_future_does_not_hide_later_alerts(monitored: Monitored):
    monitored.sent(alert() | {"timestamp": "2999-01-01T00:00:00Z"})
    assert monitored.counted() == (1, True)

    monitored.sent(alert(level="OK") | {"timestamp": clock.rfc3339(clock.now())})
    assert monitored.counted() == (0, False)


def test_a_repeated_report_is_stored_once(monitored: Monitored):
    report = [alert("a"), alert("b", "OK"), alert("a", "OK", 1)]
    for _ in range(3):
        monitored.sent(*report)

    assert len(monitored.alerts()) == 3
    ids = [each["id"] for each in monitored.get("alerts").json()]
    monitored.sent(*report)
    assert [each["id"] for each in monitored.get("alerts").json()] == ids


def test_the_largest_report_is_accepted(monitored: Monitored):
    monitored.sent(*(alert(f"s{number}") for number in range(limits.ALERTS)))

    assert monitored.counted() == (limits.ALERTS, True)
    assert monitored.get("alerts").headers["X-Total-Count"] == str(limits.ALERTS)
    assert len(monitored.alerts(per_page=500)) == limits.ALERTS


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
def test_invalid_alerts_are_refused(monitored: Monitored, bad: dict[str, Any]):
    answer = monitored.send(alert("fine"), alert() | bad)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "request_id"}
    # Valid alerts of the same report are not stored either.
    assert monitored.alerts() == []


@pytest.mark.parametrize("body", [[], {}, None, [1], [alert()] * (limits.ALERTS + 1)], ids=str)
def test_invalid_reports_are_refused(monitored: Monitored, body: Any):
    assert monitored.device.call("POST", "/v1/devicemonitor/alert", body).status_code == 400


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
def test_invalid_queries_are_refused(monitored: Monitored, query: dict[str, Any]):
    for what in ("alerts", "alerts/latest"):
        answer = monitored.get(what, **query)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error", "request_id"}


def test_invalid_values_in_queries_are_refused(monitored: Monitored):
    assert monitored.get("alerts", sort_ascending="perhaps").status_code == 400
    assert monitored.get("alerts/latest", level_from="WARNING").status_code == 400


def test_an_unknown_device_has_no_alerts(monitored: Monitored):
    for what in ("alerts", "alerts/latest", "config"):
        answer = monitored.world.api.get(f"{PLACE}/{uuid.uuid4()}/{what}")
        assert (answer.status_code, answer.json()) == (200, [])


def test_the_history_is_limited_and_keeps_the_latest_of_each_subject(monitored: Monitored, monkeypatch):
    monkeypatch.setattr(limits, "ALERTS_KEPT", 20)
    monitored.sent(alert("quiet", minute=0))
    for start in range(0, 40, 8):
        monitored.sent(*(alert("loud", ("OK", "CRITICAL")[number % 2], number) for number in range(start, start + 8)))

    assert len(monitored.alerts()) == 20
    assert monitored.alerts()[-1] == "quiet CRITICAL 00"
    assert monitored.latest() == ["quiet CRITICAL 00", "loud CRITICAL 39"]
    assert monitored.counted() == (2, True)


def test_the_cost_does_not_grow_with_the_history(monitored: Monitored, warm):
    def cost(report: dict[str, Any]) -> tuple[list[str], float]:
        with counted() as spent:
            monitored.sent(report)
        return spent.calls, spent.write_units

    first = cost(alert("a", minute=0))
    # Reads device head, alert state and inventory, and writes all in one transaction.
    assert first[0] == ["GetItem", "GetItem", "GetItem", "TransactWriteItems"]
    again = cost(alert("a", minute=1))
    assert again[0] == ["GetItem", "GetItem", "TransactWriteItems"]
    for start in range(0, 300, 100):
        monitored.sent(*(alert("a", minute=number % 60) for number in range(start, start + 100)))
    late = cost(alert("a", minute=59, details={"description": "another"}))
    assert late == again
    with counted() as repeated:
        monitored.sent(alert("a", minute=59, details={"description": "another"}))
    assert repeated.calls == ["GetItem", "GetItem"]

    with counted() as page:
        assert len(monitored.alerts()) == 20
    assert page.by_operation == {"Query": 1, "BatchGetItem": 2}  # one of them is the user's session


def test_concurrent_reports_are_all_counted(monitored: Monitored):
    reports = [alert(f"s{number}", minute=number) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(monitored.send, reports))

    assert {answer.status_code for answer in answers} <= {204, 503}
    taken = sum(answer.status_code == 204 for answer in answers)
    assert taken >= 1
    assert monitored.counted() == (taken, True)
    assert len(monitored.alerts()) == len(monitored.latest()) == taken


def test_a_report_can_be_repeated_after_a_crash_at_any_call(monitored: Monitored, tenant):
    number = 0

    def report() -> None:
        # It needs two transactions, and the level of every subject changes.
        level = ("CRITICAL", "OK")[number % 2]
        alerts = [alert(f"s{each}", level, number) for each in range(100)]
        service.report(tenant.id, monitored.device.id, msgspec.convert(alerts, NewAlerts))

    deaths = 0
    for _ in each_crash(report):
        report()
        deaths += 1
        number += 1
        assert monitored.get("alerts").headers["X-Total-Count"] == str(min(100 * number, limits.ALERTS_KEPT))
        assert monitored.counted() == ((100, True) if number % 2 else (0, False))
        assert len(monitored.latest(per_page=500)) == (100 if number % 2 else 0)
    assert deaths >= 10


def test_decommissioning_deletes_all_alerts(server, monitored: Monitored, tenant):
    monitored.sent(*(alert(f"s{number}") for number in range(30)))
    monitored.device.call("POST", "/v1/devicemonitor/config", [{"name": "a", "type": "log", "status": "on"}])
    monitored.world.api.delete(f"/api/management/v2/devauth/devices/{monitored.device.id}")
    assert monitored.send(alert()).status_code == 401
    server.drain()

    assert list(MonitorItem.query(_device(tenant.id, monitored.device.id))) == []
    assert monitored.alerts() == monitored.latest() == []
    left = Monitored(monitored.world, monitored.world.device())
    left.sent(alert())
    assert left.alerts() == ["sshd CRITICAL 00"]


def test_a_report_during_decommissioning(monitored: Monitored, tenant):
    monitored.sent(alert())
    monitored.world.api.delete(f"/api/management/v2/devauth/devices/{monitored.device.id}")
    late = partial(service.report, tenant.id, monitored.device.id)
    for given in ([alert("other")], [alert(minute=1)]):
        with pytest.raises(NotFound):
            late(msgspec.convert(given, NewAlerts))


def test_a_tenant_without_the_add_on_is_refused(monitored: Monitored, tenant):
    tenantadm_service.set_plan(tenant.id, addons=["configure", "troubleshoot"])

    channel = "/api/management/v1/devicemonitor/settings/global/channel/alerts/email/status"
    answers = [
        monitored.send(alert()),
        monitored.device.call("POST", "/v1/devicemonitor/config", [{"name": "a", "type": "log", "status": "on"}]),
        monitored.get("alerts"),
        monitored.get("alerts/latest"),
        monitored.get("config"),
        monitored.world.api.put(channel, json={"enabled": True}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 6
