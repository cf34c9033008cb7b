"""The API's own screens: find an operation, try it, take it along as a line for a shell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet

CREATE = "/management/v1/deployments/deployments"


def test_an_operation_is_found_and_tried(console: Console) -> None:
    page = console.show("/api").page
    page.get_by_text("Webhooks", exact=True).click()
    console.arrives("/api?tag=Webhooks")  # what is open is in the address
    listed = page.get_by_role("link", name="/management/v1/iot-manager/integrations/{id}", exact=True)
    expect(listed).to_be_visible()
    page.get_by_role("searchbox").fill("get list deployments page")
    page.get_by_role("link", name="/management/v2/deployments/deployments", exact=True).click()
    console.arrives("/api/listDeploymentsV2")

    page.get_by_label("per_page").fill("2")
    console.button("Send").click()
    answer = page.locator("section", has=page.get_by_role("heading", name="Answer", exact=True))
    expect(answer.get_by_text("200", exact=True)).to_be_visible()
    expect(answer.get_by_role("region", name="Answer")).to_contain_text('"artifact_name"')
    assert console.calls[-1].endswith("/management/v2/deployments/deployments?per_page=2")
    expect(page.get_by_role("region", name="Command")).to_contain_text("deployments?per_page=2'")

    page.reload()  # what was typed is in the address
    expect(page.get_by_label("per_page")).to_have_value("2")
    page.get_by_label("page", exact=False).first.fill("none")
    with console.refused("GET", r"/v2/deployments/deployments$", 400):
        console.button("Send").click()
        expect(answer.get_by_text("400", exact=True)).to_be_visible()
        expect(answer.get_by_text("x-men-requestid")).to_be_visible()


def test_calls_that_change_something_ask_for_confirmation(console: Console) -> None:
    page = console.show("/api/createDeploymentV1").page
    body = page.get_by_label("Body")
    expect(body).to_have_value(re.compile(r'"artifact_name": "release-2.4"'))
    body.fill("{")
    expect(console.button("Send")).to_be_disabled()
    console.says("This is not JSON")
    body.fill('{"name": "Tried", "artifact_name": "nothing-of-this-name", "all_devices": true}')
    console.button("Send").click()
    console.button("Cancel").click()
    assert not [each for each in console.calls if each.startswith("POST")]

    console.button("Send").click()
    with console.refused("POST", rf"{CREATE}$", 422):
        console.button("Send POST").click()
        expect(page.get_by_role("region", name="Answer", exact=True)).to_contain_text("No artifact")
    assert console.calls[-1] == f"POST {CREATE}"


def test_missing_permissions_are_shown_before_the_call(console_of: Callable[[str], Console], fleet: Fleet) -> None:
    console = console_of(fleet.address("viewer"))
    page = console.show("/api/createDeploymentV1").page
    console.says("You do not have the right")
    console.show("/api/deviceAuthenticateV1")
    console.says("Only devices call this")
    expect(page.get_by_role("button", name="Send", exact=True)).to_have_count(0)
    console.show("/api/nothingOfThisName")
    console.says("This server has no such operation")
