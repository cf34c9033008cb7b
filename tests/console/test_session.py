"""Signing in to the console, and the first call of its page."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx2
import pytest
from msgspec.structs import replace

import chalicelib
from chalicelib import limits, settings, times
from chalicelib.features import Feature
from chalicelib.http import cookies
from chalicelib.rights import EVERYTHING, Permission
from chalicelib.useradm import service as useradm
from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

LOGIN = "/api/management/v1/useradm/auth/login"
LOGOUT = "/api/management/v1/useradm/auth/logout"
SESSION = "/api/management/v1/console/session"
PUBLIC = "/api/management/v1/console/public"
WISH = {"X-Session": "cookie"}


def new_user(tenant: Tenant, *roles: str) -> str:
    email = f"{uuid.uuid4().hex}@example.com"
    useradm.create_user(tenant.id, email, PASSWORD, roles=roles, by=EVERYTHING)
    return email


@pytest.fixture
def browser(server: LocalServer) -> Iterator[Callable[[], httpx2.Client]]:
    """Create clients with separate cookies."""
    opened: list[httpx2.Client] = []

    def make() -> httpx2.Client:
        opened.append(httpx2.Client(base_url=server.url, timeout=30))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose settings say that it uses TLS."""
    known = replace(settings.current(), public_url="https://lamp.example")
    monkeypatch.setattr(settings, "current", lambda: known)


def test_a_sign_in_does_not_show_the_token(browser, tenant: Tenant) -> None:
    page = browser()
    answer = page.post(LOGIN, auth=(new_user(tenant), PASSWORD), headers=WISH)

    assert (answer.status_code, answer.content) == (204, b"")
    [cookie] = answer.headers.get_list("set-cookie")
    token, *attributes = cookie.split("; ")
    assert token.startswith("JWT=ey")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert answer.headers["cache-control"] == "no-store"
    assert page.get(SESSION).status_code == 200
    assert token.removeprefix("JWT=") not in page.get(SESSION).text


@pytest.mark.usefixtures("tls")
def test_with_tls_the_cookie_is_for_this_host_only(http: httpx2.Client, tenant: Tenant) -> None:
    answer = http.post(LOGIN, auth=(new_user(tenant), PASSWORD), headers=WISH, json={"remember": True})

    [cookie] = answer.headers.get_list("set-cookie")
    token, *attributes = cookie.split("; ")
    life = f"Max-Age={settings.current().user_token_life}"
    assert token.startswith("__Host-JWT=ey")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure", life]
    http.cookies.clear()
    session = http.get(SESSION, headers={"Cookie": f"theme=dark; {token}; odd"})
    assert session.status_code == 200
    ended = http.post(LOGOUT, headers={"Cookie": token, "Origin": "https://lamp.example"})
    assert ended.headers["set-cookie"] == "__Host-JWT=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0"
    assert http.get(SESSION, headers={"Cookie": token}).status_code == 401


def test_without_the_header_a_sign_in_returns_the_token(http: httpx2.Client, tenant: Tenant) -> None:
    answer = http.post(LOGIN, auth=(new_user(tenant), PASSWORD), json={"remember": True})

    assert answer.headers["content-type"] == "application/jwt"
    assert "set-cookie" not in answer.headers


def test_a_refused_sign_in_sets_no_cookie(http: httpx2.Client, tenant: Tenant) -> None:
    answer = http.post(LOGIN, auth=(new_user(tenant), "wrong-password"), headers=WISH)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_one_call_has_everything_for_the_first_page(browser, tenant: Tenant, server: LocalServer) -> None:
    email, page = new_user(tenant), browser()
    page.post(LOGIN, auth=(email, PASSWORD), headers=WISH)

    found = page.get(SESSION).json()

    me = page.get("/api/management/v1/useradm/users/me").json()
    assert found["user"] == me
    assert found["tenant"] == page.get("/api/management/v1/tenantadm/user/tenant?tiers=true").json()
    assert found["features"] == [str(each) for each in Feature]
    assert found["rights"]["administrator"] is True
    everywhere = [{"groups": None, "release_tags": None}]
    assert found["rights"]["permissions"] == {str(each): everywhere for each in Permission}
    assert found["session"]["recent"] is True
    assert times.read(found["session"]["expires"]) > times.read(me["login_ts"])
    assert found["server"] == {"name": "Lamplighter", "version": chalicelib.__version__, "url": server.url}
    assert found["limits"]["per_page"] == limits.PER_PAGE_MAX
    assert (found["signup"], found["mail"]) == (False, False)
    assert found["uploads"] == {"origin": server.url}


def test_the_page_learns_the_scopes_of_the_user(browser, sign_in, tenant: Tenant) -> None:
    role = {
        "name": "lab",
        "permission_sets_with_scope": [
            {"name": "Basic"},
            {"name": "ReadDevices", "scope": {"type": "DeviceGroups", "value": ["lab", "bench"]}},
        ],
    }
    assert sign_in(tenant).post("/api/management/v2/useradm/roles", json=role).status_code == 201
    page = browser()
    page.post(LOGIN, auth=(new_user(tenant, "lab"), PASSWORD), headers=WISH)

    found = page.get(SESSION).json()

    lab = [{"groups": ["bench", "lab"], "release_tags": None}]
    everywhere = [{"groups": None, "release_tags": None}]
    assert found["rights"] == {
        "administrator": False,
        "permissions": {"basic:use": everywhere, "deployments:read": lab, "devices:read": lab},
        "calls": [],
    }
    assert "tenant_token" not in found["tenant"], "it sets devices of any group up"


def test_before_sign_in_the_page_learns_the_sign_in_options(http: httpx2.Client) -> None:
    assert http.get(SESSION).status_code == 401
    assert http.get(PUBLIC).json() == {
        "server": {"name": "Lamplighter", "version": chalicelib.__version__},
        "signup": False,
        "mail": False,
    }


def test_switching_tenants_replaces_the_cookie_and_shows_no_token(browser, tenant: Tenant) -> None:
    page = browser()
    page.post(LOGIN, auth=(new_user(tenant), PASSWORD), headers=WISH)
    before = page.cookies["JWT"]

    answer = page.get(f"/api/management/v1/useradm/users/tenants/{tenant.id}/token")

    assert (answer.status_code, answer.content) == (204, b"")
    assert page.cookies["JWT"] not in ("", before)
    assert page.get(SESSION).json()["tenant"]["id"] == tenant.id


def test_signing_out_everywhere_ends_all_sessions_but_keeps_tokens(browser, tenant: Tenant) -> None:
    email, pages = new_user(tenant), [browser(), browser()]
    for page in pages:
        page.post(LOGIN, auth=(email, PASSWORD), headers=WISH)
    old = [page.cookies["JWT"] for page in pages]
    personal = pages[0].post("/api/management/v1/useradm/settings/tokens", json={"name": "ci"}).text

    answer = pages[0].post(f"{LOGOUT}?everywhere=true")

    assert answer.status_code == 202
    assert not pages[0].cookies.get("JWT")
    stranger = browser()
    assert [stranger.get(SESSION, headers={"Cookie": f"JWT={token}"}).status_code for token in old] == [401, 401]
    bearer = {"Authorization": f"Bearer {personal}"}
    assert stranger.get("/api/management/v1/useradm/users/me", headers=bearer).status_code == 200
    assert stranger.post(f"{LOGOUT}?everywhere=true", headers=bearer).status_code == 403


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("a", {}),
        ('a=1; b = 2 ;c="3"', {"a": "1", "b": "2", "c": "3"}),
        ("a=1; a=2", {"a": "2"}),
        ('{"x": 1}; a=1=2; =3', {"a": "1=2", "": "3"}),
    ],
)
def test_cookies_are_read_among_others(header: str, found: dict[str, str]) -> None:
    assert cookies.parse(header) == found
