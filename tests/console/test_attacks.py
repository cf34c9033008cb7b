"""Attacks on a signed-in browser by other sites, hosts of the same domain, and injected content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib.tenantadm import service
from tests.conftest import PASSWORD
from tests.console.test_session import LOGIN, LOGOUT, SESSION, WISH, browser, new_user, tls

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.tenantadm.service import Tenant

__all__ = ["browser", "tls"]

DEVICES = "/api/management/v2/devauth/devices"
TOKENS = "/api/management/v1/useradm/settings/tokens"
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "a later word"},
]


@pytest.fixture
def page(browser: Callable[[], httpx2.Client], tenant: Tenant) -> httpx2.Client:
    """A browser in which a user is signed in to the console."""
    found = browser()
    assert found.post(LOGIN, auth=(new_user(tenant), PASSWORD), headers=WISH).status_code == 204
    return found


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_other_sites_cannot_use_the_cookie(page: httpx2.Client, headers: dict[str, str]) -> None:
    assert page.get(DEVICES, headers=headers).status_code == 401
    assert page.get(SESSION, headers=headers).status_code == 401
    assert page.post(TOKENS, json={"name": "theirs"}, headers=headers).status_code == 401
    assert page.post(LOGOUT, headers=headers).status_code == 401
    assert page.get(TOKENS).json() == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_forms_of_old_browsers_are_refused(page: httpx2.Client, kind: str) -> None:
    """Old browsers send no origin, but a form cannot have the content type of JSON."""
    body = b'{"name": "theirs", "x": "="}'

    assert page.post(TOKENS, content=body, headers={"Content-Type": kind}).status_code == 415
    assert page.get(TOKENS).json() == []


def test_get_requests_change_nothing(page: httpx2.Client) -> None:
    for path in (LOGOUT, f"{LOGOUT}?everywhere=true", TOKENS + "?name=theirs", LOGIN):
        assert page.get(path).status_code in (200, 405)

    assert page.get(SESSION).status_code == 200
    assert page.get(TOKENS).json() == []


def test_requests_of_the_console_itself_are_accepted(page: httpx2.Client, server) -> None:
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}

    assert page.post(TOKENS, json={"name": "mine"}, headers=own).status_code == 200
    assert page.get(SESSION, headers={"Sec-Fetch-Site": "none"}).status_code == 200


@pytest.mark.usefixtures("tls")
def test_a_cookie_set_by_a_host_of_the_same_domain_is_ignored(http: httpx2.Client, tenant: Tenant) -> None:
    planted = http.post(LOGIN, auth=(new_user(tenant), PASSWORD)).text
    mine = http.post(LOGIN, auth=(new_user(tenant), PASSWORD), headers=WISH).headers["set-cookie"].partition(";")[0]
    http.cookies.clear()

    alone = http.get(SESSION, headers={"Cookie": f"JWT={planted}"})
    before, after = (
        http.get(SESSION, headers={"Cookie": header}).json()["user"]["id"]
        for header in (f"JWT={planted}; {mine}", f"{mine}; JWT={planted}")
    )

    assert alone.status_code == 401
    assert before == after == http.get(SESSION, headers={"Cookie": mine}).json()["user"]["id"]


def test_only_the_route_for_personal_tokens_shows_a_token(page: httpx2.Client, tenant: Tenant) -> None:
    """A script in the page could only create a token, which requires a recent sign-in."""
    token = page.cookies["JWT"]
    switch = f"/api/management/v1/useradm/users/tenants/{tenant.id}/token"
    answers = [page.get(path) for path in (SESSION, "/api/management/v1/useradm/users/me", TOKENS)]

    assert [token in answer.text for answer in answers] == [False] * len(answers)
    for headers in ({}, {"X-Session": "bearer"}, {"Accept": "application/jwt"}):
        assert page.get(switch, headers=headers).content == b""
    cookies = [line for answer in answers for line in answer.headers.get_list("set-cookie")]
    assert cookies == []


def test_other_sites_cannot_sign_a_browser_in(http: httpx2.Client, tenant: Tenant) -> None:
    """They would need a preflight for the header, which the server does not answer."""
    asked = http.options(
        LOGIN,
        headers={
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, x-session",
        },
    )

    assert not [name for name in asked.headers if name.startswith("access-control-")]
    assert "set-cookie" not in http.post(LOGIN, auth=(new_user(tenant), PASSWORD)).headers


def test_a_new_password_ends_the_sessions_of_other_browsers(browser, tenant: Tenant) -> None:
    email, mine, stolen = new_user(tenant), browser(), browser()
    for each in (mine, stolen):
        each.post(LOGIN, auth=(email, PASSWORD), headers=WISH)

    change = {"password": "another-long-one", "current_password": PASSWORD}
    assert mine.put("/api/management/v1/useradm/users/me", json=change).status_code == 204

    assert (mine.get(SESSION).status_code, stolen.get(SESSION).status_code) == (200, 401)


def test_the_cookie_of_a_suspended_tenant_is_refused(page: httpx2.Client, tenant: Tenant) -> None:
    service.set_status(tenant.id, service.Status.SUSPENDED)

    assert page.get(SESSION).status_code == 401
