"""Checks of every screen: few calls, one call to refresh, no errors in the browser, accessible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.browser import running
from tests.console.browser.checked_page import Console
from tests.console.browser.screens import SCREENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, StorageState

    from infra.local.testing import LocalServer
    from tests.console.browser.fleet import Fleet


@pytest.fixture(scope="module")
def window(
    browser: Browser, signed_in: Callable[[str], StorageState], server: LocalServer, fleet: Fleet
) -> Iterator[Console]:
    """One window for all screens: to open and load a new one for each takes longer than the checks."""
    context = running.window(browser, signed_in(fleet.email))
    page = context.new_page()
    page.clock.install()
    yield Console(page, f"{server.url}/ui/", fleet).show("/")
    context.close()


@pytest.fixture
def console(window: Console) -> Iterator[Console]:
    """The console in that window, where nothing has gone wrong yet."""
    window.wrong.clear()
    yield window
    assert not window.wrong, "\n".join(window.wrong)


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_is_light_and_accessible(console: Console, name: str) -> None:
    console.go(SCREENS[name](console.fleet)).audit()
    console.refresh()


def test_every_part_is_accessible(console: Console) -> None:
    console.show("/parts", busy=True).audit()
