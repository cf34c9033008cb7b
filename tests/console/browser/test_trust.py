"""Trusted software in the console: keys, the policy, and the marks on artifacts, releases and rows of devices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm import service as users
from chalicelib.useradm.service import access
from tests.artifacts.signers import EC
from tests.console.browser.fleet import PASSWORD
from tests.deployments.world import World, serves

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn
    from tests.console.browser.checked_page import Console

POLICY = "/api/management/v1/deployments/trust/policy"
KEYS = "/api/management/v1/deployments/trust/keys"


@pytest.fixture
def world(sign_in: SignIn, http: httpx2.Client) -> World:
    """A tenant of its own, whose policy a test may change."""
    tenant = tenants.create_tenant("Lock Works")
    return World(sign_in(tenant), http, tenant.tenant_token)


@pytest.fixture
def console(console_of: Callable[[str], Console], world: World) -> Console:
    """The console of an administrator of that tenant."""
    me = world.api.get("/api/management/v1/useradm/users/me").json()
    address = f"admin@{me['tenant_id']}.example"
    users.create_user(me["tenant_id"], address, PASSWORD, by=EVERYTHING)
    return console_of(address)


def test_a_key_is_added_and_deleted(console: Console, world: World) -> None:
    page = console.page
    console.show("/settings/trust")
    console.says("No trusted keys")
    console.button("Add a key").click()
    page.get_by_label("Name").fill("build server")
    page.get_by_label("Public key").fill(EC.private)
    with console.refused("POST", r"/trust/keys$", 400):
        console.button("Add key").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("This is a private key")
    page.get_by_label("Public key").fill(EC.public)
    console.audit()
    console.button("Add key").click()
    console.says("The key is trusted from now on.")
    row = page.get_by_role("row").filter(has_text="build server")
    expect(row).to_contain_text("ECDSA-P256")
    console.audit()

    console.button("Delete build server").click()
    console.button("Delete 1 key").click()
    console.says("The key is deleted.")
    console.says("No trusted keys")
    assert world.api.get(KEYS).json() == []


def test_the_policy_is_changed(console: Console, world: World) -> None:
    page = console.page
    console.show("/settings/trust")
    page.get_by_label("Demand a signature by a trusted key").check()
    page.get_by_label("Flag downgrades").check()
    console.button("Save policy").click()
    console.says("The policy is saved.")
    console.says("There is no trusted key, so every upload is refused.")
    console.audit()
    assert world.api.get(POLICY).json() == {"signatures": "demand", "downgrades": "flag"}

    page.get_by_label("Refuse downgrades").check()
    console.button("Discard").click()
    expect(page.get_by_label("Flag downgrades")).to_be_checked()


def test_a_user_who_may_only_read_changes_nothing(
    console_of: Callable[[str], Console], console: Console, world: World
) -> None:
    me = world.api.get("/api/management/v1/useradm/users/me").json()
    address = f"reader@{me['tenant_id']}.example"
    users.create_user(me["tenant_id"], address, PASSWORD, roles=("RBAC_ROLE_OBSERVER",), by=EVERYTHING)
    reader = console_of(address)
    reader.show("/settings/trust")
    expect(reader.page.get_by_label("Demand a signature by a trusted key")).to_be_disabled()
    expect(reader.button("Add a key")).to_have_count(0)
    expect(reader.button("Save policy")).to_have_count(0)


def test_artifacts_and_releases_show_who_has_signed_them(console: Console, world: World) -> None:
    page = console.page
    world.upload("before-1.0")
    added = world.api.post(KEYS, json={"name": "build server", "pem": EC.public})
    assert added.status_code == 201
    world.api.put(POLICY, json={"signatures": "warn", "downgrades": "allow"}).raise_for_status()
    world.upload("signed-1.0", signed=EC)
    world.upload("unsigned-1.0")

    console.show("/releases")
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="unsigned-1.0")).to_contain_text("Not trusted")
    expect(rows.filter(has_text="before-1.0")).not_to_contain_text("Not trusted")
    console.audit()
    for name, text in (
        ("signed-1.0", "Signed by build server"),
        ("unsigned-1.0", "Not trusted: it has no signature"),
        ("before-1.0", "Not signed"),
    ):
        console.show(f"/releases/{name}")
        console.says(text)
    console.show("/releases/unsigned-1.0").audit()


def test_a_deployment_shows_which_devices_get_older_software(console: Console, world: World) -> None:
    page = console.page
    world.upload("os-1")
    flagged, refused = world.device(), world.device()
    flagged.artifact_name = refused.artifact_name = "os-2"
    world.api.put(POLICY, json={"signatures": "off", "downgrades": "flag"}).raise_for_status()
    deployment = world.deploy("os-1", [flagged.id, refused.id])
    serves(flagged.poll(), deployment)
    world.api.put(POLICY, json={"signatures": "off", "downgrades": "refuse"}).raise_for_status()
    assert refused.poll().status_code == 204

    console.show(f"/deployments/{deployment}")
    for status in ("Pending", "Refused"):
        expect(page.get_by_role("row").filter(has_text=status)).to_contain_text("os-2 -> os-1")
    console.audit()
    console.show("/auditlogs")
    console.says("Downgrade of the first device flagged")


def test_a_change_asks_for_the_password_a_while_after_the_sign_in(
    console: Console, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = console.page
    console.show("/settings/trust")
    monkeypatch.setattr(access, "_RECENT", timedelta(seconds=-1))
    page.get_by_label("Mark artifacts that no trusted key has signed").check()
    with console.refused("PUT", r"/trust/policy$", 403):
        console.button("Save policy").click()
        page.get_by_label("Your password").fill(PASSWORD)
    console.button("Go on").click()
    console.says("The policy is saved.")
    assert world.api.get(POLICY).json()["signatures"] == "warn"
