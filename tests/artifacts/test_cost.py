"""What calls cost in DynamoDB, without the check of the user's session."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.artifacts import service
from tests.artifacts.catalog import ARTIFACTS, RELEASES, V1, V2, Catalog
from tests.simulator.artifacts import build_artifact
from tests.support import probe

pytestmark = pytest.mark.usefixtures("warm")

SESSION = 1
"""Round trips for checking the session."""
SESSION_UNITS = 2
"""Read units for it: the token and the user's permissions are read together."""


def cost(catalog: Catalog, path: str, **query: Any) -> probe.Cost:
    """The cost of a call in a warm process."""
    catalog.get(path, **query)
    with probe.counted() as counted:
        catalog.get(path, **query)
    return counted


@pytest.fixture
def stocked(catalog: Catalog) -> Catalog:
    """A tenant with more than a page of releases, each of one artifact."""
    for number in range(45):
        service.upload(catalog.tenant, {"description": "x" * 40}, [build_artifact(f"app-{number:02}", ["pi", "bbb"])])
    return catalog


def test_a_page_of_20_costs_two_round_trips_and_four_units(stocked: Catalog) -> None:
    for path in (f"{ARTIFACTS}/list", f"{V2}/artifacts", RELEASES, f"{V1}/deployments/releases/list"):
        spent = cost(stocked, path)

        assert spent.round_trips - SESSION <= 2, (path, spent)
        assert spent.read_units - SESSION_UNITS <= 4, (path, spent)
        assert spent.write_units == 0


def test_other_pages_cost_at_most_three_round_trips(stocked: Catalog) -> None:
    assert cost(stocked, RELEASES, sort="name:desc").round_trips - SESSION == 3
    assert cost(stocked, f"{ARTIFACTS}/list", page=3, sort="name:desc").round_trips - SESSION == 2
    assert cost(stocked, f"{V2}/artifacts", name="app-1*", per_page=5).round_trips - SESSION == 1
    assert cost(stocked, f"{V2}/artifacts", name="app-11").round_trips - SESSION == 2
    assert cost(stocked, f"{RELEASES}/app-11").round_trips - SESSION == 2
    assert cost(stocked, ARTIFACTS).round_trips - SESSION == 1


def test_one_artifact_costs_one_read(catalog: Catalog) -> None:
    artifact_id = catalog.put("app")

    for path in (f"{ARTIFACTS}/{artifact_id}", f"{ARTIFACTS}/{artifact_id}/download", f"{V1}/limits/storage"):
        spent = cost(catalog, path)
        assert (spent.round_trips - SESSION, spent.read_units - SESSION_UNITS) == (1, 1)


def test_a_warm_process_caches_candidates(catalog: Catalog) -> None:
    catalog.put("app")
    with probe.counted() as first:
        (candidate,) = service.candidates(catalog.tenant, "app")
    with probe.counted() as again:
        service.candidates(catalog.tenant, "app")
        service.device_link(catalog.tenant, candidate)
    with probe.counted() as fresh:
        service.candidates(catalog.tenant, "app", fresh=True)

    assert (first.calls, first.read_units) == (["GetItem"], 1)
    assert again.calls == []
    assert fresh.calls == ["GetItem"]


def test_artifacts_of_100_ids_cost_one_round_trip(stocked: Catalog) -> None:
    ids = [row["id"] for row in stocked.get(ARTIFACTS)]
    with probe.counted() as spent:
        assert len(service.shown(stocked.tenant, ids)) == 45
    assert spent.calls == ["BatchGetItem"]


def test_the_cost_of_an_upload_does_not_grow_with_the_number_of_artifacts(stocked: Catalog) -> None:
    with probe.counted() as spent:
        service.upload(stocked.tenant, {}, [build_artifact("one-more", ["pi"])])

    assert spent.calls == ["PutItem", "GetItem", "GetItem", "GetItem", "TransactWriteItems"]
