"""Deployments in the console: creating, watching, aborting, repeating, and reasons of failures."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet
    from tests.simulator.device import Device


def _devices(fleet: Fleet, *names: str) -> list[Device]:
    """New accepted devices with a reported type."""
    made = [fleet.world.device(identity={"serial": name}, device_type="raspberrypi4") for name in names]
    for device in made:
        assert device.inventory({"device_type": "raspberrypi4", "artifact_name": "none"}).status_code == 200
    return made


def _move_second_phase(console: Console) -> None:
    """By the keyboard to the right, by the mouse to the left."""
    page = console.page
    second = page.get_by_role("slider", name="Start of phase 2")
    before = second.get_attribute("aria-valuenow")
    second.press("ArrowRight")
    moved = second.get_attribute("aria-valuenow")
    assert before is not None
    assert moved is not None
    assert int(moved) > int(before)
    box = second.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 150, box["y"] + box["height"] / 2, steps=4)
    console.says("Phase 2 starts")
    page.mouse.up()
    expect(page.get_by_text("Phase 2 starts")).to_have_count(0)
    assert int(second.get_attribute("aria-valuenow") or 0) < int(before)


def _change_control_and_abort(console: Console) -> None:
    page = console.page
    console.button("Change").click()
    page.get_by_label("Before committing", exact=True).select_option("continue")
    console.button("Save").click()
    console.says("before installing: pause")
    expect(page.get_by_text("before committing: pause")).to_have_count(0)

    console.button("Abort").click()
    expect(page.get_by_role("heading", name="Abort for 3 devices?")).to_be_visible()
    console.button("Abort for 3 devices").click()
    expect(page.get_by_text("Aborted", exact=True)).to_be_visible()
    expect(console.button("Abort")).to_have_count(0)


def test_creating_a_deployment_in_phases_and_aborting_it(console: Console, fleet: Fleet) -> None:
    _devices(fleet, "phased-1", "phased-2", "phased-3")
    page = console.page
    console.show("/deployments")
    page.keyboard.press("n")
    release = page.get_by_role("combobox", name="Release")
    release.fill("2.1-rc")
    page.get_by_role("option", name=re.compile("gateway-os-2.1-rc1")).click()
    console.button("Continue").click()

    page.get_by_label("Chosen devices").check()
    expect(page.get_by_text("Add a device.")).to_be_visible()
    for name in ("phased-1", "phased-2", "phased-3"):
        page.get_by_role("combobox", name="Add a device").fill(name)
        page.clock.run_for(300)
        page.get_by_role("option", name=re.compile(name)).click()
    expect(page.get_by_text("3 devices", exact=True)).to_be_visible()
    console.says("The release fits all of them")
    console.button("Continue").click()

    page.get_by_label("In phases").check()
    expect(page.get_by_text("Phase 1 would have no device: it reaches 3 in all.")).to_be_visible()
    console.button("10 %, rest").click()
    page.get_by_label("Size of phase 1, in percent").fill("40")
    _move_second_phase(console)
    console.button("Continue").click()

    page.get_by_label("Retries").fill("2")
    page.get_by_label("Let devices pause at certain steps").check()
    page.get_by_label("Before committing", exact=True).select_option("pause")
    console.audit()
    console.button("Continue").click()
    page.get_by_label("Name").fill("Candidate, three devices")
    console.says("before committing: pause")
    console.audit()
    page.reload()
    console.button("Deploy to 3 devices").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Candidate, three devices")
    console.says("Phase 1: 1 device")
    console.says("2 after a failure")
    shown = fleet.world.show(console.place().rsplit("/", 1)[-1])
    assert [phase.get("batch_size") for phase in shown["phases"]] == [40, 60]
    assert shown["update_control_map"]["states"]["ArtifactCommit_Enter"]["action"] == "pause"

    _change_control_and_abort(console)


def test_watching_and_repeating_a_deployment(console: Console, fleet: Fleet) -> None:
    (device,) = _devices(fleet, "watched-1")
    page = console.page
    made = fleet.world.deploy("gateway-os-1.1", [device.id], name="Watched")
    console.show(f"/deployments/{made}")
    console.says("No device has asked yet")
    assert device.poll().status_code == 200
    assert device.report(made, "downloading").status_code == 204
    page.clock.run_for(6_000)
    console.says("Downloading")
    expect(page.get_by_role("link", name="watched-1")).to_be_visible()
    console.refresh()

    console.link("Make again").click()
    expect(page.get_by_label("Name")).to_have_value("Watched")
    with console.refused("POST", r"/deployments/deployments$", 409):
        console.button("Deploy to 1 device").click()
        console.says("The deployment was not created")
    page.get_by_label("Name").fill("Watched once more")
    console.button("Deploy to 1 device").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Watched once more")

    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill("production")
    page.clock.run_for(300)
    page.get_by_role("option", name=re.compile("Gateway 2.0, production")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Gateway 2.0, production")


def test_a_failure_links_to_its_log(console: Console, fleet: Fleet) -> None:
    page = console.page
    console.show("/deployments")
    page.get_by_role("link", name=re.compile("^Finished")).click()
    page.get_by_label("Search by name or release").fill("lab")
    page.clock.run_for(300)
    expect(page.get_by_role("link", name="Security fixes of March")).to_have_count(0)
    page.get_by_role("link", name="Gateway 2.0 in the lab").click()
    console.button("Show 3 failures").click()
    expect(page.get_by_role("row")).to_have_count(4)
    reason = "Cannot verify the checksum of the root file system: no space left on device"
    console.link(reason).click()
    expect(page.get_by_role("button", name="Show devices that failed for any reason")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(4)
    expect(page.get_by_role("gridcell", name=reason)).to_have_count(3)
    console.button("Log of gateway-34").click()
    console.says("no space left on device")
    page.wait_for_url(re.compile(f"log={fleet.devices[33].id}"))
    console.button("Close").click()
    page.get_by_label("Status").select_option(label="Updated (3)")
    expect(console.link("gateway-31")).to_be_visible()


def test_retrying_the_failed_devices_of_a_deployment(console: Console, fleet: Fleet) -> None:
    devices = _devices(fleet, "retried-1", "retried-2", "retried-3")
    made = fleet.world.deploy("gateway-os-1.1", [device.id for device in devices], name="Unlucky")
    for device, status in zip(devices, ("failure", "failure", "success"), strict=True):
        assert device.poll().status_code == 200
        assert device.report(made, status, substate="ArtifactInstall: 12kB missing").status_code == 204
    page = console.page
    console.show(f"/deployments/{made}")
    console.says("ArtifactInstall: … missing")
    page.get_by_text("Examples of ArtifactInstall").click()
    console.says("retried-1")
    console.button("Retry").click()
    console.audit()
    release = page.get_by_role("combobox", name="Release")
    expect(release).to_have_value("gateway-os-1.1")
    release.fill("gateway-os-2.0")
    page.clock.run_for(300)
    page.get_by_role("option", name=re.compile("^gateway-os-2.0 ")).first.click()
    console.button("Deploy to 2 devices").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Unlucky (retry 1)")
    shown = fleet.world.show(console.place().rsplit("/", 1)[-1])
    assert (shown["artifact_name"], shown["parent"], shown["max_devices"]) == ("gateway-os-2.0", made, 2)

    console.link("Unlucky").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Unlucky")
    expect(console.link("Unlucky (retry 1)")).to_be_visible()


def test_a_retry_is_changed_before_it_is_created(console: Console, fleet: Fleet) -> None:
    devices = _devices(fleet, "changed-1", "changed-2")
    other = fleet.world.device(identity={"serial": "changed-3"}, device_type="imx8-camera")
    rollout = {"maximum_per_minute": 10, "stop": {"max_failures": 3}}
    ids = [device.id for device in (*devices, other)]
    made = fleet.world.deploy("gateway-os-1.1", ids, name="Unluckier", rollout=rollout)
    for device in devices:
        assert device.poll().status_code == 200
        assert device.report(made, "failure").status_code == 204
    assert other.poll().status_code == 204
    page = console.page
    console.show(f"/deployments/{made}?dialog=retry")
    expect(page.get_by_label("Aborted")).to_have_count(0)
    page.get_by_label("No fitting artifact").check()
    expect(console.button("Deploy to 3 devices")).to_be_enabled()
    console.link("Choose phases, protection and options").click()
    page.get_by_label("In phases").check()
    console.button("10 %, rest").click()
    page.get_by_label("Size of phase 1, in percent").fill("40")
    expect(page.get_by_label("Devices per minute")).to_have_value("10")
    page.get_by_role("button", name="Devices").first.click()
    expect(page.get_by_label("No fitting artifact")).to_be_checked()
    console.audit()
    page.get_by_role("button", name="Review").click()
    console.says("Those of Unluckier with the result “Failed” or “No fitting artifact” (3 devices now)")
    console.button("Show").click()
    console.says("2 of 3 devices")
    console.button("Deploy to 3 devices").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Unluckier (retry 1)")
    shown = fleet.world.show(console.place().rsplit("/", 1)[-1])
    assert (shown["parent"], [phase["batch_size"] for phase in shown["phases"]]) == (made, [40, 60])
    assert shown["rollout"]["settings"] == rollout
    fleet.world.abort(shown["id"])


def test_the_report_of_a_deployment_and_its_files(console: Console, fleet: Fleet) -> None:
    page = console.page
    console.show(f"/deployments/{fleet.deployments['failing']}")
    console.link("Report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Report of "))
    console.says("Half of them done")
    console.says("Cannot verify the checksum of the root file system")
    expect(page.get_by_role("grid", name="By device type")).to_be_visible()
    console.audit()
    files = {}
    for label in ("Report as CSV", "Report as JSON", "Devices as CSV", "Devices as JSON lines"):
        console.button("Download").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=label).click()
        files[label] = download.value.path().read_text()
    assert files["Report as CSV"].startswith("section,key,time")
    assert json.loads(files["Report as JSON"])["complete"]
    devices = [json.loads(line) for line in files["Devices as JSON lines"].splitlines()]
    assert len(files["Devices as CSV"].splitlines()) == len(devices) + 1
    assert sum(device["status"] == "failure" for device in devices) == 3


def test_a_protected_deployment_is_created_after_a_preview(console: Console, fleet: Fleet) -> None:
    devices = _devices(fleet, "protected-1", "protected-2", "protected-3")
    page = console.page
    ids = ",".join(device.id for device in devices)
    console.show(f"/deployments/new?release=gateway-os-1.1&devices={ids}&step=rollout")
    page.get_by_role("switch", name="Protect the fleet").check()
    console.says("Empty: after phase 2")
    expect(page.get_by_label("Success, in percent")).to_have_value("95")
    expect(page.get_by_label("Start of phase 2")).to_have_value("")
    page.get_by_label("Success, in percent").fill("101")
    console.says("A whole number from 1 to 100.")
    expect(console.button("Continue")).to_be_disabled()
    page.get_by_label("Success, in percent").fill("90")
    console.button("Show").click()
    console.says("Costs on AWS")
    console.says("3 of 3 devices")
    page.get_by_label("Only in windows of time").check()
    page.get_by_label("Saturday").check()
    page.get_by_label("Devices per minute").fill("10")
    page.clock.run_for(1000)
    console.says("Next window")
    console.audit()
    console.button("Hide").click()

    zone = page.get_by_role("combobox", name="Time zone")
    zone.fill("Moon/Crater")
    zone.press("Enter")
    console.button("Continue").click()
    console.button("Continue").click()
    console.says("A phase opens when 90 % of the devices of the phase before have succeeded")
    with console.refused("POST", r"/deployments/deployments$", 400):
        console.button("Deploy to 3 devices").click()
        expect(page.get_by_text("Moon/Crater is not a time zone").first).to_be_visible()
    expect(zone).to_have_attribute("aria-invalid", "true")
    zone.fill("oslo")
    page.get_by_role("option", name="Europe/Oslo").click()
    page.get_by_role("button", name="Review").click()
    console.button("Deploy to 3 devices").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gateway-os-1.1 for 3 devices")
    made = console.place().rsplit("/", 1)[-1]
    shown = fleet.world.show(made)
    assert [phase.get("batch_size_devices") for phase in shown["phases"]] == [1, 1, 1]
    settings = shown["rollout"]["settings"]
    assert settings["gate"] == {"success_percent": 90, "soak": "PT3600S"}
    assert settings["stop"] == {"max_failures_percent": 5}
    assert (settings["time_zone"], settings["maximum_per_minute"]) == ("Europe/Oslo", 10)
    assert settings["windows"] == [{"start_time": "02:00", "duration": "PT14400S", "days": ["sat"]}]
    console.link("Make again").click()
    console.says("A phase opens when 90 % of the devices of the phase before have succeeded")
    fleet.world.abort(made)


def test_a_rollout_is_paused_resumed_and_its_next_phase_opened(console: Console, fleet: Fleet) -> None:
    devices = _devices(fleet, "steered-1", "steered-2", "steered-3")
    made = fleet.world.deploy(
        "gateway-os-1.1",
        [device.id for device in devices],
        name="Steered",
        phases=[{"batch_size_devices": 1}, {}],
        rollout={"gate": {"success_percent": 95}, "stop": {"max_failures": 1}},
    )
    page = console.page
    console.show(f"/deployments/{made}")
    console.says("A phase opens when 95 % of the devices of the phase before have succeeded.")
    expect(page.get_by_role("meter", name="Succeeded in phase 1")).to_be_visible()
    console.button("Pause").click()
    page.get_by_label("Reason").fill("Wait for the night")
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    console.says("The deployment is paused.")
    console.says("Wait for the night")
    expect(console.button("Open phase 2 now")).to_have_count(0)
    console.button("Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    console.says("The deployment is resumed.")
    console.button("Open phase 2 now").click()
    console.button("Open for 2 devices").click()
    console.says("All phases are open.")

    assert devices[1].poll().status_code == 200
    assert devices[1].report(made, "failure").status_code == 204
    page.clock.run_for(6_000)
    console.says("1 of 1 device with a result had failed.")
    page.get_by_text("Some of the devices that failed").click()
    page.clock.run_for(300)
    expect(page.get_by_role("status").or_(page.get_by_role("alert")).get_by_text("steered-2")).to_be_visible()
    console.audit()
    console.button("Resume").click()
    console.says("The 1 failure so far no longer counts")
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    fleet.world.abort(made)

    console.go("/deployments")
    row = page.get_by_role("row").filter(has=console.link("Dashboard, carefully"))
    expect(row.get_by_text("Stopped")).to_be_visible()


def test_deploying_to_a_group_or_filter(console: Console, fleet: Fleet) -> None:
    page = console.page
    terms = [{"scope": "inventory", "attribute": "device_type", "type": "$eq", "value": "imx8-camera"}]
    filters = "/api/management/v2/inventory/filters"
    made = fleet.api.post(filters, json={"name": "All cameras", "terms": terms})
    assert made.status_code == 201, made.text
    console.show("/deployments/new?release=camera-os-3.1")
    page.get_by_label("A group").check()
    page.get_by_role("combobox", name="Group").click()
    page.get_by_role("option", name="lab").click()
    console.says("The release fits none of them")
    page.get_by_label("A saved filter").check()
    page.get_by_role("combobox", name="Saved filter").click()
    page.get_by_role("option", name="All cameras").click()
    page.get_by_label("Most devices").fill("3")
    expect(page.get_by_text("3 devices", exact=True)).to_be_visible()
    console.button("Continue").click()
    console.button("Continue").click()
    console.button("Continue").click()
    console.button("Deploy").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("camera-os-3.1 for All cameras")
    console.says("up to 3 devices")
    fleet.world.abort(console.place().rsplit("/", 1)[-1])
    assert fleet.api.delete(f"{filters}/{made.headers['Location'].rsplit('/', 1)[-1]}").status_code == 204


def test_users_who_may_only_read_cannot_deploy(console_of: Callable[[str], Console], fleet: Fleet) -> None:
    console = console_of(fleet.address("auditor"))
    console.show("/deployments")
    expect(console.link("New deployment")).to_have_count(0)
    console.go(f"/deployments/{fleet.deployments['running']}")
    expect(console.button("Abort")).to_have_count(0)
    expect(console.link("Make again")).to_have_count(0)
    console.go(f"/deployments/{fleet.deployments['failing']}")
    console.says("Why devices failed")
    expect(console.button("Retry")).to_have_count(0)
