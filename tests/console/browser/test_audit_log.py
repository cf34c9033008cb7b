"""The audit log in the console."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.console.browser.checked_page import Console


def test_an_entry_is_found_and_shows_what_changed(console: Console) -> None:
    page = console.show("/auditlogs").page
    page.get_by_label("Kind").select_option("Release")
    expect(page).to_have_url(f"{console.root}#/auditlogs?object_type=release")
    page.get_by_role("row").filter(has_text="stable").click()

    entry = page.get_by_role("dialog", name="Updated release")
    expect(entry.get_by_role("link", name="gateway-os-2.0")).to_have_attribute("href", "#/releases/gateway-os-2.0")
    expect(entry.get_by_role("region", name="What changed")).to_contain_text("stable")
    console.audit()
    address = page.url
    entry.get_by_role("button", name="All of this release").click()
    expect(page.get_by_role("row").filter(has_text="candidate")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Notes")).to_have_count(1)
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_role("dialog", name="Updated release")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.get_by_label("Who (e-mail address)").fill("nobody@example.com")
    console.says("No entry fits these filters")
    console.button("Clear filters").first.click()
    expect(page).to_have_url(f"{console.root}#/auditlogs")
    expect(page.get_by_role("row").nth(1)).to_be_visible()


def test_the_log_is_checked_and_exported(console: Console) -> None:
    page = console.show("/auditlogs?object_type=artifact").page
    console.button("Check the log").click()
    expect(page.get_by_role("dialog")).to_contain_text("are as they were written")
    console.audit()
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()

    console.button("Export").click()
    with page.expect_download() as started:
        page.get_by_role("menuitem", name="As JSON").click()
    exported = json.loads(started.value.path().read_text())
    logs = "/api/management/v1/auditlogs/logs?object_type=artifact&per_page=500"
    entries = console.fleet.api.get(logs).json()
    assert [each["object"] for each in exported] == [each["object"] for each in entries]
    console.button("Export").click()
    with page.expect_download() as started:
        page.get_by_role("menuitem", name="As CSV").click()
    rows = list(csv.reader(started.value.path().read_text().splitlines()))
    assert len(rows) == 1 + len(entries)
