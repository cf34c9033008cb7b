"""Lists by name, type and time: summaries of older deployments are read in blocks, with the same result."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib import clock
from chalicelib.deployments.rules import summaries as rules
from chalicelib.deployments.rules.deployment import Approval, Deployment, Person, Plan, Preparing
from chalicelib.deployments.service import managing
from chalicelib.deployments.service.operators import summaries
from chalicelib.deployments.tables import deployments
from chalicelib.deployments.tables import summaries as table
from tests.deployments.many import START, plans
from tests.deployments.world import DEPLOYMENTS
from tests.support.links import relations
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import SignIn

V2 = DEPLOYMENTS.replace("v1", "v2")


def named(api: httpx2.Client, **query: Any) -> list[str]:
    """The names of a list, page by page."""
    found: list[str] = []
    answer = api.get(V2, params={"per_page": 7, **query})
    while True:
        assert answer.status_code == 200, answer.text
        found += [row["name"] for row in answer.json()]
        link = relations(answer).get("next")
        if link is None:
            assert answer.headers["x-total-count"] == str(len(found))
            return found
        answer = api.get(link)


@pytest.mark.parametrize("known", [True, False], ids=["warm", "cold"])
def test_searches_find_the_same_in_blocks_and_outside_of_them(api: httpx2.Client, tenant, known: bool) -> None:
    made = [plan.name for plan in plans(tenant.id, 2 * rules.SIZE + 13, opened=3)]
    after = int((START + timedelta(minutes=40)).timestamp())
    queries: list[tuple[dict[str, Any], list[str]]] = [
        ({"name": "rollout"}, made),
        ({"name": "LOUT 1 nothing"}, made),
        ({"name": ["99", "4"]}, [name for name in made if "99" in name or "4" in name]),
        ({"name": "rollout", "status": "finished"}, made[:-3]),
        ({"name": "99", "status": "finished"}, made[99:100]),
        ({"name": "112", "status": "finished"}, []),
        ({"name": "112", "status": ["finished", "pending"]}, made[112:]),
        ({"name": "112", "status": "pending"}, made[112:]),
        ({"created_after": after, "created_before": after + 60}, made[40:42]),
        ({"type": "configuration"}, []),
        ({"name": " "}, []),
        ({"name": "release"}, made),
    ]
    for _ in range(2):
        for query, expected in queries:
            assert named(api, sort="asc", **query) == expected
            assert named(api, **query) == expected[::-1]
            if not known:
                summaries._known.clear()
    assert len(table.read(tenant.id, None)) == 2


def test_names_that_are_most_like_the_searched_text_come_first(api: httpx2.Client, tenant) -> None:
    """The named ones are the oldest: by time alone they come last."""
    plans(tenant.id, 2, named="Winter release {} of gateways")
    plans(tenant.id, 1, named="winter")
    plans(tenant.id, 1, named="The winter release")
    plans(tenant.id, rules.SIZE, named="release {}")
    whole = ["Winter release 1 of gateways", "Winter release 0 of gateways"]
    for _ in range(2):
        found = named(api, name=" winter RELEASE", sort="match")
        assert found[:4] == [*whole, "The winter release", "winter"]
        assert found[4:] == [f"release {number}" for number in reversed(range(rules.SIZE))]
        assert named(api, name="winter", sort="match")[0] == "winter"
        assert named(api, name="gateways 0", sort="match")[0] == "Winter release 0 of gateways"
        ended = named(api, name="winter", sort="match", status=["finished", "inprogress"])
        assert ended == ["winter", *whole, "The winter release"]
        assert named(api, sort="match") == named(api)
    refused = api.get(V2, params={"sort": "name"})
    assert (refused.status_code, refused.json()["error"]) == (400, "sort: must be asc or desc or match, not name")


def test_a_process_makes_a_block_once(api: httpx2.Client, tenant) -> None:
    plans(tenant.id, rules.SIZE + 20)
    named(api, name="nothing")
    with counted() as cost:
        assert named(api, name="nothing") == []
        assert named(api, name="49") == ["rollout 49"]
    assert "BatchWriteItem" not in cost.calls
    with counted() as first:
        summaries._known.clear()
        assert named(api, name="69") == ["rollout 69"]
    assert "BatchWriteItem" not in first.calls


def test_a_search_without_a_hit_costs_the_same_with_many_deployments(api: httpx2.Client, tenant) -> None:
    costs = []
    for number in (rules.SIZE + 7, 9 * rules.SIZE):
        plans(tenant.id, number)
        # The first one makes blocks, another one reads them.
        for _ in range(2):
            named(api, name="nothing")
            summaries._known.clear()
        assert named(api, name="nothing") == []
        with counted() as warm:
            assert named(api, name="nothing") == []
        costs.append((warm.calls, warm.read_units))
    assert costs[0] == costs[1]
    assert costs[0][0] == ["BatchGetItem", "Query"]
    summaries._known.clear()
    with counted() as cold:
        assert named(api, name="nothing") == []
    # 507 deployments; their rows take 50 units.
    assert (cold.calls, cold.read_units <= 2 + 5 + 2) == (["BatchGetItem", "Query", "Query"], True)


def test_new_deployments_are_found_at_once(api: httpx2.Client, tenant) -> None:
    plans(tenant.id, rules.SIZE)
    named(api, name="nothing")
    assert len(table.read(tenant.id, None)) == 1
    plans(tenant.id, 3 * rules.SIZE)
    # The process has not read the blocks that another one makes meanwhile.
    table.put(tenant.id, rules.complete_blocks(deployments.after(tenant.id, None), clock.now()))
    assert named(api, name="149") == ["rollout 149"]
    assert len(named(api, name="rollout")) == 4 * rules.SIZE


def test_users_with_a_scope_find_what_they_may_see(api: httpx2.Client, tenant, sign_in: SignIn) -> None:
    plans(tenant.id, 3 * rules.SIZE)
    plans(tenant.id, 1, groups=["g"])
    plans(tenant.id, rules.SIZE - 1)
    named(api, name="nothing")
    role = {
        "name": "viewer",
        "permission_sets_with_scope": [
            {"name": "DeployToDevices", "scope": {"type": "DeviceGroups", "value": ["g"]}},
        ],
    }
    assert api.post("/api/management/v2/useradm/roles", json=role).status_code == 201
    confined = sign_in(tenant, "viewer")
    assert named(confined, name="7") == []
    assert named(confined, name="0") == named(confined, name="rollout") == named(confined) == ["rollout 0"]
    assert named(confined, name="0", status="finished") == ["rollout 0"]
    assert named(confined, name="0", status="pending") == []


def test_a_removed_tenant_has_no_blocks(api: httpx2.Client, tenant) -> None:
    plans(tenant.id, rules.SIZE)
    named(api, name="nothing")
    assert table.read(tenant.id, None) != []
    managing.erase(tenant.id)
    assert table.read(tenant.id, None) == []


@st.composite
def later(draw: st.DrawFn) -> Sequence[Deployment]:
    """Deployments by number: small ones, and large ones, some of which are being prepared."""
    found, minutes = [], 0
    for number in range(draw(st.integers(0, 160))):
        minutes += draw(st.sampled_from([0, 1, 2]))
        large = draw(st.sampled_from([False] * 9 + [True]))
        plan = Plan(
            id=str(number),
            name="",
            artifact_name="",
            sequence=number,
            created=START + timedelta(minutes=0 if large else minutes),
            size=1,
            parts=256 if large else 0,
            filter={},
            lock="",
        )
        wait = Preparing(group=None, expected=1, phases=None, uniform_phases=None)
        is_waiting = large and draw(st.sampled_from([False] * 5 + [True]))
        asked = Approval(requested_by=Person("someone"), expires=plan.created)
        approval = draw(st.sampled_from([None] * 8 + [asked, replace(asked, state="approved")]))
        found.append(
            Deployment(
                plan=plan,
                preparing=wait if is_waiting else None,
                approval=approval,
                finished=draw(st.sampled_from([None, plan.created])),
            )
        )
    return found


@given(later(), st.integers(0, 400))
def test_blocks_are_of_settled_deployments(found: Sequence[Deployment], minutes: int) -> None:
    now = START + timedelta(minutes=minutes)
    blocks = rules.complete_blocks(found, now)

    packed = [each for block in blocks for each in block]
    assert packed == list(found[: len(packed)])
    assert {len(block) for block in blocks} <= {rules.SIZE}
    for at, each in enumerate(packed):
        assert not each.is_hidden
        # Its number was taken at least an hour ago, since that of a small one from then, which got its number when it
        # was created, is not smaller.
        numbered = [other for other in found[at:] if not other.plan.parts and other.approval is None]
        assert any(now - other.plan.created >= timedelta(hours=1) for other in numbered)
    # Whatever is visible later makes the same blocks first.
    assert rules.complete_blocks(found, now + timedelta(hours=1))[: len(blocks)] == blocks
