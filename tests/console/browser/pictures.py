"""``make pictures``: screenshots of all screens with a demo fleet, light and dark, on a desktop and a phone."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from infra.paths import ROOT
from tests.conftest import serving
from tests.console.browser import running
from tests.console.browser.checked_page import NARROW, WIDE, Console
from tests.console.browser.fleet import new_fleet
from tests.console.browser.screens import SCREENS

if TYPE_CHECKING:
    from collections.abc import Collection

ALL: Final = ROOT / ".local" / "pictures"
"""The folder for screenshots of all screens, which is not committed."""
SHOWN: Final = ROOT / "docs" / "pictures"
"""The folder for screenshots in ``docs/``."""
IN_DOCS: Final = ("overview", "audit-log", "deployment-gated", "deployment-stopped")
"""The screens that the docs show, by their names in ``SCREENS``; light, on a desk."""


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the console.")
    parser.add_argument("screens", nargs="*", metavar="SCREEN", help=f"only these, of {', '.join(SCREENS)}")
    parser.add_argument("--docs", action="store_true", help=f"also write anew those that {SHOWN.name} keeps")
    given = parser.parse_args()
    if reason := running.missing():
        sys.exit(f"no pictures: {reason}")
    take(given.screens or list(SCREENS), docs=given.docs)
    return 0


def take(names: Collection[str], *, docs: bool) -> None:
    """Take pictures of these screens."""
    ALL.mkdir(parents=True, exist_ok=True)
    with serving() as server, new_fleet(server, "harbour.example") as fleet, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=running.CHROMIUM, args=running.ARGUMENTS)
        state = running.signed_in(browser, server.url, fleet.email)
        for name in names:
            page = running.window(browser, state).new_page()
            console = Console(page, f"{server.url}/ui/", fleet).show(SCREENS[name](fleet), budget=99)
            for look, dark, width in (("light", False, WIDE), ("dark", True, WIDE), ("phone", False, NARROW)):
                console.look(dark=dark, width=width).settle().picture(ALL / f"{name}-{look}.png")
            if docs and name in IN_DOCS:
                SHOWN.mkdir(exist_ok=True)
                console.look(width=WIDE).settle()
                page.screenshot(path=SHOWN / f"{name}.png", animations="disabled")
            print(f"{os.path.relpath(ALL)}/{name}-*.png", flush=True)
            page.context.close()
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
