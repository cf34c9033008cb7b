"""Attacks on artifacts: devices get only verified files, and only users with a release's tags can use it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib.aws import s3
from tests.artifacts.catalog import ARTIFACTS, Catalog, bucket, bucket_name
from tests.artifacts.container.bombs import CASES
from tests.artifacts.test_direct import GOOD, TYPE, complete, put, request, result, uploaded
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


# --- Replacing an object


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """The tenant of the catalog, with devices."""
    return World(api, http, tenant.tenant_token)


def downloaded(world: World, device: Any) -> bytes:
    """The file that a device downloads when it polls."""
    answer = device.poll()
    assert answer.status_code == 200, answer.text
    return httpx2.get(answer.json()["artifact"]["source"]["uri"]).content


def test_replacing_an_object_after_it_was_verified_has_no_effect(
    catalog: Catalog, server: LocalServer, world: World
) -> None:
    """Written through its upload link, repeatedly, before and after devices poll."""
    link = uploaded(catalog, server)
    put(link, EVIL)
    first, second = (world.device(device_type="pi") for _ in range(2))
    world.deploy("direct", [first.id, second.id])

    assert downloaded(world, first) == GOOD
    put(link, EVIL)
    assert complete(catalog, link).status_code == 202, "it is already an artifact"
    server.drain()
    assert downloaded(world, second) == GOOD
    shown = catalog.get(f"{ARTIFACTS}/{link['id']}")
    assert shown["size"] == len(GOOD)
    assert httpx2.get(catalog.get(f"{ARTIFACTS}/{link['id']}/download")["uri"]).content == GOOD


def test_replacing_an_object_while_it_is_verified_has_no_effect(
    catalog: Catalog, server: LocalServer, world: World, monkeypatch
) -> None:
    """All pieces are read from one version, and that version becomes the artifact."""
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

    assert result(catalog, link)["status"] == "accepted"
    device = world.device(device_type="pi")
    world.deploy("direct", [device.id])
    assert downloaded(world, device) == GOOD


def test_replacing_a_refused_object_by_a_valid_one_has_no_effect(catalog: Catalog, server: LocalServer) -> None:
    """A refusal is final: an object written through the link later does not become an artifact and is deleted."""
    link = uploaded(catalog, server, b"no artifact")
    assert result(catalog, link)["status"] == "refused"
    put(link, GOOD)

    assert complete(catalog, link).status_code == 409
    server.drain()
    assert catalog.names() == []


def test_a_deleted_artifact_cannot_be_restored_through_its_link(catalog: Catalog, server: LocalServer) -> None:
    link = uploaded(catalog, server)
    assert catalog.api.delete(f"{ARTIFACTS}/{link['id']}").status_code == 204
    put(link, EVIL)

    assert complete(catalog, link).status_code == 404
    server.drain()
    assert catalog.names() == []
    assert catalog.api.get(f"{ARTIFACTS}/{link['id']}/download").status_code == 404


def test_an_upload_link_allows_no_other_operation(catalog: Catalog, server: LocalServer) -> None:
    """It writes one object, and does not read, delete, list, or write other objects."""
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


def test_a_download_link_cannot_be_used_for_another_version(catalog: Catalog, server: LocalServer) -> None:
    """A link is signed for one version; earlier and later ones under the same key stay out of reach."""
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
def test_bombs_uploaded_through_the_api_leave_nothing(catalog: Catalog, name: str) -> None:
    """Their use of memory is measured in ``container/test_bombs.py``."""
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
    """A user who manages and deploys releases with the tag ``mine``; another release has the tag ``theirs``."""
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


def test_no_route_gives_access_to_a_release_with_other_tags(catalog: Catalog, mine: httpx2.Client) -> None:
    """The refusal is the same as for a release that does not exist, so names cannot be guessed."""
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


def test_lists_show_no_releases_with_other_tags(mine: httpx2.Client) -> None:
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
def test_users_cannot_set_or_remove_tags_outside_of_their_scope(
    mine: httpx2.Client, catalog: Catalog, tags: list[str]
) -> None:
    """A tag lets other users deploy a release."""
    assert mine.put(f"{RELEASES}/mine-1/tags", json=tags).status_code == 403
    assert mine.put(f"{RELEASES}/both-1/tags", json=["mine"]).status_code == 403
    assert catalog.get(f"{RELEASES}/mine-1")["tags"] == ["mine"]
    assert catalog.get(f"{RELEASES}/both-1")["tags"] == ["mine", "theirs"]


def test_a_bulk_deletion_that_includes_a_release_with_other_tags_is_refused(
    mine: httpx2.Client, catalog: Catalog
) -> None:
    answer = mine.delete(RELEASES, params={"name": ["mine-1", "theirs-1", "nothing"]})

    assert answer.status_code in {204, 403}
    assert "theirs-1" in catalog.names()


def test_deployments_of_releases_with_other_tags_are_hidden(
    catalog: Catalog, mine: httpx2.Client, world: World
) -> None:
    """A deployment that others created of such a release can be neither seen nor aborted."""
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
    # When a release loses the tag, its deployments are hidden too.
    assert catalog.api.put(f"{RELEASES}/mine-1/tags", json=["theirs"]).status_code == 204
    assert mine.get(f"{DEPLOYMENTS}/{own}").status_code == 403
    assert mine.put(f"{DEPLOYMENTS}/{own}/status", json={"status": "aborted"}).status_code == 403
    serves(device.poll(), theirs)
