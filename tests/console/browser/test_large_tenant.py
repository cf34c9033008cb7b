"""The console of a large tenant, and of one whose names break layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.console.browser import large_tenant as crowds
from tests.console.browser.large_tenant import DEPLOYMENTS, DEVICES, ODD

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from infra.local.testing import LocalServer
    from tests.console.browser.checked_page import Console

_MOST_ROWS = 60
"""Rows that are drawn at most: those in sight, and some around them."""
_WIDER = """async () => {
    const wider = () => [document.documentElement, ...document.querySelectorAll("main, main *, dialog[open] *")]
        .filter(each => each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1)
        .filter(each => getComputedStyle(each).overflowX === "visible" && getComputedStyle(each).display !== "inline")
        .map(each => `${each.tagName}.${each.className}: ${each.scrollWidth} > ${each.clientWidth}`);
    // A chart is drawn again a few frames after the window has changed.
    for (let frame = 0; frame < 30 && wider().length; frame++) await new Promise(requestAnimationFrame);
    return wider();
}"""
"""Elements whose content is wider than they are, and that neither cut nor scroll it."""


@pytest.fixture(scope="module")
def crowd(browser: Browser) -> str:  # the server is there with it
    return crowds.gathered()


@pytest.fixture
def console(console_of: Callable[[str], Console], crowd: str) -> Console:
    return console_of(crowd)


def test_twenty_thousand_devices_are_scrolled_and_searched(console: Console) -> None:
    page = console.page
    rows = page.get_by_role("row")
    console.show("/devices?status=accepted")
    expect(page.get_by_text(f"{DEVICES:,} devices")).to_be_visible()
    assert rows.count() <= _MOST_ROWS
    page.locator("[data-index]").first.press("End")
    expect(console.link(f"crowd-{DEVICES - 1}")).to_be_visible()
    assert rows.count() <= _MOST_ROWS
    page.get_by_role("searchbox", name="Search").fill("owd-123")
    page.clock.run_for(300)
    expect(page.get_by_text("100 devices found")).to_be_visible()
    assert rows.count() <= _MOST_ROWS


def test_dragging_the_scroll_bar_loads_only_the_final_position(console: Console) -> None:
    page = console.page
    console.show("/devices?status=accepted")
    console.calls.clear()
    table = page.locator(".table__scroll")
    # The page's clock stands still but for a frame after each step: a busy machine makes no pauses in between.
    page.clock.pause_at(page.evaluate("() => Date.now() + 1000"))
    for step in range(1, 41):
        table.evaluate(
            """(table, step) => {
                table.scrollTop = table.scrollHeight * step / 80;
                table.dispatchEvent(new Event("scroll"));
            }""",
            step,
        )
        page.clock.run_for(16)
    page.clock.resume()
    expect(page.get_by_role("link", name="crowd-10000")).to_be_visible()
    console.settle()
    assert len([call for call in console.calls if "search" in call]) <= 2, console.calls


def test_a_thousand_deployments_and_many_users_are_listed(console: Console) -> None:
    page = console.page
    console.show("/deployments?status=finished&page=20")
    expect(page.get_by_text(f"of {DEPLOYMENTS:,}")).to_be_visible()
    expect(console.link("crowd-00950")).to_be_visible()
    assert page.get_by_role("row").count() <= _MOST_ROWS
    console.show("/settings/users")
    assert page.get_by_role("row").count() <= _MOST_ROWS
    page.get_by_label("Search users").fill("user-199")
    expect(page.get_by_text("user-199@")).to_be_visible()


def test_no_name_is_wider_than_the_page(console_of: Callable[[str], Console], server: LocalServer) -> None:
    """On a phone, and in the 640 pixels that a window of 1280 has at a zoom of 200 % (WCAG 1.4.4, 1.4.10)."""
    odd = crowds.named(server.url)
    console = console_of(odd.email)
    wide = []
    for path in (
        "/",
        "/devices?q=a_name",
        "/devices?open=filter",
        f"/devices?open=group&group={odd.group}",
        f"/devices/{odd.device}",
        f"/devices/{odd.device}?tab=inventory",
        f"/devices/{odd.device}?tab=deployments",
        "/deployments?status=finished",
        f"/deployments/{odd.deployment}?status=failure",
        f"/deployments/new?devices={odd.device}&release={quote(ODD[1])}&step=review",
        "/releases",
        f"/releases/{quote(ODD[2])}",
        "/settings/users",
        "/auditlogs",
    ):
        console.show(path, budget=9)  # a dialog may ask for more than its page
        for width in (360, 640):
            found = console.look(width=width).page.evaluate(_WIDER)
            wide += [f"{path} in {width} pixels: {each}" for each in found]
    assert not wide, "\n".join(wide)
