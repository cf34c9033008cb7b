"""Finding devices: the v1 list and the v2 search."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.errors import NotFound
from chalicelib.inventory import service
from chalicelib.inventory.rules.matching import Query
from chalicelib.inventory.tables import devices
from chalicelib.storage.transactions import Transaction
from tests.devauth.fleet import accept, decide
from tests.inventory.views import DEVICES, SEARCH, ids, path
from tests.simulator.device import Device
from tests.support.probe import counted

ATTRIBUTES = "/api/management/v2/inventory/filters/attributes"


@pytest.fixture
def fleet(http, api, tenant) -> dict[str, str]:
    """Ids by name of four accepted devices and a pending one, ``e``; ``d`` has no ``n``, ``c`` is in group ``g``."""
    reports: dict[str, dict[str, Any]] = {
        "a": {"name": "a", "n": 1, "tags": ["x", "y"], "v": "10"},
        "b": {"name": "b", "n": 2, "tags": ["y"], "v": 10},
        "c": {"name": "c", "n": 10, "tags": [], "v": "9"},
        "d": {"name": "d", "v": "x-10"},
    }
    found = {}
    for name, report in reports.items():
        device = Device(http, tenant.tenant_token, identity={"sn": f"SN-{name}", "of": tenant.id})
        accept(api, device)
        device.inventory(report)
        found[name] = device.id
    waiting = Device(http, tenant.tenant_token, identity={"sn": "SN-e", "of": tenant.id})
    waiting.auth()
    (found["e"],) = set(ids(api.get(DEVICES))) - set(found.values())
    api.put(path(found["c"], "/group"), json={"group": "g"})
    api.put(path(found["a"], "/tags"), json=[{"name": "place", "value": "Hall 7"}])
    return found


def names(fleet, answer) -> str:
    by_id = {device_id: name for name, device_id in fleet.items()}
    return "".join(by_id[device_id] for device_id in ids(answer))


def test_the_list_is_sorted_by_id_with_an_exact_total(api, fleet):
    everyone = sorted(fleet.values())
    answer = api.get(DEVICES)
    assert ids(answer) == everyone
    assert answer.headers["x-total-count"] == "5"
    page = api.get(DEVICES, params={"page": 2, "per_page": 2})
    assert ids(page) == everyone[2:4]
    assert page.headers["x-total-count"] == "5"
    assert [text.split("; ")[1] for text in page.headers["link"].split(", ")] == [
        'rel="first"',
        'rel="prev"',
        'rel="next"',
        'rel="last"',
    ]
    assert ids(api.get(DEVICES, params={"page": 9})) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("inventory/name=a", "a"),
        ("name=b", "b"),
        ("name=eq:b", "b"),
        ("n=10", "c"),
        ("v=10", "ab"),
        ("tags=y", "ab"),
        ("identity/sn=SN-e", "e"),
        ("identity/status=pending", "e"),
        ("identity/status=accepted&n=2", "b"),
        ("tags/place=Hall+7", "a"),
        ("group=g", "c"),
        ("group=nothing", ""),
        ("group=", ""),
        ("group=g&name=a", ""),
        ("has_group=true", "c"),
        ("has_group=false", "abde"),
        ("name=strange", ""),
    ],
)
def test_filters_of_the_list(api, fleet, query, found):
    answer = api.get(f"{DEVICES}?{query}")
    assert "".join(sorted(names(fleet, answer))) == found
    assert answer.headers["x-total-count"] == str(len(found))


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("n:asc", "abc"),
        ("n:desc", "cba"),
        ("inventory/n", "cba"),
        ("name:asc", "abcd"),
        ("name:asc&sort=name:desc", "abcd"),
    ],
)
def test_sorting_the_list(api, fleet, sort, found):
    shown = names(fleet, api.get(f"{DEVICES}?sort={sort}"))
    assert len(shown) == 5
    # Devices without the attribute come first, or last when descending.
    assert (shown.endswith if sort.endswith(":asc") or "&" in sort else shown.startswith)(found)


@pytest.mark.parametrize("query", ["sort=name:up", "has_group=maybe", "page=0", "per_page=501"])
def test_invalid_list_queries_are_refused(api, query):
    assert api.get(f"{DEVICES}?{query}").status_code == 400


def condition(operator, value, attribute="n", scope="inventory"):
    return {"scope": scope, "attribute": attribute, "type": operator, "value": value}


@pytest.mark.parametrize(
    ("operator", "value", "attribute", "found"),
    [
        ("$eq", 1, "n", "a"),
        ("$eq", "1", "n", ""),
        ("$eq", "y", "tags", "ab"),
        ("$eq", ["x", "y"], "tags", "a"),
        ("$ne", 1, "n", "bcde"),
        ("$ne", "y", "tags", "cde"),
        ("$gt", 1, "n", "bc"),
        ("$gte", 2, "n", "bc"),
        ("$lt", 10, "n", "ab"),
        ("$lte", 1, "n", "a"),
        ("$lt", "9", "v", "a"),
        ("$gt", "b", "name", "cd"),
        ("$ltne", 2, "n", "ade"),
        ("$in", [1, 10, "2"], "n", "ac"),
        ("$nin", [1, 10], "n", "bde"),
        ("$in", ["x"], "tags", "a"),
        ("$exists", True, "n", "abc"),
        ("$exists", False, "n", "de"),
        ("$regex", "[ab]", "name", "ab"),
        ("$regex", "0", "v", ""),
        ("$regex", "x-", "v", "d"),
        ("$regex", "/10$/", "v", "ad"),
        ("$regex", "/[X]-/i", "v", "d"),
        ("$regex", "x", "tags", "a"),
    ],
)
def test_operators(api, fleet, operator, value, attribute, found):
    answer = api.post(SEARCH, json={"filters": [condition(operator, value, attribute)]})
    assert "".join(sorted(names(fleet, answer))) == found
    assert answer.headers["x-total-count"] == str(len(found))
    assert "link" not in answer.headers


def test_conditions_are_combined_with_and_in_all_scopes(api, fleet):
    for filters, found in (
        ([condition("$eq", "accepted", "status", "identity"), condition("$gt", 1)], "bc"),
        ([condition("$eq", fleet["d"], "id", "identity")], "d"),
        ([condition("$eq", "g", "group", "system")], "c"),
        ([condition("$eq", "Hall 7", "place", "tags")], "a"),
        ([condition("$gt", "2020-01-01T00:00:00Z", "created_ts", "system")], "abcde"),
        ([condition("$lt", "2020-01-01T00:00:00Z", "created_ts", "system")], ""),
        ([condition("$gt", "soon", "created_ts", "system")], ""),
        ([condition("$exists", False, "alerts", "monitor")], "abcde"),
    ):
        answer = api.post(SEARCH, json={"filters": filters})
        assert "".join(sorted(names(fleet, answer))) == found


def test_ids_and_text(api, fleet):
    some = [fleet["b"], fleet["d"], "nobody"]
    assert "".join(sorted(names(fleet, api.post(SEARCH, json={"device_ids": some})))) == "bd"
    both = {"device_ids": some, "filters": [condition("$exists", True)]}
    assert names(fleet, api.post(SEARCH, json=both)) == "b"
    assert names(fleet, api.post(SEARCH, json={"text": "hall"})) == "a"
    assert names(fleet, api.post(SEARCH, json={"text": fleet["c"]})) == "c"
    assert names(fleet, api.post(SEARCH, json={"text": "nothing"})) == ""


def test_text_search_matches_parts_and_each_term_narrows_it(api, fleet):
    def found(text: str) -> str:
        return names(fleet, api.post(SEARCH, json={"text": text}))

    for typed in ("h", "ha", "HAL", "all", "hall 7", "7 hal", "hall-7"):
        assert found(typed) == "a", typed
    # Terms of two characters match at the beginning of words only.
    assert found("ll") == ""
    assert found("hall zz") == ""
    assert sorted(found("sn-")) == sorted("abcde")
    assert found("sn-b") == "b"
    # A part of an id, also with other separators.
    part = fleet["c"][4:18]
    assert found(part) == found(part.upper().replace("-", ":")) == "c"
    # Better matches come first: "x" is a word of "a" and "d", "10" of both, and "y" of "a" and "b".
    assert sorted(found("x")) == ["a", "d"]
    assert found("x y") == "a"
    assert found("x-1") == "d"
    assert found("- _") == names(fleet, api.get(DEVICES))


def test_order_pages_and_projection(api, fleet):
    order = [
        {"scope": "identity", "attribute": "status", "order": "desc"},
        {"scope": "inventory", "attribute": "name", "order": "asc"},
    ]
    assert names(fleet, api.post(SEARCH, json={"sort": order})) == "eabcd"
    page = api.post(SEARCH, json={"sort": order, "page": 2, "per_page": 2})
    assert names(fleet, page) == "bc"
    assert page.headers["x-total-count"] == "5"
    only = {"attributes": [{"scope": "inventory", "attribute": "n"}], "device_ids": [fleet["a"]]}
    (shown,) = api.post(SEARCH, json=only).json()
    assert {(item["scope"], item["name"]) for item in shown["attributes"]} == {
        ("inventory", "n"),
        ("system", "updated_ts"),
    }
    empty = {"page": 0, "per_page": 0, "filters": None, "sort": None, "attributes": None, "device_ids": None}
    assert len(ids(api.post(SEARCH, json=empty))) == 5


@pytest.mark.parametrize(
    "body",
    [
        {"filters": [condition("$eq", 1, scope="strange")]},
        {"filters": [condition("$eq", 1, scope="")]},
        {"filters": [condition("$eq", 1, attribute="")]},
        {"filters": [condition("$type", 1)]},
        {"filters": [condition("", 1)]},
        {"filters": [condition("$eq", None)]},
        {"filters": [condition("$in", "a")]},
        {"filters": [condition("$nin", 1)]},
        {"filters": [condition("$exists", "yes")]},
        {"filters": [condition("$regex", 1)]},
        {"filters": [condition("$regex", "(?=a)")]},
        *({"filters": [condition("$regex", text)]} for text in ("(", ")", "a**", "[", "*", "a{2,1}", "[b-a]", "\\")),
        {"filters": [condition("$regex", "(a{100}){100}")]},
        {"filters": {}},
        {"sort": [{"scope": "inventory", "attribute": "n"}]},
        {"sort": [{"scope": "strange", "attribute": "n", "order": "asc"}]},
        {"attributes": [{"scope": "strange", "attribute": "n"}]},
        {"per_page": 501},
        {"page": -1},
        {"filters": [condition("$prefix", "a")]},
        {"filters": [condition("$eq", 1)] * 101},
        {"sort": [{"scope": "inventory", "attribute": "n", "order": "asc"}] * 21},
        {"text": "x" * 256},
        {"text": " ".join("abcdefghijk")},
    ],
    ids=str,
)
def test_invalid_searches_are_refused(api, body):
    assert api.post(SEARCH, json=body).status_code == 400


def test_listing_the_names_of_attributes(api, fleet):
    rows = api.get(ATTRIBUTES).json()
    counts = {(row["scope"], row["name"]): row["count"] for row in rows}
    assert counts["identity", "sn"] == counts["identity", "status"] == counts["system", "created_ts"] == 5
    assert counts["inventory", "n"] == 3
    assert counts["tags", "place"] == counts["system", "group"] == 1
    order = [(-row["count"], row["scope"], row["name"]) for row in rows]
    assert order == sorted(order)


def test_statistics(api, fleet, http, tenant):
    url = "/api/management/v2/inventory/statistics"
    none = {"micro": 0, "system": 0}
    assert api.get(url).json() == {
        "devices_by_status": {"accepted": {"standard": 4, **none}, "pending": {"standard": 1, **none}}
    }


def test_a_change_is_found_immediately(api, http, tenant):
    device = Device(http, tenant.tenant_token)
    accept(api, device)
    query = {"filters": [condition("$eq", "new", "state")]}
    assert ids(api.post(SEARCH, json=query)) == []
    device.inventory({"state": "new"})
    assert ids(api.post(SEARCH, json=query)) == [device.id]
    decide(api, device, "rejected")
    assert ids(api.get(DEVICES, params={"identity/status": "rejected"})) == [device.id]


def test_a_page_of_the_plain_list_costs_two_round_trips(api, fleet, warm):
    api.get(DEVICES, params={"per_page": 3})
    with counted() as cost:
        api.get(DEVICES)
    # The third reads the user's session and permissions.
    assert (cost.round_trips, cost.by_operation["Query"]) == (3, 2)
    assert cost.read_units <= 4


IDENTITIES = "/api/management/v2alpha1/inventory/identities/search"


@pytest.mark.parametrize(
    ("scope", "name", "prefix", "found"),
    [
        ("identity", "sn", "SN-", "abcde"),
        ("identity", "sn", "SN-b", "b"),
        ("identity", "sn", "N-b", ""),
        ("identity", "sn", "", "abcde"),
        ("tags", "place", "Hall", "a"),
        ("tags", "name", "Hall", ""),
    ],
)
def test_identities_are_found_by_prefix(api, fleet, scope, name, prefix, found):
    answer = api.post(IDENTITIES, json={"scope": scope, "name": name, "value_prefix": prefix})
    assert "".join(sorted(names(fleet, answer))) == found
    assert answer.headers["x-total-count"] == str(len(found))


def test_pages_of_identities(api, fleet):
    wanted = {"scope": "identity", "name": "id", "value_prefix": fleet["c"][:8]}
    only = {"attributes": [{"scope": "identity", "attribute": "sn"}]}
    (shown,) = api.post(IDENTITIES, json=wanted | only).json()
    assert shown["id"] == fleet["c"]
    assert {(item["scope"], item["name"]) for item in shown["attributes"]} == {
        ("identity", "sn"),
        ("system", "updated_ts"),
    }
    page = api.post(
        IDENTITIES, json={"scope": "identity", "name": "sn", "value_prefix": "SN", "page": 2, "per_page": 2}
    )
    assert ids(page) == sorted(fleet.values())[2:4]
    assert 'page=3&per_page=2>; rel="next"' in page.headers["link"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scope": "inventory", "name": "sn", "value_prefix": "a"},
        {"scope": "identity", "value_prefix": "a"},
        {"scope": "identity", "name": "sn"},
        {"scope": "identity", "name": "sn", "value_prefix": 1},
        {"scope": "identity", "name": "sn", "value_prefix": "a", "per_page": 501},
        {"scope": "identity", "name": "sn", "value_prefix": "a", "page": -1},
        {"scope": "identity", "name": "sn", "value_prefix": "a", "attributes": [{"scope": "strange"}]},
    ],
    ids=str,
)
def test_invalid_identity_searches_are_refused(api, body):
    assert api.post(IDENTITIES, json=body).status_code == 400


def test_no_device_has_components(api, fleet):
    url = "/api/management/v2alpha1/inventory/devices"
    answer = api.get(f"{url}/{fleet['a']}/components")
    assert (answer.status_code, answer.json()) == (200, {})
    assert api.get(f"{url}/nobody/components").status_code == 404


def test_the_list_sorts_by_several_attributes(api, fleet):
    answer = api.get(DEVICES, params={"sort": "identity/status:desc,n:asc,name:desc"})
    assert names(fleet, answer) == "edabc"


def test_booleans_are_found(api, fleet, tenant):
    device = devices.find(tenant.id, fleet["b"])
    assert device is not None
    tx = Transaction()
    more: dict[str, dict[str, list[Any]]] = {
        "monitor": {"alerts": [True], "alert_count": [2]},
        "system": {"tier": ["micro"]},
    }
    devices.set_attributes(tx, tenant.id, device, device.attributes | more)
    tx.commit()
    for operator, value, found in (("$eq", True, "b"), ("$eq", 1, ""), ("$ne", True, "acde"), ("$in", [True], "b")):
        answer = api.post(SEARCH, json={"filters": [condition(operator, value, "alerts", "monitor")]})
        assert "".join(sorted(names(fleet, answer))) == found


def test_a_user_with_a_scope_finds_devices_of_their_groups_only(api, fleet, tenant):
    mine = frozenset({"g", "none"})
    for query in (Query(), Query(ids=frozenset(fleet.values())), Query(text="sn")):
        found, total = service.search(tenant.id, query, 0, 9, mine)
        assert ([device.id for device in found], total) == ([fleet["c"]], 1)
    assert service.search(tenant.id, Query(), 0, 9, frozenset()) == ([], 0)
    counts = {(row.scope, row.name): row.count for row in service.attribute_counts(tenant.id, mine)}
    assert counts["identity", "sn"] == 1
    assert ("tags", "place") not in counts
    assert service.statistics(tenant.id, mine)["accepted"]["standard"] == 1
    assert service.statistics(tenant.id, mine)["pending"]["standard"] == 0
    api.put(path(fleet["a"], "/group"), json={"group": "other"})
    assert service.names(tenant.id, None, mine) == ["g"]
    with pytest.raises(NotFound):
        service.members(tenant.id, "other", 0, 9, mine)
    everyone = list(fleet.values())
    assert service.put_many(tenant.id, "none", everyone, mine).updated_count == 1
    assert service.take_out(tenant.id, "other", everyone, mine).matched_count == 0
    assert service.dissolve(tenant.id, "other", mine).matched_count == 0
    assert service.dissolve(tenant.id, "none", mine).updated_count == 1
    assert service.members(tenant.id, "other", 0, 9) == ([fleet["a"]], 1)
