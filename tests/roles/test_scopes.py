"""Roles limited to device groups or release tags, on routes that name a device, release, artifact or deployment."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.roles import shapes, tables
from chalicelib.storage.transactions import Transaction
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.simulator.device import Device

NOTHING = str(uuid.uuid4())
INVENTORY = "/api/management/v1/inventory/devices"
ARTIFACTS = "/api/management/v1/deployments/artifacts"
RELEASES = "/api/management/v2/deployments/deployments/releases"


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    return World(api, http, tenant.tenant_token)


def grouped(world: World, group: str) -> Device:
    """A new device in a group."""
    device = world.device()
    assert world.api.put(f"{INVENTORY}/{device.id}/group", json={"group": group}).status_code == 204
    return device


def user_of(world: World, sign_in: SignIn, tenant: Tenant, *sets: dict[str, Any]) -> httpx2.Client:
    """A user with a role of these permission sets."""
    name = uuid.uuid4().hex
    assert world.api.post(ROLES, json=role(name, *sets)).status_code == 201
    return sign_in(tenant, name)


def test_devices(world: World, sign_in: SignIn, tenant: Tenant):
    inside, outside = grouped(world, "in"), grouped(world, "out")
    user = user_of(world, sign_in, tenant, scoped("ManageDevices", "in", "also"))

    for place in (INVENTORY, DEVAUTH):
        assert user.get(f"{place}/{inside.id}").status_code == 200
        refused = [user.get(f"{place}/{device}") for device in (outside.id, NOTHING)]
        assert [answer.status_code for answer in refused] == [403, 403]
        [text] = {answer.json()["error"] for answer in refused}
        assert text.startswith("forbidden: your roles")
    assert user.put(f"{INVENTORY}/{outside.id}/tags", json=[]).status_code == 403
    assert user.delete(f"{DEVAUTH}/{outside.id}").status_code == 403


def test_moving_a_device_takes_effect_at_the_next_call(world: World, sign_in: SignIn, tenant: Tenant):
    device = grouped(world, "in")
    user = user_of(world, sign_in, tenant, scoped("ReadDevices", "in"))
    assert user.get(f"{INVENTORY}/{device.id}").status_code == 200

    world.api.put(f"{INVENTORY}/{device.id}/group", json={"group": "out"})
    assert user.get(f"{INVENTORY}/{device.id}").status_code == 403


def test_releases_and_their_artifacts(world: World, sign_in: SignIn, tenant: Tenant):
    inside, outside = world.upload("inside"), world.upload("outside")
    world.api.put(f"{RELEASES}/inside/tags", json=["Team-A", "x"])
    world.api.put(f"{RELEASES}/outside/tags", json=["x"])
    user = user_of(world, sign_in, tenant, scoped("ReadReleases", "TEAM-a", kind="ReleaseTags"))

    assert user.get(f"{RELEASES}/inside").status_code == 200
    assert user.get(f"{ARTIFACTS}/{inside}").status_code == 200
    for place in (f"{RELEASES}/outside", f"{RELEASES}/none", f"{ARTIFACTS}/{outside}", f"{ARTIFACTS}/{NOTHING}"):
        assert user.get(place).status_code == 403, place
    assert user.get(f"{ARTIFACTS}/{outside}/download").status_code == 403


def test_tags_outside_of_the_scope_cannot_be_set(world: World, sign_in: SignIn, tenant: Tenant):
    """Tags decide who may deploy a release: a user who manages candidates must not make production releases."""
    world.upload("release")
    place = f"{RELEASES}/release/tags"
    world.api.put(place, json=["candidate", "kept"])
    user = user_of(world, sign_in, tenant, scoped("ManageReleases", "candidate", "blessed", kind="ReleaseTags"))

    for tags in (["candidate", "kept", "production"], ["candidate"]):
        assert user.put(place, json=tags).status_code == 403, tags
    assert user.put(place, json=["candidate", "kept", "Blessed"]).status_code == 204
    assert user.put(place, json=["kept"]).status_code == 204, "out of one's own tags"
    assert user.put(place, json=["candidate", "kept"]).status_code == 403, "and no longer in reach"


def test_changing_saved_filters_requires_access_to_all_devices(world: World, sign_in: SignIn, tenant: Tenant):
    """They may be used to deploy to devices of other groups."""
    filters = "/api/management/v2/inventory/filters"
    body = {"name": "north", "terms": [{"scope": "inventory", "attribute": "site", "type": "$eq", "value": "north"}]}
    made = f"{filters}/{world.api.post(filters, json=body).headers['location'].rpartition('/')[2]}"
    user = user_of(world, sign_in, tenant, scoped("ManageDevices", "in"))

    listed = user.get(filters)
    assert (listed.status_code, listed.json(), listed.headers["X-Total-Count"]) == (200, [], "0")
    assert user.get(made).status_code == 403
    assert user.get(f"{made}/search").status_code == 403
    assert user.post(filters, json=body | {"name": "mine"}).status_code == 403
    assert user.put(made, json=body | {"terms": []}).status_code == 403
    assert user.delete(made).status_code == 403
    assert world.api.get(made).json()["terms"] == body["terms"]
    everywhere = user_of(world, sign_in, tenant, scoped("ReadDevices"))
    assert [each["name"] for each in everywhere.get(filters).json()] == ["north"]
    assert everywhere.get(f"{made}/search").json() == []


@pytest.mark.parametrize("how", ["one", "many"])
def test_a_device_may_be_moved_out_of_the_users_groups(world: World, sign_in: SignIn, tenant: Tenant, how: str):
    inside, outside = grouped(world, "test"), grouped(world, "production")
    user = user_of(world, sign_in, tenant, scoped("ManageDevices", "test"))
    groups = "/api/management/v1/inventory/groups"

    if how == "one":
        moved = user.put(f"{INVENTORY}/{inside.id}/group", json={"group": "production"})
        taken = user.put(f"{INVENTORY}/{outside.id}/group", json={"group": "test"})
        assert (moved.status_code, taken.status_code) == (204, 403)
    else:
        moved = user.patch(f"{groups}/production/devices", json=[inside.id])
        taken = user.patch(f"{groups}/test/devices", json=[outside.id])
        assert [each.json().get("matched_count", 0) for each in (moved, taken)] == [1, 0]
    members = world.api.get(f"{groups}/production/devices").json()
    assert sorted(members) == sorted([inside.id, outside.id])
    assert user.get(f"{INVENTORY}/{inside.id}").status_code == 403, "and is out of reach from then on"


def test_only_releases_in_the_scope_are_deleted(world: World, sign_in: SignIn, tenant: Tenant):
    for name, tag in (("foo", "mine"), ("bar", "theirs")):
        world.upload(name)
        assert world.api.put(f"{RELEASES}/{name}/tags", json=[tag]).status_code == 204
    user = user_of(world, sign_in, tenant, scoped("ManageReleases", "mine", kind="ReleaseTags"))

    answer = user.delete(RELEASES, params={"name": ["foo", "bar", "none"]})

    assert answer.status_code == 204, answer.text
    assert [each["name"] for each in world.api.get(RELEASES).json()] == ["bar"]


def test_the_total_number_of_devices_requires_access_to_all(world: World, sign_in: SignIn, tenant: Tenant):
    user = user_of(world, sign_in, tenant, scoped("ReadDevices", "in"))
    place = f"{DEVAUTH.rpartition('/')[0]}/license"

    assert world.api.get(place).status_code == 200
    assert user.get(place).status_code == 403


def test_deployments(world: World, sign_in: SignIn, tenant: Tenant):
    inside, outside = grouped(world, "in"), grouped(world, "out")
    world.upload("any")
    user = user_of(world, sign_in, tenant, scoped("DeployToDevices", "in"))
    seen = [world.deploy("any", [inside.id]), world.deploy("any", group="in")]
    unseen = [
        world.deploy("any", [outside.id]),
        world.deploy("any", [inside.id, outside.id]),
        world.deploy("any"),
        world.deploy("any", group="out"),
    ]

    assert [user.get(f"{DEPLOYMENTS}/{each}").status_code for each in seen] == [200, 200]
    for each in (*unseen, NOTHING):
        assert user.get(f"{DEPLOYMENTS}/{each}").status_code == 403
        assert user.put(f"{DEPLOYMENTS}/{each}/status", json={"status": "aborted"}).status_code == 403
    assert user.put(f"{DEPLOYMENTS}/{seen[0]}/status", json={"status": "aborted"}).status_code == 204


def test_groups_of_one_role_and_tags_of_another_are_not_combined(world: World, sign_in: SignIn, tenant: Tenant):
    devices = {group: grouped(world, group) for group in ("a", "b")}
    for tag in ("x", "y"):
        world.upload(tag)
        world.api.put(f"{RELEASES}/{tag}/tags", json=[tag])
    for name, group, tag in (("A", "a", "x"), ("B", "b", "y")):
        sets = [scoped("DeployToDevices", group), scoped("ReadReleases", tag, kind="ReleaseTags")]
        assert world.api.post(ROLES, json=role(name, *sets)).status_code == 201
    user = sign_in(tenant, "A", "B")

    seen = {
        (group, tag): user.get(f"{DEPLOYMENTS}/{world.deploy(tag, [devices[group].id])}").status_code
        for group in ("a", "b")
        for tag in ("x", "y")
    }

    assert seen == {("a", "x"): 200, ("a", "y"): 403, ("b", "x"): 403, ("b", "y"): 200}


def test_other_processes_use_a_changed_role_after_the_cache_time(
    world: World, sign_in: SignIn, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
):
    known = settings.current()

    def trusts(seconds: float) -> None:
        monkeypatch.setattr(settings, "current", lambda: replace(known, control_cache=seconds))

    world.api.post(ROLES, json=role("R", scoped("ReadDevices")))
    user = sign_in(tenant, "R")
    trusts(3600)
    assert user.get(INVENTORY).status_code == 200
    # This process is not notified of changes by others.
    tx = Transaction()
    tables.replace(tx, tenant.id, tables.ROLE, shapes.Role("R", "", [], []), 1)
    tx.commit()

    assert user.get(INVENTORY).status_code == 200
    trusts(0)
    assert user.get(INVENTORY).status_code == 403


def test_the_cost_of_checking_permissions(world: World, sign_in: SignIn, tenant: Tenant, warm: None):
    device = grouped(world, "in")
    user = user_of(world, sign_in, tenant, scoped("ReadDevices", "in"))
    plain = sign_in(tenant, "RBAC_ROLE_OBSERVER")
    me = "/api/management/v1/useradm/settings/tokens"
    user.get(me)

    with counted() as built_in:
        plain.get(me)
    with counted() as own:
        user.get(me)
    with counted() as confined:
        user.get(f"{INVENTORY}/{device.id}/group")
    with counted() as unconfined:
        plain.get(f"{INVENTORY}/{device.id}/group")

    # The token's row and the user are read in one round trip; roles are cached in a warm process.
    assert built_in.calls == own.calls == ["BatchGetItem", "Query"]
    assert built_in.read_units == own.read_units == 3
    assert len(confined.calls) == len(unconfined.calls) + 1
