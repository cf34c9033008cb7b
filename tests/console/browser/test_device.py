"""A device in the console: accepting, details, configuration, tags, groups, terminal, files, decommissioning."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from chalicelib.deviceconnect.rules.envelope import Message
from tests.deviceconnect.peers import FakeDevice
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.testing import LocalServer
    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet
    from tests.simulator.device import Device


_numbers = count(1)


@pytest.fixture
def own(fleet: Fleet) -> Iterator[Device]:
    """A device for this test only, which is removed after it."""
    device = fleet.world.device(identity={"serial": f"own-{next(_numbers)}"})
    device.inventory({"artifact_name": "gateway-os-1.0", "device_type": "raspberrypi4", "kernel": "Linux 6.6"})
    yield device
    fleet.api.delete(f"/api/management/v2/devauth/devices/{device.id}")


def test_a_device_is_accepted_tagged_grouped_and_decommissioned(console: Console, own: Device) -> None:
    page = console.page
    console.show(f"/devices/{own.id}")
    expect(page.get_by_role("heading", level=1)).to_have_text(own.identity["serial"])
    console.button("Reject").click()
    console.says("The key is rejected")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("group", name="Key, accepted")).to_be_visible()
    console.button("Change group").click()
    page.get_by_role("combobox", name="Group").fill("own-group")
    page.get_by_role("combobox", name="Group").press("Enter")
    console.button("Save group").click()
    expect(console.link("own-group").first).to_be_visible()
    console.button("Edit tags").click()
    page.get_by_label("Value 1").fill("Renamed crane")
    console.audit()
    console.button("Save tags").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Renamed crane")

    console.link("Inventory").click()
    page.get_by_role("searchbox", name="Search the inventory").fill("linux")
    page.clock.run_for(300)
    expect(page.get_by_text("Linux 6.6")).to_be_visible()
    expect(page.get_by_text("artifact_name")).to_have_count(0)

    console.link("Overview").last.click()
    console.button("Dismiss").click()
    console.button("Dismiss 1 key").click()
    console.says("No keys")
    console.button("Actions").click()
    page.get_by_role("menuitem", name="Decommission").click()
    console.button("Decommission 1 device").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")


def test_a_configuration_is_saved_and_deployed(console: Console, own: Device, fleet: Fleet) -> None:
    page = console.page
    console.show(f"/devices/{own.id}?tab=configuration")
    console.button("Edit configuration").click()
    page.get_by_label("Name 1").fill("timezone")
    page.get_by_label("Value 1").fill("Europe/Oslo")
    console.button("Save and deploy").click()
    console.says("The configuration is on its way")
    expect(page.get_by_text("Not reported")).to_be_visible()
    made = fleet.api.get(f"/api/management/v1/deviceconfig/configurations/device/{own.id}").json()
    assert made["configured"] == {"timezone": "Europe/Oslo"}
    assert made["deployment_id"]


def test_a_failed_update_links_to_its_log(console: Console, fleet: Fleet) -> None:
    console.show(f"/devices/{fleet.devices[34].id}?tab=deployments")
    console.says("None: the device gets no update at its next poll.")
    console.button("Log of Gateway 2.0 in the lab").click()
    console.says("no space left on device")
    console.audit()


def test_upcoming_deployments_are_shown_with_their_time_and_explained(console: Console, fleet: Fleet) -> None:
    page = console.page
    console.show(f"/devices/{fleet.devices[27].id}?tab=deployments")
    expect(console.link("Gateway 2.0, production")).to_be_visible()
    console.says("A time is when the phase opens in which it can begin.")
    console.audit()
    console.refresh()
    console.button("Explain").click()
    why = page.get_by_role("listitem").filter(has=console.link("Gateway 2.0, production"))
    expect(why.get_by_text("Phase full")).to_be_visible()
    expect(why.get_by_text("No more devices may begin until phase 2 opens")).to_be_visible()
    console.audit()
    console.button("Close the reasons").click()
    expect(why).to_have_count(0)
    console.go(f"/devices/{fleet.devices[47].id}?tab=deployments")
    stopped = page.get_by_role("row").filter(has=console.link("Dashboard, carefully"))
    expect(stopped.get_by_text("Not now: see Explain")).to_be_visible()


def test_a_terminal_is_opened_in_the_page_and_played_back(
    console: Console, own: Device, server: LocalServer, tmp_path: Path
) -> None:
    page = console.page
    assert own.token is not None
    with FakeDevice(server.url, own.token) as peer:
        console.show(f"/devices/{own.id}?tab=terminal")
        console.button("Connect").click()
        console.says("Terminal is open")
        page.get_by_label("Terminal input").press_sequentially("lamp")
        peer.wait_for(lambda each: each.typ == "shell" and each.body == b"p")
        expect(page.locator(".xterm-rows")).to_contain_text("lamp")
        page.get_by_label("Terminal input").press("Escape")
        page.get_by_label("Terminal input").press_sequentially("[38;2;200;90;40mcoloured")
        expect(page.locator(".xterm-rows")).to_contain_text("coloured")
        console.audit()
        shell = peer.wait_for(lambda each: each.typ == "shell")
        for hour in range(8):  # more than is kept
            lines = "".join(f"line {hour * 1000 + number}\r\n" for number in range(1000))
            peer.say(Message(shell.proto, "shell", shell.sid, {"status": 1}, lines.encode()))
        expect(page.locator(".xterm-rows")).to_contain_text("line 7999")
        assert page.locator(".xterm-rows > *").count() < 100
        page.get_by_label("Terminal input").press("Control+F6")
        expect(console.button("Disconnect")).to_be_focused()
        console.button("Disconnect").click()
        peer.wait_for(lambda each: each.typ == "stop")

        page.get_by_role("link", name="Files").click()
        sent = bytes(range(256)) * 400
        page.get_by_label("Choose a file, or drop it here").set_input_files(
            {"name": "motd", "mimeType": "text/plain", "buffer": sent}
        )
        console.button("Send file").click()
        console.says("motd is on the device.")
        until("the device has the file", lambda: peer.files.get("/tmp/motd") == sent)
        page.get_by_label("Path on the device").fill("/tmp/motd")
        with page.expect_download() as fetched:
            console.button("Fetch file").click()
        fetched.value.save_as(tmp_path / "motd")
        assert (tmp_path / "motd").read_bytes() == sent
        page.get_by_label("Path on the device").fill("/none")
        console.button("Fetch file").click()
        console.says("no such file or directory")

        console.button("Actions").click()
        page.get_by_role("menuitem", name="Check for updates now").click()
        console.says("The device checks for updates now.")
        peer.wait_for(lambda each: each.typ == "check-update")

    server.drain()
    page.get_by_role("link", name="Recordings").click()
    page.get_by_role("button", name="Play the session").click()
    page.get_by_role("slider", name="Position").press("End")
    expect(page.locator(".xterm-rows")).to_contain_text("line 7999")
    console.audit()
