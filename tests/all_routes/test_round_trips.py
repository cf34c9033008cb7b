"""What one path shows and takes can be sent back unchanged, and read-only members are not set by it.

New pairs of routes are covered; they need an id in ``Tenant.values`` and a body, as for the other tests.
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
    f"PUT {M1}/deviceconfig/configurations/device/{{id}}": "it takes values by name, and shows more",
    f"PATCH {M1}/inventory/groups/{{name}}/devices": "ids alone",
    f"PUT {M1}/iot-manager/devices/{{deviceId}}/state/{{integrationId}}": "there are none",
    f"POST {M1}/deployments/artifacts": "a file",
    f"POST {M2}/devauth/acceptance/identities": "a list of many",
    f"POST {M1}/iot-manager/events": "sends a listed event again, and creates none",
    f"POST {M1}/useradm/settings": "any document of the user",
    f"POST {M1}/useradm/settings/me": "the same",
    f"POST {M1}/useradm/sso/idp/metadata": "asks an identity provider: tests/useradm/test_sso_settings.py",
    f"PUT {M1}/useradm/sso/idp/metadata/{{id}}": "the same",
}
"""Routes whose documents are not sent back, and why."""

WRITTEN = {
    f"POST {M1}/iot-manager/integrations": {"description"},
    f"POST {M2}/deployments/deployments": {"max_devices"},
    f"POST {M2}/useradm/permission_sets": {"action", "object", "description"},
    f"PUT {M2}/tenantadm/settings": {"audit_days", "pending_devices"},
    f"PUT {M2}/useradm/permission_sets/{{id}}": {"action", "object"},
}
"""Members that may be written in addition to those in the bodies of the other tests."""

CLOCKS = {"modified", "updated_ts", "version"}
"""Members that show that something was written."""


def forged(value: Any) -> Any:
    """Another value of the same type that would have a visible effect if it were used."""
    if isinstance(value, list):
        return [forged(each) for each in value[:1]]
    if isinstance(value, dict):
        return {name: forged(each) for name, each in value.items()}
    if isinstance(value, str):
        of_time, of_id = re.match(r"\d{4}(-\d\d-\d\dT.*)", value), re.fullmatch(r"[0-9a-f-]{36}", value)
        return f"2001{of_time[1]}" if of_time else str(uuid.uuid4()) if of_id else "forged"
    return not value if isinstance(value, bool) else (value or 0) + 1


def pairs(server: LocalServer) -> Iterator[tuple[Route, Route]]:
    """The routes that read and write the same path."""
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
    """Members that changed when the document was sent back, other than those that may be written."""
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
    """Members that a new object took from the document of another, other than those that may be written."""

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
        # A refused member would hide what happens to the others.
        tried = [(more, *created(more)) for more in ({name: value} for name, value in other.items())]
    for more, answer, new in tried:
        taken = {name for name, value in more.items() if new and value and new.get(name) == value}
        if taken - WRITTEN.get(writes.name, set()) or answer.status_code >= 500:
            yield f"{writes.name}: {answer.status_code} {answer.text} {sorted(taken)}"


def test_a_document_can_be_sent_back_and_sets_no_read_only_member(server: LocalServer, mine: Tenant):
    wrong = [
        told
        for shows, writes in pairs(server)
        if writes.spec.method != "POST" and writes.name not in ELSEWHERE
        for told in changes(mine, shows, writes)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_new_object_takes_no_read_only_member(server: LocalServer, mine: Tenant):
    wrong = [
        told
        for shows, writes in pairs(server)
        if writes.spec.method == "POST" and writes.name not in ELSEWHERE
        for told in creations(mine, shows, writes)
    ]
    assert not wrong, "\n".join(wrong)
