"""What calls cost in DynamoDB, the check of the user's session left out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.artifacts.shelf import ARTIFACTS, RELEASES, V1, V2, Shelf
from tests.simulator.artifacts import build_artifact
from tests.support import probe

pytestmark = pytest.mark.usefixtures("warm")

SESSION = 1
"""Round trips of checking the session."""
SESSION_UNITS = 2
"""Read units of it: the token and the user's rights, read together."""


def cost(shelf: Shelf, path: str, **query: Any) -> probe.Cost:
    """What a call costs a warm process."""
    shelf.get(path, **query)
    with probe.counted() as counted:
        shelf.get(path, **query)
    return counted


@pytest.fixture
def stocked(shelf: Shelf) -> Shelf:
    """A tenant with more than a page of releases, each of one artifact."""
    from chalicelib.artifacts import service

    for number in range(45):
        service.upload(shelf.tenant, {"description": "x" * 40}, [build_artifact(f"app-{number:02}", ["pi", "bbb"])])
    return shelf


def test_a_page_of_20_costs_two_round_trips_and_four_units(stocked: Shelf) -> None:
    for path in (f"{ARTIFACTS}/list", f"{V2}/artifacts", RELEASES, f"{V1}/deployments/releases/list"):
        spent = cost(stocked, path)

        assert spent.round_trips - SESSION <= 2, (path, spent)
        assert spent.read_units - SESSION_UNITS <= 4, (path, spent)
        assert spent.write_units == 0


def test_what_else_a_page_costs(stocked: Shelf) -> None:
    assert cost(stocked, RELEASES, sort="name:desc").round_trips - SESSION == 3
    assert cost(stocked, f"{ARTIFACTS}/list", page=3, sort="name:desc").round_trips - SESSION == 2
    assert cost(stocked, f"{V2}/artifacts", name="app-1*", per_page=5).round_trips - SESSION == 1
    assert cost(stocked, f"{V2}/artifacts", name="app-11").round_trips - SESSION == 2
    assert cost(stocked, f"{RELEASES}/app-11").round_trips - SESSION == 2
    assert cost(stocked, ARTIFACTS).round_trips - SESSION == 1


def test_one_artifact_costs_one_read(shelf: Shelf) -> None:
    artifact_id = shelf.put("app")

    for path in (f"{ARTIFACTS}/{artifact_id}", f"{ARTIFACTS}/{artifact_id}/download", f"{V1}/limits/storage"):
        spent = cost(shelf, path)
        assert (spent.round_trips - SESSION, spent.read_units - SESSION_UNITS) == (1, 1)


def test_a_warm_process_reads_candidates_once(shelf: Shelf) -> None:
    from chalicelib.artifacts import service

    shelf.put("app")
    with probe.counted() as first:
        (candidate,) = service.candidates(shelf.tenant, "app")
    with probe.counted() as again:
        service.candidates(shelf.tenant, "app")
        service.device_link(shelf.tenant, candidate)
    with probe.counted() as fresh:
        service.candidates(shelf.tenant, "app", fresh=True)

    assert (first.calls, first.read_units) == (["GetItem"], 1)
    assert again.calls == []
    assert fresh.calls == ["GetItem"]


def test_artifacts_of_100_ids_are_one_round_trip(stocked: Shelf) -> None:
    from chalicelib.artifacts import service

    ids = [row["id"] for row in stocked.get(ARTIFACTS)]
    with probe.counted() as spent:
        assert len(service.shown(stocked.tenant, ids)) == 45
    assert spent.calls == ["BatchGetItem"]


def test_an_upload_does_not_grow_with_what_there_is(stocked: Shelf) -> None:
    from chalicelib.artifacts import service

    with probe.counted() as spent:
        service.upload(stocked.tenant, {}, [build_artifact("one-more", ["pi"])])

    assert spent.calls == ["PutItem", "GetItem", "GetItem", "GetItem", "TransactWriteItems"]
