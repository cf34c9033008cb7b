"""Acceptance rules in the console: a rule with a preview, and a file with identities."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.devauth.acceptance import IDENTITIES, RULES
from tests.simulator.device import Device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet

CSV = "text/csv"


@pytest.fixture(autouse=True)
def no_rules_are_left(fleet: Fleet) -> Iterator[None]:
    """Other tests have pending devices."""
    yield
    fleet.api.delete(IDENTITIES)
    for rule in fleet.api.get(RULES).json():
        fleet.api.delete(f"{RULES}/{rule['id']}")


def new_device(fleet: Fleet, serial: str) -> Device:
    return Device(fleet.world.http, fleet.world.token, identity={"serial": serial})


def test_a_rule_is_previewed_created_turned_off_and_deleted(console: Console, fleet: Fleet) -> None:
    page, line = console.page, uuid.uuid4().hex[:6]
    waiting = new_device(fleet, f"{line}-1")
    assert waiting.auth().status_code == 401
    console.show("/settings/acceptance")
    console.says("No rules")
    console.button("New rule").click()
    page.get_by_label("Name").fill("Line 4")
    patterns = page.get_by_label("Patterns", exact=False).last
    patterns.fill("serial")
    console.says("Each line needs an attribute, = and a pattern.")
    patterns.fill(f"serial={line}-*")
    page.get_by_label("Devices a day, at most").fill("1")
    console.button("Preview").click()
    console.says("1 pending device would be accepted.")
    expect(page.get_by_role("region", name="Preview")).to_contain_text(f"serial: {line}-1")
    console.audit()
    console.button("Create rule").click()
    console.says("The rule is created. Pending devices are accepted when they ask again.")
    row = page.get_by_role("row").filter(has_text="Line 4")
    expect(row).to_contain_text(f"serial={line}-*")
    expect(row).to_contain_text("0 of 1")

    assert waiting.auth().status_code == 200
    assert new_device(fleet, f"{line}-2").auth().status_code == 401
    console.refresh()
    expect(row).to_contain_text("1 of 1")
    console.audit()
    row.get_by_role("button", name="Actions for Line 4").click()
    page.get_by_role("menuitem", name="Turn off").click()
    console.says("The rule is off. It accepts no more devices.")
    expect(row).to_contain_text("Off")
    row.get_by_role("button", name="Actions for Line 4").click()
    page.get_by_role("menuitem", name="Delete").click()
    console.button("Delete 1 rule").click()
    console.says("The rule is deleted.")
    console.says("No rules")

    console.show(f"/devices/{waiting.id}")
    console.says("accepted by rule Line 4")
    console.show(f"/auditlogs?object_id={waiting.id}")
    expect(page.get_by_text("rule Line 4").first).to_be_visible()


def test_identities_are_uploaded_listed_and_deleted(console: Console, fleet: Fleet) -> None:
    page, line = console.page, uuid.uuid4().hex[:6]
    console.show("/settings/acceptance")
    file = f"serial,sku\n{line}-1,a\n{line}-2\n{line}-3,b\n".encode()
    drop = page.get_by_label("Choose a CSV file, or drop it here")
    drop.set_input_files({"name": "devices.csv", "mimeType": CSV, "buffer": file})
    console.says("2 identities stored")
    console.says("Line 3: number of values: 1, but number of names in the first line: 2")
    expect(page.get_by_role("row").filter(has_text="Preregistered identities")).to_contain_text("On")
    console.audit()
    device = Device(fleet.world.http, fleet.world.token, identity={"serial": f"{line}-1", "sku": "a"})
    assert device.auth().status_code == 200
    console.show("/settings/acceptance")
    expect(page.get_by_role("row").filter(has_text=f"{line}-1")).to_contain_text("accepted")
    expect(page.get_by_role("row").filter(has_text=f"{line}-3")).to_contain_text("not seen yet")
    page.get_by_role("button", name=f"Delete serial: {line}-3").click()
    console.says("The identity is deleted.")
    console.button("Delete all").click()
    console.button("Delete 1 identity").click()
    console.says("The identities are deleted.")
    console.says("No identities")


def test_a_file_that_cannot_be_read_is_refused(console: Console) -> None:
    console.show("/settings/acceptance")
    drop = console.page.get_by_label("Choose a CSV file, or drop it here")
    with console.refused("POST", r"/identities$", 400):
        drop.set_input_files({"name": "devices.csv", "mimeType": CSV, "buffer": b"serial,serial\n1,2"})
        console.says("the first line must have different names of attributes")
