"""What devices get is what was verified, and releases are for who has their tags: what attackers try against both."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.artifacts.catalog import ARTIFACTS, Catalog, bucket, bucket_name
from tests.artifacts.container.bombs import CASES
from tests.artifacts.test_direct import GOOD, TYPE, complete, put, request, uploaded, verdict
from tests.deployments.world import DEPLOYMENTS, World, serves
from tests.roles.test_roles import ROLES, role, scoped
from tests.simulator.artifacts import build_artifact

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

EVIL = build_artifact("direct", ["pi"], b"evil" * 100)
RELEASES = "/api/management/v2/deployments/deployments/releases"
V1 = "/api/management/v1/deployments"


# --- An object that is replaced


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """The tenant of the catalog."""
    return World(api, http, tenant.tenant_token)


def offered(world: World, device: Any) -> bytes:
    """What a device downloads that asks for an update."""
    answer = device.poll()
    assert answer.status_code == 200, answer.text
    return httpx2.get(answer.json()["artifact"]["source"]["uri"]).content


def test_attack_an_object_that_is_replaced_after_it_was_verified(
    catalog: Catalog, server: LocalServer, world: World
) -> None:
    """By its own upload link, again and again, before and after devices ask."""
    link = uploaded(catalog, server)
    put(link, EVIL)
    first, second = (world.device(device_type="pi") for _ in range(2))
    world.deploy("direct", [first.id, second.id])

    assert offered(world, first) == GOOD
    put(link, EVIL)
    assert complete(catalog, link).status_code == 202, "it is an artifact already"
    server.drain()
    assert offered(world, second) == GOOD
    shown = catalog.get(f"{ARTIFACTS}/{link['id']}")
    assert shown["size"] == len(GOOD)
    assert httpx2.get(catalog.get(f"{ARTIFACTS}/{link['id']}/download")["uri"]).content == GOOD


def test_attack_an_object_that_is_replaced_while_it_is_verified(
    catalog: Catalog, server: LocalServer, world: World, monkeypatch
) -> None:
    """What is read piece by piece is one version, and that one becomes the artifact."""
    from chalicelib.aws import s3

    link = request(catalog)
    put(link, GOOD)
    real = s3.head

    def replaced(key: str) -> s3.ObjectRef:
        found = real(key)
        if key.endswith(link["id"]):
            put(link, EVIL)
        return found

    monkeypatch.setattr(s3, "head", replaced)
    assert complete(catalog, link).status_code == 202
    server.drain()

    assert verdict(catalog, link)["status"] == "accepted"
    device = world.device(device_type="pi")
    world.deploy("direct", [device.id])
    assert offered(world, device) == GOOD


def test_attack_a_refused_object_that_is_replaced_by_a_good_one(catalog: Catalog, server: LocalServer) -> None:
    """A verdict is final: what comes by the link afterwards becomes no artifact, and is gone in the end."""
    link = uploaded(catalog, server, b"no artifact")
    assert verdict(catalog, link)["status"] == "refused"
    put(link, GOOD)

    assert complete(catalog, link).status_code == 409
    server.drain()
    assert catalog.names() == []


def test_attack_a_deleted_artifact_that_comes_back_by_its_link(catalog: Catalog, server: LocalServer) -> None:
    link = uploaded(catalog, server)
    assert catalog.api.delete(f"{ARTIFACTS}/{link['id']}").status_code == 204
    put(link, EVIL)

    assert complete(catalog, link).status_code == 404
    server.drain()
    assert catalog.names() == []
    assert catalog.api.get(f"{ARTIFACTS}/{link['id']}/download").status_code == 404


def test_attack_a_link_that_is_used_for_something_else(catalog: Catalog, server: LocalServer) -> None:
    """An upload link writes one object; it neither reads, deletes nor lists, nor writes another one."""
    link = request(catalog)
    other = request(catalog)
    put(other, GOOD)
    uri = link["uri"]

    for wrong in (uri.replace(link["id"], other["id"]), uri.replace(link["id"], "..%2F" + other["id"]), uri + "x"):
        assert httpx2.put(wrong, content=EVIL, headers=TYPE).status_code in {400, 403, 404}, wrong
    for method in ("GET", "DELETE", "POST"):
        answer = httpx2.request(method, uri)
        assert answer.status_code in {400, 403, 405}, method
    kept = bucket().get_object(Bucket=bucket_name(), Key=f"{catalog.tenant}/artifacts/{other['id']}")
    assert kept["Body"].read() == GOOD


def test_attack_a_download_link_with_another_version(catalog: Catalog, server: LocalServer) -> None:
    """Links are bound to the version: who has one does not get at what was, or will be, under the same name."""
    link = uploaded(catalog, server)
    put(link, EVIL)
    key = f"{catalog.tenant}/artifacts/{link['id']}"
    newest = bucket().get_object(Bucket=bucket_name(), Key=key)["VersionId"]
    download = catalog.get(f"{ARTIFACTS}/{link['id']}/download")["uri"]
    version = download.partition("versionId=")[2].partition("&")[0]
    assert version != newest

    assert httpx2.get(download).content == GOOD
    for wrong in (download.replace(version, newest), download.replace(f"versionId={version}&", "")):
        assert httpx2.get(wrong).status_code == 403
    assert httpx2.put(download, content=EVIL).status_code in {403, 405}


# --- Bombs


@pytest.mark.parametrize("name", ["script-zstd", "streams-zstd", "wide-window-zstd", "many-files", "claim-zstd"])
def test_attack_bombs_through_the_api_leave_nothing(catalog: Catalog, name: str) -> None:
    """How much memory they take is measured in ``container/test_bombs.py``."""
    size = 0

    def counted() -> Any:
        nonlocal size
        for chunk in CASES[name].chunks():
            size += len(chunk)
            yield chunk

    data = b"".join(counted())
    answer = catalog.send(data)

    assert answer.status_code == 400, answer.text
    assert size > 0
    assert catalog.is_empty()


# --- Tags


@pytest.fixture
def mine(catalog: Catalog, world: World, sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
    """A user who manages and deploys releases with the tag ``mine``. There is one, and one with the tag ``theirs``."""
    for name in ("mine", "theirs", "both"):
        catalog.put(f"{name}-1")
    for name, tags in (("mine", ["mine"]), ("theirs", ["theirs"]), ("both", ["mine", "theirs"])):
        assert catalog.api.put(f"{RELEASES}/{name}-1/tags", json=tags).status_code == 204
    name = uuid.uuid4().hex
    sets = [scoped("ManageReleases", "mine", kind="ReleaseTags"), scoped("DeployToDevices"), scoped("ReadDevices")]
    assert catalog.api.post(ROLES, json=role(name, *sets)).status_code == 201
    return sign_in(tenant, name)


def id_of(catalog: Catalog, name: str) -> str:
    """The id of the artifact of this name."""
    [found] = catalog.get(ARTIFACTS, name=name)
    return str(found["id"])


def test_attack_every_route_to_a_release_outside_of_ones_tags(catalog: Catalog, mine: httpx2.Client) -> None:
    """Refused as one that does not exist is, so that not even its name can be found out."""
    artifact = id_of(catalog, "theirs-1")
    calls = [
        ("GET", f"{RELEASES}/{{name}}", None),
        ("PATCH", f"{RELEASES}/{{name}}", {"notes": "x"}),
        ("PUT", f"{RELEASES}/{{name}}/tags", ["mine"]),
        ("PUT", f"{RELEASES}/{{name}}/tags", ["mine", "theirs"]),
        ("PUT", f"{RELEASES}/{{name}}/tags", []),
        ("DELETE", f"{RELEASES}?name={{name}}", None),
        ("DELETE", f"{RELEASES}?name={{name}}&name={{name}}", None),
        ("GET", f"{ARTIFACTS}/{{id}}", None),
        ("PUT", f"{ARTIFACTS}/{{id}}", {"description": "x"}),
        ("DELETE", f"{ARTIFACTS}/{{id}}", None),
        ("GET", f"{ARTIFACTS}/{{id}}/download", None),
        ("POST", DEPLOYMENTS, {"name": "x", "artifact_name": "{name}", "all_devices": True}),
        ("POST", f"{DEPLOYMENTS}/group/g", {"name": "x", "artifact_name": "{name}"}),
        ("POST", DEPLOYMENTS.replace("v1", "v2"), {"name": "x", "artifact_name": "{name}", "filter_id": artifact}),
    ]
    for method, path, body in calls:
        answers = []
        for name, found in (("theirs-1", artifact), ("nothing", str(uuid.uuid4()))):
            sent = dict(body) if isinstance(body, dict) else body
            if isinstance(sent, dict) and "artifact_name" in sent:
                sent["artifact_name"] = name
            answer = mine.request(method, path.replace("{name}", name).replace("{id}", found), json=sent)
            answers.append((answer.status_code, answer.json().get("error") if answer.content else None))
        assert answers[0] == answers[1], (method, path)
        assert answers[0][0] == 403 or (method == "DELETE" and answers[0][0] == 204), (method, path, answers)
    assert catalog.names() == ["both-1", "mine-1", "theirs-1"]
    assert catalog.get(f"{RELEASES}/theirs-1")["tags"] == ["theirs"]


def test_attack_lists_show_nothing_outside_of_ones_tags(mine: httpx2.Client) -> None:
    lists = [
        ARTIFACTS,
        f"{ARTIFACTS}/list",
        ARTIFACTS.replace("v1", "v2"),
        f"{DEPLOYMENTS}/releases",
        f"{DEPLOYMENTS}/releases/list",
        RELEASES,
        "/api/management/v1alpha1/deployments/software",
    ]
    filters = ["", "?name=theirs-1", "?name=theirs*", "?tag=theirs", "?sort=name:desc", "?per_page=1&page=2", "?page=9"]
    for place in lists:
        for query in filters:
            answer = mine.get(place + query)
            assert answer.status_code in {200, 400}, (place, query)
            assert "theirs-1" not in answer.text, (place, query)
            assert answer.headers.get("x-total-count", "0") in {"0", "1", "2"}, (place, query)
    shown = mine.get("/api/management/v2/deployments/releases/all/tags").json()
    assert set(shown) <= {"mine", "theirs"}, "those of releases in reach"


@pytest.mark.parametrize("tags", [["theirs"], ["mine", "theirs"], ["mine", "production"], ["MINE", "Production"]])
def test_attack_tagging_out_of_ones_scope(mine: httpx2.Client, catalog: Catalog, tags: list[str]) -> None:
    """A tag lets others deploy: nobody gives one that is not theirs, nor takes one away."""
    assert mine.put(f"{RELEASES}/mine-1/tags", json=tags).status_code == 403
    assert mine.put(f"{RELEASES}/both-1/tags", json=["mine"]).status_code == 403
    assert catalog.get(f"{RELEASES}/mine-1")["tags"] == ["mine"]
    assert catalog.get(f"{RELEASES}/both-1")["tags"] == ["mine", "theirs"]


def test_attack_a_bulk_deletion_with_one_of_others_among_them(mine: httpx2.Client, catalog: Catalog) -> None:
    answer = mine.delete(RELEASES, params={"name": ["mine-1", "theirs-1", "nothing"]})

    assert answer.status_code in {204, 403}
    assert "theirs-1" in catalog.names()


def test_attack_deployments_of_releases_outside(catalog: Catalog, mine: httpx2.Client, world: World) -> None:
    """One that others made of a release outside can be neither seen nor ended."""
    device = world.device(device_type="pi")
    theirs, own = world.deploy("theirs-1", [device.id]), world.deploy("mine-1", [device.id])

    for path in ("", "/statistics", "/devices", "/devices/list", f"/devices/{device.id}/log", "/device_list"):
        answer = mine.get(f"{DEPLOYMENTS}/{theirs}{path}")
        assert answer.status_code == 403, path
    assert mine.put(f"{DEPLOYMENTS}/{theirs}/status", json={"status": "aborted"}).status_code == 403
    listed = mine.post(f"{DEPLOYMENTS}/statistics/list", json={"deployment_ids": [theirs, own]})
    assert theirs not in listed.text
    assert theirs not in mine.get(DEPLOYMENTS).text
    assert theirs not in mine.get(DEPLOYMENTS.replace("v1", "v2")).text
    assert mine.get(f"{DEPLOYMENTS}/{own}").status_code == 200
    # A release that loses the tag takes its deployments with it.
    assert catalog.api.put(f"{RELEASES}/mine-1/tags", json=["theirs"]).status_code == 204
    assert mine.get(f"{DEPLOYMENTS}/{own}").status_code == 403
    assert mine.put(f"{DEPLOYMENTS}/{own}/status", json={"status": "aborted"}).status_code == 403
    serves(device.poll(), theirs)
