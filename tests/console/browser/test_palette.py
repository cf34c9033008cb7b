"""The command palette: everything by typing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.console.browser.checked_page import Console


def test_everything_is_found_by_typing(console: Console) -> None:
    page = console.show("/").page
    palette = page.get_by_role("combobox", name="Search and commands")
    results = page.get_by_role("listbox", name="Results")

    def choose(text: str, option: str, path: str) -> None:
        """Type a text, take an option, and arrive at a path."""
        page.keyboard.press("Control+k")
        palette.fill(text)
        expect(results.get_by_role("option", name=option)).to_have_count(1)
        for _ in range(12):
            if option in (results.get_by_role("option", selected=True).text_content() or ""):
                break
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(palette).to_have_count(0)
        console.arrives(path)

    fleet = console.fleet
    choose("gateway-12", "gateway-12", f"/devices/{fleet.devices[11].id}")
    choose("Security fixes of March", "Security fixes of March", f"/deployments/{fleet.deployments['finished']}")
    choose("canaries", "Candidate on canaries", f"/deployments/{fleet.deployments['scheduled']}")
    choose("rollout", "New deployment", "/deployments/new")
    choose("audit", "Go to audit log", "/auditlogs")
    page.keyboard.press("Control+k")
    expect(results.get_by_role("option").first).to_be_visible()
    console.audit()
    palette.fill("nothing has this name")
    console.says("Nothing fits")
    page.keyboard.press("Escape")
    expect(palette).to_have_count(0)


def test_signing_out_leaves_nothing(console: Console) -> None:
    """A session of its own: that of the fixture goes on."""
    page = console.show("/").page
    page.context.clear_cookies()
    with console.refused("GET", "/console/session", 401):
        page.reload()
        page.get_by_label("E-mail address").fill(console.fleet.email)
    page.get_by_label("Password", exact=True).fill("a-long-enough-one")
    page.get_by_label("Password", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search and commands").fill("sign out")
    with console.refused("GET", "/console/session", 401):
        page.get_by_role("option", name="Sign out", exact=True).click()
        expect(page.get_by_label("E-mail address")).to_be_visible()
    assert page.context.cookies() == []
