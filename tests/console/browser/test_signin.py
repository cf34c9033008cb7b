"""Signing in, in the browser: second factor, links of mails, sign-up, single sign-on, sessions that end."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from chalicelib import cache
from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm import service as users
from tests.console.browser.fleet import PASSWORD
from tests.console.browser.signing_in import (
    LOGIN,
    SESSION,
    begin_two_factor,
    follow,
    is_in,
    outside,
    recovery_codes,
    sign_in,
    sign_out,
    switch_on,
)
from tests.support.mailbox import of_server, use
from tests.support.provider import CLIENT, SECRET, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from infra.local.testing import LocalServer
    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet
    from tests.support.mailbox import Mailbox

USERADM = "/api/management/v1/useradm"
NEW_PASSWORD = "quite-another-long-one"


@pytest.fixture
def box(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """The mails that the server sends."""
    with of_server(server, monkeypatch) as opened:
        yield opened


@pytest.fixture
def person(server: LocalServer) -> str:  # it runs
    """The address of the administrator of a tenant that no other test knows; it is not verified."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    users.create_user(tenants.create_tenant("Quay Lights").id, email, PASSWORD, by=EVERYTHING)
    return email


def test_a_second_factor_is_set_up_and_asked_for(console_of: Callable[[str], Console], person: str) -> None:
    console = console_of("")
    page = console.page
    phone = begin_two_factor(console, person)
    console.button("Cancel").click()
    console.button("Go on with the set-up").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    console.audit()
    with console.refused("PUT", r"/2faverify$", 400):
        page.get_by_label("Code from the app").fill(phone.wrong())
        console.button("Switch on").click()
        console.says("The code is wrong.")
    switch_on(console, phone.code())
    sign_out(console)

    with console.refused("POST", LOGIN, 401):
        sign_in(console, person)
        expect(page.get_by_label("Code of your second factor")).to_be_focused()
        page.get_by_label("Code of your second factor").fill(phone.wrong())
        console.button("Check the code").click()
        console.says("This code is wrong or no longer valid.")
        console.audit()
    page.get_by_label("Code of your second factor").fill(phone.code())
    console.button("Check the code").click()
    is_in(console)


def test_a_recovery_code_signs_in_without_the_phone(console_of: Callable[[str], Console], person: str) -> None:
    console = console_of("")
    page = console.page
    phone = begin_two_factor(console, person)
    first = switch_on(console, phone.code())
    console.says("10 recovery codes left")
    with console.refused("POST", r"/recovery-codes$", 403):
        console.button("Make new recovery codes").click()
        console.button("Use your password instead").click()
        page.get_by_label("Your password").fill(PASSWORD)
        console.audit()
        console.button("Go on").click()
        expect(page.get_by_role("dialog", name="Your recovery codes")).to_be_visible()
    codes = recovery_codes(console)
    sign_out(console)

    with console.refused("POST", LOGIN, 401):
        sign_in(console, person)
        console.button("Use a recovery code").click()
        page.get_by_label("Recovery code").fill(first[7])
        console.button("Check the code").click()
        console.says("This recovery code is wrong")
    page.get_by_label("Recovery code").fill(codes[7].upper())
    console.button("Check the code").click()
    is_in(console)
    console.go("/settings/profile")
    console.says("9 recovery codes left")


def test_a_forgotten_password_is_reset(
    console_of: Callable[[str], Console], person: str, box: Mailbox, server: LocalServer
) -> None:
    console = outside(console_of(""))
    page = console.page
    console.link("Forgotten password?").click()
    page.get_by_label("E-mail address").fill(person)
    console.button("Send the link").click()
    console.says("a mail with a link is on its way")
    with console.refused("GET", SESSION, 401):
        follow(console, box, "password", person, server)
    page.get_by_label("New password").fill("short")
    console.button("Set the password").click()
    expect(page.get_by_label("New password")).to_have_accessible_description(re.compile("Use at least 8"))
    page.get_by_label("New password").fill(NEW_PASSWORD)
    with console.refused("GET", SESSION, 401):
        console.button("Set the password").click()
        console.says("Sign in with the new password.")
    console.link("Sign in").click()
    with console.refused("POST", LOGIN, 401):
        sign_in(console, person)
        expect(page.get_by_role("alert")).to_be_visible()
    sign_in(console, person, NEW_PASSWORD)
    is_in(console)


def test_an_address_is_confirmed_and_changed(
    console_of: Callable[[str], Console], person: str, box: Mailbox, server: LocalServer
) -> None:
    console = outside(console_of(""), "/settings/profile")
    page = console.page
    sign_in(console, person)
    is_in(console)
    console.button("Send a confirmation mail").first.click()
    console.says("A mail with a link is on its way.")
    follow(console, box, "activate", person, server)
    console.audit()
    console.button("Confirm the address").click()
    console.says("Everything is set up.")
    console.link("Go on").click()
    console.go("/settings/profile")
    expect(console.button("Set up")).to_be_visible()

    new = f"new-{person}"
    console.button("Change address").click()
    page.get_by_label("New e-mail address").fill(new)
    page.get_by_label("Your password").fill(PASSWORD)
    console.button("Send the mail").click()
    expect(console.button("Withdraw the change")).to_be_visible()
    console.button("Withdraw the change").click()
    console.says("Your address stays as it is.")
    console.button("Change address").click()
    page.get_by_label("New e-mail address").fill(new)
    page.get_by_label("Your password").fill(PASSWORD)
    console.button("Send the mail").click()
    expect(console.button("Withdraw the change")).to_be_visible()
    follow(console, box, "email-change", new, server)
    with console.refused("GET", SESSION, 401):
        console.button("Confirm the address").click()
        console.says("From now on you sign in with your new address.")
    console.link("Sign in").click()
    sign_in(console, new, PASSWORD)
    is_in(console)

    with console.refused("POST", r"/email-change/complete$", 400):
        follow(console, box, "email-change", new, server)
        console.button("Confirm the address").click()
        console.says("was used already")


def test_a_user_is_invited_again_and_accepts(
    console_of: Callable[[str], Console], person: str, box: Mailbox, server: LocalServer
) -> None:
    console, invited = outside(console_of(""), "/settings/users"), console_of("")
    sign_in(console, person)
    is_in(console)
    page, email = console.page, f"guest-{person}"
    console.button("Add a user").click()
    page.get_by_role("dialog").get_by_label("E-mail address").fill(email)
    console.button("Invite user").click()
    console.says(f"{email} is invited by mail.")
    row = page.get_by_role("row").filter(has_text=email)
    expect(row).to_contain_text("Invited")
    row.get_by_role("button", name=f"Actions for {email}").click()
    page.get_by_role("menuitem", name="Send the invitation again").click()
    console.says("The invitation is on its way again.")

    with invited.refused("GET", SESSION, 401):
        follow(invited, box, "password", email, server)
        expect(invited.page.get_by_role("heading", level=1)).to_have_text("Welcome to Lamplighter")
        invited.page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
        invited.audit()
        invited.button("Set the password").click()
        invited.says("Your account is ready.")
    invited.link("Sign in").click()
    sign_in(invited, email, NEW_PASSWORD)
    is_in(invited)
    console.show("/settings/users")
    expect(row).to_be_visible()
    expect(row).not_to_contain_text("Invited")


def test_signing_up(console_of: Callable[[str], Console], monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, signup=True, trial_days=14, trial_devices=3)
    console = outside(console_of(""))
    console.link("Create an account").click()
    page = console.page
    page.get_by_label("Organization").fill("Lantern Works")
    page.get_by_label("E-mail address").fill(f"{uuid.uuid4().hex[:12]}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    console.audit()
    console.button("Create the account").click()
    is_in(console)
    expect(page.get_by_text("Lantern Works").first).to_be_visible()


def test_single_sign_on_returns_to_the_screen_it_began_at(
    console_of: Callable[[str], Console], fleet: Fleet, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.forget_all()
    with Provider() as provider:
        use(monkeypatch, outbound_networks="127.0.0.0/8,::1/128", outbound_ports=str(provider.port))
        console = outside(console_of(""), "/settings/profile")
        console.others.add(provider.issuer)
        page = console.page

        def go_on() -> None:
            page.get_by_label("E-mail address").fill(colleague)
            console.button("Continue with single sign-on").click()

        colleague = person
        with console.refused("POST", LOGIN, 401):
            go_on()
            console.says("No single sign-on is set up for this address.")
        colleague = _joined_by_sign_on(fleet.world.http, person, provider)
        with console.refused("GET", SESSION, 401):
            go_on()
            console.says("Single sign-on did not work: the identity provider refused the login.")
        provider.visitor = colleague
        go_on()
        is_in(console)
        expect(page.get_by_role("heading", level=1)).to_have_text("Profile")
        assert console.place() == "/settings/profile"
        sign_out(console)
        cache.forget_all()
        provider.raw["/.well-known/openid-configuration"] = b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"
        with console.refused("GET", SESSION, 401):
            go_on()
            console.says("Single sign-on did not work:")
            expect(console.button("Continue with single sign-on")).to_be_enabled()
        with console.refused("GET", SESSION, 401):
            page.goto(f"{console.root.removesuffix('/ui/')}{USERADM}/oidc/{uuid.uuid4()}/callback?state=a&code=b")
            console.says("Single sign-on did not work: the login has expired")
    cache.forget_all()


def _joined_by_sign_on(http: httpx2.Client, person: str, provider: Provider) -> str:
    """Set the provider up in a tenant; the address of a user who has signed in there, and has no password."""
    domain = f"{uuid.uuid4().hex[:12]}.example"
    wanted: dict[str, Any] = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET}
    wanted |= {"allowed_domains": [domain], "auto_provision": True}
    token = http.post(f"{USERADM}/auth/login", auth=(person, PASSWORD)).text
    answer = http.post(f"{USERADM}/sso/idp/metadata", json=wanted, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 201, answer.text
    identity = answer.headers["location"].rpartition("/")[2]
    begun = http.get(f"{USERADM}/oidc/{identity}/start")
    email = f"colleague@{domain}"
    back = provider.log_in(begun.headers["location"], email, email=email)
    verifier = begun.headers["set-cookie"].partition(";")[0]
    done = http.get(f"{USERADM}/oidc/{identity}/callback", params=back, headers={"Cookie": verifier})
    assert done.status_code == 302, done.text
    http.cookies.clear()
    return email


def test_after_an_expired_session_the_same_screen_is_shown(console_of: Callable[[str], Console], person: str) -> None:
    console, other = (outside(console_of(""), "/settings/profile") for _ in range(2))
    for each in (console, other):
        sign_in(each, person)
        is_in(each)
    console.button("Sign out everywhere").click()
    dialog = console.page.get_by_role("dialog", name="Sign out everywhere?")
    with console.refused("GET", SESSION, 401):
        dialog.get_by_role("button", name="Sign out everywhere").click()
        expect(console.button("Sign in")).to_be_visible()

    page = other.page
    page.evaluate("() => { location.hash = '/settings/tokens' }")
    with other.refused("GET", r"/settings/tokens$", 401):
        expect(page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
        other.audit()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.get_by_role("dialog").get_by_label("Password", exact=True).fill(PASSWORD)
        other.button("Sign in").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert other.place() == "/settings/tokens"
    other.says("No access tokens")
