"""One server, fleet and browser for all tests of the console, and a separate window for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState, expect, sync_playwright

from tests.console.browser import fleet as fleets
from tests.console.browser import running
from tests.console.browser.checked_page import Console

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.console.browser.fleet import Fleet

Window = Callable[[str], BrowserContext]
"""Opens a window; ``user`` is the address of the signed-in user, "" for none."""

expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with the reason if the console cannot be shown."""
    reason = running.missing()
    for item in items if reason else ():
        if "tests/console/browser/" in item.nodeid:
            item.add_marker(pytest.mark.skip(reason=f"tests in the browser: {reason}"))


@pytest.fixture(scope="package")
def fleet(server: LocalServer) -> Iterator[Fleet]:
    """The data that the console shows. Tests may change only what they created."""
    with fleets.new_fleet(server) as made:
        yield made


@pytest.fixture(scope="package")
def browser(fleet: Fleet) -> Iterator[Browser]:
    """The browser. It starts after the fleet is made and ends with these tests, as it occupies this thread's loop."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=running.CHROMIUM, args=running.ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="package")
def signed_in(browser: Browser, server: LocalServer) -> Callable[[str], StorageState]:
    """Sign a user in, once; returns the browser's state."""
    known: dict[str, StorageState] = {}

    def state(email: str) -> StorageState:
        if email not in known:
            known[email] = running.signed_in(browser, server.url, email)
        return known[email]

    return state


@pytest.fixture
def window(browser: Browser, signed_in: Callable[[str], StorageState]) -> Iterator[Window]:
    """Opens separate windows."""
    opened: list[BrowserContext] = []

    def make(user: str = "") -> BrowserContext:
        context = running.window(browser, signed_in(user) if user else None)
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def console_of(window: Window, server: LocalServer, fleet: Fleet) -> Iterator[Callable[[str], Console]]:
    """The console for the user with this address; "" for no user."""
    made: list[Console] = []

    def make(user: str) -> Console:
        page = window(user).new_page()
        page.clock.install()
        made.append(Console(page, f"{server.url}/ui/", fleet))
        return made[-1]

    yield make
    wrong = [each for console in made for each in console.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def console(console_of: Callable[[str], Console], fleet: Fleet) -> Console:
    """The console of the fleet's administrator, who is signed in."""
    return console_of(fleet.email)
