"""Routes that take device ids: their number is limited, and repeated ids cost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from chalicelib import limits
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

SEARCH = "/api/management/v2/devauth/devices/search"
INVENTORY = "/api/management/v2/inventory/filters/search"
GROUP = "/api/management/v1/inventory/groups/lab/devices"
DEPLOYMENTS = "/api/management/v1/deployments/deployments"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def unknown(number: int) -> list[str]:
    return [str(uuid4()) for _ in range(number)]


def refused_without_reading(answer: httpx2.Response, calls: list[str]) -> None:
    assert answer.status_code == 400
    assert "too many" in answer.json()["error"]
    # Only the caller's session and roles.
    assert calls == ["BatchGetItem"]


@pytest.mark.parametrize("number", [limits.DEVICE_IDS + 1, 26_000])
def test_a_search_for_too_many_ids_is_refused(api, warm, number):
    api.get(DEPLOYMENTS)
    with counted() as cost:
        answer = api.post(SEARCH, json={"id": unknown(number)})
    refused_without_reading(answer, cost.calls)
    with counted() as cost:
        answer = api.post(INVENTORY, json={"device_ids": unknown(number)})
    refused_without_reading(answer, cost.calls)


def test_a_form_with_too_many_ids_is_refused(api):
    answer = api.post(SEARCH, content="&".join(f"id={each}" for each in unknown(limits.DEVICE_IDS + 1)), headers=FORM)
    assert answer.status_code == 400


def test_the_maximum_number_of_ids_is_accepted(api):
    with counted() as cost:
        assert api.post(SEARCH, json={"id": unknown(limits.DEVICE_IDS)}).json() == []
    assert cost.round_trips <= 2 + limits.DEVICE_IDS / 100


def test_repeated_statuses_are_read_once(api, device):
    device.auth()
    api.get(SEARCH.removesuffix("/search"))
    with counted() as cost:
        assert api.post(SEARCH, json={"status": [f"none-{each}" for each in range(5_000)]}).json() == []
    assert cost.calls == ["BatchGetItem"]
    with counted() as cost:
        found = api.post(SEARCH, json={"status": ["pending", "none"] * 5_000}).json()
    assert [each["status"] for each in found] == ["pending"]
    assert cost.by_operation == {"BatchGetItem": 1, "Query": 1}


def test_the_number_of_devices_in_a_deployment_request_is_limited(api, warm):
    api.get(DEPLOYMENTS)
    body = {"name": "a", "artifact_name": "b", "devices": unknown(limits.DEPLOYMENT_DEVICES + 1)}
    with counted() as cost:
        answer = api.post(DEPLOYMENTS, json=body)
    refused_without_reading(answer, cost.calls)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_the_number_of_devices_added_to_a_group_is_limited(api, warm, method):
    api.get(DEPLOYMENTS)
    with counted() as cost:
        answer = api.request(method, GROUP, json=unknown(limits.GROUP_DEVICES + 1))
    refused_without_reading(answer, cost.calls)


def test_the_number_of_values_in_a_query_is_limited(api):
    many = [("id", "a")] * (limits.QUERY_VALUES + 1)
    assert api.get(SEARCH.removesuffix("/search"), params=many).status_code == 400
    attributes = [(f"a{each}", "b") for each in range(limits.FILTER_TERMS + 1)]
    assert api.get("/api/management/v1/inventory/devices", params=attributes).status_code == 400
