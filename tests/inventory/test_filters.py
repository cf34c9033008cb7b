"""Saved filters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib import limits
from chalicelib.errors import Conflict, NotFound, Unprocessable
from chalicelib.fleet import control
from chalicelib.inventory import service
from chalicelib.inventory.service import FilterDefinition, Term
from chalicelib.tenantadm import service as tenants
from tests.devauth.fleet import accept
from tests.inventory.views import FILTERS, ids, path
from tests.simulator.device import Device
from tests.support.probe import counted

TERM = {"scope": "inventory", "attribute": "site", "type": "$eq", "value": "north"}


def create(api, name: str = "north", *terms: dict[str, Any]) -> str:
    answer = api.post(FILTERS, json={"name": name, "terms": list(terms or (TERM,))})
    assert (answer.status_code, answer.content) == (201, b""), answer.text
    place, _, made = answer.headers["location"].rpartition("/")
    assert place == "filters"
    return str(made)


def test_creating_changing_and_deleting_a_filter(api):
    made = create(api)
    shown = {"id": made, "name": "north", "terms": [TERM]}
    assert api.get(f"{FILTERS}/{made}").json() == shown
    listed = api.get(FILTERS)
    assert (listed.json(), listed.headers["x-total-count"]) == ([shown], "1")
    other = {**TERM, "type": "$in", "value": ["north", 7]}
    answer = api.put(f"{FILTERS}/{made}", json={"name": "n", "terms": [other]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(f"{FILTERS}/{made}").json() == {"id": made, "name": "n", "terms": [other]}
    # The old name can be used again, the new one cannot.
    second = create(api)
    assert api.post(FILTERS, json={"name": "n", "terms": [TERM]}).status_code == 409
    assert api.put(f"{FILTERS}/{second}", json={"name": "n", "terms": [TERM]}).status_code == 409
    assert api.put(f"{FILTERS}/{second}", json={"name": "north", "terms": []}).status_code == 204
    for _ in range(2):
        assert api.delete(f"{FILTERS}/{made}").status_code == 204
    assert api.get(f"{FILTERS}/{made}").status_code == 404
    create(api, "n")


def test_unknown_filters_get_404(api):
    nobody = f"{FILTERS}/nobody"
    for answer in (
        api.get(nobody),
        api.get(f"{nobody}/search"),
        api.put(nobody, json={"name": "a", "terms": [TERM]}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (404, "filter not found")
    assert api.delete(nobody).status_code == 204


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"name": "", "terms": [TERM]},
        {"name": " ", "terms": [TERM]},
        {"name": "x" * (limits.FILTER_NAME + 1), "terms": [TERM]},
        {"name": 1, "terms": [TERM]},
        {"name": "a", "terms": [TERM] * (limits.FILTER_TERMS + 1)},
        {"name": "a", "terms": [{**TERM, "value": "x" * limits.FILTER_SIZE}]},
        {"name": "a", "terms": {}},
        {"name": "a", "terms": [{**TERM, "value": None}]},
        {"name": "a", "terms": [{**TERM, "type": "$type"}]},
        {"name": "a", "terms": [{**TERM, "type": ""}]},
        {"name": "a", "terms": [{**TERM, "scope": "strange"}]},
        {"name": "a", "terms": [{**TERM, "attribute": ""}]},
        {"name": "a", "terms": [{**TERM, "type": "$in"}]},
        {"name": "a", "terms": [{**TERM, "type": "$regex", "value": "(?=a)"}]},
    ],
)
def test_invalid_filters_are_refused(api, document):
    made = create(api)
    assert api.post(FILTERS, json=document).status_code == 400
    assert api.put(f"{FILTERS}/{made}", json=document).status_code == 400
    assert [each["name"] for each in api.get(FILTERS).json()] == ["north"]


def test_pages_of_filters_are_sorted_by_name(api):
    for name in ("b", "c", "a"):
        create(api, name)
    pages = [api.get(FILTERS, params={"per_page": 2, "page": page}) for page in (1, 2, 3)]
    assert [[each["name"] for each in page.json()] for page in pages] == [["a", "b"], ["c"], []]
    assert {page.headers["x-total-count"] for page in pages} == {"3"}
    assert 'page=2&per_page=2>; rel="next"' in pages[0].headers["link"]
    assert api.get(FILTERS, params={"per_page": 501}).status_code == 400


def test_the_devices_that_match_a_filter(api, http, tenant):
    made = create(api)
    devices = [Device(http, tenant.tenant_token) for _ in range(3)]
    for device in devices:
        accept(api, device)
    url = f"{FILTERS}/{made}/search"
    assert ids(api.get(url)) == []
    for device in devices:
        device.inventory({"site": "north"})
    assert ids(api.get(url)) == sorted(device.id for device in devices)
    page = api.get(url, params={"per_page": 2})
    assert page.headers["x-total-count"] == "3"
    assert 'page=2&per_page=2>; rel="next"' in page.headers["link"]
    devices[0].inventory({"site": "south"})
    assert devices[0].id not in ids(api.get(url))
    assert api.get(url, params={"page": 0}).status_code == 400


def test_matching_one_device_costs_one_read(api, tenant, device):
    device.inventory({"site": "north"})
    api.put(path(device.id, "/group"), json={"group": "g"})
    north, grouped = Term("inventory", "site", "$eq", "north"), Term("system", "group", "$eq", "g")
    with counted() as cost:
        assert service.matches(tenant.id, device.id, [north, grouped])
    assert cost.by_operation == {"GetItem": 1}
    assert not service.matches(tenant.id, device.id, [north, Term("system", "group", "$ne", "g")])
    assert service.matches(tenant.id, device.id, [])
    assert not service.matches(tenant.id, "nobody", [])


@pytest.mark.parametrize("plan", ["os", "professional"])
def test_a_plan_without_filters_refuses_every_verb(api, tenant, plan, monkeypatch):
    made = create(api)
    lesser = replace(control.get(tenant.id, fresh=True), plan=plan)
    monkeypatch.setattr(control, "get", lambda tenant, fresh=False: lesser)
    document = {"name": "a", "terms": [TERM]}
    for method, url, body in (
        ("GET", FILTERS, None),
        ("POST", FILTERS, document),
        ("GET", f"{FILTERS}/{made}", None),
        ("PUT", f"{FILTERS}/{made}", document),
        ("DELETE", f"{FILTERS}/{made}", None),
        ("GET", f"{FILTERS}/{made}/search", None),
    ):
        assert api.request(method, url, json=body).status_code == 403, (method, url)


def test_filters_of_other_tenants_get_404(api, sign_in):
    made = create(api)
    stranger = sign_in(tenants.create_tenant("Other"))
    assert stranger.get(FILTERS).json() == []
    assert stranger.get(f"{FILTERS}/{made}").status_code == 404
    assert stranger.put(f"{FILTERS}/{made}", json={"name": "x", "terms": [TERM]}).status_code == 404
    assert stranger.delete(f"{FILTERS}/{made}").status_code == 204
    create(stranger)
    assert api.get(f"{FILTERS}/{made}").json()["name"] == "north"


def test_the_number_of_filters_is_limited(tenant, monkeypatch):
    monkeypatch.setattr(limits, "FILTERS", 2)
    made = [service.create_filter(tenant.id, FilterDefinition(name)) for name in ("a", "b")]
    with pytest.raises(Unprocessable):
        service.create_filter(tenant.id, FilterDefinition("c"))
    service.delete_filter(tenant.id, made[0])
    service.delete_filter(tenant.id, made[0])
    service.create_filter(tenant.id, FilterDefinition("c"))
    with pytest.raises(Unprocessable):
        service.create_filter(tenant.id, FilterDefinition("d"))


def test_one_of_concurrent_filters_with_equal_names_is_created(tenant):
    def attempt(_: int) -> bool:
        try:
            service.create_filter(tenant.id, FilterDefinition("same"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert service.list_filters(tenant.id, 0, 9)[1] == 1


def test_concurrent_changes_and_a_deletion_leave_no_name_in_use(tenant):
    made = service.create_filter(tenant.id, FilterDefinition("start"))

    def change(number: int) -> None:
        try:
            if number == 5:
                service.delete_filter(tenant.id, made)
            else:
                service.change_filter(tenant.id, made, FilterDefinition(f"name-{number}"))
        except NotFound:
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(8)))
    assert service.list_filters(tenant.id, 0, 9) == ([], 0)
    for name in ("start", *(f"name-{number}" for number in range(8))):
        service.create_filter(tenant.id, FilterDefinition(name))
