"""Releases in the console: found, uploaded, made from a file, described, tagged and deleted."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from tests.artifacts.catalog import large_artifact
from tests.simulator.artifacts import build_artifact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Route

    from infra.local.testing import LocalServer
    from tests.console.browser.checked_page import Console

CHOOSE = "Choose artifacts, or drop them here"
PARTS = re.compile(r"[?&]partNumber=")


def wait_until(console: Console, happened: Callable[[], bool]) -> None:
    """Wait for a call of the browser to this test's server, which no page shows."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        console.page.wait_for_timeout(20)  # the requests come in meanwhile


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


def test_an_upload_is_paused_loses_a_part_and_goes_on_after_a_reload(
    console: Console, server: LocalServer, tmp_path: Path
) -> None:
    page = console.page
    file = tmp_path / "large.mender"
    file.write_bytes(b"".join(large_artifact("console-large-1", 17)))  # three parts
    sent: list[int] = []
    last: list[Route] = []

    def on_part(route: Route) -> None:
        number = int(parse_qs(urlsplit(route.request.url).query)["partNumber"][0])
        sent.append(number)
        if number == 2 and sent.count(2) == 1:
            route.fulfill(status=503)
        elif number == 3:
            last.append(route)  # it never arrives
        else:
            route.continue_()

    page.route(PARTS, on_part)
    console.show("/releases?upload=file")
    with console.refused("PUT", "/artifacts/", 503):
        page.get_by_label(CHOOSE).set_input_files(file)
        expect(console.button("Pause large.mender")).to_be_visible()
        wait_until(console, lambda: (sent.count(2), len(last)) == (2, 1))
        expect(page.get_by_role("progressbar", name="large.mender")).to_have_js_property("value", 16 * 2**20)
        console.button("Pause large.mender").click()
        console.says("Paused at")
    console.audit()
    page.evaluate("dispatchEvent(new Event('offline'))")
    console.button("Resume large.mender").click()
    console.says("No connection, continues by itself")
    assert len(last) == 1
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_until(console, lambda: len(last) == 2)

    console.show("/releases?upload=file")
    console.says("1 upload is not finished")
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert "uploads:" in kept
    assert not re.search(r"X-Amz|large\.mender", kept), "neither a secret nor a name"
    sent.clear()
    page.unroute(PARTS)
    page.on("request", lambda request: sent.extend(map(int, re.findall(r"partNumber=(\d+)", request.url))))
    page.get_by_label(CHOOSE).set_input_files(file)
    console.says("Verifying")
    assert sent == [3], "the other parts are there"
    server.drain()
    page.clock.run_for(6_000)
    console.says("Verified and ready to be deployed.")


def test_a_stopped_upload_is_cancelled(console: Console) -> None:
    page = console.page
    held: list[Route] = []
    page.route(PARTS, lambda route: held.append(route))  # noqa: PLW0108  # Playwright takes no builtin
    console.show("/releases?upload=file")
    page.get_by_label(CHOOSE).set_input_files(
        {"name": "two.mender", "mimeType": "application/octet-stream", "buffer": build_artifact("console-2", ("a",))}
    )
    wait_until(console, lambda: bool(held))
    with page.expect_response(lambda answer: answer.request.method == "DELETE" and answer.status == 204):
        console.button("Stop two.mender").click()
    expect(page.get_by_text("two.mender")).to_have_count(0)
    console.show("/releases?upload=file")
    expect(page.get_by_label(CHOOSE)).to_be_attached()
    expect(page.get_by_text("not finished")).to_have_count(0)


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


def test_an_invalid_artifact_is_refused_with_the_reason(console: Console, server: LocalServer) -> None:
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


def test_users_who_may_only_read_cannot_change_releases(console_of, fleet) -> None:
    console = console_of(fleet.address("auditor"))
    console.show("/releases/gateway-os-2.0")
    expect(console.button("Delete")).to_have_count(0)
    expect(console.page.get_by_role("link", name=re.compile("Deploy"))).to_have_count(1)  # the navigation's
