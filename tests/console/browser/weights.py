"""Calls and bytes by screen, as a table: ``python -m tests.console.browser.weights``.

Each screen is shown by a browser that has nothing yet, to a user who is signed in. Bytes are those of the bodies as
they are sent, compressed or not.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from tests.conftest import serving
from tests.console.browser import running
from tests.console.browser.checked_page import Console
from tests.console.browser.fleet import new_fleet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response, StorageState

    from tests.console.browser.fleet import Fleet

MENDERS: Final = {
    "/": 52,
    "/devices": 34,
    "/devices?status=pending": 31,
    "/releases": 13,
    "/deployments": 56,
    "/auditlogs": 7,
    "/settings/profile": 22,
    "/settings/users": 12,
    "/settings/roles": 7,
    "/settings/webhooks": 32,
}
"""Calls of the API that Mender's UI 4.1.3 made for what corresponds, in a browser against this server."""
OTHERS: Final = (
    "/settings/acceptance",
    "/settings/trust",
    "/settings/notifications",
    "/settings/organization",
    "/start",
    "/api",
    "/deployments/new?release=gateway-os-2.0&step=devices",
)


@dataclass
class Load:
    """The loaded data: calls of the API, and bytes of their answers and of the console's files."""

    calls: int = 0
    api: int = 0
    files: int = 0
    _seen: list[Response] = field(default_factory=list)

    def note(self, response: Response) -> None:
        """An answer has begun to arrive."""
        self._seen.append(response)

    def all_of(self, page: Page, calls: int) -> Load:
        """Everything noted since the last time, when so many calls were answered."""
        while sum("/api/" in each.url for each in self._seen) < calls:
            page.wait_for_event("response")
        seen, self._seen = self._seen, []
        found = Load()
        for response in seen:
            size = 0 if response.status in {204, 304} else response.request.sizes()["responseBodySize"]
            if "/api/" in response.url:
                found.calls += 1
                found.api += size
            elif response.request.method == "GET":
                found.files += size
        return found


def main() -> int:
    """Measure, and print a table in Markdown."""
    if reason := running.missing():
        sys.exit(f"not measured: {reason}")
    print("| screen | calls | kB of answers | kB of files | calls to refresh | kB | calls of Mender's UI |")
    print("|---|---|---|---|---|---|---|")
    with serving() as server, new_fleet(server, "weights.example") as fleet, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=running.CHROMIUM, args=running.ARGUMENTS)
        state = running.signed_in(browser, server.url, fleet.email)
        for title, path in screens(fleet).items():
            first, again = measured(browser, state, fleet, f"{server.url}/ui/", path)
            print(
                f"| {title} | {first.calls} | {first.api / 1000:.1f} | {first.files / 1000:.0f} "
                f"| {again.calls} | {again.api / 1000:.1f} | {MENDERS.get(path, '')} |",
                flush=True,
            )
        browser.close()
    return 0


def screens(fleet: Fleet) -> dict[str, str]:
    """The paths of the measured screens, by their titles in the table."""
    deployments = {name: f"/deployments/{id}" for name, id in fleet.deployments.items()}
    return {
        **{f"`{path}`": path for path in MENDERS},
        "`/devices/ID`": f"/devices/{fleet.devices[0].id}",
        "`/devices/ID?tab=deployments`": f"/devices/{fleet.devices[37].id}?tab=deployments",
        "`/deployments/ID`": deployments["running"],
        "... stopped by failures": deployments["stopped"],
        "... that waits for approval": deployments["unapproved"],
        "`/deployments/ID/report`": f"{deployments['failing']}/report",
        "`/releases/gateway-os-2.0`": "/releases/gateway-os-2.0",
        **{f"`{path.partition('?release')[0]}`": path for path in OTHERS},
        "... with a preview": "/deployments/new?release=gateway-os-2.0&to=all&step=review&preview=1",
    }


def measured(browser: Browser, state: StorageState, fleet: Fleet, root: str, path: str) -> tuple[Load, Load]:
    """The data that a screen loads when it is first shown, and in the two minutes after."""
    context = running.window(browser, state)
    page = context.new_page()
    page.clock.install()
    load = Load()
    page.on("response", load.note)
    console = Console(page, root, fleet).show(path, budget=99)
    first = load.all_of(page, 1 + len(console.calls))  # the session, which the console's own count leaves out
    again = load.all_of(page, len(console.refresh(budget=99)))
    context.close()
    return first, again


if __name__ == "__main__":
    sys.exit(main())
