"""Lists, totals and statistics for a user with a scope contain exactly the objects in the scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.all_routes.scoped_data import M1, M2, ScopedData
from tests.deployments.world import World
from tests.roles.test_roles import ROLES, role, scoped

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

DEPLOYMENTS = f"{M1}/deployments/deployments"
RELEASES = f"{M2}/deployments/deployments/releases"


@pytest.fixture
def inside(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> ScopedData:
    return ScopedData(World(api, http, tenant.tenant_token))


@pytest.fixture
def outside(inside: ScopedData) -> ScopedData:
    return ScopedData(inside.world)


def with_role(data: ScopedData, sign_in: SignIn, tenant: Tenant, *sets: dict[str, Any]) -> httpx2.Client:
    assert data.world.api.post(ROLES, json=role("R", *sets)).status_code == 201
    return sign_in(tenant, "R")


def ids(answer: httpx2.Response, name: str = "id") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each[name] for each in answer.json()]


class TestGroups:
    """Rights that end at a device group."""

    @pytest.fixture
    def user(self, inside: ScopedData, outside: ScopedData, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
        sets = ("ManageDevices", "DeployToDevices")
        return with_role(inside, sign_in, tenant, *[scoped(name, inside.group) for name in sets])

    def test_devices(self, user: httpx2.Client, inside: ScopedData, outside: ScopedData):
        place = f"{M2}/devauth/devices"
        assert ids(user.get(place)) == [inside.id]
        assert ids(user.get(place, params={"status": "accepted"})) == [inside.id]
        assert ids(user.get(place, params={"status": "pending"})) == []
        assert ids(user.get(place, params={"id": [outside.id, inside.id]})) == [inside.id]
        assert ids(user.post(f"{place}/search", json={"id": [outside.id, inside.id]})) == [inside.id]
        assert ids(user.get(place, params={"page": 2, "per_page": 1})) == []
        assert user.get(f"{place}/count").json() == {"count": 1}
        assert user.get(f"{place}/count", params={"status": "accepted"}).json() == {"count": 1}
        assert user.get(f"{place}/count", params={"status": "rejected"}).json() == {"count": 0}

    def test_auth_sets_of_other_devices(self, user: httpx2.Client, inside: ScopedData, outside: ScopedData):
        place = f"{M2}/devauth/devices/{inside.id}/auth"
        for other in (outside.auth_set, inside.id):
            assert user.delete(f"{place}/{other}").status_code == 403
            assert user.put(f"{place}/{other}/status", json={"status": "rejected"}).status_code == 403
            assert user.delete(f"{M2}/devauth/tokens/{other}").status_code == 403
        assert user.delete(f"{M2}/devauth/tokens/{inside.auth_set}").status_code == 204

    def test_preauthorized_devices_without_a_group_are_not_listed(self, user: httpx2.Client, outside: ScopedData):
        body = {"identity_data": outside.device.identity, "pubkey": outside.device.pubkey}

        answer = user.post(f"{M2}/devauth/devices", json=body)

        assert answer.status_code == 403
        assert outside.id not in answer.text

    def test_deployments(self, user: httpx2.Client, inside: ScopedData, outside: ScopedData):
        every = [*inside.deployments, *outside.deployments]
        answer = user.get(DEPLOYMENTS)
        assert ids(answer) == inside.deployments[::-1]
        assert answer.headers["X-Total-Count"] == "2"
        assert user.get(DEPLOYMENTS, params={"status": "finished"}).headers["X-Total-Count"] == "1"
        assert user.get(DEPLOYMENTS, params={"search": f"one-{outside.suffix}"}).headers["X-Total-Count"] == "0"
        many = user.post(f"{DEPLOYMENTS}/statistics/list", json={"deployment_ids": every})
        assert sorted(ids(many)) == sorted(inside.deployments)
        history = user.get(f"{DEPLOYMENTS}/devices/{inside.id}")
        assert [each["deployment"]["id"] for each in history.json()] == inside.deployments[::-1]
        assert history.headers["X-Total-Count"] == "2"

    def test_a_deployment_for_others_too_is_not_in_the_history(
        self, user: httpx2.Client, inside: ScopedData, outside: ScopedData
    ):
        world = inside.world
        for deployment in inside.deployments:
            inside.device.report(deployment, "success")
        common = world.deploy(inside.release, [inside.id, outside.id], name="common")
        assert inside.device.poll().status_code == 200

        history = user.get(f"{DEPLOYMENTS}/devices/{inside.id}")

        assert common not in history.text
        assert history.headers["X-Total-Count"] == "2"

    def test_devices_of_a_deployment(self, user: httpx2.Client, inside: ScopedData):
        # Made for the group, and one of its devices has left the group since.
        world = inside.world
        mover = world.device()
        place = f"{M1}/inventory/devices/{mover.id}/group"
        world.api.put(place, json={"group": inside.group})
        deployment = world.deploy(inside.release, group=inside.group, name="moving", force_installation=True)
        mover.poll()
        world.api.put(place, json={"group": "elsewhere"})

        page = user.get(f"{DEPLOYMENTS}/{deployment}/devices/list")

        assert ids(page) == []
        assert page.headers["X-Total-Count"] == "0"
        assert ids(user.get(f"{DEPLOYMENTS}/{deployment}/devices")) == [inside.id]
        assert user.get(f"{DEPLOYMENTS}/{deployment}/device_list").json() == [inside.id]
        assert user.get(f"{DEPLOYMENTS}/{deployment}/devices/{mover.id}/log").status_code == 403
        assert mover.id in world.api.get(f"{DEPLOYMENTS}/{deployment}/device_list").json()

    def test_deployments_to_devices_in_the_scope_only(
        self, user: httpx2.Client, inside: ScopedData, outside: ScopedData
    ):
        friend = inside.world.device()
        inside.world.api.put(f"{M1}/inventory/devices/{friend.id}/group", json={"group": inside.group})

        def deploy(*, group: str = "", **more: Any) -> int:
            body = {"name": f"new-{inside.suffix}", "artifact_name": inside.release, **more}
            return user.post(DEPLOYMENTS + (f"/group/{group}" if group else ""), json=body).status_code

        assert deploy(devices=[friend.id]) == 201
        assert deploy(group=inside.group) == 201
        assert deploy(devices=[inside.id, friend.id]) == 403
        assert deploy(devices=[outside.id]) == 403
        assert deploy(devices=["no-device"]) == 403
        assert deploy(all_devices=True) == 403
        assert deploy(group=outside.group) == 403
        assert deploy(group="no-group") == 403


class TestTags:
    """Rights that end at a release tag."""

    @pytest.fixture
    def user(self, inside: ScopedData, outside: ScopedData, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
        releases = scoped("ManageReleases", inside.tag, kind="ReleaseTags")
        return with_role(inside, sign_in, tenant, releases, scoped("DeployToDevices"), scoped("ReadDevices"))

    def test_artifacts(self, user: httpx2.Client, inside: ScopedData, outside: ScopedData):
        for place in (f"{M1}/deployments/artifacts", f"{M1}/deployments/artifacts/list", f"{M2}/deployments/artifacts"):
            assert ids(user.get(place)) == [inside.artifact], place
            assert ids(user.get(place, params={"name": outside.release})) == [], place
            assert ids(user.get(place, params={"name": inside.release})) == [inside.artifact], place
        total = user.get(f"{M1}/deployments/artifacts/list").headers["X-Total-Count"]
        assert total == "1"

    def test_releases(self, user: httpx2.Client, inside: ScopedData, outside: ScopedData):
        for place, name in ((RELEASES, "name"), (RELEASES.replace("v2", "v1") + "/list", "Name")):
            answer = user.get(place)
            assert ids(answer, name) == [inside.release]
            assert answer.headers["X-Total-Count"] == "1"
        assert ids(user.get(RELEASES, params={"tag": outside.tag}), "name") == []
        assert user.get(f"{M2}/deployments/releases/all/tags").json() == [inside.tag]
        assert user.get(f"{M2}/deployments/releases/all/types").json() == ["single-file"]

    def test_only_releases_in_the_scope_are_deleted(self, user: httpx2.Client, inside: ScopedData, outside: ScopedData):
        before = outside.state()
        for names in ([outside.release], ["no-release"], [outside.release, "no-release"]):
            assert user.delete(RELEASES, params={"name": names}).status_code == 204
        both = {"name": [outside.release, inside.release]}
        assert user.delete(RELEASES, params=both).status_code == 409, "an unfinished deployment uses the own one"
        assert outside.state() == before
        assert user.delete(RELEASES, params={"name": inside.release}).status_code == 409
        inside.world.abort(inside.of_group)
        assert user.delete(RELEASES, params={"name": inside.release}).status_code == 204

    def test_deployments(self, user: httpx2.Client, inside: ScopedData, outside: ScopedData):
        answer = user.get(DEPLOYMENTS)
        assert ids(answer) == inside.deployments[::-1]
        assert answer.headers["X-Total-Count"] == "2"
        for name, status in ((inside.release, 201), (outside.release, 403), ("no-release", 403)):
            body = {"name": "new", "artifact_name": name, "devices": [outside.id]}
            assert user.post(DEPLOYMENTS, json=body).status_code == status


def test_users_limited_to_some_releases_cannot_remove_a_device_from_all_deployments(
    inside: ScopedData, outside: ScopedData, sign_in: SignIn, tenant: Tenant
):
    releases = scoped("ReadReleases", inside.tag, kind="ReleaseTags")
    user = with_role(inside, sign_in, tenant, releases, scoped("DeployToDevices"))

    for place in (f"{DEPLOYMENTS}/devices/{outside.id}", f"{DEPLOYMENTS}/devices/{outside.id}/history"):
        assert user.delete(place).status_code == 403


def test_deployments_that_keep_a_release_are_named_only_to_users_who_may_see_them(
    inside: ScopedData, outside: ScopedData, sign_in: SignIn, tenant: Tenant
):
    user = with_role(inside, sign_in, tenant, scoped("ManageReleases"), scoped("ReadDevices", inside.group))

    answer = user.delete(RELEASES, params={"name": [inside.release, outside.release]})

    assert answer.status_code == 409
    assert answer.json()["active_deployments"] == [inside.of_group]
