"""Promises F1 and F3 of every route that changes something: a call and the same again have one effect between them.

The first one's answer is lost, at each of its writes, or it arrives. A new route is found by this walk, which comes to
a change as ``test_audit.py`` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.support.crashes import WRITES, PowerCutError, power_cut
from tests.walk.changes import ELSEWHERE, SILENT
from tests.walk.test_audit import attempts, changing, entries, mine

if TYPE_CHECKING:
    import httpx2

    from tests.walk.table import Route
    from tests.walk.tenants import Tenant

__all__ = ["changing", "mine"]

M1, M2 = "/management/v1", "/management/v2"

SETS = {
    f"POST {M1}/useradm/settings": "the whole document",
    f"POST {M1}/useradm/users/{{id}}/assign": "all tenants of a user",
    f"POST {M2}/tenantadm/tenants/{{id}}/plan": "the plan that is wanted",
}
"""Routes that say what something is to be, by another verb than ``PUT``: as often as one likes."""

TWICE = {
    f"POST {M1}/deviceconfig/configurations/device/{{id}}/deploy": "the same again is another deployment, as at Mender"
}
"""Routes by which each call is a change of its own; why."""


def losses(mine: Tenant, route: Route) -> Iterator[str]:
    """What is wrong with a route whose process dies after a write, for each of its writes, and then after none."""
    for number in range(1, 10):
        for values, more in attempts(mine, route):
            before = entries(mine)

            def call(values: dict[str, str] = values, more: dict[str, Any] = more) -> httpx2.Response:
                return mine.world.api.request(route.spec.method, route.uri(values), **more)

            with power_cut(number, answered=True, of=WRITES) as cut, suppress(PowerCutError):
                first = call()
            again = call()
            added = entries(mine) - before
            if cut.happened or first.is_success:
                told = f"{route.name}, write {number}: {again.status_code} {again.text[:200]}, {added} entries"
                break
        else:
            yield f"{route.name}: no attempt worked"
            return
        most = 2 if route.spec.method != "POST" or route.name in SETS else 1
        if again.status_code >= 500 or added > most:
            yield told
        if not cut.happened:
            return


def test_a_lost_answer_and_a_call_sent_again_have_one_effect(mine: Tenant, changing: list[Route]):
    exempt = SILENT.keys() | ELSEWHERE.keys() | TWICE.keys()

    wrong = [told for route in changing if route.name not in exempt for told in losses(mine, route)]

    assert not wrong, "\n".join(wrong)


def test_every_reason_has_its_route(changing: list[Route]):
    assert SETS.keys() | TWICE.keys() <= {route.name for route in changing}
