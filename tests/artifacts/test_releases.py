"""Releases in the management API: lists, tags, notes, deletion."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chalicelib import times
from chalicelib.artifacts import service
from chalicelib.storage.transactions import ConditionFailed
from tests.artifacts.catalog import ARTIFACTS, RELEASES, V1, V2, Catalog
from tests.artifacts.test_catalog import commit
from tests.simulator.artifacts import build_artifact

V1_ALL = f"{V1}/deployments/releases"
V1_LIST = f"{V1}/deployments/releases/list"
TAGS = f"{V2}/releases/all/tags"
TYPES = f"{V2}/releases/all/types"


def stock(catalog: Catalog) -> None:
    """Three releases, oldest first."""
    catalog.put("beta", ("pi",), description="Stable build", type="docker")
    catalog.put("alpha", ("pi", "bbb"))
    catalog.put("alpha", ("x86",), description="nightly")
    catalog.put("Gamma", ("bbb",), type="rootfs-image")
    tag(catalog, "beta", "prod", "eu")
    tag(catalog, "Gamma", "test")


def tag(catalog: Catalog, release: str, *tags: str) -> None:
    answer = catalog.api.put(f"{RELEASES}/{release}/tags", json=list(tags))
    assert answer.status_code == 204, answer.text


def test_a_release_consists_of_the_artifacts_with_its_name(catalog: Catalog) -> None:
    first = catalog.put("app 1/2", ("pi",))
    second = catalog.put("app 1/2", ("bbb",))

    release = catalog.get(f"{RELEASES}/app%201%2F2")

    assert sorted(release) == ["artifacts", "artifacts_count", "modified", "name", "notes", "tags"]
    assert (release["name"], release["artifacts_count"], release["tags"], release["notes"]) == ("app 1/2", 2, [], "")
    assert [row["id"] for row in release["artifacts"]] == [first, second]
    assert release["artifacts"][0] == catalog.get(f"{ARTIFACTS}/{first}")
    assert release["modified"] == release["artifacts"][1]["modified"]

    catalog.api.delete(f"{ARTIFACTS}/{second}")
    less = catalog.get(f"{RELEASES}/app%201%2F2")
    assert less["artifacts_count"] == 1
    assert times.read(less["modified"]) > times.read(release["modified"])
    catalog.api.delete(f"{ARTIFACTS}/{first}")
    assert catalog.api.get(f"{RELEASES}/app%201%2F2").status_code == 404
    assert catalog.get(RELEASES) == []


def test_v1_has_its_own_names_of_members(catalog: Catalog) -> None:
    catalog.put("app")
    tag(catalog, "app", "x")
    v2 = catalog.get(RELEASES)[0]

    for path in (V1_ALL, V1_LIST):
        (v1,) = catalog.get(path)
        assert v1 == v2 | {
            "Name": "app",
            "Modified": v2["modified"],
            "Artifacts": v2["artifacts"],
            "ArtifactsCount": 1,
        }


def test_the_v1_list_without_pages_ends_after_20_releases(catalog: Catalog) -> None:
    for number in range(22):
        catalog.put(f"app-{number:02}")

    assert catalog.names(V1_ALL) == [f"app-{number:02}" for number in range(20)]
    assert catalog.names(V1_ALL, name="app-2") == ["app-20", "app-21"]
    page = catalog.api.get(RELEASES, params={"page": 2})
    assert [row["name"] for row in page.json()] == ["app-20", "app-21"]
    assert page.headers["X-Total-Count"] == "22"
    assert f'<{RELEASES}?page=2&per_page=20>; rel="last"' in page.headers.get_list("Link")
    assert catalog.api.get(RELEASES, params={"page": 9}).headers["X-Total-Count"] == "22"
    assert "X-Total-Count" not in catalog.api.get(V1_ALL).headers


@pytest.mark.parametrize(
    ("path", "query", "names"),
    [
        (V1_LIST, {}, ["Gamma", "alpha", "beta"]),
        (V1_LIST, {"name": "MM"}, ["Gamma"]),
        (V1_LIST, {"description": "stable"}, ["beta"]),
        (V1_LIST, {"description": "T"}, ["alpha", "beta"]),
        (V1_LIST, {"device_type": "pi"}, ["alpha", "beta"]),
        (V1_LIST, {"device_type": "p"}, []),
        (V1_LIST, {"update_type": "docker"}, ["beta"]),
        (V1_LIST, {"device_type": "bbb", "name": "alp"}, ["alpha"]),
        (V1_ALL, {"device_type": "x86"}, ["alpha"]),
        (RELEASES, {"name": "a"}, ["Gamma", "alpha", "beta"]),
        (RELEASES, {"tag": "PROD"}, ["beta"]),
        (RELEASES, {"tag": ["test", "eu", "none"]}, ["Gamma", "beta"]),
        (RELEASES, {"update_type": "rootfs-image"}, ["Gamma"]),
        (RELEASES, {"update_type": "rootfs"}, []),
        (RELEASES, {"sort": "name:desc"}, ["beta", "alpha", "Gamma"]),
        (RELEASES, {"sort": "artifacts_count:desc"}, ["alpha", "Gamma", "beta"]),
        (RELEASES, {"sort": "artifacts_count:asc"}, ["Gamma", "beta", "alpha"]),
        (RELEASES, {"sort": "tags:asc"}, ["alpha", "beta", "Gamma"]),
        (RELEASES, {"sort": "tags:desc"}, ["Gamma", "beta", "alpha"]),
        (RELEASES, {"sort": "modified:asc"}, ["alpha", "beta", "Gamma"]),
        (V1_LIST, {"sort": "modified:desc"}, ["Gamma", "beta", "alpha"]),
        (V1_LIST, {"sort": "tags:desc"}, ["Gamma", "alpha", "beta"]),
        (RELEASES, {"per_page": "1", "page": "2", "sort": "modified:asc"}, ["beta"]),
        (RELEASES, {"per_page": "x", "page": "0"}, ["Gamma", "alpha", "beta"]),
    ],
)
def test_lists_are_filtered_and_sorted(catalog: Catalog, path: str, query: dict[str, Any], names: list[str]) -> None:
    stock(catalog)

    assert catalog.names(path, **query) == names
    if path != V1_ALL and "per_page" not in query:
        assert catalog.api.get(path, params=query).headers["X-Total-Count"] == str(len(names))


def test_tags_are_lower_case_and_unique(catalog: Catalog) -> None:
    catalog.put("app")
    catalog.put("other")

    tag(catalog, "app", "Prod", "v1.2_x-y", "prod")
    tag(catalog, "other", "prod")

    assert catalog.get(f"{RELEASES}/app")["tags"] == ["prod", "v1.2_x-y"]
    assert catalog.get(TAGS) == ["prod", "v1.2_x-y"]
    tag(catalog, "app", "a")
    assert catalog.get(TAGS) == ["a", "prod"]
    tag(catalog, "app")
    assert catalog.get(f"{RELEASES}/app")["tags"] == []
    assert catalog.get(TAGS) == ["prod"]
    catalog.api.delete(RELEASES, params={"name": "other"})
    assert catalog.get(TAGS) == []


@pytest.mark.parametrize(
    "body",
    [["white space"], ["ü"], [""], ["x" * 1025], [f"t{number}" for number in range(21)], "prod", {"tags": []}, [1]],
)
def test_invalid_tags_are_refused(catalog: Catalog, body: Any) -> None:
    catalog.put("app")

    assert catalog.api.put(f"{RELEASES}/app/tags", json=body).status_code == 400
    assert catalog.get(TAGS) == []


def test_a_tenant_has_100_distinct_tags(catalog: Catalog) -> None:
    for number in range(6):
        catalog.put(f"app-{number}")
    for number in range(5):
        tag(catalog, f"app-{number}", *(f"t{number}-{index}" for index in range(20)))

    over = catalog.api.put(f"{RELEASES}/app-5/tags", json=["one-more"])

    assert (over.status_code, over.json()["error"]) == (409, "the total number of unique tags has been exceeded")
    tag(catalog, "app-5", "t0-0", "T4-19")
    assert len(catalog.get(TAGS)) == 100
    tag(catalog, "app-0", "other")
    tag(catalog, "app-5", "t4-19", "one-more")
    assert len(catalog.get(TAGS)) == 82


def test_tags_that_are_set_concurrently_are_all_counted(catalog: Catalog) -> None:
    for number in range(6):
        catalog.put(f"app-{number}")
    barrier = threading.Barrier(6)
    answers: list[int] = []

    def race(number: int) -> None:
        barrier.wait()
        answer = catalog.api.put(f"{RELEASES}/app-{number}/tags", json=["shared", f"own-{number}"])
        answers.append(answer.status_code)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [204] * 6
    assert catalog.get(TAGS) == sorted(["shared", *(f"own-{number}" for number in range(6))])
    catalog.api.delete(RELEASES, params={"name": [f"app-{number}" for number in range(6)]})
    assert catalog.get(TAGS) == []


def test_notes_may_contain_printable_characters_only(catalog: Catalog) -> None:
    catalog.put("app")
    before = catalog.get(f"{RELEASES}/app")

    assert catalog.api.patch(f"{RELEASES}/app", json={"notes": "Größer\n* schneller"}).status_code == 204

    after = catalog.get(f"{RELEASES}/app")
    assert after["notes"] == "Größer\n* schneller"
    assert times.read(after["modified"]) > times.read(before["modified"])
    assert catalog.api.patch(f"{RELEASES}/app", json={}).status_code == 204
    assert catalog.get(f"{RELEASES}/app")["notes"] == "Größer\n* schneller"
    assert catalog.api.patch(f"{RELEASES}/app", json={"notes": ""}).status_code == 204
    assert catalog.get(f"{RELEASES}/app")["notes"] == ""
    for notes in ("x" * 1025, "bell \x07", 5):
        assert catalog.api.patch(f"{RELEASES}/app", json={"notes": notes}).status_code == 400


def test_an_unknown_release_has_neither_tags_nor_notes(catalog: Catalog) -> None:
    assert catalog.api.get(f"{RELEASES}/nothing").status_code == 404
    assert catalog.api.put(f"{RELEASES}/nothing/tags", json=["x"]).status_code == 404
    assert catalog.api.patch(f"{RELEASES}/nothing", json={"notes": "x"}).status_code == 404
    assert catalog.api.patch(f"{RELEASES}/nothing", json={}).status_code == 404
    assert catalog.rows() == []


def test_device_types_are_kept_after_deletion(catalog: Catalog) -> None:
    assert catalog.get(TYPES) == []
    stock(catalog)
    catalog.put("empty", type=None, payload={})

    assert catalog.get(TYPES) == ["docker", "rootfs-image", "single-file"]
    catalog.api.delete(RELEASES, params={"name": ["alpha", "beta", "Gamma", "empty"]})
    assert catalog.get(TYPES) == ["docker", "rootfs-image", "single-file"]


def test_deleting_a_release_deletes_all_its_artifacts(catalog: Catalog) -> None:
    stock(catalog)

    answer = catalog.api.delete(RELEASES, params={"name": ["alpha", "beta", "nothing", "alpha"]})

    assert answer.status_code == 204, answer.text
    assert catalog.names(RELEASES) == ["Gamma"]
    assert catalog.names(ARTIFACTS) == ["Gamma"]
    assert len(catalog.objects()) == 1
    assert catalog.usage() == catalog.get(ARTIFACTS)[0]["size"]
    assert catalog.rows() == ["ARTIFACT", "RELEASE"]
    assert catalog.api.get(RELEASES).headers["X-Total-Count"] == "1"


def test_a_release_of_many_artifacts_is_deleted_in_several_transactions(catalog: Catalog) -> None:
    for number in range(100):
        service.upload(catalog.tenant, {}, [build_artifact("app", [f"type-{number}"], compression="none")])
    over = catalog.send(build_artifact("app", ["one-more"]))
    assert over.status_code == 422, over.text
    assert len(catalog.get(f"{RELEASES}/app")["artifacts"]) == 100

    assert catalog.api.delete(RELEASES, params={"name": "app"}).status_code == 204

    assert (catalog.objects(), catalog.rows(), catalog.usage()) == (set(), [], 0)


def test_deleting_releases_requires_names(catalog: Catalog) -> None:
    for query in ({}, {"name": ""}):
        answer = catalog.api.delete(RELEASES, params=query)
        assert answer.status_code == 400
        assert answer.json()["error"] == "at least one release name has to be provided"


def test_one_release_in_use_prevents_the_deletion_of_all(catalog: Catalog) -> None:
    stock(catalog)
    deployment = catalog.api.post(
        f"{V1}/deployments", json={"name": "rollout", "artifact_name": "beta", "devices": ["some-device"]}
    )
    assert deployment.status_code == 201, deployment.text
    deployment_id = deployment.headers["Location"].rsplit("/", 1)[-1]

    refused = catalog.api.delete(RELEASES, params={"name": ["alpha", "beta"]})

    assert refused.status_code == 409
    body = refused.json()
    assert body.pop("request_id")
    assert body == {"error": "release(s) used in active deployment", "active_deployments": [deployment_id]}
    assert catalog.names(RELEASES) == ["Gamma", "alpha", "beta"]
    aborted = catalog.api.put(f"{V1}/deployments/{deployment_id}/status", json={"status": "aborted"})
    assert aborted.status_code == 204
    assert catalog.api.delete(RELEASES, params={"name": ["alpha", "beta"]}).status_code == 204
    commit(catalog, service.hold, "Gamma")
    commit(catalog, service.let_go, "Gamma")


def test_a_concurrent_deletion_and_deployment_never_both_succeed(catalog: Catalog) -> None:
    for attempt in range(10):
        name = f"app-{attempt}"
        artifact_id = catalog.put(name)
        barrier = threading.Barrier(2)
        won: dict[str, bool] = {}

        def deploy(name: str = name, barrier: threading.Barrier = barrier, won: dict[str, bool] = won) -> None:
            barrier.wait()
            try:
                commit(catalog, service.hold, name)
            except ConditionFailed:
                won["deployment"] = False
            else:
                won["deployment"] = True

        thread = threading.Thread(target=deploy)
        thread.start()
        barrier.wait()
        won["deletion"] = catalog.api.delete(f"{ARTIFACTS}/{artifact_id}").status_code == 204
        thread.join()

        assert won["deployment"] != won["deletion"]
        assert catalog.names(name=name) == ([name] if won["deployment"] else [])
