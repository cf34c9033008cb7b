"""Users tag devices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import limits
from tests.inventory.views import DEVICES, path, values


def tags(**given: object) -> list[dict[str, object]]:
    return [{"name": name, "value": value} for name, value in given.items()]


def test_put_replaces_and_patch_merges(api, device):
    url = path(device.id, "/tags")
    answer = api.put(url, json=tags(place="north", floor=2))
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.patch(url, json=tags(floor=3, room="a")).status_code == 200
    assert values(api, device.id, "tags") == {"place": "north", "floor": 3, "room": "a"}
    assert api.put(url, json=tags(room="b")).status_code == 200
    assert values(api, device.id, "tags") == {"room": "b"}
    assert values(api, device.id, "inventory") == {}


def test_the_server_sets_the_time(api, device):
    sent = [{"name": "a", "value": "1", "timestamp": "2000-01-01T00:00:00Z", "scope": "system", "description": "d"}]
    api.put(path(device.id, "/tags"), json=sent)
    (shown,) = [item for item in api.get(path(device.id)).json()["attributes"] if item["scope"] == "tags"]
    assert shown["timestamp"].startswith("20")
    assert shown["timestamp"] != sent[0]["timestamp"]
    assert shown == {
        "name": "a",
        "value": "1",
        "scope": "tags",
        "description": "d",
        "timestamp": shown["timestamp"],
    }


def test_versions(api, device):
    url = path(device.id, "/tags")
    assert "etag" not in api.get(path(device.id)).headers
    assert api.put(url, json=tags(a="1"), headers={"If-Match": "any"}).status_code == 412
    api.put(url, json=tags(a="1"))
    first = api.get(path(device.id)).headers["etag"]
    assert '"' not in first
    assert api.put(url, json=tags(a="1"), headers={"If-Match": first}).status_code == 200
    second = api.get(path(device.id)).headers["etag"]
    assert second != first
    answer = api.patch(url, json=tags(a="2"), headers={"If-Match": first})
    assert (answer.status_code, answer.json()["error"]) == (412, "ETag does not match")
    assert values(api, device.id, "tags") == {"a": "1"}
    # A report of the device does not change the version.
    device.inventory({"x": "y"})
    assert api.patch(url, json=tags(a="2"), headers={"If-Match": f'"{second}"'}).status_code == 200


def test_tags_of_an_unknown_device_are_accepted_and_dropped(api):
    assert api.put(path("nobody", "/tags"), json=tags(a="1")).status_code == 200
    assert api.get(path("nobody")).status_code == 404
    assert api.get(DEVICES).json() == []


@pytest.mark.parametrize(
    "document",
    [{}, [{"name": "a"}], [{"name": "a", "value": True}], [{"name": "", "value": "a"}], [{"value": "a"}]],
)
def test_invalid_documents_are_refused(api, device, document):
    assert api.put(path(device.id, "/tags"), json=document).status_code == 400


def test_the_number_of_tags_is_limited_to_twenty(api, device):
    url = path(device.id, "/tags")
    assert api.put(url, json=tags(**{f"t{n}": n for n in range(limits.TAGS)})).status_code == 200
    answer = api.patch(url, json=tags(more=1))
    assert answer.status_code == 400
    assert answer.json()["error"] == "the number of attributes in the scope is above the limit"


def test_if_match_accepts_every_form_of_rfc_9110(api, device):
    url = path(device.id, "/tags")
    assert api.put(url, json=tags(a="0")).status_code == 200
    forms = ["{}", '"{}"', 'W/"{}"', '"other", "{}"', '"other",W/"{}" , "third"', "other, {}", "*", '"a,b", {}']
    for number, form in enumerate(forms):
        current = api.get(path(device.id)).headers["etag"]
        answer = api.put(url, json=tags(a=str(number)), headers={"If-Match": form.format(current)})
        assert answer.status_code == 200, form
    for form in ('"other"', '"other", W/"third"', "other", '"{}x"', '"{}', '"*"', '""', 'W/"", "*"'):
        current = api.get(path(device.id)).headers["etag"]
        answer = api.put(url, json=tags(a="x"), headers={"If-Match": form.format(current)})
        assert answer.status_code == 412, form
    many = ", ".join(f'"{each}"' for each in range(51))
    assert api.put(url, json=tags(a="x"), headers={"If-Match": many}).status_code == 400


def test_twelve_concurrent_writers_of_one_device_all_succeed(api, device):
    def write(number: int) -> int:
        return api.patch(path(device.id, "/tags"), json=tags(**{f"t{number % limits.TAGS}": number})).status_code

    with ThreadPoolExecutor(12) as threads:
        assert set(threads.map(write, range(limits.TAGS))) == {200}
    assert len(values(api, device.id, "tags")) == limits.TAGS
