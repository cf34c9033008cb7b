"""Pages by cursors: the same rows as pages by number, for the same price at any depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.tenantadm import service
from tests.deployments.many import plans
from tests.deployments.world import DEPLOYMENTS
from tests.support.links import relations
from tests.support.probe import Cost, counted

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn

V2 = DEPLOYMENTS.replace("v1", "v2")
HISTORY = f"{DEPLOYMENTS}/devices/device"
LISTS: list[tuple[str, dict[str, Any]]] = [
    (DEPLOYMENTS, {}),
    (V2, {}),
    (DEPLOYMENTS, {"sort": "asc"}),
    (DEPLOYMENTS, {"status": "finished"}),
    (V2, {"status": "aborted", "sort": "asc"}),
    (HISTORY, {}),
]


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()]


@pytest.mark.parametrize(("path", "query"), LISTS)
def test_links_lead_to_the_pages_with_these_numbers(
    api: httpx2.Client, tenant, path: str, query: dict[str, Any]
) -> None:
    plans(tenant.id, 11, opened=2)
    by_number = [api.get(path, params={**query, "per_page": 3, "page": number}) for number in range(1, 5)]
    assert len({each for answer in by_number for each in ids(answer)}) >= 9

    answers = [by_number[0]]
    while link := relations(answers[-1]).get("next"):
        answers.append(api.get(link))
    assert list(map(ids, answers)) == [ids(answer) for answer in by_number if ids(answer)]
    for number, answer in enumerate(answers, 1):
        assert answer.headers["X-Total-Count"] == by_number[0].headers["X-Total-Count"]
        assert ("cursor=" in str(answer.request.url)) == (number > 1)

    back = [answers[-1]]
    while link := relations(back[-1]).get("prev"):
        back.append(api.get(link))
    assert list(map(ids, back)) == list(map(ids, reversed(answers)))


def test_rows_that_are_added_meanwhile_do_not_move_the_others(api: httpx2.Client, tenant) -> None:
    plans(tenant.id, 7)
    first = api.get(DEPLOYMENTS, params={"per_page": 3})
    second = api.get(relations(first)["next"])
    plans(tenant.id, 4)
    third = api.get(relations(second)["next"])

    assert [row["name"] for answer in (first, second, third) for row in answer.json()] == [
        f"rollout {number}" for number in range(6, -1, -1)
    ]
    end = api.get(relations(third)["next"])
    assert (ids(end), "next" in relations(end), end.headers["X-Total-Count"]) == ([], False, "11")
    assert ids(api.get(relations(second)["prev"])) == ids(api.get(DEPLOYMENTS, params={"per_page": 3}))


def test_cursors_are_for_one_list_of_one_tenant(api: httpx2.Client, tenant, sign_in: SignIn) -> None:
    plans(tenant.id, 7)
    cursor = relations(api.get(DEPLOYMENTS, params={"per_page": 3}))["next"].split("cursor=")[1].split("&")[0]
    assert len(ids(api.get(DEPLOYMENTS, params={"cursor": cursor, "per_page": 2}))) == 2

    def refused(client: httpx2.Client, path: str, **query: str) -> None:
        answer = client.get(path, params={"cursor": cursor, **query})
        assert (answer.status_code, answer.json()["error"][:28]) == (400, "cursor: not one of this list")

    refused(api, V2)
    refused(api, HISTORY)
    refused(api, DEPLOYMENTS, sort="asc")
    refused(api, DEPLOYMENTS, cursor=cursor[:-1])
    refused(api, DEPLOYMENTS, cursor="%")
    refused(sign_in(service.create_tenant("Other")), DEPLOYMENTS)


@pytest.mark.parametrize("path", [DEPLOYMENTS, HISTORY])
def test_a_page_costs_the_same_at_any_depth(api: httpx2.Client, tenant, path: str) -> None:
    def pages() -> list[Cost]:
        costs: list[Cost] = []
        link = f"{path}?per_page=5"
        while link:
            with counted() as cost:
                answer = api.get(link)
            costs.append(cost)
            link = relations(answer).get("next", "")
        return costs

    plans(tenant.id, 10)
    few = pages()
    plans(tenant.id, 90)
    many = pages()

    assert (len(few), len(many)) == (2, 20)
    assert {(tuple(cost.calls), cost.read_units) for cost in many[1:]} == {(tuple(few[1].calls), few[1].read_units)}
