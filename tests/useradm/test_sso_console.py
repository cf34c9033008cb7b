"""Single sign-on from the console, and the redirects of returning browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib import cache
from tests.useradm.browser import BASE, token_of
from tests.useradm.conftest import new_email

if TYPE_CHECKING:
    from tests.useradm.browser import Browser


def _begun_by_console(browser: Browser, identity: str, ui: str = "console") -> str:
    """The redirect to the provider for a new login."""
    return browser.http.get(f"{BASE}/oidc/{identity}/start", params={"ui": ui}).headers["location"]


def test_the_console_gets_a_session_cookie_that_scripts_cannot_read(
    browser: Browser, provider, set_up, person, server
) -> None:
    identity = set_up()
    back = provider.log_in(_begun_by_console(browser, identity), email=person.email)

    answer = browser.come_back(identity, back)

    assert answer.headers["location"] == f"{server.url}/ui/"
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith("JWT=ey")]
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    session = browser.http.get("/api/management/v1/console/session")
    assert (session.status_code, session.json()["user"]["id"]) == (200, person.id)


def test_the_console_shows_why_a_login_failed(browser: Browser, provider, set_up, server) -> None:
    identity = set_up()
    back = provider.log_in(_begun_by_console(browser, identity), email=new_email())

    answer = browser.come_back(identity, back)

    reason = "there%20is%20no%20account%20for%20this%20identity"
    assert answer.headers["location"] == f"{server.url}/ui/#/?sso_error={reason}"
    assert browser.http.cookies.get("JWT") is None


@pytest.mark.parametrize("ui", ["console", ""])
def test_a_browser_with_an_expired_cookie_is_redirected_to_the_sign_in_page(
    browser: Browser, provider, set_up, person, server, ui: str
) -> None:
    identity = set_up()
    back = provider.log_in(_begun_by_console(browser, identity, ui), email=person.email)
    browser.http.cookies.clear()
    path, page = f"{BASE}/oidc/{identity}/callback", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

    assert browser.http.get(path, params=back).status_code == 400
    answer = browser.http.get(path, params=back, headers={"Accept": page})

    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{server.url}/ui/#/?sso_error=the%20login%20has%20expired")
    assert "JWT" not in answer.headers["set-cookie"]


def test_the_console_shows_that_a_provider_is_unreachable(browser: Browser, provider, set_up, server) -> None:
    identity = set_up()
    cache.forget_all()
    provider.raw["/.well-known/openid-configuration"] = b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"

    answer = browser.http.get(f"{BASE}/oidc/{identity}/start", params={"ui": "console"})

    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{server.url}/ui/#/?sso_error=")
    assert browser.http.get(f"{BASE}/oidc/{identity}/start").status_code == 503


@pytest.mark.parametrize("ui", ["https://evil.example", "console.x", "", "CONSOLE"])
def test_a_login_redirects_only_to_pages_of_the_console(
    browser: Browser, provider, set_up, person, server, ui: str
) -> None:
    identity = set_up()
    back = provider.log_in(_begun_by_console(browser, identity, ui), email=person.email)

    answer = browser.come_back(identity, back)

    assert answer.headers["location"] == f"{server.url}/ui/"
    assert token_of(answer)
    assert "; Path=/ui; " in "".join(answer.headers.get_list("set-cookie"))
