"""``v1alpha1/deployments/software``, artifacts for devices, and the routes of deltas, which are not supported."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.artifacts.catalog import RELEASES, V1, V2, Catalog
from tests.deployments.world import World

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

SOFTWARE = "/api/management/v1alpha1/deployments/software"
FOR_DEVICES = "/api/devices/v1/deployments/artifacts"
NOTHING = str(uuid.uuid4())


@pytest.fixture
def stocked(catalog: Catalog) -> Catalog:
    for name, types in (("alpha", ("pi",)), ("beta", ("pi", "bone")), ("gamma", ("bone",))):
        catalog.put(name, types)
    for name, tags in (("alpha", ["b", "prod"]), ("gamma", ["a"])):
        assert catalog.api.put(f"{RELEASES}/{name}/tags", json=tags).status_code == 204
    assert catalog.api.patch(f"{RELEASES}/alpha", json={"notes": "noted"}).status_code == 204
    return catalog


class TestSoftware:
    def test_software_is_shown(self, stocked: Catalog):
        [alpha] = stocked.get(SOFTWARE, name="alpha")

        assert alpha.pop("modified")
        assert alpha == {
            "name": "alpha",
            "kind": "release",
            "compatible_types": ["pi"],
            "tags": ["b", "prod"],
            "notes": "noted",
        }

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, ["alpha", "beta", "gamma"]),
            ({"name": ["gamma", "alpha", "none"]}, ["alpha", "gamma"]),
            ({"name_prefix": "be"}, ["beta"]),
            ({"kind": "release"}, ["alpha", "beta", "gamma"]),
            ({"kind": "manifest"}, []),
            ({"tag": ["A", "prod"]}, ["alpha", "gamma"]),
            ({"update_type": "single-file"}, ["alpha", "beta", "gamma"]),
            ({"update_type": "single"}, []),
            ({"sort": "name:desc"}, ["gamma", "beta", "alpha"]),
            ({"sort": "tags:asc"}, ["beta", "gamma", "alpha"]),
            ({"page": 2, "per_page": 2}, ["gamma"]),
        ],
    )
    def test_filters_and_order(self, stocked: Catalog, query: dict[str, Any], found: list[str]):
        assert stocked.names(SOFTWARE, **query) == found

    def test_totals(self, stocked: Catalog):
        answer = stocked.api.get(SOFTWARE, params={"per_page": 2})

        assert answer.headers["X-Total-Count"] == "3"
        assert 'rel="next"' in str(answer.headers.get_list("Link"))

    @pytest.mark.parametrize("query", ["name=a&name_prefix=b", "kind=other", "per_page=501", "page=0"])
    def test_bad_queries(self, stocked: Catalog, query: str):
        assert stocked.api.get(f"{SOFTWARE}?{query}").status_code == 400

    def test_tags(self, stocked: Catalog):
        assert stocked.get(f"{SOFTWARE}/tags") == ["a", "b", "prod"]
        assert stocked.get(f"{SOFTWARE}/tags", kind="manifest") == []
        assert stocked.api.get(f"{SOFTWARE}/tags?kind=x").status_code == 400


class TestForDevices:
    @pytest.fixture
    def ask(self, stocked: Catalog, http: httpx2.Client, tenant: Tenant) -> Any:
        device = World(stocked.api, http, tenant.tenant_token).device()

        def get(path: str = "", **query: str) -> httpx2.Response:
            headers = {"Authorization": f"Bearer {device.token}"}
            return http.get(FOR_DEVICES + path, params=query, headers=headers)

        return get

    def test_artifacts_of_a_release(self, stocked: Catalog, ask: Any):
        other = stocked.put("beta", ("other",))
        found = ask(release_name="beta", device_type="bone").json()

        assert [artifact["name"] for artifact in found] == ["beta"]
        assert other not in {artifact["id"] for artifact in found}
        assert found == [stocked.get(f"{V1}/artifacts/{found[0]['id']}")]
        assert ask(release_name="beta", device_type="none").json() == []
        assert ask(release_name="none", device_type="bone").status_code == 404
        assert ask(release_name="beta").status_code == 400

    def test_an_artifact_and_its_file(self, stocked: Catalog, ask: Any):
        found = stocked.get(f"{V1}/artifacts", name="gamma")[0]

        assert ask(f"/{found['id']}").json() == found
        link = ask(f"/{found['id']}/download").json()
        assert len(httpx2.get(link["uri"]).content) == found["size"]
        for path in (f"/{NOTHING}", f"/{NOTHING}/download"):
            assert ask(path).status_code == 404
        assert ask("/x").status_code == 400


class TestNoDeltas:
    def test_they_are_disabled(self, stocked: Catalog):
        assert stocked.get(f"{V1}/config") == {"delta": {"enabled": False}}
        wanted = {"xdelta_args": {"compression_level": 1, "disable_checksum": True}, "timeout": 5}
        assert stocked.api.put(f"{V1}/config/binary_delta", json=wanted).status_code == 409
        assert stocked.api.put(f"{V1}/config/binary_delta", json={"xdelta_args": []}).status_code == 400

    def test_delta_jobs_do_not_exist(self, stocked: Catalog):
        jobs = f"{V2}/deployments/releases/delta/jobs"

        assert stocked.get(jobs) == []
        assert stocked.api.get(jobs, params={"page": 0}).status_code == 400
        assert stocked.api.get(f"{jobs}/{NOTHING}").status_code == 404
        assert stocked.api.get(f"{jobs}/x").status_code == 400
        assert stocked.api.get(f"{V1}/{NOTHING}/devices/{NOTHING}/delta/status").status_code == 404


def test_logs_by_the_newer_path(stocked: Catalog, http: httpx2.Client, tenant: Tenant):
    world = World(stocked.api, http, tenant.tenant_token)
    device = world.device()
    deployment = world.deploy("alpha", [device.id])
    place = f"/api/management/v1alpha1/deployments/deployments/{deployment}/devices/{device.id}/log"
    assert stocked.api.get(place).status_code == 404
    device.poll(device_type="pi")
    line = {"timestamp": "2016-10-27T07:00:00Z", "level": "info", "message": "it is so"}
    sent = device.call("PUT", f"/v1/deployments/device/deployments/{deployment}/log", {"messages": [line]})
    assert sent.status_code == 204, sent.text

    assert stocked.api.get(place).text.splitlines() == ["2016-10-27 07:00:00 +0000 UTC info: it is so"]
    assert stocked.api.get(place, params={"format": "text"}).status_code == 200
    assert stocked.api.get(place, params={"format": "text-redacted"}).status_code == 400
    explained = stocked.api.get(f"{place}/explain")
    assert explained.status_code == 404
    assert "does not analyse logs" in explained.json()["error"]
