"""Routes that take ids of devices: so many and no more, and what they cost does not follow how often one is named."""

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
    # The caller's session with the roles; nothing else.
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


def test_as_many_ids_as_allowed_are_looked_for(api):
    with counted() as cost:
        assert api.post(SEARCH, json={"id": unknown(limits.DEVICE_IDS)}).json() == []
    assert cost.round_trips <= 2 + limits.DEVICE_IDS / 100


def test_statuses_are_looked_at_once_each(api, device):
    device.auth()
    api.get(SEARCH.removesuffix("/search"))
    with counted() as cost:
        assert api.post(SEARCH, json={"status": [f"none-{each}" for each in range(5_000)]}).json() == []
    assert cost.calls == ["BatchGetItem"]
    with counted() as cost:
        found = api.post(SEARCH, json={"status": ["pending", "none"] * 5_000}).json()
    assert [each["status"] for each in found] == ["pending"]
    assert cost.by_operation == {"BatchGetItem": 1, "Query": 1}


def test_a_deployment_lists_so_many_devices(api, warm):
    api.get(DEPLOYMENTS)
    body = {"name": "a", "artifact_name": "b", "devices": unknown(limits.DEPLOYMENT_DEVICES + 1)}
    with counted() as cost:
        answer = api.post(DEPLOYMENTS, json=body)
    refused_without_reading(answer, cost.calls)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_group_takes_so_many_devices_at_once(api, warm, method):
    api.get(DEPLOYMENTS)
    with counted() as cost:
        answer = api.request(method, GROUP, json=unknown(limits.GROUP_DEVICES + 1))
    refused_without_reading(answer, cost.calls)


def test_a_query_holds_so_many_values(api):
    many = [("id", "a")] * (limits.QUERY_VALUES + 1)
    assert api.get(SEARCH.removesuffix("/search"), params=many).status_code == 400
    attributes = [(f"a{each}", "b") for each in range(limits.FILTER_TERMS + 1)]
    assert api.get("/api/management/v1/inventory/devices", params=attributes).status_code == 400
