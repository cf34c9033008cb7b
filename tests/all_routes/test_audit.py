"""On every route, a user's change writes exactly one audit entry, and a call that changes nothing writes none.

New routes are called with the ids and the body that ``tenants.py`` has for them (``BODIES``). Where these are not
enough for a successful change, ``CASES`` prepares one. A route without an entry is listed with the reason in
``SILENT`` or ``ELSEWHERE``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.all_routes.changes import CASES, Values
from tests.all_routes.silent import ELSEWHERE, SILENT
from tests.all_routes.table import Route
from tests.all_routes.tenants import BODIES, Tenant

if TYPE_CHECKING:
    pass

LOGS = "/api/management/v1/auditlogs/logs"


def attempts(mine: Tenant, route: Route) -> list[tuple[Values, dict[str, Any]]]:
    """Calls of a route, at least one of which should succeed."""
    if route.name in CASES:
        return [CASES[route.name](mine)]
    body = {"json": BODIES[route.name]} if route.name in BODIES else {}
    return [(values, body) for values in mine.values(route.spec.path)]


def entries(mine: Tenant) -> int:
    answer = mine.world.api.get(LOGS, params={"per_page": 1})
    assert answer.status_code == 200, answer.text
    return int(answer.headers["X-Total-Count"])


def problem_of(mine: Tenant, route: Route) -> str | None:
    """The error in the audit entries of a route; None if they are correct."""
    told = []
    for values, more in attempts(mine, route):
        before = entries(mine)
        answer = mine.world.api.request(route.spec.method, route.uri(values), **more)
        added = entries(mine) - before
        if answer.is_success and added == 1:
            return None
        told.append(f"{answer.status_code} {answer.text[:100]}, {added} entries")
        if added:
            break
    return f"{route.name}: {told}"


def test_a_change_writes_one_entry(mine: Tenant, changing: list[Route]):
    exempt = SILENT.keys() | ELSEWHERE.keys()

    wrong = [told for route in changing if route.name not in exempt and (told := problem_of(mine, route))]

    assert not wrong, "\n".join(wrong)


def test_a_refused_call_writes_no_entry(mine: Tenant, changing: list[Route]):
    wrong = []
    for route in changing:
        if route.spec.path.endswith("/logout"):
            continue
        for body in (..., {"unexpected": 1}, [[1], None]):
            before = entries(mine)
            answer = route.call(mine.world.api, body=body)
            added = entries(mine) - before
            if added and not answer.is_success:
                wrong.append(f"{route.name} {body}: {answer.status_code}, {added} entries")
    assert wrong == []


def test_exceptions_are_of_existing_routes(changing: list[Route]):
    assert SILENT.keys() | ELSEWHERE.keys() | CASES.keys() <= {route.name for route in changing}
