"""The list of devices in the console: searched, filtered, grouped, and changed many at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.simulator.device import Device

if TYPE_CHECKING:
    from tests.console.browser.checked_page import Console


def _pending(console: Console, *names: str) -> None:
    world = console.fleet.world
    for name in names:
        assert Device(world.http, world.token, identity={"serial": name}).auth().status_code == 401


def _select_all_here(console: Console) -> None:
    console.page.get_by_role("checkbox", name="Select these").check()


def test_devices_are_searched_and_filtered(console: Console) -> None:
    page = console.page
    console.show("/devices")
    tabs = page.get_by_role("navigation", name="Devices by status")
    expect(tabs.get_by_role("link", name=re.compile(r"^Rejected\s*\d+$"))).to_be_visible()
    tabs.get_by_role("link", name=re.compile(r"^Silent\s*0$")).click()
    console.says("All accepted devices have called")
    tabs.get_by_role("link", name=re.compile("^All")).click()
    page.get_by_role("searchbox", name="Search").fill("eway-0")
    page.clock.run_for(300)
    expect(page.get_by_text("9 devices found")).to_be_visible()
    page.get_by_role("searchbox", name="Search").fill("07")
    page.clock.run_for(300)
    expect(console.link("gateway-07")).to_be_visible()
    expect(console.link("gateway-11")).to_have_count(0)
    console.arrives("/devices?q=07")
    page.get_by_role("button", name="Clear search").click()
    page.clock.run_for(300)

    page.get_by_label("Group").select_option("canary")
    expect(page.get_by_text("4 devices found")).to_be_visible()
    page.get_by_label("Group").select_option("")

    console.button("Filter").click()
    attribute = page.get_by_role("combobox", name="Attribute")
    attribute.click()
    attribute.fill("device_type")
    page.get_by_role("option", name=re.compile("device_type")).first.click()
    page.get_by_label("Value", exact=True).fill("imx8-camera")
    page.get_by_label("Name of the filter").fill("Cameras by type")
    console.audit()
    console.button("Save").click()
    console.says("Filter Cameras by type is saved.")
    console.button("Show devices").click()
    expect(page.get_by_text("8 devices found")).to_be_visible()
    console.button("Remove device_type is imx8-camera").click()
    page.get_by_label("Saved filter").select_option("Cameras by type")
    expect(page.get_by_text("8 devices found")).to_be_visible()
    console.button("Filter (1)").click()
    console.button("Delete filter Cameras by type").click()
    console.says("Filter Cameras by type is deleted.")


def test_many_devices_are_accepted_tagged_grouped_and_decommissioned(console: Console) -> None:
    page = console.page
    _pending(console, "bulk-1", "bulk-2", "bulk-3")
    console.show("/devices?status=pending&q=bulk")
    expect(page.get_by_text("3 devices found")).to_be_visible()
    _select_all_here(console)
    console.button("More actions").click()
    page.get_by_role("menuitem", name="Accept", exact=True).click()
    console.button("Accept 3 devices").click()
    console.says("3 devices accepted")
    console.button("Close").last.click()
    console.says("No device fits")

    console.show("/devices?status=accepted&q=bulk")
    _select_all_here(console)
    console.button("Tag").click()
    page.get_by_label("Name of the tag").fill("site")
    page.get_by_label("Value", exact=True).fill("oslo")
    console.button("Tag 3 devices").click()
    console.says("3 devices tagged")
    console.button("Close").last.click()

    _select_all_here(console)
    page.get_by_role("region", name="Selection").get_by_role("button", name="Group").click()
    group = page.get_by_role("dialog").get_by_role("combobox", name="Group")
    group.fill("bulk-group")
    group.press("Enter")
    console.button("Move 3 devices").click()
    console.says("3 devices moved")
    console.button("Close").last.click()
    console.show("/devices?group=bulk-group")
    expect(page.get_by_text("3 devices found")).to_be_visible()

    console.button("More").click()
    page.get_by_role("menuitem", name="Delete group bulk-group").click()
    console.button("Delete 1 group").click()
    console.says("Group bulk-group is deleted.")

    console.show("/devices?q=bulk")
    _select_all_here(console)
    console.button("More actions").click()
    page.get_by_role("menuitem", name="Decommission").click()
    console.button("Decommission 3 devices").click()
    console.says("3 devices decommissioned")


def test_a_failure_for_one_device_is_shown_and_does_not_stop_others(console: Console) -> None:
    _pending(console, "partly-1", "partly-2")
    console.show("/devices?q=partly")
    expect(console.page.get_by_text("2 devices found")).to_be_visible()
    _select_all_here(console)
    # One of them is decommissioned before the action.
    found = console.fleet.api.get("/api/management/v2/devauth/devices", params={"status": "pending", "per_page": 500})
    gone = next(each["id"] for each in found.json() if each["identity_data"].get("serial") == "partly-1")
    assert console.fleet.api.delete(f"/api/management/v2/devauth/devices/{gone}").status_code == 204
    console.button("More actions").click()
    console.page.get_by_role("menuitem", name="Reject").click()
    with console.refused("PUT", r"/devauth/devices/", 404):
        console.button("Reject 2 devices").click()
        console.says("1 device failed")
    expect(console.page.get_by_role("dialog").get_by_text(gone)).to_be_visible()


def test_the_filtered_list_is_exported(console: Console, tmp_path: Path) -> None:
    console.show("/devices?group=canary")
    console.button("More").click()
    with console.page.expect_download() as download:
        console.page.get_by_role("menuitem", name="Export as CSV").click()
    table = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert len(table) == 5
    serial = table[0].split(",").index("identity/serial")
    assert {line.split(",")[serial] for line in table[1:]} == {f"gateway-0{number}" for number in range(1, 5)}
