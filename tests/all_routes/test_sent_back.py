"""Promise T5 of every thing that is shown and written at one place: what is shown can be sent back, and sets no more.

A new pair of routes is found by this walk; it needs an id in ``Tenant.values`` and a body, as for the other walks.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx2

from chalicelib.http.identity import Auth
from tests.all_routes.changes import CASES, Values
from tests.all_routes.table import Route, routes
from tests.all_routes.tenants import BODIES, Tenant

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

M1, M2 = "/management/v1", "/management/v2"
ELSEWHERE = {
    f"PUT {M1}/deviceconfig/configurations/device/{{id}}": "it takes texts by their names, and shows more",
    f"PATCH {M1}/inventory/groups/{{name}}/devices": "ids alone",
    f"PUT {M1}/iot-manager/devices/{{deviceId}}/state/{{integrationId}}": "there are none",
    f"POST {M1}/deployments/artifacts": "a file",
    f"POST {M1}/useradm/settings": "any document, for whoever wrote it",
    f"POST {M1}/useradm/settings/me": "the same",
    f"POST {M1}/useradm/sso/idp/metadata": "asks an identity provider: tests/useradm/test_sso_settings.py",
    f"PUT {M1}/useradm/sso/idp/metadata/{{id}}": "the same",
}
"""Routes of which no document is sent back; why."""

WRITTEN = {
    f"POST {M1}/iot-manager/integrations": {"description"},
    f"POST {M2}/deployments/deployments": {"max_devices"},
    f"POST {M2}/useradm/permission_sets": {"action", "object", "description"},
    f"PUT {M2}/tenantadm/settings": {"audit_days", "pending_devices"},
    f"PUT {M2}/useradm/permission_sets/{{id}}": {"action", "object"},
}
"""What may be written beside what is in the bodies of the other walks."""

CLOCKS = {"modified", "updated_ts", "version"}
"""Members that say that something was written."""


def forged(value: Any) -> Any:
    """Another value of the same kind, that means something wherever anything would be done with it."""
    if isinstance(value, list):
        return [forged(each) for each in value[:1]]
    if isinstance(value, dict):
        return {name: forged(each) for name, each in value.items()}
    if isinstance(value, str):
        of_time, of_id = re.match(r"\d{4}(-\d\d-\d\dT.*)", value), re.fullmatch(r"[0-9a-f-]{36}", value)
        return f"2001{of_time[1]}" if of_time else str(uuid.uuid4()) if of_id else "forged"
    return not value if isinstance(value, bool) else (value or 0) + 1


def pairs(server: LocalServer) -> Iterator[tuple[Route, Route]]:
    """What shows a thing, and what writes it."""
    known = {route.name: route for route in routes(server.app) if route.spec.auth is Auth.USER}
    for route in known.values():
        shows = known.get(f"GET {route.spec.path}")
        if shows is not None and route.spec.method in {"PUT", "PATCH", "POST"}:
            yield shows, route


def ways(mine: Tenant, route: Route) -> Iterator[tuple[Values, Any]]:
    if route.name in CASES:
        values, more = CASES[route.name](mine)
        yield values, more.get("json")
    elif route.name in BODIES:
        for values in mine.values(route.spec.path):
            yield values, BODIES[route.name]


def changes(mine: Tenant, shows: Route, writes: Route) -> Iterator[str]:
    """What a document that is sent back changed, beside what the body of the other walks is for."""
    for values, body in ways(mine, writes):
        shown = mine.world.api.get(shows.uri(values))
        if not shown.is_success or not isinstance(shown.json(), dict):
            continue
        before = shown.json()
        same = mine.world.api.request(writes.spec.method, writes.uri(values), json=before | body)
        if not same.is_success:
            yield f"{writes.name} refuses what is shown: {same.status_code} {same.text}"
        before = mine.world.api.get(shows.uri(values)).json()
        answer = mine.world.api.request(writes.spec.method, writes.uri(values), json=forged(before) | body)
        after = mine.world.api.get(shows.uri(values)).json()
        told = (
            {name for name in before | after if before.get(name) != after.get(name)}
            - body.keys()
            - CLOCKS
            - WRITTEN.get(writes.name, set())
        )
        if told or answer.status_code >= 500:
            yield f"{writes.name}: {answer.status_code} {answer.text} {sorted(told)}"
        return
    yield f"{writes.name}: nothing is shown"


def creations(mine: Tenant, shows: Route, writes: Route) -> Iterator[str]:
    """What a new thing took from a document of an old one, beside what the body of the other walks is for."""

    def created(more: dict[str, Any]) -> tuple[httpx2.Response, Any]:
        [(values, body)] = ways(mine, writes)
        before = mine.world.api.get(shows.uri(values), params={"per_page": 500}).json()
        answer = mine.world.api.request(writes.spec.method, writes.uri(values), json=more | body)
        after = mine.world.api.get(shows.uri(values), params={"per_page": 500}).json()
        new = [each for each in after if identity(each) not in map(identity, before)]
        return answer, new[0] if new else None

    def identity(shown: Any) -> Any:
        return shown.get("id", shown.get("name"))

    _, template = created({})
    if template is None:
        yield f"{writes.name}: nothing was created"
        return
    [(_, body)] = ways(mine, writes)
    other = {name: value for name, value in forged(template).items() if name not in body}
    tried = [(other, *created(other))]
    if tried[0][2] is None:
        # A member that is refused would hide what becomes of the others.
        tried = [(more, *created(more)) for more in ({name: value} for name, value in other.items())]
    for more, answer, new in tried:
        taken = {name for name, value in more.items() if new and value and new.get(name) == value}
        if taken - WRITTEN.get(writes.name, set()) or answer.status_code >= 500:
            yield f"{writes.name}: {answer.status_code} {answer.text} {sorted(taken)}"


def test_what_is_shown_can_be_sent_back_and_sets_no_more(server: LocalServer, mine: Tenant):
    wrong = [
        told
        for shows, writes in pairs(server)
        if writes.spec.method != "POST" and writes.name not in ELSEWHERE
        for told in changes(mine, shows, writes)
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_new_takes_what_the_server_decides(server: LocalServer, mine: Tenant):
    wrong = [
        told
        for shows, writes in pairs(server)
        if writes.spec.method == "POST" and writes.name not in ELSEWHERE
        for told in creations(mine, shows, writes)
    ]
    assert not wrong, "\n".join(wrong)
