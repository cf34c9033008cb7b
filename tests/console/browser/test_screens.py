"""Checks of every screen: few calls, one call to refresh, no errors in the browser, accessible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.browser.screens import SCREENS

if TYPE_CHECKING:
    from tests.console.browser.checked_page import Console


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_is_light_and_accessible(console: Console, name: str) -> None:
    console.show(SCREENS[name](console.fleet)).audit()
    console.refresh()


def test_every_part_is_accessible(console: Console) -> None:
    console.show("/parts", busy=True).audit()
