"""Artifacts in the management API: lists, reading, changing, deleting, links, storage."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec.structs import replace

from chalicelib import times
from chalicelib.artifacts import service
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import ConditionFailed, Transaction
from tests.artifacts.catalog import ARTIFACTS, V1, V2, Catalog
from tests.simulator.artifacts import build_artifact

if TYPE_CHECKING:
    from chalicelib.storage.transactions import Transaction

LIST = f"{ARTIFACTS}/list"


def commit(catalog: Catalog, change: Any, release: str) -> None:
    """Mark a release as used or unused, as deployments do."""
    tx: Transaction = Transaction()
    change(tx, catalog.tenant, release)
    tx.commit()


def stock(catalog: Catalog) -> None:
    """Five artifacts, oldest first."""
    catalog.put("beta", ("pi",), description="Second of its kind")
    catalog.put("alpha", ("bbb",), description="first")
    catalog.put("alpha 2", ("pi4",))
    catalog.put("Gamma", ("bbb", "x86"), description="FIRST")
    catalog.put("alpha", ("pi",))


def links(answer: httpx2.Response) -> list[str]:
    return [line for line in answer.headers.get_list("Link") if line]


def test_without_artifacts_the_list_is_empty(catalog: Catalog) -> None:
    for path in (ARTIFACTS, LIST, f"{V2}/artifacts"):
        assert catalog.get(path) == []
    assert catalog.api.get(LIST).headers["X-Total-Count"] == "0"
    assert links(catalog.api.get(LIST)) == [f'<{LIST}?page=1&per_page=20>; rel="first"']


def test_the_list_is_sorted_by_name(catalog: Catalog) -> None:
    stock(catalog)

    assert catalog.names(ARTIFACTS) == ["Gamma", "alpha", "alpha", "alpha 2", "beta"]
    assert catalog.names(LIST) == ["Gamma", "alpha", "alpha", "alpha 2", "beta"]


@pytest.mark.parametrize("path", [ARTIFACTS, LIST])
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"name": "ALPHA"}, ["alpha", "alpha", "alpha 2"]),
        ({"name": "a 2"}, ["alpha 2"]),
        ({"description": "first"}, ["Gamma", "alpha"]),
        ({"device_type": "pi"}, ["alpha", "alpha 2", "beta"]),
        ({"device_type": "BB", "description": "F"}, ["Gamma", "alpha"]),
        ({"name": "nothing"}, []),
        ({"name": ""}, ["Gamma", "alpha", "alpha", "alpha 2", "beta"]),
    ],
)
def test_filters_match_any_part_and_ignore_case(
    catalog: Catalog, path: str, query: dict[str, str], names: list[str]
) -> None:
    stock(catalog)

    assert catalog.names(path, **query) == names


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name:asc", ["Gamma", "alpha", "alpha", "alpha 2", "beta"]),
        ("name:desc", ["beta", "alpha 2", "alpha", "alpha", "Gamma"]),
        ("modified:asc", ["beta", "alpha", "alpha 2", "Gamma", "alpha"]),
        ("modified:desc", ["alpha", "Gamma", "alpha 2", "alpha", "beta"]),
        ("color:desc", ["Gamma", "alpha", "alpha", "alpha 2", "beta"]),
    ],
)
def test_a_list_is_sorted_as_requested(catalog: Catalog, sort: str, names: list[str]) -> None:
    stock(catalog)

    assert catalog.names(LIST, sort=sort) == names
    assert catalog.names(LIST, sort=sort, per_page=2, page=2) == names[2:4]


def test_pages_have_links_and_the_total(catalog: Catalog) -> None:
    stock(catalog)

    page = catalog.api.get(LIST, params={"page": 2, "per_page": 2, "name": "a"})

    assert [row["name"] for row in page.json()] == ["alpha", "alpha 2"]
    assert page.headers["X-Total-Count"] == "5"
    assert links(page) == [
        f'<{LIST}?name=a&page=1&per_page=2>; rel="first"',
        f'<{LIST}?name=a&page=1&per_page=2>; rel="prev"',
        f'<{LIST}?name=a&page=3&per_page=2>; rel="next"',
        f'<{LIST}?name=a&page=3&per_page=2>; rel="last"',
    ]
    beyond = catalog.api.get(LIST, params={"page": 9, "per_page": 2})
    assert (beyond.json(), beyond.headers["X-Total-Count"]) == ([], "5")


@pytest.mark.parametrize("query", [{"page": "x"}, {"per_page": "0"}, {"per_page": "501"}, {"page": "-1"}])
def test_v1_answers_invalid_page_numbers_with_the_first_page(catalog: Catalog, query: dict[str, str]) -> None:
    catalog.put("app")

    assert catalog.names(LIST, **query) == ["app"]
    assert catalog.api.get(f"{V2}/artifacts", params=query).status_code == 400


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Gamma", "alpha", "alpha", "alpha 2", "beta"]),
        ("name=alpha", ["alpha", "alpha"]),
        ("name=alpha&name=beta&name=nothing", ["alpha", "alpha", "beta"]),
        ("name=alp*", ["alpha", "alpha", "alpha 2"]),
        ("name=*", ["Gamma", "alpha", "alpha", "alpha 2", "beta"]),
        (r"name=alpha\*", []),
        ("name=ALPHA", []),
        ("description=first", ["alpha"]),
        ("description=Second*", ["beta"]),
        ("device_type=pi", ["alpha", "beta"]),
        ("device_type=pi*", ["alpha", "alpha 2", "beta"]),
        ("name=alpha&device_type=bbb", ["alpha"]),
        ("name=a*&device_type=x86", []),
        ("per_page=2&page=2", ["alpha", "alpha 2"]),
    ],
)
def test_v2_filters_are_exact_or_prefixes(catalog: Catalog, query: str, names: list[str]) -> None:
    stock(catalog)

    assert catalog.names(f"{V2}/artifacts?{query}") == names


def test_v2_takes_asterisks_and_long_names_literally(catalog: Catalog) -> None:
    names = ["a*", "a*b", "ab", "x" * 700 + "1", "x" * 700 + "2", "y#1", "y#2"]
    for name in names:
        catalog.put(name)

    def found(pattern: str) -> list[str]:
        return catalog.names(f"{V2}/artifacts", name=pattern)

    assert found(r"a\*") == ["a*"]
    assert found(r"a\**") == ["a*", "a*b"]
    assert found("x" * 700 + "2") == ["x" * 700 + "2"]
    assert sorted(found("x" * 650 + "*")) == names[3:5]
    assert sorted(found("x" * 30 + "*")) == names[3:5]
    assert found("y#*") == ["y#1", "y#2"]
    assert sorted(catalog.names(ARTIFACTS)) == names
    for row in catalog.get(ARTIFACTS):
        assert catalog.api.delete(f"{ARTIFACTS}/{row['id']}").status_code == 204
    assert catalog.rows() == []


@pytest.mark.parametrize(
    "query", ["name=a*&name=b", "name=a&name=b*", "&".join(f"name=n{number}" for number in range(101))]
)
def test_v2_refuses_names_that_cannot_be_combined(catalog: Catalog, query: str) -> None:
    answer = catalog.api.get(f"{V2}/artifacts?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("invalid filter: ")


def test_v2_pages_have_links_but_no_total(catalog: Catalog) -> None:
    stock(catalog)

    first = catalog.api.get(f"{V2}/artifacts", params={"per_page": 3})
    last = catalog.api.get(f"{V2}/artifacts", params={"per_page": 3, "page": 2})

    assert "X-Total-Count" not in first.headers
    assert [line.rsplit("=", 1)[1] for line in links(first)] == ['"first"', '"next"']
    assert [line.rsplit("=", 1)[1] for line in links(last)] == ['"first"', '"prev"']


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_invalid_ids_get_400_and_unknown_ids_404(catalog: Catalog, method: str) -> None:
    body: dict[str, Any] = {"json": {"description": "x"}} if method == "PUT" else {}

    bad = catalog.api.request(method, f"{ARTIFACTS}/42", **body)
    unknown = catalog.api.request(method, f"{ARTIFACTS}/{uuid.uuid4()}", **body)

    assert (bad.status_code, bad.json()["error"]) == (400, "ID is not a valid UUID")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "Resource not found")


def test_links_of_unknown_artifacts_get_404(catalog: Catalog) -> None:
    assert catalog.api.get(f"{ARTIFACTS}/42/download").status_code == 400
    assert catalog.api.get(f"{ARTIFACTS}/{uuid.uuid4()}/download").status_code == 404


def test_a_description_can_be_changed_until_a_deployment_uses_the_artifact(catalog: Catalog) -> None:
    artifact_id = catalog.put("app", description="old")
    before = catalog.get(f"{ARTIFACTS}/{artifact_id}")

    assert catalog.api.put(f"{ARTIFACTS}/{artifact_id}", json={"description": "new", "name": "x"}).status_code == 204

    after = catalog.get(f"{ARTIFACTS}/{artifact_id}")
    assert times.read(after["modified"]) > times.read(before["modified"])
    assert after == before | {"description": "new", "modified": after["modified"]}
    assert catalog.get(f"{V2}/deployments/releases/app")["modified"] == after["modified"]
    assert catalog.api.put(f"{ARTIFACTS}/{artifact_id}", json={"description": "x" * 4097}).status_code == 400
    assert catalog.api.put(f"{ARTIFACTS}/{artifact_id}", json={"description": 5}).status_code == 400
    assert catalog.api.put(f"{ARTIFACTS}/{artifact_id}").status_code == 400

    commit(catalog, service.hold, "app")
    commit(catalog, service.let_go, "app")
    used = catalog.api.put(f"{ARTIFACTS}/{artifact_id}", json={"description": "late"})
    assert (used.status_code, used.json()["error"]) == (422, "Image has already been used in deployment")


def test_an_artifact_in_an_unfinished_deployment_cannot_be_deleted(catalog: Catalog) -> None:
    artifact_id = catalog.put("app")
    commit(catalog, service.hold, "app")
    commit(catalog, service.hold, "app")
    commit(catalog, service.let_go, "app")

    refused = catalog.api.delete(f"{ARTIFACTS}/{artifact_id}")

    assert (refused.status_code, refused.json()["error"]) == (409, "Artifact is used in active deployment")
    assert len(catalog.objects()) == 1
    commit(catalog, service.let_go, "app")
    assert catalog.api.delete(f"{ARTIFACTS}/{artifact_id}").status_code == 204
    assert catalog.api.delete(f"{ARTIFACTS}/{artifact_id}").status_code == 404
    assert (catalog.objects(), catalog.rows(), catalog.usage()) == (set(), [], 0)


def test_only_existing_releases_can_be_used(catalog: Catalog) -> None:
    with pytest.raises(ConditionFailed) as failure:
        commit(catalog, service.hold, "nothing")

    assert list(failure.value.failed) == ["release"]


def test_candidates_have_the_members_that_a_deployment_needs(catalog: Catalog) -> None:
    first = catalog.put("app", ("pi", "bbb"), depends={"slot": "a", "region": ["eu", "us"]})
    assert [one.id for one in service.candidates(catalog.tenant, "app")] == [first]
    second = catalog.put("app", ("x86",), payload=b"larger" * 100)

    one, other = service.candidates(catalog.tenant, "app")

    assert (one.id, one.name, one.device_types) == (first, "app", ("pi", "bbb"))
    assert one.depends == {"slot": ("a",), "region": ("eu", "us")}
    assert (other.id, other.depends, other.types) == (second, {}, ("single-file",))
    shown = service.shown(catalog.tenant, [first, second, str(uuid.uuid4()), first])
    assert {artifact_id: artifact.size for artifact_id, artifact in shown.items()} == {
        first: one.size,
        second: other.size,
    }
    assert service.candidates(catalog.tenant, "nothing") == ()
    catalog.api.delete(f"{ARTIFACTS}/{first}")
    assert [each.id for each in service.candidates(catalog.tenant, "app")] == [second], "own writes are visible at once"


def test_a_download_link_is_valid_for_15_minutes(catalog: Catalog) -> None:
    data = build_artifact("größe 1", ["pi"])
    location = catalog.send(data).headers["Location"]

    link = catalog.get(f"{location}/download")

    assert sorted(link) == ["expire", "header", "method", "uri"]
    assert link["method"] == "GET"
    answer = httpx2.get(link["uri"])
    assert answer.content == data
    assert answer.headers["Content-Type"] == "application/vnd.mender-artifact"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"gr__e 1.mender\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.mender"
    )
    part = httpx2.get(link["uri"], headers={"Range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, data[100:])
    assert httpx2.get(link["uri"], headers={"Range": f"bytes={len(data)}-"}).status_code == 416
    for method in ("PUT", "DELETE"):
        assert httpx2.request(method, link["uri"]).status_code in {403, 405}


def test_a_link_is_valid_for_its_object_and_tenant_only(catalog: Catalog) -> None:
    catalog.put("app")
    (candidate,) = service.candidates(catalog.tenant, "app")
    uri = service.device_link(catalog.tenant, candidate).uri

    assert httpx2.get(uri).status_code == 200
    assert httpx2.get(uri.replace(candidate.id, str(uuid.uuid4()))).status_code == 403
    with pytest.raises(RuntimeError):
        service.device_link(TenantId("somebody"), candidate)
    with pytest.raises(RuntimeError):
        service.device_link(catalog.tenant, replace(candidate, key="somebody/artifacts/x"))


def test_only_storage_limits_the_number_of_artifacts(catalog: Catalog) -> None:
    assert catalog.get(f"{V1}/limits/storage") == {"limit": 0, "usage": 0}
    assert catalog.api.get(f"{V1}/limits/devices").status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ARTIFACTS),
        ("POST", ARTIFACTS),
        ("GET", LIST),
        ("POST", f"{ARTIFACTS}/directupload"),
        ("POST", f"{ARTIFACTS}/directupload/{uuid.UUID(int=1)}/complete"),
        ("GET", f"{ARTIFACTS}/{uuid.UUID(int=1)}"),
        ("PUT", f"{ARTIFACTS}/{uuid.UUID(int=1)}"),
        ("DELETE", f"{ARTIFACTS}/{uuid.UUID(int=1)}"),
        ("GET", f"{ARTIFACTS}/{uuid.UUID(int=1)}/download"),
        ("GET", f"{V1}/limits/storage"),
        ("GET", f"{V1}/deployments/releases"),
        ("GET", f"{V1}/deployments/releases/list"),
        ("GET", f"{V2}/artifacts"),
        ("GET", f"{V2}/deployments/releases"),
        ("DELETE", f"{V2}/deployments/releases?name=x"),
        ("GET", f"{V2}/deployments/releases/x"),
        ("PATCH", f"{V2}/deployments/releases/x"),
        ("PUT", f"{V2}/deployments/releases/x/tags"),
        ("GET", f"{V2}/releases/all/tags"),
        ("GET", f"{V2}/releases/all/types"),
    ],
)
def test_requests_without_a_token_get_401(http: httpx2.Client, method: str, path: str) -> None:
    assert http.request(method, path).status_code == 401
