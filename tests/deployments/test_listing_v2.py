"""The v2 list of deployments: filters by ids, names, states, and by device."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.tenantadm import service
from tests.deployments.world import DEPLOYMENTS, World, serves

if TYPE_CHECKING:
    from tests.conftest import SignIn
    from tests.support.time import Clock

V2 = "/api/management/v2/deployments/deployments"


def listed(world: World, **query: Any) -> list[str]:
    """Ids of the deployments in the list; the header has their number."""
    answer = world.api.get(V2, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Total-Count"] == str(len(answer.json()))
    return [each["id"] for each in answer.json()]


@pytest.fixture
def made(world: World, moment: Clock) -> dict[str, str]:
    """Deployments by name: one in each state, created an hour apart."""
    world.upload("two")
    first, second = world.device(), world.device()
    deployments: dict[str, str] = {}
    for name, target in (("done", first), ("moving", first), ("still", second), ("planned", second)):
        wanted = [{"start_ts": moment.later(days=9)}] if name == "planned" else None
        deployments[name] = world.deploy("two", [target.id], name=f"{name} rollout", phases=wanted)
        moment.move(hours=1)
    serves(first.poll(), deployments["done"])
    first.report(deployments["done"], "success")
    serves(first.poll(), deployments["moving"])
    first.report(deployments["moving"], "installing")
    return deployments


def test_states(world: World, made: dict[str, str]) -> None:
    names = {"finished": "done", "inprogress": "moving", "pending": "still", "scheduled": "planned"}
    for status, name in names.items():
        assert listed(world, status=status) == [made[name]]
    assert listed(world, status=["inprogress", "pending"]) == [made["still"], made["moving"]]
    assert listed(world, status=["finished", "scheduled"], sort="asc") == [made["done"], made["planned"]]
    assert listed(world) == list(reversed(made.values()))
    assert listed(world, sort="asc", type="software") == list(made.values())
    assert listed(world, type="configuration") == []


def test_ids_and_names(world: World, made: dict[str, str]) -> None:
    assert listed(world, id=[made["done"], made["still"], str(uuid.uuid4())]) == [made["still"], made["done"]]
    assert listed(world, id=[made["done"], made["still"]], sort="asc", status="pending") == [made["still"]]
    assert listed(world, id=made["done"], status="finished") == [made["done"]]
    assert listed(world, id=made["still"], status="finished") == []
    assert listed(world, name="done") == [made["done"]]
    assert listed(world, name=["done", "STILL"]) == [made["still"], made["done"]]
    assert listed(world, id=made["done"], name="still") == []
    assert listed(world, name="nothing") == []


def test_times(world: World, made: dict[str, str], moment: Clock) -> None:
    begun = int(moment.time.timestamp()) - 4 * 3600
    assert listed(world, created_before=begun) == [made["done"]]
    assert listed(world, created_after=begun + 1, created_before=begun + 7200) == [made["still"], made["moving"]]


def test_pages(world: World, made: dict[str, str]) -> None:
    answer = world.api.get(V2, params={"page": 2, "per_page": 3, "name": "rollout"})
    assert [each["id"] for each in answer.json()] == [made["done"]]
    assert answer.headers["X-Total-Count"] == "4"
    assert 'rel="prev"' in answer.headers["Link"]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "gone"},
        {"type": "firmware"},
        {"sort": "up"},
        {"id": "x"},
        {"created_after": "today"},
        {"page": 0},
        {"per_page": 501},
        {"id_attribute": "mac", "id_scope": "system", "name": "x"},
    ],
)
def test_invalid_queries_are_refused(world: World, query: dict[str, Any]) -> None:
    assert world.api.get(V2, params=query).status_code == 400


def test_deployments_are_found_by_id_or_identity_of_a_device(world: World, made: dict[str, str]) -> None:
    first, second = world.devices
    mac, of_first = first.identity["mac"], [made["moving"], made["done"]]

    assert listed(world, name=mac, id_attribute="mac") == of_first
    assert listed(world, name=mac, id_attribute="mac", id_scope="identity") == of_first
    assert listed(world, name=mac, id_attribute="mac", status="finished") == [made["done"]]
    assert listed(world, name=first.id, id_attribute="id") == of_first
    # Deployments for which the device has not polled yet are included.
    assert listed(world, name=second.identity["mac"], id_attribute="mac") == [made["planned"], made["still"]]

    assert listed(world, name=mac) == []
    assert listed(world, name=mac, id_attribute="serial") == []
    assert listed(world, name=mac, id_attribute="mac", id_scope="inventory") == []
    assert listed(world, name=str(uuid.uuid4()), id_attribute="id") == []
    # Names of deployments take precedence.
    assert listed(world, name="done", id_attribute="mac") == [made["done"]]


def test_deployments_are_found_by_the_name_of_a_device(world: World, made: dict[str, str]) -> None:
    first, second = world.devices
    place = f"/api/management/v1/inventory/devices/{first.id}/tags"
    assert world.api.put(place, json=[{"name": "name", "value": "front-door"}]).status_code == 200
    assert second.inventory({"name": "back-door"}).status_code == 200

    assert listed(world, name="front-door", id_attribute="name") == [made["moving"], made["done"]]
    assert listed(world, name="back-door", id_attribute="name") == [made["planned"], made["still"]]
    assert listed(world, name="front-door", id_attribute="name", id_scope="tags") == [made["moving"], made["done"]]
    assert listed(world, name="front-door", id_attribute="name", id_scope="inventory") == []


def test_another_tenant_finds_nothing(world: World, made: dict[str, str], sign_in: SignIn, moment: Clock) -> None:
    moment.move(hours=-4)  # tokens are checked with the real time
    other = service.create_tenant("Other")
    stranger = World(sign_in(other), world.http, other.tenant_token)
    (first, _) = world.devices
    assert listed(stranger) == listed(stranger, id=list(made.values())) == []
    assert listed(stranger, name=first.identity["mac"], id_attribute="mac") == []
    assert listed(stranger, name=first.id, id_attribute="id") == []


def test_an_unchanged_list_gets_304(world: World) -> None:
    world.upload("one")
    device = world.device()
    made = world.deploy("one", [device.id])
    places = [V2, f"{DEPLOYMENTS}/{made}", f"{DEPLOYMENTS}/{made}/devices/list"]
    tags = {place: {"If-None-Match": world.api.get(place).headers["ETag"]} for place in places}
    for place, tag in tags.items():
        again = world.api.get(place, headers=tag)
        assert (again.status_code, again.content) == (304, b"")
    serves(device.poll(), made)
    for place, tag in tags.items():
        assert world.api.get(place, headers=tag).status_code == 200
