"""The overview in the console."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.console.browser.checked_page import Console

if TYPE_CHECKING:
    from tests.console.browser.fleet import Fleet


def test_the_overview_lists_problems(console: Console, fleet: Fleet) -> None:
    page = console.show("/").page

    needs = page.get_by_role("listitem")
    expect(needs.filter(has_text="2 devices with an alert")).to_contain_text("Harbour crane")
    expect(needs.filter(has_text="Gateway 2.0 in the lab")).to_contain_text("3 failures of 6 devices")
    expect(page.get_by_role("link", name="Gateway 2.0, production").first).to_have_attribute(
        "href", f"#/deployments/{fleet.deployments['running']}"
    )
    expect(page.get_by_role("img", name="Devices of Gateway 2.0, production")).to_have_accessible_name(
        "Devices of Gateway 2.0, production: succeeded: 3, failed: 1, at work: 2"
    )
    expect(needs.filter(has_text="camera-os-3.1").last).to_contain_text("8")
    console.button("Show as table").click()
    rows = page.get_by_role("row").filter(has=page.get_by_role("cell"))
    expect(rows.last).to_be_visible()
    succeeded = sum(int(row.get_by_role("cell").first.inner_text() or 0) for row in rows.all())
    assert succeeded >= 18, rows.all_inner_texts()
    assert console.refresh() == ["GET /management/v1/console/overview"]


def test_the_overview_refreshes_itself(console: Console) -> None:
    """A refresh shows changes made meanwhile; without changes its answer has no body."""
    console.show("/")
    with console.page.expect_response(re.compile("/console/overview")) as answer:
        console.refresh()
    assert answer.value.status == 304
    world = console.fleet.world
    made = world.deploy("camera-os-3.1", [console.fleet.devices[47].id], name="While you look")
    console.refresh()
    console.says("While you look")
    world.abort(made)


def test_users_without_permissions_get_a_message(console_of: Callable[[str], Console], fleet: Fleet) -> None:
    role = {"name": "uploads-only", "permission_sets_with_scope": [{"name": "UploadArtifacts"}]}
    assert fleet.api.post("/api/management/v2/useradm/roles", json=role).status_code == 201
    email = fleet.address("uploader")
    user = {"email": email, "password": "a-long-enough-one", "roles": ["uploads-only"]}
    assert fleet.api.post("/api/management/v1/useradm/users", json=user).status_code == 201

    console = console_of(email).show("/")

    console.says("Nothing to see with your rights")
    expect(console.page.get_by_role("link", name="Devices", exact=True)).to_have_count(0)
