"""The cost estimate of the API has the figures of the model; only users who manage the settings see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from chalicelib.cost import rules
from chalicelib.cost.rules import Fleet

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

COST = "/api/management/v1/console/cost"


def test_the_figures_are_those_of_the_model(api: httpx2.Client) -> None:
    levers = {"devices": 10_000, "poll": 600, "report": 3600, "updates": 0.5, "artifact": 20, "connected": 100}
    answer = api.get(COST, params=levers)

    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    fleet = Fleet(10_000, poll=600, report=3600, updates=0.5, artifact=20, connected=100)
    assert (found["region"], found["date"], found["levers"]) == (rules.REGION, rules.DATE, levers)
    assert found["requests"] == pytest.approx(fleet.requests, abs=1)
    assert [each["gateway"] for each in found["bills"]] == list(rules.GATEWAYS)
    for each in found["bills"]:
        expected = rules.bill(fleet, each["gateway"])
        assert each["dollars"] == pytest.approx(expected.total, abs=0.01)
        assert {part["name"] for part in each["parts"]} == set(expected.parts)
        assert sum(part["dollars"] for part in each["parts"]) == pytest.approx(each["dollars"], abs=0.1)
        assert [saving["lever"] for saving in each["savings"]] == [
            saving.lever for saving in rules.savings(fleet, each["gateway"])
        ]


def test_updates_alone_cost_what_they_add_to_a_month() -> None:
    for artifact in (0, 50):
        fleet = Fleet(1000, artifact=artifact)
        added = rules.bill(fleet).total - rules.bill(replace(fleet, updates=0)).total
        # The month counts the bytes of answers too.
        assert rules.updates(1000, 1000 * artifact / 1000).total == pytest.approx(added, rel=0.05)


def test_missing_parameters_have_default_values(api: httpx2.Client) -> None:
    found = api.get(COST).json()

    assert found["levers"] == {
        "devices": 1000,
        "poll": 1800,
        "report": 86_400,
        "updates": 1,
        "artifact": 0,
        "connected": 0,
    }
    assert api.get(COST, params={"devices": 5, "connected": 6}).json()["levers"]["connected"] == 5


@pytest.mark.parametrize(
    "query",
    [
        {"devices": 0},
        {"devices": -1},
        {"devices": 10**9},
        {"devices": "many"},
        {"poll": 0},
        {"poll": 4.9},
        {"poll": "NaN"},
        {"poll": "1e3"},
        {"report": 10**8},
        {"updates": "inf"},
        {"artifact": "1,5"},
        {"connected": "9" * 400},
    ],
    ids=str,
)
def test_invalid_numbers_are_refused(api: httpx2.Client, query: dict[str, Any]) -> None:
    refused = api.get(COST, params=query)

    assert refused.status_code == 400
    assert refused.json()["error"].startswith(f"{next(iter(query))}: must be a number from ")


def test_only_users_who_manage_the_settings_see_the_estimate(sign_in: SignIn, tenant: Tenant) -> None:
    assert sign_in(tenant, "RBAC_ROLE_OBSERVER").get(COST).status_code == 403
