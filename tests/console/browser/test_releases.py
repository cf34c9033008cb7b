"""Releases in the console: found, uploaded, made from a file, described, tagged and deleted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.simulator.artifacts import build_artifact

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.console.browser.watching import Console


def test_an_artifact_is_uploaded_described_tagged_and_deleted(console: Console, server: LocalServer) -> None:
    page = console.page
    data = build_artifact("console-release-1", ("qemux86-64",))
    console.show("/releases")
    console.button("Upload").click()
    page.get_by_label("Description").fill("From the console")
    page.get_by_label("Choose artifacts, or drop them here").set_input_files(
        {"name": "one.mender", "mimeType": "application/octet-stream", "buffer": data}
    )
    console.says("Verifying")
    server.drain()
    page.clock.run_for(6_000)
    console.says("Verified and ready to be deployed.")
    console.audit()
    console.button("Close").last.click()

    page.get_by_role("searchbox", name="Search by name").fill("console-release")
    page.clock.run_for(300)
    console.link("console-release-1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("console-release-1")
    expect(page.get_by_text("From the console")).to_be_visible()
    console.arrives("/releases/console-release-1")

    tags = page.get_by_label("Tags", exact=True)
    tags.fill("canary")
    tags.press("Enter")
    console.button("Save tags").click()
    console.says("Tags are saved.")
    page.get_by_label("Notes", exact=True).fill("Try this one first.")
    console.button("Save notes").click()
    console.says("Notes are saved.")
    console.show("/releases/console-release-1")
    expect(page.get_by_label("Notes", exact=True)).to_have_value("Try this one first.")

    console.button("Delete").click()
    console.button("Delete 1 artifact").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Releases")
    console.settle().show("/releases?name=console-release-1")
    console.says("No release fits")


def test_an_artifact_is_made_from_a_file(console: Console) -> None:
    page = console.page
    console.show("/releases?upload=make")
    page.get_by_label("Choose a file, or drop it here").set_input_files(
        {"name": "motd", "mimeType": "text/plain", "buffer": b"hello"}
    )
    page.get_by_label("Name of the release").fill("console-made-1")
    types = page.get_by_label("Device types")
    types.fill("raspberrypi4")
    types.press("Enter")
    page.get_by_label("Directory on the device").fill("/etc")
    console.button("Make artifact").click()
    console.link("Show the release").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("console-made-1")
    page.get_by_text(re.compile(r"Files .* metadata of single-file")).click()
    console.says("SHA-256")
    console.audit()


def test_a_file_that_is_no_artifact_is_refused_with_the_reason(console: Console, server: LocalServer) -> None:
    page = console.page
    console.show("/releases?upload=file")
    page.get_by_label("Choose artifacts, or drop them here").set_input_files(
        {"name": "wrong.mender", "mimeType": "application/octet-stream", "buffer": b"no artifact"}
    )
    console.says("Verifying")
    server.drain()
    page.clock.run_for(6_000)
    expect(page.get_by_text("wrong.mender was not added")).to_be_visible()
    expect(console.button("Try again")).to_be_visible()


def test_whoever_may_only_look_finds_nothing_to_change(console_of, fleet) -> None:
    console = console_of(fleet.address("auditor"))
    console.show("/releases/gateway-os-2.0")
    expect(console.button("Delete")).to_have_count(0)
    expect(console.page.get_by_role("link", name=re.compile("Deploy"))).to_have_count(1)  # the navigation's
