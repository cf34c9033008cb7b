"""Approving deployments in the console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.console.browser.fleet import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet

SETTINGS = "/api/management/v2/tenantadm/settings"
USERS = "/api/management/v1/useradm/users"


@pytest.fixture
def waiting(fleet: Fleet) -> Iterator[Callable[[str], str]]:
    """Makes deployments of the administrator that wait for approval."""
    before = fleet.api.get(SETTINGS).json()
    made: list[str] = []

    def make(name: str) -> str:
        fleet.api.put(SETTINGS, json={**before, "approval_devices": 1}).raise_for_status()
        ids = [device.id for device in fleet.devices[:2]]
        phases = [{"batch_size": 50}, {}]
        made.append(fleet.world.deploy("gateway-os-1.1", ids, name=name, phases=phases, rollout={"gate": {}}))
        fleet.api.put(SETTINGS, json=before).raise_for_status()
        return made[-1]

    yield make
    for each in made:
        if fleet.world.show(each)["status"] != "finished":
            fleet.world.abort(each)


@pytest.fixture
def approver(fleet: Fleet, console_of: Callable[[str], Console]) -> Console:
    """The console of a user who may approve deployments."""
    email = fleet.address("approver")
    if email not in {user["email"] for user in fleet.api.get(USERS).json()}:
        body = {"email": email, "password": PASSWORD, "roles": ["RBAC_ROLE_DEPLOYMENTS_APPROVER"]}
        fleet.api.post(USERS, json=body).raise_for_status()
    return console_of(email)


def test_a_second_person_approves_a_deployment(
    console: Console, approver: Console, fleet: Fleet, waiting: Callable[[str], str]
) -> None:
    made = waiting("Needs two people")
    console.show(f"/deployments/{made}")
    console.says("You have created it, so another user has to approve it.")
    console.says("Phase 1 opens when the deployment is approved.")
    console.says("after the approval")
    for button in ("Approve", "Reject", "Pause"):
        expect(console.button(button)).to_have_count(0)
    console.audit()

    page = approver.page
    approver.show("/")
    needs = page.get_by_role("listitem").filter(has=approver.link("Needs two people"))
    expect(needs.get_by_text("Waits for your approval")).to_be_visible()
    approver.go("/deployments?status=scheduled")
    row = page.get_by_role("row").filter(has=approver.link("Needs two people"))
    expect(row.get_by_text("Needs approval")).to_be_visible()
    approver.link("Needs two people").click()
    approver.says(f"Created by {fleet.email}.")
    approver.audit()
    approver.button("Approve").click()
    dialog = page.get_by_role("dialog", name="Approve this deployment?")
    dialog.get_by_label("Comment").fill("Checked with the port")
    approver.audit()
    dialog.get_by_role("button", name="Approve").click()
    approver.says("The deployment is approved.")
    expect(page.get_by_text(re.compile(f"^Approved by {fleet.address('approver')}"))).to_be_visible()
    approver.says("Checked with the port")
    expect(approver.button("Approve")).to_have_count(0)
    assert fleet.world.show(made)["approval"]["state"] == "approved"
    console.page.clock.run_for(6_000)
    console.says("Checked with the port")


def test_a_second_person_rejects_a_deployment(approver: Console, waiting: Callable[[str], str], fleet: Fleet) -> None:
    made = waiting("Not like this")
    approver.show(f"/deployments/{made}")
    approver.button("Reject").click()
    dialog = approver.page.get_by_role("dialog", name="Reject this deployment?")
    dialog.get_by_label("Comment").fill("Not on a Friday")
    dialog.get_by_role("button", name="Reject").click()
    approver.says("The deployment is rejected.")
    expect(approver.page.get_by_text(re.compile("^Rejected by"))).to_be_visible()
    approver.says("Not on a Friday")
    approver.audit()
    assert fleet.world.show(made)["status"] == "finished"


def test_mails_about_approvals_are_turned_off(approver: Console, fleet: Fleet) -> None:
    approver.show("/settings/notifications")
    approver.page.get_by_role("switch", name="Deployments that wait for approval").click()
    approver.says("You get no more mails about deployments that wait for approval.")
    expect(approver.page.get_by_role("switch", name="Deployments that wait for approval")).not_to_be_checked()
    approver.audit()
