"""Settings in the console: the own account, tokens, and the organization's users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.console.browser.checked_page import NARROW
from tests.console.browser.fleet import PASSWORD

CHANNEL = "/api/management/v1/devicemonitor/settings/global/channel/alerts"

if TYPE_CHECKING:
    from tests.console.browser.checked_page import Console


def test_a_token_is_made_shown_once_and_revoked(console: Console) -> None:
    page = console.page
    console.show("/settings/tokens")
    console.button("New token").click()
    page.get_by_label("Name").fill("nightly build")
    page.get_by_label("Valid for").select_option("30 days")
    console.button("Create token").click()
    dialog = page.get_by_role("dialog", name="Your new token")
    token = dialog.get_by_role("region", name="Access token").inner_text()
    console.audit()
    answer = console.fleet.world.http.get(
        "/api/management/v1/useradm/users/me", headers={"Authorization": f"Bearer {token.split()[0]}"}
    )
    assert answer.status_code == 200, answer.text
    console.button("I have copied it").click()
    console.button("Revoke nightly build").click()
    console.button("Revoke 1 token").click()
    console.says("The token is revoked.")
    console.says("No access tokens")

    console.look(width=NARROW)
    console.button("Settings: Access tokens").click()
    page.get_by_role("menuitemradio", name="Users").click()
    console.arrives("/settings/users")
    console.look()
    users = page.get_by_role("navigation", name="Settings").get_by_role("link", name="Users")
    expect(users).to_have_attribute("aria-current", "page")


def test_alert_mails_are_turned_off_for_the_user_and_for_all(console: Console) -> None:
    page, api = console.page, console.fleet.api
    own, everybody = "/api/management/v1/useradm/settings/me", f"{CHANNEL}/email/status"
    api.post(own, json={"columns": ["name"]}).raise_for_status()
    console.show("/settings/notifications")
    page.get_by_role("switch", name="Alerts of devices").uncheck()
    console.says("You get no more mails about alerts.")
    assert api.get(own).json() == {"columns": ["name"], "notifications": {"device_alerts": False}}
    page.get_by_role("switch", name="Send mails about alerts").uncheck()
    console.says("Nobody gets mails about alerts any more.")
    console.says("Mails about alerts are currently switched off for everybody.")
    assert api.get(everybody).json() == {"enabled": False}
    page.get_by_role("switch", name="Send mails about alerts").check()
    console.says("Mails about alerts are on again, for those who want them.")

    console.show("/settings/notifications")
    expect(page.get_by_role("switch", name="Alerts of devices")).not_to_be_checked()
    page.get_by_role("switch", name="Alerts of devices").check()
    console.says("You get mails about alerts.")
    assert api.get(own).json()["notifications"] == {"device_alerts": True}
    assert api.get(everybody).json() == {"enabled": True}


def test_a_user_is_added_given_a_role_and_deleted(console: Console) -> None:
    page = console.page
    address = console.fleet.address("added")
    console.show("/settings/users")
    console.button("Add a user").click()
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("First password").fill(PASSWORD)
    page.get_by_label("RBAC_ROLE_OBSERVER").check()
    console.audit()
    console.button("Add user").click()
    console.says(f"{address} is added.")
    row = page.get_by_role("row").filter(has_text=address)
    expect(row).to_contain_text("RBAC_ROLE_OBSERVER")
    row.get_by_role("button", name=f"Actions for {address}").click()
    page.get_by_role("menuitem", name="Edit roles").click()
    page.get_by_label("RBAC_ROLE_REMOTE_TERMINAL").check()
    console.button("Save roles").click()
    expect(row).to_contain_text("RBAC_ROLE_REMOTE_TERMINAL")
    row.get_by_role("button", name=f"Actions for {address}").click()
    page.get_by_role("menuitem", name="Delete").click()
    console.button("Delete 1 user").click()
    console.says("The user is deleted.")
    expect(row).to_have_count(0)


def test_another_session_is_ended(console: Console) -> None:
    page, http = console.page, console.fleet.world.http
    login = http.post("/api/management/v1/useradm/auth/login", auth=(console.fleet.email, PASSWORD))
    other = {"Authorization": f"Bearer {login.text}"}
    console.show("/settings/profile")
    page.get_by_role("button", name="End the session since").first.click()
    console.says("The session has ended.")
    expect(page.get_by_text("This one")).to_have_count(1)
    assert http.get("/api/management/v1/useradm/users/me", headers=other).status_code == 401


def test_a_wrong_current_password_is_reported_and_changes_nothing(console: Console) -> None:
    console.show("/settings/profile")
    console.page.get_by_label("Current password").fill("not-the-right-one")
    console.page.get_by_label("New password").fill("another-long-enough-one")
    with console.refused("PUT", r"/users/me$", 422):
        console.button("Change password").click()
        expect(console.page.get_by_role("form", name="Change password").get_by_role("alert")).to_be_visible()
