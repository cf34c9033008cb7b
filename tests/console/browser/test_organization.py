"""Settings of an organization in the console: roles, webhooks, limits, tenants, single sign-on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import pytest
from playwright.sync_api import expect

from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm import service as users
from infra.paths import ROOT
from tests.console.browser.fleet import PASSWORD
from tests.support.mailbox import use
from tests.support.receivers import Listener, answer, says

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet

ROLES, SETS = "/api/management/v2/useradm/roles", "/api/management/v2/useradm/permission_sets"
TENANTS = "/api/management/v2/tenantadm/tenants"


def test_a_role_is_built_for_a_group_changed_and_deleted(console: Console) -> None:
    page = console.page
    console.show("/settings/roles")
    console.button("New role").click()
    page.get_by_label("Name").fill("Lab testers")
    drawer = page.get_by_role("dialog", name="New role")
    drawer.get_by_label("ReadDevices", exact=True).check()
    drawer.get_by_label("Where ReadDevices holds").select_option("only devices of some groups")
    console.button("Create role").click()
    console.says("Choose at least one group for ReadDevices")
    groups = drawer.get_by_label("Groups of ReadDevices", exact=True)
    groups.fill("lab")
    groups.press("Enter")
    expect(drawer.get_by_text("6 devices")).to_be_visible()
    expect(drawer.get_by_text("devices in lab")).to_be_visible()
    expect(drawer.get_by_text(re.compile(r"^1 of \d+$"))).to_be_visible()
    console.button("Create role").click()
    console.says("The role is created.")
    row = page.get_by_role("row").filter(has_text="Lab testers")
    expect(row).to_contain_text("ReadDevices (devices in lab)")

    row.get_by_role("button", name="Actions for Lab testers").click()
    page.get_by_role("menuitem", name="Edit").click()
    drawer = page.get_by_role("dialog", name="Edit Lab testers")
    drawer.get_by_label("ReadReleases", exact=True).check()
    expect(drawer.get_by_text(re.compile(r"^all \d+$"))).to_be_visible()
    drawer.get_by_label("Where ReadReleases holds").select_option("only releases with some tags")
    tags = drawer.get_by_label("Tags of ReadReleases", exact=True)
    tags.fill("candidate")
    tags.press("Enter")
    expect(drawer.get_by_text("1 release", exact=True)).to_be_visible()
    drawer.get_by_label("Where ReadReleases holds").select_option("everywhere")
    console.button("Save role").click()
    expect(row).to_contain_text("ReadReleases")
    stored = console.fleet.api.get(f"{ROLES}/Lab%20testers").json()
    assert stored["permission_sets_with_scope"] == [
        {"name": "ReadDevices", "scope": {"type": "DeviceGroups", "value": ["lab"]}},
        {"name": "ReadReleases"},
    ]

    row.get_by_role("button", name="Actions for Lab testers").click()
    page.get_by_role("menuitem", name="Delete").click()
    console.button("Delete 1 role").click()
    console.says("The role is deleted.")
    expect(row).to_have_count(0)


def test_a_custom_permission_set_is_created_used_in_a_role_changed_and_deleted(console: Console) -> None:
    page = console.page
    console.show("/settings/roles")
    console.says("None of your own")
    console.button("New permission set").click()
    drawer = page.get_by_role("dialog", name="New permission set")
    drawer.get_by_label("Name").fill("ReadNumbers")
    drawer.get_by_label("Path 1").fill("/management/v2/tenantadm/metrics")
    console.button("Create permission set").click()
    console.says("Paths of the API begin with /api/")
    drawer.get_by_label("Path 1").fill("/api/management/v2/tenantadm/metrics")
    console.audit()
    console.button("Create permission set").click()
    console.says("The permission set is created.")

    console.button("New role").click()
    page.get_by_label("Name").fill("Accountants")
    role = page.get_by_role("dialog", name="New role")
    expect(role.get_by_text("GET /api/management/v2/tenantadm/metrics")).to_be_visible()
    role.get_by_label("ReadNumbers", exact=True).check()
    expect(role.get_by_text("These numbers do not include calls by path")).to_be_visible()
    console.button("Create role").click()
    console.says("The role is created.")

    actions = page.get_by_role("button", name="Actions for ReadNumbers")
    actions.click()
    expect(page.get_by_role("menuitem", name="Delete")).to_be_disabled()
    page.get_by_role("menuitem", name="Edit").click()
    drawer = page.get_by_role("dialog", name="Edit ReadNumbers")
    drawer.get_by_role("button", name="Add a call").click()
    drawer.get_by_label("Path 2").fill("/api/management/v2/tenantadm/settings")
    drawer.get_by_label("Roles may limit it to devices of some groups").check()
    console.button("Save permission set").click()
    console.says("The permission set is saved.")
    stored = console.fleet.api.get(f"{SETS}/ReadNumbers").json()
    assert [each["object"] for each in stored["permissions"]] == [
        {"type": "GET", "value": "/api/management/v2/tenantadm/metrics"},
        {"type": "GET", "value": "/api/management/v2/tenantadm/settings"},
    ]
    assert stored["supported_scope_types"] == ["DeviceGroups"]

    console.fleet.api.delete(f"{ROLES}/Accountants").raise_for_status()
    console.show("/settings/roles")
    actions.click()
    page.get_by_role("menuitem", name="Delete").click()
    console.button("Delete 1 permission set").click()
    console.says("The permission set is deleted.")
    console.says("None of your own")


def test_a_webhook_is_created_a_failed_delivery_is_sent_again_and_it_is_deleted(
    console: Console, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = console.page
    with Listener(says(answer("400 Bad Request"))) as receiver:
        use(monkeypatch, outbound_networks="127.0.0.0/8", outbound_ports=str(receiver.port))
        console.show("/settings/webhooks")
        console.says("No webhooks")
        console.button("New webhook").click()
        page.get_by_role("textbox", name="URL").fill("fleet.hooks.invalid")
        console.button("Create webhook").click()
        console.says("Enter a URL that begins with https://")
        page.get_by_role("textbox", name="URL").fill(f"{receiver.url}/old")
        console.button("Make one").click()
        console.button("Create webhook").click()
        console.says("The webhook is created.")
        page.get_by_role("button", name=f"Actions for {receiver.url}/old").click()
        page.get_by_role("menuitem", name="Change URL or secret").click()
        expect(page.get_by_label("Keep the secret")).to_be_checked()
        page.get_by_role("textbox", name="URL").fill(receiver.url)
        console.button("Save").click()
        expect(page.get_by_role("grid", name="Webhooks").get_by_text(receiver.url, exact=True)).to_be_visible()

        console.fleet.world.device(identity={"serial": "told-of"})
        server.drain()
        console.show("/settings/webhooks")
        deliveries = page.get_by_role("grid", name="Deliveries")
        failed = deliveries.get_by_role("row").filter(has_text="The receiver answered 400")
        receiver.answering = says(answer())
        failed.get_by_role("button", name="Send again").click()
        console.says("The event will be sent again at once.")
        console.says("Waits to be sent again")
        server.drain()
        console.refresh()
        expect(failed).to_have_count(0)
        deliveries.get_by_text("device-provisioned").click()
        drawer = page.get_by_role("dialog", name="device-provisioned")
        expect(drawer.get_by_role("region", name="Data")).to_contain_text('"status": "accepted"')
        expect(drawer.get_by_text("Delivered (204)")).to_be_visible()
        console.audit()
        posted = len(receiver.received)
        drawer.get_by_role("button", name="Send again").click()
        expect(drawer.get_by_text("Waits to be sent again")).to_be_visible()
        server.drain()
        assert len(receiver.received) == posted + 1
        console.button("Close").click()

        page.get_by_role("button", name=f"Actions for {receiver.url}").click()
        page.get_by_role("menuitem", name="Delete").click()
        console.button("Delete 1 webhook").click()
        console.says("The webhook is deleted.")
        console.says("No webhooks")


def test_settings_are_changed_unless_another_user_changed_them(console: Console) -> None:
    page, api = console.page, console.fleet.api
    path = "/api/management/v2/tenantadm/settings"
    before = api.get(path).json()
    console.show("/settings/organization")
    console.says("Limits and use")
    hours = page.get_by_label("Hours until a silent device fails its deployment")
    hours.fill("9000")
    console.says("At most 8760.")
    hours.fill("36")
    page.get_by_label("Groups whose deployments need approval").fill("production, field production")
    page.get_by_label("Most devices of a deployment without approval").fill("50")
    zone = page.get_by_role("combobox", name="Time zone")
    zone.fill("Moon/Crater")
    zone.press("Enter")
    with console.refused("PUT", r"/tenantadm/settings$", 400):
        console.button("Save settings").click()
        console.says("There is no such time zone.")
    zone.fill("oslo")
    page.get_by_role("option", name="Europe/Oslo").click()
    console.button("Save settings").click()
    console.says("The settings are saved.")
    approval = {"approval_devices": 50, "approval_groups": ["production", "field"]}
    assert api.get(path).json() == {**before, **approval, "device_timeout": 36 * 3600, "time_zone": "Europe/Oslo"}

    api.put(path, json=before).raise_for_status()
    hours.fill("12")
    with console.refused("PUT", r"/tenantadm/settings$", 412):
        console.button("Save settings").click()
        console.says("Somebody else changed the settings meanwhile.")
    console.button("Discard").click()
    expect(hours).to_have_value(str(before["device_timeout"] // 3600))


def by_poll(gateway: str) -> tuple[str, str]:
    """The price of a month of 10,000 devices that poll every 30 minutes, or every 2 hours, from ``docs/cost.md``."""
    _, _, section = (ROOT / "docs" / "cost.md").read_text().partition("by how often they poll")
    row = next(line for line in section.splitlines() if line.startswith(f"| {gateway} |"))
    _, _, half_hour, two_hours, *_ = (cell.strip() for cell in row.strip("|").split("|"))
    return half_hour, two_hours


def test_the_cost_of_a_fleet_follows_changed_inputs(console: Console) -> None:
    page = console.page
    console.show("/settings/cost")
    console.says("List prices of us-east-1")
    expect(page.get_by_text("Your organization has")).to_be_visible()
    page.get_by_label("Accepted devices").fill("10000")
    total = page.locator(".stat").filter(has_text="The whole fleet")
    half_hour, two_hours = by_poll("REST API")
    expect(total).to_contain_text(half_hour)
    saving = page.get_by_text("All calls: poll every two hours")
    expect(saving).to_be_visible()
    poll = page.get_by_role("slider", name="Devices poll for updates every")
    for _ in range(2):
        poll.press("ArrowRight")
    expect(poll).to_have_attribute("aria-valuetext", "2 h")
    expect(total).to_contain_text(two_hours)
    expect(saving).to_have_count(0)
    _, cheaper = by_poll("HTTP API")
    page.get_by_label("Gateway", exact=True).select_option(f"HTTP API: {cheaper}")
    expect(total).to_contain_text(cheaper)
    assert "poll=7200" in page.url

    page.get_by_label("Accepted devices").fill("0")
    console.says("Enter a whole number from 1 to 100,000,000.")
    console.show("/settings/cost?devices=10000&poll=7200&gateway=HTTP%20API")
    expect(total).to_contain_text(cheaper)


@pytest.fixture
def provider() -> Tenant:
    """A service provider without tenants; its administrator is ``admin@ID.example``."""
    made = tenants.create_tenant("Pier Services", max_devices=50, service_provider=True)
    users.create_user(made.id, f"admin@{made.id}.example", PASSWORD, by=EVERYTHING)
    return made


def test_a_service_provider_creates_suspends_and_enters_a_tenant(
    console_of: Callable[[str], Console], provider: Tenant
) -> None:
    console = console_of(f"admin@{provider.id}.example")
    page = console.page
    console.show("/settings/tenants")
    console.says("No tenants yet")
    console.button("New tenant").click()
    page.get_by_label("Name", exact=True).fill("Quay Ferries")
    page.get_by_label("Most accepted devices").fill("20")
    page.get_by_label("E-mail address of its first user").fill(f"first@{provider.id}.example")
    page.get_by_label("First password").fill(PASSWORD)
    console.button("Create tenant").click()
    console.says("Quay Ferries is created.")
    row = page.get_by_role("row").filter(has_text="Quay Ferries")
    expect(row).to_contain_text("0 of 20")
    console.audit()

    def choose(what: str) -> None:
        page.get_by_role("button", name="Actions for Quay Ferries").click()
        page.get_by_role("menuitem", name=what).click()

    choose("Suspend")
    console.button("Suspend 1 tenant").click()
    expect(row).to_contain_text("Suspended")
    choose("Activate")
    expect(row).to_contain_text("Active")
    choose("Change name or limit")
    page.get_by_label("Most accepted devices").fill("30")
    console.button("Save").click()
    expect(row).to_contain_text("0 of 30")
    choose("Work in it")
    page.get_by_role("dialog").get_by_role("button", name="Work in it").click()
    console.says("Quay Ferries")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    console.show("/settings/organization")
    expect(page.get_by_text("Quay Ferries").first).to_be_visible()
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Back to your own organization").click()
    console.says("Pier Services")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Work in another organization").click()
    expect(page.get_by_role("row").filter(has_text="Quay Ferries")).to_be_visible()


def test_a_service_provider_removes_a_tenant_that_is_suspended(
    console_of: Callable[[str], Console], provider: Tenant, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = console_of(f"admin@{provider.id}.example")
    api = httpx2.Client(base_url=server.url)
    admin = {"email": f"first@{provider.id}.example", "password": PASSWORD}
    token = api.post("/api/management/v1/useradm/auth/login", auth=(f"admin@{provider.id}.example", PASSWORD)).text
    made = api.post(TENANTS, json={"name": "Quay Tours", "admin": admin}, headers={"Authorization": f"Bearer {token}"})
    assert made.status_code == 202, made.text
    api.close()
    page = console.page
    console.show("/settings/tenants")
    row = page.get_by_role("row").filter(has_text="Quay Tours")

    def choose(what: str) -> None:
        page.get_by_role("button", name="Actions for Quay Tours").click()
        page.get_by_role("menuitem", name=what).click()

    choose("Suspend")
    console.button("Suspend 1 tenant").click()
    expect(row).to_contain_text("Suspended")
    choose("Remove")
    dialog = page.get_by_role("dialog", name="Remove Quay Tours?")
    expect(dialog.get_by_role("button", name="Remove 1 tenant")).to_be_disabled()
    dialog.get_by_role("textbox").fill("Quay Tours")
    console.audit()
    dialog.get_by_role("button", name="Remove 1 tenant").click()
    console.says("Quay Tours is being removed.")
    expect(row).to_contain_text("Being removed")
    expect(row.get_by_role("button")).to_have_count(0)
    use(monkeypatch, removal_settle=0)
    server.drain()
    console.show("/settings/tenants")
    console.says("No tenants yet")
    assert users.find_user(admin["email"]) is None


def test_an_unreachable_identity_provider_is_reported_and_not_added(console: Console) -> None:
    page = console.page
    console.show("/settings/sso")
    console.says("No identity provider")
    console.button("Add a provider").click()
    page.get_by_label("Address of its description").fill("https://login.invalid/.well-known/openid-configuration")
    page.get_by_label("Client ID").fill("console")
    page.get_by_label("Client secret", exact=True).fill("a secret")
    console.audit()
    with console.refused("POST", r"/sso/idp/metadata$", 400):
        console.button("Add provider").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    console.button("Cancel").click()
    console.says("No identity provider")


def test_users_who_may_only_read_cannot_change_settings(console_of: Callable[[str], Console], fleet: Fleet) -> None:
    console = console_of(fleet.address("auditor"))
    console.show("/settings/organization")
    expect(console.button("Save settings")).to_have_count(0)
    for setting in ("Roles", "Webhooks", "Cost", "Tenants", "Single sign-on"):
        expect(console.link(setting)).to_have_count(0)
