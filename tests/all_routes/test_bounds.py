"""On every route, input that is too large is refused with a 4xx and never causes a 5xx.

Every member of every valid body is made huge in turn. A new route is called with the body from the audit log's tests,
or with one that is listed here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

from chalicelib.http.identity import Auth
from tests.all_routes.changes import CASES, Values
from tests.all_routes.table import Route, routes
from tests.all_routes.tenants import BODIES, Tenant

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

M2 = "/api/management/v2"
_V1, _V2 = "/management/v1", "/management/v2"
_NAMED = {"name": "a", "type": "log", "status": "on"}
OTHERS: dict[str, Any] = {
    "POST /devices/v1/deployments/device/deployments/next": {"artifact_name": "a", "device_type": "b"},
    "POST /devices/v2/deployments/device/deployments/next": {
        "device_provides": {"artifact_name": "a", "device_type": "b", "rootfs-image.version": "c"},
        "update_control_map": False,
    },
    "PUT /devices/v1/deviceconfig/configuration": {"a": "b"},
    "POST /devices/v1/devicemonitor/alert": [
        {"name": "a", "level": "OK", "timestamp": "2024-03-01T10:00:00Z", "subject": {**_NAMED, "details": {"a": "b"}}}
    ],
    "POST /devices/v1/devicemonitor/config": [_NAMED],
    "PATCH /devices/v1/inventory/device/attributes": [{"name": "a", "value": "b", "description": "c"}],
    "PUT /devices/v1/inventory/device/attributes": [{"name": "a", "value": ["b"], "description": "c"}],
    f"PUT {_V1}/deployments/config/binary_delta": {"timeout": 1},
    f"POST {_V1}/deployments/deployments/statistics/list": {"deployment_ids": ["a"]},
    f"POST {_V1}/useradm/auth/login": {"token2fa": "a", "no_expiry": False},
    f"POST {_V1}/useradm/auth/password-reset/start": {"email": "a@example.com"},
    f"POST {_V1}/useradm/auth/password-reset/complete": {"secret_hash": "a", "password": "b"},
    f"POST {_V1}/useradm/auth/verify-email/start": {"email": "a@example.com"},
    f"POST {_V1}/useradm/auth/verify-email/complete": {"secret_hash": "a"},
    f"POST {_V1}/useradm/users/me/email-change/complete": {"secret_hash": "a"},
    f"POST {_V1}/useradm/settings/me": {"a": "b"},
    f"POST {_V2}/devauth/acceptance/preview": {"name": "a", "type": "pattern", "pattern": {"a": "b"}, "max_per_day": 1},
    f"POST {_V2}/devauth/devices/search": {"id": ["a"], "status": ["accepted"]},
    f"POST {_V2}/inventory/filters/search": {
        "page": 1,
        "per_page": 1,
        "filters": [{"scope": "inventory", "attribute": "a", "type": "$regex", "value": "b"}],
        "sort": [{"scope": "inventory", "attribute": "a", "order": "asc"}],
        "attributes": [{"scope": "inventory", "attribute": "a"}],
        "device_ids": ["a"],
        "text": "a",
    },
    "POST /management/v2alpha1/inventory/identities/search": {"page": 1, "per_page": 1, "search": "a"},
}
"""Bodies of routes that write no audit entry, or are for devices."""

TEXT = "é" * 240_000
"""Half of the largest body, and more than an item of DynamoDB can hold."""
ENTRIES = 9_000
"""Number of entries in a list that is too long."""


def huge(value: Any) -> Iterator[Any]:
    """Copies of the value, each with another part made huge."""
    match value:
        case str():
            yield TEXT
        case int() if not isinstance(value, bool):
            yield 10**30
            yield -(10**12)
        case list():
            for entry in value[:1]:
                yield [
                    copy.deepcopy(entry) if not isinstance(entry, str) else f"{entry}-{each}" for each in range(ENTRIES)
                ]
                yield from ([each] for each in huge(entry))
        case dict():
            for name, member in value.items():
                yield from ({**value, name: each} for each in huge(member))
            yield {**value, TEXT: "x"}
            yield value | {f"name-{each}": "x" for each in range(ENTRIES)}


def body_of(mine: Tenant, route: Route) -> tuple[Values, Any]:
    if route.name in CASES:
        values, more = CASES[route.name](mine)
        return values, more.get("json")
    return next(iter(mine.values(route.spec.path))), BODIES.get(route.name, OTHERS.get(route.name))


def ask(mine: Tenant, route: Route, values: Values, **more: Any) -> httpx2.Response:
    client = mine.world.api if route.spec.auth is Auth.USER else mine.world.http
    headers = {"Authorization": f"Bearer {mine.device.token}"} if route.spec.auth is Auth.DEVICE else {}
    return client.request(route.spec.method, route.uri(values), headers=headers, **more)


def called_routes(server: LocalServer) -> list[Route]:
    """All routes except logout; those that delete something come last."""
    found = [route for route in routes(server.app) if not route.spec.path.endswith("/logout")]
    return sorted(found, key=lambda route: route.spec.method == "DELETE")


def test_there_is_a_body_for_every_route_that_takes_json(server: LocalServer, mine: Tenant):
    read = [route for route in called_routes(server) if route.spec.body not in {None, bytes}]
    assert [route.name for route in read if body_of(mine, route)[1] is None] == []


def test_a_body_with_a_huge_part_causes_no_5xx(server: LocalServer, mine: Tenant):
    wrong, refused = [], set()
    for route in called_routes(server):
        values, body = body_of(mine, route)
        for each in huge(body):
            answer = ask(mine, route, values, json=each)
            if answer.is_client_error:
                refused.add(answer.status_code)
            elif not answer.is_success:
                wrong.append(f"{route.name} {str(each)[:150]}: {answer.status_code} {answer.text[:150]}")
    assert not wrong, "\n".join(wrong)
    assert {400, 413, 422} <= refused
    # What was accepted can be read again.
    shown = [route for route in called_routes(server) if route.spec.method == "GET"]
    broken = {route.name: ask(mine, route, next(iter(mine.values(route.spec.path)))).status_code for route in shown}
    assert [name for name, status in broken.items() if status >= 500] == []


def test_huge_page_parameters_cause_no_5xx(server: LocalServer, mine: Tenant):
    wrong = []
    for route in called_routes(server):
        if route.spec.method != "GET" or route.variables:
            continue
        for name in ("page", "per_page", "id", "name", "search", "sort", "created_after"):
            for value in ("9" * 40, "x" * 4000):
                answer = ask(mine, route, {}, params={name: value})
                if answer.status_code >= 500:
                    wrong.append(f"{route.name} {name}={value[:9]}: {answer.status_code} {answer.text[:150]}")
    assert not wrong, "\n".join(wrong)


def test_any_name_in_a_path_causes_no_5xx(server: LocalServer, mine: Tenant):
    wrong = []
    for route in (route for route in called_routes(server) if route.variables):
        _, body = body_of(mine, route)
        for name in ("x" * 3000, "a/b", "..", "é/ü#?%2F", "\u2028\0\U0001f600"):
            answer = ask(mine, route, dict.fromkeys(route.variables, name), **({} if body is None else {"json": body}))
            if answer.status_code >= 500:
                wrong.append(f"{route.name} {name[:9]}: {answer.status_code} {answer.text[:150]}")
    assert not wrong, "\n".join(wrong)


def test_names_of_any_characters_can_be_used_in_paths(mine: Tenant):
    api = mine.world.api
    for name in ("a/b", "é/ü %2F?#"):
        mine.world.upload(name)
        release = f"{M2}/deployments/deployments/releases/{quote(name, safe='')}"
        assert api.put(f"{release}/tags", json=["t"]).status_code == 204
        assert api.get(release).json()["tags"] == ["t"]
    for kind, member in (("permission_sets", "permissions"), ("roles", "permission_sets_with_scope")):
        name = "é ü%2F?#"
        sets = [{"name": "ReadReleases"}] if kind == "roles" else []
        made = api.post(f"{M2}/useradm/{kind}", json={"name": name, member: sets})
        assert made.status_code == 201, made.text
        place = f"{M2}/useradm/{kind}/{quote(name, safe='')}"
        assert api.get(place).json()["name"] == name
        assert api.delete(place).status_code == 204
        assert api.get(place).status_code == 404
